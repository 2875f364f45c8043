"""`MLPRegressor`: the network behind scikit-learn's names and conventions, for numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d

from hpsearch.errors import UsageError
from hpsearch.estimators.perceptron import Floats, Inputs, Perceptron, weighted
from hpsearch.nn.arrays import Targets

__all__ = ["MLPRegressor"]


class MLPRegressor(RegressorMixin, Perceptron):  # type: ignore[misc]
    """A multilayer perceptron regressor that takes the place of scikit-learn's.

    Arguments that share a name with `sklearn.neural_network.MLPRegressor` have its meaning and its
    default; the last nine are ours, and all but ``loss`` are those of `hpsearch.MLPClassifier`,
    which tells them. The differences: it computes in float32; biases begin at ``bias`` and are not
    drawn; there is no ``lbfgs`` and no Poisson loss; and targets are standardized on the training
    samples, each by its mean and standard deviation, so that their units do not matter to the
    learning rate, to ``tol`` or to Huber's loss. Losses are of standardized targets, and a sum over
    them. `predict` gives their own units back. Standardize the features first, as for any such
    network.

    Args:
        loss: ``squared_error`` (half of it, as in scikit-learn), ``absolute_error``, or ``huber``,
            squared up to one standard deviation of the target and absolute beyond.

    Attributes:
        n_features_in_: features seen by `fit`; ``feature_names_in_`` has a dataframe's names.
        n_iter_: epochs of the last call.
        t_: samples that training has seen.
        loss_, best_loss_, loss_curve_: last, lowest and each epoch's training loss, with the L2
            term; ``best_loss_`` is None with ``early_stopping``. They go on over ``warm_start`` and
            `partial_fit`.
        validation_scores_, best_validation_score_: R² after each epoch and the best one; None
            without ``early_stopping``.
        n_layers_, n_outputs_, out_activation_: input and output layer counted; targets; identity.

    References:
        Huber (1964), "Robust estimation of a location parameter", Annals of Mathematical
        Statistics 35.

    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = MLPRegressor(hidden_layer_sizes=(16,), max_iter=500, random_state=0)
    >>> bool(model.fit(scale(X), y).score(scale(X), y) > 0.5)
    True
    """

    _score_name = "R²"
    _out_activation = "identity"

    def __init__(
        self,
        loss: Literal["squared_error", "absolute_error", "huber"] = "squared_error",
        hidden_layer_sizes: int | Iterable[int] = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: Literal["constant"] = "constant",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        dropout: float = 0.0,
        batch_norm: bool = False,
        initializer: str = "xavier-uniform",
        bias: float = 0.0,
        schedule: str = "constant",
        decay: float = 0.01,
        warmup: float = 0.0,
        maxout_pieces: int = 2,
        weight_averaging: float = 0.0,
    ) -> None:
        self._keep(locals())

    def fit(self, X: Inputs, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Train until the loss (or validation R²) settles, or for ``max_iter`` epochs.

        Ctrl-C ends the training with a warning and keeps what was learned.

        Args:
            X: samples (n, n_features), finite numbers.
            y: numbers (n,), or several targets (n, n_targets).
            sample_weight: how much each sample counts (n,). A sample of weight 2 is worth the same
                sample twice, one of weight 0 is left out; the scale of the targets and validation
                R² count so too.

        Returns:
            The regressor. A warm start keeps the scale of the targets.

        Raises:
            UsageError: for an argument out of range, or a loss that leaves the finite numbers; a
                ValueError.
            UnknownNameError: for a name of an argument that is not known.
            ValueError: from scikit-learn's own checks of X and y.
        """
        settings, again = self._read_settings(), self._goes_on
        X, values = self._checked(X, y, reset=not again)
        X, values, weights = weighted(X, values, sample_weight)
        if again:
            self._check_same(settings, "warm_start")
            self._check_targets(values, "warm_start")
        return self._fit(X, values, weights, settings, values.shape[1], about={})

    def partial_fit(
        self, X: Inputs, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Train for one epoch on this part of the data; optimizer and schedule go on from before.

        The first part gives the targets their scale, so let it be a fair sample. Arguments changed
        by ``set_params`` in between hold from then on, with a fresh optimizer; those that shape the
        network cannot change.

        Args:
            X: samples (n, n_features).
            y: numbers (n,) or (n, n_targets).
            sample_weight: how much each sample counts within this part (n,).

        Returns:
            The regressor.

        Raises:
            UsageError: as `fit`; also with ``early_stopping``.
        """
        settings = self._read_settings()
        self._check_partial(settings)
        first = not hasattr(self, "_trainer")
        X, values = self._checked(X, y, reset=first)
        X, values, weights = weighted(X, values, sample_weight)
        if not first:
            self._check_same(settings, "partial_fit")
            self._check_targets(values, "partial_fit")
        return self._partial_fit(X, values, weights, settings, values.shape[1], about={})

    def predict(self, X: Inputs) -> Floats:
        """The targets of each sample, in their own units.

        Args:
            X: samples (n, n_features).

        Returns:
            Numbers (n,), or (n, n_targets) where there are several; float64.

        Raises:
            NotFittedError: before `fit`.
            ValueError: when X has another number of features, or is not finite.
        """
        outputs = self._outputs(X)  # first of all, since it says when there was no fit
        values: Floats = outputs * self._deviation + self._mean
        return values[:, 0] if values.shape[1] == 1 else values

    def score(
        self, X: Inputs, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """The share of the targets' variance that is explained, the mean over the targets.

        Args:
            X: samples (n, n_features).
            y: numbers (n,) or (n, targets).
            sample_weight: how much each counts (n,); all the same by default.

        Returns:
            A number up to 1; below 0 where the mean would do better.
        """
        return float(super().score(X, y, sample_weight))

    def _checked(self, X: Inputs, y: npt.ArrayLike, *, reset: bool) -> tuple[Any, Any]:
        """Dense float32 samples, and numbers (n, n_targets), float64."""
        X, values = self._validated(X, y, reset=reset, numbers=True)
        if values.ndim == 2 and values.shape[1] == 1:
            values = column_or_1d(values, warn=True)
        return X, values.astype(np.float64, copy=False).reshape(len(values), -1)

    def _check_targets(self, values: Floats, what: str) -> None:
        """Refuse to go on with other targets."""
        if values.shape[1] != self.n_outputs_:
            raise UsageError(
                f"{what} goes on with the targets there are, {self.n_outputs_}, and now got "
                f"{values.shape[1]}; give as many, or clone the regressor to start afresh."
            )

    def _encoded(self, y: Targets, weights: Floats | None, *, first: bool) -> Targets:
        """Targets standardized by the first training samples."""
        if first:
            self._mean, self._deviation = _scale(y, weights)
        standardized: Targets = (y - self._mean) / self._deviation
        return standardized


def _scale(values: Targets, weights: Floats | None) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each target; 1 for one that never varies.

    >>> _scale(np.array([[1.0, 5.0], [3.0, 5.0]]), None)
    (array([2., 5.]), array([1., 1.]))
    """
    largest = np.maximum(np.abs(values).max(axis=0), np.finfo(np.float64).tiny)
    shares = values / largest  # so that no square overflows
    mean = np.average(shares, axis=0, weights=weights)
    deviation = np.sqrt(np.average((shares - mean) ** 2, axis=0, weights=weights))
    varies = deviation > 10 * np.finfo(np.float64).eps
    return mean * largest, np.where(varies, deviation * largest, 1.0)
