"""Behind nginx with TLS and a root path, as the guide has it."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from guarded import PAGE, running

from hpsearch.service.tokens import Tokens, add_token
from hpsearch.storage import open_storage

NGINX, OPENSSL = shutil.which("nginx", path="/usr/sbin:/usr/bin"), shutil.which("openssl")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        NGINX is None or OPENSSL is None, reason="needs nginx and openssl (Debian: apt install ...)"
    ),
]

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "service.md"

AROUND = """
daemon off; master_process off; pid nginx.pid; error_log error.log; events {{}}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u;
  scgi_temp_path s;
  {server}
}}
"""


def of_the_guide(port: int, upstream: int, *, takes_away: bool) -> str:
    """The server block that the guide shows, for these ports."""
    text = GUIDE.read_text(encoding="utf-8").split("```nginx\n")[1].split("```")[0]
    for old, new in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("server_name lab.example", "server_name localhost"),
        ("/etc/ssl/lab.example", "cert"),
        ("http://127.0.0.1:8765", f"http://127.0.0.1:{upstream}" + "/" * takes_away),
        ("/hpsearch", "/search"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module", params=["left", "taken away"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, ssl.SSLContext, str]]:
    """Its address, who vouches for it, and a token."""
    folder = tmp_path_factory.mktemp("nginx")
    command = f"{OPENSSL} req -x509 -newkey rsa:2048 -nodes -keyout cert.key -out cert.crt -days 2"
    command += " -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    storage = open_storage(str(folder / "a.db"))
    token = add_token(storage, "ann", "admin")
    with running(Tokens(storage), root_path="/search", hosts=["localhost"]) as upstream:
        server = of_the_guide(port, upstream, takes_away=request.param == "taken away")
        (folder / "nginx.conf").write_text(AROUND.format(server=server))
        nginx = subprocess.Popen(
            [str(NGINX), "-p", folder, "-e", "error.log", "-c", "nginx.conf"], cwd=folder
        )
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert nginx.poll() is None, (folder / "error.log").read_text()
                time.sleep(0.05)
        trust = ssl.create_default_context(cafile=str(folder / "cert.crt"))
        yield f"https://localhost:{port}", trust, token
        nginx.terminate()
        nginx.wait()


def test_the_guides_proxy(site: tuple[str, ssl.SSLContext, str]) -> None:
    address, trust, token = site
    shown = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=address, verify=trust) as client:
        assert client.get("/search/healthz").text == '"well"'
        # Everybody comes from this machine now, and nobody is let in for that.
        assert client.get("/search/v1/agents").status_code == 401
        assert client.get("/search/v1/studies/a", headers=shown).json() == "ann sees a"
        away = client.get("/search/v1/agents/", headers=shown)
        assert away.headers["location"] == f"{address}/search/v1/agents"
        with client.stream("GET", "/search/v1/events", headers=shown) as events:
            assert next(events.iter_lines()) == "data: 0"
        answer = client.post(
            "/search/v1/studies", files={"files": ("a.csv", bytes(5_000_000))}, headers=shown
        )
        assert answer.json() > 5_000_000


def test_a_browser_behind_it(site: tuple[str, ssl.SSLContext, str]) -> None:
    address, trust, token = site
    with httpx.Client(base_url=address, verify=trust, follow_redirects=True) as client:
        form = client.get("/search/?group=width", headers=PAGE)
        assert str(form.url) == f"{address}/search/login?to=%2F%3Fgroup%3Dwidth"
        fields = {"token": token, "to": "/?group=width"}
        page = client.post("/search/login", data=fields, headers={"origin": address})
        assert str(page.url) == f"{address}/search/?group=width"
        assert page.text == "<p>ann</p>"
        [cookie] = client.cookies.jar
        assert (cookie.secure, cookie.path) == (True, "/search")
        elsewhere = {"origin": "https://evil.example"}
        assert client.post("/search/logout", headers=elsewhere).status_code == 403
        assert client.post("/search/logout", headers={"origin": address}).status_code == 200
        assert list(client.cookies.jar) == []


def test_wrong_tokens_count_by_who_shows_them(site: tuple[str, ssl.SSLContext, str]) -> None:
    """What a client says of itself is nothing against what the proxy says of it."""
    address, trust, token = site
    with httpx.Client(base_url=address, verify=trust) as client:
        statuses = [
            client.get(
                "/search/v1/agents",
                headers={"authorization": "Bearer x", "x-forwarded-for": f"10.0.0.{number}"},
            ).status_code
            for number in range(11)
        ]
        assert statuses == [401] * 10 + [429]
        shown = {"authorization": f"Bearer {token}"}
        assert client.get("/search/v1/agents", headers=shown).status_code == 200
