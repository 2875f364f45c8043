"""The kinds of objectives, by name: what a study file may have in place of the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["KINDS_OF_OBJECTIVES", "WELL_KNOWN", "WITHOUT_ROWS", "learns"]

WITHOUT_ROWS = ("function", "command", "external")
"""Those that learn from no rows of [data]."""

KINDS_OF_OBJECTIVES = ("estimator", *WITHOUT_ROWS)
"""The keys of [objective] of which a study has one, unless it is of the network."""

WELL_KNOWN = ("sklearn", "lightgbm", "xgboost", "catboost", "imblearn")
"""Packages whose estimators everybody knows; nothing else of them is called by its path."""


def learns(objective: Mapping[str, Any]) -> bool:
    """Whether an [objective], as a study keeps it, learns from rows.

    >>> learns({}), learns({"estimator": "sklearn.svm.SVC"}), learns({"function": "train:loss"})
    (True, True, False)
    """
    return not any(objective.get(kind) for kind in WITHOUT_ROWS)
