"""What a file of text leaves to be found: how its bytes are letters, and what separates its cells.

A wrong encoding changes how categories are spelt, never which rows share one: those of one byte a
letter give each byte a letter of its own.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from itertools import islice
from typing import IO

from hpsearch.errors import shown

__all__ = ["UTF_8", "Separator", "as_utf_8", "encoding_of", "find_separator", "first_word"]

UTF_8 = "utf-8-sig"
"""UTF-8, with or without the mark at its start."""

MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16's, with which it begins
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SAMPLE = 1 << 16
"""Bytes, or characters, that are looked at to find something out."""
ROWS = 200

LATIN = re.compile(
    "[a-zA-ZäöüßÄÖÜéèêëÉÈÊàâáãåÀÁÂÃÅçÇîïíÎÍôóõøÔÓÕØûùúÛÙÚœŒæÆñÑªº°§²µ©®½¼·«»¿¡“”„‘’–—…]"
    r"|[€£]\s?(?=\d|$)|(?<=\d)\s?[€£]",
    re.MULTILINE,
)
"""The letters and signs that text of western Europe is made of."""
OTHERS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r", "cp866"]
OTHERS += ["mac_roman", "cp850", "cp932", "euc_jp", "gb18030", "big5", "cp949"]


def encoding_of(content: bytes) -> str | None:
    r"""The encoding of some text: by the mark at its start, UTF-8 where it is that, else a guess.

    Windows' western letters come first, and then what charset-normalizer finds likely.

    Returns:
        A codec of Python's; None where nothing is likely.

    >>> encoding_of("Zoë,1".encode()), encoding_of("Zoë,1".encode("utf-16"))
    ('utf-8-sig', 'utf-16')
    >>> encoding_of("Zoë,1".encode("latin-1")), encoding_of(bytes(range(128, 256)))
    ('cp1252', None)
    """
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            return encoding
    try:
        codecs.getincrementaldecoder(UTF_8)().decode(content)
        return UTF_8
    except UnicodeDecodeError:
        pass
    words = b"\n".join(islice(_odd_words(content), SAMPLE // 16))[:SAMPLE]
    try:
        western = words.decode("cp1252")
    except UnicodeDecodeError:
        western = "\ufffd"
    if LATIN.sub("", western).isascii():
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(words, cp_isolation=OTHERS).best()
    return None if best is None else best.encoding


def _odd_words(content: bytes) -> Iterator[bytes]:
    """The words with letters beyond ASCII."""
    for found in re.finditer(rb"[^\s,;\t|\"]*[\x80-\xff][^,;\t|\"\r\n]*", content):
        yield found[0]


def first_word(text: str) -> str | None:
    """A word with a letter beyond ASCII, by which to see whether an encoding is right."""
    found = re.search(r"[^\s,;|\"]*[^\x00-\x7f\ufeff][^\s,;|\"]*", text)
    return found and shown(found[0])


def as_utf_8(stream: IO[bytes], encoding: str, size: int) -> Iterator[bytes]:
    """A stream's text from its start on, in UTF-8, in pieces of so many bytes.

    Raises:
        UnicodeDecodeError: some of it is not of that encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    stream.seek(0)
    while piece := stream.read(size):
        yield decoder.decode(piece).encode()
    yield decoder.decode(b"", final=True).encode()


class Separator(str):
    """What stands between cells.

    Attributes:
        doubt: another that would do as well; None where there is none.
    """

    doubt: str | None = None


def find_separator(text: str) -> Separator:
    r"""What separates the cells of a table: what gives all of its first rows the header's cells.

    Of several that do, it is the one that makes most columns; where none does, the most frequent in
    the header, so that the row at fault is found when the table is read.

    Args:
        text: the start of a file, its header line first.

    >>> find_separator("a;b\n1,5;2\n3,5;4\n"), find_separator("a|b\n1|2\n")
    (';', '|')
    """
    lines = text[:SAMPLE].splitlines(keepends=True)
    if len(text) > SAMPLE and len(lines) > 1:
        lines.pop()  # which may be cut
    header = lines[0] if lines else ""
    widths = {mark: _width(lines, mark) for mark in ",;\t|"}
    fitting = sorted((mark for mark in widths if widths[mark] > 1), key=lambda m: -widths[m])
    if not fitting:
        return Separator(max(",;\t|", key=header.count))
    found = Separator(fitting[0])
    found.doubt = fitting[1] if len(fitting) > 1 else None
    return found


def _width(lines: list[str], mark: str) -> int:
    """How many cells each of the first rows has; 0 where they differ."""
    widths = set()
    try:
        for row in islice(csv.reader(lines, delimiter=mark), ROWS):
            if row:
                widths.add(len(row))
    except csv.Error:
        return 0
    return widths.pop() if len(widths) == 1 else 0
