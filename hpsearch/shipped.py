"""The files that come with hpsearch: studies and dashboards."""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped_files"]


def shipped_files(folder: str) -> dict[str, Path]:
    """The TOML files of a folder that comes with hpsearch, and of those in it, by their names.

    Args:
        folder: ``studies`` or ``dashboards``.
    """
    here = Path(__file__).resolve().parent
    places = (here / folder, here.parent / folder)  # installed; a checkout
    place = next((p for p in places if p.is_dir()), None)
    return (
        {}
        if place is None
        else {p.stem: p for p in [*sorted(place.glob("*.toml")), *sorted(place.glob("*/*.toml"))]}
    )
