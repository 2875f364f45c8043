"""Figures of a study: each a pure function to numbers, and a thin one from numbers to Plotly."""

from __future__ import annotations

from hpsearch.plots.panels import PANELS, Panel, panel
from hpsearch.plots.view import NothingToDraw, StudyView, read_view

__all__ = ["PANELS", "NothingToDraw", "Panel", "StudyView", "panel", "read_view"]
