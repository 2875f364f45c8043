"""What a server and its agents must have alike, and what code of others both run."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from hpsearch.kinds import WELL_KNOWN

__all__ = ["ALLOWED_MODULES", "MATTERS", "versions"]

ALLOWED_MODULES = WELL_KNOWN
"""Packages whose estimators are made for whoever submits a study; no other code of others runs."""

MATTERS = ("python", "hpsearch", "numpy", "scikit-learn")
"""Whose versions an agent that trains must have as the server has them, or results would differ."""


def versions() -> dict[str, str]:
    """What trainings here are done with."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in MATTERS[1:]:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
