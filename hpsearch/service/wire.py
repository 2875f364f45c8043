"""Jobs and outcomes as JSON: what travels between a server and its agents; nothing is unpickled.

A closed list of classes is written, and read back equal, bit for bit and type by type. What JSON
has no word for is an object with the member ``is``::

    {"is": "tuple", "of": [...]}, {"is": "float", "bits": "7ff0..."}, {"is": "bytes", "base64": ...}
    {"is": "array", "dtype": "<f4", "shape": [2, 3], "order": "C", "base64": ...}
    {"is": "Job", "data": {"is": "DataHandle", "fingerprint": ...}, "seed": 1, ...}

Data travel as their fingerprint; whoever reads says in which folder they are. Code does not travel:
a worker may be asked for the functions of `WORK` only, by their names.
"""

from __future__ import annotations

import base64
import math
import re
import struct
import types
from collections import abc
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from hpsearch.data import DataHandle, Preprocessor
from hpsearch.data.target import Scale
from hpsearch.errors import HpsearchError, UsageError, shown
from hpsearch.nn import NetworkConfig
from hpsearch.outcome import Outcome
from hpsearch.training.diagnosis import Finding
from hpsearch.training.jobs import (
    Job,
    Predictions,
    Refit,
    RefitJob,
    predictions_job,
    refit_job,
    train_job,
)
from hpsearch.training.simple_models import SimpleJob, SimpleResult, simple_job
from hpsearch.trials.estimator import EstimatorJob, LastFit, fit_job, last_job, validation_job

__all__ = [
    "WORK",
    "Call",
    "call_document",
    "from_document",
    "read_call",
    "read_result",
    "to_document",
]


@dataclass(frozen=True)
class Call:
    """A function that a worker may be asked to call.

    Attributes:
        function: of a job.
        job: the class of its job.
        result: the class of what comes of it.
    """

    function: Callable[[Any], Any]
    job: type
    result: type


WORK: Mapping[str, Call] = {
    "train_job": Call(train_job, Job, Outcome),
    "predictions_job": Call(predictions_job, Job, Predictions),
    "refit_job": Call(refit_job, RefitJob, Refit),
    "fit_job": Call(fit_job, EstimatorJob, Outcome),
    "validation_job": Call(validation_job, EstimatorJob, Predictions),
    "last_job": Call(last_job, EstimatorJob, LastFit),
    "simple_job": Call(simple_job, SimpleJob, SimpleResult),
}
"""All of them, by their names."""

CLASSES: Mapping[str, type] = {
    one.__name__: one
    for one in (
        *(Job, RefitJob, EstimatorJob, SimpleJob),
        *(Outcome, Predictions, Refit, LastFit, SimpleResult),
        *(Finding, NetworkConfig, Preprocessor, Scale),
    )
}
"""What is written member by member."""

DEEPEST = 32
"""So many lists and objects may lie within one another; those of a trace are six deep."""

MOST = 4_000_000
"""So many values a document may have, beside what arrays hold."""

LARGEST = 1 << 30
"""So many bytes its texts and arrays may have together."""

GREATEST = 1 << 128
"""Whole numbers lie below; seeds do by far."""

FINGERPRINT = re.compile("[0-9a-f]{16}")
DTYPE = re.compile("[|<>](b1|[iu][1248]|f[248]|c8|c16|[SU][1-9][0-9]{0,5})")


def to_document(value: Any) -> dict[str, Any]:
    """A job or what came of it, in terms of JSON.

    Args:
        value: of one of `CLASSES`.

    Raises:
        UsageError: it is of no such class, or holds what does not travel.

    >>> to_document(Scale(1.0, float("inf")))
    {'is': 'Scale', 'mean': 1.0, 'deviation': {'is': 'float', 'bits': '7ff0000000000000'}}
    """
    name = type(value).__name__
    if CLASSES.get(name) is not type(value):
        raise UsageError(f"a {name} does not travel; what does: {', '.join(CLASSES)}")
    return cast(dict[str, Any], _Writer(name).write(value))


def from_document(document: object, wanted: type | None = None, *, folder: str = "") -> Any:
    """What a document tells of; the inverse of `to_document`, for documents of anybody.

    Args:
        document: read from JSON.
        wanted: the class that is expected; None for any of `CLASSES`.
        folder: where this machine has its data.

    Raises:
        UsageError: it is none, or holds what cannot be; the message says what, and where in it.

    >>> from_document({"is": "Scale", "mean": 1.0, "deviation": 2.0})
    Scale(mean=1.0, deviation=2.0)
    """
    value = _Reader("the document", folder).read(document)
    if type(value) not in ([*CLASSES.values()] if wanted is None else [wanted]):
        known = ", ".join(CLASSES) if wanted is None else wanted.__name__
        raise UsageError(f"the document is {_described(value)}; it is to be {known}")
    return value


def call_document(function: Callable[..., Any], job: Any) -> dict[str, Any]:
    """What a worker is asked for, in terms of JSON: a function's name, and its job.

    Raises:
        UsageError: it is none that may be asked for, or its job does not travel.
    """
    for name, call in WORK.items():
        if call.function is function:
            return {"function": name, "job": to_document(job)}
    raise UsageError(
        f"the function {getattr(function, '__name__', function)!r} does not travel to another "
        f"machine; what does: {', '.join(WORK)}"
    )


def read_call(document: object, folder: str) -> tuple[Call, Any]:
    """What `call_document` wrote: the function, with its classes, and its job.

    Args:
        document: read from JSON.
        folder: where this machine has its data.

    Raises:
        UsageError: it is none, or the job is of another function.
    """
    if not isinstance(document, dict) or set(document) != {"function", "job"}:
        raise UsageError(f"{shown(document)} asks for nothing; it is to have a function and a job")
    name = document["function"]
    if not isinstance(name, str) or name not in WORK:
        raise UsageError(f"{shown(name)} is no function to call; what is: {', '.join(WORK)}")
    call = WORK[name]
    return call, from_document(document["job"], call.job, folder=folder)


def read_result(document: object, function: Callable[..., Any]) -> Any:
    """What came of a call, told by whoever did it.

    Args:
        document: read from JSON.
        function: that was asked for.

    Raises:
        UsageError: it is no result of this function.
    """
    for call in WORK.values():
        if call.function is function:
            return from_document(document, call.result)
    raise UsageError("this is no training, and has a result instead of an outcome")


class _Walk:
    """The way through a value or a document, from its top, and what is left of its bounds."""

    def __init__(self, top: str) -> None:
        self._top, self._path = top, list[str]()
        self._values_left, self._bytes_left = MOST, LARGEST

    def refuse(self, what: str) -> UsageError:
        """A sentence that begins with the place."""
        where = self._top + "".join(self._path)
        return UsageError(f"{where if len(where) < 100 else where[:97] + '...'} {what}")

    def enter(self, part: str) -> None:
        """Go one level down; whoever does goes up again."""
        self._path.append(part)
        if len(self._path) > DEEPEST:
            raise self.refuse(f"lies too deep; at most {DEEPEST} levels travel")

    def leave(self) -> None:
        self._path.pop()

    def count(self, size: int = 0) -> None:
        """Take in a value of so many bytes."""
        self._values_left -= 1
        self._bytes_left -= size
        if self._values_left < 0:
            raise self.refuse(f"is beyond the {MOST:,} values that travel together")
        if self._bytes_left < 0:
            raise self.refuse(f"is beyond the {LARGEST:,} bytes that travel together")

    def plain(self, value: Any) -> Any:
        """A text, a whole number, a truth value or None, which JSON has too."""
        if not isinstance(value, str):
            self.count()
            if value is not None and abs(value) >= GREATEST:
                raise self.refuse("is too great a number to travel")
            return value
        try:
            self.count(len(value.encode()))
        except UnicodeEncodeError:
            raise self.refuse("is a text with half a character, which does not travel") from None
        return value


class _Writer(_Walk):
    """Turns values into documents."""

    def write(self, value: Any) -> Any:
        """A value in terms of JSON."""
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return self.plain(value)
        self.count()
        if kind is float:
            return value if math.isfinite(value) else {"is": "float", "bits": _bits(value)}
        if kind is bytes:
            return {"is": "bytes", "base64": self._base64(value)}
        if kind is list:
            return self._several(value)
        if kind is tuple:
            return {"is": "tuple", "of": self._several(value)}
        if kind is DataHandle:
            return {"is": "DataHandle", "fingerprint": value.fingerprint}
        if CLASSES.get(kind.__name__) is kind:
            return self._instance(value)
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, np.ndarray | np.generic):
            return self._array(value)
        raise self.refuse(f"is a {kind.__name__}, which does not travel")

    def _inner(self, value: Any, part: str) -> Any:
        self.enter(part)
        document = self.write(value)
        self.leave()
        return document

    def _several(self, values: Iterable[Any]) -> list[Any]:
        return [self._inner(value, f"[{k}]") for k, value in enumerate(values)]

    def _instance(self, value: Any) -> dict[str, Any]:
        if isinstance(value, EstimatorJob) and not value.path:
            raise UsageError(
                "the estimator is given in Python, and code does not travel to another machine; "
                "put it into a module, and name that in the study file"
            )
        names = _members(type(value).__name__)
        members = {name: self._inner(getattr(value, name), f".{name}") for name in names}
        return {"is": type(value).__name__, **members}

    def _mapping(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        if "is" not in value and all(type(key) is str for key in value):
            return {self.plain(k): self._inner(one, f".{k[:30]}") for k, one in value.items()}
        return {"is": "dict", "of": [self._several(pair) for pair in value.items()]}

    def _array(self, value: Any) -> dict[str, Any]:
        name = value.dtype.str
        if not DTYPE.fullmatch(name):
            raise self.refuse(f"is of the type {value.dtype}, which does not travel")
        if isinstance(value, np.generic):
            return {"is": "scalar", "dtype": name, "base64": self._base64(value.tobytes())}
        by_columns = value.flags.f_contiguous and not value.flags.c_contiguous
        return {
            "is": "array",
            "dtype": name,
            "shape": list(value.shape),
            "order": "F" if by_columns else "C",
            "base64": self._base64(value.tobytes("F" if by_columns else "C")),
        }

    def _base64(self, content: bytes) -> str:
        self.count(len(content))
        return base64.b64encode(content).decode("ascii")


class _Reader(_Walk):
    """Turns documents, which may hold anything, into values."""

    def __init__(self, top: str, folder: str) -> None:
        super().__init__(top)
        self._folder = folder

    def read(self, document: object) -> Any:
        """The value that a document stands for."""
        if document is None or isinstance(document, bool | int | str):
            return self.plain(document)
        self.count()
        if isinstance(document, float) and math.isfinite(document):
            return document
        if isinstance(document, list):
            return self._several(document)
        if not isinstance(document, dict):
            raise self.refuse(f"is {shown(document)}, which is no JSON")
        if "is" in document:
            return self._tagged(document)
        return {self.plain(str(k)): self._inner(v, f".{k!s:.30}") for k, v in document.items()}

    def _inner(self, document: object, part: str) -> Any:
        self.enter(part)
        value = self.read(document)
        self.leave()
        return value

    def _several(self, documents: object) -> list[Any]:
        if not isinstance(documents, list):
            raise self.refuse(f"is of {shown(documents)}, which is no list")
        return [self._inner(one, f"[{k}]") for k, one in enumerate(documents)]

    def _tagged(self, document: dict[Any, Any]) -> Any:
        name = document["is"]
        if isinstance(name, str) and name in CLASSES:
            return self._instance(CLASSES[name], document)
        if not isinstance(name, str) or name not in PARTS:
            raise self.refuse(f"says that it is {shown(name)}, which nobody knows")
        self._check_members(name, document, PARTS[name])
        given = {key: one for key, one in document.items() if key != "is"}
        match name:
            case "tuple":
                return tuple(self._several(given["of"]))
            case "dict":
                return self._pairs(given["of"])
            case "float":
                return self._number(given["bits"])
            case "bytes":
                return self._bytes(given["base64"])
            case "scalar":
                return self._array(shape=[], order="C", **given)[()]
            case "array":
                return self._array(**given)
        return DataHandle(self._folder, self._fingerprint(given["fingerprint"]))

    def _check_members(self, name: str, document: dict[Any, Any], wanted: Iterable[str]) -> None:
        given = document.keys() - {"is"}
        if more := sorted(given.difference(wanted), key=str):
            raise self.refuse(f"is a {name}, which has no {shown(more[0])}")
        if missing := [one for one in wanted if one not in given]:
            raise self.refuse(f"is a {name} without {missing[0]!r}")

    def _instance(self, kind: type, document: dict[Any, Any]) -> Any:
        hints = _members(kind.__name__)
        self._check_members(kind.__name__, document, hints)
        values = {}
        for name, hint in hints.items():
            values[name] = self._inner(document[name], f".{name}")
            if not _is(values[name], hint):
                raise self.refuse(
                    f"is a {kind.__name__} whose {name} is {_described(values[name])}"
                )
        try:
            value = kind(**values)
            _check(value)
        except (HpsearchError, ArithmeticError, IndexError, TypeError, ValueError) as error:
            raise self.refuse(f"is no sound {kind.__name__}: {error}") from None
        return value

    def _pairs(self, documents: object) -> dict[Any, Any]:
        pairs = self._several(documents)
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            raise self.refuse("is a dict, and not of keys and values")
        if not all(isinstance(key, KEYS) for key, _ in pairs):
            raise self.refuse("is a dict with a key of many values")
        return dict(pairs)

    def _number(self, bits: object) -> float:
        if not isinstance(bits, str) or not re.fullmatch("[0-9a-f]{16}", bits):
            raise self.refuse(f"has {shown(bits)} as the bits of a number")
        return cast(float, struct.unpack(">d", bytes.fromhex(bits))[0])

    def _fingerprint(self, text: object) -> str:
        if not isinstance(text, str) or not FINGERPRINT.fullmatch(text):
            raise self.refuse(f"has {shown(text)}, which is no fingerprint")
        return text

    def _bytes(self, text: object) -> bytes:
        if not isinstance(text, str):
            raise self.refuse(f"has {shown(text)} as its bytes")
        self.count(len(text) // 4 * 3)
        try:
            return base64.b64decode(text.encode("ascii"), validate=True)
        except ValueError:
            raise self.refuse(f"has {shown(text)} as its bytes, which is no base64") from None

    def _array(self, *, dtype: object, shape: object, order: object, base64: object) -> np.ndarray:
        if not isinstance(dtype, str) or not DTYPE.fullmatch(dtype):
            raise self.refuse(f"is of the type {shown(dtype)}, which does not travel")
        if not isinstance(shape, list) or len(shape) > 32 or not all(map(_is_size, shape)):
            raise self.refuse(f"has {shown(shape)} as its shape")
        if order != "C" and order != "F":
            raise self.refuse(f"has {shown(order)} as its order; C and F are known")
        content, cells = self._bytes(base64), np.dtype(dtype)
        # A shape with a 0 in it may have other sizes, of which NumPy takes not all.
        if math.prod(size or 1 for size in shape) > LARGEST or (
            math.prod(shape) * cells.itemsize != len(content)
        ):
            raise self.refuse(
                f"has {len(content):,} bytes, and with {dtype} and the shape {shown(shape)} "
                "another size"
            )
        flat = np.frombuffer(content, cells).copy()
        if not _are_values(flat):
            raise self.refuse(f"holds what is no value of {dtype}")
        return flat.reshape(shape, order="C" if order == "C" else "F")


PARTS: Mapping[str, tuple[str, ...]] = {
    "tuple": ("of",),
    "dict": ("of",),
    "float": ("bits",),
    "bytes": ("base64",),
    "scalar": ("dtype", "base64"),
    "array": ("dtype", "shape", "order", "base64"),
    "DataHandle": ("fingerprint",),
}
"""What the objects have that are of none of `CLASSES`."""

KEYS = str | int | float | bytes | np.generic | None
"""What may be the key of a mapping."""


@cache
def _members(name: str) -> dict[str, Any]:
    """The members of a class, and their types."""
    kind = CLASSES[name]
    hints = get_type_hints(kind, localns={"Finding": Finding})
    names = [f.name for f in fields(kind)] if is_dataclass(kind) else Finding._fields
    return {name: hints[name] for name in names}


def _is(value: Any, hint: Any) -> bool:
    """Whether a value is what a member's type says."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin is Union or origin is types.UnionType:
        return any(_is(value, one) for one in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is tuple:
        return isinstance(value, tuple) and all(_is(one, inner[0]) for one in value)
    if origin is abc.Mapping:
        return isinstance(value, dict) and all(
            _is(key, inner[0]) and _is(one, inner[1]) for key, one in value.items()
        )
    if origin is np.ndarray:
        (cells,) = get_args(inner[1])
        return isinstance(value, np.ndarray) and (cells is Any or value.dtype == np.dtype(cells))
    if hint is float:
        return isinstance(value, float | np.floating) or _is(value, int)
    if hint is int:
        return isinstance(value, int | np.integer) and not isinstance(value, bool)
    return isinstance(value, type(None) if hint is None else hint)


def _check(value: Any) -> None:
    """Make sure of what the types of its members do not tell.

    Raises:
        HpsearchError: it does not hold.
        ValueError: likewise.
    """
    if isinstance(value, Preprocessor):
        sound = Preprocessor.from_state(value.state())
        if not np.array_equal(sound.start, value.start):
            raise ValueError("it has curves without points")
    if isinstance(value, Scale) and not (math.isfinite(value.mean) and value.deviation > 0):
        raise ValueError(f"its deviation is {value.deviation}, and its mean {value.mean}")
    if isinstance(value, Predictions) and not (
        len(value.predictions) == len(value.y) == len(value.weight)
    ):
        raise ValueError("it has not as many targets as predictions")
    if isinstance(value, Outcome):
        if not math.isfinite(value.score):
            raise ValueError(f"its score is {value.score}")
        if value.steps and len(value.steps) != len(value.curve):
            raise ValueError(f"it has {len(value.curve)} scores at {len(value.steps)} steps")
        if any(one >= other for one, other in pairwise(value.steps)):
            raise ValueError("its steps do not rise")


def _are_values(flat: np.ndarray) -> bool:
    """Whether bytes stand for values of their type, unlike a true of 2."""
    if flat.dtype.kind == "b":
        return bool((flat.view(np.uint8) < 2).all())
    if flat.dtype.kind == "U":
        return bool((flat.view(flat.dtype.str[0] + "u4") < 0x110000).all())
    return True


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    if is_dataclass(value):
        name = type(value).__name__
        return f"an {name}" if name[0] in "AEIO" else f"a {name}"
    return shown(value)


def _is_size(size: object) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= LARGEST


def _bits(value: float) -> str:
    return struct.pack(">d", value).hex()
