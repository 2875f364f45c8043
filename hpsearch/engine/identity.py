"""Whether a study in the store is the one that a study file asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.engine import record
from hpsearch.engine.environment import commit_of, environment
from hpsearch.errors import UsageError
from hpsearch.metrics import DEFAULT
from hpsearch.search.optuna_strategies import quiet_optuna

if TYPE_CHECKING:
    import optuna

    from hpsearch.data import Dataset, Split
    from hpsearch.engine.baselines import Baseline
    from hpsearch.metrics import Measure
    from hpsearch.study_file import StudyFile

__all__ = [
    "check_same_data",
    "check_study",
    "keep_data",
    "keep_environment",
    "keep_study_file",
    "keeps_study_file",
    "kept_study_file",
    "open_study",
    "totals",
]

PLACES = {
    "data.path",
    "data.validation_path",
    "data.test_path",
    "data.folder",
    "objective.folder",
}
"""The same data, or code, may lie elsewhere today."""

ELSEWHERE = {"compare"}
"""What a study file says of studies beside this one."""

NAME = {"name"}
"""The study was found by its name; it had another one when it was made, if it was renamed."""

BUDGETS = {"trials", "total_epochs", "total_flops", "seconds", "trial_seconds"}
"""What of [search] may change between runs: how much to spend is no part of what is searched."""


def open_study(
    store: optuna.storages.BaseStorage, study: StudyFile, measure: Measure | None = None
) -> optuna.Study:
    """The study in the store; one that is not there is made, with a name and a direction.

    Everything else is written by whoever holds it; see `keep_study_file`.

    Args:
        store: where it is.
        study: what is asked for.
        measure: of its trials; None before the data say what that is, of a study that is there.

    Raises:
        UsageError: it was made from another file, or not by hpsearch at all.
    """
    import optuna

    with quiet_optuna():
        target = optuna.create_study(
            study_name=study.name,
            storage=store,
            direction="maximize" if measure is None else measure.direction,
            load_if_exists=True,
        )
    check_study(target, study, measure)
    return target


def check_study(target: optuna.Study, study: StudyFile, measure: Measure | None = None) -> None:
    """Make sure that a study is the one that a study file asks for, or has not begun.

    Args:
        target: the study.
        study: what is asked for.
        measure: of its trials, where that is known.

    Raises:
        UsageError: it was made from another file, or not by hpsearch at all.
    """
    if len(target.directions) > 1:
        raise UsageError(
            f"the study {study.name!r} in this database has several objectives; use another name"
        )
    direction = target.direction.name.lower()
    if measure is not None and direction != measure.direction:
        raise UsageError(
            f"the study {study.name!r} in this database {direction}s, and {measure.name} is to be "
            f"{measure.direction}d; use another name"
        )
    before = kept_study_file(target)
    empty = not target.get_trials(deepcopy=False)
    if before is None and not empty:
        raise UsageError(
            f"the database holds a study {study.name!r} that hpsearch did not make; "
            "give yours another name"
        )
    if before is not None and not empty:
        asked, kept = study.model_dump(mode="json"), before.model_dump(mode="json")
        name = record.measure_of(target).name
        if name in DEFAULT.values():  # what it is by default may be named, or not
            for file in (kept, asked):
                file["objective"]["metric"] = file["objective"]["metric"] or name
        differences = list(_differences(kept, asked))
        if differences:
            raise UsageError(
                f"the study {study.name!r} in this database was made with other settings: "
                f"{'; '.join(differences[:5])}. Give the study file a new name, or undo the change"
            )


def keep_study_file(target: optuna.Study, study: StudyFile, measure: Measure) -> None:
    """Keep what a study is made from, or what of that may change.

    Args:
        target: the study, which must be held: see `Lease`.
        study: what is asked for.
        measure: of its trials.

    Raises:
        UsageError: it was made from another file since it was looked for.
    """
    check_study(target, study, measure)
    record.write_metadata(target, "study file", study.model_dump(mode="json"))
    about = {"name": measure.name, "direction": measure.direction, "bounds": list(measure.bounds)}
    record.write_metadata(target, record.MEASURE, about)
    record.write_metadata(target, record.RESOURCE, study.resource._asdict())
    with quiet_optuna():
        if target.metric_names is None:
            name = f"validation {measure.name}" if study.objective.learns else measure.name
            target.set_metric_names([name])


def keeps_study_file(target: optuna.Study, study: StudyFile) -> bool:
    """Whether a study keeps just this study file."""
    return bool(record.read_metadata(target, "study file") == study.model_dump(mode="json"))


def kept_study_file(target: optuna.Study) -> StudyFile | None:
    """The study file that a study was made from, None if hpsearch did not make it.

    A setting that is younger than the study has its default, with which everything is as before.

    Raises:
        UsageError: it has settings that this hpsearch does not know.
    """
    from pydantic import ValidationError

    from hpsearch.study_file import StudyFile

    kept = record.read_metadata(target, "study file")
    if kept is None:
        return None
    try:
        file = StudyFile.model_validate_json(json.dumps(kept))
    except ValidationError:
        raise UsageError(
            f"the study {target.study_name!r} was made by another version of hpsearch, with "
            "settings that this one does not know; use that one, or give the study file a new name"
        ) from None
    return file.model_copy(update={"name": target.study_name})


def totals(target: optuna.Study, trials: int) -> list[int]:
    """How many trials the study was to have in all: every total so far, and the one now asked for.

    Raises:
        UsageError: that one is lower than the last.
    """
    before: list[int] = record.read_metadata(target, "totals") or []
    if not target.get_trials(deepcopy=False):
        return [trials]
    if before and trials < before[-1]:
        raise UsageError(
            f"the study {target.study_name!r} has {before[-1]} trials and is asked for {trials}; "
            "the number is a total, which can only grow; give the study file a new name"
        )
    return before if trials in before else [*before, trials]


def check_same_data(target: optuna.Study, dataset: Dataset) -> None:
    """Make sure that a study's trials were trained on these data.

    Raises:
        UsageError: they were trained on others.
    """
    before = record.read_metadata(target, "data")
    changed = before is not None and before["fingerprint"] != dataset.fingerprint
    if changed and target.get_trials(deepcopy=False):
        raise UsageError(
            f"the data of study {target.study_name!r} has changed since its first trials "
            f"({before['rows']} rows then, {dataset.X.shape[0]} now); give the study file a new "
            "name"
        )


def keep_data(
    target: optuna.Study,
    dataset: Dataset,
    splits: Sequence[Split],
    baselines: Sequence[Baseline] = (),
) -> None:
    """Keep what the data are, how many rows each part has, and what simple models come to."""
    about = {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "rows": dataset.X.shape[0],
        "columns": dataset.X.shape[1],
        "classes": [str(label) for label in dataset.classes],
        "notes": list(dataset.notes),
        "account": dataset.account.document(),
        "train": sum(len(split.train) for split in splits),
        "validation": sum(len(split.validation) for split in splits),
        "test": len(splits[0].test),
        "folds": len(splits),
        "baselines": [baseline.kept(tested=False) for baseline in baselines],
    }
    record.write_metadata(target, "data", about)


def keep_environment(target: optuna.Study) -> None:
    """Keep what this run runs with, unless an earlier run of the study ran with the same."""
    now = environment()
    commit = commit_of(Path.cwd())
    if commit is not None:
        now["commit of the folder"] = commit
    before: list[dict[str, str]] = record.read_metadata(target, "environments") or []
    if now not in before:
        record.write_metadata(target, "environments", [*before, now])


def _differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    if path in ELSEWHERE:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _differences(before.get(key), after.get(key), f"{path}.{key}".lstrip("."))
    elif before != after and path not in PLACES | NAME | {f"search.{name}" for name in BUDGETS}:
        yield f"{path} was {before} and is {after}"
