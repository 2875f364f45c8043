"""What the dashboard may change: every route that writes, and what becomes of our rows."""

from __future__ import annotations

import io
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest

from hpsearch.compare.run import compare_study
from hpsearch.dashboard.attachments import attach
from hpsearch.dashboard.changes import DECISIONS, through_us
from hpsearch.dashboard.guard import guard_for
from hpsearch.dashboard.server import pages_of
from hpsearch.engine import run_study, summarize
from hpsearch.engine.identity import kept_study_file
from hpsearch.engine.lease import Lease, seconds_spent
from hpsearch.engine.runner import open_runner
from hpsearch.errors import UsageError
from hpsearch.storage import (
    WriteBehindStorage,
    load_epochs,
    load_model_bytes,
    load_study,
    open_storage,
    save_model_bytes,
    study_names,
)
from hpsearch.study_file import parse_study_file

pytestmark = pytest.mark.slow

STUDY = """
name = "old"
[data]
name = "iris"
[model]
width = 4
depth = 1
[training]
epochs = 2
[search]
trials = 4
strategy = "random"
race = 1
"""

OWN = ("hpsearch_models", "hpsearch_ensembles", "hpsearch_runs", "hpsearch_epochs")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a finished study of ours, its figures, notes of a person, and an ensemble."""
    path = tmp_path_factory.mktemp("changes") / "s.db"
    run_study(parse_study_file(STUDY), storage=str(path), workers=1)
    with open_storage(str(path)) as store:
        attach(store, 1)
        save_model_bytes(store, 1, b"ensemble", ensemble=2)
        plain = optuna.create_study(storage=store, study_name="plain")
        plain.add_trial(optuna.create_trial(value=1.0))
        plain.ask()
    return path


@pytest.fixture
def database(made: Path, tmp_path: Path) -> str:
    copy = tmp_path / "copy.db"
    copy.write_bytes(made.read_bytes())
    return str(copy)


@pytest.fixture
def store(database: str) -> Iterator[WriteBehindStorage]:
    with open_storage(database) as opened:
        yield opened


def ask(
    store: WriteBehindStorage, method: str, path: str, body: object = None, *, edit: bool = True
) -> tuple[int, Any]:
    """What a dashboard answers: the status, and the document or the text."""
    app = pages_of(store)
    guard = guard_for(through_us(app, app, store), "127.0.0.1", allow_edit=edit)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    seen: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "HTTP_HOST": "localhost",
        "HTTP_ORIGIN": "http://localhost",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": io.StringIO(),
    }
    answer = b"".join(guard(environ, lambda status, *_: seen.append(status)))
    store.flush()
    try:
        said = json.loads(answer)
    except ValueError:
        said = answer.decode()
    return int(seen[0].split()[0]), said


def content(database: str) -> dict[str, list[Any]]:
    """All rows of all tables, the leases' own times aside."""
    with closing(sqlite3.connect(database)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = [name for (name,) in names]
        return {t: sorted(connection.execute(f"SELECT * FROM {t}"), key=repr) for t in tables}


def fill(rule: str) -> str:
    """An address of the study and the trial that are there."""
    address = rule.replace("<study_id:int>", "1").replace("<trial_id:int>", "2")
    return re.sub(r"<[^>]+>", "0a", address)


def test_every_route_that_writes_is_decided_on() -> None:
    routes = pages_of(open_storage("sqlite://")).routes
    writing = {(r.method, r.rule) for r in routes if r.method not in ("GET", "HEAD")}
    assert writing == set(DECISIONS), "decide on what is new, and forget what is gone"


@pytest.mark.parametrize(("method", "rule"), DECISIONS)
def test_none_of_them_writes_where_only_reading_is_allowed(
    store: WriteBehindStorage, database: str, method: str, rule: str
) -> None:
    store.flush()
    before = content(database)
    body = {"study_name": "x", "directions": ["minimize"], "body": "x", "version": 1}
    status, said = ask(store, method, fill(rule), body, edit=False)
    assert (status, "read-only" in said) == (403, True)
    assert content(database) == before


BODIES = {
    "preference": {"mode": "ChooseWorst", "candidates": [0, 1], "clicked": 0},
    "preference_feedback_component": {"output_type": "note"},
    "tell": {"state": "Complete", "values": [1.0]},
    "user-attrs": {"user_attrs": {"hpsearch:result": "{}", "slot": 7}},
    "skip": {},
}
OTHERS = [(method, rule) for (method, rule), d in DECISIONS.items() if d.__name__ == "_of_others"]
REFUSED = [(method, rule) for (method, rule), d in DECISIONS.items() if d.__name__[:4] == "_no_"]


@pytest.mark.parametrize(("method", "rule"), [*OTHERS, *REFUSED])
def test_a_study_of_ours_is_not_changed_by_hand(
    store: WriteBehindStorage, database: str, method: str, rule: str
) -> None:
    study = load_study(store, "old")
    trial = study.ask()
    store.flush()
    before = content(database)
    address = fill(rule).replace("/2", f"/{trial._trial_id}")
    status, said = ask(store, method, address, BODIES.get(rule.rsplit("/", 1)[-1], {}))
    assert status in (400, 409)
    assert said["reason"].endswith(".")
    assert content(database) == before


def test_a_trial_of_another_program_may_be_told(store: WriteBehindStorage) -> None:
    [_, running] = load_study(store, "plain").trials
    path = f"/api/trials/{running._trial_id}"
    assert ask(store, "POST", f"{path}/user-attrs", {"user_attrs": {"a": 1}})[0] == 204
    assert ask(store, "POST", f"{path}/tell", BODIES["tell"])[0] == 204
    told = load_study(store, "plain").trials[1]
    assert (told.value, told.user_attrs) == (1.0, {"a": 1})
    assert ask(store, "POST", "/api/trials/999/tell", BODIES["tell"])[0] == 404


def test_a_route_that_nobody_has_decided_on_is_refused(
    store: WriteBehindStorage, database: str
) -> None:
    app = pages_of(store)
    app.post("/api/studies/<study_id:int>/burn")(lambda study_id: store.delete_study(study_id))
    app.route("/api/any", method="ANY")(lambda: store.delete_study(1))
    for path in ("/api/studies/1/burn", "/api/any"):
        seen: list[Any] = []
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": path}
        answer = through_us(app, app, store)(environ, lambda *given, to=seen: to.extend(given))
        assert seen[0] == "403 Forbidden"
        assert b"does not know" in b"".join(answer)
    assert study_names(store) == ["old", "plain"]


def test_a_renamed_study_keeps_all_that_it_has(store: WriteBehindStorage, database: str) -> None:
    summary = summarize(load_study(store, "old"))
    note = {"body": "of mine", "version": 1}
    assert ask(store, "PUT", "/api/studies/1/2/note", note)[0] == 204
    before, curves = content(database), load_epochs(store, study_id=1)
    assert curves
    assert summary.model is not None
    status, said = ask(store, "POST", "/api/studies/1/rename", {"study_name": "new/ü"})
    assert (status, said["study_id"], said["study_name"]) == (201, 1, "new/ü")
    assert study_names(store) == ["new/ü", "plain"]
    after = content(database)
    for table in before:
        if table not in ("studies", "study_user_attributes", "hpsearch_runs"):
            assert after[table] == before[table], table
    assert set(before["hpsearch_runs"]) <= set(after["hpsearch_runs"])
    for again in (store, open_storage(database)):
        study = load_study(again, "new/ü")
        assert load_epochs(again, study_id=study._study_id) == curves
        assert load_model_bytes(again, study._study_id, summary.model)
        now = summarize(study)
        assert (now.rows, now.best, now.test) == (
            summary.rows,
            summary.best,
            summary.test,
        )
        file = kept_study_file(study)
        assert file is not None
        assert file.name == "new/ü"
        assert '"name": "new/ü"' in study.user_attrs["hpsearch:study file"]
    again = parse_study_file(STUDY.replace('"old"', '"new/ü"'))
    assert run_study(again, storage=database, workers=1).rows == summary.rows


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "has 0 characters; give it 1 to 200."),
        ("line\nbreak", r"has the character '\\n'; leave it out."),
        ("\x1b[31mred", "has the character"),
        ("a\u2028b", "has the character"),
        ("\ud800", "has the character"),
        ("x" * 201, "has 201 characters"),
        ("  ", "has blanks around it"),
        ("old ", "has blanks around it"),
        ("\u202edlo", "has the character"),
        ("old\u200b", "has the character"),
        (None, "is missing"),
        (7, "is missing"),
        (["old"], "is missing"),
        ("plain", "already exists"),
    ],
)
def test_a_name_is_one_that_a_study_file_may_have(
    store: WriteBehindStorage, database: str, name: object, words: str
) -> None:
    body = {"study_name": name, "directions": ["maximize"]}
    for path in ("/api/studies/1/rename", "/api/studies"):
        status, said = ask(store, "POST", path, body)
        assert status == 400
        assert re.search(words, said["reason"])
    assert study_names(store) == ["old", "plain"]
    assert ask(store, "POST", "/api/studies", body | {"study_name": "fine"})[0] == 201


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000], ids=lambda b: b[:2])
def test_a_request_that_says_nothing_changes_nothing(
    store: WriteBehindStorage, body: bytes
) -> None:
    assert ask(store, "POST", "/api/studies/1/rename", body)[0] == 400
    assert ask(store, "POST", "/api/studies/99/rename", {"study_name": "x"})[0] == 404
    for number in (10**30, 2**31, -1):
        assert ask(store, "DELETE", f"/api/studies/{number}")[0] == 404
        assert ask(store, "POST", f"/api/trials/{number}/tell", BODIES["tell"])[0] == 404
    assert study_names(store) == ["old", "plain"]


def test_a_deleted_study_takes_our_rows_along(store: WriteBehindStorage, database: str) -> None:
    assert all(content(database)[table] for table in OWN)
    assert ask(store, "DELETE", "/api/studies/1", {})[0] == 204
    assert study_names(store) == ["plain"]
    after = content(database)
    assert [after[table] for table in OWN] == [[], [], [], []]
    assert ask(store, "DELETE", "/api/studies/1", {})[0] == 404


def test_so_does_one_that_plain_optuna_deletes(database: str) -> None:
    url = f"sqlite:///{database}"
    for name in ("old", "plain"):
        optuna.delete_study(study_name=name, storage=url)
    after = content(database)
    assert [after[table] for table in OWN] == [[], [], [], []]
    study = optuna.create_study(study_name="of another", storage=url)
    assert study._study_id == 1, "SQLite gives the number again"
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=4)
    with open_storage(database) as store:
        assert load_epochs(store, study_id=1) == {}
        assert seconds_spent(store.engine, 1) == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/studies/1"),
        ("DELETE", "/api/studies/1/"),
        ("DELETE", "/api/studies/1//"),
        ("DELETE", "/api/studies/1\xff"),
        ("DELETE", "/api/studies/01"),
        ("delete", "/api/studies/1"),
        ("POST", "/api/studies/1/rename"),
        ("POST", "/api/studies/1/rename/"),
        ("POST", "/api/studies/1/re\xffname"),
        ("post", "/api/studies/1/rename"),
    ],
)
def test_no_way_leads_around_the_one_who_runs_a_study(
    store: WriteBehindStorage, method: str, path: str
) -> None:
    with Lease(store.engine, 1, "old"):
        status, said = ask(store, method, path, {"study_name": "new"})
        assert status == 409
        assert "is being run by process" in said["reason"]
        assert ask(store, "PUT", "/api/studies/1/note", {"body": "x", "version": 99})[0] == 409
    assert study_names(store) == ["old", "plain"]
    assert ask(store, method, path, {"study_name": "new"})[0] in (201, 204)
    assert "old" not in study_names(store)


def test_a_driver_that_begins_while_its_study_is_renamed_is_told(database: str) -> None:
    with open_runner(database, workers=1) as runner:
        target = load_study(runner.store, "old")
        with open_storage(database) as dashboard:
            assert ask(dashboard, "POST", "/api/studies/1/rename", {"study_name": "new"})[0] == 201
        with pytest.raises(UsageError, match="was renamed"), runner.hold(target):
            pass
        with runner.hold(load_study(runner.store, "new")):
            pass


@pytest.mark.parametrize("body", [{"body": ["x"], "version": 1}, {"body": "x"}, {"version": 1}])
def test_a_note_is_text(store: WriteBehindStorage, body: object, database: str) -> None:
    store.flush()
    before = content(database)
    for path in ("/api/studies/1/note", "/api/studies/1/2/note"):
        assert ask(store, "PUT", path, body)[0] == 400
    assert content(database) == before


def test_a_note_of_a_trial_is_one_of_its_study(store: WriteBehindStorage, database: str) -> None:
    store.flush()
    before = content(database)
    plain = load_study(store, "plain").trials[0]._trial_id
    for number in (plain, 999, 10**30):
        path = f"/api/studies/1/{number}/note"
        assert ask(store, "PUT", path, {"body": "x", "version": 1})[0] == 404
    assert content(database) == before


@pytest.mark.parametrize("directions", [None, "maximize", [1], [None], {"maximize": 1}])
def test_directions_are_words(store: WriteBehindStorage, directions: object) -> None:
    body = {"study_name": "new", "directions": directions}
    assert ask(store, "POST", "/api/studies", body)[0] == 400
    assert study_names(store) == ["old", "plain"]


def test_a_part_of_a_comparison_keeps_the_name_by_which_it_is_found(tmp_path: Path) -> None:
    rivals = '\n[compare]\nstrategies = ["grid", "random"]\nrepeats = 1'
    small = STUDY.replace('strategy = "random"\n', "").replace("width = 4", "width = [4, 8]")
    small = small.replace("width = [4, 8]", "width = { low = 4, high = 8 }")
    database = str(tmp_path / "c.db")
    compare_study(parse_study_file(small + rivals), storage=database, workers=1)
    with open_storage(database) as store:
        names = study_names(store)
        status, said = ask(store, "POST", "/api/studies/1/rename", {"study_name": "alone"})
        assert status == 409
        assert "a part of the comparison old" in said["reason"]
        assert study_names(store) == names
        same = {"study_name": names[0]}
        assert ask(store, "POST", "/api/studies/1/rename", same)[0] == 201
