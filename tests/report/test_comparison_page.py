"""A comparison's page in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from looks import CUT_OFF
from made_up import comparison, strategy_runs
from window import BROWSER, show

from hpsearch.compare.result import Comparison
from hpsearch.report import load_dashboard, page_html, write_page
from hpsearch.report.browser import Page

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


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "comparison.html"
    write_page(path, page_html([six(), alone()], load_dashboard("compare")))
    return path


@pytest.fixture(scope="module", params=[(1280, False), (390, True)], ids=["wide", "phone, dark"])
def opened(page: Path, browser: Page, request: pytest.FixtureRequest) -> Page:
    width, dark = request.param
    show(browser, page, width=width, dark=dark)
    browser.evaluate("drawn.then(() => 1)")
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
        "document.querySelectorAll('section.study')[0].querySelectorAll('.figure').length"
    )
    assert of_six == 8
    words = opened.evaluate("[...document.querySelectorAll('.empty')].map(p => p.textContent)")
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
    page = page_html([six()], load_dashboard("compare"))
    assert "<img" not in page.split("plotly.js v", 1)[0]
    assert "&lt;/script&gt;&lt;img" in page


def test_several_data_sets_are_put_together_first() -> None:
    one, other = six(), comparison(*six().runs.values(), name="other")
    both = page_html([one, other], load_dashboard("compare"))
    joint = both.split('id="all-data-sets"', 1)[1].split("</section>", 1)[0]
    assert "10 searches of each strategy on each of 2 data sets" in joint
    assert "of 20 repeats" in joint
    for page in (
        page_html([one], load_dashboard("compare")),
        page_html([one, alone()], load_dashboard("compare")),
    ):
        assert 'id="all-data-sets"' not in page, "one data set, or not the same strategies"
