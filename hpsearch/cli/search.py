"""`hpsearch run` and `hpsearch check`."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from hpsearch.cli.console import DEFAULT_STORAGE, Json, Storage, output, print_json
from hpsearch.errors import RunError, UsageError

if TYPE_CHECKING:
    from hpsearch.engine import Summary
    from hpsearch.study_file import StudyFile

__all__ = [
    "Executor",
    "First",
    "NameInstead",
    "NoBaselines",
    "Seed",
    "StudyArgument",
    "Workers",
    "check",
    "load_study_argument",
    "run",
    "tell_result",
]

StudyArgument = typer.Argument(
    metavar="STUDY", help="A study file, or the name of one that comes along."
)
Workers = Annotated[
    int | None,
    typer.Option("--workers", "-w", min=1, help="Worker processes; default: one per core."),
]
Executor = Annotated[
    str | None,
    typer.Option("--executor", metavar="URL", help="dask://HOST:PORT: train on a cluster."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Instead of the file's seed.")]
NameInstead = Annotated[
    str | None, typer.Option("--name", help="Instead of the file's study name.")
]
First = Annotated[
    str | None,
    typer.Option("--first", metavar="NAME", help="Try the winner of this study first."),
]
NoBaselines = Annotated[
    bool, typer.Option("--no-baselines", help="Without simple models beside the winner.")
]


def run(
    study: Annotated[str, StudyArgument],
    workers: Workers = None,
    executor: Executor = None,
    storage: Storage = DEFAULT_STORAGE,
    seed: Seed = None,
    name: NameInstead = None,
    first: First = None,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Without the checks before learning.")
    ] = False,
    no_baselines: NoBaselines = False,
    as_json: Json = False,
) -> None:
    """Search, confirm the winner, and test it once.

    A new study is checked first, as by `hpsearch check`; what is odd is told, and stops nothing.
    Running the same command again goes on where it stopped. Exits with 1 where more trainings
    failed than were completed.
    """
    from hpsearch.engine.executors.processes import preload, start_server
    from hpsearch.objectives import worker_modules

    file = load_study_argument(study, seed, name)
    if executor is None:
        preload(worker_modules(file))
        start_server()  # it imports while this process does
    from hpsearch.cli.progress import watch
    from hpsearch.engine import run_study
    from hpsearch.engine.events import Event, FirstTaken, WinnerNamed
    from hpsearch.engine.first import beginning_with

    begun = file

    with watch(file, check=not no_check) as show:

        def on_event(event: Event) -> None:
            nonlocal begun
            show(event)
            if isinstance(event, FirstTaken):
                begun = beginning_with(file, {"configuration": event.configuration})
            if isinstance(event, WinnerNamed):  # it is trained once more, and this process waits
                threading.Thread(target=_import_what_ends_a_run, daemon=True).start()

        summary = run_study(
            file,
            storage=storage,
            workers=workers,
            executor=executor,
            on_event=on_event,
            baselines=not no_baselines,
            first=first or (),
        )
    tell_result(begun, summary, storage, as_json=as_json)


def tell_result(
    file: StudyFile, summary: Summary, storage: str, server: str | None = None, *, as_json: bool
) -> None:
    """What a person wants to know after a run.

    Args:
        file: of the study.
        summary: what it came to.
        storage: where it is.
        server: the URL of the server that has it, if one has.
        as_json: in terms of JSON.

    Raises:
        RunError: more trials failed than were completed.
    """
    from hpsearch.advice import advise, evidence_of, urgent
    from hpsearch.cli.render import story

    recommendations = urgent(advise(evidence_of(file, summary)))
    if as_json:
        print_json(summary.document() | {"advice": [r.sentence for r in recommendations]})
    else:
        console = output()
        told = story(summary, storage, recommendations, server=server, width=console.width)
        console.print(*told, sep="\n")
    failed, finished = summary.states.get("fail", 0), summary.states.get("complete", 0)
    if failed > finished:
        raise RunError(
            f"{failed} trials failed and {finished} were completed, so what was found says "
            f"little; `hpsearch trials {file.name} --state fail` says why"
        )


def _import_what_ends_a_run() -> None:
    for name in ("hpsearch.advice", "hpsearch.cli.render", "scipy.special"):
        import_module(name)


def check(study: Annotated[str, StudyArgument], seed: Seed = None, as_json: Json = False) -> None:
    """Check the data and the network before learning, as the lecture advises.

    Exits with 1 if a check fails.
    """
    from hpsearch.checks import check_data_and_network
    from hpsearch.cli.render import account_text, checks_advice, checks_table
    from hpsearch.objectives import checked
    from hpsearch.study_file.data import study_data

    file = load_study_argument(study, seed, None)
    sentence = checked(file)
    if not file.objective.learns:
        if as_json:
            print_json({"objective": sentence, "checks": []})
        else:
            output().print(sentence, markup=False, highlight=False)
        return
    dataset, splits = study_data(file.data, file.seed)
    checks = check_data_and_network(file, dataset, splits[0])
    if as_json:
        document = {"account": dataset.account.document(), "checks": [c.document() for c in checks]}
        print_json(document | ({"objective": sentence} if sentence else {}))
    else:
        console = output()
        if sentence:
            console.print(sentence, "", sep="\n", markup=False, highlight=False)
        console.print(
            account_text(dataset.name, dataset.account, console.width),
            markup=False,
            highlight=False,
        )
        console.print("", checks_table(checks), sep="\n")
        console.print(checks_advice(checks, file.data.exclude, console.width), soft_wrap=True)
    if any(c.verdict == "fail" for c in checks):
        raise typer.Exit(1)


def load_study_argument(study: str, seed: int | None, name: str | None) -> StudyFile:
    """The study file that a command was given, or one that comes along, with what it changes.

    Args:
        study: a path, or the name of a shipped study.
        seed: instead of the file's.
        name: instead of the file's.

    Raises:
        UsageError: the name, or the file, will not do.
    """
    from hpsearch.study_file import check_name, load_study_file, study_path

    if name is not None:
        try:
            check_name(name)
        except ValueError as error:
            raise UsageError(f"--name {error}") from None
    file = load_study_file(study_path(study))
    changed = {key: value for key, value in (("seed", seed), ("name", name)) if value is not None}
    return file.model_copy(update=changed)
