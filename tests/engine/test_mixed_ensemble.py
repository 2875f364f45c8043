"""Gradient boosting as a member of an ensemble: if it helps, and kept without pickle."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression

from hpsearch.data import load_dataset
from hpsearch.engine import run_study
from hpsearch.engine.ensemble import make_ensemble
from hpsearch.errors import DataError
from hpsearch.storage import load_model_bytes, load_study, open_storage
from hpsearch.study_file import load_study_file
from hpsearch.training.fitted import Fitted, kept_estimator
from hpsearch.training.model import Model

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
N = 600
FRAME = pd.DataFrame({"a": RNG.uniform(-2, 2, N), "b": RNG.uniform(-2, 2, N)})
FRAME["kind"] = RNG.choice(list("uvw"), N)
# Steps, which trees tell at once and a network of an epoch or two does not.
STEPS = np.floor(FRAME.a * 2) + 3 * (FRAME.b > 0.3) + 2 * (FRAME.kind == "v")
TARGETS = {"numbers": STEPS + RNG.normal(size=N) * 0.1, "classes": np.where(STEPS > 1, "x", "y")}


def study(folder: Path, target: str, more: str = "") -> str:
    FRAME.assign(y=TARGETS[target]).to_csv(folder / "t.csv", index=False)
    (folder / "s.toml").write_text(
        f'name = "s"\n[data]\npath = "t.csv"\ntarget = "y"\nfolds = 2\n{more}\n'
        "[training]\nepochs = 2\nlearning_rate = 0.02\n"
        '[search]\nstrategy = "random"\ntrials = 4\n'
    )
    db = str(folder / "s.db")
    run_study(load_study_file(folder / "s.toml"), storage=db, workers=1)
    return db


@pytest.mark.parametrize("target", TARGETS)
def test_trees_join_where_they_help_and_answer_from_the_file(tmp_path: Path, target: str) -> None:
    db = study(tmp_path, target)
    plain = make_ensemble("s", 2, storage=db, workers=1)
    mixed = make_ensemble("s", 2, storage=db, workers=1, boosting=True)
    assert [member.kind for member in plain.members] == ["network"] * 2
    assert mixed.members[0].kind == "gradient boosting"
    score = mixed.measure.score
    assert score(mixed.validation) > score(plain.validation)
    assert score(mixed.test) > score(plain.test)
    store = open_storage(db)
    content = load_model_bytes(
        store, load_study(store, "s")._study_id, mixed.model, ensemble=mixed.key
    )
    model = Model.from_bytes(content)
    assert len(model.fitted) == 1
    data = load_dataset(path=tmp_path / "t.csv", target="y")
    answers = model.answers(data.X)
    alone = replace(model, members=(), fitted=model.fitted).answers(data.X)
    networks = replace(model, fitted=()).answers(data.X)
    count = len(model.members)
    np.testing.assert_allclose(answers, (alone + count * networks) / (1 + count), rtol=1e-4)
    assert make_ensemble("s", 2, storage=db, workers=1, boosting=True) == mixed
    assert make_ensemble("s", 2, storage=db, workers=1) == plain


def test_one_that_does_not_help_stays_out(tmp_path: Path) -> None:
    FRAME["c"] = RNG.normal(size=N)
    db = study(tmp_path, "classes", 'exclude = ["a", "b", "kind"]')
    mixed = make_ensemble("s", 1, storage=db, workers=1, boosting=True)
    assert mixed.candidates > 1
    assert mixed.members[0].together >= mixed.single_validation


def fitted(classes: bool) -> object:
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    y = TARGETS["classes"] == "x" if classes else TARGETS["numbers"]
    return kind(max_iter=3).fit(FRAME[["a", "b"]].to_numpy(), np.asarray(y).astype(float))


def test_trees_come_back_as_they_were() -> None:
    X = FRAME[["a", "b"]].to_numpy(np.float32)
    trees = Fitted(kept_estimator(fitted(False)), 0)
    np.testing.assert_array_equal(trees.answers(X), fitted(False).predict(X))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("content", "classes", "words"),
    [
        (b"no archive", 0, "its estimator is damaged"),
        (pickle.dumps(print), 0, "its estimator is damaged"),
        (kept_estimator(fitted(False)), 2, "predicts something else"),
        (kept_estimator(fitted(True)), 0, "predicts something else"),
        (kept_estimator(LogisticRegression()), 2, "predicts something else"),
        (kept_estimator(print), 0, "predicts nothing|nobody has said to trust|damaged"),
        (kept_estimator(fitted(False))[:-200], 0, "its estimator is damaged"),
    ],
)
def test_what_is_no_trees_is_refused_and_never_run(
    content: bytes, classes: int, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        Fitted(content, classes).answers(np.zeros((1, 2), np.float32))
