"""What the two estimators share: checks of the data, the training, and what it leaves behind."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from hpsearch.data.in_memory import column_names, numbers_of
from hpsearch.errors import DataError, UsageError
from hpsearch.estimators.progress import Progress
from hpsearch.estimators.settings import Settings, read_settings
from hpsearch.estimators.training import PicklableTrainer, make_generator
from hpsearch.nn import Network
from hpsearch.nn.arrays import Targets

__all__ = ["Floats", "Inputs", "Perceptron", "weighted"]

Inputs: TypeAlias = Any
"""Samples (n, n_features): an array, a list of lists, a sparse matrix or a dataframe."""
Floats: TypeAlias = npt.NDArray[np.float64]


class Perceptron(BaseEstimator):  # type: ignore[misc]
    """An estimator without its targets.

    A subclass has the arguments, `fit`, `partial_fit` and `predict`, and checks what is to be
    learned. It may say by `_encoded` what of it the network is trained on, and by `_counted` what
    else than their own weight makes samples count.
    """

    learning_rate_init: float
    max_iter: int
    random_state: int | np.random.RandomState | None
    tol: float
    verbose: bool | int
    warm_start: bool

    _score_name: str
    _out_activation: str

    def _keep(self, arguments: Mapping[str, Any]) -> None:
        """Make each argument of ``__init__`` an attribute, unchanged, as scikit-learn wants it."""
        for name, value in arguments.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    def _encoded(
        self,
        y: Targets,
        weights: Floats | None,  # noqa: ARG002 - a subclass may use it
        *,
        first: bool,  # noqa: ARG002 - likewise
    ) -> Targets:
        """The targets of the network.

        Args:
            y: what the subclass has checked, of training samples.
            weights: how much each counts, or None.
            first: whether the network is new.
        """
        return y

    def _counted(
        self,
        y: Targets,  # noqa: ARG002 - a subclass may use it
        weights: Floats | None,
    ) -> Floats | None:
        """How much each training sample counts in the loss, given the weights of samples."""
        return weights

    @property
    def _goes_on(self) -> bool:
        """Whether `fit` keeps the network there is."""
        return self.warm_start and hasattr(self, "_trainer")

    def _read_settings(self) -> Settings:
        return read_settings(self.get_params(deep=False))

    def _fit(
        self,
        X: npt.NDArray[np.float32],
        y: Targets,
        weights: Floats | None,
        settings: Settings,
        outputs: int,
        *,
        about: Mapping[str, Any],
        strata: Targets | None = None,
    ) -> Self:
        """Train until the loss or the validation score settles, or for ``max_iter`` epochs.

        Args:
            X: samples.
            y: what the subclass has checked, a row for each.
            weights: how much each counts, all above 0, or None.
            settings: the arguments.
            outputs: of the network.
            about: fitted attributes that come with a new network.
            strata: what the validation samples are to have the same shares of, if anything.
        """
        again = self._goes_on
        random = check_random_state(self.random_state)
        rng = make_generator(random, shuffle=settings.shuffle)
        held: tuple[Any, ...] | None = None
        if settings.early_stopping:
            (X, y, weights), held = _set_aside((X, y, weights), settings, strata, random)
        targets = self._encoded(y, weights, first=not again)
        network = self._trainer.network if again else self._begin(settings, outputs, rng, about)
        self._trainer: PicklableTrainer = PicklableTrainer(
            network, settings.training_on(len(X), weights), rng=rng
        )
        self._settings = settings
        return self._train(X, targets, weights, held)

    def _partial_fit(
        self,
        X: npt.NDArray[np.float32],
        y: Targets,
        weights: Floats | None,
        settings: Settings,
        outputs: int,
        *,
        about: Mapping[str, Any],
    ) -> Self:
        """Train for one epoch; the arguments are those of `_fit`."""
        first = not hasattr(self, "_trainer")
        targets = self._encoded(y, weights, first=first)
        training = settings.training_on(len(X), weights)
        if first or settings != self._settings:
            rng = make_generator(check_random_state(self.random_state), shuffle=settings.shuffle)
            network = self._begin(settings, outputs, rng, about) if first else self._trainer.network
            self._trainer = PicklableTrainer(network, training, rng=rng)
        else:
            # The parts may differ in size, and the batch size and l2 with them.
            self._trainer.config = self._trainer.optimizer.config = training
        self._settings = settings
        return self._train(X, targets, weights, None, epochs=1)

    def _check_partial(self, settings: Settings) -> None:
        """Refuse what a single epoch on a part of the data cannot do."""
        if settings.early_stopping:
            raise UsageError(
                "partial_fit cannot stop early, as it has no validation samples; set "
                "early_stopping to False, or call fit."
            )

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

    def _validated(
        self, X: Inputs, y: Any = "no_validation", *, reset: bool, numbers: bool = False
    ) -> Any:
        """scikit-learn's checks; X comes back dense and float32, y as numbers if so wanted."""
        # Numbers beyond float32 become infinite, which the check then names.
        with np.errstate(over="ignore"):
            try:
                checked = validate_data(
                    self,
                    X,
                    y,
                    accept_sparse=["csr", "csc"],
                    dtype=np.float32,
                    reset=reset,
                    **({"multi_output": True, "y_numeric": True} if numbers else {}),
                )
            except (TypeError, ValueError) as error:
                if names := column_names(X):
                    table = numbers_of("X", X)  # names the column that holds no numbers
                    gaps = np.flatnonzero(np.isnan(table).any(axis=0))
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
        self,
        settings: Settings,
        outputs: int,
        rng: np.random.Generator,
        about: Mapping[str, Any],
    ) -> Network:
        """A new network, and an empty record of its training."""
        network = Network(self.n_features_in_, outputs, settings.network, rng=rng)
        self.__dict__.update(about)
        self.n_layers_ = len(settings.network.hidden_layer_sizes) + 2
        self.n_outputs_, self.out_activation_ = outputs, self._out_activation
        self.t_ = 0
        self.loss_curve_: list[float] = []
        self.best_loss_: float | None = None
        self.validation_scores_: list[float] | None = None
        self.best_validation_score_: float | None = None
        return network

    def _check_same(self, settings: Settings, what: str) -> None:
        """Refuse to go on with a network that was made with other arguments."""
        made = self._trainer.network.config
        if settings.network != made:
            raise UsageError(
                f"{what} goes on with the network there is, made as {made}, and the arguments now "
                f"ask for {settings.network}; put them back, or clone the estimator to start "
                "afresh."
            )

    def _train(
        self,
        X: npt.NDArray[np.float32],
        targets: Targets,
        weights: Floats | None,
        held: tuple[Any, ...] | None,
        epochs: int | None = None,
    ) -> Self:
        """Run the trainer, note each epoch, and say how it ended where that is bad."""
        progress = Progress(self, self._settings, len(X))
        self.n_iter_ = 0
        validation = score = None
        if held is not None:
            validation = held[0], self._encoded(held[1], held[2], first=False)
            score = partial(self._trainer.network.loss.score, weights=held[2])
        try:
            result = self._trainer.run(
                X,
                targets,
                sample_weight=self._counted(targets, weights),
                validation=validation,
                score=score,
                epochs=epochs,
                on_epoch=progress,
            )
            why = result.why_stopped
        except KeyboardInterrupt:
            why = "stopped"
            warnings.warn(
                f"training was interrupted after {self.n_iter_} epochs; the estimator keeps what "
                "it has learned.",
                stacklevel=4,
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
                stacklevel=4,
            )
        return self

    def _outputs(self, X: Inputs) -> Floats:
        """What the network puts out (n, n_outputs), float64."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        trained = self._trainer.network
        # In float64, so that a sample's result hardly depends on those it comes with: products of
        # other shapes round otherwise, and scikit-learn's checks allow 1e-7.
        config = replace(trained.config, initializer="zeros")
        network = Network(
            trained.n_features,
            trained.n_outputs,
            config,
            rng=np.random.default_rng(0),
            dtype=np.float64,
        )
        network.load_state(trained.state())
        return network.predict_outputs(X).astype(np.float64, copy=False)


def weighted(
    X: npt.NDArray[np.float32], y: Targets, sample_weight: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.float32], Targets, Floats | None]:
    """Samples, targets and weights without the samples of weight 0, as if they were not there.

    Raises:
        UsageError: the weights are not one number of at least 0 for each sample, or all are zero.
    """
    if sample_weight is None:
        return X, y, None
    weights: Floats = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weights.shape != (len(X),):
        raise UsageError(
            f"sample_weight has shape {weights.shape}; give one number for each of the {len(X)} "
            "samples."
        )
    if (weights < 0).any() or not (weights > 0).any():
        raise UsageError("sample_weight must be numbers of at least 0, and not all zero.")
    kept = weights > 0
    return (X, y, weights) if kept.all() else (X[kept], y[kept], weights[kept])


def _set_aside(
    data: tuple[npt.NDArray[np.float32], Targets, Floats | None],
    settings: Settings,
    strata: Targets | None,
    random: np.random.RandomState,
) -> tuple[Any, Any]:
    """Training samples, targets and weights, then the validation ones."""
    n, fraction = len(data[0]), settings.validation_fraction
    try:
        parts = train_test_split(
            *(a for a in data if a is not None),
            test_size=fraction,
            stratify=strata,
            random_state=random,
        )
    except ValueError as error:
        raise UsageError(
            f"early_stopping cannot set validation_fraction={fraction} of {n} samples "
            f"aside: {error} Give more samples or another fraction."
        ) from error
    train, held = parts[::2], parts[1::2]
    if len(held[0]) < 2 and strata is None:
        raise UsageError(
            f"early_stopping sets one sample aside, validation_fraction={fraction} of {n}, "
            "which has no R²; give more samples or another fraction."
        )
    missing = () if data[2] is not None else (None,)
    return (*train, *missing), (*held, *missing)
