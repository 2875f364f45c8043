"""axe-core, which finds what keeps people from using a page; npm brings it, where there is npm."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from hpsearch.report.browser import Page

__all__ = ["serious"]

VERSION = "4.11.0"


@cache
def _script() -> str | None:
    npm = shutil.which("npm")
    if npm is None:
        return None
    with TemporaryDirectory() as folder:
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", folder]
        done = subprocess.run([*command, f"axe-core@{VERSION}"], capture_output=True, check=False)
        if done.returncode:
            return None
        return Path(folder, "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


def serious(browser: Page) -> Any:
    """The serious and critical violations on the page that is shown, each with its elements."""
    script = _script()
    if script is None:
        pytest.skip("axe-core needs npm and its registry")
    browser.evaluate(f"{script}; 1")
    return browser.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations"
        ".filter(each => ['serious', 'critical'].includes(each.impact))"
        ".map(each => [each.id, each.nodes.map(node => node.html.slice(0, 200))]))"
    )
