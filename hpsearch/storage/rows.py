"""Trials and studies as rows, and back: pure functions over Optuna's schema, many at a time."""

from __future__ import annotations

import gc
import json
import math
import operator
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from hpsearch.storage.optuna_schema import tables

__all__ = [
    "as_stored",
    "attribute_row",
    "epochs_row",
    "intermediate_row",
    "param_row",
    "plain",
    "read_studies",
    "read_trials",
    "to_utc",
    "trial_row",
    "trial_rows",
    "value_row",
]

Row = dict[str, Any]

FINITE = "FINITE"
SPECIAL = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}


def to_utc(local: datetime | None) -> datetime | None:
    """A time of a trial as the database keeps it: Optuna's trials have local times without zone."""
    return None if local is None else local.astimezone(UTC).replace(tzinfo=None)


def trial_row(trial: FrozenTrial) -> Row:
    """What the table of trials says of one, but for its id, number and study."""
    return {
        "state": trial.state,
        "datetime_start": to_utc(trial.datetime_start),
        "datetime_complete": to_utc(trial.datetime_complete),
    }


def trial_rows(trial: FrozenTrial, trial_id: int) -> Iterator[tuple[sa.Table, Row]]:
    """All other rows of a trial, each with its table."""
    known = tables()
    for name, value in trial.params.items():
        distribution = trial.distributions[name]
        internal = distribution.to_internal_repr(value)
        yield known.trial_params, param_row(trial_id, name, internal, distribution)
    for objective, value in enumerate(trial.values or ()):
        yield known.trial_values, value_row(trial_id, objective, value)
    for step, value in trial.intermediate_values.items():
        yield known.trial_intermediate_values, intermediate_row(trial_id, step, value)
    for key, value in trial.user_attrs.items():
        yield known.trial_user_attributes, attribute_row("trial_id", trial_id, key, value)
    for key, value in trial.system_attrs.items():
        yield known.trial_system_attributes, attribute_row("trial_id", trial_id, key, value)


def param_row(trial_id: int, name: str, internal: float, distribution: BaseDistribution) -> Row:
    """The row of a parameter's value, in Optuna's internal representation."""
    return {
        "trial_id": trial_id,
        "param_name": name,
        "param_value": float(internal),
        "distribution_json": distribution_to_json(distribution),
    }


def value_row(trial_id: int, objective: int, value: float) -> Row:
    """The row of one of a trial's values."""
    number, kind = _stored(value)
    return {"trial_id": trial_id, "objective": objective, "value": number, "value_type": kind}


def intermediate_row(trial_id: int, step: int, value: float) -> Row:
    """The row of a reported value.

    Raises:
        TypeError: the step is no integer.
    """
    number, kind = _stored(value)
    return {
        "trial_id": trial_id,
        "step": operator.index(step),
        "intermediate_value": number,
        "intermediate_value_type": kind,
    }


def epochs_row(
    trial_id: int, epochs: Mapping[str, Sequence[float]], snapshots: Mapping[str, Any] | None
) -> Row:
    """The row of what a trial's epochs came to, in the table beside Optuna's.

    Args:
        trial_id: Optuna's.
        epochs: a number for each epoch, by the name of the quantity; six digits are kept.
        snapshots: of the network between epochs, in terms of JSON.

    >>> epochs_row(7, {"train_loss": [2.30258509, 1.25]}, None)["content"]
    '{"train_loss": [2.30259, 1.25]}'
    """
    content = {
        name: [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]
        for name, values in epochs.items()
    }
    seen = None if snapshots is None else json.dumps(snapshots, allow_nan=False)
    return {"trial_id": trial_id, "content": json.dumps(content), "snapshots": seen}


def attribute_row(owner: str, owner_id: int, key: str, value: Any) -> Row:
    """The row of an attribute of a study or a trial.

    Raises:
        TypeError: the value is none that JSON has.
    """
    return {owner: owner_id, "key": key, "value_json": json.dumps(value)}


def plain(value: Any) -> Any:
    """A value as it will come back from the database, where it is JSON."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json.loads(json.dumps(value))


def _stored(value: float) -> tuple[float | None, str]:
    """A number and its kind: databases have no infinity, and not all have NaN."""
    number = float(value)
    if math.isfinite(number):
        return number, FINITE
    if math.isnan(number):
        return None, "NAN"
    return None, "INF_POS" if number > 0 else "INF_NEG"


def read_studies(
    connection: sa.Connection, where: sa.ColumnElement[bool] | None = None
) -> list[FrozenStudy]:
    """Studies with directions and attributes, by rising id, in four queries."""
    known = tables()
    s, d = known.studies.c, known.study_directions.c
    chosen = sa.true() if where is None else where
    ids = sa.select(s.study_id).where(chosen)
    directions: dict[int, list[StudyDirection]] = defaultdict(list)
    query = sa.select(d.study_id, d.direction).where(d.study_id.in_(ids)).order_by(d.objective)
    for study_id, direction in connection.execute(query):
        directions[study_id].append(direction)

    def attributes(a: sa.ColumnCollection[str, sa.Column[Any]]) -> dict[int, dict[str, Any]]:
        query = sa.select(a.study_id, a.key, a.value_json).where(a.study_id.in_(ids))
        return _by_owner(connection.execute(query))

    user = attributes(known.study_user_attributes.c)
    system = attributes(known.study_system_attributes.c)
    query = sa.select(s.study_id, s.study_name).where(chosen).order_by(s.study_id)
    return [
        FrozenStudy(
            study_name=name,
            direction=None,
            directions=directions[study_id],
            user_attrs=user.get(study_id, {}),
            system_attrs=system.get(study_id, {}),
            study_id=study_id,
        )
        for study_id, name in connection.execute(query)
    ]


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Rows are many small objects without cycles; looking for some takes a third of the reading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_no_garbage_collection()
def read_trials(connection: sa.Connection, where: sa.ColumnElement[bool]) -> list[FrozenTrial]:
    """Trials with everything that belongs to them, in six queries whatever their number.

    Args:
        connection: of a database with Optuna's schema.
        where: a condition on the table of trials.

    Returns:
        The trials, by rising id; their ``number`` is what the database says.
    """
    known = tables()
    t = known.trials.c
    chosen = sa.select(t.trial_id).where(where)

    def rows(table: sa.Table, *columns: str, order: str) -> Sequence[Any]:
        query = sa.select(*(_plain(table.c[name]) for name in ("trial_id", *columns)))
        query = query.where(table.c.trial_id.in_(chosen)).order_by(table.c[order])
        return connection.execute(query).all()

    params: dict[int, dict[str, Any]] = defaultdict(dict)
    distributions: dict[int, dict[str, BaseDistribution]] = defaultdict(dict)
    for i, name, number, text in rows(
        known.trial_params, "param_name", "param_value", "distribution_json", order="param_id"
    ):
        distribution = _distribution(text)
        params[i][name] = distribution.to_external_repr(number)
        distributions[i][name] = distribution
    values: dict[int, list[float]] = defaultdict(list)
    for i, number, kind in rows(known.trial_values, "value", "value_type", order="objective"):
        values[i].append(number if kind == FINITE else SPECIAL[kind])
    reported: dict[int, dict[int, float]] = defaultdict(dict)
    for i, step, number, kind in rows(
        known.trial_intermediate_values,
        "step",
        "intermediate_value",
        "intermediate_value_type",
        order="trial_intermediate_value_id",
    ):
        reported[i][step] = number if kind == FINITE else SPECIAL[kind]
    user, system = (
        _by_owner(rows(table, "key", "value_json", order=next(iter(table.primary_key)).name))
        for table in (known.trial_user_attributes, known.trial_system_attributes)
    )
    query = (
        sa.select(t.trial_id, t.number, _plain(t.state), t.datetime_start, t.datetime_complete)
        .where(where)
        .order_by(t.trial_id)
    )
    return [
        FrozenTrial(
            number=number,
            state=TrialState[state],
            value=None,
            values=values.get(i),
            datetime_start=_to_local(start),
            datetime_complete=_to_local(complete),
            params=params.get(i, {}),
            distributions=distributions.get(i, {}),
            user_attrs=user.get(i, {}),
            system_attrs=system.get(i, {}),
            intermediate_values=reported.get(i, {}),
            trial_id=i,
        )
        for i, number, state, start, complete in connection.execute(query).all()
    ]


def _by_owner(rows: Iterable[Sequence[Any]]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for owner, key, text in rows:
        found[owner][key] = json.loads(text)
    return found


def _plain(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """An enumeration as its text, which is what the drivers give; the rest as it is."""
    if isinstance(column.type, sa.Enum):
        return sa.type_coerce(column, sa.String).label(column.key)
    return column


def _to_local(utc: datetime | None) -> datetime | None:
    return None if utc is None else utc.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def as_stored(distribution: BaseDistribution) -> BaseDistribution:
    """A distribution as the database gives it back."""
    return json_to_distribution(distribution_to_json(distribution))


_distribution = lru_cache(maxsize=4096)(json_to_distribution)
