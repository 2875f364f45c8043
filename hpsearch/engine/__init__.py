"""Run studies: slots go out to workers, outcomes come back into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpsearch.engine.run import run_study
    from hpsearch.engine.summary import Summary, summarize

__all__ = ["Summary", "run_study", "summarize"]


def __getattr__(name: str) -> Any:
    # A worker imports this package for one small module of it, and should not import the rest.
    if name == "run_study":
        from hpsearch.engine.run import run_study

        return run_study
    if name in ("Summary", "summarize"):
        from hpsearch.engine import summary

        return getattr(summary, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
