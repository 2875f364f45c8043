"""What a run ran with: versions, processor, system, and the commit of the folder it ran in."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

__all__ = ["commit_of", "environment"]

PACKAGES = ("hpsearch", "optuna", "numpy")

VERSION_CONTROL_SECONDS = 2.0
"""Seconds after which a version control that does not answer is left alone."""


def environment() -> dict[str, str]:
    """Versions, processor and system of this process, in words."""
    return {
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
    }


def commit_of(folder: Path) -> str | None:
    """The commit that a folder is at, for those who keep their studies under version control.

    Args:
        folder: anywhere within a Git repository.

    Returns:
        The commit's name, with "and changes" where files differ from it; None outside of a
        repository, before its first commit, or where Git is missing or too slow.
    """
    name = _git(folder, "rev-parse", "--verify", "HEAD")
    if not name:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{name} and changes" if changed else name


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            # A study's folder is only read: not even its index is refreshed.
            ["git", "--no-optional-locks", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=VERSION_CONTROL_SECONDS,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    try:  # Linux says it here only
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
