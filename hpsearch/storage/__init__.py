"""Studies in a database: Optuna's schema, written in groups, and hpsearch's tables beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hpsearch.storage.beside import load_epochs, load_model_bytes, save_model_bytes
from hpsearch.storage.database import DEFAULT_STORAGE, display_url, storage_errors, storage_url

if TYPE_CHECKING:
    import optuna

    from hpsearch.storage.write_behind import WriteBehindStorage

__all__ = [
    "DEFAULT_STORAGE",
    "WriteBehindStorage",
    "display_url",
    "load_epochs",
    "load_model_bytes",
    "load_study",
    "open_storage",
    "save_model_bytes",
    "storage_errors",
    "storage_url",
    "study_names",
]


def __getattr__(name: str) -> Any:
    if name == "WriteBehindStorage":  # it needs Optuna, which takes long to import
        from hpsearch.storage.write_behind import WriteBehindStorage

        return WriteBehindStorage
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def open_storage(url: str, *, create: bool = True) -> WriteBehindStorage:
    """Open the database of studies; see `WriteBehindStorage`."""
    from hpsearch.storage.write_behind import WriteBehindStorage

    return WriteBehindStorage(url, create=create)


def study_names(storage: WriteBehindStorage) -> list[str]:
    """The names of all studies, in the order of their making."""
    return [study.study_name for study in storage.get_all_studies()]


def load_study(storage: WriteBehindStorage, name: str) -> optuna.Study:
    """A study by its name.

    Raises:
        UnknownNameError: there is none; the sentence lists those that there are.
        UsageError: it is the name of a comparison.
    """
    import optuna

    from hpsearch.errors import UnknownNameError, UsageError

    names = study_names(storage)
    if name not in names:
        parts = [other for other in names if re.fullmatch(rf"{re.escape(name)}/[^/]+/\d+", other)]
        if parts:
            some = ", ".join(parts[:4]) + (" and so on" if len(parts) > 4 else "")
            raise UsageError(
                f"{name!r} is a comparison of {len(parts)} studies, and one is asked for: {some}; "
                "`hpsearch report` shows the whole"
            )
        raise UnknownNameError("study", name, names or ["none yet"])
    return optuna.load_study(study_name=name, storage=storage)
