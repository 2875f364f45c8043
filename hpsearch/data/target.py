"""What a target is: classes to tell apart, or a quantity to predict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.in_memory import labels_of
from hpsearch.errors import DataError, shown
from hpsearch.metrics import Task

__all__ = [
    "Nature",
    "Scale",
    "Target",
    "as_target",
    "check_target",
    "given_codes",
    "nature_of",
    "refuse_identifier",
]

FEW = 10
"""Up to so many distinct whole numbers are classes; and as many fractions, with doubt."""

SOME = 20
"""Up to so many distinct numbers are doubtful."""

UNEVEN = 0.35
"""Numbers of rows that differ more than this, beside their mean, are no classes drawn alike."""


@dataclass(frozen=True, eq=False)
class Target:
    """What is learned, of each sample.

    Args:
        y: class codes (n,), int64, each in 0..k-1; or a quantity (n,), float64, finite.
        classes: the k labels, ``classes[code]`` is one; empty for a quantity.
        why: it was taken for that, in words; empty where the task was given.
    """

    y: NDArray[np.int64] | NDArray[np.float64]
    classes: tuple[str | int, ...]
    why: str = ""

    @property
    def task(self) -> Task:
        """What it asks for."""
        return "classification" if self.classes else "regression"


@dataclass(frozen=True)
class Scale:
    """Between a quantity in its own units and what a network learns: mean 0 and deviation 1.

    Attributes:
        mean: of the training rows.
        deviation: likewise; 1 where they are all the same.

    >>> scale = Scale.of(np.array([10.0, 20.0, 30.0]))
    >>> scale.restored(scale.standardized(np.array([10.0, 40.0]))).round(4).tolist()
    [10.0, 40.0]
    """

    mean: float
    deviation: float

    @classmethod
    def of(cls, y: NDArray[np.float64], weight: NDArray[Any] | None = None) -> Scale:
        """That of a quantity (n,), of training rows only, each counting as much as its weight."""
        mean = float(np.average(y, weights=weight))
        variance = float(np.average((y - mean) ** 2, weights=weight))
        return cls(mean, math.sqrt(variance) or 1.0)

    def standardized(self, y: NDArray[np.float64]) -> NDArray[np.float32]:
        """What a network learns (n, 1)."""
        return ((y - self.mean) / self.deviation).astype(np.float32)[:, None]

    def restored(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """What a network's outputs (n, 1) say, in the target's own units (n,)."""
        return outputs[:, 0].astype(np.float64) * self.deviation + self.mean


@dataclass(frozen=True)
class Nature:
    """What numbers look like.

    Attributes:
        task: classes or a quantity.
        why: in words.
        doubtful: whether it may well be the other.
    """

    task: Task
    why: str
    doubtful: bool = False

    @property
    def told(self) -> str:
        """The decision, its reason, and where it is doubtful how to set it."""
        other = "classification" if self.task == "regression" else "regression"
        hint = f'; if that is wrong, set [data] task = "{other}"' if self.doubtful else ""
        return f"{self.task}, since the target has {self.why}{hint}"


def nature_of(values: NDArray[Any]) -> Nature:
    """Whether numbers stand for classes or for a quantity.

    Args:
        values: of the target (n,), finite.

    >>> nature_of(np.array([0, 1, 2, 1, 0])).told
    'classification, since the target has 3 whole numbers'
    >>> nature_of(np.linspace(0, 1, 50)).task
    'regression'
    """
    labels, counts = np.unique(values, return_counts=True)
    n, rows = len(labels), len(values)
    whole = bool((labels == np.floor(labels)).all())
    kind = "whole numbers" if whole else "numbers"
    many = f"{n:,} distinct {kind} in {rows:,} rows"
    if n <= FEW:
        return Nature("classification", f"{n} {kind}", doubtful=not whole and n > 2)
    if not whole:
        return Nature("regression", many, doubtful=n <= SOME)
    if (n > SOME and n > rows / 5) or _tails_off(labels, counts):
        return Nature("regression", many, doubtful=n <= rows / 5)
    return Nature("classification", many, doubtful=True)


def _tails_off(labels: NDArray[Any], counts: NDArray[np.int64]) -> bool:
    """Whole numbers, some of them there once as in the tail of a distribution, are no classes.

    They are many, or of few rows each; or the first or the last is there once, and the others'
    numbers of rows differ more than those of classes that were drawn alike.
    """
    lonely = counts == 1
    if not lonely.any():
        return False
    others, rows = counts[~lonely], int(counts.sum())
    uneven = len(others) > 0 and others.std() > UNEVEN * others.mean()
    ends = lonely[0] or lonely[-1]
    few_rows = rows < 10 * len(labels)
    return bool(lonely.sum() > len(labels) / 10 or few_rows or (ends and uneven))


def as_target(name: str, y: Any, task: Task | None = None) -> Target:
    """Labels as codes 0..k-1 in sorted order, or a quantity as it is.

    Args:
        name: the data set, for messages.
        y: shape (n,), integers, booleans, text or floats.
        task: what it is; None to decide by what it holds.

    Returns:
        The target; integers stay integers as labels, all else is text.

    Raises:
        DataError: there is not one number or label a sample, some are missing, or they look like
            names of the rows.

    >>> as_target("toy", [7, 3, 7]).classes
    (3, 7)
    """
    array = labels_of(name, y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"{name}: labels must be one per sample, and their shape is {array.shape}.")
    if array.dtype.kind == "S":
        array = np.array([text.decode("utf-8", "replace") for text in array], dtype=object)
    if array.dtype.kind not in "biufUO":
        raise DataError(
            f"{name}: labels must be integers or text, not of type {array.dtype}; make them text "
            "with y.astype(str)."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array))[0])
        raise DataError(f"{name}: the label of row {row + 1} is missing or infinite; give it one.")
    why = ""
    if task is None:
        nature = _nature(array)
        task, why = nature.task, nature.told
    if task == "classification":
        return Target(*_coded(name, array), why)
    if array.dtype.kind in "UO":
        raise DataError(
            f"{name}: a regression needs a target of numbers, and that of row 1 is "
            f"{shown(array[0])}; name another target, or set task to classification."
        )
    return Target(array.astype(np.float64), (), why)


def _nature(array: NDArray[Any]) -> Nature:
    if array.dtype.kind in "UO":
        return Nature("classification", "text")
    if array.dtype.kind == "b":
        return Nature("classification", "true and false")
    return nature_of(array)


def _coded(name: str, array: NDArray[Any]) -> tuple[NDArray[np.int64], tuple[str | int, ...]]:
    """The code of each label, and the labels."""
    if array.dtype.kind in "biuf":
        labels, codes = np.unique(array, return_inverse=True)
    else:
        labels, codes = _unique_texts(array)
    refuse_identifier(name, len(labels), len(array))
    whole = array.dtype.kind in "biuf" and bool((labels == np.floor(labels)).all())
    named = tuple(int(v) for v in labels) if whole else tuple(str(v) for v in labels)
    return codes.astype(np.int64), named


def _unique_texts(array: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """`numpy.unique` of texts; sorting an array of fixed width would copy the longest for each."""
    texts = array.tolist()
    labels = sorted(set(texts))
    code = {text: number for number, text in enumerate(labels)}
    codes = np.fromiter((code[text] for text in texts), np.int64, len(texts))
    return np.array([*labels, ""], dtype=object)[:-1], codes


def refuse_identifier(name: str, labels: int, rows: int) -> None:
    """Refuse so many distinct labels that they are names of the rows.

    Raises:
        DataError: they are more than 20, and half of the rows.
    """
    if labels > max(SOME, rows / 2):
        raise DataError(
            f"{name}: the target has {labels} distinct labels in {rows} rows, which looks "
            "like an identifier; name the column that is to be learned."
        )


def check_target(name: str, target: Target) -> None:
    """Refuse what nothing can be learned about.

    Raises:
        DataError: fewer than two classes, a class with one sample, or a quantity that never varies
            or is so large that its square is infinite.
    """
    if target.task == "regression":
        if len(target.y) == 0 or target.y.min() == target.y.max():
            raise DataError(f"{name}: the target never varies, so there is nothing to learn.")
        with np.errstate(over="ignore", invalid="ignore"):
            squares = float(np.var(target.y)) * len(target.y)
        if not math.isfinite(squares):
            row = int(np.abs(target.y).argmax())
            raise DataError(
                f"{name}: the target of row {row + 1} is {target.y[row]:.3g}, so large that "
                "squared errors are infinite; correct it, or give the target in other units."
            )
        return
    classes = target.classes
    counts = np.bincount(target.y.astype(np.int64), minlength=len(classes))
    if np.count_nonzero(counts) < 2:
        only = f"only {shown(classes[int(target.y[0])])}" if len(target.y) else "no label at all"
        raise DataError(f"{name}: at least two classes are needed, and there is {only}.")
    if counts.min() < 2:
        rare = int(counts.argmin())
        amount = "one sample" if counts[rare] else "no sample"
        raise DataError(
            f"{name}: class {shown(classes[rare])} has {amount}; training, validation and test "
            f"need one each, so add samples or remove the class{_or_quantity(classes)}."
        )


def _or_quantity(classes: Sequence[str | int]) -> str:
    """What else labels of numbers may be."""
    numbers = all(isinstance(label, int) for label in classes)
    return ', or set [data] task = "regression" if it is a quantity' if numbers else ""


def given_codes(name: str, y: Any, classes: Sequence[str | int]) -> Target:
    """Codes that a format defines, checked against its number of classes.

    Raises:
        DataError: a code is none of them.
    """
    codes = np.asarray(y).astype(np.int64)
    wrong = np.flatnonzero((codes < 0) | (codes >= len(classes)))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{name}: the label of row {row + 1} is {codes[row]}, outside 0 to {len(classes) - 1}; "
            "the file is damaged or of another data set."
        )
    return Target(codes, tuple(classes))
