"""Are the gradients right? Backward passes against centred differences, for this architecture."""

from __future__ import annotations

import numpy as np

from hpsearch.checks.check import Check, verdict_above
from hpsearch.checks.context import CheckContext
from hpsearch.nn import Network
from hpsearch.nn.arrays import Array

__all__ = ["gradient_check", "gradient_errors"]

SAMPLES = 8

STEPS = (1e-4, 1e-5, 1e-6)
"""Of the differences. A kink (ReLU, maxout) that lies within one step lies outside a smaller one;
rounding, which spoils a small step, spares a larger one; a wrong gradient is wrong with each."""

RIGHT, WRONG = 1e-4, 1e-2
"""CS231n, notes on neural networks 3, "Gradient checks": above a relative error of 1e-2 the
gradient is probably wrong, and below 1e-4 it is usually fine for objectives with kinks."""

JITTER = 0.1
"""How far the parameters are moved off their symmetric start: there many units stand on their kink
(a row of zeros, a bias of zero), or pass no gradient at all (weights of zero)."""

FLAT = 1e-7
"""Slopes below this share of the loss count as so large; differences know them no better."""


def gradient_check(context: CheckContext) -> Check:
    """Compare backpropagation with centred differences, layer by layer, in float64.

    Along a random direction in the parameters of one layer, the slope of the loss is a difference
    of two forward passes, whatever the number of parameters. Dropout keeps its mask, batch
    normalization uses the statistics of the batch, and l2 is the specification's.
    """
    errors = gradient_errors(context)
    worst = max(errors, key=lambda name: errors[name])
    verdict = verdict_above(errors[worst], RIGHT, WRONG)
    return Check(
        "gradients",
        verdict,
        f"relative error {errors[worst]:.0e}",
        f"under {RIGHT:.0e}",
        "backpropagation agrees with differences of the loss in every layer"
        if verdict == "pass"
        else f"backpropagation and differences disagree in the {worst}: the code of this layer or "
        "activation is at fault, or the inputs are too large for the loss to be smooth",
    )


def gradient_errors(context: CheckContext) -> dict[str, float]:
    """The relative error of the gradient of each layer.

    Args:
        context: a few of its rows are used.

    Returns:
        |a - n| / max(|a|, |n|) of the slopes a and n along one direction, by the layer's name; the
        least over three lengths of the difference.
    """
    X = context.X[:SAMPLES].astype(np.float64)
    y = context.y[:SAMPLES]
    network = context.network(np.float64)
    rng = np.random.default_rng([context.seed, 5])
    network.parameters += JITTER * rng.standard_normal(len(network.parameters)) / _fan_in(network)
    start = network.parameters.copy()
    l2 = context.spec.training.l2

    def loss_and_gradient(at: Array) -> tuple[float, Array]:
        network.parameters[:] = at
        mask = np.random.default_rng([context.seed, 6])
        return network.loss_and_gradients(X, y, l2=l2, rng=mask)

    loss, gradient = loss_and_gradient(start)
    errors = {}
    for name, part in _layers(network).items():
        direction = np.zeros_like(start)
        direction[part] = rng.standard_normal(part.stop - part.start)
        direction /= np.linalg.norm(direction)
        analytic = float(gradient @ direction)
        numeric = [
            (
                loss_and_gradient(start + h * direction)[0]
                - loss_and_gradient(start - h * direction)[0]
            )
            / (2 * h)
            for h in STEPS
        ]
        flat = FLAT * max(1.0, loss)
        errors[name] = min(abs(analytic - n) / max(abs(analytic), abs(n), flat) for n in numeric)
    return errors


def _layers(network: Network) -> dict[str, slice]:
    """All parameters of each layer: weights, biases, scales, shifts and slopes."""
    starts = [part.start for part in network.weight_slices]
    ends = [*starts[1:], len(network.parameters)]
    names = [*(f"hidden layer {n}" for n in range(1, len(starts))), "output layer"]
    return {n: slice(a, b) for n, a, b in zip(names, starts, ends, strict=True)}


def _fan_in(network: Network) -> Array:
    """The root of the number of inputs for weights, and 1 for all else."""
    roots = np.ones(len(network.parameters))
    for layer, part in zip(network.layers, network.weight_slices, strict=True):
        roots[part] = np.sqrt(len(layer.weights))
    return roots
