"""One door to every data set: by name, or by the path of a file."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from hpsearch.data.arrays import load_npz
from hpsearch.data.bundled import BUNDLED
from hpsearch.data.dataset import Dataset
from hpsearch.data.files import TABLE_SUFFIXES, existing_file, first_line
from hpsearch.data.images import load_cifar_10, load_fashion_mnist
from hpsearch.data.made_up import visits
from hpsearch.data.said import Said
from hpsearch.data.splits import DividingColumns
from hpsearch.errors import DataError, UnknownNameError
from hpsearch.metrics import Task

__all__ = ["DATASETS", "check_named", "columns_of", "load_dataset"]

ARRAYS: dict[str, Callable[[Path | None], Dataset]] = {
    **BUNDLED,
    "fashion-mnist": load_fashion_mnist,
    "cifar-10": load_cifar_10,
}

TABLES = {"visits": (visits, "cost")}
"""What makes a table, and the column that is its target."""

DATASETS = (*ARRAYS, *TABLES)
"""The names of all of them."""


def load_dataset(
    name: str | None = None,
    *,
    path: str | Path | None = None,
    frame: Any = None,
    target: str | None = None,
    folder: str | Path | None = None,
    limit: int | None = None,
    exclude: Sequence[str] = (),
    missing_labels: Sequence[str] = (),
    categories: Sequence[str] = (),
    ordered: Mapping[str, Sequence[str]] | None = None,
    decimal: str | None = None,
    sheet: str | None = None,
    dividing: DividingColumns | None = None,
    task: Task | None = None,
    weight: str | None = None,
    validation_path: str | Path | None = None,
    test_path: str | Path | None = None,
) -> Dataset:
    """Load a data set by name, from a file, or from a data frame.

    Args:
        name: one of `DATASETS`, or "openml:ID" (downloaded and cached by scikit-learn).
        path: a table (.csv, .tsv, .jsonl, each also .gz; .parquet, .feather, .arrow, .xlsx) or
            arrays (.npz), instead of a name.
        frame: a data frame of pandas or Polars, or an Arrow table, instead of either.
        target: the column that is learned; for tables and openml only.
        folder: where the files of fashion-mnist or cifar-10 are, or openml's cache.
        limit: keep a stratified sample of so many rows, drawn with seed 0.
        exclude: columns to leave out, by name; the columns of arrays (.npz) are x0, x1, ...
        missing_labels: labels that mean that the label is missing; this and what follows is for
            tables and openml only, but for ``task``.
        categories: columns whose values are categories, numbers though they may be.
        ordered: column -> its categories, from the least to the greatest: they become one number.
        decimal: the mark between whole and part, "," or ".", where both could be; found by default.
        sheet: of a workbook (.xlsx); the first by default.
        dividing: columns that say how rows are divided.
        task: whether the target holds classes or a quantity; None to decide by what it holds.
        weight: the column that says how much a row counts.
        validation_path: another table, whose rows are for validation.
        test_path: another table, whose rows are for the test.

    Returns:
        The data set; its ``account`` says what became of the source's rows and columns.

    Raises:
        DataError: a file is missing, malformed, or unfit to learn from.
        UnknownNameError: no data set has this name, or no column or label that is to be left out.

    >>> load_dataset("iris").classes
    ('setosa', 'versicolor', 'virginica')
    """
    if limit is not None and limit < 1:
        raise DataError(f"limit must be a positive number of rows, not {limit}.")
    if sum(source is not None for source in (name, path, frame)) != 1:
        raise DataError("name one data set: by name, by the path of its file, or as a data frame.")
    home = None if folder is None else Path(folder)
    said = Said(
        exclude,
        missing_labels,
        categories,
        ordered or {},
        decimal,
        sheet,
        dividing or DividingColumns(),
        task,
        weight,
    )
    if frame is not None:
        dataset = _of_frame(frame, target, said)
    elif name is None:
        assert path is not None
        others = {"validation": validation_path, "test": test_path}
        files = {"train": path, **{part: file for part, file in others.items() if file is not None}}
        dataset = _by_path(files, target, said)
    else:
        check_named(name, target)
        if name.startswith("openml:"):
            dataset = _openml(name, target, home, said)
        elif name in TABLES:
            dataset = _made_up(name, home, said)
        else:
            _no_table(name, said)
            dataset = ARRAYS[name](home).without(exclude)
            if task not in (None, dataset.task):
                raise DataError(f"{name} is for {dataset.task}; remove task = {task!r}.")
    return dataset if limit is None else dataset.sample(limit)


def _of_frame(frame: Any, target: str | None, said: Said) -> Dataset:
    """The table that a data frame is."""
    from hpsearch.data.frames import FRAME, as_table
    from hpsearch.data.tabular import dataset_from_table

    _no_workbook(FRAME, said)
    return dataset_from_table(FRAME, as_table(FRAME, frame), target, said)


def check_named(name: str, target: str | None) -> None:
    """Refuse a name that no data set can have, without loading any.

    Raises:
        DataError: it is a file's, or a number of openml that is none, or needs no target.
        UnknownNameError: no data set has this name.
    """
    if name.startswith("openml:"):
        number = name.removeprefix("openml:")
        if not number.isascii() or not number.isdigit():
            raise DataError(f"{name!r}: write openml: and the data set's number, as in openml:61.")
        return
    if name not in DATASETS:
        if name.endswith((*TABLE_SUFFIXES, ".npz")):
            raise DataError(f"{name!r} is not a data set's name but a file's; give it as path.")
        raise UnknownNameError("data set", name, [*DATASETS, "openml:ID"])
    if target is not None:
        raise DataError(f"{name} knows its target; remove target = {target!r}.")


def _by_path(files: Mapping[str, str | Path], target: str | None, said: Said) -> Dataset:
    """The table of one file, or of one for each part."""
    file = existing_file(files["train"])
    if file.suffix == ".npz":
        if len(files) > 1:
            raise DataError(f"{file} has its test part in X_test and y_test; name no other file.")
        if target not in (None, "y"):
            raise DataError(f"{file} keeps its labels in the array y; remove target = {target!r}.")
        _no_table(str(file), said)
        return load_npz(file, said.task).without(said.exclude)
    if file.name.endswith(TABLE_SUFFIXES):
        import pyarrow as pa

        from hpsearch.data.division import joined
        from hpsearch.data.tables import read_table
        from hpsearch.data.tabular import dataset_from_table

        told: list[str] = []
        read = partial(read_table, sheet=said.sheet, tell=told.append)
        parts = None
        if len(files) == 1:
            table = read(file)
        else:
            paths = {part: existing_file(path) for part, path in files.items()}
            table, parts = joined({part: (path, read(path)) for part, path in paths.items()})
        data = dataset_from_table(file.name, table, target, said, told, parts)
        # Arrow keeps freed memory for its next table: have it give back what this one took.
        pa.default_memory_pool().release_unused()
        return data
    raise DataError(f"{file}: data files end in {', '.join(TABLE_SUFFIXES)} or .npz.")


def _made_up(name: str, folder: Path | None, said: Said) -> Dataset:
    """A table that hpsearch makes, read like any other."""
    from hpsearch.data.tabular import dataset_from_table

    if folder is not None:
        raise DataError(f"{name} is made up and needs no folder; remove folder.")
    _no_workbook(name, said)
    make, target = TABLES[name]
    return dataset_from_table(name, make(), target, said)


def _no_workbook(name: str, said: Said) -> None:
    if said.sheet is not None:
        raise DataError(f"{name} has no sheets, as workbooks (.xlsx) have; remove sheet.")


def _no_table(name: str, said: Said) -> None:
    """Refuse what is said of columns as a table has them, where there are only numbers."""
    if said.missing_labels:
        raise DataError(f"{name} has a label in every row; remove missing_labels.")
    _no_workbook(name, said)
    for setting, column in said.dividing.named().items():
        raise DataError(
            f"{name} has no column that only divides its rows; remove {setting} = {column!r}."
        )
    said.refuse(name, "holds numbers, and no text that means any", but=("exclude", "task"))


def columns_of(path: str | Path) -> list[str]:
    """The names of a table's columns; none for a file of arrays or of another kind.

    Raises:
        DataError: the file is missing or damaged.
    """
    file = existing_file(path)
    if not file.name.endswith(TABLE_SUFFIXES):
        return []
    from hpsearch.data.tables import read_table
    from hpsearch.data.tabular import with_names

    table, _ = with_names(read_table(file))
    return list(table.column_names)


def _openml(name: str, target: str | None, folder: Path | None, said: Said) -> Dataset:
    """A table from openml.org, through scikit-learn's cache."""
    import pyarrow as pa
    from sklearn.datasets import fetch_openml

    from hpsearch.data.tabular import dataset_from_table

    try:
        found = fetch_openml(
            data_id=int(name.removeprefix("openml:")),
            as_frame=True,
            data_home=folder,
            target_column="default-target" if target is None else target,
            parser=_arff_parser(),
        )
        frame = found.frame
        targets = found.target_names
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except Exception as error:  # a download and three parsers: whatever they raise, it is theirs
        raise DataError(
            f"{name} could not be fetched from openml.org: {first_line(error)}; "
            "check the number, the target and the network."
        ) from error
    if len(targets) != 1:
        raise DataError(
            f"{name} has {len(targets)} targets of its own; set target to one of its columns."
        )
    return dataset_from_table(name, table, targets[0], said)


def _arff_parser() -> Literal["pandas", "liac-arff"]:
    """The fast parser, unless pandas (from 3.1) reads categories named by numbers as integers.

    scikit-learn up to 1.9.1 fails on those (its issue 34892); the slow parser gives the same table.
    """
    import pandas as pd

    column = pd.read_csv(io.StringIO("1\n"), header=None, dtype="category")[0]
    return "liac-arff" if pd.api.types.is_integer_dtype(column.cat.categories) else "pandas"
