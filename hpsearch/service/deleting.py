"""The end of a study that is deleted: all that is known of it, at once.

Who asks for it marks the study (`hpsearch.service.queue.doom`), and from then on it is none. The
drivers of each server end what they run of it, and delete it once nobody runs it any more.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hpsearch.service import queue
from hpsearch.service.logs import about

if TYPE_CHECKING:
    from hpsearch.storage import WriteBehindStorage

__all__ = ["delete_doomed"]

log = logging.getLogger("hpsearch.service")


def delete_doomed(store: WriteBehindStorage, name: str) -> None:
    """Delete a study that was marked, and that nobody runs; its name is free then.

    Args:
        store: of the server's own.
        name: of the study; if another server was faster, it may be another one now, and stays.
    """
    with store.group(), store.transaction() as connection:
        if not queue.doomed(connection, name, lock=True):
            return
        try:
            # By its name: its id may have been that of another one, which was deleted here.
            study_id = store.get_study_id_from_name(name)
        except KeyError:  # it had not begun
            pass
        else:
            store.delete_study(study_id)
        queue.remove(connection, name)
    log.info("study deleted", extra=about(study=name))
