"""Rows of data: what the objectives that learn from them have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.data import DataHandle, Dataset, Split, write_store
from hpsearch.engine import record
from hpsearch.engine.baselines import Baseline, beside_winner, simple_models
from hpsearch.engine.events import DataReady
from hpsearch.engine.identity import check_same_data, keep_data
from hpsearch.engine.tested import TESTED, looked_at, measured
from hpsearch.metrics import Metric
from hpsearch.metrics.threshold import decided

if TYPE_CHECKING:
    import optuna

    from hpsearch.engine.runner import Runner
    from hpsearch.study_file import StudyFile
    from hpsearch.training.model import Model

__all__ = ["Rows"]


@dataclass(eq=False)
class Rows:
    """A study's data, divided, and what is measured on them.

    Attributes:
        study: what is asked for.
        dataset: the data.
        splits: their parts, for each fold.
        metrics: the one that decides, and after it those that are recorded beside it.
        handle: the data where workers find them, once `begin` has put them there.
    """

    study: StudyFile
    dataset: Dataset
    splits: Sequence[Split]
    metrics: Sequence[Metric]
    _handle: DataHandle | None = None
    _constants: tuple[Baseline, ...] | None = None

    @classmethod
    def of(cls, runner: Runner, study: StudyFile) -> Rows:
        """The rows of a study file.

        Raises:
            HpsearchError: they cannot be read or divided, or the metric does not fit them.
        """
        dataset, splits = runner.data(study)
        return cls(study, dataset, splits, study.objective.metrics(dataset.task, dataset.classes))

    @property
    def metric(self) -> Metric:
        """The one that decides."""
        return self.metrics[0]

    @property
    def also(self) -> tuple[str, ...]:
        """The names of those beside it."""
        return tuple(metric.name for metric in self.metrics[1:])

    @property
    def handle(self) -> DataHandle:
        """The data where workers find them."""
        assert self._handle is not None, "begin has not been called"
        return self._handle

    @property
    def constants(self) -> tuple[Baseline, ...]:
        """What constant predictors come to.

        Raises:
            DataError: the metric is undefined for these rows.
        """
        if self._constants is None:
            self._constants = simple_models(self.dataset, self.splits, self.metric)
        return self._constants

    def groups_of(self, rows: np.ndarray) -> np.ndarray | None:
        """The group of each row, by which intervals are drawn; None where none is named."""
        groups = self.dataset.division.groups
        return None if groups is None else groups[rows]

    @property
    def last_takes(self) -> float:
        """How many times as many rows the last training has as a trial's; 1 at least."""
        usual = sum(len(split.train) for split in self.splits)
        rows = len(self.splits[-1].train) + len(self.splits[-1].validation)
        return max(1.0, rows / usual)

    def check(self, target: optuna.Study) -> None:
        """Make sure that a study's trials were trained on these rows.

        Raises:
            UsageError: they were trained on others.
        """
        check_same_data(target, self.dataset)

    def begin(self, target: optuna.Study, folder: Path) -> None:
        """Keep what the rows are with the study, and put them where workers find them."""
        keep_data(target, self.dataset, self.splits, self.constants)
        self.write(folder)

    def write(self, folder: Path) -> None:
        """Put the rows where workers find them."""
        self._handle = write_store(folder, self.dataset, self.splits)

    def ready(self, stored: int) -> DataReady:
        """What is told of them; see `Objective.ready`."""
        return DataReady(self.dataset, self.splits[0], self.metric, stored, self.constants)

    def division(self) -> list[Any]:
        """What tells two divisions of the same rows apart."""
        data = self.study.data
        split = data.model_dump(include={"limit", "test", "validation", "folds"})
        if data.kind_of_split != "stratified":  # what it needs is in the data's fingerprint
            split["kind"] = data.kind_of_split
        if data.fold_repeats > 1:
            split["fold_repeats"] = data.fold_repeats
        return [split, self.study.seed]

    def about(self) -> dict[str, Any]:
        """What a model that was trained on them says of where it comes from."""
        return {
            "study": self.study.name,
            "strategy": self.study.search.strategy,
            "target": self.study.data.target,
            "weight": self.study.data.weight,
            "positive": self.metric.positive,
        }

    def tested(
        self, predictions: np.ndarray, threshold: float | None
    ) -> tuple[np.ndarray, dict[str, Any], Mapping[str, Any] | None]:
        """What a winner's predictions for the test rows come to.

        Args:
            predictions: probabilities (n, n_classes), or a quantity (n,).
            threshold: from which probability on a row gets the positive label; None: from half.

        Returns:
            What the metric reads of them, the figures that are kept, and what is shown of them.
        """
        test = self.splits[0].test
        y, weight, groups = (
            self.dataset.y[test],
            self.dataset.weights_of(test),
            self.groups_of(test),
        )
        read = decided(self.metric, predictions, threshold)
        figures = measured(self.metrics, predictions, y, groups, weight, threshold)
        constants = beside_winner(
            self.constants, self.dataset, self.splits[0], self.metric, read, groups
        )
        figures["baselines"] = [baseline.kept(tested=True) for baseline in constants]
        return read, figures, looked_at(predictions, y, self.metric.positive, threshold)

    def answered(self, model: Model) -> np.ndarray:
        """What the metric reads of a model's answers for the test rows."""
        least = None if model.threshold is None else model.threshold[1]
        return decided(self.metric, model.answers(self.dataset.X[self.splits[0].test]), least)

    def show(self, target: optuna.Study, seen: Mapping[str, Any] | None) -> None:
        """Keep what is shown of the test rows."""
        if seen is not None:
            record.write_metadata(target, TESTED, seen)
