"""Notes on a study: what is read back, and what becomes of one that is damaged."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from hpsearch.cli.app import run
from hpsearch.engine import record, run_study, summarize
from hpsearch.engine.notes import SHAPES
from hpsearch.errors import StorageError
from hpsearch.plots import panel, read_view
from hpsearch.storage import WriteBehindStorage, load_study, open_storage
from hpsearch.study_file import parse_study_file

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
    ("stage 0", '{"name": "a", "slots": 1, "epochs": 1, "space": {}, "changes": []}'),
    (
        "stage 0",
        '{"name": "a", "slots": 1, "epochs": 1, "space": {"parameters": {}}, "changes": [{}]}',
    ),
    ("totals", '["NaN"]'),
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
    assert {key if key in SHAPES else key.split()[0] for key in ours} == set(SHAPES) - {"fixed"}
    for key in ours:
        assert record.read_note(study, key) is not None


@pytest.mark.parametrize(("key", "text"), DAMAGE)
def test_a_damaged_note_is_one_sentence_that_names_the_study(key: str, text: object) -> None:
    study = optuna.create_study(study_name="bad", storage=WriteBehindStorage("sqlite://"))
    study.set_user_attr(f"hpsearch:{key}", text)
    with pytest.raises(
        StorageError, match=rf"notes of the study 'bad' are damaged: hpsearch:{key}"
    ):
        record.read_stages(study) if key.startswith("stage") else record.read_note(study, key)


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
    assert "the notes of the study 'bad' are damaged" in err
    assert run(["studies", "--json"]) == 0
    assert '"error": "the notes of the study' in capsys.readouterr().out
    for command in ("trials", "best", "report"):
        assert run([command, "bad"]) == 1
        assert "the notes of the study 'bad' are damaged" in capsys.readouterr().err


FOREIGN = ["twenty", [1, 2], {"a": 1}, None, True, 1e300, -5, 10.5]


def test_attributes_of_other_peoples_trials_may_be_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = str(tmp_path / "x.db")
    with open_storage(database) as store:
        study = optuna.create_study(study_name="raw", storage=store)
        for number, value in enumerate(FOREIGN * 2):
            trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
            for name in ("epochs", "seconds", "seed", "slot", "stage", "stage_index", "worker"):
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
    for command in (["studies"], ["trials", "raw"], ["best", "raw", "--json"]):
        assert run([*command, "--storage", database]) == 0
    page = ["report", "raw", "-o", str(tmp_path / "x.html"), "--storage", database]
    assert run(page) == 0, capsys.readouterr().err
