"""Scores that are no accuracies: how studies of plain Optuna are shown."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest

from hpsearch.cli.app import run
from hpsearch.storage import open_storage


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = str(tmp_path / "x.db")
    with open_storage(path) as store:
        for name, direction, values in (
            ("loss", "minimize", [3.21e-5, 1.23456e-7, 0.00012345]),
            ("profit", "maximize", [123456.789, -1.5e9, 2.0]),
            ("none", "minimize", []),
            ("zero", "minimize", [0.0, float("inf")]),
        ):
            study = optuna.create_study(storage=store, study_name=name, direction=direction)
            distributions = {"value": optuna.distributions.FloatDistribution(0, 1)}
            for value in values:
                study.add_trial(
                    optuna.create_trial(
                        value=value, params={"value": 0.5}, distributions=distributions
                    )
                )
        named = optuna.create_study(storage=store, study_name="named", direction="minimize")
        with pytest.warns(optuna.exceptions.ExperimentalWarning):
            named.set_metric_names(["log loss"])
        named.add_trial(optuna.create_trial(value=4.5e-6))
    return path


def lines(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert run(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return [" ".join(line.split()) for line in out.splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("name", "title", "heading", "scores"),
    [
        (
            "loss",
            "lowest objective value",
            "objective value",
            ["1.235e-07", "3.21e-05", "0.0001234"],
        ),
        ("profit", "highest objective value", "objective value", ["1.235e+05", "2", "-1.5e+09"]),
        ("zero", "lowest objective value", "objective value", ["0", "inf"]),
        ("named", "lowest log loss", "log loss", ["4.5e-06"]),
    ],
)
def test_trials_have_values_of_some_direction(
    database: str,
    name: str,
    title: str,
    heading: str,
    scores: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = lines(["trials", name, "--storage", database], capsys)
    head = next(number for number, line in enumerate(text) if line.startswith("#"))
    assert " ".join(text[:head]).endswith(f"trials, the {title} first")
    assert heading in text[head]
    assert "accuracy" not in " ".join(text)
    assert [line.split()[1] for line in text[head + 2 :]] == scores


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("loss", "lowest objective value 1.235e-07"),
        ("profit", "highest objective value 1.235e+05"),
        ("named", "lowest log loss 4.5e-06"),
    ],
)
def test_the_best_is_no_winner_of_ours(
    database: str, name: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = lines(["best", name, "--storage", database], capsys)
    assert text[0].startswith("Best trial")
    assert text[1:] == [words]


def test_the_list_says_which_way(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(lines(["studies", "--storage", database], capsys))
    for line in ("loss 3 lowest 1.235e-07", "profit 3 highest 1.235e+05", "named 1 lowest 4.5e-06"):
        assert line in text
    assert run(["studies", "--json", "--storage", database]) == 0
    documents = {d["study"]: d for d in json.loads(capsys.readouterr().out)}
    assert documents["loss"]["direction"] == "minimize"
    assert documents["profit"]["direction"] == "maximize"
    assert documents["named"]["score_name"] == "log loss"
    assert documents["loss"]["validation"] == 1.23456e-7
