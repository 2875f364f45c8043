"""`hpsearch init` and `hpsearch schema`: study files to start from, and for editors."""

from __future__ import annotations

import os
import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from hpsearch.cli.console import print_json, tell
from hpsearch.errors import UsageError
from hpsearch.writing import in_one_line

if TYPE_CHECKING:
    from hpsearch.data import Dataset
    from hpsearch.study_file import StudyFile

__all__ = ["init", "schema"]

Objective: TypeAlias = Literal["estimator", "function", "command"]
"""The kinds of which there is an example."""

DATA = "digits"
"""What a study learns from where nothing else is asked for."""

TARGETS = ("label", "target", "class", "y")
"""What the column with the classes is called where it goes without saying, in any case."""


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("study.toml"),
    data: Annotated[
        str | None,
        typer.Option("--data", help=f"A known data set, or a table of your own; default: {DATA}."),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", help="The column of your table that holds the labels.")
    ] = None,
    objective: Annotated[
        Objective | None,
        typer.Option("--objective", help="An example of what is no network, which runs at once."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a study file with every setting explained, for data that can be learned from.

    A table is read first: what is written can be run, and says what the table holds, which task,
    metric and split suit it, and why. Without --target the labels are in its column label, target,
    class or y. With --objective function or command a small program is written beside the file.
    """
    from hpsearch.study_file import template
    from hpsearch.study_file.data import study_data

    if objective in ("function", "command"):
        if data is not None or target is not None:
            raise UsageError(f"--data and --target are for rows, and a {objective} has none")
        _write_program(path, objective, force=force)
        return
    _check_free(path, force=force)
    place, target = _source(data or DATA, target, path.parent)
    if objective == "estimator":
        _write(path, _of_an_estimator(path, place, target))
        return
    text = template(path.stem, place, target)
    study = _study(text, path)
    if study.data.path is not None:
        dataset, _ = study_data(study.data.model_copy(update=WIDEST), study.seed)
        said, about = _suited(dataset)
        text = template(path.stem, place, target, said, about)
        study = _study(text, path)
        study_data(study.data, study.seed)
    _write(path, text)


def _check_free(*paths: Path, force: bool) -> None:
    for path in paths:
        if os.path.lexists(path) and not force:
            raise UsageError(f"{path} is there already; --force replaces it")


def _write(path: Path, text: str, *beside: Path) -> None:
    """Write a study file, and tell how it is run.

    Args:
        path: of the file.
        text: of it.
        beside: what was written with it.
    """
    _write_text(path, text)
    wrote = " and ".join(map(str, (path, *beside)))
    tell(f"wrote {wrote}; next: hpsearch run {shlex.quote(str(path))}")


def _write_text(path: Path, text: str) -> None:
    from hpsearch.writing import write_whole

    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def _write_program(path: Path, kind: str, *, force: bool) -> None:
    """Write a study of a function or a command, and its program."""
    from hpsearch.study_file.examples import PROGRAM, program_example

    program = path.parent / PROGRAM
    _check_free(path, program, force=force)
    study, code = program_example(kind, path.stem or "study")
    _study(study, path)
    _write_text(program, code)
    _write(path, study, program)


def _of_an_estimator(path: Path, place: str, target: str | None) -> str:
    """A study of an estimator of scikit-learn, for data that have been looked at."""
    from hpsearch.study_file.data import study_data
    from hpsearch.study_file.examples import estimator_example

    name = path.stem or "study"
    study = _study(estimator_example(name, place, target, "classification"), path)
    if study.data.path is None:
        dataset, _ = study_data(study.data, study.seed)
        return estimator_example(name, place, target, dataset.task)
    dataset, _ = study_data(study.data.model_copy(update=WIDEST), study.seed)
    text = estimator_example(name, place, target, dataset.task, *_suited(dataset))
    study = _study(text, path)
    study_data(study.data, study.seed)
    return text


WIDEST = {"split": "random"}
"""Any rows that can be learned from can be divided so, and then be looked at."""


def _study(text: str, path: Path) -> StudyFile:
    """The study that a text makes, in the place of its file."""
    from hpsearch.study_file import parse_study_file
    from hpsearch.study_file.loading import anchored

    return anchored(parse_study_file(text, origin=f"what init would write to {path}"), path.parent)


def _suited(dataset: Dataset) -> tuple[dict[str, dict[str, tuple[Any, str]]], list[str]]:
    """What a study of the data should say, by table and setting; and what they are, in lines."""
    from hpsearch.checks.suggestion import suggestions

    said: dict[str, dict[str, tuple[Any, str]]] = {}
    for one in suggestions(dataset):
        said.setdefault(one.table, {})[one.key] = one.value, one.why
    columns = [
        f"{name} ({len(names):,} categories)" if names is not None else f"{name} (numbers)"
        for name, names in (
            (name, dataset.categories.get(j)) for j, name in enumerate(dataset.feature_names)
        )
    ]
    told = [f"Columns: {', '.join(columns[:MOST_COLUMNS])}" + "." * (len(columns) <= MOST_COLUMNS)]
    if len(columns) > MOST_COLUMNS:
        told[0] += f" and {len(columns) - MOST_COLUMNS} more."
    told += [
        f"{what.capitalize()}: {words}."
        for what, words in dataset.account.facts(5)
        if what not in ("divided", "task")
    ]
    lines = [line for text in told for line in textwrap.wrap(in_one_line(text), 96)]
    return said, lines


MOST_COLUMNS = 30
"""Of more columns than so many a study file counts the others."""


def _source(data: str, target: str | None, folder: Path) -> tuple[str, str | None]:
    """The data as a study file in a folder names them, and their target.

    Raises:
        UsageError: there are no such data, or the target is not told and not obvious.
    """
    from hpsearch.data.load import DATASETS, check_named

    named = data in DATASETS or data.startswith("openml:")
    if named or not (any(mark in data for mark in "./\\") or os.path.lexists(data)):
        check_named(data, target)
        return data, target
    try:
        data.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"the name {data!r} is not UTF-8, and a study file is; rename the data file"
        ) from None
    file = Path(data)
    target = _obvious_target(file) if target is None else target
    if file.is_absolute() or data.startswith("~"):
        return data, target
    here = os.path.relpath(file.parent.resolve() / file.name, folder.resolve())
    return (here if any(mark in here for mark in "./\\") else f"./{here}"), target


def _obvious_target(file: Path) -> str | None:
    """The one column of a table that is called what targets are called; None for arrays.

    Raises:
        UsageError: the file cannot be read, or the table has no such column, or several.
    """
    from hpsearch.data.account import listed
    from hpsearch.data.load import columns_of

    columns = columns_of(file)
    found = [column for column in columns if column.lower() in TARGETS]
    if columns and len(found) != 1:
        raise UsageError(
            f"{file}: which column is to be learned? Name it with --target: {listed(columns, 10)}"
        )
    return found[0] if found else None


def schema() -> None:
    """Print the JSON Schema of study files, for editors."""
    from hpsearch.study_file import json_schema

    print_json(json_schema())
