"""What tests of the engine run with: workers that are this process, and a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from here import Here

from hpsearch.engine import runner as engine


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    executor = Here()

    @contextmanager
    def local(workers: int) -> Iterator[Here]:
        executor.workers = workers
        yield executor

    monkeypatch.setattr(engine, "process_pool", local)
    return executor


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'studies.db'}"
