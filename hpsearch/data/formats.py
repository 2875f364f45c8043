"""How people write numbers and dates in text: what a whole column of it is meant as.

All here works on the distinct texts of a column, which are few beside its cells; where they are
not, a piece at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = [
    "NUMBER",
    "Numbers",
    "are_dates",
    "are_numbers",
    "as_numbers",
    "begin_with_numbers",
    "mixed_units",
    "pieces",
    "telling",
]

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(?i:nan|inf|infinity)$"

PIECE = 1 << 18

_EXPONENT = r"([eE][+-]?\d+)?$"
POINT = (
    rf"^[+-]?(\d+|[1-9]\d{{0,2}}(,\d{{2,3}})*,\d{{3}})(\.\d*)?{_EXPONENT}"
    rf"|^[+-]?\.\d+{_EXPONENT}|^[+-]?(?i:nan|inf|infinity)$"
)
COMMA = (
    rf"^[+-]?(\d+|[1-9]\d{{0,2}}(\.\d{{3}})+)(,\d+)?{_EXPONENT}|^[+-]?,\d+{_EXPONENT}"
    r"|^[+-]?(?i:nan|inf|infinity)$"
)

_CURRENCY = (
    r"(?:(?:US|CA|AU|NZ|HK|A|C|R)?\$|€|£|¥|₹|₩|₽|₺|₪|₫|฿"
    r"|₫|₱|₦|₴|₸|(?i:usd|eur|gbp|jpy|chf|cny|inr|aud|cad|nzd|sek|nok|dkk|pln|czk|huf|krw|brl|mxn|zar)"
    r"|(?i:rs\.?|s?fr\.|kr\.?|zł|kč))"
)
_GROUPING = "[ \u00a0\u2009\u202f'\u2019]"
_GROUPED = rf"^[+-]?\d{{1,3}}({_GROUPING}\d{{3}})+([.,]\d+)?$"
_UNIT = r"^(?P<number>.*\d[.,]?)(?P<gap>\s*)(?P<unit>[\p{L}°²³/]{1,12})$"
_SPACED_UNIT = r"^[+-]?[\d.,]+\s+[\p{L}°²³/]{1,12}$"
_PLAIN_START = r"^[^\p{L}\d]*\d+([.,]\d{3})*([.,]\d+)?\s*[^\d]{0,16}$"
_TOP_CODE = r"^\d+[A-JN-Z]$"
_CODE = r"^.*\d\p{Lu}$"
"""A number and a capital letter, as in 12B: a code, and no unit."""


@dataclass(frozen=True)
class Numbers:
    """The numbers that texts stand for.

    Args:
        values: float64, one for each text.
        decimal_comma: whether a comma divides whole from part.
        example: of what is more than a plain number: "$1,234 as 1234"; None where nothing is.
        remark: what is odd about it, if anything is.
    """

    values: NDArray[np.float64]
    decimal_comma: bool
    example: str | None
    remark: str | None = None


def as_numbers(texts: Any, *, decimal_comma: bool = False) -> Numbers | None:
    """Texts as numbers under one reading, None when no reading fits them all.

    Signs of currency and percent, one unit that all have, and what groups digits are taken off;
    parentheses, and a minus at the end, mean a negative number. A comma that can be both, as in
    1,234, groups digits.

    Args:
        texts: a ``pyarrow`` array, of one chunk or several, of trimmed texts without nulls;
            distinct ones take the least time.
        decimal_comma: whether a comma that can be both is a decimal one, and a point that can be
            both groups digits.

    >>> import pyarrow as pa
    >>> as_numbers(pa.array(["$1,234.50", "(7)"])).values.tolist()
    [1234.5, -7.0]
    >>> as_numbers(pa.array(["1.234,5", "3,5"])).values.tolist()
    [1234.5, 3.5]
    >>> as_numbers(pa.array(["1,234.5", "1.234,5"])) is None
    True
    """
    if len(texts) == 0:
        return None
    numbers = _parsed(texts, _bare, decimal_comma)
    if numbers is None and _one_unit(texts):
        numbers = _parsed(texts, _without_unit, decimal_comma)
    if numbers is None:
        return None
    values, comma = numbers
    plain = pc.match_substring_regex(texts, NUMBER)
    if comma:
        plain = pc.and_(plain, pc.invert(pc.match_substring(texts, ".")))
    odd = pc.index(plain, False).as_py()
    example = None if odd < 0 else f'"{_short(texts[odd].as_py())}" as {values[odd]:.10g}'
    return Numbers(values, comma, example, _mixed_signs(texts))


def are_numbers(texts: Any) -> Any:
    """Which texts are a number under some reading."""
    bare = map(_bare, pieces(texts))
    either = [
        pc.or_(pc.match_substring_regex(each, POINT), pc.match_substring_regex(each, COMMA))
        for each in bare
    ]
    return pa.concat_arrays(either) if either else pa.array([], pa.bool_())


def mixed_units(texts: Any) -> list[str]:
    """The units of texts that are all numbers with units, where they have two to four; else none.

    >>> import pyarrow as pa
    >>> mixed_units(pa.array(["45 kg", "100 lb", "7 kg"]))
    ['kg', 'lb']
    """
    if not _all_match(texts, _SPACED_UNIT):
        return []
    units = sorted(pc.unique(pc.struct_field(pc.extract_regex(texts, _UNIT), "unit")).to_pylist())
    return units if 2 <= len(units) <= 4 else []


def begin_with_numbers(texts: Any) -> Any:
    """Which texts are one number with something about it that no reading takes off, or a number.

    >>> import pyarrow as pa
    >>> begin_with_numbers(pa.array(["12K", "<0.1", "5+", "12B", "10-20", "A1"])).to_pylist()
    [True, True, True, False, False, False]
    """
    plain = pc.match_substring_regex(texts, _PLAIN_START)
    return pc.and_(plain, pc.invert(pc.match_substring_regex(texts, _TOP_CODE)))


def telling(texts: Any, others: Sequence[str] = ()) -> list[str]:
    """The few of a column's texts that decide how all of it is read as numbers.

    A reading that does not fit all texts does not fit these. So some of the texts, read together
    with these, are read as all are.

    Args:
        texts: as for `as_numbers`, some of the column's.
        others: what this gave for the texts before.

    Returns:
        At most seven texts, of these and the others.

    >>> import pyarrow as pa
    >>> first = telling(pa.array(["1,234", "5,678"]))
    >>> float(as_numbers(pa.array(["1,234", *telling(pa.array(["3,5"]), first)])).values[0])
    1.234
    """
    arrays = [pa.array(others, pa.string()), *pieces(texts)]
    first = next((each[0].as_py() for each in arrays if len(each)), None)
    if first is None:
        return []
    found = [first]

    def fits(test: Callable[[Any], Any]) -> bool:
        for array in arrays:
            at = pc.index(test(array), False).as_py()
            if at >= 0:
                found.append(array[at].as_py())
                return False
        return True

    fits(_is_truth)
    fits(lambda some: _matches(some, POINT))
    fits(lambda some: _matches(some, COMMA))
    if fits(_has_unit):
        unit = _unit(pa.array([first]))[0]
        fits(lambda some: pc.equal(_unit(some), unit))
        fits(lambda some: pc.match_substring_regex(_without_unit(some), POINT))
        fits(lambda some: pc.match_substring_regex(_without_unit(some), COMMA))
    return list(dict.fromkeys(found))


def _is_truth(texts: Any) -> Any:
    return pc.is_in(pc.utf8_lower(texts), value_set=pa.array(["true", "false"]))


def _matches(texts: Any, expression: str) -> Any:
    """Which texts match, some perhaps only once they are bare."""
    # Compiling an expression takes longer than to try whether Arrow itself reads the texts.
    if expression == POINT or not pc.any(pc.match_substring(texts, ".")).as_py():
        with suppress(pa.ArrowInvalid):
            return texts.cast(pa.float64()).is_valid()
    plain = pc.match_substring_regex(texts, expression)
    if pc.all(plain).as_py():
        return plain
    return pc.match_substring_regex(_bare(texts), expression)


def _has_unit(texts: Any) -> Any:
    """Which texts are a number with a unit, and neither a code nor a date: see `_one_unit`."""
    end = pc.match_substring_regex(texts, r"[^\d]$")
    if not pc.all(end).as_py():
        return end
    bare = _bare(texts)
    digit = pc.match_substring_regex(bare, r"\d")
    if not pc.all(digit).as_py():
        return digit
    unit = pc.extract_regex(bare, _UNIT).is_valid()
    coded = pc.or_(pc.match_substring_regex(bare, _CODE), are_dates(texts))
    return pc.and_(unit, pc.invert(coded))


def _unit(texts: Any) -> Any:
    return pc.struct_field(pc.extract_regex(_bare(texts), _UNIT), "unit")


def pieces(texts: Any) -> Iterator[Any]:
    """The texts in arrays of at most `PIECE`: each step of reading one makes a copy."""
    for chunk in getattr(texts, "chunks", [texts]):
        for start in range(0, len(chunk), PIECE):
            yield chunk.slice(start, PIECE)


def _bare(texts: Any) -> Any:
    """Texts without signs of currency and percent, and without what groups digits by space."""
    replaced = pc.replace_substring_regex
    bare = replaced(texts, "^[\u2212\u2013]", "-")
    bare = replaced(bare, rf"^({_CURRENCY}?)\s*\((.*\d.*)\)$", r"-\1\2")
    bare = replaced(bare, r"^([^+-]*\d[\d.,]*)\s*-$", r"-\1")
    bare = replaced(bare, rf"^([+-]?)\s*{_CURRENCY}\s*([+-]?\s*[\d.,])", r"\1\2")
    bare = replaced(bare, rf"([\d.,])\s*(?:{_CURRENCY}|%)$", r"\1")
    bare = replaced(bare, r"^([+-])\s+", r"\1")
    return pc.if_else(pc.match_substring_regex(bare, _GROUPED), replaced(bare, _GROUPING, ""), bare)


def _one_unit(texts: Any) -> bool:
    """Whether all texts are a number with a unit, and that the same; codes and dates have none."""
    units: set[str] = set()
    for piece in pieces(texts):
        bare = _bare(piece)
        # The expression of units takes twenty times the others to compile.
        if not _all_match(bare, r"\d"):
            return False
        parts = pc.extract_regex(bare, _UNIT)
        if parts.null_count:
            return False
        units.update(pc.unique(pc.struct_field(parts, "unit")).to_pylist())
        coded = pc.or_(pc.match_substring_regex(bare, _CODE), are_dates(piece))
        if len(units) > 1 or pc.any(coded).as_py():
            return False
    return True


def _without_unit(texts: Any) -> Any:
    return pc.struct_field(pc.extract_regex(_bare(texts), _UNIT), "number")


def _parsed(
    texts: Any, bare: Callable[[Any], Any], decimal_comma: bool
) -> tuple[NDArray[np.float64], bool] | None:
    """The values under the first reading that fits all texts, and whether it has decimal commas."""
    marks = r"[.,]" if decimal_comma else ","
    for comma in (True, False) if decimal_comma else (False, True):
        values, marked, end = np.empty(len(texts)), False, 0
        for piece in pieces(texts):
            numbers = piece if _all_match(piece, COMMA if comma else POINT) else bare(piece)
            if numbers is not piece and not _all_match(numbers, COMMA if comma else POINT):
                break
            plain = pc.replace_substring(numbers, "." if comma else ",", "")
            plain = pc.replace_substring(plain, ",", ".") if comma else plain
            start, end = end, end + len(piece)
            values[start:end] = plain.cast(pa.float64()).to_numpy(zero_copy_only=False)
            marked |= comma and pc.any(pc.match_substring_regex(numbers, marks)).as_py()
        else:
            return values, marked
    return None


def _all_match(texts: Any, expression: str) -> bool:
    matched: bool = pc.all(pc.match_substring_regex(texts, expression)).as_py()
    return matched


def _mixed_signs(texts: Any) -> str | None:
    found = {
        sign
        for sign in ("$", "€", "£", "¥", "%")
        if pc.any(pc.match_substring(texts, sign)).as_py()
    }
    if len(found) < 2:
        return None
    return f"mixes {' and '.join(sorted(found))}, whose numbers are taken as they stand"


_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_NAME = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
    # German, French, Spanish, Italian, Portuguese and Dutch, where they differ
    r"|j[aä]n(?:uar|ner|vier)|enero|ene|gennaio|janeiro|januari"
    r"|februari?|f[ée]vr?(?:ier)?|febrero|febbraio|fevereiro"
    r"|m(?:ä|ae)rz|mrz|mars|marzo|março|maart|avr(?:il)?|abr(?:il)?|aprile"
    r"|mai|mayo|maggio|maio|mei|juni|juin|junio|giugno|giu|junho|juli|juil(?:let)?|julio"
    r"|luglio|lug|julho|ao[uû]t|agosto|augustus|septembre|septiembre|settembre|setembro"
    r"|okt(?:ober)?|octobre|octubre|ott(?:obre)?|outubro|noviembre|novembre|novembro"
    r"|dez(?:ember)?|d[ée]c(?:embre)?|dic(?:iembre|embre)?|dezembro)\.?"
)
_GAP = r"[\s./,-]+"
_TIME = (
    r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:[ap]\.?m\.?)?"
    r"\s*(?:z|utc|gmt|[a-z]{2,4}|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
)
_FORMS = (
    rf"[12]\d{{3}}-{_MONTH}(?:-{_DAY})?",
    rf"[12]\d{{3}}/{_MONTH}/{_DAY}",
    rf"[12]\d{{3}}\.{_MONTH}\.{_DAY}\.?",
    *(
        rf"(?:{first}{sep}{second}){sep}(?:\d{{4}}|{short})"
        for first, second in ((_DAY, _MONTH), (_MONTH, _DAY))
        for sep, short in (("/", r"\d{2}"), (r"\.", r"[12]\d{3}"), ("-", r"[12]\d{3}"))
    ),
    *(
        rf"(?:{first}){sep}(?:{second}){sep}\d{{2}}"
        for first, second in (
            (r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])"),
            (r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"),
        )
        for sep in (r"\.", "-")
    ),
    rf"{_DAY}(?:st|nd|rd|th)?(?:\s+of)?{_GAP}(?:de\s+)?{_NAME}{_GAP}(?:de\s+)?(?:\d{{4}}|\d{{2}})",
    rf"{_NAME}{_GAP}{_DAY}(?:st|nd|rd|th)?{_GAP}(?:\d{{4}}|\d{{2}})",
    rf"{_NAME}{_GAP}(?:\d{{4}}|\d{{2}}|{_DAY}(?:st|nd|rd|th)?)",
    rf"{_DAY}(?:st|nd|rd|th)?(?:\s+of)?{_GAP}{_NAME}",
    rf"\d{{4}}{_GAP}{_NAME}(?:{_GAP}{_DAY})?",
    rf"{_MONTH}[/.-](?:19|20)\d{{2}}",
    r"[12]\d{3}[\s-]*[wq]\d{1,2}(?:-[1-7])?",
    r"[wq]\d{1,2}[\s/-]*[12]\d{3}",
    r"[12]\d{7}t\d{4,6}z?",
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
DATE = rf"(?i)^{_WEEKDAY}(?:{'|'.join(_FORMS)})(?:[t\s,]\s*{_TIME})?(?:\s+\d{{4}})?$"
CLOCK = rf"(?i)^(?:-?\d+ days?,?\s+\+?)?{_TIME}$"


def are_dates(texts: Any) -> Any:
    """Which texts are dates, with or without a time of day, or times of day.

    >>> import pyarrow as pa
    >>> are_dates(pa.array(["2024-03-01T10:00:00Z", "3 Mar 2024", "31/12/99", "1-2-3"])).to_pylist()
    [True, True, True, False]
    """
    return pc.or_(pc.match_substring_regex(texts, DATE), pc.match_substring_regex(texts, CLOCK))


def _short(text: str) -> str:
    return text if len(text) <= 20 else text[:20] + "..."
