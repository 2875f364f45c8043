from __future__ import annotations

import numpy as np
import pytest
from gradient_check import assert_same_gradient, numeric_gradient
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hpsearch.nn.losses import SoftmaxCrossEntropy, softmax

CLASSES, SAMPLES = 4, 6
mean = SoftmaxCrossEntropy.mean


def one_hot(labels: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    return np.eye(CLASSES, dtype=dtype)[:, labels].copy()


def evaluate(logits: np.ndarray, labels: np.ndarray, scale: float) -> tuple[float, np.ndarray]:
    """The summed loss and the gradient of the class-major form."""
    loss = SoftmaxCrossEntropy(logits, np.empty_like(logits))
    scratch = loss.scratch(1, logits.shape[1], logits.dtype)
    kept = scratch.of(0, logits.shape[1])
    targets = one_hot(labels, logits.dtype.type)
    loss.forward(targets, kept)
    loss.backward(np.array(scale, logits.dtype))
    return scratch.total(1, logits.shape[1]), loss.dlogits


def test_gradient() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((CLASSES, SAMPLES)), rng.integers(0, CLASSES, SAMPLES)
    numeric = numeric_gradient(lambda: evaluate(logits, labels, 1.0)[0] / SAMPLES, logits)
    assert_same_gradient(evaluate(logits, labels, 1 / SAMPLES)[1], numeric)


def test_who_knows_the_shares_of_the_classes_loses_their_entropy() -> None:
    labels, shares = np.repeat([0, 1, 2], [5, 3, 2]), [0.5, 0.3, 0.2, 0.0]
    logits = np.tile(np.log(np.maximum(shares, 1e-300)), (10, 1))
    assert SoftmaxCrossEntropy.guessing(labels) == pytest.approx(mean(logits, labels))
    assert SoftmaxCrossEntropy.guessing(np.arange(4)) == SoftmaxCrossEntropy.chance(4)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_equal_logits_cost_the_logarithm_of_the_number_of_classes(classes: int) -> None:
    assert mean(np.zeros((5, classes)), np.zeros(5, int)) == pytest.approx(np.log(classes))


@given(arrays(np.float64, (CLASSES, SAMPLES), elements=st.floats(-1e4, 1e4)))
def test_the_step_s_loss_is_the_plain_one(logits: np.ndarray) -> None:
    labels = np.arange(SAMPLES) % CLASSES
    total, gradient = evaluate(logits, labels, 1.0)
    assert total / SAMPLES == pytest.approx(mean(logits.T, labels), rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(gradient, softmax(logits.T).T - one_hot(labels), atol=1e-12)


def test_a_huge_loss_of_one_sample_is_still_a_number_in_float32() -> None:
    logits = np.zeros((CLASSES, 1), np.float32)
    logits[1] = 5000.0
    total, gradient = evaluate(logits, np.array([0]), 1.0)
    assert total == 5000.0
    assert gradient.ravel().tolist() == [-1.0, 1.0, 0.0, 0.0]


@given(arrays(np.float32, (3, 5), elements=st.floats(-1e4, 1e4, width=32)))
def test_softmax_rows_are_probabilities(logits: np.ndarray) -> None:
    probabilities = softmax(logits)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(softmax(logits + np.float32(8)), probabilities, atol=2e-3)
