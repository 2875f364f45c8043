"""Metrics of predictions: by name, with their directions, intervals and curves."""

from hpsearch.metrics.metric import Direction, Metric, Task
from hpsearch.metrics.names import DEFAULT, OWN, metric_named

__all__ = ["DEFAULT", "OWN", "Direction", "Metric", "Task", "metric_named"]
