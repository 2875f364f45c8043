"""From names to a page: what each name stands for, and the dashboard that suits it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpsearch.compare.result import comparison_names, read_comparison
from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.plots import read_view
from hpsearch.report.dashboards import load_dashboard
from hpsearch.report.page import page_html
from hpsearch.storage import study_names

if TYPE_CHECKING:
    from hpsearch.storage import WriteBehindStorage

__all__ = ["page_of"]

DASHBOARDS = {"study": "search", "comparison": "compare"}
"""What a page shows where nobody says otherwise."""


def page_of(store: WriteBehindStorage, names: Sequence[str], dashboard: str | None = None) -> str:
    """The page of studies, or of comparisons.

    Args:
        store: where they are.
        names: of studies, or of comparisons; at least one.
        dashboard: a TOML file or the name of one that comes along; None for the usual one.

    Raises:
        UnknownNameError: there is neither a study nor a comparison, or no dashboard, of a name.
        UsageError: the names are of both kinds, or the dashboard is for the other kind.
    """
    studies = study_names(store)
    comparisons = comparison_names(studies)
    kinds = {}
    for name in names:
        if name not in studies and name not in comparisons:
            known = [*studies, *comparisons]
            raise UnknownNameError("study", name, known or ["none yet"])
        kinds[name] = "study" if name in studies else "comparison"
    if len(set(kinds.values())) > 1:
        which = ", ".join(f"{name} is a {kind}" for name, kind in kinds.items())
        raise UsageError(f"a page is of studies or of comparisons: {which}; write a page of each")
    [kind] = set(kinds.values())
    panels = load_dashboard(dashboard or DASHBOARDS[kind])
    if panels.of != kind:
        raise UsageError(
            f"the dashboard {dashboard} is for a {panels.of}, and {names[0]} is a {kind}; "
            f"leave --dashboard out or give --dashboard {DASHBOARDS[kind]}"
        )
    read = read_view if kind == "study" else read_comparison
    return page_html([read(store, name) for name in names], panels)
