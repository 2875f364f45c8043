"""A study that somebody runs is neither renamed nor deleted: that would end its search.

optuna-dashboard renames a study by making a copy and deleting the original.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hpsearch.dashboard.guard import Application, Environment, Start, refuse
from hpsearch.engine.lease import who_runs

if TYPE_CHECKING:
    from hpsearch.storage import WriteBehindStorage

__all__ = ["spare_running"]

ENDS = {
    "POST": re.compile(r"/api/studies/(\d+)/rename/?"),
    "DELETE": re.compile(r"/api/studies/(\d+)/?"),
}
"""The requests after which a study of this number is gone."""


def spare_running(pages: Application, store: WriteBehindStorage) -> Application:
    """The pages, without renaming and deleting studies that are being run.

    Args:
        pages: optuna-dashboard.
        store: the storage that it shows.
    """

    def answer(environ: Environment, start: Start) -> Iterable[bytes]:
        ends = ENDS.get(environ["REQUEST_METHOD"])
        found = ends and ends.fullmatch(str(environ.get("PATH_INFO", "")))
        who = found and who_runs(store.engine, int(found[1]))
        if who:
            sentence = f"The study is being run {who}; stop that first, or wait for its end."
            return refuse(start, "409 Conflict", sentence)
        return pages(environ, start)

    return answer
