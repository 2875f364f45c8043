"""The packages that an export writes with, which hpsearch itself does not need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from hpsearch.errors import UsageError

__all__ = ["needed"]


def needed(package: str) -> Any:
    """A package, imported.

    Args:
        package: its name, of those in the extra "export".

    Raises:
        UsageError: it is not installed.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the package {error.name!r} is not installed; `pip install 'hpsearch[export]'` "
            "installs all that export writes with"
        ) from None
