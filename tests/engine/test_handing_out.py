"""How many slots are handed out at once, and how many results are waited for."""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from here import Here

from hpsearch.engine import dispatch, jobs, run_study
from hpsearch.engine.interrupts import Interrupts
from hpsearch.study_file import parse_study_file

TEXT = """
name = "s"
[objective]
function = "given"
metric = "loss"
direction = "minimize"
[space]
x = {{ low = 0.0, high = 1.0 }}
[search]
strategy = "{strategy}"
trials = {trials}
"""


def loss(configuration: Mapping[str, Any], trial: object = None) -> float:
    del trial
    return float(configuration["x"])


def handed_out(here: Here, folder: Path, strategy: str, trials: int) -> dict[str, int]:
    """How many slots two workers had when each was given to one; by stage and slot."""
    here.ahead = 2
    file = folder / "s.db"
    counts: dict[str, int] = {}

    def count(job: Any) -> None:
        with closing(sqlite3.connect(file)) as connection:
            [running] = connection.execute("SELECT COUNT(*) FROM trials WHERE state = 'RUNNING'")
        counts[Path(job.folder).name] = running[0]

    here.before = count
    study = parse_study_file(TEXT.format(strategy=strategy, trials=trials))
    run_study(study, objective=loss, storage=str(file), workers=2)
    return counts


def test_each_worker_has_the_next_at_hand_but_at_the_end(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "BRIEF", 0.0)
    counts = handed_out(here, tmp_path, "random", 12)
    assert list(counts.values()) == [4] * 8 + [2] * 4


def test_so_it_has_at_the_end_of_a_stage_where_the_next_one_does_not_wait_for_it(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "BRIEF", 0.0)
    counts = handed_out(here, tmp_path, "guided", 60)  # its first stage has 18, and 2 are not seen
    assert [counts[f"0-{slot}"] for slot in range(18)] == [4] * 12 + [2] * 2 + [4] * 4


def test_brief_trials_are_handed_out_several_at_once(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "BRIEF", math.inf)
    counts = [*handed_out(here, tmp_path, "random", 40).values()]
    assert counts[:12] == [4] * 12  # nobody knows yet that they are brief
    assert counts[12:36] == [8] * 24
    assert counts[36:] == [4] * 4


def test_what_learns_from_the_others_is_handed_out_as_soon_as_a_worker_is_free(
    here: Here, tmp_path: Path
) -> None:
    assert {*handed_out(here, tmp_path, "tpe", 20).values()} == {2}


def test_results_of_brief_trials_are_recorded_several_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "LOOK", 60.0)
    pool = Later()
    with Interrupts() as interrupts:
        given = jobs.Jobs[int](pool, interrupts, abs, None)
        for key in range(8):
            given.give(key, -key)
        given.launch()
        for future in pool.futures[:3]:
            future.set_result(0)
        fourth = threading.Timer(0.01, pool.futures[3].set_result, [0])
        fourth.start()
        assert [attempts.key for attempts in given.wait()] == [0, 1, 2, 3]
        pool.futures[5].set_result(0)  # of four, two for each worker, one is enough
        assert [attempts.key for attempts in given.wait()] == [5]
    fourth.join()


class Later:
    """Two workers whose results come when somebody says so."""

    workers, ahead, kills = 2, 2, False

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []

    def submit(
        self,
        function: Callable[[Any], Any],
        /,
        job: Any,
        *,
        limit: float | None = None,
        key: Hashable = None,
    ) -> Future[Any]:
        del function, job, limit, key
        self.futures.append(Future())
        return self.futures[-1]
