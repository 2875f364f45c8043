"""Tokens: made once, known by their digest, gone when they are removed or over."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa
from guarded import Clock

from hpsearch.cli.app import run
from hpsearch.errors import StorageError, UnknownNameError, UsageError
from hpsearch.service.models import Scope
from hpsearch.service.tokens import (
    ALLOWS,
    COOKIE_SECONDS,
    LOOK,
    OLD,
    Asker,
    Tokens,
    add_token,
    list_tokens,
    remove_token,
    without_tokens,
)
from hpsearch.storage import WriteBehindStorage, open_storage

TOKEN = re.compile(r"hps_[A-Za-z0-9_-]{43}")


def who(tokens: Tokens, token: str) -> Asker | None:
    async def look() -> Asker | None:
        await tokens.look()
        return tokens.who(token)

    return asyncio.run(look())


@pytest.mark.parametrize(
    ("scope", "allows"),
    [
        ("read", {"read"}),
        ("submit", {"read", "submit"}),
        ("work", {"read", "work"}),
        ("admin", {"read", "submit", "work", "admin"}),
        ("of a newer version", set()),
    ],
)
def test_what_a_scope_allows(scope: str, allows: set[str]) -> None:
    asker = Asker("ann", scope)
    assert {each for each in get_args(Scope) if asker.may(each)} == allows
    assert set(ALLOWS) == set(get_args(Scope))


@pytest.mark.parametrize(
    ("study", "asked", "may"),
    [(None, None, True), (None, "a", True), ("a", "a", True), ("a", "b", False), ("a", "A", False)],
)
def test_a_token_of_one_study(study: str | None, asked: str | None, may: bool) -> None:
    assert Asker("ann", "read", study).may("read", asked) is may


def test_a_token_is_known_and_its_digest_is_kept(storage: WriteBehindStorage) -> None:
    token = add_token(storage, "ann", "work", study="digits", days=3)
    assert TOKEN.fullmatch(token)
    tokens = Tokens(storage)
    assert who(tokens, token) == Asker("ann", "work", "digits")
    (kept,) = list_tokens(storage)
    assert (kept.name, kept.scope, kept.study, kept.is_over) == ("ann", "work", "digits", False)
    storage.close()
    database = Path(storage.url.removeprefix("sqlite:///")).read_bytes()
    assert token.encode() not in database
    assert token.removeprefix("hps_").encode() not in database


@pytest.mark.parametrize(
    "wrong",
    [
        lambda token: "",
        lambda token: token[:-1],
        lambda token: token + "x",
        lambda token: token.swapcase(),
        lambda token: token.removeprefix("hps_"),
        lambda token: f" {token}",
        lambda token: "hps_" + "é\udcff" * 20,
        lambda token: "hps_" + "A" * 43,
    ],
)
def test_nobody_is_known_by_another(
    storage: WriteBehindStorage, wrong: Callable[[str], str]
) -> None:
    token = add_token(storage, "ann", "admin")
    assert who(Tokens(storage), wrong(token)) is None


def test_a_digest_is_no_token(storage: WriteBehindStorage) -> None:
    """Who reads the table gets in nowhere."""
    add_token(storage, "ann", "admin")
    with storage.engine.connect() as connection:
        digest = connection.execute(sa.text("SELECT digest FROM hpsearch_tokens")).scalar()
    assert who(Tokens(storage), digest) is None


def test_digests_are_compared_in_a_time_that_tells_nothing(
    storage: WriteBehindStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hmac

    token = add_token(storage, "ann", "admin")
    compared: list[tuple[object, object]] = []
    same = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or same(a, b))
    tokens = Tokens(storage)
    assert who(tokens, token)
    assert tokens.who_by_cookie(tokens.cookie(token))
    assert len(compared) == 2
    assert token not in str(compared)


def test_a_token_is_over_at_its_end(storage: WriteBehindStorage) -> None:
    import time

    token = add_token(storage, "ann", "read", days=1)
    clock = Clock()
    for seconds, known in ((0, True), (86_300, True), (86_401, False)):
        clock.seconds = time.time() + seconds
        assert (who(Tokens(storage, now=clock), token) is not None) is known


@pytest.mark.parametrize(
    "name", ["", " ann", "ann ", "a\nb", "a\u202eb", "x" * 129, "local", "\ud800"]
)
def test_names_that_will_not_do(storage: WriteBehindStorage, name: str) -> None:
    with pytest.raises(UsageError):
        add_token(storage, name, "read")
    assert list_tokens(storage) == []


@pytest.mark.parametrize("study", ["", "x" * 513])
def test_studies_that_will_not_do(storage: WriteBehindStorage, study: str) -> None:
    with pytest.raises(UsageError, match="1 to 512 characters"):
        add_token(storage, "ann", "read", study=study)


@pytest.mark.parametrize("days", [0, -1, 1e9, float("nan")])
def test_days_that_will_not_do(storage: WriteBehindStorage, days: float) -> None:
    with pytest.raises(UsageError, match="up to 36,500 days"):
        add_token(storage, "ann", "read", days=days)


def test_a_name_is_given_once(storage: WriteBehindStorage) -> None:
    first = add_token(storage, "ann", "read")
    with pytest.raises(UsageError, match="there is a token 'ann' already; remove it"):
        add_token(storage, "ann", "admin")
    remove_token(storage, "ann")
    assert add_token(storage, "ann", "read") != first
    with pytest.raises(UnknownNameError, match="unknown token 'bob'"):
        remove_token(storage, "bob")


def test_the_table_is_read_now_and_then(storage: WriteBehindStorage, clock: Clock) -> None:
    token = add_token(storage, "ann", "read")
    tokens = Tokens(storage, clock=clock)
    queries: list[str] = []
    sa.event.listen(
        storage.engine, "before_cursor_execute", lambda c, u, text, *_: queries.append(text)
    )

    async def ask(seconds: float) -> Asker | None:
        clock.seconds += seconds
        await tokens.look()
        if seconds >= LOOK:
            await asyncio.sleep(0.1)  # what was begun behind an answer
        return tokens.who(token)

    async def sequence() -> None:
        for _ in range(100):
            assert await ask(LOOK / 200)
        assert sum("hpsearch_tokens" in text for text in queries) == 1
        await asyncio.to_thread(remove_token, storage, "ann")
        assert await ask(LOOK / 10) is not None  # not read again yet
        assert await ask(LOOK) is None

    asyncio.run(sequence())


def test_a_removed_token_is_gone_at_once_on_a_server_that_was_idle(
    storage: WriteBehindStorage, clock: Clock
) -> None:
    token = add_token(storage, "ann", "read")
    tokens = Tokens(storage, clock=clock)
    assert who(tokens, token)
    remove_token(storage, "ann")
    clock.seconds += OLD
    assert who(tokens, token) is None


def test_a_database_that_does_not_answer_lets_nobody_in(
    storage: WriteBehindStorage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = add_token(storage, "ann", "read")
    tokens = Tokens(storage, clock=clock)
    assert who(tokens, token)

    def broken() -> Any:
        raise StorageError("the database is gone")

    monkeypatch.setattr(storage.connection, "reading", broken)

    async def ask(seconds: float) -> Asker | None:
        clock.seconds += seconds
        await tokens.look()
        await asyncio.sleep(0.05)
        return tokens.who(token)

    async def sequence() -> None:
        assert await ask(LOOK)  # it may be back in a moment
        with pytest.raises(StorageError):
            await ask(OLD)
        monkeypatch.undo()
        assert await ask(0)

    asyncio.run(sequence())


def test_a_cookie_proves_a_token_and_ends(storage: WriteBehindStorage, clock: Clock) -> None:
    import time

    token, short = add_token(storage, "ann", "read"), add_token(storage, "bob", "read", days=1)
    clock.seconds = time.time()
    tokens = Tokens(storage, now=clock)
    assert who(tokens, token)
    cookie, other = tokens.cookie(token), tokens.cookie(short)
    assert token not in cookie
    assert tokens.who_by_cookie(cookie) == Asker("ann", "read")
    assert tokens.who_by_cookie(other) == Asker("bob", "read")
    key, end, proof = cookie.split(".")
    longer = f"{key}.{int(end) + 1}.{proof}"
    swapped = f"{other.split('.')[0]}.{end}.{proof}"
    for forged in ("", ".", "..", "x" * 5000, cookie[:-1], longer, swapped, f"{key}.nan.{proof}"):
        assert tokens.who_by_cookie(forged) is None
    assert tokens.who(cookie) is None
    clock.seconds += 86_401
    assert tokens.who_by_cookie(other) is None  # its token is over
    assert tokens.who_by_cookie(cookie)
    clock.seconds += COOKIE_SECONDS
    assert tokens.who_by_cookie(cookie) is None


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("no secret", "no secret"),
        ("Bearer hps_0123456789abcdef.", "Bearer hps_...."),
        ("hps_short", "hps_short"),
        ("?token=hps_aaaaaaaaaaaaaaaa&x=hps_bbbbbbbb-_b", "?token=hps_...&x=hps_..."),
    ],
)
def test_texts_without_tokens(text: str, left: str) -> None:
    assert without_tokens(text) == left


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--storage", str(tmp_path / "a.db")]

    def call(*words: str) -> tuple[int, str, str]:
        code = run(["token", *words, *where])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    code, made, said = call("add", "ann", "--scope", "submit", "--days", "30")
    assert code == 0
    assert TOKEN.fullmatch(made.strip())
    assert "only time" in said
    code, out, _ = call("add", "bob", "--scope", "work", "--study", "digits", "--json")
    document = json.loads(out)
    assert TOKEN.fullmatch(document.pop("token"))
    assert document.pop("created").endswith("+00:00")
    assert document == {"name": "bob", "scope": "work", "study": "digits", "expires": None}
    code, out, _ = call("list")
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["token", "scope", "study"],
        ["ann", "submit", "any"],
        ["bob", "work", "digits"],
    ]
    code, listed, _ = call("list", "--json")
    assert [each["name"] for each in json.loads(listed)] == ["ann", "bob"]
    assert "hps_" not in out + listed
    assert call("remove", "ann")[0] == 0
    code, _, said = call("remove", "ann")
    assert (code, said) == (2, "error: unknown token 'ann'. Known: bob\n")
    assert call("add", "bob", "--scope", "read")[0] == 2
    assert call("add", "eve", "--scope", "root")[0] == 2
    assert call("add", "eve")[0] == 2


def test_a_list_of_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_storage(str(tmp_path / "a.db")).close()
    assert run(["token", "list", "--storage", str(tmp_path / "a.db")]) == 0
    assert "No tokens yet" in capsys.readouterr().out


@pytest.mark.slow
def test_the_command_needs_no_server_installed(tmp_path: Path) -> None:
    """Nor does its help wait for a database."""
    code = (
        "import sys\n"
        "for name in ('fastapi', 'starlette', 'uvicorn'): sys.modules[name] = None\n"
        "from hpsearch.cli.app import run\n"
        "code = run(['token', 'add', 'ann', '--scope', 'read', '--storage', 'a.db'])\n"
        "sys.exit(code or run(['token', 'list', '--storage', 'a.db']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
