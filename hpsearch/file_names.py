"""Names of studies as names of files."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256

__all__ = ["file_name", "short_name"]


def file_name(name: str) -> str:
    """A study's name as it can stand in names of files and in links; no two have the same.

    Letters of any script and digits stay what they are; all else is written as in addresses. What a
    system that takes capital letters for small ones may take for another name gets a digest.

    >>> file_name("digits/grid 1"), file_name("digits_grid_1"), file_name("ünï"), file_name("..")
    ('digits%2Fgrid%201', 'digits_grid_1', 'ünï', '%2E%2E')
    >>> file_name("a_b"), file_name("A_B")
    ('a_b', 'A_B%-6c1908f9')
    """
    alike = unicodedata.normalize("NFKC", name.upper().casefold())
    return short_name(_escaped(name)) if alike == name else _marked(_escaped(name))


RESERVED = re.compile(
    r"^(con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³])(?![^.])|^[.-]|\.$|[^\w.-]", re.IGNORECASE
)
"""What is no part of a file's name: Windows' devices, a sign that hides a file or begins an option,
a point at the end, and what means something to a system or a shell."""


def _escaped(name: str) -> str:
    def escape(found: re.Match[str]) -> str:
        first, rest = found[0][0], found[0][1:]
        return "".join(f"%{b:02X}" for b in first.encode(errors="surrogatepass")) + rest

    return RESERVED.sub(escape, name) or "%"


def short_name(text: str) -> str:
    """File systems count bytes, up to 255 with the ending and with what figures add."""
    return text if len(text.encode()) <= LONGEST else _marked(text)


def _marked(text: str) -> str:
    """A text with a digest of it, behind a sign that no other has."""
    content = text.encode()
    beginning = content[: LONGEST - 10].decode(errors="ignore")
    return f"{beginning}%-{sha256(content).hexdigest()[:8]}"


LONGEST = 150
