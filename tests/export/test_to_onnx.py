"""Graphs that predict as the models that they were made of."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hpsearch.data import Preprocessor
from hpsearch.data.preprocessing import KINDS, MOST_INDICATORS
from hpsearch.data.target import Scale
from hpsearch.errors import RunError, UsageError
from hpsearch.export.to_onnx import to_onnx
from hpsearch.nn import Network, NetworkConfig
from hpsearch.nn.activations import ACTIVATIONS
from hpsearch.training.fitted import Fitted
from hpsearch.training.model import Member, Model

onnxruntime = pytest.importorskip("onnxruntime")

MANY = MOST_INDICATORS + 6
"""Categories of a column that numbers stand for."""

CATEGORIES = {2: ("no", "yes", "perhaps"), 4: tuple(f"c{k}" for k in range(MANY))}
NAMES = ("a", "b", "said", "longtail", "many")


def table(rows: int = 400, seed: int = 0) -> np.ndarray:
    """Two columns of numbers, few categories, a long tail, many categories; each with gaps."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 5)) * [1.0, 5.0, 1.0, 1.0, 1.0] + [0.0, 10.0, 0.0, 0.0, 0.0]
    X[:, 2] = rng.integers(0, 3, rows)
    X[:, 3] = np.exp(X[:, 3])
    X[:, 4] = rng.integers(0, MANY, rows)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X.astype(np.float32)


X = table()
SEEN = np.concatenate([table(200, seed=1), [[10, -50, np.nan, 100, np.nan], [0] * 5]])
"""Rows to predict: others than were learned from, and some as far out as float32 tells apart."""

SCALE = Scale(1000.0, 300.0)


def target(task: str) -> np.ndarray:
    rng = np.random.default_rng(2)
    return rng.integers(0, 3, len(X)) if task == "classes" else rng.normal(size=len(X))


def member(config: NetworkConfig, kind: str, task: str = "classes", seed: int = 0) -> Member:
    """A network whose arrays are all drawn, so that none of them is left out unnoticed."""
    rng = np.random.default_rng(seed)
    fitted = Preprocessor.fit(X, kind, categories=CATEGORIES, y=target(task))
    outputs = 3 if task == "classes" else 1
    if task == "quantity":
        config = replace(config, loss="squared-error")
    network = Network(fitted.n_features_out, outputs, config, rng=rng)
    for layer in network.layers:
        layer.bias[:] = rng.normal(size=layer.bias.shape)
        layer.affine[:] = rng.normal(size=layer.affine.shape) + 1
        layer.running[0] = rng.normal(size=layer.running[0].shape)
        layer.running[1] = rng.random(layer.running[1].shape) + 0.5
        layer.slope[:] = rng.random(layer.slope.shape)
    return Member(config, network.state(), fitted, SCALE if task == "quantity" else None)


def model(*members: Member, classes: Sequence[str | int] = ("ham", "späm", "x")) -> Model:
    of = classes if members[0].scale is None else ()
    return Model(members, tuple(of), NAMES, CATEGORIES, {"study": "s"})


def answers(content: bytes, rows: np.ndarray = SEEN) -> dict[str, Any]:
    """What onnxruntime makes of rows, by the names of the outputs."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    [given] = session.get_inputs()
    found = session.run(names, {given.name: np.asarray(rows, np.float32)})
    return dict(zip(names, found, strict=True))


def assert_the_same(made: Model) -> None:
    found = answers(to_onnx(made))
    if made.classes:
        proba = made.predict_proba(SEEN)
        np.testing.assert_allclose(found["probabilities"], proba, atol=1e-5)
        clear = np.ptp(np.sort(proba, axis=1)[:, -2:], axis=1) > 1e-4
        assert (found["label"] == made.predict(SEEN))[clear].all()
    else:
        near = 1e-5 * SCALE.deviation
        np.testing.assert_allclose(found["value"][:, 0], made.predict(SEEN), rtol=1e-5, atol=near)


@pytest.mark.parametrize("task", ["classes", "quantity"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_graph_predicts_as_its_model(
    activation: str, batch_norm: bool, kind: str, task: str
) -> None:
    config = NetworkConfig((7, 4), activation=activation, batch_norm=batch_norm, dropout=0.3)
    assert_the_same(model(member(config, kind, task)))


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_alone_and_no_hidden_layer(kind: str) -> None:
    numbers = np.nan_to_num(X[:, :2])
    fitted = Preprocessor.fit(numbers, kind)
    config = NetworkConfig(())
    network = Network(fitted.n_features_out, 2, config, rng=np.random.default_rng(0))
    made = Model((Member(config, network.state(), fitted),), ("no", "yes"), ("a", "b"))
    found = answers(to_onnx(made), SEEN[:, :2])
    np.testing.assert_allclose(found["probabilities"], made.predict_proba(SEEN[:, :2]), atol=1e-5)


@pytest.mark.parametrize("task", ["classes", "quantity"])
def test_several_members_are_averaged(task: str) -> None:
    members = [
        member(NetworkConfig((5,), activation=name), kind, task, seed)
        for seed, (name, kind) in enumerate(
            [("maxout", "quantile"), ("prelu", "whiten"), ("elu", "none")]
        )
    ]
    assert_the_same(model(*members))


@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize("least", [0.2, 0.5, 0.8])
def test_labels_are_told_by_the_threshold(positive: int, least: float) -> None:
    fitted = Preprocessor.fit(X[:, :2], "standardize")
    config = NetworkConfig((4,))
    network = Network(2, 2, config, rng=np.random.default_rng(0))
    network.layers[-1].weights[:] *= 5
    one = Member(config, network.state(), fitted)
    made = Model((one,), (7, 9), ("a", "b"), threshold=(positive, least))
    found = answers(to_onnx(made), X[:, :2])["label"]
    assert found.dtype == np.int64
    assert set(made.predict(X[:, :2])) == {7, 9}
    assert (found == made.predict(X[:, :2])).all()


def test_a_file_says_what_its_input_means() -> None:
    import onnx

    content = to_onnx(model(member(NetworkConfig((4,)), "standardize")))
    made = onnx.load_model_from_string(content)
    about = {entry.key: json.loads(entry.value) for entry in made.metadata_props}
    assert about["feature_names"] == list(NAMES)
    assert about["categories"]["said"] == ["no", "yes", "perhaps"]
    assert about["classes"] == ["ham", "späm", "x"]
    assert about["origin"] == {"study": "s"}
    assert made.producer_name == "hpsearch"


def test_boosted_trees_are_refused_in_a_sentence() -> None:
    whole = replace(model(member(NetworkConfig((4,)), "none")), fitted=(Fitted(b"", 3),))
    with pytest.raises(RunError, match="only networks can be written as ONNX"):
        to_onnx(whole)


def test_an_estimator_is_refused_before_a_package_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    alone = replace(
        model(member(NetworkConfig((4,)), "none")), members=(), fitted=(Fitted(b"", 3),)
    )
    with pytest.raises(RunError, match="skl2onnx writes those of scikit-learn"):
        to_onnx(alone)


def test_a_model_that_is_too_large_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpsearch.export.to_onnx.LARGEST", 100)
    with pytest.raises(RunError, match="bytes, and an ONNX file at most 2 GiB"):
        to_onnx(model(member(NetworkConfig((4,)), "none")))


def test_a_package_that_is_missing_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UsageError, match=r"pip install 'hpsearch\[export\]'"):
        to_onnx(model(member(NetworkConfig((4,)), "none")))
