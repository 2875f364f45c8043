"""A fitted estimator of scikit-learn's kind as a model: kept without pickle, asked like a network.

scikit-learn's own estimators, LightGBM's and XGBoost's are read back; of anybody else's classes
nothing is imported unless the reader names them.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np

from hpsearch.data import Preprocessor
from hpsearch.errors import DataError

__all__ = [
    "KNOWN",
    "Fitted",
    "answers_of",
    "frame_of",
    "kept_estimator",
    "own_parts",
    "read_estimator",
    "tells_probabilities",
]

KNOWN = ("sklearn", "numpy", "scipy", "pandas", "lightgbm", "xgboost")
"""The packages whose classes may be read back."""

TRUSTED = {
    "collections.OrderedDict",
    "collections.defaultdict",
    "functools.partial",
    "sklearn.utils.validation.check_array",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",  # of splines
}
"""What their estimators are made of beside classes."""

COMPUTES = ("sklearn.metrics.", "sklearn.feature_selection.")
"""Where functions only compute; elsewhere are some that read files, even pickles."""


def kept_estimator(model: Any) -> bytes:
    """A fitted estimator, as skops writes it.

    Raises:
        DataError: it holds what cannot be written without pickle.
    """
    import skops.io

    try:
        content: bytes = skops.io.dumps(model)
    except Exception as error:  # whatever an object of the user's raises
        raise DataError(
            f"the fitted {type(model).__name__} cannot be kept without pickle: {error}"
        ) from None
    return content


def read_estimator(content: bytes, trusted: Collection[str] = ()) -> Any:
    """What `kept_estimator` wrote.

    Args:
        content: that.
        trusted: what of others may be imported: classes, or all of a module, by their full names.

    Raises:
        DataError: the content is damaged, or holds what is not trusted.
    """
    import skops.io

    try:
        found = skops.io.get_untrusted_types(data=content)
        strange = sorted(name for name in found if not _may_be_read(name, trusted))
    except Exception as error:  # a damaged archive: whatever its parsers raise
        raise DataError(f"its estimator is damaged: {error}") from None
    if strange:
        raise DataError(
            f"its estimator holds {', '.join(strange)}, which nobody has said to trust; "
            "name it in trusted=[...] of what reads it, or as `hpsearch predict --trust NAME`"
        )
    try:
        return skops.io.loads(content, trusted=found)
    except ModuleNotFoundError as error:
        raise DataError(
            f"its estimator is made of code that is not here: {error}; install that, or read it "
            "where its module lies"
        ) from None
    except Exception as error:
        raise DataError(f"its estimator is damaged: {error}") from None


def own_parts(estimator: Any) -> tuple[str, ...]:
    """What an estimator is made of that is not trusted without being asked.

    Returns:
        The packages of code that is in none of those that are known, of which it may have other
        classes once it is fitted; and the full names of what is.

    Raises:
        DataError: it cannot be kept without pickle, or not be read again.
    """
    import skops.io

    content = kept_estimator(estimator)
    names = [n for n in skops.io.get_untrusted_types(data=content) if not _may_be_read(n, ())]
    packages = {name: name.partition(".")[0] for name in names}
    own = tuple(sorted({name if p in KNOWN else p for name, p in packages.items()}))
    read_estimator(content, own)
    return own


@dataclass(frozen=True)
class Fitted:
    """An estimator and what is done to the columns before it.

    Attributes:
        content: what `kept_estimator` gave.
        n_classes: of the whole data set; 0 for a quantity.
        preprocessor: fitted on the same rows; None where it does its own.
        columns: the names of the data frame that it then gets; none where it gets an array.
        categories: of its categorical columns, by their index.
        trusted: as for `read_estimator`.
    """

    content: bytes
    n_classes: int
    preprocessor: Preprocessor | None = None
    columns: tuple[str, ...] = ()
    categories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    trusted: tuple[str, ...] = ()

    def answers(self, X: np.ndarray) -> np.ndarray:
        """Probabilities of all classes (n, n_classes), or a quantity (n,).

        Args:
            X: the columns (n, d), with categories as codes and NaN for missing.

        Raises:
            DataError: the content is damaged, or holds what is not trusted.
        """
        given: Any = X
        if self.preprocessor is not None:
            given = self.preprocessor.transform(np.asarray(X, np.float32))
        elif self.columns:
            given = frame_of(X, self.columns, self.categories)
        return answers_of(self.model, given, self.n_classes)

    @cached_property
    def model(self) -> Any:
        """The estimator.

        Raises:
            DataError: as for `answers`.
        """
        model = read_estimator(self.content, self.trusted)
        if not hasattr(model, "predict"):
            raise DataError(f"it holds a {type(model).__name__}, which predicts nothing")
        known = getattr(model, "classes_", None)
        if (known is None) == bool(self.n_classes):
            raise DataError(f"it holds a {type(model).__name__}, which predicts something else")
        if known is not None and not set(np.asarray(known).tolist()) <= set(range(self.n_classes)):
            raise DataError("its estimator knows other classes")
        return model


def answers_of(model: Any, X: Any, n_classes: int) -> np.ndarray:
    """What a fitted estimator says, as metrics read it.

    Decisions are squashed into what looks like probabilities: their order is the estimator's, and
    their size says nothing. Without either, the label has all.

    Args:
        model: fitted to class codes, or to a quantity.
        X: as it was fitted to.
        n_classes: of the whole data set; 0 for a quantity.

    Returns:
        Probabilities of all classes (n, n_classes) float64, one that no row has having none, or
        values (n,).
    """
    if not n_classes:
        return np.asarray(model.predict(X), np.float64).reshape(len(X))
    answers = np.zeros((len(X), n_classes))
    if tells_probabilities(model):
        answers[:, np.asarray(model.classes_, int)] = model.predict_proba(X)
    elif hasattr(model, "decision_function"):
        decision = np.asarray(model.decision_function(X), np.float64)
        if decision.ndim == 1:
            decision = np.column_stack([-decision, decision]) / 2
        decision -= decision.max(axis=1, keepdims=True)
        raised = np.exp(decision)
        answers[:, np.asarray(model.classes_, int)] = raised / raised.sum(axis=1, keepdims=True)
    else:
        answers[np.arange(len(answers)), np.asarray(model.predict(X), int)] = 1.0
    return answers


def tells_probabilities(model: Any) -> bool:
    """Whether an estimator has probabilities of its classes."""
    return hasattr(model, "predict_proba")


def frame_of(
    X: np.ndarray, columns: Collection[str], categories: Mapping[int, tuple[str, ...]]
) -> Any:
    """The columns as a data frame: numbers, and categories by their names.

    Args:
        X: (n, d), with categories as codes and NaN for missing.
        columns: their names.
        categories: of categorical columns, by their index.
    """
    import pandas as pd

    def column(number: int) -> Any:
        if number not in categories:
            return X[:, number].astype(np.float64)
        codes = np.where(np.isfinite(X[:, number]), X[:, number], -1).astype(int)
        names: Any = list(categories[number])
        return pd.Categorical.from_codes(codes, names)

    return pd.DataFrame({name: column(number) for number, name in enumerate(columns)})


def _may_be_read(name: str, trusted: Collection[str]) -> bool:
    """Whether a type may be imported: of `KNOWN` and `TRUSTED`, or named by the reader."""
    if name in TRUSTED or any(f"{name}.".startswith(f"{each}.") for each in trusted):
        return True
    module, _, last = name.rpartition(".")
    if module.partition(".")[0] not in KNOWN:
        return False
    try:
        found = getattr(import_module(module), last, None)
    except ImportError:
        return False
    computes = name.startswith(COMPUTES) and getattr(found, "__module__", None) == module
    return inspect.isclass(found) or (computes and inspect.isfunction(found))
