"""The named range is right: real trainings inside it learn, and far outside they do not."""

from __future__ import annotations

import math

import pytest

from hpsearch.checks.context import CheckContext
from hpsearch.checks.rates import RateRange, learning_rates, range_verdict, sweep
from hpsearch.data import Fold, Preprocessor
from hpsearch.outcome import Outcome
from hpsearch.study_file import parse_study_file
from hpsearch.study_file.data import study_data
from hpsearch.training.jobs import train_folds
from hpsearch.training.specification import TrainingSpecification

pytestmark = pytest.mark.slow

STUDY = 'name = "s"\n[data]\nname = "{data}"\n[training]\noptimizer = "{optimizer}"\n{more}'


class Trained:
    """A data set and a study's network in the middle of its space, to be trained at any rate."""

    def __init__(self, data: str, optimizer: str, more: str) -> None:
        text = STUDY.format(data=data, optimizer=optimizer, more=more)
        study = parse_study_file(text)
        dataset, [split] = study_data(study.data, study.seed)
        space = study.search_space()
        middle = space.from_unit([0.5] * len(space.parameters))
        self.configuration = study.fixed_settings() | middle
        self.epochs, self.classes = study.training.epochs, len(dataset.classes)
        self.context = CheckContext.of(
            dataset, split, self.configuration, epochs=self.epochs, seed=0
        )
        train, validation = dataset.X[split.train], dataset.X[split.validation]
        fitted = Preprocessor.fit(train, "standardize")
        self.fold = Fold(
            fitted.transform(train),
            dataset.y[split.train],
            fitted.transform(validation),
            dataset.y[split.validation],
        )

    def at(self, rate: float) -> Outcome:
        """Train as long as the study does, with another seed than the sweep had."""
        spec = TrainingSpecification.of(
            self.configuration | {"learning_rate": rate}, epochs=self.epochs
        )
        return train_folds([self.fold], self.classes, spec, seed=3)


# Data, optimizer, more of [training]; the accuracy that the middle of the range has to reach.
CASES: dict[str, tuple[str, str, str, float]] = {
    "digits, sgd": ("digits", "sgd", "", 0.9),
    "digits, momentum": ("digits", "momentum", "", 0.9),
    "digits, adam": ("digits", "adam", "", 0.9),
    "digits, momentum, batches of 8": ("digits", "momentum", "batch_size = 8", 0.9),
    "digits, adam, 5 epochs": ("digits", "adam", "epochs = 5", 0.85),
    "digits, momentum, constant": ("digits", "momentum", 'schedule = "constant"', 0.9),
    "digits, sigmoids": ("digits", "momentum", '[model]\nactivation = "sigmoid"\ndepth = 3', 0.9),
    "digits, normalized": ("digits", "momentum", "[model]\nbatch_norm = true", 0.9),
    "iris, sgd": ("iris", "sgd", "", 0.8),
    "iris, adam": ("iris", "adam", "", 0.8),
    "iris, adagrad, 100 epochs": ("iris", "adagrad", "epochs = 100", 0.85),
    "wine, nesterov": ("wine", "nesterov", "", 0.9),
    "wine, rmsprop": ("wine", "rmsprop", "", 0.9),
    "breast_cancer, momentum": ("breast_cancer", "momentum", "", 0.9),
    "breast_cancer, adagrad": ("breast_cancer", "adagrad", "", 0.9),
    "breast_cancer, adamw": ("breast_cancer", "adamw", "", 0.9),
}


@pytest.mark.parametrize("case", CASES)
def test_the_range_is_where_trainings_of_the_study_learn(case: str) -> None:
    data, optimizer, more, accuracy = CASES[case]
    trained = Trained(data, optimizer, more)
    found = sweep(trained.context)
    assert found is not None
    assert found.explodes is not None
    assert found.low < found.high < found.explodes
    guessing = trained.context.guessing
    # The middle learns well, the low end something at least, a thousandth of it nothing.
    assert trained.at(math.sqrt(found.low * found.high)).score >= accuracy
    assert trained.at(found.low).losses[-1] < 0.8 * guessing
    assert trained.at(found.low / 1000).losses[-1] > 0.95 * guessing
    # Ten times what explodes is stopped as diverged, and so counts with chance.
    assert not trained.at(10 * found.explodes).complete


def test_a_slow_rate_is_judged_by_the_study_not_by_the_sweep() -> None:
    """The same sweep, but a study that trains twenty times as long learns at lower rates."""
    short, long = (sweep(Trained("digits", "momentum", f"epochs = {n}").context) for n in (5, 100))
    assert short is not None
    assert long is not None
    assert (short.high, short.explodes) == (long.high, long.explodes)
    assert short.low / long.low == pytest.approx(20, rel=0.05)
    slow = Trained("digits", "momentum", "epochs = 100").at(2 * long.low)
    assert slow.score > 0.8
    assert range_verdict(2 * long.low, 2 * long.low, long)[0] == "pass"
    assert range_verdict(2 * long.low, 2 * long.low, short)[0] == "fail"


FOUND = RateRange(low=1e-3, high=0.1, best=0.05, explodes=0.3)

VERDICTS = {
    "the same": (1e-3, 0.1, "pass", "fits"),
    "wider on both sides": (1e-5, 10.0, "pass", "fits"),
    "within": (5e-3, 2e-2, "pass", "fits"),
    "half of it": (1e-4, 0.01, "pass", "fits"),
    "a corner below": (1e-6, 2e-3, "warn", "mostly below"),
    "a corner above": (0.05, 50.0, "warn", "mostly above"),
    "just below": (1e-4, 5e-4, "warn", "lies below"),
    "far below": (1e-5, 1e-4, "fail", "lies below"),
    "far above": (1.0, 10.0, "fail", "lies above"),
    "one rate within": (0.01, 0.01, "pass", "fits"),
    "one rate just above": (0.2, 0.2, "warn", "lies above"),
    "one rate far above": (1.0, 1.0, "fail", "lies above"),
}


@pytest.mark.parametrize(
    ("low", "high", "verdict", "words"), VERDICTS.values(), ids=VERDICTS.keys()
)
def test_two_ranges_are_compared_in_the_logarithm(
    low: float, high: float, verdict: str, words: str
) -> None:
    got, sentence = range_verdict(low, high, FOUND)
    assert (got, words in sentence) == (verdict, True), sentence


def test_a_plateau_is_left_by_a_longer_sweep() -> None:
    """Small weights in three layers: nothing moves in 30 steps of momentum, and much in 300."""
    model = 'epochs = 200\n[model]\ninitializer = "small-random"\ndepth = 3'
    trained = Trained("digits", "momentum", model)
    assert sweep(trained.context) is None
    found = sweep(trained.context, longer=10)
    assert found is not None
    assert trained.at(math.sqrt(found.low * found.high)).score > 0.9


def test_a_study_much_longer_than_any_sweep_may_yet_leave_its_plateau() -> None:
    """SGD finds nothing in 300 steps, but there are 18 times as many; else, all is in vain."""
    model = '[model]\ninitializer = "small-random"\ndepth = 3'
    long = Trained("digits", "sgd", f"epochs = 300\n{model}").context
    check = learning_rates(long, None)
    assert check.verdict == "warn"
    assert "the study's 5,400 may do" in check.advice
    short = Trained("digits", "sgd", model).context
    assert learning_rates(short, None).verdict == "fail"
    assert learning_rates(long, None, patient=False).verdict == "fail"
