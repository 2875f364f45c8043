"""A Python function as an objective: what it is told, what it may answer, and what fails."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpsearch.engine import run_study, summarize
from hpsearch.engine.summary import TrialRow
from hpsearch.errors import NoWinnerError, RunError, UsageError
from hpsearch.objectives.without_rows import trials_folder
from hpsearch.outcome import Outcome, Place, TrialFailedError
from hpsearch.storage import load_study, open_storage
from hpsearch.study_file import StudyFile, load_study_file, parse_study_file
from hpsearch.trials.function import FUNCTION, FunctionJob, Trial, evaluate_job, imported
from hpsearch.trials.result import Asked

pytestmark = pytest.mark.slow

STUDY = """
name = "f"
[objective]
function = "{function}"
metric = "loss"
direction = "minimize"
{objective}
[fixed]
b = [1, 2]
[space]
x = {{ low = -5.0, high = 5.0 }}
k = {{ low = 1, high = 4 }}
[search]
trials = {trials}
{search}
"""


def study(
    function: str = "given", *, objective: str = "", trials: int = 12, search: str = ""
) -> StudyFile:
    text = STUDY.format(function=function, objective=objective, trials=trials, search=search)
    return parse_study_file(text)


@pytest.fixture
def db(tmp_path: Path) -> str:
    return str(tmp_path / "studies.db")


def job(
    function: Callable[..., Any],
    tmp_path: Path,
    *,
    asked: Asked | None = None,
    resource: int = 4,
) -> FunctionJob:
    import cloudpickle

    place = Place(str(tmp_path), f"f{id(function)}")
    folder = tmp_path / place.fingerprint
    folder.mkdir()
    (folder / FUNCTION).write_bytes(cloudpickle.dumps(function))
    asked = asked or Asked("loss", maximize=False)
    return FunctionJob(place, "", "", {"x": 2.0}, 7, resource, str(tmp_path / "0-0"), asked)


def parabola(configuration: dict[str, Any], trial: Trial) -> float:
    loss = (configuration["x"] - 1) ** 2 + configuration["k"]
    for step in range(1, trial.resource + 1):
        trial.report(step, loss + 1 / step)
    return loss


class TestOutcome:
    def test_reports_and_result_become_scores(self, tmp_path: Path) -> None:
        def function(configuration: dict[str, Any], trial: Trial) -> dict[str, float]:
            for step in (3, 1, 2):
                assert not trial.report(step, step / 10)
            trial.report(9, math.nan)  # is no part of a curve
            return {"loss": configuration["x"], "time": np.float32(3), "name": "odd"}

        asked = Asked("loss", maximize=False, also=("time",))
        outcome = evaluate_job(job(function, tmp_path, asked=asked))
        assert outcome.score == -2.0
        assert outcome.by_step == {1: -0.1, 2: -0.2, 3: -0.3}
        assert outcome.best_epoch == 1
        assert outcome.also == {"time": 3.0}
        assert outcome.complete

    def test_a_trial_has_seed_resource_and_a_folder_that_stays(self, tmp_path: Path) -> None:
        def function(_: dict[str, Any], trial: Trial) -> float:
            mark = trial.folder / "mark"
            if not mark.exists():
                mark.write_text(f"{trial.seed} {trial.resource}")
                raise ValueError
            return len(mark.read_text())

        given = job(function, tmp_path)
        with pytest.raises(TrialFailedError, match=r"^ValueError \(line \d+\)$"):
            evaluate_job(given)
        assert evaluate_job(given).score == -len("7 4")

    def test_it_finds_nothing_of_the_trial_before(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)

        def function(_: dict[str, Any], trial: Trial) -> float:
            import os
            import random

            drawn = random.random() + float(np.random.rand())  # noqa: NPY002
            at_home = Path.cwd() == trial.folder.parent
            os.chdir(trial.folder)
            return drawn + at_home

        given = job(function, tmp_path)
        first = evaluate_job(given).score
        assert evaluate_job(given).score == first < -1.0
        assert Path.cwd() == tmp_path

    def test_no_folder_is_made_for_a_function_that_wants_none(self, tmp_path: Path) -> None:
        evaluate_job(job(lambda *_: 1.0, tmp_path))
        assert not (tmp_path / "0-0").exists()

    def test_it_is_told_when_nobody_waits_any_more(self, tmp_path: Path) -> None:
        told: list[bool] = []

        def function(_: dict[str, Any], trial: Trial) -> float:
            return float(trial.should_stop) + trial.report(1, 0.0)

        told.append(bool(evaluate_job(job(function, tmp_path), lambda: True).score))
        assert told == [True]

    @pytest.mark.parametrize(
        ("result", "sentence"),
        [
            (None, "loss is None, which is no number"),
            ("0.5", "loss is '0.5', which is no number"),
            (True, "loss is True, which is no number"),
            (1j, "loss is 1j, which is no number"),
            ([1.0], r"loss is \[1.0\], which is no number"),
            (np.ones(2), "which is no number"),
            (math.nan, "loss is nan, which is not finite"),
            (-math.inf, "loss is -inf, which is not finite"),
            (10**400, "loss is inf, which is not finite"),
            ({}, "the result has no 'loss'; it has nothing"),
            ({"lss": 1, "acc": 2}, "the result has no 'loss'; it has lss, acc"),
            ({"loss": {}}, "loss is {}, which is no number"),
        ],
    )
    def test_what_is_no_number_fails_in_one_sentence(
        self, tmp_path: Path, result: Any, sentence: str
    ) -> None:
        with pytest.raises(TrialFailedError, match=sentence):
            evaluate_job(job(lambda *_: result, tmp_path))

    @pytest.mark.parametrize("number", [3, np.int64(3), np.float32(3), np.array(3.0)])
    def test_whatever_is_one_number_is_a_result(self, tmp_path: Path, number: Any) -> None:
        assert evaluate_job(job(lambda *_: number, tmp_path)).score == -3.0

    @pytest.mark.parametrize(
        ("step", "value", "sentence"),
        [
            (-1, 0.5, "no whole number from 0 to 2147483647: -1"),
            (0.5, 0.5, "no whole number from 0 to 2147483647: 0.5"),
            (True, 0.5, "no whole number from 0 to"),
            (2**31, 0.5, "no whole number from 0 to 2147483647: 2147483648"),
            (1, "x", "step 1 reports 'x', which is no number"),
        ],
    )
    def test_a_report_that_is_none_fails(
        self, tmp_path: Path, step: Any, value: Any, sentence: str
    ) -> None:
        def function(_: dict[str, Any], trial: Trial) -> float:
            trial.report(step, value)
            return 1.0

        with pytest.raises(TrialFailedError, match=sentence):
            evaluate_job(job(function, tmp_path))

    def test_a_key_that_is_asked_for_beside_has_to_be_there(self, tmp_path: Path) -> None:
        asked = Asked("loss", maximize=False, also=("time",))
        with pytest.raises(TrialFailedError, match="is one number, and 'time' is asked for"):
            evaluate_job(job(lambda *_: 1.0, tmp_path, asked=asked))
        with pytest.raises(TrialFailedError, match="has no 'time'; it has loss"):
            evaluate_job(job(lambda *_: {"loss": 1.0}, tmp_path, asked=asked))

    def test_one_that_prunes_itself_is_known_bad(self, tmp_path: Path) -> None:
        def function(_: dict[str, Any], trial: Trial) -> float:
            import optuna

            trial.report(1, 4.0)
            trial.report(2, 3.0)
            raise optuna.TrialPruned

        outcome = evaluate_job(job(function, tmp_path))
        assert (outcome.complete, outcome.score, outcome.why_stopped) == (False, -4.0, "pruned")

    def test_whatever_is_raised_is_a_failure_like_another(self, tmp_path: Path) -> None:
        class Mute(BaseException):
            def __str__(self) -> str:
                raise ValueError

        def raises(error: BaseException) -> Callable[..., Any]:
            def function(*_: Any) -> float:
                raise error

            return function

        for error in (KeyboardInterrupt(), GeneratorExit(), Mute()):
            with pytest.raises(TrialFailedError, match=type(error).__name__):
                evaluate_job(job(raises(error), tmp_path))

    def test_many_words_of_an_exception_are_cut(self, tmp_path: Path) -> None:
        def function(*_: Any) -> float:
            raise ValueError("x" * 100_000)

        with pytest.raises(TrialFailedError, match=r"ValueError: x+ \.\.\. \(line \d+\)") as told:
            evaluate_job(job(function, tmp_path))
        assert len(str(told.value)) < 2000

    def test_leaving_the_interpreter_is_a_failure_like_another(self, tmp_path: Path) -> None:
        with pytest.raises(TrialFailedError, match="SystemExit: 3"):
            evaluate_job(job(lambda *_: sys.exit(3), tmp_path))


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Path]:
    """A module beside a study file."""
    (tmp_path / "train_here.py").write_text(
        "import math\n"
        "def objective(configuration, trial):\n"
        "    return (configuration['x'] - 1) ** 2\n"
        "NUMBER = 5\n"
    )
    (tmp_path / "broken_here.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "raises_here.py").write_text("1 / 0\n")
    yield tmp_path
    for name in ("train_here", "broken_here", "raises_here"):
        sys.modules.pop(name, None)
    sys.path[:] = [folder for folder in sys.path if folder != str(tmp_path)]


class TestRun:
    def test_a_callable_is_sent_to_workers_with_what_it_closes_over(self, db: str) -> None:
        shift = 1.5

        def function(configuration: dict[str, Any], trial: Trial) -> float:
            assert configuration["b"] == [1, 2]
            return float((configuration["x"] - shift) ** 2 + trial.seed * 0)

        summary = run_study(study(), objective=function, storage=db, workers=2)
        assert summary.states == {"complete": 12}
        assert summary.finished
        assert summary.test is None
        assert (summary.measure.name, summary.measure.direction) == ("loss", "minimize")
        optuna_study = load_study(open_storage(db), "f")
        assert optuna_study.direction.name == "MINIMIZE"
        assert optuna_study.best_value == min(t.value or 0.0 for t in optuna_study.trials)
        again = run_study(study(), objective=function, storage=db, workers=2)
        assert again == summary

    def test_one_worker_or_two_run_the_same_trials(self, tmp_path: Path) -> None:
        resource = 'resource = { name = "steps", full = 8, least = 2 }'
        file = study(objective=resource, trials=40)
        seen = []
        for workers in (1, 2):
            db = str(tmp_path / f"{workers}.db")
            run_study(file, objective=parabola, storage=db, workers=workers)
            trials = load_study(open_storage(db), "f").trials
            seen.append(
                sorted(
                    (t.user_attrs["stage_index"], t.user_attrs["slot"], t.value, len(t.params))
                    for t in trials
                )
            )
            assert {t.user_attrs["epochs"] for t in trials} == {2, 4, 8}
            assert all(len(t.intermediate_values) == t.user_attrs["epochs"] for t in trials)
        assert seen[0] == seen[1]

    def test_a_module_beside_the_study_file(self, module: Path, db: str) -> None:
        path = module / "f.toml"
        text = STUDY.format(function="train_here:objective", objective="", trials=6, search="")
        path.write_text(text)
        summary = run_study(load_study_file(path), storage=db, workers=2)
        assert summary.states == {"complete": 6}

    def test_modules_of_one_name_are_told_apart_by_their_folders(self, module: Path) -> None:
        other = module / "other"
        other.mkdir()
        (other / "train_here.py").write_text("def objective(configuration, trial):\n    return 7\n")
        trial = Trial(0, 1, module)
        for folder, value in ((module, 4.0), (other, 7), (module, 4.0)):
            function = imported("train_here:objective", str(folder))
            assert function({"x": 3.0}, trial) == value

    @pytest.mark.parametrize(
        ("function", "sentence"),
        [
            ("nowhere:f", "there is no module 'nowhere', neither in .* nor installed"),
            ("train_here:f", "there is no function 'f' in train_here"),
            ("train_here:NUMBER", "there is no function 'NUMBER' in train_here"),
            ("train_here", "there is no function '' in train_here"),
            ("broken_here:f", "'broken_here' cannot be imported: No module named 'nothing_of"),
            ("raises_here:f", "cannot be imported: ZeroDivisionError: division by zero"),
            ("given", 'the study\'s function is "given" in Python: pass it as run_study'),
        ],
    )
    def test_what_is_not_there_is_refused_before_anything_is_made(
        self, module: Path, db: str, function: str, sentence: str
    ) -> None:
        path = module / "f.toml"
        path.write_text(STUDY.format(function=function, objective="", trials=6, search=""))
        with pytest.raises(UsageError, match=sentence):
            run_study(load_study_file(path), storage=db, workers=1)
        assert open_storage(db).get_all_studies() == []

    def test_a_study_of_something_else_takes_no_callable(self, db: str) -> None:
        with pytest.raises(UsageError, match="the study optimizes function = 'a:b'; leave out one"):
            run_study(study("a:b"), objective=parabola, storage=db)

    def test_a_callable_that_cannot_be_sent_is_refused(self, tmp_path: Path, db: str) -> None:
        with (tmp_path / "open").open("w") as file:

            def function(_: dict[str, Any], __: Trial) -> float:
                return float(file.fileno())

            with pytest.raises(UsageError, match="the function cannot be sent to workers"):
                run_study(study(), objective=function, storage=db, workers=1)

    def test_where_the_first_trials_fail_the_study_ends(self, db: str) -> None:
        def function(_: dict[str, Any], __: Trial) -> float:
            raise KeyError("lr")

        with pytest.raises(RunError, match=r"first \d trials failed, so that .* KeyError: 'lr'"):
            run_study(study(), objective=function, storage=db, workers=1)
        states = [t.state.name for t in load_study(open_storage(db), "f").trials]
        assert states.count("FAIL") >= 3
        assert states.count("RUNNING") == 0
        # What was mended meanwhile goes on from there.
        assert run_study(study(), objective=parabola, storage=db, workers=1).finished

    def test_one_that_fails_now_and_then_loses_those_trials_only(self, db: str) -> None:
        def function(configuration: dict[str, Any], _: Trial) -> float:
            if configuration["x"] > 1:
                raise ArithmeticError("too large")
            return -float(configuration["x"])

        summary = run_study(study(trials=16), objective=function, storage=db, workers=2)
        assert summary.states["fail"] >= 1
        assert summary.states["complete"] + summary.states["fail"] == 16
        assert any("ArithmeticError: too large" in row.why for row in summary.rows)

    @pytest.mark.parametrize("direction", ["minimize", "maximize"])
    def test_known_bad_trials_count_with_the_worst_that_was_seen(
        self, tmp_path: Path, direction: str
    ) -> None:
        def function(configuration: dict[str, Any], trial: Trial) -> float:
            import time

            import optuna

            time.sleep(trial.seed % 5 / 500)
            if configuration["x"] < -2:
                raise optuna.TrialPruned
            return float(configuration["x"]) + 100

        def rows(workers: int) -> list[TrialRow]:
            file = study(trials=16)
            other = file.objective.model_copy(update={"direction": direction})
            file = file.model_copy(update={"objective": other})
            found = run_study(
                file, objective=function, storage=str(tmp_path / f"{workers}.db"), workers=workers
            )
            return sorted(found.rows, key=lambda row: row.slot.place if row.slot else (9, 9))

        alone, together = rows(1), rows(4)
        bad = [row for row in alone if row.state == "pruned"]
        assert bad
        seen = [row.score or 0.0 for row in alone if row.state == "complete"]
        assert {row.score in seen for row in bad} == {True}
        later = [row for row in alone if row.slot and row.slot.stage]
        others = [row for row in together if row.slot and row.slot.stage]
        assert [row.score for row in later] == [row.score for row in others]

    def test_what_a_known_bad_trial_reported_is_its_value(self, db: str) -> None:
        def function(configuration: dict[str, Any], trial: Trial) -> float:
            import optuna

            if configuration["x"] < -2:
                trial.report(1, 500.0)
                raise optuna.TrialPruned
            return float(configuration["x"]) + 100

        summary = run_study(study(trials=16), objective=function, storage=db, workers=1)
        assert {row.score for row in summary.rows if row.state == "pruned"} == {500.0}

    def test_a_new_study_has_no_checkpoints_of_one_that_is_gone(self, db: str) -> None:
        def function(configuration: dict[str, Any], trial: Trial) -> float:
            assert not (trial.folder / "mark").exists()
            (trial.folder / "mark").touch()
            return float(configuration["x"])

        for _ in range(3):
            run_study(study(trials=2), objective=function, storage=db, workers=1)
            Path(db).unlink()
        trials = trials_folder(db)
        assert sorted(place.name for place in trials.iterdir()) == ["f", "f.1", "f.2"]
        assert all((place / "0-0/mark").exists() for place in trials.iterdir())

    def test_all_known_bad_has_no_winner(self, db: str) -> None:
        def function(_: dict[str, Any], __: Trial) -> float:
            import optuna

            raise optuna.TrialPruned

        with pytest.raises(
            NoWinnerError, match="all 6 trials of the study 'f' gave up as known bad"
        ):
            run_study(study(trials=6), objective=function, storage=db, workers=1)

    def test_a_worker_that_dies_is_replaced_and_one_that_hangs_is_killed(
        self, tmp_path: Path, db: str
    ) -> None:
        def function(configuration: dict[str, Any], trial: Trial) -> float:
            import os
            import time

            mark = trial.folder / "mark"
            if not mark.exists():
                mark.touch()
                if configuration["x"] > 0:
                    os._exit(9)
                time.sleep(600)
            return float(configuration["x"])

        file = study(trials=4, search="trial_seconds = 1")
        summary = run_study(file, objective=function, storage=db, workers=2)
        assert summary.states == {"complete": 4}
        assert (tmp_path / "studies.trials" / "f" / "0-0" / "mark").exists()

    def test_one_that_always_hangs_fails_by_its_limit(self, db: str) -> None:
        def function(configuration: dict[str, Any], _: Trial) -> float:
            import time

            if configuration["x"] > 3:
                time.sleep(600)
            return 1.0

        file = study(trials=8, search='trial_seconds = 0.3\nstrategy = "random"')
        summary = run_study(file, objective=function, storage=db, workers=2)
        failed = [row for row in summary.rows if row.state == "fail"]
        assert failed
        assert "took longer than trial_seconds allows" in failed[0].why

    def test_threads_of_the_user_s_own_executor_run_it_too(self, db: str) -> None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(2) as executor:
            summary = run_study(study(), objective=parabola, storage=db, executor=executor)
        assert summary.states == {"complete": 12}


def test_an_outcome_without_steps_counts_from_one() -> None:
    assert Outcome(1.0, curve=(0.5, 1.0)).by_step == {1: 0.5, 2: 1.0}


def test_a_study_s_summary_is_read_back(db: str) -> None:
    run_study(study(trials=8), objective=parabola, storage=db, workers=1)
    summary = summarize(load_study(open_storage(db), "f"))
    assert summary.resource == ""
    assert not summary.learns
    assert summary.score_name == "loss"
    assert summary.document()["test"] is None


def test_of_very_many_reports_some_are_kept(tmp_path: Path) -> None:
    def function(_: dict[str, Any], trial: Trial) -> float:
        for step in range(10_000):
            trial.report(step, float(step))
        return 0.0

    outcome = evaluate_job(job(function, tmp_path))
    assert len(outcome.curve) == len(outcome.steps) == 2_000
    assert (outcome.steps[0], outcome.steps[-1]) == (0, 9_999)
    assert outcome.by_step[9_999] == -9_999.0


def test_a_study_that_searches_nothing_tries_what_is_fixed(db: str) -> None:
    file = parse_study_file(
        'name = "f"\n[objective]\nfunction = "given"\ndirection = "minimize"\n'
        "[fixed]\nx = 2.0\nk = 1\n[search]\ntrials = 4"
    )
    summary = run_study(file, objective=parabola, storage=db, workers=1)
    assert summary.finished
    assert summary.validation == 2.0


def test_a_search_keeps_within_the_ranges(db: str) -> None:
    summary = run_study(
        study(trials=24, search='strategy = "coarse-to-fine"'),
        objective=lambda configuration, _: configuration["x"],  # the best is the end
        storage=db,
        workers=1,
    )
    assert summary.finished
    assert all(-5 <= t.params["x"] <= 5 for t in load_study(open_storage(db), "f").trials)
