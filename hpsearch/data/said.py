"""What a study says of a table, beyond where it is: which columns mean what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from hpsearch.data.splits import DividingColumns
from hpsearch.errors import DataError, UnknownNameError
from hpsearch.metrics import Task

__all__ = ["Said", "check_column"]


NOT_DIVIDED = DividingColumns()
NOTHING: tuple[object, ...] = ((), {}, None, [], NOT_DIVIDED)


@dataclass(frozen=True)
class Said:
    """The keys of ``[data]`` that are about columns.

    Attributes:
        exclude: columns to leave out.
        missing_labels: labels that mean that the label is missing.
        categories: columns whose values are categories, numbers though they may be.
        ordered: column -> its categories, from the least to the greatest.
        decimal: the mark between whole and part, "," or ".", where both could be; None: found.
        sheet: of a workbook; None: the first.
        dividing: columns that only say how rows are divided.
        task: whether the target holds classes or a quantity; None: decided by what it holds.
        weight: the column that says how much a row counts.
    """

    exclude: Sequence[str] = ()
    missing_labels: Sequence[str] = ()
    categories: Sequence[str] = ()
    ordered: Mapping[str, Sequence[str]] = field(default_factory=dict)
    decimal: str | None = None
    sheet: str | None = None
    dividing: DividingColumns = NOT_DIVIDED
    task: Task | None = None
    weight: str | None = None

    def check(self, name: str, target: str, columns: Sequence[str]) -> None:
        """Refuse columns that are not there, or are there for something else.

        What is excluded may also be made of a column, as the parts of dates are; so it is not
        checked here whether that is there.

        Raises:
            DataError: the target is one of them, or a column is to be two things.
            UnknownNameError: there is no such column; the nearest is named.
        """
        taken: dict[str, str] = {}
        named = {key: getattr(self, key) for key in ("exclude", "categories", "ordered")}
        named |= {key: [column] for key, column in self.dividing.named().items()}
        named |= {} if self.weight is None else {"weight": [self.weight]}
        for key, said in named.items():
            for column in said:
                if column == target:
                    raise DataError(
                        f"{name}: {target!r} is the target, which cannot be {_VERB[key]}; take it "
                        f"off {key}."
                    )
                if key != "exclude":
                    check_column(key, column, [each for each in columns if each != target])
                if taken.setdefault(column, key) != key:
                    raise DataError(
                        f"{name}: {column!r} is in {taken[column]} and in {key}; take it off one."
                    )

    def refuse(self, source: str, why: str, but: Sequence[str] = ()) -> None:
        """Refuse whatever is said, for a source of which only ``but`` can be.

        Raises:
            DataError: something else is.
        """
        for each in fields(self):
            if each.name not in but and getattr(self, each.name) not in NOTHING:
                raise DataError(f"{source} {why}; remove {each.name}.")


_VERB = {
    "exclude": "excluded",
    "categories": "a category to learn from",
    "ordered": "ordered",
    "groups": "groups as well",
    "time": "a time as well",
    "parts": "parts as well",
    "weight": "a weight as well",
}


def check_column(key: str, column: str, columns: Sequence[str]) -> None:
    """Refuse a column that is not there.

    Raises:
        UnknownNameError: it names the key, the column, and the nearest that there is.
    """
    if column not in columns:
        raise UnknownNameError(f"column in [data] {key}:", column, columns)
