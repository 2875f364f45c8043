"""The multilayer perceptron: one flat vector of parameters, and the layers' views into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hpsearch.errors import UsageError
from hpsearch.nn.activations import ACTIVATIONS
from hpsearch.nn.arrays import Array, Targets
from hpsearch.nn.config import NetworkConfig
from hpsearch.nn.initializers import INITIALIZERS
from hpsearch.nn.layers import LayerViews
from hpsearch.nn.losses import LOSSES, Loss, softmax
from hpsearch.nn.propagation import Propagation
from hpsearch.nn.weights import scaled

__all__ = ["Network", "state_shapes"]

_CHUNK = 512
_CELLS = 1 << 25  # of all layers' outputs at once: a chunk has fewer rows where layers are huge


class Network:
    """A multilayer perceptron; its loss says what the outputs mean.

    With cross-entropy they are the logits of classes, with the other losses the values of as many
    targets.

    Args:
        n_features: inputs.
        n_outputs: classes, or targets.
        config: hidden layers, activation, initialization, batch normalization, dropout and loss.
        rng: draws the first weights; the same draws for every dtype.
        dtype: float32, or float64 for gradient checks.

    Attributes:
        parameters: all that is learned, one flat vector.
        gradients: the gradients of the last backward pass, likewise.
        layers: views into both, one `LayerViews` per layer, the output layer last.
        weight_slices: where in the vectors the weights are, biases and all else left out.

    Raises:
        UsageError: for fewer than one feature, two classes or one target.

    >>> network = Network(4, 3, NetworkConfig((8,)), rng=np.random.default_rng(0))
    >>> network.predict_proba(np.zeros((5, 4))).shape
    (5, 3)
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        config: NetworkConfig,
        *,
        rng: np.random.Generator,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        least = LOSSES[config.loss].targets.least
        if n_features < 1 or n_outputs < least:
            raise UsageError(
                f"a network for {n_features} features and {n_outputs} outputs cannot be made; "
                f"give at least 1 feature and, for {config.loss}, {least} or more outputs."
            )
        self.n_features, self.n_outputs, self.config = int(n_features), int(n_outputs), config
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._allocate()
        initialize = INITIALIZERS[config.initializer]
        for layer in self.layers:
            layer.weights[:] = initialize(rng, *layer.weights.shape)
            layer.bias[:] = config.bias
            layer.affine[0] = 1.0
            layer.slope[:] = ACTIVATIONS[config.activation].initial_slope or 0.0

    def _allocate(self) -> None:
        """Lay out parameters, gradients and running statistics, and the layers' views of them."""
        shapes = _layer_shapes(self.n_features, self.n_outputs, self.config)
        [n], [seen] = state_shapes(self.n_features, self.n_outputs, self.config).values()
        self.parameters: Array = np.zeros(n, self.dtype)
        self.gradients: Array = np.zeros(n, self.dtype)
        # Running mean 0 and variance 1 and a count of batches, for each normalized layer.
        self.statistics: Array = np.zeros(seen, self.dtype)
        self.layers: list[LayerViews] = []
        self.weight_slices: list[slice] = []
        at = seen = 0
        for fan_in, units, norm, slopes in shapes:
            self.weight_slices.append(slice(at, at + fan_in * units))
            dense = slice(at, at + (fan_in + 1) * units)
            affine = slice(dense.stop, dense.stop + 2 * norm)
            slope = slice(affine.stop, affine.stop + slopes)
            at = slope.stop
            running = self.statistics[seen : seen + 2 * norm].reshape(2, norm)
            running[1:] = 1.0
            batches = self.statistics[seen + 2 * norm :][:1] if norm else np.zeros(1, self.dtype)
            seen += 2 * norm + 1 if norm else 0
            self.layers.append(
                LayerViews(
                    dense=self.parameters[dense].reshape(fan_in + 1, units),
                    ddense=self.gradients[dense].reshape(fan_in + 1, units),
                    affine=self.parameters[affine].reshape(2, norm),
                    daffine=self.gradients[affine].reshape(2, norm),
                    slope=self.parameters[slope],
                    dslope=self.gradients[slope],
                    running=running,
                    batches=batches.reshape(()),
                )
            )

    @property
    def loss(self) -> type[Loss]:
        """What its training makes small."""
        return LOSSES[self.config.loss]

    def propagation(
        self, samples: int, *, training: bool, rng: np.random.Generator | None = None
    ) -> Propagation:
        """The network wired up for a batch size; see `Propagation`."""
        return Propagation(self.layers, self.config, samples, training=training, rng=rng)

    def predict_outputs(self, X: Array) -> Array:
        """Logits or values, in prediction mode.

        Args:
            X: inputs (n, n_features); any n, converted chunk by chunk to the network's dtype.

        Returns:
            Array (n, n_outputs) of the network's dtype.

        Raises:
            UsageError: when X has another shape.
        """
        self._check_inputs(X)
        n = len(X)
        outputs = np.empty((n, self.n_outputs), self.dtype)
        units = sum(layer.dense.shape[1] for layer in self.layers)
        size = min(_CHUNK, max(1, _CELLS // units))
        propagation: Propagation | None = None
        with np.errstate(all="ignore"):
            for start in range(0, n, size):
                rows = X[start : start + size]
                if propagation is None or len(rows) != propagation.samples:
                    propagation = self.propagation(len(rows), training=False)
                propagation.load(rows)
                propagation.forward()
                outputs[start : start + len(rows)] = propagation.outputs.T
        return outputs

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, in prediction mode, of a network that learns classes.

        Args:
            X: inputs (n, n_features).

        Returns:
            Array (n, n_outputs) of the network's dtype; rows sum to one.

        Raises:
            UsageError: when X has another shape.
        """
        with np.errstate(all="ignore"):
            return softmax(self.predict_outputs(X))

    def activations(self, X: Array) -> list[Array]:
        """What each hidden layer puts out, in prediction mode, for looking at.

        Args:
            X: inputs (n, n_features), all taken at once.

        Returns:
            One array (n, width) for each hidden layer.

        Raises:
            UsageError: when X has another shape.
        """
        self._check_inputs(X)
        propagation = self.propagation(len(X), training=False)
        propagation.load(X)
        with np.errstate(all="ignore"):
            propagation.forward()
        return [hidden.T.copy() for hidden in propagation.hidden]

    def outputs_and_gradients(self, X: Array, y: Targets) -> tuple[list[Array], list[Array]]:
        """What each hidden layer puts out in training, and what comes back to it, for looking at.

        Batch normalization takes the statistics of X, nothing is dropped, and nothing in the
        network changes but ``gradients``.

        Args:
            X: inputs (n, n_features), all taken at once.
            y: labels (n,), 0 to n_outputs - 1, or numbers (n, n_outputs).

        Returns:
            The outputs, one array (n, width) for each hidden layer, and the gradients of the mean
            loss with respect to them, likewise.

        Raises:
            UsageError: when X has another shape.
        """
        with self._unchanged(X) as propagation:
            gradients = propagation.hidden_gradients(propagation.targets(y))
        return [h.T for h in propagation.hidden], [dh.T for dh in gradients]

    def loss_and_gradients(
        self,
        X: Array,
        y: Targets,
        *,
        l2: float = 0.0,
        weights: npt.ArrayLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[float, Array]:
        """Mean loss plus the L2 term, and its gradient, over all samples at once, in training mode.

        Nothing in the network changes but ``gradients``: running statistics are put back.

        Args:
            X: inputs (n, n_features).
            y: labels (n,), 0 to n_outputs - 1, or numbers (n, n_outputs).
            l2: factor of the L2 term, l2/2 times the sum of squared weights.
            weights: how much each sample counts in the mean (n,); None for all the same.
            rng: draws the dropout mask; None for no dropout.

        Returns:
            The loss, and a copy of the gradients (n_parameters,).

        Raises:
            UsageError: when X has another shape.
        """
        with self._unchanged(X, rng) as propagation:
            shares = None if weights is None else scaled(weights, len(X))
            loss = propagation.loss_and_backward(propagation.targets(y), shares)
        for part in self.weight_slices:
            self.gradients[part] += l2 * self.parameters[part]
        return loss + self.l2_term(l2), self.gradients.copy()

    def initial_loss(
        self, X: Array, y: Targets, *, rng: np.random.Generator | None = None
    ) -> float:
        """Mean loss in training mode; nothing in the network changes.

        Args:
            X: inputs (n, n_features), all taken at once.
            y: labels (n,), 0 to n_outputs - 1, or numbers (n, n_outputs).
            rng: draws the dropout mask; None for no dropout.

        Returns:
            The mean data loss, which of a fresh network should be near the loss's ``chance``.

        Raises:
            UsageError: when X has another shape.
        """
        with self._unchanged(X, rng) as propagation:
            propagation.forward()
            return self.loss.mean(propagation.outputs.T, y)

    @contextmanager
    def _unchanged(self, X: Array, rng: np.random.Generator | None = None) -> Iterator[Propagation]:
        """A training pass that has X loaded; the running statistics are put back after it."""
        self._check_inputs(X)
        statistics = self.statistics.copy()
        propagation = self.propagation(len(X), training=True, rng=rng)
        propagation.load(X)
        with np.errstate(all="ignore"):
            yield propagation
        self.statistics[:] = statistics

    def l2_term(self, l2: float) -> float:
        """l2/2 times the sum of squared weights; biases and the like are not counted."""
        if l2 == 0:
            return 0.0
        squares = (float(np.dot(w, w)) for w in (self.parameters[p] for p in self.weight_slices))
        return l2 / 2 * sum(squares)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Copies of all that training changes.

        Returns:
            ``parameters``, and ``statistics``, the running statistics of batch normalization.
        """
        return {"parameters": self.parameters.copy(), "statistics": self.statistics.copy()}

    def load_state(self, state: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Take over what `state` gave, for a network of the same shape.

        Args:
            state: ``parameters`` and ``statistics``.

        Raises:
            UsageError: when one is missing or has another shape.
        """
        for name, mine in (("parameters", self.parameters), ("statistics", self.statistics)):
            theirs = state.get(name)
            if theirs is None or theirs.shape != mine.shape:
                found = "is missing" if theirs is None else f"has shape {theirs.shape}"
                raise UsageError(
                    f"the state does not fit this network: {name} {found} and should have shape "
                    f"{mine.shape}; load it into a network of the same sizes and settings."
                )
        self.parameters[:] = state["parameters"]
        self.statistics[:] = state["statistics"]

    def __getstate__(self) -> dict[str, object]:
        # Views would be pickled as copies that no longer share memory.
        return {
            "n_features": self.n_features,
            "n_outputs": self.n_outputs,
            "config": self.config,
            "dtype": self.dtype,
            "state": self.state(),
        }

    def __setstate__(self, pickled: dict[str, object]) -> None:
        state = pickled.pop("state")
        self.__dict__.update(pickled)
        self._allocate()
        self.load_state(state)  # type: ignore[arg-type]

    def _check_inputs(self, X: Array) -> None:
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise UsageError(
                f"the inputs have shape {X.shape}; give (samples, {self.n_features}), as this "
                "network was made for."
            )


class _LayerShape(NamedTuple):
    """A layer: its inputs, its units, how many of these are normalized, and its slopes."""

    fan_in: int
    units: int
    norm: int
    slopes: int


def _layer_shapes(n_features: int, n_outputs: int, config: NetworkConfig) -> list[_LayerShape]:
    """The shape of each layer, the output layer last."""
    learns_slope = ACTIVATIONS[config.activation].initial_slope is not None
    widths = [n_features, *config.hidden_layer_sizes]
    hidden = [
        _LayerShape(
            fan_in,
            width * config.pieces,
            width * config.pieces if config.batch_norm else 0,
            width if learns_slope else 0,
        )
        for fan_in, width in pairwise(widths)
    ]
    return [*hidden, _LayerShape(widths[-1], n_outputs, 0, 0)]


def state_shapes(
    n_features: int, n_outputs: int, config: NetworkConfig
) -> dict[str, tuple[int, ...]]:
    """The shapes of what `Network.state` gives, told without making the network.

    >>> state_shapes(4, 3, NetworkConfig((8,)))
    {'parameters': (67,), 'statistics': (0,)}
    """
    shapes = _layer_shapes(n_features, n_outputs, config)
    n = sum((fan_in + 1) * units + 2 * norm + slopes for fan_in, units, norm, slopes in shapes)
    seen = sum(2 * norm + 1 for _, _, norm, _ in shapes if norm)
    return {"parameters": (n,), "statistics": (seen,)}
