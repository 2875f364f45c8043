"""How a study file says that rows are divided, and what the division is told to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpsearch.data import Dataset, Split
from hpsearch.errors import HpsearchError, UsageError
from hpsearch.study_file import load_study_file, parse_study_file
from hpsearch.study_file.data import study_data

ROWS = 240


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with a column of each sort that rows are divided by, and the same in three files."""
    home = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=ROWS),
            "z": rng.normal(size=ROWS),
            "patient": [f"p{k}" for k in rng.integers(0, 20, ROWS)],
            "day": pd.date_range("2024-01-01", periods=ROWS, freq="D").strftime("%Y-%m-%d"),
            "clock": rng.permutation(ROWS),
            "european": pd.date_range("2024-01-01", periods=ROWS).strftime("%d.%m.%Y"),
            "either": np.resize(["03/04/2024", "05/06/2024"], ROWS),
            "part": np.resize(["train", "Train", "val", "test"], ROWS),
            "mixed": np.resize(["train", "held out"], ROWS),
            "gaps": np.resize(["a", ""], ROWS),
            "y": np.resize(["no", "yes", "no"], ROWS),
        }
    )
    frame.to_csv(home / "all.csv", index=False)
    frame.to_parquet(home / "all.parquet", index=False)
    frame[:160].to_csv(home / "train.csv", index=False)
    frame[160:200].to_csv(home / "validation.csv", index=False)
    frame[200:].to_csv(home / "test.csv", index=False)
    frame[200:].drop(columns="z").to_csv(home / "short.csv", index=False)
    return home


DIVIDING = ("patient", "day", "clock", "european", "either", "part", "mixed", "gaps")


def divided(folder: Path, keys: str, table: str = "all.csv") -> tuple[Dataset, tuple[Split, ...]]:
    unused = ", ".join(repr(name) for name in DIVIDING if f'"{name}"' not in keys)
    (folder / "study.toml").write_text(
        f'name = "s"\n[data]\npath = "{table}"\ntarget = "y"\nexclude = [{unused}]\n{keys}\n'
    )
    file = load_study_file(folder / "study.toml")
    return study_data(file.data, file.seed)


@pytest.mark.parametrize("table", ["all.csv", "all.parquet"])
@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("", "stratified by class"),
        ('split = "random"', "drawn at random"),
        ('groups = "patient"', "no 'patient' in two parts"),
        ('split = "group"\ngroups = "patient"\nfolds = 3', "of them, in 3 folds"),
        ('time = "day"', "in the order of 'day'"),
        ('time = "clock"', "in the order of 'clock'"),
        ('parts = "part"', "as 'part' says"),
        ("folds = 3\nfold_repeats = 2", "stratified by class, in 2 times 3 folds"),
    ],
)
def test_rows_are_divided_as_the_file_says_and_the_account_tells(
    folder: Path, keys: str, told: str, table: str
) -> None:
    dataset, _ = divided(folder, keys, table)
    assert told in dataset.account.divided
    assert dataset.feature_names == ("x", "z"), "a column that divides is no input"
    assert f"divided: {dataset.account.divided}" in dataset.account.sentences()


def test_times_are_those_of_the_column(folder: Path) -> None:
    _, [split] = divided(folder, 'time = "day"')
    assert [len(part) for part in vars(split).values()] == [154, 38, 48]
    np.testing.assert_array_equal(split.test, np.arange(192, 240))  # the table is in that order
    np.testing.assert_array_equal(divided(folder, 'time = "european"')[1][0].test, split.test)
    numbered, [split] = divided(folder, 'time = "clock"')
    assert numbered.division.time is not None
    assert sorted(numbered.division.time[split.test]) == list(range(192, 240))


def test_a_part_has_a_file_of_its_own(folder: Path) -> None:
    keys = 'validation_path = "validation.csv"\ntest_path = "test.csv"'
    dataset, [split] = divided(folder, keys, "train.csv")
    assert dataset.account.divided == "as the files are"
    np.testing.assert_array_equal(split.train, np.arange(160))
    np.testing.assert_array_equal(split.validation, np.arange(160, 200))
    np.testing.assert_array_equal(split.test, np.arange(200, 240))


def test_validation_is_drawn_where_only_the_test_is_given(folder: Path) -> None:
    _, [split] = divided(folder, 'test_path = "test.csv"\nvalidation = 0.25', "train.csv")
    assert len(split.train) == 120
    assert len(split.validation) == 40
    assert len(split.test) == 40


def test_a_sample_keeps_the_parts_and_the_groups(folder: Path) -> None:
    dataset, [split] = divided(folder, 'parts = "part"\nlimit = 60')
    assert dataset.division.parts is not None
    np.testing.assert_array_equal(np.bincount(dataset.division.parts), [30, 15, 15])
    assert [len(part) for part in vars(split).values()] == [30, 15, 15]


def test_the_division_is_a_part_of_what_the_data_are(folder: Path) -> None:
    prints = {
        divided(folder, keys)[0].fingerprint
        for keys in ("", 'groups = "patient"', 'time = "day"', 'time = "clock"')
    }
    assert len(prints) == 4


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ('groups = "patientt"', "did you mean 'patient'?"),
        ('groups = "y"', "'y' is the target"),
        ('groups = "gaps"', "120 rows have no value in 'gaps'"),
        ('time = "patient"', "write dates as 2024-03-01"),
        ('time = "either"', "may have the day first or the month"),
        ('parts = "mixed"', "'held out' where it should say train, validation or test"),
        ('parts = "patient"', "where it should say train"),
        ('test_path = "short.csv"', "short.csv has no column 'z'"),
        ('test_path = "nowhere.csv"', "nowhere.csv"),
    ],
)
def test_a_column_that_cannot_divide_is_one_sentence(folder: Path, keys: str, words: str) -> None:
    with pytest.raises(HpsearchError) as caught:
        divided(folder, keys)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ('split = "group"', "needs groups ="),
        ('split = "time"', "needs time ="),
        ('split = "given"', "needs parts ="),
        ('split = "groups"', "'group'"),
        ('groups = "a"\ntime = "b"', "names groups and time"),
        ('split = "random"\ngroups = "a"', 'which split = "random" does not use'),
        ('parts = "a"\ntest_path = "b.csv"', "keep one of them"),
        ('validation_path = "b.csv"', "without test_path"),
        ("fold_repeats = 2", "set folds to 2 or more"),
        ("fold_repeats = 0\nfolds = 2", "fold_repeats"),
    ],
)
def test_keys_that_contradict_each_other_are_one_sentence(keys: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_study_file(f'name = "s"\n[data]\npath = "t.csv"\ntarget = "y"\n{keys}\n')
    assert words in str(caught.value)


def test_data_with_a_name_have_no_columns_that_divide() -> None:
    file = parse_study_file('name = "s"\n[data]\nname = "iris"\ngroups = "petal"\n')
    with pytest.raises(HpsearchError, match="remove groups = 'petal'"):
        study_data(file.data, 0)
