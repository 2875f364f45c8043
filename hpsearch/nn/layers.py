"""The layers between input and loss that are not activations: dense, batch normalization, dropout.

A layer is made once for a batch size, with the arrays that it reads and writes, and then has
forward and backward, nothing else; neither allocates. Arrays are unit-major, (units, samples).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hpsearch.nn.arrays import Array, scalar

__all__ = ["BatchNorm", "Dense", "Dropout", "FrozenBatchNorm", "Layer", "LayerViews"]

VARIANCE_FLOOR = 1e-5
"""Added to the variance before its root, as in Ioffe and Szegedy, algorithm 1."""
RUNNING_SHARE = 0.1
"""The weight of the newest batch in the running statistics, once ten batches have been seen."""


@dataclass(frozen=True)
class LayerViews:
    """One layer's views into the flat vectors; writing to them changes the network.

    Attributes:
        dense: weights, and the bias as the last row (fan_in + 1, units).
        ddense: their gradient.
        affine: scale and shift of batch normalization (2, units), or (2, 0) without.
        daffine: their gradient.
        slope: PReLU's slopes (width,), or (0,) without.
        dslope: their gradient.
        running: running mean and variance (2, units), or (2, 0) without batch normalization.
        batches: number of batches seen by the running statistics, shape ().
    """

    dense: Array
    ddense: Array
    affine: Array
    daffine: Array
    slope: Array
    dslope: Array
    running: Array
    batches: Array

    @property
    def weights(self) -> Array:
        """The weights alone (fan_in, units)."""
        return self.dense[:-1]

    @property
    def bias(self) -> Array:
        """The bias alone (units,)."""
        bias: Array = self.dense[-1]
        return bias


class Layer(Protocol):
    """Anything with a forward and a backward step."""

    def forward(self) -> None:
        """Compute the output from the input."""
        ...

    def backward(self) -> None:
        """Compute the gradients of input and parameters from the gradient of the output."""
        ...


class Dense:
    """y = W^T x + b as one product, the bias being the last row of ``weights``.

    Args:
        x: input with a last row of ones (fan_in + 1, samples); may be replaced before forward.
        y: output (fan_out, samples).
        dx: where backward writes the input's gradient (fan_in, samples), or None for the first
            layer, whose input needs none.
        dy: gradient of y.
        weights: weights and bias (fan_in + 1, fan_out).
        dweights: where backward writes their gradient.
    """

    def __init__(
        self, x: Array, y: Array, dx: Array | None, dy: Array, weights: Array, dweights: Array
    ) -> None:
        self.x, self.y, self.dx, self.dy = x, y, dx, dy
        self.dy_t, self.weights_t = dy.T, weights.T
        self.weights, self.dweights = weights[:-1], dweights

    def forward(self) -> None:
        """Write y."""
        np.dot(self.weights_t, self.x, self.y)

    def backward(self) -> None:
        """Write the gradients of weights, bias and input."""
        np.dot(self.x, self.dy_t, self.dweights)
        if self.dx is not None:
            np.dot(self.weights, self.dy, self.dx)


class BatchNorm:
    """Normalize each unit over the batch, then scale and shift (Ioffe and Szegedy, 2015).

    Forward also keeps running statistics for prediction: the plain mean over the first ten batches,
    then an exponential one; the variance is the unbiased one (algorithm 2). A batch of one sample
    has no variance and leaves them as they are.

    Args:
        x: input (units, samples).
        y: output, another array of the same shape.
        dx: where backward writes the gradient of x; may be dy.
        dy: gradient of y; overwritten.
        views: scale and shift, whose gradients backward writes, and the running statistics, which
            forward updates.
    """

    def __init__(self, x: Array, y: Array, dx: Array, dy: Array, views: LayerViews) -> None:
        units, samples = x.shape
        self.x, self.y, self.dx, self.dy = x, y, dx, dy
        self.scale, self.shift = views.affine[:, :, None]
        self.dscale, self.dshift = views.daffine
        self.running, self.batches = views.running, views.batches
        self.normal, self.scratch = np.empty_like(x), np.empty_like(x)
        self.statistics = np.empty((2, units), x.dtype)
        self.mean, self.variance = self.statistics
        self.inverse, self.column = np.empty((units, 1), x.dtype), np.empty((units, 1), x.dtype)
        self.ones = np.ones(samples, x.dtype)
        self.average = np.full(samples, 1.0 / samples, x.dtype)
        self.unbias = samples / (samples - 1) if samples > 1 else None

    def forward(self) -> None:
        """Write y and update the running statistics."""
        np.dot(self.x, self.average, self.mean)
        np.subtract(self.x, self.mean[:, None], self.normal)
        np.multiply(self.normal, self.normal, self.scratch)
        np.dot(self.scratch, self.average, self.variance)
        np.add(self.variance[:, None], VARIANCE_FLOOR, self.inverse)
        np.sqrt(self.inverse, self.inverse)
        np.divide(1.0, self.inverse, self.inverse)
        np.multiply(self.normal, self.inverse, self.normal)
        np.multiply(self.normal, self.scale, self.y)
        np.add(self.y, self.shift, self.y)
        if self.unbias is not None:
            self.variance *= self.unbias
            self.batches += 1
            share = max(RUNNING_SHARE, 1.0 / float(self.batches))
            self.statistics -= self.running
            self.statistics *= share
            self.running += self.statistics

    def backward(self) -> None:
        """Write the gradients of scale, shift and x."""
        np.multiply(self.dy, self.normal, self.scratch)
        np.dot(self.scratch, self.ones, self.dscale)
        np.dot(self.dy, self.ones, self.dshift)
        # dx = scale / std * (dy - mean(dy) - normal * mean(dy * normal)), from the chain rule.
        np.multiply(self.dscale[:, None], self.average[0], self.column)
        np.multiply(self.normal, self.column, self.scratch)
        np.subtract(self.dy, self.scratch, self.dx)
        np.multiply(self.dshift[:, None], self.average[0], self.column)
        np.subtract(self.dx, self.column, self.dx)
        np.multiply(self.scale, self.inverse, self.column)
        np.multiply(self.dx, self.column, self.dx)


class FrozenBatchNorm:
    """Batch normalization in prediction: the running statistics make it a fixed affine map.

    Args:
        x: input (units, samples).
        y: output, another array of the same shape.
        views: scale and shift, and the running statistics, all only read.
    """

    def __init__(self, x: Array, y: Array, views: LayerViews) -> None:
        self.x, self.y, self.affine, self.running = x, y, views.affine, views.running
        self.normal = np.empty_like(x)

    def forward(self) -> None:
        """Write y."""
        mean, variance = self.running[:, :, None]
        np.subtract(self.x, mean, self.normal)
        np.divide(self.normal, np.sqrt(variance + VARIANCE_FLOOR), self.normal)
        np.multiply(self.normal, self.affine[0, :, None], self.y)
        np.add(self.y, self.affine[1, :, None], self.y)

    def backward(self) -> None:
        """Raise an error: only training goes back."""
        raise NotImplementedError


class Dropout:
    """Drop each unit of each sample with a probability (Srivastava et al., 2014).

    Inverted: what stays is divided by its probability, so that prediction needs no change.

    Args:
        x: activations (units, samples).
        y: output, another array of the same shape, since the activation still needs its own.
        dx: where backward writes the gradient of x; may be dy.
        dy: gradient of y.
        rate: probability of dropping, from 0 to below 1.
        rng: source of randomness.
    """

    def __init__(
        self, x: Array, y: Array, dx: Array, dy: Array, rate: float, rng: np.random.Generator
    ) -> None:
        self.x, self.y, self.dx, self.dy, self.rng = x, y, dx, dy, rng
        self.mask = np.empty_like(x)
        self.keep = scalar(1.0 - rate, x.dtype)
        self.gain = scalar(1.0 / (1.0 - rate), x.dtype)

    def forward(self) -> None:
        """Draw a mask and write y."""
        self.rng.random(out=self.mask, dtype=self.mask.dtype.type)
        # floor(u + keep) is 1 with probability keep, and 0 otherwise.
        np.add(self.mask, self.keep, self.mask)
        np.floor(self.mask, self.mask)
        np.multiply(self.mask, self.gain, self.mask)
        np.multiply(self.x, self.mask, self.y)

    def backward(self) -> None:
        """Write dx through the same mask."""
        np.multiply(self.dy, self.mask, self.dx)
