"""Optuna's TPE with its Hyperband pruner beside the strategies of `hpsearch compare`.

After the comparison of a study file each of its repeats has two searches more, on the same data
divided alike, with the same trainer and budget. tpe-hyperband trains one configuration after the
other, tells Optuna the validation accuracy of each epoch and stops where its pruner says so; what
that saves pays for further trainings. A training that was stopped counts with chance, as everywhere
in a comparison. tpe-hyperband names its best single score; tpe-hyperband+ leaves the race its share
of the budget, as all others do.

    python benchmarks/hyperband.py studies/compare-digits.toml
    python benchmarks/hyperband.py studies/compare-fashion-mnist.toml --repeats 2

The first table has grid search as its reference, the second tpe-hyperband+.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count, takewhile
from statistics import fmean

import numpy as np
from threadpoolctl import threadpool_limits

from hpsearch.cli.compare import comparison_story
from hpsearch.cli.console import DEFAULT_STORAGE, output, tell
from hpsearch.compare.plan import plan_comparison
from hpsearch.compare.progress import make_progress
from hpsearch.compare.result import StrategyRuns
from hpsearch.compare.run import Progressed, compare_study
from hpsearch.data import DataHandle, write_store
from hpsearch.engine.cost import DataShape, Spending, training_flops
from hpsearch.engine.executors.processes import available_cores
from hpsearch.engine.jobs import ATTEMPTS
from hpsearch.engine.processes import scratch_folder
from hpsearch.nn.scores import accuracy
from hpsearch.outcome import Outcome
from hpsearch.search import Result, Slot, Winner, make_strategy
from hpsearch.search.base import slot_seed
from hpsearch.search.distributions import suggest
from hpsearch.search.optuna_strategies import quiet_optuna
from hpsearch.search.race import RacedSearch
from hpsearch.study_file import StudyFile, load_study_file
from hpsearch.study_file.data import study_data
from hpsearch.training.jobs import OnEpoch, RefitJob, refit_job, train_folds
from hpsearch.training.specification import TrainingSpecification

NAME = "tpe-hyperband"


@dataclass(frozen=True)
class Trial:
    """A training: its slot, what came of it, and the floating-point operations that it took."""

    slot: Slot
    result: Outcome
    cost: float


@dataclass(frozen=True)
class Found:
    """What a search came to: its trainings, its winner, and that one's accuracy after a refit."""

    trials: Sequence[Trial]
    winner: Winner
    refit: float


@dataclass
class Trainer:
    """Trains what one search asks for.

    Args:
        study: with the seed of the repeat.
        data: its data, divided.
        shape: of these.
        trials: what was trained so far.
    """

    study: StudyFile
    data: DataHandle
    shape: DataShape
    trials: list[Trial] = field(default_factory=list)

    def train(self, slot: Slot, on_epoch: OnEpoch | None = None) -> Outcome:
        """As a worker of a comparison does, with somebody who watches the epochs."""
        settings = self.study.configuration(slot.configuration)
        spec = TrainingSpecification.of(settings, epochs=slot.epochs)
        kind, variance, data = spec.preprocessing, spec.variance, self.data
        result = train_folds(
            (data.fold(k, kind, variance=variance) for k in range(data.n_folds)),
            data.n_classes,
            spec,
            seed=slot.seed,
            on_epoch=on_epoch,
            test=lambda k: data.test(k, kind, variance=variance),
        )
        # Where it diverged, the epoch in which it did has cost something too.
        epochs = len(result.curve) + (not result.complete and result.why_stopped != "stopped")
        done = replace(slot, epochs=min(epochs, slot.epochs))
        self.trials.append(Trial(slot, result, self.cost(done)))
        return result

    def cost(self, slot: Slot) -> float:
        """The floating-point operations of a slot that trains to its end."""
        settings = self.study.configuration(slot.configuration)
        return training_flops(settings, self.shape, epochs=slot.epochs)

    def results(self) -> list[Result]:
        """As a strategy sees them."""
        return [Result(t.slot, t.result.score, complete=t.result.complete) for t in self.trials]

    def refit(self, winner: Winner) -> float:
        """Test accuracy of the winner trained on training and validation part together."""
        settings = self.study.configuration(winner.configuration)
        for attempt in range(ATTEMPTS):
            seed = slot_seed(self.study.seed, 2**31, attempt)
            refit = refit_job(RefitJob(self.data, settings, seed, winner.epochs))
            if not refit.diverged:
                break
        _, y, _ = self.data.test(0, "none", variance=1.0)
        return accuracy(refit.predictions, y)


def search(trainer: Trainer, amount: float, race: int = 0, reserved: float = 0.0) -> Found:
    """One search with Hyperband, and with a race if that has trainings.

    Args:
        trainer: trains.
        amount: the floating-point operations that all may take.
        race: the most trainings of the race.
        reserved: the share of the amount that the search leaves to it.
    """
    study, limit = trainer.study, (1 - reserved) * amount
    spending = Spending(limit, trainer.cost, ())
    saved = hyperband(trainer, spending, limit)
    plan = make_strategy(
        "tpe",
        study.search_space(),
        trials=len(trainer.trials) + race,
        epochs=study.training.epochs,
        seed=study.seed,
        race=race,
        contenders=study.search.contenders,
    )
    spending.raise_to(amount + saved)
    winner = plan.winner(run_race(trainer, spending, plan))
    return Found(trainer.trials, winner, trainer.refit(winner))


def hyperband(trainer: Trainer, spending: Spending, limit: float) -> float:
    """Train what TPE proposes for as long as the pruner wants, until the limit is reached.

    Returns:
        What the pruner has saved, which was spent again.
    """
    import optuna
    from optuna.trial import TrialState

    study, saved = trainer.study, 0.0
    epochs, space = study.training.epochs, study.search_space()
    asked = optuna.create_study(
        study_name=f"{NAME}/{study.seed}",  # by which the pruner divides trials among its brackets
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=study.seed),
        pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs),
    )
    for index in count():
        if spending.over:
            break
        trial = asked.ask()
        seed = slot_seed(study.seed, 0, index)
        slot = Slot(0, index, suggest(trial, space), seed, epochs)
        if not spending.admit(slot):
            asked.tell(trial, state=TrialState.FAIL)
            continue

        def stops(epoch: int, accuracy: float, trial: optuna.Trial = trial) -> bool:
            trial.report(accuracy, epoch)
            return epoch < epochs and trial.should_prune()

        result = trainer.train(slot, stops)
        if result.complete:
            asked.tell(trial, result.score)
        else:
            asked.tell(trial, state=TrialState.PRUNED)
        if result.why_stopped == "stopped":
            saved += trainer.cost(slot) - trainer.trials[-1].cost
            spending.raise_to(limit + saved)
    return saved


def run_race(trainer: Trainer, spending: Spending, plan: RacedSearch) -> list[Result]:
    """Train the rounds of a race as far as the budget pays for whole seeds; all results."""
    while (stage := plan.next_stage(trainer.results())) is not None:
        paid = list(takewhile(spending.admit, map(stage.slot, range(stage.slots))))
        cut = len(paid) < stage.slots
        for slot in paid[: len(paid) // stage.abreast * stage.abreast] if cut else paid:
            trainer.train(slot)
        if cut:
            break
    return trainer.results()


def repeat_of(job: tuple[StudyFile, int]) -> dict[str, Found]:
    """The searches of one repeat of a comparison, by name."""
    file, repeat = job
    study = file.model_copy(update={"seed": file.seed + repeat})
    dataset, splits = study_data(study.data, study.seed)
    shape = DataShape.of(dataset, splits)
    plan = plan_comparison(file, shape)
    with threadpool_limits(1), quiet_optuna(), scratch_folder() as folder:
        data = write_store(folder, dataset, splits)
        found = {NAME: search(Trainer(study, data, shape), plan.amount)}
        if plan.race:
            trainer = Trainer(study, data, shape)
            found[f"{NAME}+"] = search(trainer, plan.amount, plan.race, plan.reserved)
    return found


def runs_of(name: str, found: Sequence[Found]) -> StrategyRuns:
    """The repeats of a search as a comparison has them."""
    scores = [np.array([(t.result.score, t.result.test_score) for t in f.trials]) for f in found]
    slots = [tuple(t.slot for t in f.trials) for f in found]
    named = [
        [slot.place in f.winner.slots for slot in s] for f, s in zip(found, slots, strict=True)
    ]
    return StrategyRuns(
        name,
        tuple(
            make_progress(
                [t.cost for t in f.trials], *s.T, epochs=[t.slot.epochs for t in f.trials]
            )
            for f, s in zip(found, scores, strict=True)
        ),
        trials=np.array([len(f.trials) for f in found]),
        stopped=np.array([sum(not t.result.complete for t in f.trials) for f in found]),
        validation=np.array([f.winner.mean for f in found]),
        test=np.array([fmean(s[those, 1]) for s, those in zip(scores, named, strict=True)]),
        refit=np.array([f.refit for f in found]),
        scores=tuple(scores),
        slots=tuple(slots),
        raced=any(slot.stage for s in slots for slot in s),
    )


def main() -> None:
    """Compare, search with Hyperband, and print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("study", help="a study file whose comparison counts operations")
    parser.add_argument("--repeats", type=int, help="instead of the file's number")
    parser.add_argument("--storage", default=DEFAULT_STORAGE, help="has the comparison, or gets it")
    options = parser.parse_args()
    file = load_study_file(options.study)
    if file.compare.budget != "flops":
        parser.error(f"the budget of {file.name} is in {file.compare.budget}; make it flops")
    if options.repeats:
        section = file.compare.model_copy(update={"repeats": options.repeats})
        file = file.model_copy(update={"compare": section})

    def show(at: Progressed) -> None:
        if at.summary is None:
            tell(f"repeat {at.repeat + 1}, {at.strategy}: search {at.done + 1} of {at.studies}")

    comparison = compare_study(file, storage=options.storage, on_progress=show)
    tell(f"{NAME}: {comparison.repeats} repeats")
    with ProcessPoolExecutor(available_cores()) as pool:
        jobs = [(file, repeat) for repeat in range(comparison.repeats)]
        repeats = list(pool.map(repeat_of, jobs))
    others = {name: runs_of(name, [found[name] for found in repeats]) for name in repeats[0]}
    against_grid = replace(comparison, runs={**comparison.runs, **others})
    searched = {name: runs for name, runs in comparison.runs.items() if name != "grid"}
    against_hyperband = replace(comparison, runs={**dict(reversed(others.items())), **searched})
    for table in (against_grid, against_hyperband):
        output().print(*comparison_story([table]), sep="\n")


if __name__ == "__main__":
    main()
