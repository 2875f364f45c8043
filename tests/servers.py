"""PostgreSQL's server, and databases on it, for tests of storages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import sqlalchemy as sa

__all__ = ["SERVER", "database", "end_connections"]

SERVER = "HPSEARCH_TEST_POSTGRES"
"""The variable that has its URL."""


@contextmanager
def database(server: sa.Engine) -> Iterator[str]:
    """A new database of a server, until it is left."""
    name = f"hpsearch_{uuid4().hex}"
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield server.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def end_connections(url: str) -> None:
    """End those that others have with a database, as a server does that is shut down."""
    server = sa.create_engine(url, poolclass=sa.NullPool)
    with server.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND backend_type = 'client backend' "
            "AND pid <> pg_backend_pid()"
        )
