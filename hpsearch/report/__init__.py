"""Pages of studies: panels by a dashboard's list, in one HTML file that needs nothing else."""

from __future__ import annotations

from hpsearch.report.dashboards import Dashboard, load_dashboard
from hpsearch.report.document import document_html, figure_html, table_html, write_page
from hpsearch.report.page import page_html, page_name
from hpsearch.report.png import write_pngs
from hpsearch.report.subjects import page_of

__all__ = [
    "Dashboard",
    "document_html",
    "figure_html",
    "load_dashboard",
    "page_html",
    "page_name",
    "page_of",
    "table_html",
    "write_page",
    "write_pngs",
]
