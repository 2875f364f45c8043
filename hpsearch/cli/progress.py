"""Progress of a run on standard error: live on a terminal, a quiet line a stage elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hpsearch.cli.console import errors
from hpsearch.cli.render import account_text, check_line
from hpsearch.engine.events import (
    DataReady,
    Event,
    Finished,
    StageStarted,
    TrialDone,
    WinnerNamed,
)
from hpsearch.errors import HpsearchError
from hpsearch.study_file import StudyFile

__all__ = ["watch"]


@contextmanager
def watch(study: StudyFile, *, check: bool = False) -> Iterator[Callable[[Event], None]]:
    """What a run is to call with its events while the block lasts.

    Args:
        study: what is run.
        check: look at data and network before the first trial, and tell what is not sound.
    """
    console = errors()
    if console.is_terminal:
        with _bar(console) as progress:
            yield _told(_Live(progress, study), console, check=check)
    else:
        yield _told(_Log(console, study), console, check=check)


def _told(watcher: _Watcher, console: Console, *, check: bool) -> Callable[[Event], None]:
    """Shows events; the workers start up meanwhile, so that checks cost a run next to nothing."""

    def on_event(event: Event) -> None:
        if isinstance(event, DataReady):
            for line in account_text(event.dataset, console.width).splitlines():
                console.print(line, markup=False, highlight=False)
        watcher.on_event(event)
        if check and isinstance(event, DataReady) and not event.stored:
            for line in _complaints(watcher.study, event):
                console.print(escape(watcher.study.name), "", line, soft_wrap=True)

    return on_event


def _complaints(study: StudyFile, data: DataReady) -> list[str]:
    """One line for each check that is not passed."""
    from hpsearch.diagnostics import check_data_and_network

    try:
        checks = check_data_and_network(study, data.dataset, data.split)
    except HpsearchError as error:  # a check is advice, and stops nothing
        return [f"the checks before learning were given up: {escape(str(error))}"]
    return [check_line(check) for check in checks if check.verdict != "pass"]


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("best {task.fields[best]}"),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )


class _Watcher:
    """Counts what every way of showing progress needs."""

    def __init__(self, study: StudyFile) -> None:
        self.study = study
        self.best: float | None = None
        self.beside = ""
        self.done = 0

    def count(self, event: Event) -> None:
        if isinstance(event, DataReady):
            models = (f"{b.short} {b.validation_accuracy:.4f}" for b in event.baselines)
            self.beside = ", ".join(models)
        elif isinstance(event, StageStarted):
            self.done += event.done
        elif isinstance(event, TrialDone):
            self.done += 1
            if event.result is not None and event.result.complete:
                self.best = max(self.best or 0.0, event.result.score)

    def on_event(self, event: Event) -> None:
        """Show what happened."""
        raise NotImplementedError

    @property
    def best_text(self) -> str:
        best = "  -   " if self.best is None else f"{self.best:.4f}"
        return f"{best} ({self.beside})" if self.beside else best


class _Live(_Watcher):
    def __init__(self, progress: Progress, study: StudyFile) -> None:
        super().__init__(study)
        self.progress = progress
        self.task = progress.add_task("data", total=study.search.trials, best=self.best_text)

    def on_event(self, event: Event) -> None:
        self.count(event)
        if isinstance(event, StageStarted):
            total = event.stage.slots if event.stage.name == "grid" else self.study.search.trials
            self.progress.update(self.task, description=event.stage.name, total=total)
        elif isinstance(event, WinnerNamed):
            self.progress.update(self.task, description="test")
        elif isinstance(event, TrialDone) and event.error:
            self.progress.console.print(f"trial failed three times: {event.error}", markup=False)
        self.progress.update(self.task, completed=self.done, best=self.best_text)


class _Log(_Watcher):
    def __init__(self, console: Console, study: StudyFile) -> None:
        super().__init__(study)
        self.console = console

    def on_event(self, event: Event) -> None:
        if isinstance(event, StageStarted) and self.best is not None:
            self.say(f"best so far {self.best_text}, {self.done} trials done")
        self.count(event)
        if isinstance(event, DataReady):
            train, validation, test = event.sizes
            self.say(f"{train} rows to train, {validation} to validate, {test} to test")
        elif isinstance(event, StageStarted):
            stage, done = event.stage, event.done
            stored = f", {done} stored already" if done else ""
            self.say(f"{stage.name}: {stage.slots} trials of {stage.epochs} epochs{stored}")
        elif isinstance(event, TrialDone) and event.error:
            self.say(f"{event.stage.name} trial {event.slot.index} failed: {event.error}")
        elif isinstance(event, WinnerNamed):
            self.say(f"{self.done} trials done; training the winner once more and testing it")
        elif isinstance(event, Finished) and not self.done:
            self.say("this study is finished already; nothing was trained")

    def say(self, line: str) -> None:
        self.console.print(f"{self.study.name}  {line}", markup=False, soft_wrap=True)
