"""Every experiment, measured once, smaller where its claim holds as well."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

from hpsearch.data import load_dataset
from hpsearch.lab import EXPERIMENTS

SMALLER: dict[str, dict[str, Any]] = {
    "zig-zag": {"updates": 150, "looks": 10},
    "dead-relus": {"repeats": 2, "epochs": 5, "rates": (0.01, 0.1, 1.0, 3.0)},
    "preprocessing": {"points": 200, "steps": 250},
    "initialization": {"samples": 100},
    "batch-norm": {"samples": 100},
    "coarse-to-fine": {"trials": 36},
}


@cache
def _measured(name: str) -> Any:
    sizes = dict(SMALLER.get(name, {}))
    if name == "coarse-to-fine":
        sizes["dataset"] = load_dataset("digits")
    with threadpool_limits(1):
        return EXPERIMENTS[name].data(seed=0, **sizes)


@pytest.fixture(scope="session")
def measured() -> Callable[[str], Any]:
    return _measured
