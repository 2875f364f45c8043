"""Names that anybody may have given, and whether they are only seen and not obeyed."""

from __future__ import annotations

import unicodedata

__all__ = ["NASTY", "is_shown"]

NASTY = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://x\x1b\\link",
    "\x9b2J",
    "\x07\x08\x00\x0b\x0c\r\x7f",
    "\u202egnp.exe",
    "\u2066a\u2069",
    "\u2028\u2029\x85",
    "\u200b\ufeff\xad",
    "[bold]",
    "[/]",
    "[/bold] [link=x]",
    "end\\",
    "two\nlines",
]
HIDDEN = ("Cc", "Cs", "Zl", "Zp")
TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def is_shown(text: str) -> bool:
    """Whether there is nothing in a text but what is seen, and ends of lines."""
    return not any(
        (unicodedata.category(c) in HIDDEN and c not in "\n\t")
        or unicodedata.bidirectional(c) in TURNING
        or c in "\u200b\ufeff\xad"
        for c in text
    )
