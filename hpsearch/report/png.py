"""Figures as PNG files, as a browser draws them on the page."""

from __future__ import annotations

import base64
from pathlib import Path

from hpsearch.errors import UsageError
from hpsearch.report.browser import open_page

__all__ = ["write_pngs"]

WIDTH = 800
SCALE = 2


def write_pngs(page: Path, folder: Path) -> list[Path]:
    """Write each figure of a page as a PNG file, on white, twice 800 pixels wide.

    Args:
        page: a page that `write_page` wrote.
        folder: where to; made if it is not there. The files are named STUDY-PANEL-NUMBER.png.

    Raises:
        RunError: there is no browser to draw with, or it does not answer.
        UsageError: the folder cannot be written.
    """
    with open_page(page) as browser:
        names = browser.evaluate("hpsearch.drawn().then(plots => plots.map(plot => plot.id))")
        pictures = [
            browser.evaluate(
                f"Plotly.toImage(document.getElementById({name!r}), {{format: 'png', "
                f"width: {WIDTH}, height: document.getElementById({name!r}).layout.height, "
                f"scale: {SCALE}, setBackground: 'white'}})"
            )
            for name in names
        ]
    paths = [folder / f"{name}.png" for name in names]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, picture in zip(paths, pictures, strict=True):
            path.write_bytes(base64.b64decode(picture.split(",", 1)[1]))
    except OSError as error:
        raise UsageError(f"cannot write figures to {folder}: {error.strerror}") from None
    return paths
