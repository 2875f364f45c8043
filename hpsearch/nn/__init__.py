"""The NumPy network and its trainer; imports NumPy only."""

from __future__ import annotations

from hpsearch.nn.activations import ACTIVATIONS
from hpsearch.nn.config import NetworkConfig, TrainingConfig
from hpsearch.nn.initializers import INITIALIZERS
from hpsearch.nn.losses import LOSSES
from hpsearch.nn.network import Network, state_shapes
from hpsearch.nn.optimizers import OPTIMIZERS
from hpsearch.nn.schedules import SCHEDULES
from hpsearch.nn.scores import Score
from hpsearch.nn.trainer import EpochRecord, Trainer, TrainingResult, train

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULES",
    "EpochRecord",
    "Network",
    "NetworkConfig",
    "Score",
    "Trainer",
    "TrainingConfig",
    "TrainingResult",
    "state_shapes",
    "train",
]
