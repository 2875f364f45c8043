"""The small data sets inside scikit-learn, read from its files: importing it takes a second."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.dataset import Dataset
from hpsearch.data.files import existing_file, reading
from hpsearch.errors import DataError

__all__ = ["BUNDLED"]

_CELL_MEASURES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave points",
    "symmetry",
    "fractal dimension",
)

_FEATURES = {
    "digits": [f"pixel_{r}_{c}" for r, c in np.ndindex(8, 8)],
    "iris": [f"{part} {side} (cm)" for part in ("sepal", "petal") for side in ("length", "width")],
    "wine": [
        "alcohol",
        "malic_acid",
        "ash",
        "alcalinity_of_ash",
        "magnesium",
        "total_phenols",
        "flavanoids",
        "nonflavanoid_phenols",
        "proanthocyanins",
        "color_intensity",
        "hue",
        "od280/od315_of_diluted_wines",
        "proline",
    ],
    "breast_cancer": [
        *(f"mean {measure}" for measure in _CELL_MEASURES),
        *(f"{measure} error" for measure in _CELL_MEASURES),
        *(f"worst {measure}" for measure in _CELL_MEASURES),
    ],
}

_FILES = {
    "digits": "digits.csv.gz",
    "iris": "iris.csv",
    "wine": "wine_data.csv",
    "breast_cancer": "breast_cancer.csv",
}


def _loader(name: str) -> Callable[[Path | None], Dataset]:
    def load(folder: Path | None) -> Dataset:
        _refuse_folder(name, folder)
        with reading(_file(_FILES[name])) as stream:
            # All but digits start with a line: rows, columns, and the names of the classes.
            header = None if name == "digits" else stream.readline().decode().strip().split(",")
            table = np.loadtxt(stream, delimiter=",", dtype=np.float64, encoding="utf-8")
        return Dataset.from_arrays(
            name,
            table[:, :-1],
            table[:, -1],
            feature_names=_FEATURES[name],
            classes=header[2:] if header else range(10),
        )

    load.__doc__ = f"The data set {name}, as ``sklearn.datasets.load_{name}`` gives it."
    return load


def _file(name: str) -> Path:
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            "this data set is part of scikit-learn, which is not installed; install it."
        )
    return existing_file(Path(spec.submodule_search_locations[0], "datasets", "data", name))


def _diabetes(folder: Path | None) -> Dataset:
    """The data set diabetes, as ``sklearn.datasets.load_diabetes(scaled=False)`` gives it."""
    _refuse_folder("diabetes", folder)
    X, y = (_numbers(f"diabetes_{part}.csv.gz") for part in ("data_raw", "target"))
    names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    return Dataset.from_arrays("diabetes", X, y, feature_names=names, task="regression")


def _numbers(name: str) -> NDArray[np.float64]:
    with reading(_file(name)) as stream:
        return np.loadtxt(stream, dtype=np.float64, encoding="utf-8")


def _refuse_folder(name: str, folder: Path | None) -> None:
    if folder is not None:
        raise DataError(f"{name} comes with scikit-learn and needs no folder; remove folder.")


BUNDLED = {name: _loader(name) for name in _FILES} | {"diabetes": _diabetes}
