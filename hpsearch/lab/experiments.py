"""The experiments by name, in the order of the lecture."""

from __future__ import annotations

from hpsearch.errors import UnknownNameError
from hpsearch.lab import (
    activations,
    batch_norm,
    coarse_to_fine,
    dead_relus,
    grid_and_random,
    initialization,
    learning_rates,
    preprocessing,
    update_ratios,
    zig_zag,
)
from hpsearch.lab.experiment import Experiment

__all__ = ["EXPERIMENTS", "experiment"]

EXPERIMENTS: dict[str, Experiment] = {
    "activations": activations.EXPERIMENT,
    "zig-zag": zig_zag.EXPERIMENT,
    "dead-relus": dead_relus.EXPERIMENT,
    "preprocessing": preprocessing.EXPERIMENT,
    "initialization": initialization.EXPERIMENT,
    "batch-norm": batch_norm.EXPERIMENT,
    "learning-rates": learning_rates.EXPERIMENT,
    "update-ratios": update_ratios.EXPERIMENT,
    "grid-and-random": grid_and_random.EXPERIMENT,
    "coarse-to-fine": coarse_to_fine.EXPERIMENT,
}
"""Every page of the lab."""


def experiment(name: str) -> Experiment:
    """An experiment by its name.

    Raises:
        UnknownNameError: there is none; the sentence lists those that there are.
    """
    if name not in EXPERIMENTS:
        raise UnknownNameError("experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]
