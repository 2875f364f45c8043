"""What comes out of each layer of the untrained network: does the signal arrive?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpsearch.checks.check import Check, Verdict
from hpsearch.checks.context import CheckContext
from hpsearch.nn import ACTIVATIONS
from hpsearch.nn.activations import Activation

__all__ = ["LayerStatistics", "layer_outputs", "layer_statistics", "signal"]

ROWS = 500

LOST = 0.9
"""Share of saturated outputs or dead units in one layer that lets hardly any gradient through."""

WEAK, VANISHED = 1e-2, 1e-5
"""Standard deviations of a layer's outputs over the samples. Standardized inputs have 1,
and Glorot and Bengio (2010) have every layer keep it. A weak signal is slow to learn from, a
vanished one a constant."""

STRONG, EXPLODED = 10.0, 1000.0


@dataclass(frozen=True)
class LayerStatistics:
    """One hidden layer's outputs.

    Attributes:
        mean: over samples and units.
        std: standard deviation over the samples, root mean square over the units.
        stuck: the share of saturated outputs, or of dead units; see `Activation.stuck`.
        activation: of its units.
    """

    mean: float
    std: float
    stuck: float
    activation: type[Activation]


def layer_statistics(context: CheckContext) -> list[LayerStatistics]:
    """Send some rows through the fresh network, in training mode without dropout.

    Returns:
        One entry for each hidden layer, from the inputs up.
    """
    X = context.X[:ROWS]
    # Prediction would use running statistics, which batch normalization has not gathered yet.
    propagation = context.network().propagation(len(X), training=True)
    propagation.load(X)
    with np.errstate(all="ignore"):
        propagation.forward()
        activation = ACTIVATIONS[context.spec.network.activation]
        return [_statistics(y.astype(np.float64), activation) for y in propagation.hidden]


def _statistics(y: NDArray[np.float64], activation: type[Activation]) -> LayerStatistics:
    saturated = activation.saturated(y)
    dead = activation.dead(saturated)
    stuck = activation.stuck(float(saturated.mean()), float(dead.mean()), len(dead))
    std = float(np.sqrt(np.mean(y.var(axis=1))))
    return LayerStatistics(float(y.mean()), std, stuck, activation)


def signal(layers: list[LayerStatistics]) -> tuple[Verdict, str]:
    """The verdict on a network's layers, and what is wrong with the worst of them."""
    faults: list[tuple[Verdict, str]] = []
    for number, layer in enumerate(layers, 1):
        where = f"layer {number}"
        if not np.isfinite(layer.std) or layer.std > STRONG:
            bad = not layer.std <= EXPLODED
            faults.append(("fail" if bad else "warn", f"{where} explodes to {layer.std:.2g}"))
        if layer.stuck > layer.activation.most_stuck:
            text = f"{where} is {layer.stuck:.0%} {layer.activation.fault}"
            faults.append(("fail" if layer.stuck > LOST else "warn", text))
        if layer.std < WEAK:
            bad = layer.std < VANISHED
            text = f"the signal is down to {layer.std:.1g} in {where}"
            faults.append(("fail" if bad else "warn", text))
    return max(faults, key=lambda fault: fault[0] == "fail", default=("pass", ""))


def layer_outputs(context: CheckContext) -> Check:
    """Mean, deviation and share of stuck outputs of each hidden layer, before learning.

    CS231n, lecture 6, "Weight Initialization": small weights let the signal vanish, large ones
    saturate it; a good initialization brings it to the last layer as it was.
    """
    layers = layer_statistics(context)
    if not layers:
        return Check("layer outputs", "pass", "no hidden layer", "any", "nothing can go dead")
    verdict, fault = signal(layers)
    shown = layers if len(layers) <= 4 else [*layers[:2], *layers[-1:]]
    gap = "" if shown == layers else f" (layers 1, 2 and {len(layers)})"
    found = (
        f"mean {' '.join(f'{s.mean:.2g}' for s in shown)}; "
        f"std {' '.join(f'{s.std:.2g}' for s in shown)}"
    )
    activation = layers[0].activation
    if activation.fault:
        found += f"; {activation.fault} {' '.join(f'{s.stuck:.0%}' for s in shown)}"
    return Check(
        "layer outputs",
        verdict,
        found + gap,
        f"std {WEAK:g} to {STRONG:g}, under {activation.most_stuck:.0%} stuck",
        "the signal reaches the last layer about as strong as it came"
        if verdict == "pass"
        else f"{fault}: use he weights with the relu family or xavier with tanh, biases near 0, "
        "fewer layers, or batch_norm",
    )
