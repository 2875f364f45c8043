"""What the dashboard's pages may change of a study, and what becomes of our own rows then.

optuna-dashboard knows nothing of hpsearch's tables: it renames a study by making a copy and
deleting the original, takes any name, and tells results of trials that a driver is training. So
every request that may change something goes through `DECISIONS`, which has each of its routes: some
we carry out ourselves, some pass, and the rest is refused, one that we do not know first of all.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from hpsearch.dashboard.guard import Application, Environment, Start, refuse
from hpsearch.engine.lease import Lease, who_runs
from hpsearch.engine.metadata import PREFIX, metadata_text
from hpsearch.engine.record import comparison_of
from hpsearch.errors import HpsearchError, UsageError
from hpsearch.storage import WriteBehindStorage, load_study

__all__ = ["DECISIONS", "through_us"]

READING = ("GET", "HEAD")

ID = ("study_id", "trial_id")


class RefusedError(Exception):
    """A request that is not carried out.

    Args:
        status: of the answer.
        sentence: why.
    """

    def __init__(self, status: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass
class Request:
    """A request that would change something.

    Args:
        store: the studies.
        pages: optuna-dashboard.
        environ: the request.
        start: WSGI's function that takes status and headers.
        arguments: what its address says: ``study_id`` or ``trial_id``.
    """

    store: WriteBehindStorage
    pages: Application
    environ: Environment
    start: Start
    arguments: Mapping[str, Any]

    def passed_on(self) -> Iterable[bytes]:
        """Have optuna-dashboard carry it out."""
        return self.pages(self.environ, self.start)

    def answer(self, status: str, document: Any = None) -> list[bytes]:
        """Answer it ourselves, with JSON as optuna-dashboard does."""
        body = b"" if document is None else json.dumps(document).encode()
        kind = [] if document is None else [("Content-Type", "application/json")]
        self.start(status, [*kind, ("Content-Length", str(len(body)))])
        return [body]

    def body(self) -> dict[str, Any]:
        """What the request says, which can be read once more.

        Raises:
            RefusedError: it is no object of JSON.
        """
        try:
            length = int(self.environ.get("CONTENT_LENGTH") or 0)
            content = self.environ["wsgi.input"].read(length)
            document = json.loads(content or b"{}")
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise RefusedError("400 Bad Request", "The request is no object of JSON.")
        self.environ["wsgi.input"] = io.BytesIO(content)
        return document

    def study_id(self) -> int:
        """The study that would be changed.

        Raises:
            RefusedError: there is none.
        """
        numbers = {name: int(self.arguments[name]) for name in ID if name in self.arguments}
        try:
            if not all(0 <= number < 2**31 for number in numbers.values()):
                raise KeyError("no database has such an id")
            if "study_id" not in numbers:
                return self.store.get_study_id_from_trial_id(numbers["trial_id"])
            self.store.get_study_name_from_id(numbers["study_id"])
        except KeyError:
            raise RefusedError("404 Not Found", "There is no such study or trial.") from None
        return numbers["study_id"]

    def trial_of(self, study_id: int) -> None:
        """Make sure that the trial is one of the study's.

        Raises:
            RefusedError: it is not.
        """
        with suppress(KeyError):
            trial_id = int(self.arguments["trial_id"])
            if self.store.get_study_id_from_trial_id(trial_id) == study_id:
                return
        raise RefusedError("404 Not Found", "There is no such study or trial.")

    def name(self) -> str:
        """The name that a study is to have, in the form that study files ask for.

        Raises:
            RefusedError: it has another.
        """
        from hpsearch.study_file import check_name

        name = self.body().get("study_name")
        try:
            if not isinstance(name, str):
                raise ValueError("is missing")
            return check_name(name)
        except ValueError as error:
            raise RefusedError("400 Bad Request", f"The study's name {error}.") from None


Decision: TypeAlias = Callable[[Request], Iterable[bytes]]


def _create(request: Request) -> Iterable[bytes]:
    request.name()
    directions = request.body().get("directions")
    if not isinstance(directions, list) or not all(isinstance(d, str) for d in directions):
        raise RefusedError("400 Bad Request", "A study has directions, a list of words.")
    return request.passed_on()


def _rename(request: Request) -> Iterable[bytes]:
    """Give a study another name, and leave everything where it is."""
    from optuna.exceptions import DuplicatedStudyError

    store, study_id, name = request.store, request.study_id(), request.name()
    before = store.get_study_name_from_id(study_id)
    comparison = comparison_of(load_study(store, before))
    if comparison is not None and name != before:
        raise RefusedError(
            "409 Conflict",
            f"The study is a part of the comparison {comparison}, which finds it by its name; "
            "it keeps that.",
        )
    with _held(request, study_id):
        try:
            store.rename_study(study_id, name, _metadata_under(store, study_id, name))
        except DuplicatedStudyError:
            raise RefusedError("400 Bad Request", "Study name already exists.") from None
    document = {
        "study_id": study_id,
        "study_name": name,
        "directions": [d.name.lower() for d in store.get_study_directions(study_id)],
        "user_attrs": [
            {"key": key, "value": str(value)}
            for key, value in store.get_study_user_attrs(study_id).items()
        ],
        "is_preferential": False,
    }
    return request.answer("201 Created", document)


def _metadata_under(store: WriteBehindStorage, study_id: int, name: str) -> dict[str, str]:
    """Our metadata that have a study's name in them, with another."""
    key = PREFIX + "study file"
    try:
        kept = json.loads(store.get_study_user_attrs(study_id)[key])
        return {key: metadata_text(kept | {"name": name})}
    except (KeyError, TypeError, ValueError):  # none, or damaged ones, which stay what they are
        return {}


def _delete(request: Request) -> Iterable[bytes]:
    """Delete a study, and what is ours of it."""
    study_id = request.study_id()
    with _held(request, study_id):
        request.store.delete_study(study_id)
    return request.answer("204 No Content")


def _held(request: Request, study_id: int) -> Lease:
    """The right to end a study's name, or the study: nobody runs it meanwhile.

    Raises:
        RefusedError: somebody does.
    """
    engine = request.store.engine
    who = who_runs(engine, study_id)
    if who:
        sentence = f"The study is being run {who}; stop that first, or wait for its end."
        raise RefusedError("409 Conflict", sentence)
    name = request.store.get_study_name_from_id(study_id)
    return Lease(engine, study_id, name, counted=False)


def _note(request: Request) -> Iterable[bytes]:
    """A note of a person, which is welcome at any time, also while the study runs."""
    study_id = request.study_id()
    if "trial_id" in request.arguments:
        request.trial_of(study_id)
    said = request.body()
    if not isinstance(said.get("body"), str) or type(said.get("version")) is not int:
        raise RefusedError("400 Bad Request", "A note has a body, which is text, and a version.")
    return request.passed_on()


def _of_others(request: Request) -> Iterable[bytes]:
    """What would tell a driver of ours results, settings or preferences that it has not found."""
    attributes = request.store.get_study_user_attrs(request.study_id())
    if any(key.startswith(PREFIX) for key in attributes):
        raise RefusedError(
            "409 Conflict",
            "hpsearch itself trains, scores and chooses the trials of this study; they are not "
            "changed by hand.",
        )
    return request.passed_on()


def _refused(sentence: str, status: str = "400 Bad Request") -> Decision:
    def decide(_: Request) -> Iterable[bytes]:
        raise RefusedError(status, sentence)

    return decide


_no_artifacts = _refused("This dashboard keeps no artifacts.")
_no_model = _refused("This dashboard asks no language model.")
_no_migration = _refused("The database has the form that it should have.")
_unknown = _refused(
    "This version of hpsearch does not know what this request of optuna-dashboard changes; "
    "install the version that was made for it.",
    "403 Forbidden",
)


STUDY, TRIAL = "/api/studies/<study_id:int>", "/api/trials/<trial_id:int>"
FILES, FILE = "/api/artifacts/<study_id:int>", "<artifact_id:re:[0-9a-fA-F-]+>"

DECISIONS: Mapping[tuple[str, str], Decision] = {
    ("POST", "/api/studies"): _create,
    ("POST", f"{STUDY}/rename"): _rename,
    ("DELETE", STUDY): _delete,
    ("PUT", f"{STUDY}/note"): _note,
    ("PUT", f"{STUDY}/<trial_id:int>/note"): _note,
    ("POST", f"{STUDY}/preference"): _of_others,
    ("PUT", f"{STUDY}/preference_feedback_component"): _of_others,
    ("DELETE", f"{STUDY}/preference/<history_id>"): _of_others,
    ("POST", f"{STUDY}/preference/<history_id>"): _of_others,
    ("POST", f"{STUDY}/<trial_id:int>/skip"): _of_others,
    ("POST", f"{TRIAL}/tell"): _of_others,
    ("POST", f"{TRIAL}/user-attrs"): _of_others,
    ("POST", f"{FILES}/<trial_id:int>"): _no_artifacts,
    ("POST", FILES): _no_artifacts,
    ("DELETE", f"{FILES}/<trial_id:int>/{FILE}"): _no_artifacts,
    ("DELETE", f"{FILES}/{FILE}"): _no_artifacts,
    ("POST", "/api/llm/trial_filter_query"): _no_model,
    ("POST", "/api/llm/generate_plotly_graph_query"): _no_model,
    ("POST", "/api/llm/re_generate_plotly_graph_query"): _no_model,
    ("POST", "/incompatible-rdb-schema"): _no_migration,
}
"""What becomes of each request of optuna-dashboard 0.21 that is more than reading."""


def through_us(pages: Application, routes: Any, store: WriteBehindStorage) -> Application:
    """The pages, with every change decided on by us.

    Args:
        pages: optuna-dashboard, with what we add to its answers.
        routes: the application itself, whose router says what an address means.
        store: the storage that it shows.
    """
    from bottle import HTTPError

    def answer(environ: Environment, start: Start) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in READING:
            return pages(environ, start)
        try:
            # The address as optuna-dashboard reads it, and no other: what differs slips through.
            path = str(environ.get("PATH_INFO", "")).encode("latin-1").decode(errors="ignore")
            route, arguments = routes.match({**environ, "PATH_INFO": path.rstrip("/")})
        except HTTPError as error:
            return refuse(start, error.status_line, "There is no such thing to change.")
        request = Request(store, pages, environ, start, arguments)
        try:
            return DECISIONS.get((route.method, route.rule), _unknown)(request)
        except RefusedError as error:
            return request.answer(error.status, {"reason": str(error)})
        except UsageError as error:  # somebody was faster, and runs the study
            return request.answer("409 Conflict", {"reason": f"{error}."})
        except HpsearchError as error:
            return request.answer("500 Internal Server Error", {"reason": f"{error}."})

    return answer
