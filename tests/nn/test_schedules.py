from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.nn.schedules import SCHEDULES

DECAYING = [name for name in SCHEDULES if name != "constant"]


@pytest.mark.parametrize(
    ("name", "t", "decay", "factor"),
    [
        ("constant", 0.7, 0.1, 1.0),
        ("step", 0.24, 0.001, 1.0),
        ("step", 0.25, 0.001, 0.1),
        ("step", 0.5, 0.001, 0.01),
        ("step", 0.75, 0.001, 0.001),
        ("exponential", 0.5, 0.01, 0.1),
        ("inverse-time", 0.5, 0.5, 2 / 3),
        ("inverse-time", 1 / 9, 0.1, 0.5),
        ("cosine", 0.5, 0.0625, 0.53125),
        ("cosine", 1 / 3, 0.2, 0.8),
    ],
)
def test_hand_worked_values(name: str, t: float, decay: float, factor: float) -> None:
    assert SCHEDULES[name](np.array([t]), decay).item() == pytest.approx(factor)


@pytest.mark.parametrize("name", DECAYING)
@given(decay=st.floats(1e-6, 1.0))
def test_falls_from_one_to_decay_and_never_rises(name: str, decay: float) -> None:
    factors = SCHEDULES[name](np.linspace(0, 1, 101), decay)
    assert factors[0] == pytest.approx(1.0)
    assert factors[-1] == pytest.approx(decay)
    assert (np.diff(factors) <= 1e-12).all()


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_decay_one_means_none(name: str) -> None:
    np.testing.assert_allclose(SCHEDULES[name](np.linspace(0, 1, 11), 1.0), 1.0)
