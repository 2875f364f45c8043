"""A comparison on a terminal of 80 columns, and as a JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hpsearch.cli.render import plain_table
from hpsearch.compare.result import UNITS, Comparison
from hpsearch.compare.summary import StrategySummary, reference_of, searches, verdict

__all__ = ["comparison_document", "comparison_story"]


def comparison_story(
    comparisons: Sequence[Comparison], table: Sequence[StrategySummary], sentences: Sequence[str]
) -> Iterator[RenderableType]:
    """The table, the answer in words, and how to read them."""
    yield strategies_table(comparisons, table)
    yield Text(f"{verdict(table)}\n", style="bold")
    answer = Text()
    for sentence in sentences:
        answer.append(f"{sentence}\n")
    yield answer
    yield Text(_footnote(comparisons), style="dim")


def strategies_table(comparisons: Sequence[Comparison], table: Sequence[StrategySummary]) -> Table:
    """One line a strategy."""
    names = ", ".join(c.name for c in comparisons)
    made = plain_table(f"{names}: {searches(comparisons)} of each strategy")
    made.add_column("strategy", no_wrap=True)
    for heading in (
        "trials",
        "cost",
        "test",
        "95% interval",
        "worst",
        "rank",
        "beats",
        "p",
    ):
        made.add_column(heading, justify="right", no_wrap=True)
    for row in table:
        versus = row.versus
        made.add_row(
            row.strategy,
            f"{row.trials:.0f}",
            f"{row.cost:.2f}",
            f"{row.test.estimate:.4f}",
            f"{row.test.low:.3f}-{row.test.high:.3f}",
            f"{row.worst:.3f}",
            f"{row.rank:.1f}",
            "" if versus is None else f"{versus.better:.2f}",
            "" if versus is None else f"{versus.p_value:.3f}",
        )
    if table and table[0].constant is not None:
        made.add_row("constant", "", "", f"{table[0].constant:.4f}", *[""] * 5)
    return made


def _footnote(comparisons: Sequence[Comparison]) -> str:
    budgets = "; ".join(f"{c.amount:.3g} {UNITS[c.unit]}" for c in comparisons)
    return (
        f"Budget of a search: {budgets}, twice that for random-x2; cost: the share of it that was "
        "spent. test: interquartile mean of the test accuracy of the networks by which searches "
        "named their winner. worst: the lowest accuracy of a winner that was trained once more. "
        "rank: among the searches with one seed, by test; 1 is best. "
        f"beats: how often a search's test accuracy lies above {reference_of(comparisons)}'s, ties "
        "counting half. p: Wilcoxon's paired test of the two, after Holm. constant: what always "
        "answering the largest class comes to.\n"
    )


def comparison_document(
    comparisons: Sequence[Comparison], table: Sequence[StrategySummary], sentences: Sequence[str]
) -> dict[str, Any]:
    """The same in terms of JSON; what is infinite is null."""
    return {
        "comparisons": [
            {
                "name": c.name,
                "data": dict(c.data),
                "budget": c.unit,
                "amount": c.amount,
                "repeats": c.repeats,
            }
            for c in comparisons
        ],
        "reference": reference_of(comparisons),
        "baselines": [{"name": "constant", "test_accuracy": table[0].constant}],
        "strategies": [_row(row) for row in table],
        "verdict": verdict(table),
        "answer": list(sentences),
    }


def _row(row: StrategySummary) -> dict[str, Any]:
    found, versus = row.speed_up, row.versus
    return {
        "strategy": row.strategy,
        "trials": row.trials,
        "cost": row.cost,
        "validation_accuracy": row.validation,
        "test_accuracy": row.test.estimate,
        "test_interval": [row.test.low, row.test.high],
        "refit_accuracy": row.refit.estimate,
        "refit_interval": [row.refit.low, row.refit.high],
        "refit_worst": row.worst,
        "winners_are": row.winners_are,
        "without_winner": row.without_winner,
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
