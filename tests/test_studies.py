"""The studies that come with hpsearch: all can be read, and the small ones learn something."""

from __future__ import annotations

import math
import re
import shlex
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from hpsearch import Study, load_study_file, run_study
from hpsearch.shipped import shipped_files

STUDIES = shipped_files("studies")
OBJECTIVES = {name: path for name, path in STUDIES.items() if path.parent.name == name}
"""Those that have a folder of their own, with a program or a README."""


@pytest.mark.parametrize("name", STUDIES)
def test_each_is_called_as_its_file(name: str) -> None:
    study = load_study_file(STUDIES[name])
    assert study.name == name
    assert study.search_space().parameters


@pytest.mark.slow
@pytest.mark.parametrize("name", ["diabetes", "visits"])
def test_a_regression_is_better_than_any_constant(name: str, tmp_path: Path) -> None:
    study = load_study_file(STUDIES[name])
    search = study.search.model_copy(update={"trials": 12})  # sixty would end alike
    training = study.training.model_copy(update={"epochs": 10})
    study = study.model_copy(update={"search": search, "training": training})
    summary = run_study(study, storage=str(tmp_path / "s.db"), workers=1).summary
    [constant] = summary.baselines
    assert summary.verdict(constant) == "better"
    divided = summary.data["account"]["divided"]
    assert divided.startswith("no 'patient' in two parts" if name == "visits" else "stratified")


def test_a_folder_for_each_kind_of_objective() -> None:
    folders = {"ask-and-tell", "boosting", "function", "torch-script", "c-program"}
    assert set(OBJECTIVES) == folders
    for name, path in OBJECTIVES.items():
        assert len(path.read_text().splitlines()) < 15, name
        assert len((path.parent / "README.md").read_text().splitlines()) <= 10, name


def run_a_copy(name: str, folder: Path, trials: int, more: str = "", **objective: str) -> Study:
    """Run a shipped study in a copy of its folder, with fewer trials.

    Args:
        name: of the study.
        folder: for the copy and the database.
        trials: in all.
        more: put at the end of the function's module.
        objective: what its table is to say instead.
    """
    here = folder / name
    shutil.copytree(OBJECTIVES[name].parent, here)
    if more:
        module, _, _ = objective["function"].partition(":")
        (here / f"{module}.py").write_text((here / "softmax.py").read_text() + more)
    study = load_study_file(here / f"{name}.toml")
    changes = {
        "search": study.search.model_copy(update={"trials": trials}),
        "objective": study.objective.model_copy(update=objective),
    }
    study = study.model_copy(update=changes)
    return run_study(study, storage=str(folder / "s.db"), workers=2, baselines=False)


@pytest.mark.slow
def test_boosting_is_better_than_any_constant(tmp_path: Path) -> None:
    summary = run_a_copy("boosting", tmp_path, 16).summary
    assert summary.states == {"complete": 16}
    [constant] = summary.baselines
    assert summary.verdict(constant) == "better"


KILLED = """

_save = save


def save(path, **state):
    _save(path, **state)
    saves = path.with_name("saves")
    with saves.open("a") as file:
        file.write("x")
    if saves.stat().st_size == 4:
        import os, signal

        os.kill(os.getpid(), signal.SIGKILL)
"""
"""What kills every trial after its fourth epoch, once."""


@pytest.mark.slow
def test_a_function_that_is_killed_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    def told(study: Study) -> list[tuple[object, ...]]:
        attributes = ("stage_index", "slot", "seed")
        return sorted(
            (*(t.user_attrs[a] for a in attributes), t.value, *t.intermediate_values.items())
            for t in study.optuna.trials
        )

    whole = run_a_copy("function", tmp_path / "whole", 6)
    assert whole.summary.states == {"complete": 6}
    killed = run_a_copy(
        "function", tmp_path / "killed", 6, KILLED, function="softmax_killed:objective"
    )
    assert told(killed) == told(whole)
    epochs = sorted(trial.user_attrs["epochs"] for trial in killed.optuna.trials)
    saves = (tmp_path / "killed" / "s.trials" / "function").glob("*/saves")
    assert sorted(path.stat().st_size for path in saves) == epochs  # no epoch was done twice


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_a_script_in_torch_learns_two_spirals(tmp_path: Path) -> None:
    found = run_a_copy("torch-script", tmp_path, 4)
    assert found.summary.states == {"complete": 4}
    assert found.validation is not None
    assert found.validation < math.log(2)  # which is the loss of a coin


def test_a_script_in_torch_takes_what_its_study_gives() -> None:
    """The same without torch: every option of the command is one of the script."""
    path = OBJECTIVES["torch-script"]
    command = load_study_file(path).objective.command
    assert command is not None
    script = (path.parent / "train.py").read_text()
    for part in command:
        option, _, _ = part.partition("=")
        assert not option.startswith("--") or f'"{option}"' in script


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no compiler")
def test_a_program_in_c_looks_for_a_short_tour(tmp_path: Path) -> None:
    folder = OBJECTIVES["c-program"].parent
    [line] = re.findall(r"&& (cc .*?) &&", (folder / "README.md").read_text())
    compiled = tmp_path / "compiled"
    shutil.copytree(folder, compiled)
    subprocess.run(shlex.split(line), cwd=compiled, check=True)
    study = load_study_file(compiled / "c-program.toml")
    found = run_study(study, storage=str(tmp_path / "s.db"), workers=2)
    assert found.summary.states == {"complete": 80}
    assert found.validation is not None
    assert found.validation < 14  # a random tour is about 100 long
