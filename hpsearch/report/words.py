"""The words of a page: the result in a sentence, the best trials, the facts; safe in HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hpsearch.compare.result import UNITS, Comparison
from hpsearch.compare.summary import answer, reference_of, searches, summarize_strategies, verdict
from hpsearch.engine.record import settings_text, value_text
from hpsearch.plots import StudyView
from hpsearch.writing import html_text

__all__ = [
    "best_table",
    "comparison_head",
    "result_sentence",
    "study_head",
    "table",
    "winner_line",
]

BEST = 10


def study_head(view: StudyView) -> str:
    """What stands above a study's panels: the result, and the best trials."""
    return (
        f'<p class="result">{html_text(result_sentence(view))}</p>\n'
        f"<p>{html_text(winner_line(view))}</p>\n{best_table(view)}"
    )


def comparison_head(comparisons: Sequence[Comparison]) -> str:
    """The answer in words, and the table: of one data set, or of several put together."""
    rows = summarize_strategies(comparisons)
    reference = reference_of(comparisons)
    sentences = list(answer(rows))
    headings = ["strategy", "trials", "cost", "test accuracy", "95% interval", "trained once more"]
    body = [
        [
            row.strategy,
            f"{row.trials:.0f}",
            f"{row.cost:.2f}",
            f"{row.test.estimate:.4f}",
            f"{row.test.low:.4f} to {row.test.high:.4f}",
            f"{row.refit.estimate:.4f}",
            f"{row.worst:.4f}",
            f"{row.rank:.1f}",
            "" if row.versus is None else f"{row.versus.better:.2f}",
            "" if row.versus is None else f"{row.versus.p_value:.2g}",
        ]
        for row in rows
    ]
    if rows[0].constant is not None:
        body.append(["constant", "", "", f"{rows[0].constant:.4f}", *[""] * 6])
    caption = f"{searches(comparisons)} of each strategy"
    if len(comparisons) > 1:
        caption += f" on each of {len(comparisons)} data sets"
    about = (
        f"{' '.join(_conditions(c) for c in comparisons)} random-x2 had twice the budget; cost is "
        "the share that was spent. Accuracies are interquartile means over the searches, of the "
        "networks by which they named their winner and of the winner trained once more; p-values "
        "are Wilcoxon's, after Holm. The constant predictor always answers the largest class."
    )
    headings += ["worst of these", "rank", f"above {reference}", "p"]
    more = "".join(f"<li>{html_text(sentence)}</li>" for sentence in sentences)
    return (
        f'<p class="result">{html_text(verdict(rows))}</p>\n'
        f"<ul>{more}</ul>\n{table(headings, body, caption=caption)}"
        f'<p class="note">{html_text(about)}</p>\n'
    )


def _conditions(comparison: Comparison) -> str:
    """The data and the budget of a comparison, in a sentence."""
    data = comparison.data
    return (
        f"On {data['name']}: {data['train']:,} rows to train, {data['validation']:,} to validate, "
        f"{data['test']:,} to test; the budget of a search was {comparison.amount:.3g} "
        f"{UNITS[comparison.unit]}."
    )


def result_sentence(view: StudyView) -> str:
    """What the study came to, as one sentence of plain text."""
    summary = view.summary
    if summary.validation_accuracy is None:
        return summary.without_winner
    count = f"{len(view.trials):,} trial{'' if len(view.trials) == 1 else 's'}"
    beside = "".join(
        f", {summary.verdict(b)} than {b.does} ({b.accuracy:.1%})"
        for b in summary.baselines
        if summary.verdict(b) is not None
    )
    reached = f"{summary.validation_accuracy:.4g}"
    if summary.test_accuracy is None or summary.test_interval is None:
        extreme = "highest" if view.maximize else "lowest"
        tested = "; the winner is not tested yet" if view.settings else ""
        return f"The {extreme} {view.score_name} of {count} so far is {reached}{beside}{tested}."
    low, high = summary.test_interval
    if summary.useless:
        beside += f" ({summary.useless})"
    seeds = len(summary.validation_scores)
    over = f"mean of {seeds} seeds" if seeds > 1 else "one training"
    return (
        f"The winner of {count} labels {summary.test_accuracy:.1%} of {summary.test_rows} rows "
        f"right that nothing else had seen (95% interval {low:.1%} to {high:.1%}){beside}; its "
        f"{view.score_name} was {reached}, {over}."
    )


def best_table(view: StudyView) -> str:
    """The best trials with their settings."""
    rows = [row for row in view.summary.rows if row.state == "complete"][:BEST]
    if not rows or view.objectives > 1:
        return ""
    names = list(dict.fromkeys(name for row in rows for name in row.configuration))
    ours = any(row.stage for row in rows)
    known = ["stage", "epochs"] if ours else []
    winner = view.summary.winner
    body = [
        [
            f"{row.number} (winner)" if row.number == winner else str(row.number),
            *(
                [str(row.stage or ""), "" if row.epochs is None else str(row.epochs)]
                if ours
                else []
            ),
            "" if row.score is None else f"{row.score:.4g}",
            *(value_text(row.configuration[n]) if n in row.configuration else "" for n in names),
        ]
        for row in rows
    ]
    of = f"{len(rows)} of {len(view.summary.rows):,} trials"
    caption = f"Best trials{' by their single scores' if winner is None else ''}: {of}"
    if winner is not None:
        caption += "; the winner first, then by single scores"
    return table(["trial", *known, view.score_name, *names], body, caption=caption, kind="trials")


def winner_line(view: StudyView) -> str:
    """The settings of the winner, or of the best trial so far, as plain text."""
    if view.summary.best is None or view.objectives > 1:
        return ""
    who = "The winner's settings" if view.summary.test_rows else "The best trial's settings"
    return f"{who}: {settings_text(view.summary.best)}"


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str, kind: str = "facts"
) -> str:
    """A table that scrolls in its own frame where it is wider than the page.

    Args:
        headings: of the columns.
        rows: plain text.
        caption: above the table.
        kind: its class, for the style sheet.

    >>> "&lt;b&gt;" in table(["name"], [["<b>"]], caption="x")
    True
    """
    head = "".join(f'<th scope="col">{html_text(text)}</th>' for text in headings)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f'<div class="frame" tabindex="0" role="region" aria-label="{html_text(caption)}">'
        f'<table class="{kind}"><caption>{html_text(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>\n"
    )


PROSE = 40
"""Characters from which on a cell is a sentence, whose lines are not to be two words long."""


def _cell(text: str) -> str:
    kind = ' class="prose"' if len(text) > PROSE else ""
    return f"<td{kind}>{html_text(text)}</td>"
