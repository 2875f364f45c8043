"""The application: its commands, and what becomes of an error."""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from hpsearch.cli import (
    advise,
    agent,
    backup,
    baselines,
    compare,
    dashboard,
    export,
    files,
    lab,
    look,
    predict,
    report,
    search,
    serve,
    submit,
    token,
)
from hpsearch.engine.interrupts import end, postponed
from hpsearch.errors import HpsearchError

__all__ = ["app", "run"]

app = typer.Typer(
    name="hpsearch",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Search a neural network's hyperparameters from coarse to fine, and test it honestly.",
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"hpsearch {version('hpsearch')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    pass


for command in (
    *(search.run, submit.submit, search.check, baselines.baselines, advise.advise, compare.compare),
    *(look.studies, look.trials, look.best, predict.predict, export.export),
    *(report.report, lab.lab, dashboard.dashboard, serve.serve, backup.backup),
    *(agent.agent, files.init, files.schema),
):
    app.command(command.__name__)(command)
app.add_typer(submit.steer, name="study")
app.add_typer(token.token, name="token")


def run(arguments: list[str]) -> int:
    """Run one command; returns the exit code and prints errors as one sentence."""
    ours, others = _parted(arguments)
    # Accepted anywhere, since it is usually added behind a command that has just failed.
    debug = "--debug" in ours
    _came.clear()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    with _quiet_libraries(debug):
        return _run([word for word in ours if word != "--debug"] + others, debug)


def _parted(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Our own words, and, behind ``--``, those of a program.

    >>> _parted(["agent", "URL", "--", "train", "--debug"])
    (['agent', 'URL'], ['--', 'train', '--debug'])
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:end], arguments[end:]


@contextmanager
def _quiet_libraries(debug: bool) -> Iterator[None]:
    """Without the warnings and log lines of libraries, which speak to who calls them from Python.

    Args:
        debug: leave them; so does Python's own option -W, or PYTHONWARNINGS.
    """
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        if not debug and not sys.warnoptions:
            warnings.simplefilter("ignore")
            logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


def _run(arguments: list[str], debug: bool) -> int:
    try:
        app(arguments, prog_name="hpsearch")
    except HpsearchError as error:
        if debug:
            raise
        _complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of a pipe has seen enough (`| head`); nothing is left to flush either.
        sys.stderr.close()
        return 1
    except SystemExit as left:
        if left.code in (130, 143):
            stopped = "interrupted" if left.code == 130 else "terminated"
            _complain(f"{stopped}; finished trials are kept, the same command goes on from them")
        return left.code if isinstance(left.code, int) else 0
    except Exception as error:
        if (code := _signalled(error)) is not None:
            return code
        if debug:
            raise
        _complain(
            f"unexpected {type(error).__name__}: {error}. This is a fault of hpsearch; "
            "--debug shows where it comes from"
        )
        return 1
    return 0


_came: list[int] = []
"""The signals that `stop` was called for."""


def _signalled(error: BaseException | None) -> int | None:
    """The exit code of a signal that came in the middle of a library, which took it for a fault.

    One written in another language may keep no more of it than a word in its own message.
    """
    if _came:
        return 128 + _came[-1]
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return 130
        if isinstance(error, SystemExit) and isinstance(error.code, int):
            return error.code
        error = error.__cause__ or error.__context__
    return None


def stop(number: int, _: FrameType | None = None) -> None:
    """What a signal means where nothing else has taken it over; see `Interrupts` and `end`."""
    if not postponed(number):
        _came.append(number)
        end(number)


def _complain(sentence: str) -> None:
    from rich.markup import escape

    from hpsearch.cli.console import errors
    from hpsearch.writing import in_one_line

    errors().print(f"[bold red]error:[/] {escape(in_one_line(sentence))}", soft_wrap=True)
