"""A real server does not wait for clients that are slow, or never say what they want."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from guarded import running

from hpsearch.service import guard, slow
from hpsearch.service.slow import LONGEST_HEAD
from hpsearch.service.tokens import Tokens, add_token
from hpsearch.storage import open_storage

pytestmark = pytest.mark.slow

PATIENCE = 20.0
"""Seconds after which a test gives up; nothing here takes a second where it works."""


class Served:
    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n".encode()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    storage = open_storage(str(tmp_path_factory.mktemp("slow") / "a.db"))
    token = add_token(storage, "ann", "admin")
    patch = pytest.MonkeyPatch()
    for module, name, value in (
        (slow, "ARRIVE", 0.3),
        (slow, "READ", 0.3),
        (guard, "PAUSE", 0.3),
        (guard, "GRACE", 0.6),
    ):
        patch.setattr(module, name, value)
    with running(Tokens(storage)) as port:
        yield Served(port, token)
    patch.undo()


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def trickle(connection: socket.socket, text: bytes) -> bytes:
    """Send a byte now and then until the server closes the connection."""
    connection.setblocking(False)
    seen = b""
    for byte in text:
        try:
            connection.send(bytes([byte]))
            part = connection.recv(65536)
            if not part:
                return seen
            seen += part
        except BlockingIOError:
            pass
        except OSError:
            return seen
        time.sleep(0.05)
    raise AssertionError("the server went on listening")


def test_a_request_is_answered(server: Served) -> None:
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(b"GET /v1/studies/a HTTP/1.1\r\n" + server.head + b"\r\n")
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.endswith(b'"ann sees a"')
            assert b"\r\nserver:" not in answer.lower()


@pytest.mark.parametrize("begun", [b"", b"\r\n", b"GET / HTTP/1.1\r\nHost: a"])
def test_a_head_that_does_not_arrive(server: Served, begun: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(begun)
        assert rest(connection) == b""


@pytest.mark.parametrize("each", [b"x: y\r\n", b"\r\n"])
def test_a_head_that_arrives_too_slowly(server: Served, each: bytes) -> None:
    with server.connect() as connection:
        first = b"" if each == b"\r\n" else b"GET / HTTP/1.1\r\n"
        trickle(connection, first + each * 500)


def test_a_second_head_that_does_not_arrive(server: Served) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n" + server.head + b"\r\nGET / HTTP")
        answer = rest(connection)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("part", [b"x-a: b\r\n", b"x" * 1000])
def test_a_head_without_an_end(server: Served, part: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        sent = 0
        try:
            while sent < 100 * LONGEST_HEAD:
                connection.sendall(part * 50)
                sent += len(part) * 50
        except OSError:
            pass
        assert sent < 100 * LONGEST_HEAD


def test_a_head_that_is_too_long_is_told_so(server: Served) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nx: " + b"y" * (LONGEST_HEAD - 10))
        assert rest(connection).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("more", [b"", b"Expect: 100-continue\r\n"])
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 50000\r\n", b"Transfer-Encoding: chunked\r\n"]
)
def test_a_body_that_does_not_arrive(server: Served, framing: bytes, more: bytes) -> None:
    with server.connect() as connection:
        head = b"POST /v1/studies HTTP/1.1\r\n" + server.head + framing + more
        connection.sendall(head + b"Content-Type: application/json\r\n\r\n")
        answer = rest(connection).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"the body came too slowly" in answer


def test_a_body_that_arrives_too_slowly(server: Served) -> None:
    with server.connect() as connection:
        head = b"POST /v1/studies HTTP/1.1\r\n" + server.head
        head += b"Content-Type: application/json\r\nContent-Length: 50000\r\n\r\n"
        connection.sendall(head)
        assert trickle(connection, b" " * 500).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("size", [100_000, 20_000_000])
def test_who_is_refused_gets_an_answer_whatever_it_sends(server: Served, size: int) -> None:
    """A client that still sends reads nothing, and a connection that is cut takes its answer."""
    with server.connect() as connection:
        head = f"POST /v1/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n"
        connection.sendall(head.encode())
        try:
            for _ in range(size // 1000):
                connection.sendall(b" " * 1000)
        except OSError:
            assert size > 1_000_000  # more than what is taken of who is refused
            return
        connection.shutdown(socket.SHUT_WR)
        assert rest(connection).startswith(b"HTTP/1.1 401 ")


HALF = b"Content-Type: application/json\r\nContent-Length: 900000\r\n\r\n{"


def test_who_has_no_token_keeps_nobody_waiting(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a body is no request that is being answered, and of one address few may be half."""
    monkeypatch.setattr(guard, "AT_ONCE", 3)
    monkeypatch.setattr(guard, "ARRIVING", 5)
    monkeypatch.setattr(guard, "PAUSE", 5.0)
    halves = [server.connect() for _ in range(6)]
    for connection in halves:
        head = b"POST /v1/studies HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        connection.sendall(head + HALF)
    test_a_request_is_answered(server)
    begun = time.monotonic()
    answer = rest(halves[-1])  # one more than are waited for
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert time.monotonic() - begun < 3.0
    for connection in halves:
        connection.close()


def test_one_token_has_few_requests_that_have_not_arrived(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "ARRIVING", 5)
    monkeypatch.setattr(guard, "PAUSE", 5.0)
    halves = [server.connect() for _ in range(6)]
    for connection in halves:
        connection.sendall(b"POST /v1/studies HTTP/1.1\r\n" + server.head + HALF)
    answer = rest(halves[-1])
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"have not arrived yet" in answer
    for connection in halves:
        connection.close()
    test_a_request_is_answered(server)


def test_who_is_refused_is_not_waited_for_long(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "REFUSED", 0.3)
    monkeypatch.setattr(guard, "PAUSE", 5.0)
    with server.connect() as connection:
        begun = time.monotonic()
        connection.sendall(b"POST /v1/studies HTTP/1.1\r\nHost: 127.0.0.1\r\n" + HALF)
        answer = rest(connection)
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"connection: close" in answer.lower()
        assert time.monotonic() - begun < 3.0


def test_an_answer_that_nobody_reads(server: Served) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /v1/long HTTP/1.1\r\n" + server.head + b"\r\n")
        time.sleep(1.0)  # the system itself keeps a few megabytes of it
        assert len(rest(connection)) < 50_000_000


def test_connections_are_let_go(server: Served) -> None:
    """Hundreds that say nothing do not keep one from being answered, and end."""
    idle = [server.connect() for _ in range(300)]
    test_a_request_is_answered(server)
    for connection in idle:
        with connection:
            assert rest(connection) == b""


def test_what_is_no_http(server: Served) -> None:
    for text in (
        b"\x16\x03\x01\x00\xa5\x01\x00",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"NOTHING\r\n\r\n",
    ):
        with server.connect() as connection:
            connection.sendall(text)
            assert rest(connection)[:13] in (b"HTTP/1.1 400 ", b"")


def test_a_websocket_is_none(server: Served) -> None:
    with server.connect() as connection:
        head = (
            b"GET / HTTP/1.1\r\n" + server.head + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        )
        connection.sendall(head + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
