"""One browser for all tests of pages: a fixture starts it once, since a start is dear."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hpsearch.report.browser import Page, find_browser

__all__ = ["BROWSER", "PATIENCE", "draw", "show"]

BROWSER = pytest.mark.skipif(
    find_browser() is None, reason="needs Chromium (Debian: apt install chromium)"
)
"""Marks what needs one."""

PATIENCE = 120.0


def draw(browser: Page) -> int:
    """Have every figure drawn; the page knows them as FIGURES from here on. How many they are."""
    count: int = browser.evaluate(
        "hpsearch.drawn().then(plots => { globalThis.FIGURES = plots.map(plot => plot.div);"
        " return plots.length; })"
    )
    return count


def show(browser: Page, place: Path | str, *, width: int = 1280, dark: bool = False) -> None:
    """Show a file or an address; the problems are those of this page from here on."""
    browser.deadline = time.monotonic() + PATIENCE
    address = place.absolute().as_uri() if isinstance(place, Path) else place
    browser.show("about:blank")
    browser.problems.clear()
    browser.show(address, width=width, dark=dark)
