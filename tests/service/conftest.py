"""A small service behind the guard, with a database of its own."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
from guarded import Clock, Serve, serving

from hpsearch.service.tokens import Tokens
from hpsearch.storage import WriteBehindStorage, open_storage


@pytest.fixture(scope="session")
def _empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("service") / "empty.db"
    open_storage(str(path)).close()
    return path


@pytest.fixture
def storage(_empty: Path, tmp_path: Path) -> WriteBehindStorage:
    """An empty database, copied, since making one takes as long as a test."""
    return open_storage(str(shutil.copy(_empty, tmp_path / "a.db")))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def served(storage: WriteBehindStorage, clock: Clock) -> Serve:
    return partial(serving, Tokens(storage, clock=clock), clock)
