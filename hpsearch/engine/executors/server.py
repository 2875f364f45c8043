"""What the process that workers are forked from imports last.

A worker needs nothing of its driver's script. Python would run that script once more in each, as a
module, and one without ``if __name__ == "__main__":`` would begin its study again there.
"""

from __future__ import annotations

from collections.abc import Mapping
from multiprocessing import spawn

_prepare = spawn.prepare


def _prepare_without_script(data: Mapping[str, object]) -> None:
    kept = {k: v for k, v in data.items() if not k.startswith("init_main_from_")}
    _prepare(kept)


spawn.prepare = _prepare_without_script
