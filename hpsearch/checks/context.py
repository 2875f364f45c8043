"""What the checks of a network look at: some training rows, prepared, and what is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hpsearch.data import Dataset, Preprocessor, Split
from hpsearch.data.target import Scale
from hpsearch.nn import LOSSES, Network
from hpsearch.nn.arrays import Targets
from hpsearch.nn.losses import Loss
from hpsearch.space import Value
from hpsearch.training.specification import TrainingSpecification

__all__ = ["CheckContext"]

ROWS = 2000
"""Training rows that are looked at: the mean loss of so many is known to a few hundredths."""

CELLS = 4_000_000
"""Fewer rows are taken where they are wide, so that a check stays a matter of a second."""

LEAST_ROWS = 200


@dataclass(frozen=True, eq=False)
class CheckContext:
    """Rows of the training part as a network sees them, and the training to be checked on them.

    Attributes:
        X: prepared samples (n, d), float32, C-contiguous.
        y: class codes (n,), or a standardized quantity (n, 1).
        n_classes: number of classes in the whole data set; 0 for a quantity.
        total: rows of the training part, of which these n were drawn.
        spec: preprocessing, network and training.
        seed: of weights, samples and directions.
    """

    X: NDArray[np.float32]
    y: Targets
    n_classes: int
    total: int
    spec: TrainingSpecification
    seed: int

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        split: Split,
        configuration: Mapping[str, Value],
        *,
        epochs: int,
        seed: int,
    ) -> CheckContext:
        """Draw at most 2,000 training rows and prepare them; the preprocessing is fitted on them.

        Args:
            dataset: what to learn from.
            split: its parts; only the training part is looked at.
            configuration: preprocessing, network and training; see `TrainingSpecification.of`.
            epochs: of a full training.
            seed: draws the rows.

        Raises:
            DataError: the preprocessing has nothing to work on.
            UsageError, UnknownNameError: the configuration makes no sense.
        """
        spec = TrainingSpecification.of(configuration, epochs=epochs).learning(dataset.task)
        rng = np.random.default_rng([seed, 0])
        most = min(ROWS, max(LEAST_ROWS, CELLS // dataset.X.shape[1]))
        rows = rng.permutation(split.train)[:most]  # and so the first few are a sample too
        _, prepared = Preprocessor.fit_transform(
            dataset.X[rows],
            spec.preprocessing,
            categories=dataset.nominal,
            y=dataset.y[rows],
            variance=spec.variance,
        )
        y = dataset.y[rows]
        return cls(
            prepared,
            y if dataset.classes else Scale.of(y).standardized(y),
            len(dataset.classes),
            len(split.train),
            spec,
            seed,
        )

    @property
    def looked_at(self) -> str:
        """How much was looked at, for `Check.found`; empty where it was everything."""
        return "" if len(self.y) == self.total else f" ({len(self.y):,} of {self.total:,} rows)"

    def with_network(self, **changes: object) -> CheckContext:
        """The same rows, some settings of the network changed, as `NetworkConfig` names them."""
        network = replace(self.spec.network, **changes)  # type: ignore[arg-type]
        return replace(self, spec=replace(self.spec, network=network))

    def network(self, dtype: DTypeLike = np.float32) -> Network:
        """A fresh network; always the same one."""
        rng = np.random.default_rng([self.seed, 1])
        shape = self.X.shape[1], self.n_classes or 1
        return Network(*shape, self.spec.network, rng=rng, dtype=dtype)

    def loss(self, network: Network, rows: slice | NDArray[np.int64] = slice(None)) -> float:
        """Mean data loss of a network on some of the rows, in prediction mode."""
        with np.errstate(all="ignore"):
            return network.loss.mean(network.predict_outputs(self.X[rows]), self.y[rows])

    @property
    def chance(self) -> float:
        """The loss of a network that knows nothing."""
        return self._loss.chance(self.n_classes or 1)

    @property
    def guessing(self) -> float:
        """The loss of one that knows nothing but how the target is distributed."""
        return self._loss.guessing(self.y)

    @property
    def _loss(self) -> type[Loss]:
        return LOSSES[self.spec.network.loss]
