"""What a reader does with a page: selects, sorts, opens a trial, groups, compares, takes files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe import serious
from views import WIDE, trial, view_of
from window import BROWSER, draw, show

from hpsearch.engine.summary import TrialRow
from hpsearch.plots import StudyView
from hpsearch.report import document_json, load_dashboard, page_document, page_html, write_page
from hpsearch.report.browser import Page
from hpsearch.space import Categorical, Float
from hpsearch.training.diagnosis import Finding

pytestmark = [pytest.mark.slow, BROWSER]

HOSTILE = '</script><img src=x onerror=alert(1)> & "q" %{y}'
PARAMETERS = {"rate": WIDE, "kind": Categorical(("relu", "elu", HOSTILE)), "l2": Float(0.0, 1.0)}


def made(count: int, *, name: str = "one", seed: int = 0) -> StudyView:
    """A study whose score the rate decides; each fifth trial was stopped, every fourth is alike."""
    rng = np.random.default_rng(seed)
    rows: list[TrialRow] = []
    for number in range(count):
        rate = float(10 ** rng.uniform(-4, 0))
        configuration = {
            "rate": rate,
            "kind": PARAMETERS["kind"].choices[number % 3],
            "l2": float(rng.random()),
        }
        if number % 4 == 3:
            configuration = dict(rows[-1].configuration)
            rate = configuration["rate"]
        score = round(0.95 - 0.1 * abs(np.log10(rate / 0.01)) + rng.normal(0, 0.003), 6)
        stopped = number % 5 == 4
        more: dict[str, Any] = {"curve": {1: score / 2, 2: score * 0.8, 3: score}, "epochs": 3}
        if stopped:
            more |= {"state": "pruned", "why": "diverged", "log": f"Traceback of {number}: <b>"}
        elif number % 7 == 0:
            more |= {"findings": (Finding("overfitting", f"the gap is {number}", fault=True),)}
        rows.append(trial(number, score, configuration=configuration, **more))
    view = view_of(*rows, parameters=PARAMETERS)
    return replace(view, summary=replace(view.summary, study=name))


PANELS = load_dashboard("search").model_copy(
    update={
        "panels": ["history", "trials", "parameters", "parallel", "curves", "groups", "timeline"]
    }
)


def written(folder: Path, *views: StudyView) -> Path:
    path = folder / "page.html"
    write_page(path, page_html(page_document(views, PANELS)))
    return path


@pytest.fixture(scope="module")
def study() -> StudyView:
    return made(40)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, study: StudyView) -> Path:
    return written(tmp_path_factory.mktemp("reader"), study)


def at(browser: Page, page: Path, fragment: str = "", **window: Any) -> None:
    """Open the page with a fragment, and have all drawn."""
    show(browser, f"{page.as_uri()}#{fragment}", **window)
    draw(browser)


def settle(browser: Page) -> None:
    """Wait for what a moment's typing or dragging leads to."""
    time.sleep(0.35)
    draw(browser)


def numbers(browser: Page) -> list[int]:
    """The trials in the table."""
    links = "document.querySelectorAll('.trials tbody a')"
    found: list[int] = browser.evaluate(f"[...{links}].map(link => Number(link.textContent))")
    return found


def said(browser: Page, where: str) -> Any:
    return browser.evaluate(f"document.querySelector({json.dumps(where)}).textContent")


def count(browser: Page) -> int:
    return int(said(browser, ".count").split()[0])


def click(browser: Page, where: str) -> None:
    browser.evaluate(f"document.querySelector({json.dumps(where)}).click()")
    settle(browser)


def fragment(browser: Page) -> str:
    found: str = browser.evaluate("decodeURIComponent(location.hash).replaceAll('+', ' ')")
    return found


def drag(browser: Page, figure: str, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over a figure, between places from (0, 0), its left top, to (1, 1)."""
    browser.evaluate(f"document.getElementById('{figure}').scrollIntoView({{block: 'center'}})")
    draw(browser)
    x, y, width, height = browser.evaluate(
        f"(() => {{ const box = document.getElementById('{figure}').querySelector('.nsewdrag')"
        ".getBoundingClientRect(); return [box.x, box.y, box.width, box.height]; })()"
    )
    path = [(x + width * u, y + height * v) for u, v in (begin, begin, end, end)]
    for kind, (left, top) in zip(
        ("mousePressed", "mouseMoved", "mouseMoved", "mouseReleased"), path, strict=True
    ):
        button = {"button": "left", "buttons": 1, "clickCount": 1}
        browser.call("Input.dispatchMouseEvent", type=kind, x=left, y=top, **button)
    settle(browser)


def rows_where(study: StudyView, fits: Callable[[TrialRow], bool]) -> list[int]:
    return [row.number for row in study.trials if fits(row)]


SELECTED = """FIGURES.find(div => div.id === '%s').data.filter(trace => trace.selectedpoints)
  .flatMap(trace => trace.selectedpoints.map(point =>
    hpsearch.unpacked(trace[trace.meta.trials])[point])).sort((a, b) => a - b)"""


def test_a_line_of_text_selects_in_all_panels(browser: Page, page: Path, study: StudyView) -> None:
    at(browser, page)
    assert said(browser, ".count") == "40 trials"
    browser.evaluate("document.querySelector('.tools input').focus()")
    browser.call("Input.insertText", text="rate:0.001..0.1 state:complete")
    settle(browser)
    wanted = rows_where(
        study, lambda r: r.state == "complete" and 0.001 <= float(r.configuration["rate"]) <= 0.1
    )
    assert 3 < len(wanted) < 30
    assert said(browser, ".count") == f"{len(wanted)} selected of 40 trials"
    click(browser, "[data-key=more]") if len(wanted) > 10 else None
    assert numbers(browser) == wanted
    assert browser.evaluate(SELECTED % "one-history-1") == sorted(wanted)
    assert browser.evaluate(SELECTED % "one-parameters-2") == sorted(wanted)
    pieces = "FIGURES.find(div => div.id === 'one-timeline-1').data.slice(1)"
    bright = f"{pieces}.flatMap(trace => Array.from(trace.y)).filter(Number.isFinite).length"
    assert browser.evaluate(bright) == 3 * len(wanted)
    last = "FIGURES.find(div => div.id === 'one-parallel-1').data.at(-1)"
    assert browser.evaluate(f"{last}.name") == "selected"
    assert browser.evaluate(f"{last}.x.filter(Number.isNaN).length") == len(wanted)
    grouped = "FIGURES.find(div => div.id === 'one-groups-1').data"
    assert browser.evaluate(f"{grouped}.flatMap(trace => trace.y).length") == len(wanted)
    assert fragment(browser).startswith("#filter=rate:0.001..0.1 state:complete")
    click(browser, ".tools button")
    assert count(browser) == 40
    assert browser.evaluate(SELECTED % "one-history-1") == []
    assert browser.problems == []


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("state:pruned", lambda r: r.state == "pruned"),
        ("-state:pruned", lambda r: r.state != "pruned"),
        ("kind:relu|elu", lambda r: r.configuration["kind"] in ("relu", "elu")),
        ("trial:3|17", lambda r: r.number in (3, 17)),
        ("trial:5..", lambda r: r.number >= 5),
        ("l2:..0.5 state:complete", lambda r: r.configuration["l2"] <= 0.5 and r.score_counts),
        ("DIVERGED", lambda r: r.why == "diverged"),
        ('"img src"', lambda r: r.configuration["kind"] == HOSTILE),
        ('"validation accuracy":0.9..', lambda r: r.score >= 0.9),
        ("nothing-like-this", lambda r: False),
    ],
)
def test_what_a_line_may_say(
    line: str, fits: Callable[[Any], bool], browser: Page, page: Path, study: StudyView
) -> None:
    def fitting(row: TrialRow) -> bool:
        more = {"score_counts": row.state == "complete"}
        return fits(type("Row", (), {**vars(row), **more}))

    if "filter" not in browser.evaluate("location.hash") or page.name not in browser.evaluate(
        "location.pathname"
    ):
        at(browser, page, "filter=x")
    browser.evaluate(f"location.hash = 'filter=' + encodeURIComponent({json.dumps(line)})")
    settle(browser)
    assert count(browser) == len(rows_where(study, fitting))
    assert said(browser, ".problem") == ""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("lr:0.1..", "There is no lr; there are trial, state"),
        ("rate:low..high", ""),
        ("rate:1..2..3", ""),
        ('rate:"', ""),
        ('::: -- "', ""),
    ],
)
def test_a_line_that_says_nothing_is_told_and_never_an_error(
    line: str, told: str, browser: Page, page: Path
) -> None:
    at(browser, page, f"filter={line.replace(' ', '+')}")
    assert said(browser, ".problem").startswith(told)
    assert browser.problems == []


def test_dragging_over_a_parameter_selects_by_it_and_the_score(
    browser: Page, page: Path, study: StudyView
) -> None:
    at(browser, page)
    drag(browser, "one-parameters-1", (0.4, 0.05), (0.8, 0.5))
    assert fragment(browser).startswith("#filter=rate:0.")
    assert '"validation accuracy":' in fragment(browser)
    chosen = count(browser)
    assert 0 < chosen < 30
    drag(browser, "one-parallel-1", (0.28, 0.3), (0.4, 0.9))
    assert count(browser) < chosen
    assert "kind:" in fragment(browser), "another axis selects further"
    assert browser.evaluate("FIGURES.find(d => d.id === 'one-parallel-1').layout.shapes.length")
    assert browser.problems == []


def test_dragging_over_choices_selects_them(browser: Page, page: Path, study: StudyView) -> None:
    at(browser, page)
    drag(browser, "one-parameters-2", (0.05, 0.0), (0.6, 1.0))
    assert fragment(browser) == "#filter=kind:relu|elu"
    wanted = rows_where(study, lambda r: r.configuration["kind"] in ("relu", "elu"))
    assert count(browser) == len(wanted)
    drag(browser, "one-parameters-2", (0.75, 0.0), (0.97, 1.0))
    assert count(browser) == 40 - len(wanted), "one that has signs of ours in its name"
    assert browser.evaluate(SELECTED % "one-parameters-2") == sorted(
        rows_where(study, lambda r: r.configuration["kind"] == HOSTILE)
    )


def test_zoom_is_kept_in_the_address(browser: Page, page: Path) -> None:
    at(browser, page, "drag=zoom")
    drag(browser, "one-history-1", (0.1, 0.1), (0.5, 0.8))
    shown = "FIGURES.find(div => div.id === 'one-history-1').layout.xaxis.range"
    left, right = browser.evaluate(shown)
    assert 0 < left < right < 30
    link = browser.evaluate("location.hash").removeprefix("#")
    at(browser, page, link)
    assert browser.evaluate(shown) == pytest.approx([left, right], rel=1e-4)
    click(browser, ".tools button")
    assert browser.evaluate("location.hash") == "#drag=zoom"


def test_the_table_sorts_and_shows_what_differs(
    browser: Page, page: Path, study: StudyView
) -> None:
    at(browser, page)
    ranked = [row.number for row in study.trials]
    assert numbers(browser) == ranked[:10]
    click(browser, "[data-key='sort p.l2']")
    by_l2 = sorted(study.trials, key=lambda row: float(row.configuration["l2"] or 0))
    ascending = "document.querySelector('th[aria-sort]').getAttribute('aria-sort')"
    assert browser.evaluate(ascending) == "ascending"
    assert [r.configuration["l2"] for r in by_l2[:10]] == [
        next(row for row in study.trials if row.number == n).configuration["l2"]
        for n in numbers(browser)
    ]
    click(browser, "[data-key='sort p.l2']")
    assert browser.evaluate(ascending) == "descending"
    assert "sort=-l2" in fragment(browser)
    headings = "[...document.querySelectorAll('.trials thead button')].map(b => b.firstChild.data)"
    assert {"epochs", "state"} <= set(browser.evaluate(headings))
    click(browser, "[data-key=differs]")
    assert "epochs" not in browser.evaluate(headings), "all have three"
    assert "state" in browser.evaluate(headings)
    click(browser, "[data-key=columns]")
    assert {"seed", "worker", "why it ended"} <= set(browser.evaluate(headings))
    assert browser.evaluate("document.activeElement.dataset.key ?? null") is None
    assert browser.problems == []


def test_a_trial_has_a_page_beside_the_best(browser: Page, page: Path, study: StudyView) -> None:
    at(browser, page, "trial=4")
    assert said(browser, "dialog[open] h2") == "Trial 4"
    told = said(browser, "dialog[open]")
    assert "Traceback of 4: <b>" in told, "the log, as text"
    assert f"trial {study.trials[0].number}, the best" in told
    assert "Why it ended: diverged." in told
    assert browser.evaluate("document.querySelectorAll('dialog[open] .main-svg').length") >= 2
    click(browser, "dialog [data-key=apart]")
    cells = "[...document.querySelectorAll('dialog .facts tr')].map(r => r.cells[0].textContent)"
    assert "epochs" not in browser.evaluate(cells)
    browser.evaluate("document.querySelector('dialog [data-key=better]').focus()")
    click(browser, "dialog [data-key=better]")
    before = study.trials[[row.number for row in study.trials].index(4) - 1].number
    assert said(browser, "dialog[open] h2") == f"Trial {before}"
    assert browser.evaluate("document.activeElement.dataset.key") == "better"
    click(browser, "dialog [data-key=close]")
    assert browser.evaluate("document.querySelector('dialog[open]')") is None
    assert "trial=" not in fragment(browser)
    click(browser, ".trials tbody a")
    assert said(browser, "dialog[open] h2") == f"Trial {study.trials[0].number}"
    browser.evaluate("history.back()")
    settle(browser)
    assert browser.evaluate("document.querySelector('dialog[open]')") is None
    assert browser.problems == []


def test_findings_have_their_evidence_and_what_helps(browser: Page, page: Path) -> None:
    at(browser, page, "trial=7")
    told = said(browser, "dialog[open]")
    assert "the gap is 7" in told
    assert "give more data, l2 or dropout" in told


def test_a_trial_that_is_not_there_is_told(browser: Page, page: Path) -> None:
    at(browser, page, "trial=4000")
    assert "The study has no such trial." in said(browser, "dialog[open]")
    at(browser, page, "trial=%3Cimg%20src=x%3E&sort=no&group=no&rows=x&zoom=a:b;;&at=no&drag=no")
    assert browser.problems == []


def test_groups_by_a_choice_and_over_seeds(browser: Page, page: Path, study: StudyView) -> None:
    at(browser, page, "group=kind")
    names = "FIGURES.find(div => div.id === 'one-groups-1').layout.xaxis.ticktext"
    texts = browser.evaluate(names)
    assert [text.split("<br>")[0] for text in texts[:2]] == ["relu", "elu"]
    assert texts[2].startswith("&lt;/script&gt;&lt;img")
    at(browser, page, "group=the+same+settings")
    lines = browser.evaluate(
        "FIGURES.find(div => div.id === 'one-groups-2').data.filter(trace => trace.name)"
        ".map(trace => [trace.name, Array.from(trace.y)])"
    )
    complete = {r.number: r for r in study.trials if r.state == "complete"}
    pairs = [n for n in complete if n % 4 == 3 and n - 1 in complete]
    assert len(lines) == min(8, len(pairs))
    name, middle = lines[0]
    first, second = (complete[int(n)] for n in name.removeprefix("trials ").split(", "))
    assert middle == pytest.approx(
        [(a + b) / 2 for a, b in zip(first.curve.values(), second.curve.values(), strict=True)],
        abs=1e-4,
    )
    assert browser.problems == []


def files(browser: Page, folder: Path, where: str) -> bytes:
    """What a button gives the reader."""
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    click(browser, where)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = [path for path in folder.iterdir() if path.suffix in (".csv", ".png")]
        if found and found[0].stat().st_size:
            return found[0].read_bytes()
        time.sleep(0.1)
    raise AssertionError("no file came")


def test_files_of_a_panel(browser: Page, page: Path, study: StudyView, tmp_path: Path) -> None:
    at(browser, page, "filter=state:complete&sort=l2")
    places = [tmp_path / name for name in ("table", "figures", "picture")]
    for place in places:
        place.mkdir()
    table = files(browser, places[0], "[aria-label='CSV of All trials']").decode()
    head, *lines = table.splitlines()
    assert head.startswith("trial,state,stage,validation accuracy,rate,kind,l2")
    complete = [row for row in study.trials if row.state == "complete"]
    assert len(lines) == len(complete)
    least = min(complete, key=lambda row: float(row.configuration["l2"] or 0))
    assert lines[0].startswith(f"{least.number},complete,")
    assert repr(least.configuration["rate"]) in lines[0], "all digits"
    shown = files(browser, places[1], "[aria-label='CSV of Optimization history']").decode()
    assert shown.startswith("figure,trace,trial number,validation accuracy,z,text")
    assert "best so far" in shown
    picture = files(browser, places[2], "[aria-label='PNG of Parameters']")
    assert picture.startswith(b"\x89PNG")
    width, height = (int.from_bytes(picture[n : n + 4]) for n in (16, 20))
    assert width == 1600
    assert height > 3 * 2 * 300, "three figures, one below the other"
    assert browser.problems == []


def test_two_studies_side_by_side(browser: Page, study: StudyView, tmp_path: Path) -> None:
    other = made(20, name=HOSTILE, seed=1)
    page = written(tmp_path, study, other)
    at(browser, page)
    headings = browser.evaluate("[...document.querySelectorAll('h1')].map(h => h.textContent)")
    assert headings == ["Side by side", "one", HOSTILE]
    table = "[...document.querySelectorAll('#side-by-side .facts tr')].map(r => r.innerText)"
    assert "trials\t40\t20" in browser.evaluate(table)
    traces = "FIGURES.find(div => div.id === 'side-by-side-1').data.map(trace => trace.name)"
    assert len(browser.evaluate(traces)) == 2
    assert browser.evaluate("document.querySelectorAll('img, b').length") == 0
    click(browser, "#side-by-side input")
    boxes = browser.evaluate(
        "['one-history', 'one-parameters'].map(id => [...document.querySelectorAll('.panel')]"
        ".filter(panel => panel.getAttribute('aria-labelledby').endsWith(id.slice(3)))"
        ".map(panel => panel.getBoundingClientRect()).map(box => [box.x, box.y, box.width]))"
    )
    for (left, top, width), (right, beside, _) in boxes:
        assert right >= left + width
        assert beside == top
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # What is chosen is of one study.
    at(browser, page, "filter.2=state:pruned&trial.2=4")
    counts = "[...document.querySelectorAll('.count')].map(each => each.textContent)"
    assert browser.evaluate(counts) == ["40 trials", "4 selected of 20 trials"]
    assert browser.evaluate("document.querySelectorAll('dialog[open]').length") == 1
    assert browser.problems == []


def test_a_newer_document_keeps_what_the_reader_has_chosen(
    browser: Page, page: Path, study: StudyView
) -> None:
    at(
        browser,
        page,
        "filter=state:complete&sort=l2&zoom=one-history-1:2,9,0.6,0.9&group=kind&trial=4",
    )
    browser.evaluate("document.querySelector('dialog [data-key=worse]').focus()")
    seen = "FIGURES.find(div => div.id === 'one-history-1')"
    browser.evaluate(f"globalThis.before = {seen}; 1")
    newer = document_json(page_document([made(60)], PANELS))
    browser.evaluate(f"hpsearch.update({newer})")
    settle(browser)
    complete = [row for row in made(60).trials if row.state == "complete"]
    assert said(browser, ".count") == f"{len(complete)} selected of 60 trials"
    assert said(browser, "dialog[open] h2") == "Trial 4"
    assert browser.evaluate("document.activeElement.dataset.key") == "worse"
    assert browser.evaluate(f"before === {seen}"), "the figure's element stays"
    browser.evaluate("document.querySelector('dialog').close()")
    settle(browser)
    assert browser.evaluate(f"{seen}.layout.xaxis.range") == [2, 9]
    assert browser.evaluate(f"{seen}.layout.yaxis.range") == [0.6, 0.9]
    least = min(complete, key=lambda row: float(row.configuration["l2"] or 0))
    assert numbers(browser)[0] == least.number
    assert fragment(browser).startswith("#filter=state:complete&sort=l2&zoom=one-history-1")
    browser.evaluate("hpsearch.update({format: 2})")
    assert "load it again" in said(browser, "main")
    assert browser.problems == []


def test_the_keyboard_reaches_everything(browser: Page, page: Path) -> None:
    at(browser, page)
    reached = set()
    for _ in range(30):
        for kind in ("keyDown", "keyUp"):
            browser.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key="Tab",
                code="Tab",
                windowsVirtualKeyCode=9,
            )
        reached.add(
            browser.evaluate(
                "document.activeElement.dataset.key ?? document.activeElement.className"
                " + document.activeElement.tagName"
            )
        )
    assert {"filter", "drag", "SUMMARY", "PNG", "CSV", "differs", "sort score"} <= reached


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["wide", "phone"])
@pytest.mark.parametrize("view", ["", "trial=4", "filter=lr:1&differs=1"])
def test_nothing_keeps_people_out(
    width: int, dark: bool, view: str, browser: Page, page: Path
) -> None:
    at(browser, page, view, width=width, dark=dark)
    assert serious(browser) == []
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert browser.problems == []


def test_a_finger_scrolls_the_page(browser: Page, page: Path) -> None:
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    try:
        at(browser, page, width=390)
        assert browser.evaluate("document.querySelector('[data-key=drag]').value") == "scroll"
        assert browser.evaluate("FIGURES[0].layout.dragmode") is False
    finally:
        browser.call("Emulation.setTouchEmulationEnabled", enabled=False)
