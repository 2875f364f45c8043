"""Figures and a note of ours on optuna-dashboard's page."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from hpsearch.compare.run import compare_study
from hpsearch.dashboard.attachments import attach, with_attachments
from hpsearch.engine import run_study
from hpsearch.storage import WriteBehindStorage, load_study, open_storage
from hpsearch.study_file import parse_study_file

pytestmark = pytest.mark.slow

STUDY = """
name = "a_<b>_*c*"
[data]
name = "iris"
[model]
width = { low = 4, high = 16 }
depth = 1
[training]
epochs = 4
[search]
strategy = "coarse-to-fine"
trials = 24
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("attachments") / "s.db"
    run_study(parse_study_file(STUDY), storage=str(path), workers=1)
    return path


@pytest.fixture
def store(database: Path, tmp_path: Path) -> Iterator[WriteBehindStorage]:
    copy = tmp_path / "copy.db"
    copy.write_bytes(database.read_bytes())
    with open_storage(str(copy)) as opened:
        yield opened


def note(store: WriteBehindStorage) -> str:
    import optuna_dashboard

    return str(optuna_dashboard.get_note(load_study(store, "a_<b>_*c*")))


def figures(store: WriteBehindStorage) -> dict[str, Any]:
    """The figures as optuna-dashboard puts them together."""
    found: dict[str, list[tuple[int, str]]] = {}
    for key, text in store.get_study_system_attrs(1).items():
        if key.startswith("dashboard:plot_data:"):
            name, _, part = key.removeprefix("dashboard:plot_data:").rpartition(":")
            found.setdefault(name, []).append((int(part), str(text)))
    return {
        name: json.loads("".join(text for _, text in sorted(parts)))
        for name, parts in found.items()
    }


def test_a_finished_study_gets_the_report_s_figures_and_a_note(store: WriteBehindStorage) -> None:
    assert attach(store, 1)
    found = figures(store)
    assert {"hpsearch-history-1", "hpsearch-parameters-1", "hpsearch-timeline-1"} <= set(found)
    assert found["hpsearch-history-1"]["layout"]["title"]["text"] == "Optimization history"
    text = note(store)
    assert text.startswith("**The winner of 24 trials labels")
    assert ": coarse-to-fine, 24 trials" in text
    assert "| coarse | " in text
    assert "### How the ranges moved" in text
    assert "### Advice" in text
    assert "hpsearch-layers-1" in found
    assert not any("advice" in name for name in found), "words are no figures"
    assert not attach(store, 1), "they are there"


def test_a_new_result_gets_new_ones_and_a_person_s_note_stays(store: WriteBehindStorage) -> None:
    import optuna_dashboard

    attach(store, 1)
    before, study = note(store), load_study(store, "a_<b>_*c*")
    text = study.user_attrs["hpsearch:result"]
    study.set_user_attr("hpsearch:result", text.replace('"tests": 1', '"tests": 2'))
    assert attach(store, 1)
    optuna_dashboard.save_note(study, "mine")
    study.set_user_attr("hpsearch:result", text)
    assert attach(store, 1)
    assert note(store) == "mine" != before


def test_others_studies_and_unfinished_ones_are_left_alone(store: WriteBehindStorage) -> None:
    other = optuna.create_study(storage=store)
    before = store.get_study_system_attrs(other._study_id)
    assert not attach(store, other._study_id)
    assert not attach(store, 99)
    assert store.get_study_system_attrs(other._study_id) == before


def test_a_study_that_competes_gets_the_comparison_s_figures_too(tmp_path: Path) -> None:
    small = STUDY.replace("a_<b>_*c*", "c").replace("trials = 24", "trials = 4")
    rivals = '\n[compare]\nstrategies = ["grid", "random"]\nrepeats = '
    database = str(tmp_path / "c.db")
    compare_study(parse_study_file(f"{small}{rivals}1"), storage=database, workers=1)
    with open_storage(database) as store:
        assert attach(store, 1)
        found = figures(store)
        assert {"hpsearch-history-1", "hpsearch-best-so-far-1", "hpsearch-final-scores-1"} <= set(
            found
        )
        before = found["hpsearch-final-scores-1"]
        assert not attach(store, 1)
    compare_study(parse_study_file(f"{small}{rivals}2"), storage=database, workers=1)
    with open_storage(database) as store:
        assert attach(store, 1), "there is one repeat more"
        assert figures(store)["hpsearch-final-scores-1"] != before


def test_the_first_look_attaches_without_waiting(store: WriteBehindStorage) -> None:
    asked: list[str] = []

    def pages(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        asked.append(environ["PATH_INFO"])
        return [b"page"]

    answer = with_attachments(pages, store)
    for path in ("/api/studies", "/api/studies/1", "/api/studies/1", "/api/studies/99"):
        assert list(answer({"PATH_INFO": path, "REQUEST_METHOD": "GET"}, None)) == [b"page"]  # type: ignore[arg-type]
    assert len(asked) == 4
    deadline = time.monotonic() + 60
    while not note(store) or "hpsearch:attached" not in store.get_study_system_attrs(1):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("text", ["{}", "{", "[1]", 5])
def test_a_study_with_damaged_notes_is_shown_without_figures(
    store: WriteBehindStorage, text: object
) -> None:
    study = optuna.create_study(study_name="a/b/c", storage=store)
    study.set_user_attr("hpsearch:result", text)
    study.set_user_attr("hpsearch:comparison", text)
    answer = with_attachments(lambda *_: [b"page"], store)
    path = f"/api/studies/{study._study_id}"
    before = threading.active_count()
    assert list(answer({"PATH_INFO": path, "REQUEST_METHOD": "GET"}, None)) == [b"page"]  # type: ignore[arg-type]
    while threading.active_count() > before:
        time.sleep(0.01)
    assert "hpsearch:attached" not in store.get_study_system_attrs(study._study_id)
