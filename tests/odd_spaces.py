"""Spaces of any kind for hypothesis: parameters with several conditions, which may chain."""

from __future__ import annotations

from hypothesis import strategies as st

from hpsearch.errors import SpaceError
from hpsearch.space import Categorical, Condition, Float, Int, Parameter, Space

choices = st.one_of(
    st.builds(Categorical, st.sampled_from([("u", "v"), ("u", "v", "w"), (True, False), (1, 0.5)]))
)
numbers = st.one_of(
    st.builds(lambda low, n: Int(low, low + n), st.integers(1, 4), st.integers(0, 4)),
    st.builds(lambda n: Int(1, n, log=True), st.integers(1, 40)),
    st.builds(lambda n: Float(0.0, 0.25 * n, step=0.25), st.integers(0, 4)),
)
continua = st.sampled_from([Float(1e-4, 1.0, log=True), Float(-2.0, 3.0)])


@st.composite
def odd_spaces(draw: st.DrawFn, *, discrete: bool = False, most: int = 6) -> Space:
    """The later parameters may depend on choices of some of the earlier ones."""
    kinds = st.one_of(choices, choices, numbers, *([] if discrete else [continua]))
    made: dict[str, Parameter] = {}
    conditions: dict[str, list[Condition]] = {}
    for parameter in draw(st.lists(kinds, min_size=1, max_size=most)):
        name = f"p{len(made)}"
        parents = [(n, p) for n, p in made.items() if isinstance(p, Categorical)]
        own = []
        for parent, chosen in (
            draw(st.lists(st.sampled_from(parents), max_size=3)) if parents else ()
        ):
            values = draw(st.lists(st.sampled_from(chosen.choices), min_size=1, unique=True))
            own.append(Condition(parent, tuple(values)))
        try:
            Space({**made, name: parameter}, {**conditions, name: own})
        except SpaceError:  # it would exist nowhere
            own = []
        made[name], conditions[name] = parameter, own
    # On purpose, what others depend on may come last.
    return Space({name: made[name] for name in draw(st.permutations(sorted(made)))}, conditions)
