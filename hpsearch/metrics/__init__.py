"""Metrics of predictions: by name, with their directions, intervals and curves."""

from hpsearch.metrics.labels import POSITIVE
from hpsearch.metrics.measure import ACCURACY, Direction, Measure
from hpsearch.metrics.metric import Metric, Task
from hpsearch.metrics.names import DEFAULT, OWN, check_metric, metric_named

__all__ = [
    "ACCURACY",
    "DEFAULT",
    "OWN",
    "POSITIVE",
    "Direction",
    "Measure",
    "Metric",
    "Task",
    "check_metric",
    "metric_named",
]
