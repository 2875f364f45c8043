"""The seven activation functions and their gradients, as the network computes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpsearch.lab.experiment import Experiment, log_axis, titled_figure
from hpsearch.nn import ACTIVATIONS
from hpsearch.plots.style import BLUE, CYCLE, GREY, VERMILLION, Figure
from hpsearch.wording import Table

__all__ = ["EXPERIMENT"]

REACH = 10.0
"""Where the lecture asks what gradient is left: at -10 and at 10."""

ALIVE = 1e-3
SECOND_PIECE = -0.5
"""Maxout learns its pieces; drawn is the larger of x and this multiple of it."""


@dataclass(frozen=True, eq=False)
class ActivationsData:
    """Outputs and gradients over one grid of inputs.

    Attributes:
        inputs: (n,), from -10 to 10.
        outputs: by activation (n,).
        gradients: by activation, of the output with respect to x (n,).
    """

    inputs: np.ndarray
    outputs: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]

    def sees(self) -> str:
        """Who still passes a gradient at the ends."""
        ends = {name: (abs(g[0]), abs(g[-1])) for name, g in self.gradients.items()}
        alive = [name for name, both in ends.items() if min(both) >= ALIVE]
        return (
            f"At x = {REACH:g} a gradient shrinks to {ends['sigmoid'][1]:.1e} of itself in a "
            f"sigmoid and to {ends['tanh'][1]:.1e} in tanh, and at -{REACH:g} to "
            f"{ends['elu'][0]:.1e} in ELU and to {ends['relu'][0]:g} in ReLU; of the {len(ends)} "
            f"only {_listed(alive)} pass more than {ALIVE:g} of it on both sides."
        )

    def figures(self) -> list[Figure]:
        """Each function with its gradient, and all gradients together on a logarithmic scale."""
        figures = []
        near = np.abs(self.inputs) <= REACH / 2
        for name, y in self.outputs.items():
            figure = titled_figure(name, "x", "f(x), f'(x)", height=280, legend_rows=1)
            lines = (
                ("f(x)", y, BLUE, "solid"),
                ("gradient f'(x)", self.gradients[name], VERMILLION, "dash"),
            )
            for what, values, colour, dash in lines:
                figure.add_scatter(
                    x=self.inputs[near],
                    y=values[near],
                    mode="lines",
                    line={"color": colour, "dash": dash},
                    name=what,
                    hovertemplate=f"{what} at %{{x:.2f}}: %{{y:.3g}}<extra></extra>",
                )
            figures.append(figure)
        together = titled_figure(
            "all gradients", "x", "|f'(x)| (log scale)", height=400, legend_rows=4
        )
        together.update_yaxes(**log_axis(np.abs(np.concatenate([*self.gradients.values()]))))
        colours, dashes = (*CYCLE, GREY), ("solid", "dash", "dot")
        for n, (name, gradient) in enumerate(self.gradients.items()):
            magnitude = np.abs(gradient)
            together.add_scatter(
                x=self.inputs,
                y=[v if v > 0 else None for v in magnitude.tolist()],
                mode="lines",
                line={"color": colours[n % len(colours)], "dash": dashes[n % len(dashes)]},
                name=name,
                hovertemplate=f"{name} at %{{x:.2f}}: %{{y:.3g}}<extra></extra>",
            )
        return [*figures, together]

    def table(self) -> Table:
        """Gradients at the ends and in the middle, and where the outputs lie."""
        middle = len(self.inputs) // 2
        rows = tuple(
            (
                name,
                *(f"{g[i]:.3g}" for i in (0, middle, -1)),
                f"{self.outputs[name].min():.3g} to {self.outputs[name].max():.3g}",
            )
            for name, g in self.gradients.items()
        )
        headings = ("activation", f"f'(-{REACH:g})", "f'(0)", f"f'({REACH:g})", "outputs here")
        return Table("Gradients and outputs", headings, rows)


def activations_data(seed: int = 0, *, points: int = 401) -> ActivationsData:
    """Forward and backward of each activation on a grid; nothing here is random."""
    del seed
    inputs = np.linspace(-REACH, REACH, points)
    outputs, gradients = {}, {}
    for name, kind in ACTIVATIONS.items():
        pieces = (1.0, SECOND_PIECE) if kind.piecewise else (1.0,)
        x = np.outer(pieces, inputs)
        y, dx, dy = np.empty((1, points)), np.empty_like(x), np.ones((1, points))
        slope = np.full(1, kind.initial_slope or 0.0)
        layer = kind(x, y, dx, dy, slope, np.empty_like(slope))
        layer.forward()
        layer.backward()
        outputs[name] = y[0]
        gradients[name] = pieces @ dx
    return ActivationsData(inputs, outputs, gradients)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


EXPERIMENT = Experiment(
    "Activation functions",
    "Backpropagation multiplies by the gradient of each activation on the way, so that a unit "
    "where it is flat (saturated) stops learning, and so does all below it (lecture 6, "
    "activation functions).",
    "Forward and backward of the layers that the network is made of. Leaky ReLU's slope below "
    "zero is 0.01; PReLU learns its own, from 0.25 on; maxout learns its linear pieces, here x "
    "and minus half of it. A gradient of exactly zero is not on the logarithmic scale.",
    activations_data,
)
