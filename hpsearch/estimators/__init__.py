"""The network as scikit-learn estimators."""

from __future__ import annotations

from hpsearch.estimators.classifier import MLPClassifier
from hpsearch.estimators.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
