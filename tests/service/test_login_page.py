"""The form in a browser: at two widths, light and dark, and what is left for the page behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from guarded import running
from window import BROWSER, show

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


def log_out(browser: Page, address: str) -> None:
    browser.evaluate(f"fetch('{address}/logout', {{method: 'POST', redirect: 'manual'}})")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_from_the_form_to_the_page(
    browser: Page, server: tuple[str, str], width: int, dark: bool
) -> None:
    address, token = server
    show(browser, f"{address}/?group=width#trial=17", width=width, dark=dark)
    assert browser.evaluate("document.activeElement.id") == "token"
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
