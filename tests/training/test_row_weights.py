"""A row of weight 2 is the row twice: in the loss, in every score, and for the simple models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpsearch.data import Dataset, Split, write_store
from hpsearch.engine import run_study
from hpsearch.errors import HpsearchError
from hpsearch.study_file import load_study_file
from hpsearch.study_file.data import study_data
from hpsearch.training.jobs import Job, predictions_job, train_job

RNG = np.random.default_rng(3)
N = 120
WEIGHTS = RNG.integers(0, 4, N)
FRAME = pd.DataFrame(RNG.normal(size=(N, 3)), columns=["a", "b", "c"])
FRAME["part"] = np.resize(["train", "train", "validation", "test"], N)
FRAME["classes"] = np.where(FRAME.a + RNG.normal(size=N) * 0.5 > 0, "yes", "no")
FRAME["numbers"] = FRAME.a * 2 + RNG.normal(size=N)
FRAME["w"] = WEIGHTS
PLAIN = {"preprocessing": "none", "width": 8, "depth": 1, "batch_size": 100_000}
PLAIN |= {"learning_rate": 0.1, "optimizer": "sgd"}


def divided(folder: Path, frame: pd.DataFrame, keys: str) -> tuple[Dataset, tuple[Split, ...]]:
    frame.to_csv(folder / "t.csv", index=False)
    (folder / "s.toml").write_text(
        f'name = "s"\n[data]\npath = "t.csv"\nparts = "part"\n{keys}\n'
        "[training]\nepochs = 3\nlearning_rate = 0.01\n[search]\ntrials = 2\n"
        'strategy = "random"\n'
    )
    file = load_study_file(folder / "s.toml")
    return study_data(file.data, 0)


def weighed_and_repeated(folder: Path, target: str, metric: str) -> list[Job]:
    """The same training twice: of weighed rows, and of rows that are there so many times."""
    jobs = []
    other = {"classes", "numbers", "w"} - {target}
    for name, frame, keys in (
        ("weighed", FRAME, 'weight = "w"\n'),
        ("repeated", FRAME.loc[FRAME.index.repeat(WEIGHTS)], ""),
    ):
        home = folder / name
        home.mkdir()
        left = other - ({"w"} if keys else set())
        keys += f"target = {target!r}\nexclude = {sorted(left)}"
        dataset, splits = divided(home, frame, keys)
        data = write_store(home / "store", dataset, splits)
        jobs.append(Job(data, PLAIN, 1, 8, metric=metric, test=True))
    return jobs


@pytest.mark.parametrize(
    ("target", "metric"),
    [
        *(("classes", name) for name in ("accuracy", "log_loss", "roc_auc", "f1_macro", "mcc")),
        *(("numbers", name) for name in ("rmse", "mae", "r2")),
    ],
)
def test_a_row_of_weight_two_is_the_row_twice(tmp_path: Path, target: str, metric: str) -> None:
    weighed, repeated = weighed_and_repeated(tmp_path, target, metric)
    one, other = train_job(weighed), train_job(repeated)
    assert one.losses == pytest.approx(other.losses, rel=1e-4)
    assert one.curve == pytest.approx(other.curve, rel=1e-4, abs=1e-4)
    assert one.test_score == pytest.approx(other.test_score, rel=1e-4, abs=1e-4)


def test_what_diverges_counts_like_the_best_weighed_constant(tmp_path: Path) -> None:
    wild = PLAIN | {"learning_rate": 1e6}
    one, other = (
        train_job(replace(job, configuration=wild))
        for job in weighed_and_repeated(tmp_path, "classes", "log_loss")
    )
    assert not one.complete
    assert one.score == pytest.approx(other.score)
    assert one.test_score == pytest.approx(other.test_score)


def test_predictions_come_with_their_weights(tmp_path: Path) -> None:
    weighed, _ = weighed_and_repeated(tmp_path, "classes", "accuracy")
    [weight] = predictions_job(weighed).weight
    assert weight is not None
    np.testing.assert_array_equal(weight, WEIGHTS[FRAME.part == "validation"])


@pytest.mark.slow
def test_a_study_weighs_its_test_and_the_simple_models(fitted: None, tmp_path: Path) -> None:
    keys = 'weight = "w"\ntarget = "classes"\nexclude = ["numbers"]'
    dataset, _ = divided(tmp_path, FRAME, keys)
    assert dataset.feature_names == ("a", "b", "c")
    assert dataset.account.columns_dropped["w"] == "no input: it says how much a row counts"
    summary = run_study(load_study_file(tmp_path / "s.toml"), storage=str(tmp_path / "s.db"))
    rows = FRAME.part == "test"
    assert summary.test is not None
    count = summary.test * WEIGHTS[rows].sum()
    assert count == pytest.approx(round(count))
    assert len(summary.rivals) == 3


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("negative", "the weight of row 3 in 'negative' is -1"),
        ("none", "all weights in 'none' are 0"),
        ("text", "write weights as 2 or 0.5"),
        ("gaps", "have no value in 'gaps'"),
        ("nowhere", "column in [data] weight: 'nowhere'"),
        ("classes", "'classes' is the target"),
    ],
)
def test_weights_that_are_none_are_one_sentence(tmp_path: Path, column: str, words: str) -> None:
    frame = FRAME.assign(
        negative=np.where(np.arange(N) == 2, -1, 1), none=0, text="x", gaps=[None] + [1.0] * (N - 1)
    )
    with pytest.raises(HpsearchError) as caught:
        divided(tmp_path, frame, f'weight = "{column}"\ntarget = "classes"')
    assert words in str(caught.value)
