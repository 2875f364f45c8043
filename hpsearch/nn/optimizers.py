"""Update rules, each working on the flat vectors of parameters and gradients.

A step walks the vectors in chunks that fit in the processor's second-level cache with all their
state, so that the several passes of a rule over a chunk cost one trip to memory. Scalars are 0-d
arrays of the network's dtype, and constant factors are moved out of the running means, so that a
rule needs as few passes as possible; each class says which textbook formula it equals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np

from hpsearch.nn.arrays import CHUNK, Array, scalar

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSProp",
]


class _Constants(Protocol):
    """What the rules read of a `TrainingConfig`, which needs to know their names."""

    @property
    def momentum(self) -> float: ...
    @property
    def beta2(self) -> float: ...
    @property
    def rms_decay(self) -> float: ...
    @property
    def epsilon(self) -> float: ...
    @property
    def l2(self) -> float: ...


class Optimizer:
    """What all update rules share: chunked views of the vectors, and weight decay.

    Args:
        parameters: all parameters (n,), changed by `step`.
        gradients: the gradient of the mean data loss (n,), overwritten by `step`. For a rule that
            is ``linear``, the learning rate times that gradient.
        weights: the slices of the vectors that weight decay applies to, in order.
        config: learning rate aside, the constants of the rule.
    """

    linear: ClassVar[bool] = False
    """The step is proportional to the gradients, so that the caller folds the rate into them."""
    n_states: ClassVar[int] = 0
    """Vectors of state, each as long as the parameters; they begin at zero."""
    l2_in_loss: ClassVar[bool] = True
    """Weight decay is the gradient of a term of the loss."""
    slowing: ClassVar[bool] = False
    """Steps shrink with the root of their number, at the same rate."""

    def __init__(
        self, parameters: Array, gradients: Array, weights: Sequence[slice], config: _Constants
    ) -> None:
        n, dtype = len(parameters), parameters.dtype
        self.config = config
        self.decay = scalar(0.0, dtype)
        self.state = np.zeros((self.n_states, n), dtype)
        scratch = np.empty(min(n, CHUNK), dtype)
        self.chunks: list[tuple[list[tuple[Array, Array, Array]], tuple[Array, ...]]] = []
        for start in range(0, n, CHUNK):
            stop = min(start + CHUNK, n)
            decayed = []
            for part in weights if config.l2 > 0 else ():
                a, b = max(part.start, start), min(part.stop, stop)
                if a < b:
                    decayed.append((parameters[a:b], gradients[a:b], scratch[: b - a]))
            views = (
                parameters[start:stop],
                gradients[start:stop],
                scratch[: stop - start],
                *(state[start:stop] for state in self.state),
            )
            self.chunks.append((decayed, views))
        self._begin()

    def _begin(self) -> None:
        """Prepare what the rule needs beside its state."""

    def step(self, rate: float) -> None:
        """Change the parameters by one step.

        Args:
            rate: the learning rate of this step.
        """
        self._prepare(rate)
        for decayed, views in self.chunks:
            for w, g, scratch in decayed:
                self._shrink(w, g, scratch)
            self._update(*views)

    def _prepare(self, rate: float) -> None:
        """Set the scalars of this step."""
        # The gradient of l2/2 w^2 is l2 w, times the rate where the gradients carry the rate.
        self.decay[()] = self.config.l2 * (rate if self.linear else 1.0)

    def _shrink(self, w: Array, g: Array, scratch: Array, /) -> None:
        """Add the gradient of the L2 term to a part of the gradients that holds weights only."""
        np.multiply(w, self.decay, scratch)
        np.add(g, scratch, g)

    def _update(self, w: Array, g: Array, scratch: Array, /, *state: Array) -> None:
        """Apply the rule to one chunk."""
        raise NotImplementedError


class SGD(Optimizer):
    """w <- w - rate g."""

    linear = True

    def _update(self, w: Array, g: Array, _scratch: Array, /, *_state: Array) -> None:
        np.subtract(w, g, w)


class Momentum(Optimizer):
    """v <- momentum v - rate g; w <- w + v (Polyak, 1964)."""

    linear = True
    n_states = 1

    def _begin(self) -> None:
        self.momentum = scalar(self.config.momentum, self.state.dtype)

    def _update(self, w: Array, g: Array, _scratch: Array, /, *state: Array) -> None:
        (v,) = state
        np.multiply(v, self.momentum, v)
        np.subtract(v, g, v)
        np.add(w, v, w)


class Nesterov(Momentum):
    """v <- momentum v - rate g; w <- w + momentum v - rate g.

    Nesterov's momentum in the form of Sutskever et al. (2013) with the parameters kept at the point
    that looks ahead, as scikit-learn and torch have it.
    """

    def _update(self, w: Array, g: Array, scratch: Array, /, *state: Array) -> None:
        (v,) = state
        np.multiply(v, self.momentum, v)
        np.subtract(v, g, v)
        np.subtract(w, g, w)
        np.multiply(v, self.momentum, scratch)
        np.add(w, scratch, w)


class AdaGrad(Optimizer):
    """s <- s + g^2; w <- w - rate g/(sqrt(s) + epsilon) (Duchi et al., 2011)."""

    n_states = 1
    slowing = True

    def _begin(self) -> None:
        self.epsilon = scalar(self.config.epsilon, self.state.dtype)
        self.rate = scalar(0.0, self.state.dtype)

    def _prepare(self, rate: float) -> None:
        super()._prepare(rate)
        self.rate[()] = rate

    def _update(self, w: Array, g: Array, scratch: Array, /, *state: Array) -> None:
        (s,) = state
        np.multiply(g, g, scratch)
        np.add(s, scratch, s)
        np.sqrt(s, scratch)
        np.add(scratch, self.epsilon, scratch)
        np.divide(g, scratch, scratch)
        np.multiply(scratch, self.rate, scratch)
        np.subtract(w, scratch, w)


class RMSProp(AdaGrad):
    """s <- d s + (1-d) g^2; w <- w - rate g/(sqrt(s) + epsilon) (Tieleman and Hinton, 2012).

    The state here is s/(1-d), which saves a pass; rate and epsilon take the factor instead.
    """

    slowing = False

    def _begin(self) -> None:
        super()._begin()
        self.rms_decay = scalar(self.config.rms_decay, self.state.dtype)
        self.root = math.sqrt(1.0 - self.config.rms_decay)
        self.epsilon[()] = self.config.epsilon / self.root

    def _prepare(self, rate: float) -> None:
        super()._prepare(rate)
        self.rate[()] = rate / self.root

    def _update(self, w: Array, g: Array, scratch: Array, /, *state: Array) -> None:
        np.multiply(state[0], self.rms_decay, state[0])
        super()._update(w, g, scratch, *state)


class Adam(Optimizer):
    """m <- b1 m + (1-b1) g; v <- b2 v + (1-b2) g^2; w <- w - rate_t m/(sqrt(v) + epsilon).

    rate_t = rate sqrt(1-b2^t)/(1-b1^t) after t steps: Kingma and Ba (2015) in the order of
    computation at the end of section 2, as scikit-learn has it; torch scales epsilon along with
    sqrt(v). The state here is m/(1-b1) and v/(1-b2); the factors are moved into rate and epsilon.
    """

    n_states = 2

    def _begin(self) -> None:
        config, dtype = self.config, self.state.dtype
        self.beta1, self.beta2 = scalar(config.momentum, dtype), scalar(config.beta2, dtype)
        self.epsilon = scalar(config.epsilon / math.sqrt(1.0 - config.beta2), dtype)
        self.rate = scalar(0.0, dtype)
        self.steps = 0

    def _prepare(self, rate: float) -> None:
        super()._prepare(rate)
        self.steps += 1
        b1, b2 = self.config.momentum, self.config.beta2
        root = math.sqrt((1.0 - b2**self.steps) / (1.0 - b2))
        self.rate[()] = rate * root * (1.0 - b1) / (1.0 - b1**self.steps)

    def _update(self, w: Array, g: Array, scratch: Array, /, *state: Array) -> None:
        m, v = state
        np.multiply(m, self.beta1, m)
        np.add(m, g, m)
        np.multiply(v, self.beta2, v)
        np.multiply(g, g, g)
        np.add(v, g, v)
        np.sqrt(v, scratch)
        np.add(scratch, self.epsilon, scratch)
        np.divide(m, scratch, scratch)
        np.multiply(scratch, self.rate, scratch)
        np.subtract(w, scratch, w)


class AdamW(Adam):
    """Adam with decoupled weight decay: w <- w - rate l2 w (Loshchilov and Hutter, 2019)."""

    l2_in_loss = False

    def _prepare(self, rate: float) -> None:
        super()._prepare(rate)
        self.decay[()] = 1.0 - rate * self.config.l2

    def _shrink(self, w: Array, _g: Array, _scratch: Array, /) -> None:
        np.multiply(w, self.decay, w)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
}
"""Update rules by name."""
