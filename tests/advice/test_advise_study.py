"""From a broken study to one that learns, and what the command says on the way."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest

from hpsearch.advice import advise_study
from hpsearch.cli.app import run
from hpsearch.engine import run_study
from hpsearch.errors import UsageError
from hpsearch.storage import open_storage
from hpsearch.study_file import load_study_file, parse_study_file

pytestmark = pytest.mark.slow

BROKEN = """
name = "broken"
[data]
name = "digits"
preprocessing = "none"
[model]
activation = "sigmoid"
initializer = "xavier"
depth = 5
width = { low = 16, high = 64, log = true }
[training]
epochs = 10
learning_rate = { low = 1e-6, high = 1e-4, log = true }
[search]
strategy = "random"
trials = 8
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def test_three_faults_are_named_and_the_advised_study_has_none(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken.toml").write_text(BROKEN)
    assert run(["run", "broken.toml", "--workers", "1"]) == 0
    out, err = capsys.readouterr()
    assert "8 of 8 trainings: vanishing gradients" in " ".join(out.split())
    assert "scale of the inputs" in err
    assert run(["advise", "broken", "-o", "next.toml"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "8 of 8 trainings: inputs not scaled" in said
    assert "vanishing gradients" in said
    assert "The learning rates, 1e-06 to 0.0001, are too low" in said
    repaired = load_study_file(Path("next.toml"))
    assert repaired.name == "broken-2"
    assert repaired.data.preprocessing == "standardize"
    assert (repaired.model.activation, repaired.model.initializer) == ("relu", "he")
    before = run_study(load_study_file(Path("broken.toml")))
    after = run_study(repaired, workers=1)
    assert before.test is not None
    assert after.test is not None
    assert before.test < 0.2
    assert after.test > 0.9
    with open_storage("hpsearch.db") as store:
        assert not any(r.repair for r in advise_study(store, "broken-2").recommendations)


def test_the_command_s_corners(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = BROKEN.replace("trials = 8", "trials = 2").replace("digits", "iris")
    Path("s.toml").write_text(small)
    assert run(["run", "s.toml", "--workers", "1", "--no-check", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert all(isinstance(sentence, str) for sentence in document["advice"])
    assert run(["advise", "broken", "--json"]) == 0
    advice = json.loads(capsys.readouterr().out)
    assert advice["next"]["name"] == "broken-2"
    assert {"topic", "sentence", "changes"} == set(advice["recommendations"][0])
    Path("there.toml").write_text("mine")
    assert run(["advise", "broken", "-o", "there.toml"]) == 2
    assert "--force replaces it" in capsys.readouterr().err
    assert Path("there.toml").read_text() == "mine"
    assert run(["advise", "nothing"]) == 2
    assert "unknown study" in capsys.readouterr().err


def test_data_that_are_gone_are_no_obstacle(here: Path) -> None:
    from sklearn.datasets import load_iris

    frame = load_iris(as_frame=True).frame
    frame.to_csv("t.csv", index=False)
    text = BROKEN.replace('name = "digits"', 'path = "t.csv"\ntarget = "target"')
    run_study(parse_study_file(text), workers=1)
    Path("t.csv").unlink()
    with open_storage("hpsearch.db") as store:
        advice = advise_study(store, "broken")
    assert advice.note.startswith("The data were not looked at")
    assert advice.recommendations


def test_studies_of_others_cannot_be_advised(here: Path) -> None:
    with open_storage("hpsearch.db") as store:
        optuna.create_study(study_name="other", storage=store)
        with pytest.raises(UsageError, match="was not made by hpsearch"):
            advise_study(store, "other")
