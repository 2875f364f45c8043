"""The form in a browser: at two widths, light and dark, and what is left for the page behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from guarded import running
from window import BROWSER, show

from hpsearch.errors import RunError
from hpsearch.report.browser import Page
from hpsearch.service.login import STORED
from hpsearch.service.tokens import Tokens, add_token
from hpsearch.storage import open_storage

pytestmark = [BROWSER, pytest.mark.slow]


@pytest.fixture(scope="module", params=["", "/search"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Its address and a token."""
    storage = open_storage(str(tmp_path_factory.mktemp("login") / "a.db"))
    token = add_token(storage, "ann", "admin")
    with running(Tokens(storage), root_path=request.param) as port:
        yield f"http://127.0.0.1:{port}{request.param}", token


def log_in(browser: Page, token: str) -> None:
    """Type a token, and wait for the page that comes."""
    browser.evaluate("document.querySelector('#token').focus()")
    browser.call("Input.insertText", text=token)
    browser.evaluate("globalThis.before = true; document.querySelector('button').click()")
    while browser.evaluate("globalThis.before || document.readyState !== 'complete'"):
        pass


def wait_for(browser: Page, condition: str) -> None:
    """Until it is true of whatever page is there; between two there is none to ask."""
    while True:
        with suppress(RunError):
            if browser.evaluate(condition):
                return
        assert time.monotonic() < browser.deadline


def log_out(browser: Page, address: str) -> None:
    browser.evaluate(f"fetch('{address}/logout', {{method: 'POST', redirect: 'manual'}})")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_from_the_form_to_the_page(
    browser: Page, server: tuple[str, str], width: int, dark: bool
) -> None:
    address, token = server
    show(browser, f"{address}/?group=width#trial=17", width=width, dark=dark)
    wait_for(browser, "document.activeElement.id === 'token'")  # once it is first painted
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(21, 23, 26)" if dark else "rgb(255, 255, 255)")
    assert browser.problems == []

    log_in(browser, "hps_guessed")
    assert "unknown or has expired" in browser.evaluate("document.querySelector('#why').innerText")
    assert browser.evaluate("location.hash") == "#trial=17"
    assert browser.evaluate(f"sessionStorage.getItem('{STORED}')") is None
    assert browser.evaluate("document.querySelector('#token').value") == ""

    log_in(browser, f" {token} ")
    assert browser.evaluate("location.href") == f"{address}/?group=width#trial=17"
    assert browser.evaluate("document.body.innerText") == "ann"
    assert browser.evaluate("document.cookie") == ""
    assert browser.evaluate(f"sessionStorage.getItem('{STORED}')") == token
    log_out(browser, address)


def test_the_page_reads_by_the_cookie_and_writes_by_the_token(
    browser: Page, server: tuple[str, str]
) -> None:
    address, token = server
    show(browser, f"{address}/")
    log_in(browser, token)
    stored = f"{{Authorization: 'Bearer ' + sessionStorage.getItem('{STORED}')}}"
    for method, path, headers, status in (
        ("GET", "/v1/studies", "{}", 200),
        ("POST", "/v1/studies/digits:pause", "{}", 401),
        ("POST", "/v1/studies/digits:pause", stored, 200),
        ("DELETE", "/v1/studies/digits", stored, 200),
    ):
        options = f"{{method: '{method}', headers: {headers}}}"
        answer = f"fetch('{address}{path}', {options}).then(answer => answer.status)"
        assert browser.evaluate(answer) == status
    log_out(browser, address)
    assert browser.evaluate(f"fetch('{address}/v1/studies').then(a => a.status)") == 401
    show(browser, f"{address}/")
    assert browser.evaluate("location.pathname").endswith("/login")
    assert browser.evaluate(f"sessionStorage.getItem('{STORED}')") is None


def test_a_link_from_elsewhere_leads_whoever_has_logged_in_to_its_page(
    browser: Page, server: tuple[str, str], tmp_path: Path
) -> None:
    """Though the browser shows no cookie to begin with."""
    address, token = server
    elsewhere = tmp_path / "elsewhere.html"
    elsewhere.write_text(f'<a href="{address}/?group=width#trial=17">look</a>')
    show(browser, f"{address}/")
    log_in(browser, token)
    show(browser, elsewhere)
    browser.evaluate("document.querySelector('a').click()")
    wait_for(browser, "document.body && document.body.innerText === 'ann'")
    assert browser.evaluate("location.href") == f"{address}/?group=width#trial=17"
    log_out(browser, address)
    show(browser, elsewhere)
    browser.evaluate("document.querySelector('a').click()")
    wait_for(browser, "document.querySelector('#token') !== null")
    log_in(browser, token)
    assert browser.evaluate("location.href") == f"{address}/?group=width#trial=17"
    log_out(browser, address)
