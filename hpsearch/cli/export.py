"""`hpsearch export`: a study for other programs."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hpsearch.cli.console import DEFAULT_STORAGE, Storage, tell
from hpsearch.cli.source import Remote, source_of
from hpsearch.errors import UsageError

if TYPE_CHECKING:
    from hpsearch.plots.view import StudyView

__all__ = ["export"]

Format = Literal["csv", "parquet", "mlflow", "tensorboard", "onnx"]


def export(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A study; see `hpsearch studies`.")],
    to: Annotated[Format, typer.Option("--to", help="csv, parquet, mlflow, tensorboard or onnx.")],
    out: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="A file; for tensorboard a folder; for mlflow a folder or the URI of a server.",
        ),
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file, or an export, that is there.")
    ] = False,
    ensemble: Annotated[
        int | None,
        typer.Option(
            "--ensemble",
            metavar="K",
            min=1,
            help="For onnx: the ensemble that `hpsearch best NAME --ensemble K` has made.",
        ),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    server: Remote = None,
) -> None:
    """Write a study for other programs: its trials, their curves, or its network.

    csv and parquet have a row for each trial, mlflow a run, tensorboard a folder of curves; onnx is
    the tested network, preprocessing included. Again to mlflow, only new trials are added.
    """
    if not out:
        raise UsageError("-o is empty; name where to write")
    if ensemble is not None and to != "onnx":
        raise UsageError(f"--ensemble is for --to onnx, not for --to {to}")
    source = source_of(context, storage, server)
    path = Path(out)
    if to == "mlflow":
        tell(_to_mlflow(source.database(f"--to {to}"), name, out))
    elif to == "tensorboard":
        from hpsearch.export.to_tensorboard import to_tensorboard

        count = to_tensorboard(_view(source.database(f"--to {to}"), name), path, force=force)
        tell(f"wrote {count} trials to {path}; next: tensorboard --logdir {quote(out)}")
    else:
        if os.path.lexists(path) and not force:
            raise UsageError(f"{path} is there already; --force replaces it")
        if to == "onnx":
            _write(path, _network(source.database(f"--to {to}"), name, ensemble))
        else:
            _write(path, source.table(name, to))


def _view(storage: str, name: str) -> StudyView:
    from hpsearch.plots.view import read_view
    from hpsearch.storage import open_storage

    return read_view(open_storage(storage, create=False), name)


def _to_mlflow(storage: str, name: str, place: str) -> str:
    from hpsearch.advice.next_study import study_toml
    from hpsearch.engine.identity import kept_study_file
    from hpsearch.export.to_mlflow import to_mlflow, tracking_uri, without_password
    from hpsearch.plots.view import read_view
    from hpsearch.storage import load_study, open_storage

    # By itself MLflow waits two minutes for a server that is not there.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    store = open_storage(storage, create=False)
    view = read_view(store, name)
    file = kept_study_file(load_study(store, name))
    added = to_mlflow(view, place, None if file is None else study_toml(file))
    ui = f"mlflow ui --backend-store-uri {quote(tracking_uri(place))}"
    where = "" if "://" in place else f"; next: {ui}"
    return f"added {added} trials to {without_password(place)}{where}"


def _network(storage: str, name: str, ensemble: int | None) -> bytes:
    from hpsearch.engine.kept import kept_model
    from hpsearch.export.to_onnx import to_onnx
    from hpsearch.storage import load_study, open_storage

    store = open_storage(storage, create=False)
    return to_onnx(kept_model(store, load_study(store, name), ensemble))


def _write(path: Path, content: bytes) -> None:
    from hpsearch.writing import write_whole

    try:
        write_whole(path, content)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    tell(f"wrote {path} ({len(content):,} bytes)")
