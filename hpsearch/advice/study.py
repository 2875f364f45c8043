"""The advice for a study in a database: its recommendations, and the study file to run next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hpsearch.advice.evidence import evidence_of
from hpsearch.advice.next_study import next_study, study_toml
from hpsearch.advice.recommendations import Change, Recommendation, advise, log_range
from hpsearch.checks import Check, check_data_and_network, learning_range
from hpsearch.checks.check import listed
from hpsearch.checks.data_checks import SCALE
from hpsearch.checks.rates import RateRange, range_verdict
from hpsearch.data import Dataset
from hpsearch.engine.identity import check_same_data, kept_study_file
from hpsearch.engine.summary import summarize
from hpsearch.errors import DataError, UsageError
from hpsearch.space import Float
from hpsearch.storage import load_study, storage_errors, study_names
from hpsearch.study_file import StudyFile
from hpsearch.study_file.data import study_data

if TYPE_CHECKING:
    from hpsearch.storage import WriteBehindStorage

__all__ = ["Advice", "advise_study"]


@dataclass(frozen=True)
class Advice:
    """What a study says, and what to run next.

    Attributes:
        study: its file.
        recommendations: what its trainings say.
        checks: of its data and network, those that did not pass.
        then: the file to run next.
        changes: what differs in it.
        note: why something is missing, if so.
    """

    study: StudyFile
    recommendations: tuple[Recommendation, ...]
    checks: tuple[Check, ...]
    then: StudyFile
    changes: tuple[Change, ...]
    note: str = ""

    def text(self, folder: Path | None = None) -> str:
        """The file to run next, with the reasons as comments.

        Args:
            folder: where it will lie; None for here.
        """
        reasons = [
            p.sentence
            for p in self.recommendations
            if any(change in self.changes for change in p.changes)
        ]
        head = [f"After {self.study.name}:", *reasons] if reasons else []
        return study_toml(self.then, self.changes, head, folder=folder)

    def document(self) -> dict[str, Any]:
        """The advice in terms of JSON."""
        return {
            "study": self.study.name,
            "recommendations": [
                {
                    "topic": recommendation.topic,
                    "sentence": recommendation.sentence,
                    "changes": [vars(change) for change in recommendation.changes],
                }
                for recommendation in self.recommendations
            ],
            "checks": [check.document() for check in self.checks],
            "changes": [vars(change) for change in self.changes],
            "next": self.then.model_dump(mode="json", exclude_defaults=True),
            "note": self.note,
        }


def advise_study(store: WriteBehindStorage, name: str) -> Advice:
    """Read a study's trainings, check its data and network once more, and say what to do next.

    Where the study is broken, the learning rates of the next one are those at which the repaired
    network learns, found by a sweep.

    Args:
        store: the database.
        name: of the study.

    Raises:
        UnknownNameError: there is no such study.
        UsageError: hpsearch did not make it.
    """
    with storage_errors(store.url):
        target = load_study(store, name)
        study = kept_study_file(target)
        if study is None:
            raise UsageError(
                f"the study {name!r} was not made by hpsearch, which knows nothing of how its "
                "trials were trained"
            )
        evidence = evidence_of(study, summarize(target))
        taken = set(study_names(store))
    recommendations = advise(evidence)

    def advice(checks: tuple[Check, ...], note: str = "") -> Advice:
        changes = (change for r in recommendations for change in r.changes)
        then, applied = next_study(study, changes, taken=taken)
        return Advice(study, recommendations, checks, then, applied, note)

    if not study.objective.learns:
        return advice(())
    try:
        dataset, splits = study_data(study.data, study.seed)
        check_same_data(target, dataset)
    except (DataError, UsageError) as error:
        return advice((), f"The data were not looked at: {error}")
    checks = check_data_and_network(study, dataset, splits[0])
    odd = tuple(check for check in checks if check.verdict != "pass")
    scaling = _scale(study, odd, recommendations) if evidence.network else []
    if evidence.network and (scaling or any(r.repair for r in recommendations)):
        # What a broken study says of its rates, only the repaired network can tell.
        repairs = [r for r in recommendations if r.repair or not r.changes]
        others = (*scaling, *(_without_rates(r) for r in repairs))
        repaired, _ = next_study(study, (change for r in others for change in r.changes))
        learns = learning_range(repaired, dataset, splits[0])
        recommendations = (
            (*scaling, *repairs) if learns is None else (*others, *_rates(repaired, learns))
        )
    recommendations = (*_useless(study, odd, dataset), *recommendations)
    return advice(odd)


def _useless(study: StudyFile, odd: Sequence[Check], dataset: Dataset) -> list[Recommendation]:
    """The columns that the next study is to leave out, beside those that this one does."""
    asking = [check for check in odd if check.exclude]
    new = dict.fromkeys(name for check in asking for name in check.exclude)
    if not new or len(new) == len(dataset.feature_names):
        return []
    change = Change("data", "exclude", [*study.data.exclude, *new])
    found = "; ".join(f"{check.name}: {listed([*map(repr, check.exclude)])}" for check in asking)
    return [Recommendation("columns", f"Columns to leave out: {found}.", (change,))]


def _without_rates(recommendation: Recommendation) -> Recommendation:
    kept = tuple(change for change in recommendation.changes if change.key != "learning_rate")
    return replace(recommendation, changes=kept)


def _scale(
    study: StudyFile, odd: Sequence[Check], recommendations: Sequence[Recommendation]
) -> list[Recommendation]:
    """What the check of the inputs asks for, unless the trainings do so already."""
    known = any(change.key == "preprocessing" for r in recommendations for change in r.changes)
    raw = study.data.preprocessing == "none"
    return [
        Recommendation(
            "inputs not scaled",
            f"The inputs are not scaled: {check.advice}.",
            (Change("data", "preprocessing", "standardize"),),
            repair=True,
        )
        for check in odd
        if check.name == SCALE and raw and not known
    ]


def _rates(repaired: StudyFile, learns: RateRange | None) -> list[Recommendation]:
    """The learning rates at which the repaired network learns, where the study's are others."""
    searched = repaired.search_space().parameters.get("learning_rate")
    if isinstance(searched, Float):
        low, high = searched.low, searched.high
    else:
        low = high = cast("float", repaired.fixed_settings()["learning_rate"])
    if learns is None or range_verdict(low, high, learns)[0] == "pass":
        return []
    side = "low" if high < learns.high else "high"
    return [
        Recommendation(
            f"learning rate too {side}",
            f"The learning rates, {low:.2g} to {high:.2g}, are too {side}: the repaired network "
            f"learns at {learns.low:.2g} to {learns.high:.2g}.",
            (Change("training", "learning_rate", log_range(learns.low, learns.high)),),
        )
    ]
