"""What a model reads of a table: its columns by name, whole or a piece of the rows at a time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hpsearch.data.account import MISSING_NUMBER, PARTS, listed, quoted, rows_told
from hpsearch.data.arrays import npz_features
from hpsearch.data.columns import as_numbers, date_parts, known_codes
from hpsearch.data.dataset import as_features
from hpsearch.data.dates import as_moments
from hpsearch.data.files import TABLE_SUFFIXES, existing_file
from hpsearch.data.formats import telling
from hpsearch.data.plain import clean
from hpsearch.data.tables import read_table
from hpsearch.data.tabular import with_names
from hpsearch.errors import DataError, nearest, shown

__all__ = ["FeatureReader", "NumberColumn", "Wanted", "features_of", "load_features"]

log = logging.getLogger(__name__)

TOLD = 10
"""Of more columns than so many a message counts the others."""


@dataclass(frozen=True)
class Wanted:
    """What a model reads, in the coding of the data that it learned from.

    Attributes:
        feature_names: the d columns.
        categories: column index -> category names, as in `Dataset`.
        decimal_comma: columns in which a comma that can be both is a decimal one.
        dates: columns that are made of dates, as in `hpsearch.data.account.Account`.
    """

    feature_names: Sequence[str]
    categories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    decimal_comma: Sequence[str] = ()
    dates: Mapping[str, tuple[str, str, bool]] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """The columns of a table that it is read from."""
        dates = self.dates
        return list(dict.fromkeys(dates[f][0] if f in dates else f for f in self.feature_names))


class FeatureReader:
    """Reads pieces of a table as if they were read whole.

    What a column means can depend on all of its cells. So first `look` at every piece, then
    `settle`, and then read `samples` of each.

    Args:
        name: of the table, for messages.
        wanted: what to read.
    """

    def __init__(self, name: str, wanted: Wanted) -> None:
        self.name, self.wanted = name, wanted
        self.columns: dict[str, None] = {}
        self.rows = 0
        self._unknown: dict[str, Counter[str]] = {}
        self._numbers = {
            feature: NumberColumn(name, feature, decimal_comma=feature in wanted.decimal_comma)
            for index, feature in enumerate(wanted.feature_names)
            if feature not in wanted.dates and index not in wanted.categories
        }
        self._dates = {
            source: _DateColumn(name, source, day_first=day_first)
            for source, _, day_first in (
                wanted.dates[f] for f in wanted.feature_names if f in wanted.dates
            )
        }

    def look(self, table: Any, *, whole: bool = False) -> None:
        """See what decides how columns are read.

        Args:
            table: the next rows, a ``pyarrow.Table``.
            whole: whether there are no others, so that its samples decide for themselves.

        Raises:
            DataError: text stands where numbers belong.
        """
        there = dict.fromkeys(table.column_names)
        self.columns |= there
        looking: dict[str, _DateColumn | NumberColumn] = {**self._numbers, **self._dates}
        for column, reader in looking.items():
            if column in there and not whole:
                reader.look(clean(table.column(column)), self.rows)
        self.rows += table.num_rows

    def settle(self, known: Sequence[str] = ()) -> list[str]:
        """What is to be said of the columns, once all rows were looked at.

        Args:
            known: columns that the model does not read, but somebody does.

        Returns:
            A sentence where columns are ignored.

        Raises:
            DataError: a column is missing, or there is no row.
        """
        needed = self.wanted.columns
        lacking = [name for name in needed if name not in self.columns]
        if lacking:
            close = nearest(lacking[0], self.columns)
            hint = f"did you mean {close!r}?" if close else "add it, empty where it is unknown."
            others = f", nor {listed(list(map(quoted, lacking[1:])), 5)}" if lacking[1:] else ""
            more = f" ({len(lacking)} columns are missing in all)" if others else ""
            raise DataError(
                f"{self.name} has no column {shown(lacking[0])}, which the model needs{others}"
                f"{more}; {hint}"
            )
        if self.rows == 0:
            raise DataError(f"{self.name} has a header and no rows.")
        extra = sorted(self.columns.keys() - {*needed, *known})
        if not extra:
            return []
        named = listed(list(map(quoted, extra)), TOLD)
        return [f"columns the model does not use are ignored: {named}"]

    def samples(self, table: Any, start: int = 0) -> NDArray[np.float32]:
        """Rows as a model reads them.

        Args:
            table: the rows.
            start: how many rows of the whole come before them.

        Returns:
            Shape (n, d), NaN where a value is missing.

        Raises:
            DataError: a value is infinite, or what is there is none that the model can read.
        """
        names, dates = self.wanted.feature_names, self.wanted.dates
        X = np.empty((table.num_rows, len(names)), dtype=np.float32)
        parts: dict[str, dict[str, NDArray[np.float64]]] = {}
        there = set(table.column_names)

        def cells(column: str) -> Any:
            """All missing where a piece of a table lacks the column."""
            if column not in there:
                return pa.chunked_array([pa.nulls(table.num_rows)])
            return clean(table.column(column))

        with np.errstate(over="ignore"):
            for index, feature in enumerate(names):
                if feature in dates:
                    source, part, _ = dates[feature]
                    if source not in parts:
                        parts[source] = self._dates[source].parts(cells(source))
                    X[:, index] = parts[source][part]
                elif index in self.wanted.categories:
                    X[:, index] = self._codes(cells(feature), feature, index)
                else:
                    X[:, index] = self._numbers[feature].values(cells(feature))
        for j in map(int, np.flatnonzero(np.isinf(X).any(axis=0))):
            # Rows are counted from the first of all.
            column = np.concatenate([np.zeros(start, np.float32), X[:, j]])
            as_features(self.name, column[:, None], [names[j]])
        return X

    def told(self) -> list[str]:
        """What there is to say of the samples so far, in sentences."""
        told = []
        for source in self._dates.values():
            told += source.told()
        return told + [_unknown(feature, found) for feature, found in self._unknown.items()]

    def _codes(self, cells: Any, feature: str, index: int) -> NDArray[np.float64]:
        categories = self.wanted.categories[index]
        codes, unknown = known_codes(self.name, feature, cells, categories)
        if unknown:
            self._unknown.setdefault(feature, Counter()).update(unknown)
        return codes


class NumberColumn:
    """A column that must hold numbers, read in pieces as it is read whole.

    Beside 3,5 another cell's 1,234 is a small number. So the texts that decide are kept, and every
    piece is read together with these; see `telling`.

    Args:
        name: of the table, for messages.
        column: its name.
        decimal_comma: whether the model learned from decimal commas there.
    """

    def __init__(self, name: str, column: str, *, decimal_comma: bool = False) -> None:
        self.name, self.column, self.decimal_comma = name, column, decimal_comma
        self._telling: list[str] = []

    def look(self, cells: Any, start: int) -> None:
        """See which readings fit the next cells.

        Args:
            cells: as `clean` gives them.
            start: how many rows come before.

        Raises:
            DataError: none does.
        """
        cells = _texts(cells)
        if not pa.types.is_string(cells.type):
            self._read(cells)
            return
        texts = pc.unique(pc.drop_null(cells))
        missing = pc.is_in(pc.utf8_lower(texts), value_set=pa.array(MISSING_NUMBER))
        before = self._telling
        self._telling = telling(texts.filter(pc.invert(missing)), before)
        if self._telling == before:
            return
        try:
            self._read(pa.chunked_array([self._telling], pa.string()))
        except DataError:
            rows = f"{self.name}, rows {start + 1:,} to {start + len(cells):,}" if start else None
            # With as many empty cells before, so that the row is counted from the first of all.
            padded = [pa.nulls(start, pa.string()), *cells.chunks]
            self._read(pa.chunked_array(padded, pa.string()), rows)
            some = listed([shown(text) for text in self._telling], 3)
            raise DataError(
                f"{self.name}: column {self.column!r} writes numbers in ways of which no one fits "
                f"all, such as {some}; write them alike."
            ) from None

    def values(self, cells: Any) -> NDArray[np.float64]:
        """The numbers of some cells; NaN where one is missing."""
        cells = _texts(cells)
        if not pa.types.is_string(cells.type) or not self._telling:
            return self._read(cells)
        together = [*cells.chunks, pa.array(self._telling, pa.string())]
        return self._read(pa.chunked_array(together, pa.string()))[: len(cells)]

    def _read(self, cells: Any, name: str | None = None) -> NDArray[np.float64]:
        comma = self.decimal_comma
        return as_numbers(name or self.name, self.column, cells, decimal_comma=comma)


class _DateColumn:
    """A column that must hold dates, read in pieces as it is read whole.

    A column of times of day has hours; with a date among them the times of day count as missing.
    """

    def __init__(self, name: str, column: str, *, day_first: bool) -> None:
        self.name, self.column, self.day_first = name, column, day_first
        self._dated: list[str] = []
        self._odd, self._example = 0, ""

    def look(self, cells: Any, _: int) -> None:
        cells = _texts(cells)
        if pa.types.is_string(cells.type) and not self._dated:
            texts = pc.drop_null(cells)
            if not self._has_year(texts):
                return
            while len(texts) > 1:
                half = texts.slice(0, len(texts) // 2)
                texts = half if self._has_year(half) else texts.slice(len(texts) // 2)
            self._dated = texts.to_pylist()

    def parts(self, cells: Any) -> dict[str, NDArray[np.float64]]:
        """The numbers that are made of some cells, by part."""
        cells = _texts(cells)
        whole = cells
        if pa.types.is_string(cells.type):
            whole = pa.chunked_array([*cells.chunks, pa.array(self._dated, pa.string())])
        found, _ = date_parts(self.name, self.column, whole, day_first=self.day_first)
        made = {part: values[: len(cells)] for part, values in found.items()}
        unread = np.isnan([made[part] for part in PARTS]).all(axis=0)
        odd = np.flatnonzero(unread & np.asarray(cells.is_valid()))
        if len(odd) and not self._odd:
            self._example = shown(cells[int(odd[0])].as_py())
        self._odd += len(odd)
        return made

    def told(self) -> list[str]:
        if not self._odd:
            return []
        odd = f"{self._odd:,} value{'s' * (self._odd > 1)} such as {self._example}"
        return [f"{quoted(self.column)} needs dates, and has {odd}, which count as missing"]

    def _has_year(self, texts: Any) -> bool:
        """Whether one of the texts has a year: beside it, a time of day is no moment."""
        some = pa.chunked_array([*texts.chunks, pa.array(["12:00"])])
        moments = as_moments(some, day_first=self.day_first)
        return moments is not None and not moments.clock_only


def load_features(
    path: str | Path,
    feature_names: Sequence[str],
    categories: Mapping[int, tuple[str, ...]],
    *,
    decimal_comma: Sequence[str] = (),
    dates: Mapping[str, tuple[str, str, bool]] | None = None,
    tell: Callable[[str], None] = log.warning,
) -> NDArray[np.float32]:
    """Samples to predict, in the coding of the data that a model learned from.

    Columns are found by name, in any order; others, the target for one, are ignored and told.
    A category that the model has not seen counts as missing, and so is told.

    Args:
        path: a table of any kind that is learned from, or an npz archive with ``X``, whose columns
            go by position.
        feature_names: the d columns of the model.
        categories: column index -> category names, as in `Dataset`.
        decimal_comma: columns in which a comma that can be both is a decimal one.
        dates: columns that are made of dates, as in `hpsearch.data.account.Account`.
        tell: called with a sentence on how an odd file was read, on columns that are ignored, and
            for each column with categories that are new.

    Returns:
        Shape (n, d), float32, NaN where a value is missing.

    Raises:
        DataError: the file or a column is missing, or text stands where numbers belong.
    """
    file = existing_file(path)
    if file.suffix == ".npz":
        return npz_features(file, len(feature_names))
    if not file.name.endswith(TABLE_SUFFIXES):
        raise DataError(
            f"{file}: samples to predict are read from {', '.join(TABLE_SUFFIXES)} or .npz files."
        )
    wanted = Wanted(feature_names, categories, decimal_comma, dates or {})
    return features_of(str(file), read_table(file, tell=tell), wanted, tell)


def features_of(
    name: str, table: Any, wanted: Wanted, tell: Callable[[str], None] = log.warning
) -> NDArray[np.float32]:
    """Samples of a whole table; see `load_features`.

    Args:
        name: of the table, for messages.
        table: a ``pyarrow.Table``.
        wanted: what to read.
        tell: as there.
    """
    table, _ = with_names(table)
    reader = FeatureReader(name, wanted)
    reader.look(table, whole=True)
    for sentence in reader.settle():
        tell(sentence)
    X = reader.samples(table)
    for sentence in reader.told():
        tell(sentence)
    return X


def _texts(cells: Any) -> Any:
    """Cells in chunks, text as text whatever stands for it."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    return cells if isinstance(cells, pa.ChunkedArray) else pa.chunked_array([cells])


def _unknown(feature: str, unknown: Counter[str]) -> str:
    found = sorted(unknown.items(), key=lambda pair: (-pair[1], pair[0]))
    values = listed([f"{quoted(value)} ({count:,})" for value, count in found])
    are = "are" if len(found) > 1 else "is"
    return (
        f"{rows_told(unknown.total())} of {quoted(feature)}: {values} {are} new "
        "to the model and counted as none of its categories"
    )
