"""What is kept of the simple models beside a winner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hpsearch.engine.metadata import RIVAL, read_metadata, write_metadata

if TYPE_CHECKING:
    import optuna

__all__ = ["WANTED", "Rival", "are_wanted", "keep_rivals", "read_rivals", "want_rivals"]

WANTED = "rivals wanted"
"""Of a study: whether its result is to have simple models beside it, and has not got them yet."""


@dataclass(frozen=True)
class Rival:
    """A simple model beside the winner.

    Attributes:
        kind: a name in `SIMPLE_MODELS`.
        name: in words.
        value: the study's metric on the test rows; None if it was not fitted.
        better: how much better than the winner's that is; negative where it is worse.
        interval: the 95% interval around ``better``; None where the rows are too few to tell.
        seconds: that it took.
        cut: how far it came, where its time was over; or why it was not fitted.
    """

    kind: str
    name: str
    value: float | None
    better: float | None
    interval: tuple[float, float] | None
    seconds: float
    cut: str = ""

    def document(self) -> dict[str, Any]:
        """It in terms of JSON."""
        return asdict(self) | {"interval": self.interval and list(self.interval)}

    @property
    def surely_better(self) -> bool:
        """Whether it is better than the winner by more than chance."""
        return self.interval is not None and self.interval[0] > 0


def keep_rivals(study: optuna.Study, rivals: Sequence[Rival]) -> None:
    """Keep them with the study."""
    write_metadata(study, "rivals", [rival.document() for rival in rivals])
    want_rivals(study, False)


def want_rivals(study: optuna.Study, wanted: bool) -> None:
    """Keep with a study whether its result is to have simple models beside it.

    It is said before there is a result, so that a run that is killed while they are fitted leaves
    them to the next one.
    """
    if wanted or are_wanted(study):
        write_metadata(study, WANTED, wanted)


def are_wanted(study: optuna.Study) -> bool:
    """Whether a study still waits for simple models; never one that was finished without them.

    Raises:
        StorageError: the metadata are damaged.
    """
    return read_metadata(study, WANTED) is True


def read_rivals(study: optuna.Study) -> tuple[Rival, ...]:
    """Those that are kept with a study.

    Raises:
        StorageError: the metadata are damaged.
    """
    return tuple(_read(read_metadata(study, "rivals") or []))


def _read(kept: list[Mapping[str, Any]]) -> Iterator[Rival]:
    for one in kept:
        interval = one["interval"]
        known = {name: one[name] for name in RIVAL}
        yield Rival(**{**known, "interval": interval and (interval[0], interval[1])})
