"""A server's page: its scripts as files under a strict policy, its document fetched, and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from views import SNAPSHOTS, trial, view_of
from window import BROWSER, draw, show

from hpsearch.plots import StudyView
from hpsearch.report import (
    ASSETS,
    asset,
    document_json,
    load_dashboard,
    page_document,
    page_html,
)
from hpsearch.report.browser import Page
from hpsearch.report.document import panel_document
from hpsearch.report.page import LIVE, PLOTLY, SCRIPTS

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SANDBOX = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:"
)
PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>s</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<link rel="stylesheet" href="/assets/page.css"><link rel="icon" href="data:,">'
    '<meta name="hpsearch-document" content="/document">'
    '<meta name="hpsearch-events" content="/events">'
    '<meta name="hpsearch-trials" content="/trials/">'
    + "".join(f'<script defer src="/assets/{name}"></script>' for name in (*SCRIPTS, PLOTLY, LIVE))
    + '</head><body><main id="page"></main></body></html>'
)
TYPES = {"css": "text/css", "js": "text/javascript"}


class Server(ThreadingHTTPServer):
    """A study that grows, and how often it was asked for."""

    daemon_threads = True
    trials = 3
    asked = 0
    broken = False
    news: list[threading.Event]

    @property
    def view(self) -> StudyView:
        return view_of(*(trial(n, 0.5 + n / 100) for n in range(self.trials)))

    def document(self) -> str:
        return document_json(page_document([self.view], load_dashboard("training")))

    def tell(self) -> None:
        for event in self.news:
            event.set()


def layers(number: int) -> str:
    view = view_of(trial(2, 0.9, snapshots=SNAPSHOTS), trial(number, 0.1, snapshots=SNAPSHOTS))
    return document_json([panel_document(view, "layers", "s-trial-layers")])


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = self.path
        if path == "/study":
            self.send(PAGE.encode(), "text/html")
        elif path.startswith("/trials/"):
            self.send(layers(int(path.removeprefix("/trials/"))).encode(), "application/json")
        elif path == "/file":
            document = page_document([self.server.view], load_dashboard("training"))
            self.send(page_html(document).encode(), "text/html", SANDBOX)
        elif path == "/document":
            self.server.asked += 1
            if self.server.broken:
                self.send_error(503)
            else:
                self.send(self.server.document().encode(), "application/json")
        elif path == "/events":
            self.events()
        elif path.startswith("/assets/"):
            name = path.removeprefix("/assets/")
            self.send(asset(name), TYPES[name.rsplit(".")[-1]])
        else:
            self.send(b"", "image/png")

    def send(self, content: bytes, kind: str, policy: str = POLICY) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(content)

    def events(self) -> None:
        if self.server.broken:
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        news = threading.Event()
        self.server.news.append(news)
        try:
            while not self.server.broken:
                news.wait(timeout=5)
                news.clear()
                self.wfile.write(b"data: news\n\n")
                self.wfile.flush()
        except OSError:
            self.server.news.remove(news)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.news = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def wait_for(browser: Page, what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not browser.evaluate(what):
        assert time.monotonic() < end, what
        time.sleep(0.05)


def counts(number: int) -> str:
    return f"document.querySelector('.count')?.textContent === '{number} trials'"


@pytest.mark.slow
@BROWSER
def test_a_page_follows_its_study_and_keeps_its_view(server: Server, browser: Page) -> None:
    show(browser, f"http://127.0.0.1:{server.server_port}/study#sort=trial")
    wait_for(browser, counts(3))
    assert draw(browser) > 3
    assert browser.evaluate("document.title") == "s: Training"
    server.trials = 5
    server.tell()
    wait_for(browser, counts(5))
    assert browser.evaluate("document.querySelector('.trials tbody a').textContent") == "0"
    assert browser.evaluate("location.hash") == "#sort=trial"
    assert browser.evaluate("document.querySelectorAll('footer').length") == 1
    before, begun = server.asked, time.monotonic()
    for number in range(6, 36):
        server.trials = number
        server.tell()
        time.sleep(0.05)
    wait_for(browser, counts(35))
    assert server.asked - before <= 2 + (time.monotonic() - begun) / 1.0, "once a second at most"
    assert browser.problems == []


@pytest.mark.slow
@BROWSER
def test_a_server_that_does_not_answer_is_told(server: Server, browser: Page) -> None:
    show(browser, f"http://127.0.0.1:{server.server_port}/study")
    wait_for(browser, counts(3))
    server.broken = True
    server.tell()
    wait_for(browser, "document.querySelector('.live').textContent.includes('may be old')")
    assert browser.evaluate(counts(3)), "what is known stays"
    server.broken, server.trials = False, 4
    wait_for(browser, counts(4))
    wait_for(browser, "document.querySelector('.live').textContent === ''")
    server.trials = 5
    server.tell()
    wait_for(browser, counts(5))


@pytest.mark.slow
@BROWSER
def test_a_server_knows_more_of_a_trial(server: Server, browser: Page) -> None:
    show(browser, f"http://127.0.0.1:{server.server_port}/study#trial=1")
    wait_for(browser, "document.querySelectorAll('dialog[open] .figure').length === 4")
    draw(browser)
    whose = "FIGURES.map(div => div.layout.meta?.trial).filter(number => number !== undefined)"
    assert browser.evaluate(whose) == [2, 1]
    assert browser.problems == []


@pytest.mark.slow
@BROWSER
def test_a_page_in_one_file_works_in_a_sandbox(server: Server, browser: Page) -> None:
    show(browser, f"http://127.0.0.1:{server.server_port}/file")
    draw(browser)
    browser.evaluate("document.querySelector('.trials tbody a').click()")
    wait_for(browser, "location.hash === '#trial=2'")
    wait_for(browser, "document.querySelector('dialog[open]') !== null")
    assert browser.problems == []


def test_a_file_that_is_none_of_these_is_not_given() -> None:
    assert all(asset(name) for name in ASSETS)
    with pytest.raises(KeyError):
        asset("../page.py")
