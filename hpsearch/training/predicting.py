"""Predictions for the rows of a file, of which a few are in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hpsearch.data.account import quoted, rows_told
from hpsearch.data.arrays import npz_features
from hpsearch.data.features import FeatureReader, NumberColumn
from hpsearch.data.files import TABLE_SUFFIXES, existing_file
from hpsearch.data.pieces import as_schema, common_schema
from hpsearch.data.plain import clean, trimmed
from hpsearch.data.tables import table_pieces
from hpsearch.data.tabular import with_names
from hpsearch.errors import DataError, HpsearchError, UnknownNameError
from hpsearch.training.model import Model

__all__ = ["Predicted", "predict_file"]

FAR = 10.0
"""Values so many times farther out than the training part spans are told."""

MOST = 10
"""How many sentences on the rows are told one by one."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions for some rows of a file.

    Attributes:
        start: how many rows come before.
        predictions: probabilities (n, classes), or a quantity (n,).
        kept: the columns that are carried along, each of n cells.
    """

    start: int
    predictions: np.ndarray
    kept: tuple[Any, ...] = ()


def predict_file(
    model: Model, path: str | Path, tell: Callable[[str], None], keep: Sequence[str] = ()
) -> Iterator[Predicted]:
    """Predict for the rows of a table, or of the array ``X`` of an npz archive.

    The file is read twice, since a column's numbers are written in one way from its first to its
    last row. Whatever is wrong with a column is found before the first prediction.

    Args:
        model: predicts.
        path: of the file.
        tell: called with a sentence on each thing that the user is to know: before the predictions
            on the file, after them on its rows, and on how right they are where the file has the
            model's target.
        keep: columns to carry along.

    Yields:
        What is predicted for the next rows.

    Raises:
        DataError: the file or a column is missing, damaged, or unlike what the model learned from.
        UnknownNameError: there is no such column to keep.
    """
    file = existing_file(path)
    unlike = Unlike(model)
    if file.suffix == ".npz":
        if keep:
            raise DataError(f"{file} has arrays, and no column {keep[0]!r} to keep.")
        X = npz_features(file, len(model.feature_names))
        unlike.add(X)
        yield Predicted(0, model.answers(X))
        _tell(unlike.told(), tell)
        return
    if not file.name.endswith(TABLE_SUFFIXES):
        raise DataError(
            f"{file}: samples to predict are read from {', '.join(TABLE_SUFFIXES)} or .npz files."
        )
    before = _state(file)
    reader = FeatureReader(str(file), model.wanted)
    scored = None if model.target is None else Scored(model, model.target)
    schema = _look(file, reader, scored, tell)
    for name in keep:
        if name not in schema.names:
            raise UnknownNameError(f"column of {file}:", name, schema.names)
    for sentence in reader.settle([*keep, *filter(None, (model.target, model.weight))]):
        tell(sentence)
    start = 0
    for piece in table_pieces(file):
        table = as_schema(with_names(piece)[0], schema)
        X = reader.samples(table, start)
        unlike.add(X)
        try:
            predictions = model.answers(X)
        except DataError as error:
            more = f"; rows are counted from row {start + 1:,}" if start else ""
            raise DataError(f"{error}{more}") from None
        if scored is not None:
            scored.add(table, predictions)
        yield Predicted(start, predictions, tuple(table.column(name) for name in keep))
        start += table.num_rows
    if _state(file) != before:
        raise DataError(f"{file} was changed while it was read; predict again.")
    _tell([*reader.told(), *unlike.told()], tell)
    if scored is not None and scored.there:
        tell(scored.told())


def _look(
    file: Path, reader: FeatureReader, scored: Scored | None, tell: Callable[[str], None]
) -> Any:
    """Have all rows looked at, and find the columns' types, which all of them have room in."""
    schema = None
    while True:
        kinds: dict[str, set[Any]] = {}
        for piece in table_pieces(file, tell=tell if schema is None else lambda _: None):
            table, _ = with_names(piece)
            table = table if schema is None else as_schema(table, schema)
            for field in table.schema:
                kinds.setdefault(field.name, set()).add(field.type)
            if scored is not None:
                scored.look(table, reader.rows)
            reader.look(table)
        if schema is not None or all(len(found) == 1 for found in kinds.values()):
            return common_schema(kinds)
        # Numbers in some lines and text in others are text, which was not looked at as such.
        schema, reader.rows = common_schema(kinds), 0


def _state(file: Path) -> tuple[int, int]:
    about = file.stat()
    return about.st_size, about.st_mtime_ns


def _tell(sentences: list[str], tell: Callable[[str], None]) -> None:
    for sentence in sentences[:MOST]:
        tell(sentence)
    if len(sentences) > MOST:
        tell(f"and likewise in {len(sentences) - MOST} columns more")


class Unlike:
    """What of samples is unlike everything that a model's networks learned from.

    Args:
        model: whose networks know what their training part spanned.
    """

    def __init__(self, model: Model) -> None:
        self.names = model.feature_names
        spans = [(part.low, part.high) for part in model.preprocessors]
        nothing = np.full(len(self.names), np.nan)  # of a pipeline nobody knows what it has seen
        self.low = np.fmin.reduce([nothing, *(low for low, _ in spans)], axis=0)
        self.high = np.fmax.reduce([nothing, *(high for _, high in spans)], axis=0)
        self.rows = self.empty = self.first_empty = 0
        self.far = np.zeros(len(self.low), np.int64)
        self.farthest = self.low.copy()

    def add(self, X: np.ndarray) -> None:
        """Look at the next samples (n, d), with NaN for missing."""
        empty = np.flatnonzero(np.isnan(X).all(axis=1))
        if len(empty) and not self.empty:
            self.first_empty = self.rows + int(empty[0]) + 1
        self.empty += len(empty)
        low, high = self.low, self.high
        span = np.where(high > low, high - low, np.maximum(np.abs(high), 1))
        far = np.abs(X - (low + high) / 2) > FAR * span + (high - low) / 2
        for column in np.flatnonzero(far.any(axis=0)):
            values = X[far[:, column], column]
            found = values[np.argmax(np.abs(values - low[column]))]
            if abs(found - low[column]) > abs(self.farthest[column] - low[column]):
                self.farthest[column] = found
            self.far[column] += len(values)
        self.rows += len(X)

    def told(self) -> list[str]:
        """A sentence for the rows without any value, and one for each column with far values.

        These lie beyond the training part's by more than `FAR` times what that spans.
        """
        told = []
        if self.empty:
            have = "have" if self.empty > 1 else "has"
            told.append(
                f"{rows_told(self.empty)} {have} no value in any of the model's columns (the first "
                f"is row {self.first_empty}); what is predicted for such rows means nothing"
            )
        return told + [
            f"{rows_told(int(self.far[column]))} of {quoted(self.names[column])}: far outside of "
            f"what the model learned from, {self.low[column]:.6g} to {self.high[column]:.6g}; the "
            f"farthest is {self.farthest[column]:.6g}"
            for column in np.flatnonzero(self.far)
        ]


class Scored:
    """How right predictions are, where a table has what they are to be.

    What the metric needs of each row is kept until the end. Rows count as in the study: by their
    weights, where the table has these too.

    Args:
        model: predicts.
        target: the column that it learned to predict.
    """

    def __init__(self, model: Model, target: str) -> None:
        self.model, self.target = model, target
        self.there = False
        self._numbers = NumberColumn("the table", target)
        self._texts, self._values = _codes(model.classes)
        self._weights = NumberColumn("the table", model.weight) if model.weight else None
        self._counted: list[np.ndarray] = []
        self._unweighted = ""
        self._true: list[np.ndarray] = []
        self._predicted: list[np.ndarray] = []
        self._why: HpsearchError | None = None
        self._strange = 0
        try:
            self._metric = model.metric
        except HpsearchError as error:
            self._why = error

    def look(self, table: Any, start: int) -> None:
        """See how the next rows write a quantity."""
        if self.target in table.column_names:
            self.there = True
            if not self.model.classes and self._why is None:
                try:
                    self._numbers.look(clean(table.column(self.target)), start)
                except DataError as error:
                    self._why = error
            self._look_at_weights(table, start)

    def _look_at_weights(self, table: Any, start: int) -> None:
        if self._weights is None:
            return
        column = self._weights.column
        try:
            if column not in table.column_names:
                raise DataError("there is no such column")
            self._weights.look(clean(table.column(column)), start)
        except DataError as error:
            self._weights = None
            self._unweighted = f", all counted alike: the weights in {quoted(column)}: {error}"

    def add(self, table: Any, predictions: np.ndarray) -> None:
        """Take the next rows, and what was predicted for them."""
        if not self.there or self._why is not None:
            return
        if self.model.classes:
            y = self._labels(table.column(self.target))
            known = y >= 0
        else:
            y = self._numbers.values(clean(table.column(self.target)))
            known = np.isfinite(y)
        if self._weights is not None:
            weight = self._weights.values(clean(table.column(self._weights.column)))
            known &= np.isfinite(weight) & (weight >= 0)
            self._counted.append(weight[known])
        self._true.append(y[known])
        # Half the memory of what NumPy has them in, as exact as a network is.
        predictions = predictions[known]
        labels = self.model.classes and self._metric.needs == "labels"
        needed = self.model.codes(predictions) if labels else self._metric.needed(predictions)
        self._predicted.append(needed.astype(np.int32 if needed.dtype.kind == "i" else np.float32))

    def told(self) -> str:
        """The metric of all rows with a label, and how many they are, in a sentence."""
        column = quoted(self.target)
        if self._why is not None:
            return f"the predictions are not scored by {column}: {self._why}"
        y, predictions = np.concatenate(self._true), np.concatenate(self._predicted)
        strange = f"; {rows_told(self._strange)} with another label" if self._strange else ""
        if len(y) == 0:
            return f"no row is scored: {column} has no label that the model knows{strange}"
        weight, by = None, self._unweighted
        if self._weights is not None:
            weight, by = (
                np.concatenate(self._counted),
                f", counted by {quoted(self._weights.column)}",
            )
            if not weight.any():
                return f"no row is scored: all weights in {quoted(self._weights.column)} are 0"
        try:
            value = self._metric.value(y, predictions, weight)
        except HpsearchError as error:
            return f"the predictions are not scored by {column}: {error}"
        told = f"{self._metric.title} {self._metric.text(value)} on {rows_told(len(y))}"
        return f"{told} with {column}{by}{strange}"

    def _labels(self, column: Any) -> np.ndarray:
        """The class of each row; -1 for none, and for one that the model does not know."""
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        text = trimmed(column.cast(pa.string()))
        coded = text.combine_chunks().dictionary_encode()
        known = [self._code(each) for each in coded.dictionary.to_pylist()]
        places = np.asarray(pc.fill_null(coded.indices, len(known)))
        codes: np.ndarray = np.array([*known, -1])[places]
        empty = np.array([not each for each in coded.dictionary.to_pylist()] + [True])[places]
        self._strange += int(np.count_nonzero((codes < 0) & ~empty))
        return codes

    def _code(self, text: str) -> int:
        if text in self._texts:
            return self._texts[text]
        try:
            return self._values.get(float(text), -1)
        except ValueError:
            return self._texts.get(text.lower() if text.lower() in ("true", "false") else "", -1)


def _codes(classes: Sequence[str | int]) -> tuple[dict[str, int], dict[float, int]]:
    """The code of each class by its text, and of those that are numbers by their value."""
    texts = {str(label): code for code, label in enumerate(classes)}
    numbers = {}
    for text, code in list(texts.items()):
        if text.lower() in ("true", "false"):
            texts.setdefault(text.lower(), code)
        try:
            if text in (str(float(text)), f"{float(text):.0f}"):  # 01 is another class than 1
                numbers[float(text)] = code
        except (ValueError, OverflowError):
            pass
    return texts, numbers
