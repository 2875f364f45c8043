"""What the server says of itself, a line for each event: for people, or as JSON for programs.

An event is what happens to a study, an agent or the server, not to a trial or a request, of which
there are thousands; `hpsearch.service.metrics` counts those. No token gets into a line, and nothing
that stood behind a question mark.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import sys
from typing import Any, Literal, TextIO

from hpsearch.service.tokens import without_tokens
from hpsearch.writing import in_one_line, json_text, written_out

__all__ = ["Form", "about", "write_log"]

Form = Literal["text", "json"]
"""How a line is written."""


def about(**facts: Any) -> dict[str, Any]:
    """What an event is about, as a logger takes it: ``log.info("...", extra=about(study=name))``.

    Args:
        facts: study, trial, agent, token (its name), and whatever else; None is left out.
    """
    return {"about": {key: value for key, value in facts.items() if value is not None}}


def write_log(form: Form, stream: TextIO | None = None) -> None:
    """Have the server's events written, and what uvicorn complains of.

    Args:
        form: of the lines.
        stream: where to; None for standard error.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    handler.addFilter(_is_news)
    logging.disable(logging.NOTSET)  # the command line keeps libraries quiet; here are none
    for name, level in (("hpsearch.service", logging.INFO), ("uvicorn", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(level)


def _is_news(record: logging.LogRecord) -> bool:
    """False for requests that are cut off as the server ends, each of which uvicorn tells."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


class _Text(logging.Formatter):
    """``2026-11-28T21:40:03.120Z info study submitted: study=digits token=ann``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; beneath it the traceback of a fault."""
        facts = _facts(record)
        trace = facts.pop("traceback", "")
        said = " ".join(f"{key}={_word(value)}" for key, value in facts.items())
        what = in_one_line(record.getMessage())
        line = f"{_time(record)} {record.levelname.lower()} {what}{': ' if said else ''}{said}"
        return without_tokens(f"{line}\n{written_out(trace)}".rstrip())


class _Json(logging.Formatter):
    """The same as a JSON document on one line, with the keys level, time and what."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        first = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "what": record.getMessage(),
        }
        return without_tokens(json_text(first | _facts(record)))


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    facts = dict(getattr(record, "about", {}))
    if record.exc_info:
        facts["traceback"] = logging.Formatter().formatException(record.exc_info)
    return facts


def _word(value: Any) -> str:
    """A value as one word, or in quotation marks.

    >>> _word("digits"), _word("it is over"), _word(0.5)
    ('digits', '"it is over"', '0.5')
    """
    text = in_one_line(str(value))
    return text if text and not set(text) & set(' "=') else json_text(text)


def _time(record: logging.LogRecord) -> str:
    when = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
