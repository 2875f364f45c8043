"""What a study came to, for whoever asks the server; each as a command tells it.

Each raises `UnknownNameError` where there is no such study, and `ConflictError` where it has no
trials yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.engine.summary import summarize
from hpsearch.service.problems import ConflictError
from hpsearch.service.studies import PLACES
from hpsearch.storage import load_study

if TYPE_CHECKING:
    from hpsearch.service.studies import Shelf

__all__ = ["advice", "best", "export", "report"]


def best(shelf: Shelf, name: str) -> dict[str, Any]:
    """What a study came to, in terms of JSON."""
    from hpsearch.engine.tested import read_seen
    from hpsearch.service.documents import best_document

    with _begun(shelf, name):
        study = load_study(shelf.store, name)
        return best_document(summarize(study), read_seen(study))


def advice(shelf: Shelf, name: str) -> dict[str, Any]:
    """What to run next, in terms of JSON."""
    from hpsearch.advice import advise_study

    with _begun(shelf, name):
        document: dict[str, Any] = advise_study(shelf.store, name).document()
    data = document["next"].get("data", {})
    for key in PLACES:  # as a study that is submitted names them
        if key in data and Path(data[key]).is_relative_to(shelf.folder):
            data[key] = Path(data[key]).relative_to(shelf.folder).as_posix()
    return document


def export(shelf: Shelf, name: str, to: str) -> tuple[bytes, str]:
    """The trials of a study as a table, and its media type."""
    from hpsearch.export.to_table import csv_bytes, parquet_bytes

    with _begun(shelf, name):
        summary = summarize(load_study(shelf.store, name))
    if to == "csv":
        return csv_bytes(summary), "text/csv; charset=utf-8"
    return parquet_bytes(summary), "application/vnd.apache.parquet"


def report(shelf: Shelf, name: str) -> str:
    """The report of a study, one HTML page."""
    from hpsearch.report import page_of

    with _begun(shelf, name):
        return page_of(shelf.store, [name], None)


@contextmanager
def _begun(shelf: Shelf, name: str) -> Iterator[None]:
    """Tell of a study within the block.

    Raises:
        UnknownNameError: there is none, or it was deleted meanwhile.
        ConflictError: it has not begun.
    """
    study = shelf.study(name)
    if not study.trials:
        raise ConflictError(f"the study {name!r} has no trials yet; it is {study.state}")
    try:
        yield
    except KeyError:  # as the storage says it
        shelf.study(name)
        raise
