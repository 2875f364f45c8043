"""What a study file may say: frozen pydantic models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from hpsearch.data import DATASETS
from hpsearch.data.preprocessing import KINDS, PREPROCESSING, SCALES
from hpsearch.data.splits import KINDS as KINDS_OF_SPLITS
from hpsearch.errors import SpaceError, UsageError, nearest, shown
from hpsearch.kinds import KINDS_OF_OBJECTIVES, WITHOUT_ROWS
from hpsearch.metrics import (
    DEFAULT,
    OWN,
    POSITIVE,
    Measure,
    Metric,
    Task,
    check_metric,
    metric_named,
)
from hpsearch.metrics.measure import Direction
from hpsearch.nn import ACTIVATIONS, INITIALIZERS, LOSSES, OPTIMIZERS, SCHEDULES
from hpsearch.search.base import Resource
from hpsearch.search.first import first_in
from hpsearch.search.strategies import DOUBLE, STRATEGIES
from hpsearch.setting import Setting
from hpsearch.space import Categorical, Condition, Float, Int, Parameter, Space, Value, own_value
from hpsearch.space.settings import SETTINGS
from hpsearch.writing import in_one_line

__all__ = [
    "Choices",
    "CompareSection",
    "DataSection",
    "FloatRange",
    "IntRange",
    "ModelSection",
    "ObjectiveSection",
    "SearchSection",
    "StudyFile",
    "TrainingSection",
    "check_name",
    "default_space",
    "json_schema",
    "space_of",
]

T = TypeVar("T")


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


def _key(default: object, does: str, *, example: object = None, **rules: Any) -> Any:
    """A key of a table: its default, what it does, and an example where that says more."""
    examples = None if example is None else [example]
    return Field(default, description=does, examples=examples, **rules)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class _Searched(_Table):
    when: dict[str, Annotated[tuple[PlainValue, ...], Field(min_length=1)]] = _key(
        {},
        "Search this setting only where every other setting named here has one of these values.",
    )

    @field_validator("when", mode="before")
    @classmethod
    def _one_or_many(cls, when: object) -> object:
        if not isinstance(when, dict):
            return when
        return {k: tuple(v) if isinstance(v, list | tuple) else (v,) for k, v in when.items()}


class FloatRange(_Searched):
    """Real numbers from low to high, drawn uniformly or, with log, uniformly in their logarithm."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


class IntRange(_Searched):
    """Whole numbers from low to high, both included; all of them are floats too."""

    low: Whole = Field(ge=-(2**53), le=2**53)
    high: Whole = Field(ge=-(2**53), le=2**53)
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


TAGS = ("value", "range", "choices", "table", "whole", "real")

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
BoolSetting = Annotated[
    Annotated[bool, Tag("value")] | Annotated[Choices[bool], Tag("choices")], Discriminator(_kind)
]


def _free_kind(setting: object) -> str:
    """The same of a parameter of any name; a range is of whole numbers where both its ends are."""
    kind = _kind(setting)
    if kind != "range":
        return kind
    if isinstance(setting, _Searched):
        return "whole" if isinstance(setting, IntRange) else "real"
    ends = [setting.get(name, 1) for name in ("low", "high", "step")]  # type: ignore[attr-defined]
    whole = all(isinstance(end, int) and not isinstance(end, bool) for end in ends)
    return "whole" if whole else "real"


FreeSetting = Annotated[
    Annotated[PlainValue, Tag("value")]
    | Annotated[IntRange, Tag("whole")]
    | Annotated[FloatRange, Tag("real")]
    | Annotated[Choices[PlainValue], Tag("choices")],
    Discriminator(_free_kind),
]
"""A parameter of [space], which may have any name and any value."""


def _in_json(value: object) -> object:
    if isinstance(value, list):
        return [_in_json(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _in_json(each) for key, each in value.items()}
    return _plain(value)


JsonValue = Annotated[Any, BeforeValidator(_in_json)]
"""What a parameter of [fixed] may be: a plain value, or a list or a table of such."""

NameSetting: TypeAlias = str | Choices[str]
"""Annotated with `OneOf`."""

ClassWeights = Annotated[
    Annotated[Literal["none", "balanced"], Tag("value")]
    | Annotated[Choices[Literal["none", "balanced"]], Tag("choices")]
    | Annotated[dict[str, Annotated[float, Field(ge=0)]], Field(min_length=1), Tag("table")],
    Discriminator(lambda given: "table" if _kind(given) == "range" else _kind(given)),
]
"""A name or several, or a table of numbers by label."""


class OneOf:
    """Annotates a text, or a value or choices of texts: each is one of the names that there are."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)

    def __get_pydantic_core_schema__(self, source: Any, of: GetCoreSchemaHandler) -> CoreSchema:
        """What pydantic is to hold a text, or a setting, to."""
        name: Any = Literal[self.names]
        choices: Any = Annotated[Choices[name], Tag("choices")]
        setting: Any = Annotated[Annotated[name, Tag("value")] | choices, Discriminator(_kind)]
        return of.generate_schema(name if source is str else setting)


def _setting(name: str, searched: _Searched | None = None, *, example: object = None) -> Any:
    """The key of a setting, which `SETTINGS` tells."""
    setting = SETTINGS[name]
    rules = dict(zip(("minimum", "maximum"), setting.limits or (), strict=False))
    does = f"{setting.does[:-1]}: {', '.join(setting.names)}." if setting.names else setting.does
    return _key(searched or setting.default, does, example=example, json_schema_extra=rules)


DIVIDED_BY = {
    "group": 'groups = "the column whose rows of one value stay together"',
    "time": 'time = "the column in whose order rows are divided"',
    "given": 'parts = "the column of train, validation and test", or test_path',
}
"""What a kind of split needs, as the file says it."""


def _as_text(value: object) -> object:
    """A category as a table has it as text: the number 3 is "3"."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(_as_whole(value)) if isinstance(value, int | float) else value


_Text = Annotated[str, BeforeValidator(_as_text)]


class DataSection(_Table):
    """What to learn from, and how to divide it."""

    name: str | None = _key(None, f"A data set: {', '.join(DATASETS)} or openml:ID.")
    path: str | None = _key(
        None,
        "A table instead: CSV, TSV, JSON lines, Parquet, Feather, Arrow, Excel or NPZ, relative to "
        "the study file.",
    )
    sheet: str | None = _key(None, "The sheet of an Excel file; absent: the first.", example="2024")
    target: str | None = _key(None, "The column of the table that holds the labels.")
    task: Task | None = _key(
        None,
        "classification or regression; absent: decided by what the target holds.",
        example="regression",
    )
    exclude: list[str] = _key([], 'Columns to leave out of learning, by name: ["id", "date"].')
    missing_labels: list[str] = _key(
        [], 'Labels that mean a missing one, whose rows go: ["NA", "?"].'
    )
    categories: list[str] = _key(
        [], 'Columns whose values are categories, numbers though they may be: ["zip"].'
    )
    ordered: dict[str, Annotated[list[_Text], Field(min_length=2)]] = _key(
        {},
        "Categories with an order, by column, from the least to the greatest; each becomes one "
        "number.",
        example={"size": ["S", "M", "L"]},
    )
    decimal: Literal[",", "."] | None = _key(
        None,
        "What divides whole from part where a number can be read both ways, as 1.234; absent: "
        "found by the other cells.",
        example=",",
    )
    folder: str | None = _key(
        None, "Where a named data set's files are, if not in their usual place."
    )
    limit: Whole | None = _key(
        None, "Use a stratified sample of so many rows.", example=1000, ge=10
    )
    split: Annotated[str, OneOf(KINDS_OF_SPLITS)] | None = _key(
        None,
        f"How rows are divided: {', '.join(KINDS_OF_SPLITS)}; absent: as the keys below say, or "
        "stratified.",
        example="group",
    )
    weight: str | None = _key(
        None,
        "A column that says how much a row counts, in training and in scores; it is no input.",
        example="weight",
    )
    groups: str | None = _key(
        None,
        "A column whose rows of one value stay together, such as a patient; it is no input.",
        example="patient",
    )
    time: str | None = _key(
        None,
        "A column in whose order rows are divided, training first and test last; it is no input.",
        example="date",
    )
    parts: str | None = _key(
        None,
        "A column that says of each row train, validation or test; it is no input.",
        example="part",
    )
    validation_path: str | None = _key(
        None, "A table of its own for validation, like path.", example="validation.csv"
    )
    test_path: str | None = _key(
        None, "A table of its own for the test, like path.", example="test.csv"
    )
    test: float = _key(0.2, "Share of the rows for the one test at the end.", gt=0, lt=1)
    validation: float = _key(0.2, "Share of what is left that scores the trials.", gt=0, lt=1)
    folds: Whole = _key(
        1, "2 or more: cross-validation instead of one validation part.", ge=1, le=50
    )
    fold_repeats: Whole = _key(1, "How often the folds are drawn anew.", ge=1, le=20)
    preprocessing: Annotated[NameSetting, OneOf(KINDS)] = _setting("preprocessing")
    columns: Annotated[NameSetting, OneOf(SCALES)] | None = _key(
        None,
        f"The same, where it only scales the columns: {', '.join(SCALES)}; it stands for "
        "preprocessing.",
        example="quantile",
    )
    variance: FloatSetting = _setting("variance")

    @field_validator("ordered")
    @classmethod
    def _each_once(cls, ordered: dict[str, list[str]]) -> dict[str, list[str]]:
        for column, categories in ordered.items():
            if len(set(categories)) < len(categories):
                raise ValueError(f"has a category of {column!r} twice; name each once")
        return ordered

    @model_validator(mode="after")
    def _one_source(self) -> DataSection:
        if self.name is not None and self.path is not None:
            raise ValueError("has both name (a known data set) and path (a file); keep one of them")
        return self

    @model_validator(mode="after")
    def _one_scale(self) -> DataSection:
        if self.columns is not None and self.preprocessing != PREPROCESSING.default:
            raise ValueError("has columns and preprocessing, which say the same; keep one of them")
        return self

    @model_validator(mode="after")
    def _one_division(self) -> DataSection:
        asked = {kind: keys for kind, keys in self._named().items() if keys}
        if len(asked) > 1:
            all_keys = " and ".join(key for keys in asked.values() for key in keys)
            raise ValueError(f"names {all_keys}, and rows are divided in one way; keep one of them")
        needs = DIVIDED_BY.get(self.split or "stratified")
        if needs is not None and self.split not in asked:
            raise ValueError(
                f'has split = "{self.split}", which needs {needs}; add it, or remove split'
            )
        for kind, keys in asked.items():
            if self.split not in (None, kind):
                raise ValueError(
                    f'names {keys[0]}, which split = "{self.split}" does not use; remove one of '
                    "the two"
                )
        if self.parts is not None and len(asked["given"]) > 1:
            raise ValueError("has the parts in a column and in files; keep one of them")
        if self.validation_path is not None and self.test_path is None:
            raise ValueError("has validation_path without test_path; name the file of the test too")
        if asked.get("given") and self.parts is None and self.path is None:
            raise ValueError("has a file for a part, and none to train on; name it as path")
        if self.fold_repeats > 1 and self.folds == 1:
            raise ValueError("has fold_repeats, which draw folds anew; set folds to 2 or more")
        return self

    def _named(self) -> dict[str, list[str]]:
        """The keys that each kind of split has been given."""
        of_kind = {
            "group": ("groups",),
            "time": ("time",),
            "given": ("parts", "validation_path", "test_path"),
        }
        return {
            kind: [key for key in keys if getattr(self, key) is not None]
            for kind, keys in of_kind.items()
        }

    @property
    def kind_of_split(self) -> str:
        """How rows are divided, by name or by what else is said of it."""
        return self.split or next((k for k, keys in self._named().items() if keys), "stratified")


class ResourceSection(_Table):
    """What the length of a trial is counted in, so that coarse stages can be shorter."""

    name: str = Field(
        min_length=1,
        description="Epochs, trees, rows: of an estimator a parameter of it, or n_samples.",
        examples=["max_iter"],
    )
    full: Whole = Field(
        ge=1, le=2**53, description="How much of it a whole trial takes.", examples=[400]
    )
    least: Whole = _key(1, "How much the shortest trial takes at least.", ge=1)

    @field_validator("name")
    @classmethod
    def _in_one_line(cls, name: str) -> str:
        return check_name(name)

    @model_validator(mode="after")
    def _in_order(self) -> ResourceSection:
        if self.least > self.full:
            raise ValueError(f"has least = {self.least} above full = {self.full}; exchange the two")
        return self


KEPT = {
    "stage",
    "stage_index",
    "slot",
    "seed",
    "epochs",
    "training",
    "why_stopped",
    "best_epoch",
    "seconds",
    "worker",
    "fold_scores",
    "train_loss",
    "test",
    "log",
    "error",
    "attempts",
    "diagnosis",
    "hints",
}
"""What every trial has, by the names of its attributes."""

NOT_OF_THE_NETWORK = {
    *KINDS_OF_OBJECTIVES,
    "folder",
    "direction",
    "resource",
    "frame",
    "fixed",
    "space",
}
"""Keys that a study of the network does without."""


class ObjectiveSection(_Table):
    """What is optimized, and by which measure it is searched, raced, stopped, shown and tested."""

    estimator: str | None = _key(
        None,
        "An estimator of scikit-learn, or of its kind, by its import path; absent: the network.",
        example="sklearn.ensemble.HistGradientBoostingClassifier",
    )
    function: str | None = _key(
        None,
        "A Python function instead, as MODULE:NAME; MODULE may lie beside the study file. Its "
        "metric is a key of its result.",
        example="train:objective",
    )
    command: Annotated[list[str], Field(min_length=1)] | None = _key(
        None,
        "A program instead: its name and its arguments, in which {NAME} is a parameter's value. "
        "Its metric is a key of its result.",
        example=["python", "train.py", "--lr", "{learning_rate}"],
    )
    external: Literal[True] | None = _key(
        None,
        "Trials are done by whoever asks a server for them: an agent's program, or any client. "
        "Their metric is a key of the result.",
        example=True,
    )
    folder: str | None = _key(
        None,
        "Where the function's module, or the program and its files, are; absent: the study file's.",
    )
    metric: str | None = _key(
        None,
        f"Of {', '.join(OWN)}, or any scorer of scikit-learn; absent: {DEFAULT['classification']}.",
        example=DEFAULT["classification"],
    )
    direction: Direction | None = _key(
        None,
        "minimize or maximize; absent: as the metric of this name is known to be.",
        example="minimize",
    )
    also: list[str] = _key([], 'Others to record of every trial: ["log_loss", "f1_macro"].')
    resource: ResourceSection | None = _key(
        None,
        "What a trial's length is counted in; absent: every trial is whole, and stages differ in "
        "ranges only.",
        example={"name": "max_iter", "full": 400, "least": 25},
    )

    frame: bool | None = _key(
        None,
        "Of an estimator: whether it gets the columns as a data frame, as they were read; absent: "
        "a pipeline does, and what holds one, and another what [data] preprocessing makes of them.",
        example=True,
    )
    positive: str | None = _key(
        None,
        "Of two classes the label that f1, average_precision and the like look for; absent: the "
        "second in sorted order.",
        example="yes",
    )

    threshold: bool = _key(
        False,
        "Choose on validation rows from which probability a row gets the positive label of two, "
        "where the metric asks for labels.",
    )

    @property
    def kind(self) -> str:
        """What kind of objective it is: the module of `hpsearch.objectives` that knows it."""
        named = (kind for kind in KINDS_OF_OBJECTIVES if getattr(self, kind) is not None)
        return next(named, "network")

    @property
    def learns(self) -> bool:
        """Whether it learns from rows, which a metric of hpsearch or scikit-learn scores."""
        return self.kind not in WITHOUT_ROWS

    @property
    def named_measure(self) -> Measure:
        """What an objective without rows is measured by, as the file says.

        Raises:
            UsageError: nobody knows whether more of it is better.
        """
        name = self.metric or "value"
        known = OWN.get(name)
        direction = self.direction or (None if known is None else known.direction)
        if direction is None:
            raise UsageError(
                f"nobody knows whether more {name} is better; add "
                'direction = "maximize" or direction = "minimize"',
                key="objective",
            )
        bounds = known.bounds if known is not None and known.direction == direction else None
        return Measure(name, direction, bounds or (None, None))

    @field_validator("metric", "also")
    @classmethod
    def _known(cls, given: str | list[str] | None, info: ValidationInfo) -> str | list[str] | None:
        learns = all(info.data.get(kind) is None for kind in WITHOUT_ROWS)
        for name in [given] if isinstance(given, str) else given or ():
            if learns:
                check_metric(name)
            else:
                check_name(name)
        return given

    @model_validator(mode="after")
    def _each_once(self) -> ObjectiveSection:
        named = [*filter(None, [self.metric]), *self.also]
        if len(set(named)) < len(named):
            raise ValueError("names a metric twice; once is enough")
        kinds = [kind for kind in KINDS_OF_OBJECTIVES if getattr(self, kind) is not None]
        if len(kinds) > 1:
            raise ValueError(f"has {' and '.join(kinds)}; keep one of them")
        for name in self.also:
            if not self.learns and name in KEPT:
                raise ValueError(
                    f"has also = [{shown(name)}], which is what hpsearch calls something of its "
                    "own; give it another name"
                )
        if not self.learns:
            self.named_measure  # noqa: B018 - it refuses what nobody knows
            for name, given in (("positive", self.positive), ("threshold", self.threshold)):
                if given:
                    raise ValueError(f"has {name}, which is for classes of rows; remove it")
        elif self.direction is not None and self.metric is None:
            raise ValueError("has a direction and no metric; name the metric")
        if self.kind == "network" and self.resource is not None:
            raise ValueError("has resource, and the network trains for epochs; remove it")
        return self

    def metrics(self, task: Task, classes: Sequence[str | int]) -> tuple[Metric, ...]:
        """The metric that decides, and after it those that are recorded beside it.

        Args:
            task: what is learned.
            classes: the labels of a classification, in the order of their codes.

        Raises:
            UsageError: one of them does not fit the task, or the number of classes; or the positive
                label is none of two; or classes that must have an order have none; or there is no
                threshold to choose.
        """
        names = [self.metric or DEFAULT[task], *self.also]
        positive = self._code(classes)
        if "quadratic_kappa" in names and any(isinstance(label, str) for label in classes):
            raise UsageError(
                "the metric quadratic_kappa needs classes in an order, and the labels are text; "
                "write them as whole numbers, or choose mcc.",
                key="metric",
            )
        found = tuple(metric_named(name, task, len(classes), positive) for name in names)
        if self.direction not in (None, found[0].direction):
            raise UsageError(
                f"the metric {found[0].name} is to be {found[0].direction}d; remove direction.",
                key="direction",
            )
        if self.threshold and (len(classes) != 2 or found[0].needs != "labels"):
            told = f"the metric {found[0].name} asks for none"
            raise UsageError(
                "threshold chooses the labels of two classes, and "
                f"{told if len(classes) == 2 else 'there are other than two'}; remove it.",
                key="threshold",
            )
        return found

    def _code(self, classes: Sequence[str | int]) -> int:
        """The code of the positive label."""
        labels = [str(label) for label in classes]
        if self.positive is None:
            return POSITIVE
        if len(labels) != 2:
            raise UsageError(
                f"positive = {shown(self.positive)} tells which of two classes is looked for, and "
                f"there are {len(labels)}; remove it.",
                key="positive",
            )
        if self.positive not in labels:
            raise UsageError(
                f"positive names the label {shown(self.positive)}, of no row; the labels are "
                f"{' and '.join(map(shown, labels))}.",
                key="positive",
            )
        return labels.index(self.positive)


class ModelSection(_Table):
    """The network."""

    activation: Annotated[NameSetting, OneOf(ACTIVATIONS)] = _setting("activation")
    width: IntSetting = _setting("width", IntRange(low=16, high=256, log=True))
    depth: IntSetting = _setting("depth", IntRange(low=1, high=3))
    initializer: Annotated[NameSetting, OneOf(INITIALIZERS)] = _setting("initializer")
    bias: FloatSetting = _setting("bias")
    batch_norm: BoolSetting = _setting("batch_norm")
    dropout: FloatSetting = _setting("dropout")
    maxout_pieces: IntSetting = _setting("maxout_pieces")


class TrainingSection(_Table):
    """How the network learns."""

    epochs: Whole = _setting("epochs")
    optimizer: Annotated[NameSetting, OneOf(OPTIMIZERS)] = _setting("optimizer")
    learning_rate: FloatSetting = _setting(
        "learning_rate", FloatRange(low=1e-4, high=1.0, log=True)
    )
    momentum: FloatSetting = _setting("momentum")
    beta2: FloatSetting = _setting("beta2")
    schedule: Annotated[NameSetting, OneOf(SCHEDULES)] = _setting("schedule")
    decay: FloatSetting = _setting("decay", FloatRange(low=1e-3, high=1.0, log=True))
    warmup: FloatSetting = _setting("warmup")
    l2: FloatSetting = _setting("l2", FloatRange(low=1e-6, high=1e-1, log=True))
    weight_averaging: FloatSetting = _setting("weight_averaging")
    loss: Annotated[NameSetting, OneOf(LOSSES)] = _setting("loss")
    label_smoothing: FloatSetting = _setting("label_smoothing")
    class_weight: ClassWeights = _setting("class_weight")
    batch_size: IntSetting = _setting("batch_size")
    patience: Whole | None = _setting("patience", example=5)
    divergence: float = _setting("divergence")


Points = Annotated[
    Annotated[Whole, Field(ge=1, le=1_000_000), Tag("value")]
    | Annotated[list[PlainValue], Field(min_length=1), Tag("range")],
    Discriminator(lambda points: "range" if isinstance(points, list) else "value"),
]


class SearchSection(_Table):
    """How the settings are searched."""

    strategy: Annotated[str, OneOf(STRATEGIES)] = _key(
        "guided", f"Who proposes configurations: {', '.join(STRATEGIES)}."
    )
    trials: Whole = _key(
        60,
        "Trainings in all, those of the closing race included; raised, a finished study goes on.",
        ge=1,
        le=1_000_000,
    )
    total_epochs: Whole | None = _key(
        None,
        "Train no more than so many epochs, or of another resource, pay for; absent: no limit.",
        example=900,
        ge=1,
    )
    total_flops: float | None = _key(
        None,
        "Begin no training that so many operations do not pay for; absent: no limit.",
        example=1e12,
        gt=0,
    )
    seconds: float | None = _key(
        None,
        "Begin no more trainings after so long, over all runs of the study; absent: no limit.",
        example=3600,
        gt=0,
    )
    trial_seconds: float | None = _key(
        None,
        "Kill a training that takes longer; it is tried three times; absent: no limit.",
        example=600,
        gt=0,
    )
    race: Whole | None = _key(
        None,
        "How many of the trials race the best few over new seeds; absent: the strategy's share.",
        example=15,
        ge=0,
    )
    contenders: Whole | None = _key(
        None,
        "How many configurations start in that race; absent: a quarter of its trials.",
        example=5,
        ge=1,
    )
    points: dict[str, Points] | None = _key(
        None,
        "Grid only: how many points of each parameter, or which.",
        example={"learning_rate": 5, "width": [32, 128]},
    )
    shift: bool | None = _key(
        None,
        "Grid only: move each parameter's points by a random part of a step, drawn from the seed.",
        example=True,
    )
    stage_shares: list[float] | None = _key(
        None,
        "Coarse-to-fine and guided only: each stage's share of the trials before the race.",
        example=[0.5, 0.25, 0.25],
    )
    epoch_shares: list[float] | None = _key(
        None,
        "Coarse-to-fine and guided only: each stage's share of a full training's epochs.",
        example=[0.25, 0.5, 1.0],
    )
    prior: list[str] = _key(
        [],
        'Guided only: earlier studies in the same database that inform this one: ["digits"].',
        max_length=50,
    )


class CompareSection(_Table):
    """How `hpsearch compare` has strategies compete."""

    strategies: list[Annotated[str, OneOf((*STRATEGIES, DOUBLE))]] = _key(
        ["grid", "random", DOUBLE, "coarse-to-fine", "guided", "tpe"],
        "Who competes; random-x2 is random search with twice the budget, the honest yardstick.",
    )
    race: bool = _key(
        True,
        "Every search ends in the same race, a quarter of the budget; false: only those that race "
        "by themselves do, which are coarse-to-fine and guided.",
    )
    repeats: Whole = _key(
        10, "Searches of each, with other splits and seeds, the same for all.", ge=1, le=1000
    )
    budget: Literal["flops", "epochs", "seconds"] = _key(
        "flops",
        "What all get the same of: floating-point operations (of networks), epochs, or whatever "
        "trials are counted in, or wall-clock seconds.",
    )
    amount: float | None = _key(
        None,
        "How much of it; absent: what search.trials full trainings take, of grid search's points.",
        example=1e12,
        gt=0,
    )

    @field_validator("strategies")
    @classmethod
    def _distinct(cls, strategies: list[str]) -> list[str]:
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
    if not 1 <= len(name) <= LONGEST_STUDY_NAME:
        raise ValueError(f"has {len(name)} characters; give it 1 to {LONGEST_STUDY_NAME}")
    if name != name.strip():
        raise ValueError("has blanks around it; leave them out")
    for character in name:
        if in_one_line(character) != character:
            raise ValueError(f"has the character {character!r}; leave it out")
    return name


LONGEST_STUDY_NAME = 200


class StudyFile(_Table):
    """A whole study: its name, its seed and its tables."""

    name: str = Field(min_length=1, max_length=LONGEST_STUDY_NAME, description="The study's name.")
    seed: Whole = _key(0, "Splits, draws and trainings follow from it.", ge=0, lt=2**63)
    data: DataSection = DataSection()
    objective: ObjectiveSection = ObjectiveSection()
    fixed: dict[str, JsonValue] = _key(
        {},
        "Of an objective other than the network: parameters that are not searched.",
        example={"early_stopping": False},
    )
    space: dict[str, FreeSetting] = _key(
        {},
        "Of the same: parameters that are searched, as settings of the network are.",
        example={"learning_rate": {"low": 1e-3, "high": 0.5, "log": True}},
    )
    model: ModelSection = ModelSection()
    training: TrainingSection = TrainingSection()
    search: SearchSection = SearchSection()
    first: list[dict[str, PlainValue]] = _key(
        [],
        "Known-good configurations, whole or in part, that are tried before anything is drawn.",
        max_length=1000,
    )
    compare: CompareSection = CompareSection()

    @field_validator("name")
    @classmethod
    def _in_one_line(cls, name: str) -> str:
        return check_name(name)

    @field_validator("fixed", "space")
    @classmethod
    def _names(cls, table: dict[str, Any]) -> dict[str, Any]:
        for name in table:
            try:
                check_name(name)
            except ValueError as error:
                raise ValueError(f"has a parameter whose name {error}") from None
        return table

    @model_validator(mode="after")
    def _consistent(self) -> StudyFile:
        _check_tables(self)
        if self.name in self.search.prior:
            raise UsageError(
                f"prior names {self.name!r}, which is this study itself; remove it", key="prior"
            )
        for number, configuration in enumerate(self.first, start=1):
            for name in configuration:
                self._check_searched(number, name)
        space = self.search_space()
        for name, points in (self.search.points or {}).items():
            if name not in space.parameters:
                raise SpaceError(
                    f"points names {name!r}, which is not searched; what is: "
                    f"{', '.join(space.parameters)}",
                    key="points",
                )
            for value in points if isinstance(points, list) else ():
                try:
                    own_value(space.parameters[name], value)
                except SpaceError as error:
                    raise SpaceError(f"points of {name}: {error}", key="points") from None
        return self

    @property
    def resource(self) -> Resource:
        """What a trial's length is counted in."""
        if self.objective.kind == "network":
            return Resource("epochs", self.training.epochs)
        given = self.objective.resource
        return Resource() if given is None else Resource(given.name, given.full, given.least)

    @property
    def counts_operations(self) -> bool:
        """Whether what a trial costs is known in floating-point operations."""
        return self.objective.kind == "network"

    def settings(self) -> dict[str, Any]:
        """Every setting, by name, as the file gives it; a table of class weights is none."""
        if self.objective.kind != "network":
            return {**self.fixed, **self.space}
        given = {
            name: getattr(section, name)
            for section in (self.data, self.model, self.training)
            for name in type(section).model_fields
            if name in SETTINGS
        }
        if self.data.columns is not None:
            given["preprocessing"] = self.data.columns
        return {k: SETTINGS[k].default if isinstance(v, dict) else v for k, v in given.items()}

    def class_weights(self, classes: Sequence[str | int]) -> tuple[float, ...] | None:
        """What ``training.class_weight`` gives each class, if it is a table.

        Args:
            classes: the labels of the data, in the order of their codes.

        Returns:
            A number for each; 1 for a label that the table does not name.

        Raises:
            UsageError: it names a label that there is none of, leaves no class any weight, or the
                target is a quantity.
        """
        table = self.training.class_weight
        return weights_by_label("class_weight", table, classes) if isinstance(table, dict) else None

    def _check_searched(self, number: int, name: str) -> None:
        searched = self.written_space().parameters
        if name in searched:
            return
        close = nearest(name, searched)
        hint = f"did you mean {close!r}? " if close else ""
        raise SpaceError(
            f"first configuration {number}: {name!r} is not searched here; {hint}"
            f"What is: {', '.join(searched)}",
            key=f"first.{number}.{name}",
        )

    def search_space(self) -> Space:
        """The parameters that the file searches, with ranges that hold what is tried first.

        Raises:
            UsageError: a value or a range leaves its limits, or a condition can never hold.
        """
        return first_in(self.written_space(), self.first).space

    def written_space(self) -> Space:
        """The parameters that the file searches, with the ranges that stand there.

        A search may move a range of the network's past its ends, as far as the setting can go;
        nobody knows how far that is for parameters of others, whose ranges are kept.

        Raises:
            UsageError: a value or a range leaves its limits, or a condition can never hold.
        """
        space = self.open_space()
        if self.objective.kind == "network":
            return space
        return space.kept_within(first_in(space, self.first).space)

    def open_space(self) -> Space:
        """The same, whose ranges may be widened for whatever is to be tried first.

        Raises:
            UsageError: as for `written_space`.
        """
        return space_of(self.settings(), SETTINGS if self.objective.kind == "network" else {})

    def fixed_settings(self) -> dict[str, Value]:
        """The values of all settings outside of the search, but for the epochs.

        A searched setting is listed too, with its default: the value it takes where its condition
        does not hold.
        """
        settings = self.settings().items()
        if self.objective.kind != "network":
            return {name: value for name, value in settings if not isinstance(value, _Searched)}
        return {
            name: SETTINGS[name].default if isinstance(value, _Searched) else value
            for name, value in settings
            if name != "epochs"
        }

    def configuration(self, searched: Mapping[str, Value]) -> dict[str, Value]:
        """All settings of a training but for the epochs: those searched, and those fixed."""
        return self.fixed_settings() | dict(searched)


def _a(kind: str) -> str:
    """A kind of objective in a sentence."""
    return {"estimator": "an estimator", "external": "an external one"}.get(kind, f"a {kind}")


def weights_by_label(
    name: str, table: Mapping[str, float], classes: Sequence[str | int]
) -> tuple[float, ...]:
    """What a table gives each class.

    Args:
        name: of the table.
        table: numbers by label.
        classes: as for `StudyFile.class_weights`.

    Raises:
        UsageError: likewise.
    """
    if not classes:
        raise UsageError(f"{name} is for classes, and the target is a quantity; remove it")
    labels = [str(label) for label in classes]
    for label in table:
        if label not in labels:
            close = nearest(label, labels)
            hint = f"; did you mean {close!r}?" if close else ""
            raise UsageError(f"{name} names the label {label!r}, of no row{hint}")
    weights = tuple(table.get(label, 1.0) for label in labels)
    if not any(weights):
        raise UsageError(f"{name} is 0 for every class; give one of them more")
    return weights


def _check_tables(study: StudyFile) -> None:
    """Refuse tables that are another kind of objective's.

    Raises:
        UsageError: there is one.
    """
    kind = study.objective.kind
    given = {name for name, value in study if value != StudyFile.model_fields[name].default}
    if study.objective.learns and "data" not in study.model_fields_set:
        raise UsageError("'data' is missing")
    if not study.objective.learns and "data" in given:
        raise UsageError(f"[data] is for rows to learn from, and {_a(kind)} has none", key="data")
    foreign = ("fixed", "space") if kind == "network" else ("model", "training")
    for table in foreign:
        if table in given:
            raise UsageError(
                f"[{table}] is for objectives other than the network, whose settings stand in "
                "[model] and [training]"
                if kind == "network"
                else f"[{table}] is the network's, and the objective is {_a(kind)}; write its "
                "parameters into [space] and [fixed]",
                key=table,
            )
    for name in study.space:
        if name in study.fixed:
            raise UsageError(f"{name} stands in [fixed] and in [space]; keep one of them", key=name)
    if not study.counts_operations and study.search.total_flops is not None:
        raise UsageError(
            f"total_flops counts the operations of the network, and the objective is {_a(kind)}; "
            "use seconds or trials",
            key="total_flops",
        )


def space_of(settings: Mapping[str, Any], known: Mapping[str, Setting]) -> Space:
    """The space of the settings that are searched, with the conditions that may hold or not.

    Args:
        settings: each by its name: a range or choices, or else its fixed value.
        known: what the values of a setting may be, where that is known.

    Raises:
        SpaceError: a range or a condition makes no sense.
        UsageError: a value or a range leaves the limits that are known.

    >>> whether, rate = Choices(choices=(True, False)), FloatRange(low=0, high=1, when={"a": True})
    >>> list(space_of({"a": whether, "b": rate}, {}).parameters)
    ['a', 'b']
    >>> list(space_of({"a": False, "b": rate}, {}).parameters)
    []
    """
    parameters: dict[str, Parameter] = {}
    conditions: dict[str, list[Condition]] = {}
    decided: dict[str, list[Value]] = {}  # of fixed settings, the values that conditions name
    fixed = {name: value for name, value in settings.items() if not isinstance(value, _Searched)}
    for name, setting in settings.items():
        if not isinstance(setting, _Searched):
            if name in known:
                known[name].check(name, setting)
            continue
        parameters[name] = _parameter(name, setting, known.get(name))
        conditions[name] = [
            Condition(parent, _values(name, parent, values, settings, known))
            for parent, values in setting.when.items()
        ]
        for condition in conditions[name]:
            if condition.parameter in fixed:
                decided.setdefault(condition.parameter, []).extend(condition.values)
    for name, values in decided.items():
        parameters[name] = Categorical(tuple(dict.fromkeys(values)))
    return Space(parameters, conditions).given(fixed)


def _parameter(name: str, setting: _Searched, known: Setting | None) -> Parameter:
    if isinstance(setting, Choices) and known is not None:
        for value in setting.choices:
            known.check(name, value)
    try:
        if isinstance(setting, Choices):
            return Categorical(setting.choices)
        assert isinstance(setting, IntRange | FloatRange)
        limits = (known and known.limits) or (-math.inf, math.inf)
        if isinstance(setting, IntRange):
            return Int(setting.low, setting.high, setting.log, setting.step, limits)
        return Float(setting.low, setting.high, setting.log, setting.step, limits)
    except SpaceError as error:
        raise SpaceError(f"{name}: {error}", key=name) from None


def _values(
    name: str,
    parent: str,
    values: Sequence[Value],
    settings: Mapping[str, Any],
    known: Mapping[str, Setting],
) -> tuple[Value, ...]:
    """The values of a condition in the type of the setting that it names."""
    if parent not in settings:
        close = nearest(parent, settings)
        hint = f"; did you mean {close}?" if close else ""
        raise SpaceError(f"{name}: when names {parent!r}, which is no setting{hint}", key=name)
    other = settings[parent]
    if isinstance(other, Choices):
        try:
            return tuple(own_value(Categorical(other.choices), value) for value in values)
        except SpaceError:
            raise SpaceError(
                f"{name}: when names values of {parent} that it never takes; "
                f"its choices are {', '.join(map(str, other.choices))}",
                key=name,
            ) from None
    if parent not in known:
        return tuple(values)
    try:
        return tuple(known[parent].own(parent, value) for value in values)
    except UsageError as error:
        raise SpaceError(f"{name}: when has {error}", key=name) from None


def default_space() -> Space:
    """The five parameters that matter most, over the ranges a study file has when it names none.

    >>> list(default_space().parameters)
    ['width', 'depth', 'learning_rate', 'decay', 'l2']
    """
    return StudyFile(name="default", data=DataSection(name="digits")).search_space()


def json_schema() -> dict[str, Any]:
    """The JSON Schema of study files, for editors that complete and check TOML."""
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return about | StudyFile.model_json_schema()
