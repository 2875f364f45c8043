"""The search behind the names and conventions of scikit-learn's own."""

from __future__ import annotations

from hpsearch.search_cv.search import CoarseToFineSearchCV

__all__ = ["CoarseToFineSearchCV"]
