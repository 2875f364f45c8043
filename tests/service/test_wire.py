"""Jobs and outcomes as JSON: read back bit for bit, and hostile documents refused."""

from __future__ import annotations

import copy
import json
import math
import random
import struct
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from hpsearch.data import DataHandle, Preprocessor
from hpsearch.data.target import Scale
from hpsearch.errors import UsageError
from hpsearch.nn import Network, NetworkConfig
from hpsearch.objectives.estimator import EstimatorObjective
from hpsearch.objectives.network import NetworkObjective
from hpsearch.objectives.with_rows import WithRows
from hpsearch.outcome import Outcome
from hpsearch.service import wire
from hpsearch.service.wire import (
    WORK,
    call_document,
    from_document,
    read_call,
    read_result,
    to_document,
)
from hpsearch.training.diagnosis import Finding
from hpsearch.training.jobs import Job, Predictions, Refit, RefitJob, predictions_job, train_job
from hpsearch.training.simple_models import SimpleJob, SimpleResult
from hpsearch.trials.command import run_job
from hpsearch.trials.estimator import EstimatorJob, LastFit, fit_job

HANDLE = DataHandle("/somewhere", "0123456789abcdef")


def test_a_call_is_read_back_in_the_folder_of_the_reader() -> None:
    job = Job(HANDLE, {"width": 64, "activation": "relu", "l2": 1e-4, "patience": None}, 7, 20)
    document = json.loads(json.dumps(call_document(train_job, job)))
    assert "/somewhere" not in json.dumps(document)
    call, again = read_call(document, "/elsewhere")
    assert call is WORK["train_job"]
    assert again == Job(DataHandle("/elsewhere", HANDLE.fingerprint), *list(vars(job).values())[1:])


@pytest.mark.parametrize("objective", [NetworkObjective, EstimatorObjective])
def test_what_objectives_with_rows_ask_for_travels(objective: type[WithRows]) -> None:
    functions = [call.function for call in WORK.values()]
    assert objective.work in functions
    assert objective.said in functions


def preprocessors() -> Iterator[Preprocessor]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3)).astype(np.float32)
    X[:, 2] = rng.integers(0, 80, 90)
    X[3, 0] = np.nan
    names = tuple(map(str, range(80)))
    for kind in ("none", "standardize", "robust", "quantile", "whiten"):
        yield Preprocessor.fit(X, kind)
        yield Preprocessor.fit(X, kind, categories={2: names}, y=rng.normal(size=90))


def refits() -> Iterator[Refit]:
    config = NetworkConfig((4, 3), activation="maxout", batch_norm=True, loss="squared-error")
    for preprocessor in preprocessors():
        rng = np.random.default_rng(1)
        state = Network(preprocessor.n_features_out, 1, config, rng=rng).state()
        yield Refit(rng.normal(size=7), config, state, preprocessor, Scale(0.1, 3.0), False)


REFITS = [*refits()]
floats = st.floats() | st.floats(width=32).map(np.float32) | st.floats().map(np.float64)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**100), 2**100)
    | texts
    | floats
    | st.binary()
    | st.integers(-(2**31), 2**31 - 1).map(np.int32)
)
dtypes = (
    nps.boolean_dtypes()
    | nps.integer_dtypes(endianness="?")
    | nps.unsigned_integer_dtypes(endianness="?")
    | nps.floating_dtypes(endianness="?", sizes=(16, 32, 64))
    | nps.complex_number_dtypes(endianness="?", sizes=(64, 128))
    | nps.byte_string_dtypes(endianness="?")
    | nps.unicode_string_dtypes(endianness="?")
)
arrays = nps.arrays(dtypes, nps.array_shapes(min_dims=0, min_side=0))
turned = arrays.map(lambda array: array.T)
anything = st.recursive(
    values | arrays | turned,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(texts | st.just("is"), inner, max_size=3)
        | st.dictionaries(st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=8,
)
finite = st.floats(allow_nan=False, allow_infinity=False)
outcomes = st.builds(
    Outcome,
    finite | finite.map(np.float64),
    complete=st.booleans(),
    curve=st.lists(floats.map(float), max_size=4).map(tuple),
    losses=st.lists(floats, max_size=4).map(tuple),
    fold_scores=st.lists(floats, max_size=4).map(tuple),
    test_score=st.none() | floats,
    worker=texts,
    findings=st.lists(st.builds(Finding, st.just("plateau"), texts, st.booleans()), max_size=2).map(
        tuple
    ),
    snapshots=st.none() | st.dictionaries(texts, anything, max_size=3),
    also=st.dictionaries(texts, floats, max_size=3),
    tail=texts,
)
jobs = (
    st.builds(
        Job,
        st.just(HANDLE),
        st.dictionaries(texts, st.none() | st.booleans() | finite | texts, max_size=4),
        st.integers(0, 2**32),
        st.integers(1, 100),
        also=st.lists(texts, max_size=2).map(tuple),
        class_weights=st.none() | st.lists(finite, max_size=3).map(tuple),
    )
    | st.builds(RefitJob, st.just(HANDLE), st.just({"width": 3}), st.integers(), st.integers())
    | st.builds(SimpleJob, st.just(HANDLE), texts, st.integers(), floats.map(float))
    | st.builds(
        EstimatorJob,
        *(st.just(HANDLE), texts.filter(bool), texts, st.dictionaries(texts, anything, max_size=3)),
        *(st.integers(), st.integers(), texts, st.none() | texts, floats.map(float)),
        *(st.lists(texts, max_size=3).map(tuple), texts),
    )
)
matrices = nps.arrays(np.float32, nps.array_shapes(max_dims=2)).map(lambda array: array.T)
results = (
    st.builds(
        lambda p: Predictions(1.0, True, (p, p), (p, p), (None, p)),
        matrices,
    )
    | st.builds(SimpleResult, matrices.map(lambda a: a.astype(np.float64)), finite, texts)
    | st.builds(
        LastFit,
        matrices,
        st.binary(),
        st.integers(0, 9).map(lambda k: REFITS[k].preprocessor),
    )
    | st.integers(0, 9).map(lambda k: REFITS[k])
)


@given(outcomes | jobs | results)
@settings(max_examples=300, deadline=None)
def test_what_travels_arrives_bit_for_bit(value: Any) -> None:
    document = json.loads(json.dumps(to_document(value), allow_nan=False))
    again = from_document(document, type(value), folder=HANDLE.folder)
    assert same(again, value), (again, value)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same, to the type of every number and the last bit of it."""
    if type(one) is not type(other):
        return isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
    if isinstance(one, np.ndarray | np.generic):
        return (
            (one.dtype.str, one.shape) == (other.dtype.str, other.shape)
            and one.tobytes() == other.tobytes()
            and (isinstance(one, np.generic) or one.flags.f_contiguous == other.flags.f_contiguous)
        )
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            same(a, b) and same(one[a], other[b]) for a, b in zip(one, other, strict=True)
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def test_what_is_given_in_python_does_not_travel() -> None:
    job = EstimatorJob(HANDLE, "", "", {}, 0, 1, "", None, 1.0, ("a",), "accuracy")
    with pytest.raises(UsageError, match="given in Python, and code does not travel"):
        call_document(fit_job, job)
    with pytest.raises(UsageError, match="'run_job' does not travel to another machine"):
        call_document(run_job, None)
    with pytest.raises(UsageError, match="a dict does not travel"):
        to_document({})
    with pytest.raises(UsageError, match=r"Job.configuration.x is a set, which does not"):
        to_document(Job(HANDLE, {"x": set()}, 0, 1))  # type: ignore[dict-item]
    with pytest.raises(UsageError, match="is of the type object"):
        to_document(Outcome(1.0, snapshots={"x": np.array([None])}))
    with pytest.raises(UsageError, match="half a character"):
        to_document(Outcome(1.0, tail="\ud800"))
    deep: list[Any] = []
    deep.append(deep)
    with pytest.raises(UsageError, match="too deep"):
        to_document(Outcome(1.0, snapshots={"x": deep}))


ARRAY = {"is": "array", "dtype": "<f4", "shape": [1], "order": "C", "base64": "AAAAAA=="}
OUTCOME = to_document(Outcome(0.5))


def with_snapshot(value: Any) -> dict[str, Any]:
    return {**OUTCOME, "snapshots": {"x": value}}


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (None, "is None; it is to be Job"),
        ([1], r"is \[1\]; it is to be"),
        ({"is": "os.system"}, "says that it is 'os.system', which nobody knows"),
        ({"is": ["Job"]}, "which nobody knows"),
        ({"is": "Scale", "mean": 0.0}, "is a Scale without 'deviation'"),
        ({"is": "Scale", "mean": 0.0, "deviation": 1.0, "x": 1}, "has no 'x'"),
        ({"is": "Scale", "mean": "0", "deviation": 1.0}, "a Scale whose mean is '0'"),
        ({"is": "Scale", "mean": True, "deviation": 1.0}, "a Scale whose mean is True"),
        ({"is": "Scale", "mean": 0.0, "deviation": 0.0}, "is no sound Scale: its deviation is 0.0"),
        ({**OUTCOME, "score": {"is": "float", "bits": "7ff8000000000000"}}, "its score is nan"),
        ({**OUTCOME, "score": math.nan}, "document.score is nan, which is no JSON"),
        ({**OUTCOME, "steps": {"is": "tuple", "of": [1]}}, "0 scores at 1 steps"),
        ({**OUTCOME, "findings": {"is": "tuple", "of": [1]}}, "whose findings is"),
        ({**OUTCOME, "curve": [1.0]}, r"whose curve is \[1.0\]"),
        (with_snapshot(1 << 200), "document.snapshots.x is too great a number"),
        (with_snapshot("\ud800"), "half a character"),
        (with_snapshot({"is": "bytes", "base64": "a"}), "no base64"),
        (with_snapshot({"is": "bytes", "base64": "ä"}), "no base64"),
        (with_snapshot({"is": "float", "bits": "0x1"}), "as the bits of a number"),
        (with_snapshot({"is": "dict", "of": [[1]]}), "not of keys and values"),
        (with_snapshot({"is": "dict", "of": [[[1], 2]]}), "key of many values"),
        (with_snapshot({"is": "tuple", "of": 1}), "which is no list"),
        (with_snapshot({**ARRAY, "dtype": "|O"}), r"of the type '\|O', which does not travel"),
        (with_snapshot({**ARRAY, "dtype": "<f4,<f4"}), "which does not travel"),
        (with_snapshot({**ARRAY, "dtype": "<U0"}), "which does not travel"),
        (with_snapshot({**ARRAY, "shape": [1 << 60]}), "as its shape"),
        (with_snapshot({**ARRAY, "shape": [1 << 29, 1 << 29]}), "another size"),
        (with_snapshot({**ARRAY, "shape": [0, 1 << 29, 1 << 29], "base64": ""}), "another size"),
        (with_snapshot({**ARRAY, "shape": [-1]}), "as its shape"),
        (with_snapshot({**ARRAY, "shape": [True]}), "as its shape"),
        (with_snapshot({**ARRAY, "shape": [1] * 40}), "as its shape"),
        (with_snapshot({**ARRAY, "shape": [2]}), "another size"),
        (with_snapshot({**ARRAY, "order": "A"}), "C and F are known"),
        (with_snapshot({**ARRAY, "dtype": "|b1", "base64": "Ag=="}), "no value of"),
        (with_snapshot({**ARRAY, "dtype": "<U1", "base64": "/////w=="}), "no value of"),
        (with_snapshot({"is": "DataHandle", "fingerprint": "../../etc"}), "is no fingerprint"),
        (with_snapshot({"is": "DataHandle", "fingerprint": "0" * 17}), "is no fingerprint"),
    ],
)
def test_a_hostile_document_is_refused_in_a_sentence(document: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        from_document(document)
    assert len(str(refused.value)) < 500


def test_a_document_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(UsageError, match="lies too deep"):
        from_document(with_snapshot(deep))
    long = {"k" * 10_000: {"m" * 10_000: {"n" * 1000: {"o" * 1000: {"is": 1}}}}}
    with pytest.raises(UsageError, match=r"\.\.\. says"):  # a place may be named at any length
        from_document(with_snapshot(long))
    monkeypatch.setattr(wire, "MOST", 1000)
    with pytest.raises(UsageError, match="beyond the 1,000 values that travel together"):
        from_document(with_snapshot([[0] * 100] * 10))
    monkeypatch.setattr(wire, "LARGEST", 1000)
    with pytest.raises(UsageError, match="beyond the 1,000 bytes that travel together"):
        from_document(with_snapshot(["x" * 100] * 10))
    with pytest.raises(UsageError, match="beyond the 1,000 bytes that travel together"):
        to_document(Outcome(1.0, snapshots={"x": np.zeros(126)}))


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({}, "asks for nothing"),
        ({"function": "eval", "job": {}}, "'eval' is no function to call"),
        ({"function": ["eval"], "job": {}}, "is no function to call"),
        ({"function": "train_job", "job": to_document(SimpleJob(HANDLE, "linear", 0, 1.0))},
         "is a SimpleJob; it is to be Job"),
    ],
)  # fmt: skip
def test_a_hostile_call_is_refused(document: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read_call(document, "/elsewhere")


def test_a_result_is_that_of_its_function() -> None:
    assert read_result(OUTCOME, train_job) == Outcome(0.5)
    with pytest.raises(UsageError, match="is an Outcome; it is to be Predictions"):
        read_result(OUTCOME, predictions_job)
    with pytest.raises(UsageError, match="this is no training"):
        read_result(OUTCOME, run_job)


def test_whatever_is_changed_in_a_document_it_is_read_or_refused() -> None:
    """Mutations of real documents: a value moved, dropped, or put in another's place."""
    rng = random.Random(0)
    whole = [to_document(one) for one in [next(refits()), Outcome(0.5, curve=(0.1, 0.5))]]
    whole.append(call_document(predictions_job, Job(HANDLE, {"width": 3}, 0, 1))["job"])
    odd = [None, True, -1, 1e300, "", "x", [], {}, ARRAY, {"is": "tuple", "of": []}, OUTCOME]
    for _ in range(3000):
        document = copy.deepcopy(rng.choice(whole))
        for _ in range(rng.randint(1, 3)):
            place = rng.choice([*places(document)])
            key = rng.choice(list(place))
            change = rng.random()
            if change < 0.2:
                del place[key]
            else:
                place[key] = copy.deepcopy(rng.choice(odd))
        try:
            from_document(document)
        except UsageError as error:
            assert len(str(error)) < 600  # noqa: PT017


def places(document: Any) -> Iterator[dict[str, Any]]:
    if isinstance(document, dict):
        if document:
            yield document
        for value in document.values():
            yield from places(value)
    if isinstance(document, list):
        for value in document:
            yield from places(value)
