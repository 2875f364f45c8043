"""Progress of a run on standard error: live on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from hpsearch.cli.console import errors
from hpsearch.cli.render import account_text, check_line
from hpsearch.data.account import Account
from hpsearch.engine.budget import plan_search
from hpsearch.engine.events import (
    Beside,
    DataKnown,
    DataReady,
    Event,
    Finished,
    FirstTaken,
    Ready,
    StageStarted,
    TrialDone,
    Waiting,
    WinnerNamed,
)
from hpsearch.engine.forecast import Forecast, duration
from hpsearch.errors import HpsearchError
from hpsearch.metrics import ACCURACY, Measure
from hpsearch.study_file import StudyFile
from hpsearch.wording import first_text

__all__ = ["Pulse", "Watcher", "watch"]

LONG = 600.0
"""Seconds; a search that takes longer is told how it could take less."""

LARGE = 10_000
"""Rows; of fewer than that there are none to leave out."""

FEWEST = 1000
"""Rows; a smaller sample would say too little of the data."""


@contextmanager
def watch(
    study: StudyFile, *, check: bool = False, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Event], None]]:
    """What a run is to call with its events while the block lasts.

    Args:
        study: what is run.
        check: look at data and network before the first trial, and tell what is not sound.
        clock: tells the seconds since some moment.
    """
    console = errors()
    if console.is_terminal:
        with _bar(console) as progress:
            yield _told(_Live(study, clock, progress), console, check=check)
    else:
        yield _told(_Log(study, clock, console), console, check=check)


class Pulse:
    """When it is time for another line: after ten seconds, then ever rarer, up to one a minute.

    Args:
        clock: tells the seconds since some moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._gap = clock, 10.0
        self._due = clock() + self._gap

    def beat(self) -> bool:
        """Whether a line is due; if so, the next one is due later."""
        now = self._clock()
        if now < self._due:
            return False
        self._gap = min(1.5 * self._gap, 60.0)
        self._due = now + self._gap
        return True


def _told(watcher: Watcher, console: Console, *, check: bool) -> Callable[[Event], None]:
    """Shows events; the workers start up meanwhile, so that checks cost a run next to nothing."""
    told = False

    def tell(name: str, account: Account) -> None:
        nonlocal told
        told = True
        for line in account_text(name, account, console.width).splitlines():
            console.print(line, markup=False, highlight=False)

    def on_event(event: Event) -> None:
        if isinstance(event, DataReady):
            tell(event.known.name, event.known.account)
        elif isinstance(event, DataKnown):
            tell(event.name, event.account)
        elif isinstance(event, Finished) and not told and event.summary.learns:
            data = event.summary.data  # as stored with a study that was finished already
            tell(str(data["name"]), Account.of_document(data["account"]))
        watcher.on_event(event)
        said = ""
        if isinstance(event, FirstTaken):
            said = first_text(event)
        elif isinstance(event, StageStarted):
            said = event.stage.note
        if said:
            name = watcher.study.name
            console.print(f"{name}  {said}", markup=False, highlight=False, soft_wrap=True)
        if check and isinstance(event, DataReady) and not event.stored:
            for line in _complaints(watcher.study, event):
                console.print(Text(f"{watcher.study.name}  ").append_text(line), soft_wrap=True)

    return on_event


def _complaints(study: StudyFile, data: DataReady) -> list[Text]:
    """One line for each check that is not passed."""
    from hpsearch.checks import check_data_and_network

    try:
        checks = check_data_and_network(study, data.dataset, data.split)
    except HpsearchError as error:  # a check is advice, and stops nothing
        return [Text(f"the checks before learning were given up: {error}")]
    return [check_line(check) for check in checks if check.verdict != "pass"]


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("best {task.fields[best]}"),
        TextColumn("{task.fields[left]}"),
        console=console,
        transient=True,
    )


class Watcher:
    """Counts what every way of showing progress needs."""

    def __init__(self, study: StudyFile, clock: Callable[[], float]) -> None:
        self.study, self.clock = study, clock
        self.best: float | None = None  # a score; greater is better
        self.measure: Measure = ACCURACY
        self.beside = ""
        self.done = self.rows = self.running = 0
        search = plan_search(study)
        self.total = sum(search.search.slots) + search.race
        self.forecast = Forecast(
            search.planned_epochs, last=study.resource.full * study.objective.learns
        )
        self.began: float | None = None

    def count(self, event: Event) -> None:
        """Take in what happened."""
        if isinstance(event, DataReady):
            self.count(event.known)
        elif isinstance(event, DataKnown):
            self.rows = event.rows
            self.measure = event.measure
            models = (f"{b.short} {self.measure.text(b.validation)}" for b in event.baselines)
            self.beside = ", ".join(models)
        elif isinstance(event, Ready):
            self.measure = event.measure
        elif isinstance(event, StageStarted):
            self.began = self.clock() if self.began is None else self.began
            self.done += event.done
            self.forecast.begin(event.stage, event.done)
        elif isinstance(event, TrialDone):
            self.done += 1
            self.running = max(0, self.running - 1)
            self.forecast.trained(event.slot.epochs)
            if event.result is not None and event.result.complete:
                score = event.result.score
                self.best = score if self.best is None else max(self.best, score)
        elif isinstance(event, Waiting):
            self.running = event.running
            if event.total is not None and event.total > self.total:
                self.forecast.extended((event.total - self.total) * event.stage.epochs)
                self.total = event.total

    @property
    def elapsed(self) -> float:
        """Seconds since the first training."""
        return 0.0 if self.began is None else self.clock() - self.began

    @property
    def left(self) -> float | None:
        """Seconds until the end, as far as that can be told."""
        left, limit = (
            self.forecast.seconds_left(self.elapsed, self.running),
            self.study.search.seconds,
        )
        return left if left is None or limit is None else min(left, max(0.0, limit - self.elapsed))

    @property
    def hint(self) -> str | None:
        """How a long search of many rows could take less time."""
        left = self.left
        if left is None or left + self.elapsed <= LONG or self.rows < LARGE:
            return None
        share = LONG / (left + self.elapsed)
        sample = max(FEWEST, int(float(f"{self.rows * share:.1g}")))
        return (
            f"[data] limit = {sample} would learn from a sample of the {self.rows} rows, in about "
            f"{duration((left + self.elapsed) * sample / self.rows)}; fewer trials or epochs take "
            "less time too"
        )

    def on_event(self, event: Event) -> None:
        """Show what happened."""
        raise NotImplementedError

    @property
    def best_text(self) -> str:
        """The best value so far, and what simple models come to."""
        best = (
            "  -   " if self.best is None else self.measure.text(self.measure.of_score(self.best))
        )
        return f"{best} ({self.beside})" if self.beside else best


class _Live(Watcher):
    def __init__(self, study: StudyFile, clock: Callable[[], float], progress: Progress) -> None:
        super().__init__(study, clock)
        self.progress = progress
        self.task = progress.add_task("data", total=self.total, best=self.best_text, left="")
        self.hinted = False

    def on_event(self, event: Event) -> None:
        self.count(event)
        if isinstance(event, StageStarted):
            self.progress.update(self.task, description=event.stage.name)
        elif isinstance(event, WinnerNamed):
            if self.study.objective.learns:
                self.progress.update(self.task, description="test")
        elif isinstance(event, TrialDone) and event.error:
            self.progress.console.print(f"a trial failed: {event.error}", markup=False)
        left = self.left
        if not self.hinted and self.elapsed >= 10.0 and (hint := self.hint):
            self.progress.console.print(hint, markup=False)
            self.hinted = True
        self.progress.update(
            self.task,
            completed=self.done,
            total=self.total,
            best=escape(self.best_text),
            left="" if left is None else f"about {duration(left)} left",
        )


class _Log(Watcher):
    def __init__(self, study: StudyFile, clock: Callable[[], float], console: Console) -> None:
        super().__init__(study, clock)
        self.console = console
        self.pulse: Pulse | None = None
        self.foretold = self.fits = False

    def on_event(self, event: Event) -> None:
        if isinstance(event, StageStarted) and self.best is not None:
            self.say(f"best so far {self.best_text}, {self.done} trials done")
        self.count(event)
        if isinstance(event, DataReady | DataKnown):
            train, validation, test = event.sizes
            self.say(f"{train} rows to train, {validation} to validate, {test} to test")
        elif isinstance(event, StageStarted):
            stage, done = event.stage, event.done
            stored = f", {done} stored already" if done else ""
            trials = "1 trial" if stage.slots == 1 else f"{stage.slots} trials"
            name = self.study.resource.name
            long = f" of {stage.epochs} {name}" if name else ""
            self.say(f"{stage.name}: {trials}{long}{stored}")
            self.pulse = self.pulse or Pulse(self.clock)
        elif isinstance(event, TrialDone | Waiting):
            if isinstance(event, TrialDone) and event.error:
                self.say(f"{event.stage.name} trial {event.slot.index} failed: {event.error}")
            # The first forecast comes as soon as there is one.
            early = not self.foretold and self.elapsed >= 10.0 and self.left is not None
            if self.pulse is not None and (self.pulse.beat() or early):
                self.say_where(event.stage.name)
        elif isinstance(event, WinnerNamed):
            last = "; training the winner once more and testing it"
            self.say(f"{self.done} trials done{last if self.study.objective.learns else ''}")
        elif isinstance(event, Beside):
            self.fits = True
            self.say("fitting simple models to the same rows, to set them beside it")
        elif isinstance(event, Finished) and not (self.done or self.fits):
            self.say("this study is finished already; nothing was trained")

    def say_where(self, stage: str) -> None:
        """How far the search is, and how long it still takes."""
        left = self.left
        if left is None:
            self.say(
                f"{stage}: still in the first trainings after {duration(self.elapsed)}, "
                f"{self.running} under way"
            )
            return
        best = "none complete yet" if self.best is None else f"best so far {self.best_text}"
        self.say(
            f"{stage}: {self.done} of {self.total} trials done, {best}, about {duration(left)} left"
        )
        if not self.foretold and (hint := self.hint):
            self.say(hint)
        self.foretold = True

    def say(self, line: str) -> None:
        self.console.print(f"{self.study.name}  {line}", markup=False, soft_wrap=True)
