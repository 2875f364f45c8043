"""Figures for Prometheus: what is there when it asks, and what was counted since the start.

What could grow without end does not: requests go by the template of their route, never by their
path, and of many studies `MOST` are told apart.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from hpsearch.errors import HpsearchError
from hpsearch.service.logs import about

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from hpsearch.service.desk import Desk
    from hpsearch.service.hands import Hands
    from hpsearch.service.models import Study

__all__ = ["Measured", "Metrics"]

log = logging.getLogger("hpsearch.service")

MOST = 100
"""Studies whose trials are counted each for itself; those of the others are counted together."""

OTHERS = "(others)"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BATCHES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
METHODS = ("GET", "HEAD", "POST", "DELETE")

SLOW = 5.0
"""Seconds after which a request is told in the log, if it does not wait on purpose."""


class Metrics(Collector):
    """The figures of a server.

    Args:
        studies: all of them.
        desk: knows who does what.
        hands: count what they are asked.
        versions: of what the server consists of.
    """

    def __init__(
        self,
        studies: Callable[[], list[Study]],
        desk: Desk,
        hands: Hands,
        versions: Mapping[str, str],
    ) -> None:
        self._studies, self._desk, self._hands, self._versions = studies, desk, hands, versions
        self._began = time.monotonic()
        self._registry = CollectorRegistry()
        self.seconds = Histogram(
            "hpsearch_request_seconds",
            "Until a request's answer began, which for an ask includes what it waited.",
            ["method", "route", "status"],
            buckets=SECONDS,
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing, so that the database is not asked at the start."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures that are looked up when they are asked for."""
        up = 1
        try:
            yield from self._of_studies()
        except HpsearchError as error:
            log.warning("the figures of the studies cannot be read", extra=about(why=str(error)))
            up = 0
        yield _gauge("hpsearch_database_up", "Whether the database could be read just now.", up)
        desk = self._desk
        with desk.lock:
            open_ones = sum(lease.is_open for lease in desk.leases.values())
            batches = desk.batches()
        yield _gauge("hpsearch_leases_open", "Trials in somebody's hands.", open_ones)
        yield _gauge(
            "hpsearch_agents", "Who has asked lately, or has a trial.", len(desk.present())
        )
        yield _gauge("hpsearch_local_workers", "Of the server's own machine.", desk.local_workers)
        uptime = time.monotonic() - self._began
        yield _gauge("hpsearch_uptime_seconds", "Since the server's start.", uptime)
        info = GaugeMetricFamily(
            "hpsearch_info", "Versions.", labels=[*map(_label, self._versions)]
        )
        info.add_metric([*self._versions.values()], 1)
        yield info
        for name, text in _COUNTED.items():
            yield CounterMetricFamily(f"hpsearch_{name}", text, value=self._hands.counts[name])
        yield _histogram(batches + self._hands.batches)

    def _of_studies(self) -> Iterator[Metric]:
        studies = self._studies()
        states = GaugeMetricFamily("hpsearch_studies", "Studies by state.", labels=["state"])
        for state, count in Counter(study.state for study in studies).items():
            states.add_metric([state], count)
        yield states
        # Those that go on, then the latest.
        studies.sort(key=lambda study: study.state not in ("running", "queued", "paused"))
        trials = GaugeMetricFamily(
            "hpsearch_trials", "Trials by study and state.", labels=["study", "state"]
        )
        for study in studies[:MOST]:
            for kind, count in study.trials.items():
                trials.add_metric([study.name, kind], count)
        others: Counter[str] = Counter()
        for study in studies[MOST:]:
            others.update({str(kind): count for kind, count in study.trials.items()})
        for kind, count in others.items():
            trials.add_metric([OTHERS, kind], count)
        yield trials


_COUNTED = {
    "asks": "Asks for a trial.",
    "trials_given": "Trials that were given.",
    "reports": "Values on the way.",
    "heartbeats": "Signs of life.",
    "tells": "Ends of trials that were told, and kept.",
    "late_tells": "Of these, those whose lease had run out.",
    "releases": "Trials that were given back.",
    "lost_leases": "Leases that ended without a sign of life.",
}


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _label(name: str) -> str:
    return name.replace("-", "_")


def _histogram(sizes: Counter[int]) -> HistogramMetricFamily:
    """Transactions of the ledgers, by how many writes each had."""
    buckets = [(str(most), sum(n for size, n in sizes.items() if size <= most)) for most in BATCHES]
    family = HistogramMetricFamily(
        "hpsearch_ledger_batch", "Writes that were committed together in the ledgers."
    )
    total = sum(size * n for size, n in sizes.items())
    family.add_metric([], [*buckets, ("+Inf", sizes.total())], total)
    return family


class Measured:
    """An ASGI application whose requests are timed.

    Args:
        app: answers.
        metrics: counts.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._timed: dict[tuple[str, str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._observe(scope, message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, timed)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        # Where the guard or nobody has answered there is no route.
        route = str(getattr(scope.get("route"), "path", "none"))
        key = method, route, status
        timer = self._timed.get(key)
        if timer is None:
            timer = self._timed[key] = self._metrics.seconds.labels(method, route, str(status))
        timer.observe(seconds)
        if seconds > SLOW and not route.endswith(":ask"):
            asker = scope.get("state", {}).get("asker")
            facts = about(
                seconds=round(seconds, 3), status=status, token=getattr(asker, "name", None)
            )
            log.warning("slow request %s %s", method, route, extra=facts)
