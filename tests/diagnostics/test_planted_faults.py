"""The checks before learning: sound networks pass, planted faults are named."""

from __future__ import annotations

import numpy as np
import pytest

from hpsearch.data import Dataset, make_splits
from hpsearch.diagnostics import check_network, check_study
from hpsearch.study_file import parse_study_file

STUDY = 'name = "s"\n[data]\nname = "{}"\n'


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer"])
def test_the_default_study_passes_on_every_bundled_data_set(name: str) -> None:
    assert [
        c.name for c in check_study(parse_study_file(STUDY.format(name))) if c.verdict == "fail"
    ] == []


@pytest.mark.parametrize(
    ("model", "check"),
    [
        ('initializer = "large-random"', "initial loss"),
        ('initializer = "zeros"', "20 samples by heart"),
        ('initializer = "zeros"', "loss with l2 = 1"),
    ],
)
def test_a_bad_initialization_is_noticed(model: str, check: str) -> None:
    checks = check_study(parse_study_file(STUDY.format("digits") + f"[model]\n{model}\ndepth = 3"))
    assert {c.name: c.verdict for c in checks}[check] in ("warn", "fail")


def test_rare_classes_and_constant_columns_are_noticed() -> None:
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(size=300), np.ones(300)]
    data = Dataset.from_arrays("t", X, [0] * 290 + [1] * 10)
    [split] = make_splits(data.y, seed=0)
    from hpsearch.diagnostics import _check_data

    columns, classes = _check_data(data, split)
    assert (columns.verdict, columns.found) == ("warn", "1")
    assert classes.verdict == "warn"
    assert "1 is rare" in classes.advice


def test_contradicting_labels_cannot_be_learned_by_heart() -> None:
    X = np.tile([[0.0], [1.0]], (100, 1))
    y = np.random.default_rng(0).integers(0, 2, 200)
    data = Dataset.from_arrays("t", X, y)
    [split] = make_splits(data.y, seed=0)
    checks = check_network(data, split, {"width": 32, "depth": 1})
    assert {c.name: c.verdict for c in checks}["20 samples by heart"] == "fail"
    assert all(set(c.document()) >= {"name", "verdict", "advice"} for c in checks)
