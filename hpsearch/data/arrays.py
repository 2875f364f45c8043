"""NumPy archives: ``X``, ``y`` and, for a test part, ``X_test``, ``y_test``; never a pickle."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.data.dataset import MAX_CELLS, Dataset, as_features
from hpsearch.data.files import first_line
from hpsearch.errors import DataError, nearest

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["load_npz", "npz_features"]

# What zipfile, zlib and numpy raise on damaged, encrypted or absurdly large members.
_DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_npz(path: Path) -> Dataset:
    """A data set from an archive that ``np.savez(path, X=X, y=y)`` writes.

    Args:
        path: holds ``X``, shape (n, d) or (n, height, ...), and ``y``, shape (n,); and, when it
            comes with a test part, ``X_test`` and ``y_test``.

    Returns:
        The data set, ``fixed_test`` set where the archive has a test part.

    Raises:
        DataError: it is no such archive, holds Python objects, or is unfit to learn from.
    """
    members = _read(path, required=("X", "y"), optional=("X_test", "y_test"))
    _check_pair(path, members, "X", "y")
    if "X_test" not in members and "y_test" not in members:
        return Dataset.from_arrays(path.name, members["X"], members["y"])
    _check_pair(path, members, "X_test", "y_test")
    X, X_test = members["X"], members["X_test"]
    if X.shape[1:] != X_test.shape[1:]:
        raise DataError(
            f"{path}: samples of X have shape {X.shape[1:]} and those of X_test "
            f"{X_test.shape[1:]}; they must agree."
        )
    return Dataset.from_arrays(
        path.name,
        np.concatenate([X, X_test]),
        np.concatenate([members["y"], members["y_test"]]),
        fixed_test=len(X),
    )


def npz_features(path: Path, columns: int) -> NDArray[np.float32]:
    """The samples ``X`` of an archive, flattened, for a model of so many columns.

    Raises:
        DataError: it is no archive with such an ``X``.
    """
    matrix = as_features(str(path), _read(path, required=("X",))["X"])
    if matrix.shape[1] != columns:
        raise DataError(
            f"{path}: X has {matrix.shape[1]} columns, and the model learned from {columns}; "
            "give the same columns in the same order."
        )
    return matrix


def _read(
    path: Path, *, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, NDArray[Any]]:
    """The named members, none of which can be a pickle or unpack to more than is allowed."""
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not an npz archive; write it with np.savez(path, X=X, y=y).")
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {m.filename.removesuffix(".npy"): m.file_size for m in archive.infolist()}
        for name in required:
            if name not in sizes:
                close = nearest(name, sizes)
                hint = f"; did you mean {close!r}?" if close else "."
                known = ", ".join(sizes) or "none"
                raise DataError(f"{path} has no array {name!r}{hint} Its arrays: {known}.")
        wanted = [name for name in (*required, *optional) if name in sizes]
        for name in wanted:
            if sizes[name] > 8 * MAX_CELLS:
                raise DataError(
                    f"{path}: array {name!r} unpacks to {sizes[name]:,} bytes, and at most "
                    f"{8 * MAX_CELLS:,} are read; take a sample of the rows."
                )
        # Our own stream: numpy leaves one that it opened for a damaged archive to the collector.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in wanted}
    except DataError:
        raise
    except _DAMAGE as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path} holds Python objects, which can run code when read; save plain numbers or "
                "text instead (an array whose dtype is not object)."
            ) from error
        raise DataError(f"{path} is damaged ({first_line(error)}); write it again.") from error


def _check_pair(path: Path, members: dict[str, NDArray[Any]], X: str, y: str) -> None:
    for name in (X, y):
        if name not in members:
            raise DataError(f"{path} has no array {name!r}; a test part needs both {X} and {y}.")
    if members[X].ndim < 2 or len(members[X]) != len(np.atleast_1d(members[y])):
        raise DataError(
            f"{path}: {X} has shape {members[X].shape} and {y} has shape {members[y].shape}; {X} "
            "needs one row a sample and y one label for each."
        )
