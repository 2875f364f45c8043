"""From names to a page: what each name stands for, and the dashboard that suits it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpsearch.compare.result import comparisons, read_comparison
from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.plots import read_view
from hpsearch.report.dashboards import load_dashboard
from hpsearch.report.document import page_document
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
        dashboard: a TOML file or the name of one that comes along; None for the usual one. A name
            that is both a study's and a comparison's means what the dashboard is for.

    Raises:
        UnknownNameError: there is neither a study nor a comparison, or no dashboard, of a name.
        UsageError: the names are of both kinds, or the dashboard is for the other kind.
    """
    studies, compared = study_names(store), comparisons(store)
    kinds = {}
    for name in names:
        kinds[name] = [
            kind for kind, known in (("study", studies), ("comparison", compared)) if name in known
        ]
        if not kinds[name]:
            raise UnknownNameError("study", name, [*studies, *compared] or ["none yet"])
    common = [kind for kind in DASHBOARDS if all(kind in mine for mine in kinds.values())]
    if not common:
        which = ", ".join(f"{name} is a {' and a '.join(mine)}" for name, mine in kinds.items())
        raise UsageError(f"a page is of studies or of comparisons: {which}; write a page of each")
    panels = load_dashboard(dashboard or DASHBOARDS[common[0]])
    if panels.of not in common:
        raise UsageError(
            f"the dashboard {dashboard} is for a {panels.of}, and {names[0]} is a {common[0]}; "
            f"leave --dashboard out or give --dashboard {DASHBOARDS[common[0]]}"
        )
    read = read_view if panels.of == "study" else read_comparison
    document = page_document([read(store, name) for name in names], panels)
    return page_html(document, of=names)
