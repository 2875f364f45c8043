"""Data that any sound network learns, to plant faults into."""

from __future__ import annotations

from typing import Any

import numpy as np

from hpsearch.checks import Check, check_data_and_network, check_network
from hpsearch.checks.study import check_data
from hpsearch.data import Dataset, Split, make_splits
from hpsearch.study_file import StudyFile, default_space
from hpsearch.study_file.data import study_data

SOUND = {"width": 32, "depth": 2, "learning_rate": 0.01}


def blobs(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three overlapping clouds in six columns."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    return 2 * rng.normal(size=(3, 6))[y] + rng.normal(size=(n, 6)), y


def divided(X: Any, y: Any, **settings: Any) -> tuple[Dataset, Split]:
    data = Dataset.from_arrays("blobs", X, y, **settings)
    return data, make_splits(data.y, seed=0)[0]


def checked(data: Dataset, split: Split, **configuration: Any) -> list[Check]:
    """All checks, as a study makes them."""
    configured = SOUND | configuration
    return [
        *check_data(data, split),
        *check_network(data, split, configured, space=default_space()),
    ]


def check_study(study: StudyFile) -> list[Check]:
    """All checks of a study, as `hpsearch check` makes them."""
    dataset, splits = study_data(study.data, study.seed)
    return check_data_and_network(study, dataset, splits[0])


def odd(checks: list[Check]) -> dict[str, str]:
    """The verdicts that are not pass, by the check's name."""
    return {check.name: check.verdict for check in checks if check.verdict != "pass"}
