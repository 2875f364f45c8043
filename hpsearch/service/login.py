"""How a browser logs in: a form, a cookie for reading, and the way out.

``POST /login`` answers the right token with a cookie that no script can read and no other site can
send; it proves the token without telling it. It is good for GET and HEAD only. What a page's
buttons change is sent as everybody sends it, with ``Authorization: Bearer``: the form's script
keeps the token in ``sessionStorage`` of its tab under `STORED`, where pages look for it; where
there is none, as in a second tab, the server answers 401 and the page asks for it.
"""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from urllib.parse import parse_qs, quote, urlencode

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Scope

from hpsearch.service.tokens import COOKIE_SECONDS
from hpsearch.writing import html_text

__all__ = [
    "AGAIN",
    "LOGIN",
    "LOGOUT",
    "STORED",
    "ask_again",
    "cookie_name",
    "form",
    "logged_in",
    "logged_out",
    "sent",
    "to_login",
]

LOGIN, LOGOUT = "/login", "/logout"

STORED = "hpsearch-token"
"""The key of ``sessionStorage`` under which a tab keeps its token."""

LONGEST = 4096
"""Bytes of a form that was sent."""

STYLE = """
:root { --ink: #1c1e21; --soft: #5a6169; --paper: #ffffff; --line: #767c85; --link: #0072b2;
  --bad: #a4262c; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a3aab3; --paper: #15171a;
  --line: #8b929c; --link: #56b4e9; --bad: #ff9d9d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere; }
main { max-width: 480px; margin: 12vh auto 0; padding: 0 16px 32px; }
h1 { margin: 0 0 16px; font-size: 1.9rem; line-height: 1.2; }
label { display: block; font-weight: 600; }
input, button { font: inherit; width: 100%; padding: 10px 12px; border-radius: 6px;
  border: 1px solid var(--line); }
input { margin: 4px 0 16px; background: var(--paper); color: var(--ink); }
button { border-color: var(--link); background: var(--link); color: var(--paper); cursor: pointer;
  font-weight: 600; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
p { margin: 16px 0; color: var(--soft); }
p[role] { color: var(--bad); font-weight: 600; }
code { overflow-wrap: break-word; }
"""

SCRIPT = f"""
const key = "{STORED}", form = document.querySelector("form");
sessionStorage.removeItem(key);
form.action += location.hash;
form.addEventListener("submit", () => sessionStorage.setItem(key, form.token.value.trim()));
"""


AGAIN = "again"
"""In the address of the form that is asked for from here."""

AGAIN_SCRIPT = f"""
const here = new URL(location.href);
here.searchParams.set("{AGAIN}", "1");
location.replace(here);
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; style-src {_hash(STYLE)}; "
    f"script-src {_hash(SCRIPT)} {_hash(AGAIN_SCRIPT)}; "
    "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Of the form's page, whose own style and script are the only ones that it may have."""


def to_login(root_path: str, path: str, query: str) -> Response:
    """Send a browser to the form, and from there back to where it wanted to go."""
    target = f"{quote(path)}?{query}" if query else quote(path)
    asked = "" if target == "/" else "?" + urlencode({"to": target})
    return RedirectResponse(f"{root_path}{LOGIN}{asked}", 303)


def form(root_path: str, target: str, *, why: str = "", status: int = 200) -> HTMLResponse:
    """The page with the form.

    Args:
        root_path: what stands in front of every path.
        target: the path to go on to.
        why: what was wrong with what was sent before, a sentence.
        status: of the answer.
    """
    wrong = f'<p role="alert" id="why">{html_text(why)}</p>\n' if why else ""
    described = ' aria-invalid="true" aria-describedby="why"' if why else ""
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Log in - hpsearch</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>hpsearch</h1>
{wrong}<form method="post" action="{html_text(root_path)}{LOGIN}">
<input type="hidden" name="to" value="{html_text(_inside(target))}">
<input name="name" value="hpsearch" autocomplete="username" hidden>
<label for="token">Token</label>
<input id="token" name="token" type="password" required autofocus autocomplete="current-password"
 autocapitalize="none" spellcheck="false"{described}>
<button type="submit">Log in</button>
</form>
<p>Whoever runs this server can make one: <code>hpsearch token add NAME --scope read</code></p>
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""
    return HTMLResponse(page, status, {"Content-Security-Policy": POLICY})


def ask_again(root_path: str, target: str) -> HTMLResponse:
    """A page that asks for the form from here, where a link of another site has led to it."""
    here = f"{root_path}{LOGIN}?" + urlencode({"to": _inside(target), AGAIN: "1"})
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>hpsearch</title>
<link rel="icon" href="data:,">
<noscript><meta http-equiv="refresh" content="0; url={html_text(here)}"></noscript>
</head>
<body>
<script>{AGAIN_SCRIPT}</script>
</body>
</html>
"""
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


def sent(body: bytes) -> tuple[str, str]:
    """The token and the target of a form that was sent."""
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=8)
    except ValueError:
        return "", "/"
    return fields.get("token", [""])[0].strip(), _inside(fields.get("to", ["/"])[0])


def logged_in(scope: Scope, root_path: str, target: str, cookie: str | None = None) -> Response:
    """Give a browser its cookie, unless it has one, and send it where it wanted to go."""
    response = RedirectResponse(f"{root_path}{_inside(target)}", 303)
    if cookie is not None:
        _set(response, scope, root_path, cookie, COOKIE_SECONDS)
    return response


def logged_out(scope: Scope, root_path: str) -> Response:
    """Take the cookie away."""
    response = RedirectResponse(f"{root_path}{LOGIN}", 303)
    _set(response, scope, root_path, "", 0)
    return response


def cookie_name(scope: Scope) -> str:
    """Cookies are a machine's, whatever the port; two servers on it have two."""
    server = scope.get("server")
    return f"hpsearch-{server[1] if server else ''}"


def _set(response: Response, scope: Scope, root_path: str, value: str, seconds: int) -> None:
    response.set_cookie(
        cookie_name(scope),
        value,
        max_age=seconds,
        path=root_path or "/",
        secure=scope.get("scheme") == "https",
        httponly=True,
        samesite="strict",
    )


def _inside(target: str) -> str:
    r"""A path of this server; what would lead to another one is its first page.

    >>> _inside("/studies/digits?group=width"), _inside("//evil.example"), _inside("/\\evil")
    ('/studies/digits?group=width', '/', '/')
    """
    return target if re.fullmatch(r"/(?![/\\])[^\x00-\x20\x7f-\U0010ffff\\]*", target) else "/"
