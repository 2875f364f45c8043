"""Searches compared on objectives that are no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpsearch.cli.app import run
from hpsearch.compare.run import compare_study
from hpsearch.study_file import load_study_file

pytestmark = pytest.mark.slow

SEARCH = """
[search]
trials = 12
[compare]
strategies = ["random", "coarse-to-fine"]
repeats = 2
"""

FUNCTION = """
name = "f"
[objective]
function = "train_compared:objective"
metric = "{metric}"
direction = "{direction}"
{resource}
[space]
x = {{ low = -5.0, high = 5.0 }}
y = {{ low = 1, high = 9 }}
"""

ESTIMATOR = """
name = "e"
[data]
name = "iris"
[objective]
estimator = "sklearn.neighbors.KNeighborsClassifier"
[space]
n_neighbors = { low = 1, high = 40 }
weights = { choices = ["uniform", "distance"] }
"""

MODULE = """
def objective(configuration, trial):
    x, y = configuration["x"], configuration["y"]
    return 1 / (1 + (x - 1) ** 2 + y + (trial.seed % 7) / 100)
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "train_compared.py").write_text(MODULE)
    return tmp_path


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
@pytest.mark.parametrize("resource", ["", 'resource = { name = "steps", full = 4 }'])
def test_a_function_s_searches_are_held_against_one_more_trial_of_each_winner(
    here: Path, metric: str, resource: str, capsys: Any
) -> None:
    path, db = here / "f.toml", str(here / "s.db")
    direction = "maximize" if metric == "accuracy" else "minimize"
    text = FUNCTION.format(metric=metric, direction=direction, resource=resource)
    path.write_text(text + SEARCH)
    found = compare_study(load_study_file(path), storage=db, workers=2)
    assert found.repeats == 2
    assert found.unit == "epochs"
    assert found.resource == ("steps" if resource else "")
    for runs in found.runs.values():
        assert (runs.cost <= found.amount).all()
        assert runs.test == pytest.approx(runs.validation)
        assert (abs(runs.refit - runs.test) < 0.05).all()
        assert (runs.refit != runs.test).any()  # with another seed
    page = here / "c.html"
    assert run(["compare", str(path), "--storage", db, "--output", str(page)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "no rows to test on" in out
    assert run(["report", "f", "--storage", db, "--output", str(here / "r.html")]) == 0
    document = (
        (here / "r.html")
        .read_text(encoding="utf-8")
        .split('id="document">')[1]
        .split("</script>")[0]
    )
    for words in (f"test {metric}", f"validation {metric}", "always giving the same answer"):
        assert words not in out  # nothing was tested, and no constant answers
        assert words not in document


def test_an_estimator_s_trials_are_scored_on_the_test_rows_too(tmp_path: Path) -> None:
    path, db = tmp_path / "e.toml", str(tmp_path / "s.db")
    path.write_text(ESTIMATOR + SEARCH)
    found = compare_study(load_study_file(path), storage=db, workers=2)
    assert found.data["test"] == 30
    for runs in found.runs.values():
        assert (runs.test > 0.5).all()
        assert (runs.refit > 0.5).all()
        assert all(len(slots) == 12 for slots in runs.slots)
