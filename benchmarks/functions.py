"""Functions to search, of 2 to 20 parameters, with as much noise as is asked for.

Losses and their minima are known exactly. Between them they have what a search meets: parameters
of all kinds and scales, some that hardly matter, some that exist under a condition only, valleys,
plateaus, steps, an optimum in a corner, and categories that decide where the optimum lies.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import qmc

from hpsearch.search import Configuration, Slot
from hpsearch.space import Categorical, Condition, Float, Int, Parameter, Space

__all__ = ["FUNCTIONS", "NOISE", "Function"]

NOISE = {"none": 0.0, "little": 0.03, "much": 0.3}
"""The standard deviation of the noise, in what a random draw loses in the median."""


@dataclass(frozen=True)
class Function:
    """A loss on a space.

    Args:
        space: where it is defined; no range may be passed.
        loss: of a configuration.
        least: its minimum.
        noise: the noise of an evaluation, see `NOISE`.
    """

    space: Space
    loss: Callable[[Configuration], float]
    least: float = 0.0
    noise: float = 0.0

    @cached_property
    def spread(self) -> float:
        """What the median configuration loses."""
        draws = qmc.Sobol(max(len(self.space.parameters), 1), rng=0).random_base2(12).tolist()
        losses = [self.loss(self.space.from_unit(point)) for point in draws]
        return float(np.median(losses)) - self.least

    def evaluate(self, slot: Slot) -> float:
        """The score of one evaluation, its noise drawn from seed and configuration."""
        chosen = zlib.crc32(repr(sorted(slot.configuration.items())).encode())
        noise = self.noise * self.spread * np.random.default_rng([slot.seed, chosen]).normal()
        return float(noise - self.loss(slot.configuration))

    def regret(self, configuration: Configuration) -> float:
        """What is lost by naming a configuration: 0 for the best one, 1 for the median one."""
        return (self.loss(configuration) - self.least) / self.spread


def number(configuration: Configuration, name: str) -> float:
    """The value of a numeric parameter."""
    value = configuration[name]
    assert isinstance(value, int | float), f"{name} is numeric"
    return value


def vector(configuration: Configuration) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The values of numeric parameters, in the order of their names."""
    return np.array([number(configuration, name) for name in sorted(configuration)])


def cube(count: int) -> Space:
    """Numbers from 0 to 1."""
    return Space({f"x{i:02d}": Float(0.0, 1.0, limits=(0.0, 1.0)) for i in range(count)})


def within(low: float, high: float) -> Parameter:
    """A range of ratios."""
    return Float(low, high, log=True, limits=(low, high))


def whole(low: int, high: int, *, log: bool = False) -> Parameter:
    """A range of whole numbers."""
    return Int(low, high, log=log, limits=(low, high))


NETWORK = Space(
    {
        "rate": within(1e-5, 1.0),
        "batch": whole(8, 512, log=True),
        "width": whole(16, 1024, log=True),
        "depth": whole(1, 5),
        "dropout": Float(0.0, 0.7, limits=(0.0, 0.7)),
        "l2": within(1e-7, 0.1),
        "activation": Categorical(("relu", "elu", "tanh", "sigmoid")),
        "optimizer": Categorical(("sgd", "adam")),
        "schedule": Categorical(("cosine", "constant", "step")),
        "momentum": Float(0.0, 0.99, limits=(0.0, 0.99)),
    },
    {"momentum": Condition("optimizer", ("sgd",))},
)
OFFSETS = {"relu": 0.0, "elu": 0.05, "tanh": 0.25, "sigmoid": 0.9}
OFFSETS |= {"cosine": 0.0, "constant": 0.2, "step": 0.12}


def network(c: Configuration) -> float:
    """Like the loss of a network: the best rate depends on optimizer and batch, width on depth."""
    sgd = c["optimizer"] == "sgd"
    width = math.log2(number(c, "width"))
    rate = -2.3 + (math.log2(number(c, "batch")) - 6) / 6 + 0.8 * sgd
    loss = 0.5 * (math.log10(number(c, "rate")) - rate) ** 2
    loss += 0.04 * (width - 8.5 + 0.7 * (number(c, "depth") - 2)) ** 2
    loss += 1.2 * (number(c, "dropout") - 0.25 - 0.03 * (width - 6)) ** 2
    loss += 0.05 * (math.log10(number(c, "l2")) + 4) ** 2
    loss += OFFSETS[str(c["activation"])] + OFFSETS[str(c["schedule"])]
    return loss + (1.5 * (number(c, "momentum") - 0.85) ** 2 if sgd else 0.1)


def branin(c: Configuration) -> float:
    """Three equal minima on a plane (Dixon & Szegö, 1978)."""
    a, b = 15 * vector(c) - np.array([5.0, 0.0])
    valley = b - 5.1 * a**2 / (4 * math.pi**2) + 5 * a / math.pi - 6
    return float(valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10)


HARTMANN_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann(c: Configuration) -> float:
    """Four narrow wells in six dimensions (Dixon & Szegö, 1978)."""
    wells = np.exp(-(HARTMANN_A * (vector(c) - HARTMANN_P) ** 2).sum(axis=1))
    return -float(np.array([1.0, 1.2, 3.0, 3.2]) @ wells)


def rosenbrock(c: Configuration) -> float:
    """A bent valley in five dimensions, on a logarithmic scale."""
    x = 3 * vector(c) - 1
    return math.log1p(float((20 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()))


def corner(c: Configuration) -> float:
    """The optimum at the end of eight ranges, each half as important as the one before."""
    away = 1 - vector(c)
    return float(0.5 ** np.arange(8) @ away**1.5 + 0.5 * away[0] * away[1])


def steps(c: Configuration) -> float:
    """Six steps in each of six dimensions, and half of all is one plateau."""
    away = np.floor(6 * vector(c)) - np.array([3, 2, 4, 1, 5, 3])
    return min(float(np.array([1.0, 0.8, 0.6, 0.4, 0.3, 0.2]) @ away**2) / 36, 0.35)


def mostly_idle(c: Configuration) -> float:
    """Twenty parameters, four of which decide nearly everything."""
    away = vector(c) - 0.5 - 0.3 * np.sin(2.1 * np.arange(20))
    weights = np.full(20, 0.02)
    weights[[3, 7, 11, 16]] = 1.0, 0.7, 0.5, 0.4
    return float(weights @ away**2 + 0.6 * abs(away[3] * away[7]))


CATEGORIES = Space(
    {
        "a": Categorical((0.0, 0.3, 0.6, 0.1, 0.8)),
        "b": Categorical((0.0, 0.25, 0.4)),
        "c": Categorical((True, False)),
        "d": Categorical((0.0, 0.02, 0.04)),
        "e": Categorical((0.0, 0.15)),
        **{name: Float(0.0, 1.0, limits=(0.0, 1.0)) for name in "xy"},
    }
)


def categories(c: Configuration) -> float:
    """Five categories that cost what they say, one that suits another, one that moves a range."""
    loss = sum(number(c, name) for name in "abde")
    loss += 0.3 * ((c["a"] == 0.0) != c["c"])
    return float(
        loss + 2 * (number(c, "x") - 0.2 - number(c, "b")) ** 2 + 0.8 * number(c, "y") ** 2
    )


FUNCTIONS = {
    "network": Function(NETWORK, network),
    "branin": Function(cube(2), branin, least=0.39788735773),
    "hartmann": Function(cube(6), hartmann, least=-3.32236801142),
    "rosenbrock": Function(cube(5), rosenbrock),
    "corner": Function(cube(8), corner),
    "steps": Function(cube(6), steps),
    "mostly idle": Function(cube(20), mostly_idle),
    "categories": Function(CATEGORIES, categories),
}
"""Functions without noise, by name."""
