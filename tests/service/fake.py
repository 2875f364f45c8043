"""A server of the studies in a database, as small as it can be: for tests of who asks it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hpsearch.advice import advise_study
from hpsearch.engine import run_study, summarize
from hpsearch.engine.tested import read_seen
from hpsearch.errors import HpsearchError, UnknownNameError
from hpsearch.export.to_table import csv_bytes, parquet_bytes
from hpsearch.report import page_of
from hpsearch.service.documents import best_document, trial_of
from hpsearch.storage import load_study, open_storage, study_names
from hpsearch.study_file import parse_study_file
from hpsearch.study_file.loading import anchored
from hpsearch.writing import json_text

TOKEN = "hp-a-token"


class Fake:
    """Answers from a database; a submitted study is run by a thread."""

    def __init__(self, storage: str, folder: Path) -> None:
        self.storage, self.folder = storage, folder
        self.states: dict[str, dict[str, Any]] = {}
        self.steered: list[str] = []
        self.runs: list[threading.Thread] = []
        self.refused = 0  # of requests to come, so many get 503

    def study(self, name: str) -> dict[str, Any]:
        about = {"name": name, "state": "finished", "since": "2026-11-28T21:00:00+00:00"}
        about |= {"trials": {"complete": 1}}
        return about | self.states.get(name, {})

    def get(self, path: str, query: dict[str, str]) -> Any:
        _, _, what, *rest = path.split("/")
        store = open_storage(self.storage, create=False)
        if not rest:
            return {"studies": [self.study(name) for name in study_names(store)]}
        assert what == "studies"
        name = unquote(rest[0])
        if len(rest) == 1:
            load_study(store, name)
            return self.study(name)
        if rest[1] == "report":
            return page_of(store, [name]).encode()
        if rest[1] == "advice":
            return advise_study(store, name).document()
        study = load_study(store, name)
        summary = summarize(study)
        if rest[1] == "best":
            return best_document(summary, read_seen(study))
        if rest[1] == "export":
            return csv_bytes(summary) if query["to"] == "csv" else parquet_bytes(summary)
        assert rest[1] == "trials"
        rows = sorted(summary.rows, key=lambda row: row.number)
        since = int(query["since"])
        page = [] if since < 0 else rows[since : since + 5]
        return {
            "trials": [trial_of(row, str(row.number)).model_dump(mode="json") for row in page],
            "since": since + len(page),
            "more": since + len(page) < len(rows),
        }

    def post(self, path: str, options: dict[str, str], text: str, files: dict[str, bytes]) -> Any:
        if path != "/v1/studies":
            name, verb = unquote(path.split("/")[3]).split(":")
            self.steered.append(verb)
            load_study(open_storage(self.storage, create=False), name)
            state = {"pause": "paused", "resume": "running", "stop": "stopped"}.get(verb)
            if state is not None:
                self.states[name] = {"state": state}
            return self.study(name)
        for name, content in files.items():
            (self.folder / name).write_bytes(content)
        study = anchored(parse_study_file(text, origin="the study"), self.folder)
        changed: dict[str, Any] = {}
        if "name" in options:
            changed["name"] = options["name"]
        if "seed" in options:
            changed["seed"] = int(options["seed"])
        study = study.model_copy(update=changed)
        self.states[study.name] = {"state": "running", "priority": int(options["priority"])}

        def go() -> None:
            end = {"state": "finished"}
            try:
                run_study(study, storage=self.storage, workers=1)
            except HpsearchError as error:
                end = {"state": "failed", "why": str(error)}
            self.states[study.name] |= end

        self.runs.append(threading.Thread(target=go))
        self.runs[-1].start()
        return self.study(study.name)


@contextmanager
def served(storage: str, folder: Path) -> Iterator[tuple[str, Fake]]:
    """The URL of one, while the block lasts."""
    fake = Fake(storage, folder)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def answer(self, status: int, body: Any) -> None:
            content = body if isinstance(body, bytes) else json_text(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self.serve(b"")

        def do_POST(self) -> None:
            self.serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def serve(self, body: bytes) -> None:
            at = urlsplit(self.path)
            query = {key: value[0] for key, value in parse_qs(at.query).items()}
            if fake.refused:
                fake.refused -= 1
                self.answer(503, {"title": "Busy", "detail": "The server is busy."})
                return
            try:
                if self.command == "GET":
                    self.answer(200, fake.get(at.path, query))
                    return
                kind, files, text = self.headers.get("Content-Type", ""), {}, body.decode()
                if kind.startswith("multipart/"):
                    head = f"Content-Type: {kind}\r\n\r\n".encode()
                    for part in message_from_bytes(head + body, policy=policy.HTTP).iter_parts():
                        name = part.get_param("name", header="content-disposition")
                        content = part.get_payload(decode=True)
                        if (file := part.get_filename()) is not None:
                            files[file] = content
                        else:
                            query[str(name)] = content.decode()
                    text = query.pop("study")
                elif kind == "application/json":
                    text = ""
                self.answer(200, fake.post(at.path, query, text, files))
            except HpsearchError as error:
                status = 404 if isinstance(error, UnknownNameError) else 400
                self.answer(status, {"detail": str(error)})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        for run in fake.runs:
            run.join()
