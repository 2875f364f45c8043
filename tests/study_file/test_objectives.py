"""[objective], [fixed] and [space] in a study file: what may stand there, and what is refused."""

from __future__ import annotations

import json

import pytest

from hpsearch.engine.record import DIGEST
from hpsearch.errors import StudyFileError
from hpsearch.search.base import Resource
from hpsearch.space import Categorical, Condition, Float, Int
from hpsearch.study_file import StudyFile, parse_study_file
from hpsearch.study_file.models import KEPT
from hpsearch.training.diagnosis import DIAGNOSIS, HINTS

HEAD = 'name = "s"\n[objective]\nfunction = "train:f"\n'


def test_parameters_of_any_name_are_written_as_settings_are() -> None:
    study = parse_study_file(
        HEAD
        + """metric = "loss"
direction = "minimize"
resource = { name = "steps", full = 40, least = 4 }
[fixed]
layers = [64, 32]
options = { a = 1, b = [true] }
[space]
rate = { low = 1e-3, high = 1.0, log = true }
whole = { low = 1, high = 9 }
real = { low = 1.0, high = 9 }
kind = { choices = ["a", 3, 0.5, true] }
depth = { low = 1, high = 4, when = { kind = "a" } }
plain = "x"
"""
    )
    space = study.search_space()  # whose ranges no search moves past their ends
    assert space.parameters["rate"] == Float(1e-3, 1.0, log=True, limits=(1e-3, 1.0))
    assert space.parameters["whole"] == Int(1, 9, limits=(1, 9))
    assert space.parameters["real"] == Float(1.0, 9.0, limits=(1.0, 9.0))
    assert space.parameters["kind"] == Categorical(("a", 3, 0.5, True))
    assert space.conditions["depth"] == (Condition("kind", ("a",)),)
    assert study.fixed_settings() == {
        "layers": [64, 32],
        "options": {"a": 1, "b": [True]},
        "plain": "x",
    }
    assert study.resource == Resource("steps", 40, 4)
    again = StudyFile.model_validate_json(json.dumps(study.model_dump(mode="json")))
    assert again == study


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('direction = "minimize"\n[model]\nwidth = 3', r"line 5: \[model\] is the network's"),
        ('direction = "minimize"\n[training]\nepochs = 3', r"\[training\] is the network's"),
        ('direction = "minimize"\n[data]\nname = "iris"', r"\[data\] is for rows to learn from"),
        ('command = ["x"]', "has function and command; keep one of them"),
        ('metric = "loss"', "nobody knows whether more loss is better; add direction"),
        ("", "nobody knows whether more value is better"),
        ('direction = "minimize"\nmetric = "a\\nb"', "metric has the character"),
        ('direction = "minimize"\nmetric = ""', "metric has 0 characters"),
        ('direction = "up"', "direction should be 'maximize' or 'minimize'|cannot be"),
        ('direction = "minimize"\npositive = "yes"', "has positive, which is for classes of rows"),
        ('direction = "minimize"\nalso = ["seconds"]', "calls something of its own"),
        (
            'direction = "minimize"\nresource = { name = "n", full = 2, least = 3 }',
            "has least = 3 above full = 2; exchange the two",
        ),
        (
            'direction = "minimize"\nresource = { name = "a\\nb", full = 2 }',
            "resource.name has the character",
        ),
        (
            f'direction = "minimize"\nresource = {{ name = "n", full = {2**60} }}',
            "resource.full should be less than or equal to",
        ),
        (
            'direction = "minimize"\nresource = { name = "n", ful = 2 }',
            "did you mean 'full'",
        ),
        ('direction = "minimize"\n[space]\nx = { low = 1, hihg = 2 }', "did you mean 'high'"),
        ('direction = "minimize"\n[space]\nx = { low = 3, high = 2 }', "exchange the two"),
        (
            f'direction = "minimize"\n[space]\nx = {{ low = 1, high = {2**53 + 1} }}',
            "x.high should be less than or equal to 9007199254740992",
        ),
        ('direction = "minimize"\n[space]\nx = { choices = [] }', "is empty"),
        ('direction = "minimize"\n[space]\nx = { low = nan, high = 2.0 }', "finite"),
        ('direction = "minimize"\n[space]\n"" = 1', "whose name has 0 characters"),
        ('direction = "minimize"\n[space]\n"a\\nb" = 1', "whose name has the character"),
        ('direction = "minimize"\n[space]\nx = 1\n[fixed]\nx = 2', r"stands in \[fixed\] and in"),
        (
            'direction = "minimize"\n[search]\ntotal_flops = 1e9',
            "total_flops counts the operations",
        ),
        (
            'direction = "minimize"\n[space]\nx = 1979-05-27',
            "no finite number, text, true or false",
        ),
    ],
)
def test_what_makes_no_sense_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(StudyFileError, match=sentence) as refused:
        parse_study_file(HEAD + text)
    assert "\n" not in str(refused.value)


def test_a_metric_that_is_known_needs_no_direction() -> None:
    measure = parse_study_file(HEAD + 'metric = "log_loss"').objective.named_measure
    assert (measure.direction, measure.bounds) == ("minimize", (0.0, None))
    other = parse_study_file(HEAD + 'metric = "log_loss"\ndirection = "maximize"')
    assert other.objective.named_measure.bounds == (None, None)


def test_the_network_has_tables_of_its_own() -> None:
    data = 'name = "s"\n[data]\nname = "iris"\n'
    for table in ("[space]\nx = 1", "[fixed]\nx = 1"):
        with pytest.raises(StudyFileError, match="for objectives other than the network"):
            parse_study_file(data + table)
    with pytest.raises(StudyFileError, match="the network trains for epochs; remove it"):
        parse_study_file(data + '[objective]\nresource = { name = "x", full = 3 }')
    with pytest.raises(StudyFileError, match="'data' is missing"):
        parse_study_file('name = "s"\n[objective]\nestimator = "a.B"')


def test_no_attribute_of_a_trial_can_be_asked_for_beside() -> None:
    assert {DIAGNOSIS, HINTS, DIGEST} <= KEPT
