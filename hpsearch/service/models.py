"""What goes over the wire of the service, as requests and answers: pydantic models.

The server checks requests with them, the client and the agent read answers with them, and OpenAPI
describes both. A study file stands in a request as it stands in its file; see
`hpsearch.study_file`.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from hpsearch.errors import shown

__all__ = [
    "KEY_SIGN",
    "LARGEST",
    "LONGEST_KEY",
    "OVER",
    "Added",
    "Agent",
    "Ask",
    "Asked",
    "Beat",
    "Error",
    "Extension",
    "Order",
    "Orders",
    "Rank",
    "Release",
    "Report",
    "Scope",
    "State",
    "Studies",
    "Study",
    "Submission",
    "Tell",
    "Told",
    "Trial",
    "TrialState",
    "Trials",
    "Value",
    "Work",
    "is_key",
    "own_key",
]

KEY_SIGN, LONGEST_KEY = r"[\x21-\x7e]", 128
"""What an ``Idempotency-Key`` is made of, as a regular expression, and of how many at most."""

Value: TypeAlias = bool | int | float | str | None
Configuration: TypeAlias = dict[str, Value]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")
]
"""Of an agent; the table of leases has room for so many characters."""

LARGEST = 2**31 - 1
"""The largest id, number and step that a column of the database holds."""


def _of_characters(value: Any) -> Any:
    """A result of which every text can be written.

    Raises:
        ValueError: one has half of a character.
    """
    left = [value]
    while left:
        match left.pop():
            case dict() as table:
                left += [*table, *table.values()]
            case list() as several:
                left += several
            case str() as text if not text.isascii() and SURROGATE.search(text):
                raise ValueError(
                    f"the text {shown(text)} has a lone surrogate, which is half of a character; "
                    "send whole ones"
                )
    return value


SURROGATE = re.compile("[\ud800-\udfff]")
"""In a text of Python's, where two halves of a character are one, each is alone."""

Lease = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
Number = Annotated[float, Field(allow_inf_nan=True)]

Scope: TypeAlias = Literal["read", "submit", "work", "admin"]
"""What a token allows: to look, to submit and steer studies, to do their trials, or all that."""

State: TypeAlias = Literal["queued", "running", "paused", "stopped", "finished", "failed"]
"""Of a study. Queued: it has no driver yet. Failed: it cannot go on, and `why` says why."""

OVER: frozenset[State] = frozenset({"finished", "failed", "stopped"})
"""The states of a study of which no trial is being done, or will be."""

TrialState: TypeAlias = Literal[
    "waiting", "running", "complete", "pruned", "failed", "lost", "cancelled"
]
"""Of a trial. Waiting: nobody has it. Lost: who had it does not answer, and it waits for another.
Cancelled: its study was stopped."""

Order: TypeAlias = Literal["continue", "stop", "drain"]
"""To who has a trial: go on; end it, nobody wants it any more; end it and ask for no other."""


def is_key(text: str) -> bool:
    """Whether a text may be an ``Idempotency-Key``.

    >>> is_key("0b1f-7"), is_key("two words"), is_key("")
    (True, False, False)
    """
    return len(text) <= LONGEST_KEY and re.fullmatch(f"{KEY_SIGN}+", text) is not None


def own_key(asker: str, key: str) -> str:
    """What an ``Idempotency-Key`` of somebody is kept as: of the same length, whatever both are.

    Args:
        asker: the name of a token, which has no line ends.
        key: as it came.
    """
    return sha256(f"{asker}\n{key}".encode()).hexdigest()


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")


LEASE = "5d41402abc4b2a76b9719d911017c592"
"""Of examples."""


def _with_example(**fields: Any) -> ConfigDict:
    """The configuration of a request that its description has an example of."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class _Answer(BaseModel):
    """A newer server may say more than this client knows."""

    model_config = ConfigDict(extra="ignore")


class Submission(_Request):
    """A study to run, as JSON; TOML is sent as it is, and files beside it as a form."""

    model_config = _with_example(
        study={
            "name": "mine",
            "objective": {"external": True, "metric": "loss", "direction": "minimize"},
            "search": {"strategy": "random", "trials": 20},
            "space": {"x": {"low": 0.1, "high": 3.0}},
        },
        priority=1,
    )

    study: dict[str, Any] = Field(description="The study file, its tables as objects.")
    name: str | None = Field(default=None, description="Instead of the file's name.")
    seed: int | None = Field(default=None, ge=0, description="Instead of the file's seed.")
    priority: int = Field(
        default=0, ge=-100, le=100, description="Studies of a higher one are served first."
    )
    max_parallel: int | None = Field(
        default=None, ge=1, le=100_000, description="Trials at the same time; absent: any number."
    )
    baselines: bool = Field(
        default=True, description="Whether simple models are set beside the winner."
    )
    first: Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")] | None = Field(
        default=None, description="A study whose winner is tried first."
    )


class Study(_Answer):
    """A study of the server."""

    name: str
    state: State
    why: str = Field(default="", description="The reason of the state, in a sentence.")
    who: str = Field(
        default="", description="Who brought it into this state: a token's name, or a server."
    )
    since: str = Field(description="When it came into this state, ISO 8601 in UTC.")
    submitted: str = ""
    owner: str = Field(default="", description="The name of the token that submitted it.")
    priority: int = 0
    max_parallel: int | None = None
    kind: str = Field(
        default="network", description="network, estimator, function, command or external."
    )
    strategy: str = ""
    metric: str = ""
    direction: Literal["minimize", "maximize"] = "maximize"
    trials: dict[str, int] = Field(default={}, description="How many are in which state.")
    total: int | None = Field(default=None, description="How many trials are planned.")
    best: float | None = Field(default=None, description="The best value of a complete trial.")
    seconds: float = Field(default=0.0, description="How long it has been run.")
    left: float | None = Field(default=None, description="Estimated seconds until it is over.")


class Studies(_Answer):
    """All studies, the latest first."""

    studies: list[Study]


class Extension(_Request):
    """A larger budget of a study."""

    model_config = _with_example(trials=120)

    trials: int = Field(ge=1, le=1_000_000, description="How many trials in all.")


class Rank(_Request):
    """How a study stands among others; what is absent stays as it is."""

    model_config = _with_example(priority=5, max_parallel=4)

    priority: int | None = Field(default=None, ge=-100, le=100)
    max_parallel: int | None = Field(default=None, ge=1, le=100_000)


class Trial(_Answer):
    """A trial of a study."""

    trial: str = Field(description="Its id, in requests.")
    number: int = Field(description="Its number in the study, from 0.")
    state: TrialState
    why: str = Field(default="", description="Why it failed, was lost or was stopped.")
    value: float | None = None
    configuration: Configuration = {}
    stage: str = ""
    slot: int | None = None
    seed: int | None = None
    resource: int | None = None
    also: dict[str, float] = {}
    best_step: int | None = Field(default=None, description="The step of its best value.")
    diagnosis: dict[str, str] = Field(
        default={}, description="What was wrong with it, and how it shows."
    )
    hints: dict[str, str] = Field(default={}, description="What might be better, likewise.")
    reports: list[tuple[int, float]] = Field(default=[], description="Steps and values on the way.")
    holder: str = Field(default="", description="Who has it, or had it.")
    attempts: int = 0
    started: str | None = None
    ended: str | None = None
    seconds: float | None = None


class Trials(_Answer):
    """Trials of a study that changed after `since`, oldest change first."""

    trials: list[Trial]
    since: int = Field(description="To be sent with the next request, for what changes later.")
    more: bool = Field(default=False, description="Whether there are more already.")


class Added(_Request):
    """A trial from elsewhere: a known-good configuration to be tried, or one with its value."""

    model_config = _with_example(configuration={"x": 0.5}, value=0.25)

    configuration: Configuration
    value: Number | None = Field(default=None, description="Absent: it is to be tried.")
    also: dict[str, Number] = {}


class Agent(_Request):
    """Who asks for work, and what it can do."""

    name: Name = Field(description="Of the machine and process; the same until it ends.")
    workers: int = Field(
        default=1, ge=1, le=10_000, description="How many trials it can do at once."
    )
    kinds: list[Literal["values", "function", "training"]] = Field(
        default=["values"],
        description="values: it has a program, or is one; function: it imports functions by their "
        "path; training: it trains networks and estimators as hpsearch does.",
    )
    versions: dict[str, str] = Field(
        default={},
        description="Of Python and packages; of kind training they must be the server's.",
    )


class Ask(_Request):
    """Ask for a trial."""

    model_config = _with_example(agent={"name": "laptop:4711", "workers": 2, "kinds": ["values"]})

    agent: Agent | None = Field(default=None, description="Absent: a client that does values.")
    seconds: float | None = Field(
        default=None,
        ge=1.0,
        le=86_400.0,
        description="How long the lease is to last without a sign of life; absent: as the server "
        "has it.",
    )


class Work(_Answer):
    """A trial to do, and the lease on it."""

    trial: str
    lease: str
    seconds: float = Field(description="The lease ends so long after the last request that has it.")
    interval: float = Field(description="Seconds until the first heartbeat.")
    study: str
    number: int | None = None
    stage: str = ""
    slot: int | None = None
    kind: Literal["values", "function", "training"] = "values"
    configuration: Configuration = {}
    seed: int = 0
    resource: int = Field(default=1, description="How long to train: epochs, trees, steps.")
    metric: str = Field(default="value", description="The key of the result that decides.")
    direction: Literal["minimize", "maximize"] = "maximize"
    also: list[str] = Field(default=[], description="Other keys of the result.")
    limit: float | None = Field(
        default=None, description="Seconds after which the trial is given up."
    )
    function: str | None = Field(default=None, description="Of kind function: MODULE:NAME.")
    training: dict[str, Any] | None = Field(
        default=None, description="Of kind training: the job, as `hpsearch.service.wire` writes it."
    )


class Asked(_Answer):
    """The answer to an ask: work, or why there is none."""

    work: Work | None = None
    order: Order = Field(default="continue", description="continue: ask again; drain: ask no more.")
    why: str = Field(default="", description="Why there is no work.")
    retry: float = Field(
        default=1.0, description="Seconds until the next ask, where there is no work."
    )


class Beat(_Request):
    """A sign of life of who has a trial."""

    model_config = _with_example(lease=LEASE)

    lease: Lease


class Report(_Request):
    """A value on the way."""

    model_config = _with_example(lease=LEASE, step=3, value=0.41)

    lease: Lease
    step: int = Field(ge=0, le=LARGEST)
    value: Number


class Orders(_Answer):
    """The answer to a sign of life."""

    order: Order = "continue"
    why: str = ""
    interval: float = Field(default=10.0, description="Seconds until the next heartbeat.")


class Error(_Request):
    """Why a trial came to nothing."""

    sentence: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
    kind: Literal["failed", "broken", "again"] = Field(
        default="failed",
        description="failed: another attempt would come to the same; broken: its process died or "
        "took too long, and it has three attempts; again: nobody's fault, try it later.",
    )
    tail: Annotated[str, StringConstraints(max_length=20_000)] = Field(
        default="", description="The last lines of its output."
    )


class Tell(_Request):
    """The end of a trial: exactly one of result, outcome and error."""

    model_config = _with_example(lease=LEASE, result=0.25, seconds=12.5)

    lease: Lease
    result: Annotated[Number | dict[str, Any] | None, AfterValidator(_of_characters)] = Field(
        default=None,
        description="The metric's value, or an object that has it and the others asked for.",
    )
    reports: list[tuple[int, Number]] = Field(
        default=[],
        max_length=100_000,
        description="Steps and values on the way, beside those reported.",
    )
    pruned: bool = Field(default=False, description="Whether the trial gave up as known bad.")
    outcome: Annotated[dict[str, Any] | None, AfterValidator(_of_characters)] = Field(
        default=None,
        description="Of kind training: what came of it, as `hpsearch.service.wire` writes it.",
    )
    error: Error | None = None
    seconds: float | None = Field(default=None, ge=0.0, description="How long it took.")


class Told(_Answer):
    """The answer to a tell: it is kept, committed."""

    trial: str
    value: float | None = Field(
        default=None, description="The value that is kept; none of an error."
    )
    late: bool = Field(
        default=False, description="Whether the lease had ended, and it was kept anyway."
    )
    why: str = Field(
        default="", description="Why the trial failed, where what was told is no result."
    )


class Release(_Request):
    """Give a trial back that is not done; it waits for another, and no attempt is counted."""

    model_config = _with_example(lease=LEASE)

    lease: Lease
