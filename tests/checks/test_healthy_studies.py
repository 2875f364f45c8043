"""No false alarm: sound studies pass, and warn only of what is truly there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from blobs import blobs, check_study, checked, divided, odd

from hpsearch.data.images import DEBIAN_FOLDER
from hpsearch.study_file import StudyFile, load_study_file, parse_study_file

pytestmark = pytest.mark.slow

STUDIES = Path(__file__).parents[2] / "studies"


def study(data: str, more: str = "", seed: int = 0) -> StudyFile:
    return parse_study_file(f'name = "s"\nseed = {seed}\n[data]\nname = "{data}"\n{more}')


SETTINGS = {
    "as it comes": "",
    "whitened": 'preprocessing = "whiten"',
    "elu": '[model]\nactivation = "elu"',
    "leaky-relu": '[model]\nactivation = "leaky-relu"',
    "prelu": '[model]\nactivation = "prelu"',
    "tanh": '[model]\nactivation = "tanh"\ninitializer = "xavier"',
    "maxout": '[model]\nactivation = "maxout"\ninitializer = "xavier"',
    "one layer of sigmoid": '[model]\nactivation = "sigmoid"\ninitializer = "xavier"\ndepth = 1',
    "five layers": "[model]\ndepth = 5\nwidth = 64",
    "no hidden layer": "[model]\ndepth = 0",
    "batch normalization": "[model]\nbatch_norm = true",
    "dropout": "[model]\ndropout = { low = 0.0, high = 0.5 }",
    "adam": '[training]\noptimizer = "adam"\nlearning_rate = { low = 1e-4, high = 0.1 }',
    "adagrad": '[training]\noptimizer = "adagrad"',
    "small batches": "[training]\nbatch_size = 8",
    "few epochs": "[training]\nepochs = 3",
}


DATA = ["digits", "iris", "wine", "breast_cancer"]


@pytest.mark.parametrize("name", SETTINGS)
def test_sound_studies_pass_every_check(name: str) -> None:
    """The sets of data take turns."""
    data = DATA[list(SETTINGS).index(name) % 4]
    assert odd(check_study(study(data, SETTINGS[name]))) == {}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("data", DATA)
def test_with_any_seed(data: str, seed: int) -> None:
    assert odd(check_study(study(data, seed=seed))) == {}


def test_the_shipped_study_passes_with_its_constant_pixels() -> None:
    checks = check_study(load_study_file(STUDIES / "digits.toml"))
    assert odd(checks) == {}
    [pixels] = [check for check in checks if check.name == "constant columns"]
    assert pixels.found == "3 of 64"
    assert "background" in pixels.advice


def test_the_shipped_regressions_pass_but_for_what_is_so() -> None:
    """A twelfth of a column of visits is missing, and some cost fourteen deviations more."""
    assert odd(check_study(load_study_file(STUDIES / "diabetes.toml"))) == {}
    checks = check_study(load_study_file(STUDIES / "visits.toml"))
    assert odd(checks) == {"missing values": "warn", "spread of the target": "warn"}


@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason="Debian's dataset-fashion-mnist is absent")
def test_fashion_mnist_passes() -> None:
    more = "limit = 1500\n[model]\nwidth = 64\n[training]\nepochs = 5"
    assert odd(check_study(study("fashion-mnist", more))) == {}


def sparse() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    words = (rng.random((400, 120)) < 0.03).astype(float)
    words[:, 7] = 0.0  # a word that never comes
    return words, (words[:, :40].sum(axis=1) > 1).astype(int)


def with_few_missing() -> tuple[np.ndarray, np.ndarray]:
    X, y = blobs()
    X[np.random.default_rng(2).random(X.shape) < 0.02] = np.nan
    return X, y


def numbered() -> tuple[np.ndarray, np.ndarray]:
    X, y = blobs()
    return np.c_[X, np.arange(len(y))], y


def coarse() -> tuple[np.ndarray, np.ndarray]:
    """Six columns of three values each: equal rows come by chance."""
    rng = np.random.default_rng(3)
    X = rng.integers(0, 3, (400, 4)).astype(float)
    return X, (X.sum(axis=1) > 4).astype(int)


SOUND_DATA = {
    "sparse words": sparse(),
    "2% missing": with_few_missing(),
    "a number for each row": numbered(),
    "coarse columns with equal rows by chance": coarse(),
    "two classes": (blobs()[0], blobs()[1] > 0),
    "nine rows": (blobs(9)[0], np.arange(9) % 3),
    "six times more of one class": (blobs()[0], np.arange(300) % 7 == 0),
}


def test_a_file_sorted_by_class_is_no_fault() -> None:
    """With small batches only some of the rows are trained on; they must not be of one class."""
    X, y = blobs(4000)
    order = np.argsort(y)
    assert odd(checked(*divided(X[order], y[order]), batch_size=4)) == {}


@pytest.mark.parametrize(("X", "y"), SOUND_DATA.values(), ids=SOUND_DATA.keys())
def test_sound_data_pass_every_check(X: np.ndarray, y: np.ndarray) -> None:
    assert odd(checked(*divided(X, y))) == {}
