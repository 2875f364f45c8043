"""A study as event files of TensorBoard: a folder for each trial, with its curves.

The tab HPARAMS shows the parameters beside the score. TensorFlow is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpsearch.engine.summary import TrialRow
from hpsearch.errors import UsageError
from hpsearch.export.needed import needed
from hpsearch.export.trials import (
    finished_trials,
    scores_of,
    seconds_since_1970,
    value_names,
)
from hpsearch.plots.view import StudyView
from hpsearch.space import Categorical, Float, Int, Parameter, Value
from hpsearch.writing import in_one_line

__all__ = ["to_tensorboard"]

SUFFIX = ".hpsearch"
"""How the names of our files end."""


def to_tensorboard(view: StudyView, folder: Path, *, force: bool = False) -> int:
    """Write a study's finished trials, each to a folder ``trial-NUMBER``.

    A trial has its metric by epoch (``curve/NAME``), its losses (``loss/train`` and
    ``loss/validation``), and, at the epoch that counts, the score (``score/NAME``) and what is
    recorded beside it.

    Args:
        view: the study.
        folder: to write to; made where it is missing.
        force: whether files of an earlier export there are replaced; others stay.

    Returns:
        The number of trials.

    Raises:
        UsageError: there is something in the folder already, or no such folder can be written, or
            TensorBoard is not installed.
    """
    needed("tensorboard")
    _emptied(folder, force=force)
    trials = finished_trials(view.trials)
    also = (name for row in trials for name in row.also)
    scores = dict.fromkeys([*value_names(view.summary), *also])
    with _events(folder) as add:
        add(_experiment(view.parameters, scores), 0.0, 0)
    for row in trials:
        with _events(folder / f"trial-{row.number:04}") as add:
            for event in _trial(view, row):
                add(*event)
    return len(trials)


def _trial(view: StudyView, row: TrialRow) -> Iterator[tuple[Any, float, int]]:
    """The summaries of a trial, with when they were and at which epoch."""
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    began, ended = seconds_since_1970(row.started), seconds_since_1970(row.completed)
    configuration = {
        in_one_line(name): _plain(value, view.parameters[name])
        for name, value in row.configuration.items()
        if name in view.parameters
    }
    yield hparams_pb(configuration, f"trial {row.number}", began), began, 0
    [name, *_] = value_names(view.summary)
    curves = {
        f"curve/{name}": row.curve,
        "loss/train": dict(enumerate(row.train_losses, start=1)),
        "loss/validation": dict(enumerate(row.validation_losses, start=1)),
    }
    for tag, curve in curves.items():
        for place, (step, value) in enumerate(sorted(curve.items()), start=1):
            yield _scalar(tag, value), began + (ended - began) * place / len(curve), step
    counts = row.best_epoch or max(row.curve, default=0)
    for name, value in scores_of(view.summary, row).items():
        yield _scalar(f"score/{name}", value), ended, counts
    yield _end(row, ended), ended, counts


def _scalar(tag: str, value: float) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(value=[Summary.Value(tag=in_one_line(tag), simple_value=value)])


def _experiment(parameters: Mapping[str, Parameter], scores: Iterable[str]) -> Any:
    """What the tab HPARAMS has as columns: parameters and scores."""
    from tensorboard.plugins.hparams import summary_v2 as hparams

    return hparams.hparams_config_pb(
        [hparams.HParam(in_one_line(name), _domain(p)) for name, p in parameters.items()],
        [
            hparams.Metric(in_one_line(f"score/{name}"), display_name=in_one_line(name))
            for name in scores
        ],
    )


def _domain(parameter: Parameter) -> Any:
    """The values of a parameter, as TensorBoard has them: of one type."""
    from tensorboard.plugins.hparams import summary_v2 as hparams

    match parameter:
        case Int():
            return hparams.IntInterval(parameter.low, parameter.high)
        case Float():
            return hparams.RealInterval(float(parameter.low), float(parameter.high))
        case Categorical():
            return hparams.Discrete([_plain(choice, parameter) for choice in parameter.choices])


def _plain(value: Value, parameter: Parameter) -> bool | int | float | str:
    """A value; its text where the choices are of several types, or of none that there is."""
    choices = parameter.choices if isinstance(parameter, Categorical) else ()
    if len(set(map(type, choices))) > 1 or value is None or isinstance(value, str):
        return in_one_line(str(value))
    return value


def _end(row: TrialRow, ended: float) -> Any:
    """How a trial ended, for the tab HPARAMS."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_FAILURE if row.state == "fail" else api_pb2.STATUS_SUCCESS
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=ended)
    about = metadata.create_summary_metadata(
        plugin_data_pb2.HParamsPluginData(session_end_info=info)
    )
    tag = metadata.SESSION_END_INFO_TAG
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)])


@contextmanager
def _events(folder: Path) -> Iterator[Any]:
    """A function that adds a summary, when it was, and its step to a new event file."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder), max_queue_size=10_000, filename_suffix=SUFFIX)
    try:
        yield lambda summary, when, step: writer.add_event(
            Event(wall_time=when, step=step, summary=summary)
        )
    finally:
        writer.close()


def _emptied(folder: Path, *, force: bool) -> None:
    """Make the folder, without the files of an earlier export.

    Raises:
        UsageError: it cannot be made, or something is in it and is not to be replaced.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not force:
            raise UsageError(f"{folder} has files already; --force replaces those of an export")
        for old in [*folder.glob(f"*{SUFFIX}"), *folder.glob(f"trial-*/*{SUFFIX}")]:
            old.unlink()
    except OSError as error:
        raise UsageError(f"cannot write to the folder {folder}: {error.strerror}") from None
