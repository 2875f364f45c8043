"""What a request of those who do trials means, once it is known who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpsearch.service import models
from hpsearch.service.alike import MATTERS, versions
from hpsearch.service.bench import Taker
from hpsearch.service.problems import Problem

if TYPE_CHECKING:
    from hpsearch.service.hands import Hands, UntilGone
    from hpsearch.service.tokens import Asker

__all__ = ["Verbs"]


class Verbs:
    """The verbs; their answers have been committed.

    Args:
        hands: have the trials.
    """

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    async def ask(
        self,
        asker: Asker,
        body: models.Ask,
        study: str | None,
        wait: float,
        key: str | None,
        until_gone: UntilGone | None = None,
    ) -> models.Asked:
        """A trial and a lease on it; or none, and when to ask again."""
        agent = body.agent or models.Agent(name=asker.name)
        if "training" in agent.kinds:
            _check_versions(agent)
        kinds = frozenset[str](agent.kinds)
        taker = Taker(agent.name, kinds, agent.workers, asker.study, asker.name)
        named = None if key is None else models.own_key(asker.name, key)
        return await self._hands.ask(
            taker,
            study,
            asked=named,
            wait=wait,
            seconds=body.seconds,
            until_gone=until_gone,
        )

    async def heartbeat(self, asker: Asker, trial: str, body: models.Beat) -> models.Orders:
        """A sign of life."""
        await self._check(asker, trial, body.lease)
        return await self._hands.beat(trial, body.lease)

    async def report(self, asker: Asker, trial: str, body: models.Report) -> models.Orders:
        """A value on the way."""
        await self._check(asker, trial, body.lease)
        return await self._hands.report(trial, body.lease, body.step, body.value)

    async def release(self, asker: Asker, trial: str, body: models.Release) -> None:
        """A trial is given back."""
        await self._check(asker, trial, body.lease)
        await self._hands.release(trial, body.lease)

    async def _check(self, asker: Asker, trial: str, lease: str) -> None:
        """Make sure that a token of one study has a lease of this one.

        Raises:
            Problem: 410, as of a lease that is none.
        """
        if asker.study is not None:
            await self._hands.check_study(trial, lease, asker.study)

    async def tell(self, asker: Asker, trial: str, body: models.Tell) -> models.Told:
        """The end of a trial.

        Raises:
            Problem: it says nothing, or several things; or see `Hands.tell`.
        """
        given = [x for x in (body.result, body.outcome, body.error) if x is not None]
        if len(given) != 1 and not (body.pruned and not given):
            raise Problem(422, "tell exactly one of result, outcome and error")
        await self._check(asker, trial, body.lease)
        return await self._hands.tell(trial, body)


def _check_versions(agent: models.Agent) -> None:
    """Refuse an agent whose trainings would come to something else.

    Raises:
        Problem: 409, with both versions.
    """
    here = versions()
    for name in MATTERS:
        there = agent.versions.get(name)
        if there != here[name]:
            raise Problem(
                409,
                f"the agent {agent.name!r} has {name} {there or 'of no known version'} and the "
                f"server {here[name]}; install the same versions, or results would differ",
            )
