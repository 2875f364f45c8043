"""A study's place at the desk: its jobs, and who has them."""

from __future__ import annotations

import datetime
import json
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hpsearch.service.leases import LeaseRow, Ledger, rows_of

if TYPE_CHECKING:
    from hpsearch.data import DataHandle
    from hpsearch.metrics import Measure
    from hpsearch.outcome import Place
    from hpsearch.service.models import Order
    from hpsearch.storage import WriteBehindStorage

__all__ = ["LOCAL", "Bench", "Item", "Kind", "Lease", "Taker", "reports_in", "utc_now"]

Kind: TypeAlias = Literal["values", "function", "training"]
"""What it takes to do a job."""

LOCAL = "this server"
"""The holder of a job that a worker of the server's own machine does."""


@dataclass(frozen=True)
class Taker:
    """Who asks for jobs.

    Attributes:
        name: of the agent, or of the token of a client that is none.
        kinds: what it can do.
        workers: how many jobs at once.
        study: the only study that it works for, None for any.
        token: the name of the token that it showed.
    """

    name: str
    kinds: frozenset[str]
    workers: int = 1
    study: str | None = None
    token: str = ""


@dataclass(eq=False)
class Lease:
    """A job in somebody's hands.

    Attributes:
        lease: its id.
        bench: of the study.
        job_id: which job.
        holder: who has it.
        seconds: how long it lasts without a sign of life.
        since: when it was given, ISO 8601 in UTC.
        began: the same by the monotonic clock.
        expires: when it ends without a sign of life, likewise.
        limit: seconds that the job may take, None for any time.
        asked: see `LeaseRow`.
        reports: values on the way, by step.
        order: what its holder is told at the next sign of life.
        why: the reason.
        is_open: whether its holder is taken to be at work.
        beats: of its row, as last seen.
    """

    lease: str
    bench: Bench
    job_id: str
    holder: str
    seconds: float
    since: str
    began: float
    expires: float
    limit: float | None = None
    asked: str | None = None
    reports: dict[int, float] = field(default_factory=dict)
    order: Order = "continue"
    why: str = ""
    is_open: bool = True
    beats: int = 0

    def renew(self) -> None:
        """Its holder is alive."""
        self.expires = time.monotonic() + self.seconds

    @property
    def item(self) -> Item | None:
        """The job; None while its driver does not wait for it."""
        return self.bench.items.get(self.job_id)

    def row(self) -> LeaseRow:
        """What is kept of it when it is given."""
        assert self.bench.study_id is not None, "known with the first job"
        return LeaseRow(
            self.lease,
            self.bench.study_id,
            self.job_id,
            self.asked,
            self.holder,
            self.seconds,
            self.since,
            beats=0,
            state="open",
            digest=None,
            content=None,
        )


@dataclass(eq=False)
class Item:
    """A job on the desk.

    Attributes:
        job_id: a trial's id, or another name.
        function: what is called with the job.
        job: what whoever does it is told.
        limit: seconds that an attempt may take, None for any time.
        number: of the trial in its study, None of a job that is none.
        stage: the name of its stage.
        future: settled when the job is done.
        leases: who has it now.
        claimed: whether it has been told, which is just being written.
    """

    job_id: str
    function: Callable[[Any], Any]
    job: Any
    limit: float | None = None
    number: int | None = None
    stage: str = ""
    future: Future[Any] = field(default_factory=Future)
    leases: list[Lease] = field(default_factory=list)
    claimed: bool = False


@dataclass(eq=False)
class Bench:
    """A study's place at the desk, while it has a driver.

    Attributes:
        name: of the study.
        owner: who submitted it.
        kind: what it takes to do its jobs.
        store: of its driver.
        priority: the greater is served first.
        max_parallel: how many of its jobs are done at once, None for any number.
        paused: whether none is given out.
        study_id: known with the first job.
        measure: of its trials, known with the first event.
        waiting: jobs that nobody has.
        items: all of them, by id.
        before: what earlier drivers left of each job, by id, in order.
        data: where the data of its trainings are, known with the first job.
        opened: when it was, by the monotonic clock.
        served: when one of its jobs was given out last; at first when it was opened, so that new
            ones come after those that wait longer.
    """

    name: str
    owner: str
    kind: Kind
    store: WriteBehindStorage
    priority: int = 0
    max_parallel: int | None = None
    paused: bool = False
    study_id: int | None = None
    measure: Measure | None = None
    waiting: deque[Item] = field(default_factory=deque)
    items: dict[str, Item] = field(default_factory=dict)
    before: dict[str, deque[LeaseRow]] = field(default_factory=dict)
    data: Place | DataHandle | None = None

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.store)
        self.opened = self.served = time.monotonic()

    @property
    def busy(self) -> int:
        """How many of its jobs somebody has."""
        return len(self.items) - len(self.waiting)

    @property
    def local(self) -> int:
        """How many of them workers of the server's own machine have."""
        return sum(not item.leases for item in self.items.values()) - len(self.waiting)

    @property
    def has_room(self) -> bool:
        """Whether one more job may be given out."""
        full = self.max_parallel is not None and self.busy >= self.max_parallel
        return bool(self.waiting) and not self.paused and not full

    def is_local(self, item: Item) -> bool:
        """Whether a worker of the server's own machine has a job."""
        return not item.leases and item not in self.waiting

    def read_before(self) -> None:
        """Read what earlier drivers left, once the study is there."""
        if self.study_id is None:
            study_id = self.store.get_study_id_from_name(self.name)
            with self.store.connection.reading() as connection:
                rows = rows_of(connection, study_id)
            self.study_id = study_id
            for row in rows:
                self.before.setdefault(row.job, deque()).append(row)


def reports_in(content: bytes | None) -> dict[int, float]:
    """The values on the way that an open lease keeps."""
    return {} if not content else {int(step): float(value) for step, value in json.loads(content)}


def utc_now() -> str:
    """The time for people, ISO 8601 in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
