"""Run studies: slots go out to workers, results come back into the store.

- A **slot** is a place in a stage: which configuration is trained there, with what seed, how long.
- A **trial** is the store's row of a slot; Optuna's word. Read back it is a `TrialRow`.
- A **job** is what a worker is given to train a slot, or anything else; `Attempts` are a job and
  what came of each try.
- A **result** is what that came to: `Outcome` whole, `Result` as far as a strategy reads it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpsearch.engine.run import run_study
    from hpsearch.engine.summary import Summary, summarize

__all__ = ["Summary", "run_study", "summarize"]


def __getattr__(name: str) -> Any:
    # A worker imports this package for one small module of it, and should not import the rest.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "run" if name == "run_study" else "summary"
    return getattr(import_module(f"{__name__}.{module}"), name)
