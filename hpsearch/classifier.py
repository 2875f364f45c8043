"""`MLPClassifier`: the network behind scikit-learn's names and conventions."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.nn import (
    ACTIVATIONS,
    OPTIMIZERS,
    EpochRecord,
    Network,
    NetworkConfig,
    Trainer,
    TrainingConfig,
)
from hpsearch.nn.losses import softmax

__all__ = ["MLPClassifier"]

Inputs: TypeAlias = Any
"""Samples (n, n_features): an array, a list of lists, a sparse matrix or a dataframe."""
Floats: TypeAlias = npt.NDArray[np.float64]
LabelNumbers: TypeAlias = npt.NDArray[np.intp]

_AUTO_BATCH = 200


class MLPClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A multilayer perceptron classifier that takes the place of scikit-learn's.

    Arguments that share a name with `sklearn.neural_network.MLPClassifier` have its meaning and its
    default; the last eight are ours. The differences: it computes in float32; two classes get two
    softmax outputs like any other number; biases begin at ``bias`` and are not drawn; there is no
    ``lbfgs``, no ``sample_weight`` and no multi-label target. Sparse input is made dense, whole.
    Standardize the features first, as for any such network.

    Args:
        hidden_layer_sizes: width of each hidden layer, or one whole number for one layer; empty for
            softmax regression.
        activation: ``relu``, ``tanh``, ``logistic`` (or ``sigmoid``), ``leaky-relu``, ``prelu``,
            ``elu`` or ``maxout``.
        solver: ``adam``; ``sgd``, with ``momentum`` and ``nesterovs_momentum`` (momentum 0 is
            plain gradient descent); or ``momentum``, ``nesterov``, ``adagrad``, ``rmsprop`` (decay
            0.9) and ``adamw``.
        alpha: L2 regularization. As in scikit-learn it is divided by the number of samples in a
            batch, so it is the ``l2`` of `hpsearch.nn.TrainingConfig` times the batch size.
            (scikit-learn divides by the size of a smaller last batch there, we by the full one's.)
        batch_size: samples a step, at most all of them; ``auto`` is 200.
        learning_rate: ``constant``, the only choice; see ``schedule`` for others.
        learning_rate_init: the learning rate, before any decay.
        max_iter: epochs at most, and the horizon of ``schedule``.
        shuffle: whether each epoch sees the samples in another order.
        random_state: int, `numpy.random.RandomState` or None. With the same int the same machine
            gives the same result, bit for bit.
        tol: the least improvement that counts; see ``n_iter_no_change``.
        verbose: print a line after each epoch.
        warm_start: let `fit` go on from the present weights, with a fresh optimizer.
        momentum: share of the last step that is kept, from 0 to below 1.
        nesterovs_momentum: whether ``sgd`` looks ahead (with a momentum above 0).
        early_stopping: set validation samples aside, stop when their accuracy does not improve, and
            put the best epoch's weights back.
        validation_fraction: the share that ``early_stopping`` sets aside, stratified.
        beta_1: decay of adam's and adamw's mean of gradients.
        beta_2: decay of their mean of squared gradients.
        epsilon: added to the root of the squared gradients.
        n_iter_no_change: stop after more than this many epochs in a row without an improvement of
            ``tol`` in the training loss (validation accuracy with ``early_stopping``); may be inf.
        dropout: probability of dropping a hidden unit, from 0 to below 1.
        batch_norm: normalize before each activation.
        initializer: a name in `hpsearch.nn.INITIALIZERS`; the default is scikit-learn's.
        bias: the first value of all biases.
        schedule: how the rate falls over ``max_iter`` epochs: ``constant``, ``step``,
            ``exponential``, ``inverse-time`` or ``cosine``.
        decay: the share of the rate that is left at the end of the schedule, above 0 to 1.
        warmup: epochs over which the rate rises from 0.
        maxout_pieces: linear pieces of a maxout unit.

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

    def fit(self, X: Inputs, y: npt.ArrayLike) -> Self:
        """Train until the loss (or validation accuracy) settles, or for ``max_iter`` epochs.

        Ctrl-C ends the training with a warning and keeps what was learned.

        Args:
            X: samples (n, n_features), finite numbers.
            y: labels (n,): integers, text or booleans, of two classes or more.

        Returns:
            The classifier.

        Raises:
            UsageError: for an argument out of range, one class only, several labels a sample, or a
                loss that leaves the finite numbers; a ValueError.
            UnknownNameError: for an activation, solver, initializer or schedule that is not known.
            ValueError: from scikit-learn's own checks of X and y.
        """
        settings = _settings(self.get_params(deep=False))
        again = self.warm_start and hasattr(self, "_trainer")
        X, targets = self._checked(X, y, reset=not again)
        random = check_random_state(self.random_state)
        rng = _generator(random, shuffle=settings.shuffle)
        if again:
            self._check_same(settings, np.unique(targets), "warm_start")
        else:
            self._begin(settings, np.unique(targets), rng)
        labels = self._numbers(targets)
        validation = None
        if settings.early_stopping:
            X, labels, *validation = _set_aside(X, labels, settings.validation_fraction, random)
        self._trainer = _Trainer(self._network, settings.training_on(len(labels)), rng=rng)
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
        settings = _settings(self.get_params(deep=False))
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
        X, targets = self._checked(X, y, reset=first)
        if first:
            rng = _generator(check_random_state(self.random_state), shuffle=settings.shuffle)
            self._begin(settings, np.unique(np.asarray(classes)), rng)
        else:
            known = self.classes_ if classes is None else np.unique(classes)
            self._check_same(settings, known, "partial_fit")
        labels = self._numbers(targets)
        training = settings.training_on(len(labels))
        if not first and settings == self._settings:
            # The parts may differ in size, and the batch size and l2 with them.
            self._trainer.config = self._trainer.optimizer.config = training
        else:
            if not first:
                rng = self._trainer.rng
            self._trainer = _Trainer(self._network, training, rng=rng)
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
        best = self._logits(X).argmax(axis=1)
        labels: npt.NDArray[Any] = self.classes_[best]
        return labels

    def predict_proba(self, X: Inputs) -> Floats:
        """The probability of each class.

        Args:
            X: samples (n, n_features).

        Returns:
            Array (n, n_classes), float64, in the order of ``classes_``; rows sum to one.

        Raises:
            NotFittedError: before `fit`.
            ValueError: when X has another number of features, or is not finite.
        """
        return softmax(self._logits(X))

    def predict_log_proba(self, X: Inputs) -> Floats:
        """The logarithm of `predict_proba`, finite even where that rounds to zero.

        Args:
            X: samples (n, n_features).

        Returns:
            Array (n, n_classes), float64.

        Raises:
            NotFittedError: before `fit`.
            ValueError: when X has another number of features, or is not finite.
        """
        logits = self._logits(X)
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return logits

    @property
    def coefs_(self) -> list[npt.NDArray[np.float32]]:
        """Weights of each layer (fan_in, fan_out); views, so that writing changes the network.

        Batch normalization and PReLU have parameters beside; maxout has pieces * width columns.
        """
        return [layer.weights for layer in self._network.layers]

    @property
    def intercepts_(self) -> list[npt.NDArray[np.float32]]:
        """Biases of each layer (fan_out,); views likewise."""
        return [layer.bias for layer in self._network.layers]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _checked(self, X: Inputs, y: npt.ArrayLike, *, reset: bool) -> tuple[Any, Any]:
        """Dense float32 samples, and labels (n,) that are fit for classification."""
        target = type_of_target(y, input_name="y")
        if target.startswith("multilabel") or target.endswith("multioutput"):
            raise UsageError(
                f"y is a {target} target, several labels a sample, and the softmax gives one; fit "
                "one network a label with sklearn.multioutput.MultiOutputClassifier."
            )
        X, y = self._validated(X, y, reset=reset)
        check_classification_targets(y)
        return X, y

    def _validated(self, X: Inputs, *y: npt.ArrayLike, reset: bool) -> Any:
        """scikit-learn's checks; X comes back dense and float32."""
        # Numbers beyond float32 become infinite, which the check then names.
        with np.errstate(over="ignore"):
            checked = validate_data(
                self, X, *y, accept_sparse=["csr", "csc"], dtype=np.float32, reset=reset
            )
        X, *y = checked if y else (checked,)
        X = X.toarray() if scipy.sparse.issparse(X) else X
        return (X, *y) if y else X

    def _begin(
        self, settings: _Settings, classes: npt.NDArray[Any], rng: np.random.Generator
    ) -> None:
        """Make a new network, and the record of its training empty."""
        if len(classes) < 2:
            raise UsageError(
                f"y has one class only, {classes.tolist()}; a classifier needs two or more, so "
                "look whether the data were cut or filtered wrongly."
            )
        self.classes_ = classes
        self._network = Network(self.n_features_in_, len(classes), settings.network, rng=rng)
        self.n_layers_ = len(settings.network.hidden_layer_sizes) + 2
        self.n_outputs_, self.out_activation_ = len(classes), "softmax"
        self.t_ = 0
        self.loss_curve_: list[float] = []
        self.best_loss_: float | None = None
        self.validation_scores_: list[float] | None = None
        self.best_validation_score_: float | None = None

    def _check_same(self, settings: _Settings, classes: npt.NDArray[Any] | None, what: str) -> None:
        """Refuse to go on with a network that was made for something else."""
        if settings.network != self._network.config:
            raise UsageError(
                f"{what} goes on with the network there is, made as {self._network.config}, and "
                f"the arguments now ask for {settings.network}; put them back, or clone the "
                "classifier to start afresh."
            )
        if classes is not None and not np.array_equal(classes, self.classes_):
            raise UsageError(
                f"{what} goes on with the classes there are, {self.classes_.tolist()}, and now got "
                f"{classes.tolist()}; give the same, or clone the classifier to start afresh."
            )

    def _numbers(self, y: npt.NDArray[Any]) -> LabelNumbers:
        """The place of each label in ``classes_`` (n,)."""
        try:
            numbers: LabelNumbers = LabelEncoder().fit(self.classes_).transform(y)
        except ValueError as error:
            raise UsageError(
                f"{error}; the classes are {self.classes_.tolist()}, as given at first."
            ) from error
        return numbers

    def _train(
        self,
        X: npt.NDArray[np.float32],
        labels: LabelNumbers,
        validation: Any,
        epochs: int | None = None,
    ) -> Self:
        """Run the trainer, note each epoch, and say how it ended where that is bad."""
        watch = _Watch(self, self._settings, len(labels))
        self.n_iter_ = 0
        try:
            result = self._trainer.run(
                X, labels, validation=validation, epochs=epochs, on_epoch=watch
            )
            why = result.why_stopped
        except KeyboardInterrupt:
            why = "stopped"
            warnings.warn(
                f"training was interrupted after {self.n_iter_} epochs; the classifier keeps what "
                "it has learned.",
                stacklevel=3,
            )
        if watch.best is not None:
            self._network.load_state(watch.best)
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
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        return self._network.predict_logits(X).astype(np.float64)


class _Watch:
    """Writes each epoch into the classifier's record, and stops when there is no more progress.

    scikit-learn's rule: an epoch is idle when it does not improve on the best one by ``tol``, and
    more than ``n_iter_no_change`` idle epochs in a row end the training.
    """

    def __init__(self, model: MLPClassifier, settings: _Settings, samples: int) -> None:
        self.model, self.settings, self.samples = model, settings, samples
        self.idle = 0
        self.best = model._network.state() if settings.early_stopping else None
        if settings.early_stopping:
            model.best_loss_ = None
            model.validation_scores_ = model.validation_scores_ or []
            model.best_validation_score_ = _or(model.best_validation_score_, -math.inf)
        else:
            model.best_loss_ = _or(model.best_loss_, math.inf)
            model.validation_scores_ = model.best_validation_score_ = None

    def __call__(self, record: EpochRecord) -> bool:
        model, settings = self.model, self.settings
        model.n_iter_ += 1
        model.t_ += self.samples
        model.loss_ = record.train_loss
        model.loss_curve_.append(record.train_loss)
        line = f"epoch {model.n_iter_}: loss {record.train_loss:.6f}"
        if record.validation_accuracy is None:
            idle = self._loss(record.train_loss)
        else:
            idle = self._score(record.validation_accuracy)
            line += f", validation accuracy {record.validation_accuracy:.4f}"
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
            self.best = model._network.state()
        return score < best + self.settings.tol


@dataclass(frozen=True)
class _Settings:
    """The classifier's arguments, checked and in the network's own words."""

    network: NetworkConfig
    training: TrainingConfig
    alpha: float
    shuffle: bool
    early_stopping: bool
    validation_fraction: float
    tol: float
    n_iter_no_change: float

    def training_on(self, n: int) -> TrainingConfig:
        """The training on n samples: alpha becomes the l2 of a batch."""
        size = min(self.training.batch_size, n)
        return replace(self.training, batch_size=size, l2=self.alpha / size)


def _settings(params: Mapping[str, Any]) -> _Settings:
    """Check the arguments and put them together as one configuration.

    Args:
        params: what ``get_params`` gives.

    Returns:
        The configuration.

    Raises:
        UsageError: for a value out of range, in the words of the argument.
        UnknownNameError: for a name that is not known.
    """
    _check(params)
    sizes = params["hidden_layer_sizes"]
    network = NetworkConfig(
        hidden_layer_sizes=(sizes,) if isinstance(sizes, Integral) else sizes,
        activation=_activation(params["activation"]),
        **{name: params[name] for name in ("initializer", "bias", "dropout", "batch_norm")},
        maxout_pieces=params["maxout_pieces"],
    )
    optimizer = _optimizer(params)
    training = TrainingConfig(
        optimizer=optimizer,
        learning_rate=params["learning_rate_init"],
        momentum=params["beta_1" if optimizer in ("adam", "adamw") else "momentum"],
        beta2=params["beta_2"],
        batch_size=_AUTO_BATCH if params["batch_size"] == "auto" else params["batch_size"],
        epochs=params["max_iter"],
        # As scikit-learn, go on for as long as the numbers are finite.
        divergence=sys.float_info.max,
        **{name: params[name] for name in ("epsilon", "schedule", "decay", "warmup")},
    )
    same = ("alpha", "shuffle", "early_stopping", "validation_fraction", "tol", "n_iter_no_change")
    return _Settings(network, training, **{name: params[name] for name in same})


_FLAGS = ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping", "batch_norm")

_NUMBERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "alpha": (lambda v: 0 <= v < math.inf, "a number of at least 0"),
    "learning_rate_init": (lambda v: 0 < v < math.inf, "a number above 0"),
    "tol": (lambda v: 0 <= v < math.inf, "a number of at least 0"),
    "momentum": (lambda v: 0 <= v < 1, "a number from 0 to below 1"),
    "beta_1": (lambda v: 0 <= v < 1, "a number from 0 to below 1"),
    "beta_2": (lambda v: 0 <= v < 1, "a number from 0 to below 1"),
    "validation_fraction": (lambda v: 0 < v < 1, "a number between 0 and 1"),
    "max_iter": (lambda v: v >= 1 and isinstance(v, Integral), "a whole number of at least 1"),
    "n_iter_no_change": (
        lambda v: v >= 1 and (isinstance(v, Integral) or v == math.inf),
        "a whole number of at least 1, or inf",
    ),
}
"""What NetworkConfig and TrainingConfig do not check, or know by another name."""


def _check(params: Mapping[str, Any]) -> None:
    """Refuse arguments out of range, and scikit-learn's that mean something else here."""
    for name in _FLAGS:
        if not isinstance(params[name], bool | np.bool_):
            raise UsageError(f"{name} is {params[name]!r}; give True or False.")
    for name, (right, wanted) in _NUMBERS.items():
        value = params[name]
        if isinstance(value, bool) or not isinstance(value, Real) or not right(value):
            raise UsageError(f"{name} is {value!r}; give {wanted}.")
    rate = params["learning_rate"]
    if isinstance(rate, Real):
        raise UsageError(
            f"learning_rate is {rate!r}, and names a schedule as in scikit-learn; give the rate as "
            "learning_rate_init."
        )
    if rate != "constant":
        raise UsageError(
            f"learning_rate is {rate!r}, which is not offered; leave it 'constant' and let "
            "schedule, with decay, say how the rate falls, as in schedule='cosine'."
        )


def _activation(name: str) -> str:
    """The network's name of an activation."""
    if name == "identity":
        raise UsageError(
            "activation is 'identity', with which all layers together are one linear map; use "
            "hidden_layer_sizes=() for softmax regression, or another activation."
        )
    names = {"logistic": "sigmoid", **{known: known for known in ACTIVATIONS}}
    if name not in names:
        raise UnknownNameError("activation", name, names)
    return names[name]


def _optimizer(params: Mapping[str, Any]) -> str:
    """The network's name of a solver."""
    name = params["solver"]
    if name == "lbfgs":
        raise UsageError(
            "solver is 'lbfgs', which needs all samples in each step and is not offered; use "
            "'adam', or 'sgd' with momentum."
        )
    if name not in OPTIMIZERS:
        raise UnknownNameError("solver", name, OPTIMIZERS)
    if name != "sgd" or params["momentum"] == 0:
        return str(name)
    return "nesterov" if params["nesterovs_momentum"] else "momentum"


def _set_aside(
    X: npt.NDArray[np.float32],
    labels: LabelNumbers,
    fraction: float,
    random: np.random.RandomState,
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


def _generator(random: np.random.RandomState, *, shuffle: bool) -> np.random.Generator:
    """The network's kind of random numbers from scikit-learn's kind of seed."""
    bits = np.random.PCG64(random.randint(np.iinfo(np.int32).max))
    return np.random.Generator(bits) if shuffle else _InOrder(bits)


class _InOrder(np.random.Generator):
    """Random numbers for weights and dropout that leave the order of the samples alone."""

    def shuffle(self, x: npt.ArrayLike, axis: int = 0) -> None:
        """Do nothing."""

    def __reduce__(self) -> Any:
        # The base class would come back as itself.
        return _InOrder, (self.bit_generator,)


class _Trainer(Trainer):
    """A trainer that can be pickled and copied, its optimizer's state included."""

    def __getstate__(self) -> dict[str, Any]:
        # The optimizer works on views of the network, and views are pickled as copies.
        arguments = {"network": self.network, "config": self.config, "rng": self.rng}
        so_far = {"epochs_done": self.epochs_done, "initial_loss": self.initial_loss}
        steps = getattr(self.optimizer, "steps", None)
        return {
            "arguments": arguments,
            "so_far": so_far,
            "steps": steps,
            "state": self.optimizer.state,
        }

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        Trainer.__init__(self, **pickled["arguments"])
        self.__dict__.update(pickled["so_far"])
        self.optimizer.state[:] = pickled["state"]
        if pickled["steps"] is not None:
            self.optimizer.steps = pickled["steps"]  # type: ignore[attr-defined]


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
