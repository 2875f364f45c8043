"""What a notebook shows: a run while it goes on, and a study as a card.

All of it is HTML with its styles inline and without colours of its own, so that it reads on a light
and on a dark ground, and in notebooks that strip style sheets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hpsearch.cli.progress import Watcher
from hpsearch.engine.events import (
    Beside,
    DataReady,
    Event,
    Finished,
    Ready,
    StageStarted,
    TrialDone,
    Waiting,
    WinnerNamed,
)
from hpsearch.engine.forecast import duration
from hpsearch.engine.summary import Summary, states_text
from hpsearch.study_file import StudyFile
from hpsearch.wording import beside, result_sentence, scores, value_text
from hpsearch.writing import html_text, in_one_line

__all__ = ["Interrupted", "card", "live"]

GAP = 0.25
"""Seconds between two updates of the display, but for those that must be seen."""

WHOLE = "max-width: 56em; line-height: 1.45; overflow-wrap: anywhere;"
FAINT = "opacity: 0.7;"
CELL = "text-align: left; padding: 0.1em 1.2em 0.1em 0; border: none; background: none;"
LINE = "1px solid rgba(128, 128, 128, 0.45)"


class Interrupted(KeyboardInterrupt):
    """An interrupted cell; a notebook shows the sentence alone, and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@contextmanager
def live(
    study: StudyFile, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Event], None]]:
    """What a run is to call with its events while the block lasts, to be seen in a notebook.

    Args:
        study: what is run.
        clock: tells the seconds since some moment.

    Raises:
        Interrupted: the block was interrupted.
    """
    display = _Display(study, clock)
    try:
        yield display.on_event
    except KeyboardInterrupt:
        display.end(f"interrupted after {display.count_text}")
        raise Interrupted(
            f"{in_one_line(study.name)} was interrupted; finished trials are kept, and the same "
            "cell goes on from them"
        ) from None
    except BaseException:
        display.end(f"stopped after {display.count_text}")
        raise


class _Display(Watcher):
    """A line or two of HTML that are written anew, in their place, when something happens."""

    def __init__(self, study: StudyFile, clock: Callable[[], float]) -> None:
        super().__init__(study, clock)
        from IPython.display import display

        self.now, self.told = "starting", list[str]()
        self.failed = self.stored = 0
        self.searching = self.hinted = False
        self.shown = clock()
        self.handle = display(self._bundle(bar=True), raw=True, display_id=True)  # type: ignore[no-untyped-call]

    @property
    def count_text(self) -> str:
        """How many trials are done."""
        return f"{self.done} of {self.total} trials"

    def on_event(self, event: Event) -> None:
        """Show what happened."""
        self.count(event)
        if isinstance(event, DataReady):
            self.now = "starting the workers"
            self.told = event.dataset.account.sentences()
        elif isinstance(event, Ready):
            self.now, self.measure = "starting the workers", event.measure
        elif isinstance(event, StageStarted):
            self.now, self.searching = event.stage.name, True
            self.stored += event.done
        elif isinstance(event, TrialDone) and event.error:
            self.failed += 1
            self.told = [*self.told, f"a trial failed: {event.error}"][-9:]
        elif isinstance(event, WinnerNamed):
            self.searching = False
            again = "training the winner once more and testing it"
            self.now = again if self.rows else "the winner is named"
        elif isinstance(event, Beside):
            self.now = "fitting simple models to the same rows"
        if not self.hinted and self.elapsed >= 10.0 and (hint := self.hint):
            self.told, self.hinted = [*self.told, hint], True
        if isinstance(event, Finished):
            self.end(self._ended())
        elif not isinstance(event, TrialDone | Waiting) or self.clock() - self.shown >= GAP:
            self._show(bar=True)

    def _ended(self) -> str:
        if not self.done:
            return "this study is finished already; nothing was trained"
        stored = f", {self.stored} of them before" if self.stored else ""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done} trials in {self.elapsed:.1f} s{stored}{failed}"

    def end(self, line: str) -> None:
        """Say how it ended, in place of all else that was said of how far it is."""
        self.now, self.searching = line, False
        self._show(bar=False)

    def _show(self, *, bar: bool) -> None:
        self.shown = self.clock()
        self.handle.update(self._bundle(bar=bar), raw=True)

    def _bundle(self, *, bar: bool) -> dict[str, str]:
        """The display as HTML, and as text for what shows no HTML."""
        words = [self.now]
        if self.searching:
            words += [self.count_text]
            words += ["none complete yet" if self.best is None else f"best {self.best_text}"]
            words += [f"about {duration(self.left)} left"] if self.left else []
        line, name = ", ".join(words), in_one_line(self.study.name)
        drawn = _bar(self.done / max(1, self.total)) if bar else ""
        told = "".join(f"<div>{html_text(sentence)}</div>" for sentence in self.told)
        html = (
            f'<div style="{WHOLE}"><div><b>{html_text(name)}</b>&ensp;{html_text(line)}</div>'
            f'{drawn}<div style="{FAINT} font-size: 0.9em;">{told}</div></div>'
        )
        return {"text/html": html, "text/plain": f"{name}  {in_one_line(line)}"}


def _bar(share: float) -> str:
    return (
        f'<div style="height: 5px; margin: 4px 0; border-radius: 3px; overflow: hidden; '
        f'background: rgba(128, 128, 128, 0.3);"><div style="height: 100%; '
        f'width: {100 * min(1.0, share):.1f}%; background: #0072b2;"></div></div>'
    )


def card(summary: Summary) -> str:
    """A study in short, as HTML: what it came to, the winner's settings, its figures, and how sure.

    Args:
        summary: of any study; what it does not have is said or left out.
    """
    parts = [f'<div style="margin-bottom: 0.4em;">{html_text(result_sentence(summary))}</div>']
    if summary.best is not None:
        who = "Winner" if summary.winner is not None else "Best trial so far"
        settings = "&ensp; ".join(
            f"{html_text(in_one_line(name))}&nbsp;=&nbsp;<b>{html_text(value_text(value))}</b>"
            for name, value in summary.best.items()
        )
        parts.append(f'<div style="{FAINT}">{who}</div><div>{settings}</div>')
    rows = "".join(f"<tr>{''.join(map(_cell, score))}</tr>" for score in scores(summary))
    if rows:
        parts.append(f'<table style="border: none; margin: 0.5em 0;">{rows}</table>')
    if told := beside(summary):
        parts.append(f"<div>{html_text(told[0].upper() + told[1:])}</div>")
    return (
        f'<div style="{WHOLE} border: {LINE}; border-radius: 6px; padding: 0.6em 1em;">'
        f"<div><b>{html_text(in_one_line(summary.study))}</b>"
        f'&ensp;<span style="{FAINT}">{html_text(_about(summary))}</span></div>'
        f"{''.join(parts)}</div>"
    )


def _cell(text: str) -> str:
    return f'<td style="{CELL}">{html_text(text)}</td>'


def _about(summary: Summary) -> str:
    """How a study searched, and how much."""
    trials = len(summary.rows)
    count = f"{trials:,} trial{'' if trials == 1 else 's'}"
    states = f" ({states_text(summary.states)})" if len(summary.states) > 1 else ""
    seconds = "" if summary.seconds is None else f", {summary.seconds:.1f} s"
    return f"{summary.strategy or 'a study of Optuna'}, {count}{states}{seconds}"
