"""Hyperparameter search for neural networks, from coarse to fine, honestly tested.

>>> from hpsearch import MLPObjective, load_study_file, run_study
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpsearch.engine import Summary
    from hpsearch.errors import HpsearchError
    from hpsearch.estimators import MLPClassifier, MLPRegressor
    from hpsearch.search import make_strategy, run_search
    from hpsearch.search.guided_sampler import GuidedSampler
    from hpsearch.search.sampler import CoarseToFineSampler
    from hpsearch.search_cv import CoarseToFineSearchCV
    from hpsearch.service.client import AsyncClient, Client
    from hpsearch.space import Categorical, Condition, Float, Int, Space
    from hpsearch.study import Study, load_study, run_study
    from hpsearch.study_file import StudyFile, load_study_file, parse_study_file
    from hpsearch.training.model import Model
    from hpsearch.training.optuna_objective import MLPObjective

__all__ = [
    "AsyncClient",
    "Categorical",
    "Client",
    "CoarseToFineSampler",
    "CoarseToFineSearchCV",
    "Condition",
    "Float",
    "GuidedSampler",
    "HpsearchError",
    "Int",
    "MLPClassifier",
    "MLPObjective",
    "MLPRegressor",
    "Model",
    "Space",
    "Study",
    "StudyFile",
    "Summary",
    "load_study",
    "load_study_file",
    "make_strategy",
    "parse_study_file",
    "run_search",
    "run_study",
]

_HOMES = {
    "engine": ("Summary",),
    "estimators": ("MLPClassifier", "MLPRegressor"),
    "errors": ("HpsearchError",),
    "search": ("make_strategy", "run_search"),
    "search.guided_sampler": ("GuidedSampler",),
    "search.sampler": ("CoarseToFineSampler",),
    "search_cv": ("CoarseToFineSearchCV",),
    "service.client": ("AsyncClient", "Client"),
    "space": ("Categorical", "Condition", "Float", "Int", "Space"),
    "study": ("Study", "load_study", "run_study"),
    "study_file": ("StudyFile", "load_study_file", "parse_study_file"),
    "training.model": ("Model",),
    "training.optuna_objective": ("MLPObjective",),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that ``import hpsearch`` is quick."""
    for home, names in _HOMES.items():
        if name in names:
            globals()[name] = getattr(import_module(f"hpsearch.{home}"), name)
            return globals()[name]
    raise AttributeError(f"module 'hpsearch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
