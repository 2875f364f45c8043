"""Names of classes on a terminal, which obeys some characters, and in a pipe, which does not."""

from __future__ import annotations

import csv
import io

from nasty import NASTY, is_shown

from hpsearch.cli.predict import _shown, _write


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_and_a_pipe_gets_the_bytes() -> None:
    names = [name.replace("\r", "") for name in NASTY]  # which Python 3.11 does not quote
    rows = [["label", "probability"], *([name, 0.5] for name in names)]
    file = io.StringIO()
    _write(file, rows)
    assert [row[0] for row in csv.reader(io.StringIO(file.getvalue(), newline=""))][1:] == names
    terminal = Terminal()
    _write(terminal, map(_shown, rows))
    assert is_shown(terminal.getvalue())
    assert terminal.getvalue().count("\n") == len(rows)
