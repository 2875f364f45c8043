"""NumPy archives: ``X``, ``y`` and, for a test part, ``X_test``, ``y_test``; never a pickle."""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.account import MISSING_LABEL
from hpsearch.data.dataset import Dataset, as_features
from hpsearch.data.files import check_unpacked, first_line
from hpsearch.errors import DataError, nearest, shown
from hpsearch.metrics import Task

__all__ = ["load_npz", "member_sizes", "npz_features", "read_members"]

MOST_HEADER = 1 << 14  # NumPy itself takes no header over 10,000 bytes, once it has read it

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

# What numpy raises on a header that is none: it has Python parse the text.
_NO_HEADER = (
    ValueError,
    TypeError,
    RecursionError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
)


def load_npz(path: Path, task: Task | None = None) -> Dataset:
    """A data set from an archive that ``np.savez(path, X=X, y=y)`` writes.

    Args:
        path: holds ``X``, shape (n, d) or (n, height, ...), and ``y``, shape (n,); and, when it
            comes with a test part, ``X_test`` and ``y_test``.
        task: whether y holds classes or a quantity; None to decide by what it holds.

    Returns:
        The data set, ``fixed_test`` set where the archive has a test part.

    Raises:
        DataError: it is no such archive, holds Python objects, or is unfit to learn from.
    """
    members = _read(path, required=("X", "y"), optional=("X_test", "y_test"))
    _check_pair(path, members, "X", "y")
    if "X_test" not in members and "y_test" not in members:
        return _asking(Dataset.from_arrays(path.name, members["X"], members["y"], task=task))
    _check_pair(path, members, "X_test", "y_test")
    for name in ("X", "y"):
        one, other = members[name], members[f"{name}_test"]
        if one.shape[1:] != other.shape[1:]:
            raise DataError(
                f"{path}: samples of {name} have shape {one.shape[1:]} and those of {name}_test "
                f"{other.shape[1:]}; they must agree."
            )
        if (one.dtype.kind in "biuf") != (other.dtype.kind in "biuf"):
            raise DataError(
                f"{path}: {name} is of type {one.dtype} and {name}_test of {other.dtype}; "
                "give both numbers, or both text."
            )
    X = [as_features(path.name, members.pop(name)) for name in ("X", "X_test")]
    y = [members.pop(name) for name in ("y", "y_test")]
    data = Dataset.from_arrays(path.name, np.concatenate(X), np.concatenate(y), task=task)
    return _asking(replace(data, fixed_test=len(X[0])))


def _asking(data: Dataset) -> Dataset:
    """The data, the account of which asks about labels that read as missing."""
    if data.task == "regression":
        return data
    counts = np.bincount(data.y.astype(np.int64), minlength=len(data.classes))
    remarks = tuple(
        f"{count:,} rows have the label {label!r}, kept as a class; if it means that the label is "
        "missing, leave these rows out of the file"
        for label, count in zip(data.classes, counts, strict=True)
        if isinstance(label, str) and label.strip().lower() in ("", *MISSING_LABEL)
    )
    return replace(data, account=replace(data.account, remarks=remarks)) if remarks else data


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
    """The named members of an archive of samples and labels."""
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise DataError(
                f"{path} is not an npz archive; write it with np.savez(path, X=X, y=y)."
            )
        try:
            with zipfile.ZipFile(file) as archive:
                there = member_sizes(archive)
                for name in required:
                    if name not in there:
                        close = nearest(name, there)
                        hint = f"; did you mean {close!r}?" if close else "."
                        known = ", ".join(map(shown, islice(there, 10))) or "none"
                        raise DataError(f"{path} has no array {name!r}{hint} Its arrays: {known}.")
                wanted = [name for name in (*required, *optional) if name in there]
                return read_members(str(path), archive, wanted, path.stat().st_size)
        except DataError:
            raise
        except _DAMAGE as error:
            raise DataError(f"{path} is damaged ({first_line(error)}); write it again.") from error


def member_sizes(archive: zipfile.ZipFile) -> dict[str, int]:
    """The arrays of an archive and the bytes that each claims to unpack to."""
    return {m.filename.removesuffix(".npy"): m.file_size for m in archive.infolist()}


def read_members(
    path: str, archive: zipfile.ZipFile, names: Iterable[str], packed: int
) -> dict[str, NDArray[Any]]:
    """Arrays of an archive, once their headers, and what follows these, are found to be sound.

    Args:
        path: the archive's name, for messages.
        archive: open.
        names: of the members, without ``.npy``.
        packed: the bytes of the archive.

    Returns:
        The arrays by name; none can be a pickle.

    Raises:
        DataError: a member is no array, holds Python objects, unpacks to more than is read, or
            has another size than its header says.
    """
    members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
    wanted = {name: members[name] for name in names}
    unpacked = 0
    for name, member in wanted.items():
        with archive.open(member) as stream:
            shape, dtype, start = _header(path, name, stream)
        size, cells = member.file_size - start, math.prod(shape)
        if cells * dtype.itemsize != size:
            raise DataError(
                f"{path}: array {name!r} has {size:,} bytes, and its header says another size; "
                "write it again."
            )
        unpacked += max(size, 4 * cells)  # numbers become float32
        check_unpacked(path, packed, unpacked)
    arrays = {}
    for name, member in wanted.items():
        with archive.open(member) as stream:
            arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
    return arrays


def _header(path: str, name: str, stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """The shape and type of an array that begins here, and the bytes before its first cell."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    head = io.BytesIO(stream.read(MOST_HEADER))
    try:
        shape, _, dtype = readers[np.lib.format.read_magic(head)](head)
    except (*_NO_HEADER, KeyError) as error:
        raise DataError(
            f"{path}: the member {name!r} is no array of NumPy; write it with np.savez."
        ) from error
    if dtype.hasobject:
        raise DataError(
            f"{path} holds Python objects, which can run code when read; save plain numbers or "
            "text instead (an array whose dtype is not object)."
        )
    if not all(0 <= size < 2**63 for size in shape):
        raise DataError(
            f"{path}: the member {name!r} has the shape {shown(shape)}; write it again."
        )
    return shape, dtype, head.tell()


def _check_pair(path: Path, members: dict[str, NDArray[Any]], X: str, y: str) -> None:
    for name in (X, y):
        if name not in members:
            raise DataError(f"{path} has no array {name!r}; a test part needs both {X} and {y}.")
    if members[X].ndim < 2 or len(members[X]) != len(np.atleast_1d(members[y])):
        raise DataError(
            f"{path}: {X} has shape {members[X].shape} and {y} has shape {members[y].shape}; {X} "
            "needs one row per sample and y one label for each."
        )
