"""Opening files that may be missing, gzipped, truncated or damaged, with a sentence for each.

A small file can unpack to more than any memory holds. What a file may unpack to is told here, once,
and held by whoever reads one: `check_unpacked`, from the sizes in its headers where there are any,
and with the running sum while it is read in pieces.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from hpsearch.errors import DataError, nearest

__all__ = [
    "TABLE_SUFFIXES",
    "check_unpacked",
    "existing_file",
    "first_line",
    "reading",
    "whole_path",
]

TABLE_SUFFIXES = (
    *(".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".feather", ".arrow", ".xlsx"),
    *(".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"),
)

FREE = 128 << 20
RATIO = 128
MOST = 4 << 30


def check_unpacked(name: str | Path, packed: int, unpacked: int) -> None:
    """Refuse what unpacks to over 128 MiB and over 128 times its own size, or to over 4 GiB.

    Texts and numbers unpack to some ten times their packed size. With 128 MiB of content the
    arrays on its way to the network stay under a gigabyte.

    Args:
        name: of the file.
        packed: its bytes.
        unpacked: the bytes of its content in memory, as far as they are known.

    Raises:
        DataError: it unpacks to more.
    """
    allowed = min(max(FREE, RATIO * packed), MOST)
    if unpacked > allowed:
        raise DataError(
            f"{name} has {packed:,} bytes and unpacks to more than {allowed >> 20:,} MiB, the most "
            "that is read of a file of its size; take a sample of the rows, or columns that matter."
        )


def whole_path(path: str | Path) -> Path:
    """The path, its ``~`` or ``~user`` replaced by a home folder.

    Raises:
        DataError: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise DataError(
            f"{path}: there is no home folder of {Path(path).parts[0]}; write the path out."
        ) from error


def existing_file(path: str | Path) -> Path:
    """The path, when a file is there.

    Raises:
        DataError: there is none; the message names the file nearest to it. Or it is a folder, or a
            pipe or device, which has no size.
    """
    file = whole_path(path)
    try:
        if file.is_dir():
            raise DataError(f"{file} is a folder; name a file in it.")
        if file.is_file():
            return file
        if file.exists():
            raise DataError(f"{file} is a pipe or a device; name a file.")
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
        raise DataError(
            f"{path} is a damaged gzip file ({first_line(error)}); download it again."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def first_line(error: BaseException) -> str:
    """The start of a library's message, to be a part of ours."""
    message = next(iter(str(error).strip().splitlines()), "").rstrip(".")
    return message[:160] or type(error).__name__
