"""The network as a scikit-learn estimator."""

from __future__ import annotations

from hpsearch.classifier.estimator import MLPClassifier

__all__ = ["MLPClassifier"]
