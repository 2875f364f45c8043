"""Studies that others made: infinite values, several objectives, nothing complete."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import optuna
import pytest

from hpsearch.cli.app import run
from hpsearch.engine import summarize

pytestmark = pytest.mark.slow

INF, NAN = float("inf"), float("nan")


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Runs a command; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def command(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return run(list(words)), *capsys.readouterr()

    return command


def create(name: str, **more: Any) -> optuna.Study:
    return optuna.create_study(study_name=name, storage="sqlite:///hpsearch.db", **more)


def strictly(text: str) -> Any:
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def infinite(name: str, value: float, direction: str = "minimize") -> None:
    study = create(name, direction=direction)
    distribution = {
        "x": optuna.distributions.FloatDistribution(0, 1),
        "c": optuna.distributions.CategoricalDistribution((1.0, INF, None)),
    }
    for k in range(3):
        study.add_trial(
            optuna.create_trial(
                value=value if k == 0 else float(k),
                params={"x": 0.5, "c": INF if k == 0 else 1.0},
                distributions=distribution,
                intermediate_values={0: value, 1: NAN, 2: 0.5},
                user_attrs={"worst": value, "seconds": value, "nested": {"a": [value]}},
            )
        )


@pytest.mark.parametrize("value", [INF, -INF])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_infinity_takes_no_document_away(shell: Any, value: float, direction: str) -> None:
    infinite("endless", value, direction)
    create("fine").optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    for words in (("studies",), ("trials", "endless"), ("best", "endless"), ("best", "fine")):
        code, out, err = shell(*words, "--json")
        assert (code, err) == (0, ""), words
        strictly(out)
        code, out, _ = shell(*words)
        assert code == 0
        assert max(map(len, out.splitlines())) <= 80
    [first, *_] = strictly(shell("trials", "endless", "--json")[1])
    best = strictly(shell("best", "endless", "--json")[1])
    leads = (value > 0) == (direction == "maximize")
    assert (first["score"] is None) == leads == (best["best"]["c"] != 1.0)
    assert shell("report", "endless", "-o", "endless.html")[0] == 0
    page = Path("endless.html").read_text(encoding="utf-8")
    [text] = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert len(strictly(text)["sections"][0]["panels"]) > 2


DIRECTIONS = [("minimize", "minimize"), ("minimize", "maximize"), ("maximize",) * 3]


def several(name: str, directions: tuple[str, ...], values: list[tuple[float, ...]]) -> None:
    study = create(name, directions=directions)
    for pair in values:
        x = optuna.distributions.FloatDistribution(0, 1)
        study.add_trial(optuna.create_trial(values=pair, params={"x": 0.5}, distributions={"x": x}))


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_several_objectives_have_no_single_best(shell: Any, directions: tuple[str, ...]) -> None:
    several("many", directions, [(0.5,) * len(directions), (0.5, *(0.7,) * (len(directions) - 1))])
    study = optuna.load_study(study_name="many", storage="sqlite:///hpsearch.db")
    front = [trial.number for trial in study.best_trials]
    code, out, _ = shell("best", "many")
    said = " ".join(out.split())
    assert code == 0
    assert f"2 trials of {len(directions)} values each: no single one is the best." in said
    assert f"Pareto-optimal: {', '.join(map(str, front))}." in said
    best = strictly(shell("best", "many", "--json")[1])
    assert best["best"] is best["validation"] is best["winner"] is None
    assert best["pareto"] == front
    assert best["objectives"] == len(directions)
    [listed] = strictly(shell("studies", "--json")[1])
    assert listed["best"] is None
    assert f"{len(directions)} values" in shell("studies")[1]
    rows = strictly(shell("trials", "many", "--json")[1])
    assert [row["number"] for row in rows][: len(front)] == front
    assert rows[0]["values"] == study.trials[front[0]].values
    assert re.search(r"0\.50*, 0\.[57]", shell("trials", "many")[1])
    assert shell("report", "many")[0] == 0
    code, _, err = shell("advise", "many")
    assert code == 2
    assert "not made by hpsearch" in err


def test_several_objectives_without_trials_or_with_failed_ones(shell: Any) -> None:
    study = create("none", directions=["minimize", "maximize"])
    assert shell("best", "none")[1].strip() == "No trial is complete yet: the study has none."
    study.optimize(lambda trial: 1 / 0, n_trials=2, catch=(ZeroDivisionError,))
    out = " ".join(shell("best", "none")[1].split())
    assert out == "2 trials of 2 values each: no single one is the best. None is complete."
    best = strictly(shell("best", "none", "--json")[1])
    assert (best["best"], best["pareto"]) == (None, [])
    assert shell("trials", "none")[0] == 0


def test_a_study_file_of_that_name_is_refused(shell: Any, tmp_path: Path) -> None:
    create("taken", directions=["minimize", "maximize"])
    (tmp_path / "taken.toml").write_text('name = "taken"\n[data]\nname = "iris"')
    code, _, err = shell("run", "taken.toml", "--workers", "1", "--no-check")
    assert code == 2
    assert "has several objectives; use another name" in err


def test_nothing_complete_is_told_by_its_states(shell: Any) -> None:
    study = create("odd")
    study.add_trial(optuna.create_trial(state=optuna.trial.TrialState.FAIL))
    assert shell("best", "odd")[1] == "No trial is complete (1 fail).\n"
    study.add_trial(optuna.create_trial(state=optuna.trial.TrialState.WAITING))
    assert shell("best", "odd")[1] == "No trial is complete (1 fail, 1 waiting).\n"
    assert strictly(shell("best", "odd", "--json")[1])["best"] is None
    pruned = create("pruned")
    pruned.add_trial(optuna.create_trial(state=optuna.trial.TrialState.PRUNED))
    assert "There is no winner: the only trial was stopped" in shell("best", "pruned")[1]
    assert summarize(pruned).best is None


@pytest.mark.parametrize(("direction", "best"), [("minimize", 1), ("maximize", 2)])
def test_the_best_of_one_objective_is_by_its_direction(
    shell: Any, direction: str, best: int
) -> None:
    study = create("one", direction=direction)
    for value in (0.5, 0.1, 0.9):
        study.add_trial(optuna.create_trial(value=value))
    rows = strictly(shell("trials", "one", "--json")[1])
    assert rows[0]["number"] == best
    document = strictly(shell("best", "one", "--json")[1])
    assert document["validation"] == rows[0]["score"]
