"""What is said of a function, which has no network, no epochs and no rows."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hpsearch import Study, run_study
from hpsearch.cli.app import run
from hpsearch.plots import PANELS, read_view
from hpsearch.plots.view import NothingToDraw
from hpsearch.report import load_dashboard, page_document
from hpsearch.report.note import note_markdown
from hpsearch.storage import open_storage
from hpsearch.study_file import parse_study_file

pytestmark = pytest.mark.slow

STUDY = """
name = "walk"
[objective]
function = "given"
metric = "length"
direction = "minimize"
resource = { name = "sweeps", full = 8, least = 2 }
[fixed]
cities = 20
lengths = [1, 2]
[space]
heat = { low = 0.1, high = 10.0, log = true }
near = { low = 1, high = 20 }
[search]
trials = 40
"""


def walk(configuration: dict[str, Any], trial: Any) -> float:
    far = (configuration["heat"] - 1) ** 2 + configuration["near"] / 10
    for sweep in range(1, trial.resource + 1):
        trial.report(sweep, far + 1 / sweep)
    return far + 1 / trial.resource


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("other") / "s.db")


@pytest.fixture(scope="module")
def study(database: str) -> Study:
    return run_study(parse_study_file(STUDY), objective=walk, storage=database, workers=1)


FOREIGN = re.compile(r"\b(networks?|epochs?|trainings?|validation|accuracy|test part)\b")


def test_the_page_leaves_out_what_can_never_be_there(study: Study, database: str) -> None:
    document = page_document([read_view(open_storage(database), "walk")], load_dashboard("search"))
    there = {panel["name"] for panel in document["sections"][0]["panels"]}
    never = {"winner", "gap", "layers", "diagnosis"}
    panels = {name for name, panel in PANELS.items() if panel.of == "study"}
    assert panels - there == never


def test_no_word_is_of_a_network(study: Study, database: str) -> None:
    view = read_view(open_storage(database), "walk")
    said = [note_markdown(view)]
    for name, panel in PANELS.items():
        if panel.of != "study" or name == "advice" or not panel.suits(view):
            continue
        data = panel.data(view)
        said += [panel.about, data.note]
        said += [cell for table in panel.tables(data) for row in table.rows for cell in row]
    assert "trials of 8 sweeps" in " ".join(said)
    assert "2 to 8 sweeps" in said
    assert "cities=20 lengths=[1, 2]" in said
    assert not [text for text in said[1:] if FOREIGN.search(text)]


def test_what_looks_at_test_rows_says_that_there_are_none(study: Study, database: str) -> None:
    with pytest.raises(NothingToDraw, match="This study has no rows to test on"):
        PANELS["winner"].data(read_view(open_storage(database), "walk"))


@pytest.mark.parametrize("command", ["studies", "trials", "best"])
def test_the_terminal_neither(
    command: str, study: Study, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [] if command == "studies" else ["walk"]
    assert run([command, *names, "--storage", database]) == 0
    out = capsys.readouterr().out
    assert "length" in out
    assert not FOREIGN.search(out)
