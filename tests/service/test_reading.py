"""The reading commands: from a server the same as from its database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake import Fake, served

from hpsearch.cli.app import run
from hpsearch.engine import run_study, summarize
from hpsearch.engine.tested import read_seen
from hpsearch.service.documents import best_document, read_summary, trial_of
from hpsearch.service.documents import read_seen as seen_of
from hpsearch.service.models import Trial
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import load_study_file
from hpsearch.writing import json_text

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


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Fake]]:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("HPSEARCH_SERVER", "HPSEARCH_STORAGE", "HPSEARCH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with served(str(folder / "hpsearch.db"), folder) as found:
        yield found


@pytest.mark.parametrize("name", ["flowers", "own", "theirs"])
def test_a_summary_comes_back_as_it_went(folder: Path, name: str) -> None:
    study = load_study(open_storage(str(folder / "hpsearch.db")), name)
    summary, seen = summarize(study), read_seen(study)
    document = json.loads(json_text(best_document(summary, seen)))
    told = [trial_of(row, str(row.number)).model_dump_json() for row in summary.rows]
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
    words: list[str], server: tuple[str, Fake], capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(words)
    here = capsys.readouterr()
    assert run([*words, "--server", server[0]]) == code
    assert capsys.readouterr() == here


def test_studies_of_a_server_have_a_state_and_a_priority(
    server: tuple[str, Fake], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, fake = server
    fake.states["own"] = {"state": "paused", "priority": 7}
    monkeypatch.setenv("HPSEARCH_SERVER", url)
    assert run(["studies"]) == 0
    lines = capsys.readouterr().out.splitlines()
    heading = next(line for line in lines if "strategy" in line)
    assert heading.split()[:3] == ["study", "state", "priority"]
    assert [line.split()[:3] for line in lines if "own" in line] == [["own", "paused", "7"]]
    assert run(["studies", "--json"]) == 0
    studies = {one["study"]: one for one in json.loads(capsys.readouterr().out)}
    assert studies["own"]["state"] == "paused"
    assert studies["flowers"]["priority"] == 0
    assert run(["studies", "--storage", "hpsearch.db", "--json"]) == 0
    for one in json.loads(capsys.readouterr().out):
        assert {key: studies[one["study"]][key] for key in one} == one


def test_files_are_the_same(
    server: tuple[str, Fake], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, name in (
        (["report", "own"], "own.html"),
        (["export", "flowers", "--to", "csv"], "t.csv"),
        (["export", "flowers", "--to", "parquet"], "t.parquet"),
        (["advise", "flowers"], "next.toml"),
    ):
        assert run([*words, "-o", name]) == 0
        here = (folder / name).read_bytes()
        (folder / name).unlink()
        assert run([*words, "-o", name, "--server", server[0]]) == 0
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
    words: list[str], server: tuple[str, Fake], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--server", server[0]]) == 2
    assert "needs the study's database" in " ".join(capsys.readouterr().err.split())


def test_one_study_a_page(server: tuple[str, Fake], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "own", "flowers", "--server", server[0]]) == 2
    assert "the page of one study" in capsys.readouterr().err


def test_what_is_nearer_to_the_person_holds(
    server: tuple[str, Fake],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
) -> None:
    url, _ = server
    nowhere = "http://127.0.0.1:9"
    database = str(folder / "hpsearch.db")

    def error(*words: str) -> str:
        run(["trials", "own", *words])
        return capsys.readouterr().err

    monkeypatch.setenv("HPSEARCH_SERVER", nowhere)
    assert error("--storage", database) == ""
    assert error("--server", url) == ""
    assert "leave one out" in error("--server", url, "--storage", database)
    monkeypatch.setenv("HPSEARCH_STORAGE", database)
    assert "in the environment" in error()
    assert error("--server", url) == ""
    assert error("--storage", database) == ""


def test_a_server_that_is_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["studies", "--server", "there"]) == 2
    assert "write http://HOST:PORT" in capsys.readouterr().err
