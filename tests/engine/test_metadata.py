"""Notes on a study: what is read back, and what becomes of one that is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest

from hpsearch.cli.app import run
from hpsearch.engine import record, run_study, summarize
from hpsearch.engine.metadata import SHAPES
from hpsearch.engine.rivals import read_rivals
from hpsearch.errors import StorageError
from hpsearch.metrics import ACCURACY
from hpsearch.plots import panel, read_view
from hpsearch.storage import WriteBehindStorage, load_study, open_storage
from hpsearch.study_file import parse_study_file

pytestmark = pytest.mark.slow

STUDY = 'name = "flowers"\n[data]\nname = "iris"\n[training]\nepochs = 2\n[search]\ntrials = 6\n'

DAMAGE = [
    ("result", "{}"),
    ("result", "{"),
    ("result", 5),
    ("result", '{"test_rows": "many"}'),
    ("data", "[1]"),
    ("study file", '"text"'),
    ("study file", '{"search": []}'),
    ("stage 0", '"coarse"'),
    ("stage 0", '{"kind": "a", "number": 0, "slots": 1, "epochs": 1, "space": {}, "changes": []}'),
    (
        "stage 0",
        '{"kind": "a", "number": 0, "slots": 1, "epochs": 1, "space": {"parameters": {}}, '
        '"changes": [{}]}',
    ),
    (
        "stage 0",
        '{"kind": "a", "number": 0, "slots": 1, "epochs": 1, "space": {"parameters": {}}, '
        '"changes": [], "chosen": [1]}',
    ),
    (
        "stage 0",
        '{"kind": "a", "number": 0, "slots": 1, "epochs": 1, "space": {"parameters": {}}, '
        '"changes": [], "chosen": [{}], "motives": [[1]]}',
    ),
    ("prior", '[{"study": "a"}]'),
    ("prior", '[{"study": "a", "results": [{"configuration": {}, "epochs": 0, "score": 1}]}]'),
    ("totals", '["NaN"]'),
    ("ensembles", "[]"),
    ("ensembles", '{"two": {"single": "x", "ensemble": {}}}'),
    ("ensembles", '{"2": {"single": "x", "ensemble": {"members": []}}}'),
    ("search_cv", '{"seed": "none"}'),
    (
        "study file",
        '{"data": {}, "model": {}, "training": {"epochs": 1}, '
        '"search": {"strategy": "grid"}, "objective": {"also": 5}}',
    ),
    ("rivals", '[{"kind": "x"}]'),
    ("resource", '{"name": "epochs"}'),
    ("environments", "NaN"),
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("notes") / "x.db"
    run_study(parse_study_file(STUDY), storage=str(path), workers=1)
    return path


def test_every_note_of_a_finished_study_has_its_shape(database: Path) -> None:
    study = load_study(open_storage(str(database), create=False), "flowers")
    ours = [key.removeprefix("hpsearch:") for key in study.user_attrs if key.startswith("hpsearch")]
    assert {key if key in SHAPES else key.split()[0] for key in ours} == set(SHAPES) - {
        "comparison",
        "ensembles",
        "first",
        "no winner",
        "prior",
        "search_cv",
    }
    for key in ours:
        assert record.read_metadata(study, key) is not None


def test_no_note_is_kept_without_a_shape() -> None:
    study = optuna.create_study(storage=WriteBehindStorage("sqlite://"))
    with pytest.raises(KeyError):
        record.write_metadata(study, "new", 1)


def test_a_note_of_a_later_version_may_have_more() -> None:
    study = optuna.create_study(storage=WriteBehindStorage("sqlite://"))
    rival = {"kind": "linear", "name": "x", "value": 1, "better": None, "interval": None}
    record.write_metadata(study, "rivals", [rival | {"seconds": 1, "cut": "", "later": 1}])
    record.write_metadata(study, "resource", {"name": "n", "full": 9, "least": 1, "later": 1})
    assert read_rivals(study)[0].value == 1
    assert record.resource_of(study).full == 9


@pytest.mark.parametrize(("key", "text"), DAMAGE)
def test_a_damaged_note_is_one_sentence_that_names_the_study(key: str, text: object) -> None:
    study = optuna.create_study(study_name="bad", storage=WriteBehindStorage("sqlite://"))
    study.set_user_attr(f"hpsearch:{key}", text)
    with pytest.raises(
        StorageError, match=rf"metadata of the study 'bad' are damaged: hpsearch:{key}"
    ):
        record.read_stages(study) if key.startswith("stage") else record.read_metadata(study, key)


def test_a_damaged_study_does_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_storage("hpsearch.db") as store:
        bad = optuna.create_study(study_name="bad", storage=store)
        bad.set_user_attr("hpsearch:result", "{}")
        optuna.create_study(study_name="good", storage=store)
    assert run(["studies"]) == 0
    out, err = capsys.readouterr()
    assert "good" in out
    assert "unreadable" in out
    assert "the metadata of the study 'bad' are damaged" in err
    assert run(["studies", "--json"]) == 0
    assert '"error": "the metadata of the study' in capsys.readouterr().out
    for command in ("trials", "best", "report"):
        assert run([command, "bad"]) == 1
        assert "the metadata of the study 'bad' are damaged" in capsys.readouterr().err


RESULT = {
    "configuration": {},
    "validation": 0.9,
    "validation_std": None,
    "validation_scores": [0.9],
    "validation_slots": [[0, 0]],
    "test": 0.9,
    "test_interval": [0.6, 0.98],
    "test_rows": 10,
    "tests": 1,
    "seconds": 1.0,
    "diverged": False,
    "model": "x",
    "budget": {"trials": 1, "seconds": None, "flops": None},
    "baselines": [],
}
ODD = {
    "no row": {"test_rows": 0},
    "an interval of three ends": {"test_interval": [0.1, 0.2, 0.3]},
    "counts that are true": {"test_rows": True},
    "counts of 400 digits": {"test_rows": 10**400},
    "an accuracy of 400 digits": {"validation": 10**400},
    "an accuracy that is text": {"validation": "0.9"},
    "seconds that are a list": {"seconds": [1]},
    "slots of three numbers": {"validation_slots": [[0, 1, 2]]},
    "slots that are text": {"validation_slots": ["ab"]},
    "a configuration that is a list": {"configuration": [1]},
    "other metrics in a list": {"test_also": [1]},
    "another metric that is text": {"test_also": {"mae": "low"}},
    "a threshold that is text": {"threshold": "half"},
    "a simple model that is a number": {"baselines": [1]},
    "a trial once more that is text": {"again": "0.9"},
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD.keys())
def test_a_result_that_cannot_be_damages_its_study_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object]
) -> None:
    database = str(tmp_path / "x.db")
    with open_storage(database) as store:
        for name, result in (("bad", RESULT | change), ("good", RESULT)):
            study = optuna.create_study(study_name=name, storage=store)
            study.set_user_attr("hpsearch:result", json.dumps(result))
    assert run(["studies", "--json", "--storage", database]) == 0
    bad, good = json.loads(capsys.readouterr().out)
    assert "metadata of the study 'bad' are damaged" in bad["error"]
    assert good["test"] == 0.9


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 2000, "1" + "0" * 5000, "\ud800", ["x"] * 3, {"a": 1}]
)
def test_a_note_of_any_content_is_one_sentence(text: object) -> None:
    study = optuna.create_study(study_name="bad", storage=WriteBehindStorage("sqlite://"))
    study.set_user_attr("hpsearch:result", text)
    with pytest.raises(StorageError, match="metadata of the study 'bad' are damaged"):
        summarize(study)


def test_an_attribute_that_is_nested_deeply_hides_nothing() -> None:
    study = optuna.create_study(study_name="s", storage=WriteBehindStorage("sqlite://"))
    nested: object = 1
    for _ in range(900):
        nested = [nested]
    study.set_user_attr("of others", nested)
    study.set_user_attr("hpsearch:result", json.dumps(RESULT))
    assert summarize(study).test == 0.9


@pytest.mark.parametrize("value", ["ü", [1], {"a": 1}, True, -1, 0.5, 10**30])
@pytest.mark.parametrize("name", ["stage_index", "slot", "seed", "epochs"])
def test_a_trial_whose_slot_is_none_is_somebody_elses(name: str, value: object) -> None:
    study = optuna.create_study(storage=WriteBehindStorage("sqlite://"))
    trial = study.ask()
    for key in ("stage_index", "slot", "seed", "epochs"):
        trial.set_user_attr(key, value if key == name else 1)
    study.tell(trial, 0.5)
    assert record.read_results(study.trials, ACCURACY) == {}
    assert record.read_slots(study.trials) == []


FOREIGN = ["twenty", [1, 2], {"a": 1}, None, True, 1e300, -5, 10.5]


def test_attributes_of_other_peoples_trials_may_be_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = str(tmp_path / "x.db")
    with open_storage(database) as store:
        study = optuna.create_study(study_name="raw", storage=store)
        for number, value in enumerate(FOREIGN * 2):
            trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
            for name in (
                "epochs",
                "seconds",
                "seed",
                "slot",
                "stage",
                "stage_index",
                "worker",
                "training",
            ):
                trial.set_user_attr(name, value)
            study.tell(trial, float(number % 3))
        rows = summarize(study).rows
        assert {row.epochs for row in rows} == {None, -5}
        assert {row.seconds for row in rows} == {None, 1e300, 10.5}
        view = read_view(store, "raw")
        pieces = [
            piece for stage in panel("timeline").data(view).stages.values() for piece in stage
        ]
        assert all(0 <= piece.start <= piece.end for piece in pieces)
    (tmp_path / "s.toml").write_text('name = "s"\n[data]\nname = "iris"\n[search]\ntrials = 4\n')
    for command in (
        ["studies"],
        ["trials", "raw"],
        ["best", "raw", "--json"],
        ["run", str(tmp_path / "s.toml")],
    ):
        assert run([*command, "--storage", database]) == 0, capsys.readouterr().err
    page = ["report", "raw", "-o", str(tmp_path / "x.html"), "--storage", database]
    assert run(page) == 0, capsys.readouterr().err
