"""What a command writes: files, and JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

__all__ = ["json_text", "write_whole"]


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
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(target)
    except OSError:
        part.unlink(missing_ok=True)
        raise
