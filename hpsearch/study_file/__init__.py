"""The study file: what to search, as TOML, checked before anything runs.

A study file has four tables. ``[data]`` says what to learn from, ``[model]`` and ``[training]``
say how, ``[search]`` says how to look for the best of them. Every choice of data preprocessing,
model and training may be a plain value, a range (``{ low = 1e-4, high = 1.0, log = true }``) or a
list (``{ choices = ["relu", "tanh"] }``); a range or a list may depend on another's choice
(``when = { optimizer = ["momentum", "nesterov"] }``). What a file leaves out takes its default,
and by default the five settings that matter most (lecture 6, hyperparameter optimization) are
searched: learning rate, decay, regularization (``l2``), width and depth.
"""

from hpsearch.study_file.loading import (
    load_study_file,
    parse_study_file,
    shipped_studies,
    study_path,
)
from hpsearch.study_file.models import (
    DataSection,
    StudyFile,
    check_name,
    default_space,
    json_schema,
)
from hpsearch.study_file.template import template

__all__ = [
    "DataSection",
    "StudyFile",
    "check_name",
    "default_space",
    "json_schema",
    "load_study_file",
    "parse_study_file",
    "shipped_studies",
    "study_path",
    "template",
]
