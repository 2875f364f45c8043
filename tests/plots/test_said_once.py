"""What a terminal, a page and a note say of the same results is worded in one place."""

from __future__ import annotations

import re
from dataclasses import replace

from made_up import comparison, strategy_runs
from views import trial, view_of

from hpsearch.cli.compare import comparison_story
from hpsearch.cli.render import moves_table, set_table
from hpsearch.compare.summary import summarize_strategies
from hpsearch.plots.configuration import configuration_data
from hpsearch.report import load_dashboard, page_document
from hpsearch.report.note import note_markdown
from hpsearch.search.base import Move
from hpsearch.space import Float
from hpsearch.wording import moves, stages_table

STAYS = Move("l2", Float(0.0, 1.0), Float(0.0, 1.0), "it stays wide.")


def test_strategies_are_summed_up_once_for_terminal_page_and_panels() -> None:
    one = comparison(
        strategy_runs("grid", [[0.5, 0.6]] * 3, [0.5, 0.6, 0.7]),
        strategy_runs("random", [[0.5, 0.7]] * 3, [0.6, 0.6, 0.8]),
    )
    before = summarize_strategies.cache_info().misses
    assert list(comparison_story([one]))
    assert page_document([one], load_dashboard("compare"))
    assert summarize_strategies.cache_info().misses == before + 1


def test_how_ranges_moved_reads_the_same_everywhere() -> None:
    view = view_of(trial(0, 0.5), trial(1, 0.7))
    first, second = view.summary.stages
    stages = (first, replace(second, changes=(*second.changes, STAYS)))
    view = replace(view, summary=replace(view.summary, stages=stages))
    moved, stayed = moves(view.summary)
    assert (moved.before, moved.after, moved.stayed) == ("0.0001 to 1", "0.01 to 1", False)
    assert (stayed.before, stayed.after, stayed.stayed) == ("0 to 1", "the same", True)
    assert configuration_data(view).moves == (moved, stayed)
    note = note_markdown(view)
    assert f"rate from {moved.before} to {moved.after}: {moved.reason}" in note
    assert "the same" not in note, "only what moved"
    table = moves_table(view.summary)
    assert table is not None
    [*_, changes, _] = [[*column.cells] for column in table.columns]
    assert [*map(str, changes)] == [f"{moved.before}\n{moved.after}", "as before"]


def test_a_table_is_the_same_text_on_a_terminal_and_in_a_note() -> None:
    view = view_of(trial(0, 0.5))
    stages = stages_table(view.summary)
    note = note_markdown(view)
    assert f"### {stages.caption}" in note
    assert [*map(str, set_table(stages).columns[0].cells)] == [row[0] for row in stages.rows]
    for row in stages.rows:
        assert re.search(r"\| " + r" *\| ".join(row) + r" *\|", note)
