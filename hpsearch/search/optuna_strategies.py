"""Optuna's adaptive samplers as strategies: tpe, gp and cmaes.

They look at what has finished, so their trials depend on the order in which trials finish: with one
worker a study is reproducible and resumes as if it had never stopped, with more it is not. Each
stage keeps an Optuna study of its own in memory, rebuilt from the results whenever it has to be;
the study's store is never asked, so it keeps its one writer.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hpsearch.search.base import Configuration, Propose, Result, slot_seed
from hpsearch.search.distributions import suggest
from hpsearch.space import Space

if TYPE_CHECKING:
    import optuna

__all__ = ["ADAPTIVE", "adaptive", "quiet_optuna"]

ADAPTIVE = ("tpe", "gp", "cmaes")


def adaptive(name: str, space: Space, seed: int) -> Propose:
    """What one of Optuna's samplers proposes in a stage.

    Args:
        name: "tpe" (Bergstra et al., 2011), "gp" (a Gaussian process; needs torch) or "cmaes"
            (Hansen & Ostermeier, 2001).
        space: what it proposes from.
        seed: the study's seed.
    """
    return _Study(name, space, seed).propose


class _Study:
    """An in-memory Optuna study that follows the results of a stage."""

    def __init__(self, sampler: str, space: Space, seed: int) -> None:
        self._sampler, self._space, self._seed = sampler, space, seed
        with quiet_optuna():
            self._restart()

    def propose(self, index: int, finished: Sequence[Result]) -> Configuration:
        """The configuration of a slot, given the stage's results in the order of their finish."""
        with quiet_optuna():
            if list(finished[: len(self._told)]) != self._told:
                self._restart()
            for result in finished[len(self._told) :]:
                self._tell(result)
            if index not in self._running:
                trial = self._ask(index)
                self._running[index] = (trial, suggest(trial, self._space))
            return self._running[index][1]

    def _restart(self) -> None:
        import optuna

        self._study = optuna.create_study(direction="maximize")
        self._told: list[Result] = []
        self._worst: float | None = None
        self._running: dict[int, tuple[optuna.Trial, Configuration]] = {}

    def _ask(self, index: int) -> optuna.Trial:
        # A sampler with a seed of its own for each slot: a resumed study neither repeats the draws
        # of its beginning nor has to know how many of them there were.
        self._study.sampler = _make_sampler(self._sampler, slot_seed(self._seed, 0, index))
        return self._study.ask()

    def _tell(self, result: Result) -> None:
        from optuna.trial import TrialState

        index = result.slot.index
        if index in self._running:
            trial, _ = self._running.pop(index)
        else:  # a resumed study: the sampler sees the trial as it would have seen it then
            self._study.enqueue_trial(dict(result.slot.configuration))
            trial = self._ask(index)
            if self._sampler == "cmaes":
                _ = trial.relative_params  # with the draw, it notes the generation on the trial
            suggest(trial, self._space)
        if result.complete:
            self._worst = min(result.score, result.score if self._worst is None else self._worst)
            self._study.tell(trial, result.score)
        elif self._worst is not None:
            # Samplers other than TPE ignore pruned trials: as bad as the worst, so that they learn.
            self._study.tell(trial, self._worst)
        else:
            self._study.tell(trial, state=TrialState.PRUNED)
        self._told.append(result)


def _make_sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    import optuna

    if name == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    if name == "gp":
        return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False)
    # Optuna draws this sampler's seeds for 31 bits.
    return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without Optuna's log lines and warnings about studies and samplers that only we use."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
