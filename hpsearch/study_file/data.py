"""The data that a study file names, divided as it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hpsearch.data import Dataset, DividingColumns, Split, load_dataset, make_splits
from hpsearch.errors import DataError
from hpsearch.study_file.models import DataSection

__all__ = ["study_data"]


def study_data(
    data: DataSection, seed: int, frame: Any = None
) -> tuple[Dataset, tuple[Split, ...]]:
    """Load and divide.

    Args:
        data: what, and how.
        seed: of the division.
        frame: a data frame, where the study names no data.

    Returns:
        The data set, and one split for each fold, all with the same test part.

    Raises:
        DataError: the data cannot be read or divided.
    """
    if data.name is None and data.path is None and frame is None:
        raise DataError(
            "the study names no data, which are given in Python: run_study(study, data=frame); to "
            "use a file set [data] path, and for a known data set name"
        )
    dataset = load_dataset(
        data.name,
        path=data.path,
        frame=frame,
        target=data.target,
        folder=data.folder,
        limit=data.limit,
        exclude=data.exclude,
        missing_labels=data.missing_labels,
        task=data.task,
        weight=data.weight,
        dividing=DividingColumns(data.groups, data.time, data.parts),
        validation_path=data.validation_path,
        test_path=data.test_path,
        categories=data.categories,
        ordered=data.ordered,
        decimal=data.decimal,
        sheet=data.sheet,
    )
    splits = make_splits(
        dataset.y,
        kind=data.kind_of_split,
        division=dataset.division,
        test=data.test,
        validation=data.validation,
        folds=data.folds,
        repeats=data.fold_repeats,
        seed=seed,
        fixed_test=dataset.fixed_test,
        classes=dataset.classes,
    )
    return dataset.divided(splits[0].train, _how_divided(data, dataset, splits)), splits


def _how_divided(data: DataSection, dataset: Dataset, splits: Sequence[Split]) -> str:
    kind, groups = data.kind_of_split, dataset.division.groups
    if kind == "group":
        assert groups is not None
        parts = (splits[0].train, splits[0].validation, splits[0].test)
        counts = [f"{len(np.unique(groups[rows])):,}" for rows in parts]
        how = "no {} in two parts, {}, {} and {} of them".format(repr(data.groups), *counts)
    elif kind == "time":
        how = f"in the order of {data.time!r}"
    elif kind == "given":
        how = f"as {data.parts!r} says" if data.parts else "as the files are"
    else:
        strata = "class" if dataset.task == "classification" else "quantile"
        how = f"stratified by {strata}" if kind == "stratified" else "drawn at random"
    if data.folds > 1:
        times = f"{data.fold_repeats} times " if data.fold_repeats > 1 else ""
        how += f", in {times}{data.folds} folds"
    return how
