"""The lab as HTML: a page for each experiment, and one that leads to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpsearch.errors import UsageError
from hpsearch.lab import EXPERIMENTS, experiment
from hpsearch.report import document_html, figure_html, table_html, write_page
from hpsearch.writing import html_text

__all__ = ["experiment_html", "write_experiment", "write_index"]

FOOTER = "Written by hpsearch. The experiments of lecture 6 (Stanford CS231n), measured."
BACK = '<nav><ul><li><a href="index.html">The lab</a></li></ul></nav>\n'


def experiment_html(name: str, data: Any) -> str:
    """The page of one experiment.

    Args:
        name: of the experiment.
        data: what it measured.

    Raises:
        UnknownNameError: there is no such experiment.
    """
    made = experiment(name)
    figures = "".join(
        figure_html(figure, f"{name}-{n}") for n, figure in enumerate(data.figures(), start=1)
    )
    return document_html(
        f"{made.title}: the lab of hpsearch",
        f'{BACK}<h1>{html_text(made.title)}</h1>\n<p class="result">'
        f"{html_text(data.sees())}</p>\n<p>{html_text(made.why)}</p>\n<p>{html_text(made.how)}</p>\n"
        f'<div class="figures">{figures}</div>\n'
        f"{table_html(data.table())}",
        footer=FOOTER,
    )


def write_experiment(folder: Path, name: str, data: Any) -> Path:
    """Write one experiment's page into a folder, which is made if it is not there; its path.

    Raises:
        UsageError: the folder or the file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make the folder {folder}: {error.strerror}; name another one with -o"
        ) from None
    path = folder / f"{name}.html"
    write_page(path, experiment_html(name, data))
    return path


def write_index(folder: Path) -> Path:
    """Write the page that links every experiment whose page is in the folder; its path.

    Raises:
        UsageError: the file cannot be written.
    """
    entries = "".join(
        f'<h2><a href="{name}.html">{html_text(made.title)}</a></h2>\n'
        f"<p>{html_text(made.why)}</p>\n"
        for name, made in EXPERIMENTS.items()
        if (folder / f"{name}.html").is_file()
    )
    head = (
        "<h1>The lab</h1>\n<p>What lecture 6 says of training a network, measured with the network "
        "that hpsearch searches with.</p>\n"
    )
    path = folder / "index.html"
    content = document_html("The lab of hpsearch", head + entries, footer=FOOTER, figures=False)
    write_page(path, content)
    return path
