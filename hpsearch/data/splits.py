"""Splits: training, validation and test parts, or k folds over one test part.

How rows may be divided is a property of the data, and a wrong split makes every score worthless:
rows of one patient on two sides, or tomorrow's rows before today's, are known before they are asked
for. Kapoor and Narayanan (Leakage and the reproducibility crisis, 2023) found it in 294 papers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hpsearch.errors import DataError

__all__ = [
    "KINDS",
    "PARTS",
    "DividingColumns",
    "Division",
    "Split",
    "Suspect",
    "make_splits",
    "strata",
    "stratified_sample",
]

Rows = NDArray[np.int64]

KINDS = ("stratified", "random", "group", "time", "given")
"""How rows can be divided."""

PARTS = ("train", "validation", "test")
"""The parts of the data, in the order of their codes in `Division.parts`."""

BINS = 10
"""A quantity is stratified by so many quantiles, or by fewer where rows are few."""

MANY_GROUPS = 10_000
"""So many groups have the classes in about their proportions wherever they are cut."""


@dataclass(frozen=True, eq=False)
class Split:
    """Three disjoint sets of rows.

    Together they are all rows, but for folds in the order of time, whose later rows wait.

    Args:
        train: rows to learn from, shape (n_train,), int64, ascending.
        validation: rows that choose between trials, shape (n_validation,), int64, ascending.
        test: rows that are looked at once, at the end, shape (n_test,), int64, ascending.
    """

    train: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True)
class DividingColumns:
    """The names of the columns that only say how rows are divided, and are no inputs.

    Args:
        groups: rows of one value stay together: a patient, a user, the photographs of one object.
        time: rows are divided in its order: a date, or any number that grows.
        parts: says of each row whether it is for "train", "validation" or "test".
    """

    groups: str | None = None
    time: str | None = None
    parts: str | None = None

    def named(self) -> dict[str, str]:
        """Setting -> column, of each that there is."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {setting: column for setting, column in named.items() if column is not None}


@dataclass(frozen=True, eq=False)
class Division:
    """The same columns, read; None for one that there is not.

    Args:
        groups: the number of each row's group, shape (n,), int64, each in 0..g-1.
        time: when each row is from, shape (n,), float64, finite, in whatever unit.
        parts: which part each row is given to, shape (n,), int64, an index of `PARTS`.
    """

    groups: NDArray[np.int64] | None = None
    time: NDArray[np.float64] | None = None
    parts: NDArray[np.int64] | None = None

    def of(self, rows: Rows) -> Division:
        """That of some of the rows."""
        return replace(self, **{name: column[rows] for name, column in self.columns().items()})

    def columns(self) -> dict[str, NDArray[Any]]:
        """The values of each that there is, by its name."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: column for name, column in columns.items() if column is not None}


@dataclass(frozen=True, eq=False)
class Suspect:
    """A column by which rows may have to be divided, though nobody has said so.

    Args:
        kind: the setting that would name it.
        values: as in `Division`.
    """

    kind: Literal["groups", "time", "parts"]
    values: NDArray[np.int64] | NDArray[np.float64]


def make_splits(
    y: NDArray[Any],
    *,
    kind: str = "stratified",
    division: Division | None = None,
    test: float = 0.2,
    validation: float = 0.2,
    folds: int = 1,
    repeats: int = 1,
    seed: int,
    fixed_test: int | None = None,
    classes: Sequence[str | int] | None = None,
) -> tuple[Split, ...]:
    """Divide rows into training, validation and test parts.

    The test part is drawn first, from ``y``, ``test`` and ``seed``, so it is the same whatever the
    folds are. CS231n, lecture 6: cross-validation.

    Args:
        y: class codes, shape (n,), int64; or quantities, shape (n,) or (n, targets), floats.
        kind: "stratified": every part has the classes, or the quantiles of a quantity, in the same
            proportions; "random": as it falls; "group": no group is in two parts; "time": training
            before validation before test, and folds are expanding windows; "given": as the data
            say.
        division: the groups, times or parts that the kind needs.
        test: fraction of all rows in the test part; unused where the data have one of their own.
        validation: fraction, of the rows that are not in the test part, in the validation part;
            unused with several folds, where it is 1 / folds, and where it is given.
        folds: 1 for one validation part, k for k folds over the rows that are not in the test part.
        repeats: how often the folds are drawn anew.
        seed: a non-negative integer; the same seed gives the same splits.
        fixed_test: the rows from here on are the test part (data that come with one);
            ``len(y)`` for no test part.
        classes: labels of the codes, for messages.

    Returns:
        One `Split` a fold, all with the same test part; those of a repeat together.

    Raises:
        DataError: a fraction is not between 0 and 1, there are too few folds, or there are too few
            rows, samples of a class, groups or times for each part to have some.

    >>> y = np.array([0, 1] * 50)
    >>> [split] = make_splits(y, seed=7)
    >>> len(split.train), len(split.validation), len(split.test)
    (64, 16, 20)
    >>> patients = Division(groups=np.arange(100) // 5)
    >>> [split] = make_splits(y, kind="group", division=patients, seed=7)
    >>> set(split.train // 5) & set(split.test // 5)
    set()
    """
    division = division or Division()
    given = division.parts if kind == "given" else None
    if given is not None:
        fixed_test = None
    drawn = given is None and fixed_test is None
    _check_request(len(y), test if drawn else None, validation, folds, repeats, fixed_test)
    divider = _divider(kind, y, division, classes, np.random.default_rng(seed))
    every = np.arange(len(y))
    if given is not None:
        rest, test_rows = every[given != PARTS.index("test")], every[given == PARTS.index("test")]
        if (given == PARTS.index("validation")).any():
            return (_given(given, test_rows, folds),)
    elif fixed_test is not None:
        rest, test_rows = every[:fixed_test], every[fixed_test:]
    else:
        divider.check(every, max(folds, 2) + 1, "training, validation and test parts")
        rest, test_rows = divider.take(every, test, leave=max(folds, 2))
    if not drawn:
        divider.check(rest, max(folds, 2), "training and validation parts")
    if folds == 1:
        train, validation_rows = divider.take(rest, validation, leave=1)
        return (Split(train, validation_rows, test_rows),)
    splits = [Split(train, fold, test_rows) for train, fold in divider.folds(rest, folds)]
    for repeat in range(1, repeats):
        if kind == "time":
            raise DataError("folds in the order of time are always the same; remove fold_repeats.")
        again = _divider(kind, y, division, classes, np.random.default_rng([seed, repeat]))
        splits += [Split(train, fold, test_rows) for train, fold in again.folds(rest, folds)]
    return tuple(splits)


def _given(given: Rows, test_rows: Rows, folds: int) -> Split:
    if folds > 1:
        raise DataError(
            f"the data say which rows are for validation, and folds = {folds} would divide anew; "
            "set folds to 1, or call these rows train."
        )
    train, validation = (np.flatnonzero(given == PARTS.index(p)) for p in ("train", "validation"))
    return Split(train, validation, test_rows)


def strata(y: NDArray[Any], least: int) -> NDArray[np.int64]:
    """What is to be in the same proportions everywhere: classes, or the quantiles of a quantity.

    Args:
        y: class codes (n,), or quantities (n,) or (n, targets), of which the first counts.
        least: samples that each quantile needs.

    Returns:
        Codes from 0, shape (n,), int64.

    >>> strata(np.array([0.1, 0.9, 0.2, 0.8]), 2).tolist()
    [0, 1, 0, 1]
    """
    if y.dtype.kind in "iu":
        return y
    first = y if y.ndim == 1 else y[:, 0]
    bins = max(1, min(BINS, len(first) // least))
    codes = np.empty(len(first), np.int64)
    codes[np.argsort(first, kind="stable")] = np.arange(len(first)) * bins // len(first)
    return codes


def stratified_sample(y: NDArray[np.int64], size: int, *, seed: int) -> Rows:
    """Choose ``size`` rows with the classes in their proportions.

    Args:
        y: class codes, or `strata`, shape (n,), int64.
        size: how many rows, at most n.
        seed: a non-negative integer.

    Returns:
        Rows, shape (size,), int64, ascending; a few more where a rare class would get fewer than
        three, or than it has.

    Raises:
        DataError: the size does not even allow three rows of each class.
    """
    counts = np.bincount(y)
    least = np.minimum(counts, 3)
    if size < least.sum():
        raise DataError(
            f"a sample of {size} rows is too small for {len(counts)} classes, which need "
            f"{least.sum()}; raise the limit."
        )
    chosen = _apportion(counts, size, least=least, most=counts)
    return _deal(np.arange(len(y)), y, chosen, np.random.default_rng(seed))[1]


def _check_request(
    rows: int,
    test: float | None,
    validation: float,
    folds: int,
    repeats: int,
    fixed_test: int | None,
) -> None:
    fractions = {"validation": validation} if folds == 1 else {}
    if test is not None:
        fractions["test"] = test
    if fixed_test is not None and not 0 < fixed_test <= rows:
        raise DataError(f"the test part starts at row {fixed_test}, and there are {rows} rows.")
    for part, fraction in fractions.items():
        if not 0 < fraction < 1:
            raise DataError(
                f"the {part} part must be a fraction between 0 and 1, not {fraction}; 0.2 is usual."
            )
    if folds < 1:
        raise DataError(f"folds must be 1 or more, not {folds}.")
    if repeats < 1:
        raise DataError(f"folds are drawn once or more often, not {repeats} times.")
    if repeats > 1 and folds == 1:
        raise DataError("fold_repeats needs folds of 2 or more: it draws them anew.")


class _Divider(Protocol):
    """One kind of division: of any rows in two, or into folds."""

    def check(self, rows: Rows, parts: int, what: str) -> None:
        """Refuse rows that cannot be divided into so many parts."""
        ...

    def take(self, rows: Rows, share: float, *, leave: int) -> tuple[Rows, Rows]:
        """All but a share of the rows, and that share; what stays can be divided ``leave`` ways."""
        ...

    def folds(self, rows: Rows, k: int) -> Iterator[tuple[Rows, Rows]]:
        """The training and the validation rows of each fold."""
        ...


def _divider(
    kind: str,
    y: NDArray[Any],
    division: Division,
    classes: Sequence[str | int] | None,
    rng: np.random.Generator,
) -> _Divider:
    if kind == "group":
        assert division.groups is not None, "whoever asks for it gives the groups"
        return _ByGroup(division.groups, strata(y, 1), rng)
    if kind == "time":
        assert division.time is not None, "whoever asks for it gives the times"
        return _ByTime(division.time)
    if kind == "random":
        return _ByStratum(np.zeros(len(y), np.int64), None, rng)
    assert kind in ("stratified", "given"), kind
    if y.dtype.kind in "iu":
        return _ByStratum(y, classes, rng)
    return _ByStratum(None, None, rng, y)


@dataclass(frozen=True, eq=False)
class _ByStratum:
    """Each part has the same proportions of all strata; with one stratum it is drawn at random."""

    codes: Rows | None
    classes: Sequence[str | int] | None
    rng: np.random.Generator
    quantity: NDArray[Any] | None = None

    def _of(self, rows: Rows, least: int) -> Rows:
        """The strata of some rows; quantiles are those of the rows themselves."""
        if self.codes is not None:
            return self.codes[rows]
        assert self.quantity is not None
        return strata(self.quantity[rows], least)

    def check(self, rows: Rows, parts: int, what: str) -> None:
        counts = np.bincount(self._of(rows, parts), minlength=1)
        if self.codes is not None and len(counts) < self.codes.max() + 1:
            counts = np.bincount(self.codes[rows], minlength=int(self.codes.max()) + 1)
        rare = int(counts.argmin())
        if counts[rare] < parts:
            if self.codes is None or not self.codes.any():
                raise DataError(
                    f"there are {len(rows)} rows, and the {what} need at least {parts}; add rows "
                    "or use fewer folds."
                )
            label = repr(self.classes[rare]) if self.classes else f"number {rare}"
            raise DataError(
                f"class {label} has {counts[rare]} samples, and the {what} need at least {parts} "
                "of each class; add samples, remove the class or use fewer folds."
            )

    def take(self, rows: Rows, share: float, *, leave: int) -> tuple[Rows, Rows]:
        codes = self._of(rows, leave + 1)
        counts = np.bincount(codes)
        chosen = _apportion(counts, round(share * len(rows)), most=counts - leave)
        return _deal(rows, codes, chosen, self.rng)

    def folds(self, rows: Rows, k: int) -> Iterator[tuple[Rows, Rows]]:
        """Deal out like cards, stratum by stratum: sizes and counts differ by one at most."""
        shuffled = _by_stratum(rows, self._of(rows, k), self.rng)
        for fold in range(k):
            validation = np.sort(shuffled[fold::k])
            yield np.setdiff1d(rows, validation, assume_unique=True), validation


@dataclass(frozen=True, eq=False)
class _ByGroup:
    """No group is in two parts; classes are in about the same proportions, as groups allow."""

    groups: Rows
    strata: Rows
    rng: np.random.Generator

    def check(self, rows: Rows, parts: int, what: str) -> None:
        n = len(np.unique(self.groups[rows]))
        if n < parts:
            raise DataError(
                f"there are {n} groups, and the {what} need at least {parts}, since no group is in "
                "two of them; use fewer folds, or name a column of smaller groups."
            )

    def take(self, rows: Rows, share: float, *, leave: int) -> tuple[Rows, Rows]:
        part = self._dealt(rows, np.array([1 - share, share]), np.array([leave, 1]))
        return rows[part == 0], rows[part == 1]

    def folds(self, rows: Rows, k: int) -> Iterator[tuple[Rows, Rows]]:
        part = self._dealt(rows, np.full(k, 1 / k), np.ones(k, np.int64))
        for fold in range(k):
            yield rows[part != fold], rows[part == fold]

    def _dealt(self, rows: Rows, shares: NDArray[np.float64], least: NDArray[np.int64]) -> Rows:
        """The part of each row: groups, in random order, go where their classes lack most.

        After Sechidis, Tsoumakas and Vlahavas (On the stratification of multi-label data, 2011).
        """
        names, group = np.unique(self.groups[rows], return_inverse=True)
        n, k = len(names), int(self.strata.max()) + 1
        order = self.rng.permutation(n)
        if n > MANY_GROUPS:
            sizes = np.cumsum(np.bincount(group)[order])
            part = np.empty(n, np.int64)
            part[order] = np.searchsorted(np.cumsum(shares)[:-1] * len(rows), sizes)
            return part[group]
        table = np.bincount(group * k + self.strata[rows], minlength=n * k).reshape(n, k)
        lacking = shares[:, None] * table.sum(axis=0)
        weights = 1.0 / np.maximum(table.sum(axis=0), 1)
        part = np.empty(n, np.int64)
        held = np.zeros(len(shares), np.int64)
        for left, one in zip(range(n, 0, -1), order.tolist(), strict=True):
            want = lacking @ (table[one] * weights)
            short = np.maximum(least - held, 0)
            if short.sum() >= left:  # no more groups than parts that still need one
                want = np.where(short > 0, want, -np.inf)
            to = int(want.argmax())
            part[one], held[to] = to, held[to] + 1
            lacking[to] -= table[one]
        return part[group]


@dataclass(frozen=True, eq=False)
class _ByTime:
    """What comes later is never known before; rows of the same time are in the same part."""

    times: NDArray[np.float64]

    def check(self, rows: Rows, parts: int, what: str) -> None:
        n = len(np.unique(self.times[rows]))
        if n < parts:
            raise DataError(
                f"there are {n} distinct times, and the {what} need at least {parts}, since each "
                "ends before the next begins; use fewer folds, or name a column of finer times."
            )

    def take(self, rows: Rows, share: float, *, leave: int) -> tuple[Rows, Rows]:
        [rest, taken] = self._cut(rows, [1 - share], leave)
        return rest, taken

    def folds(self, rows: Rows, k: int) -> Iterator[tuple[Rows, Rows]]:
        """Expanding windows, as of scikit-learn's TimeSeriesSplit: all before a block tell it."""
        blocks = self._cut(rows, [(i + 1) / (k + 1) for i in range(k)], 1)
        for fold in range(k):
            yield np.sort(np.concatenate(blocks[: fold + 1])), blocks[fold + 1]

    def _cut(self, rows: Rows, shares: Sequence[float], first: int) -> list[Rows]:
        """Cut the rows, in the order of time, where the time changes nearest to each share.

        Args:
            rows: to be cut.
            shares: of the rows, ascending, before each cut.
            first: distinct times that the first piece has at least.
        """
        order = rows[np.argsort(self.times[rows], kind="stable")]
        changes = np.flatnonzero(np.diff(self.times[order])) + 1
        at, lowest = [0], first - 1
        for number, share in enumerate(shares):
            last = len(changes) - (len(shares) - number)  # what later cuts need stays
            here = np.abs(changes[lowest : last + 1] - share * len(rows)).argmin() + lowest
            at.append(int(changes[here]))
            lowest = int(here) + 1
        return [np.sort(order[a:b]) for a, b in pairwise([*at, len(rows)])]


def _apportion(
    counts: NDArray[np.int64],
    total: int,
    *,
    least: NDArray[np.int64] | int = 1,
    most: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Share ``total`` among strata in proportion to their counts, by largest remainders.

    Each share lies between ``least`` and ``most``, even where the total then differs.
    """
    quota = counts * (total / counts.sum())
    share = np.floor(quota).astype(np.int64)
    remainder_order = np.argsort(share - quota, kind="stable")
    share[remainder_order[: total - int(share.sum())]] += 1
    shares: NDArray[np.int64] = np.clip(share, least, most)
    return shares


def _deal(
    rows: Rows, codes: Rows, chosen: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Rows, Rows]:
    """Split rows in two: ``chosen[c]`` random rows of each stratum c go to the second part."""
    order = _order_by_stratum(codes, rng)
    sorted_codes = codes[order]
    first = np.searchsorted(sorted_codes, np.arange(len(chosen)))
    picked = np.arange(len(rows)) - first[sorted_codes] < chosen[sorted_codes]
    return np.sort(rows[order[~picked]]), np.sort(rows[order[picked]])


def _by_stratum(rows: Rows, codes: Rows, rng: np.random.Generator) -> Rows:
    """The rows in random order within each stratum, and the strata one after another."""
    return rows[_order_by_stratum(codes, rng)]


def _order_by_stratum(codes: Rows, rng: np.random.Generator) -> Rows:
    shuffled = rng.permutation(len(codes))
    return shuffled[np.argsort(codes[shuffled], kind="stable")]
