"""Image files: small ones of the published formats, and Fashion-MNIST itself where it is there."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from hpsearch.data import load_dataset
from hpsearch.data.images import CIFAR_CLASSES, DEBIAN_FOLDER, FASHION_CLASSES, read_idx
from hpsearch.errors import DataError

RNG = np.random.default_rng(0)
TRAIN = RNG.integers(0, 256, (40, 3, 2), dtype=np.uint8)
TEST = RNG.integers(0, 256, (20, 3, 2), dtype=np.uint8)
TRAIN_LABELS = np.tile(np.arange(10, dtype=np.uint8), 4)
TEST_LABELS = np.tile(np.arange(10, dtype=np.uint8), 2)


def idx(array: np.ndarray) -> bytes:
    """An array of bytes in the IDX format: 0, 0, type 8, dimensions, sizes, bytes."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write_fashion(folder: Path, *, packed: bool = True, **changes: bytes) -> Path:
    contents = {
        "train-images-idx3-ubyte": idx(TRAIN),
        "train-labels-idx1-ubyte": idx(TRAIN_LABELS),
        "t10k-images-idx3-ubyte": idx(TEST),
        "t10k-labels-idx1-ubyte": idx(TEST_LABELS),
    }
    changed = {name.replace("_", "-"): data for name, data in changes.items()}
    for name, data in {**contents, **changed}.items():
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(data) if packed else data)
    return folder


@pytest.mark.parametrize("packed", [True, False])
def test_fashion_mnist_is_read_from_a_folder(tmp_path: Path, packed: bool) -> None:
    data = load_dataset("fashion-mnist", folder=write_fashion(tmp_path, packed=packed))
    np.testing.assert_allclose(data.X[:40], TRAIN.reshape(40, 6) / 255, rtol=1e-6)
    np.testing.assert_allclose(data.X[40:], TEST.reshape(20, 6) / 255, rtol=1e-6)
    assert data.y.tolist() == [*TRAIN_LABELS, *TEST_LABELS]
    assert data.fixed_test == 40
    assert data.classes == FASHION_CLASSES
    assert data.feature_names[:3] == ("pixel_0_0", "pixel_0_1", "pixel_1_0")
    assert "divided by 255" in data.notes[0]


@pytest.mark.slow
@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason="Debian's dataset-fashion-mnist is absent")
def test_fashion_mnist_itself() -> None:
    data = load_dataset("fashion-mnist")
    assert data.X.shape == (70_000, 784)
    assert data.fixed_test == 60_000
    assert np.bincount(data.y[:60_000]).tolist() == [6_000] * 10
    assert np.bincount(data.y[60_000:]).tolist() == [1_000] * 10
    assert data.X.min() == 0
    assert data.X.max() == 1
    # The mean pixel of the 60,000 training images, as its users commonly quote it.
    assert data.X[:60_000].mean(dtype=np.float64) == pytest.approx(0.2860, abs=5e-5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_images_idx3_ubyte": idx(TRAIN_LABELS)}, "magic number 2049"),
        ({"train_images_idx3_ubyte": b""}, "truncated: 4 bytes should follow and 0 do"),
        ({"train_images_idx3_ubyte": idx(TRAIN)[:10]}, "truncated"),
        ({"train_images_idx3_ubyte": idx(TRAIN)[:-1]}, "truncated: 240 bytes should follow"),
        ({"t10k_images_idx3_ubyte": idx(TEST) + b"x"}, "goes on after the 120 bytes"),
        ({"train_labels_idx1_ubyte": idx(TRAIN_LABELS[:39])}, "40 images and 39 labels"),
        ({"t10k_labels_idx1_ubyte": idx(TEST_LABELS + 1)}, "is 10, outside 0 to 9"),
        ({"t10k_images_idx3_ubyte": idx(TEST.reshape(20, 2, 3))}, "training images are (3, 2)"),
        ({"t10k_images_idx3_ubyte": idx(TEST)[:4] + b"\xff" * 12}, "columns, and at most"),
    ],
)
def test_a_bad_idx_file_is_one_sentence(
    tmp_path: Path, changes: dict[str, bytes], words: str
) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset("fashion-mnist", folder=write_fashion(tmp_path, **changes))
    assert words in str(caught.value)


def test_a_missing_idx_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="install Debian's package dataset-fashion-mnist"):
        load_dataset("fashion-mnist", folder=tmp_path)


def test_a_cut_off_gzip_file_is_named(tmp_path: Path) -> None:
    file = write_fashion(tmp_path) / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(DataError, match="ends in the middle of its gzip data"):
        load_dataset("fashion-mnist", folder=tmp_path)


def test_damaged_gzip_data_is_named(tmp_path: Path) -> None:
    file = write_fashion(tmp_path) / "train-images-idx3-ubyte.gz"
    packed = bytearray(file.read_bytes())
    packed[12:40] = b"\xff" * 28
    file.write_bytes(packed)
    with pytest.raises(DataError, match="damaged gzip file"):
        load_dataset("fashion-mnist", folder=tmp_path)


def test_a_gzip_bomb_is_unpacked_no_further_than_its_header_says(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.gz"
    with gzip.open(bomb, "wb") as stream:
        stream.write(idx(TRAIN_LABELS))
        for _ in range(64):
            stream.write(bytes(1 << 20))
    with pytest.raises(DataError, match="goes on after the 40 bytes"):
        read_idx(bomb, dimensions=1)


def cifar(labels: np.ndarray, seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 3072), dtype=np.uint8)
    return np.hstack([labels[:, None].astype(np.uint8), pixels]).tobytes()


def write_cifar(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(1, 6):
        (folder / f"data_batch_{number}.bin").write_bytes(cifar(np.arange(10), number))
    (folder / "test_batch.bin").write_bytes(cifar(np.arange(10)[::-1], 6))
    return folder


@pytest.mark.parametrize("inner", [".", "cifar-10-batches-bin"])
def test_cifar_10_is_read_from_its_binary_version(tmp_path: Path, inner: str) -> None:
    write_cifar(tmp_path / inner)
    data = load_dataset("cifar-10", folder=tmp_path)
    assert data.X.shape == (60, 3072)
    assert data.fixed_test == 50
    assert data.classes == CIFAR_CLASSES
    assert data.y[50:].tolist() == list(range(10))[::-1]
    second = np.frombuffer(cifar(np.arange(10), 2), np.uint8).reshape(10, 3073)[:, 1:]
    np.testing.assert_allclose(data.X[10:20], second / 255, rtol=1e-6)
    assert data.feature_names[0] == "red_0_0"
    assert data.feature_names[1024 + 33] == "green_1_1"


def test_cifar_10_needs_its_folder() -> None:
    with pytest.raises(DataError, match="needs a folder"):
        load_dataset("cifar-10")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("data_batch_3.bin", None, "no file"),
        ("data_batch_3.bin", b"", "truncated"),
        ("test_batch.bin", cifar(np.arange(10), 0)[:-1], "no multiple of 3,073"),
        ("test_batch.bin", cifar(np.arange(10) + 1, 0), "is 10, outside 0 to 9"),
    ],
)
def test_a_bad_cifar_file_is_one_sentence(
    tmp_path: Path, name: str, data: bytes | None, words: str
) -> None:
    file = write_cifar(tmp_path) / name
    file.unlink() if data is None else file.write_bytes(data)
    with pytest.raises(DataError) as caught:
        load_dataset("cifar-10", folder=tmp_path)
    assert words in str(caught.value)
