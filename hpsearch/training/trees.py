"""Boosted trees as a member of a model: kept without pickle, and asked like a network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hpsearch.errors import DataError

__all__ = ["Trees", "kept_trees"]

TRUSTED = [
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
]
"""What the trees are made of, beside what skops trusts by itself; a file with more is refused."""

KINDS = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")


def kept_trees(model: Any) -> bytes:
    """A fitted histogram gradient boosting of scikit-learn, as skops writes it.

    Args:
        model: of the classifier or the regressor.
    """
    import skops.io

    content: bytes = skops.io.dumps(model)
    return content


@dataclass(frozen=True)
class Trees:
    """Boosted trees that were fitted to the columns as they are read.

    Attributes:
        content: what `kept_trees` gave.
        n_classes: of the whole data set; 0 for a quantity.
    """

    content: bytes
    n_classes: int

    def answers(self, X: np.ndarray) -> np.ndarray:
        """Probabilities of all classes (n, n_classes), or a quantity (n,).

        Args:
            X: the columns (n, d), with categories as codes and NaN for missing.

        Raises:
            DataError: the content is damaged, or more than trees.
        """
        if not self.n_classes:
            return np.asarray(self.model.predict(X), np.float64)
        probabilities = np.zeros((len(X), self.n_classes), np.float32)
        probabilities[:, self.model.classes_] = self.model.predict_proba(X)
        return probabilities

    @cached_property
    def model(self) -> Any:
        """The estimator of scikit-learn.

        Raises:
            DataError: as for `answers`.
        """
        import skops.io
        from skops.io.exceptions import UntrustedTypesFoundException

        try:
            model = skops.io.loads(self.content, trusted=TRUSTED)
        except UntrustedTypesFoundException as error:
            raise DataError(f"a member of it is more than trees: {error}") from None
        except Exception as error:  # a damaged archive: whatever its parsers raise
            raise DataError(f"its trees are damaged: {error}") from None
        if type(model).__name__ != KINDS[not self.n_classes]:
            raise DataError("a member of it is no trees of the kind that it predicts with")
        if self.n_classes and not set(model.classes_.tolist()) <= set(range(self.n_classes)):
            raise DataError("its trees know other classes")
        return model
