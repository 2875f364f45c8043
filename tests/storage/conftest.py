"""Storages to test: SQLite always, PostgreSQL where a server is told of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from servers import SERVER, database, end_connections

from hpsearch.storage import WriteBehindStorage
from hpsearch.storage.optuna_schema import tables
from hpsearch.storage.own_tables import own_tables


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    if request.param == "postgresql" and not os.environ.get(SERVER):
        pytest.skip(f"give a PostgreSQL server's URL in {SERVER} to test with it")
    return str(request.param)


@pytest.fixture(scope="session")
def server() -> Iterator[sa.Engine]:
    """The PostgreSQL server, for those who make databases."""
    url = sa.make_url(os.environ[SERVER]).set(drivername="postgresql+psycopg")
    administration = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    yield administration
    administration.dispose()


@pytest.fixture
def empty(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with database(request.getfixturevalue("server")) as url:
        yield url


@pytest.fixture(scope="session")
def made_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to copy."""
    file = tmp_path_factory.mktemp("made") / "studies.db"
    WriteBehindStorage(str(file)).close()
    return file


@pytest.fixture(scope="session")
def made_database(server: sa.Engine) -> Iterator[str]:
    """A database of the server with all tables, to empty: another takes longer than most tests."""
    with database(server) as url:
        WriteBehindStorage(url).close()
        yield url


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with all tables, and nothing in them."""
    if backend == "sqlite":
        file = tmp_path / "studies.db"
        shutil.copy(request.getfixturevalue("made_file"), file)
        return f"sqlite:///{file}"
    url: str = request.getfixturevalue("made_database")
    end_connections(url)  # of whom an earlier test has killed
    content = reversed([*tables().studies.metadata.sorted_tables, *own_tables()])
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        for table in content:
            if "version" not in table.name:
                connection.execute(table.delete())
    return url


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
