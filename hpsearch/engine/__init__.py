"""Run studies: slots go out to workers, outcomes come back into the store."""

from hpsearch.engine.run import run_study
from hpsearch.engine.summary import Summary, summarize

__all__ = ["Summary", "run_study", "summarize"]
