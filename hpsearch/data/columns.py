"""What a table's features mean: numbers, categories, or nothing that a network can use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hpsearch.data.account import MISSING_NUMBER, PARTS, listed, quoted
from hpsearch.data.dataset import LONGEST_NAME
from hpsearch.data.dates import Moments, as_moments
from hpsearch.data.formats import (
    Numbers,
    are_dates,
    are_numbers,
    begin_with_numbers,
    mixed_units,
)
from hpsearch.data.formats import as_numbers as numbers_of
from hpsearch.data.plain import HEAD, Coded, as_days, as_float, clean, is_number, is_plain, unlike
from hpsearch.errors import DataError, nearest, shown

__all__ = [
    "Column",
    "DatePart",
    "as_numbers",
    "counts_rows",
    "date_parts",
    "interpret",
    "known_codes",
    "said_categories",
    "unread",
    "varying",
]

POSTAL = r"^0\d{2,}$"
MAX_CATEGORIES = 50_000
FIRST = 1_000
"""What so many cells are is tried first for all others."""
WORDS = 4
"""Texts of at least so many words, most of which differ, are what people wrote."""
TRUTHS = 64
"""More ways than there are to write true and false in upper and lower case."""
MANY_NUMBERS = 0.2
"""The share of a column's cells with numbers that makes it worth to ask what it is."""
DATES = "dates or times in a form that is not read; write them as 2024-03-31 or 09:30"
CONSTANT = "the same in every row"
READABLE = 0.5
"""The share of a column's cells that must be dates, and read, for the others to be slips."""


class DatePart(NamedTuple):
    """A number that is made of a column of dates.

    Attributes:
        column: its name.
        part: one of `hpsearch.data.dates.PARTS`.
        day_first: whether 3/4/2024 is of April there.
    """

    column: str
    part: str
    day_first: bool


@dataclass(frozen=True, eq=False)
class Column:
    """A usable column: its values, NaN where missing; indices of ``categories`` if it has any.

    ``ordered`` says whether these have an order, in which they stand.

    ``read`` says how its text was read as numbers, ``part`` of which dates it is a part, and
    ``remark`` what is odd about it.
    """

    name: str
    values: NDArray[np.float64]
    categories: tuple[str, ...] | None = None
    ordered: bool = False
    read: Numbers | None = None
    part: DatePart | None = None
    remark: str | None = None


def counts_rows(column: Any) -> bool:
    """Whether a column holds the numbers of the rows: 0 to n - 1 or 1 to n, in any order."""
    column = clean(column)
    if column.null_count:
        return False
    try:
        values = np.sort(as_float(column))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return bool(values[0] in (0, 1) and (np.diff(values) == 1).all())


def interpret(
    name: str,
    feature: str,
    column: Any,
    rows: NDArray[np.bool_] | None = None,
    *,
    decimal_comma: bool = False,
) -> list[Column] | str:
    """The column as numbers or categories, the parts of its dates, or the reason to leave it out.

    Args:
        name: the data set, for messages.
        feature: the column's name.
        column: its cells, as `clean` gives them.
        rows: which of them are learned from; all by default.
        decimal_comma: whether marks that can be both, as in 1,234 and 1.234, are those of a table
            with decimal commas.

    Raises:
        DataError: text stands among numbers.
    """
    kind = column.type
    tests = (pa.types.is_null, pa.types.is_dictionary, pa.types.is_string, pa.types.is_temporal)
    if not is_number(kind) and (
        not any(test(kind) for test in tests) or pa.types.is_interval(kind)
    ):
        return f"of type {kind}, neither number nor text"
    if rows is not None:
        column = column.filter(pa.array(rows))
    if column.null_count == len(column):
        return "no value"
    if pa.types.is_dictionary(kind):
        coded = Coded.of(column)
        if _share(are_dates(coded.texts), coded) > READABLE:
            return _dates(feature, column)
        return _one(_categorical(feature, coded, None))
    if pa.types.is_string(kind):
        plain = _plain_numbers(column, decimal_comma=decimal_comma)
        if plain is not None:
            some = plain[:FIRST]  # fractions among them are no codes
            whole = bool(((np.floor(some) == some) | np.isnan(some)).all())
            remark = _leading_zeros(feature, column) if whole else None
            return [Column(feature, plain, remark=remark)]
        return _interpret_text(name, feature, column, rows, decimal_comma=decimal_comma)
    if pa.types.is_duration(kind):
        return [Column(feature, as_days(column))]
    if not is_number(kind):
        return _dates(feature, column)
    values = as_float(column)
    return "no value" if np.isnan(values).all() else [Column(feature, values)]


def _one(found: Column | str) -> list[Column] | str:
    return found if isinstance(found, str) else [found]


def _interpret_text(
    name: str,
    feature: str,
    column: Any,
    rows: NDArray[np.bool_] | None,
    *,
    decimal_comma: bool,
) -> list[Column] | str:
    """As `interpret`, of text that is not all plain numbers."""
    start = column.slice(0, FIRST).drop_null().combine_chunks()
    if len(start) and pc.all(pc.and_not(are_dates(start), are_numbers(start))).as_py():
        found = _dates(feature, column)  # spares to try many texts as numbers
        if found != DATES:
            return found
    differ = unlike(column)
    too_many = f"{differ:,} distinct texts in the first {HEAD:,} rows"
    if differ:
        head = Coded.each(column.slice(0, HEAD))
        if not _mostly_numbers(head, decimal_comma=decimal_comma):
            mostly = _share(are_dates(head.texts), head) > READABLE
            return _dates(feature, column) if mostly else too_many
    coded = Coded.each(column) if differ else Coded.of(column)
    numbers = _parse(name, feature, coded, rows, decimal_comma=decimal_comma)
    if numbers is not None:
        remark = None if numbers.remark is None else f"{quoted(feature)} {numbers.remark}"
        return [Column(feature, numbers.values, read=numbers, remark=remark)]
    if _share(are_dates(coded.texts), coded) > READABLE:
        return _dates(feature, column)
    if differ:
        return too_many
    return _one(_categorical(feature, coded, _numbers_within(feature, coded)))


def _dates(feature: str, column: Any) -> list[Column] | str:
    """The parts of dates that vary."""
    moments = as_moments(column)
    if moments is None or moments.known.sum() <= READABLE * (len(column) - column.null_count):
        return DATES
    remark = None
    if moments.doubtful:
        remark = (
            f"{quoted(feature)} has dates such as 3/4/2024, read with the month first; if that is "
            "wrong, write them as 2024-04-03"
        )
    elif odd := unread(moments, column):
        remark = f"{quoted(feature)} has dates, but for {odd}, which count as missing"
    made = []
    for part, values in moments.parts().items():
        about = DatePart(feature, part, moments.day_first)
        made.append(Column(f"{feature}.{part}", values, part=about))
    made[-1] = replace(made[-1], remark=remark)  # the days, which vary where anything does
    return made


def varying(columns: list[Column]) -> list[Column] | str:
    """Those that are not the same in every row, or the reason that there is none.

    A category that only some rows have tells these from the others; of numbers, what is missing is
    imputed, so that it tells nothing.
    """

    def varies(column: Column) -> bool:
        if column.categories is not None and not column.ordered:
            return len(column.categories) > 1 or bool(np.isnan(column.values).any())
        low, high = np.fmin.reduce(column.values), np.fmax.reduce(column.values)
        return bool(low < high)

    return [column for column in columns if varies(column)] or CONSTANT


def unread(moments: Moments, column: Any) -> str | None:
    """How many cells have a text that is no date, and the first of them; None if none has."""
    odd = ~moments.known & np.asarray(column.is_valid())
    if not odd.any():
        return None
    rows = np.flatnonzero(odd)
    return f"{len(rows):,} value{'s' * (len(rows) > 1)} such as {shown(column[rows[0]].as_py())}"


def _plain_numbers(column: Any, *, decimal_comma: bool) -> NDArray[np.float64] | None:
    """Text as numbers where all of it is as Arrow reads it, and no mark could mean another."""
    if decimal_comma and pc.any(pc.match_substring_regex(column, "[.,]")).as_py():
        return None
    try:
        return as_float(column)
    except pa.ArrowInvalid:
        return None


def _leading_zeros(feature: str, column: Any) -> str | None:
    """What to ask of a column whose numbers are written as codes are, such as 01234."""
    # Few numbers begin so, and the expression is slow beside these tests.
    zeros = column.filter(pc.and_not(pc.starts_with(column, "0"), pc.starts_with(column, "0.")))
    first = pc.index(pc.match_substring_regex(zeros, POSTAL), True).as_py()
    if first < 0:
        return None
    return (
        f"{quoted(feature)} has leading zeros ({shown(zeros[first].as_py())}) and is taken for a "
        "number; if it is a code, name it in [data] categories, or leave it out ([data] exclude)"
    )


def _parse(
    name: str,
    feature: str,
    coded: Coded,
    rows: NDArray[np.bool_] | None = None,
    *,
    decimal_comma: bool = False,
) -> Numbers | None:
    """Dictionary-encoded text as numbers; None when it is not meant as numbers.

    Raises:
        DataError: more than half of the cells are numbers, so the rest is taken for slips.
    """
    texts = coded.texts
    said = _said(texts)
    given = texts if pc.all(said).as_py() else texts.filter(said)
    numbers = _truth(given) or numbers_of(given, decimal_comma=decimal_comma)
    if numbers is not None:
        if given is not texts:
            parsed = np.full(len(texts), np.nan)
            parsed[np.asarray(said)] = numbers.values
            numbers = replace(numbers, values=parsed)
        return replace(numbers, values=coded.spread(numbers.values))
    codes = coded.codes
    told = (codes >= 0) & np.asarray(said)[codes]
    slips = np.flatnonzero(told & ~np.asarray(are_numbers(texts))[codes])
    count = int(np.count_nonzero(told))
    if 2 * (count - len(slips)) <= count:
        return None
    if len(slips) == 0:
        raise DataError(
            f"{name}: column {feature!r} writes numbers in two ways, with a decimal comma and with "
            f"a decimal point, such as {_two_ways(texts)}; write them alike."
        )
    cell = texts[int(codes[slips[0]])].as_py()
    row = slips[0] if rows is None else np.flatnonzero(rows)[slips[0]]
    more = f" (and {len(slips) - 1:,} cells more)" if len(slips) > 1 else ""
    raise DataError(
        f"{name}: column {feature!r}, row {row + 1}: {shown(cell)} is not a number{more}, and "
        f"{count - len(slips):,} of the {count:,} cells with a value are; correct it, leave the "
        "cell empty if it is missing, or leave the column out ([data] exclude)."
    )


def _said(texts: Any) -> Any:
    """Which texts are no word for a missing number."""
    short = pc.less_equal(pc.utf8_length(texts), max(map(len, MISSING_NUMBER)))
    if not pc.any(short).as_py():  # spares a copy of what may be millions of texts
        return pc.invert(short)
    return pc.invert(pc.is_in(pc.utf8_lower(texts), value_set=pa.array(MISSING_NUMBER)))


def _truth(texts: Any) -> Numbers | None:
    """True and false, in any case, as 1 and 0; None where texts say anything else, or nothing."""
    if not 0 < len(texts) <= TRUTHS:
        return None
    lower = pc.utf8_lower(texts).to_pylist()
    if not set(lower) <= {"true", "false"}:
        return None
    return Numbers(np.array([float(text == "true") for text in lower]), False, None)


def _mostly_numbers(coded: Coded, *, decimal_comma: bool) -> bool:
    """Whether all texts that are said are numbers, or more than half of the cells with one."""
    said = _said(coded.texts)
    if numbers_of(coded.texts.filter(said), decimal_comma=decimal_comma) is not None:
        return True
    right = pc.and_(are_numbers(coded.texts), said)
    return _share(right, coded, pc.invert(said)) > 0.5


def _two_ways(texts: Any) -> str:
    """The text of a column that only a decimal point, and that only a decimal comma explains."""
    odd: dict[str, str] = {}
    for text in map(str, texts):
        one = pa.array([text])
        readings = [numbers_of(one, decimal_comma=comma) for comma in (False, True)]
        if all(readings) and readings[0].values == readings[1].values:  # type: ignore[union-attr]
            odd.setdefault("comma" if readings[0].decimal_comma else "point", text)  # type: ignore[union-attr]
            if len(odd) == 2 and not any(map(str.isdigit, odd.values())):
                break
    return " and ".join(map(shown, odd.values()))


def _share(passed: Any, coded: Coded, left_out: Any = None) -> float:
    """The share of the cells with a text whose text passed a test; some may be left out."""
    codes = coded.codes
    counts = np.bincount(codes[codes >= 0], minlength=len(coded.texts))
    if left_out is not None:
        counts = counts * ~np.asarray(left_out)
    return float(counts[np.asarray(passed)].sum() / max(counts.sum(), 1))


def as_numbers(
    name: str, feature: str, column: Any, *, decimal_comma: bool = False
) -> NDArray[np.float64]:
    """A column that must hold numbers; with a decimal comma, where the model learned from such.

    Raises:
        DataError: it does not; the message shows the first cell that is none.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_string(column.type):
        if is_number(column.type) or pa.types.is_null(column.type):
            return as_float(column)
        raise DataError(
            f"{name}: column {feature!r} is of type {column.type}, and the model needs "
            "numbers there."
        )
    if column.null_count == len(column):
        return np.full(len(column), np.nan)
    plain = _plain_numbers(column, decimal_comma=decimal_comma)
    if plain is not None:
        return plain
    coded = Coded.each(column) if unlike(column) else Coded.of(column)
    numbers = _parse(name, feature, coded, decimal_comma=decimal_comma)
    if numbers is None:
        row = pc.index(are_numbers(column.combine_chunks()), False).as_py()
        raise DataError(
            f"{name}: column {feature!r}, row {row + 1}: {shown(column[row].as_py())} is not a "
            "number, and the model needs numbers there."
        )
    return numbers.values


def said_categories(
    name: str,
    feature: str,
    column: Any,
    order: Sequence[str] | None,
    rows: NDArray[np.bool_] | None = None,
) -> Column | str:
    """A column that is said to hold categories, whatever they look like.

    Args:
        name: the data set, for messages.
        feature: the column's name.
        column: its cells, as `clean` gives them.
        order: all categories from the least to the greatest, where they have an order.
        rows: which of them are learned from; all by default.

    Returns:
        The column, or the reason to leave it out.

    Raises:
        DataError: a cell has none of the ordered categories, or they are too many or too long.
    """
    if not is_plain(column.type):
        return f"of type {column.type}, neither number nor text"
    text = clean(column.cast(pa.string()))
    kept = text if rows is None else text.filter(pa.array(rows))
    if kept.null_count == len(kept):
        return "no value"
    if order is None:
        found = _coded_categories(feature, Coded.of(kept), None)
        if isinstance(found, str):
            raise DataError(f"{name}: column {feature!r}, said to be categories, has {found}.")
        return found
    codes, unknown = known_codes(name, feature, text, tuple(order))
    if unknown:
        cell = next(iter(unknown))
        row = pc.index(text, cell).as_py() + 1
        close = nearest(cell, order)
        hint = f"did you mean {close!r}?" if close else "add it to them, where it belongs."
        raise DataError(
            f"{name}: column {feature!r}, row {row}: {shown(cell)} is none of its ordered "
            f"categories, {listed(list(map(repr, order)), 5)}; {hint}"
        )
    return Column(feature, codes if rows is None else codes[rows], tuple(order), ordered=True)


def date_parts(
    name: str, feature: str, column: Any, *, day_first: bool
) -> tuple[dict[str, NDArray[np.float64]], str | None]:
    """The numbers that are made of a column that must hold dates, by part, and what is no date.

    Raises:
        DataError: it holds anything else.
    """
    if pa.types.is_null(column.type):
        return dict.fromkeys(PARTS, np.full(len(column), np.nan)), None
    moments = as_moments(column, day_first=day_first)
    if moments is None:
        raise DataError(
            f"{name}: column {feature!r} is of type {column.type}, and the model needs dates there."
        )
    lacking = np.full(len(column), np.nan)
    return dict.fromkeys(PARTS, lacking) | moments.parts(), unread(moments, column)


def _categorical(feature: str, coded: Coded, remark: str | None) -> Column | str:
    """A dictionary-encoded column as codes of its sorted categories, unless they are too many."""
    count, present = len(coded.texts), int(np.count_nonzero(coded.codes >= 0))
    words = pc.mean(pc.add(pc.count_substring_regex(coded.texts, r"\S\s+\S"), 1)).as_py()
    if count >= 10 and count > present / 2 and words >= WORDS:
        return (
            f"texts of {words:.0f} words, which no network of numbers reads; make columns of "
            "numbers of them, such as counts of words or an embedding"
        )
    if count >= 10 and count > 0.9 * present:
        return f"{count:,} distinct texts in {present:,} rows, an identifier"
    return _coded_categories(feature, coded, remark)


def _coded_categories(feature: str, coded: Coded, remark: str | None) -> Column | str:
    """Codes of sorted categories, unless they are too many or too long."""
    if (longest := pc.max(pc.utf8_length(coded.texts)).as_py()) > LONGEST_NAME:
        return f"texts of up to {longest:,} characters"
    if (count := len(coded.texts)) > MAX_CATEGORIES:
        return f"{count:,} categories, more than {MAX_CATEGORIES:,}"
    names = coded.texts.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), dtype=np.float64)
    rank[order] = np.arange(len(names))
    categories = tuple(names[i] for i in order)
    return Column(feature, coded.spread(rank), categories, remark=remark)


def _numbers_within(feature: str, coded: Coded) -> str | None:
    """What to ask of categories of which many are numbers with something about them."""
    texts = coded.texts
    units = mixed_units(texts)
    if units:
        return (
            f"{quoted(feature)} has numbers in {len(units)} units ({', '.join(units)}) and is "
            "taken for categories; write it in one unit"
        )
    begin = begin_with_numbers(texts)
    share = _share(begin, coded)
    if share < MANY_NUMBERS:
        return None
    some = texts.filter(begin).to_pylist()
    example = max(some, key=lambda text: (not text.isdigit(), text))
    return (
        f"{quoted(feature)} has numbers such as {shown(example)} in {share:.0%} of its cells and "
        f"is taken for {len(texts):,} categories; if it is a quantity, write plain numbers"
    )


def known_codes(
    name: str, feature: str, column: Any, categories: tuple[str, ...]
) -> tuple[NDArray[np.float64], dict[str, int]]:
    """Codes of the model's categories, NaN where a value is missing or unknown to the model.

    Returns:
        The codes, and the unknown values with their numbers of rows, the most frequent first.
    """
    try:
        text = column.cast(pa.string())
    except pa.ArrowException as error:
        raise DataError(
            f"{name}: column {feature!r} is of type {column.type}, and the model needs text there."
        ) from error
    codes = pc.index_in(text, value_set=pa.array(categories, pa.string()))
    unknown = text.filter(pc.and_(codes.is_null(), text.is_valid()))
    counted = sorted(
        ((found["values"], found["counts"]) for found in pc.value_counts(unknown).to_pylist()),
        key=lambda pair: (-pair[1], pair[0]),
    )
    return as_float(codes), dict(counted)
