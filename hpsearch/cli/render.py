"""Tables and sentences; every one fits 80 columns."""

from __future__ import annotations

import os
import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import quote

from rich import box
from rich import table as rich_table
from rich.cells import cell_len
from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from hpsearch.engine.summary import Summary, TrialRow, states_text
from hpsearch.errors import StorageError
from hpsearch.metrics import ACCURACY
from hpsearch.storage import DEFAULT_STORAGE, display_url
from hpsearch.wording import (
    CONSTANT,
    Table,
    beside,
    cell_text,
    moves,
    scores,
    settings_text,
    stages_table,
)
from hpsearch.writing import in_one_line

if TYPE_CHECKING:
    from hpsearch.advice import Recommendation
    from hpsearch.checks import Check
    from hpsearch.data.account import Account
    from hpsearch.engine.ensemble import Ensemble
    from hpsearch.engine.simple_models import Untested
    from hpsearch.service.models import Study

__all__ = [
    "account_text",
    "check_line",
    "checks_advice",
    "checks_table",
    "ensemble_text",
    "folded",
    "set_table",
    "story",
    "studies_table",
    "trials_table",
    "winner_text",
]

SHORT = {
    "learning_rate": "rate",
    "batch_size": "batch",
    "batch_norm": "norm",
    "preprocessing": "prep",
    "activation": "act",
    "initializer": "init",
    "optimizer": "opt",
    "maxout_pieces": "pieces",
}
"""Headings for tables, where the whole name would not leave room for numbers."""

SHORT_FAULTS = {
    "inputs not scaled": "unscaled",
    "exploding gradients": "exploding",
    "vanishing gradients": "vanishing",
    "saturation": "saturated",
    "learning rate too high": "rate high",
    "learning rate too low": "rate low",
    "l2 too high": "l2 high",
    "underfitting": "underfit",
    "overfitting": "overfit",
    "stopped too early": "too early",
}
"""What was wrong, likewise."""


def story(
    summary: Summary,
    storage: str,
    recommendations: Sequence[Recommendation] = (),
    *,
    server: str | None = None,
    width: int,
) -> Iterator[RenderableType]:
    """What a person wants to know after a run, in the order in which they ask.

    Args:
        summary: of the study.
        storage: where it is.
        recommendations: what its trainings say should be done about them.
        server: the URL of the server that has it, if one has.
        width: of the terminal, in characters.
    """
    yield set_table(stages_table(summary))
    if (moved := moves_table(summary)) is not None:
        yield moved
    yield trials_table(summary, summary.rows[:8], title="Best trials", width=width)
    yield winner_text(summary)
    if recommendations:
        yield urgent_text(recommendations)
    if (foreign := foreign_text(summary)) is not None:
        yield Text(f"{foreign}\n")
    yield next_text(summary, storage, width, server)


def foreign_text(summary: Summary) -> str | None:
    """What becomes of trials that others have added to a study; None where there are none."""
    count = sum(summary.foreign.values())
    if not count:
        return None
    are, they = (
        ("trials are", "they stay as they are") if count > 1 else ("trial is", "it stays as it is")
    )
    return (
        f"{count} {are} of somebody else's making ({states_text(summary.foreign)}), as with "
        f"Optuna's enqueue_trial. hpsearch runs the trials of its own plan only: {they}. To try "
        "certain settings, name them as points of a grid, in a study file of another name."
    )


def urgent_text(recommendations: Sequence[Recommendation]) -> Text:
    """What was wrong with the trainings, or might be better, in a sentence each."""
    text = Text("Advice\n", style="bold")
    for recommendation in recommendations:
        text.append(f"- {recommendation.sentence}\n", style="not bold")
    return text


def plain_table(title: str) -> rich_table.Table:
    """A table in this program's manner, with its headings still to come.

    Args:
        title: plain text.
    """
    return rich_table.Table(
        title=escape(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def set_table(table: Table) -> rich_table.Table:
    """A table of plain text; columns of figures stand to the right."""
    made = plain_table(table.caption)
    for heading, *cells in zip(table.headings, *table.rows, strict=True):
        figures = all(cell[:1] in "0123456789+-." for cell in cells)
        made.add_column(heading, justify="right" if figures else "left", no_wrap=True)
    for row in table.rows:
        made.add_row(*map(escape, row))
    return made


def moves_table(summary: Summary) -> rich_table.Table | None:
    """Each narrowing and widening with its reason; None when there was no stage to move to."""
    table = plain_table("How the ranges moved")
    for heading in ("stage", "parameter", "before and after", "why"):
        table.add_column(heading, overflow="fold" if heading == "why" else "ellipsis")
    for stage, changes in groupby(moves(summary), key=lambda move: move.stage):
        stayed = []
        for move in changes:
            if move.stayed:
                stayed.append(move.parameter)
                continue
            cells = (stage, move.parameter, f"{move.before}\n{move.after}", move.reason)
            table.add_row(*map(escape, cells))
            stage = ""
        if stayed:
            cells = (stage, "the others", "as before", ", ".join(stayed))
            table.add_row(*(Text(cell, "dim" if n else "") for n, cell in enumerate(cells)))
    return table if table.row_count else None


def trials_table(
    summary: Summary,
    rows: Sequence[TrialRow],
    *,
    title: str,
    width: int,
    notes: Sequence[str] = (),
) -> rich_table.Table:
    """Trials with their settings, one a line; as many settings as find room.

    Args:
        summary: of the study; the trial that stands for its winner is marked.
        rows: some of its trials.
        title: above the table.
        width: of the terminal, in characters. Their lengths are left out where that makes room for
            what was wrong with each trial, and this where the settings have none to spare; then
            the settings that find no room, for no number is broken.
        notes: lines below the table.
    """
    winner, text = summary.winner, summary.measure.text
    marked = any(row.number == winner for row in rows)
    notes = [*(["* stands for the winner"] if marked else []), *notes]
    names = list(dict.fromkeys(name for row in rows for name in row.configuration))
    heading = summary.measure.name if summary.strategy is None else summary.measure.title
    length = summary.resource
    if heading in {"#", "stage", length, *names, *SHORT.values()}:
        heading = f"objective {heading}"
    columns = {
        "#": [f"{'*' if row.number == winner else ''}{row.number}" for row in rows],
        "stage": [str(row.stage or "") for row in rows],
        heading: [text(row.score) or ", ".join(map(text, row.values)) for row in rows],
    }
    if length and length not in names:
        columns[length] = ["" if row.epochs is None else str(row.epochs) for row in rows]
    headings = _headings(names)
    settings = {headings[n]: [cell_text(row.configuration, n) for row in rows] for n in names}
    columns |= settings
    table = plain_table(title)
    stopped = ["" if row.state == "complete" else row.why or row.state for row in rows]
    wrong = [
        ", ".join(filter(None, [why, *_faults(row)]))
        for why, row in zip(stopped, rows, strict=True)
    ]
    last, told = "stopped", stopped
    if wrong != stopped:
        if _make_room(columns, width, LEAST, length):
            last, told = "diagnosis", wrong
        else:
            notes.append("--json says what was wrong with them")
    least = len(last) if any(told) else -2
    if not _make_room(columns, width, least, length):
        for name in {length, *settings}:
            columns.pop(name, None)
        for name, cells in settings.items():
            if _room(columns | {name: cells}, width) >= least:
                columns[name] = cells
        if missing := [name for name in settings if name not in columns]:
            notes.append(f"no room for {', '.join(missing)}; --json has them")
    # Where all else finds room beside a reason, the reason alone is folded, and no number.
    roomy = _room(columns, width) >= least
    if any(told):
        columns[last] = told
    for name in columns:
        table.add_column(
            escape(name),
            justify="left" if name in ("stage", last) else "right",
            overflow="fold",
            no_wrap=name in ("stage", heading) or (roomy and name != last),
        )
    for line in zip(*columns.values(), strict=True):
        table.add_row(*(escape(in_one_line(cell)) for cell in line))
    if notes:
        table.caption, table.caption_justify = Text("\n".join(notes)), "left"
    return table


def _headings(names: Sequence[str]) -> dict[str, str]:
    """What the columns of parameters are called: short, where nothing else is called so."""
    found = {}
    for name in names:
        short = SHORT.get(name, name)
        found[name] = name if short in names else short
    return found | {name: f"parameter {name}" for name in OURS if name in names}


OURS = ("#", "stage", "stopped", "diagnosis")
"""What the table's own columns are called."""

LEAST = 10
"""Room, in characters, that a diagnosis needs."""


def _make_room(columns: dict[str, list[str]], width: int, least: int, length: str) -> bool:
    """Whether a last column has room, if need be by leaving out how long trials were."""
    if _room(columns, width) < least <= _room(columns, width, length):
        columns.pop(length, None)
    return _room(columns, width) >= least


def _room(columns: Mapping[str, Sequence[str]], width: int, *without: str) -> int:
    """What other columns leave for a last one; between two are two spaces, and one at each edge."""
    kept = {heading: cells for heading, cells in columns.items() if heading not in without}
    return width - 2 - sum(2 + max(map(len, (heading, *cells))) for heading, cells in kept.items())


def _faults(row: TrialRow) -> list[str]:
    return [SHORT_FAULTS.get(fault, fault) for fault in row.faults]


def winner_text(summary: Summary) -> Text:
    """The winner, how good it is and how sure that is."""
    if summary.best is None or summary.validation is None:
        return Text(f"{summary.without_winner}\n")
    ours = summary.strategy is not None
    text = Text()
    text.append("Winner  " if ours else "Best trial  ", style="bold")
    text.append(settings_text(summary.best) + "\n")
    styles = {summary.score_name: "bold", summary.extreme: "bold", summary.test_name: "bold green"}
    lines = list(scores(summary))
    width = max(20, *(len(what) for what, _, _ in lines))
    for what, number, remark in lines:
        text.append(f"  {what:<{width}} ")
        text.append(number, style=styles.get(what))
        text.append(f"  {remark}\n" if remark else "\n")
    for reservation in filter(None, (*summary.reservations, summary.useless)):
        text.append(f"  {reservation}\n", style="bold red")
    if told := beside(summary):
        text.append(f"{told[0].upper()}{told[1:]}\n")
    if ours and not summary.finished:
        tested = "not tested yet: " if summary.learns else ""
        text.append(f"  {tested}the search is not finished\n")
    if summary.tests is not None and summary.tests > 1:
        text.append(f"  the test part was used {summary.tests} times; each time proves less\n")
    return text


def ensemble_text(ensemble: Ensemble) -> Text:
    """Who is in it, and whether it is any better than the winner alone."""
    text = Text()
    size, kind = len(ensemble.members), "raced" if ensemble.raced else "best"
    text.append("Ensemble  ", style="bold")
    trees = sum(not member.epochs for member in ensemble.members)
    networks = ensemble.candidates - ensemble.boosting
    beside = " and gradient boosting" if trees else ""
    text.append(f"{size - trees} of {networks} {kind} configurations{beside}, averaged\n")
    shown, title = ensemble.measure.text, ensemble.measure.title
    width = max(20, len(f"validation {title}"), *(len(b.short) for b in ensemble.baselines))
    for member in ensemble.members:
        who = member.kind if not member.epochs else settings_text(member.configuration)
        text.append(f"  {shown(member.together)} with  {who}\n")
    for what, single, together in (
        (f"validation {title}", ensemble.single_validation, ensemble.validation),
        (f"test {title}", ensemble.single_test, ensemble.test),
    ):
        text.append(f"  {what:<{width}} ")
        text.append(shown(together), style="bold")
        text.append(f"  the winner alone {shown(single)}\n")
    if ensemble.test_interval is not None and ensemble.single_test_interval is not None:
        low, high, left, right = map(
            shown, (*ensemble.test_interval, *ensemble.single_test_interval)
        )
        text.append(f"  {'95% interval':<{width}} {low} to {high}  ")
        text.append(f"the winner alone {left} to {right}\n")
    if ensemble.difference_interval is not None:
        ends = map(ensemble.measure.difference_text, ensemble.difference_interval)
        text.append(f"  {'difference':<{width}} 95% interval {' to '.join(ends)}\n")
    for baseline in ensemble.baselines:
        text.append(f"  {baseline.short:<{width}} {shown(baseline.value)}\n")
    for reservation in ensemble.reservations:
        text.append(f"  {reservation}\n", style="bold red")
    text.append(f"  {_verdict(ensemble)}\n")
    if ensemble.unlike:
        text.append(
            f"  {ensemble.unlike} of {ensemble.candidates} scores differ from the study's: "
            "another machine or version\n"
        )
    return text


def _verdict(ensemble: Ensemble) -> str:
    measure, difference = ensemble.measure, ensemble.test - ensemble.single_test
    if measure.name == ACCURACY.name:
        rows = f"{abs(round(difference * ensemble.test_rows))} of {ensemble.test_rows} test rows"
        worse, better = f"it labels {rows} fewer right", f"{rows} more are right"
        perhaps = f"It labels {rows} more right"
    else:
        way = "below" if difference < 0 else "above"
        away = measure.difference_text(abs(difference)).removeprefix("+")
        worse = better = f"its {measure.title} is {away} {way} the winner's"
        perhaps = f"Its {measure.title} is {away} {way} the winner's"
    if not ensemble.better:
        return f"The ensemble is not better: {worse if difference else 'they are equally good'}."
    if ensemble.surely:
        return f"The ensemble is better: {better}."
    return f"{perhaps}, which may be chance."


def next_text(summary: Summary, storage: str, room: int, server: str | None = None) -> Text:
    """The commands that a person is likely to want now.

    Args:
        summary: of the study.
        storage: where it is.
        room: the terminal's width; what a command is for comes below it where that needs more.
        server: the URL of the server that has it, if one has.
    """
    name = summary.study if summary.study.replace("-", "").isalnum() else f"'{summary.study}'"
    shown = display_url(storage)
    by_default = storage == DEFAULT_STORAGE and "HPSEARCH_SERVER" not in os.environ
    where = "" if by_default else f" --storage {shlex.quote(shown)}"
    keep = [(f"hpsearch best {name} --export model.npz{where}", "keep the model")]
    look = (f"hpsearch dashboard{where}", "look at them in a browser")
    if server is not None:
        page = f"{server}/studies/{quote(summary.study, safe='')}"
        shown, keep, look = storage, [], (page, "its page, for a browser")
        where = "" if os.environ.get("HPSEARCH_SERVER") == server else f" --server {server}"
    lines = (
        *(keep if summary.model is not None else []),
        (f"hpsearch trials {name}{where}", "every trial"),
        (f"hpsearch advise {name} -o next.toml{where}", "what to run next"),
        look,
    )
    width = max(len(command) for command, _ in lines)
    beside = all(width + len(why) + 4 <= room for _, why in lines)
    text = Text("Next\n", style="bold")
    for command, why in lines:
        text.append(f"  {command:<{width}}  " if beside else f"  {command}\n    ", "not bold cyan")
        text.append(f"{why}\n", style="not bold dim")
    if shown != storage and "***" in shown:
        hint = (
            "  In place of *** goes the password; or leave it out and set PGPASSWORD,\n"
            "  or put the whole URL into HPSEARCH_STORAGE and leave --storage out.\n"
        )
        text.append(hint, style="not bold dim")
    return text


def studies_table(
    summaries: Mapping[str, Summary | StorageError],
    together: Mapping[str, Sequence[str]],
    states: Mapping[str, Study] | None = None,
    *,
    width: int,
) -> rich_table.Table:
    """One line a study, and one for all those of a comparison.

    Args:
        summaries: by the study's name; an error for one that cannot be read.
        together: the names of each comparison's studies.
        states: what a server does with each, if it is a server's.
        width: of the terminal, in characters. The interval, then the data set and the strategy
            are left out where names would have no room; a name has to be whole to be of use.
    """
    members = {study for studies in together.values() for study in studies}
    rows = [_study_row(name, s) for name, s in summaries.items() if name not in members]
    rows += [_comparison_row(name, [summaries[s] for s in of]) for name, of in together.items()]
    ours = [s for s in summaries.values() if isinstance(s, Summary) and s.strategy is not None]
    score = "validation" if all(s.learns for s in ours) else "score"
    headings = ["study", "strategy", "data", "trials", score, "test", "95% interval"]
    for row in rows if states else ():
        if (known := states.get(row["study"]) if states else None) is not None:
            row |= {"state": known.state, "priority": str(known.priority)}
    headings[1:1] = ["state", "priority"] if states else []
    if any(row.get("metric", ACCURACY.title) not in ("", ACCURACY.title) for row in rows):
        headings.insert(4, "metric")
    if any("constant" in row for row in rows):
        headings.insert(-1, "constant")
    widths = {
        heading: max(len(text) for text in (heading, *(row.get(heading, "") for row in rows)))
        for heading in headings
    }
    for spare in ("95% interval", "data", "strategy"):
        if sum(widths[heading] + 2 for heading in headings) > width:
            headings.remove(spare)
    table = plain_table("Studies")
    for heading in headings:
        words = heading in ("study", "state", "strategy", "data")
        table.add_column(heading, overflow="fold", justify="left" if words else "right")
    for row in rows:
        table.add_row(*(escape(in_one_line(row.get(heading, ""))) for heading in headings))
    notes = ["comparison (n): of n studies, which --all lists"] if together else []
    if "constant" in headings:
        notes.append(CONSTANT)
    if any(row.get("constant", "").endswith(UNBEATEN) for row in rows):
        notes.append(f"{UNBEATEN} the winner is no better than that, or worse")
    if notes:
        table.caption, table.caption_justify = "\n".join(notes), "left"
    return table


def untested_table(found: Untested) -> rich_table.Table:
    """Simple models on validation rows, beside the best constant."""
    table = plain_table("Simple models in validation")
    for heading in ("model", found.measure.title, "over the constant", "seconds"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    text = found.measure.text
    table.add_row("the best constant", text(found.constant), "", "")
    for model in found.models:
        better = found.measure.difference_text(model.better or 0.0)
        table.add_row(model.name, text(model.value), better, f"{model.seconds:.1f}")
    table.caption, table.caption_justify = "The test part was not touched.", "left"
    return table


UNBEATEN = "!"
"""Marks what simple models come to, where the winner is no better."""


def _study_row(name: str, summary: Summary | StorageError) -> dict[str, str]:
    if isinstance(summary, StorageError):
        return {"study": name, "strategy": "unreadable"}
    interval, text = summary.test_interval, summary.measure.text
    scored = summary.baselines if summary.best is not None else ()
    constant = {
        baseline.name: f"{text(baseline.value)}{UNBEATEN * (baseline in summary.unbeaten)}"
        for baseline in scored
    }
    return constant | {
        "study": name,
        "strategy": summary.strategy or "",
        "data": str(summary.data.get("name", "")),
        "trials": str(summary.over),
        "validation": (reached := _reached(summary)),
        "score": reached,
        "metric": "" if summary.strategy is None else summary.measure.title,
        "test": text(summary.test),
        "95% interval": "" if interval is None else summary.measure.interval_text(*interval),
    }


def _reached(summary: Summary) -> str:
    """The winner's score, or the best of somebody else's study, of which it is said which way."""
    if summary.objectives > 1:
        return f"{summary.objectives} values"
    text = summary.measure.text(summary.validation)
    return f"{summary.extreme.split()[0]} {text}" if text and summary.strategy is None else text


def _comparison_row(name: str, summaries: Sequence[Summary | StorageError]) -> dict[str, str]:
    read = [summary for summary in summaries if not isinstance(summary, StorageError)]
    data = dict.fromkeys(str(summary.data.get("name", "")) for summary in read)
    return {
        "study": name,
        "strategy": f"comparison\N{NO-BREAK SPACE}({len(summaries)})",
        "data": ", ".join(filter(None, data)),
        "trials": str(sum(summary.over for summary in read)),
    }


def account_text(name: str, account: Account, width: int) -> str:
    """What became of the rows and columns of a source, in a few lines.

    Args:
        name: of the data.
        account: is told.
        width: of the terminal, in characters; lines are no longer than that, and 80.
    """
    first, *rest = account.sentences()
    fill = partial(textwrap.fill, width=min(width, 80), break_on_hyphens=False)
    lines = [fill(f"{name}: {first}", subsequent_indent="  ")]
    lines += [fill(line, initial_indent="  ", subsequent_indent="    ") for line in rest]
    return "\n".join(lines)


STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red"}


def checks_table(checks: Sequence[Check]) -> rich_table.Table:
    """Each check with its verdict and its numbers."""
    table = plain_table("Checks before learning")
    table.add_column("")
    for heading in ("check", "found", "expected"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        cells = (escape(text) for text in (check.name, check.found, check.expected))
        table.add_row(Text(check.verdict, STYLES[check.verdict]), *cells)
    return table


def checks_advice(checks: Sequence[Check], excluded: Sequence[str], width: int) -> Text:
    """What to do where a check is not passed.

    Args:
        checks: of a study.
        excluded: the columns that it leaves out already.
        width: of the terminal, in characters.
    """
    from hpsearch.checks.check import excluding

    lines = [check_line(check, width) for check in checks if check.verdict != "pass"]
    if (asking := [check for check in checks if check.exclude]) and len(asking) + len(excluded) > 1:
        names = dict.fromkeys([*excluded, *(name for check in asking for name in check.exclude)])
        lines.append(Text(f"All together: {excluding(list(names))}"))
    return Text("\n").join(lines or [Text("Nothing is odd.")])


def check_line(check: Check, width: int | None = None) -> Text:
    """A verdict and its sentence; in lines of some width, or in one."""
    words = f"{check.verdict} {check.name}: {check.advice}"
    words = words if width is None else folded(words, width)
    name, advice = words[len(check.verdict) + 1 :].split(":", 1)
    return Text.assemble((check.verdict, STYLES[check.verdict]), " ", (name, "bold"), f":{advice}")


UNBROKEN = re.compile(
    r"""\s+ (\[data\]\ exclude\ =\ \[ (?: "(?:[^"\\]|\\.)*" (?:,\ )? )* \] \S* | \S+)""", re.VERBOSE
)


def folded(text: str, width: int) -> str:
    r"""Lines of text no longer than that, but for a setting: one in two lines cannot be pasted.

    >>> print(folded('leave them out: [data] exclude = ["a b"], or not', 18))
    leave them out:
    [data] exclude = ["a b"],
    or not
    """
    lines = [""]
    for found in UNBROKEN.finditer(f" {text}"):
        word = found[0] if lines[-1] else found[1]
        if lines[-1] and cell_len(lines[-1] + word) > width:
            lines.append(found[1])
        else:
            lines[-1] += word
    return "\n".join(lines)
