"""The command, its pages in a real browser, and its numbers as JSON."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from window import BROWSER, draw, show

from hpsearch.cli.app import run
from hpsearch.errors import RunError
from hpsearch.lab import EXPERIMENTS
from hpsearch.lab.numbers import LARGEST, document
from hpsearch.lab.pages import experiment_html, write_experiment, write_index
from hpsearch.report.browser import Page

pytestmark = pytest.mark.slow

Measured = Callable[[str], Any]


def test_without_a_name_the_experiments_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lab"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)
    assert run(["lab", "--json"]) == 0
    assert [entry["experiment"] for entry in json.loads(capsys.readouterr().out)] == [*EXPERIMENTS]


def test_pages_are_written_and_the_index_leads_to_those_that_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["lab", "activations"]) == 0
    said = capsys.readouterr().out
    assert " ".join(said.split()).startswith("Activation functions: At x = 10 a gradient shrinks")
    assert run(["lab", "learning-rates", "-o", "lab"]) == 0
    names = ["activations.html", "index.html", "learning-rates.html"]
    assert sorted(path.name for path in (tmp_path / "lab").iterdir()) == names
    index = (tmp_path / "lab" / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'<a href="([\w.-]+)"', index) == ["activations.html", "learning-rates.html"]
    assert "plotly" not in index


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["zigzag"], "Known: activations, zig-zag, dead-relus"),
        (["activations", "--all"], "name experiments or say --all, not both"),
        (["activations", "-o", "file"], "cannot make the folder file"),
    ],
)
def test_wrong_use_is_said(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert run(["lab", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_json_is_one_document_of_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lab", "zig-zag", "activations", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["experiment"], second["experiment"]) == ("zig-zag", "activations")
    assert first["data"]["paths"]["all positive"]["weights"][0] == [0, 0]
    assert len(second["data"]["inputs"]) == 401
    assert second["thinned"] == {}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_documents_are_small_and_say_what_they_leave_out(name: str, measured: Measured) -> None:
    made = document(name, measured(name))
    text = json.dumps(made, allow_nan=False)
    assert len(text) < 200_000
    assert made["sees"] == measured(name).sees()
    for path, what in made["thinned"].items():
        value: Any = made
        for step in path.split("."):
            value = value[int(step)] if isinstance(value, list) else value[step]
        kept = np.array(value)
        step_, length, axis = map(int, re.findall(r"\d+", what))
        assert kept.size <= LARGEST
        assert kept.shape[axis] == len(range(0, length, step_))
    if name == "update-ratios":
        assert list(made["thinned"]) == ["data.ratios"]


def test_a_page_has_its_sentence_on_top_and_plotly_once(measured: Measured) -> None:
    page = experiment_html("learning-rates", measured("learning-rates"))
    assert re.search(r'<h1>Learning rates</h1>\s*<p class="result">In 30 epochs the loss', page)
    assert page.count("* plotly.js v") == 1
    assert re.findall(r' src="', page.split("plotly.js v")[0]) == []


def wait_for(browser: Page, name: str) -> None:
    """Wait until the browser shows a page that a link leads to."""
    there = f"location.pathname.endsWith('{name}') && document.readyState === 'complete'"
    arrived = False
    while not arrived:
        time.sleep(0.02)
        with suppress(RunError):  # a question to the page that it is just leaving
            arrived = browser.evaluate(there)


@BROWSER
@pytest.mark.parametrize(
    ("names", "width", "dark"),
    [([*EXPERIMENTS][::2], 1280, False), ([*EXPERIMENTS][1::2], 390, True)],
    ids=["wide", "phone, dark"],
)
def test_a_browser_draws_every_page_without_a_complaint(
    names: list[str], width: int, dark: bool, tmp_path: Path, measured: Measured, browser: Page
) -> None:
    paths = [write_experiment(tmp_path, name, measured(name)) for name in names]
    show(browser, write_index(tmp_path), width=width, dark=dark)
    assert browser.evaluate("document.querySelectorAll('h2 a').length") == len(names)
    for path in paths:
        browser.evaluate(f"document.querySelector('a[href=\"{path.name}\"]').click()")
        wait_for(browser, path.name)
        assert draw(browser) >= 2
        empty = browser.evaluate(
            "FIGURES.filter(div => !div.querySelector('.trace path')).map(div => div.id)"
        )
        assert empty == []
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), path.name
        browser.evaluate("document.querySelector('nav a').click()")
        wait_for(browser, "index.html")
    assert browser.problems == []
