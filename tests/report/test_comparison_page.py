"""A comparison's page in a real browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from looks import CUT_OFF
from made_up import comparison, strategy_runs
from window import BROWSER, draw, show

from hpsearch.compare.result import Comparison
from hpsearch.metrics import Measure
from hpsearch.report import load_dashboard, page_document, page_html, write_page
from hpsearch.report.browser import Page
from hpsearch.writing import written_out

pytestmark = pytest.mark.slow

HOSTILE = "</script><img src=x onerror=alert(1)>"


def six() -> Comparison:
    """All the strategies that compete by default, ten repeats of each."""
    rng = np.random.default_rng(0)

    def drawn(name: str, trials: int, best: float) -> Any:
        scores = rng.uniform(0.2, best, (10, trials)).round(3)
        return strategy_runs(name, scores.tolist(), rng.uniform(best - 0.05, best, 10), best - 0.2)

    return comparison(
        drawn("grid", 4, 0.9),
        drawn("random", 4, 0.9),
        drawn("random-x2", 8, 0.9),
        drawn("coarse-to-fine", 6, 0.95),
        drawn("guided", 6, 0.94),
        drawn("tpe", 4, 0.92),
        name=HOSTILE,
    )


def alone() -> Comparison:
    return comparison(strategy_runs("grid", [[0.5]], [0.5]), name="alone")


def html_of(*subjects: Comparison) -> str:
    return page_html(page_document(subjects, load_dashboard("compare")))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "comparison.html"
    write_page(path, html_of(six(), alone()))
    return path


@pytest.fixture(scope="module", params=[(1280, False), (390, True)], ids=["wide", "phone, dark"])
def opened(page: Path, browser: Page, request: pytest.FixtureRequest) -> Page:
    width, dark = request.param
    show(browser, page, width=width, dark=dark)
    draw(browser)
    return browser


@BROWSER
def test_every_panel_is_drawn_or_says_why_not(opened: Any) -> None:
    assert opened.problems == []
    assert (
        opened.evaluate(
            "FIGURES.filter(div => !div.querySelector('.cartesianlayer .trace path')).length"
        )
        == 0
    )
    of_six = opened.evaluate(
        "document.querySelector('section.study').querySelectorAll('.figure').length"
    )
    assert of_six == 8
    words = opened.evaluate(
        "[...document.querySelectorAll('.empty:not([hidden])')].map(p => p.textContent)"
    )
    assert len(words) == 4
    assert any("one strategy alone" in word for word in words)


@BROWSER
def test_the_page_is_no_wider_than_the_window(opened: Any) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")


@BROWSER
def test_nothing_that_is_written_is_cut_off(opened: Any) -> None:
    assert opened.evaluate(CUT_OFF) == []


@BROWSER
def test_hovering_over_a_repeat_shows_when_it_arrived(opened: Any) -> None:
    x, y = opened.evaluate(
        """(() => {
          const figure = FIGURES.find(div => div.id.includes('catch-up'));
          const point = figure.querySelector('.trace.scatter .points path');
          point.scrollIntoView({block: 'center'});
          const box = point.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        })()"""
    )
    for step in (3, 0):
        opened.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + step, y=y)
    words = opened.evaluate(
        "new Promise(done => setTimeout(() => done(FIGURES.find(div => "
        "div.id.includes('catch-up')).querySelector('.hoverlayer').textContent), 300))"
    )
    assert any(name in words for name in ("tpe", "random", "coarse-to-fine"))


def test_hostile_names_stay_text() -> None:
    page = html_of(six())
    assert "<img" not in page.split("plotly.js v", 1)[0]
    assert "&lt;/script&gt;&lt;img" in page


def test_several_data_sets_are_put_together_first() -> None:
    one, other = six(), comparison(*six().runs.values(), name="other")
    joint, *each = page_document([one, other], load_dashboard("compare"))["sections"]
    assert joint["id"] == "all-data-sets"
    assert "10 searches of each strategy on each of 2 data sets" in joint["tables"][0]["caption"]
    assert "of 20 repeats" in " ".join(joint["points"])
    assert [section["name"] for section in each] == [written_out(HOSTILE), "other"]
    unlike = replace(other, measure=Measure("log_loss", "minimize"))
    without_rows = replace(other, data={})
    for subjects in ([one], [one, alone()], [one, unlike], [one, without_rows]):
        sections = page_document(subjects, load_dashboard("compare"))["sections"]
        ids = [section["id"] for section in sections]
        assert "all-data-sets" not in ids, "one, or not the same strategies or measure"
