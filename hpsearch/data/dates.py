"""Dates and times of day, as files and people write them, and the numbers that are made of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hpsearch.data.account import PARTS
from hpsearch.data.formats import pieces
from hpsearch.data.plain import Coded

__all__ = ["Moments", "as_moments"]

MICROSECONDS = 86_400_000_000
SINCE = 10_957
"""Days from 1970 to 2000, near which float32 tells minutes apart."""
TWO_DIGITS = 69
"""A year of two digits up to this one is of the 21st century, as POSIX has it."""

_MONTHS = (
    "jan january januar jänner janvier enero ene gennaio janeiro januari",
    "feb february februar februari fév févr février febrero febbraio fevereiro",
    "mar march märz maerz mrz mars marzo março maart",
    "apr april avr avril abr abril aprile",
    "may mai mayo maggio maio mei",
    "jun june juni juin junio giugno giu junho",
    "jul july juli juil juillet julio luglio lug julho",
    "aug august août aout agosto augustus",
    "sep sept september septembre septiembre settembre setembro",
    "oct october okt oktober octobre octubre ott ottobre outubro",
    "nov november novembre noviembre novembro",
    "dec december dez dezember déc décembre dic diciembre dicembre dezembro",
)
_NUMBER = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}

_Y, _M, _D = r"(?P<year>\d{4})", r"(?P<month>\d{1,2})", r"(?P<day>\d{1,2})"
_GAP = r"[\s./,-]+"
_NAME = r"(?P<name>\p{L}{3,10})\.?"
_ANY_YEAR = r"(?P<year>\d{4}|\d{2})"
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:[.,]\d{1,9})?))?"
    r"\s*(?:(?P<noon>[ap])\.?m\.?)?\s*(?:z|utc|gmt|[a-z]{2,4}|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
)
_WEEKDAY = r"(?:\p{L}{2,9}\.?,?\s+)?"
_DATES = (
    rf"{_Y}-{_M}-{_D}",
    rf"{_Y}/{_M}/{_D}",
    rf"{_Y}\.{_M}\.{_D}\.?",
    rf"(?P<first>\d{{1,2}})[/.-](?P<then>\d{{1,2}})[/.-]{_ANY_YEAR}",
    rf"{_D}(?:st|nd|rd|th)?(?:\s+of)?{_GAP}(?:de\s+)?{_NAME}{_GAP}(?:de\s+)?{_ANY_YEAR}",
    rf"{_NAME}{_GAP}{_D}(?:st|nd|rd|th)?{_GAP}{_ANY_YEAR}",
    rf"{_Y}{_GAP}{_NAME}{_GAP}{_D}",
    rf"{_Y}-{_M}",
    rf"{_M}[/.-]{_Y}",
    rf"{_NAME}{_GAP}{_Y}",
    rf"{_Y}{_GAP}{_NAME}",
)
_FORMS = (*(rf"^{_WEEKDAY}{date}(?:[t\s,]+{_CLOCK})?$" for date in _DATES), rf"^{_CLOCK}$")
_FIELDS = ("year", "month", "day", "first", "then", "microseconds")
NONE = -1


@dataclass(frozen=True, eq=False)
class Moments:
    """When the cells of a column are.

    Attributes:
        microseconds: since the start of 1970, (n,), int64; of times of day since midnight.
        known: which cells tell, (n,).
        clock_only: whether they are times of day, without a date.
        day_first: whether 3/4/2024 is of April.
        doubtful: whether nothing tells that.
    """

    microseconds: NDArray[np.int64]
    known: NDArray[np.bool_]
    clock_only: bool = False
    day_first: bool = False
    doubtful: bool = False

    def parts(self) -> dict[str, NDArray[np.float64]]:
        """The numbers that are made of them, by `PARTS`; NaN where a cell does not tell.

        >>> moment = Moments(np.array([86_400_000_000 * 10_957 + 5_400_000_000]), np.array([True]))
        >>> {part: values.tolist() for part, values in moment.parts().items()}
        {'year': [2000.0], 'month': [1.0], 'day': [1.0], 'weekday': [5.0], 'hour': [1.5], \
'days': [0.0625]}
        """
        days, rest = np.divmod(self.microseconds, MICROSECONDS)
        date = days.astype("M8[D]")
        month = date.astype("M8[M]")
        made = {
            "year": date.astype("M8[Y]").astype(np.int64) + 1970,
            "month": month.astype(np.int64) % 12 + 1,
            "day": (date - month).astype(np.int64) + 1,
            "weekday": (days + 3) % 7,  # the first of 1970 was a Thursday; Monday is 0
            "hour": rest / (MICROSECONDS / 24),
            "days": self.microseconds / MICROSECONDS - SINCE,
        }
        kept = ("hour",) if self.clock_only else PARTS
        return {part: np.where(self.known, made[part], np.nan) for part in kept}


def as_moments(column: Any, *, day_first: bool | None = None) -> Moments | None:
    """When the cells of a column are; None for one of neither text nor dates.

    What a time is off from universal time is not heeded: the hour is that of the place.

    Args:
        column: its cells, as `hpsearch.data.plain.clean` gives them.
        day_first: whether 3/4/2024 is of April; by default what the other cells have, and the month
            first where these do not tell.
    """
    kind = column.type
    if pa.types.is_string(kind):
        with suppress(pa.ArrowInvalid):  # as most files write them, which Arrow reads at once
            return _of_integers(column.cast(pa.timestamp("us")), clock_only=False)
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind):
        coded = Coded.of(column)
        found = _of_texts(coded.texts, day_first)
        there = coded.codes >= 0
        if len(coded.texts) == 0:
            return replace(found, microseconds=np.zeros(len(there), np.int64), known=there)
        return replace(
            found,
            microseconds=found.microseconds[coded.codes],
            known=there & found.known[coded.codes],
        )
    if pa.types.is_time(kind):
        return _of_integers(column.cast(pa.time64("us"), safe=False), clock_only=True)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        if getattr(kind, "tz", None) is not None:
            with suppress(pa.ArrowInvalid):  # there may be no such zone here
                column = pc.local_timestamp(column)
        return _of_integers(column.cast(pa.timestamp("us"), safe=False), clock_only=False)
    return None


def _of_integers(column: Any, *, clock_only: bool) -> Moments:
    known = np.asarray(column.is_valid())
    values = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
    return Moments(np.asarray(values, dtype=np.int64), known, clock_only)


def _of_texts(texts: Any, day_first: bool | None) -> Moments:
    fields = np.full((len(_FIELDS), len(texts)), NONE, dtype=np.int64)
    dotted, end = False, 0
    for piece in pieces(texts):
        start, end = end, end + len(piece)
        _read(pc.utf8_lower(piece), fields[:, start:end])
        dotted = dotted or bool(pc.any(pc.match_substring_regex(piece, r"\d\.\d{1,2}\.\d")).as_py())
    year, month, day, first, then, clock = fields
    both = first > 0
    doubtful = bool(both.any()) and not dotted and max(first.max(), then.max()) <= 12
    if day_first is None:
        day_first = bool((first > 12).any()) or (dotted and not (then > 12).any())
        doubtful = doubtful and not day_first
    else:
        doubtful = False
    day = np.where(both, first if day_first else then, day)
    month = np.where(both, then if day_first else first, month)
    clock_only = bool((year < 0).all() and (clock >= 0).any())
    if clock_only:
        return Moments(np.maximum(clock, 0), clock >= 0, clock_only=True)
    known = (year > 0) & (month >= 1) & (month <= 12) & (day >= 1)
    months = np.where(known, (year - 1970) * 12 + month - 1, 0).astype("M8[M]")
    date = months.astype("M8[D]") + np.where(known, day - 1, 0)
    known &= date.astype("M8[M]") == months  # or there is no such day in that month
    microseconds = date.astype(np.int64) * MICROSECONDS + np.maximum(clock, 0)
    return Moments(microseconds, known, day_first=day_first, doubtful=doubtful)


def _read(texts: Any, fields: NDArray[np.int64]) -> None:
    """Fill in what texts in lower case say, under the first form that each has."""
    left = np.arange(len(texts))
    for form in _FORMS:
        if len(left) == 0:
            return
        found = pc.extract_regex(texts, form)
        matched = np.asarray(found.is_valid())
        if not matched.any():
            continue
        parts = _Parts(found.filter(pa.array(matched)))
        told = [parts.year(), parts.month(), parts.number("day"), parts.number("first")]
        told += [parts.number("then"), parts.clock()]
        if "day" not in parts and "first" not in parts:
            told[2] = np.where(told[0] > 0, 1, NONE)  # the first of a month that is told
        fields[:, left[matched]] = told
        left = left[~matched]
        texts = texts.filter(pa.array(~matched))


class _Parts:
    """The parts of texts that have one form."""

    def __init__(self, found: Any) -> None:
        self.found = found
        self.names = {field.name for field in found.type}

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def _texts(self, name: str) -> Any:
        return pc.struct_field(self.found, name)

    def number(self, name: str, kind: Any = None) -> NDArray[Any]:
        """-1 where there is none."""
        if name not in self.names:
            return np.full(len(self.found), NONE)
        text = pc.replace_substring(self._texts(name), ",", ".")
        text = pc.if_else(pc.equal(text, ""), str(NONE), text)
        numbers: NDArray[Any] = np.array(text.cast(kind or pa.int64()))
        return numbers

    def year(self) -> NDArray[np.int64]:
        year = self.number("year")
        if "year" not in self.names:
            return year
        short = np.asarray(pc.equal(pc.utf8_length(self._texts("year")), 2))
        year[short] += np.where(year[short] <= TWO_DIGITS, 2000, 1900)
        return year

    def month(self) -> NDArray[np.int64]:
        if "name" not in self.names:
            return self.number("month")
        coded = Coded.of(self._texts("name"))
        numbers = np.array([_NUMBER.get(name, NONE) for name in coded.texts.to_pylist()])
        months: NDArray[np.int64] = numbers[coded.codes]
        return months

    def clock(self) -> NDArray[Any]:
        """Microseconds since midnight."""
        if "hour" not in self.names:
            return np.full(len(self.found), NONE)
        hour, minute = self.number("hour"), self.number("minute")
        second = np.maximum(self.number("second", pa.float64()), 0)
        noon = np.asarray(self._texts("noon").to_numpy(zero_copy_only=False))
        hour = np.where(noon == "", hour, hour % 12 + 12 * (noon == "p"))
        sound = (hour >= 0) & (hour <= 24) & (minute < 60) & (second < 61)
        told = (hour * 3600 + minute * 60 + second) * 1e6
        return np.where(sound, np.rint(told), NONE).astype(np.int64)
