"""`hpsearch lab`: the lecture's experiments, measured and drawn."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from hpsearch.cli.console import Json, output, print_json, tell
from hpsearch.errors import UsageError

__all__ = ["lab"]


def lab(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Experiments; without any, list them."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All experiments.")] = False,
    out: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where to write the pages.")
    ] = Path("lab"),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of whatever is drawn.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure the lecture's experiments and draw each on a page; without a name, list them."""
    from hpsearch.lab import EXPERIMENTS, experiment

    if names and everything:
        raise UsageError("name experiments or say --all, not both.")
    chosen = list(EXPERIMENTS) if everything else list(dict.fromkeys(names or []))
    experiments = {name: experiment(name) for name in chosen}
    if not experiments:
        _list(as_json)
        return
    if as_json:
        from hpsearch.lab.numbers import document

        print_json([document(name, made.measure(seed)) for name, made in experiments.items()])
        return
    from hpsearch.lab.pages import write_experiment, write_index

    for name, made in experiments.items():
        start = time.perf_counter()
        data = made.measure(seed)
        path = write_experiment(out, name, data)
        output().print(f"{made.title}: {data.sees()}", markup=False)
        took = time.perf_counter() - start
        tell(f"wrote {path} ({took:.1f} s)")
    tell(f"wrote {write_index(out)}")


def _list(as_json: bool) -> None:
    from hpsearch.lab import EXPERIMENTS

    if as_json:
        print_json([{"experiment": name, "title": e.title} for name, e in EXPERIMENTS.items()])
        return
    width = max(map(len, EXPERIMENTS))
    for name, made in EXPERIMENTS.items():
        output().print(f"{name:<{width}}  {made.title}", markup=False)
