"""A table that is made up: visits of patients, several of each, and what a visit costs."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["visits"]

PATIENTS, VISITS = 500, 10_000


def visits() -> Any:
    """What 10,000 visits of 500 patients cost; the same for whoever asks.

    A patient's visits cost alike for reasons that no column tells, so that who divides them at
    random tells a visit from others of the same patient, and not from what it is.

    Returns:
        A ``pyarrow.Table``: the patient, who is to be named as ``groups``; age, weight, smoker,
        ward, days, pressure (some are missing), reason; and the cost, in euros.
    """
    import pyarrow as pa

    rng = np.random.default_rng(2026)
    patient = np.sort(rng.integers(0, PATIENTS, VISITS))
    age = rng.uniform(18, 90, PATIENTS)[patient]
    weight = np.round(rng.normal(75, 14, PATIENTS)[patient] + rng.normal(0, 2, VISITS), 1)
    smoker = (rng.random(PATIENTS) < 0.25)[patient]
    own = rng.normal(0, 0.35, PATIENTS)[patient]
    ward = rng.choice(["day", "general", "intensive", "surgery"], VISITS, p=[0.4, 0.35, 0.07, 0.18])
    reason = rng.choice(["accident", "control", "heart", "lungs", "other"], VISITS)
    days = np.where(ward == "day", 1, 1 + rng.geometric(0.25, VISITS))
    pressure = rng.normal(118 + 0.3 * (age - 50), 12)
    daily = np.select(
        [ward == "intensive", ward == "surgery", ward == "general"], [7.6, 6.6, 6.1], 5.6
    )
    logarithm = (
        daily
        + 0.9 * np.log(days)
        + 0.004 * np.maximum(age - 45, 0) * (1 + smoker * (reason == "lungs"))
        + 0.15 * np.tanh((pressure - 135) / 12) * (reason == "heart")
        + own
        + rng.normal(0, 0.15, VISITS)
    )
    return pa.table(
        {
            "patient": [f"P{number:04}" for number in patient.tolist()],
            "age": age.astype(int),
            "weight": weight,
            "smoker": smoker,
            "ward": ward,
            "reason": reason,
            "days": days,
            "pressure": pa.array(np.round(pressure, 1), mask=rng.random(VISITS) < 0.08),
            "cost": np.round(np.exp(logarithm), 2),
        }
    )
