"""What made-up trainings say, as recommendations."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hpsearch.advice import Change, Evidence, Recommendation, advise, next_study, urgent
from hpsearch.engine.summary import TrialRow
from hpsearch.search.base import Slot
from hpsearch.study_file import StudyFile, parse_study_file
from hpsearch.training.diagnosis import Finding

STUDY = """
name = "s"
[data]
name = "digits"
[model]
depth = 2
width = 32
[training]
epochs = 20
l2 = { low = 1e-6, high = 1e-1, log = true }
decay = 0.01
[search]
trials = 40
"""
LOW, HIGH, DEAD = "learning rate too low", "learning rate too high", "dead ReLUs"


def study(**changes: str) -> StudyFile:
    text = STUDY
    for section, line in changes.items():
        text = text.replace(f"[{section}]\n", f"[{section}]\n{line}\n")
    return parse_study_file(text)


def trained(
    index: int,
    rate: float,
    score: float,
    *names: str,
    fault: bool = True,
    epochs: int = 20,
    best: int = 15,
    complete: bool = True,
    stage: int = 0,
    **more: Any,
) -> TrialRow:
    findings = tuple(Finding(name, "as seen", fault) for name in names)  # type: ignore[arg-type]
    slot = Slot(stage, index, {"learning_rate": rate, "l2": 1e-4, **more}, index, epochs)
    return TrialRow(
        number=100 * stage + index,
        state="complete" if complete else "pruned",
        stage=None,
        slot=slot,
        score=score,
        epochs=epochs,
        seconds=1.0,
        why="",
        configuration=slot.configuration,
        findings=findings,
        best_epoch=best,
    )


def advice(
    trainings: Sequence[TrialRow], file: StudyFile | None = None
) -> tuple[Recommendation, ...]:
    return advise(Evidence(file or study(), tuple(trainings), 200))


def changed(recommendations: Sequence[Recommendation]) -> dict[str, Any]:
    return {change.key: change.value for r in recommendations for change in r.changes}


def many(make: Callable[[int, float], TrialRow], n: int = 24) -> list[TrialRow]:
    """Trainings over the whole range of rates, which says nothing of itself."""
    rng = np.random.default_rng(0)
    return [
        make(i, float(rate)) for i, rate in enumerate(rng.permutation(np.geomspace(1e-4, 1, n)))
    ]


def test_without_a_training_there_is_nothing_to_say() -> None:
    [recommendation] = advice([])
    assert (recommendation.changes, "nothing to say" in recommendation.sentence) == ((), True)


def test_what_failed_is_told_first() -> None:
    reasons = ("ValueError: a", "exit code 1", "ValueError: a")
    [only] = advise(Evidence(study(), (), 200, failed=reasons))
    assert only.sentence.startswith("All 3 trials failed, most often with: ValueError: a. ")
    first, *_ = advise(Evidence(study(), (trained(0, 0.1, 0.9),), 200, failed=reasons[:1]))
    assert first.sentence.startswith("1 of 2 trials failed, with: ValueError: a. ")
    assert urgent([first]) == [first]
    [only] = advise(Evidence(study(), (), 200, failed=("\x1b[31m" + "x" * 5000,)))
    assert only.sentence.startswith("The only trial failed, with: \\x1b[31mxxx")
    assert len(only.sentence) < 400


def test_a_fault_of_a_few_trainings_is_not_the_study_s() -> None:
    mostly = many(lambda i, r: trained(i, r, 0.9, *(["overfitting"] if i < 3 else [])))
    assert not any(r.topic == "overfitting" for r in advice(mostly))
    half = many(lambda i, r: trained(i, r, 0.9, *(["overfitting"] if i < 12 else [])))
    [recommendation] = [r for r in advice(half) if r.topic == "overfitting"]
    assert recommendation.sentence.startswith("12 of 24 trainings: overfitting (as seen).")
    assert [change.key for change in recommendation.changes] == ["dropout"], (
        "l2 is searched already"
    )


def test_it_says_how_much_each_parameter_explains() -> None:
    rng = np.random.default_rng(1)

    def score(index: int, rate: float) -> TrialRow:
        row = trained(index, rate, 0.9 - 0.05 * (np.log10(rate) + 2) ** 2)
        configuration = {"learning_rate": rate, "l2": 10.0 ** rng.uniform(-6, -1)}
        assert row.slot is not None
        return replace(row, slot=replace(row.slot, configuration=configuration))

    trainings = many(score, 40)
    [told] = [r for r in advice(trainings) if r.topic == "parameters"]
    assert not told.changes
    found = re.search(r"model of 40 results .* explains: learning_rate (\d+)%, l2 ", told.sentence)
    assert found is not None
    assert int(found[1]) > 80
    assert not any(r.topic == "parameters" for r in advice(trainings[:9]))


def test_hints_are_no_faults_of_the_study() -> None:
    hinted = many(lambda i, r: trained(i, r, 0.9, "plateau", fault=False))
    assert not any(r.topic == "plateau" for r in advice(hinted))


@pytest.mark.parametrize(
    ("name", "tables", "expected"),
    [
        ("inputs not scaled", {"data": 'preprocessing = "none"'}, {"preprocessing": "standardize"}),
        (
            "inputs not scaled",
            {"data": 'preprocessing = { choices = ["none", "pca", "whiten"] }'},
            {"preprocessing": {"choices": ["pca", "whiten"]}},
        ),
        ("vanishing gradients", {"model": 'initializer = "zeros"'}, {"initializer": "he"}),
        (
            "vanishing gradients",
            {"model": 'activation = "sigmoid"\ninitializer = "xavier"'},
            {"activation": "relu", "initializer": "he"},
        ),
        (
            "vanishing gradients",
            {"model": 'activation = { choices = ["sigmoid", "tanh"] }'},
            {"activation": "tanh"},
        ),
        (
            "vanishing gradients",
            {"model": 'activation = "sigmoid"\ninitializer = { choices = ["xavier", "zeros"] }'},
            {"activation": "relu", "initializer": "he"},
        ),
        ("exploding gradients", {"model": 'initializer = "large-random"'}, {"initializer": "he"}),
        (DEAD, {"model": "bias = -5.0"}, {"bias": 0.0}),
    ],
)
def test_what_cannot_learn_is_repaired_before_anything_else(
    name: str, tables: dict[str, str], expected: dict[str, Any]
) -> None:
    file = study(**tables)
    recommendations = advice(many(lambda i, r: trained(i, r, 0.1, name, LOW)), file)
    assert changed(recommendations) == expected
    assert [r.topic for r in recommendations] == [name], "its other numbers mean little"
    assert recommendations[0].repair
    assert next_study(file, recommendations[0].changes)[0].settings() != file.settings()


def test_l2_that_is_too_high_is_searched_lower() -> None:
    crushed = many(lambda i, r: trained(i, r, 0.1, *(["l2 too high"] if i < 12 else []), l2=0.5))
    assert changed(advice(crushed))["l2"] == {"low": 5e-7, "high": 0.05, "log": True}


def test_rates_that_are_all_too_low_move_up_and_too_high_ones_down() -> None:
    low = [trained(i, r, 0.1, LOW) for i, r in enumerate(np.geomspace(1e-6, 1e-4, 10).tolist())]
    file = study(training="learning_rate = { low = 1e-6, high = 1e-4, log = true }")
    assert changed(advice(low, file))["learning_rate"] == {"low": 1e-4, "high": 0.1, "log": True}
    high = [
        trained(i, r, 0.1, HIGH, complete=False)
        for i, r in enumerate(np.geomspace(1, 100, 10).tolist())
    ]
    assert changed(advice(high))["learning_rate"] == {"low": 1e-3, "high": 1.0, "log": True}


def test_where_the_best_training_is_healthy_the_range_is_only_cut() -> None:
    mostly = many(lambda i, r: trained(i, r, 0.1 if r < 0.1 else 0.9, *([LOW] if r < 0.1 else [])))
    recommendations = advice(mostly)
    assert not any(r.repair for r in recommendations)
    assert 0.05 < changed(recommendations)["learning_rate"]["low"] < 0.1
    assert changed(recommendations)["learning_rate"]["high"] == 1.0


def test_a_configuration_that_raced_counts_once_in_the_ranges() -> None:
    rng = np.random.default_rng(0)
    search = many(lambda i, r: trained(i, r, float(rng.uniform(0.7, 0.9)), width=16 + i))
    again: dict[str, Any] = {"rate": search[0].configuration["learning_rate"], "width": 16}
    race = [trained(i, stage=1, score=0.99, **again) for i in range(20)]
    widths = parse_study_file(STUDY.replace("width = 32", "width = { low = 16, high = 64 }"))
    without, with_race = (
        changed(advise(Evidence(widths, trainings, 200))).get("width")
        for trainings in (tuple(search), (*search, *race))
    )
    assert without == with_race


def test_useless_rates_at_both_ends_are_cut_off() -> None:
    def make(i: int, rate: float) -> TrialRow:
        name = LOW if rate < 1e-3 else HIGH if rate > 0.2 else None
        return trained(i, rate, 0.9 - abs(np.log10(rate / 0.02)) / 10, *([name] if name else []))

    recommendations = advice(many(make))
    [recommendation] = [r for r in recommendations if "search between" in r.sentence]
    [change] = recommendation.changes
    assert (change.section, change.key) == ("training", "learning_rate")
    assert 5e-4 < change.value["low"] < 1e-3
    assert 0.2 < change.value["high"] < 0.4
    assert [e.key for p in recommendations for e in p.changes].count("learning_rate") == 1


def test_a_best_rate_that_touches_the_diverging_ones_is_told() -> None:
    def make(i: int, rate: float) -> TrialRow:
        return trained(i, rate, rate if rate < 0.3 else 0.1, complete=rate < 0.3)

    said = [r.sentence for r in advice(many(make))]
    assert any("touches those that diverge" in sentence for sentence in said)
    far = many(lambda i, r: trained(i, r, 0.9 if abs(r - 0.003) < 0.001 else 0.5, complete=r < 0.3))
    assert not any("touches" in r.sentence for r in advice(far))


@pytest.mark.parametrize(
    ("best", "hints", "expected"),
    [
        (20, ["still improving"], {"epochs": 40}),
        (20, [], {}),  # at the end, as with any schedule that decays
        (15, [], {}),
        (6, [], {"epochs": 8}),
    ],
)
def test_epochs(best: int, hints: list[str], expected: dict[str, Any]) -> None:
    recommendations = advice(many(lambda i, r: trained(i, r, 0.9, *hints, fault=False, best=best)))
    assert {k: v for k, v in changed(recommendations).items() if k == "epochs"} == expected


def test_more_trials_where_the_best_still_grows_with_their_number() -> None:
    rng = np.random.default_rng(0)
    wild = many(lambda i, r: trained(i, r, float(rng.uniform(0.5, 0.99))), 8)
    assert changed(advice(wild))["trials"] == 80
    tame = many(lambda i, r: trained(i, r, float(0.9 + rng.uniform(0, 1e-3))))
    assert "trials" not in changed(advice(tame))


def test_how_much_of_the_variance_is_the_seed_s() -> None:
    rng = np.random.default_rng(0)

    def said(between: float, within: float) -> str:
        again = [
            trained(10 * i + j, 10.0 ** -(i % 3), 0.8 + between * i + within * float(rng.normal()))
            for i in range(6)
            for j in range(5)
            for _ in [0]
        ]
        same = [
            trained(n, 0.1, one.known_score, l2=10.0 ** -(n // 5)) for n, one in enumerate(again)
        ]
        [recommendation] = [r for r in advice(same) if r.topic == "seeds"]
        return recommendation.sentence

    assert "the race over seeds decides" in said(0.0, 0.01)
    assert "configurations' own" in said(0.02, 0.001)


class TestEveryRowRight:
    def test_there_is_nothing_to_gain_and_something_to_look_at(self) -> None:
        recommendations = advice(
            many(lambda i, r: trained(i, r, 1.0 if i % 2 else 0.7, *[LOW] * (i > 9)))
        )
        assert [r.topic for r in recommendations] == ["nothing to gain"]
        [recommendation] = recommendations
        assert recommendation.sentence.startswith(
            "12 of 24 full trainings label all 200 validation rows"
        )
        assert "no column tells the label" in recommendation.sentence
        assert recommendation.changes == ()
        assert urgent(recommendations) == [recommendation]

    @pytest.mark.parametrize("word", ["more trials may", "longer", "search between", "no change"])
    def test_nobody_is_sent_on_a_search_for_more(self, word: str) -> None:
        perfect = advice(many(lambda i, r: trained(i, r, 1.0 if i < 3 else 0.5, best=20)))
        assert not any(word in r.sentence for r in perfect)
        assert changed(perfect) == {}

    def test_fewer_epochs_may_do(self) -> None:
        recommendations = advice(many(lambda i, r: trained(i, r, 1.0, best=4)))
        assert changed(recommendations) == {"epochs": 5}

    def test_a_winner_that_is_right_with_one_seed_only_is_not_perfect(self) -> None:
        trainings = many(lambda i, r: trained(i, r, 1.0 if i == 0 else 0.9))
        for winner, perfect in (((0, 1), False), ((0,), True), ((), True)):
            named = frozenset((0, index) for index in winner)
            recommendations = advise(Evidence(study(), tuple(trainings), 200, named))
            assert (recommendations[0].topic == "nothing to gain") is perfect


def test_closing_words_leave_out_mere_ranges() -> None:
    recommendations = (
        Recommendation("ranges", "narrow", (Change("training", "l2", 0.1),)),
        Recommendation("epochs", "more", (Change("training", "epochs", 40),)),
        Recommendation("seeds", "so"),
    )
    assert [r.topic for r in urgent(recommendations)] == ["epochs"]


NOTHING = "no better than always answering 'no'"


@pytest.mark.parametrize(
    "trainings",
    [
        many(lambda i, rate: trained(i, rate, 0.94)),
        many(lambda i, rate: trained(i, rate, 0.93 + 0.01 * (i % 2), best=19)),
        [trained(0, 0.01, 0.94)],
    ],
)
def test_where_nothing_was_learned_no_point_says_that_all_is_well(
    trainings: list[TrialRow],
) -> None:
    recommendations = advise(Evidence(study(), tuple(trainings), 200, reservations=(NOTHING,)))
    [recommendation] = recommendations
    assert (
        recommendation.topic,
        recommendation.repair,
        recommendation.asks,
        recommendation.changes,
    ) == (
        "nothing learned",
        True,
        True,
        (),
    )
    assert NOTHING in recommendation.sentence
    assert "[data] target" in recommendation.sentence
    assert urgent(recommendations) == [recommendation]
    assert not any("enough" in r.sentence for r in recommendations)


def test_where_nothing_was_learned_and_a_fault_is_known_both_are_said() -> None:
    trainings = many(lambda i, rate: trained(i, rate, 0.1, "inputs not scaled"))
    file = study(data='preprocessing = "none"')
    recommendations = advise(Evidence(file, tuple(trainings), 200, reservations=(NOTHING,)))
    assert [r.topic for r in recommendations] == ["nothing learned", "inputs not scaled"]
    assert changed(recommendations) == {"preprocessing": "standardize"}


def test_the_best_rate_is_that_of_the_winner() -> None:
    trainings = [
        *(trained(i, 0.01 * 1.2**i, 0.8) for i in range(8)),
        trained(8, 0.001, 0.79),
        trained(9, 0.5, 0.1, HIGH, complete=False),
        trained(10, 0.4, 0.81),
    ]
    by_score = advise(Evidence(study(), tuple(trainings), 200))
    assert any("The best learning rate, 0.4, touches" in r.sentence for r in by_score)
    won = Evidence(study(), tuple(trainings), 200, winner=frozenset({(0, 8)}))
    assert won.full[0].number == 8
    assert not any("touches" in r.sentence for r in advise(won))
