"""The data of trainings on their way to agents: a zip of a store's files, and a cache of them.

A server streams what `write_store` wrote, and not what workers derive from it: those of the agent
do so themselves. The first file of the zip is a manifest with the size and the SHA-256 of the
others; the SHA-256 of the manifest is the ETag. An agent keeps what it has fetched in a folder that
all agents of the machine share, each store under its fingerprint, as long as there is room.

A disk, or somebody, may change what lies there. So the first of them that holds a store compares
its files with the manifest, which lies beside them, and removes what workers have derived, for
which there is none: they derive it again.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, TypeAlias

from hpsearch.errors import DataError, RunError
from hpsearch.shapes import a_count, fits

__all__ = [
    "CACHE_BYTES",
    "DamagedError",
    "DataCache",
    "Fetch",
    "cache_folder",
    "etag_of",
    "lock_now",
    "pack",
]

FILE = re.compile(r"store\.json|X\.npy|y\.npy|weights\.npy|split-(0|[1-9][0-9]{0,4})\.npz")
"""The files of a store that travel; a worker derives the rest."""

FINGERPRINT = re.compile("[0-9a-f]{16}")

MANIFEST = "manifest.json"

PIECE = 1 << 18
"""Bytes that are read, packed and sent at a time."""

CACHE_BYTES = 20 * 1000**3
"""The data of an agent's cache have so many bytes, unless those in use are more."""

LONGEST_MANIFEST = 1 << 22
"""Bytes that a manifest may have."""

ROOM = 1 << 28
"""Bytes of a disk that a download leaves free."""

ATTEMPTS = 3
"""How often a damaged download is tried again."""

DOUBT_SECONDS = 60.0
"""How long a store that is known to be damaged is waited for, while others hold it."""

DRAFT, DAY = ".draft-", 86_400.0

Fetch: TypeAlias = Callable[[str, IO[bytes], int], Awaitable[str]]
"""Writes the zip of a fingerprint into a file, of so many bytes at most, and returns its ETag."""


class DamagedError(Exception):
    """A download is not what its manifest says, or none."""


# ------------------------------------------------------------------------------------- the server


def etag_of(folder: str | Path, fingerprint: str) -> str:
    """What tells the content of a store from any other: the SHA-256 of its manifest.

    Args:
        folder: that `write_store` was given.
        fingerprint: of the store.

    Raises:
        DataError: there is none.
    """
    return hashlib.sha256(_manifest(folder, fingerprint)).hexdigest()


def pack(folder: str | Path, fingerprint: str) -> Iterator[bytes]:
    """A store as a zip, a piece at a time, without a copy of it anywhere.

    Args:
        folder: that `write_store` was given.
        fingerprint: of the store.

    Raises:
        DataError: there is none, now or any more.
    """
    manifest = _manifest(folder, fingerprint)
    home, out = Path(folder, fingerprint), _Outlet()
    try:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(_member(MANIFEST), manifest)
            for name in json.loads(manifest):
                # Any size may come: that of the file is not told before it is packed.
                with (
                    (home / name).open("rb") as file,
                    archive.open(_member(name), "w", force_zip64=True) as packed,
                ):
                    while piece := file.read(PIECE):
                        packed.write(piece)
                        yield out.taken()
                yield out.taken()
        yield out.taken()
    except OSError as error:
        raise DataError(f"the data {fingerprint} are gone: {error.strerror or error}") from error


def _member(name: str) -> zipfile.ZipInfo:
    """A file of the zip; of the same data it always has the same bytes."""
    member = zipfile.ZipInfo(name)
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


class _Outlet(io.RawIOBase):
    """A file that is written from its beginning to its end, and given away as it comes."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def taken(self) -> bytes:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _manifest(folder: str | Path, fingerprint: str) -> bytes:
    if not FINGERPRINT.fullmatch(fingerprint) or not _is_here(folder, fingerprint):
        raise DataError(f"there are no data {fingerprint[:60]!r}")
    return _made_manifest(Path(folder, fingerprint))


def _is_here(folder: str | Path, fingerprint: str) -> bool:
    return Path(folder, fingerprint, "store.json").is_file()


@lru_cache(maxsize=64)
def _made_manifest(home: Path) -> bytes:
    found = {}
    try:
        for file in sorted(home.iterdir(), key=lambda file: file.name):
            if FILE.fullmatch(file.name) and file.is_file() and not file.is_symlink():
                with file.open("rb") as content:
                    digest = hashlib.file_digest(content, "sha256").hexdigest()
                found[file.name] = {"size": file.stat().st_size, "sha256": digest}
    except OSError as error:
        raise DataError(f"the data {home.name} are gone: {error.strerror or error}") from error
    return json.dumps(found).encode()


# -------------------------------------------------------------------------------------- the agent


def cache_folder() -> Path:
    """Where agents keep their data: in the user's folder for what can be had again."""
    place = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(place).expanduser().absolute() / "hpsearch"


@dataclass(frozen=True)
class DataCache:
    """Data that were fetched, for all agents of a machine.

    Attributes:
        folder: of all of them; each store lies in it under its fingerprint.
        most: bytes that they may have; those not in use go, the longest unused first.
        on_damage: told of what is damaged, in a sentence.
    """

    folder: Path
    most: int = CACHE_BYTES
    on_damage: Callable[[str], object] = lambda _: None
    _checked: dict[str, _Checked] = field(default_factory=dict, repr=False, compare=False)

    @asynccontextmanager
    async def holding(self, fingerprint: str, fetch: Fetch) -> AsyncIterator[str]:
        """Have data here while the block lasts; fetched by one, if by any.

        Args:
            fingerprint: of a store.
            fetch: gets it from the server.

        Returns:
            The folder that has it under its fingerprint.

        Raises:
            RunError: it cannot be fetched or kept; the sentence says why.
        """
        if not FINGERPRINT.fullmatch(fingerprint):
            raise RunError(f"{fingerprint[:60]!r} is no fingerprint of data")
        async with AsyncExitStack() as stack:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                await self._check(fingerprint)
                await self._hold(fingerprint, fetch, stack)
                await asyncio.to_thread(self.make_room)
            except OSError as error:
                raise RunError(
                    f"the folder for data, {self.folder}, cannot be used: "
                    f"{error.strerror or error}; free some space there, or name another with "
                    "--cache"
                ) from error
            yield str(self.folder)

    def generation(self, fingerprint: str) -> int:
        """How often the files of a store were made anew since this process began."""
        return self._state(fingerprint).generation

    def doubt(self, fingerprint: str, why: str = "") -> None:
        """Check a store again before it is held again.

        Args:
            fingerprint: of a store.
            why: it is damaged; nothing where this is only possible.
        """
        state = self._state(fingerprint)
        state.is_sound, state.is_damaged = False, state.is_damaged or bool(why)
        if why:
            self.on_damage(f"checks the data {fingerprint}: {why}")

    def _state(self, fingerprint: str) -> _Checked:
        return self._checked.setdefault(fingerprint, _Checked())

    async def _check(self, fingerprint: str) -> None:
        """Make sure once that what is here of a store is as it was sent, and remove it if not.

        Who finds that others hold it has nothing to do: the first of them has checked. Only of
        data that have broken a training that is not enough, and all others are waited for.

        Raises:
            RunError: these are held by others for long.
        """
        state, end = self._state(fingerprint), time.monotonic() + DOUBT_SECONDS
        while not state.is_sound:
            alone, wrong = await asyncio.to_thread(self._checked_alone, fingerprint)
            if alone:
                state.generation += 1
            if wrong:
                self.on_damage(f"the data {fingerprint} are damaged here; fetches others: {wrong}")
            if alone or not state.is_damaged:
                state.is_sound, state.is_damaged = True, False
            elif time.monotonic() > end:
                raise RunError(
                    f"the data {fingerprint} are damaged here, and others use them; they are "
                    "fetched again once these have ended"
                )
            else:
                await asyncio.sleep(0.2)

    def _checked_alone(self, fingerprint: str) -> tuple[bool, str]:
        """Whether nobody else held a store, and what was wrong with it, which is removed."""
        home = self.folder / fingerprint
        with lock_now(self.folder / f".{fingerprint}.lock") as alone:
            if not alone or not home.is_dir():
                return alone, ""
            wrong = what_is_wrong(home)
            if wrong:
                # Its description first: without it there is no store, whoever looks.
                (home / "store.json").unlink(missing_ok=True)
                shutil.rmtree(home, ignore_errors=True)
            elif FLOCK:
                remove_derived(home)
            return alone, wrong

    async def _hold(self, fingerprint: str, fetch: Fetch, stack: AsyncExitStack) -> None:
        """Hold the lock by which nobody removes data that are here, until the stack is left."""
        lock = self.folder / f".{fingerprint}.lock"
        while True:
            async with AsyncExitStack() as mine:
                await mine.enter_async_context(_locked(lock, shared=True))
                if _is_here(self.folder, fingerprint):
                    os.utime(self.folder / fingerprint)
                    stack.push_async_exit(mine.pop_all())
                    return
            async with _locked(lock, shared=False):
                if not _is_here(self.folder, fingerprint):
                    await self._fetch(fingerprint, fetch)
                    self._state(fingerprint).generation += 1

    async def _fetch(self, fingerprint: str, fetch: Fetch) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            with tempfile.TemporaryFile(dir=self.folder) as file:
                etag = await fetch(fingerprint, file, self._room())
                try:
                    await asyncio.to_thread(self._unpack, file, etag, fingerprint)
                    return
                except DamagedError as error:
                    if attempt == ATTEMPTS:
                        raise RunError(
                            f"the data {fingerprint} arrived damaged {ATTEMPTS} times: {error}"
                        ) from None

    def _unpack(self, file: IO[bytes], etag: str, fingerprint: str) -> None:
        """Unpack a download, which takes its name when all is there."""
        draft, home = Path(tempfile.mkdtemp(prefix=DRAFT, dir=self.folder)), self.folder
        try:
            unpack(file, etag, draft, most=self._room())
            shutil.rmtree(home / fingerprint, ignore_errors=True)  # what was left of one
            draft.rename(home / fingerprint)
        except OSError:
            if not _is_here(home, fingerprint):  # else another was faster, where nothing is locked
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _room(self) -> int:
        return min(self.most, max(0, shutil.disk_usage(self.folder).free - ROOM))

    def make_room(self) -> None:
        """Remove what was longest unused, until the others are few enough; nothing in use."""
        stores = [
            (place.stat().st_mtime, _bytes_of(place), place)
            for place in self.folder.iterdir()
            if FINGERPRINT.fullmatch(place.name) and place.is_dir()
        ]
        whole = sum(size for _, size, _ in stores)
        for draft in self.folder.glob(f"{DRAFT}*"):  # of one that was killed
            if time.time() - draft.stat().st_mtime > DAY:
                shutil.rmtree(draft, ignore_errors=True)
        for _, size, place in sorted(stores):
            if whole <= self.most or not FLOCK:
                return
            with lock_now(self.folder / f".{place.name}.lock") as is_free:
                if is_free:
                    shutil.rmtree(place, ignore_errors=True)
                    whole -= size


@dataclass
class _Checked:
    """What this process knows of a store: whether it was checked, and is known to be damaged."""

    is_sound: bool = False
    is_damaged: bool = False
    generation: int = 0


def what_is_wrong(home: Path) -> str:
    """What of a store that was fetched is not as it was sent, in words; "" if nothing is."""
    try:
        manifest = _parsed((home / MANIFEST).read_bytes())
    except FileNotFoundError:
        return f"{MANIFEST} is missing"
    except (OSError, ValueError, RecursionError, DamagedError):
        return f"{MANIFEST} cannot be read"
    for name, one in manifest.items():
        file = home / name
        try:
            if file.is_symlink() or file.stat().st_size != one["size"]:
                return f"{name} has another size"
            with file.open("rb") as content:
                found = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            return f"{name} cannot be read: {error.strerror or error}"
        if found != one["sha256"]:
            return f"{name} has changed"
    return ""


def remove_derived(home: Path) -> None:
    """Remove all of a store that was not sent: what workers have derived, and what is not ours."""
    for path in home.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != MANIFEST and not FILE.fullmatch(path.name):
            path.unlink(missing_ok=True)


def unpack(file: IO[bytes], etag: str, target: Path, *, most: int) -> None:
    """Unpack a zip of `pack`, once it is found to be whole and sound.

    Args:
        file: the zip.
        etag: the SHA-256 of its manifest.
        target: an empty folder.
        most: bytes that its files may have.

    Raises:
        DamagedError: it is none, or not whole, or its files are no store's.
        RunError: they are too large.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = _read_manifest(archive, etag)
            if (whole := sum(one["size"] for one in manifest.values())) > most:
                raise RunError(f"the data have {whole:,} bytes, and there is room for {most:,}")
            members = archive.namelist()
            if sorted(members) != sorted([MANIFEST, *manifest]):
                raise DamagedError("its files are not those of its manifest")
            for name, one in manifest.items():
                with archive.open(name) as packed, (target / name).open("xb") as copy:
                    _copy(packed, copy, name, one["size"], one["sha256"])
            (target / MANIFEST).write_bytes(archive.read(MANIFEST))
    except (DamagedError, RunError):
        raise
    except OSError as error:
        if error.errno != errno.EINVAL:  # which a place before the file's beginning is
            raise
        raise DamagedError("its parts do not lie where it says") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, KeyError,
            RuntimeError) as error:  # fmt: skip
        # Whatever a zip's parser raises; the disk's own errors are no damage.
        raise DamagedError(str(error) or type(error).__name__) from None


def _read_manifest(archive: zipfile.ZipFile, etag: str) -> dict[str, dict[str, Any]]:
    with archive.open(MANIFEST) as packed:
        text = packed.read(LONGEST_MANIFEST)
    if hashlib.sha256(text).hexdigest() != etag:
        raise DamagedError("its manifest is not that which the server named")
    return _parsed(text)


def _parsed(text: bytes) -> dict[str, dict[str, Any]]:
    manifest = json.loads(text)
    if not fits(manifest, {"store.json": dict}) or not all(
        FILE.fullmatch(name) and fits(one, {"size": a_count, "sha256": str})
        for name, one in manifest.items()
    ):
        raise DamagedError("its manifest names other files than those of data")
    found: dict[str, dict[str, Any]] = manifest
    return found


def _copy(packed: IO[bytes], copy: IO[bytes], name: str, size: int, digest: str) -> None:
    """Copy a file of the size and the hash that its manifest says, and not a byte more."""
    left, found = size, hashlib.sha256()
    while piece := packed.read(min(PIECE, left + 1)):
        left -= len(piece)
        if left < 0:
            break
        found.update(piece)
        copy.write(piece)
    if left or found.hexdigest() != digest:
        raise DamagedError(f"{name} is not what its manifest says")


def _bytes_of(folder: Path) -> int:
    """What a folder's files have, with all that workers have derived."""
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it is gone
            size += path.stat().st_size if path.is_file() else 0
    return size


# Where a system has no such locks, each agent fetches by itself: the last rename wins, and both
# had the same. Nothing is removed there while it may be in use.


@asynccontextmanager
async def _locked(path: Path, *, shared: bool) -> AsyncIterator[None]:
    """Hold a file's lock, alone or with others who share it."""
    with path.open("ab") as file:
        pause = 0.01
        while not _lock(file, shared=shared):
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.5)
        yield  # closing the file gives the lock back


@contextmanager
def lock_now(path: Path) -> Iterator[bool]:
    """Hold a file's lock alone, if nobody else has it."""
    with path.open("ab") as file:
        yield _lock(file, shared=False)


try:
    import fcntl
except ModuleNotFoundError:
    FLOCK = False
else:
    FLOCK = True


def _lock(file: IO[bytes], *, shared: bool) -> bool:
    if FLOCK:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
