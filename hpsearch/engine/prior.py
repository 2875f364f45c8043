"""What a study knows before it begins: the results of the earlier studies that it names.

They are fixed when the study begins, and kept with it: what becomes of those studies later changes
none of its trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hpsearch.engine import record
from hpsearch.engine.identity import kept_study_file
from hpsearch.engine.metadata import metadata_errors
from hpsearch.errors import UsageError
from hpsearch.search.base import Configuration, Result, Slot, merit
from hpsearch.search.effects import evenly
from hpsearch.space import Categorical, Space, Value
from hpsearch.storage import load_study

if TYPE_CHECKING:
    import optuna

    from hpsearch.storage import WriteBehindStorage
    from hpsearch.study_file import StudyFile

__all__ = ["keep_prior", "read_prior"]

MOST = 1024
"""Results of all earlier studies together: a model of more takes seconds, and tells little more."""


def read_prior(
    store: WriteBehindStorage, study: StudyFile, target: optuna.Study | None
) -> list[dict[str, Any]]:
    """What is known of the earlier studies that a study names, in terms of JSON.

    Args:
        store: where they are.
        study: the study's file.
        target: the study, if it is there already; once it has begun its prior is fixed.

    Raises:
        UsageError: there is no such study, or hpsearch did not make it, or none of its trials has a
            result within what this one may search.
    """
    if target is not None:
        kept: list[dict[str, Any]] | None = record.read_metadata(target, "prior")
        if kept is not None:
            return kept
    names = study.search.prior
    return [_read(store, name, study.search_space(), MOST // len(names)) for name in names]


def keep_prior(
    target: optuna.Study, prior: list[dict[str, Any]], space: Space
) -> list[list[Result]]:
    """Keep what `read_prior` found with the study, which must be held.

    Args:
        target: the study.
        prior: what was found.
        space: the study's.

    Returns:
        The results of each earlier study.
    """
    prior = record.read_metadata(target, "prior") or prior  # it has begun since it was looked for
    if prior:
        record.write_metadata(target, "prior", prior)
    with metadata_errors(target, "prior"):
        return [
            [
                Result(
                    Slot(0, i, within, 0, r["epochs"]), r["score"] or 0.0, r["score"] is not None
                )
                for i, r in enumerate(known["results"])
                if (within := _within(space, r["configuration"])) is not None
            ]
            for known in prior
        ]


def _read(store: WriteBehindStorage, name: str, space: Space, most: int) -> dict[str, Any]:
    earlier = load_study(store, name)
    file = kept_study_file(earlier)
    if file is None:
        raise UsageError(f"[search] prior names {name!r}, which hpsearch did not make; remove it")
    results = [
        replace(result, slot=replace(result.slot, configuration=configuration))
        for result in record.read_results(
            earlier.get_trials(deepcopy=False), record.measure_of(earlier)
        ).values()
        if (configuration := _within(space, file.configuration(result.slot.configuration)))
    ]
    if not results:
        raise UsageError(
            f"[search] prior names {name!r}, which has no finished trial within the ranges and "
            "choices of this study; remove it, or run it first"
        )
    kept = [
        {
            "configuration": result.slot.configuration,
            "epochs": result.slot.epochs,
            "score": result.score if result.complete else None,
        }
        for result in evenly(sorted(results, key=merit), most)
    ]
    return {"study": name, "results": kept}


def _within(space: Space, settings: Mapping[str, Value]) -> Configuration | None:
    """What a training was in a space, or None if it has no place there.

    A number may lie past a range, but on its scale. A parameter that the earlier study did not
    search had its fixed value.
    """
    configuration = {name: settings[name] for name in space.active(settings)}
    for name, value in configuration.items():
        parameter = space.parameters[name]
        if isinstance(parameter, Categorical):
            if value not in parameter:
                return None
        elif not isinstance(value, int | float) or (parameter.log and value <= 0):
            return None
    return configuration
