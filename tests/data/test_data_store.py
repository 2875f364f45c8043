"""The store: prepared once, mapped by all, whole or not there."""

from __future__ import annotations

import errno
import mmap
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpsearch.data import Dataset, Preprocessor, Split, load_dataset, make_splits
from hpsearch.data import store as store_module
from hpsearch.data.preprocessing import KINDS
from hpsearch.data.store import DataHandle, write_store
from hpsearch.errors import DataError, UnknownNameError

COLOURS = {1: ("blue", "green", "red")}


@pytest.fixture(autouse=True)
def _no_cache() -> None:
    """Each test reads what is on disk now, as a new process would."""
    store_module._prepared.cache_clear()
    store_module._describe.cache_clear()


@pytest.fixture
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    X[:, 1] = rng.integers(0, 3, 60)
    X[::7, 0] = np.nan
    return Dataset.from_arrays("toy", X, np.tile([0, 1, 2], 20), categories=COLOURS)


@pytest.fixture
def splits(dataset: Dataset) -> tuple[Split, ...]:
    return make_splits(dataset.y, folds=2, seed=0)


@pytest.fixture
def handle(tmp_path: Path, dataset: Dataset, splits: tuple[Split, ...]) -> DataHandle:
    return write_store(tmp_path / "store", dataset, splits)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fold", [0, 1])
def test_a_fold_is_what_computing_it_directly_gives(
    handle: DataHandle, dataset: Dataset, splits: tuple[Split, ...], fold: int, kind: str
) -> None:
    train, validation = splits[fold].train, splits[fold].validation
    direct = Preprocessor.fit(dataset.X[train], kind, categories=COLOURS)
    found = handle.fold(fold, kind)
    assert found.X_train.tobytes() == direct.transform(dataset.X[train]).tobytes()
    assert found.X_validation.tobytes() == direct.transform(dataset.X[validation]).tobytes()
    np.testing.assert_array_equal(found.y_train, dataset.y[train])
    np.testing.assert_array_equal(found.y_validation, dataset.y[validation])
    test = splits[fold].test
    assert handle.test(fold, kind)[0].tobytes() == direct.transform(dataset.X[test]).tobytes()


def test_the_refit_trains_on_all_but_the_test_part(
    handle: DataHandle, dataset: Dataset, splits: tuple[Split, ...]
) -> None:
    train, test = np.union1d(splits[0].train, splits[0].validation), splits[0].test
    direct = Preprocessor.fit(dataset.X[train], "standardize", categories=COLOURS)
    fold, preprocessor = handle.refit("standardize")
    assert fold.X_train.tobytes() == direct.transform(dataset.X[train]).tobytes()
    assert fold.X_validation.tobytes() == direct.transform(dataset.X[test]).tobytes()
    np.testing.assert_array_equal(fold.y_train, dataset.y[train])
    np.testing.assert_array_equal(fold.y_validation, dataset.y[test])
    np.testing.assert_array_equal(preprocessor.mean, direct.mean)


def test_arrays_are_mapped_and_read_only(handle: DataHandle) -> None:
    fold = handle.fold(0, "standardize")
    for array, dtype in [
        (fold.X_train, np.float32),
        (fold.y_train, np.int64),
        (fold.X_validation, np.float32),
        (fold.y_validation, np.int64),
    ]:
        assert type(array) is np.ndarray
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        owner = array
        while isinstance(owner, np.ndarray) and owner.base is not None:
            owner = owner.base  # type: ignore[assignment]
        assert isinstance(owner, mmap.mmap)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_process_maps_a_fold_once(handle: DataHandle) -> None:
    assert handle.fold(0, "none") is handle.fold(0, "none")
    assert handle.fold(0, "none") is not handle.fold(1, "none")


def test_variance_has_a_fold_of_its_own(handle: DataHandle) -> None:
    whole, part = handle.fold(0, "pca"), handle.fold(0, "pca", variance=0.5)
    assert part.X_train.shape[1] < whole.X_train.shape[1]


def test_a_handle_is_small_and_tells_the_shape_of_things(handle: DataHandle) -> None:
    data = pickle.dumps(handle)
    assert len(data) < 500
    assert pickle.loads(data) == handle
    assert (handle.n_classes, handle.n_folds) == (3, 2)


def test_writing_the_same_again_uses_what_is_there(
    handle: DataHandle, dataset: Dataset, splits: tuple[Split, ...]
) -> None:
    home = Path(handle.folder) / handle.fingerprint
    before = (home / "X.npy").stat().st_ino
    assert write_store(handle.folder, dataset, splits) == handle
    assert (home / "X.npy").stat().st_ino == before


def test_other_splits_are_another_store(handle: DataHandle, dataset: Dataset) -> None:
    other = write_store(handle.folder, dataset, make_splits(dataset.y, seed=1))
    assert other.fingerprint != handle.fingerprint
    assert other.n_folds == 1


def test_a_store_that_is_not_there_is_told(handle: DataHandle) -> None:
    with pytest.raises(DataError, match="no data store 0123"):
        _ = DataHandle(handle.folder, "0123").n_folds


@pytest.mark.parametrize(
    ("fold", "kind", "error", "words"),
    [
        (2, "none", DataError, "folds 0 to 1"),
        (-1, "none", DataError, "folds 0 to 1"),
        (0, "center", UnknownNameError, "unknown preprocessing"),
    ],
)
def test_what_is_not_there_is_refused(
    handle: DataHandle, fold: int, kind: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        handle.fold(fold, kind)


def _fold_at_once(handle: DataHandle, barrier: object, results: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    fold = handle.fold(0, "whiten")
    results.put((fold.X_train.tobytes(), fold.y_validation.tobytes()))  # type: ignore[attr-defined]


@pytest.mark.slow
def test_racing_processes_leave_one_fold_and_read_the_same(handle: DataHandle) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    workers = [
        context.Process(target=_fold_at_once, args=(handle, barrier, results)) for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert answers[0] == answers[1]
    assert answers[0][0] == handle.fold(0, "whiten").X_train.tobytes()
    names = sorted(p.name for p in (Path(handle.folder) / handle.fingerprint).iterdir())
    assert [name for name in names if "whiten" in name] == ["fold-0-whiten-1.0"]
    assert not [name for name in names if name.startswith(".building")]


def test_losing_the_race_uses_the_winners_fold(
    handle: DataHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process finishes between our look at the folder and our renaming."""
    winner = store_module._prepare

    def slow(*args: object) -> None:
        winner(*args)  # type: ignore[arg-type]
        monkeypatch.setattr(store_module, "_prepare", winner)
        store_module._prepared.cache_clear()
        handle.fold(0, "none")

    monkeypatch.setattr(store_module, "_prepare", slow)
    assert np.isfinite(handle.fold(0, "none").X_train).all()
    home = Path(handle.folder) / handle.fingerprint
    assert not list(home.glob(".building*"))


def _die_while_writing(handle: DataHandle) -> None:
    np.savez = lambda *args, **kwargs: os._exit(9)  # type: ignore[assignment]
    handle.fold(0, "standardize")


@pytest.mark.slow
def test_a_killed_writer_leaves_nothing_that_is_read(
    handle: DataHandle, dataset: Dataset, splits: tuple[Split, ...]
) -> None:
    worker = multiprocessing.get_context("spawn").Process(target=_die_while_writing, args=(handle,))
    worker.start()
    worker.join()
    assert worker.exitcode == 9
    home = Path(handle.folder) / handle.fingerprint
    [half] = home.glob(".building*")  # it died half-way
    assert (half / "X_train.npy").exists()
    assert not (home / "fold-0-standardize-1.0").exists()
    test_a_fold_is_what_computing_it_directly_gives(handle, dataset, splits, 0, "standardize")


@pytest.mark.parametrize("name", ["X_train.npy", "preprocessor.npz"])
@pytest.mark.parametrize("damage", ["cut", "gone", "rubbish"])
def test_a_damaged_fold_is_one_sentence(handle: DataHandle, name: str, damage: str) -> None:
    handle.fold(0, "none")
    file = Path(handle.folder) / handle.fingerprint / "fold-0-none-1.0" / name
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:140] if damage == "cut" else b"rubbish" * 40)
    store_module._prepared.cache_clear()
    with pytest.raises(DataError, match="delete that folder and run again"):
        handle.fold(0, "none")


def test_a_foreign_state_keeps_its_own_sentence(handle: DataHandle) -> None:
    handle.fold(0, "none")
    file = Path(handle.folder) / handle.fingerprint / "fold-0-none-1.0" / "preprocessor.npz"
    np.savez(file, kind="none")
    store_module._prepared.cache_clear()
    with pytest.raises(DataError, match="no array 'impute'"):
        handle.fold(0, "none")


def test_a_folder_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, dataset: Dataset, splits: tuple[Split, ...]
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="name another folder"):
        write_store(tmp_path / "file" / "store", dataset, splits)


def test_a_full_disk_leaves_no_store(
    tmp_path: Path, dataset: Dataset, splits: tuple[Split, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(DataError, match="No space left on device; free some space"):
            write_store(tmp_path, dataset, splits)
    assert list(tmp_path.iterdir()) == []
    assert write_store(tmp_path, dataset, splits).n_folds == 2


FULL = {
    "the system says it": OSError(errno.ENOSPC, "No space left on device"),
    "a quota": OSError(errno.EDQUOT, "Disk quota exceeded"),
    "NumPy counts": OSError("92032 requested and 32736 written"),
    "read-only": OSError(errno.EROFS, "Read-only file system"),
}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL.keys())
@pytest.mark.parametrize("ask", ["fold", "refit", "test"])
def test_a_disk_that_is_full_in_the_middle_is_told_with_what_helps(
    handle: DataHandle, ask: str, error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise error

    asked = {
        "fold": lambda: handle.fold(0, "pca"),
        "refit": lambda: handle.refit("pca"),
        "test": lambda: handle.test(0, "pca"),
    }
    if ask == "test":
        handle.fold(0, "pca")
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(DataError, match="free some space there") as caught:
            asked[ask]()
    sentence = str(caught.value)
    assert handle.folder in sentence
    assert str(error.strerror or error) in sentence
    assert "TMPDIR" in sentence
    assert "delete" not in sentence
    asked[ask]()  # there is room again


def test_data_that_somebody_deleted_are_told_as_gone(handle: DataHandle) -> None:
    handle.fold(0, "none")
    shutil.rmtree(handle.folder)
    with pytest.raises(DataError, match="are gone"):
        handle.fold(0, "pca")


def test_a_worker_needs_no_heavy_package(tmp_path: Path) -> None:
    data = load_dataset("iris")
    handle = write_store(tmp_path, data, make_splits(data.y, seed=0))
    code = (
        "import sys; from hpsearch.data.store import DataHandle;"
        f"DataHandle({handle.folder!r}, {handle.fingerprint!r}).fold(0, 'whiten');"
        "print(*{'sklearn', 'pandas', 'pyarrow', 'optuna', 'scipy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
