"""Optuna's adaptive samplers as strategies: tpe, gp and cmaes.

They look at what has finished, so their trials depend on the order in which trials finish: with one
worker a study is reproducible and resumes as if it had never stopped, with more it is not. Each
stage keeps an Optuna study of its own in memory, rebuilt from the results whenever it has to be;
the study's store is never asked, so it keeps its one writer.

What a sampler proposes that is being tried already, or was, gives way to the nearest that was not,
where draws can repeat (`near`). The sampler sees that one instead. It draws by the numbers of its
trials too, so in such a space each slot takes two of them, whether it was replaced or not: a study
that goes on with results, and does not know what had been replaced, counts as before.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hpsearch.search.base import (
    Configuration,
    Key,
    Propose,
    Result,
    configuration_key,
    slot_seed,
)
from hpsearch.search.distinct import fresh, near
from hpsearch.search.distributions import suggest
from hpsearch.space import Space

if TYPE_CHECKING:
    import optuna

__all__ = ["ADAPTIVE", "adaptive", "quiet_optuna"]

ADAPTIVE = ("tpe", "gp", "cmaes")


def adaptive(name: str, space: Space, seed: int, first: Sequence[Configuration] = ()) -> Propose:
    """What one of Optuna's samplers proposes in a stage.

    Args:
        name: "tpe" (Bergstra et al., 2011), "gp" (a Gaussian process; needs torch) or "cmaes"
            (Hansen & Ostermeier, 2001).
        space: what it proposes from.
        seed: the study's seed.
        first: what the first slots try, whatever the sampler would propose.
    """
    return _Study(name, space, seed, first).propose


class _Study:
    """An in-memory Optuna study that follows the results of a stage."""

    def __init__(
        self, sampler: str, space: Space, seed: int, first: Sequence[Configuration]
    ) -> None:
        self._sampler, self._space, self._seed, self._first = sampler, space, seed, first
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
                self._running[index] = self._proposed(index)
            return self._running[index][1]

    def _proposed(self, index: int) -> tuple[optuna.Trial, Configuration]:
        """What the sampler proposes for a slot, or what takes its place."""
        if index < len(self._first):
            return self._given(index, self._first[index])
        trial = self._ask(index)
        configuration = suggest(trial, self._space)
        if self._space.continuous:
            return trial, configuration
        tried = self._tried()
        if configuration_key(configuration) not in tried:
            self._count()
            return trial, configuration
        draw = near(self._space, configuration, self._seed, 0, index)
        other = next(fresh([(self._space, draw)], tried), configuration)
        self._fail(trial)
        return self._given(index, other, counted=True)

    def _given(
        self, index: int, configuration: Configuration, *, counted: bool = False
    ) -> tuple[optuna.Trial, Configuration]:
        """A trial of a configuration, as the sampler would have seen it had it proposed that."""
        self._study.enqueue_trial(dict(configuration))
        trial = self._ask(index)
        if self._sampler == "cmaes":
            _ = trial.relative_params  # with the draw, it notes the generation on the trial
        asked = suggest(trial, self._space)
        if not (counted or self._space.continuous):
            self._count()
        return trial, asked

    def _tried(self) -> set[Key]:
        slots = (result.slot.configuration for result in self._told)
        running = (configuration for _, configuration in self._running.values())
        return set(map(configuration_key, [*slots, *running, *self._first]))

    def _count(self) -> None:
        """Use up the number of a trial."""
        from optuna.trial import TrialState, create_trial

        self._study.add_trial(create_trial(state=TrialState.FAIL))

    def _fail(self, trial: optuna.Trial) -> None:
        from optuna.trial import TrialState

        self._study.tell(trial, state=TrialState.FAIL)

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
            trial, _ = self._given(index, result.slot.configuration)
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
