"""Which servers a database has."""

from __future__ import annotations

from typing import Any

import pytest

from hpsearch.errors import UsageError
from hpsearch.service.presence import Presence
from hpsearch.storage import WriteBehindStorage
from hpsearch.storage.own_tables import own_tables

TABLE = own_tables().servers


def rows(storage: WriteBehindStorage) -> dict[str, str | None]:
    with storage.connection.reading() as connection:
        return {row.url: row.ended for row in connection.execute(TABLE.select()).all()}


def put(storage: WriteBehindStorage, url: str, machine: str = "", **values: Any) -> None:
    with storage.transaction() as connection:
        connection.execute(
            TABLE.update().where(TABLE.c.url == url).values(machine=machine, **values)
        )


def no_pause(seconds: float) -> None:
    raise AssertionError("it waits")


def test_a_server_signs_on_and_off(storage: WriteBehindStorage) -> None:
    first = Presence(storage, "http://one", pause=no_pause)
    assert rows(storage) == {"http://one": None}
    with pytest.raises(UsageError, match="is served already, at http://one, by process"):
        Presence(storage, "http://two", pause=no_pause)
    first.end()
    Presence(storage, "http://two", pause=no_pause)
    assert rows(storage) == {"http://one": "stopped", "http://two": None}


def test_one_that_was_killed_is_dead(storage: WriteBehindStorage) -> None:
    first = Presence(storage, "http://one")
    put(storage, "http://one", first._row["machine"], process="1:0")
    Presence(storage, "http://two", pause=no_pause)
    assert rows(storage) == {"http://one": "died", "http://two": None}


def test_one_of_another_machine_lives_while_it_beats(storage: WriteBehindStorage) -> None:
    Presence(storage, "http://one")
    put(storage, "http://one", "far")
    waited = []

    def beats_once(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            put(storage, "http://one", "far", beats=7)

    with pytest.raises(UsageError, match="is served already, at http://one"):
        Presence(storage, "http://two", pause=beats_once)
    assert len(waited) == 3
    waited.clear()
    Presence(storage, "http://two", pause=waited.append)
    assert sum(waited) == 10.0
    assert rows(storage)["http://two"] is None
