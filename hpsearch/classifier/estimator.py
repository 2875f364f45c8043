"""`MLPClassifier`: the network behind scikit-learn's names and conventions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from hpsearch.classifier.settings import Settings, read_settings
from hpsearch.classifier.training import PicklableTrainer, make_generator
from hpsearch.data.in_memory import column_names, labels_of, numbers_of
from hpsearch.errors import DataError, UsageError
from hpsearch.nn import EpochRecord, Network
from hpsearch.nn.losses import softmax

__all__ = ["MLPClassifier"]

Inputs: TypeAlias = Any
"""Samples (n, n_features): an array, a list of lists, a sparse matrix or a dataframe."""
Floats: TypeAlias = npt.NDArray[np.float64]
LabelNumbers: TypeAlias = npt.NDArray[np.intp]


class MLPClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A multilayer perceptron classifier that takes the place of scikit-learn's.

    Arguments that share a name with `sklearn.neural_network.MLPClassifier` have its meaning and its
    default; the last nine are ours. The differences: it computes in float32; two classes get two
    softmax outputs like any other number; biases begin at ``bias`` and are not drawn; there is no
    ``lbfgs``, no ``sample_weight`` and no multi-label target. Sparse input is made dense, whole.
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
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.initializer = initializer
        self.bias = bias
        self.schedule = schedule
        self.decay = decay
        self.warmup = warmup
        self.maxout_pieces = maxout_pieces
        self.weight_averaging = weight_averaging

    def fit(self, X: Inputs, y: npt.ArrayLike) -> Self:
        """Train until the loss (or validation accuracy) settles, or for ``max_iter`` epochs.

        Ctrl-C ends the training with a warning and keeps what was learned.

        Args:
            X: samples (n, n_features), finite numbers.
            y: labels (n,): integers, text or booleans, of two classes or more.

        Returns:
            The classifier.

        Raises:
            UsageError: for an argument out of range, one class only, several labels per sample, or
                a loss that leaves the finite numbers; a ValueError.
            UnknownNameError: for an activation, solver, initializer or schedule that is not known.
            ValueError: from scikit-learn's own checks of X and y.
        """
        settings = read_settings(self.get_params(deep=False))
        again = self.warm_start and hasattr(self, "_trainer")
        X, targets = self._checked(X, y, reset=not again)
        classes = _classes(targets)
        if again:
            self._check_same(settings, classes, "warm_start")
        labels = _numbers(targets, classes)
        random = check_random_state(self.random_state)
        rng = make_generator(random, shuffle=settings.shuffle)
        validation = None
        if settings.early_stopping:
            X, labels, *validation = _set_aside(X, labels, settings.validation_fraction, random)
        network = self._trainer.network if again else self._begin(settings, classes, rng)
        self._trainer: PicklableTrainer = PicklableTrainer(
            network, settings.training_on(len(labels)), rng=rng
        )
        self._settings = settings
        return self._train(X, labels, validation)

    def partial_fit(
        self, X: Inputs, y: npt.ArrayLike, classes: npt.ArrayLike | None = None
    ) -> Self:
        """Train for one epoch on this part of the data; optimizer and schedule go on from before.

        Arguments changed by ``set_params`` in between hold from then on, with a fresh optimizer;
        those that shape the network cannot change.

        Args:
            X: samples (n, n_features).
            y: labels (n,), all of them among ``classes``.
            classes: every label there will be; needed at the first call only.

        Returns:
            The classifier.

        Raises:
            UsageError: as `fit`; also without ``classes`` at first, for a label that is not among
                them, and with ``early_stopping``.
        """
        settings = read_settings(self.get_params(deep=False))
        if settings.early_stopping:
            raise UsageError(
                "partial_fit cannot stop early, as it has no validation samples; set "
                "early_stopping to False, or call fit."
            )
        first = not hasattr(self, "_trainer")
        if first and classes is None:
            raise UsageError(
                "classes must be given at the first call of partial_fit; pass every label that y "
                "will ever have."
            )
        known = self.classes_ if classes is None else _classes(labels_of("classes", classes))
        X, targets = self._checked(X, y, reset=first)
        if not first:
            self._check_same(settings, known, "partial_fit")
        labels = _numbers(targets, known)
        training = settings.training_on(len(labels))
        if first or settings != self._settings:
            rng = make_generator(check_random_state(self.random_state), shuffle=settings.shuffle)
            network = self._begin(settings, known, rng) if first else self._trainer.network
            self._trainer = PicklableTrainer(network, training, rng=rng)
        else:
            # The parts may differ in size, and the batch size and l2 with them.
            self._trainer.config = self._trainer.optimizer.config = training
        self._settings = settings
        return self._train(X, labels, None, epochs=1)

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
        best = self._logits(X).argmax(axis=1)  # first of all, since it says when there was no fit
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
        return softmax(self._logits(X)).astype(np.float64, copy=False)

    def predict_log_proba(self, X: Inputs) -> Floats:
        """The logarithm of `predict_proba`, finite even where that rounds to zero.

        Args:
            X: samples (n, n_features).

        Returns:
            Array (n, n_classes), float64.

        Raises:
            NotFittedError, ValueError: as `predict`.
        """
        logarithms: Floats = log_softmax(self._logits(X), axis=1)
        return logarithms

    @property
    def coefs_(self) -> list[npt.NDArray[np.float32]]:
        """Weights of each layer (fan_in, fan_out); views, so that writing changes the network.

        Batch normalization and PReLU have parameters beside; maxout has pieces * width columns.
        """
        return [layer.weights for layer in self._trainer.network.layers]

    @property
    def intercepts_(self) -> list[npt.NDArray[np.float32]]:
        """Biases of each layer (fan_out,); views likewise."""
        return [layer.bias for layer in self._trainer.network.layers]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

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

    def _validated(self, X: Inputs, y: Any = "no_validation", *, reset: bool) -> Any:
        """scikit-learn's checks; X comes back dense and float32."""
        # Numbers beyond float32 become infinite, which the check then names.
        with np.errstate(over="ignore"):
            try:
                checked = validate_data(
                    self, X, y, accept_sparse=["csr", "csc"], dtype=np.float32, reset=reset
                )
            except (TypeError, ValueError) as error:
                if names := column_names(X):
                    numbers = numbers_of("X", X)  # names the column that holds no numbers
                    gaps = np.flatnonzero(np.isnan(numbers).any(axis=0))
                    if isinstance(error, TypeError) and len(gaps):  # it knows no pandas.NA
                        raise DataError(
                            f"X: column {names[gaps[0]]!r} contains NaN or other missing values; "
                            "impute them first, as sklearn.impute.SimpleImputer does."
                        ) from error
                raise
        X, *y = checked if isinstance(checked, tuple) else (checked,)
        X = X.toarray() if scipy.sparse.issparse(X) else X
        return (X, *y) if y else X

    def _begin(
        self, settings: Settings, classes: npt.NDArray[Any], rng: np.random.Generator
    ) -> Network:
        """A new network, and an empty record of its training."""
        network = Network(self.n_features_in_, len(classes), settings.network, rng=rng)
        self.classes_ = classes
        self.n_layers_ = len(settings.network.hidden_layer_sizes) + 2
        self.n_outputs_, self.out_activation_ = len(classes), "softmax"
        self.t_ = 0
        self.loss_curve_: list[float] = []
        self.best_loss_: float | None = None
        self.validation_scores_: list[float] | None = None
        self.best_validation_score_: float | None = None
        return network

    def _check_same(self, settings: Settings, classes: npt.NDArray[Any], what: str) -> None:
        """Refuse to go on with a network that was made for something else."""
        made = self._trainer.network.config
        if settings.network != made:
            raise UsageError(
                f"{what} goes on with the network there is, made as {made}, and the arguments now "
                f"ask for {settings.network}; put them back, or clone the classifier to start "
                "afresh."
            )
        if not np.array_equal(classes, self.classes_):
            raise UsageError(
                f"{what} goes on with the classes there are, {self.classes_.tolist()}, and now got "
                f"{classes.tolist()}; give the same, or clone the classifier to start afresh."
            )

    def _train(
        self,
        X: npt.NDArray[np.float32],
        labels: LabelNumbers,
        validation: Any,
        epochs: int | None = None,
    ) -> Self:
        """Run the trainer, note each epoch, and say how it ended where that is bad."""
        progress = _Progress(self, self._settings, len(labels))
        self.n_iter_ = 0
        try:
            result = self._trainer.run(
                X, labels, validation=validation, epochs=epochs, on_epoch=progress
            )
            why = result.why_stopped
        except KeyboardInterrupt:
            why = "stopped"
            warnings.warn(
                f"training was interrupted after {self.n_iter_} epochs; the classifier keeps what "
                "it has learned.",
                stacklevel=3,
            )
        if progress.best is not None:
            self._trainer.network.load_state(progress.best)
        if why == "not finite":
            raise UsageError(
                f"the loss left the finite numbers in epoch {self.n_iter_ + 1}; standardize the "
                f"features, or lower learning_rate_init (now {self.learning_rate_init})."
            )
        if why == "finished" and epochs is None:
            warnings.warn(
                f"training ended at max_iter={self.max_iter} epochs before it settled to within "
                f"tol={self.tol}; raise max_iter or learning_rate_init.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self

    def _logits(self, X: Inputs) -> Floats:
        """Scores before the softmax (n, n_classes), float64."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        trained = self._trainer.network
        # In float64, so that a sample's result hardly depends on those it comes with: products of
        # other shapes round otherwise, and scikit-learn's checks allow 1e-7.
        config = replace(trained.config, initializer="zeros")
        network = Network(
            trained.n_features,
            trained.n_classes,
            config,
            rng=np.random.default_rng(0),
            dtype=np.float64,
        )
        network.load_state(trained.state())
        return network.predict_logits(X).astype(np.float64, copy=False)


class _Progress:
    """Writes each epoch into the classifier's record, and stops when there is no more progress.

    scikit-learn's rule: an epoch is idle when it does not improve on the best one by ``tol``, and
    more than ``n_iter_no_change`` idle epochs in a row end the training.

    Args:
        model: its fitted attributes are written.
        settings: when to stop.
        samples: training samples in an epoch.

    Attributes:
        best: the network's state at the best validation score, or None without early stopping.
    """

    def __init__(self, model: MLPClassifier, settings: Settings, samples: int) -> None:
        self.model, self.settings, self.samples = model, settings, samples
        self.network = model._trainer.network
        self.idle = 0
        self.best: Mapping[str, npt.NDArray[np.generic]] | None = None
        if settings.early_stopping:
            # After a warm start the weights there are hold the best score so far.
            self.best = self.network.state()
            model.best_loss_ = None
            if model.validation_scores_ is None:
                model.validation_scores_, model.best_validation_score_ = [], -math.inf
        else:
            model.validation_scores_ = model.best_validation_score_ = None
            if model.best_loss_ is None:
                model.best_loss_ = math.inf

    def __call__(self, record: EpochRecord) -> bool:
        """Take note of an epoch.

        Args:
            record: what the trainer says of it.

        Returns:
            Whether to stop.
        """
        model, settings = self.model, self.settings
        model.n_iter_ += 1
        model.t_ += self.samples
        model.loss_ = record.train_loss
        model.loss_curve_.append(record.train_loss)
        line = f"epoch {model.n_iter_}: loss {record.train_loss:.6f}"
        if record.validation_score is None:
            idle = self._loss(record.train_loss)
        else:
            idle = self._score(record.validation_score)
            line += f", validation accuracy {record.validation_score:.4f}"
        if model.verbose:
            print(line)  # noqa: T201
        self.idle = self.idle + 1 if idle else 0
        return self.idle > settings.n_iter_no_change

    def _loss(self, loss: float) -> bool:
        """Take note of a training loss; whether the epoch was idle."""
        best = self.model.best_loss_
        assert best is not None
        self.model.best_loss_ = min(best, loss)
        return loss > best - self.settings.tol

    def _score(self, score: float) -> bool:
        """Take note of a validation accuracy and the weights that reach it; whether it was idle."""
        model = self.model
        best = model.best_validation_score_
        assert best is not None
        assert model.validation_scores_ is not None
        model.validation_scores_.append(score)
        if score > best:
            model.best_validation_score_ = score
            self.best = self.network.state()
        return score < best + self.settings.tol


def _set_aside(
    X: npt.NDArray[np.float32], labels: LabelNumbers, fraction: float, random: np.random.RandomState
) -> tuple[Any, Any, Any, Any]:
    """Training samples and labels, then the validation ones."""
    try:
        X, X_val, labels, labels_val = train_test_split(
            X, labels, test_size=fraction, stratify=labels, random_state=random
        )
    except ValueError as error:
        raise UsageError(
            f"early_stopping cannot set validation_fraction={fraction} of {len(labels)} samples "
            f"aside: {error} Give more samples or another fraction."
        ) from error
    return X, labels, X_val, labels_val


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
