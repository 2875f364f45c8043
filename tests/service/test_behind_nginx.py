"""A server behind nginx with TLS, below a path, as the guide sets it up."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import Served, external, serving, until

from hpsearch.service.tokens import add_token
from hpsearch.storage import open_storage

NGINX, OPENSSL = (
    shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in ("nginx", "openssl")
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (NGINX and OPENSSL), reason="nginx and openssl are not installed"),
]

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "service.md"

MAIN = """
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {server}
}}
"""


@dataclass
class Behind:
    """A server, the proxy in front of it, and a token for each scope."""

    served: Served
    url: str
    context: ssl.SSLContext
    tokens: dict[str, str]

    def client(self, scope: str | None = None, **options: Any) -> httpx.Client:
        headers = {} if scope is None else {"Authorization": f"Bearer {self.tokens[scope]}"}
        return httpx.Client(
            base_url=self.url, verify=self.context, headers=headers, timeout=30.0, **options
        )


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def nginx_conf(folder: Path, port: int, server: str) -> str:
    """The guide's own file, with this test's names and places."""
    [block] = re.findall(r"^```nginx\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    for before, after in {
        "listen 443": f"listen 127.0.0.1:{port}",
        "server_name lab.example": "server_name localhost",
        "/etc/ssl/lab.example": str(folder / "cert"),
        "http://127.0.0.1:8765": server,
    }.items():
        assert before in block
        block = block.replace(before, after)
    user = "user root;" if os.geteuid() == 0 else ""
    return MAIN.format(folder=folder, user=user, server=block)


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp("nginx")
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    made = [str(OPENSSL), *words.split(), "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "cert.key"), "-out", str(folder / "cert.crt")]
    subprocess.run([*made, *files], check=True, capture_output=True)
    database = folder / "a.db"
    with open_storage(str(database)) as store:
        scopes = ("read", "submit", "work", "admin")
        tokens = {scope: add_token(store, scope, scope) for scope in scopes}
    options = ("--root-path", "/hpsearch", "--allow-host", "localhost")
    with serving(database, folder / "log", *options) as served:
        port = free_port()
        conf = folder / "nginx.conf"
        conf.write_text(nginx_conf(folder, port, served.url.removesuffix("/hpsearch")))
        command = [str(NGINX), "-c", str(conf), "-p", str(folder), "-g", "daemon off;"]
        nginx = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            context = ssl.create_default_context(cafile=folder / "cert.crt")
            found = Behind(served, f"https://localhost:{port}/hpsearch", context, tokens)
            with found.client() as client:

                def answers() -> bool:
                    assert nginx.poll() is None, (folder / "error.log").read_text()
                    try:
                        return client.get("/healthz").is_success
                    except httpx.TransportError:
                        return False

                until(answers)
            yield found
        finally:
            nginx.terminate()
            nginx.wait(10)


def test_a_browser_logs_in_and_stays_below_the_path(behind: Behind) -> None:
    html = {"accept": "text/html"}
    with behind.client() as browser:
        origin = behind.url.removesuffix("/hpsearch")
        answer = browser.get("/", headers=html)
        assert (answer.status_code, answer.headers["location"]) == (303, "/hpsearch/login")
        assert browser.get("/login", headers=html).is_success
        sent = {"token": behind.tokens["read"], "to": "/v1/studies"}
        answer = browser.post("/login", data=sent, headers={"origin": origin})
        assert (answer.status_code, answer.headers["location"]) == (303, "/hpsearch/v1/studies")
        cookie = answer.headers["set-cookie"]
        for part in ("Secure", "HttpOnly", "SameSite=strict", "Path=/hpsearch"):
            assert part in cookie
        assert browser.get("/v1/studies").is_success
        assert browser.get("/", headers=html).status_code == 200
        assert browser.get("/openapi.json").is_success
        assert browser.post("/v1/studies/s:pause").status_code == 401  # a cookie only reads
        elsewhere = {"origin": "https://evil.example"}
        assert browser.post("/login", data=sent, headers=elsewhere).status_code == 403
        answer = browser.post("/logout", headers={"origin": origin})
        assert answer.headers["location"] == "/hpsearch/login"
        assert browser.get("/v1/studies").status_code == 401


def test_nginx_leads_to_the_path(behind: Behind) -> None:
    top = httpx.URL(behind.url).copy_with(path="/")
    answer = httpx.get(top.join("/hpsearch"), verify=behind.context)
    assert answer.status_code == 301
    assert httpx.URL(answer.headers["location"]).path == "/hpsearch/"


def test_a_study_is_searched_through_it(behind: Behind) -> None:
    toml = {"Content-Type": "application/toml"}
    with behind.client("submit") as submitter, behind.client("work") as worker:
        text = external("s", trials=3)
        assert submitter.post("/v1/studies", content=text, headers=toml).status_code == 201
        for _ in range(3):
            ask = "/v1/studies/s/trials:ask?wait=20"
            work = until(lambda path=ask: worker.post(path).json()["work"])
            body = {"lease": work["lease"], "result": 0.5}
            assert worker.post(f"/v1/trials/{work['trial']}:tell", json=body).is_success
        until(lambda: submitter.get("/v1/studies/s").json()["state"] == "finished")


def test_events_come_as_they_happen(behind: Behind) -> None:
    toml = {"Content-Type": "application/toml"}
    heard = threading.Event()
    begun = threading.Event()

    def listen() -> None:
        with behind.client("read") as reader, reader.stream("GET", "/v1/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                begun.set()
                if line.startswith("data:") and "events" in line:
                    heard.set()
                    return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert begun.wait(20)  # the first line came, though the answer goes on
    with behind.client("submit") as submitter:
        submitter.post("/v1/studies", content=external("events"), headers=toml)
        assert heard.wait(20)
        thread.join(20)


def test_an_ask_waits_through_it(behind: Behind) -> None:
    agent = {"agent": {"name": "idle", "kinds": ["function"]}}
    with behind.client("work") as worker:
        began = time.monotonic()
        answer = worker.post("/v1/trials:ask?wait=3", json=agent)
        assert answer.json()["work"] is None
        assert time.monotonic() - began >= 3


def test_files_come_along(behind: Behind) -> None:
    rows = "".join(f"{n % 7},{n % 5},{n % 2}\n" for n in range(400_000))
    study = """
name = "table"
[data]
path = "table.csv"
target = "y"
[search]
strategy = "random"
trials = 2
"""
    files = {"files": ("table.csv", f"a,b,y\n{rows}", "text/csv")}
    assert len(rows) > 2_000_000  # nginx alone takes a million bytes
    with behind.client("submit") as submitter:
        answer = submitter.post("/v1/studies", data={"study": study}, files=files)
        assert answer.status_code == 201, answer.text
        submitter.post("/v1/studies/table:stop").raise_for_status()


def test_each_address_has_its_own_wrong_tokens(behind: Behind) -> None:
    wrong = {"Authorization": "Bearer hps_wrong"}
    transport = httpx.HTTPTransport(verify=behind.context, local_address="127.0.0.2")
    with httpx.Client(transport=transport, base_url=behind.url) as client:
        statuses = [client.get("/v1/studies", headers=wrong).status_code for _ in range(12)]
        assert statuses[0] == 401
        assert statuses[-1] == 429
    assert "address=127.0.0.2" in behind.served.log.read_text()
    with behind.client("read") as client:
        assert client.get("/v1/studies", headers=wrong).status_code == 401
        assert client.get("/v1/studies").is_success
