"""Storages to test: SQLite always, PostgreSQL where a server is told of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from hpsearch.storage import WriteBehindStorage

SERVER = "HPSEARCH_TEST_POSTGRES"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'studies.db'}"
        return
    server = os.environ.get(SERVER)
    if not server:
        pytest.skip(f"give a PostgreSQL server's URL in {SERVER} to test with it")
    whole = sa.make_url(server).set(drivername="postgresql+psycopg")
    name = f"hpsearch_{uuid4().hex}"
    administration = sa.create_engine(whole, isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield whole.set(database=name).render_as_string(hide_password=False)
    with administration.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    administration.dispose()


@pytest.fixture
def make(url: str) -> Iterator[Callable[[], WriteBehindStorage]]:
    """Opens one more storage of the same database."""
    opened: list[WriteBehindStorage] = []

    def another() -> WriteBehindStorage:
        opened.append(WriteBehindStorage(url))
        return opened[-1]

    yield another
    for storage in opened:
        storage.close()


@pytest.fixture
def storage(make: Callable[[], WriteBehindStorage]) -> WriteBehindStorage:
    return make()
