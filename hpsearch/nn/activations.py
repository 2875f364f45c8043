"""Activation functions, each a layer with forward and backward over preallocated arrays.

An activation reads x and writes y = f(x); backward reads dy, the gradient with respect to y, and
writes dx. Arrays are unit-major, (units, samples), and C-contiguous. For all but maxout the units
stay the same, dx may be the very array dy, and y may be the very array x: what backward needs
beside y is kept aside. At a kink the derivative is that of either side.
"""

from __future__ import annotations

from math import sqrt
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hpsearch.nn.arrays import CHUNK, Array

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "Activation",
    "LeakyReLU",
    "Maxout",
    "PReLU",
    "ReLU",
    "Sigmoid",
    "Tanh",
]


SMALL_SLOPE = 0.04
"""A unit is saturated where its slope is below this share of its steepest: |tanh| above 0.98, a
sigmoid outside of 0.01 to 0.99, an ELU below -0.96, a ReLU at 0."""

ENOUGH = 8
"""Units that a layer must have for a share of dead ones to mean something."""


class Activation:
    """What all activations have: four arrays, and the slopes that one of them learns.

    Args:
        x: input (units, samples); for maxout (pieces * units, samples).
        y: output (units, samples).
        dx: where backward writes the gradient of x, shaped as x.
        dy: gradient of y; backward may overwrite it.
        slope: learned parameters (units,); empty unless ``initial_slope`` is set.
        dslope: where backward writes their gradient.
    """

    initial_slope: ClassVar[float | None] = None
    """The first value of the learned slope of every unit, or None when nothing is learned."""

    piecewise: ClassVar[bool] = False
    """Whether a unit has ``maxout_pieces`` inputs of its own."""

    fault: ClassVar[str] = ""
    """What keeps units from learning: "saturated" outputs, "dead" units, or nothing."""

    most_stuck: ClassVar[float] = 0.5
    """Share of a layer above which that is a fault; Xavier's initialization begins below 0.1."""

    def __init__(
        self, x: Array, y: Array, dx: Array, dy: Array, slope: Array, dslope: Array
    ) -> None:
        self.x, self.y, self.dx, self.dy = x, y, dx, dy
        self.slope, self.dslope = slope, dslope
        self.scratch = np.empty_like(y)
        self._begin()

    def _begin(self) -> None:
        """Make what forward and backward need beside these arrays."""

    def forward(self) -> None:
        """Write y."""
        raise NotImplementedError

    def backward(self) -> None:
        """Write dx, and the gradient of the slope if there is one."""
        raise NotImplementedError

    @staticmethod
    def saturated(y: Array) -> npt.NDArray[np.bool_]:
        """Where a unit's slope is below `SMALL_SLOPE` times the steepest; here, nowhere.

        Args:
            y: outputs of this activation, of any shape.

        Returns:
            True and False, of the same shape.
        """
        return np.zeros(y.shape, np.bool_)

    @staticmethod
    def dead(saturated: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Which units are saturated at every sample.

        Args:
            saturated: as `saturated` gives it (units, samples).

        Returns:
            (units,).
        """
        dead: npt.NDArray[np.bool_] = np.logical_and.reduce(saturated, 1)
        return dead

    @classmethod
    def stuck(cls, saturated: float, dead: float, units: int) -> float:
        """The share of a layer that cannot learn: of its outputs, or of its units where they die.

        Args:
            saturated: share of the layer's outputs.
            dead: share of its units.
            units: how many it has; of fewer than 8 a share of dead ones says nothing.
        """
        if cls.fault == "dead":
            return dead if units >= ENOUGH else 0.0
        return saturated if cls.fault else 0.0


class Sigmoid(Activation):
    """1/(1 + e^-x), computed as (1 + tanh(x/2))/2, which cannot overflow."""

    fault = "saturated"

    def forward(self) -> None:
        """Write y."""
        np.multiply(self.x, 0.5, self.y)
        np.tanh(self.y, self.y)
        np.multiply(self.y, 0.5, self.y)
        np.add(self.y, 0.5, self.y)

    def backward(self) -> None:
        """Write dx."""
        np.subtract(1.0, self.y, self.scratch)
        np.multiply(self.scratch, self.y, self.scratch)
        np.multiply(self.dy, self.scratch, self.dx)

    @staticmethod
    def saturated(y: Array) -> npt.NDArray[np.bool_]:
        """Where 4 y (1 - y) is below `SMALL_SLOPE`."""
        mask: npt.NDArray[np.bool_] = np.abs(y - 0.5) > 0.5 * sqrt(1.0 - SMALL_SLOPE)
        return mask


class Tanh(Activation):
    """The hyperbolic tangent: a sigmoid that is centred at zero."""

    fault = "saturated"

    def forward(self) -> None:
        """Write y."""
        np.tanh(self.x, self.y)

    def backward(self) -> None:
        """Write dx."""
        np.multiply(self.y, self.y, self.scratch)
        np.subtract(1.0, self.scratch, self.scratch)
        np.multiply(self.dy, self.scratch, self.dx)

    @staticmethod
    def saturated(y: Array) -> npt.NDArray[np.bool_]:
        """Where 1 - y^2 is below `SMALL_SLOPE`."""
        mask: npt.NDArray[np.bool_] = np.abs(y) > sqrt(1.0 - SMALL_SLOPE)
        return mask


class ReLU(Activation):
    """max(0, x).

    The fastest way that NumPy has: fmax of two arrays (maximum, or a scalar operand, falls to a
    slower loop), the mask of backward as integer bit operations on the floats' own bits, and both
    in pieces that stay in the cache. fmax turns NaN into 0; the trainer therefore also watches that
    the parameters stay finite. Half of its outputs are healthily 0; a unit that is 0 for every
    sample has no gradient and never comes back.
    """

    fault = "dead"
    most_stuck = 0.4  # the course notes see "as much as 40%" with too high a rate

    def _begin(self) -> None:
        size, dtype = self.y.size, self.y.dtype
        bits = np.dtype(f"i{dtype.itemsize}")
        self.sign = np.array(8 * dtype.itemsize - 1, bits)
        zeros = np.zeros(min(size, CHUNK), dtype)
        mask = np.empty(zeros.shape, bits)
        self.values, self.bits = [], []
        arrays = [array.reshape(-1) for array in (self.x, self.y, self.dx, self.dy)]
        for start in range(0, size, CHUNK):
            xs, ys, dxs, dys = (array[start : start + CHUNK] for array in arrays)
            length = len(ys)
            self.values.append((xs, zeros[:length], ys))
            self.bits.append((ys.view(bits), mask[:length], dxs.view(bits), dys.view(bits)))

    def forward(self) -> None:
        """Write y."""
        for x, zeros, y in self.values:
            np.fmax(x, zeros, y)

    def backward(self) -> None:
        """Write dx."""
        # y > 0 as a float is y > 0 as an integer; shifting the sign of -y over the word gives
        # all ones there and all zeros elsewhere.
        for y, mask, dx, dy in self.bits:
            np.negative(y, mask)
            np.right_shift(mask, self.sign, mask)
            np.bitwise_and(dy, mask, dx)

    @staticmethod
    def saturated(y: Array) -> npt.NDArray[np.bool_]:
        """Where y is 0."""
        mask: npt.NDArray[np.bool_] = y <= 0.0
        return mask


class LeakyReLU(Activation):
    """max(0.01 x, x) (Maas et al., 2013)."""

    negative_slope: ClassVar[float] = 0.01

    def _begin(self) -> None:
        self.negative = np.empty(self.y.shape, dtype=np.bool_)

    def forward(self) -> None:
        """Write y."""
        np.multiply(self.x, self.negative_slope, self.scratch)
        np.fmax(self.x, self.scratch, self.y)

    def backward(self) -> None:
        """Write dx."""
        np.less(self.y, 0.0, self.negative)
        self.scratch.fill(1.0)
        np.copyto(self.scratch, self.negative_slope, where=self.negative)
        np.multiply(self.dy, self.scratch, self.dx)


class PReLU(Activation):
    """max(0, x) + a min(0, x) with a learned slope a for every unit (He et al., 2015, equation 1).

    The slopes start at 0.25, as in the paper, and take no weight decay.
    """

    initial_slope: ClassVar[float | None] = 0.25

    def _begin(self) -> None:
        self.zeros = np.zeros_like(self.y)
        self.below = np.empty_like(self.y)
        self.negative = np.empty(self.y.shape, dtype=np.bool_)
        self.ones = np.ones(self.y.shape[1], self.y.dtype)
        self.slope_column = self.slope[:, None]

    def forward(self) -> None:
        """Write y."""
        np.fmin(self.x, self.zeros, self.below)
        np.subtract(self.x, self.below, self.y)
        np.multiply(self.below, self.slope_column, self.scratch)
        np.add(self.y, self.scratch, self.y)

    def backward(self) -> None:
        """Write dx."""
        # dL/da sums over samples what lies below zero (equation 3).
        np.multiply(self.dy, self.below, self.scratch)
        np.dot(self.scratch, self.ones, self.dslope)
        np.less(self.below, 0.0, self.negative)
        self.scratch.fill(1.0)
        np.copyto(self.scratch, self.slope_column, where=self.negative)
        np.multiply(self.dy, self.scratch, self.dx)


class ELU(Activation):
    """x above zero, e^x - 1 below (Clevert et al., 2016, with alpha = 1)."""

    fault = "saturated"

    def _begin(self) -> None:
        self.zeros = np.zeros_like(self.y)

    def forward(self) -> None:
        """Write y."""
        np.fmin(self.x, self.zeros, self.scratch)
        np.exp(self.scratch, self.scratch)
        np.subtract(self.scratch, 1.0, self.scratch)
        np.fmax(self.x, self.zeros, self.y)
        np.add(self.y, self.scratch, self.y)

    def backward(self) -> None:
        """Write dx."""
        # The derivative below zero is e^x = y + 1, and 1 above.
        np.fmin(self.y, self.zeros, self.scratch)
        np.add(self.scratch, 1.0, self.scratch)
        np.multiply(self.dy, self.scratch, self.dx)

    @staticmethod
    def saturated(y: Array) -> npt.NDArray[np.bool_]:
        """Where e^x is below `SMALL_SLOPE`."""
        mask: npt.NDArray[np.bool_] = y < SMALL_SLOPE - 1.0
        return mask


class Maxout(Activation):
    """The largest of k linear pieces (Goodfellow et al., 2013); of equal ones the first.

    Row j * units + i of x is piece j of unit i.
    """

    piecewise = True

    def _begin(self) -> None:
        self.first, *self.others = self.x.reshape(-1, *self.y.shape)
        self.dfirst, *self.dothers = self.dx.reshape(-1, *self.y.shape)
        self.beats = [np.empty(self.y.shape, dtype=np.bool_) for _ in self.others]

    def forward(self) -> None:
        """Write y."""
        np.copyto(self.y, self.first)
        for piece, beats in zip(self.others, self.beats, strict=True):
            np.greater(piece, self.y, beats)
            np.maximum(piece, self.y, out=self.y)

    def backward(self) -> None:
        """Write dx; overwrites dy unless there is one piece only."""
        # The last piece that beat those before it takes the gradient, and leaves none to them.
        for dpiece, beats in zip(self.dothers[::-1], self.beats[::-1], strict=True):
            np.multiply(self.dy, beats, dpiece)
            np.subtract(self.dy, dpiece, self.dy)
        np.copyto(self.dfirst, self.dy)


ACTIVATIONS: dict[str, type[Activation]] = {
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky-relu": LeakyReLU,
    "prelu": PReLU,
    "elu": ELU,
    "maxout": Maxout,
}
"""Activations by name."""
