"""`hpsearch studies`, `hpsearch trials` and `hpsearch best`: look at what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hpsearch.cli.console import DEFAULT_STORAGE, Json, Storage, output, print_json, tell
from hpsearch.cli.search import Executor, Workers
from hpsearch.cli.source import Remote, source_of
from hpsearch.errors import StorageError, UsageError
from hpsearch.writing import in_one_line, write_whole

if TYPE_CHECKING:
    from hpsearch.engine.ensemble import Ensemble
    from hpsearch.engine.summary import Summary
    from hpsearch.service.models import Study

__all__ = ["best", "studies", "trials"]

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A study's name; see `hpsearch studies`.")
]
State = Literal["all", "complete", "pruned", "fail", "running", "waiting"]


def studies(
    context: typer.Context,
    storage: Storage = DEFAULT_STORAGE,
    server: Remote = None,
    every: Annotated[
        bool, typer.Option("--all", help="List each study of a comparison too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the studies of a database or a server, a comparison in one line."""
    from hpsearch.cli.render import foreign_text, studies_table

    source = source_of(context, storage, server)
    states = source.states()
    summaries: dict[str, Summary | StorageError] = {}
    for name in source.names():
        try:
            summaries[name] = source.summary(name, trials=False)
        except StorageError as error:  # of this study; the others can be listed
            summaries[name] = error
            tell(in_one_line(f"error: {error}"))
    if as_json:
        print_json(
            [
                {"study": name, "error": str(summary)}
                if isinstance(summary, StorageError)
                else summary.document() | _state_document(states.get(name))
                for name, summary in summaries.items()
            ]
        )
    elif summaries:
        together = {} if every else source.together()
        width = output().width
        output().print(studies_table(summaries, together, states, width=width))
        for name, summary in summaries.items():
            if not isinstance(summary, StorageError) and (foreign := foreign_text(summary)):
                tell(f"{name}: {foreign}")
    else:
        output().print("No studies yet; `hpsearch run STUDY.toml` makes one.")


def trials(
    context: typer.Context,
    name: Name,
    top: Annotated[int | None, typer.Option("--top", min=1, help="Only the best so many.")] = None,
    state: Annotated[State, typer.Option("--state", help="Only trials of this state.")] = "all",
    storage: Storage = DEFAULT_STORAGE,
    server: Remote = None,
    as_json: Json = False,
) -> None:
    """List a study's trials, best first."""
    from hpsearch.cli.render import foreign_text, trials_table

    summary = source_of(context, storage, server).summary(name)
    rows = [row for row in summary.rows if state in ("all", row.state)][:top]
    if as_json:
        beside = {b.name: b.validation for b in summary.baselines}
        print_json(
            [
                row.document() | {"winner": row.number == summary.winner, "baselines": beside}
                for row in rows
            ]
        )
    elif rows:
        title = f"{in_one_line(name)}: {len(rows)} of {len(summary.rows)} trials"
        notes = [
            f"{b.short}: {summary.measure.text(b.validation)} in validation"
            for b in summary.baselines
        ]
        if summary.objectives > 1:
            notes.append(summary.without_winner)
        if summary.strategy is None and summary.objectives == 1:
            title += f", the {summary.extreme} first"
        width = output().width
        output().print(trials_table(summary, rows, title=title, width=width, notes=notes))
    else:
        output().print(f"The study {name} has no such trials.", markup=False)
    if not as_json and (foreign := foreign_text(summary)):
        tell(foreign)


def best(
    context: typer.Context,
    name: Name,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Write the tested network to this file."),
    ] = None,
    ensemble: Annotated[
        int | None,
        typer.Option(
            "--ensemble", metavar="K", min=1, help="Average the K best; test and export that."
        ),
    ] = None,
    boosting: Annotated[
        bool,
        typer.Option("--boosting", help="Let gradient boosting join the ensemble, if it helps."),
    ] = False,
    workers: Workers = None,
    executor: Executor = None,
    storage: Storage = DEFAULT_STORAGE,
    server: Remote = None,
    as_json: Json = False,
) -> None:
    """Show a study's winner, and keep its network.

    With --ensemble the best configurations are trained again, once, and average their
    probabilities.
    """
    from hpsearch.cli.render import ensemble_text, set_table, winner_text
    from hpsearch.service.documents import best_document
    from hpsearch.wording import seen_tables

    together = None
    if boosting and ensemble is None:
        raise UsageError("--boosting is a candidate for an ensemble; add --ensemble K")
    source = source_of(context, storage, server)
    if ensemble is not None:
        from hpsearch.engine.ensemble import make_ensemble

        together = make_ensemble(
            name,
            ensemble,
            storage=source.database("--ensemble"),
            workers=workers,
            executor=executor,
            tell=tell,
            boosting=boosting,
        )
        if len(together.members) < ensemble:
            tell(f"the study has {together.candidates} configurations to average, not {ensemble}")
    summary, seen = source.summary(name), source.seen(name)
    if export is not None:
        _export(source.database("--export"), summary, together, export)
    if as_json:
        document = best_document(summary, seen)
        print_json(document if together is None else document | {"ensemble": together.document()})
    else:
        output().print(winner_text(summary), end="")
        for table in () if seen is None else seen_tables(seen):
            output().print(set_table(table))
        if together is not None:
            output().print(ensemble_text(together), end="")


def _state_document(study: Study | None) -> dict[str, Any]:
    """What a server does with a study, in terms of JSON."""
    if study is None:
        return {}
    known = study.model_dump(mode="json")
    return {key: known[key] for key in ("state", "why", "who", "since", "owner", "priority")}


def _export(storage: str, summary: Summary, together: Ensemble | None, path: Path) -> None:
    from hpsearch.engine.kept import kept_content
    from hpsearch.storage import load_study, open_storage

    store = open_storage(storage, create=False)

    key = None if together is None else together.key
    content = kept_content(store, load_study(store, summary.study), key)
    try:
        write_whole(path, content)
    except OSError as error:
        raise UsageError(f"cannot write the model to {path}: {error.strerror}") from None
    tell(f"wrote {path}")
