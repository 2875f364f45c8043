"""Stratified splits: training, validation and test parts, or k folds over one test part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpsearch.errors import DataError

__all__ = ["Split", "make_splits", "stratified_sample"]

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Three disjoint sets of rows, which together are all rows.

    Args:
        train: rows to learn from, shape (n_train,), int64, ascending.
        validation: rows that choose between trials, shape (n_validation,), int64, ascending.
        test: rows that are looked at once, at the end, shape (n_test,), int64, ascending.
    """

    train: Rows
    validation: Rows
    test: Rows


def make_splits(
    y: NDArray[np.int64],
    *,
    test: float = 0.2,
    validation: float = 0.2,
    folds: int = 1,
    seed: int,
    fixed_test: int | None = None,
    classes: Sequence[str | int] | None = None,
) -> tuple[Split, ...]:
    """Divide rows class by class, so that every part has the classes in the same proportions.

    The test part is drawn first, from ``y``, ``test`` and ``seed``, so it is the same whatever the
    folds are. CS231n, lecture 6: cross-validation.

    Args:
        y: class codes, shape (n,), int64.
        test: fraction of all rows in the test part; unused where ``fixed_test`` is given.
        validation: fraction, of the rows that are not in the test part, in the validation part;
            unused with several folds, where it is 1 / folds.
        folds: 1 for one validation part, k for k folds over the rows that are not in the test part.
        seed: a non-negative integer; the same seed gives the same splits.
        fixed_test: the rows from here on are the test part (data that come with one);
            ``len(y)`` for no test part.
        classes: labels of the codes, for messages.

    Returns:
        One `Split` a fold, all with the same test part.

    Raises:
        DataError: a fraction is not between 0 and 1, there are too few folds, or a class has too
            few samples to be in every part.

    >>> y = np.array([0, 1] * 50)
    >>> [split] = make_splits(y, seed=7)
    >>> len(split.train), len(split.validation), len(split.test)
    (64, 16, 20)
    """
    _check_request(len(y), test, validation, folds, fixed_test)
    rng = np.random.default_rng(seed)
    counts = np.bincount(y)
    parts = max(folds, 2)  # training and validation, or k folds: a row of each class in every one
    if fixed_test is None:
        _check_counts(counts, parts + 1, classes, "training, validation and test parts")
        test_counts = _apportion(counts, round(test * len(y)), most=counts - parts)
        rest, test_rows = _deal(np.arange(len(y)), y, test_counts, rng)
    else:
        rest, test_rows = np.arange(fixed_test), np.arange(fixed_test, len(y))
        held = np.bincount(y[rest], minlength=len(counts))
        _check_counts(held, parts, classes, "training and validation parts")
    if folds == 1:
        held = np.bincount(y[rest], minlength=len(counts))
        chosen = _apportion(held, round(validation * len(rest)), most=held - 1)
        train, validation_rows = _deal(rest, y, chosen, rng)
        return (Split(train, validation_rows, test_rows),)
    return tuple(
        Split(np.setdiff1d(rest, fold, assume_unique=True), fold, test_rows)
        for fold in _folds(rest, y, folds, rng)
    )


def stratified_sample(y: NDArray[np.int64], size: int, *, seed: int) -> Rows:
    """Choose ``size`` rows with the classes in their proportions.

    Args:
        y: class codes, shape (n,), int64.
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
    rows: int, test: float, validation: float, folds: int, fixed_test: int | None
) -> None:
    fractions = {"validation": validation} if folds == 1 else {}
    if fixed_test is None:
        fractions["test"] = test
    elif not 0 < fixed_test <= rows:
        raise DataError(f"the test part starts at row {fixed_test}, and there are {rows} rows.")
    for part, fraction in fractions.items():
        if not 0 < fraction < 1:
            raise DataError(
                f"the {part} part must be a fraction between 0 and 1, not {fraction}; 0.2 is usual."
            )
    if folds < 1:
        raise DataError(f"folds must be 1 or more, not {folds}.")


def _check_counts(
    counts: NDArray[np.int64], least: int, classes: Sequence[str | int] | None, parts: str
) -> None:
    rare = int(counts.argmin())
    if counts[rare] < least:
        label = repr(classes[rare]) if classes else f"number {rare}"
        raise DataError(
            f"class {label} has {counts[rare]} samples, and the {parts} need at least {least} of "
            "each class; add samples, remove the class or use fewer folds."
        )


def _apportion(
    counts: NDArray[np.int64],
    total: int,
    *,
    least: NDArray[np.int64] | int = 1,
    most: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Share ``total`` among classes in proportion to their counts, by largest remainders.

    Each share lies between ``least`` and ``most``, even where the total then differs.
    """
    quota = counts * (total / counts.sum())
    share = np.floor(quota).astype(np.int64)
    remainder_order = np.argsort(share - quota, kind="stable")
    share[remainder_order[: total - int(share.sum())]] += 1
    shares: NDArray[np.int64] = np.clip(share, least, most)
    return shares


def _deal(
    rows: Rows, y: NDArray[np.int64], chosen: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Rows, Rows]:
    """Split rows in two: ``chosen[c]`` random rows of each class c go to the second part."""
    shuffled = _by_class(rows, y, rng)
    labels = y[shuffled]
    first = np.searchsorted(labels, np.arange(len(chosen)))
    picked = np.arange(len(rows)) - first[labels] < chosen[labels]
    return np.sort(shuffled[~picked]), np.sort(shuffled[picked])


def _folds(
    rows: Rows, y: NDArray[np.int64], folds: int, rng: np.random.Generator
) -> tuple[Rows, ...]:
    """Deal rows out like cards, class after class: sizes and class counts differ by one at most."""
    shuffled = _by_class(rows, y, rng)
    return tuple(np.sort(shuffled[fold::folds]) for fold in range(folds))


def _by_class(rows: Rows, y: NDArray[np.int64], rng: np.random.Generator) -> Rows:
    """The rows in random order within each class, and the classes one after another."""
    shuffled = rng.permutation(rows)
    return shuffled[np.argsort(y[shuffled], kind="stable")]
