"""One account of rows and columns: what a source had, and what of it reaches a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.shapes import fits, may_have

__all__ = [
    "MISSING",
    "MISSING_LABEL",
    "MISSING_NUMBER",
    "PARTS",
    "Account",
    "code_for_missing",
    "is_account",
    "listed",
    "quoted",
    "rows_told",
]

SHOWN = 40
"""Characters of a column's name that stand in a sentence."""

MISSING = ("", "?", "NA", "N/A", "n/a", "<NA>", "NaN", "nan", "null", "NULL")
"""What a cell of any column says that has no value."""
MISSING_NUMBER = ("na", "none", "nil", "-", "--", "\u2013", "\u2014", ".", "n.a.", "#n/a", "#na")
"""In lower case, what else than an empty cell means a missing number in a column of numbers."""
MISSING_LABEL = frozenset(word.lower() for word in (*MISSING_NUMBER, *MISSING) if word)
"""In lower case, what may mean a missing label, or be the name of a class."""

PARTS = ("year", "month", "day", "weekday", "hour", "days")
"""What is made of dates: the hour with its minutes as a fraction, and the days since 2000."""

FREQUENT = 0.005
"""The least share of the rows that a code for missing values is suspected in."""
DISTINCT = 5
"""With fewer other values than this, one must lie very far away to stand out."""
MOST_CODES = 3

ACCOUNT = {
    "rows_read": int,
    "rows_dropped": dict,
    "columns_read": int,
    "columns_dropped": dict,
    "numbers": dict,
    "decimal_comma": [str],
    "imputed": dict,
    "no_category": dict,
    "codes": dict,
    "remarks": [str],
    "inputs": (int, type(None)),
    "unlabelled": int,
}
"""What `Account.document` has had from the first, in the shapes that a stored note is held to."""

YOUNGER = {"dates": dict, "encoded": dict, "divided": str, "task": str}
"""What it has today too, and older studies lack."""


def is_account(value: Any) -> bool:
    """Whether a stored note is what `Account.document` gives, or gave."""
    return fits(value, may_have(ACCOUNT, YOUNGER))


@dataclass(frozen=True)
class Account:
    """Rows and columns from a source to the inputs of a network; nothing vanishes unsaid.

    Args:
        rows_read: rows of the source.
        columns_read: its columns, the target not among them.
        rows_dropped: reason -> how many rows.
        columns_dropped: column -> reason.
        numbers: column whose text was read as numbers -> an example of how.
        decimal_comma: the columns among these whose numbers have a decimal comma.
        dates: number that is made of dates -> the column of these, which part it is, and whether
            3/4/2024 is of April there.
        encoded: column of so many categories that numbers stand for them -> how many the training
            part has; empty while undivided.
        imputed: column of numbers -> how many values are missing.
        no_category: column of categories -> how many values are missing.
        codes: column -> a number in it that looks like a code for a missing value, and how often.
        remarks: what the reader should look at, in sentences.
        inputs: columns after one-hot coding, as the training part gives; None while undivided.
        unlabelled: how many of the rows that are left out have no label.
        divided: how the rows that are kept were divided, in words; empty while undivided.
        task: what the target was taken for, and why, in words; empty where that was given.
    """

    rows_read: int
    columns_read: int
    rows_dropped: Mapping[str, int] = field(default_factory=dict)
    columns_dropped: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    decimal_comma: tuple[str, ...] = ()
    dates: Mapping[str, tuple[str, str, bool]] = field(default_factory=dict)
    encoded: Mapping[str, int] = field(default_factory=dict)
    imputed: Mapping[str, int] = field(default_factory=dict)
    no_category: Mapping[str, int] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    inputs: int | None = None
    unlabelled: int = 0
    divided: str = ""
    task: str = ""

    @property
    def rows(self) -> int:
        """Rows that are learned from and tested on."""
        return self.rows_read - sum(self.rows_dropped.values())

    @property
    def columns(self) -> int:
        """Columns that are learned from."""
        return self.columns_read - len(self.columns_dropped)

    @property
    def _inputs(self) -> str:
        return "" if self.inputs is None else f", {self.inputs:,} inputs"

    def document(self) -> dict[str, Any]:
        """The account in terms of JSON, whole."""
        lists = {"decimal_comma": list(self.decimal_comma), "remarks": list(self.remarks)}
        return {"rows": self.rows, "columns": self.columns} | asdict(self) | lists

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Account:
        """The account that a document tells."""
        told = {each.name: document[each.name] for each in fields(cls) if each.name in document}
        lists: dict[str, Any] = {n: tuple(told[n]) for n in ("decimal_comma", "remarks")}
        lists["dates"] = {name: tuple(part) for name, part in told.get("dates", {}).items()}
        return cls(**(told | lists))

    def with_values(
        self, X: NDArray[np.float32], names: Sequence[str], categorical: Mapping[int, Any]
    ) -> Account:
        """The account of these samples: what is missing in them, or may be, is looked up anew."""
        low, high = np.minimum.reduce(X, axis=0), np.maximum.reduce(X, axis=0)
        lacking = np.isnan(low)
        counts = {int(j): int(np.isnan(X[:, j]).sum()) for j in np.flatnonzero(lacking)}
        codes = {
            names[j]: code_for_missing(X[:, j])
            for j in range(X.shape[1])
            if j not in categorical
            and (lacking[j] or _may_be_code(float(low[j])) or _may_be_code(float(high[j])))
        }
        return replace(
            self,
            imputed={names[j]: n for j, n in counts.items() if j not in categorical},
            no_category={names[j]: n for j, n in counts.items() if j in categorical},
            codes={name: code for name, code in codes.items() if code is not None},
        )

    def facts(self, most: int | None = None) -> Iterator[tuple[str, str]]:
        """What there is to tell, in pairs of a heading and its words.

        Args:
            most: how many names of a list are told before the others are counted; None for all.

        >>> account = Account(9, 3, {"without a label": 1}, {"id": "excluded"}, inputs=2)
        >>> for fact in account.facts():
        ...     print(*fact, sep=": ")
        read: 9 rows of 3 columns and the target
        kept: 8 rows of 2 columns, 2 inputs
        left out: 1 row without a label
        left out: 'id' (excluded)
        """
        yield "read", f"{_counted(self.rows_read, self.columns_read)} and the target"
        yield "kept", _counted(self.rows, self.columns) + self._inputs
        rows = [f"{rows_told(n)} {reason}" for reason, n in self.rows_dropped.items() if n]
        if rows:
            yield "left out", "; ".join(rows)
        reasons: dict[str, list[str]] = {}
        for name, reason in self.columns_dropped.items():
            reasons.setdefault(reason, []).append(quoted(name))
        columns = [f"{listed(names, most)} ({reason})" for reason, names in reasons.items()]
        if columns:
            yield "left out", listed(columns, None if most is None else 2 * most, "; ")
        parts: dict[str, list[str]] = {}
        for column, part, _ in self.dates.values():
            parts.setdefault(column, []).append("days since 2000" if part == "days" else part)
        for what, told in (
            ("read as numbers", self.numbers),
            ("dates, of which are learned", {name: ", ".join(p) for name, p in parts.items()}),
            (
                "told by the mean of the target",
                {name: f"{n:,} categories" for name, n in self.encoded.items()},
            ),
            ("imputed with the training median", _values(self.imputed)),
            ("missing, of no category", _values(self.no_category)),
            ("may mean missing", self.codes),
        ):
            each = [f"{quoted(name)} ({about})" for name, about in told.items()]
            if each:
                yield what, listed(each, most)
        if self.task:
            yield "task", self.task
        if self.divided:
            yield "divided", self.divided
        for remark in self.remarks if most is None else self.remarks[: 2 * most]:
            yield "look", remark
        if most is not None and len(self.remarks) > 2 * most:
            yield "look", f"{len(self.remarks) - 2 * most} remarks more are in the JSON"

    def sentences(self, most: int | None = 5) -> list[str]:
        """The facts as lines of text."""
        told = list(self.facts(most))
        whole = self.rows == self.rows_read and self.columns == self.columns_read
        first = [f"{told[0][1]}, all kept{self._inputs}"] if whole else [f"read {told[0][1]}"]
        rest = told[2:] if whole else told[1:]
        return [*first, *(f"{what}: {words}" for what, words in rest)]


def code_for_missing(values: NDArray[Any]) -> str | None:
    """The smallest or largest numbers of a column that look like codes for missing values.

    Such a number is negative, or a row of nines or eights; it stands for many rows, and lies away
    from all others by more than they span. Only -1, -7 to -9 together, and negative rows of nines
    may lie near, if no other is negative. Up to three are found.

    >>> code_for_missing(np.array([1.0, 2, 3, 4, 5, 6, -999, -999, 7, 8]))
    '-999 in 2 rows'
    >>> code_for_missing(np.array([0.0, 1, 1, 0])) is None
    True
    """
    present = values[np.isfinite(values)]
    numbers, counts = np.unique(present, return_counts=True)
    for several in range(1, MOST_CODES + 1):
        for ends in (slice(None, several), slice(-several, None)):
            codes, often = numbers[ends], counts[ends]
            rest = np.delete(numbers, ends)
            if often.min(initial=2) < max(2, FREQUENT * len(present)) or len(rest) < 2:
                continue
            if all(map(_may_be_code, codes.tolist())) and _stand_away(codes, rest):
                told = zip(codes.tolist(), often.tolist(), strict=True)
                return ", ".join(f"{code:.10g} in {count:,} rows" for code, count in told)
    return None


def _stand_away(codes: NDArray[Any], rest: NDArray[Any]) -> bool:
    """Whether sorted numbers at one end of a column are unlike the sorted others."""
    near = float(codes[-1] if codes[-1] < rest[0] else codes[0])
    low, high = float(rest[0]), float(rest[-1])
    distance = max(low - near, near - high)
    if len(rest) < DISTINCT:
        return abs(near) >= 99 and distance > 10 * max(high - low, 1)
    if distance > high - low and abs(near) >= 9:
        return True
    if len(codes) > 1:
        return low >= 0 and set(codes.tolist()) <= {-7, -8, -9}
    return near < 0 <= low and (near == -1 or set(f"{-near:.0f}") == {"9"})


def _may_be_code(number: float) -> bool:
    if not np.isfinite(number) or number != np.floor(number):
        return False
    return number < 0 or (number >= 9 and set(f"{number:.0f}") in ({"9"}, {"8"}))


def listed(names: Sequence[str], most: int | None = 3, separator: str = ", ") -> str:
    """A few names, and how many more there are.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    if most is None or len(names) <= most:
        return separator.join(names)
    return f"{separator.join(names[:most])} and {len(names) - most} more"


def quoted(name: str) -> str:
    """A column's name in quotes, cut where it is long.

    >>> quoted("age"), len(quoted("x" * 1000))
    ("'age'", 45)
    """
    return repr(name if len(name) <= SHOWN else name[:SHOWN] + "...")


def _counted(rows: int, columns: int) -> str:
    return f"{rows_told(rows)} of {columns:,} column{'s' * (columns != 1)}"


def rows_told(count: int) -> str:
    """A number of rows in words.

    >>> rows_told(1), rows_told(2000)
    ('1 row', '2,000 rows')
    """
    return f"{count:,} row{'s' * (count != 1)}"


def _values(counts: Mapping[str, int]) -> dict[str, str]:
    return {name: f"{n:,} value{'s' * (n != 1)}" for name, n in counts.items()}
