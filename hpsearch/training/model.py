"""Trained networks with all that prediction needs, in one file without pickles.

The file is a NumPy ``.npz``: the arrays of each network and of its preprocessing, and one JSON text
with the architectures, the classes, the columns and where the model came from. Of several
networks the probabilities, or the values of a quantity, are averaged.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from hpsearch.data.account import PARTS
from hpsearch.data.arrays import member_sizes, read_members
from hpsearch.data.dataset import check_size
from hpsearch.data.files import first_line, whole_path
from hpsearch.data.in_memory import numbers_of
from hpsearch.data.preprocessing import Preprocessor
from hpsearch.data.target import Scale
from hpsearch.errors import DataError, UsageError, shown
from hpsearch.metrics import DEFAULT, POSITIVE, Metric, Task, metric_named
from hpsearch.metrics.threshold import labels_by
from hpsearch.nn import Network, NetworkConfig, state_shapes
from hpsearch.shapes import a_number, fits
from hpsearch.training.fitted import Fitted
from hpsearch.writing import json_text, write_whole

if TYPE_CHECKING:
    from hpsearch.data.features import Wanted

__all__ = ["Member", "Model"]

FORMAT = 1
"""The version of the file's layout."""

LONGEST_ABOUT = 1 << 25
"""The JSON text of a model file is at most so many bytes: read, it takes some twenty times that."""

CHUNK_CELLS = 1 << 25
"""Rows are predicted in pieces, of so many cells after preprocessing."""

ABOUT = {
    "format": int,
    "networks": [dict],
    "classes": [(str, int)],
    "feature_names": [str],
    "categories": dict,
    "origin": dict,
    "decimal_comma": [str],
}
"""What that text has; see `fits`."""


@dataclass(frozen=True)
class Member:
    """One trained network and what is done to the columns before it.

    Attributes:
        network: the architecture.
        state: the network's arrays, as `Network.state` gives them.
        preprocessor: fitted on the rows that the network was trained on.
        scale: of a quantity, on the same rows; None where it tells classes apart.
    """

    network: NetworkConfig
    state: Mapping[str, np.ndarray]
    preprocessor: Preprocessor
    scale: Scale | None = None


@dataclass(frozen=True)
class Model:
    """What a study came to, as it was tested: columns in, labels or values out.

    Attributes:
        members: one trained network, or the several of an ensemble.
        classes: the labels, in the order of the networks' outputs; none of a quantity.
        feature_names: the columns that it reads.
        categories: for each categorical column, by its index, the names of its codes.
        origin: where it came from (study, configuration, scores); any JSON.
        decimal_comma: the columns whose numbers were written with a decimal comma.
        dates: columns that are made of dates, as in `hpsearch.data.account.Account`.
        threshold: of two classes the code of one, and from which probability on a row gets its
            label; None for the likelier one.
        fitted: estimators of scikit-learn's kind, whose answers are averaged with the networks'.
    """

    members: tuple[Member, ...]
    classes: tuple[str | int, ...]
    feature_names: tuple[str, ...]
    categories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    decimal_comma: tuple[str, ...] = ()
    dates: Mapping[str, tuple[str, str, bool]] = field(default_factory=dict)
    threshold: tuple[int, float] | None = None
    fitted: tuple[Fitted, ...] = ()

    def __repr__(self) -> str:
        """What it is of, without its thousands of numbers."""
        what = f"{len(self.classes)} classes" if self.classes else "a quantity"
        of = " and ".join(
            f"{len(found)} {one}s" if len(found) > 1 else f"a{'n' * (one[0] in 'aeiou')} {one}"
            for found, one in ((self.members, "network"), (self.fitted, "estimator"))
            if found
        )
        return f"<Model: {of}, {len(self.feature_names)} columns to {what}>"

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class; of an ensemble the mean over its members.

        Args:
            X: a data frame (pandas, Polars) or an Arrow table with the columns `feature_names`, in
                any order, as the model learned from them; what is odd about it is logged. Or an
                array (n, d) of these columns, with categorical ones as codes and NaN for missing.

        Returns:
            (n, classes) rows that sum to one.

        Raises:
            DataError: a column is missing or unlike what the model learned from, or X holds
                infinite values.
            UsageError: the model predicts a quantity.
        """
        if self.task == "regression":
            raise UsageError(
                "the model predicts a quantity, which has no probabilities; ask for it"
            )
        X = self._samples(X)
        chances = np.zeros((len(X), len(self.classes)), dtype=np.float32)
        for _, network, rows, prepared in self._pieces(X):
            chances[rows] += network.predict_proba(prepared)
        for other in self.fitted:
            chances += other.answers(X)
        return self._answers(chances)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest label of each row, or its quantity in the target's own units, (n,).

        Args:
            X: as for `predict_proba`.

        Raises:
            DataError: likewise.
        """
        if self.task == "classification":
            labels: np.ndarray = np.asarray(self.classes)[self.codes(self.predict_proba(X))]
            return labels
        X = self._samples(X)
        values = np.zeros((len(X), 1))
        for member, network, rows, prepared in self._pieces(X):
            assert member.scale is not None, "it was checked as the model was made"
            values[rows, 0] += member.scale.restored(network.predict_outputs(prepared))
        for other in self.fitted:
            values[:, 0] += other.answers(X)
        return self._answers(values)[:, 0]

    def codes(self, probabilities: np.ndarray) -> np.ndarray:
        """The class code that each row gets (n,): by the threshold, or of the likeliest class."""
        if self.threshold is None:
            codes: np.ndarray = probabilities.argmax(axis=1)
            return codes
        positive, least = self.threshold
        return labels_by(least, probabilities, positive)

    def answers(self, X: np.ndarray) -> np.ndarray:
        """What metrics read: probabilities (n, classes), or a quantity (n,); see `predict`."""
        return self.predict_proba(X) if self.classes else self.predict(X)

    @property
    def wanted(self) -> Wanted:
        """What it reads of a table."""
        from hpsearch.data.features import Wanted

        return Wanted(self.feature_names, self.categories, self.decimal_comma, self.dates)

    @property
    def target(self) -> str | None:
        """The column that it learned to predict; None where that is not known."""
        target = self.origin.get("target")
        return target if isinstance(target, str) else None

    @property
    def weight(self) -> str | None:
        """The column that said how much each row counts; None where all counted the same."""
        weight = self.origin.get("weight")
        return weight if isinstance(weight, str) else None

    @property
    def metric(self) -> Metric:
        """The metric that it was chosen by.

        Raises:
            HpsearchError: the file says one that does not fit it.
        """
        name, positive = self.origin.get("metric"), self.origin.get("positive")
        return metric_named(
            name if isinstance(name, str) else DEFAULT[self.task],
            self.task,
            len(self.classes),
            positive if positive in (0, 1) else POSITIVE,
        )

    @property
    def task(self) -> Task:
        """What it predicts: classes or a quantity."""
        return "classification" if self.classes else "regression"

    @property
    def preprocessors(self) -> list[Preprocessor]:
        """What is done to the columns, by each member that does it."""
        parts = [member.preprocessor for member in self.members]
        own = (one.preprocessor for one in self.fitted)
        return [*parts, *(part for part in own if part is not None)]

    def _samples(self, X: Any) -> np.ndarray:
        """A data frame or an array as an array."""
        if isinstance(X, np.ndarray):
            return X
        from hpsearch.data.frames import FRAME, as_table, is_frame

        if not is_frame(X):
            return np.asarray(numbers_of("X", X))
        from hpsearch.data.features import features_of

        return features_of(FRAME, as_table(FRAME, X), self.wanted)

    def _pieces(self, X: np.ndarray) -> Iterator[tuple[Member, Network, slice, np.ndarray]]:
        """Each network, and some rows at a time as it wants them."""
        X = np.asarray(numbers_of("X", X), dtype=np.float32)
        if X.ndim != 2 or X.shape[1] != len(self.feature_names):
            raise DataError(
                f"the model reads {len(self.feature_names)} columns, X has the shape {X.shape}"
            )
        check_size("the table of predictions", len(X), max(1, len(self.classes)))
        for member, network in self.networks:
            width = member.preprocessor.n_features_out
            size = 512 * max(1, CHUNK_CELLS // (512 * width))
            for start in range(0, len(X), size):
                rows = slice(start, start + size)
                yield member, network, rows, member.preprocessor.transform(X[rows])

    def _answers(self, sums: np.ndarray) -> np.ndarray:
        """The means over the networks, once they are all numbers."""
        sums /= len(self.members) + len(self.fitted)
        unknown = np.flatnonzero(~np.isfinite(sums).all(axis=1))
        if len(unknown):
            raise DataError(
                f"the model's answer for row {unknown[0] + 1} is not a number; are the row's "
                "values far from those that it learned from?"
            )
        return sums

    @property
    def networks(self) -> list[tuple[Member, Network]]:
        """Its members, each with its network."""
        return list(zip(self.members, self._built, strict=True))

    @cached_property
    def _built(self) -> list[Network]:
        if not self.members and not self.fitted:
            raise DataError("a model needs at least one network, and this one has none")
        return [self._build(member) for member in self.members]

    def _build(self, member: Member) -> Network:
        preprocessor = member.preprocessor
        if preprocessor.n_features_in != len(self.feature_names):
            raise DataError(
                f"the model reads {len(self.feature_names)} columns, and a network of it "
                f"{preprocessor.n_features_in}"
            )
        if (member.scale is None) != (self.task == "classification"):
            raise DataError("a network learned something else than the model predicts")
        shape = (preprocessor.n_features_out, len(self.classes) or 1, member.network)
        check_size("the model", 1, max(*shape[:2], len(preprocessor.mean)))
        for name, size in state_shapes(*shape).items():  # before the network takes memory for them
            array = member.state.get(name)
            if array is None or array.shape != size or array.dtype.kind != "f":
                raise DataError(f"a network's array {name!r} does not fit its layers")
            if not np.isfinite(array).all():
                raise DataError(f"a network's array {name!r} has values that are no numbers")
        network = Network(*shape, rng=np.random.default_rng(0))
        network.load_state(member.state)
        if any((layer.running[1:] < 0).any() for layer in network.layers):
            raise DataError("a network has a negative variance")
        return network

    def to_bytes(self) -> bytes:
        """The content of the model file."""
        about = {
            "format": FORMAT,
            "networks": [dataclasses.asdict(member.network) for member in self.members],
            "classes": list(self.classes),
            "feature_names": list(self.feature_names),
            "categories": {str(k): list(v) for k, v in self.categories.items()},
            "origin": dict(self.origin),
            "decimal_comma": list(self.decimal_comma),
            "dates": {name: list(part) for name, part in self.dates.items()},
        }
        if self.task == "regression":
            scales = [member.scale for member in self.members]
            about["scales"] = [dataclasses.astuple(scale) for scale in scales if scale is not None]
        if self.threshold is not None:
            about["threshold"] = list(self.threshold)
        arrays: dict[str, np.ndarray] = {}
        for n, member in enumerate(self.members):
            arrays |= {f"{n}/network/{k}": v for k, v in member.state.items()}
            state = member.preprocessor.state()
            arrays |= {f"{n}/preprocessing/{k}": v for k, v in state.items()}
        for n, one in enumerate(self.fitted):
            arrays[f"{n}/fitted"] = np.frombuffer(one.content, np.uint8)
            if one.columns:
                about["frame"] = sorted(one.categories)
            if one.preprocessor is not None:
                state = one.preprocessor.state()
                arrays |= {f"{n}/fitted/{k}": v for k, v in state.items()}
        arrays["about"] = np.frombuffer(json_text(about).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the model file, whole or not at all.

        Raises:
            UsageError: the path cannot be written.
        """
        path = Path(path)
        try:
            write_whole(path, self.to_bytes())
        except OSError as error:
            raise UsageError(f"cannot write the model to {path}: {error.strerror}") from None
        return path

    @classmethod
    def load(cls, path: str | Path, *, trusted: Sequence[str] = ()) -> Model:
        """Read a model file.

        Args:
            path: of the file.
            trusted: what it may import beside scikit-learn, LightGBM and XGBoost, for an estimator
                with parts of your own: classes, or all of a module, by their full names.

        Raises:
            DataError: there is no such file, or it is not a model of hpsearch.
        """
        try:
            path = whole_path(path)
            if path.exists() and not path.is_file():
                raise DataError(f"cannot read the model {path}: it is no file")
            with path.open("rb") as file:
                return cls._read(file, path.stat().st_size, str(path), trusted)
        except OSError as error:
            raise DataError(f"cannot read the model {path}: {error.strerror or error}") from None

    @classmethod
    def from_bytes(
        cls, content: bytes, *, name: str = "the model", trusted: Sequence[str] = ()
    ) -> Model:
        """Read the content of a model file; nothing in it is ever executed.

        Raises:
            DataError: the content is not a model of hpsearch.
        """
        return cls._read(io.BytesIO(content), len(content), name, trusted)

    @classmethod
    def _read(cls, file: IO[bytes], packed: int, name: str, trusted: Sequence[str] = ()) -> Model:
        with _damage_named(name), zipfile.ZipFile(file) as archive:
            sizes = member_sizes(archive)
            if sizes.get("about", 0) > LONGEST_ABOUT:
                raise DataError(f"its description has {sizes['about']:,} bytes")
            arrays = read_members(name, archive, sizes, packed)
            about = json.loads(arrays.pop("about").tobytes().decode())
            if not fits(about, ABOUT):
                raise DataError("its description has another shape")
        if about["format"] != FORMAT:
            raise DataError(
                f"{name} was written by another hpsearch (format {shown(about['format'])} instead "
                f"of {FORMAT}); export it again with `hpsearch best NAME --export model.npz`"
            )
        with _damage_named(name):
            made = about["networks"]
            scales = [_scale(numbers) for numbers in about.get("scales", [None] * len(made))]
            model = cls(
                tuple(
                    _member(n, network, arrays, scale)
                    for n, (network, scale) in enumerate(zip(made, scales, strict=True))
                ),
                _distinct(about["classes"]),
                _distinct(about["feature_names"]),
                {int(k): _texts(v) for k, v in about["categories"].items()},
                about["origin"],
                tuple(about["decimal_comma"]),
                {name: _date_part(part) for name, part in about.get("dates", {}).items()},
                _threshold(about.get("threshold"), about["classes"]),
                _fitted(arrays, about, tuple(trusted)),
            )
            _ = model._built
        for one in model.fitted:
            _ = one.model
        return model


def _distinct(names: list[Any]) -> tuple[Any, ...]:
    if len(set(names)) < len(names):
        raise DataError("a name is there twice")
    return tuple(names)


def _texts(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not fits(names, [str]):
        raise DataError("the categories of a column are no texts")
    return tuple(names)


def _date_part(part: object) -> tuple[str, str, bool]:
    match part:
        case [str(column), str(name), bool(day_first)] if name in PARTS:
            return column, name, day_first
    raise DataError("a column is made of no part of a date")


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Whatever reading a file stumbles over is one sentence that names the file."""
    try:
        yield
    except (
        AttributeError,
        EOFError,
        KeyError,
        MemoryError,
        OSError,
        OverflowError,
        TypeError,
        ValueError,
        RecursionError,
        zipfile.BadZipFile,
        zipfile.zlib.error,  # type: ignore[attr-defined]
    ) as error:
        raise DataError(
            f"{name} is not a model that hpsearch wrote, or it is damaged ({first_line(error)}); "
            "export it again with `hpsearch best NAME --export model.npz`"
        ) from error


def _part(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def _fitted(
    arrays: Mapping[str, np.ndarray], about: Mapping[str, Any], trusted: tuple[str, ...]
) -> tuple[Fitted, ...]:
    """The estimators among the arrays, in the order of their numbers."""
    classes, nominal = len(about["classes"]), about.get("frame")
    found: list[Fitted] = []
    while (name := f"{len(found)}/fitted") in arrays:
        one = Fitted(arrays[name].astype(np.uint8).tobytes(), classes, trusted=trusted)
        if state := _part(arrays, f"{name}/"):
            preprocessor = Preprocessor.from_state(state)
            one = replace(one, preprocessor=preprocessor)
            if preprocessor.n_features_in != len(about["feature_names"]):
                raise DataError("its estimator reads other columns")
        elif nominal is not None:
            categories = {int(k): _texts(about["categories"][str(k)]) for k in nominal}
            one = replace(one, columns=tuple(about["feature_names"]), categories=categories)
        found.append(one)
    return tuple(found)


def _threshold(kept: object, classes: Sequence[object]) -> tuple[int, float] | None:
    if kept is None:
        return None
    if not isinstance(kept, list) or len(kept) != 2 or len(classes) != 2:
        raise DataError("its decision threshold is none")
    code, least = kept
    if code not in (0, 1) or not a_number(least):
        raise DataError("its decision threshold is none")
    return int(code), float(least)


def _scale(numbers: object) -> Scale | None:
    if numbers is None:
        return None
    if not isinstance(numbers, list) or len(numbers) != 2 or not fits(numbers, [(int, float)]):
        raise DataError("the scale of what it predicts is no scale")
    scale = Scale(*map(float, numbers))
    if not math.isfinite(scale.mean) or not 0 < scale.deviation < math.inf:
        raise DataError("the scale of what it predicts is no scale")
    return scale


def _member(
    n: int, network: Mapping[str, Any], arrays: Mapping[str, np.ndarray], scale: Scale | None
) -> Member:
    settings: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in network.items()}
    return Member(
        NetworkConfig(**settings),
        _part(arrays, f"{n}/network/"),
        Preprocessor.from_state(_part(arrays, f"{n}/preprocessing/")),
        scale,
    )
