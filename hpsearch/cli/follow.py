"""A study that a server runs, followed from here: its trials as the events of a run."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from hpsearch.cli.console import tell
from hpsearch.data.account import Account
from hpsearch.engine.events import (
    DataKnown,
    Finished,
    OnEvent,
    Ready,
    StageStarted,
    TrialDone,
    Waiting,
    WinnerNamed,
)
from hpsearch.engine.summary import StageSummary, Summary, TrialRow
from hpsearch.errors import ServerError
from hpsearch.search.base import Result
from hpsearch.service import requests
from hpsearch.service.documents import read_summary
from hpsearch.service.models import OVER
from hpsearch.writing import in_one_line

if TYPE_CHECKING:
    from hpsearch.service.client import Client
    from hpsearch.service.models import Study, Trial

__all__ = ["follow"]

ENDED = ("complete", "pruned", "failed")

AWAY = (None, 502, 503, 504)
"""How no server answers, or one that starts or is busy, itself or by the proxy before it."""


def follow(client: Client, name: str, on_event: OnEvent) -> tuple[Study, Summary | None]:
    """Tell of a study until it is over, however often the server is away meanwhile.

    Args:
        client: asks the server.
        name: of the study.
        on_event: is told of everything, as by a run.

    Returns:
        The study, and what it came to; None if it never began.
    """
    tale = _Tale(client, name, on_event)
    began, away = time.monotonic(), False
    while True:
        try:
            tale.look()
            if tale.study.state in OVER:
                return tale.study, tale.end()
        except ServerError as error:
            if error.status not in AWAY:
                raise
            if not away:
                tell(f"{error}. It is waited for; Ctrl-C leaves, and the study is kept")
            away = True
        else:
            if away:
                tell(f"{client.url} answers again")
            away = False
        time.sleep(min(max(0.2, (time.monotonic() - began) / 50), 2.0))


class _Tale:
    """What was told of a study so far.

    Attributes:
        study: as the server told of it last.
    """

    study: Study

    def __init__(self, client: Client, name: str, on_event: OnEvent) -> None:
        self._client, self._name, self._on_event = client, name, on_event
        self._since = 0
        self._trials: dict[str, Trial] = {}
        self._told: set[str] = set()  # trials that are over
        self._stages: dict[str, StageSummary] = {}
        self._summary: Summary | None = None
        self._state, self._named, self._joins = "", False, True

    def look(self) -> None:
        """Tell what has changed."""
        self.study = self._client.study(self._name)
        if self.study.state != self._state and self.study.state in ("queued", "paused"):
            why = f": {self.study.why}" if self.study.why else ""
            tell(in_one_line(f"{self._name}  {self.study.state}{why}"))
        self._state = self.study.state
        new = self._new_trials()
        if self._summary is None or any(t.stage and t.stage not in self._stages for t in new):
            self._read(new)
        self._tell_where()  # before trials of an extended study are more than it had at first
        if new and self._summary is not None:
            for row in self._rows(new):
                self._tell_end(row)
        self._joins = False
        self._tell_where()
        total = self.study.total
        if self._stages and not self._named and total and len(self._told) >= total:
            self._named = True
            self._on_event(WinnerNamed(None))

    def _tell_where(self) -> None:
        if self._stages:
            *_, last = self._stages.values()
            running = self.study.trials.get("running", 0)
            self._on_event(Waiting(last, running, self.study.total))

    def end(self) -> Summary | None:
        """What the study came to."""
        if not self.study.trials:  # it was stopped before it began
            return None
        document = self._client.best(self._name)
        summary = read_summary(document, self._client.trials(self._name))
        self._on_event(Finished(summary))
        return summary

    def _new_trials(self) -> list[Trial]:
        """Trials that are over, and were not before."""
        more, new = True, []
        while more:
            page = self._client.send(requests.trials(self._name, self._since))
            self._since, more = page.since, page.more
            self._trials |= {trial.trial: trial for trial in page.trials}
            new += [t for t in page.trials if t.state in ENDED and t.trial not in self._told]
        self._told |= {trial.trial for trial in new}
        return new

    def _read(self, new: list[Trial]) -> None:
        """Read the study itself: its data, and the stages that have begun."""
        if not self.study.trials:  # it waits in the queue
            return
        summary = read_summary(self._client.best(self._name))
        if self._summary is None:
            if summary.learns and "account" not in summary.data:
                return
            self._on_event(_ready(summary))
        self._summary = summary
        there = Counter(trial.stage for trial in new) if self._joins else Counter()
        for stage in summary.stages:
            if stage.name not in self._stages:
                self._stages[stage.name] = stage
                self._on_event(StageStarted(stage, there[stage.name]))
        if self._joins:  # what was there before is counted with its stage
            new.clear()

    def _rows(self, trials: list[Trial]) -> list[TrialRow]:
        assert self._summary is not None
        rows = read_summary(self._summary.document(), trials).rows
        return sorted(rows, key=lambda row: row.number)

    def _tell_end(self, row: TrialRow) -> None:
        assert self._summary is not None
        stage = None if row.stage is None else self._stages.get(str(row.stage))
        if stage is None or row.slot is None:
            return
        if row.score is None:
            self._on_event(TrialDone(stage, row.slot, None, row.why))
            return
        score = self._summary.measure.score(row.score)
        result = Result(row.slot, score, complete=row.state == "complete")
        self._on_event(TrialDone(stage, row.slot, result))


def _ready(summary: Summary) -> DataKnown | Ready:
    data = summary.data
    if not summary.learns:
        return Ready(summary.measure, 0)
    return DataKnown(
        str(data["name"]),
        Account.of_document(data["account"]),
        int(data.get("rows", 0)),
        (int(data["train"]), int(data["validation"]), int(data["test"])),
        summary.measure,
        summary.baselines,
    )
