"""Preprocessing, fitted on the training part only: imputation, coding, scaling, projection.

CS231n, lecture 6, "Preprocessing": zero-centred inputs let the gradients of a unit's weights differ
in sign; equal scales let every column contribute equally; PCA and whitening remove correlation.
Two kinds are for columns of long tails. "quantile" puts the ranks of a column through the inverse
of the normal distribution, as Gorishniy et al. (Revisiting deep learning models for tabular data,
2021) do. "robust" divides by the range of its middle half and bends what lies far outside towards
three, as Holzmüller et al. (Better by default, 2024) do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.scales import (
    CHUNK_CELLS,
    curve,
    deviations,
    extreme,
    means,
    medians,
    middle_halves,
    principal_axes,
)
from hpsearch.data.target_encoding import crossed_encoding, encoding, width_of
from hpsearch.errors import DataError, UsageError
from hpsearch.setting import Setting

__all__ = [
    "KINDS",
    "MOST_INDICATORS",
    "PREPROCESSING",
    "SCALES",
    "VARIANCE",
    "Preprocessor",
    "inputs_of",
]

KINDS = ("none", "zero-centre", "standardize", "robust", "quantile", "pca", "whiten")

SCALES = ("standardize", "robust", "quantile")
"""Those that only scale the columns, one by one."""

PREPROCESSING = Setting(
    "standardize", "What is done to the columns, fitted on the training part only.", names=KINDS
)
VARIANCE = Setting(1.0, "Share of the variance that pca and whiten keep.", limits=(0.01, 1.0))

MOST_INDICATORS = 64
"""Categories of a column that become 0/1 columns; of more, numbers stand for them."""
MISSING = -1
"""What stands for a missing category then, beside the codes of the others."""

KNOTS = 1000
"""Points of the curve that "quantile" bends a column by, if it has so many values."""
KNOT_CELLS = 1 << 22
"""Of many columns fewer: so many in all."""
FARTHEST = 3.0
"""Where "robust" ends, in standard deviations of a normal distribution."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Preprocessor:
    """What a training part taught: ``((expanded - mean) / scale) @ components``.

    Expanding imputes missing numbers and replaces each categorical column by one 0/1 column for
    every category seen in training, or, where these are more than `MOST_INDICATORS`, by numbers
    that stand for its category (see `hpsearch.data.target_encoding`). A missing or unseen category
    is zero in all 0/1 columns. A column with a curve, as these numbers have and "quantile" makes,
    is replaced by the curve's height there, level beyond its ends.

    Args:
        kind: one of `KINDS`.
        impute: for each of the d input columns the training median, (d,); for categorical ones NaN,
            or -1 where numbers stand for the categories.
        source: for each of the e expanded columns the input column it comes from, (e,), int64.
        code: for each expanded column the category it stands for, NaN for others, (e,).
        mean: subtracted from expanded columns, (e,).
        scale: divides them afterwards, (e,).
        components: principal axes as columns, (e, d'); None for the kinds that do not project.
        low: the least value of each input column, (d,), NaN for categorical ones.
        high: the greatest, likewise.
        start: where the curve of each expanded column begins in ``at`` and ``to``, and where the
            last ends, (e + 1,), int64; a column without one begins where the next does.
        at: where the curves have their points, rising within each.
        to: how high these are.
    """

    kind: str
    impute: NDArray[np.float32]
    source: NDArray[np.int64]
    code: NDArray[np.float32]
    mean: Floats
    scale: Floats
    components: Floats | None
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    start: NDArray[np.int64]
    at: Floats
    to: Floats

    @classmethod
    def fit(
        cls,
        X: NDArray[Any],
        kind: str,
        *,
        categories: Mapping[int, tuple[str, ...]] | None = None,
        y: NDArray[Any] | None = None,
        variance: float = 1.0,
    ) -> Preprocessor:
        """Learn the statistics of the training part, in float64.

        Args:
            X: training samples, shape (n, d); NaN is missing; category indices in categorical
                columns.
            kind: "none"; "zero-centre", subtract the mean; "standardize", also divide by the
                standard deviation; "pca", project the centred samples on their principal axes;
                "whiten", pca with every projection scaled to unit variance. "robust" and "quantile"
                bend the columns of numbers, and standardize.
            categories: column index -> category names, for the categorical columns.
            y: class codes, (n,), of integers, or targets of floats, (n,) or (n, t); for columns of
                more than `MOST_INDICATORS` categories only.
            variance: the share of the variance that pca and whiten keep. Axes without
                variance, up to rounding, go in any case.

        Returns:
            A frozen preprocessor.

        Raises:
            UnknownNameError: no such kind.
            UsageError: no such share of the variance, or no y where it is needed.
            DataError: no rows, or no usable column.

        >>> X = np.array([[1.0, 10.0], [3.0, 10.0]])
        >>> Preprocessor.fit(X, "standardize").transform(X)  # a constant column becomes zero
        array([[-1.,  0.],
               [ 1.,  0.]], dtype=float32)
        """
        return cls._fit(np.asarray(X), kind, categories or {}, y, variance)[0]

    @classmethod
    def fit_transform(
        cls,
        X: NDArray[Any],
        kind: str,
        *,
        categories: Mapping[int, tuple[str, ...]] | None = None,
        y: NDArray[Any] | None = None,
        variance: float = 1.0,
    ) -> tuple[Preprocessor, NDArray[np.float32]]:
        """Fit, and prepare the training part itself.

        That is what `transform` gives, but for numbers that stand for categories: those of a row
        are learned from others, so that its own target is not among the inputs. Arguments and
        errors are those of `fit`.

        Returns:
            The preprocessor, and the prepared training part, (n, n_features_out).
        """
        matrix = np.asarray(X)
        fitted, crossed = cls._fit(matrix, kind, categories or {}, y, variance)
        return fitted, fitted._transform(matrix, crossed)

    @classmethod
    def _fit(
        cls,
        matrix: NDArray[Any],
        kind: str,
        categories: Mapping[int, tuple[str, ...]],
        y: NDArray[Any] | None,
        variance: float,
    ) -> tuple[Preprocessor, Floats]:
        PREPROCESSING.check("preprocessing", kind)
        VARIANCE.check("variance", variance)
        if matrix.ndim != 2 or 0 in matrix.shape:
            raise DataError(
                f"preprocessing is fitted on a matrix of samples, not on shape {matrix.shape}."
            )
        columns, crossed = _expansion(matrix, categories, y, bend=kind == "quantile")
        if not columns:
            raise DataError("no column has a value in the training part; give it more rows.")
        impute = medians(matrix, frozenset(categories))
        impute[[c.source for c in columns if c.is_encoded]] = MISSING
        low, high = (extreme(reduce, matrix, categories) for reduce in (np.fmin, np.fmax))
        width = len(columns)
        plain = cls(
            "none",
            impute,
            np.array([column.source for column in columns], dtype=np.int64),
            np.array([column.code for column in columns], dtype=np.float32),
            np.zeros(width),
            np.ones(width),
            None,
            low,
            high,
            np.concatenate([[0], np.cumsum([len(c.at) for c in columns])]).astype(np.int64),
            np.concatenate([column.at for column in columns]),
            np.concatenate([column.to for column in columns]),
        )
        return plain._scaled(matrix, crossed, kind, variance), crossed

    def _scaled(
        self, matrix: NDArray[Any], crossed: Floats, kind: str, variance: float
    ) -> Preprocessor:
        """The same, with the scales that a kind of preprocessing gives the expanded columns."""
        if kind == "none":
            return self
        expanded = self._transform(matrix, crossed)
        mean = means(expanded)
        plain = replace(self, kind=kind, mean=mean)
        if kind == "zero-centre":
            return plain
        if kind in ("standardize", "quantile"):
            return replace(plain, scale=deviations(expanded, mean))
        if kind == "robust":
            scale = deviations(expanded, mean)
            numbers = self.numbers
            mean[numbers], scale[numbers] = middle_halves(matrix[:, self.source[numbers]])
            return replace(plain, mean=mean, scale=scale)
        axes, variances = principal_axes(expanded, mean, variance)
        if kind == "whiten":
            axes = axes / np.sqrt(variances)
        return replace(plain, components=axes)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Which expanded columns are the input's own numbers: their indices."""
        return np.flatnonzero(np.isnan(self.code) & ~self._encoded)

    @property
    def _encoded(self) -> NDArray[np.bool_]:
        """Which expanded columns are numbers that stand for categories, (e,)."""
        return np.isnan(self.low[self.source]) & (np.diff(self.start) > 0)

    @property
    def n_features_in(self) -> int:
        """Columns that `transform` takes."""
        return len(self.impute)

    @property
    def n_features_out(self) -> int:
        """Columns that `transform` gives."""
        return len(self.mean) if self.components is None else int(self.components.shape[1])

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Prepare samples as the training part was, a chunk of rows at a time.

        Args:
            X: shape (n, n_features_in), coded as in `fit`.

        Returns:
            Shape (n, n_features_out), float32, C-contiguous.

        Raises:
            DataError: another number of columns.
        """
        matrix = np.asarray(X)
        if matrix.ndim != 2 or matrix.shape[1] != self.n_features_in:
            raise DataError(
                f"the samples have shape {matrix.shape}, and the preprocessing was fitted on "
                f"{self.n_features_in} columns; give a matrix with the same columns."
            )
        return self._transform(matrix, None)

    def _transform(self, matrix: NDArray[Any], crossed: Floats | None) -> NDArray[np.float32]:
        """Prepare rows; what stands for their categories may be given, (n, encoded columns)."""
        encoded = np.flatnonzero(self._encoded)
        out = np.empty((len(matrix), self.n_features_out), dtype=np.float32)
        rows = max(1, CHUNK_CELLS // max(self.n_features_in, len(self.mean)))
        numbers = self.numbers
        for start in range(0, len(matrix), rows):
            chunk = self._expand(matrix[start : start + rows])
            if crossed is not None and len(encoded):
                chunk[:, encoded] = crossed[start : start + rows]
            chunk -= self.mean
            chunk /= self.scale
            if self.kind == "robust":
                chunk[:, numbers] /= np.sqrt(1 + np.square(chunk[:, numbers] / FARTHEST))
            out[start : start + rows] = (
                chunk if self.components is None else chunk @ self.components
            )
        return out

    def _expand(self, chunk: NDArray[Any]) -> Floats:
        filled = np.where(np.isnan(chunk), self.impute, chunk).astype(np.float64)
        onehot = np.flatnonzero(~np.isnan(self.code))
        if len(onehot) == 0 and len(self.source) == self.n_features_in:
            return self._bend(filled)
        expanded = filled[:, self.source]
        expanded[:, onehot] = expanded[:, onehot] == self.code[onehot]
        return self._bend(expanded)

    def _bend(self, expanded: Floats) -> Floats:
        """Replace the columns that have a curve by its height, in place."""
        for column in np.flatnonzero(np.diff(self.start)):
            points = slice(self.start[column], self.start[column + 1])
            expanded[:, column] = np.interp(expanded[:, column], self.at[points], self.to[points])
        return expanded

    def state(self) -> dict[str, NDArray[Any]]:
        """The preprocessor as plain arrays, for a model file without pickles."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        axes = {} if self.components is None else {"components": self.components}
        curves = {name: getattr(self, name) for name in _CURVES} if len(self.at) else {}
        return {"kind": np.array(self.kind), **arrays, **axes, **curves}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Preprocessor:
        """The preprocessor whose `state` this is; it transforms bit for bit alike.

        Raises:
            DataError: the arrays are not those of a preprocessor.
        """
        missing = [name for name in ("kind", *_ARRAYS) if name not in state]
        if missing:
            raise DataError(f"the preprocessing state has no array {missing[0]!r}; is it damaged?")
        arrays = {name: np.asarray(state[name]) for name in _ARRAYS}
        kind = str(state["kind"])
        components = np.asarray(state["components"]) if "components" in state else None
        width = len(arrays["mean"])
        curves: dict[str, NDArray[Any]] = dict(zip(_CURVES, _no_curves(width), strict=True))
        curves |= {name: np.asarray(state[name]) for name in _CURVES if name in state}
        fits = (
            kind in KINDS
            and all(a.ndim == 1 and a.dtype == _ARRAYS[name] for name, a in arrays.items())
            and all(len(arrays[name]) == width for name in ("source", "code", "scale"))
            and (components is not None) == (kind in ("pca", "whiten"))
            and (components is None or _are_axes(components, width))
            and width > 0
            and bool((arrays["scale"] > 0).all())
            and all(np.isfinite(arrays[name]).all() for name in ("mean", "scale"))
            and not np.isinf(arrays["impute"]).any()
            and not np.isinf(arrays["code"]).any()
            and all(len(arrays[name]) == len(arrays["impute"]) for name in ("low", "high"))
            and bool(((arrays["source"] >= 0) & (arrays["source"] < len(arrays["impute"]))).all())
            and _are_curves(**curves, width=width)
        )
        if not fits:
            raise DataError("the preprocessing state does not fit together; is the file damaged?")
        return cls(kind=kind, components=components, **arrays, **curves)


def _are_axes(components: NDArray[Any], width: int) -> bool:
    return (
        components.dtype.kind == "f"
        and components.ndim == 2
        and components.shape[0] == width
        and components.shape[1] > 0
        and bool(np.isfinite(components).all())
    )


def _are_curves(start: NDArray[Any], at: NDArray[Any], to: NDArray[Any], width: int) -> bool:
    """Whether these are points of curves that rise to the right, for so many columns."""
    if not (
        all(
            a.ndim == 1 and a.dtype == kind
            for a, kind in zip((start, at, to), _CURVES.values(), strict=True)
        )
        and len(start) == width + 1
        and len(at) == len(to)
        and (start[0], start[-1]) == (0, len(at))
        and bool((np.diff(start) >= 0).all())
        and bool(np.isfinite(at).all())
        and bool(np.isfinite(to).all())
    ):
        return False
    rises = np.diff(at) > 0
    ends = start[1:-1]
    rises[ends[(ends > 0) & (ends < len(at))] - 1] = True
    return bool(rises.all())


_ARRAYS = {
    "impute": np.dtype(np.float32),
    "source": np.dtype(np.int64),
    "code": np.dtype(np.float32),
    "mean": np.dtype(np.float64),
    "scale": np.dtype(np.float64),
    "low": np.dtype(np.float32),
    "high": np.dtype(np.float32),
}
_CURVES = {"start": np.dtype(np.int64), "at": np.dtype(np.float64), "to": np.dtype(np.float64)}
"""What a state has in addition where there are curves."""


def _no_curves(width: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    return np.zeros(width + 1, dtype=np.int64), np.empty(0), np.empty(0)


@dataclass(frozen=True, eq=False)
class _Expanded:
    """One expanded column: the input column it comes from, its category, and its curve."""

    source: int
    code: float = np.nan
    at: Floats = field(default_factory=lambda: np.empty(0))
    to: Floats = field(default_factory=lambda: np.empty(0))
    is_encoded: bool = False


def _expansion(
    X: NDArray[Any],
    categories: Mapping[int, tuple[str, ...]],
    y: NDArray[Any] | None,
    *,
    bend: bool,
) -> tuple[list[_Expanded], Floats]:
    """All expanded columns, in the order of the input, and what stands for the rows' categories."""
    columns: list[_Expanded] = []
    crossed: list[Floats] = []
    knots = int(np.clip(KNOT_CELLS // X.shape[1], 16, KNOTS))
    for source in range(X.shape[1]):
        values = X[:, source]
        if source not in categories:
            at, to = curve(values, knots) if bend else (np.empty(0), np.empty(0))
            columns.append(_Expanded(source, at=at, to=to))
            continue
        codes = np.unique(values[~np.isnan(values)])
        if len(codes) <= MOST_INDICATORS:
            columns += [_Expanded(source, float(code)) for code in codes]
            continue
        if y is None:
            raise UsageError(
                f"column {source} has {len(codes):,} categories; give y too, by which numbers that "
                "stand for them are found."
            )
        rows = np.where(np.isnan(values), MISSING, values).astype(np.int64) - MISSING
        count = len(categories[source]) - MISSING
        at = np.arange(count, dtype=np.float64) + MISSING
        to = encoding(rows, y, count)
        columns += [_Expanded(source, at=at, to=each, is_encoded=True) for each in to.T]
        crossed.append(crossed_encoding(rows, y, count))
    return columns, np.concatenate(crossed, axis=1) if crossed else np.empty((len(X), 0))


def inputs_of(
    X: NDArray[Any],
    rows: NDArray[np.int64],
    categories: Mapping[int, tuple[str, ...]],
    y: NDArray[Any],
) -> tuple[int, dict[int, int]]:
    """How many columns a training part expands to, before any projection.

    Args:
        X: all samples, coded as for `Preprocessor.fit`.
        rows: of the training part.
        categories: as for `Preprocessor.fit`.
        y: class codes or targets of all samples.

    Returns:
        The number, and the columns of so many categories that numbers stand for them, with how many
        the training part has.
    """
    inputs, encoded = X.shape[1] - len(categories), {}
    for column in categories:
        values = X[rows, column]
        count = len(np.unique(values[~np.isnan(values)]))
        inputs += count if count <= MOST_INDICATORS else width_of(y)
        if count > MOST_INDICATORS:
            encoded[column] = count
    return inputs, encoded
