"""What hpsearch adds to optuna-dashboard's page of a study: its own figures, and a note.

They are made when somebody first looks at a finished study, beside the answer and not before it,
and kept with the study; one that has a new result gets new ones. A study that is not finished, or
that others made, is left alone, and so is a note that a person wrote.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from typing import Any

from hpsearch.compare.result import finished_repeats, read_comparison
from hpsearch.dashboard.guard import Application
from hpsearch.engine import record
from hpsearch.storage import WriteBehindStorage, load_study

__all__ = ["STAMP", "attach", "with_attachments"]

STAMP = "hpsearch:attached"
"""The system attribute of a study that says of which result its figures are."""

NOTE = "hpsearch:note"
"""The one that tells a note of ours from one that a person has changed."""

STUDY = re.compile(r"/api/studies/(\d+)$")


def with_attachments(pages: Application, store: WriteBehindStorage) -> Application:
    """The pages, with a study's figures attached once somebody asks for it.

    Args:
        pages: optuna-dashboard.
        store: the storage that it shows.
    """
    asked: set[tuple[int, str]] = set()
    one_at_a_time = threading.Lock()

    def work(study_id: int) -> None:
        # A file that may only be read, a study that is gone, or one that others have given metadata
        # and trials of any kind: the page goes without.
        with one_at_a_time, suppress(Exception):
            attach(store, study_id)

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        found = STUDY.search(str(environ.get("PATH_INFO", "")))
        if found is not None and environ["REQUEST_METHOD"] == "GET":
            study_id = int(found[1])
            with suppress(Exception):  # likewise
                key = (study_id, _result(store, study_id))
                if key[1] and key not in asked:
                    asked.add(key)
                    threading.Thread(target=work, args=(study_id,), daemon=True).start()
        return pages(environ, start_response)

    return answer


def attach(store: WriteBehindStorage, study_id: int) -> bool:
    """Attach figures and a note to a finished study, unless it has those of its result.

    Args:
        store: where the study is.
        study_id: Optuna's number of it.

    Returns:
        Whether there was something to do.

    Raises:
        HpsearchError: the store cannot be written.
        KeyError: there is no such study.
    """
    from optuna_dashboard import get_note, save_note, save_plotly_graph_object

    from hpsearch.plots import NothingToDraw, panel, read_view
    from hpsearch.report import load_dashboard
    from hpsearch.report.note import note_markdown

    stamp = _result(store, study_id)
    if not stamp or store.get_study_system_attrs(study_id).get(STAMP) == stamp:
        return False
    name = store.get_study_name_from_id(study_id)
    study = load_study(store, name)
    view = read_view(store, name)
    written = str(get_note(study))
    if not written or store.get_study_system_attrs(study_id).get(NOTE) == _digest(written):
        body = note_markdown(view)
        save_note(study, body)
        store.set_study_system_attr(study_id, NOTE, _digest(body))
    subjects: list[tuple[str, Any]] = [("search", view)]
    if view.comparison is not None and finished_repeats(store, view.comparison):
        subjects.append(("compare", read_comparison(store, view.comparison)))
    for dashboard, subject in subjects:
        for panel_name in load_dashboard(dashboard).panels:
            made = panel(panel_name)
            try:
                figures = made.figures(made.data(subject))
            except NothingToDraw:
                continue
            for number, figure in enumerate(figures, start=1):
                title = {"text": made.title, "font": {"size": 16}}
                figure.update_layout(title=title, margin={"t": 96})
                identity = f"hpsearch-{panel_name}-{number}"
                save_plotly_graph_object(study, figure, graph_object_id=identity)
    store.set_study_system_attr(study_id, STAMP, stamp)
    store.flush()
    return True


def _result(store: WriteBehindStorage, study_id: int) -> str:
    """What tells a study's result from any other; empty while hpsearch has not finished it.

    That of a study which competes has another result with every repeat that all have finished.
    """
    try:
        text = store.get_study_user_attrs(study_id).get(record.PREFIX + "result")
        study = load_study(store, store.get_study_name_from_id(study_id))
        comparison = record.comparison_of(study)
    except KeyError:
        return ""
    if text is None:
        return ""
    repeats = 0 if comparison is None else finished_repeats(store, comparison)
    return _digest(f"{text} {repeats}")


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]
