"""A study in MLflow: a run for the study, and within it one for each finished trial.

What is there already is found by its tags, so that a study can be exported again once it has more
trials.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hpsearch.engine.summary import TrialRow
from hpsearch.errors import RunError, UsageError
from hpsearch.export.needed import needed
from hpsearch.export.trials import finished_trials, scores_of, seconds_since_1970
from hpsearch.plots.view import StudyView
from hpsearch.writing import in_one_line, json_text

__all__ = ["to_mlflow", "tracking_uri", "without_password"]

STUDY, TRIAL, WINNER = "hpsearch.study", "hpsearch.trial", "hpsearch.winner"
"""Tags by which runs are found, and of the winner."""

PARENT = "mlflow.parentRunId"
"""MLflow's own tag of a run within another."""

STATUS = {"complete": "FINISHED", "pruned": "KILLED", "fail": "FAILED"}
"""MLflow's words for the states of trials."""

BATCH = 800
"""Numbers that are sent at once; MLflow takes a thousand entries, with parameters and tags."""

LONGEST_KEY, LONGEST_TEXT = 250, 5000
"""Characters that MLflow takes."""


def tracking_uri(place: str) -> str:
    """Where MLflow keeps its runs: a URI as it is, and in a folder the database mlflow.db.

    (MLflow's older folders of files are in maintenance, and refused by MLflow itself.)

    Args:
        place: a folder, or a URI of MLflow.

    >>> tracking_uri("http://localhost:5000"), tracking_uri("/tmp/runs")
    ('http://localhost:5000', 'sqlite:////tmp/runs/mlflow.db')
    """
    if "://" in place:
        return place
    # MLflow takes the rest behind a question mark for something else, and "%41" for a letter.
    path = str(Path(place).absolute() / "mlflow.db").replace("%", "%25").replace("?", "%3F")
    return f"sqlite:///{path}"


def to_mlflow(view: StudyView, place: str, study_file: str | None = None) -> int:
    """Write a study's finished trials to MLflow, those that it does not have yet.

    The experiment has the study's name, or that of the comparison that it is a part of. A trial's
    run has the parameters; the metric and what is recorded beside it, under their own names; by
    epoch the metric (``NAME_curve``) and the losses (``train_loss``, ``validation_loss``). The
    study's run has the winner's figures and those of the test.

    Args:
        view: the study.
        place: a folder, or a URI of MLflow; see `tracking_uri`.
        study_file: its text, which becomes an artifact.

    Returns:
        How many trials were added.

    Raises:
        UsageError: mlflow is not installed, the place is none, or it has another study of the same
            name.
        RunError: MLflow cannot be written to.
    """
    needed("mlflow")
    with _complaints(place):
        from mlflow import MlflowClient

        experiment = in_one_line(view.comparison or view.name)[:LONGEST_KEY]
        if "://" not in place:
            Path(place).mkdir(parents=True, exist_ok=True)
        client = MlflowClient(tracking_uri=tracking_uri(place))
        return _Writer(client, _experiment(client, experiment, place), view).write(study_file)


@dataclass(frozen=True)
class _Writer:
    """Writes a study to an experiment.

    Attributes:
        client: MLflow's.
        experiment: the experiment's id.
        view: the study.
    """

    client: Any
    experiment: str
    view: StudyView

    def write(self, study_file: str | None) -> int:
        """Write what is not there yet; gives the number of new trials."""
        trials = finished_trials(self.view.trials)
        # By a digest, since a name may hold what a query of MLflow has no word for.
        key = sha256(self.view.name.encode(errors="surrogatepass")).hexdigest()[:16]
        parent = next(self._runs(STUDY, key), None)
        there = {} if parent is None else self._trials(parent.info.run_id)
        if there and not any(_identity(row) in there for row in trials):
            raise UsageError(
                f"MLflow has another study {self.view.name!r}, with other trials; export this one "
                "to another place"
            )
        if parent is None:
            began = min((row.started for row in trials if row.started), default=None)
            parent = self._begun(_text(self.view.name), began, self._common | {STUDY: key})
        added = 0
        for row in trials:
            run = there.get(_identity(row))
            # A run that an export has begun and not ended is written once more.
            if run is None or run.info.status == "RUNNING":
                self._write_trial(parent.info.run_id, row, run)
                added += 1
            if run is not None and (run.data.tags.get(WINNER) == "true") != self._wins(row):
                self.client.set_tag(run.info.run_id, WINNER, str(self._wins(row)).lower())
        self._write_study(parent, trials, study_file)
        return added

    def _runs(self, tag: str, value: str) -> Iterator[Any]:
        """The runs that have a tag, a page at a time."""
        query, token = f"tags.`{tag}` = '{value}'", None
        while True:
            page = self.client.search_runs(
                [self.experiment], query, max_results=1000, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _trials(self, parent: str) -> dict[str, Any]:
        """The runs of the study's trials, by what tells a trial from any other."""
        return {run.data.tags.get(TRIAL, ""): run for run in self._runs(PARENT, parent)}

    def _begun(self, name: str, began: Any, tags: Mapping[str, str]) -> Any:
        since = int(seconds_since_1970(began) * 1000) or None
        return self.client.create_run(self.experiment, since, dict(tags), name)

    def _write_trial(self, parent: str, row: TrialRow, run: Any) -> None:
        view = self.view
        if run is None:
            tags = self._common | self._tags(row) | {PARENT: parent}
            run = self._begun(f"{_text(view.name)} {row.number}", row.started, tags)
        identity = run.info.run_id
        self._send(identity, _metrics(view, row), row.configuration)
        ended = int(seconds_since_1970(row.completed) * 1000)
        self.client.set_terminated(identity, STATUS[row.state], ended)

    def _tags(self, row: TrialRow) -> dict[str, str]:
        said = {
            TRIAL: _identity(row),
            "hpsearch.number": row.number,
            "hpsearch.state": row.state,
            "hpsearch.stage": row.stage,
            "hpsearch.slot": row.slot and row.slot.index,
            "hpsearch.seed": row.slot and row.slot.seed,
            "hpsearch.epochs": row.epochs,
            "hpsearch.worker": row.worker or None,
            "hpsearch.findings": ", ".join(finding.name for finding in row.findings) or None,
            "hpsearch.why": row.why or None,
            WINNER: "true" if self._wins(row) else None,
        }
        return {tag: _text(value) for tag, value in said.items() if value is not None}

    @property
    def _common(self) -> dict[str, str]:
        """What all runs of the study are tagged with: versions and commit, of its last run."""
        known = dict(self.view.environments[-1]) if self.view.environments else {}
        commit = known.pop("commit of the folder", None)
        tags = {f"hpsearch.with.{name}": _text(value) for name, value in known.items()}
        return tags | ({} if commit is None else {"mlflow.source.git.commit": _text(commit)})

    def _wins(self, row: TrialRow) -> bool:
        return row.number == self.view.summary.winner

    def _write_study(self, parent: Any, trials: Sequence[TrialRow], text: str | None) -> None:
        """The study's own figures, which change as it goes on."""
        summary, run = self.view.summary, parent.info.run_id
        name = summary.measure.name
        ends = summary.test_interval or (None, None)
        figures: dict[str, float | None] = {
            name: summary.validation,
            f"{name}_std": summary.validation_std,
            f"test_{name}": summary.test,
            f"test_{name}_low": ends[0],
            f"test_{name}_high": ends[1],
            **{f"test_{also}": value for also, value in summary.test_also.items()},
        }
        ended = max((seconds_since_1970(row.completed) for row in trials), default=0.0)
        new = [
            (figure, value, ended, 0)
            for figure, value in figures.items()
            if value is not None and parent.data.metrics.get(_key(figure)) != value
        ]
        tags = {
            "hpsearch.strategy": summary.strategy,
            "hpsearch.data": summary.data.get("name"),
            "hpsearch.trials": len(trials),
            WINNER: summary.winner,
            "hpsearch.best": None if summary.best is None else json_text(dict(summary.best)),
        }
        self._send(run, new, tags={tag: _text(v) for tag, v in tags.items() if v is not None})
        if text is not None:
            self.client.log_text(run, text, "study.toml")
        self.client.set_terminated(run, "FINISHED", int(ended * 1000) or None)

    def _send(
        self,
        run: str,
        metrics: Sequence[tuple[str, float, float, int]],
        parameters: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Send what a run has, in as few requests as MLflow allows."""
        from mlflow.entities import Metric, Param, RunTag

        names = _keys([*(parameters or ()), *dict.fromkeys(metric[0] for metric in metrics)])
        numbers = [
            Metric(names[name], value, int(when * 1000), step)
            for name, value, when, step in metrics
            if math.isfinite(value)
        ]
        params = [Param(names[name], _text(value)) for name, value in (parameters or {}).items()]
        labels = [RunTag(tag, value) for tag, value in (tags or {}).items()]
        parts = itertools.zip_longest(
            *(_pieces(numbers, BATCH), _pieces(params, 100), _pieces(labels, 100)), fillvalue=()
        )
        for some in parts:
            self.client.log_batch(run, *some)


def _metrics(view: StudyView, row: TrialRow) -> list[tuple[str, float, float, int]]:
    """All numbers of a trial: name, value, when, and at which epoch."""
    began, ended = seconds_since_1970(row.started), seconds_since_1970(row.completed)
    name = view.summary.measure.name
    curves = {
        f"{name}_curve": row.curve,
        "train_loss": dict(enumerate(row.train_losses, start=1)),
        "validation_loss": dict(enumerate(row.validation_losses, start=1)),
    }
    counts = row.best_epoch or max(row.curve, default=0)
    scores = scores_of(view.summary, row)
    if row.seconds is not None:
        scores.setdefault("seconds", row.seconds)
    found = [(score, value, ended, counts) for score, value in scores.items()]
    for curve, values in curves.items():
        for place, (step, value) in enumerate(sorted(values.items()), start=1):
            found.append((curve, value, began + (ended - began) * place / len(values), step))
    return found


def _identity(row: TrialRow) -> str:
    """What tells a finished trial from any other: its number, and when it was finished."""
    return f"{row.number} {row.completed.isoformat() if row.completed else ''}".strip()


def _experiment(client: Any, name: str, place: str) -> str:
    """The experiment of a name; one that is not there is made."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    beside = None if "://" in place else (Path(place).absolute() / "artifacts").as_uri()
    return str(client.create_experiment(name, artifact_location=beside))


def _pieces(entries: list[Any], size: int) -> list[list[Any]]:
    return [entries[start : start + size] for start in range(0, len(entries), size)]


def _key(name: str) -> str:
    """A name as MLflow takes it: letters, digits, underscores, dashes, dots and spaces.

    >>> _key("learning rate"), _key("a/b:c"), _key("..")
    ('learning rate', 'a_b_c', '__')

    Nor may one lead anywhere where it is a path:

    >>> _key("."), _key("../a"), _key(".a")
    ('_', '___a', '.a')
    """
    return (
        re.sub(r"[^\w.\- ]|^\.{2,}|^\.$", lambda found: "_" * len(found[0]), name)[:LONGEST_KEY]
        or "_"
    )


def _keys(names: Sequence[str]) -> dict[str, str]:
    """The same for several, all of them unlike."""
    keys: dict[str, str] = {}
    for name in names:
        key, taken = _key(name), set(keys.values())
        numbered = (f"{key[: LONGEST_KEY - 8]}_{k}" for k in itertools.count(2))
        keys[name] = key if key not in taken else next(k for k in numbered if k not in taken)
    return keys


def _text(value: object) -> str:
    return in_one_line(str(value))[:LONGEST_TEXT]


@contextmanager
def _complaints(place: str) -> Iterator[None]:
    """Turn what MLflow says into one sentence.

    Raises:
        RunError: it could not be written to.
        UsageError: the folder cannot be made.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    if "://" not in place and Path(place, "mlflow.db").is_dir():  # MLflow tries for two minutes
        raise RunError(f"MLflow cannot be written to at {place}: mlflow.db in it is a folder")
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        said = str(error).strip().partition("\n")[0]
        told = f"MLflow cannot be written to at {place}: {said}"
        raise RunError(without_password(told)) from error
    except ModuleNotFoundError as error:  # the driver of a database
        raise UsageError(
            f"the package {error.name!r} is not installed, which {without_password(place)} needs"
        ) from error
    except OSError as error:
        said = error.strerror or str(error)
        raise UsageError(f"cannot write to {without_password(place)}: {said}") from error


def without_password(text: str) -> str:
    """A text with no user and no password in its URIs.

    >>> without_password("cannot reach https://me:secret@example.org/mlflow")
    'cannot reach https://example.org/mlflow'
    """
    return re.sub(r"://[^/@\s]*@", "://", text)
