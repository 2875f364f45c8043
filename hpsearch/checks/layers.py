"""What comes out of each layer of the untrained network: does the signal arrive?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpsearch.checks.check import Check, Verdict
from hpsearch.checks.context import CheckContext
from hpsearch.nn.propagation import Propagation

__all__ = ["LayerStatistics", "layer_outputs", "layer_statistics", "signal"]

ROWS = 500

SATURATED = {
    "sigmoid": lambda y: np.abs(y - 0.5) > 0.45,
    "tanh": lambda y: np.abs(y) > 0.95,
    "elu": lambda y: y < -0.95,
}
"""Where an activation is flat: within a twentieth of its range from an asymptote."""

RECTIFIERS = ("relu",)
"""Whose units are dead when they put out zero for every sample; leaks keep the others alive."""

STUCK, LOST = 0.5, 0.9
"""Shares of saturated outputs or dead units in one layer: half of them waste the layer, and nine in
ten let hardly any gradient through."""

WEAK, VANISHED = 1e-2, 1e-5
"""Spreads of a layer's outputs over the samples. Standardized inputs have 1, and Glorot and Bengio
(2010) have every layer keep it. A weak signal is slow to learn from, a vanished one a constant."""

STRONG, EXPLODED = 10.0, 1000.0


@dataclass(frozen=True)
class LayerStatistics:
    """One hidden layer's outputs.

    Attributes:
        mean: over samples and units.
        spread: standard deviation over the samples, root mean square over the units.
        stuck: the share of saturated outputs, or of dead units; 0 for activations without either.
        word: "dead" or "saturated", or nothing.
    """

    mean: float
    spread: float
    stuck: float
    word: str


def layer_statistics(context: CheckContext) -> list[LayerStatistics]:
    """Send some rows through the fresh network, in training mode without dropout.

    Returns:
        One entry for each hidden layer, from the inputs up.
    """
    X = context.X[:ROWS]
    # Prediction would use running statistics, which batch normalization has not gathered yet.
    propagation = Propagation(context.network(), len(X), training=True)
    propagation.load(X)
    with np.errstate(all="ignore"):
        propagation.forward()
        activation = context.spec.network.activation
        return [_statistics(y.astype(np.float64), activation) for y in propagation.hidden]


def _statistics(y: NDArray[np.float64], activation: str) -> LayerStatistics:
    stuck, word = 0.0, ""
    if activation in RECTIFIERS:
        stuck, word = float(np.mean(~(y > 0).any(axis=1))), "dead"
    elif activation in SATURATED:
        stuck, word = float(np.mean(SATURATED[activation](y))), "saturated"
    spread = float(np.sqrt(np.mean(y.var(axis=1))))
    return LayerStatistics(float(y.mean()), spread, stuck, word)


def signal(layers: list[LayerStatistics]) -> tuple[Verdict, str]:
    """The verdict on a network's layers, and what is wrong with the worst of them."""
    faults: list[tuple[Verdict, str]] = []
    for number, layer in enumerate(layers, 1):
        where = f"layer {number}"
        if not np.isfinite(layer.spread) or layer.spread > STRONG:
            bad = not layer.spread <= EXPLODED
            faults.append(("fail" if bad else "warn", f"{where} explodes to {layer.spread:.2g}"))
        if layer.stuck > STUCK:
            bad = layer.stuck > LOST
            faults.append(("fail" if bad else "warn", f"{where} is {layer.stuck:.0%} {layer.word}"))
        if layer.spread < WEAK:
            bad = layer.spread < VANISHED
            text = f"the signal is down to {layer.spread:.1g} in {where}"
            faults.append(("fail" if bad else "warn", text))
    for verdict, text in faults:
        if verdict == "fail":
            return verdict, text
    return faults[0] if faults else ("pass", "")


def layer_outputs(context: CheckContext) -> Check:
    """Mean, spread and share of saturated or dead outputs of each hidden layer, before learning.

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
        f"spread {' '.join(f'{s.spread:.2g}' for s in shown)}"
    )
    if layers[0].word:
        found += f"; {layers[0].word} {' '.join(f'{s.stuck:.0%}' for s in shown)}"
    return Check(
        "layer outputs",
        verdict,
        found + gap,
        f"spread {WEAK:g} to {STRONG:g}, under {STUCK:.0%} stuck",
        "the signal reaches the last layer about as strong as it came"
        if verdict == "pass"
        else f"{fault}: use he weights with the relu family or xavier with tanh, biases near 0, "
        "fewer layers, or batch_norm",
    )
