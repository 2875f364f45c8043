"""Notebooks: the one in the documentation runs, and a run shows how far it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

GUIDE = Path(__file__).parents[1] / "docs" / "guide"
NOTEBOOK = GUIDE / "notebook.ipynb"


def executed(cells: list[str], folder: Path, **options: Any) -> list[list[Any]]:
    """What each cell put out in the end."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, resources=where, **options).execute()
    return [cell.outputs for cell in notebook.cells]


def code() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_no_outputs_are_committed() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert not cell.metadata
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.slow
def test_the_notebook_of_the_documentation_runs(tmp_path: Path) -> None:
    outputs = executed(code(), tmp_path)
    progress, card = outputs[0]  # and no warning of anybody
    assert "digits" in progress.data["text/plain"]
    assert "30 trials in" in progress.data["text/html"]
    assert "1,797 rows" in progress.data["text/html"]
    assert "The winner of 30 trials" in card.data["text/html"]
    assert "The winner of 30 trials" in card.data["text/plain"]
    figures = [o.data for out in outputs for o in out if "application/vnd.plotly" in str(o)]
    assert len(figures) == 2
    assert (tmp_path / "digits.html").exists()
    assert not [o for out in outputs for o in out if o.output_type == "error"]


RUN = """
import os, signal
from hpsearch import load_study, parse_study_file, run_study
from hpsearch.engine.events import TrialDone
from hpsearch.errors import NoWinnerError
text = 'name = "<b>s"\\n[data]\\nname = "iris"\\n[training]\\n{}\\n[search]\\ntrials = 8'
file = parse_study_file(text.format("epochs = 3"))
options = dict(storage="s.db", workers=1, baselines=False)
done = []

def interrupt(event):
    done.append(event) if isinstance(event, TrialDone) else None
    if len(done) == 3:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # people press twice
"""
INTERRUPTED = "run_study(file, on_event=interrupt, **options)"
GOES_ON = "study = run_study(file, **options)"
QUIET = "study = run_study(file, progress=False, **options)"
DIVERGES = """
run_study(parse_study_file(text.format("learning_rate = 1e3").replace("<b>", "")), **options)
"""


@pytest.mark.slow
def test_a_run_shows_how_far_it_is_and_how_it_ended(tmp_path: Path) -> None:
    cells = [RUN, INTERRUPTED, GOES_ON, GOES_ON, QUIET, DIVERGES]
    prepared, interrupted, goes_on, again, quiet, diverges = executed(
        cells, tmp_path, allow_errors=True
    )
    assert prepared == quiet == []
    display, error = interrupted
    found = re.search(r"interrupted after (\d) of 8 trials", display.data["text/html"])
    assert found is not None
    assert 3 <= int(found[1]) < 8  # another may have ended before the signal was looked at
    assert "&lt;b&gt;s" in display.data["text/html"]
    assert "<b>s" not in display.data["text/html"].replace("<b>&lt;", "")
    assert error.traceback == [
        "<b>s was interrupted; finished trials are kept, and the same cell goes on from them"
    ]
    [display] = goes_on
    assert "8 trials in" in display.data["text/plain"]
    assert f", {found[1]} of them before" in display.data["text/plain"]
    [display] = again
    assert "finished already; nothing was trained" in display.data["text/plain"]
    display, error = diverges
    assert "stopped after 8 of 8 trials" in display.data["text/plain"]
    assert error.ename == "NoWinnerError"
