"""A commented study file to start from."""

from __future__ import annotations

import json
import re

from hpsearch.writing import OBEYED

__all__ = ["template", "toml_string"]

_TEXT = """\
# A study for hpsearch. Run it with `hpsearch run FILE`; run it again to go on after an
# interruption. A line that begins with "# " and a setting shows its default: remove the "# " to
# change it.
#
# A setting of [data] preprocessing, [model] and [training] may be written in three ways:
#   activation = "relu"                                     a value: fixed
#   learning_rate = { low = 1e-4, high = 1.0, log = true }  a range: searched, here in ratios
#   optimizer = { choices = ["momentum", "adam"] }          a list: searched
# and may depend on the choice of another:
#   momentum = { low = 0.5, high = 0.99, when = { optimizer = "momentum" } }

name = __NAME__
# seed = 0

[data]
__SOURCE__
# test = 0.2                      # share of the rows for the one test at the end
# validation = 0.2                # share of what is left that scores the trials
# folds = 1                       # 2 or more: cross-validation instead of one validation part
# limit = 1000                    # use a stratified sample of so many rows
# exclude = []                    # columns to leave out of learning, by name: ["id", "date"]
# missing_labels = []             # labels that mean a missing one, whose rows go: ["NA", "?"]
# preprocessing = "standardize"   # none, zero-centre, standardize, pca, whiten
# variance = 1.0                  # share of the variance that pca and whiten keep

[model]
# width = { low = 16, high = 256, log = true }   # units in each hidden layer
# depth = { low = 1, high = 3 }                  # hidden layers
# activation = "relu"             # sigmoid, tanh, relu, leaky-relu, prelu, elu, maxout
# maxout_pieces = 2               # linear pieces of a maxout unit
# initializer = "he"              # zeros, small-random, large-random, xavier, xavier-average,
#                                 # xavier-uniform, he, he-fan-out, he-uniform
# bias = 0.0                      # what every bias starts at
# batch_norm = false
# dropout = 0.0                   # share of hidden units silenced at each step

[training]
# epochs = 20                     # of a full training; coarse stages train shorter
# learning_rate = { low = 1e-4, high = 1.0, log = true }
# decay = { low = 1e-3, high = 1.0, log = true }   # the last learning rate as a share of the first
# l2 = { low = 1e-6, high = 1e-1, log = true }     # regularization of the weights
# optimizer = "momentum"          # sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw
# momentum = 0.9
# beta2 = 0.999                   # second decay rate of adam and adamw
# schedule = "cosine"             # constant, step, exponential, inverse-time, cosine
# warmup = 0.0                    # epochs over which the learning rate first rises
# batch_size = 64
# weight_averaging = 0.0          # decay of the average of the weights that predicts; 0.99, say
# patience = 5                    # stop after so many epochs without a better score; default: never
# divergence = 3.0                # stop a trial whose loss passes so many times the initial loss

[search]
# strategy = "coarse-to-fine"     # or random, grid, tpe, gp, cmaes, qmc
# trials = 60                     # trainings in all, those of the closing race included
# total_epochs = 900              # or as many as so many epochs pay for; default: no limit
# total_flops = 1e12              # begin none that so many operations do not pay for; default: none
# seconds = 3600                  # begin no more after so long; default: no limit
# trial_seconds = 600             # kill a training that takes longer; default: no limit
# confirm = 15                    # how many of them race the best few over new seeds
# contenders = 5                  # how many configurations start in that race
# stage_shares = [0.5, 0.25, 0.25]   # coarse-to-fine: each stage's share of the other trials
# epoch_shares = [0.25, 0.5, 1.0]    # coarse-to-fine: each stage's share of the epochs
# shift = true                    # for grid: move its points by a random part of a step
# points = { learning_rate = 5, width = [32, 128] }   # for grid: how many points, or which

[compare]                         # for `hpsearch compare`
# strategies = ["grid", "random", "random-x2", "coarse-to-fine", "tpe"]
# repeats = 10                    # searches of each, with other splits and seeds
# budget = "flops"                # what all get the same of: flops, epochs or seconds
# amount = 1e12                   # how much; default: what search.trials average trainings take
"""


def template(name: str, data: str = "digits", target: str | None = None) -> str:
    """The text of a study file that shows every setting with its default.

    Args:
        name: of the study.
        data: a known data set, or the path of a table (it has a suffix or a separator).
        target: the column of the table that holds the labels.

    >>> 'target = "species"' in template("mine", "table.csv", "species").splitlines()
    True
    """
    is_path = any(mark in data for mark in "./\\") and not data.startswith("openml:")
    source = f"{'path' if is_path else 'name'} = {toml_string(data)}"
    if target is not None:
        source += f"\ntarget = {toml_string(target)}"
    return _TEXT.replace("__NAME__", toml_string(name or "study")).replace("__SOURCE__", source)


def toml_string(text: str) -> str:
    r"""A text as TOML writes it, in quotes; what is obeyed or hidden is escaped.

    >>> print(toml_string("\x9b2J \U000e0041"))
    "\u009b2J \U000e0041"
    """
    # A JSON string is a TOML basic string too, but for control characters that are obeyed.
    return OBEYED.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
