"""What a database can keep: anything else is refused at the call, and never waits to be written.

Values that are text are kept as JSON in ASCII, so that only names and steps matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hpsearch.errors import StorageError

__all__ = ["LIMITS", "Limits"]


@dataclass(frozen=True)
class Limits:
    """The limits of one kind of database.

    Args:
        backend: its name in messages.
        bits: of an INTEGER.
        strict: whether texts end with the length of their column, and must have no NUL character.
    """

    backend: str
    bits: int
    strict: bool

    def check(self, column: sa.Column[Any], value: object) -> None:
        """Make sure that a column can keep a name, or a number.

        Raises:
            StorageError: this kind of database cannot.
            TypeError: a name is no text.
        """
        if isinstance(column.type, sa.String):
            if not isinstance(value, str):
                raise TypeError(f"a name in a study must be text, not {type(value).__name__}")
            fault = self._fault(value, column.type.length)
            if fault:
                raise StorageError(
                    f"{self.backend} cannot keep the name {value[:50]!a}, since it has {fault}; "
                    "choose another"
                )
        elif isinstance(value, int) and value.bit_length() >= self.bits:
            raise StorageError(
                f"{self.backend} cannot keep a step that needs more than {self.bits} bits; "
                "report smaller ones"
            )

    def _fault(self, text: str, length: int | None) -> str:
        if self.strict and length is not None and len(text) > length:
            return f"more than {length} characters"
        if self.strict and "\0" in text:
            return "a NUL character"
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            return "half of a character (a lone surrogate)"
        return ""


LIMITS = {
    "sqlite": Limits("SQLite", 64, strict=False),
    "postgresql": Limits("PostgreSQL", 32, strict=True),
}
"""By the name of SQLAlchemy's dialect."""
