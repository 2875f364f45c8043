"""Names that others gave, on pages, in figures and in notes: all of them seen, none obeyed."""

from __future__ import annotations

import csv
import html
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from nasty import NASTY, is_shown
from window import BROWSER, draw, show

from hpsearch import parse_study_file, run_study
from hpsearch.plots import PANELS, NothingToDraw, read_view
from hpsearch.report import page_of
from hpsearch.report.browser import Page
from hpsearch.report.note import note_markdown
from hpsearch.storage import open_storage
from hpsearch.study_file.template import toml_value
from hpsearch.writing import OBEYED, written_out

pytestmark = pytest.mark.slow

TURNED = "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Studies of plain Optuna with such names, and one of ours whose table has them."""
    folder = tmp_path_factory.mktemp("names")
    path = str(folder / "x.db")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with open_storage(path) as store:
        for name in NASTY:
            sampler = optuna.samplers.RandomSampler(seed=0)
            study = optuna.create_study(study_name=name, storage=store, sampler=sampler)
            with warnings.catch_warnings(action="ignore"):  # of Optuna's, that this is new
                study.set_metric_names([name])
            study.optimize(lambda trial, name=name: objective(trial, name), n_trials=12)
    table = folder / "table.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([f"id{TURNED}", f"x{TURNED}", "kind\x1b[2J", "target"])
        for i in range(90):
            row = [
                f"{TURNED}{i}",
                i % 3 + i / 90,
                f"{TURNED}{i % 2}" * (i > 5),
                f"\x1b[31m{TURNED}{i % 3}",
            ]
            writer.writerow(row)
    text = (
        f"name = {toml_value('ours')}\n[data]\npath = {toml_value(str(table))}\n"
        'target = "target"\n[training]\nepochs = 2\n[search]\nstrategy = "random"\ntrials = 6\n'
    )
    run_study(parse_study_file(text), storage=path, workers=1)
    return path


def objective(trial: optuna.Trial, name: str) -> float:
    trial.set_user_attr("stage", name)
    trial.set_user_attr("why_stopped", name)
    x = trial.suggest_float(name, 0, 1)
    choice = trial.suggest_categorical(f"{name}c", [name, "plain"])
    if trial.number == 5:
        raise optuna.TrialPruned
    return x + (choice == name)


def texts(node: Any) -> Iterator[str]:
    """Every text in a document, its keys not among them."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for part in node.values():
            yield from texts(part)
    elif isinstance(node, list | tuple):
        for part in node:
            yield from texts(part)


@pytest.mark.parametrize("name", [*NASTY, "ours"])
def test_a_page_has_nothing_that_is_obeyed_or_hidden(database: str, name: str) -> None:
    page = page_of(open_storage(database, create=False), [name])
    words, rest = page.split('<script type="application/json" id="document">')
    assert is_shown(words)
    assert not OBEYED.search(words)
    headings = re.findall("<h1>(.*?)</h1>", words, flags=re.DOTALL)
    assert [html.unescape(heading) for heading in headings] == [written_out(name)]
    document = json.loads(rest.split("</script>")[0])
    assert not [text for text in texts(document) if OBEYED.search(text)]
    assert [section["name"] for section in document["sections"]] == [written_out(name)]


def test_the_names_of_a_table_are_on_its_page(database: str) -> None:
    page = page_of(open_storage(database, create=False), ["ours"])
    document = page.split('id="document">')[1].split("</script>")[0]
    said = " ".join(texts(json.loads(document)))
    assert "\\u202egpj.exe" in said
    assert "kind\\x1b[2J" in said


@pytest.mark.parametrize("name", [*NASTY, "ours"])
def test_nor_has_a_note_or_a_figure_of_the_dashboard(database: str, name: str) -> None:
    view = read_view(open_storage(database, create=False), name)
    note = note_markdown(view)
    assert not OBEYED.search(note)
    for panel in PANELS.values():
        if panel.of == "study":
            try:
                figures = panel.figures(panel.data(view))
            except NothingToDraw:
                continue
            for figure in figures:
                assert not [t for t in texts(json.loads(figure.to_json())) if OBEYED.search(t)]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a&lt;b", "a&amp;lt;b"),
        ("~~a~~", r"\~\~a\~\~"),
        ("a\n# b", r"a\\n# b"),
        (TURNED, r"\\u202egpj.exe"),
        ("`a`", r"\`a\`"),
    ],
)
def test_a_note_takes_no_name_for_markdown(tmp_path: Path, name: str, shown: str) -> None:
    store = open_storage(str(tmp_path / "x.db"))
    study = optuna.create_study(study_name="s", storage=store)
    trial = study.ask()
    trial.suggest_float(name, 0, 1)
    study.tell(trial, 0.5)
    note = note_markdown(read_view(store, "s"))
    assert f"settings: {shown}=" in note
    assert note.count("\n\n#") == 1, "one heading, that of the advice"


@BROWSER
def test_a_browser_draws_the_names_in_the_direction_of_the_page(
    database: str, tmp_path: Path, browser: Page
) -> None:
    page = tmp_path / "page.html"
    names = [TURNED.replace("gpj", "gnp"), "%{x}"]
    store = open_storage(str(tmp_path / "x.db"))
    for name in names:
        study = optuna.create_study(
            study_name=name, storage=store, sampler=optuna.samplers.RandomSampler(seed=0)
        )
        study.optimize(lambda trial, name=name: objective(trial, name), n_trials=12)
    page.write_text(page_of(store, names), encoding="utf-8")
    show(browser, page)
    draw(browser)
    axes = browser.evaluate(
        "[...document.querySelectorAll('.figure .xtitle')].map(each => each.textContent)"
    )
    assert "\\u202egnp.exe" in axes
    assert "%{x}" in axes
    assert not OBEYED.search(browser.evaluate("document.body.innerText.replace(/\\r/g, '')"))
    assert browser.problems == []
