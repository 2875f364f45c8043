"""Names of classes on a terminal, which obeys some characters, and in a pipe, which does not."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st
from nasty import NASTY, is_shown

from hpsearch.cli.predict import _shown, _write


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def read_back(rows: Sequence[Sequence[object]]) -> list[list[str]]:
    file = io.StringIO(newline="")
    _write(file, rows)
    return list(csv.reader(io.StringIO(file.getvalue(), newline="")))


@given(st.lists(st.lists(st.text("a,;\"' \r\n\t\0\u2028é") | st.text(), min_size=2, max_size=2)))
@example([["a\rb", "\r"], ["", ""]])
def test_what_is_written_as_csv_is_read_back_the_same(rows: list[list[str]]) -> None:
    assert read_back(rows) == rows


def test_a_terminal_shows_and_a_pipe_gets_the_bytes() -> None:
    rows = [["label", "probability"], *([name, 0.5] for name in NASTY)]
    assert [row[0] for row in read_back(rows)][1:] == list(NASTY)
    terminal = Terminal()
    _write(terminal, map(_shown, rows))
    assert is_shown(terminal.getvalue())
    assert terminal.getvalue().count("\n") == len(rows)
