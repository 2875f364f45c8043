"""Renaming and deleting with the dashboard: not while a study is being run."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpsearch.dashboard import open_server
from hpsearch.engine import run_study
from hpsearch.engine.lease import Lease
from hpsearch.storage import load_study, open_storage, study_names
from hpsearch.study_file import parse_study_file

STUDY = 'name = "{name}"\n[data]\nname = "iris"\n[training]\nepochs = 2\n[search]\ntrials = {n}\n'

Ask = Callable[[str, str, dict[str, str]], tuple[int, str]]


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = str(tmp_path / "x.db")
    run_study(parse_study_file(STUDY.format(name="old", n=6)), storage=path, workers=1)
    return path


@pytest.fixture
def ask(database: str) -> Iterator[Ask]:
    """Ask a dashboard that may edit; the status and what it says."""
    with (
        open_storage(database) as store,
        open_server(store, "127.0.0.1", 0, allow_edit=True) as server,
    ):
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        place = f"http://127.0.0.1:{server.server_port}"

        def call(method: str, path: str, body: dict[str, str]) -> tuple[int, str]:
            headers = {"Origin": place, "Content-Type": "application/json"}
            request = urllib.request.Request(
                f"{place}/api/studies/{path}", json.dumps(body).encode(), headers, method=method
            )
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        yield call
        server.shutdown()
        thread.join()


def test_a_running_study_keeps_its_name_and_stays(database: str, ask: Ask) -> None:
    store = open_storage(database)
    with Lease(store.engine, 1, "old"):
        for method, path in (("POST", "1/rename"), ("DELETE", "1")):
            status, said = ask(method, path, {"study_name": "new"})
            assert status == 409
            assert "The study is being run by process" in said
        assert ask("PUT", "1/note", {"body": "x", "version": 1})[0] != 409  # type: ignore[dict-item]
    assert study_names(open_storage(database)) == ["old"]
    assert ask("DELETE", "1", {})[0] == 204
    assert study_names(open_storage(database)) == []


def test_a_renamed_study_goes_on_under_its_new_name(database: str, ask: Ask) -> None:
    before = [t.params for t in load_study(open_storage(database), "old").trials]
    assert ask("POST", "1/rename", {"study_name": "new"})[0] == 201
    summary = run_study(
        parse_study_file(STUDY.format(name="new", n=8)), storage=database, workers=1
    )
    assert summary.test is not None
    after = [t.params for t in load_study(open_storage(database), "new").trials]
    assert len(after) == 8
    assert after[:5] == before[:5]
