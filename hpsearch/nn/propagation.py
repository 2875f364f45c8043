"""Forward and backward through a whole network, for one batch size.

All layers and buffers are made once; a pass is then a walk over the layers that allocates nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hpsearch.nn.activations import ACTIVATIONS
from hpsearch.nn.arrays import Array, Labels, scalar
from hpsearch.nn.config import NetworkConfig
from hpsearch.nn.layers import BatchNorm, Dense, Dropout, FrozenBatchNorm, Layer, LayerViews
from hpsearch.nn.losses import Loss

__all__ = ["Propagation"]


class Propagation:
    """A network wired up for batches of a fixed number of samples.

    Args:
        views: of each layer; parameters are read, gradients (and running statistics) written.
        config: of the network.
        loss: a class of `hpsearch.nn.losses`.
        samples: batch size.
        training: normalize with batch statistics rather than the running ones.
        rng: draws dropout masks; None for no dropout.

    Attributes:
        logits: scores (n_classes, samples), written by `forward`.
        hidden: what each hidden layer puts out (width, samples), written by `forward`.
        loss: reads the logits, writes their gradient.
    """

    def __init__(
        self,
        views: Sequence[LayerViews],
        config: NetworkConfig,
        loss: type[Loss],
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
        self.logits = np.empty((len(top.bias), samples), self.dtype)
        dlogits = np.empty_like(self.logits)
        self.layers.append(Dense(x, self.logits, dx, dlogits, top.dense, top.ddense))
        self.loss = loss(self.logits, dlogits)
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
        """Compute the logits.

        Args:
            x: inputs with a last row of ones (n_features + 1, samples); None keeps those before.
        """
        if x is not None:
            self.first.x = x
        for layer in self.layers:
            layer.forward()

    def backward(self) -> None:
        """Compute all gradients from the one of the logits."""
        for layer in self.reversed:
            layer.backward()

    def one_hot(self, y: Labels) -> Array:
        """Labels as targets of the loss.

        Args:
            y: labels (samples,), 0 to n_classes - 1.

        Returns:
            Array (n_classes, samples): 1 at the label, 0 elsewhere.
        """
        targets = np.zeros(self.logits.shape, self.dtype)
        targets[y, np.arange(self.samples)] = 1.0
        return targets

    def loss_and_backward(self, targets: Array) -> float:
        """Forward, mean loss and gradients of the batch that was loaded.

        Args:
            targets: from `one_hot`.

        Returns:
            The mean loss.
        """
        loss = self._forward_to_loss(targets)
        self.backward()
        return loss

    def hidden_gradients(self, targets: Array) -> list[Array]:
        """Forward and backward of the batch that was loaded, watching what goes down.

        Args:
            targets: from `one_hot`.

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

    def _forward_to_loss(self, targets: Array) -> float:
        """Forward, and the gradient of the mean loss with respect to the logits; the loss."""
        scratch = self.loss.scratch(1, self.samples, self.dtype)
        kept = scratch.of(0, self.samples)
        self.forward()
        self.loss.forward(targets, kept)
        self.loss.backward(targets, kept, scalar(1.0 / self.samples, self.dtype))
        return scratch.total(1, self.samples) / self.samples
