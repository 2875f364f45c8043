"""What was searched, on which data, what won, and on which machine: in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hpsearch.compare.result import Comparison
from hpsearch.data.account import Account
from hpsearch.engine.summary import Summary, states_text
from hpsearch.outcome import machine_of
from hpsearch.plots.view import StudyView
from hpsearch.wording import (
    MoveText,
    Table,
    budget_text,
    moves,
    race_text,
    scores,
    setting_text,
    settings_text,
)

__all__ = [
    "ConfigurationData",
    "Fact",
    "conditions_data",
    "configuration_data",
    "configuration_tables",
]


class Fact(NamedTuple):
    """Something that is known, and from where."""

    what: str
    value: str
    source: str


@dataclass(frozen=True)
class ConfigurationData:
    """The facts, and how the ranges moved."""

    facts: tuple[Fact, ...]
    moves: tuple[MoveText, ...]
    note: str = ""


STORE, MACHINE = "study", "machine that wrote this page"


def configuration_data(view: StudyView) -> ConfigurationData:
    """What the store knows of the study and its runs, and how this process differs from them."""
    stored = {
        **_winner(view.summary),
        **_search(view),
        **_data(view.summary.data),
        **_settings(view.settings),
    }
    facts = [Fact(what, value, STORE) for what, value in stored.items()]
    ran = _environments(view.environments)
    facts += [Fact(what, value, STORE) for what, value in ran.items()]
    facts += [
        Fact(what, value, MACHINE) for what, value in view.machine.items() if ran.get(what) != value
    ]
    return ConfigurationData(tuple(facts), tuple(moves(view.summary)))


def conditions_data(comparison: Comparison) -> ConfigurationData:
    """Under which conditions strategies were compared, as the store knows them."""
    settings, repeats = comparison.settings, comparison.repeats
    first = settings.get("seed")
    stored = {
        "strategies": ", ".join(comparison.runs),
        "searches of each": str(repeats),
        **({} if first is None else {"seeds": f"{first} to {first + repeats - 1}"}),
        "budget of a search": budget_text(comparison),
        "race of a search": race_text(comparison),
        "epochs of a full training": str(comparison.epochs),
        **{f"searched: {n}": setting_text(p) for n, p in comparison.space.parameters.items()},
        **_data(comparison.data),
        **{name: value for name, value in _settings(settings).items() if name != "seed"},
        **_environments(comparison.environments),
    }
    return ConfigurationData(tuple(Fact(*item, STORE) for item in stored.items()), ())


def configuration_tables(data: ConfigurationData) -> list[Table]:
    """The facts with their sources, and how the ranges moved, if they did."""
    tables = [Table("Facts", ("what", "value", "said by"), data.facts)]
    if data.moves:
        headings = ("stage", "parameter", "before", "after", "why")
        tables.append(Table("How the ranges moved", headings, data.moves))
    return tables


def _winner(summary: Summary) -> dict[str, str]:
    facts = {}
    if summary.best is not None:
        facts["winner" if summary.finished else "best so far"] = settings_text(summary.best)
    facts |= {
        found.what: ", ".join(filter(None, (found.number, found.remark)))
        for found in scores(summary)
    }
    if summary.test_rows:
        facts["test part used"] = "once" if summary.tests == 1 else f"{summary.tests} times"
    return facts


def _search(view: StudyView) -> dict[str, str]:
    summary = view.summary
    facts = {
        "strategy": summary.strategy or "unknown: hpsearch did not make this study",
        "trials": f"{len(view.trials)} ({states_text(summary.states)})" if view.trials else "none",
    }
    if summary.seconds is not None:
        facts["time of all runs"] = f"{summary.seconds:.1f} s"
    hosts = sorted({machine_of(t.worker) for t in view.trials if t.worker})
    if hosts:
        facts["trained on" if summary.learns else "run on"] = ", ".join(hosts)
    first = summary.stages[0].space.parameters if summary.stages else view.parameters
    for name, parameter in first.items():
        facts[f"searched: {name}"] = setting_text(parameter)
    return facts


def _data(data: Mapping[str, Any]) -> dict[str, str]:
    if not data:
        return {}
    classes = len(data["classes"])
    target = f"{classes} classes" if classes else "a quantity as the target"
    facts = {
        "data": f"{data['name']}: {data['rows']} rows, {data['columns']} columns, {target}",
        "data fingerprint": str(data["fingerprint"]),
    }
    told: dict[str, list[str]] = {}
    for what, words in Account.of_document(data["account"]).facts():
        told.setdefault(f"data {what}", []).append(words)
    facts |= {what: "; ".join(words) for what, words in told.items()}
    if data["notes"]:
        facts["notes on the data"] = "; ".join(note.rstrip(".; ") for note in data["notes"])
    return facts


def _settings(settings: Mapping[str, Any]) -> dict[str, str]:
    """The seed, and the settings that the study file fixes."""
    if not settings:
        return {}
    facts = {"seed": str(settings["seed"])} if "seed" in settings else {}
    facts |= (objective := _objective(settings.get("objective", {})))
    for part in ("fixed",) if objective else ("model", "training"):
        fixed = {
            name: value
            for name, value in settings.get(part, {}).items()
            if value is not None and (part == "fixed" or not isinstance(value, dict | list))
        }
        if fixed:
            facts["fixed" if part == "fixed" else f"fixed: {part}"] = settings_text(fixed)
    return facts


def _objective(section: Mapping[str, Any]) -> dict[str, str]:
    """What is optimized, where it is no network."""
    facts = {}
    for kind in ("estimator", "function", "command"):
        named = section.get(kind)
        if named is not None:
            facts[kind] = named if isinstance(named, str) else " ".join(map(str, named))
    if section.get("external"):
        facts["objective"] = "external"
    if isinstance(section.get("resource"), dict):
        resource = section["resource"]
        facts["resource"] = f"{resource['least']} to {resource['full']} {resource['name']}"
    return facts


def _environments(environments: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What the runs ran with; of what has changed between them, every value."""
    names = dict.fromkeys(name for known in environments for name in known)
    return {
        name: ", later ".join(dict.fromkeys(known[name] for known in environments if name in known))
        for name in names
    }
