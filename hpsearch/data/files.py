"""Opening files that may be missing, gzipped, truncated or damaged, with a sentence for each."""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hpsearch.errors import DataError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["existing_file", "first_line", "reading"]


def existing_file(path: str | Path) -> Path:
    """The path, when a file is there.

    Raises:
        DataError: there is none; the message names the file nearest to it. Or it is a folder.
    """
    file = Path(path).expanduser()
    try:
        if file.is_dir():
            raise DataError(f"{file} is a folder; name a file in it.")
        if file.exists():
            return file
        here = sorted(p.name for p in file.parent.iterdir()) if file.parent.is_dir() else None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error
    if here is None:
        raise DataError(f"there is no file {file}, nor its folder {file.parent}; check the path.")
    close = nearest(file.name, here)
    hint = f"did you mean {close!r}?" if close else "check the path."
    raise DataError(f"there is no file {file}; {hint}")


@contextlib.contextmanager
def reading(path: Path) -> Iterator[IO[bytes]]:
    """A stream of the file's bytes, unpacked if its first bytes say that it is gzipped.

    Raises:
        DataError: the file cannot be read, or its compressed part is cut off or damaged.
    """
    try:
        with path.open("rb") as raw:
            gzipped = raw.peek(2)[:2] == b"\x1f\x8b"
            with io.BufferedReader(gzip.GzipFile(fileobj=raw)) if gzipped else raw as stream:
                yield stream
    except EOFError as error:
        raise DataError(
            f"{path} ends in the middle of its gzip data; download it again."
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is a damaged gzip file ({error}); download it again.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def first_line(error: BaseException) -> str:
    """The start of a library's message, to be a part of ours."""
    message = str(error).strip().partition("\n")[0].rstrip(".")
    return message[:160] or type(error).__name__
