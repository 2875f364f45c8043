"""Studies to start from of what is no network: each runs as it is written, and says what to change.

A study of an estimator has the data that it is asked for; beside one of a function or a command
stands a small program.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.study_file.template import explained, source_of, toml_value

__all__ = ["EXAMPLES", "PROGRAM", "estimator_example", "program_example"]

PROGRAM = "train.py"
"""The file beside the study of a function or a command."""

EXAMPLES = ("estimator", "function", "command")
"""The kinds of objectives of which there is an example."""

HEAD = """\
# A study for hpsearch, which runs as it is; change what follows. Run it with `hpsearch run FILE`,
# and again to go on after an interruption. `hpsearch check FILE` looks whether all is there.
"""

SEARCHED = """\
# What is searched: a range, in ratios with log = true, or choices. With when it depends on another:
#   momentum = { low = 0.5, high = 0.99, when = { rule = "momentum" } }
"""

SEARCH = """\
[search]
trials = 40                       # in all; raise it, and a finished study goes on
# trial_seconds = 600             # end a trial that takes longer; it is tried three times
"""

OF_A_PROGRAM = """\
{head}
name = {name}

[objective]
{kind}
metric = "loss"                   # {metric}
direction = "minimize"            # or "maximize"
also = ["accuracy"]               # other numbers of the result, to be recorded
# How long a trial is. Early stages are shorter; remove the line, and every trial is whole.
resource = {{ name = "epochs", full = 40, least = 5 }}

{searched}[space]
learning_rate = {{ low = 1e-3, high = 10.0, log = true }}
rule = {{ choices = ["plain", "momentum"] }}
momentum = {{ low = 0.5, high = 0.99, when = {{ rule = "momentum" }} }}

[fixed]                           # what every trial gets alike
rows = 200

{search}"""

FUNCTION = """\
function = "train:objective"      # MODULE:NAME, beside this file or installed"""

COMMAND = """\
# The program, started without a shell. {{NAME}} is a parameter's value; an argument that names one
# which a trial does not have is left out. All values also stand in variables such as
# HPSEARCH_LEARNING_RATE, and in the JSON file that HPSEARCH_TRIAL names.
command = [{python}, "train.py", "--epochs={{resource}}", "--seed={{seed}}", "--rows={{rows}}",
           "--rate={{learning_rate}}", "--momentum={{momentum}}"]"""

TRAINING = '''\
def points(rows, seed):
    """Points of two classes, which a line divides but for some noise."""
    draw = random.Random(seed)
    for _ in range(rows):
        x = [1.0, draw.gauss(0, 1), draw.gauss(0, 1)]
        yield x, int(x[1] - 2 * x[2] + draw.gauss(0, 0.5) > 0)


def trained(epochs, seed, rows, rate, momentum):
    """Logistic regression by gradient descent: its loss and accuracy after each epoch."""
    training, validation = list(points(rows, 1)), list(points(rows, 2))
    draw = random.Random(seed)
    weights, velocity = [draw.gauss(0, 1) for _ in range(3)], [0.0] * 3
    for _ in range(epochs):
        draw.shuffle(training)
        for x, label in training:
            error = chance(weights, x) - label
            velocity = [momentum * v - rate * error * xi for v, xi in zip(velocity, x)]
            weights = [w + v for w, v in zip(weights, velocity)]
        said = [(chance(weights, x), label) for x, label in validation]
        loss = -sum(math.log(p if label else 1 - p) for p, label in said) / rows
        yield loss, sum((p > 0.5) == label for p, label in said) / rows


def chance(weights, x):
    """Of the class 1, and neither 0 nor 1."""
    score = sum(w * xi for w, xi in zip(weights, x))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))
'''

FUNCTION_PROGRAM = f'''\
"""What a trial of the study does: hpsearch calls `objective`. Put your own training here."""

import math
import random


def objective(configuration, trial):
    """What the study minimizes.

    configuration has a value for each parameter of [space] and [fixed]. trial has resource (how
    long to train), seed, folder (for checkpoints: the same when it is tried again) and report.
    """
    momentum = configuration.get("momentum", 0.0)  # only where rule is "momentum"
    rate, rows = configuration["learning_rate"], configuration["rows"]
    steps = trained(trial.resource, trial.seed, rows, rate, momentum)
    for step, (loss, accuracy) in enumerate(steps, start=1):
        if trial.report(step, loss):  # nobody waits for it any more
            break
    return {{"loss": loss, "accuracy": accuracy}}


{TRAINING}'''

COMMAND_PROGRAM = f'''\
"""What a trial of the study does: a program of its own. Any other will do, in any language."""

import argparse
import json
import math
import random


{TRAINING}

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--seed", type=int)
parser.add_argument("--rows", type=int)
parser.add_argument("--rate", type=float)
parser.add_argument("--momentum", type=float, default=0.0)
given = parser.parse_args()
steps = trained(given.epochs, given.seed, given.rows, given.rate, given.momentum)
for step, (loss, accuracy) in enumerate(steps, start=1):
    # A line on the way; the last one is the result.
    print(json.dumps({{"step": step, "loss": loss, "accuracy": accuracy}}), flush=True)
'''


def program_example(kind: str, name: str) -> tuple[str, str]:
    """A study of a function or a command, and the program that stands beside it as `PROGRAM`.

    Args:
        kind: ``function`` or ``command``.
        name: of the study.

    >>> study, program = program_example("function", "mine")
    >>> 'name = "mine"' in study.splitlines(), "def objective" in program
    (True, True)
    """
    python = toml_value("python3" if shutil.which("python3") else "python")
    study = OF_A_PROGRAM.format(
        head=HEAD,
        name=toml_value(name),
        kind=FUNCTION if kind == "function" else COMMAND.format(python=python),
        metric="a key of the result" + ("" if kind == "function" else ", its last line"),
        searched=SEARCHED,
        search=SEARCH,
    )
    return study, FUNCTION_PROGRAM if kind == "function" else COMMAND_PROGRAM


def estimator_example(
    name: str,
    data: str,
    target: str | None,
    task: str,
    said: Mapping[str, Mapping[str, tuple[Any, str]]] | None = None,
    about: Sequence[str] = (),
) -> str:
    """A study of a random forest.

    Args:
        name: of the study.
        data: a known data set, or the path of a table.
        target: the column of the table that holds the labels.
        task: classification or regression.
        said: as for `template`.
        about: likewise.
    """
    kind = "Classifier" if task == "classification" else "Regressor"
    of_data = source_of(data, target) | dict((said or {}).get("data", {}))
    of_metric = (said or {}).get("objective", {})
    lines = [
        HEAD,
        f"name = {toml_value(name)}\n",
        "[data]",
        *(f"# {line}" for line in about),
        *_lines(of_data),
        "",
        "[objective]",
        "# A class of scikit-learn's kind, or MODULE:NAME of a function that makes an estimator or",
        "# a pipeline, in a module beside this file.",
        f'estimator = "sklearn.ensemble.RandomForest{kind}"',
        *(_lines(of_metric) or ['# metric = "log_loss"             # any of scikit-learn\'s']),
        "# What makes a trial long: one of its parameters, or n_samples, the rows it is fitted to.",
        "# Early stages have less of it; remove the line, and every trial is whole.",
        'resource = { name = "n_estimators", full = 100, least = 20 }',
        "",
        "# A range, in ratios with log = true, or choices, as in { choices = [1, 2] }.",
        "[space]                           # of the estimator's own parameters",
        "max_features = { low = 0.1, high = 1.0 }",
        "min_samples_leaf = { low = 1, high = 20, log = true }",
        "",
        "[fixed]                           # likewise, what every trial gets alike",
        "bootstrap = true",
        "",
        SEARCH,
    ]
    return "\n".join(lines)


def _lines(said: Mapping[str, tuple[Any, str]]) -> list[str]:
    lines: list[str] = []
    for key, (value, why) in said.items():
        line = f"{key} = {toml_value(value)}"
        lines += explained(line, why) if why else [line]
    return lines
