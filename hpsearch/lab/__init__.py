"""The lecture's experiments, measured with the network that the searches train."""

from __future__ import annotations

from hpsearch.lab.experiment import Experiment
from hpsearch.lab.experiments import EXPERIMENTS, experiment

__all__ = ["EXPERIMENTS", "Experiment", "experiment"]
