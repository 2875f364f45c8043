"""Data sets by name: bundled with scikit-learn and from openml.org, without a network."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from hpsearch.data import DATASETS, DividingColumns, load_dataset
from hpsearch.errors import DataError, UnknownNameError


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer"])
def test_bundled_data_are_what_scikit_learn_gives(name: str) -> None:
    import sklearn.datasets

    theirs = getattr(sklearn.datasets, f"load_{name}")()
    ours = load_dataset(name)
    np.testing.assert_array_equal(ours.X, theirs.data.astype(np.float32))
    np.testing.assert_array_equal(ours.y, theirs.target)
    assert [str(c) for c in ours.classes] == [str(c) for c in theirs.target_names]
    assert list(ours.feature_names) == [str(f) for f in theirs.feature_names]


def test_diabetes_is_what_scikit_learn_gives() -> None:
    from sklearn.datasets import load_diabetes

    theirs, ours = load_diabetes(scaled=False), load_dataset("diabetes")
    np.testing.assert_array_equal(ours.X, theirs.data.astype(np.float32))
    np.testing.assert_array_equal(ours.y, theirs.target)
    assert ours.task == "regression"
    assert list(ours.feature_names) == theirs.feature_names


def test_the_made_up_visits_are_a_table_whose_patients_can_be_kept_together() -> None:
    data = load_dataset("visits", dividing=DividingColumns("patient"), exclude=["weight"])
    assert data.X.shape == (10_000, 6)
    assert data.task == "regression"
    assert data.y.min() > 0
    assert {data.feature_names[column] for column in data.categories} == {"ward", "reason"}
    assert data.account.imputed.keys() == {"pressure"}
    assert data.division.groups is not None
    assert len(np.unique(data.division.groups)) == 500
    again = load_dataset("visits", dividing=DividingColumns("patient"), exclude=["weight"])
    assert again.fingerprint == data.fingerprint


def test_data_and_its_import_leave_heavy_packages_alone() -> None:
    code = (
        "import sys; from hpsearch.data import load_dataset; load_dataset('digits');"
        "print(*{'sklearn', 'pandas', 'pyarrow', 'optuna', 'scipy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_a_limit_takes_a_sample() -> None:
    data = load_dataset("digits", limit=100)
    assert len(data.y) == 100
    assert np.ptp(np.bincount(data.y)) <= 1


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "by name, by the path of its file, or as a data frame"),
        (
            {"name": "iris", "path": "iris.csv"},
            "by name, by the path of its file, or as a data frame",
        ),
        ({"name": "iris", "limit": 0}, "positive number of rows"),
        ({"name": "iris", "target": "species"}, "remove target = 'species'"),
        ({"name": "iris", "folder": "somewhere"}, "needs no folder"),
        ({"name": "visits", "target": "cost"}, "remove target = 'cost'"),
        ({"name": "visits", "folder": "somewhere"}, "needs no folder"),
        ({"name": "visits", "sheet": "1"}, "has no sheets"),
        ({"name": "pets.csv"}, "give it as path"),
        ({"name": "openml:iris"}, "the data set's number"),
        ({"name": "openml:"}, "the data set's number"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(request_: dict[str, object], words: str) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset(**request_)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(UnknownNameError) as caught:
        load_dataset("digit")
    assert "did you mean 'digits'" in str(caught.value)
    assert all(name in str(caught.value) for name in (*DATASETS, "openml:ID"))


def test_without_scikit_learns_files_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match="not installed"):
        load_dataset("iris")


ARFF = """@relation toy
@attribute size numeric
@attribute colour {red, blue}
@attribute rank {1, 2}
@attribute kind {cat, dog}
@data
1.5,red,1,cat
?,blue,2,dog
3,?,1,cat
4,red,2,dog
"""


def record(home: Path, *, target: str | None = "kind") -> Path:
    """Write what openml.org would answer for data set 99 where scikit-learn keeps its downloads."""

    def answer(path: str, content: str) -> None:
        file = home / "openml" / "openml.org" / f"{path}.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(content.encode()))

    described = {
        "id": "99",
        "name": "toy",
        "description": "a toy",
        "version": "1",
        "format": "ARFF",
        "status": "active",
        "file_id": "7",
        "md5_checksum": hashlib.md5(ARFF.encode()).hexdigest(),
        "url": "https://www.openml.org/data/v1/download/7/toy.arff",
        **({} if target is None else {"default_target_attribute": target}),
    }
    features = [
        {
            "index": str(index),
            "name": name,
            "data_type": data_type,
            "is_target": str(name == target).lower(),
            "is_ignore": "false",
            "is_row_identifier": "false",
            "number_of_missing_values": "0",
        }
        for index, (name, data_type) in enumerate(
            [("size", "numeric"), ("colour", "nominal"), ("rank", "nominal"), ("kind", "nominal")]
        )
    ]
    answer("api/v1/json/data/99", json.dumps({"data_set_description": described}))
    answer("api/v1/json/data/features/99", json.dumps({"data_features": {"feature": features}}))
    answer("api/v1/json/data/qualities/99", json.dumps({"data_qualities": {"quality": []}}))
    answer("data/v1/download/7/toy.arff", ARFF)
    return home


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise URLError("no network in tests")

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", refuse)
    monkeypatch.setattr("sklearn.datasets._openml.time.sleep", lambda seconds: None)


@pytest.mark.usefixtures("offline")
class TestOpenml:
    def test_a_table_is_read_from_the_cache(self, tmp_path: Path) -> None:
        data = load_dataset("openml:99", folder=record(tmp_path))
        nan = np.nan
        expected = [[1.5, 1, 0], [nan, 0, 1], [3, nan, 0], [4, 1, 1]]
        np.testing.assert_array_equal(data.X, np.array(expected, dtype=np.float32))
        # The source declares rank nominal, so its digits are categories.
        assert data.categories == {1: ("blue", "red"), 2: ("1", "2")}
        assert data.classes == ("cat", "dog")
        assert data.name == "openml:99"

    def test_another_target_may_be_named(self, tmp_path: Path) -> None:
        data = load_dataset("openml:99", target="rank", folder=record(tmp_path))
        assert data.classes == (1, 2)
        assert data.feature_names == ("size", "colour", "kind")

    def test_without_a_target_one_must_be_named(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="set target to one of its columns"):
            load_dataset("openml:99", folder=record(tmp_path, target=None))

    @pytest.mark.filterwarnings("ignore:A network error occurred")
    def test_no_network_is_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"could not be fetched from openml\.org.*no network"):
            load_dataset("openml:98", folder=tmp_path)

    def test_an_unknown_target_is_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="'shape'"):
            load_dataset("openml:99", target="shape", folder=record(tmp_path))
