from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, r2_score

from hpsearch.nn.scores import accuracy, r2

NUMBERS = st.floats(-100, 100, width=32)


@given(
    arrays(np.float32, (7, 3), elements=NUMBERS), arrays(np.int64, 7, elements=st.integers(0, 2))
)
def test_accuracy_is_scikit_learns(outputs: np.ndarray, labels: np.ndarray) -> None:
    assert accuracy(outputs, labels) == accuracy_score(labels, outputs.argmax(axis=1))


@given(
    arrays(np.float32, (9, 2), elements=NUMBERS),
    arrays(np.float64, (9, 2), elements=st.integers(-50, 50)),
)
def test_r2_is_scikit_learns(outputs: np.ndarray, targets: np.ndarray) -> None:
    assert r2(outputs, targets) == pytest.approx(r2_score(targets, outputs), rel=1e-9, abs=1e-9)
    assert r2(targets, targets) == 1.0
