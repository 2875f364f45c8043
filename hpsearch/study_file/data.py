"""The data that a study file names, divided as it says."""

from __future__ import annotations

from hpsearch.data import Dataset, Split, load_dataset, make_splits
from hpsearch.study_file.models import DataSection

__all__ = ["study_data"]


def study_data(data: DataSection, seed: int) -> tuple[Dataset, tuple[Split, ...]]:
    """Load and divide.

    Args:
        data: what, and how.
        seed: of the division.

    Returns:
        The data set, and one split for each fold, all with the same test part.

    Raises:
        DataError: the data cannot be read or divided.
    """
    dataset = load_dataset(
        data.name,
        path=data.path,
        target=data.target,
        folder=data.folder,
        limit=data.limit,
        exclude=data.exclude,
        missing_labels=data.missing_labels,
        categories=data.categories,
        ordered=data.ordered,
        decimal=data.decimal,
        sheet=data.sheet,
    )
    splits = make_splits(
        dataset.y,
        test=data.test,
        validation=data.validation,
        folds=data.folds,
        seed=seed,
        fixed_test=dataset.fixed_test,
        classes=dataset.classes,
    )
    return dataset.divided(splits[0].train), splits
