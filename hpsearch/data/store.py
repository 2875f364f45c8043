"""Data on its way to workers: written once, prepared once for each fold, then only memory-mapped.

A store is a folder named by its fingerprint inside a folder of the caller's::

    <fingerprint>/store.json, X.npy, y.npy, split-0.npz ...     the data set and its splits
    <fingerprint>/fold-0-standardize-1/ ...                     what a worker maps

Every folder is written under a temporary name and renamed when it is complete. So a killed writer
leaves nothing that is read later, and of two writers that race, one wins and both wrote the same.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.dataset import Dataset
from hpsearch.data.preprocessing import PREPROCESSING, Preprocessor
from hpsearch.data.splits import Split
from hpsearch.errors import DamagedDataError, DataError

__all__ = ["DataHandle", "Fold", "Undivided", "write_store"]

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fold:
    """Prepared samples, as read-only views of memory-mapped files.

    Args:
        X_train: shape (n_train, d'), float32.
        y_train: class codes, shape (n_train,), int64, or a quantity in its own units, float64.
        X_validation: what to evaluate on, shape (n_validation, d'), float32.
        y_validation: likewise, shape (n_validation,).
        weight_train: how much each row counts, shape (n_train,), float32; None: all the same.
        weight_validation: likewise, shape (n_validation,).
    """

    X_train: NDArray[np.float32]
    y_train: NDArray[Any]
    X_validation: NDArray[np.float32]
    y_validation: NDArray[Any]
    weight_train: NDArray[np.float32] | None = None
    weight_validation: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Undivided:
    """Samples as they were read, for what does its own preprocessing.

    Args:
        X_train: of training and validation part, shape (n, d), float32, NaN where a value is
            missing.
        y_train: class codes or quantities, shape (n,).
        X_test: of the test part, shape (n_test, d), float32.
        y_test: likewise, shape (n_test,).
        categories: column -> the names of its categories, whose indices the column holds.
        weight_train: how much each row counts, shape (n,); None: all the same.
        weight_test: likewise, shape (n_test,).
    """

    X_train: NDArray[np.float32]
    y_train: NDArray[Any]
    X_test: NDArray[np.float32]
    y_test: NDArray[Any]
    categories: Mapping[int, tuple[str, ...]]
    weight_train: NDArray[np.float32] | None = None
    weight_test: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class DataHandle:
    """The way to a store: a few bytes to pickle, and the arrays by mapping.

    Args:
        folder: absolute path of the folder that `write_store` was given.
        fingerprint: names the data set and its splits inside it.
        generation: how often a process that gives it to workers has had its files made anew; they
            map nothing that they have mapped of another.
    """

    folder: str
    fingerprint: str
    generation: int = 0

    @property
    def n_classes(self) -> int:
        """Number of classes in the whole data set."""
        return int(_describe(self)["n_classes"])

    @property
    def n_folds(self) -> int:
        """Number of splits."""
        return int(_describe(self)["n_folds"])

    def fold(self, fold: int, preprocessing: str, *, variance: float = 1.0) -> Fold:
        """Training and validation part of one split, preprocessed as the training part teaches.

        The first process to ask prepares the arrays; all others map them.

        Args:
            fold: 0 to ``n_folds - 1``.
            preprocessing: one of `hpsearch.data.preprocessing.KINDS`.
            variance: the share of the variance that pca and whiten keep.

        Raises:
            UnknownNameError: no such preprocessing.
            DataError: no such fold, or the store is gone or damaged.
        """
        return _prepared(self, fold, preprocessing, variance)[0]

    def test(
        self, fold: int, preprocessing: str, *, variance: float = 1.0
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[np.float32] | None]:
        """The test part, preprocessed as the training part of one split teaches.

        For comparisons of searches, which score every trial on it and choose none by it. Arguments
        and errors are those of `fold`.

        Returns:
            Samples, shape (n_test, d'), float32; class codes or a quantity, shape (n_test,); and
            how much each row counts, shape (n_test,), or None.
        """
        return _test_part(self, fold, preprocessing, variance)

    def refit(self, preprocessing: str, *, variance: float = 1.0) -> tuple[Fold, Preprocessor]:
        """Training plus validation part to train on and the test part to evaluate, once.

        Returns:
            A `Fold` whose ``X_validation`` and ``y_validation`` are the test part, and the
            preprocessor fitted on training plus validation part. Arguments and errors are those
            of `fold`.
        """
        return _prepared(self, None, preprocessing, variance)

    def undivided(self, fold: int | None = None) -> Undivided:
        """The rows of `refit`, or of a fold, not preprocessed.

        Raises:
            DataError: the store is gone or damaged.
        """
        home = _home(self)
        with _told(home):
            X, y = _map(home / "X.npy"), _map(home / "y.npy")
            train, test = _rows_of(self, fold)
            weights = _weights(self)
            counted = (None, None) if weights is None else (weights[train], weights[test])
            return Undivided(X[train], y[train], X[test], y[test], _categories(self), *counted)


def write_store(folder: str | Path, dataset: Dataset, splits: Sequence[Split]) -> DataHandle:
    """Write a data set and its splits where workers can map them.

    A store of the same data and splits that is already there is used as it is.

    Args:
        folder: the caller's; made if need be, never cleaned up. Workers on other machines must see
            it under the same path.
        dataset: what to learn from.
        splits: at least one, all with the same test part, as `make_splits` gives.

    Returns:
        The handle that workers get.

    Raises:
        DataError: the folder cannot be written.
    """
    digest = hashlib.sha256(dataset.fingerprint.encode())
    for split in splits:
        for rows in vars(split).values():
            digest.update(np.ascontiguousarray(rows).data)
            digest.update(b"|")
    handle = DataHandle(str(Path(folder).resolve()), digest.hexdigest()[:16])
    description = {
        "name": dataset.name,
        "n_classes": len(dataset.classes),
        "n_folds": len(splits),
        "weighted": dataset.weights is not None,
        "categories": [[column, list(names)] for column, names in dataset.nominal.items()],
    }

    def write(target: Path) -> None:
        np.save(target / "X.npy", dataset.X)
        np.save(target / "y.npy", dataset.y)
        if dataset.weights is not None:
            np.save(target / "weights.npy", dataset.weights)
        for number, split in enumerate(splits):
            np.savez(target / f"split-{number}.npz", allow_pickle=False, **vars(split))
        (target / "store.json").write_text(json.dumps(description), encoding="utf-8")

    try:
        Path(handle.folder).mkdir(parents=True, exist_ok=True)
        _complete(_home(handle), write)
    except OSError as error:
        raise DataError(_cannot_write(handle.folder, error)) from error
    return handle


def _home(handle: DataHandle) -> Path:
    return Path(handle.folder) / handle.fingerprint


@lru_cache(maxsize=8)
def _describe(handle: DataHandle) -> dict[str, Any]:
    try:
        text = (_home(handle) / "store.json").read_bytes()
    except OSError as error:
        raise DamagedDataError(
            f"there is no data store {handle.fingerprint} in {handle.folder}; write it again"
        ) from error
    with _told(_home(handle)):
        description: dict[str, Any] = json.loads(text)
    return description


@lru_cache(maxsize=64)
def _prepared(
    handle: DataHandle, fold: int | None, kind: str, variance: float
) -> tuple[Fold, Preprocessor]:
    """Map the arrays of one fold, or of the refit (``fold`` None), preparing them once."""
    PREPROCESSING.check("preprocessing", kind)
    if fold is not None and not 0 <= fold < handle.n_folds:
        raise DataError(f"there is no fold {fold}; the data has folds 0 to {handle.n_folds - 1}")
    part = "refit" if fold is None else f"fold-{fold}"
    target = _home(handle) / f"{part}-{kind}-{variance!r}"
    with _told(target):
        if not target.is_dir():
            _complete(target, lambda folder: _prepare(handle, fold, kind, variance, folder))
        # Our own stream: numpy leaves one that it opened for a damaged archive to the collector.
        with (target / "preprocessor.npz").open("rb") as file, np.load(file) as state:
            preprocessor = Preprocessor.from_state(state)
        paths = [target / f"{each.name}.npy" for each in fields(Fold)]
        weighted = _describe(handle).get("weighted", False)
        arrays = [_map(path) for path in (paths if weighted else paths[:4])]
        return Fold(*arrays), preprocessor


@lru_cache(maxsize=64)
def _test_part(
    handle: DataHandle, fold: int, kind: str, variance: float
) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[np.float32] | None]:
    preprocessor = _prepared(handle, fold, kind, variance)[1]
    home = _home(handle)
    target = home / f"test-{fold}-{kind}-{variance!r}"
    weights = _weights(handle)

    def write(folder: Path) -> None:
        with np.load(home / f"split-{fold}.npz", allow_pickle=False) as split:
            rows = split["test"]
        np.save(folder / "X.npy", preprocessor.transform(_map(home / "X.npy")[rows]))
        np.save(folder / "y.npy", _map(home / "y.npy")[rows])
        if weights is not None:
            np.save(folder / "weights.npy", weights[rows])

    with _told(target):
        _complete(target, write)
        counted = None if weights is None else _map(target / "weights.npy")
        return _map(target / "X.npy"), _map(target / "y.npy"), counted


@contextmanager
def _told(target: Path) -> Iterator[None]:
    """Say of what goes wrong with a folder of prepared data what to do about it."""
    try:
        yield
    except DataError:
        raise
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        gone = isinstance(error, FileNotFoundError)
        if isinstance(error, OSError) and not gone:
            raise DataError(_cannot_write(str(target.parent), error)) from error
        if gone and not target.is_dir():
            raise DamagedDataError(
                f"the prepared data in {target} are gone, as where temporary files are deleted "
                "after some time; run the same command again, which goes on from what is finished"
            ) from error
        raise DamagedDataError(
            f"the prepared data in {target} are damaged: {error}; delete that folder and run again"
        ) from error


def _cannot_write(folder: str, error: OSError) -> str:
    """A sentence; NumPy's own error of a full disk only counts what was written."""
    reason = error.strerror or f"no room left ({error})"
    return (
        f"the prepared data cannot be written to {folder}: {reason}; free some space there, or "
        "name another folder in the environment variable TMPDIR, and run the same command again, "
        "which goes on from what is finished"
    )


def _prepare(
    handle: DataHandle, fold: int | None, kind: str, variance: float, folder: Path
) -> None:
    """Compute the arrays of one fold from the data set and write them into ``folder``."""
    home = _home(handle)
    X, y = _map(home / "X.npy"), _map(home / "y.npy")
    train, evaluate = _rows_of(handle, fold)
    preprocessor, X_train = Preprocessor.fit_transform(
        X[train], kind, categories=_categories(handle), y=y[train], variance=variance
    )
    weights = _weights(handle)
    prepared = Fold(
        X_train,
        y[train],
        preprocessor.transform(X[evaluate]),
        y[evaluate],
        *(() if weights is None else (weights[train], weights[evaluate])),
    )
    for name, array in vars(prepared).items():
        if array is not None:
            np.save(folder / f"{name}.npy", array)
    np.savez(folder / "preprocessor.npz", allow_pickle=False, **preprocessor.state())


def _rows_of(handle: DataHandle, fold: int | None) -> tuple[Rows, Rows]:
    """The rows to train on and to evaluate on, of a fold or of the refit."""
    # The refit has all rows but the test's; of folds in the order of time only the last has them.
    number = handle.n_folds - 1 if fold is None else fold
    with np.load(_home(handle) / f"split-{number}.npz", allow_pickle=False) as split:
        train, evaluate = split["train"], split["validation"]
        return (np.union1d(train, evaluate), split["test"]) if fold is None else (train, evaluate)


def _weights(handle: DataHandle) -> NDArray[np.float32] | None:
    """How much each row of the data set counts; None where all count the same."""
    weighted = _describe(handle).get("weighted", False)
    return _map(_home(handle) / "weights.npy") if weighted else None


def _categories(handle: DataHandle) -> dict[int, tuple[str, ...]]:
    return {column: tuple(names) for column, names in _describe(handle)["categories"]}


def _map(path: Path) -> NDArray[Any]:
    """A plain array over the file's pages; np.memmap itself is slower at every operation."""
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    return array


def _complete(target: Path, write: Callable[[Path], None]) -> None:
    """Have ``write`` fill a folder that takes its name only when whole, unless it is there."""
    if target.is_dir():
        return
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
    try:
        write(building)
        building.rename(target)
    except OSError:
        # Renaming onto a folder that another process completed first fails, and theirs is equal.
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
