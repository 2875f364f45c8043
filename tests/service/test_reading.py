"""The reading commands: from a server the same as from its database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from service.server import serving

from hpsearch.cli.app import run
from hpsearch.engine import run_study, summarize
from hpsearch.engine.tested import read_seen
from hpsearch.service.documents import best_document, read_summary
from hpsearch.service.documents import read_seen as seen_of
from hpsearch.service.models import Trial
from hpsearch.service.views import trial_of
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import load_study_file
from hpsearch.writing import json_text

pytestmark = pytest.mark.slow

FLOWERS = """
name = "flowers"
[data]
name = "iris"
[model]
width = { low = 4, high = 16 }
[training]
epochs = 8
[search]
trials = 12
strategy = "guided"
"""

PROGRAM = """
name = "own"
[objective]
function = "own:objective"
metric = "loss"
direction = "minimize"
also = ["seconds_each"]
[space]
x = { low = -1.0, high = 1.0 }
kind = { choices = ["a", "b"] }
[search]
trials = 10
strategy = "random"
"""

CODE = """
def objective(configuration, trial):
    x, kind = configuration["x"], configuration["kind"]
    if x > 0.9:
        raise ValueError("x is too large")
    return {"loss": x * x + (kind == "b"), "seconds_each": 0.5}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database of a finished study, one of a function, and one of Optuna's."""
    import optuna

    folder = tmp_path_factory.mktemp("reading")
    (folder / "flowers.toml").write_text(FLOWERS)
    (folder / "own.toml").write_text(PROGRAM)
    (folder / "own.py").write_text(CODE)
    url = str(folder / "hpsearch.db")
    run_study(load_study_file(folder / "flowers.toml"), storage=url, workers=1)
    run_study(load_study_file(folder / "own.toml"), storage=url, workers=1)
    study = optuna.create_study(study_name="theirs", storage=open_storage(url))
    study.optimize(lambda trial: trial.suggest_float("y", 0, 1), n_trials=3)
    return folder


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[str]:
    """The URL of a server of that database, which has run nothing of it."""
    with serving(folder) as url:
        yield url


@pytest.fixture
def server(running: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("HPSEARCH_SERVER", "HPSEARCH_STORAGE", "HPSEARCH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return running


@pytest.mark.parametrize("name", ["flowers", "own", "theirs"])
def test_a_summary_comes_back_as_it_went(folder: Path, name: str) -> None:
    study = load_study(open_storage(str(folder / "hpsearch.db")), name)
    summary, seen = summarize(study), read_seen(study)
    document = json.loads(json_text(best_document(summary, seen)))
    also = ["seconds_each"] if name == "own" else []
    told = [trial_of(trial, also).model_dump_json() for trial in study.get_trials(deepcopy=False)]
    back = read_summary(document, map(Trial.model_validate_json, reversed(told)))
    assert json.loads(json_text(best_document(back, seen_of(document)))) == document
    assert [row.document() for row in back.rows] == [row.document() for row in summary.rows]
    assert [row.best_epoch for row in back.rows] == [row.best_epoch for row in summary.rows]
    assert back.stages == summary.stages
    assert back.baselines == summary.baselines
    assert back.measure == summary.measure


COMMANDS = [
    *(
        [command, name, *more]
        for command in ("best", "trials")
        for name in ("flowers", "own", "theirs")
        for more in ([], ["--json"])
    ),
    ["trials", "own", "--state", "fail", "--top", "2"],
    ["advise", "flowers"],
    ["advise", "flowers", "--json"],
    ["advise", "own"],
    ["best", "flower"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_server_s_answer_reads_as_its_database(
    words: list[str], server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(words)
    here = capsys.readouterr()
    assert run([*words, "--server", server]) == code
    assert capsys.readouterr() == here


def test_studies_of_a_server_have_a_state_and_a_priority(
    server: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPSEARCH_SERVER", server)
    assert run(["studies"]) == 0
    lines = capsys.readouterr().out.splitlines()
    heading = next(line for line in lines if "strategy" in line)
    assert heading.split()[:3] == ["study", "state", "priority"]
    [flowers] = [line for line in lines if "flowers" in line]
    assert flowers.split()[:3] == ["flowers", "finished", "0"]
    assert run(["studies", "--json"]) == 0
    studies = {one["study"]: one for one in json.loads(capsys.readouterr().out)}
    assert studies["flowers"]["state"] == "finished"
    assert run(["studies", "--storage", "hpsearch.db", "--json"]) == 0
    for one in json.loads(capsys.readouterr().out):
        assert {key: studies[one["study"]][key] for key in one} == one


def test_files_are_the_same(server: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, name in (
        (["report", "own"], "own.html"),
        (["export", "flowers", "--to", "csv"], "t.csv"),
        (["export", "flowers", "--to", "parquet"], "t.parquet"),
        (["advise", "flowers"], "next.toml"),
    ):
        assert run([*words, "-o", name]) == 0
        here = (folder / name).read_bytes()
        (folder / name).unlink()
        assert run([*words, "-o", name, "--server", server]) == 0
        assert (folder / name).read_bytes() == here
        (folder / name).unlink()


@pytest.mark.parametrize(
    "words",
    [
        ["best", "flowers", "--export", "m.npz"],
        ["best", "flowers", "--ensemble", "2"],
        ["export", "flowers", "--to", "onnx", "-o", "m.onnx"],
        ["export", "flowers", "--to", "tensorboard", "-o", "runs"],
    ],
    ids=" ".join,
)
def test_what_needs_the_database_says_so(
    words: list[str], server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--server", server]) == 2
    assert "needs the study's database" in " ".join(capsys.readouterr().err.split())


def test_one_study_a_page(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "own", "flowers", "--server", server]) == 2
    assert "the page of one study" in capsys.readouterr().err


def test_what_is_nearer_to_the_person_holds(
    server: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
) -> None:
    nowhere = "http://127.0.0.1:9"
    database = str(folder / "hpsearch.db")

    def error(*words: str) -> str:
        run(["trials", "own", *words])
        return capsys.readouterr().err

    monkeypatch.setenv("HPSEARCH_SERVER", nowhere)
    assert error("--storage", database) == ""
    assert error("--server", server) == ""
    assert "leave one out" in error("--server", server, "--storage", database)
    monkeypatch.setenv("HPSEARCH_STORAGE", database)
    assert "in the environment" in error()
    assert error("--server", server) == ""
    assert error("--storage", database) == ""


def test_a_server_that_is_none_is_told(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["studies", "--server", "there"]) == 2
    assert "write http://HOST:PORT" in capsys.readouterr().err
