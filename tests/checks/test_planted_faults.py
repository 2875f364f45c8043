"""Every planted fault is found, by the check that is made for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from blobs import blobs, check_study, checked, divided

from hpsearch.checks import Check, check_network
from hpsearch.data import Dataset, Split
from hpsearch.study_file import parse_study_file

pytestmark = pytest.mark.slow

X, Y = blobs()
RNG = np.random.default_rng(1)


def found(checks: list[Check], name: str) -> Check:
    [check] = [check for check in checks if check.name == name]
    return check


def put(column: int, values: Any) -> np.ndarray:
    changed = X.copy()
    changed[:, column] = values
    return changed


def twice(rows: int, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    return np.r_[X, X[:rows]], np.r_[Y, labels]


COIN = RNG.integers(0, 2, 300)

# What is learned from, further settings; the check, its verdict, and words of its sentence.
DATA: dict[str, tuple[Any, Any, dict[str, Any], str, str, str]] = {
    "a column without values": (
        put(2, np.nan),
        Y,
        {},
        "missing values",
        "warn",
        "'x2' without any",
    ),
    "a column half empty": (
        put(2, np.where(RNG.random(300) < 0.5, np.nan, X[:, 2])),
        Y,
        {},
        "missing values",
        "warn",
        "'x2': imputing so much",
    ),
    "a constant column": (
        put(4, 7.0),
        Y,
        {},
        "constant columns",
        "warn",
        "'x4': the same in every",
    ),
    "values to 255, not scaled": (
        40 * np.abs(X),
        Y,
        {"preprocessing": "none"},
        "scale of the inputs",
        "fail",
        "use 'standardize'",
    ),
    "values next to nothing, not scaled": (
        1e-6 * X,
        Y,
        {"preprocessing": "none"},
        "scale of the inputs",
        "warn",
        "next to nothing",
    ),
    "one column in other units": (
        put(0, 1e-5 * X[:, 0]),
        Y,
        {"preprocessing": "zero-centre"},
        "scale of the inputs",
        "warn",
        "1,000 times larger than 1 of the columns",
    ),
    "a rare class": (X, np.arange(300) < 6, {}, "class balance", "warn", "'1' is rare (4 rows)"),
    "a third of the rows again": (*twice(100, Y[:100]), {}, "duplicate rows", "warn", "copies"),
    "all rows again": (*twice(300, Y), {}, "duplicate rows", "fail", "measure memory"),
    "rows again with other labels": (
        *twice(60, (Y[:60] + 1) % 3),
        {},
        "contradicting labels",
        "warn",
        "no network passes",
    ),
    "labels by chance in two kinds of rows": (
        COIN[:, None],
        RNG.integers(0, 2, 300),
        {},
        "contradicting labels",
        "fail",
        "correct the labels",
    ),
    "the label as a column": (np.c_[X, Y], Y, {}, "label leaks", "fail", "'x6' is the label"),
    "the label, renamed": (
        np.c_[X, np.array([5, -1, 2])[Y]],
        Y,
        {},
        "label leaks",
        "fail",
        "'x6' is the label",
    ),
    "the label in one-hot columns": (
        np.c_[X, np.eye(3)[Y]],
        Y,
        {},
        "label leaks",
        "fail",
        "'x6', 'x7', 'x8' are the label in one-hot",
    ),
    "the label of one class": (np.c_[X, Y == 2], Y, {}, "label leaks", "warn", "the class is 2"),
    "the label with noise": (
        np.c_[X, Y + 0.1 * RNG.normal(size=300)],
        Y,
        {},
        "label leaks",
        "warn",
        "'x6' nearly is the label",
    ),
    "row numbers of a sorted file": (
        np.c_[X[np.argsort(Y)], np.arange(300)],
        np.sort(Y),
        {},
        "label leaks",
        "warn",
        "'x6' nearly is the label",
    ),
    "several copies of the label": (
        np.c_[Y, X, np.array([5, -1, 2])[Y], -Y],
        Y,
        {},
        "label leaks",
        "fail",
        'the label under another name: [data] exclude = ["x0", "x7", "x8"]',
    ),
    "copies, one-hot columns, a noisy copy and the label of one class": (
        np.c_[Y, X, np.eye(3)[Y], np.eye(3)[Y], Y + 0.1 * RNG.normal(size=300)],
        Y,
        {},
        "label leaks",
        "fail",
        '[data] exclude = ["x0", "x7", "x8", "x9", "x10", "x11", "x12"]; '
        "'x13' nearly is the label: is that known before the label is? if not, [data] exclude = "
        '["x0", "x7", "x8", "x9", "x10", "x11", "x12", "x13"]',
    ),
    "a copy of the label with gaps": (
        np.c_[X, np.where(RNG.random(300) < 0.2, np.nan, -Y)],
        Y,
        {},
        "label leaks",
        "fail",
        "'x6' is the label under another name",
    ),
    "two noisy copies": (
        np.c_[X, Y + 0.1 * RNG.normal(size=300), Y - 0.1 * RNG.normal(size=300)],
        Y,
        {},
        "label leaks",
        "warn",
        "'x6', 'x7' nearly are the label: is that known before the label is? if not, "
        '[data] exclude = ["x6", "x7"]',
    ),
    "two constant columns": (
        np.c_[X, np.ones(300), np.zeros(300)],
        Y,
        {},
        "constant columns",
        "warn",
        'look whether it was read right, or [data] exclude = ["x6", "x7"]',
    ),
    "two columns half empty": (
        np.c_[X, np.where(RNG.random((300, 2)) < 0.5, np.nan, 1.5)],
        Y,
        {},
        "missing values",
        "warn",
        'find the values, or [data] exclude = ["x6", "x7"]',
    ),
    "contradictions among the twenty": (
        COIN[:, None],
        RNG.integers(0, 2, 300),
        {},
        "overfit a tiny subset",
        "fail",
        "no network can tell apart",
    ),
}


@pytest.mark.parametrize("fault", DATA)
def test_a_fault_in_the_data_is_found(fault: str) -> None:
    features, labels, settings, name, verdict, words = DATA[fault]
    check = found(checked(*divided(features, labels), **settings), name)
    assert (check.verdict, words in check.advice) == (verdict, True), check


def test_advice_never_excludes_every_column() -> None:
    leak = found(checked(*divided(np.c_[Y, -Y], Y)), "label leaks")
    assert (leak.verdict, leak.exclude) == ("fail", ())
    assert "no other column to learn from" in leak.advice
    noisy = found(checked(*divided((Y + 0.1 * RNG.normal(size=300))[:, None], Y)), "label leaks")
    assert "if not, there is nothing to learn from" in noisy.advice


def test_thirty_constant_columns_are_all_excluded() -> None:
    check = found(checked(*divided(np.c_[X, np.ones((300, 30))], Y)), "constant columns")
    assert check.exclude == tuple(f"x{j}" for j in range(6, 36))
    assert '"x25"] and 10 more, which `hpsearch check --json` lists' in check.advice


def test_a_leak_in_a_column_of_categories_is_found() -> None:
    categories = {6: ("a", "b", "c")}
    leaky = divided(np.c_[X, np.array([2, 0, 1])[Y]], Y, categories=categories)
    assert found(checked(*leaky), "label leaks").verdict == "fail"
    names = {6: tuple(map(str, range(300)))}  # a name of its own for every row proves nothing
    assert found(checked(*divided(np.c_[X, np.arange(300)], Y, categories=names)), "label leaks")
    assert found(checked(*divided(X, Y)), "label leaks").verdict == "pass"


HEAD = 'name = "s"\n[data]\nname = "digits"\n'

# A study file's tables; the check, its verdict, and words of its sentence.
STUDIES: dict[str, tuple[str, str, str, str]] = {
    "zero weights": (
        '[model]\ninitializer = "zeros"\ndepth = 2',
        "overfit a tiny subset",
        "fail",
        "all units stay alike",
    ),
    "zero weights, unmoved by l2": (
        '[model]\ninitializer = "zeros"',
        "loss as l2 rises",
        "warn",
        "weights that are all zero",
    ),
    "large weights": (
        '[model]\ninitializer = "large-random"',
        "initial loss",
        "fail",
        "with large-random weights it is sure of itself",
    ),
    "large weights saturate tanh": (
        '[model]\ninitializer = "large-random"\nactivation = "tanh"',
        "layer outputs",
        "warn",
        "saturated",
    ),
    "bad weights among the choices": (
        '[model]\ninitializer = { choices = ["he", "zeros", "large-random", "xavier"] }',
        "choices of initializer",
        "warn",
        "zeros, large-random would waste trials",
    ),
    "six layers of sigmoid": (
        '[model]\nactivation = "sigmoid"\ndepth = 6',
        "layer outputs",
        "warn",
        "the signal is down to",
    ),
    "six layers of sigmoid learn nothing": (
        '[model]\nactivation = "sigmoid"\ndepth = 6',
        "learning rate",
        "fail",
        "momentum lowers the loss at no learning rate",
    ),
    "eight layers of small weights": (
        '[model]\ninitializer = "small-random"\ndepth = 8',
        "layer outputs",
        "fail",
        "the signal is down to",
    ),
    "dead units": ("[model]\nbias = -100.0", "layer outputs", "fail", "layer 1 is 100% dead"),
    "dead units learn nothing": (
        "[model]\nbias = -100.0",
        "overfit a tiny subset",
        "fail",
        "cannot learn even these",
    ),
    "rates too low": (
        "[training]\nlearning_rate = { low = 1e-7, high = 1e-5, log = true }",
        "learning rate",
        "fail",
        "your range 1e-7 to 1e-5 lies below where this network learns (",
    ),
    "rates too high": (
        "[training]\nlearning_rate = { low = 3.0, high = 100.0, log = true }",
        "learning rate",
        "fail",
        "your range 3 to 100 lies above where this network learns (",
    ),
    "rates mostly too low": (
        "[training]\nlearning_rate = { low = 1e-7, high = 2e-3, log = true }",
        "learning rate",
        "warn",
        "lies mostly below",
    ),
    "one rate, too low": (
        "[training]\nlearning_rate = 1e-6",
        "learning rate",
        "fail",
        "your rate 1e-6 lies below",
    ),
    "choices of rates, too high": (
        "[training]\nlearning_rate = { choices = [5.0, 50.0] }",
        "learning rate",
        "fail",
        "your range 5 to 50 lies above",
    ),
    "normalized batches of one": (
        "[model]\nbatch_norm = true\n[training]\nbatch_size = 1",
        "batch normalization",
        "fail",
        "raise batch_size",
    ),
    "normalized batches of a few, perhaps": (
        "[model]\nbatch_norm = { choices = [false, true] }\n"
        "[training]\nbatch_size = { choices = [4, 64] }",
        "batch normalization",
        "warn",
        "noisy statistics",
    ),
}


@pytest.mark.parametrize("fault", STUDIES)
def test_a_fault_in_a_study_is_found(fault: str) -> None:
    tables, name, verdict, words = STUDIES[fault]
    check = found(check_study(parse_study_file(HEAD + tables)), name)
    assert (check.verdict, words in check.advice) == (verdict, True), check


def test_where_some_choices_break_the_others_are_checked() -> None:
    """The middle choice is large-random; the network that is looked at takes a sound one."""
    tables = '[model]\ninitializer = { choices = ["he", "large-random", "xavier"] }'
    checks = check_study(parse_study_file(HEAD + tables))
    assert [c.name for c in checks if c.verdict != "pass"] == ["choices of initializer"]
    tables = tables.replace('"he", "large-random", "xavier"', '"zeros", "large-random"')
    checks = check_study(parse_study_file(HEAD + tables))
    assert found(checks, "choices of initializer").verdict == "fail"


def test_a_range_that_is_not_searched_here_is_not_judged() -> None:
    """The middle optimizer is adam, whose rate is the default; the range is for momentum."""
    tables = """[training]
optimizer = { choices = ["momentum", "adam"] }
learning_rate = { low = 10.0, high = 100.0, log = true, when = { optimizer = "momentum" } }"""
    check = found(check_study(parse_study_file(HEAD + tables)), "learning rate")
    assert (check.verdict, check.expected) == ("pass", "the study's 0.01")


def rows(*counts: int) -> Split:
    ends = np.cumsum(counts)
    return Split(*(np.arange(end - n, end) for end, n in zip(ends, counts, strict=True)))


STRANGE: dict[str, tuple[Any, Any, Split, dict[str, Any]]] = {
    "one feature": (X[:, :1], Y, rows(200, 50, 50), {}),
    "two rows to train": (X[:8], [0, 1] * 4, rows(2, 3, 3), {}),
    "one row to train": (X[:8], [0, 1] * 4, rows(1, 3, 4), {}),
    "nothing to validate or test": (X, Y, rows(300, 0, 0), {}),
    "more columns than rows": (RNG.normal(size=(40, 3000)), [0, 1] * 20, rows(30, 5, 5), {}),
    "mostly missing": (
        np.where(RNG.random(X.shape) < 0.9, np.nan, X),
        Y,
        rows(200, 50, 50),
        {},
    ),
    "huge numbers": (1e30 * X, Y, rows(200, 50, 50), {"preprocessing": "none"}),
    "large numbers of large weights": (
        1e6 * X,
        Y,
        rows(200, 50, 50),
        {"preprocessing": "none", "initializer": "large-random", "depth": 12},
    ),
    "a hundred classes": (
        np.tile(X, (3, 1)) + RNG.normal(size=(900, 6)),
        np.tile(np.arange(100), 9),
        rows(700, 100, 100),
        {},
    ),
    "one unit": (X, Y, rows(200, 50, 50), {"width": 1, "depth": 3, "batch_norm": True}),
    "batches of one": (X, Y, rows(200, 50, 50), {"batch_size": 1}),
    "batches larger than the data": (X, Y, rows(200, 50, 50), {"batch_size": 5000}),
}


@pytest.mark.parametrize("case", STRANGE)
def test_nothing_is_too_strange_for_a_sentence(case: str) -> None:
    features, labels, split, settings = STRANGE[case]
    data = Dataset.from_arrays("strange", features, labels)
    checks = checked(data, split, **settings)
    assert len({check.name for check in checks}) == len(checks) >= 10
    for check in checks:
        document = check.document()
        assert set(document) == {"name", "verdict", "found", "expected", "advice"}
        assert all(isinstance(text, str) and text for text in document.values())
        assert "nan" not in check.advice.split()


def test_checks_are_a_function_of_data_recipe_and_seed() -> None:
    data, split = divided(X, Y)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    kept = data.X.copy()
    first = checked(data, split)
    assert checked(data, split) == first
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    np.testing.assert_array_equal(data.X, kept)
    other = check_network(data, split, {"width": 32, "depth": 2}, seed=1)
    assert found(other, "initial loss").found != found(first, "initial loss").found


def test_what_was_looked_at_is_told() -> None:
    many, labels = blobs(4000)
    checks = checked(*divided(many, labels))
    assert "(2,000 of 2,560 rows)" in found(checks, "initial loss").found
    assert "(1,000 of 3,200 rows)" in found(checks, "label leaks").found
    assert "of 1,440 held out" in found(checks, "duplicate rows").found
