"""Connections that say nothing, or half of it: few threads, and everybody else is answered."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from hpsearch.dashboard import open_server, server
from hpsearch.storage import open_storage

pytestmark = pytest.mark.slow

LONG = 60
"""Seconds; nothing is decided by them, but that a broken server ends the test."""


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 8)


@pytest.fixture
def port(limits: None) -> Iterator[int]:
    with open_storage("sqlite://") as store, open_server(store, "127.0.0.1", 0) as opened:
        thread = threading.Thread(target=opened.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield opened.server_port
        opened.shutdown()
        thread.join()


def connect(port: int, said: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=LONG)
    connection.sendall(said)
    return connection


def ask(port: int, method: str = "GET", body: bytes | None = None, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)
    connection.request(method, "/api/studies", body=body, headers=headers)
    with connection.getresponse() as answer:
        if answer.status == 200:
            assert json.load(answer) == {"study_summaries": []}
        connection.close()
        return answer.status


def pages() -> int:
    return sum(thread.name == "hpsearch-page" for thread in threading.enumerate())


GET = b"GET /api/studies HTTP/1.1\r\nHost: 127.0.0.1\r\n"
HALVES: dict[str, bytes] = {
    "nothing": b"",
    "half a line": b"GET /api/stu",
    "half a head": GET,
    "no body": b"POST /api/studies HTTP/1.1\r\nContent-Length: 100\r\n\r\n",
    "half a body": b"POST /api/studies HTTP/1.1\r\nContent-Length: 100\r\n\r\n{",
}


@pytest.mark.parametrize("said", HALVES.values(), ids=HALVES.keys())
def test_who_is_not_done_makes_room_for_who_is(port: int, said: bytes) -> None:
    with ExitStack() as held:
        idle = [held.enter_context(connect(port, said)) for _ in range(100)]
        for _ in range(20):
            assert ask(port) == 200
            assert pages() <= 8
        # Those that came first have found their end.
        assert all(drained(connection) == b"" for connection in idle[:80])


def drained(connection: socket.socket) -> bytes:
    """What is still said on a connection that has ended."""
    try:
        return connection.recv(1000)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("said", HALVES.values(), ids=HALVES.keys())
def test_a_request_arrives_in_time_or_not_at_all(
    port: int, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "ARRIVE", 0.0)
    with connect(port, said) as connection:
        assert drained(connection) == b""


def test_a_byte_now_and_then_gives_no_more_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ARRIVE", 0.3)

    def trickle() -> None:
        with connect(port, GET) as connection:
            for _ in range(LONG * 10):
                connection.sendall(b"X")
                threading.Event().wait(0.1)

    with pytest.raises(ConnectionError):
        trickle()


def test_who_does_not_read_the_answer_is_left(
    limits: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "ANSWER", 0.0)
    begun = threading.Event()

    def endless(environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        begun.set()
        while True:
            yield b"x" * 1_000_000

    monkeypatch.setattr(server, "guard_for", lambda *_, **__: endless)
    with open_storage("sqlite://") as store, open_server(store, "127.0.0.1", 0) as opened:
        thread = threading.Thread(target=opened.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        with connect(opened.server_port, GET + b"\r\n"):
            assert begun.wait(LONG)
            wait_until(lambda: pages() == 0)
        opened.shutdown()
        thread.join()


def test_many_who_do_not_read_make_room_too(limits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ARRIVE", 0.3)

    def pages(environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        yield b"begun"
        while environ["PATH_INFO"] == "/endless":
            yield b"x" * 1_000_000

    monkeypatch.setattr(server, "guard_for", lambda *_, **__: pages)
    with open_storage("sqlite://") as store, open_server(store, "127.0.0.1", 0) as opened:
        thread = threading.Thread(target=opened.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        with ExitStack() as held:
            for _ in range(20):
                held.enter_context(connect(opened.server_port, b"GET /endless HTTP/1.1\r\n\r\n"))
            with connect(opened.server_port, b"GET / HTTP/1.1\r\n\r\n") as connection:
                assert connection.recv(5) == b"HTTP/"
        opened.shutdown()
        thread.join()


def wait_until(reached: Callable[[], bool]) -> None:
    for _ in range(LONG * 100):
        if reached():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came to that")


@pytest.mark.parametrize(
    ("length", "status"),
    [("1000001", 413), ("9" * 30, 413), ("-1", 400), ("1e3", 400), ("x", 400), ("\u0661", 400)],
)
def test_what_is_too_long_is_not_read(port: int, length: str, status: int) -> None:
    with connect(port) as connection:
        head = f"POST /api/studies HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(1000).split(b"\r\n")[0].split()[1] == str(status).encode()


def test_a_reset_connection_says_nothing(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    for said in HALVES.values():
        connection = connect(port, said)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
    assert ask(port) == 200
    wait_until(lambda: pages() == 0)
    assert capfd.readouterr() == ("", "")


def test_a_body_reaches_the_pages(port: int) -> None:
    assert ask(port, "POST", b"x" * 1_000_000) == 403
