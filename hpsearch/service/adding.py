"""Trials from elsewhere: finished, or known to be good and to be tried first."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hpsearch.errors import UnknownNameError, UsageError, shown
from hpsearch.service.problems import ConflictError
from hpsearch.storage import load_study
from hpsearch.storage.optuna_schema import tables
from hpsearch.study_file import StudyFile

if TYPE_CHECKING:
    from hpsearch.service.models import Added
    from hpsearch.storage import WriteBehindStorage

__all__ = ["add_finished", "with_first"]

ASKED = "added with"
"""The attribute of a trial from elsewhere with the idempotency key that it came with."""


def with_first(study: StudyFile, configuration: Mapping[str, Any]) -> StudyFile:
    """A study that tries a configuration before anything else, after others of this kind.

    Raises:
        UsageError: it has not the study's parameters.
    """
    given = dict(configuration)
    first = study.first if given in study.first else [*study.first, given]
    return StudyFile.model_validate_json(
        json.dumps(study.model_dump(mode="json") | {"first": first})
    )


def add_finished(
    store: WriteBehindStorage, study: StudyFile, added: Added, who: str, asked: str | None
) -> str:
    """Write a trial that was finished elsewhere, once.

    Args:
        store: of the server's own, within a group that commits it.
        study: has begun.
        added: the trial, with its value.
        who: adds it.
        asked: who asks, and the idempotency key; the same again is the same trial.

    Returns:
        Its id.

    Raises:
        ConflictError: the study has not begun.
        UsageError: it has not the study's parameters, or records something else.
    """
    from optuna.trial import TrialState, create_trial

    from hpsearch.search.distributions import to_distribution

    assert added.value is not None
    space = study.search_space()
    configuration = dict(added.configuration)
    lacking = set(space.active(configuration)) - set(configuration)
    foreign = set(configuration) - set(space.parameters)
    if lacking or foreign:
        which = f"lacks {min(lacking)!r}" if lacking else f"has {min(foreign)!r}"
        raise UsageError(
            f"the configuration {which}; the study's parameters are: {', '.join(space.parameters)}",
            key="configuration",
        )
    if not math.isfinite(added.value):
        raise UsageError(f"the value is {added.value}, which is not finite", key="value")
    for key, number in added.also.items():
        if key not in study.objective.also:
            known = ", ".join(study.objective.also) or "nothing"
            raise UsageError(
                f"also has {shown(key)}, and the study records {known} beside its value",
                key="also",
            )
        if not math.isfinite(number):
            raise UsageError(f"{key} is {number}, which is not finite", key="also")
    for key, value in configuration.items():
        if value not in space.parameters[key]:
            raise UsageError(
                f"{key} is {shown(value)}, which is not in the study's range",
                key="configuration",
            )
    try:
        target = load_study(store, study.name)
    except UnknownNameError:
        raise ConflictError(
            f"the study {study.name!r} has not begun; add it once it has a first trial"
        ) from None
    before = None if asked is None else _added(store, target._study_id, asked)
    if before is not None:
        return before
    trial = create_trial(
        state=TrialState.COMPLETE,
        value=added.value,
        params=configuration,
        distributions={k: to_distribution(space.parameters[k]) for k in configuration},
        user_attrs={**added.also, "from": who} | ({} if asked is None else {ASKED: asked}),
    )
    return str(store.create_new_trial(target._study_id, template_trial=trial))


def _added(store: WriteBehindStorage, study_id: int, asked: str) -> str | None:
    """The id of the trial that was added with an idempotency key, if one was."""
    a, t = tables().trial_user_attributes.c, tables().trials.c
    its_key = (a.trial_id == t.trial_id) & (a.key == ASKED) & (a.value_json == json.dumps(asked))
    query = sa.select(t.trial_id).where(t.study_id == study_id, its_key)
    with store.connection.reading() as connection:
        found = connection.execute(query).scalar()
    return None if found is None else str(found)
