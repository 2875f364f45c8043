"""What is wrong with how rows were divided: groups on two sides, dates, drift, near-duplicates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpsearch.checks.check import Check, listed
from hpsearch.data import Dataset, Preprocessor, Split

__all__ = ["drift", "drifts_with", "groups_apart", "near_duplicates", "order_in_time", "parts_said"]

ROWS = 2000
"""Rows that are held out and looked at."""

TRAIN_ROWS = 20_000
"""Rows of the training part that they are compared with."""

CELLS = 20_000_000
"""Cells of the rows that are compared; fewer rows are taken where they are wide."""

NEAR = 0.05
"""Of the distance to the fifth nearest row: who is nearer than this is the same row, retouched."""

LEAST_INPUTS = 3
"""In fewer dimensions some neighbours are that near by chance."""

ODD = 0.01
"""A few coincidences are natural."""

DRIFT = 0.1
"""A correlation, or Cramér's V, that is small (Cohen, Statistical power analysis, 1988)."""

CERTAIN = 1e-3
"""The chance of so much drift where there is none."""


def groups_apart(dataset: Dataset, split: Split) -> Check:
    """Columns of names whose values repeat on two sides, and which nobody has named as groups.

    Args:
        dataset: its suspects are looked at.
        split: its parts.
    """
    held_out = np.concatenate([split.validation, split.test])
    found = {}
    for name, suspect in dataset.suspects.items():
        if suspect.kind == "groups":
            here, there = (np.unique(suspect.values[rows]) for rows in (split.train, held_out))
            found[name] = (int(np.isin(there, here).sum()), len(there))
    shared = {name: counts for name, counts in found.items() if counts[0]}
    if not shared:
        return Check(
            "groups",
            "pass",
            "no group on two sides",
            "none",
            "no column of names, such as a patient's, repeats in two parts",
        )
    told = [f"{name!r}: {n:,} of {of:,}" for name, (n, of) in shared.items()]
    names = list(shared)
    return Check(
        "groups",
        "warn",
        f"{listed(told)} held out are in training too",
        "none on two sides",
        f"if rows of one {names[0]!r} belong together, as those of a patient do, scores measure "
        f'memory: set [data] groups = "{names[0]}"',
    )


def order_in_time(dataset: Dataset) -> Check:
    """Dates that nobody has named as the order in time.

    Args:
        dataset: its suspects are looked at.
    """
    dates = [name for name, suspect in dataset.suspects.items() if suspect.kind == "time"]
    if dataset.division.time is not None or not dates:
        why = "rows are divided in it" if dataset.division.time is not None else "no dates"
        return Check("order in time", "pass", why, "named, if there is one", "nothing is told late")
    return Check(
        "order in time",
        "warn",
        f"dates in {listed([repr(name) for name in dates])}",
        "named as time",
        "if the network is to tell of times to come, scores on rows of the same time are too good: "
        f'set [data] time = "{dates[0]}"',
    )


def parts_said(dataset: Dataset) -> Check | None:
    """A column of train and test that nobody has named as the parts; None where there is none.

    Args:
        dataset: its suspects are looked at.
    """
    said = [name for name, suspect in dataset.suspects.items() if suspect.kind == "parts"]
    if not said:
        return None
    return Check(
        "parts of the rows",
        "warn",
        f"{said[0]!r} says which rows are to train and to test",
        "named as parts, or left out",
        "rows are divided at random, and the network reads the column: set "
        f'[data] parts = "{said[0]}"',
    )


def drift(dataset: Dataset, split: Split) -> Check | None:
    """Whether the target changes with time; None where no time is known.

    Args:
        dataset: its times, or the first of its dates.
        split: the test part's labels are not looked at.
    """
    times, name = dataset.division.time, "time"
    if times is None:
        dates = [(n, s.values) for n, s in dataset.suspects.items() if s.kind == "time"]
        if not dates:
            return None
        name, times = repr(dates[0][0]), dates[0][1].astype(np.float64)
    rows = np.concatenate([split.train, split.validation])
    strength, chance = _association(dataset.y[rows], times[rows], len(dataset.classes))
    drifts = strength > DRIFT and chance < CERTAIN
    measure = "Cramér's V" if dataset.classes else "rank correlation"
    return Check(
        "drift of the target",
        "warn" if drifts else "pass",
        f"{measure} with {name} {strength:.2f}",
        f"under {DRIFT}",
        "the target changes with time, so that the test part of a split at random flatters: divide "
        "by time, and expect worse of the future than of the past"
        if drifts
        else "the target does not change with time",
    )


def drifts_with(dataset: Dataset, times: NDArray[np.float64]) -> bool:
    """Whether the target changes with time by more than chance, and more than a little.

    Args:
        dataset: its target.
        times: when each row is from (n,).
    """
    strength, chance = _association(dataset.y, times, len(dataset.classes))
    return strength > DRIFT and chance < CERTAIN


def _association(
    y: NDArray[np.float64] | NDArray[np.int64], times: NDArray[np.float64], k: int
) -> tuple[float, float]:
    """How strongly the target goes with time, and the chance of that where it does not."""
    from scipy import stats

    if k == 0:
        found = stats.spearmanr(y, times)
        return abs(float(found.statistic)), float(found.pvalue)
    fifths = np.argsort(np.argsort(times, kind="stable"), kind="stable") * 5 // len(times)
    table = np.zeros((5, k))
    np.add.at(table, (fifths, y.astype(np.int64)), 1)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return 0.0, 1.0
    found = stats.chi2_contingency(table)
    return float(np.sqrt(found.statistic / (table.sum() * (min(table.shape) - 1)))), float(
        found.pvalue
    )


def near_duplicates(dataset: Dataset, split: Split, *, seed: int) -> Check:
    """Held-out rows that are a training row but for a touch, as copies with noise are.

    Args:
        dataset: its columns are standardized on the training part.
        split: its parts.
        seed: draws the rows that are looked at.
    """
    rng = np.random.default_rng([seed, 3])
    most = max(200, CELLS // dataset.X.shape[1] // 10)
    train = rng.permutation(split.train)[: min(TRAIN_ROWS, most * 10)]
    held_out = rng.permutation(np.concatenate([split.validation, split.test]))[: min(ROWS, most)]
    y, categories = dataset.y[train], dataset.nominal
    kind = Preprocessor.fit(dataset.X[train], "standardize", categories=categories, y=y)
    known, asked = kind.transform(dataset.X[train]), kind.transform(dataset.X[held_out])
    if known.shape[1] < LEAST_INPUTS or len(known) < 20 or not len(asked):
        return Check("near-duplicates", "pass", "too few columns to tell", "none", "nothing to see")
    nearest, fifth, same = _distances(asked, known)
    near = ~same & (nearest < NEAR * fifth)
    share = float(near.mean())
    odd = share > ODD and int(near.sum()) >= 3
    return Check(
        "near-duplicates",
        "warn" if odd else "pass",
        f"{int(near.sum())} of {len(asked):,} held out, {share:.1%}",
        f"under {ODD:.0%}",
        "rows that are held out are rows of the training part but for a touch, so that scores "
        'measure memory: name the column that tells what they are copies of, [data] groups = "..."'
        if odd
        else "no row is another one retouched",
    )


def _distances(
    asked: NDArray[np.float32], known: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """How far each row's nearest and fifth nearest are, and whether it equals the nearest."""
    from sklearn.neighbors import NearestNeighbors

    distances, rows = NearestNeighbors(n_neighbors=5).fit(known).kneighbors(asked)
    # Distances are rounded, and those of equal rows need not be 0.
    same = (asked == known[rows[:, 0]]).all(axis=1)
    return distances[:, 0], distances[:, 4], same
