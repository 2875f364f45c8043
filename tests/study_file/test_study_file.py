"""Study files: what they mean, and what is said of a wrong one."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hpsearch.errors import StudyFileError, UsageError
from hpsearch.space import Categorical, Condition, Float, Int, Space
from hpsearch.space.settings import SETTINGS
from hpsearch.study_file import (
    default_space,
    json_schema,
    load_study_file,
    models,
    parse_study_file,
    shipped_studies,
    template,
)
from hpsearch.study_file.models import Choices, FloatRange, space_of
from hpsearch.training.specification import TrainingSpecification

SMALLEST = 'name = "s"\n[data]\nname = "digits"\n'


def test_the_smallest_file_searches_the_five_settings_that_matter_most() -> None:
    study = parse_study_file(SMALLEST)
    assert set(study.search_space().parameters) == {
        "learning_rate",
        "decay",
        "l2",
        "width",
        "depth",
    }
    assert study.search_space() == default_space()
    assert study.search.strategy == "guided"
    assert study.compare.strategies == [
        *("grid", "random", "random-x2", "coarse-to-fine", "guided", "tpe")
    ]
    assert study.compare.race


def test_every_setting_can_be_a_value_a_range_or_choices() -> None:
    study = parse_study_file(
        SMALLEST
        + """
        preprocessing = { choices = ["standardize", "whiten"] }
        [model]
        width = 32
        depth = { choices = [1, 3] }
        activation = { choices = ["relu", "tanh"] }
        batch_norm = { choices = [true, false] }
        dropout = { low = 0.0, high = 0.5, step = 0.1 }
        [training]
        learning_rate = 0.1
        batch_size = { low = 16, high = 256, log = true }
        l2 = { choices = [0.0, 1e-4] }
        weight_averaging = { low = 0.5, high = 0.99 }
        label_smoothing = { low = 0.0, high = 0.2 }
        class_weight = { choices = ["none", "balanced"] }
        """
    )
    space = study.search_space()
    assert space.parameters == {
        "preprocessing": Categorical(("standardize", "whiten")),
        "activation": Categorical(("relu", "tanh")),
        "depth": Categorical((1, 3)),
        "batch_norm": Categorical((True, False)),
        "dropout": Float(0.0, 0.5, step=0.1, limits=SETTINGS["dropout"].limits),
        "decay": Float(1e-3, 1.0, log=True, limits=SETTINGS["decay"].limits),
        "l2": Categorical((0.0, 1e-4)),
        "weight_averaging": Float(0.5, 0.99, limits=SETTINGS["weight_averaging"].limits),
        "label_smoothing": Float(0.0, 0.2, limits=SETTINGS["label_smoothing"].limits),
        "class_weight": Categorical(("none", "balanced")),
        "batch_size": Int(16, 256, log=True, limits=SETTINGS["batch_size"].limits),
    }
    assert study.fixed_settings()["width"] == 32
    assert study.fixed_settings()["learning_rate"] == 0.1


def test_class_weights_may_be_a_table_by_label() -> None:
    study = parse_study_file(SMALLEST + "\n[training.class_weight]\nb = 3\n10 = 0.5")
    assert study.class_weights(["a", "b", 10]) == (1.0, 3.0, 0.5)
    assert study.fixed_settings()["class_weight"] == "none"
    assert "class_weight" not in study.search_space().parameters
    assert parse_study_file(SMALLEST).class_weights(["a"]) is None
    with pytest.raises(UsageError, match="names the label 'b', of no row; did you mean 'B'"):
        study.class_weights(["B", 10])
    study = parse_study_file(SMALLEST + "\n[training]\nclass_weight = { a = 0.0, b = 0.0 }")
    with pytest.raises(UsageError, match="0 for every class"):
        study.class_weights(["a", "b"])


def test_a_setting_may_depend_on_the_choice_of_another() -> None:
    study = parse_study_file(
        SMALLEST
        + """
        [training]
        optimizer = { choices = ["momentum", "adam", "sgd"] }
        momentum = { low = 0.5, high = 0.99, when = { optimizer = ["momentum", "adam"] } }
        beta2 = { low = 0.9, high = 0.999, when = { optimizer = "adam" } }
        """
    )
    assert study.search_space().conditions == {
        "momentum": (Condition("optimizer", ("momentum", "adam")),),
        "beta2": (Condition("optimizer", ("adam",)),),
    }


@pytest.mark.parametrize(("optimizer", "searched"), [("adam", True), ("sgd", False)])
def test_a_condition_on_a_fixed_setting_is_decided_at_once(optimizer: str, searched: bool) -> None:
    study = parse_study_file(
        SMALLEST
        + f'[training]\noptimizer = "{optimizer}"\n'
        + 'beta2 = { low = 0.9, high = 0.99, when = { optimizer = "adam" } }'
    )
    assert ("beta2" in study.search_space().parameters) is searched
    assert not study.search_space().conditions


def test_known_good_configurations_widen_the_ranges() -> None:
    study = parse_study_file(
        SMALLEST
        + "[model]\nwidth = { low = 8, high = 32 }\n[[first]]\nwidth = 64.0\n[[first]]\ndepth = 1"
    )
    assert study.first == [{"width": 64.0}, {"depth": 1}]
    width = study.search_space().parameters["width"]
    assert (width.low, width.high) == (8, 64)  # type: ignore[union-attr]
    assert study.written_space().parameters["width"].high == 32  # type: ignore[union-attr]


CHAIN = """
[model]
activation = ACTIVATION
batch_norm = { choices = [true, false], when = { activation = "relu" } }
[training]
optimizer = OPTIMIZER
beta2 = { low = 0.9, high = 0.99, when = { optimizer = "adam", batch_norm = true } }
"""
OPEN = {
    "activation": '{ choices = ["relu", "tanh"] }',
    "optimizer": '{ choices = ["sgd", "adam"] }',
}


@pytest.mark.parametrize(
    ("fixed", "conditions"),
    [
        (
            {},
            {
                "batch_norm": (Condition("activation", ("relu",)),),
                "beta2": (Condition("optimizer", ("adam",)), Condition("batch_norm", (True,))),
            },
        ),
        (
            {"activation": '"relu"'},
            {"beta2": (Condition("optimizer", ("adam",)), Condition("batch_norm", (True,)))},
        ),
        ({"activation": '"tanh"'}, {}),  # no batch_norm, and so no beta2
        (
            {"optimizer": '"adam"'},
            {
                "batch_norm": (Condition("activation", ("relu",)),),
                "beta2": (Condition("batch_norm", (True,)),),
            },
        ),
        ({"optimizer": '"sgd"'}, {"batch_norm": (Condition("activation", ("relu",)),)}),
    ],
    ids=["nothing fixed", "first of the chain", "a dead chain", "beside others", "never"],
)
def test_several_conditions_chain_and_those_on_fixed_settings_are_decided(
    fixed: dict[str, str], conditions: dict[str, tuple[Condition, ...]]
) -> None:
    text = CHAIN
    for name, value in (OPEN | fixed).items():
        text = text.replace(name.upper(), value)
    space = parse_study_file(SMALLEST + text).search_space()
    assert space.conditions == conditions
    assert ("beta2" in space.parameters) is ("beta2" in conditions)
    assert Space.from_dict(json.loads(json.dumps(space.to_dict()))) == space


def test_a_fixed_link_of_a_chain_stands_for_itself() -> None:
    """What it would depend on, were it searched, is then of no concern."""
    text = CHAIN.replace("ACTIVATION", '"tanh"').replace("OPTIMIZER", OPEN["optimizer"])
    text = text.replace('{ choices = [true, false], when = { activation = "relu" } }', "true")
    space = parse_study_file(SMALLEST + text).search_space()
    assert space.conditions == {"beta2": (Condition("optimizer", ("adam",)),)}


def test_a_space_of_parameters_that_nothing_is_known_of() -> None:
    choices = Choices[Any](choices=(True, 2, 0.5, "x"))
    child = FloatRange(low=-3.0, high=3.0, when={"kind": ("x", 2), "mode": (1,)})
    space = space_of({"kind": choices, "child": child, "mode": 1}, {})
    assert space.parameters["kind"] == Categorical((True, 2, 0.5, "x"))
    assert space.conditions == {"child": (Condition("kind", ("x", 2)),)}
    assert "child" not in space_of({"kind": choices, "child": child, "mode": True}, {}).parameters
    assert "child" not in space_of({"kind": choices, "child": child, "mode": [1]}, {}).parameters


def test_fixed_settings_and_any_draw_make_a_recipe() -> None:
    study = parse_study_file(SMALLEST)
    space = study.search_space()
    draw = space.from_unit([0.5] * len(space.parameters))
    spec = TrainingSpecification.of(study.fixed_settings() | draw, epochs=3)
    assert spec.network.hidden_layer_sizes == (draw["width"],) * int(str(draw["depth"]))


WRONG = {
    "unknown table key": (
        "[model]\nwidht = 3",
        "line 6: unknown key 'model.widht'; did you mean 'width'?",
    ),
    "unknown top key": ("sede = 3", "unknown key"),
    "unknown key of a range": (
        "[model]\nwidth = { low = 1, hihg = 3 }",
        "unknown key 'model.width.hihg'; did you mean 'high'?",
    ),
    "misspelt choice": (
        '[model]\nactivation = "rleu"',
        "line 6: model.activation cannot be \"rleu\"; did you mean 'relu'?",
    ),
    "misspelt choice in a list": (
        '[training]\noptimizer = { choices = ["adan", "sgd"] }',
        "did you mean 'adam'?",
    ),
    "range of a name": ("[model]\nactivation = { low = 1, high = 2 }", "not a range"),
    "range without its end": ("[model]\nwidth = { low = 4 }", "'model.width.high' is missing"),
    "text for a number": ('[training]\nlearning_rate = "fast"', 'it is "fast"'),
    "number for a truth value": ("[model]\nbatch_norm = 1", "should be a valid boolean"),
    "real number for a count": ("[training]\nepochs = 2.5", "it is 2.5"),
    "no epochs": ("[training]\nepochs = 0", "line 6: epochs is 0; give a whole number from 1"),
    "not a number": ("[training]\nlearning_rate = nan", "finite"),
    "not a number among points": (
        "[search]\nstrategy = 'grid'\npoints = { width = [nan] }",
        "line 7: search.points.width has nan, which is no finite number, text, true or false",
    ),
    "infinite number among points": (
        "[search]\nstrategy = 'grid'\npoints = { width = [inf] }",
        "line 7: search.points.width has inf, which is no finite number, text, true or false",
    ),
    "a list among points": (
        "[search]\nstrategy = 'grid'\npoints = { width = [[1]] }",
        "line 7: search.points.width has [1], which is no finite number, text, true or false",
    ),
    "no points": (
        "[search]\nstrategy = 'grid'\npoints = { width = [] }",
        "line 7: search.points.width is empty; give it at least 1 value",
    ),
    "no values of a condition": (
        "[training]\nmomentum = { low = 0.1, high = 0.9, when = { optimizer = [] } }",
        "momentum.when.optimizer is empty; give it at least 1 value",
    ),
    "no choices": ("[model]\nwidth = { choices = [] }", "model.width.choices is empty"),
    "infinite": ("[training]\nl2 = { low = 1e-6, high = inf, log = true }", "finite"),
    "upside down": ("[model]\nwidth = { low = 9, high = 3 }", "line 6: width: low (9)"),
    "log from zero": ("[training]\nl2 = { low = 0.0, high = 1.0, log = true }", "l2"),
    "past the limits": (
        "[model]\ndropout = 1.5",
        "line 6: dropout is 1.5; give a number from 0 to 0.95.",
    ),
    "range past the limits": ("[model]\ndropout = { low = 0.1, high = 1.5 }", "dropout"),
    "an average of nothing": (
        "[training]\nweight_averaging = 1.0",
        "weight_averaging is 1.0; give a number from 0 to 0.99999.",
    ),
    "a class weight below 0": (
        "[training]\nclass_weight = { a = -1.0 }",
        "line 6: training.class_weight.a should be greater than or equal to 0, it is -1.0",
    ),
    "a class weight of another name": (
        '[training]\nclass_weight = "balance"',
        "did you mean 'balanced'?",
    ),
    "no class weights": ("[training]\nclass_weight = {}", "class_weight is empty"),
    "condition on nothing": (
        '[model]\nwidth = { low = 1, high = 2, when = { activaton = "relu" } }',
        "did you mean activation?",
    ),
    "condition on an impossible value": (
        '[training]\noptimizer = { choices = ["sgd", "adam"] }\n'
        'beta2 = { low = 0.9, high = 0.99, when = { optimizer = "adan" } }',
        "its choices are sgd, adam",
    ),
    "first of an unknown name": (
        "[[first]]\nwidth = 32\n[[first]]\nwidht = 3",
        "line 8: first configuration 2: 'widht' is not searched here; did you mean 'width'?",
    ),
    "first of a fixed setting": (
        "[training]\ndecay = 0.1\n[[first]]\ndecay = 0.1",
        "line 8: first configuration 1: 'decay' is not searched here; ",
    ),
    "first past the limits": (
        "[[first]]\nwidth = 32\n\n[[first]]\ndepth = 2\nwidth = 0",
        "line 10: first configuration 2: width: 0 passes its limits, 1 to ",
    ),
    "first of another type": (
        "[[first]]\ndepth = 2\n[[first]]\nwidth = [32]",
        "line 8: first.2.width has [32], which is no finite number, text, true or false",
    ),
    "first where it does not exist": (
        '[training]\noptimizer = { choices = ["momentum", "adam"] }\n'
        'momentum = { low = 0.5, high = 0.9, when = { optimizer = "momentum" } }\n'
        '[[first]]\nmomentum = 0.7\noptimizer = "adam"',
        "line 9: first configuration 1: momentum does not exist where optimizer is adam",
    ),
    "conditions in a circle": (
        "[model]\nbatch_norm = { choices = [true, false], when = { width = 8 } }\n"
        "width = { choices = [8, 16], when = { batch_norm = true } }",
        "line 7: the conditions of width, batch_norm lead in a circle; remove one of them.",
    ),
    "conditions that contradict each other": (
        '[training]\noptimizer = { choices = ["sgd", "adam"] }\n'
        'batch_size = { choices = [8, 16], when = { optimizer = "sgd" } }\n'
        'beta2 = { low = 0.9, high = 0.99, when = { optimizer = "adam", batch_size = 8 } }',
        "line 8: beta2 exists nowhere, since what it depends on asks for different values of "
        "optimizer",
    ),
    "one of two conditions on an impossible value": (
        '[training]\noptimizer = { choices = ["sgd", "adam"] }\n'
        "batch_size = { choices = [8, 16] }\n"
        'beta2 = { low = 0.9, high = 0.99, when = { optimizer = "adam", batch_size = 32 } }',
        "line 8: beta2: when names values of batch_size that it never takes; its choices are 8, 16",
    ),
    "condition on a range": (
        "[training]\nbeta2 = { low = 0.9, high = 0.99, when = { depth = 1 } }",
        "categorical",
    ),
    "unknown strategy": ('[search]\nstrategy = "gird"', "did you mean 'grid'?"),
    "no TOML": ("name name", "is not TOML"),
    "a number of 5,000 digits": (f"[training]\nl2 = {'9' * 5000}", "thousands of digits"),
    "a bound of 5,000 digits": (
        f"[model]\nwidth = {{ low = 1, high = {'9' * 5000} }}",
        "thousands of digits",
    ),
    "a number of 400 digits": (f"[training]\nl2 = {'9' * 400}", "l2"),
    "a bound of 400 digits": (
        f"[model]\nwidth = {{ low = 1, high = {'9' * 400} }}",
        "less than or equal",
    ),
    "deep lists": (f"[search]\nstage_shares = {'[' * 5000}{']' * 5000}", "nested too deeply"),
    "deep tables": (f"[{'a.' * 3000}b]", "unknown key"),
    "a line within a value": ('[model]\nactivation = "a\\u2028b"', "a\\u2028b"),
}


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_gets_one_sentence(text: str, words: str) -> None:
    with pytest.raises(StudyFileError) as caught:
        parse_study_file(SMALLEST + "\n" + text if text != "sede = 3" else text + "\n" + SMALLEST)
    message = str(caught.value)
    assert words in message
    assert len(message.splitlines()) == 1
    assert len(message) < 600
    assert "pydantic" not in message


@pytest.mark.parametrize("key", ["path", "folder"])
def test_a_home_of_nobody_is_one_sentence(tmp_path: Path, key: str) -> None:
    file = tmp_path / "s.toml"
    name = 'name = "cifar-10"' if key == "folder" else ""
    file.write_text(f'name = "s"\n[data]\n{name}\n{key} = "~nouser-x/x.csv"\n')
    with pytest.raises(UsageError, match="no home folder of ~nouser-x"):
        load_study_file(file)


def test_no_more_is_read_than_a_study_file_has() -> None:
    with pytest.raises(StudyFileError, match="more than a megabyte"):
        load_study_file("/dev/zero")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('name = "digits"\npath = "x.csv"', "keep one of them"),
        ('name = "digits"\ntest = 1.0', "less than 1"),
    ],
)
def test_data_comes_from_one_place(data: str, words: str) -> None:
    with pytest.raises(StudyFileError, match=words):
        parse_study_file(f'name = "s"\n[data]\n{data}\n')


class TestFiles:
    def test_paths_are_taken_from_the_file_s_own_folder(self, tmp_path: Path) -> None:
        (tmp_path / "s.toml").write_text('name = "s"\n[data]\npath = "t.csv"\ntarget = "y"')
        assert load_study_file(tmp_path / "s.toml").data.path == str(tmp_path / "t.csv")

    def test_a_missing_file_names_the_nearest(self, tmp_path: Path) -> None:
        (tmp_path / "digits.toml").write_text(SMALLEST)
        with pytest.raises(StudyFileError, match=r"did you mean .*digits\.toml"):
            load_study_file(tmp_path / "digit.toml")
        with pytest.raises(StudyFileError, match="hpsearch init"):
            load_study_file(tmp_path / "nowhere" / "x.toml")

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"\xff\xfe\x00", "not text in UTF-8"),
            (b"#" * 1_000_001, "more than a megabyte"),
            (b"a=" + b"[" * 100_000, "nested too deeply|not TOML"),
        ],
        ids=["binary", "huge", "deep"],
    )
    def test_hostile_files(self, tmp_path: Path, content: bytes, words: str) -> None:
        (tmp_path / "s.toml").write_bytes(content)
        with pytest.raises(StudyFileError, match=words):
            load_study_file(tmp_path / "s.toml")

    def test_a_folder_is_no_study_file(self, tmp_path: Path) -> None:
        with pytest.raises(StudyFileError, match="cannot read"):
            load_study_file(tmp_path)


@pytest.mark.parametrize("path", shipped_studies().values(), ids=shipped_studies().keys())
def test_every_shipped_study_is_valid(path: Path) -> None:
    assert load_study_file(path).name == path.stem


class TestTemplate:
    def test_it_is_a_valid_file_that_means_the_defaults(self) -> None:
        study = parse_study_file(template("mine"))
        assert study == parse_study_file('name = "mine"\n[data]\nname = "digits"')

    def test_uncommented_it_names_every_setting(self) -> None:
        lines = template("mine", "table.csv", "label").splitlines()
        body = "\n".join(lines[lines.index('name = "mine"') :])
        document = tomllib.loads(re.sub(r"^# (?=\w+ = )", "", body, flags=re.MULTILINE))
        for table, section in (
            ("data", models.DataSection),
            ("model", models.ModelSection),
            ("training", models.TrainingSection),
            ("search", models.SearchSection),
        ):
            missing = set(section.model_fields) - set(document[table])
            assert missing <= {"name", "path", "target", "folder"}, table

    def test_it_has_no_word_of_other_objectives(self) -> None:
        text = template("mine").replace("baselines", "")
        for key in models.NOT_OF_THE_NETWORK - {"folder", "direction"}:
            assert f"# {key} =" not in text
        assert "of a function" not in text.casefold()

    @pytest.mark.parametrize(
        ("data", "line"),
        [
            ("iris", 'name = "iris"'),
            ("openml:61", 'name = "openml:61"'),
            ("my table.csv", 'path = "my table.csv"'),
            ('quo"te.csv', 'path = "quo\\"te.csv"'),
        ],
    )
    def test_the_source_is_a_name_or_a_path(self, data: str, line: str) -> None:
        assert line in template("x", data).splitlines()


class TestSchema:
    def test_it_lists_every_setting_and_choice(self) -> None:
        text = json.dumps(json_schema())
        for word in ("learning_rate", "leaky-relu", "coarse-to-fine", "whiten"):
            assert word in text

    def test_it_explains_the_settings(self) -> None:
        schema = json_schema()
        width = schema["$defs"]["ModelSection"]["properties"]["width"]
        assert width["description"] == "Units in each hidden layer."
        step = schema["$defs"]["FloatRange"]["properties"]["when"]
        assert step["description"].startswith("Search this setting only where")


@pytest.mark.parametrize(
    "character", ["\\n", "\\u0000", "\\u001b", "\\u2028", "\\u007f", "\\u202e", "\\u200b"]
)
def test_a_name_is_one_line(character: str) -> None:
    text = f'name = "a{character}b"\n[data]\nname = "iris"\n'
    with pytest.raises(StudyFileError, match=r"line 1: name has the character '.*'; leave it out"):
        parse_study_file(text)


def test_a_name_has_no_blanks_around_it_and_what_joins_characters_within() -> None:
    text = 'name = "{}"\n[data]\nname = "iris"\n'
    for blank in (" ", " a", "a\u00a0"):
        with pytest.raises(StudyFileError, match="line 1: name has blanks around it"):
            parse_study_file(text.format(blank))
    for name in (
        "a b",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f469\u200d\U0001f680",
    ):
        assert parse_study_file(text.format(name)).name == name


TWICE = {
    "names": ("model", 'activation = { choices = ["relu", "tanh", "relu"] }', "'relu'"),
    "numbers": ("training", "learning_rate = { choices = [0.1, 0.10] }", "0.1"),
    "whole numbers": ("model", "width = { choices = [8, 16, 8] }", "8"),
    "truth values": ("model", "batch_norm = { choices = [true, true] }", "True"),
    "of the data": ("data", 'preprocessing = { choices = ["pca", "pca"] }', "'pca'"),
}


@pytest.mark.parametrize(("section", "line", "choice"), TWICE.values(), ids=TWICE.keys())
def test_a_choice_that_is_given_twice_is_told_with_key_and_line(
    section: str, line: str, choice: str
) -> None:
    head = "" if section == "data" else f"[{section}]\n"
    text = f"{SMALLEST}{head}{line}\n"
    number = text.splitlines().index(line) + 1
    key = line.split(" ")[0]
    words = f"file.toml, line {number}: {key}: the choice {choice} is given twice; remove one."
    with pytest.raises(StudyFileError) as caught:
        parse_study_file(text, origin="file.toml")
    assert str(caught.value) == words
