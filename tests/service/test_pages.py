"""The server's pages in a browser: at two widths, light and dark, with HTML in every name."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx
import pytest
from axe import serious
from service.server import serving
from window import BROWSER, draw, show

from hpsearch.errors import RunError
from hpsearch.report.browser import Page
from hpsearch.service import queue
from hpsearch.service.queue import Queued
from hpsearch.service.tokens import add_token, remove_token
from hpsearch.storage import open_storage
from hpsearch.study_file import StudyFile

pytestmark = [BROWSER, pytest.mark.slow]

ODD = '<b>&"q" <img src=x onerror=alert(1)>'

LOOKS = pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])


def study_of(name: str, trials: int = 12) -> dict[str, Any]:
    return {
        "name": name,
        "objective": {"external": True, "metric": "loss<i>", "direction": "minimize"},
        "search": {"strategy": "random", "trials": trials},
        "space": {"x<u>": {"low": 0.1, "high": 3.0}, "kind": {"choices": ["<s>a", "b"]}},
    }


class Site:
    """A server, asked by a program."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.client = httpx.Client(base_url=url, headers=headers, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def send(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.client.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def submit(self, name: str, trials: int = 12) -> str:
        """A study that is searched; its page's address."""
        self.send("POST", "/v1/studies", {"study": study_of(name, trials)}, 201)
        return self.page(name)

    def page(self, name: str) -> str:
        return f"{self.url}/studies/{quote(name, safe='')}"

    def study(self, name: str) -> Any:
        return self.send("GET", f"/v1/studies/{quote(name, safe='')}")

    def begin(self, name: str, *, reports: int = 3) -> tuple[dict[str, Any], Callable[..., Any]]:
        """Take a trial and report some values; gives it, and how to tell its end."""
        asked = f"/v1/studies/{quote(name, safe='')}/trials:ask?wait=20"
        work, end = None, time.monotonic() + 60
        while work is None:  # a study that has just been resumed has no driver yet
            assert time.monotonic() < end
            work = self.send("POST", asked, {"agent": {"name": f"agent {ODD}"}})["work"]
        trial, lease = work["trial"], work["lease"]
        for step in range(reports):
            value = {"lease": lease, "step": step, "value": 1 / (1 + step)}
            self.send("POST", f"/v1/trials/{trial}:report", value)
        return work, lambda **told: self.send(
            "POST", f"/v1/trials/{trial}:tell", {"lease": lease, **told}
        )

    def do(self, name: str, count: int = 1, **told: Any) -> None:
        for _ in range(count):
            work, tell = self.begin(name)
            tell(**(told or {"result": (work["configuration"]["x<u>"] - 1) ** 2}))

    def fail(self, name: str) -> None:
        why = {"sentence": f"the disk {ODD} was full", "tail": "Traceback <i>\nOSError: full"}
        self.do(name, error=why)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("pages")) as url, Site(url) as site:
        yield site


SHOWN = "(document.querySelector('dialog[open]') ?? document.body).innerText.slice(0, 1000)"


def wait_for(browser: Page, what: str, seconds: float = 60.0) -> None:
    """Until it is true of whatever page is there; between two there is none to ask."""
    end = time.monotonic() + seconds
    while True:
        with suppress(RunError):
            if browser.evaluate(f"Boolean({what})"):
                return
        assert time.monotonic() < end, (what, browser.evaluate(SHOWN))
        time.sleep(0.05)


def text(where: str) -> str:
    return f"(document.querySelector({json.dumps(where)})?.innerText ?? '')"


def click(browser: Page, where: str) -> None:
    wait_for(browser, f"document.querySelector({json.dumps(where)})")
    browser.evaluate(f"document.querySelector({json.dumps(where)}).click()")


def write(browser: Page, where: str, what: str) -> None:
    browser.evaluate(f"document.querySelector({json.dumps(where)}).focus()")
    browser.evaluate(f"document.querySelector({json.dumps(where)}).select()")
    browser.call("Input.insertText", text=what)


def check(browser: Page, url: str, *, expected: tuple[str, ...] = ()) -> None:
    """Nothing is wrong with the page: no error, no other host, nothing cut off or in the way."""
    problems = [p for p in browser.problems if not any(words in p for words in expected)]
    assert problems == []
    hosts = "performance.getEntriesByType('resource').map(each => new URL(each.name).origin)"
    assert set(browser.evaluate(hosts)) <= {str(httpx.URL(url).copy_with(raw_path=b"/"))[:-1]}
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert browser.evaluate("document.querySelectorAll('img, main b, main u, main s').length") == 0
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.call("Emulation.setEmulatedMedia", features=[feature])
        assert serious(browser) == []


@LOOKS
def test_all_studies(browser: Page, site: Site, width: int, dark: bool) -> None:
    name = f"all {width} {dark} {ODD}"
    site.submit(name)
    site.do(name, 2)
    site.fail(name)
    site.begin(name)
    show(browser, f"{site.url}/", width=width, dark=dark)
    rows = "[...document.querySelectorAll('tbody tr')]"
    row = f"{rows}.find(tr => tr.innerText.includes({json.dumps(name)}))"
    wait_for(browser, row)
    told = browser.evaluate(f"{row}.innerText")
    assert "running" in told
    assert "3 of 12 (1 failed)" in told
    assert "loss<i>" in told
    left = f"{row}.querySelector('[data-title=\"Time left\"]').textContent"
    wait_for(browser, rf"/^\d+ (s|min)$/.test({left})")
    agents = text("section[aria-labelledby=agents]")
    wait_for(browser, f"{agents}.includes({json.dumps(f'agent {ODD}')})")
    assert "trial 3, begun" in browser.evaluate(agents)
    assert "this server" in browser.evaluate(agents)
    check(browser, site.url)

    write(browser, "input[type=search]", f"{width} {dark} RUNNING")
    wait_for(browser, "document.querySelectorAll('.trials tbody tr').length === 1")
    assert browser.evaluate(text(".count")).startswith("1 of ")
    write(browser, "input[type=search]", "nothing is called so")
    wait_for(browser, f"{text('.empty')} === 'No study matches.'")
    browser.evaluate("document.querySelector('input[type=search]').value = ''")
    if width > 600:
        click(browser, "thead button")
        names = browser.evaluate(
            "[...document.querySelectorAll('.trials tbody a')].map(a => a.textContent)"
        )
        assert names == sorted(names, key=str.lower)
        assert browser.evaluate("document.querySelector('th').ariaSort") == "ascending"


@LOOKS
def test_a_study_while_trials_come_in(browser: Page, site: Site, width: int, dark: bool) -> None:
    name = f"live {width} {dark} {ODD}"
    page = site.submit(name)
    site.do(name)
    show(browser, page, width=width, dark=dark)
    wait_for(browser, f"{text('.steer .about')}.includes('1 of 12 trials')")
    wait_for(browser, f"{text('main h1')} === {json.dumps(name)}")
    site.do(name, 2)
    wait_for(browser, f"{text('.steer .about')}.includes('3 of 12 trials')")
    rows = "[...document.querySelectorAll('.trials tbody tr')]"
    wait_for(browser, f"{rows}.filter(tr => tr.innerText.includes('complete')).length === 3")
    assert draw(browser) > 0

    site.begin(name, reports=4)
    wait_for(browser, f"{text('.running summary')} === '1 trial under way'")
    click(browser, ".running summary")
    wait_for(browser, f"{text('.running table')}.includes('0.25 at 3')")
    assert f"agent {ODD}" in browser.evaluate(text(".running table"))
    wait_for(browser, "document.querySelector('#under-way .scatterlayer .trace')")
    check(browser, site.url)
    assert browser.evaluate(text(".live")) == ""


@LOOKS
def test_a_trials_page_and_another_attempt(
    browser: Page, site: Site, width: int, dark: bool
) -> None:
    name = f"trial {width} {dark} {ODD}"
    page = site.submit(name, trials=4)
    site.do(name)
    site.fail(name)
    show(browser, f"{page}#trial=1", width=width, dark=dark)
    dialog = text("dialog[open]")
    wait_for(browser, f"{dialog}.includes({json.dumps(f'the disk {ODD} was full')})")
    assert "OSError: full" in browser.evaluate(dialog)
    wait_for(browser, "document.querySelector('dialog[open] [data-key=retry]')")
    check(browser, site.url)
    click(browser, "dialog[open] [data-key=retry]")
    wait_for(browser, f"{text('dialog[open] .retry')}.includes('tried again')")
    site.do(name, 3)
    wait_for(browser, f"{text('.steer .about')}.includes('finished')")
    assert site.study(name)["trials"] == {"complete": 4, "failed": 1}
    check(browser, site.url)


@LOOKS
def test_a_study_is_steered_by_buttons(browser: Page, site: Site, width: int, dark: bool) -> None:
    name = f"steered {width} {dark} {ODD}"
    page = site.submit(name, trials=2)
    site.do(name)
    show(browser, page, width=width, dark=dark)
    about = text(".steer .about")
    for button, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        click(browser, f"[data-key={button}]")
        wait_for(browser, f"{about}.startsWith('{state}')")
        assert site.study(name)["state"] == state
    assert "stopped by local" in browser.evaluate(about).lower()
    click(browser, "[data-key=resume]")
    wait_for(browser, f"{about}.startsWith('running')")
    write(browser, ".total", "3")
    click(browser, "[data-key=extend]")
    wait_for(browser, f"{about}.includes('1 of 3 trials')")
    site.do(name, 2)
    wait_for(browser, f"{about}.startsWith('finished')")
    buttons = "[...document.querySelectorAll('.steer button')].map(each => each.dataset.key)"
    wait_for(browser, f"{buttons}.join() === 'extend'")
    wait_for(browser, f"{text('main h1')} === {json.dumps(name)}")
    check(browser, site.url)


def test_a_study_before_its_first_trial(browser: Page, tmp_path: Path) -> None:
    file = StudyFile.model_validate(study_of("early")).model_dump_json()
    then = "2026-01-01T00:00:00+00:00"
    row = Queued("early", "ann", 0, None, "paused", "paused by ann", then, then, file, "{}")
    database = str(tmp_path / "hpsearch.db")
    with open_storage(database) as storage, storage.transaction() as connection:
        queue.add(connection, row)
    with serving(tmp_path) as url:
        show(browser, f"{url}/studies/early")
        wait_for(browser, f"{text('main')}.includes('It has no trials yet')")
        wait_for(browser, f"{text('.steer .about')}.startsWith('paused')")
        check(browser, url)
        click(browser, "[data-key=resume]")
        with Site(url) as site:
            site.do("early", 2)
        wait_for(browser, f"{text('.trials')}.includes('complete')")
        check(browser, url)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, dict[str, str]]]:
    """A server below a path, which needs tokens, and these."""
    folder = tmp_path_factory.mktemp("guarded")
    database = str(folder / "hpsearch.db")
    with open_storage(database) as storage:
        tokens = {
            scope: add_token(storage, f"<i>{scope}</i>", scope)
            for scope in ("read", "submit", "admin")
        }
        tokens["one"] = add_token(storage, "one", "read", study="first")
        tokens |= {"brief": add_token(storage, "brief", "read"), "database": database}
    options = ("--workers", "0", "--root-path", "/hpsearch")
    with serving(folder, *options) as url, Site(url, tokens["admin"]) as site:
        site.submit("first")
        site.do("first", 2)
        yield site, tokens


def log_in(browser: Page, token: str) -> None:
    wait_for(browser, "document.activeElement?.id === 'token'")
    browser.call("Input.insertText", text=token)
    click(browser, "form button")
    wait_for(browser, "document.querySelector('.who form')")


def log_out(browser: Page) -> None:
    click(browser, ".who form button")
    wait_for(browser, "location.pathname === '/hpsearch/login'")


def test_who_only_reads_has_no_buttons(browser: Page, guarded: tuple[Site, dict[str, str]]) -> None:
    site, tokens = guarded
    show(browser, f"{site.url}/studies/first")
    log_in(browser, tokens["read"])
    wait_for(browser, f"{text('.steer .about')}.includes('2 of 12 trials')")
    wait_for(browser, f"{text('main h1')} === 'first'")
    assert browser.evaluate("document.querySelectorAll('.steer button').length") == 0
    assert "<i>read</i> (read)" in browser.evaluate(text(".who"))
    check(browser, site.url)
    log_out(browser)


def test_who_sees_one_study(browser: Page, guarded: tuple[Site, dict[str, str]]) -> None:
    site, tokens = guarded
    site.client.post("/v1/studies", json={"study": study_of("second")})
    show(browser, f"{site.url}/")
    log_in(browser, tokens["one"])
    wait_for(browser, f"{text('.count')} === '1 study'")
    assert browser.evaluate("document.querySelector('section[aria-labelledby=agents]').hidden")
    assert "Optuna" not in browser.evaluate(text(".who"))
    check(browser, site.url)
    log_out(browser)


def test_a_login_that_ends_under_an_open_page(
    browser: Page, guarded: tuple[Site, dict[str, str]]
) -> None:
    site, tokens = guarded
    show(browser, f"{site.url}/studies/first")
    log_in(browser, tokens["brief"])
    wait_for(browser, f"{text('main h1')} === 'first'")
    with open_storage(tokens["database"]) as storage:
        remove_token(storage, "brief")
    site.send("POST", "/v1/studies/first:rank", {"priority": 1})
    wait_for(browser, f"{text('.live')}.includes('your login has ended')")
    browser.evaluate("location.reload()")
    wait_for(browser, "location.pathname === '/hpsearch/login'")


def test_a_page_that_nobody_sees_asks_for_nothing(browser: Page, site: Site) -> None:
    page = site.submit("unseen")
    site.do("unseen")
    show(browser, page)
    wait_for(browser, f"{text('main h1')} === 'unseen'")
    hide = "Object.defineProperty(document, 'hidden', {{value: {}, configurable: true}});"
    turn = hide + "document.dispatchEvent(new Event('visibilitychange'));"
    browser.evaluate(turn.format("true"))
    time.sleep(1.5)  # what was asked before is answered
    asked = "performance.getEntriesByType('resource').length"
    before = browser.evaluate(asked)
    site.do("unseen", 2)
    time.sleep(6)
    assert browser.evaluate(asked) == before
    browser.evaluate(turn.format("false"))
    wait_for(browser, f"{text('.steer .about')}.includes('3 of 12 trials')")
    check(browser, site.url)


def test_a_token_is_asked_for_and_refused(
    browser: Page, guarded: tuple[Site, dict[str, str]]
) -> None:
    site, tokens = guarded
    show(browser, f"{site.url}/studies/first")
    log_in(browser, tokens["submit"])
    click(browser, "[data-key=pause]")
    wait_for(browser, f"{text('.steer .about')}.startsWith('paused')")
    browser.evaluate("sessionStorage.clear()")  # as in another tab
    click(browser, "[data-key=resume]")
    wait_for(browser, "document.activeElement?.id === 'token'")
    assert "good for reading" in browser.evaluate(text("dialog.ask"))
    assert serious(browser) == []
    browser.call("Input.insertText", text="hps_guessed")
    click(browser, "dialog.ask button")
    wait_for(browser, f"{text('dialog.ask')}.includes('unknown or has expired')")
    browser.call("Input.insertText", text=tokens["read"])
    click(browser, "dialog.ask button")
    wait_for(browser, f"{text('dialog.ask')}.includes('this needs')")
    click(browser, "dialog.ask button[value='']")
    wait_for(browser, f"{text('.steer .problem')}.includes('this needs')")
    click(browser, "[data-key=resume]")
    wait_for(browser, "document.activeElement?.id === 'token'")
    browser.call("Input.insertText", text=tokens["submit"])
    click(browser, "dialog.ask button")
    wait_for(browser, f"{text('.steer .about')}.startsWith('running')")
    assert browser.evaluate(text(".steer .problem")) == ""
    check(browser, site.url, expected=("401", "403"))
    log_out(browser)
    assert browser.evaluate("sessionStorage.length") == 0


@LOOKS
def test_the_reference_is_a_page_of_this_server(
    browser: Page, site: Site, width: int, dark: bool
) -> None:
    show(browser, f"{site.url}/docs", width=width, dark=dark)
    wait_for(browser, "document.querySelector('.who')")
    described = site.send("GET", "/openapi.json")
    names = [each["summary"] for path in described["paths"].values() for each in path.values()]
    shown = browser.evaluate("[...document.querySelectorAll('h3')].map(each => each.textContent)")
    assert set(names) | set(described["components"]["schemas"]) == set(shown)
    links = "[...document.querySelectorAll('main a')].map(a => a.hash.slice(1))"
    assert browser.evaluate(f"{links}.filter(id => !document.getElementById(id))") == []
    check(browser, site.url)


def test_a_study_that_is_not_there(browser: Page, site: Site) -> None:
    show(browser, site.page(f"gone {ODD}"))
    wait_for(browser, f"{text('main')}.includes({json.dumps(f'gone {ODD}')})")
    check(browser, site.url, expected=("404",))
    click(browser, "main a")
    wait_for(browser, f"{text('main h1')} === 'Studies'")


def test_optunas_dashboard_below_a_path(
    browser: Page, guarded: tuple[Site, dict[str, str]]
) -> None:
    site, tokens = guarded
    show(browser, f"{site.url}/")
    log_in(browser, tokens["read"])
    show(browser, f"{site.url}/optuna/")
    wait_for(browser, "document.body.innerText.includes('first')")
    listed = site.send("GET", "/optuna/api/studies")["study_summaries"]
    [number] = [each["study_id"] for each in listed if each["study_name"] == "first"]
    show(browser, f"{site.url}/optuna/dashboard/studies/{number}")
    wait_for(browser, "document.body.innerText.includes('Best Trial')")
    answers = (
        "performance.getEntriesByType('resource').map(each => [each.name, each.responseStatus])"
    )
    for address, status in browser.evaluate(answers):
        assert address.startswith(f"{site.url}/optuna/")
        assert status == 200, address
    assert browser.problems == []
    assert site.client.delete(f"/optuna/api/studies/{number}").status_code == 403
    show(browser, f"{site.url}/")
    log_out(browser)


def test_a_server_that_restarts_under_an_open_page(browser: Page, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    options = ("--workers", "0", "--port", port)
    with serving(tmp_path, *options) as url, Site(url) as site:
        page = site.submit("kept")
        site.do("kept", 2)
        show(browser, page)
        wait_for(browser, f"{text('.steer .about')}.includes('2 of 12 trials')")
        wait_for(browser, f"{text('.trials')}.includes('complete')")
    wait_for(browser, f"{text('.live')}.includes('may be old')")
    click(browser, "[data-key=pause]")
    wait_for(browser, f"{text('.steer .problem')}.includes('does not answer')")
    with serving(tmp_path, *options) as url, Site(url) as site:
        wait_for(browser, f"{text('.live')} === ''")
        click(browser, "[data-key=pause]")
        wait_for(browser, f"{text('.steer .about')}.startsWith('paused')")
        click(browser, "[data-key=resume]")
        site.do("kept")
        wait_for(browser, f"{text('.steer .about')}.includes('3 of 12 trials')")
        rows = "document.querySelectorAll('.trials tbody tr').length"
        wait_for(browser, f"{rows} >= 3")
        check(browser, url, expected=("Failed to load resource",))
