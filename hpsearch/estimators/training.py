"""How the estimators' trainer differs from the network's own: order and pickling."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hpsearch.nn import Trainer

__all__ = ["PicklableTrainer", "make_generator"]


def make_generator(random: np.random.RandomState, *, shuffle: bool) -> np.random.Generator:
    """The network's kind of random numbers from scikit-learn's kind of seed.

    Args:
        random: draws the seed.
        shuffle: whether the generator shuffles; without, it leaves any order as it is.

    Returns:
        The generator.
    """
    bits = np.random.PCG64(random.randint(np.iinfo(np.int32).max))
    return np.random.Generator(bits) if shuffle else _InOrder(bits)


class _InOrder(np.random.Generator):
    """Random numbers for weights and dropout that leave the order of the samples alone."""

    def shuffle(self, x: npt.ArrayLike, axis: int = 0) -> None:
        """Do nothing."""

    def __reduce__(self) -> Any:
        # The base class would come back as itself.
        return _InOrder, (self.bit_generator,)


class PicklableTrainer(Trainer):
    """A trainer that can be pickled and copied, its optimizer's state included."""

    def __getstate__(self) -> dict[str, Any]:
        # The optimizer works on views of the network, and views are pickled as copies.
        arguments = {"network": self.network, "config": self.config, "rng": self.rng}
        so_far = ("epochs_done", "initial_loss", "dropped_loss")
        return {
            "arguments": arguments,
            "so_far": {name: getattr(self, name) for name in so_far},
            "steps": getattr(self.optimizer, "steps", None),
            "state": self.optimizer.state,
            "average": self.average and (self.average.steps, self.average.others),
        }

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        Trainer.__init__(self, **pickled["arguments"])
        self.__dict__.update(pickled["so_far"])
        self.optimizer.state[:] = pickled["state"]
        if pickled["steps"] is not None:
            self.optimizer.steps = pickled["steps"]  # type: ignore[attr-defined]
        if self.average is not None:
            self.average.steps, others = pickled["average"]
            for mine, other in zip(self.average.others, others, strict=True):
                mine[:] = other
