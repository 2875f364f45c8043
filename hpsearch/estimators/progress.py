"""What an estimator notes of each epoch, and when it has seen enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from hpsearch.estimators.settings import Settings
from hpsearch.nn import EpochRecord

__all__ = ["Progress"]


class Progress:
    """Writes each epoch into the estimator's record, and stops when there is no more progress.

    scikit-learn's rule: an epoch is idle when it does not improve on the best one by ``tol``, and
    more than ``n_iter_no_change`` idle epochs in a row end the training.

    Args:
        model: its fitted attributes are written.
        settings: when to stop.
        samples: training samples in an epoch.

    Attributes:
        best: the network's state at the best validation score, or None without early stopping.
    """

    def __init__(self, model: Any, settings: Settings, samples: int) -> None:
        self.model, self.settings, self.samples = model, settings, samples
        self.network = model._trainer.network
        self.idle = 0
        self.best: Mapping[str, npt.NDArray[np.generic]] | None = None
        if settings.early_stopping:
            # After a warm start the weights there are hold the best score so far.
            self.best = self.network.state()
            model.best_loss_ = None
            if model.validation_scores_ is None:
                model.validation_scores_, model.best_validation_score_ = [], -math.inf
        else:
            model.validation_scores_ = model.best_validation_score_ = None
            if model.best_loss_ is None:
                model.best_loss_ = math.inf

    def __call__(self, record: EpochRecord) -> bool:
        """Take note of an epoch.

        Args:
            record: what the trainer says of it.

        Returns:
            Whether to stop.
        """
        model, settings = self.model, self.settings
        model.n_iter_ += 1
        model.t_ += self.samples
        model.loss_ = record.train_loss
        model.loss_curve_.append(record.train_loss)
        line = f"epoch {model.n_iter_}: loss {record.train_loss:.6f}"
        if record.validation_score is None:
            idle = self._loss(record.train_loss)
        else:
            idle = self._score(record.validation_score)
            line += f", validation {model._score_name} {record.validation_score:.4f}"
        if model.verbose:
            print(line)  # noqa: T201
        self.idle = self.idle + 1 if idle else 0
        return self.idle > settings.n_iter_no_change

    def _loss(self, loss: float) -> bool:
        """Take note of a training loss; whether the epoch was idle."""
        best: float = self.model.best_loss_
        self.model.best_loss_ = min(best, loss)
        return loss > best - self.settings.tol

    def _score(self, score: float) -> bool:
        """Take note of a validation score and the weights that reach it; whether it was idle."""
        model = self.model
        best: float = model.best_validation_score_
        model.validation_scores_.append(score)
        if score > best:
            model.best_validation_score_ = score
            self.best = self.network.state()
        return score < best + self.settings.tol
