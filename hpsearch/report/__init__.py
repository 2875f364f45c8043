"""Pages of studies: panels by a dashboard's list, in one HTML file that needs nothing else."""

from __future__ import annotations

from hpsearch.report.dashboards import Dashboard, load_dashboard
from hpsearch.report.document import Document, document_json, page_document, trial_panels
from hpsearch.report.page import ASSETS, asset, page_html, page_name, write_page
from hpsearch.report.png import write_pngs
from hpsearch.report.subjects import page_of

__all__ = [
    "ASSETS",
    "Dashboard",
    "Document",
    "asset",
    "document_json",
    "load_dashboard",
    "page_document",
    "page_html",
    "page_name",
    "page_of",
    "trial_panels",
    "write_page",
    "write_pngs",
]
