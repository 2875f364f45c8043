"""Columns that look as if rows should be divided by them: names of patients, dates, parts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hpsearch.data.division import read_parts, read_times
from hpsearch.data.formats import are_dates
from hpsearch.data.plain import HEAD, is_text, trimmed
from hpsearch.data.splits import Suspect
from hpsearch.errors import DataError

__all__ = ["find_suspects"]

NAMES = re.compile(
    r"(?:^|[\W_])(?:id|ids|uid|uuid|guid|key|patient|subject|participant|person|user|customer|"
    r"client|member|student|pupil|household|family|animal|donor|author|speaker|account|device|"
    r"sensor|machine|vehicle|session|visit|trip|match|game|image|photo|slide|plate|batch|group)s?"
    r"(?:[\W_]*(?:id|ids|no|nr|num|number|code|name))?$",
    re.IGNORECASE,
)
"""What columns are called that say which rows belong together."""

MOST_PARTS = 6
"""A part may be written in two ways; a column of more values says something else."""

LEAST_GROUPS = 10
"""With fewer values a column is a category like any other."""

LEAST_ROWS = 1.5
"""Mean rows of a value; with fewer, nearly every row is a group by itself."""


def find_suspects(
    table: Any, columns: Iterable[str], there: NDArray[np.bool_]
) -> dict[str, Suspect]:
    """Columns by which rows may have to be divided, and which nobody has named.

    Args:
        table: a ``pyarrow.Table``.
        columns: those that are no target and are not said to divide.
        there: the rows that have a label, shape (n,).

    Returns:
        Column -> what it looks like, and its values; those with missing values are not among them.
    """
    found = {}
    for column in columns:
        cells = trimmed(table.column(column)).filter(pa.array(there))
        if pa.types.is_dictionary(cells.type):
            cells = cells.cast(cells.type.value_type)
        if cells.null_count or not len(cells):
            continue
        suspect = _parts(column, cells) or _times(column, cells) or _groups(column, cells)
        if suspect is not None:
            found[column] = suspect
    return found


def _parts(column: str, cells: Any) -> Suspect | None:
    if not is_text(cells.type) or len(pc.unique(cells.slice(0, HEAD))) > MOST_PARTS:
        return None
    try:
        return Suspect("parts", read_parts("", column, cells))
    except DataError:
        return None


def _times(column: str, cells: Any) -> Suspect | None:
    kind = cells.type
    dated = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    if not dated and is_text(kind):
        head = cells.slice(0, min(HEAD, 1000)).combine_chunks()
        dated = bool(np.asarray(are_dates(head)).all())
    if not dated:
        return None
    try:
        times = read_times("", column, cells)
    except DataError:
        return None
    return Suspect("time", times) if len(np.unique(times)) >= LEAST_GROUPS else None


def _groups(column: str, cells: Any) -> Suspect | None:
    if NAMES.search(_words(column)) is None:
        return None
    if not is_text(cells.type) and not pa.types.is_integer(cells.type):
        return None
    codes = cells.dictionary_encode().combine_chunks()
    groups = len(codes.dictionary)
    if groups < LEAST_GROUPS or len(cells) < LEAST_ROWS * groups:
        return None
    return Suspect("groups", np.asarray(codes.indices.to_numpy()).astype(np.int64))


def _words(name: str) -> str:
    """A name with its words apart: patientId is patient_Id."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
