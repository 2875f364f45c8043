"""`MLPClassifier`: the network behind scikit-learn's names and conventions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from hpsearch.data.in_memory import labels_of
from hpsearch.errors import UsageError
from hpsearch.estimators.perceptron import Floats, Inputs, Perceptron, weighted
from hpsearch.nn.arrays import Targets
from hpsearch.nn.losses import softmax

__all__ = ["MLPClassifier"]

LabelNumbers: TypeAlias = npt.NDArray[np.intp]


class MLPClassifier(ClassifierMixin, Perceptron):  # type: ignore[misc]
    """A multilayer perceptron classifier that takes the place of scikit-learn's.

    Arguments that share a name with `sklearn.neural_network.MLPClassifier` have its meaning and its
    default; the last eleven are ours. The differences: it computes in float32; two classes get two
    softmax outputs like any other number; biases begin at ``bias`` and are not drawn; there is no
    ``lbfgs`` and no multi-label target. Sparse input is made dense, whole.
    Standardize the features first, as for any such network.

    Args:
        hidden_layer_sizes: width of each hidden layer, or one whole number for one layer; empty for
            softmax regression.
        activation: a name in `hpsearch.nn.ACTIVATIONS`; ``logistic`` is its ``sigmoid``.
        solver: a name in `hpsearch.nn.OPTIMIZERS`; ``sgd`` goes with ``momentum`` and
            ``nesterovs_momentum`` (momentum 0 is plain gradient descent).
        alpha: L2 regularization. As in scikit-learn it is divided by the number of samples in a
            batch, so it is the ``l2`` of `hpsearch.nn.TrainingConfig` times the batch size.
            (scikit-learn divides by the size of a smaller last batch there, we by the full one's.)
        batch_size: samples per step, at most all of them; ``auto`` is 200.
        learning_rate: ``constant``, the only choice; see ``schedule`` for others.
        learning_rate_init: the learning rate, before any decay.
        max_iter: epochs at most, and the horizon of ``schedule``.
        shuffle: whether each epoch sees the samples in another order.
        random_state: int, `numpy.random.RandomState` or None. With the same int the same machine
            gives the same result, bit for bit.
        tol: the least improvement that counts; see ``n_iter_no_change``.
        verbose: print a line after each epoch.
        warm_start: let `fit` go on from the present weights, with a fresh optimizer.
        momentum: share of the last step that is kept.
        nesterovs_momentum: whether ``sgd`` looks ahead (with a momentum above 0).
        early_stopping: set validation samples aside, stop when their accuracy does not improve, and
            put the best epoch's weights back.
        validation_fraction: the share that ``early_stopping`` sets aside, stratified.
        beta_1: decay of adam's and adamw's mean of gradients.
        beta_2: decay of their mean of squared gradients.
        epsilon: added to the root of the squared gradients.
        n_iter_no_change: stop after more than this many epochs in a row without an improvement of
            ``tol`` in the training loss (validation accuracy with ``early_stopping``); may be inf.
        dropout: probability of dropping a hidden unit.
        batch_norm: normalize before each activation.
        initializer: a name in `hpsearch.nn.INITIALIZERS`; the default is scikit-learn's.
        bias: the first value of all biases.
        schedule: how the rate falls over ``max_iter`` epochs, a name in `hpsearch.nn.SCHEDULES`.
        decay: the share of the rate that is left at the end of the schedule.
        warmup: epochs over which the rate rises from 0.
        maxout_pieces: linear pieces of a maxout unit.
        weight_averaging: decay of the running average of the weights that predicts in their place,
            0 for off. `partial_fit` goes on from the raw weights, a warm start from the
            average.
        label_smoothing: share of a label's probability that all classes get alike.
        class_weight: how much the samples of each class count, which multiplies their own weight: a
            number for each label (1 where there is none), or ``balanced``, with which all classes
            count the same; None for 1 each.

    Attributes:
        classes_: the labels, sorted (n_classes,).
        n_features_in_: features seen by `fit`; ``feature_names_in_`` has a dataframe's names.
        n_iter_: epochs of the last call.
        t_: samples that training has seen.
        loss_, best_loss_, loss_curve_: last, lowest and each epoch's training loss, with the L2
            term; ``best_loss_`` is None with ``early_stopping``. They go on over ``warm_start`` and
            `partial_fit`.
        validation_scores_, best_validation_score_: accuracy after each epoch and the best one; None
            without ``early_stopping``.
        n_layers_, n_outputs_, out_activation_: input and output layer counted; n_classes; softmax.

    References:
        The conventions are those of https://scikit-learn.org/stable/developers/develop.html, the
        network that of CS231n, lectures 4 to 7.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16,), learning_rate_init=0.01, max_iter=500, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.95)
    True
    """

    class_weight: Literal["balanced"] | Mapping[Any, float] | None
    classes_: npt.NDArray[Any]
    _score_name = "accuracy"
    _out_activation = "softmax"

    def __init__(
        self,
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
        label_smoothing: float = 0.0,
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
    ) -> None:
        self._keep(locals())

    def fit(self, X: Inputs, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Train until the loss (or validation accuracy) settles, or for ``max_iter`` epochs.

        Ctrl-C ends the training with a warning and keeps what was learned.

        Args:
            X: samples (n, n_features), finite numbers.
            y: labels (n,): integers, text or booleans, of two classes or more.
            sample_weight: how much each sample counts (n,). A sample of weight 2 is worth the same
                sample twice, one of weight 0 is left out, and validation accuracy counts so too.

        Returns:
            The classifier.

        Raises:
            UsageError: for an argument out of range, one class only, several labels per sample, or
                a loss that leaves the finite numbers; a ValueError.
            UnknownNameError: for an activation, solver, initializer or schedule that is not known.
            ValueError: from scikit-learn's own checks of X and y.
        """
        settings, again = self._read_settings(), self._goes_on
        X, targets = self._checked(X, y, reset=not again)
        X, targets, weights = weighted(X, targets, sample_weight)
        classes = _classes(targets)
        if again:
            self._check_same(settings, "warm_start")
            self._check_classes(classes, "warm_start")
        labels = _numbers(targets, classes)
        about = {"classes_": classes}
        return self._fit(X, labels, weights, settings, len(classes), about=about, strata=labels)

    def partial_fit(
        self,
        X: Inputs,
        y: npt.ArrayLike,
        classes: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on this part of the data; optimizer and schedule go on from before.

        Arguments changed by ``set_params`` in between hold from then on, with a fresh optimizer;
        those that shape the network cannot change.

        Args:
            X: samples (n, n_features).
            y: labels (n,), all of them among ``classes``.
            classes: every label there will be; needed at the first call only.
            sample_weight: how much each sample counts within this part (n,).

        Returns:
            The classifier.

        Raises:
            UsageError: as `fit`; also without ``classes`` at first, for a label that is not among
                them, with ``early_stopping``, and with a balanced ``class_weight``.
        """
        settings = self._read_settings()
        self._check_partial(settings)
        if settings.training.class_weight == "balanced":
            raise UsageError(
                "partial_fit cannot balance the classes, as it sees a part of them; give "
                "class_weight as a number for each label, or call fit."
            )
        first = not hasattr(self, "_trainer")
        if first and classes is None:
            raise UsageError(
                "classes must be given at the first call of partial_fit; pass every label that y "
                "will ever have."
            )
        known = self.classes_ if classes is None else _classes(labels_of("classes", classes))
        X, targets = self._checked(X, y, reset=first)
        X, targets, weights = weighted(X, targets, sample_weight)
        if not first:
            self._check_same(settings, "partial_fit")
            self._check_classes(known, "partial_fit")
        labels = _numbers(targets, known)
        about = {"classes_": known}
        return self._partial_fit(X, labels, weights, settings, len(known), about=about)

    def predict(self, X: Inputs) -> npt.NDArray[Any]:
        """The most probable label of each sample.

        Args:
            X: samples (n, n_features).

        Returns:
            Labels (n,), of the dtype of ``classes_``.

        Raises:
            NotFittedError: before `fit`.
            ValueError: when X has another number of features, or is not finite.
        """
        best = self._outputs(X).argmax(axis=1)  # first of all, since it says when there was no fit
        labels: npt.NDArray[Any] = self.classes_[best]
        return labels

    def score(
        self, X: Inputs, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """The share of samples that get their label.

        Args:
            X: samples (n, n_features).
            y: labels (n,), of whatever make `fit` takes.
            sample_weight: how much each counts (n,); all the same by default.

        Returns:
            A number in [0, 1].
        """
        return float(super().score(X, labels_of("y", y), sample_weight))

    def predict_proba(self, X: Inputs) -> Floats:
        """The probability of each class.

        Args:
            X: samples (n, n_features).

        Returns:
            Array (n, n_classes), float64, in the order of ``classes_``; rows sum to one.

        Raises:
            NotFittedError, ValueError: as `predict`.
        """
        return softmax(self._outputs(X)).astype(np.float64, copy=False)

    def predict_log_proba(self, X: Inputs) -> Floats:
        """The logarithm of `predict_proba`, finite even where that rounds to zero.

        Args:
            X: samples (n, n_features).

        Returns:
            Array (n, n_classes), float64.

        Raises:
            NotFittedError, ValueError: as `predict`.
        """
        logarithms: Floats = log_softmax(self._outputs(X), axis=1)
        return logarithms

    def _checked(self, X: Inputs, y: npt.ArrayLike, *, reset: bool) -> tuple[Any, Any]:
        """Dense float32 samples, and labels (n,) that are fit for classification."""
        y = labels_of("y", y)
        # NaN among the labels is named below.
        with np.errstate(invalid="ignore"):
            target = type_of_target(y, input_name="y")
        if target.startswith("multilabel") or target.endswith("multioutput"):
            raise UsageError(
                f"y is a {target} target, several labels per sample, and the softmax gives one; "
                "fit one network per label with sklearn.multioutput.MultiOutputClassifier."
            )
        X, y = self._validated(X, y, reset=reset)
        check_classification_targets(y)
        return X, y

    def _check_classes(self, classes: npt.NDArray[Any], what: str) -> None:
        """Refuse to go on with other classes."""
        if not np.array_equal(classes, self.classes_):
            raise UsageError(
                f"{what} goes on with the classes there are, {self.classes_.tolist()}, and now got "
                f"{classes.tolist()}; give the same, or clone the classifier to start afresh."
            )

    def _counted(self, y: Targets, weights: Floats | None) -> Floats | None:
        """Class weights multiply those of the samples."""
        if not isinstance(self.class_weight, Mapping):
            return weights
        unknown = [label for label in self.class_weight if label not in self.classes_]
        if unknown:
            raise UsageError(
                f"class_weight names {unknown}, and the classes are {self.classes_.tolist()}."
            )
        factors = np.array([self.class_weight.get(c, 1.0) for c in self.classes_.tolist()])
        product: Floats = factors[y] if weights is None else factors[y] * weights
        return product


def _classes(y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The labels there are, sorted; two of them or more."""
    classes = np.unique(y)
    if len(classes) < 2:
        raise UsageError(
            f"y has one class only, {classes.tolist()}; a classifier needs two or more, so look "
            "whether the data were cut or filtered wrongly."
        )
    return classes


def _numbers(y: npt.NDArray[Any], classes: npt.NDArray[Any]) -> LabelNumbers:
    """The place of each label among the classes (n,)."""
    try:
        numbers: LabelNumbers = LabelEncoder().fit(classes).transform(y)
    except ValueError as error:
        raise UsageError(
            f"{error}; the classes are {classes.tolist()}, as given at the first call."
        ) from error
    return numbers
