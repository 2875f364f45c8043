"""The lab as HTML: a page for each experiment, and one that leads to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpsearch.errors import UsageError
from hpsearch.lab import EXPERIMENTS, experiment
from hpsearch.report import page_html, write_page
from hpsearch.report.document import document_of, drawn_panel, section
from hpsearch.report.page import words_html
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
    whole = section(
        made.title,
        identity="experiment",
        result=data.sees(),
        words=[made.why, made.how],
        panels=[drawn_panel(name, name, figures=data.figures(), tables=[data.table()])],
    )
    title = f"{made.title}: the lab of hpsearch"
    return page_html(document_of(title, [whole], footer=FOOTER), before=BACK)


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
    content = words_html("The lab of hpsearch", head + entries, footer=FOOTER)
    write_page(path, content)
    return path
