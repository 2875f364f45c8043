"""What a command writes: files, JSON, and names that anybody may have given."""

from __future__ import annotations

import html
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

__all__ = [
    "OBEYED",
    "html_text",
    "in_one_line",
    "json_text",
    "whole_file",
    "write_whole",
    "written_out",
]

OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
"""What a terminal or a page does something with, or hides, instead of showing it: control
characters but for tabs and the ends of lines, what turns the direction of writing around, what
takes no room, halves of characters."""


def written_out(text: str) -> str:
    r"""A text with what is obeyed as Python writes it.

    >>> print(written_out("\x1b[2J \u202egnp.exe"))
    \x1b[2J \u202egnp.exe
    """
    return OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def in_one_line(text: str) -> str:
    r"""The same for a name or a sentence of which others may have made several lines.

    >>> print(in_one_line("two\nlines"))
    two\nlines
    """
    return written_out(text).replace("\n", "\\n").replace("\t", "\\t")


def html_text(text: str) -> str:
    r"""A text as HTML shows it: no tag, no entity, and nothing of it obeyed or hidden.

    >>> html_text("<b> \u202egnp.exe")
    '&lt;b&gt; \\u202egnp.exe'
    """
    return html.escape(written_out(text))


def json_text(document: Any, *, indent: int | None = None) -> str:
    """A document as JSON that every reader takes, whatever others have put into a database.

    JSON has no number for what is not finite: that is null. Arrays and numbers of NumPy are lists
    and numbers, and what JSON has no word for is written as text.

    Args:
        document: anything.
        indent: spaces for each level; None for one line.

    >>> json_text({"loss": float("inf"), "shape": (2, 3), 1: b"x"})
    '{"loss": null, "shape": [2, 3], "1": "x"}'
    """
    return json.dumps(_plain(document), indent=indent, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):  # a lone surrogate has no UTF-8
        return value.encode(errors="replace").decode()
    if isinstance(value, Mapping):
        return {_key(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | Set):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes | bytearray):
        return value.decode(errors="replace")
    if callable(getattr(value, "tolist", None)):  # NumPy's arrays and numbers
        return _plain(value.tolist())
    return _plain(str(value))


def _key(key: Any) -> str:
    return str(_plain(key)) if isinstance(key, str | bytes) else str(key)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all.

    A link stays, and what it leads to is written. What is there and is no regular file, as a pipe
    or a device, is written to and stays what it is.

    Args:
        path: of the file.
        content: all of it.

    Raises:
        OSError: it cannot be written.
    """
    with _in_place_of(path) as place:
        place.write_bytes(content)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """The same for what is written in pieces: the file is there once the block has ended well.

    Args:
        path: of the file.

    Raises:
        OSError: it cannot be written.
    """
    with _in_place_of(path) as place, place.open("wb") as file:
        yield file


@contextmanager
def _in_place_of(path: Path) -> Iterator[Path]:
    """Where to write what becomes the file when the block has ended well."""
    if path.exists() and not path.is_file():
        yield path
        return
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
