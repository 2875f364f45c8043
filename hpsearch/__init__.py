"""Hyperparameter search for neural networks, from coarse to fine, honestly tested.

>>> from hpsearch import MLPObjective, load_study_file, run_study
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpsearch.classifier import MLPClassifier
    from hpsearch.engine import Summary, run_study
    from hpsearch.errors import HpsearchError
    from hpsearch.search import make_strategy, run_search
    from hpsearch.search.guided_sampler import GuidedSampler
    from hpsearch.search.sampler import CoarseToFineSampler
    from hpsearch.space import Categorical, Condition, Float, Int, Space
    from hpsearch.study_file import StudyFile, load_study_file, parse_study_file
    from hpsearch.training.model import Model
    from hpsearch.training.optuna_objective import MLPObjective

__all__ = [
    "Categorical",
    "CoarseToFineSampler",
    "Condition",
    "Float",
    "GuidedSampler",
    "HpsearchError",
    "Int",
    "MLPClassifier",
    "MLPObjective",
    "Model",
    "Space",
    "StudyFile",
    "Summary",
    "load_study_file",
    "make_strategy",
    "parse_study_file",
    "run_search",
    "run_study",
]

_HOMES = {
    "Categorical": "space",
    "CoarseToFineSampler": "search.sampler",
    "Condition": "space",
    "Float": "space",
    "GuidedSampler": "search.guided_sampler",
    "HpsearchError": "errors",
    "Int": "space",
    "MLPClassifier": "classifier",
    "MLPObjective": "training.optuna_objective",
    "Model": "training.model",
    "Space": "space",
    "StudyFile": "study_file",
    "Summary": "engine",
    "load_study_file": "study_file",
    "make_strategy": "search",
    "parse_study_file": "study_file",
    "run_search": "search",
    "run_study": "engine",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that ``import hpsearch`` is quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hpsearch' has no attribute {name!r}")
    value = getattr(import_module(f"hpsearch.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
