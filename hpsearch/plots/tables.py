"""What panels of words, and the pages of the lab, are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Table"]


class Table(NamedTuple):
    """A table of plain text.

    Attributes:
        caption: what it is.
        headings: of its columns.
        rows: a cell for each heading.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
