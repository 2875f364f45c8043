"""What a training costs, in floating-point operations that are counted and not timed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from hpsearch.data import Dataset, Split
from hpsearch.nn import NetworkConfig
from hpsearch.search.base import Slot
from hpsearch.space import Value
from hpsearch.space.settings import SETTINGS

__all__ = ["DataShape", "Spending", "training_flops"]


@dataclass(frozen=True)
class DataShape:
    """What of the data a training's cost depends on.

    Attributes:
        features: columns.
        outputs: classes, or 1 for a quantity.
        rows: the rows of all folds' training parts together.
    """

    features: int
    outputs: int
    rows: int

    @classmethod
    def of(cls, dataset: Dataset, splits: Iterable[Split]) -> DataShape:
        """The shape of a data set that is divided."""
        rows = sum(len(split.train) for split in splits)
        return cls(dataset.X.shape[1], len(dataset.classes) or 1, rows)


def training_flops(configuration: Mapping[str, Value], shape: DataShape, *, epochs: int) -> float:
    """Epochs times samples times weights, times six: the matrix products of a training.

    A weight takes part in one multiplication and one addition on the way forward, and in two of
    each on the way back: once for its own gradient, once for that of its input. What else there is
    (activations, updates, validation) grows with the units and is left out.

    Args:
        configuration: what is trained; a setting that it lacks has its default.
        shape: of the data. Columns that pca drops are counted all the same.
        epochs: passes over the training part.

    >>> shape = DataShape(features=64, outputs=10, rows=1000)
    >>> training_flops({"width": 32, "depth": 2}, shape, epochs=5) == 6 * 5 * 1000 * 3392
    True
    """
    width, depth, activation, pieces = (
        SETTINGS[name].own(name, configuration.get(name, SETTINGS[name].default))
        for name in ("width", "depth", "activation", "maxout_pieces")
    )
    network = NetworkConfig((width,) * depth, activation, maxout_pieces=pieces)
    widths = [shape.features, *network.hidden_layer_sizes]
    weights = sum(fan_in * width * network.pieces for fan_in, width in pairwise(widths))
    weights += widths[-1] * shape.outputs
    return 6.0 * epochs * shape.rows * weights


MISSES = 20
"""So many slots in a row for which the rest of the budget does not do, and it is called spent."""


class Spending:
    """Who still gets a training out of a budget: slots in their order, each if it can be paid.

    A slot that costs more than what is left is passed over, and cheaper ones behind it are not: a
    single dear draw does not end a search. A slot is charged the whole training that it plans, so
    that a search which is killed and goes on has the same slots as one that was never disturbed,
    with any number of workers.

    Args:
        limit: floating-point operations of all trainings together; None for no limit.
        cost: how many of them a slot takes.
        before: the slots that were let in before.
        opening: the slots that another search with a smaller budget was let in to, where this one
            is to begin as that did; it draws the same, and decides for itself after the last.

    Attributes:
        refused: how many slots were turned away.
        over: whether no more are asked for.
    """

    def __init__(
        self,
        limit: float | None,
        cost: Callable[[Slot], float],
        before: Iterable[Slot],
        opening: Iterable[Slot] = (),
    ) -> None:
        self._limit, self._cost = limit, cost
        self._opening = {slot.place for slot in opening}
        self._opened = max(self._opening, default=(-1, -1))
        self._charged: set[tuple[int, int]] = set()
        self._spent = 0.0
        self._misses = self.refused = 0
        self.over = False
        for slot in before:
            self._charge(slot)
        # What was passed over before the last of them was so already: no miss of now.
        self._last_before = max(self._charged, default=(-1, -1))

    def admit(self, slot: Slot) -> bool:
        """Charge a slot; False if the budget does not pay for it."""
        if self._limit is None or slot.place in self._charged:
            return True
        if slot.place <= self._opened:
            if slot.place not in self._opening:
                return False
            self._charge(slot)
            return True
        if self.over or self._spent + self._cost(slot) > self._limit:
            self.refused += 1
            self._misses += slot.place > self._last_before
            self.over = self.over or self._misses == MISSES
            return False
        self._misses = 0
        self._charge(slot)
        return True

    def raise_to(self, limit: float | None) -> None:
        """Go on with a higher limit; what was turned away stays so."""
        self._limit, self._misses, self.over = limit, 0, False

    def _charge(self, slot: Slot) -> None:
        self._charged.add(slot.place)
        self._spent += self._cost(slot)
