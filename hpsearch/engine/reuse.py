"""No training is done twice: what a database holds already is taken from there."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from hpsearch.engine.record import DIGEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

__all__ = ["digest_of", "known_results"]


def digest_of(parts: Mapping[str, Any]) -> str:
    """What tells two trainings apart, in 32 hexadecimal digits.

    Args:
        parts: all that a result depends on, but for the version of hpsearch, in terms of JSON.
    """
    text = json.dumps({"version": _version(), **parts}, sort_keys=True)
    return sha256(text.encode()).hexdigest()[:32]


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
