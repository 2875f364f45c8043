"""No configuration twice by accident: what a stage draws again is drawn anew.

In a small or discrete space independent draws repeat each other. A training that is to be repeated
is a matter of the race, with other seeds and counted as such; any other repeat would spend a trial
and tell little. So a stage takes the distinct ones of a sequence of draws, in their order: slot i
has the i-th that is new. What was tried is what an earlier stage trained as long. A configuration
that a coarse stage trained for fewer epochs may come again: its longer training is another one.

Why this keeps the contract of `hpsearch.search.base`. A draw is a function of study seed, stage and
place in the sequence. What was tried before is read off the results of earlier stages; where draws
can repeat, the next stage waits for all of them. So slot i follows from the first draws, whichever
slot is asked for first: one worker or eight, and a run that goes on after a kill, find the same.
A slot that failed has no result, and what it was to train may be drawn again. The number of slots
does not matter either: a stage with more of them begins with the same ones, which a raised total
and random search with twice the budget rely on.

Where every configuration has a number of a continuum (`Space.continuous`), two draws are never
equal. There nothing of this is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice
from typing import TypeAlias

from hpsearch.search.base import Configuration, Key, Propose, Result, configuration_key, generator
from hpsearch.space import Space

__all__ = ["Draw", "fresh", "in_turn", "near"]

TRIES = 1000
"""Draws in a row that find nothing new, after which what is left is gone through in its order."""

Draw: TypeAlias = Callable[[int], Configuration]
"""The configuration at a place of a sequence, from 0."""


def fresh(
    sources: Sequence[tuple[Space, Draw]], tried: Iterable[Key] = (), start: int = 0
) -> Iterator[Configuration]:
    """The distinct configurations of sequences of draws, without those that were tried.

    Args:
        sources: spaces, and draws from each; when all of one has come, the next follows.
        tried: what is not to come.
        start: the place of the first draw.
    """
    seen = set(tried)

    def new(configurations: Iterable[Configuration]) -> Configuration | None:
        return next((c for c in configurations if configuration_key(c) not in seen), None)

    for space, draw in sources:
        places = count(start)
        finite = space.size < math.inf
        while True:
            found = new(draw(place) for place in islice(places, TRIES))
            if found is None and finite:  # as many more as were seen hold one that was not
                found = new(space.configurations())
            if found is None:
                break
            seen.add(configuration_key(found))
            yield found


def in_turn(configurations: Iterator[Configuration]) -> Propose:
    """A stage that proposes configurations in their order; from the first again if they end."""
    known: list[Configuration] = []

    def propose(index: int, finished: Sequence[Result]) -> Configuration:
        del finished
        known.extend(islice(configurations, max(0, index + 1 - len(known))))
        return known[index % len(known)]

    return propose


def near(space: Space, proposed: Configuration, seed: int, *key: int) -> Draw:
    """Draws around a configuration, ever further away: ever more parameters are drawn anew.

    Args:
        space: where they lie.
        proposed: the configuration, of this space.
        seed: of the draws.
        key: of the draws.
    """
    names = list(space.parameters)

    def draw(place: int) -> Configuration:
        rng = generator(seed, *key, place)
        values = {
            n: space.parameters[n].from_unit(u)
            for n, u in zip(names, rng.random(len(names)).tolist(), strict=True)
        }
        moved = rng.permutation(names)[: 1 + place * len(names) // TRIES].tolist()
        values |= {name: v for name, v in proposed.items() if name not in moved}
        return {name: values[name] for name in space.active(values)}

    return draw
