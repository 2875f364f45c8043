"""Earlier studies that inform a guided one: what is read of them, kept, and never read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from here import Here

from hpsearch.engine import prior as prior_module
from hpsearch.engine import record, run_study
from hpsearch.engine.events import Event, TrialDone
from hpsearch.errors import HpsearchError, UsageError
from hpsearch.search import Result, Slot, make_strategy, run_search
from hpsearch.space import Float, Space
from hpsearch.storage import load_study, open_storage, study_names
from hpsearch.study_file import StudyFile, parse_study_file

pytestmark = pytest.mark.slow

TEXT = """
name = "{name}"
seed = {seed}
[data]
name = "{data}"
[model]
width = {{ low = 4, high = 32, log = true }}
depth = 1
activation = {activation}
[training]
epochs = 4
[search]
strategy = "{strategy}"
trials = {trials}
prior = {prior}
"""


def study(name: str, prior: list[str] | None = None, **given: Any) -> StudyFile:
    settings = {"seed": 3, "data": "iris", "activation": '"relu"', "trials": 12}
    settings |= {"strategy": "guided" if prior else "random"}
    return parse_study_file(TEXT.format(name=name, prior=prior or [], **settings | given))


def configurations(db: str, name: str) -> dict[tuple[int, int], dict[str, Any]]:
    trials = load_study(open_storage(db), name).trials
    return {(t.user_attrs["stage_index"], t.user_attrs["slot"]): t.params for t in trials}


def kept(db: str, name: str) -> list[dict[str, Any]]:
    prior: list[dict[str, Any]] = record.read_metadata(load_study(open_storage(db), name), "prior")
    return prior


def test_earlier_studies_choose_the_first_stage_and_are_kept_with_it(here: Here, db: str) -> None:
    run_study(study("early", data="wine"), storage=db)
    run_study(study("with", ["early"]), storage=db)
    run_study(study("without", strategy="guided"), storage=db)
    first = [
        [params for (stage, _), params in configurations(db, name).items() if stage == 0]
        for name in ("with", "without")
    ]
    assert first[0] != first[1]
    [known] = kept(db, "with")
    assert known["study"] == "early"
    found = [result["configuration"] for result in known["results"]]
    assert all(params in found for params in configurations(db, "early").values())


def test_what_becomes_of_them_later_changes_nothing(here: Here, tmp_path: Path) -> None:
    def run(db: str, *, stopped: bool) -> dict[tuple[int, int], dict[str, Any]]:
        run_study(study("early", data="wine"), storage=db)
        if stopped:
            done = iter(range(3))

            def stop(event: Event) -> None:
                if isinstance(event, TrialDone) and next(done, None) is None:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                run_study(study("s", ["early"]), storage=db, workers=1, on_event=stop)
            run_study(study("early", data="wine", trials=20), storage=db)
        run_study(study("s", ["early"]), storage=db)
        return configurations(db, "s")

    whole = run(str(tmp_path / "whole.db"), stopped=False)
    assert run(str(tmp_path / "stopped.db"), stopped=True) == whole


def test_other_parameters_and_choices(here: Here, db: str) -> None:
    both = '{ choices = ["relu", "tanh"] }'
    run_study(study("wide", activation=both), storage=db)
    run_study(study("fixed", activation='"tanh"'), storage=db)
    run_study(study("s", ["wide", "fixed"]), storage=db)
    wide, fixed = kept(db, "s")
    assert (
        len(wide["results"]) == len(fixed["results"]) == 12
    )  # what this one does not search counts
    run_study(study("t", ["wide"], activation='{ choices = ["relu", "elu"] }'), storage=db)
    assert {r["configuration"]["activation"] for r in kept(db, "t")[0]["results"]} == {"relu"}
    with pytest.raises(UsageError, match="'fixed', which has no finished trial within the ranges"):
        run_study(study("u", ["fixed"], activation='{ choices = ["relu", "elu"] }'), storage=db)


@pytest.mark.parametrize(
    ("prior", "strategy", "sentence"),
    [
        (["nobody"], "guided", "unknown study 'nobody'. Known: foreign"),
        (["foreign"], "guided", "'foreign', which hpsearch did not make"),
        (["empty"], "guided", "'empty', which has no finished trial"),
        (["s"], "guided", "which is this study itself"),
        (["early"], "random", "prior is a setting of guided, not of random"),
    ],
)
def test_what_cannot_be_a_prior_is_refused_and_nothing_is_trained(
    here: Here, db: str, prior: list[str], strategy: str, sentence: str
) -> None:
    storage = open_storage(db)
    optuna.create_study(study_name="foreign", storage=storage)
    with pytest.raises(KeyboardInterrupt):
        run_study(study("empty"), storage=db, on_event=_interrupt)
    here.jobs.clear()
    with pytest.raises(HpsearchError, match=sentence):
        run_study(study("s", prior, strategy=strategy), storage=db)
    assert here.jobs == []
    assert "s" not in study_names(storage)


def test_many_results_are_thinned_evenly_by_rank(
    here: Here, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prior_module, "MOST", 6)
    run_study(study("early"), storage=db)
    scores = sorted(t.value for t in load_study(open_storage(db), "early").trials)
    run_study(study("s", ["early"]), storage=db)
    [known] = kept(db, "s")
    thinned = [result["score"] for result in known["results"]]
    assert len(thinned) == 6
    assert (thinned[0], thinned[-1]) == (scores[0], scores[-1])
    assert thinned == sorted(thinned)


def _interrupt(_: Event) -> None:
    raise KeyboardInterrupt


def test_results_that_are_all_equal_tell_nothing() -> None:
    space = Space({"x": Float(0.0, 1.0)})
    equal = [Result(Slot(0, i, {"x": i / 9}, 0, 1), 1.0) for i in range(10)]
    told, untold = (
        make_strategy("guided", space, trials=12, epochs=1, seed=0, prior=prior)
        for prior in ([equal], [])
    )
    found = [run_search(lambda slot: slot.configuration["x"], s).results for s in (told, untold)]  # type: ignore[arg-type, return-value]
    assert found[0] == found[1]
