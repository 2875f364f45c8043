"""`hpsearch baselines`: simple models on the data of a study, beside its winner if it has one."""

from __future__ import annotations

from typing import Annotated

import typer

from hpsearch.cli.console import DEFAULT_STORAGE, Json, Storage, output, print_json
from hpsearch.cli.search import Seed, StudyArgument, Workers, load_study_argument

__all__ = ["baselines"]


def baselines(
    study: Annotated[str, StudyArgument],
    workers: Workers = None,
    storage: Storage = DEFAULT_STORAGE,
    seed: Seed = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Instead of the file's study name.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit simple models to the data of a study: what its network has to be better than.

    Those of a finished study answer its test rows, beside the winner. Those of any other answer its
    validation rows, and the test part is not touched.
    """
    from hpsearch.cli.render import untested_table, winner_text
    from hpsearch.engine.simple_models import Untested, simple_models_of

    found = simple_models_of(
        load_study_argument(study, seed, name), storage=storage, workers=workers
    )
    if as_json:
        models = found.models if isinstance(found, Untested) else found.rivals
        rows = "validation" if isinstance(found, Untested) else "test"
        print_json(
            {
                "metric": found.measure.name,
                "rows": rows,
                "simple_models": [model.document() for model in models],
            }
        )
    elif isinstance(found, Untested):
        output().print(untested_table(found))
    else:
        output().print(winner_text(found))
