"""What the process that workers are forked from imports last.

A worker needs nothing of its driver's script. Python would run that script once more in each, as a
module, and one without ``if __name__ == "__main__":`` would begin its study again there. Processes
of the user's own that are forked from here, which may need it, get it as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from multiprocessing import spawn

from hpsearch.engine.executors.processes import WORKER

_prepare = spawn.prepare


def _prepare_worker(data: Mapping[str, object]) -> None:
    if data.get("name") == WORKER:
        data = {k: v for k, v in data.items() if not k.startswith("init_main_from_")}
    _prepare(data)


spawn.prepare = _prepare_worker
