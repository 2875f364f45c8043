"""Every error that hpsearch raises on purpose::

    HpsearchError            something a person can repair; the message says what, where and how
    ├── UsageError           the request was wrong (exit code 2): a file, a name, an option, data
    │   ├── StudyFileError   a study file: unknown key, wrong type, impossible range
    │   ├── SpaceError       a search space or a parameter of it
    │   ├── DataError        a dataset: missing, malformed, or unfit to learn from
    │   │   └── DamagedDataError  what was prepared of one is gone or damaged, and can be made again
    │   └── UnknownNameError a name that is not among the known ones; it lists them
    └── RunError             the request was right and its execution failed (exit code 1)
        ├── NoWinnerError    a search in which every training was stopped as known bad
        ├── StorageError     the database could not be read or written
        └── ServerError      a server did not answer, or could not do what it was asked for

A message is one sentence or two: what was wrong, where, and what to do next. The command line
prints it as it is; only ``--debug`` shows a traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from hpsearch.writing import in_one_line

__all__ = [
    "DamagedDataError",
    "DataError",
    "HeldError",
    "HpsearchError",
    "NoWinnerError",
    "RunError",
    "ServerError",
    "SpaceError",
    "StorageError",
    "StudyFileError",
    "UnknownNameError",
    "UsageError",
    "nearest",
    "shown",
]


MOST, FEW = 20, 5
"""Of more names than so many, a sentence lists only so few: those most like the given one."""


class HpsearchError(Exception):
    """Something a person can repair; ``exit_code`` is what the command line returns."""

    exit_code = 1

    def __str__(self) -> str:
        r"""The sentence on one line, whatever names of others it holds.

        >>> print(HpsearchError("there is no study 'a\nb\x1b[31m'"))
        there is no study 'a\nb\x1b[31m'
        """
        return in_one_line(super().__str__())


class UsageError(HpsearchError, ValueError):
    """The request itself was wrong.

    Args:
        sentence: the message.
        key: the setting that it is about, if it is about one.
    """

    exit_code = 2

    def __init__(self, sentence: str, *, key: str | None = None) -> None:
        super().__init__(sentence)
        self.key = key


class HeldError(UsageError):
    """Somebody else runs the study."""


class StudyFileError(UsageError):
    """A study file could not be understood.

    Args:
        sentence: the message.
        key: the setting that it is about, with its table.
        line: the line of the file.
    """

    def __init__(self, sentence: str, *, key: str | None = None, line: int | None = None) -> None:
        super().__init__(sentence, key=key)
        self.line = line


class SpaceError(UsageError):
    """A search space, or a parameter of it, makes no sense."""


class DataError(UsageError):
    """A dataset is missing, malformed, or unfit to learn from."""


class DamagedDataError(DataError):
    """Prepared data are gone or damaged; the data set itself may be as it was."""


class UnknownNameError(UsageError):
    """A name that is not among the known ones.

    Args:
        kind: what the name stands for, for example ``"activation"``.
        name: the name that was given.
        known: every name that would have been right.

    >>> raise UnknownNameError("solver", "adan", ["adam", "sgd"])
    Traceback (most recent call last):
    ...
    hpsearch.errors.UnknownNameError: unknown solver 'adan'; did you mean 'adam'? Known: adam, sgd
    """

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        names = list(known)
        close = nearest(str(name), names)
        hint = f"; did you mean {close!r}?" if close else "."
        listed = names
        if len(names) > MOST:
            listed = difflib.get_close_matches(str(name).lower(), names, n=FEW, cutoff=0.0)
        more = f" and {len(names) - len(listed)} more" if len(listed) < len(names) else ""
        super().__init__(f"unknown {kind} {shown(name)}{hint} Known: {', '.join(listed)}{more}")
        self.kind, self.name, self.known = kind, name, names

    @classmethod
    def told(cls, sentence: str) -> UnknownNameError:
        """One that was told in another process, of which the sentence is all that is known."""
        error = cls.__new__(cls, sentence)
        error.kind, error.name, error.known, error.key = "name", "", [], None
        return error

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[str, object, list[str]]]:
        """Pickle with all three arguments, so that the error survives the way from a worker."""
        return UnknownNameError, (self.kind, self.name, self.known)


class RunError(HpsearchError):
    """The request was right, and carrying it out failed."""


class TakenOverError(RunError):
    """Another driver has the study now; what this one had finished is kept."""


class NoWinnerError(RunError):
    """Every training of a search was stopped as known bad, so that none is named."""


class StorageError(RunError):
    """The database could not be read or written."""


class ServerError(RunError):
    """A server did not answer, or could not do what it was asked for.

    Args:
        sentence: the message.
        status: of its answer, as HTTP counts them; None where there was none.
    """

    def __init__(self, sentence: str, *, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


def shown(value: object) -> str:
    """A value of any size as a part of a sentence, at most 60 characters of it.

    >>> shown("ab"), shown("a" * 100)
    ("'ab'", "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...")
    """
    try:
        text = repr(value[:60] if isinstance(value, str | bytes) else value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like the given one, or None when nothing is close.

    >>> nearest("learning_rat", ["width", "learning_rate"])
    'learning_rate'
    """
    spelt = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=0.6)
    return spelt[close[0]] if close else None
