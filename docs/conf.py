"""How Sphinx builds the documentation: python -m sphinx -W docs build/docs."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from generated import GENERATED

project, author = "hpsearch", "the authors of hpsearch"
version = release = version_of("hpsearch")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["*.py", "**.ipynb"]
default_role = "literal"
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
html_title = "hpsearch"
html_theme = "pydata_sphinx_theme"
html_css_files = ["style.css"]
html_static_path = ["static"]
html_favicon = "static/icon.svg"
html_context = {"default_mode": "auto"}
html_domain_indices = False
html_copy_source = False
html_show_sourcelink = False
html_sidebars: dict[str, list[str]] = {"index": []}
html_theme_options = {
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}


def fill(_app: Any, _page: str, source: list[str]) -> None:
    """Put what is generated where a page asks for it."""
    for name, generate in GENERATED.items():
        mark = f"<!-- generated: {name} -->"
        if mark in source[0]:
            source[0] = source[0].replace(mark, generate())


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.connect("source-read", fill)
