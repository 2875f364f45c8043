"""Search strategies by name, and the driver that runs one on any Python function."""

from __future__ import annotations

from hpsearch.search.base import Configuration, Move, Result, Slot, Stage, Strategy, Winner
from hpsearch.search.run import SearchReport, run_search
from hpsearch.search.strategies import STRATEGIES, make_strategy

__all__ = [
    "STRATEGIES",
    "Configuration",
    "Move",
    "Result",
    "SearchReport",
    "Slot",
    "Stage",
    "Strategy",
    "Winner",
    "make_strategy",
    "run_search",
]
