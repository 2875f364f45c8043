"""A setting is told once: what it is by default, what it may be, and what it does."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from hpsearch.errors import UnknownNameError, UsageError, shown

__all__ = ["NO_LIMIT", "Setting"]

NO_LIMIT = sys.float_info.max


@dataclass(frozen=True)
class Setting:
    """What a setting may be, for whoever asks: study file, space, network, training, estimators.

    Attributes:
        default: where nothing else is said; None where it may also be absent.
        does: what it does, in one sentence.
        names: those that it may have, if it is a name.
        limits: the least and the greatest number that it may be, themselves whole numbers where it
            is one, if it is a number. Without names and limits it is true or false.
    """

    default: Any
    does: str
    names: Collection[str] | None = None
    limits: tuple[float, float] | None = None

    @property
    def whole(self) -> bool:
        """Whether it is a whole number."""
        return self.limits is not None and isinstance(self.limits[0], int)

    def check(self, name: str, value: object) -> None:
        """Refuse what it cannot be.

        Args:
            name: what messages call it.
            value: what was given; NumPy's numbers and truth values are as good as Python's.

        Raises:
            UsageError: a number out of its limits, or a value of another type.
            UnknownNameError: a name that is not known.
        """
        if value is None and self.default is None:
            return
        if self.names is not None:
            if not isinstance(value, str) or value not in self.names:
                raise UnknownNameError(name, value, self.names)
            return
        if self.limits is None:
            if not isinstance(value, bool | np.bool_):
                raise UsageError(f"{name} is {shown(value)}; give True or False.", key=name)
            return
        low, high = self.limits
        kind: Any = Integral if self.whole else Real
        if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
            wanted = "a whole number" if self.whole else "a number"
            least, most = (f"{x:,}" if isinstance(x, int) else f"{x:g}" for x in self.limits)
            words = f"of at least {least}" if high == NO_LIMIT else f"from {least} to {most}"
            raise UsageError(f"{name} is {shown(value)}; give {wanted} {words}.", key=name)

    def own(self, name: str, value: Any) -> Any:
        """A value in the setting's own type: a count may be written as 16.0.

        Raises:
            UsageError: as for `check`.
        """
        if self.whole and isinstance(value, float) and value.is_integer():
            value = int(value)
        self.check(name, value)
        return value
