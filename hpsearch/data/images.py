"""Image data sets from their binary files: Fashion-MNIST (IDX) and CIFAR-10 (binary version)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.dataset import Dataset, check_size
from hpsearch.data.files import check_unpacked, existing_file, reading, whole_path
from hpsearch.errors import DataError

__all__ = ["load_cifar_10", "load_fashion_mnist", "read_idx"]

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
CIFAR_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
PIECE = 1 << 20
CIFAR_RECORD = 1 + 3 * 32 * 32  # a label, then the red, green and blue pixels row by row
SCALED = "pixels are divided by 255, so they lie between 0 and 1; predict on pixels scaled alike"


def load_fashion_mnist(folder: Path | None) -> Dataset:
    """Fashion-MNIST: 70,000 grey images of 28 x 28, the last 10,000 as the test part.

    Args:
        folder: holds the four IDX files, gzipped or not; where Debian's dataset-fashion-mnist puts
            them by default.

    Returns:
        Pixels from 0 to 1, and ``fixed_test`` set.

    Raises:
        DataError: a file is missing, malformed or does not match the others.
    """
    home = DEBIAN_FOLDER if folder is None else whole_path(folder)
    parts = []
    for part in ("train", "t10k"):
        images = read_idx(_idx_file(home, f"{part}-images-idx3-ubyte"), dimensions=3)
        labels = read_idx(_idx_file(home, f"{part}-labels-idx1-ubyte"), dimensions=1)
        if len(images) != len(labels):
            raise DataError(
                f"fashion-mnist: in {home} the {part} files have {len(images)} images and "
                f"{len(labels)} labels; download both again."
            )
        parts.append((images, labels))
    (train, train_labels), (test, test_labels) = parts
    if train.shape[1:] != test.shape[1:]:
        raise DataError(
            f"fashion-mnist: in {home} training images are {train.shape[1:]} pixels and test "
            f"images {test.shape[1:]}; download both again."
        )
    data = Dataset.from_arrays(
        "fashion-mnist",
        _scaled([train, test]),
        np.concatenate([train_labels, test_labels]),
        classes=FASHION_CLASSES,
        feature_names=[f"pixel_{r}_{c}" for r, c in np.ndindex(train.shape[1:])],
    )
    return replace(data, notes=(SCALED,), fixed_test=len(train))


def load_cifar_10(folder: Path | None) -> Dataset:
    """CIFAR-10, binary version: 60,000 colour images of 32 x 32, ``test_batch`` as test part.

    Args:
        folder: holds ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``, or the
            folder ``cifar-10-batches-bin`` that does.

    Returns:
        Pixels from 0 to 1, and ``fixed_test`` set.

    Raises:
        DataError: no folder is given, or a file is missing or malformed.
    """
    if folder is None:
        raise DataError(
            "cifar-10 needs a folder with the files of its binary version (data_batch_1.bin and so "
            "on); name it as folder."
        )
    home = whole_path(folder)
    if (home / "cifar-10-batches-bin").is_dir():
        home = home / "cifar-10-batches-bin"
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    batches = [_cifar_batch(existing_file(home / name)) for name in names]
    pixel_names = [
        f"{colour}_{r}_{c}" for colour in ("red", "green", "blue") for r, c in np.ndindex(32, 32)
    ]
    data = Dataset.from_arrays(
        "cifar-10",
        _scaled([batch[:, 1:] for batch in batches]),
        np.concatenate([batch[:, 0] for batch in batches]),
        classes=CIFAR_CLASSES,
        feature_names=pixel_names,
    )
    return replace(data, notes=(SCALED,), fixed_test=len(data.y) - len(batches[-1]))


def read_idx(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes, as LeCun's MNIST page defines it.

    Args:
        path: the file, gzipped or not.
        dimensions: 1 for labels, 3 for images.

    Returns:
        Bytes in the shape that the header declares; never more is unpacked than that.

    Raises:
        DataError: the magic number is another one, or the header and the length disagree.
    """
    magic = 0x0800 + dimensions
    with reading(path) as stream:
        found = int.from_bytes(_exactly(stream, 4, path), "big")
        if found != magic:
            raise DataError(
                f"{path} starts with the magic number {found}, and an IDX file of {dimensions} "
                f"dimensions with {magic}; is it another file, or another format?"
            )
        header = _exactly(stream, 4 * dimensions, path)
        shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
        if 0 in shape:
            raise DataError(
                f"{path} declares the shape {shape}, which has no samples or no pixels."
            )
        count = math.prod(shape)
        check_size(str(path), shape[0], count // shape[0])
        check_unpacked(path, path.stat().st_size, 4 * count)  # as float32
        body = _exactly(stream, count, path)
        if stream.read(1):
            raise DataError(
                f"{path} goes on after the {count:,} bytes that its header declares; "
                "download it again."
            )
    return np.frombuffer(body, np.uint8).reshape(shape)


def _exactly(stream: IO[bytes], count: int, path: Path) -> bytearray:
    data = bytearray()  # a header that declares more than follows has no memory set aside for it
    while piece := stream.read(min(count - len(data), PIECE)):
        data += piece
    if len(data) < count:
        raise DataError(
            f"{path} is truncated: {count:,} bytes should follow and {len(data):,} do; "
            "download it again."
        )
    return data


def _idx_file(home: Path, name: str) -> Path:
    for candidate in (home / f"{name}.gz", home / name):
        if candidate.is_file():
            return candidate
    raise DataError(
        f"fashion-mnist: there is no {name}.gz in {home}; install Debian's package "
        "dataset-fashion-mnist, or name the folder that holds its four files."
    )


def _cifar_batch(path: Path) -> NDArray[np.uint8]:
    check_size(str(path), 1 + path.stat().st_size // CIFAR_RECORD, CIFAR_RECORD)
    with reading(path) as stream:
        # A gzipped batch may unpack to anything; no batch is longer than the published 10,000.
        data = stream.read(10_000 * CIFAR_RECORD + 1)
    if not data or len(data) % CIFAR_RECORD:
        raise DataError(
            f"{path} is truncated or not a CIFAR-10 batch: its {len(data):,} bytes are no multiple "
            f"of {CIFAR_RECORD:,}; download it again."
        )
    return np.frombuffer(data, np.uint8).reshape(-1, CIFAR_RECORD)


def _scaled(parts: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    pixels = np.concatenate(parts, dtype=np.float32).reshape(sum(map(len, parts)), -1)
    pixels /= 255
    return pixels
