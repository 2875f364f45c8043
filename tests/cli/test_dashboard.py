"""`hpsearch dashboard`: who is answered, and what a browser shows."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from hpsearch.cli.app import run
from hpsearch.cli.dashboard import guard
from hpsearch.storage import open_storage

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def pages(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    assert "HTTP_ACCEPT_ENCODING" in environ
    start_response("200 OK", [])
    return [b"page"]


@pytest.mark.parametrize(
    ("method", "host", "origin", "allow_edit", "answered"),
    [
        ("GET", "127.0.0.1:8080", "", False, True),
        ("GET", "localhost:8080", "", False, True),
        ("GET", "localhost", "http://elsewhere.example", False, True),
        ("GET", "evil.example", "", False, False),
        ("GET", "", "", False, False),
        ("GET", "evil.example:8080", "", True, False),
        ("POST", "127.0.0.1:8080", "", False, False),
        ("DELETE", "127.0.0.1:8080", "http://127.0.0.1:8080", False, False),
        ("DELETE", "127.0.0.1:8080", "http://127.0.0.1:8080", True, True),
        ("DELETE", "127.0.0.1:8080", "http://evil.example", True, False),
        ("PUT", "127.0.0.1:8080", "", True, True),
    ],
)
def test_the_guard(method: str, host: str, origin: str, allow_edit: bool, answered: bool) -> None:
    environ = {"REQUEST_METHOD": method, "HTTP_HOST": host}
    if origin:
        environ["HTTP_ORIGIN"] = origin
    seen: list[str] = []
    body = guard(pages, allow_edit)(environ, lambda status, _: seen.append(status))
    assert (list(body) == [b"page"]) is answered
    assert seen == (["200 OK"] if answered else ["403 Forbidden"])


def test_a_port_that_is_taken_gets_a_sentence(
    tmp_path: Path, served: str, capsys: pytest.CaptureFixture[str]
) -> None:
    open_storage(str(tmp_path / "x.db"))
    port = served.rsplit(":", 1)[1]
    assert run(["dashboard", "--port", port, "--storage", str(tmp_path / "x.db")]) == 2
    assert "choose another with --port" in capsys.readouterr().err


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a dashboard on a small study that has been run to its end."""
    folder = tmp_path_factory.mktemp("dashboard")
    text = 'name = "flowers"\n[data]\nname = "iris"\n[training]\nepochs = 3\n[search]\ntrials = 9\n'
    (folder / "flowers.toml").write_text(text)
    command = [sys.executable, "-m", "hpsearch"]
    subprocess.run([*command, "run", "flowers.toml", "-w", "1"], cwd=folder, check=True)
    process = subprocess.Popen(
        [*command, "dashboard", "--port", "0"], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "(read-only)" in line
    yield line.split()[0]
    process.terminate()
    process.communicate(timeout=10)


def test_reading_is_answered_and_writing_is_not(served: str) -> None:
    with urllib.request.urlopen(f"{served}/api/studies") as answer:
        assert "flowers" in answer.read().decode()
    request = urllib.request.Request(f"{served}/api/studies/1", method="DELETE")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 403
    assert "read-only" in caught.value.read().decode()
    with urllib.request.urlopen(f"{served}/static/bundle.js") as answer:
        assert answer.status == 200


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt install chromium)")
@pytest.mark.parametrize(("page", "words"), [("", "flowers"), ("/studies/1/trials", "Trial 8")])
def test_a_browser_shows_the_study_without_errors(
    served: str, tmp_path: Path, page: str, words: str
) -> None:
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=15000",
        "--dump-dom",
        f"{served}/dashboard{page}",
    ]
    for attempt in range(3):  # a busy machine may be slower than the page's virtual time
        out = subprocess.run(command, capture_output=True, text=True, timeout=90)
        if words in out.stdout:
            break
        time.sleep(attempt)
    assert words in out.stdout
    console = [line for line in out.stderr.splitlines() if "CONSOLE" in line and "rror" in line]
    assert console == []


def test_a_study_of_plain_optuna_is_summed_up_too(tmp_path: Path) -> None:
    from hpsearch.engine import summarize

    study = optuna.create_study(study_name="raw", storage=open_storage(str(tmp_path / "r.db")))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=4)
    summary = summarize(study)
    assert summary.strategy is None
    assert summary.validation_accuracy == study.best_value
    assert summary.rows[0].score == min(row.score for row in summary.rows if row.score is not None)
