"""What a server can be asked for, each as data: a request, and how its answer is read.

`hpsearch.Client` and `hpsearch.AsyncClient` send these; the words are those of the commands.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote
from uuid import uuid4

from pydantic import BaseModel, TypeAdapter

from hpsearch.data.files import whole_path
from hpsearch.errors import StudyFileError
from hpsearch.service import models
from hpsearch.service.models import Value
from hpsearch.study_file.loading import study_path, study_text

__all__ = [
    "Request",
    "absent",
    "add",
    "advice",
    "agents",
    "ask",
    "best",
    "delete",
    "drain",
    "events",
    "export",
    "extend",
    "heartbeat",
    "pause",
    "rank",
    "release",
    "release_of",
    "report",
    "report_value",
    "resume",
    "retry",
    "server",
    "stop",
    "studies",
    "study",
    "submit",
    "tell",
    "trial",
    "trials",
    "uploads",
]

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

DOCUMENT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
DOCUMENTS: TypeAdapter[list[dict[str, Any]]] = TypeAdapter(list[dict[str, Any]])

PAGE = 1000
"""Trials in one answer."""

HEAD = 20_000
"""Bytes of a report's page within which it says that it is one."""

PARQUET = b"PAR1"
"""What a file of Parquet begins and ends with."""


def _key() -> str:
    return uuid4().hex


@dataclass(frozen=True)
class Request(Generic[T]):
    """A request, and how its answer is read.

    Attributes:
        method: of HTTP.
        path: below the server's URL.
        read: makes what is asked for of the answer's content.
        query: what stands behind the path.
        content: what is sent.
        kind: the content's type.
        form: fields of a form that is sent instead, with files.
        files: those files, by the name that a study has for each.
        waits: seconds that the server may think about it, beyond a client's patience.
        key: the same for every repetition, so that a server that has done it does it once.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    read: Callable[[bytes], T]
    query: Mapping[str, Any] = field(default_factory=dict)
    content: bytes | None = None
    kind: str = "application/json"
    form: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    waits: float = 0.0
    key: str = field(default_factory=_key)


def submit(
    study: str | Path | Mapping[str, Any],
    *,
    name: str | None = None,
    seed: int | None = None,
    priority: int = 0,
    max_parallel: int | None = None,
    baselines: bool = True,
    first: str | None = None,
) -> Request[models.Study]:
    """Submit a study; the same again is the study that is there.

    Args:
        study: the path of a study file, the name of one that comes along, or its tables. Data files
            that it names are sent with it, those that are here; the others the server looks for in
            its own data folder.
        name: instead of the file's.
        seed: instead of the file's.
        priority: -100 to 100; studies of a higher one are served first.
        max_parallel: trials at the same time; None for any number.
        baselines: whether simple models are set beside the winner.
        first: a study of the server whose winner is tried first.

    Raises:
        StudyFileError: the file cannot be read.
        UsageError: the server refuses it; the sentence says why.
    """
    options = {
        "name": name,
        "seed": seed,
        "priority": priority,
        "max_parallel": max_parallel,
        "baselines": baselines,
        "first": first,
    }
    read = models.Study.model_validate_json
    if isinstance(study, Mapping):
        submission = models.Submission(study=dict(study), **options)  # type: ignore[arg-type]
        return Request("POST", "/v1/studies", read, content=_json(submission))
    path = study_path(study)
    text = study_text(path)
    given = {key: _word(value) for key, value in options.items() if value is not None}
    files = uploads(text, path)
    if files:
        form = given | {"study": text}
        return Request("POST", "/v1/studies", read, form=form, files=files)
    content, kind = text.encode(), "application/toml"
    return Request("POST", "/v1/studies", read, query=given, content=content, kind=kind)


def uploads(text: str, path: Path) -> dict[str, Path]:
    """The data files that a study file names and that are here, by their names in it.

    Args:
        text: of the study file.
        path: where it lies; relative names are taken from its folder.

    Raises:
        StudyFileError: it is not TOML.
    """
    return {name: place for name, place in _named(text, path).items() if place.is_file()}


def absent(path: Path) -> list[str]:
    """The data files that a study file names and that are not here."""
    return [name for name, place in _named(study_text(path), path).items() if not place.is_file()]


def _named(text: str, path: Path) -> dict[str, Path]:
    try:
        data = tomllib.loads(text).get("data")
    except (ValueError, RecursionError) as error:
        raise StudyFileError(f"{path} is not TOML: {error}") from None
    named = data if isinstance(data, dict) else {}
    names = [named.get(key) for key in ("path", "validation_path", "test_path")]
    return {name: path.parent / whole_path(name) for name in names if isinstance(name, str)}


def studies() -> Request[list[models.Study]]:
    """All studies of the server, the latest first."""

    def read(content: bytes) -> list[models.Study]:
        return models.Studies.model_validate_json(content).studies

    return Request("GET", "/v1/studies", read)


def study(name: str) -> Request[models.Study]:
    """A study: its state, and how far it is.

    Args:
        name: of the study.

    Raises:
        UnknownNameError: there is none.
    """
    return Request("GET", _of(name), models.Study.model_validate_json)


def trials(name: str, since: int, limit: int = PAGE) -> Request[models.Trials]:
    """A page of trials; those that changed last come last.

    Args:
        name: of the study.
        since: what the page before this one ended with, or 0.
        limit: at most so many.
    """
    query = {"since": since, "limit": limit}
    return Request("GET", f"{_of(name)}/trials", models.Trials.model_validate_json, query)


def trial(trial: str) -> Request[models.Trial]:
    """A trial.

    Args:
        trial: its id, as trials and work have it.
    """
    return Request("GET", f"/v1/trials/{_part(trial)}", models.Trial.model_validate_json)


def best(name: str) -> Request[dict[str, Any]]:
    """What a study came to: the document of `hpsearch best NAME --json`.

    Args:
        name: of the study.
    """
    return Request("GET", f"{_of(name)}/best", DOCUMENT.validate_json)


def report(name: str) -> Request[str]:
    """A study's page, as `hpsearch report NAME` writes it.

    Args:
        name: of the study.
    """
    return Request("GET", f"{_of(name)}/report", _page)


def advice(name: str) -> Request[dict[str, Any]]:
    """What a study's trainings say: the document of `hpsearch advise NAME --json`.

    Args:
        name: of the study.
    """
    return Request("GET", f"{_of(name)}/advice", DOCUMENT.validate_json, waits=60.0)


def export(name: str, to: Literal["csv", "parquet"] = "csv") -> Request[bytes]:
    """A study's trials as a table: the file that `hpsearch export NAME --to csv` writes.

    Args:
        name: of the study.
        to: csv or parquet.
    """
    return Request("GET", f"{_of(name)}/export", _table if to == "csv" else _parquet, {"to": to})


def events(name: str) -> Request[bytes]:
    """What happens to a study, as it happens.

    Args:
        name: of the study.
    """
    return Request("GET", f"{_of(name)}/events", bytes)


def pause(name: str) -> Request[models.Study]:
    """Begin no other trial of a study, until it is resumed.

    Args:
        name: of the study.
    """
    return _steer(name, "pause")


def resume(name: str) -> Request[models.Study]:
    """Go on with a study that was paused or stopped.

    Args:
        name: of the study.
    """
    return _steer(name, "resume")


def stop(name: str) -> Request[models.Study]:
    """End a study where it is; its finished trials stay.

    Args:
        name: of the study.
    """
    return _steer(name, "stop")


def extend(name: str, trials: int) -> Request[models.Study]:
    """Give a study more trials.

    Args:
        name: of the study.
        trials: how many in all.
    """
    return _steer(name, "extend", models.Extension(trials=trials))


def rank(
    name: str, *, priority: int | None = None, max_parallel: int | None = None
) -> Request[models.Study]:
    """Give a study another place among the others; what is None stays as it is.

    Args:
        name: of the study.
        priority: -100 to 100; studies of a higher one are served first.
        max_parallel: trials at the same time.
    """
    return _steer(name, "rank", models.Rank(priority=priority, max_parallel=max_parallel))


def delete(name: str) -> Request[None]:
    """Remove a study with all its trials.

    Args:
        name: of the study.
    """
    return Request("DELETE", _of(name), _nothing)


def add(
    name: str,
    configuration: Mapping[str, Value],
    value: float | None = None,
    *,
    also: Mapping[str, float] | None = None,
) -> Request[models.Trial]:
    """Add a trial to a study: one to be tried, or one that was finished elsewhere.

    Args:
        name: of the study.
        configuration: its parameters.
        value: what it came to; None for one to be tried.
        also: what else is known of that.
    """
    added = models.Added(configuration=dict(configuration), value=value, also=dict(also or {}))
    path, read = f"{_of(name)}/trials", models.Trial.model_validate_json
    return Request("POST", path, read, content=_json(added))


def ask(
    study: str | None = None,
    *,
    agent: models.Agent | None = None,
    wait: float = 20.0,
    seconds: float | None = None,
) -> Request[models.Asked]:
    """Ask for a trial to do.

    Args:
        study: of which study; None for any.
        agent: who asks, and what it can do; None for one that does values.
        wait: seconds that the server may wait for one to give.
        seconds: how long the lease is to last without a sign of life; None: as the server has it.
    """
    path = "/v1/trials:ask" if study is None else f"{_of(study)}/trials:ask"
    read, query = models.Asked.model_validate_json, {"wait": wait}
    return Request(
        "POST", path, read, query, _json(models.Ask(agent=agent, seconds=seconds)), waits=wait
    )


def report_value(work: models.Work, step: int, value: float) -> Request[models.Orders]:
    """Tell a value on the way, which may bring the order to stop.

    Args:
        work: the trial, as it was given.
        step: how far it is.
        value: of the metric there.
    """
    report = models.Report(lease=work.lease, step=step, value=value)
    return _doing(work, "report", models.Orders, report)


def heartbeat(work: models.Work) -> Request[models.Orders]:
    """Tell that a trial is still being done, so that it is given to nobody else.

    Args:
        work: the trial, as it was given.
    """
    return _doing(work, "heartbeat", models.Orders, models.Beat(lease=work.lease))


def tell(
    work: models.Work,
    result: float | Mapping[str, Any] | None = None,
    *,
    reports: Sequence[tuple[int, float]] = (),
    pruned: bool = False,
    outcome: Mapping[str, Any] | None = None,
    error: models.Error | str | None = None,
    seconds: float | None = None,
) -> Request[models.Told]:
    """Tell the end of a trial: one of result, outcome and error.

    Args:
        work: the trial, as it was given.
        result: the metric's value, or a mapping with it and what else is asked for.
        reports: steps and values on the way.
        pruned: whether it gave up as known bad.
        outcome: of a training; see `hpsearch.service.models.Tell`.
        error: why it came to nothing.
        seconds: how long it took.
    """
    told = models.Tell(
        lease=work.lease,
        result=dict(result) if isinstance(result, Mapping) else result,
        reports=list(reports),
        pruned=pruned,
        outcome=None if outcome is None else dict(outcome),
        error=models.Error.model_validate({"sentence": error}) if isinstance(error, str) else error,
        seconds=seconds,
    )
    return _doing(work, "tell", models.Told, told)


def release(work: models.Work) -> Request[None]:
    """Give a trial back that is not done.

    Args:
        work: the trial, as it was given.
    """
    return release_of(work.trial, work.lease)


def release_of(trial: str, lease: str) -> Request[None]:
    """The same, where no more is known of it.

    Args:
        trial: its id.
        lease: on it.
    """
    content, key = _json(models.Release(lease=lease)), f"{lease}-release"
    path = f"/v1/trials/{_part(trial)}:release"
    return Request("POST", path, _nothing, content=content, key=key)


def retry(trial: str) -> Request[models.Study]:
    """Try a failed trial again; the answer is its study.

    Args:
        trial: its id.
    """
    path, read = f"/v1/trials/{_part(trial)}:retry", models.Study.model_validate_json
    return Request("POST", path, read)


def server() -> Request[dict[str, Any]]:
    """The server: its versions."""
    return Request("GET", "/v1/server", DOCUMENT.validate_json)


def agents() -> Request[list[dict[str, Any]]]:
    """Who lends workers to the server, and what they do."""

    def read(content: bytes) -> list[dict[str, Any]]:
        found = json.loads(content)
        return DOCUMENTS.validate_python(found["agents"] if isinstance(found, dict) else found)

    return Request("GET", "/v1/agents", read)


def drain(agent: str) -> Request[dict[str, Any]]:
    """Have an agent finish what it has, and ask no more.

    Args:
        agent: its name; see `agents`.
    """
    return Request("POST", f"/v1/agents/{_part(agent)}:drain", DOCUMENT.validate_json)


def _steer(name: str, verb: str, body: BaseModel | None = None) -> Request[models.Study]:
    content = None if body is None else _json(body)
    return Request("POST", f"{_of(name)}:{verb}", models.Study.model_validate_json, content=content)


def _doing(work: models.Work, verb: str, answer: type[M], body: BaseModel) -> Request[M]:
    path = f"/v1/trials/{_part(work.trial)}:{verb}"
    return Request("POST", path, answer.model_validate_json, content=_json(body))


def _of(study: str) -> str:
    return f"/v1/studies/{_part(study)}"


def _part(name: str) -> str:
    return quote(name, safe="")


def _json(body: BaseModel) -> bytes:
    """A body, of which what is absent is left out; JSON has no number for what is not finite."""
    return body.model_dump_json(exclude_none=True, exclude_defaults=True).encode()


def _page(content: bytes) -> str:
    if b'<meta name="hpsearch" content="' not in content[:HEAD]:
        raise ValueError("this is no page of hpsearch's")
    return content.decode()


def _table(content: bytes) -> bytes:
    if not content.startswith(b"number,state"):
        raise ValueError("this is no table of trials")
    return content


def _parquet(content: bytes) -> bytes:
    if content[:4] != PARQUET or content[-4:] != PARQUET:
        raise ValueError("this is no Parquet")
    return content


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _nothing(content: bytes) -> None:
    del content
