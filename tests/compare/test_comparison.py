"""Comparisons: who gets how much, what is stored, and what is read back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import optuna
import pytest

from hpsearch.cli.compare import comparison_document
from hpsearch.compare import plan as planning
from hpsearch.compare.plan import plan_comparison
from hpsearch.compare.result import Comparison, comparisons, read_comparison
from hpsearch.compare.run import Progressed, compare_study
from hpsearch.compare.summary import summarize_strategies
from hpsearch.engine import record, run_study
from hpsearch.engine.budget import make_search
from hpsearch.engine.cost import DataShape, training_flops
from hpsearch.engine.events import StageStarted, TrialDone
from hpsearch.engine.identity import open_study
from hpsearch.engine.lease import Lease
from hpsearch.errors import StudyFileError, UnknownNameError, UsageError
from hpsearch.metrics import ACCURACY
from hpsearch.search.base import StagePlan
from hpsearch.search.race import how_many
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import StudyFile, parse_study_file
from hpsearch.study_file.data import study_data
from hpsearch.wording import answer, verdict

pytestmark = pytest.mark.slow

SHAPE = DataShape(features=4, outputs=3, rows=96)
MEAN = (52104.9375, 1.0)  # what an epoch of an average configuration of `study` costs
TEXT = """
name = "c"
seed = 5
[data]
name = "iris"
[model]
width = {{ low = 4, high = 32, log = true }}
depth = 1
[training]
epochs = {epochs}
[search]
trials = {trials}
{search}
[compare]
strategies = ["grid", "random-x2", "random", "coarse-to-fine", "tpe"]
repeats = {repeats}
{compare}
"""


def study(
    *, epochs: int = 4, trials: int = 20, repeats: int = 2, search: str = "", compare: str = ""
) -> StudyFile:
    return parse_study_file(
        TEXT.format(epochs=epochs, trials=trials, repeats=repeats, search=search, compare=compare)
    )


def grid_of(file: StudyFile, more: int = 0) -> list[dict[str, object]]:
    """The points of a file's grid, with its trials or some more."""
    stage = make_search(file, file.search.trials + more).search.stage(())
    return [dict(stage.propose(index, ())) for index in range(stage.slots)]


def flops(file: StudyFile, points: list[dict[str, object]], epochs: int) -> float:
    return sum(training_flops(file.fixed_settings() | p, SHAPE, epochs=epochs) for p in points)  # type: ignore[operator]


@pytest.fixture(autouse=True)
def _an_average_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies of one space have one average cost, and most of these tests have the same space."""
    monkeypatch.setattr(planning, "_mean_epoch", average)


draw_average = planning._mean_epoch
averages: dict[tuple[str, DataShape], float] = {}


def average(study: StudyFile, shape: DataShape) -> float:
    key = study.model_dump_json(include={"model", "training"}), shape
    if key not in averages:
        averages[key] = draw_average(study, shape)
    return averages[key]


class TestPlan:
    @pytest.mark.parametrize(("race", "points", "raced"), [("true", 12, 5), ("false", 16, 0)])
    def test_without_an_amount_the_budget_is_the_cost_of_the_grid_and_of_its_race(
        self, race: str, points: int, raced: int
    ) -> None:
        plan = plan_comparison(study(compare=f"race = {race}"), SHAPE)
        file = plan.studies["grid", 0]
        grid = grid_of(file)
        assert len(grid) == points
        spent = flops(file, grid, 4) * (points + raced) / points
        assert plan.amount == pytest.approx(spent)
        assert plan.studies["random", 0].search.total_flops == plan.amount
        assert plan.studies["random-x2", 0].search.total_flops == 2 * plan.amount

    def test_a_grid_is_as_large_as_a_given_amount_pays_for(self) -> None:
        whole = plan_comparison(study(), SHAPE)
        for share in (0.3, 1.0, 2.5):
            amount = share * whole.amount * 1.0001
            plan = plan_comparison(study(compare=f"amount = {amount!r}"), SHAPE)
            file = plan.studies["grid", 0]
            left = (1 - plan.reserved) * amount
            assert flops(file, grid_of(file), 4) <= left
            assert flops(file, grid_of(file, more=1), 4) > left

    @pytest.mark.parametrize("name", ["coarse-to-fine", "guided"])
    def test_coarse_to_fine_gets_more_trials_since_most_of_its_are_short(self, name: str) -> None:
        asked = study(epochs=20)
        rivals = asked.compare.model_copy(update={"strategies": ["grid", name]})
        plan = plan_comparison(asked.model_copy(update={"compare": rivals}), SHAPE)
        file = plan.studies[name, 0]
        search = make_search(file, file.search.trials)
        assert file.search.trials > 16
        one_more = make_search(file, file.search.trials + 1)
        rng = np.random.default_rng(0)
        draws = [dict(file.search_space().sample(rng)) for _ in range(1024)]
        epoch = flops(file, draws, 1) / len(draws)  # type: ignore[arg-type]
        assert search.planned_epochs * epoch <= plan.amount
        assert one_more.planned_epochs * epoch > plan.amount

    @pytest.mark.parametrize(
        ("compare", "limits"),
        [
            ('budget = "epochs"', {"total_epochs": 68, "total_flops": None, "seconds": None}),
            (
                'budget = "epochs"\namount = 100.0',
                {"total_epochs": 100, "total_flops": None, "seconds": None},
            ),
            (
                'budget = "seconds"\namount = 1.5',
                {"total_epochs": None, "total_flops": None, "seconds": 1.5},
            ),
        ],
    )
    def test_other_units(self, compare: str, limits: dict[str, object]) -> None:
        plan = plan_comparison(study(compare=compare), SHAPE)
        for name in ("random", "coarse-to-fine", "tpe"):
            search = plan.studies[name, 0].search
            assert {key: getattr(search, key) for key in limits} == limits
        double = plan.studies["random-x2", 1].search
        for key, value in limits.items():
            assert getattr(double, key) == (None if value is None else 2 * value)  # type: ignore[operator]

    @pytest.mark.parametrize(
        "compare", ['budget = "flops"', 'budget = "epochs"', 'budget = "seconds"\namount = 9.0']
    )
    def test_twice_the_budget_may_be_spent_on_twice_as_many_cheap_trials(
        self, compare: str
    ) -> None:
        plan = plan_comparison(study(compare=compare), SHAPE)
        once, twice = (plan.studies[name, 0].search.trials for name in ("random", "random-x2"))
        assert twice == pytest.approx(2 * once, abs=1)

    def test_strategies_have_equal_seeds_and_only_their_own_settings(self) -> None:
        file = study(search="points = { width = 2 }\nepoch_shares = [0.2, 0.4, 1.0]")
        plan = plan_comparison(file, SHAPE)
        assert {(key[1], s.seed) for key, s in plan.studies.items()} == {(0, 5), (1, 6)}
        assert plan.studies["grid", 0].search.points == {"width": 2}
        assert plan.studies["random", 0].search.points is None
        assert plan.studies["coarse-to-fine", 0].search.epoch_shares == [0.2, 0.4, 1.0]
        assert plan.studies["random", 1].name == "c/random/1"

    @pytest.mark.parametrize(
        "compare",
        ["", "amount = 3e6", 'budget = "epochs"', 'budget = "seconds"\namount = 9.0'],
    )
    @pytest.mark.parametrize(
        ("search", "race", "contenders"),
        [("", None, None), ("race = 3\ncontenders = 3", 3, 3), ("race = 0", 0, None)],
    )
    def test_everybody_has_the_same_race(
        self, search: str, race: int | None, contenders: int | None, compare: str
    ) -> None:
        plan = plan_comparison(study(search=search, compare=compare), SHAPE)
        budget = 20 if "seconds" in compare else plan.amount / (4 * MEAN[compare.count("epochs")])
        assert plan.race == (round(budget / 4) if race is None else race)
        assert plan.reserved == pytest.approx(plan.race / budget)
        for (name, _), file in plan.studies.items():
            share = 2 if name == "random-x2" else 1
            planned = make_search(file, file.search.trials)
            assert planned.race == share * plan.race
            assert planned.contenders == (contenders or how_many(planned.race))

    def test_without_it_only_those_race_that_do_so_by_themselves(self) -> None:
        file = study(search="race = 5\ncontenders = 3", compare="race = false")
        plan = plan_comparison(file, SHAPE)
        assert (plan.race, plan.reserved) == (None, 0)
        for (name, _), study_file in plan.studies.items():
            found = (study_file.search.race, study_file.search.contenders)
            assert found == ((5, 3) if name == "coarse-to-fine" else (None, None))

    @pytest.mark.parametrize(
        ("search", "sentence"),
        [
            ("race = 25", "race is 25 of 20 trials; give at least 0 and leave one to the search"),
            (
                "points = { width = 5, decay = 2, l2 = 2, learning_rate = 1 }",
                "there are 15 trials for it.*Of 20 trials the race has 5, as .compare. race = true",
            ),
        ],
    )
    def test_a_race_that_leaves_too_little_is_refused(self, search: str, sentence: str) -> None:
        with pytest.raises(UsageError, match=sentence):
            plan_comparison(study(search=search), SHAPE)

    def test_a_race_that_costs_more_than_the_budget_is_refused(self) -> None:
        file = study(search="race = 12", compare="amount = 2e6")
        with pytest.raises(UsageError, match=r"race is 12.* lower \[search\] race, so that"):
            plan_comparison(file, SHAPE)

    def test_random_comes_before_its_double_which_takes_over_its_trials(self) -> None:
        order = [name for name, repeat in plan_comparison(study(), SHAPE).studies if repeat == 0]
        assert order.index("random") < order.index("random-x2")

    @pytest.mark.parametrize(
        ("compare", "sentence"),
        [
            ('budget = "seconds"', "amount is missing: say how many seconds each search gets"),
            ("amount = 0.0", "amount"),
            ('budget = "trials"', r"budget cannot be \"trials\"; Known: .flops"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, compare: str, sentence: str) -> None:
        with pytest.raises(StudyFileError, match=sentence):
            study(compare=compare)

    @pytest.mark.parametrize("strategies", ['["random", "random"]', "[]", '["rando"]'])
    def test_strategies_are_known_and_distinct(self, strategies: str) -> None:
        text = TEXT.format(epochs=4, trials=20, repeats=1, search="", compare="")
        with pytest.raises(StudyFileError, match="strategies"):
            parse_study_file(
                text.replace('["grid", "random-x2", "random", "coarse-to-fine", "tpe"]', strategies)
            )

    def test_a_budget_that_pays_for_nothing_is_refused(self) -> None:
        with pytest.raises(UsageError, match=r"does not pay for one average training.*; raise"):
            plan_comparison(study(compare="amount = 1.0"), SHAPE)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("compare") / "c.db")


@pytest.fixture(scope="module")
def compared(database: str) -> Comparison:
    return compare_study(study(), storage=database, workers=2)


class TestRun:
    def test_every_strategy_has_its_repeats_within_the_budget(self, compared: Comparison) -> None:
        assert list(compared.runs) == [
            "grid",
            "random-x2",
            "random",
            "coarse-to-fine",
            "tpe",
        ]
        assert compared.repeats == 2
        for name, mine in compared.runs.items():
            double = 2 if name == "random-x2" else 1
            assert (mine.cost <= double * compared.amount * (1 + 1e-9)).all()
            assert len(mine.progress) == len(mine.test) == len(mine.refit) == 2
            for scores, progress in zip(mine.scores, mine.progress, strict=True):
                assert scores[:, 0].max() == progress.validation[-1]
                assert ((scores >= 0) & (scores <= 1)).all()
        assert (compared.runs["grid"].trials >= 12).all()

    def test_every_search_leaves_the_race_its_share_and_names_who_won_it(
        self, compared: Comparison, database: str
    ) -> None:
        store = open_storage(database)
        plan = plan_comparison(study(), SHAPE)
        for (name, repeat), file in plan.studies.items():
            target = load_study(store, file.name)
            raced = {s.index for s in record.read_stages(target) if s.races}
            assert raced
            slots = compared.runs[name].slots[repeat]
            if name != "grid":
                spent = sum(
                    flops(file, [dict(slot.configuration)], slot.epochs)
                    for slot in slots
                    if slot.stage not in raced
                )
                assert spent <= (1 - plan.reserved) * file.search.total_flops  # type: ignore[operator]
            result = record.read_metadata(target, "result")
            assert {stage for stage, _ in result["validation_slots"]} <= raced

    def test_random_x2_begins_with_the_trials_of_random(
        self, compared: Comparison, database: str
    ) -> None:
        one, two = (compared.runs[name] for name in ("random", "random-x2"))
        for some, more in zip(one.slots, two.slots, strict=True):
            few, many = ([slot for slot in slots if not slot.stage] for slots in (some, more))
            assert len(few) < len(many)
            # Up to the first draw that the smaller budget passed over.
            common = next((n for n, slot in enumerate(few) if slot.index != n), len(few))
            assert common > 3
            assert many[:common] == few[:common]
        # They were taken from the store: seconds and worker are those of the first training.
        store = open_storage(database)
        first = load_study(store, "c/random/0").trials[:4]
        again = load_study(store, "c/random-x2/0").trials[:4]
        for a, b in zip(first, again, strict=True):
            assert a.user_attrs["seconds"] == b.user_attrs["seconds"]

    def test_all_strategies_of_a_repeat_have_one_division_of_the_data(
        self, compared: Comparison, database: str
    ) -> None:
        assert {compared.data[part] for part in ("train", "validation", "test")} == {96, 24, 30}
        digests = {
            name: load_study(open_storage(database), name).user_attrs["hpsearch:data"]
            for name in ("c/grid/0", "c/tpe/0", "c/grid/1")
        }
        assert len(set(digests.values())) == 1

    def test_a_second_run_trains_nothing_and_says_the_same(
        self, compared: Comparison, database: str
    ) -> None:
        events: list[object] = []
        told: list[Progressed] = []
        again = compare_study(
            study(), storage=database, workers=1, on_event=events.append, on_progress=told.append
        )
        assert {type(event).__name__ for event in events} == {"Finished"}
        assert [p.done for p in told if p.summary is not None] == list(range(1, 11))
        for name, mine in compared.runs.items():
            assert (again.runs[name].test == mine.test).all()

    def test_more_repeats_go_on_and_another_budget_is_refused(
        self, compared: Comparison, database: str, tmp_path: Path
    ) -> None:
        import shutil

        copy = tmp_path / "copy.db"
        shutil.copy(database, copy)
        more = compare_study(study(repeats=3), storage=str(copy), workers=2)
        assert more.repeats == 3
        assert (more.runs["grid"].test[:2] == compared.runs["grid"].test).all()
        with pytest.raises(
            UsageError, match=r"which now is .* without an amount from the grid's trials"
        ):
            compare_study(study(trials=40), storage=str(copy))
        with pytest.raises(UsageError, match=r"and a race of 4 trainings for all, which now is"):
            compare_study(study(compare="race = false"), storage=str(copy))
        with pytest.raises(UsageError, match=r"which now is .* and a race of 3 trainings for all"):
            compare_study(study(search="race = 3"), storage=str(copy))

    def test_what_was_asked_last_is_what_is_compared(
        self, compared: Comparison, database: str, tmp_path: Path
    ) -> None:
        import shutil

        copy = tmp_path / "copy.db"
        shutil.copy(database, copy)
        fewer = compare_study(study(repeats=1), storage=str(copy), workers=2)
        assert fewer.repeats == 1
        pair = study(repeats=2)
        names = ("random", "grid")
        pair = pair.model_copy(
            update={"compare": pair.compare.model_copy(update={"strategies": names})}
        )
        two = compare_study(pair, storage=str(copy), workers=2)
        assert (list(two.runs), two.repeats) == (["random", "grid"], 2)
        assert list(read_comparison(open_storage(str(copy)), "c").runs) == list(names)
        whole = compare_study(study(), storage=str(copy), workers=2)
        assert (list(whole.runs), whole.repeats) == (list(compared.runs), 2)

    def test_one_that_is_not_finished_is_read_as_far_as_all_are(
        self, compared: Comparison, database: str, tmp_path: Path
    ) -> None:
        def stop(at: Progressed) -> None:
            if at.repeat == 1 and at.strategy == "coarse-to-fine":
                raise KeyboardInterrupt

        place = str(tmp_path / "half.db")
        with pytest.raises(KeyboardInterrupt):
            compare_study(study(), storage=place, workers=2, on_progress=stop)
        half = read_comparison(open_storage(place), "c")
        assert half.repeats == 1
        expected = compared.runs["coarse-to-fine"].test[:1]
        assert (half.runs["coarse-to-fine"].test == expected).all()

    def test_a_study_beside_is_no_comparison_whatever_its_name(
        self, database: str, compared: Comparison, tmp_path: Path
    ) -> None:
        store = open_storage(database)
        assert list(comparisons(store)) == [compared.name]
        with open_storage(str(tmp_path / "other.db")) as other:
            optuna.create_study(study_name="c/grid/0", storage=other)
            assert comparisons(other) == {}
        with pytest.raises(UnknownNameError, match=r"unknown comparison 'd'.*Known: c"):
            read_comparison(store, "d")

    def test_one_that_was_killed_before_it_said_what_it_is_goes_on(self, tmp_path: Path) -> None:
        place = str(tmp_path / "s.db")
        small = study(repeats=1)
        small = small.model_copy(
            update={"compare": small.compare.model_copy(update={"strategies": ["random", "grid"]})}
        )
        iris, splits = study_data(small.data, small.seed)
        plan = plan_comparison(small, DataShape.of(iris, splits))
        with open_storage(place) as store:
            open_study(store, plan.studies["random", 0])
        found = compare_study(small, storage=place, workers=1)
        assert (list(found.runs), found.repeats) == (["random", "grid"], 1)

    def test_a_name_that_an_ordinary_study_has_is_refused(self, tmp_path: Path) -> None:
        place = str(tmp_path / "s.db")
        plain = study().model_copy(update={"name": "c/grid/0"})
        run_study(
            plain.model_copy(update={"search": plain.search.model_copy(update={"trials": 8})}),
            storage=place,
            workers=2,
        )
        with pytest.raises(
            UsageError, match="c/grid/0' in this database is no part of a comparison"
        ):
            compare_study(study(), storage=place)


class StopError(Exception):
    """What ends a run in the middle."""


@pytest.mark.parametrize("name", ["random", "random-x2", "grid", "coarse-to-fine", "guided", "tpe"])
def test_one_that_is_killed_in_the_race_has_the_trials_of_one_that_was_not(
    name: str, tmp_path: Path
) -> None:
    file = study(repeats=1)
    names = ["random", name] if name == "random-x2" else [name]
    file = file.model_copy(
        update={"compare": file.compare.model_copy(update={"strategies": names})}
    )
    whole, cut = (str(tmp_path / f"{kind}.db") for kind in ("whole", "cut"))
    with ThreadPoolExecutor(1) as executor:
        compare_study(file, storage=whole, executor=executor)

    def kill_at(kind: type[StageStarted | TrialDone], stage: int) -> None:
        def on_event(event: object) -> None:
            if isinstance(event, kind) and event.stage.index >= stage:
                raise StopError

        with pytest.raises(StopError), ThreadPoolExecutor(1) as executor:
            compare_study(file, storage=cut, executor=executor, on_event=on_event)

    rounds = [s for s in stages(whole, f"c/{name}/0") if s.races]
    kill_at(TrialDone, rounds[0].index - 1)
    kill_at(StageStarted, rounds[0].index)
    kill_at(TrialDone, rounds[0].index)
    kill_at(StageStarted, rounds[-1].index)
    with ThreadPoolExecutor(1) as executor:
        compare_study(file, storage=cut, executor=executor)
    assert trials_of(cut, f"c/{name}/0") == trials_of(whole, f"c/{name}/0")


def stages(database: str, name: str) -> list[StagePlan]:
    return record.read_stages(load_study(open_storage(database), name))


def trials_of(database: str, name: str) -> list[tuple[object, ...]]:
    study = load_study(open_storage(database), name)
    slots = [(record.read_slot(trial), trial.value, trial.state) for trial in study.trials]
    return sorted(slots, key=lambda item: item[0].place)  # type: ignore[union-attr]


@pytest.mark.parametrize(("name", "in_search"), [("tpe", 16), ("coarse-to-fine", 13)])
def test_of_seconds_too_something_is_left_to_the_race(
    name: str, in_search: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[TrialDone] = []
    monkeypatch.setattr(Lease, "seconds", property(lambda _: 10.0 * len(done)))
    file = study(repeats=1, compare='budget = "seconds"\namount = 195.0')
    file = file.model_copy(
        update={"compare": file.compare.model_copy(update={"strategies": [name]})}
    )

    def on_event(event: object) -> None:
        if isinstance(event, TrialDone):
            done.append(event)

    with ThreadPoolExecutor(1) as executor:
        place = str(tmp_path / "c.db")
        found = compare_study(file, storage=place, executor=executor, on_event=on_event)
    raced = {s.index for s in stages(place, f"c/{name}/0") if s.races}
    assert sum(slot.stage not in raced for slot in found.runs[name].slots[0]) == in_search
    assert in_search < found.runs[name].trials[0] < 23


TIGHT = """
name = "tight"
seed = {seed}
[data]
name = "iris"
[model]
width = {{ low = 4, high = 512, log = true }}
depth = {{ low = 1, high = 3 }}
[training]
epochs = 1
learning_rate = 0.05
[search]
trials = 4
[compare]
strategies = ["random", "random-x2"]
repeats = 2
{compare}
"""


@pytest.mark.parametrize("compare", ["", 'budget = "epochs"'])
@pytest.mark.parametrize("seed", [0, 11])
def test_random_with_twice_the_budget_begins_as_random_does(
    tmp_path: Path, compare: str, seed: int
) -> None:
    storage = str(tmp_path / "c.db")
    file = parse_study_file(TIGHT.format(seed=seed, compare=compare))  # too few trials for a race
    found = compare_study(file, storage=storage, workers=1)
    once, twice = found.runs["random"], found.runs["random-x2"]
    store = open_storage(storage)
    for repeat in range(2):
        trials = len(once.slots[repeat])
        assert once.slots[repeat] == twice.slots[repeat][:trials]  # though it passed some over
        assert (once.scores[repeat] == twice.scores[repeat][:trials]).all()
        assert len(twice.slots[repeat]) > trials
        assert once.cost[repeat] <= found.amount
        assert twice.cost[repeat] <= 2 * found.amount
        first, second = (
            [t.user_attrs["slot"] for t in load_study(store, f"tight/{name}/{repeat}").trials]
            for name in ("random", "random-x2")
        )
        assert first == second[: len(first)]
    # Begun again, as after a kill, nothing else is let in.
    again = compare_study(file, storage=storage, workers=1)
    assert again.runs["random-x2"].slots == twice.slots


def test_a_search_without_a_winner_is_told_and_counts_with_chance(tmp_path: Path) -> None:
    file = parse_study_file(
        'name = "hot"\n[data]\nname = "iris"\n[model]\nwidth = 8\ndepth = 1\n'
        "[training]\nepochs = 3\n"
        "learning_rate = { low = 0.02, high = 9999.0, log = true }\n[search]\ntrials = 4\n"
        "points = { learning_rate = [8000.0, 9999.0], decay = 2, l2 = 1 }\n"
        '[compare]\nrepeats = 2\nstrategies = ["grid", "random"]'
    )
    storage = str(tmp_path / "c.db")
    for _ in range(2):  # the second time all is stored
        found = compare_study(file, storage=storage, workers=1)
        grid = found.runs["grid"]
        assert grid.without_winner == 2
        assert grid.refit.tolist() == grid.test.tolist() == grid.validation.tolist() == [1 / 3] * 2
        assert found.runs["random"].without_winner == 0
        assert found.constant.tolist() == pytest.approx([1 / 3] * 2)
    table = summarize_strategies(found)
    said = " ".join(answer(table, ACCURACY))
    assert "2 of 2 searches of grid have no winner" in said
    assert "grid's winners are no better" not in said
    document = comparison_document([found])
    assert [row["without_winner"] for row in document["strategies"]] == [2, 0]
    assert document["baselines"][0]["test"] == pytest.approx(1 / 3)


def test_where_nothing_is_learned_no_strategy_is_ahead(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{x:.4f},{'no' if i % 12 else 'yes'}" for i, x in enumerate(rng.normal(size=240))]
    (tmp_path / "t.csv").write_text("\n".join(["x,label", *rows]))
    file = parse_study_file(
        f'name = "n"\n[data]\npath = "{tmp_path / "t.csv"}"\ntarget = "label"\n[model]\n'
        "width = 4\ndepth = 1\n[training]\nepochs = 2\nlearning_rate = 0.05\n[search]\ntrials = 4\n"
        '[compare]\nrepeats = 1\nstrategies = ["grid", "random"]'
    )
    found = compare_study(file, storage=str(tmp_path / "c.db"), workers=1)
    table = summarize_strategies(found)
    assert verdict(table, ACCURACY).startswith("Nothing was learned here")
    assert [row.winners_are for row in table] == ["no better", "no better"]
    told = [sentence for sentence in answer(table, ACCURACY) if "always answering" in sentence]
    assert [sentence.split("'")[0] for sentence in told] == ["grid", "random"]
    assert f"({44 / 48:.4f})" in told[0]
