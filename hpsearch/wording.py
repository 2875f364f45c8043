"""How results read: the one room in which figures become sentences, and tables of plain text.

A terminal, an HTML page and a note in Markdown set what is worded here, each in its own way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hpsearch.metrics import ACCURACY, Measure
from hpsearch.metrics.curves import Residuals
from hpsearch.search.base import RACE
from hpsearch.search.strategies import DOUBLE
from hpsearch.space import Categorical, Float, Int, Value

if TYPE_CHECKING:
    from hpsearch.compare.progress import SpeedUp
    from hpsearch.compare.result import Comparison
    from hpsearch.compare.summary import StrategySummary, Versus
    from hpsearch.engine.events import FirstTaken
    from hpsearch.engine.summary import Summary, TrialRow
    from hpsearch.engine.tested import SeenClasses

__all__ = [
    "AGAIN",
    "ALONE",
    "CONSTANT",
    "MoveText",
    "Score",
    "Table",
    "answer",
    "budget_text",
    "cell_text",
    "comparison_note",
    "first_text",
    "moves",
    "race_text",
    "result_sentence",
    "scores",
    "setting_text",
    "settings_text",
    "stages_table",
    "strategies_table",
    "value_text",
    "verdict",
    "why_chosen",
    "winner_line",
]

LEVEL = 0.05
"""Below this p-value a difference is called one."""

ALONE = "There is one strategy alone, and none to hold it against."
CONSTANT = "constant: what always giving the same answer comes to"


class Table(NamedTuple):
    """A table of plain text.

    Attributes:
        caption: what it is.
        headings: of its columns.
        rows: a cell for each heading.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def without(self, heading: str) -> Table:
        """The table without a column."""
        at = self.headings.index(heading)
        headings, *rows = ([*row[:at], *row[at + 1 :]] for row in (self.headings, *self.rows))
        return Table(self.caption, headings, rows)


MANY_CLASSES = 12
"""Of more classes the table shows those that are found worst; of more no confusion matrix fits."""


def seen_tables(seen: SeenClasses | Residuals) -> list[Table]:
    """The test rows in words: of classes recall and precision, and the confusion matrix."""
    if not isinstance(seen, Residuals):
        return list(filter(None, (classes_table(seen), confusion_table(seen))))
    quantiles = [f"{error:.4g}" for error in seen.quantiles]
    caption = "Errors on the test rows, true less predicted: so many are below"
    return [Table(caption, QUANTILES, [quantiles])]


QUANTILES = ("5%", "25%", "50%", "75%", "95%")
"""The shares that `Residuals` has quantiles of."""


def classes_table(tested: SeenClasses) -> Table | None:
    """Recall and precision of each class on the test rows; of many those with the least recall."""
    shares = list(zip(tested.classes, tested.by_class, strict=False))
    if not shares:
        return None
    caption = "Each class on the test rows"
    if len(shares) > MANY_CLASSES:
        found = [one for one in shares if one[1].rows]
        shares = sorted(found, key=lambda one: one[1].recall)[:MANY_CLASSES]
        caption += f": the {MANY_CLASSES} of {len(tested.classes)} with the least recall"
    rows = [
        [name, f"{share.rows:.0f}", _share(share.recall), _share(share.precision)]
        for name, share in shares
    ]
    return Table(caption, ("class", "rows", "recall", "precision"), rows)


def confusion_table(tested: SeenClasses) -> Table | None:
    """The confusion matrix of the test rows; None of many classes."""
    if tested.confusion is None or len(tested.classes) > MANY_CLASSES:
        return None
    rows = [
        [name, *(f"{count:.0f}" for count in counts)]
        for name, counts in zip(tested.classes, tested.confusion.tolist(), strict=True)
    ]
    caption = "Test rows by their class (lines) and the label that they got (columns)"
    return Table(caption, ("class", *tested.classes), rows)


def _share(share: float) -> str:
    return "" if math.isnan(share) else f"{share:.3f}"


class Score(NamedTuple):
    """A figure of a winner, and what is to be known of it."""

    what: str
    number: str
    remark: str


class MoveText(NamedTuple):
    """A range that a stage changed, or kept, and why."""

    stage: str
    parameter: str
    before: str
    after: str
    reason: str

    @property
    def stayed(self) -> bool:
        """Whether it is what it was."""
        return self.after == SAME


SAME = "the same"


def value_text(value: Value) -> str:
    """A value in at most a few digits: three significant ones for real numbers."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def cell_text(configuration: Mapping[str, Value], name: str) -> str:
    """A setting in a table; empty where a configuration does not have it."""
    return value_text(configuration[name]) if name in configuration else ""


def settings_text(configuration: Mapping[str, Value]) -> str:
    """A configuration on one line.

    >>> settings_text({"learning_rate": 0.012345, "width": 64, "activation": "relu"})
    'learning_rate=0.0123 width=64 activation=relu'
    """
    text = " ".join(f"{name}={value_text(value)}" for name, value in configuration.items())
    return text.replace("\n", "\\n")  # which others' names may have


CHOSEN_AS = {
    "coarse": "a point of the Sobol sequence",
    "qmc": "a point of the Sobol sequence",
    "fine": "a point of the Sobol sequence in the narrowed ranges",
    "grid": "a point of the grid",
    "random": "drawn at random",
    RACE: "a contender in the race",
}
"""What a trial of each kind of stage is, where no model chose it."""

UNKNOWN, KNOWN = 0.6, 0.35
"""The deviation that is left, from which on little is known, and up to which much is."""


def why_chosen(trial: TrialRow) -> str:
    """Why a trial has its configuration, in a clause; empty for one that hpsearch did not make.

    σ in it is the standard deviation that the model gave any score before it had seen one.
    """
    if trial.stage is None:
        return ""
    motive, kind = trial.motive, trial.stage.name
    if motive is None:
        return CHOSEN_AS.get(kind, f"suggested by {kind}")
    side = "above" if motive.lead > 0 else "below"
    lead = f"{abs(motive.lead):.2f} σ {side}" if abs(motive.lead) >= 0.005 else "level with"
    little, much = motive.deviation >= UNKNOWN, motive.deviation <= KNOWN
    where = "little is known" if little else "much is known" if much else "something is known"
    return f"chosen for its expected gain: {lead} the best believed, where {where}"


def setting_text(setting: Any, *, scale: bool = True) -> str:
    """A value, choices or a range on one line.

    Args:
        setting: a parameter, or what a study file says.
        scale: whether to say that a range is logarithmic.

    >>> setting_text(Float(0.0001, 1.0, log=True)), setting_text({"choices": ["relu", "tanh"]})
    ('0.0001 to 1 (log scale)', 'relu, tanh')
    """
    known = vars(setting) if isinstance(setting, Categorical | Float | Int) else setting
    if not isinstance(known, Mapping):
        return value_text(known)
    if "choices" in known:
        return ", ".join(map(value_text, known["choices"]))
    if "low" not in known:  # a table of another kind
        return settings_text(known)
    step = known.get("step")
    steps = "" if step in (None, 1) else f", in steps of {value_text(step)}"
    log = " (log scale)" if scale and known.get("log") else ""
    return f"{value_text(known['low'])} to {value_text(known['high'])}{steps}{log}"


def result_sentence(summary: Summary) -> str:
    """What a study came to, as one sentence."""
    if summary.validation is None:
        return summary.without_winner
    measure, trials = summary.measure, summary.over
    count = f"{trials:,} trial{'' if trials == 1 else 's'}"
    shown = _percent if measure.name == ACCURACY.name else measure.text
    beside = "".join(
        f", {summary.verdict(b)} than {b.does} ({shown(b.value)})"
        for b in summary.baselines
        if summary.verdict(b) is not None
    )
    reached = f"{summary.validation:.4g}"
    seeds = len(summary.validation_scores)
    if summary.finished and not summary.learns:
        over = f", the mean of {seeds} trials with seeds of their own" if seeds > 1 else ""
        return f"The winner of {count} has a {measure.title} of {reached}{over}."
    if summary.test is None:
        tested = "; the winner is not tested yet" if summary.strategy else ""
        return f"The {summary.extreme} of {count} so far is {reached}{beside}{tested}."
    within = ""
    if summary.test_interval is not None:
        low, high = map(shown, summary.test_interval)
        within = f" (95% interval {low} to {high})"
    if summary.useless:
        beside += f" ({summary.useless})"
    over = f"mean of {seeds} seeds" if seeds > 1 else "one training"
    rows = f"{summary.test_rows} rows"
    does = (
        f"labels {_percent(summary.test)} of {rows} right that nothing else had seen"
        if measure.name == ACCURACY.name
        else f"has a test {measure.title} of {measure.text(summary.test)} on {rows} that nothing "
        "else had seen"
    )
    return (
        f"The winner of {count} {does}{within}{beside}; its {summary.score_name} was {reached}, "
        f"{over}."
    )


def _percent(share: float) -> str:
    return f"{share:.1%}"


def winner_line(summary: Summary) -> str:
    """The settings of the winner, or of the best trial so far."""
    if summary.best is None:
        return ""
    who = "The winner's settings" if summary.finished else "The best trial's settings"
    return f"{who}: {settings_text(summary.best)}"


def scores(summary: Summary) -> Iterator[Score]:
    """How good the winner is, or the best trial so far, how sure that is, and what is beside it."""
    if summary.best is None or summary.validation is None:
        return
    text = summary.measure.text
    if summary.strategy is None:  # somebody else's, of which no more is known
        yield Score(summary.extreme, text(summary.validation), "")
        return
    seeds, std = len(summary.validation_scores), summary.validation_std
    if seeds > 1 and std is not None:
        remark = f"mean of {seeds} seeds, standard deviation {text(std)}"
    elif summary.learns:
        remark = "one training, chosen for its score: expect less on new data"
    else:
        remark = "one trial, chosen for its score"
    yield Score(summary.score_name, text(summary.validation), remark)
    if summary.test is not None:
        remark = f"{summary.test_rows} rows"
        if summary.test_interval is not None:
            low, high = map(text, summary.test_interval)
            remark = f"95% interval {low} to {high}, {remark}"
        yield Score(summary.test_name, text(summary.test), remark)
    if summary.threshold is not None:
        yield Score("threshold", f"{summary.threshold:.3g}", "chosen on the validation rows")
    for name, value in summary.test_also.items():
        yield Score(f"test {Measure(name).title}", f"{value:.4g}", "")
    for baseline in summary.baselines:
        tested = baseline.test is not None
        remark = f"in validation {text(baseline.validation)}" if tested else ""
        yield Score(baseline.short, text(baseline.value), remark)
    for rival in summary.rivals:
        took = f"{rival.seconds:.1f} s" if rival.seconds >= 0.05 else "under 0.1 s"
        remark = rival.cut or f"on the same rows, in {took}"
        yield Score(rival.name, text(rival.value) or "-", remark)


def beside(summary: Summary) -> str:
    """The strongest simple model beside the winner, in a sentence; empty where there is none."""
    known = [rival for rival in summary.rivals if rival.better is not None]
    if not known:
        return ""
    rival = max(known, key=lambda rival: rival.better or 0.0)
    measure, better = summary.measure, rival.better or 0.0

    def amount(difference: float, word: str = "") -> str:
        return f"{measure.difference_text(abs(difference)).removeprefix('+')} {word}".rstrip()

    told = f"{rival.name} with default settings scores {measure.text(rival.value)} on the same "
    told += f"test rows, {amount(better, 'better' if better > 0 else 'worse')}"
    if rival.interval is not None:
        low, high = rival.interval
        if better < 0:
            low, high = -high, -low
        near = amount(low) if low >= 0 else amount(low, "worse" if better > 0 else "better")
        far = amount(high) if low >= 0 else amount(high, "better" if better > 0 else "worse")
        told += f" (95% interval {near} to {far})"
    if better > 0 and not rival.surely_better:
        told += ", which may be chance"
    if rival.cut:
        told += f", though it was cut after {rival.cut}"
    if rival.surely_better:
        trees = rival.kind == "boosting"
        told += f": this table may be better served by {'trees' if trees else 'it'}"
    return f"{told}."


def stages_table(summary: Summary) -> Table:
    """Each stage with its size and best score."""
    long = [summary.resource] if summary.resource else []
    rows = [
        (
            stage.name,
            str(stage.slots) if stage.done == stage.slots else f"{stage.done}/{stage.slots}",
            *([str(stage.epochs)] if long else []),
            summary.measure.text(stage.best),
        )
        for stage in summary.stages
    ]
    best = "best validation" if summary.learns else "best"
    caption = f"{summary.study}: {summary.strategy}, {len(summary.rows)} trials"
    notes = " ".join(stage.note for stage in summary.stages if stage.note)
    caption += f". {notes}" if notes else ""
    return Table(caption, ("stage", "trials", *long, best), rows)


def moves(summary: Summary) -> list[MoveText]:
    """What each stage did to the ranges of the one before it."""
    return [
        MoveText(
            stage.name,
            change.parameter,
            setting_text(change.before, scale=False),
            SAME if change.after == change.before else setting_text(change.after, scale=False),
            change.reason,
        )
        for stage in summary.stages
        for change in stage.changes
    ]


AGAIN = "trained once more"


def strategies_table(
    comparisons: Sequence[Comparison], summaries: Sequence[StrategySummary]
) -> Table:
    """One line a strategy: of one data set, or of several put together."""
    measure = comparisons[0].measure
    rows: list[Sequence[str]] = [
        (
            row.strategy,
            f"{row.trials:.0f}",
            f"{row.cost:.2f}",
            measure.text(row.test.estimate),
            measure.interval_text(row.test.low, row.test.high),
            measure.text(row.refit.estimate),
            measure.text(row.worst),
            f"{row.rank:.1f}",
            "" if row.versus is None else f"{row.versus.better:.2f}",
            "" if row.versus is None else f"{row.versus.p_value:.3f}",
        )
        for row in summaries
    ]
    if (constant := summaries[0].constant) is not None:
        rows.append(("constant", "", "", measure.text(constant), *[""] * 6))
    counts = list(dict.fromkeys(comparison.repeats for comparison in comparisons))
    searches = f"{' and '.join(map(str, counts))} {'search' if counts == [1] else 'searches'}"
    them = "data sets" if comparisons[0].learns else "studies"
    several = f" on each of {len(comparisons)} {them}" if len(comparisons) > 1 else ""
    names = ", ".join(comparison.name for comparison in comparisons)
    test = "test" if comparisons[0].learns else "value"
    headings = ("strategy", "trials", "cost", test, "95% interval", AGAIN, "worst", "rank")
    caption = f"{names}: {searches} of each strategy{several}"
    return Table(caption, (*headings, "beats", "p"), rows)


def simple_models(comparisons: Sequence[Comparison]) -> dict[str, float]:
    """The mean of each simple model's test values, over the repeats that have it."""
    names = dict.fromkeys(name for comparison in comparisons for name in comparison.simple)
    found = {}
    for name in names:
        values = np.concatenate([c.simple[name] for c in comparisons if name in c.simple])
        found[name] = float(np.nanmean(values))
    return found


def first_text(event: FirstTaken) -> str:
    """What a study takes from the winner of another one, and what it leaves out."""
    left_out = f"; left out: {', '.join(event.left_out)}" if event.left_out else ""
    taken = settings_text(event.configuration)
    return f"the winner of {event.study} comes first: {taken}{left_out}"


def simple_models_text(comparisons: Sequence[Comparison]) -> str:
    """What simple models come to beside all winners, in a sentence; empty where there are none."""
    measure, found = comparisons[0].measure, simple_models(comparisons)
    if not found:
        return ""
    told = ", ".join(f"{name} {measure.text(value)}" for name, value in found.items())
    return (
        "Simple models with default settings, fitted to the rows of a winner's last training, come "
        f"to a mean test {measure.title} of: {told}."
    )


UNITS = {"flops": "floating-point operations", "epochs": "epochs", "seconds": "seconds"}


def budget_text(comparison: Comparison) -> str:
    """What a search may spend."""
    unit = UNITS[comparison.unit]
    if comparison.unit == "epochs":
        unit = comparison.resource or "trials"
    return f"{comparison.amount:.6g} {unit}"


def race_text(comparison: Comparison) -> str:
    """The race that ends a search."""
    if comparison.race is None:
        return "as each strategy does by itself"
    return f"at most {comparison.race} trainings" if comparison.race else "none"


def _rows(comparison: Comparison) -> str:
    """What trials are measured on, up to the word after the next letter."""
    data = comparison.data
    if not data:
        return (
            "There are no rows to test on: winners are held against each other by their own "
            "values, and trained once more is one more trial, with a seed that no choice has seen. "
            "T"
        )
    return (
        f"On {data['name']}: {data['train']:,} rows to train, {data['validation']:,} to validate, "
        f"{data['test']:,} to test; t"
    )


def comparison_note(comparisons: Sequence[Comparison], reference: str) -> str:
    """On what strategies were compared, and what the columns of their table are."""
    conditions = " ".join(
        dict.fromkeys(
            f"{_rows(c)}he budget of a search was {budget_text(c)}"
            f"{f', and its race had {race_text(c)}' if c.race else ''}."
            for c in comparisons
        )
    )
    title, name = comparisons[0].measure.title, comparisons[0].test_name
    test = "test" if comparisons[0].learns else "value"
    constant = f" {CONSTANT}." if comparisons[0].learns else ""
    least = "lowest" if comparisons[0].measure.maximized else "highest"
    double = f" {DOUBLE} had twice the budget." if DOUBLE in comparisons[0].runs else ""
    return (
        f"{conditions}{double} cost: the share of its budget that a search spent. {test}: "
        f"interquartile mean of the {name} of the trainings by which searches named their "
        f"winner. worst: the {least} {title} of a winner that was trained once more. rank: among "
        f"the searches with one seed, by {test}; 1 is best. beats: how often a search's {name} "
        f"is better than {reference}'s, ties counting half. p: Wilcoxon's paired test of the two, "
        f"after Holm.{constant}"
    )


def answer(table: Sequence[StrategySummary], measure: Measure) -> Iterator[str]:
    """The comparison in words: when each rival caught up with the reference, and how it ended.

    Args:
        table: one line a strategy.
        measure: of the winners.
    """
    yield from _reservations(table, measure)
    rivals = [row for row in table if row.versus is not None]
    if not rivals:
        return
    [reference] = (row for row in table if row.versus is None)
    repeats = rivals[0].speed_up.repeats
    for row in sorted(rivals, key=lambda row: row.strategy != "coarse-to-fine"):
        assert row.versus is not None
        score = f"{'validation ' if row.learns else ''}{measure.title}"
        yield _reached(row.strategy, reference.strategy, row.speed_up, score)
        yield _scored(row, reference.strategy, row.versus, measure)
    yield _found(reference.strategy, reference.speed_up)
    least = 2.0 ** (1 - repeats)
    if repeats and least >= LEVEL:
        yield (
            f"{repeats} {'repeat is' if repeats == 1 else 'repeats are'} too few to tell: no "
            f"paired test of so many has a p-value below {least:g}. Give --repeats 10 and go on."
        )


def _reservations(table: Sequence[StrategySummary], measure: Measure) -> Iterator[str]:
    """What is to be known before strategies are held against each other."""
    raced = [row.strategy for row in table if row.raced]
    others = [row.strategy for row in table if not row.raced]
    if raced and others:
        yield (
            f"A race over new seeds named the winners of {', '.join(raced)}, and not those of "
            f"{', '.join(others)}: it has a part in what differs between them."
        )
    for row in table:
        if row.without_winner:
            why = (
                "all their trainings diverged; each counts like a constant answer"
                if row.learns
                else "all their trials gave up; each counts with the mean of these"
            )
            yield (
                f"{row.without_winner} of {row.speed_up.repeats} searches of {row.strategy} have "
                f"no winner, since {why}."
            )
    for row in table:
        winners = row.without_winner < row.speed_up.repeats
        if winners and row.winners_are in ("no better", "worse"):
            yield (
                f"{row.strategy}'s winners are {row.winners_are} than always answering the same "
                f"({measure.text(row.constant)})."
            )


def verdict(table: Sequence[StrategySummary], measure: Measure) -> str:
    """The comparison in one sentence: whether coarse to fine, or else the first rival, is ahead.

    It is sooner where the whole interval of its cost lies below that of the reference, which is 1,
    and it was there before the reference itself; better where the paired test says so. Where only
    the one that is ahead had a race, the sentence says so.
    """
    if all(row.winners_are in ("no better", "worse") for row in table):
        return (
            "Nothing was learned here: no strategy's winners are better than always answering the "
            "same."
        )
    rivals = [row for row in table if row.versus is not None]
    if not rivals:
        return ALONE
    row = min(rivals, key=lambda row: row.strategy != "coarse-to-fine")
    [reference] = (other for other in table if other.versus is None)
    assert row.versus is not None
    name, other = row.strategy, reference.strategy
    sooner = row.speed_up.interval.high < 1 and row.speed_up.median < reference.speed_up.median
    if row.versus.p_value < LEVEL:
        better = measure.score(row.versus.gain.estimate) > 0
        if better and sooner:
            how = f"beats {other} search here: better winners, and sooner"
        else:
            how = f"{'beats' if better else 'loses to'} {other} search here by {_by(row, measure)}"
        alone = _raced_alone(row, reference) if better else _raced_alone(reference, row)
        return f"{name} {how}{alone}."
    if sooner:
        how = f"finds what {other} search finds at a lower cost here, and nothing better"
        return f"{name} {how}{_raced_alone(row, reference)}."
    return f"{name} and {other} search cannot be told apart here."


def _raced_alone(ahead: StrategySummary, behind: StrategySummary) -> str:
    if behind.raced or not ahead.raced:
        return ""
    return f"; {ahead.strategy} had a race over new seeds, {behind.strategy} had none"


def _found(name: str, found: SpeedUp) -> str:
    return (
        f"{name} itself found its best at {found.median:.2f} of its cost "
        f"(95% interval {found.interval.low:.2f} to {found.interval.high:.2f})."
    )


def _by(row: StrategySummary, measure: Measure) -> str:
    """What winners are held against each other by."""
    return f"test {measure.title}" if row.learns else measure.title


def _reached(name: str, reference: str, found: SpeedUp, score: str) -> str:
    goal = f"{reference}'s best {score}"
    if not math.isfinite(found.median):
        return (
            f"{name} did not reach {goal} within its budget: "
            f"{found.reached} of {found.repeats} repeats did."
        )
    high = found.interval.high
    upper = f"{high:.2f}" if math.isfinite(high) else "never"
    return (
        f"{name} reached {goal} at {found.median:.2f} of its cost "
        f"(95% interval {found.interval.low:.2f} to {upper}, "
        f"{found.reached} of {found.repeats} repeats)."
    )


def _scored(row: StrategySummary, reference: str, versus: Versus, measure: Measure) -> str:
    gain, low, high = map(measure.difference_text, versus.gain)
    numbers = f"{gain}, 95% interval {low} to {high}, p = {versus.p_value:.2g}"
    winners = f"The {_by(row, measure)} of {row.strategy}'s winners"
    if versus.p_value >= LEVEL:
        return f"{winners} does not differ measurably from {reference}'s ({numbers})."
    side = "above" if versus.gain.estimate > 0 else "below"
    return f"{winners} is {side} {reference}'s ({numbers})."
