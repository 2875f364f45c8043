"""No training is done twice: what a database holds already is taken from there."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from hpsearch.engine.record import DIGEST
from hpsearch.metrics import DEFAULT, POSITIVE

if TYPE_CHECKING:
    import sqlalchemy as sa

    from hpsearch.study_file import StudyFile
    from hpsearch.training.jobs import Job

__all__ = ["job_digest", "known_results"]


def job_digest(study: StudyFile, fingerprint: str, job: Job) -> str:
    """What tells two trainings apart: data, split, configuration, seed, epochs, metrics.

    Args:
        study: whose seed and data section divide the data.
        fingerprint: of the data.
        job: configuration, seed, epochs and metrics.

    Returns:
        32 hexadecimal digits; equal for two jobs only if their results are equal.
    """
    split = study.data.model_dump(include={"limit", "test", "validation", "folds"})
    if study.data.kind_of_split != "stratified":  # what it needs is in the data's fingerprint
        split["kind"] = study.data.kind_of_split
    if study.data.fold_repeats > 1:
        split["fold_repeats"] = study.data.fold_repeats
    parts: dict[str, Any] = {
        "version": _version(),
        "data": fingerprint,
        "split": [split, study.seed],
        "configuration": dict(job.configuration),
        "seed": job.seed,
        "epochs": job.epochs,
    }
    if job.test:
        parts["test"] = True
    if (job.metric, job.also) != (DEFAULT["classification"], ()):
        parts["objective"] = [job.metric, *job.also]
    if job.positive != POSITIVE:
        parts["positive"] = job.positive
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@cache
def _version() -> str:
    return version("hpsearch")


def known_results(engine: sa.Engine) -> dict[str, int]:
    """Every training whose result the database holds: its digest, and the id of its trial."""
    import sqlalchemy as sa

    query = sa.text(
        "SELECT a.value_json, a.trial_id FROM trial_user_attributes AS a "
        "JOIN trials AS t ON t.trial_id = a.trial_id "
        "WHERE a.key = :key AND t.state IN ('COMPLETE', 'PRUNED')"
    )
    with engine.connect() as connection:
        rows = connection.execute(query, {"key": DIGEST}).all()
    digests = ((json.loads(text), int(trial_id)) for text, trial_id in rows)
    # Other people's trials may have anything by that name.
    return {digest: trial_id for digest, trial_id in digests if isinstance(digest, str)}
