"""For every test: Optuna keeps quiet, and one BLAS thread is enough."""

from __future__ import annotations

import gc
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before anything imports NumPy
# Hundreds of processes start in these tests: those that may not keep bytecode would compile the
# package again, each for itself, and take half as long again to start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Databases wait for the disk thousands of times; where memory has room for files, none does.
_MEMORY = Path("/dev/shm")
if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 4 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))
# Thousands of nodes stay to the end; looking for cycles among them takes a tenth of the time.
gc.set_threshold(100_000)

import hypothesis  # noqa: E402
import optuna  # noqa: E402
import pytest  # noqa: E402
from window import PATIENCE  # noqa: E402

from hpsearch.report.browser import Page, open_page  # noqa: E402

# A busy machine must not fail a test: how long an example takes decides nothing.
hypothesis.settings.register_profile("hpsearch", deadline=None, max_examples=50)
hypothesis.settings.load_profile("hpsearch")

# Fixtures, not modules of examples: as modules of one name they would be taken for each other.
collect_ignore_glob = ["*/conftest.py"]


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture
def fitted() -> None:
    """Asked for by a test whose runs set simple models beside the winner, as they do for users."""


@pytest.fixture(autouse=True)
def _alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of runs here are not about simple models, which take longer than a small search."""
    if "fitted" not in request.fixturenames:
        monkeypatch.setattr("hpsearch.objectives.with_rows.fit_rivals", lambda *_: ())


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One for all pages that `window.show` shows."""
    blank = tmp_path_factory.mktemp("browser") / "blank.html"
    blank.write_text("")
    with open_page(blank) as page:
        yield page


@pytest.fixture(autouse=True)
def _patient(request: pytest.FixtureRequest) -> None:
    """Each test that asks the browser has its own time, also where it shows no page anew."""
    if "browser" in request.fixturenames:
        request.getfixturevalue("browser").deadline = time.monotonic() + PATIENCE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow ones first, and first those of the whole, which take longest: the end is even then."""

    def turn(item: pytest.Item) -> tuple[bool, int]:
        quick = item.get_closest_marker("slow") is None
        return quick, 0 if quick else len(item.path.parts)

    items.sort(key=turn)
    gc.freeze()
