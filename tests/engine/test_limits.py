"""No training hangs for ever: not the winner's last one either, nor those of an ensemble."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpsearch.engine import run_study
from hpsearch.engine.ensemble import make_ensemble
from hpsearch.engine.jobs import Attempts
from hpsearch.errors import RunError
from hpsearch.objectives import refit
from hpsearch.objectives.network import NetworkObjective
from hpsearch.study_file import StudyFile, parse_study_file
from hpsearch.training.jobs import Job, RefitJob, predictions_job, refit_job

pytestmark = pytest.mark.slow

TEXT = """
name = "s"
[data]
name = "iris"
[model]
width = {{ low = 4, high = 32, log = true }}
[training]
epochs = 2
[search]
strategy = "random"
trials = 4
trial_seconds = {seconds}
"""
TOO_LONG = "the training took longer than trial_seconds allows"


def study(seconds: float) -> StudyFile:
    return parse_study_file(TEXT.format(seconds=seconds))


def hang_once(job: Job | RefitJob) -> None:
    mark = Path(job.data.folder, "hung")
    if not mark.exists():
        mark.touch()
        time.sleep(3600)


def refit_that_hangs_once(job: RefitJob, stop: Any = None) -> Any:
    hang_once(job)
    return refit_job(job, stop)


def candidate_that_hangs_once(job: Job, stop: Any = None) -> Any:
    hang_once(job)
    return predictions_job(job, stop)


def hang(job: RefitJob) -> None:
    time.sleep(3600)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What broke, in words, as the driver noticed it."""
    words: list[str] = []
    notice: Callable[..., bool] = Attempts.notice_failure

    def remember(attempts: Attempts[Any], error: Exception) -> bool:
        last = notice(attempts, error)
        words.append(attempts.errors[-1])
        return last

    monkeypatch.setattr(Attempts, "notice_failure", remember)
    return words


def test_a_last_training_that_hangs_is_killed_and_tried_again(
    db: str, monkeypatch: pytest.MonkeyPatch, broken: list[str]
) -> None:
    monkeypatch.setattr(refit, "refit_job", refit_that_hangs_once)
    summary = run_study(study(1.0), storage=db, workers=1)
    assert summary.test is not None
    assert broken == [TOO_LONG]


def test_one_that_always_hangs_is_one_sentence_and_the_trials_are_kept(
    db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(refit, "refit_job", hang)
        with pytest.raises(RunError, match=f"last training broke 3 times: {TOO_LONG}"):
            run_study(study(1.0), storage=db, workers=1)
    assert run_study(study(60.0), storage=db, workers=1).states == {"complete": 4}


@pytest.mark.parametrize(
    ("module", "name", "function"),
    [
        (NetworkObjective, "said", staticmethod(candidate_that_hangs_once)),
        (refit, "refit_job", refit_that_hangs_once),
    ],
)
def test_a_member_of_an_ensemble_that_hangs_is_killed_and_tried_again(
    db: str,
    monkeypatch: pytest.MonkeyPatch,
    broken: list[str],
    module: Any,
    name: str,
    function: Callable[..., Any],
) -> None:
    run_study(study(1.0), storage=db, workers=1)
    monkeypatch.setattr(module, name, function)
    assert len(make_ensemble("s", 2, storage=db, workers=1).members) == 2
    assert broken == [TOO_LONG]
