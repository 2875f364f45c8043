"""scikit-learn's own checks, run on the search as scikit-learn runs them on its own searches."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.base import is_regressor
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from hpsearch import CoarseToFineSearchCV

pytestmark = pytest.mark.slow

SETTINGS: dict[str, Any] = {"cv": 2, "error_score": "raise", "random_state": 0}
SEARCHES = [
    CoarseToFineSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, **SETTINGS),
    CoarseToFineSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, **SETTINGS),
    CoarseToFineSearchCV(
        Pipeline([("pca", PCA()), ("ridge", Ridge())]), {"ridge__alpha": [0.1, 1.0]}, **SETTINGS
    ),
    CoarseToFineSearchCV(
        Pipeline([("pca", PCA()), ("logisticregression", LogisticRegression())]),
        {"logisticregression__C": [0.1, 1.0]},
        **SETTINGS,
    ),
    CoarseToFineSearchCV(
        LogisticRegression(), {"C": [0.1, 1.0]}, strategy="coarse-to-fine", race=3, **SETTINGS
    ),
    CoarseToFineSearchCV(
        LogisticRegression(max_iter=100), {"C": [0.1, 1.0]}, resource="max_iter", **SETTINGS
    ),
]


def as_for_randomized_search(estimator: Any) -> dict[str, str]:
    """What scikit-learn's PER_ESTIMATOR_XFAIL_CHECKS has for RandomizedSearchCV.

    Its `check_supervised_y_2d` fails with regressors only.
    """
    failing = {"check_requires_y_none": "Doesn't fail gracefully"}
    if is_regressor(estimator):
        failing["check_supervised_y_2d"] = "DataConversionWarning not caught"
    return failing


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(SEARCHES, expected_failed_checks=as_for_randomized_search)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)
