"""Comparisons that never ran, for tests of what is said and drawn of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hpsearch.compare.progress import make_progress
from hpsearch.compare.result import Comparison, StrategyRuns
from hpsearch.data.account import Account
from hpsearch.search.base import Slot
from hpsearch.space import Float, Space

SPACE = Space({"rate": Float(1e-4, 1.0, log=True), "decay": Float(0.0, 1.0)})


def strategy_runs(
    name: str,
    validation: Sequence[Sequence[float]],
    test: Sequence[float],
    refit: float = 0.9,
    *,
    raced: bool = False,
) -> StrategyRuns:
    """A strategy whose trials cost 1 each; one row of validation scores for each repeat."""
    rng = np.random.default_rng(0)
    return StrategyRuns(
        strategy=name,
        progress=tuple(make_progress(np.ones(len(row)), row, row) for row in validation),
        trials=np.array([len(row) for row in validation]),
        stopped=np.zeros(len(validation), dtype=np.int64),
        validation=np.array([max(row) for row in validation]),
        test=np.array(test),
        refit=np.full(len(test), refit),
        scores=tuple(np.array([row, row]).T for row in validation),
        slots=tuple(
            tuple(Slot(0, i, SPACE.sample(rng), 0, 1) for i in range(len(row)))
            for row in validation
        ),
        raced=raced,
    )


def comparison(*runs: StrategyRuns, name: str = "c") -> Comparison:
    """What these strategies came to with a budget of 4 epochs."""
    data = {
        "name": "made-up",
        "rows": 500,
        "columns": 2,
        "classes": ["a", "b"],
        "fingerprint": "0123",
        "notes": [],
        "account": Account(500, 2).document(),
        "train": 300,
        "validation": 100,
        "test": 100,
    }
    members = {c.strategy: c for c in runs}
    return Comparison(name, data, "epochs", 4.0, 1, SPACE, members)
