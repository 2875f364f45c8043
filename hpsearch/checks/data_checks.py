"""What the columns and the classes look like: missing, constant, of odd scale, or rare."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hpsearch.checks.check import Check, excluding, listed, verdict_above
from hpsearch.checks.context import CheckContext
from hpsearch.data import Dataset, Split
from hpsearch.data.account import quoted

__all__ = [
    "class_balance",
    "codes_for_missing",
    "constant_columns",
    "missing_values",
    "scale",
    "target_spread",
]

SCALE = "scale of the inputs"
"""The name of that check, on which advice is given."""

MISSING = 0.05
"""A share of missing values without consequence (Schafer, Multiple imputation: a primer, 1999)."""

PIXELS = 16
"""Columns that share a background before they are taken for an image or a sparse table."""

LARGE, HUGE = 10.0, 100.0
"""Inputs so far from the unit size that initializations are derived for are odd, or a fault: the
initial loss grows with them, and the learning rate that a layer bears falls with their square."""

CELLS = 1 << 20

SMALL = 0.001
"""A column so much smaller than the largest carries next to nothing."""

OUTLYING = 10.0
"""Deviations from the mean at which one value of a quantity weighs as much as a hundred others."""

RARE = 0.2
"""A class is rare below this share of what it would have if all were equally frequent."""


def missing_values(dataset: Dataset, split: Split) -> Check:
    """Columns of the training part in which values are missing.

    Args:
        dataset: its NaN are the missing values.
        split: only the training part is looked at.
    """
    missing = sum(np.isnan(rows).sum(axis=0) for rows in _chunks(dataset, split))
    shares = np.asarray(missing) / len(split.train)
    worst = int(shares.argmax())
    empty = np.flatnonzero(shares == 1)
    often = np.flatnonzero(shares > MISSING)
    names = dataset.feature_names
    if len(empty):
        advice = (
            f"{listed([repr(names[j]) for j in empty])} without any value: look why nothing was "
            f"read, or {excluding([names[j] for j in empty])}"
        )
    elif len(often):
        advice = (
            f"{listed([repr(names[j]) for j in often])}: imputing so much invents data; find the "
            f"values, or {excluding([names[j] for j in often])}"
        )
    elif shares.any():
        advice = "so few are imputed with the training median without harm"
    else:
        advice = "every value is there"
    affected = int(np.count_nonzero(shares))
    unlabelled = dataset.account.unlabelled
    if unlabelled:
        lacking = f"{unlabelled:,} rows have no label and are left out: find the labels, if you can"
        advice = f"{lacking}; {advice}" if len(often) else lacking
    return Check(
        "missing values",
        "warn" if len(often) or unlabelled else "pass",
        f"{affected} of {len(shares)} columns"
        + (f", {shares[worst]:.1%} at most" if affected else "")
        + (f"; {unlabelled:,} rows without a label" if unlabelled else ""),
        f"under {MISSING:.0%} of a column",
        advice,
        tuple(names[j] for j in empty),
    )


def codes_for_missing(dataset: Dataset) -> Check:
    """Numbers such as -999 that stand away from a column's others and may mean a missing value.

    Args:
        dataset: its account names them.
    """
    codes = dataset.account.codes
    found = listed([f"{quoted(name)}: {code}" for name, code in codes.items()])
    return Check(
        "codes for missing values",
        "warn" if codes else "pass",
        found or "none",
        "none",
        f"{found}: if that means missing, leave the cells empty, since such a number is learned "
        "from like any other"
        if codes
        else "no number stands away from the others of its column",
    )


def constant_columns(dataset: Dataset, split: Split) -> Check:
    """Columns of the training part that hold one value only.

    Those at the edge of images, or of rare words in a sparse table, hold the background that most
    other columns hold too; they do no harm and are no reason to warn.

    Args:
        dataset: what to learn from.
        split: only the training part is looked at.
    """
    low = np.full(dataset.X.shape[1], np.nan, np.float32)
    high = low.copy()
    for rows in _chunks(dataset, split):
        low = np.fmin(low, np.fmin.reduce(rows, axis=0))
        high = np.fmax(high, np.fmax.reduce(rows, axis=0))
    constant = np.flatnonzero(low == high)
    varying = low[low < high]
    harmless = _shares_background(varying) and bool((low[constant] == varying.min()).all())
    useless: tuple[str, ...] = ()
    if not len(constant):
        advice = "every column varies"
    elif harmless:
        advice = "they hold the background that most columns hold, as the edge of an image does"
    elif not len(varying):
        advice = "all of them are the same in every row, so nothing can be learned from these"
    else:
        named = listed([repr(dataset.feature_names[j]) for j in constant])
        useless = tuple(dataset.feature_names[j] for j in constant)
        advice = (
            f"{named}: the same in every row; look whether it was read right, or "
            f"{excluding(useless)}"
        )
    return Check(
        "constant columns",
        "warn" if len(constant) and not harmless else "pass",
        f"{len(constant)} of {len(low)}",
        "0",
        advice,
        useless,
    )


def _chunks(dataset: Dataset, split: Split) -> Iterator[NDArray[np.float32]]:
    """The rows of the training part, some megabytes at a time: a copy of all may be a gigabyte."""
    step = max(1, CELLS // dataset.X.shape[1])
    for start in range(0, len(split.train), step):
        yield dataset.X[split.train[start : start + step]]


def _shares_background(low: NDArray[np.float32]) -> bool:
    """Whether most of many columns have the same smallest value, as pixels and counts do."""
    return len(low) >= PIXELS and float(np.mean(low == low.min())) > 0.5


def scale(context: CheckContext, names: tuple[str, ...]) -> Check:
    """How large the columns are that the network sees, after preprocessing.

    Args:
        context: the prepared rows.
        names: of the columns, where preprocessing keeps them one for one; else they are numbered.
    """
    X = context.X.astype(np.float64)
    sizes = np.sqrt(np.mean(X * X, axis=0))
    deviations = X.std(axis=0)
    largest = int(sizes.argmax())
    name = repr(names[largest]) if len(names) == len(sizes) else f"input {largest + 1}"
    varying = deviations > 0
    small = deviations[varying] < SMALL * sizes[largest]
    image = _shares_background(context.X.min(axis=0)[varying])
    verdict = verdict_above(float(sizes[largest]), LARGE, HUGE)
    kind = context.spec.preprocessing
    if verdict != "pass":
        advice = (
            f"{name} is {sizes[largest]:.3g} in size after preprocessing = {kind!r}: initial "
            "weights and learning rates are made for about 1; use 'standardize'"
        )
    elif sizes[largest] < 1 / HUGE:
        verdict = "warn"
        advice = "the inputs are next to nothing, and so are their gradients; use 'standardize'"
    elif small.any() and not image and kind != "pca":
        verdict = "warn"
        advice = (
            f"{name} is over {1 / SMALL:,.0f} times larger than {int(small.sum())} of the columns, "
            "which hardly count so; use 'standardize'"
        )
    else:
        advice = "the size that initial weights are made for"
    return Check(
        SCALE,
        verdict,
        f"largest {sizes[largest]:.3g}{context.looked_at}",
        f"about 1, under {LARGE:g}",
        advice,
    )


def target_spread(dataset: Dataset, split: Split) -> Check:
    """Whether a few values of a quantity stand so far out that they are all that is learned.

    Args:
        dataset: what to learn from.
        split: only the training part is looked at.
    """
    y = dataset.y[split.train].astype(np.float64)
    middle, deviation = float(np.mean(y)), float(np.std(y)) or 1.0
    away = np.abs(y - middle) / deviation
    farthest = y[int(away.argmax())]
    far = float(away.max()) > OUTLYING
    return Check(
        "spread of the target",
        "warn" if far else "pass",
        f"{farthest:.6g} is {away.max():.1f} deviations from the mean",
        f"under {OUTLYING:g}",
        "a few values far out weigh more in the squared error than all others together: try "
        '[training] loss = "huber" or "absolute-error", and look whether they are right'
        if far
        else "no value weighs more than all others",
    )


def class_balance(dataset: Dataset, split: Split) -> Check:
    """Whether a class of the training part is rare.

    Args:
        dataset: what to learn from.
        split: only the training part is looked at.
    """
    counts = np.bincount(dataset.y[split.train], minlength=len(dataset.classes))
    share, least = counts.min() / counts.sum(), RARE / len(counts)
    rarest, commonest = (str(dataset.classes[int(j)]) for j in (counts.argmin(), counts.argmax()))
    balanced = share >= least
    return Check(
        "class balance",
        "pass" if balanced else "warn",
        f"class {rarest}: {share:.1%}",
        f"{1 / len(counts):.1%}, over {least:.1%}",
        "every class is frequent enough to count"
        if balanced
        else f"{rarest!r} is rare ({counts.min()} rows): answering {commonest!r} is right in "
        f"{counts.max() / counts.sum():.1%} already; choose a metric that "
        'minds it ([objective] metric = "balanced_accuracy"), or get more rows',
    )
