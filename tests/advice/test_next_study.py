"""The study file that comes next, as text."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.advice import Change, next_study, study_toml
from hpsearch.study_file import parse_study_file, shipped_studies
from hpsearch.study_file.template import toml_value

KEYS = st.text("ab-_ é")
values = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@given(values)
def test_a_value_is_read_as_it_was_written(value: object) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}") == {"x": value}


@pytest.mark.parametrize("name", sorted(shipped_studies()))
def test_a_study_file_is_read_as_it_was_written(name: str) -> None:
    file = parse_study_file(shipped_studies()[name].read_text(encoding="utf-8"))
    text = study_toml(file, comments=["a reason that is long enough to need a second line " * 3])
    assert parse_study_file(text) == file
    assert max(map(len, text.splitlines())) <= 100


def test_edits_are_written_also_where_they_are_the_default() -> None:
    file = parse_study_file('name = "s"\n[data]\nname = "iris"\npreprocessing = "none"')
    changes = [Change("data", "preprocessing", "standardize"), Change("training", "epochs", 40)]
    then, _ = next_study(file, changes)
    assert (then.name, then.data.preprocessing, then.training.epochs) == ("s-2", "standardize", 40)
    text = study_toml(then, changes)
    assert 'preprocessing = "standardize"' in text
    assert parse_study_file(text) == then


def test_an_edit_that_makes_no_sense_is_left_out() -> None:
    file = parse_study_file('name = "s"\n[data]\nname = "iris"')
    wrong = Change("training", "learning_rate", {"low": 1.0, "high": 0.1})
    right = Change("model", "depth", 1)
    then, applied = next_study(file, [wrong, right])
    assert then.training.learning_rate == file.training.learning_rate
    assert then.model.depth == 1
    assert applied == (right,)


def test_of_two_edits_of_one_setting_the_first_counts() -> None:
    file = parse_study_file('name = "s"\n[data]\nname = "iris"')
    first, second = Change("model", "depth", 1), Change("model", "depth", 2)
    then, applied = next_study(file, [first, second])
    assert (then.model.depth, applied) == (1, (first,))


def test_a_condition_stays_and_names_are_new() -> None:
    file = parse_study_file(
        'name = "s-2"\n[data]\nname = "iris"\n[training]\n'
        'optimizer = { choices = ["sgd", "adam"] }\n'
        'learning_rate = { low = 0.1, high = 1.0, when = { optimizer = "adam" } }'
    )
    change = Change("training", "learning_rate", {"low": 0.01, "high": 0.1, "log": True})
    then, _ = next_study(file, [change], taken={"s-3", "s-4"})
    assert then.name == "s-5"
    parameter = then.search_space().parameters["learning_rate"]
    assert (parameter.low, parameter.high) == (0.01, 0.1)  # type: ignore[union-attr]
    assert "learning_rate" in then.search_space().conditions


def test_what_was_tried_first_is_not_tried_again() -> None:
    file = parse_study_file(
        'name = "s"\n[data]\nname = "iris"\n[training]\n'
        'optimizer = { choices = ["sgd", "adam"] }\n'
        "learning_rate = { low = 0.1, high = 1.0 }\n"
        '[[first]]\noptimizer = "sgd"\nlearning_rate = 5.0'
    )
    narrower = Change("training", "learning_rate", {"low": 0.2, "high": 0.5})
    fixed = Change("training", "optimizer", "adam")
    then, applied = next_study(file, [narrower, fixed])
    assert applied == (narrower, fixed)
    assert then.search_space().parameters["learning_rate"].high == 0.5  # type: ignore[union-attr]


def test_a_place_is_told_from_where_the_file_will_lie() -> None:
    file = parse_study_file('name = "s"\n[data]\npath = "tables/t.csv"\ntarget = "y"')
    assert 'path = "../tables/t.csv"' in study_toml(file, folder=Path("sub"))
    assert 'path = "tables/t.csv"' in study_toml(file)
