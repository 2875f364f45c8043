"""`hpsearch dashboard`: where it listens, what it prints, and what a browser shows."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlsplit

import optuna
import pytest
from window import BROWSER, show

from hpsearch.cli.app import run
from hpsearch.errors import RunError
from hpsearch.report.browser import Page
from hpsearch.storage import open_storage

pytestmark = pytest.mark.slow


FLOWERS = """
name = "flowers"
[data]
name = "iris"
[training]
epochs = 3
learning_rate = { low = 1e-2, high = 1e4, log = true }  # most of it diverges
[search]
trials = 9
"""


@contextmanager
def dashboard(
    folder: Path, *words: str, ends: int = signal.SIGTERM, **environment: str
) -> Iterator[str]:
    """A dashboard on the store of a folder; the line that it prints.

    A signal is how it ends: with 0, and nothing more to say.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "hpsearch", "dashboard", "--port", "0", *words],
        cwd=folder,
        env=os.environ | {"HPSEARCH_DASHBOARD_TOKEN": ""} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "Ctrl-C ends it" in line
        yield line
        process.send_signal(ends)
        assert process.communicate(timeout=20) == ("", "")
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store of a small study that has been run to its end."""
    folder = tmp_path_factory.mktemp("dashboard")
    (folder / "flowers.toml").write_text(FLOWERS)
    with contextlib.chdir(folder):
        assert run(["run", "flowers.toml", "-w", "1"]) == 0
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[str]:
    """The address of a dashboard on that store."""
    with dashboard(folder) as line:
        assert "(read-only)" in line
        yield line.split()[0]


@pytest.fixture(scope="module")
def link(folder: Path) -> Iterator[str]:
    """The link to one that other machines reach."""
    with dashboard(folder, "--host", "127.0.0.2") as line:
        yield line.split()[0]


def test_a_port_that_is_taken_gets_a_sentence(
    folder: Path, served: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port = served.rsplit(":", 1)[1]
    assert run(["dashboard", "--port", port, "--storage", str(folder / "hpsearch.db")]) == 2
    assert "choose another with --host and --port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "token", "sentence"),
    [
        (["--host", "192.0.2.1"], "", "cannot listen on 192.0.2.1:"),  # nobody's: RFC 5737
        (["--host", ""], "", "cannot listen on"),
        (["--host", "127.0.0.2"], "short", "token has 5 characters"),
        (["--host", "127.0.0.2", "--token", "x"], "", "No such option"),
    ],
)
def test_what_cannot_be_served_gets_a_sentence(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    token: str,
    sentence: str,
) -> None:
    monkeypatch.setenv("HPSEARCH_DASHBOARD_TOKEN", token)
    assert run(["dashboard", "--storage", str(folder / "hpsearch.db"), *words]) == 2
    assert sentence in capsys.readouterr().err


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


def status(address: str, **headers: str) -> int:
    """How a server answers, redirects left aside."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    try:
        connection.request("GET", address[address.index("/", 8) :], headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_another_address_asks_for_the_token_of_its_link(link: str) -> None:
    parts = urlsplit(link)
    assert parts.hostname == "127.0.0.2"
    place, token = f"http://{parts.netloc}", parts.query.removeprefix("token=")
    assert len(token) == 43
    assert status(f"{place}/api/studies") == 401
    assert status(f"{place}/?token={token[:-1]}") == 401
    assert status(f"{place}/api/studies", Authorization=f"Bearer {token}") == 200
    assert status(f"{place}/api/studies", Host="127.0.0.1") == 403
    jar = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    with browser.open(link) as answer:
        assert answer.url == f"{place}/dashboard"
    with browser.open(f"{place}/api/studies") as answer:
        assert "flowers" in answer.read().decode()
    assert [token in str(cookie.value) for cookie in jar] == [False]


@pytest.mark.parametrize(
    ("host", "ends"), [("127.0.0.1", signal.SIGINT), ("127.0.0.2", signal.SIGTERM)]
)
def test_a_token_of_the_environment_is_not_printed(folder: Path, host: str, ends: int) -> None:
    token = "correct-horse-battery"
    with dashboard(folder, "--host", host, ends=ends, HPSEARCH_DASHBOARD_TOKEN=token) as line:
        place = line.split()[0]
        assert token not in line
        assert "(read-only, asks for HPSEARCH_DASHBOARD_TOKEN)" in line
        assert status(f"{place}/api/studies") == 401
        assert status(f"{place}/?token={token}") == 303
        assert status(f"{place}/api/studies", Authorization=f"Bearer {token}") == 200


def test_no_pruned_trial_is_without_a_value(served: str) -> None:
    # optuna-dashboard has shown a blank page for a study with such trials (its issue 68).
    with urllib.request.urlopen(f"{served}/api/studies/1") as answer:
        trials = json.load(answer)["trials"]
    pruned = [trial for trial in trials if trial["state"] == "Pruned"]
    assert pruned
    assert all(trial["intermediate_values"] for trial in pruned)


@BROWSER
@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("", "flowers"),
        ("/studies/1", "Intermediate values"),
        ("/studies/1/trials", "Trial 8"),
    ],
)
def test_a_browser_shows_the_study_without_errors(
    served: str, browser: Page, page: str, words: str
) -> None:
    assert_shown(browser, f"{served}/dashboard{page}", words)


@BROWSER
def test_a_browser_gets_in_by_the_link(link: str, browser: Page) -> None:
    assert_shown(browser, link, "flowers")


def assert_shown(browser: Page, address: str, words: str) -> None:
    """A browser shows a page with these words on it, and has nothing to complain of."""
    show(browser, address)
    deadline, shown = time.monotonic() + 60, ""
    while words not in shown:
        assert time.monotonic() < deadline, shown
        time.sleep(0.05)
        with contextlib.suppress(RunError):  # a question to the page that it is just leaving
            shown = browser.evaluate("document.body ? document.body.innerText : ''")
    browser.evaluate("new Promise(done => setTimeout(done, 200))")  # what comes after the words
    assert browser.problems == []


def test_a_study_of_plain_optuna_is_summed_up_too(tmp_path: Path) -> None:
    from hpsearch.engine import summarize

    study = optuna.create_study(study_name="raw", storage=open_storage(str(tmp_path / "r.db")))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=4)
    summary = summarize(study)
    assert summary.strategy is None
    assert summary.validation == study.best_value
    assert summary.rows[0].score == min(row.score for row in summary.rows if row.score is not None)
