"""What is kept of studies beside Optuna's tables: trained networks, and what each epoch came to."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from hpsearch.errors import StorageError
from hpsearch.storage.own_tables import own_tables

if TYPE_CHECKING:
    import sqlalchemy as sa

    from hpsearch.storage.write_behind import WriteBehindStorage

__all__ = ["load_epochs", "load_model_bytes", "save_model_bytes"]


def save_model_bytes(
    storage: WriteBehindStorage, study_id: int, content: bytes, *, ensemble: int | None = None
) -> str:
    """Keep a study's trained network, or an ensemble of it, in place of the one before.

    Args:
        storage: where the study is.
        study_id: Optuna's.
        content: of the model file.
        ensemble: the number of its members, for an ensemble; below 0 if boosting might join it.

    Returns:
        The digest that `load_model_bytes` asks for.
    """
    table, key = _models_of(study_id, ensemble)
    digest = sha256(content).hexdigest()
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with storage.transaction() as connection:
        connection.execute(table.delete().where(*_are(table, key)))
        connection.execute(
            table.insert().values(digest=digest, created=created, content=content, **key)
        )
    return digest


def load_model_bytes(
    storage: WriteBehindStorage, study_id: int, digest: str, *, ensemble: int | None = None
) -> bytes:
    """The network, or ensemble, that `save_model_bytes` kept.

    Raises:
        StorageError: there is none with this digest, as after the study was deleted and made anew.
    """
    import sqlalchemy as sa

    table, key = _models_of(study_id, ensemble)
    query = sa.select(table.c.content).where(*_are(table, key | {"digest": digest}))
    with storage.connection.reading() as connection:
        content = connection.execute(query).scalar()
    if content is None or sha256(content).hexdigest() != digest:
        what = "trained network" if ensemble is None else f"ensemble of {ensemble}"
        raise StorageError(
            f"the study's {what} is not in the database any more; run the study again under "
            "another name to train it"
        )
    return bytes(content)


def _models_of(study_id: int, ensemble: int | None) -> tuple[sa.Table, dict[str, object]]:
    if ensemble is None:
        return own_tables().models, {"study_id": study_id}
    return own_tables().ensembles, {"study_id": study_id, "members": ensemble}


def _are(table: sa.Table, values: Mapping[str, object]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in values.items()]


def load_epochs(
    storage: WriteBehindStorage,
    *,
    study_id: int | None = None,
    trial_id: int | None = None,
    snapshots: bool = True,
) -> dict[int, dict[str, Any]]:
    """What the epochs of a study's trials, or of one trial, came to.

    Args:
        storage: where the study is.
        study_id: Optuna's number of it.
        trial_id: Optuna's number of the only trial to read.
        snapshots: whether to read the snapshots too, which are most of what there is to read.
            Without it ``snapshots`` is empty, and is missing likewise for trials that have none.

    Returns:
        For each trial's id a list for each quantity, one number an epoch, None where it was not
        finite; and under ``snapshots`` those of the network. Trials that hpsearch did not train are
        missing.
    """
    import sqlalchemy as sa

    from hpsearch.storage.optuna_schema import tables

    e, trials = own_tables().epochs.c, tables().trials.c
    if trial_id is not None:
        chosen = e.trial_id == trial_id
    else:
        chosen = e.trial_id.in_(sa.select(trials.trial_id).where(trials.study_id == study_id))
    there = e.snapshots if snapshots else sa.case((e.snapshots.is_not(None), "{}"))
    storage.flush()
    with storage.connection.reading() as connection:
        rows = connection.execute(sa.select(e.trial_id, e.content, there).where(chosen)).all()
    return {
        number: json.loads(content) | ({"snapshots": json.loads(seen)} if seen else {})
        for number, content, seen in rows
    }
