"""The way of data to agents: whole and sound, once, and no more of them than there is room for."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import shutil
import struct
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from hpsearch.data import DataHandle, Dataset, make_splits
from hpsearch.data.store import write_store
from hpsearch.errors import DataError, RunError
from hpsearch.service import data as data_module
from hpsearch.service.data import (
    MANIFEST,
    DamagedError,
    DataCache,
    cache_folder,
    etag_of,
    pack,
    unpack,
)


@pytest.fixture
def handle(tmp_path: Path) -> DataHandle:
    return store(tmp_path)


def store(folder: Path, seed: int = 0) -> DataHandle:
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(600, 40)), np.tile([0, 1, 2], 200)
    weights = rng.uniform(1, 2, 600).astype(np.float32)
    dataset = replace(Dataset.from_arrays("toy", X, y), weights=weights)
    return write_store(folder / "store", dataset, make_splits(dataset.y, folds=2, seed=0))


class Server:
    """What a server sends, as it is or damaged, and how often it was asked."""

    def __init__(self, folder: str, damage: Callable[[bytes], bytes] = lambda content: content):
        self.folder, self.damage, self.asked = folder, damage, 0

    async def fetch(self, fingerprint: str, file: IO[bytes], most: int) -> str:
        self.asked += 1
        await asyncio.sleep(0.01)
        file.write(self.damage(b"".join(pack(self.folder, fingerprint))))
        return etag_of(self.folder, fingerprint)


def held(cache: DataCache, fingerprint: str, server: Server) -> None:
    async def hold() -> None:
        async with cache.holding(fingerprint, server.fetch) as folder:
            assert Path(folder, fingerprint, "store.json").is_file()

    asyncio.run(hold())


def test_what_arrives_is_the_store_without_what_workers_derive(
    handle: DataHandle, tmp_path: Path
) -> None:
    home = Path(handle.folder, handle.fingerprint)
    handle.fold(0, "standardize")
    (home / "function.pickle").write_bytes(b"code of others")
    (home / "weights.npy.link").symlink_to("/etc/passwd")
    cache = DataCache(tmp_path / "cache")
    held(cache, handle.fingerprint, Server(handle.folder))
    there = DataHandle(str(cache.folder), handle.fingerprint)
    found = sorted(path.name for path in (cache.folder / handle.fingerprint).iterdir())
    names = [MANIFEST, "X.npy", "split-0.npz", "split-1.npz", "store.json", "weights.npy", "y.npy"]
    assert found == sorted(names)
    for one, other in zip(
        vars(handle.fold(1, "standardize")).values(),
        vars(there.fold(1, "standardize")).values(),
        strict=True,
    ):
        assert one.tobytes() == other.tobytes()


def test_it_is_packed_a_piece_at_a_time_and_always_alike(handle: DataHandle) -> None:
    pieces = list(pack(handle.folder, handle.fingerprint))
    assert len(pieces) > 6
    assert b"".join(pieces) == b"".join(pack(handle.folder, handle.fingerprint))
    assert max(map(len, pieces)) <= 2 * data_module.PIECE


@pytest.mark.parametrize("name", ["../store", "0" * 16, "", "/etc", "x" * 16])
def test_there_are_no_other_data(handle: DataHandle, name: str) -> None:
    with pytest.raises(DataError, match="there are no data"):
        etag_of(handle.folder, name)
    with pytest.raises(DataError, match="there are no data"):
        list(pack(handle.folder, name))


def test_data_that_go_while_they_are_sent_are_an_error(handle: DataHandle) -> None:
    etag_of(handle.folder, handle.fingerprint)
    pieces = pack(handle.folder, handle.fingerprint)
    next(pieces)
    (Path(handle.folder, handle.fingerprint) / "y.npy").unlink()
    with pytest.raises(DataError, match="are gone"):
        list(pieces)
    shutil.rmtree(Path(handle.folder, handle.fingerprint))
    with pytest.raises(DataError, match="there are no data"):
        etag_of(handle.folder, handle.fingerprint)


def test_they_are_fetched_once_by_all_of_a_machine(handle: DataHandle, tmp_path: Path) -> None:
    server, cache = Server(handle.folder), DataCache(tmp_path / "cache")

    async def one() -> None:
        async with cache.holding(handle.fingerprint, server.fetch):
            await asyncio.sleep(0.02)

    async def many() -> None:
        await asyncio.gather(*(one() for _ in range(8)))

    asyncio.run(many())
    held(DataCache(tmp_path / "cache"), handle.fingerprint, server)
    assert server.asked == 1


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    """Another byte in the middle of X."""
    k = len(content) // 3
    return content[:k] + bytes([content[k] ^ 1]) + content[k + 1 :]


@pytest.mark.parametrize("damage", [truncated, flipped, lambda _: b"", lambda _: b"<html>"])
def test_a_damaged_download_is_tried_again_and_never_kept(
    handle: DataHandle, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    cache = DataCache(tmp_path / "cache")
    bad = Server(handle.folder, damage)
    with pytest.raises(RunError, match="arrived damaged 3 times"):
        held(cache, handle.fingerprint, bad)
    assert bad.asked == 3
    assert [p for p in cache.folder.iterdir() if p.suffix != ".lock"] == []
    server = Server(handle.folder)
    server.damage = lambda content: damage(content) if server.asked == 1 else content
    held(cache, handle.fingerprint, server)
    assert server.asked == 2


DAMAGE: dict[str, Callable[[Path], object]] = {
    "flip": lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x01"),
    "truncate": lambda path: os.truncate(path, path.stat().st_size // 2),
    "delete": Path.unlink,
}


def everything(folder: Path, handle: DataHandle) -> dict[str, bytes]:
    """What trainings read of a store, each file as it has been derived."""
    there = DataHandle(str(folder), handle.fingerprint, generation=time.monotonic_ns())
    there.fold(0, "standardize"), there.test(1, "standardize")
    home = folder / handle.fingerprint
    return {
        str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*.np[yz]"))
    }


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize(
    "name", ["X.npy", "store.json", "split-1.npz", MANIFEST, "fold-0-standardize-1.0/X_train.npy"]
)
def test_what_is_damaged_in_the_cache_is_found_by_the_next_agent(
    handle: DataHandle, tmp_path: Path, how: str, name: str
) -> None:
    server, folder = Server(handle.folder), tmp_path / "cache"
    held(DataCache(folder), handle.fingerprint, server)
    sound = everything(folder, handle)
    DAMAGE[how](folder / handle.fingerprint / name)
    told: list[str] = []
    held(DataCache(folder, on_damage=told.append), handle.fingerprint, server)
    assert everything(folder, handle) == sound
    derived = "/" in name  # and so made anew, by whoever needs it
    assert server.asked == 2 - derived
    assert len(told) == 1 - derived
    assert all(f"{name} " in sentence for sentence in told)


def test_what_was_not_sent_does_not_stay(handle: DataHandle, tmp_path: Path) -> None:
    server, folder = Server(handle.folder), tmp_path / "cache"
    held(DataCache(folder), handle.fingerprint, server)
    home = folder / handle.fingerprint
    before = sorted(home.iterdir())
    (home / "fold-0-none-1.0").mkdir()
    (home / "fold-0-none-1.0" / "X_train.npy").write_bytes(b"of somebody")
    (home / "estimator.pickle").write_bytes(b"code")
    (tmp_path / "mine").mkdir()
    (home / "link").symlink_to(tmp_path / "mine")
    held(DataCache(folder), handle.fingerprint, server)
    assert sorted(home.iterdir()) == before
    assert (tmp_path / "mine").is_dir()
    assert server.asked == 1


def test_it_is_checked_once_by_an_agent_and_not_while_another_works(
    handle: DataHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, folder, checks = Server(handle.folder), tmp_path / "cache", []
    monkeypatch.setattr(data_module, "what_is_wrong", lambda home: checks.append(home) or "")
    one, other = DataCache(folder), DataCache(folder)
    held(one, handle.fingerprint, server)
    assert checks == []  # it was checked as it arrived

    async def both() -> None:
        name, fetch = handle.fingerprint, server.fetch
        async with one.holding(name, fetch), other.holding(name, fetch):
            everything(folder, handle)

    asyncio.run(both())
    held(other, handle.fingerprint, server)
    assert checks == []
    assert (folder / handle.fingerprint / "fold-0-standardize-1.0").is_dir()
    held(DataCache(folder), handle.fingerprint, server)
    held(one, handle.fingerprint, server)
    assert len(checks) == 1


def test_damaged_data_wait_for_those_who_use_them(
    handle: DataHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, folder, told = Server(handle.folder), tmp_path / "cache", list[str]()
    one, other = DataCache(folder), DataCache(folder, on_damage=told.append)
    monkeypatch.setattr(data_module, "DOUBT_SECONDS", 0.3)

    async def both() -> None:
        async with one.holding(handle.fingerprint, server.fetch):
            async with other.holding(handle.fingerprint, server.fetch):
                pass
            DAMAGE["flip"](folder / handle.fingerprint / "y.npy")
            other.doubt(handle.fingerprint, "a training broke")
            with pytest.raises(RunError, match="and others use them"):
                async with other.holding(handle.fingerprint, server.fetch):
                    pass
        before = other.generation(handle.fingerprint)
        async with other.holding(handle.fingerprint, server.fetch):
            assert other.generation(handle.fingerprint) > before

    asyncio.run(both())
    assert server.asked == 2
    assert "a training broke" in told[0]
    assert "y.npy has changed" in told[1]


def zipped(files: dict[str, bytes], manifest: Any = None) -> tuple[IO[bytes], str]:
    """A zip of these files, and its ETag."""
    found = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    text = json.dumps(found if manifest is None else manifest).encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {MANIFEST: text, **files}.items():
            archive.writestr(name, content)
    return file, hashlib.sha256(text).hexdigest()


STORE = {"store.json": b"{}", "X.npy": b"x" * 100}


@pytest.mark.parametrize(
    ("files", "manifest", "why"),
    [
        ({**STORE, "../evil": b""}, None, "other files than those of data"),
        ({**STORE, "/etc/passwd": b""}, None, "other files than those of data"),
        ({**STORE, "fold-0-none-1.0/X_train.npy": b""}, None, "other files than"),
        ({**STORE, "function.pickle": b""}, None, "other files than those of data"),
        ({"X.npy": b""}, None, "other files than those of data"),
        (STORE, [], "other files than those of data"),
        (STORE, {"store.json": {"size": 2, "sha256": "0"}}, "not those of its manifest"),
        (STORE, {"store.json": {"size": 2}, "X.npy": {}}, "other files than those of data"),
        (STORE, {"store.json": {"size": -1, "sha256": ""}}, "other files than those of data"),
    ],
)
def test_only_the_files_of_a_store_are_unpacked(
    tmp_path: Path, files: dict[str, bytes], manifest: Any, why: str
) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(DamagedError, match=why):
        unpack(*zipped(files, manifest), tmp_path / "in", most=10_000)
    assert list(tmp_path.rglob("*")) == [tmp_path / "in"]


def test_a_bomb_writes_no_more_than_its_manifest_says(tmp_path: Path) -> None:
    bomb = {"store.json": b"{}", "X.npy": b"\0" * 10_000_000}
    with pytest.raises(RunError, match="10,000,002 bytes, and there is room for 1,000"):
        unpack(*zipped(bomb), tmp_path, most=1000)
    manifest = {name: {"size": 2, "sha256": "0"} for name in bomb}
    manifest["store.json"]["sha256"] = hashlib.sha256(b"{}").hexdigest()
    with pytest.raises(DamagedError, match=r"X\.npy is not what its manifest says"):
        unpack(*zipped(bomb, manifest), tmp_path, most=1000)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4
    with pytest.raises(DamagedError, match="not that which the server named"):
        unpack(zipped(STORE)[0], "0" * 64, tmp_path, most=1000)


def test_a_file_twice_is_refused(tmp_path: Path) -> None:
    file, etag = zipped(STORE)
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("X.npy", b"another")
    with pytest.raises(DamagedError, match="not those of its manifest"):
        unpack(file, etag, tmp_path, most=1000)


def test_whatever_is_changed_in_a_zip_it_is_refused_or_the_same(
    handle: DataHandle, tmp_path: Path
) -> None:
    content = b"".join(pack(handle.folder, handle.fingerprint))
    etag, rng = etag_of(handle.folder, handle.fingerprint), np.random.default_rng(0)
    for k in range(60):
        changed = bytearray(content)
        # In the directory at the end too, where sizes and names stand.
        at = int(rng.integers(len(content) - 900 if k % 2 else 0, len(content) - 8))
        changed[at : at + 4] = struct.pack("<I", int(rng.integers(2**32)))
        target = tmp_path / f"t{k}"
        target.mkdir()
        try:
            unpack(io.BytesIO(changed), etag, target, most=1 << 20)
        except DamagedError:
            continue
        assert (target / "X.npy").read_bytes() == (
            Path(handle.folder, handle.fingerprint, "X.npy").read_bytes()
        )


def test_the_longest_unused_go_and_nothing_in_use(tmp_path: Path) -> None:
    handles = [store(tmp_path, seed) for seed in range(4)]
    server, names = Server(handles[0].folder), [handle.fingerprint for handle in handles]
    cache = DataCache(tmp_path / "cache")
    for age, name in enumerate(names[:3]):
        held(cache, name, server)
        os.utime(cache.folder / name, (1000 + age, 1000 + age))
    size = data_module._bytes_of(cache.folder / names[0])
    small = DataCache(cache.folder, most=2 * size + 100)

    async def work() -> None:
        async with small.holding(names[0], server.fetch):  # the oldest, but in use
            os.utime(cache.folder / names[0], (900, 900))
            async with small.holding(names[3], server.fetch):
                pass

    asyncio.run(work())
    kept = {path.name for path in cache.folder.iterdir() if path.is_dir()}
    assert kept == {names[0], names[3]}


def test_data_larger_than_the_cache_are_refused_at_once(handle: DataHandle, tmp_path: Path) -> None:
    server, cache = Server(handle.folder), DataCache(tmp_path / "cache", most=1000)
    with pytest.raises(RunError, match="and there is room for 1,000"):
        held(cache, handle.fingerprint, server)
    assert server.asked == 1


def test_a_folder_that_cannot_be_written_is_told(handle: DataHandle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = DataCache(tmp_path / "file" / "cache")
    with pytest.raises(RunError, match="name another with --cache"):
        held(cache, handle.fingerprint, Server(handle.folder))


def test_the_error_of_a_job_stays_its_own(handle: DataHandle, tmp_path: Path) -> None:
    async def work() -> None:
        async with DataCache(tmp_path / "c").holding(
            handle.fingerprint, Server(handle.folder).fetch
        ):
            raise OSError("of the job")

    with pytest.raises(OSError, match="of the job"):
        asyncio.run(work())


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "hpsearch"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "hpsearch"
