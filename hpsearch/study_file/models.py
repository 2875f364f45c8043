"""What a study file may say: frozen pydantic models, and the one place where defaults live."""

from __future__ import annotations

import ast
import inspect
import math
import sys
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from hpsearch.errors import SpaceError, nearest, shown
from hpsearch.nn.config import NetworkConfig, TrainingConfig
from hpsearch.parameter import own_value
from hpsearch.space import Categorical, Condition, Float, Int, Parameter, Space, Value
from hpsearch.writing import in_one_line

__all__ = [
    "LIMITS",
    "Choices",
    "CompareSection",
    "DataSection",
    "FloatRange",
    "IntRange",
    "ModelSection",
    "SearchSection",
    "StudyFile",
    "TrainingSection",
    "check_name",
    "default_space",
    "json_schema",
]

T = TypeVar("T")

_network: Any = NetworkConfig  # names there are plain text, here one of the known ones
_training: Any = TrainingConfig

Activation = Literal["sigmoid", "tanh", "relu", "leaky-relu", "prelu", "elu", "maxout"]
Initializer = Literal[
    "zeros",
    "small-random",
    "large-random",
    "xavier",
    "xavier-average",
    "xavier-uniform",
    "he",
    "he-fan-out",
    "he-uniform",
]
Optimizer = Literal["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"]
Schedule = Literal["constant", "step", "exponential", "inverse-time", "cosine"]
Preprocessing = Literal["none", "zero-centre", "standardize", "pca", "whiten"]
StrategyName = Literal["coarse-to-fine", "random", "grid", "tpe", "gp", "cmaes", "qmc"]
Contestant = Literal["grid", "random", "random-x2", "coarse-to-fine", "tpe", "gp", "cmaes", "qmc"]


def _as_whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(value: object) -> object:
    finite = isinstance(value, float) and math.isfinite(value)
    if not finite and not isinstance(value, bool | int | str):
        raise ValueError(f"has {shown(value)}, which is no finite number, text, true or false")
    return value


PlainValue = Annotated[bool | int | float | str, BeforeValidator(_plain)]
"""What a parameter may have as its value."""

Whole = Annotated[int, BeforeValidator(_as_whole)]
"""A whole number, which may be written as a float: 1e2 is 100."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class _Searched(_Table):
    when: dict[str, Annotated[tuple[PlainValue, ...], Field(min_length=1)]] = {}
    """Search this setting only where the other settings named here have one of these values."""

    @field_validator("when", mode="before")
    @classmethod
    def _one_or_many(cls, when: object) -> object:
        if not isinstance(when, dict):
            return when
        return {k: tuple(v) if isinstance(v, list) else (v,) for k, v in when.items()}


class FloatRange(_Searched):
    """Real numbers from low to high, drawn uniformly or, with log, uniformly in their logarithm."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


class IntRange(_Searched):
    """Whole numbers from low to high, both included."""

    low: Whole
    high: Whole
    log: bool = False
    step: Whole = 1


class Choices(_Searched, Generic[T]):
    """One of the listed values."""

    choices: tuple[T, ...] = Field(min_length=1)

    @field_validator("choices", mode="before")
    @classmethod
    def _as_tuple(cls, choices: object) -> object:
        return tuple(choices) if isinstance(choices, list) else choices


def _kind(setting: object) -> str:
    """Which of the three ways of writing a setting this is; the tag in pydantic's error paths."""
    if isinstance(setting, _Searched):
        return "choices" if isinstance(setting, Choices) else "range"
    if isinstance(setting, dict):
        return "choices" if "choices" in setting else "range"
    return "value"


TAGS = ("value", "range", "choices")

FloatSetting = Annotated[
    Annotated[float, Tag("value")]
    | Annotated[FloatRange, Tag("range")]
    | Annotated[Choices[float], Tag("choices")],
    Discriminator(_kind),
]
IntSetting = Annotated[
    Annotated[Whole, Tag("value")]
    | Annotated[IntRange, Tag("range")]
    | Annotated[Choices[Whole], Tag("choices")],
    Discriminator(_kind),
]
if TYPE_CHECKING:
    NameSetting = Annotated[T | Choices[T], "a value or choices"]
else:

    class NameSetting:
        """A value or choices of a type; pydantic's generics do not nest in an Annotated alias."""

        def __class_getitem__(cls, item):
            one = Annotated[item, Tag("value")]
            return Annotated[one | Annotated[Choices[item], Tag("choices")], Discriminator(_kind)]


LIMITS: Mapping[str, tuple[float, float]] = {
    "variance": (0.01, 1.0),
    "learning_rate": (1e-10, 1e4),
    "momentum": (0.0, 0.9999),
    "beta2": (0.0, 0.999999),
    "decay": (1e-9, 1.0),
    "warmup": (0.0, 1e6),
    "weight_averaging": (0.0, 0.99999),
    "l2": (0.0, 1e4),
    "batch_size": (1, 1_000_000),
    "bias": (-1e3, 1e3),
    "dropout": (0.0, 0.95),
    "width": (1, 65_536),
    "depth": (0, 64),
    "maxout_pieces": (2, 64),
}
"""The hard bounds of every numeric setting; no file may leave them and no widening passes them."""


class DataSection(_Table):
    """What to learn from and how to divide it."""

    name: str | None = None
    """A data set by name: digits, wine, breast_cancer, iris, fashion-mnist, cifar-10, openml:ID."""
    path: str | None = None
    """A table of your own, instead of a name: CSV, Parquet or NPZ, relative to the study file."""
    target: str | None = None
    """The column of the table that holds the labels."""
    exclude: list[str] = []
    """Columns to leave out of learning, by name."""
    missing_labels: list[str] = []
    """Labels that mean that the label is missing; their rows are left out."""
    folder: str | None = None
    """Where a named data set's files are, if not in their usual place."""
    limit: Whole | None = Field(default=None, ge=10)
    """Use a stratified sample of so many rows."""
    test: float = Field(default=0.2, gt=0, lt=1)
    """Share of the rows kept for the one test at the end."""
    validation: float = Field(default=0.2, gt=0, lt=1)
    """Share of the rows that are left for scoring the trials (one fold)."""
    folds: Whole = Field(default=1, ge=1, le=50)
    """1: one validation part; 2 or more: k-fold cross-validation instead."""
    preprocessing: NameSetting[Preprocessing] = "standardize"
    """What is done to the columns, fitted on the training part only."""
    variance: FloatSetting = 1.0
    """Share of the variance that pca and whiten keep."""

    @model_validator(mode="after")
    def _one_source(self) -> DataSection:
        if (self.name is None) == (self.path is None):
            raise ValueError("needs either name (a known data set) or path (a file), and not both")
        return self


class ModelSection(_Table):
    """The network."""

    activation: NameSetting[Activation] = _network.activation
    width: IntSetting = IntRange(low=16, high=256, log=True)
    """Units in each hidden layer."""
    depth: IntSetting = IntRange(low=1, high=3)
    """Number of hidden layers."""
    initializer: NameSetting[Initializer] = _network.initializer
    bias: FloatSetting = _network.bias
    """What every bias starts at."""
    batch_norm: NameSetting[bool] = _network.batch_norm
    dropout: FloatSetting = _network.dropout
    """Share of hidden units silenced at each step."""
    maxout_pieces: IntSetting = _network.maxout_pieces


class TrainingSection(_Table):
    """How the network learns."""

    epochs: Whole = Field(default=_training.epochs, ge=1, le=1_000_000)
    """Passes over the training part in a full training; never searched, stages use shares of it."""
    optimizer: NameSetting[Optimizer] = _training.optimizer
    learning_rate: FloatSetting = FloatRange(low=1e-4, high=1.0, log=True)
    momentum: FloatSetting = _training.momentum
    """Momentum, and Adam's first decay rate."""
    beta2: FloatSetting = _training.beta2
    """Adam's second decay rate."""
    schedule: NameSetting[Schedule] = _training.schedule
    decay: FloatSetting = FloatRange(low=1e-3, high=1.0, log=True)
    """The learning rate at the end as a share of the learning rate at the start."""
    warmup: FloatSetting = _training.warmup
    """Epochs over which the learning rate first rises from zero."""
    l2: FloatSetting = FloatRange(low=1e-6, high=1e-1, log=True)
    """Half the weight of the squared weights in the loss; biases are left alone."""
    weight_averaging: FloatSetting = _training.weight_averaging
    """Decay of the running average of the weights that predicts in their place; 0: off."""
    batch_size: IntSetting = _training.batch_size
    patience: Whole | None = Field(default=_training.patience, ge=1)
    """Stop after so many epochs without a better score and keep the best; absent: never."""
    divergence: float = Field(default=_training.divergence, gt=1)
    """Stop a trial whose loss passes this many times the initial loss."""


Points = Annotated[
    Annotated[Whole, Field(ge=1, le=1_000_000), Tag("value")]
    | Annotated[list[PlainValue], Field(min_length=1), Tag("range")],
    Discriminator(lambda points: "range" if isinstance(points, list) else "value"),
]


class SearchSection(_Table):
    """How the settings are searched."""

    strategy: StrategyName = "coarse-to-fine"
    trials: Whole = Field(default=60, ge=1, le=1_000_000)
    """Trainings in all, those of the closing race included; raised, a finished study goes on."""
    total_epochs: Whole | None = Field(default=None, ge=1)
    """No more trainings than so many epochs pay for; absent: as many as trials says."""
    total_flops: float | None = Field(default=None, gt=0)
    """Begin no training that so many floating-point operations do not pay for; absent: no limit."""
    seconds: float | None = Field(default=None, gt=0)
    """Begin no more trainings after so much time, over all runs of the study; absent: no limit."""
    trial_seconds: float | None = Field(default=None, gt=0)
    """Kill a training that takes longer than this; it is tried three times; absent: no limit."""
    confirm: Whole | None = Field(default=None, ge=0)
    """How many of the trials the closing race over seeds gets; absent: the strategy's own share."""
    contenders: Whole | None = Field(default=None, ge=1)
    """How many configurations start in the race; absent: a third of its trials."""
    points: dict[str, Points] | None = None
    """Grid only: points for each parameter, a number or the values themselves."""
    shift: bool | None = None
    """Grid only: move each parameter's points by a random part of a step, drawn from the seed."""
    stage_shares: list[float] | None = None
    """Coarse-to-fine only: how the trials before the race are divided among the stages."""
    epoch_shares: list[float] | None = None
    """Coarse-to-fine only: the part of a full training that each stage gets."""


class CompareSection(_Table):
    """How `hpsearch compare` has strategies compete."""

    strategies: list[Contestant] = ["grid", "random", "random-x2", "coarse-to-fine", "tpe"]
    """Who competes; random-x2 is random search with twice the budget, the honest yardstick."""
    repeats: Whole = Field(default=10, ge=1, le=1000)
    """How often each of them searches, with other splits and seeds, the same for all."""
    budget: Literal["flops", "epochs", "seconds"] = "flops"
    """What all get the same of: floating-point operations, epochs, or wall-clock seconds."""
    amount: float | None = Field(default=None, gt=0)
    """How much; absent: what search.trials full trainings of average size take."""

    @field_validator("strategies")
    @classmethod
    def _distinct(cls, strategies: list[Contestant]) -> list[Contestant]:
        if not strategies or len(set(strategies)) < len(strategies):
            raise ValueError("needs at least one strategy, and each once")
        return strategies

    @model_validator(mode="after")
    def _enough(self) -> CompareSection:
        if self.budget == "seconds" and self.amount is None:
            raise ValueError("amount is missing: say how many seconds each search gets")
        return self


def check_name(name: str) -> str:
    """The name of a study, which stands in lines of text and in names of files.

    Raises:
        ValueError: it is empty, too long, has blanks around it, or a character that is no part of a
            line or turns its direction.
    """
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ValueError(f"has {len(name)} characters; give it 1 to {LONGEST_NAME}")
    if name != name.strip():
        raise ValueError("has blanks around it; leave them out")
    for character in name:
        if in_one_line(character) != character:
            raise ValueError(f"has the character {character!r}; leave it out")
    return name


LONGEST_NAME = 200


class StudyFile(_Table):
    """A whole study: its name, its seed and its tables."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    """What the study is called in the database."""
    seed: Whole = Field(default=0, ge=0, lt=2**63)
    """Splits, draws and trainings follow from this number."""
    data: DataSection
    model: ModelSection = ModelSection()
    training: TrainingSection = TrainingSection()
    search: SearchSection = SearchSection()
    compare: CompareSection = CompareSection()

    @field_validator("name")
    @classmethod
    def _in_one_line(cls, name: str) -> str:
        return check_name(name)

    @model_validator(mode="after")
    def _consistent(self) -> StudyFile:
        space = self.space()
        for name, points in (self.search.points or {}).items():
            if name not in space.parameters:
                raise SpaceError(
                    f"points names {name!r}, which is not searched; what is: "
                    f"{', '.join(space.parameters)}"
                )
            for value in points if isinstance(points, list) else ():
                try:
                    own_value(space.parameters[name], value)
                except SpaceError as error:
                    raise SpaceError(f"points of {name}: {error}") from None
        return self

    def settings(self) -> dict[str, Any]:
        """Every setting that may be searched, by name, as the file gives it."""
        return {
            name: getattr(section, name)
            for section in (self.data, self.model, self.training)
            for name in type(section).model_fields
            if name in _SEARCHABLE
        }

    def space(self) -> Space:
        """The parameters that the file searches.

        Raises:
            SpaceError: a range leaves its limits, or a condition can never hold.
        """
        return _space(self.settings())

    def fixed(self) -> dict[str, Value]:
        """The values of all settings outside of the search.

        A searched setting is listed too, with its default: the value it takes where its condition
        does not hold.
        """
        values = {name: _default(name) for name in _SEARCHABLE}
        values |= {k: v for k, v in self.settings().items() if not isinstance(v, _Searched)}
        return values | {"patience": self.training.patience, "divergence": self.training.divergence}


_SEARCHABLE = (
    "preprocessing",
    "variance",
    "activation",
    "width",
    "depth",
    "initializer",
    "bias",
    "batch_norm",
    "dropout",
    "maxout_pieces",
    "optimizer",
    "learning_rate",
    "momentum",
    "beta2",
    "schedule",
    "decay",
    "warmup",
    "l2",
    "weight_averaging",
    "batch_size",
)


def _default(name: str) -> Value:
    """What a setting is where it is neither given nor searched."""
    if name in ("width", "depth"):
        sizes = NetworkConfig.hidden_layer_sizes
        return sizes[0] if name == "width" else len(sizes)
    if name in DataSection.model_fields:
        default: Value = DataSection.model_fields[name].default
    else:
        default = getattr(_network if hasattr(_network, name) else _training, name)
    return default


def _space(settings: Mapping[str, Any]) -> Space:
    parameters: dict[str, Parameter] = {}
    conditions: dict[str, Condition] = {}
    for name, setting in settings.items():
        if not isinstance(setting, _Searched):
            _within_limits(name, setting)
            continue
        condition = _condition(name, setting.when, settings)
        if condition == "never":
            continue
        parameters[name] = _parameter(name, setting)
        if isinstance(condition, Condition):
            conditions[name] = condition
    return Space(parameters, conditions)


def _parameter(name: str, setting: _Searched) -> Parameter:
    if isinstance(setting, Choices):
        for value in setting.choices:
            _within_limits(name, value)
    try:
        if isinstance(setting, Choices):
            return Categorical(setting.choices)
        limits = LIMITS[name]
        if isinstance(setting, IntRange):
            return Int(setting.low, setting.high, setting.log, setting.step, limits)
        assert isinstance(setting, FloatRange)
        return Float(setting.low, setting.high, setting.log, setting.step, limits)
    except SpaceError as error:
        raise SpaceError(f"{name}: {error}") from None


def _within_limits(name: str, value: object) -> None:
    if name not in LIMITS or not isinstance(value, int | float):
        return
    low, high = LIMITS[name]
    if not low <= value <= high:
        given = f"{value:g}" if isinstance(value, float) else shown(value)
        raise SpaceError(f"{name} = {given} is outside of what makes sense, {low:g} to {high:g}")


def _condition(
    name: str, when: Mapping[str, tuple[Value, ...]], settings: Mapping[str, Any]
) -> Condition | Literal["always", "never"]:
    if not when:
        return "always"
    if len(when) > 1:
        raise SpaceError(f"{name}: when may name one other setting, it names {', '.join(when)}")
    [(parent, values)] = when.items()
    if parent not in settings:
        close = nearest(parent, settings)
        hint = f"; did you mean {close}?" if close else ""
        raise SpaceError(f"{name}: when names {parent!r}, which is no setting{hint}")
    other = settings[parent]
    if isinstance(other, Choices):
        try:
            chosen = tuple(own_value(Categorical(other.choices), value) for value in values)
        except SpaceError:
            raise SpaceError(
                f"{name}: when names values of {parent} that it never takes; "
                f"its choices are {', '.join(map(str, other.choices))}"
            ) from None
        return Condition(parent, chosen)
    typed = tuple(_as_setting(name, parent, value) for value in values)
    if isinstance(other, _Searched):
        return Condition(parent, typed)
    return "always" if other in typed else "never"


def _as_setting(name: str, parent: str, value: Value) -> Value:
    """A value that a condition names, in the type of the setting that has it."""
    table: type[_Table] = next(
        table
        for table in (DataSection, ModelSection, TrainingSection)
        if parent in table.model_fields
    )
    needed = {"name": "digits"} if table is DataSection else {}
    try:
        typed: Value = getattr(table.model_validate({**needed, parent: value}), parent)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Input ")
        raise SpaceError(f"{name}: when has {parent} = {value!r}, which {message}") from None
    return typed


def default_space() -> Space:
    """The five parameters that matter most, over the ranges a study file has when it names none.

    >>> list(default_space().parameters)
    ['width', 'depth', 'learning_rate', 'decay', 'l2']
    """
    return StudyFile(name="default", data=DataSection(name="digits")).space()


def json_schema() -> dict[str, Any]:
    """The JSON Schema of study files, for editors that complete and check TOML."""
    schema = StudyFile.model_json_schema()
    explained = _explanations()
    for table in (schema, *schema["$defs"].values()):
        for name, entry in table["properties"].items():
            for kind in globals()[table["title"].split("[")[0]].__mro__:
                if text := explained.get((kind.__name__, name)):
                    entry["description"] = text
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def _explanations() -> dict[tuple[str, str], str]:
    """The text under each setting, by class and name.

    Pydantic would read them (use_attribute_docstrings), but at every import: a twentieth of a
    second that only this schema needs.
    """
    return {
        (section.name, setting.target.id): inspect.cleandoc(text.value.value)
        for section in ast.parse(inspect.getsource(sys.modules[__name__])).body
        if isinstance(section, ast.ClassDef)
        for setting, text in pairwise(section.body)
        if isinstance(setting, ast.AnnAssign)
        and isinstance(setting.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
