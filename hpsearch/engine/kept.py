"""The model that a finished study has kept, or an ensemble of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpsearch.engine import record
from hpsearch.errors import RunError, UsageError
from hpsearch.kinds import learns
from hpsearch.storage import load_model_bytes, storage_errors
from hpsearch.training.model import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna import Study

    from hpsearch.kinds import learns
from hpsearch.storage import WriteBehindStorage

__all__ = ["kept_content", "kept_model"]


def kept_model(
    store: WriteBehindStorage,
    study: Study,
    ensemble: int | None = None,
    trusted: Sequence[str] = (),
) -> Model:
    """What a study was tested with.

    Args:
        store: where it is.
        study: the study.
        ensemble: as for `kept_content`.
        trusted: as for `Model.load`.

    Raises:
        DataError: it holds what is not trusted.
        RunError, UsageError: as for `kept_content`.
    """
    return Model.from_bytes(kept_content(store, study, ensemble), trusted=trusted)


def kept_content(store: WriteBehindStorage, study: Study, ensemble: int | None = None) -> bytes:
    """What a study was tested with, as the content of a model file; nothing of it is loaded.

    Args:
        store: where it is.
        study: the study.
        ensemble: what an ensemble of it is kept by, see `ensemble_key`; None for the single winner.

    Raises:
        RunError: it has none: it is not finished, learns from no rows, or hpsearch did not make it.
        UsageError: it has no such ensemble.
    """
    with storage_errors(store.url):
        file = record.read_metadata(study, "study file")
        if file is None:
            raise RunError(
                f"the study {study.study_name!r} was not made by hpsearch, which has no network "
                "of it"
            )
        if not learns(file.get("objective", {})):
            raise RunError(
                f"the study {study.study_name!r} trains no model of hpsearch's, so that none can "
                "be kept; `hpsearch best` prints its configuration"
            )
        result = record.read_metadata(study, "result")
        if result is None:
            raise RunError(record.why_untested(study))
        digest = result["model"]
        if ensemble is not None:
            kept = record.read_metadata(study, "ensembles") or {}
            made = {int(key): one for key, one in kept.items() if one["single"] == digest}
            if ensemble not in made:
                sizes = ", ".join(str(size) for size in sorted(made) if size > 0)
                raise UsageError(
                    f"the study {study.study_name!r} has no ensemble of {ensemble}, "
                    + (f"but of {sizes}; " if sizes else "")
                    + f"`hpsearch best NAME --ensemble {ensemble}` makes one, if there are so many "
                    "to average"
                )
            digest = made[ensemble]["ensemble"]["model"]
    return load_model_bytes(store, study._study_id, digest, ensemble=ensemble)
