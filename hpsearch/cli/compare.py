"""`hpsearch compare`: strategies with one budget, and whether they beat grid search."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpsearch.cli.console import DEFAULT_STORAGE, Json, Storage, errors, output, print_json, tell
from hpsearch.cli.search import Executor, Seed, StudyArgument, Workers, load_study_argument

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from hpsearch.compare.result import Comparison
    from hpsearch.compare.run import Progressed
    from hpsearch.compare.summary import StrategySummary
    from hpsearch.engine.events import Event
    from hpsearch.study_file.models import ObjectiveSection

__all__ = ["compare", "comparison_document"]


def compare(
    studies: Annotated[list[str], StudyArgument],
    repeats: Annotated[
        int | None, typer.Option("--repeats", min=1, help="Instead of the file's number.")
    ] = None,
    workers: Workers = None,
    executor: Executor = None,
    storage: Storage = DEFAULT_STORAGE,
    seed: Seed = None,
    page: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="PAGE", help="The page to write; NAME.html."),
    ] = None,
    no_baselines: Annotated[
        bool, typer.Option("--no-baselines", help="Without simple models beside the winners.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare search strategies with the same budget, repeated, with grid search as the reference.

    Each search ends in the same race of its best over new seeds, so that the searches alone are
    compared; [compare] race = false leaves that to each strategy. The answer is printed in words
    and a table, and drawn on a page, NAME.html. Several files are several data sets for the same
    strategies. Running the same command again goes on where it stopped.
    """
    from hpsearch.compare.run import compare_study
    from hpsearch.compare.summary import are_alike
    from hpsearch.errors import UsageError

    files = [load_study_argument(study, seed, None) for study in studies]
    if repeats is not None:
        files = [
            file.model_copy(
                update={"compare": file.compare.model_copy(update={"repeats": repeats})}
            )
            for file in files
        ]
    if len({file.name for file in files}) < len(files):
        raise UsageError("two of the study files have one name; give each its own")
    if len({tuple(file.compare.strategies) for file in files}) > 1:
        raise UsageError(
            "the study files compare different strategies; give [compare] strategies the same "
            "list in all of them"
        )
    if len({file.compare.race for file in files}) > 1:
        raise UsageError("the study files differ in [compare] race; give it the same value in all")
    if not _may_be_alike([file.objective for file in files]):
        raise UsageError(UNLIKE)
    comparisons = []
    for file in files:
        with _progress(file.name) as (on_progress, on_event):
            comparisons.append(
                compare_study(
                    file,
                    storage=storage,
                    workers=workers,
                    executor=executor,
                    on_progress=on_progress,
                    on_event=on_event,
                    baselines=not no_baselines,
                )
            )
    if not are_alike(comparisons):
        raise UsageError(f"{UNLIKE}; what is finished is kept")
    if as_json:
        print_json(comparison_document(comparisons))
    else:
        output().print(*comparison_story(comparisons), sep="\n")
    # Last, so that a page which cannot be written costs nobody the answer.
    if page is not None or not as_json:
        _write_page(page, comparisons)


UNLIKE = "the study files are measured by different things, so compare each of them alone"


def _may_be_alike(objectives: Sequence[ObjectiveSection]) -> bool:
    """Whether studies may be measured by the same; which metric is the default the data decide."""
    if len({one.learns for one in objectives}) > 1:
        return False
    if not objectives[0].learns:
        return len({one.named_measure for one in objectives}) == 1
    return len({one.metric for one in objectives} - {None}) <= 1


def comparison_story(comparisons: Sequence[Comparison]) -> Iterator[RenderableType]:
    """The table, the answer in words, and how to read them, in 80 columns."""
    from rich.text import Text

    from hpsearch.cli.render import set_table
    from hpsearch.compare.summary import reference_of, summarize_strategies
    from hpsearch.wording import (
        AGAIN,
        answer,
        comparison_note,
        simple_models_text,
        strategies_table,
        verdict,
    )

    rows, measure = summarize_strategies(*comparisons), comparisons[0].measure
    yield set_table(strategies_table(comparisons, rows).without(AGAIN))
    yield Text(f"{verdict(rows, measure)}\n", style="bold")
    told = [*answer(rows, measure), simple_models_text(comparisons)]
    yield Text("".join(f"{sentence}\n" for sentence in filter(None, told)))
    yield Text(f"{comparison_note(comparisons, reference_of(comparisons))}\n", style="dim")


def comparison_document(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Strategies beside each other in terms of JSON; what is infinite is null."""
    from hpsearch.compare.summary import reference_of, summarize_strategies
    from hpsearch.wording import answer, simple_models, verdict

    table, measure = summarize_strategies(*comparisons), comparisons[0].measure
    return {
        "comparisons": [
            {
                "name": c.name,
                "data": dict(c.data),
                "budget": c.unit,
                "amount": c.amount,
                "race": c.race,
                "repeats": c.repeats,
            }
            for c in comparisons
        ],
        "metric": measure.name,
        "direction": measure.direction,
        "reference": reference_of(comparisons),
        "baselines": [
            {"name": "constant", "test": table[0].constant},
            *({"name": name, "test": value} for name, value in simple_models(comparisons).items()),
        ],
        "strategies": [_row(row) for row in table],
        "verdict": verdict(table, measure),
        "answer": list(answer(table, measure)),
    }


def _row(row: StrategySummary) -> dict[str, Any]:
    found, versus = row.speed_up, row.versus
    return {
        "strategy": row.strategy,
        "trials": row.trials,
        "cost": row.cost,
        "validation": row.validation,
        "test": row.test.estimate,
        "test_interval": [row.test.low, row.test.high],
        "refit": row.refit.estimate,
        "refit_interval": [row.refit.low, row.refit.high],
        "refit_worst": row.worst,
        "winners_are": row.winners_are,
        "without_winner": row.without_winner,
        "raced": row.raced,
        "rank": row.rank,
        "cost_to_reach": found.median,
        "cost_interval": [found.interval.low, found.interval.high],
        "reached": found.reached,
        "repeats": found.repeats,
        "versus": None
        if versus is None
        else {
            "gain": versus.gain.estimate,
            "gain_interval": [versus.gain.low, versus.gain.high],
            "better": versus.better,
            "p_value": versus.p_value,
        },
    }


def _write_page(page: Path | None, comparisons: list[Comparison]) -> None:
    from hpsearch.report import (
        load_dashboard,
        page_document,
        page_html,
        page_name,
        write_page,
    )

    path = page or Path(page_name([c.name for c in comparisons]))
    document = page_document(comparisons, load_dashboard("compare"))
    content = page_html(document, of=[comparison.name for comparison in comparisons])
    write_page(path, content, over_its_own=page is None)
    tell(f"wrote {path}, a page with the figures")


@contextmanager
def _progress(
    name: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[tuple[Callable[[Progressed], None], Callable[[Event], None]]]:
    """A bar over the searches on a terminal, a line for each repeat and now and then elsewhere."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = errors()
    if not console.is_terminal:
        log = _Log(name, console, clock)
        yield log.on_progress, log.on_event
        return
    with Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task(name, total=None)

        def show(at: Progressed) -> None:
            what = f"repeat {at.repeat + 1}: {at.strategy}"
            bar.update(task, description=what, total=at.studies, completed=at.done)

        yield show, lambda _: None


class _Log:
    """Lines about a comparison, for those who cannot see a bar."""

    def __init__(self, name: str, console: Console, clock: Callable[[], float]) -> None:
        from hpsearch.cli.progress import Pulse

        self.name, self.console, self.clock = name, console, clock
        self.pulse = Pulse(clock)
        self.repeats: set[int] = set()
        self.at: Progressed | None = None
        self.began, self.before, self.trials = clock(), 0, 0

    def on_progress(self, at: Progressed) -> None:
        """A search begins, or has ended."""
        if self.at is None or (at.summary is not None and not self.trials):
            self.began, self.before = self.clock(), at.done  # what is there already takes no time
        self.at = at
        if at.summary is None:
            self.trials = 0
        if at.repeat not in self.repeats:
            self.repeats.add(at.repeat)
            self.say(f"repeat {at.repeat + 1}, {at.done} of {at.studies} searches done")

    def on_event(self, event: Event) -> None:
        """Something happens within a search."""
        from hpsearch.engine.events import TrialDone

        self.trials += isinstance(event, TrialDone)
        if self.at is not None and self.pulse.beat():
            self.say_where(self.at)

    def say_where(self, at: Progressed) -> None:
        """How far the comparison is, and how long it still takes."""
        from hpsearch.engine.forecast import duration

        done = at.done - self.before
        left = ""
        if done:
            seconds = (self.clock() - self.began) / done * (at.studies - at.done)
            left = f", about {duration(seconds)} left"
        self.say(
            f"repeat {at.repeat + 1}, {at.strategy}: {self.trials} trials done; "
            f"{at.done} of {at.studies} searches done{left}"
        )

    def say(self, line: str) -> None:
        self.console.print(f"{self.name}  {line}", markup=False, soft_wrap=True)
