"""NumPy archives: what they may hold, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from hpsearch.data import load_dataset
from hpsearch.data.features import load_features
from hpsearch.errors import DataError

X = np.arange(24.0).reshape(12, 2)
Y = np.tile([4, 7], 6)


def save(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_samples_and_labels(tmp_path: Path) -> None:
    data = load_dataset(path=save(tmp_path / "a.npz", X=X, y=Y))
    np.testing.assert_array_equal(data.X, X)
    assert data.classes == (4, 7)
    assert data.fixed_test is None
    assert data.name == "a.npz"


def test_text_labels_and_images(tmp_path: Path) -> None:
    images = np.arange(48).reshape(12, 2, 2).astype(np.uint8)
    data = load_dataset(path=save(tmp_path / "a.npz", X=images, y=np.tile(["no", "yes"], 6)))
    assert data.X.shape == (12, 4)
    assert data.classes == ("no", "yes")


def test_a_test_part_of_its_own(tmp_path: Path) -> None:
    file = save(tmp_path / "a.npz", X=X[:8], y=Y[:8], X_test=X[8:], y_test=Y[8:])
    data = load_dataset(path=file)
    assert data.fixed_test == 8
    np.testing.assert_array_equal(data.X, X)
    assert data.y.tolist() == [0, 1] * 6


def test_samples_to_predict(tmp_path: Path) -> None:
    file = save(tmp_path / "new.npz", X=X)
    np.testing.assert_array_equal(load_features(file, ("a", "b"), {}), X)
    with pytest.raises(DataError, match="X has 2 columns, and the model learned from 3"):
        load_features(file, ("a", "b", "c"), {})


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"X": X}, "has no array 'y'"),
        ({"x": X, "y": Y}, "did you mean 'x'"),
        ({"X": X, "y": Y[:5]}, "one label for each"),
        ({"X": X, "y": np.array(3)}, "one label for each"),
        ({"X": X[:, 0], "y": Y}, "one row per sample"),
        ({"X": X, "y": Y, "X_test": X}, "has no array 'y_test'"),
        ({"X": X, "y": Y, "y_test": Y}, "has no array 'X_test'"),
        ({"X": X, "y": Y, "X_test": X[:, :1], "y_test": Y}, "must agree"),
        ({"X": X.astype(object), "y": Y}, "Python objects"),
        ({"X": X, "y": np.array([{}] * 12)}, "Python objects"),
        ({"X": X + 1j, "y": Y}, "must be numbers"),
        ({"X": np.full((12, 2), np.inf), "y": Y}, "infinite"),
    ],
)
def test_bad_arrays_are_one_sentence(tmp_path: Path, arrays: dict[str, object], words: str) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset(path=save(tmp_path / "bad.npz", **arrays))
    assert words in str(caught.value)


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    file = tmp_path / "no.npz"
    file.write_bytes(b"\x93NUMPY" + bytes(200))
    with pytest.raises(DataError, match="not an npz archive"):
        load_dataset(path=file)


@pytest.mark.parametrize("cut", [100, 400])
def test_damaged_members_are_said(tmp_path: Path, cut: int) -> None:
    file = save(tmp_path / "bad.npz", X=X, y=Y)
    data = bytearray(file.read_bytes())
    data[cut : cut + 60] = b"\xee" * 60
    file.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        load_dataset(path=file)


def test_a_member_that_is_no_array_is_said(tmp_path: Path) -> None:
    file = tmp_path / "bad.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("X.npy", b"\x93NUMPY\x01\x00\x02\x00{}")
        archive.writestr("y.npy", b"")
    with pytest.raises(DataError, match="'X' is no array of NumPy"):
        load_dataset(path=file)


def test_an_archive_that_unpacks_too_far_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpsearch.data.files.FREE", 10_000)
    monkeypatch.setattr("hpsearch.data.files.RATIO", 10)
    file = tmp_path / "bomb.npz"
    np.savez_compressed(file, X=np.zeros((1000, 2)), y=Y)
    with pytest.raises(DataError, match="unpacks to more than"):
        load_dataset(path=file)


def test_a_target_name_makes_no_sense(tmp_path: Path) -> None:
    file = save(tmp_path / "a.npz", X=X, y=Y)
    with pytest.raises(DataError, match="labels in the array y"):
        load_dataset(path=file, target="label")


@pytest.mark.parametrize(
    "shape", ["(0, 99999999999999999999)", "(-1, 2)", "(9223372036854775808,)"]
)
def test_a_shape_beyond_all_arrays_is_said(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    file = save(tmp_path / "bad.npz", y=Y)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("X.npy", b"\x93NUMPY\x01\x00\x76\x00" + header.encode())
    with pytest.raises(DataError, match=r"shape|another size"):
        load_dataset(path=file)
