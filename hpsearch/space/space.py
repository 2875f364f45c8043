"""Search spaces: named parameters, and which of them exist together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from hpsearch.errors import SpaceError, UnknownNameError
from hpsearch.space.parameter import Categorical, Float, Int, Parameter, Value

__all__ = ["Condition", "Space"]


@dataclass(frozen=True)
class Condition:
    """What a parameter needs to exist: another one that exists, with one of some values.

    Args:
        parameter: the name of the categorical parameter that it depends on.
        values: the choices of that parameter for which it exists.
    """

    parameter: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))


@dataclass(frozen=True)
class Space:
    """Named parameters, some of which exist only under conditions.

    Args:
        parameters: each parameter by its name.
        conditions: for each parameter that does not always exist, when it does: a condition, or
            several of which all must hold. What it depends on may have conditions itself.

    Raises:
        UnknownNameError: if a condition names a parameter that is not there.
        SpaceError: if a parameter depends on one that is not categorical, or on values which that
            one does not have, or if conditions lead in a circle or never hold together.

    >>> space = Space(
    ...     {"solver": Categorical(("sgd", "adam")), "momentum": Float(0.5, 0.99)},
    ...     {"momentum": Condition("solver", ("sgd",))},
    ... )
    >>> space.from_unit([0.9, 0.5])
    {'solver': 'adam'}
    """

    parameters: Mapping[str, Parameter]
    conditions: Mapping[str, Condition | Sequence[Condition]] = field(default_factory=dict)
    _order: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", dict(self.parameters))
        several = {
            name: (given,) if isinstance(given, Condition) else tuple(given)
            for name, given in self.conditions.items()
        }
        object.__setattr__(self, "conditions", {k: c for k, c in several.items() if c})
        for name in self.conditions:
            for condition in self.conditions_of(name):
                self._check(name, condition)
        object.__setattr__(self, "_order", tuple(self._ordered()))
        for name in self.conditions:
            self._check_possible(name)

    def conditions_of(self, name: str) -> tuple[Condition, ...]:
        """The conditions of a parameter, all of which must hold; none where it always exists."""
        return tuple(self.conditions.get(name, ()))  # type: ignore[arg-type]

    @property
    def parents(self) -> set[str]:
        """The parameters that others depend on."""
        return {c.parameter for name in self.conditions for c in self.conditions_of(name)}

    def needs(self, *names: str) -> dict[str, tuple[Value, ...]]:
        """What must be chosen for parameters to exist together.

        Returns:
            For each parameter that they depend on, directly or not, the choices with which they
            exist; all of them must have one. Where there are none, they never exist together.

        >>> whether = Categorical((True, False))
        >>> space = Space(
        ...     {"a": whether, "b": whether, "c": Float(0, 1)},
        ...     {"b": Condition("a", (True,)), "c": Condition("b", (False,))},
        ... )
        >>> space.needs("c")
        {'b': (False,), 'a': (True,)}
        """
        found: dict[str, tuple[Value, ...]] = {}
        met = list(dict.fromkeys(names))
        for name in met:  # which grows
            for condition in self.conditions_of(name):
                parent = condition.parameter
                before = found.get(parent, condition.values)
                found[parent] = tuple(value for value in before if value in condition.values)
                if parent not in met:
                    met.append(parent)
        return found

    def sample(self, rng: np.random.Generator) -> dict[str, Value]:
        """A configuration drawn at random; parameters that do not exist in it are absent."""
        return self.from_unit(rng.random(len(self.parameters)).tolist())

    def from_unit(self, point: Sequence[float]) -> dict[str, Value]:
        """The configuration at a point of the unit cube.

        Args:
            point: (d,) numbers in [0, 1], one for each parameter in the order of ``parameters``.

        Returns:
            The value of each parameter that exists there, in the order of ``parameters``.
        """
        values = {
            name: parameter.from_unit(u)
            for (name, parameter), u in zip(self.parameters.items(), point, strict=True)
        }
        exists = set(self.active(values))
        return {name: value for name, value in values.items() if name in exists}

    def active(self, configuration: Mapping[str, Value]) -> list[str]:
        """The parameters that exist in a configuration, each after those it depends on."""
        exists: list[str] = []
        for name in self._order:
            if name not in self.conditions or all(
                condition.parameter in exists
                and configuration.get(condition.parameter) in condition.values
                for condition in self.conditions_of(name)
            ):
                exists.append(name)
        return exists

    def __contains__(self, configuration: object) -> bool:
        """Whether a configuration has exactly the parameters that exist in it, within range."""
        return (
            isinstance(configuration, Mapping)
            and set(configuration) == set(self.active(configuration))
            and all(value in self.parameters[name] for name, value in configuration.items())
        )

    def replace(self, changed: Mapping[str, Parameter]) -> Space:
        """The space with some parameters changed.

        Conditions lose the values that their parameter no longer has; a parameter that can no
        longer exist anywhere is left out.

        Args:
            changed: the new parameter for each name.
        """
        parameters = {**self.parameters, **changed}
        conditions = {
            name: [
                Condition(c.parameter, tuple(v for v in c.values if v in parameters[c.parameter]))
                for c in self.conditions_of(name)
            ]
            for name in self.conditions
        }
        for name in self.conditions:
            needs = self.needs(name).items()
            if not all(any(v in parameters[parent] for v in values) for parent, values in needs):
                del parameters[name], conditions[name]
        return Space(parameters, conditions)

    def given(self, fixed: Mapping[str, Any]) -> Space:
        """What is left to search where some parameters have fixed values.

        A condition on one of them holds from now on or never will; what depends on a parameter that
        exists nowhere exists nowhere either.

        Args:
            fixed: the value of each that is fixed, whatever it depends on.

        >>> space = Space(
        ...     {"solver": Categorical(("sgd", "adam")), "momentum": Float(0.5, 0.99)},
        ...     {"momentum": Condition("solver", ("sgd",))},
        ... )
        >>> list(space.given({"solver": "sgd"}).parameters)
        ['momentum']
        >>> list(space.given({"solver": "adam"}).parameters)
        []
        """
        parameters = dict(self.parameters)
        conditions: dict[str, list[Condition]] = {}
        for name in self._order:
            own = self.conditions_of(name)
            if name not in fixed:
                open_ = [c for c in own if c.parameter not in fixed]
                decided = [c for c in own if c.parameter in fixed]
                holds = all(_among(fixed[c.parameter], c.values) for c in decided)
                if holds and all(c.parameter in parameters for c in open_):
                    conditions[name] = open_
                    continue
            del parameters[name]
        return Space(parameters, conditions)

    @property
    def continuous(self) -> bool:
        """Whether every configuration has a number of a continuum, so that no two draws agree."""
        return any(
            p.count == math.inf and name not in self.conditions
            for name, p in self.parameters.items()
        )

    @property
    def size(self) -> float:
        """How many configurations there are; infinite where there is a continuum.

        >>> Space({"depth": Int(1, 3), "solver": Categorical(("sgd", "adam"))}).size
        6
        """
        counts = {name: parameter.count for name, parameter in self.parameters.items()}
        choices = {name: list(self.parameters[name].values()) for name in self.parents}
        return self.combinations(counts, choices)

    def combinations(
        self, counts: Mapping[str, float], choices: Mapping[str, Sequence[Value]]
    ) -> float:
        """How many configurations there are of some values of each parameter, without making them.

        Args:
            counts: how many values each has.
            choices: which, of those that others depend on.
        """
        groups: list[set[str]] = []  # which depend on each other, directly or not
        for name in self.parameters:
            own = {name, *(c.parameter for c in self.conditions_of(name))}
            apart = [group for group in groups if not group & own]
            groups = [*apart, own.union(*(group for group in groups if group & own))]

        def count(configuration: dict[str, Value], waiting: set[str]) -> float:
            ready = next((n for n in self.active(configuration) if n in waiting), None)
            if ready is None:
                return 1
            left = waiting - {ready}
            if ready in choices:
                return sum(count({**configuration, ready: v}, left) for v in choices[ready])
            return _times(counts[ready], count(configuration, left))

        total: float = 1
        for group in groups:
            total = _times(total, count({}, group))
        return total

    def configurations(
        self, values: Callable[[str], Iterable[Value]] | None = None
    ) -> Iterator[dict[str, Value]]:
        """Every configuration, each once, made as it is asked for.

        Args:
            values: those of a parameter, by its name; by default all, which can then be counted.

        >>> list(Space({"depth": Int(1, 3)}).configurations())
        [{'depth': 1}, {'depth': 2}, {'depth': 3}]
        """

        def extend(
            configuration: dict[str, Value], waiting: list[str]
        ) -> Iterator[dict[str, Value]]:
            exists = self.active(configuration)
            ready = next((name for name in exists if name in waiting), None)
            if ready is None:
                yield configuration
                return
            left = [name for name in waiting if name != ready]
            for value in values(ready) if values else self.parameters[ready].values():
                yield from extend({**configuration, ready: value}, left)

        return extend({}, list(self.parameters))

    def kept_within(self, whole: Space) -> Space:
        """The same space, whose ranges no search may move past those of another.

        >>> space = Space({"x": Float(0.0, 1.0)})
        >>> space.kept_within(Space({"x": Float(0.0, 2.0)})).parameters["x"].limits
        (0.0, 2.0)
        """
        ranges = {n: p for n, p in whole.parameters.items() if not isinstance(p, Categorical)}
        kept = {
            name: p
            if isinstance(p, Categorical)
            else replace(p, limits=(ranges[name].low, ranges[name].high))
            for name, p in self.parameters.items()
        }
        return Space(kept, self.conditions)

    def to_dict(self) -> dict[str, Any]:
        """The space in terms of JSON: the inverse of `from_dict`."""
        return {
            "parameters": {name: _to_dict(p) for name, p in self.parameters.items()},
            "conditions": {
                name: [
                    {"parameter": c.parameter, "values": list(c.values)}
                    for c in self.conditions_of(name)
                ]
                for name in self.conditions
            },
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Space:
        """The space that `to_dict` described.

        Raises:
            SpaceError: if the description is not of a space.
        """
        try:
            return cls(
                {name: _from_dict(p) for name, p in document["parameters"].items()},
                {
                    name: [
                        Condition(c["parameter"], tuple(c["values"]))
                        for c in (given if isinstance(given, list) else [given])
                    ]
                    for name, given in document.get("conditions", {}).items()
                },
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise SpaceError(
                f"this is not the description of a search space ({error!r}); "
                "use what Space.to_dict returned."
            ) from error

    def _check(self, name: str, condition: Condition) -> None:
        for given in (name, condition.parameter):
            if given not in self.parameters:
                raise UnknownNameError("parameter", given, self.parameters)
        parent = self.parameters[condition.parameter]
        if not isinstance(parent, Categorical):
            raise SpaceError(
                f"{name} depends on {condition.parameter}, which has no choices; "
                "let it depend on a categorical parameter.",
                key=name,
            )
        if not condition.values or any(value not in parent for value in condition.values):
            raise SpaceError(
                f"{name} exists only where {condition.parameter} is one of "
                f"{list(condition.values)}; name some of its choices {list(parent.choices)}.",
                key=name,
            )

    def _check_possible(self, name: str) -> None:
        for parent, values in self.needs(name).items():
            if not values:
                raise SpaceError(
                    f"{name} exists nowhere, since what it depends on asks for different values "
                    f"of {parent}; remove one of the conditions.",
                    key=name,
                )

    def _ordered(self) -> list[str]:
        """All names, each after those it depends on, else in the order given."""
        order: list[str] = []
        waiting = list(self.parameters)
        while waiting:
            ready = [
                name
                for name in waiting
                if all(condition.parameter in order for condition in self.conditions_of(name))
            ]
            if not ready:
                raise SpaceError(
                    f"the conditions of {', '.join(waiting)} lead in a circle; remove one of them.",
                    key=waiting[0],
                )
            order += ready
            waiting = [name for name in waiting if name not in ready]
        return order


def _times(a: float, b: float) -> float:
    """The product of two counts, of which whole ones may be larger than any float."""
    return math.inf if math.inf in (a, b) else a * b


def _among(given: object, values: Sequence[Value]) -> bool:
    """Whether a value is one of some; true and 1 are not the same."""
    return any(v == given and isinstance(v, bool) == isinstance(given, bool) for v in values)


def _to_dict(parameter: Parameter) -> dict[str, Any]:
    document = {"type": type(parameter).__name__.lower(), **asdict(parameter)}
    if isinstance(parameter, Categorical):
        return {**document, "choices": list(parameter.choices)}
    # JSON has no infinity.
    return {**document, "limits": [x if math.isfinite(x) else None for x in parameter.limits]}


def _from_dict(document: Mapping[str, Any]) -> Parameter:
    settings = {key: value for key, value in document.items() if key != "type"}
    if document["type"] == "categorical":
        return Categorical(**settings)
    low, high = settings.pop("limits", (None, None))
    limits = (-math.inf if low is None else low, math.inf if high is None else high)
    kinds: dict[str, type[Float | Int]] = {"float": Float, "int": Int}
    return kinds[document["type"]](**settings, limits=limits)
