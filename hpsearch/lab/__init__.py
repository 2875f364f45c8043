"""The lecture's experiments, measured with the network that the searches train."""

from __future__ import annotations

from hpsearch.errors import UnknownNameError
from hpsearch.lab.activations import EXPERIMENT as ACTIVATIONS
from hpsearch.lab.coarse_to_fine import EXPERIMENT as COARSE_TO_FINE
from hpsearch.lab.dead_relus import EXPERIMENT as DEAD_RELUS
from hpsearch.lab.experiment import Experiment
from hpsearch.lab.grid_and_random import EXPERIMENT as GRID_AND_RANDOM
from hpsearch.lab.initialization import BATCH_NORM, INITIALIZATION
from hpsearch.lab.learning_rates import EXPERIMENT as LEARNING_RATES
from hpsearch.lab.preprocessing import EXPERIMENT as PREPROCESSING
from hpsearch.lab.update_ratios import EXPERIMENT as UPDATE_RATIOS
from hpsearch.lab.zig_zag import EXPERIMENT as ZIG_ZAG

__all__ = ["EXPERIMENTS", "Experiment", "experiment"]

EXPERIMENTS = {
    "activations": ACTIVATIONS,
    "zig-zag": ZIG_ZAG,
    "dead-relus": DEAD_RELUS,
    "preprocessing": PREPROCESSING,
    "initialization": INITIALIZATION,
    "batch-norm": BATCH_NORM,
    "learning-rates": LEARNING_RATES,
    "update-ratios": UPDATE_RATIOS,
    "grid-and-random": GRID_AND_RANDOM,
    "coarse-to-fine": COARSE_TO_FINE,
}
"""Every page of the lab by its name, in the order of the lecture."""


def experiment(name: str) -> Experiment:
    """An experiment by its name.

    Raises:
        UnknownNameError: there is none; the sentence lists those that there are.
    """
    if name not in EXPERIMENTS:
        raise UnknownNameError("experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]
