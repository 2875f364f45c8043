"""A copy of a database while others write to it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from hpsearch.errors import StorageError, UsageError
from hpsearch.storage.database import BUSY_TIMEOUT, display_url, storage_errors, storage_url

__all__ = ["back_up"]


def back_up(storage: str, target: Path, *, replace: bool = False) -> int:
    """Copy a SQLite database as it is at one moment; whoever writes to it goes on.

    What was committed before this began is in the copy. The file is there once it is whole, checked
    and on the disk.

    Args:
        storage: the database, a file name or URL.
        target: the new file.
        replace: whether it may be there already.

    Returns:
        Its size in bytes.

    Raises:
        UsageError: the target is there, or the database is none of SQLite.
        StorageError: the database cannot be read, or the file cannot be written.
    """
    url = storage_url(storage)
    if url.get_backend_name() != "sqlite":
        shown = display_url(storage).replace("+psycopg", "")
        raise UsageError(
            "PostgreSQL has a program of its own for this, which works while it is used: "
            f"pg_dump --format=custom --file={target} {shown}"
        )
    source = Path(url.database or "")
    if not source.is_file():
        raise StorageError(f"there is no database {source}; name one with --storage")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.exists() and (target.samefile(source) or not target.is_file()):
            raise UsageError(f"{target} is the database itself, or no file; name another one")
        if target.exists() and not replace:
            raise UsageError(f"{target} is there already; --force replaces it")
        with storage_errors(storage):
            _copy(source, part)
        if not replace:
            target.touch(exist_ok=False)  # a renaming would replace what has come meanwhile
        part.replace(target)
        if os.name != "nt":  # where a folder cannot be opened
            _keep(target.parent)
    except FileExistsError:
        raise UsageError(f"{target} is there already; --force replaces it") from None
    except OSError as error:
        raise StorageError(
            f"the copy cannot be written to {target}: {error.strerror or error}"
        ) from None
    finally:
        with suppress(OSError):  # a folder that may not be written to has none
            part.unlink(missing_ok=True)
    return target.stat().st_size


def _copy(source: Path, part: Path) -> None:
    """Copy all pages at once, which SQLite reads as of one moment, and check them."""
    part.touch(mode=0o600)  # tokens' digests are in it, and the names of all who have one
    read = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT)
    with closing(read), closing(sqlite3.connect(part)) as written:
        read.backup(written)
        written.execute("PRAGMA journal_mode = DELETE")  # else there would be files beside it
        (found,) = written.execute("PRAGMA quick_check").fetchone()
        if found != "ok":
            raise StorageError(
                f"the database {source} is damaged ({found.splitlines()[0]}); no copy was made"
            )
        with written:
            _leave_alone(written)
    _keep(part)


def _leave_alone(copy: sqlite3.Connection) -> None:
    """Nobody serves a copy, or runs a study in it: those who do so go on with the original."""
    there = {name for (name,) in copy.execute("SELECT name FROM sqlite_master")}
    for table in {"hpsearch_servers", "hpsearch_runs"} & there:
        copy.execute(f"UPDATE {table} SET ended = 'copied' WHERE ended IS NULL")


def _keep(path: Path) -> None:
    """Have a file, or what a folder lists, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
