"""A long study seen through some of its trials, for a page that is drawn again and again.

A page of a hundred thousand trials is drawn from as many as it can show: the best, the latest, and
some of all others. Figures of the whole study, as how many trials are in which state, are of all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from hpsearch.engine.metadata import PREFIX
from hpsearch.errors import UnknownNameError
from hpsearch.plots.view import StudyView, read_view
from hpsearch.service.overview import About, Overview
from hpsearch.storage.cache import StudyInMemory
from hpsearch.storage.optuna_schema import tables
from hpsearch.storage.rows import read_studies, read_trials
from hpsearch.storage.write_behind import WriteBehindStorage

__all__ = ["MOST", "Drawn", "draw", "draw_layers", "glimpse"]

MOST = 1_000
"""Trials of which a page is drawn."""


class Glimpse(WriteBehindStorage):
    """A storage to look at studies, each with some of its trials.

    Args:
        url: of the database.
        most: trials of a study.
        numbers: of trials that are among them.
    """

    def __init__(self, url: str, most: int, numbers: Sequence[int] = ()) -> None:
        super().__init__(url, create=False)
        self._most, self._numbers = most, numbers
        self._seen: dict[int, StudyInMemory] = {}

    def _study(self, study_id: int) -> StudyInMemory:
        """A study as it was when it was first looked at."""
        study = self._seen.get(study_id)
        if study is None:
            with self.connection.reading() as connection:
                [frozen] = read_studies(connection, tables().studies.c.study_id == study_id)
                study = StudyInMemory(frozen)
                kept = frozen.user_attrs.get(f"{PREFIX}result")
                chosen = some_of(connection, study_id, self._most, _slots(kept), self._numbers)
                for trial in read_trials(connection, chosen):
                    study.add(trial)
            self._seen[study_id] = study
        return study


def some_of(
    connection: sa.Connection,
    study_id: int,
    most: int,
    slots: list[list[int]],
    numbers: Sequence[int] = (),
) -> sa.ColumnElement[bool]:
    """A condition for some trials of a study: all, where they are no more than that.

    Args:
        connection: of the database.
        study_id: of the study.
        most: trials.
        slots: stage and slot of the winner's.
        numbers: of trials that are among them.
    """
    known = tables()
    t, v, d = known.trials.c, known.trial_values.c, known.study_directions.c
    ours = t.study_id == study_id
    ids = list(connection.execute(sa.select(t.trial_id).where(ours).order_by(t.trial_id)).scalars())
    if len(ids) <= most:
        return ours
    query = sa.select(sa.type_coerce(d.direction, sa.String)).where(d.study_id == study_id)
    descends = connection.execute(query.order_by(d.objective)).scalar() == "MAXIMIZE"
    order = v.value.desc() if descends else v.value.asc()
    joined = known.trials.join(known.trial_values, v.trial_id == t.trial_id)
    complete = ours & (t.state == "COMPLETE") & (v.objective == 0)
    best = (
        sa.select(t.trial_id).select_from(joined).where(complete).order_by(order).limit(most // 4)
    )
    chosen = set(connection.execute(best).scalars()) | set(ids[-most // 2 :])
    chosen |= {i for slot in slots for i in _at(connection, study_id, *slot)}
    left = max(1, most - len(chosen))
    chosen |= set(ids[:: -(-len(ids) // left)])
    return t.trial_id.in_(sorted(chosen)) | (ours & t.number.in_(numbers))


def _at(connection: sa.Connection, study_id: int, stage: int, slot: int) -> list[int]:
    """The trials of a slot."""
    known = tables()
    t, a, b = (
        known.trials.c,
        known.trial_user_attributes.alias(),
        known.trial_user_attributes.alias(),
    )
    query = (
        sa.select(t.trial_id)
        .select_from(
            known.trials.join(a, a.c.trial_id == t.trial_id).join(b, b.c.trial_id == t.trial_id)
        )
        .where(t.study_id == study_id)
        .where(a.c.key == "stage_index", a.c.value_json == json.dumps(stage))
        .where(b.c.key == "slot", b.c.value_json == json.dumps(slot))
    )
    return list(connection.execute(query).scalars())


def _slots(kept: Any) -> list[list[int]]:
    """Stage and slot of the winner's trials, of a study that has one."""
    try:
        slots: list[list[int]] = json.loads(kept)["validation_slots"][:10]
    except (TypeError, ValueError, KeyError):
        return []
    return slots


def glimpse(url: str, name: str, most: int = MOST) -> tuple[StudyView, About]:
    """A study as its page shows it, and what is known of all its trials.

    Args:
        url: of the database.
        name: of the study.
        most: trials that are read.

    Raises:
        UnknownNameError: there is no such study.
        StorageError: it cannot be read.
    """
    with Glimpse(url, most) as store:
        with store.connection.reading() as connection:
            found = Overview().studies(connection, name)
        if not found:
            raise UnknownNameError("study", name, ["none of this name any more"])
        [about] = found
        view = read_view(store, name)
        summary = replace(view.summary, states=dict(about.states))
        return replace(view, summary=summary), about


@dataclass(frozen=True)
class Drawn:
    """What a page's document is drawn from, as a worker is told.

    Attributes:
        url: of the database.
        name: of the study.
        number: of a trial, where it is drawn alone.
    """

    url: str
    name: str
    number: int = 0


def draw(asked: Drawn) -> bytes:
    """The document of a study's page, in JSON; see `hpsearch.report.document`.

    Raises:
        UnknownNameError: there is no such study.
        StorageError: it cannot be read.
    """
    from hpsearch.report.dashboards import load_dashboard
    from hpsearch.report.document import document_json, page_document

    view, about = glimpse(asked.url, asked.name)
    document = page_document([view], load_dashboard("search"))
    document["footer"] = "Served by hpsearch."
    every, shown = sum(about.states.values()), len(view.summary.rows)
    if shown < every:
        note = (
            f"Of {every:,} trials {shown:,} are drawn: the best, the latest, and some of all "
            "others. Counts are of all of them."
        )
        document["sections"][0]["words"].append(note)
    return document_json(document).encode()


def draw_layers(asked: Drawn) -> bytes:
    """What a trial's page shows beside the study's document, in JSON: its layers, as panels.

    Raises:
        UnknownNameError: there is no such study.
        StorageError: it cannot be read.
    """
    from hpsearch.report.document import document_json, trial_panels

    with Glimpse(asked.url, MOST, [asked.number]) as store:
        view = read_view(store, asked.name)
        return document_json(trial_panels(store, view, asked.number)).encode()
