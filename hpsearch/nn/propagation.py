"""Forward and backward through a whole network, for one batch size.

All layers and buffers are made once; a pass is then a walk over the layers that allocates nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hpsearch.nn.activations import ACTIVATIONS
from hpsearch.nn.arrays import Array, Targets, scalar
from hpsearch.nn.config import NetworkConfig
from hpsearch.nn.layers import BatchNorm, Dense, Dropout, FrozenBatchNorm, Layer, LayerViews
from hpsearch.nn.losses import LOSSES

__all__ = ["Propagation"]


class Propagation:
    """A network wired up for batches of a fixed number of samples.

    Args:
        views: of each layer; parameters are read, gradients (and running statistics) written.
        config: of the network.
        samples: batch size.
        training: normalize with batch statistics rather than the running ones.
        rng: draws dropout masks; None for no dropout.

    Attributes:
        outputs: (n_outputs, samples), written by `forward`; logits where classes are learned.
        hidden: what each hidden layer puts out (width, samples), written by `forward`.
        loss: reads the outputs, writes their gradient.
    """

    def __init__(
        self,
        views: Sequence[LayerViews],
        config: NetworkConfig,
        samples: int,
        *,
        training: bool,
        rng: np.random.Generator | None = None,
    ) -> None:
        *hidden, top = views
        self.samples, self.dtype = samples, top.dense.dtype
        self.config, self.training, self.rng = config, training, rng
        self.n_features = len(views[0].weights)
        self.layers: list[Layer] = []
        self.hidden: list[Array] = []
        x = np.empty((0, samples), self.dtype)  # given by `forward` or `load`
        dx: Array | None = None
        for layer, width in zip(hidden, config.hidden_layer_sizes, strict=True):
            x, dx = self._add_hidden(layer, width, x, dx)
        self.outputs = np.empty((len(top.bias), samples), self.dtype)
        doutputs = np.empty_like(self.outputs)
        self.layers.append(Dense(x, self.outputs, dx, doutputs, top.dense, top.ddense))
        self.loss = LOSSES[config.loss](self.outputs, doutputs)
        first = self.layers[0]
        assert isinstance(first, Dense)
        self.first = first
        self.reversed = self.layers[::-1]

    def _add_hidden(
        self, views: LayerViews, width: int, x: Array, dx: Array | None
    ) -> tuple[Array, Array]:
        """Append dense, batch normalization, activation and dropout; return output and gradient."""
        units, shape = views.dense.shape[1], (width, self.samples)
        activation, maxout = ACTIVATIONS[self.config.activation], units != width
        # The layer above multiplies a last row of ones with its bias.
        output = np.empty((width + 1, self.samples), self.dtype)
        output[-1] = 1.0
        y, dy = output[:-1], np.empty(shape, self.dtype)
        drop_rng = self.rng if self.config.dropout > 0 else None
        # Arrays are shared wherever a layer may work in place: less memory to travel through.
        active = y if drop_rng is None else np.empty_like(y)
        z = np.empty((units, self.samples), self.dtype) if maxout else active
        dz = np.empty_like(z) if maxout else dy
        linear = np.empty_like(z) if self.config.batch_norm else z
        self.layers.append(Dense(x, linear, dx, dz, views.dense, views.ddense))
        if self.config.batch_norm:
            self.layers.append(
                BatchNorm(linear, z, dz, dz, views)
                if self.training
                else FrozenBatchNorm(linear, z, views)
            )
        self.layers.append(activation(z, active, dz, dy, views.slope, views.dslope))
        if drop_rng is not None:
            self.layers.append(Dropout(active, y, dy, dy, self.config.dropout, drop_rng))
        self.hidden.append(y)
        return output, dy

    def load(self, rows: Array) -> None:
        """Make a batch of plain rows the input.

        Args:
            rows: inputs (samples, n_features), any numeric dtype.
        """
        inputs = np.empty((self.samples, self.n_features + 1), self.dtype)
        inputs[:, :-1] = rows
        inputs[:, -1] = 1.0
        self.first.x = inputs.T

    def forward(self, x: Array | None = None) -> None:
        """Compute the outputs.

        Args:
            x: inputs with a last row of ones (n_features + 1, samples); None keeps those before.
        """
        if x is not None:
            self.first.x = x
        for layer in self.layers:
            layer.forward()

    def backward(self) -> None:
        """Compute all gradients from the one of the outputs."""
        for layer in self.reversed:
            layer.backward()

    def targets(self, y: Targets) -> Array:
        """Labels (samples,) or numbers (samples, n_outputs) as the loss reads them.

        Args:
            y: what the network is to put out.

        Returns:
            Array (n_outputs, samples).
        """
        return self.loss.targets.columns(y, len(self.outputs), self.dtype)

    def loss_and_backward(self, targets: Array, weights: Array | None = None) -> float:
        """Forward, mean loss and gradients of the batch that was loaded.

        Args:
            targets: from `targets`.
            weights: how much each sample counts (samples,), 1 in the mean; None for all the same.

        Returns:
            The mean loss.
        """
        loss = self._forward_to_loss(targets, weights)
        self.backward()
        return loss

    def hidden_gradients(self, targets: Array) -> list[Array]:
        """Forward and backward of the batch that was loaded, watching what goes down.

        Args:
            targets: from `targets`.

        Returns:
            The gradient of the mean loss with respect to what each hidden layer puts out, one
            array (width, samples) a layer.
        """
        self._forward_to_loss(targets)
        gradients = []
        for layer in self.reversed:
            layer.backward()
            # The layers below work in the same array, so that it is copied on the way.
            if isinstance(layer, Dense) and layer.dx is not None:
                gradients.append(layer.dx.copy())
        return gradients[::-1]

    def _forward_to_loss(self, targets: Array, weights: Array | None = None) -> float:
        """Forward, and the gradient of the mean loss with respect to the outputs; the loss."""
        scratch = self.loss.scratch(1, self.samples, self.dtype, weighted=weights is not None)
        if weights is not None and scratch.weights is not None:
            scratch.weights[:] = weights
        kept = scratch.of(0, self.samples)
        self.forward()
        self.loss.forward(targets, kept)
        self.loss.backward(scalar(1.0 / self.samples, self.dtype))
        return scratch.total(1, self.samples) / self.samples
