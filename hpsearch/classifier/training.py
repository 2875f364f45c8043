"""How the classifier's training differs from the network's own: order, pickling, when to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hpsearch.nn import EpochRecord, Trainer

if TYPE_CHECKING:
    from hpsearch.classifier.estimator import MLPClassifier
    from hpsearch.classifier.settings import Settings

__all__ = ["PicklableTrainer", "Watch", "make_generator"]


class Watch:
    """Writes each epoch into the classifier's record, and stops when there is no more progress.

    scikit-learn's rule: an epoch is idle when it does not improve on the best one by ``tol``, and
    more than ``n_iter_no_change`` idle epochs in a row end the training.

    Args:
        model: its fitted attributes are written.
        settings: when to stop.
        samples: training samples in an epoch.

    Attributes:
        best: the network's state at the best validation score, or None without early stopping.
    """

    def __init__(self, model: MLPClassifier, settings: Settings, samples: int) -> None:
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
        if record.validation_accuracy is None:
            idle = self._loss(record.train_loss)
        else:
            idle = self._score(record.validation_accuracy)
            line += f", validation accuracy {record.validation_accuracy:.4f}"
        if model.verbose:
            print(line)  # noqa: T201
        self.idle = self.idle + 1 if idle else 0
        return self.idle > settings.n_iter_no_change

    def _loss(self, loss: float) -> bool:
        """Take note of a training loss; whether the epoch was idle."""
        best = self.model.best_loss_
        assert best is not None
        self.model.best_loss_ = min(best, loss)
        return loss > best - self.settings.tol

    def _score(self, score: float) -> bool:
        """Take note of a validation accuracy and the weights that reach it; whether it was idle."""
        model = self.model
        best = model.best_validation_score_
        assert best is not None
        assert model.validation_scores_ is not None
        model.validation_scores_.append(score)
        if score > best:
            model.best_validation_score_ = score
            self.best = self.network.state()
        return score < best + self.settings.tol


def make_generator(random: np.random.RandomState, *, shuffle: bool) -> np.random.Generator:
    """The network's kind of random numbers from scikit-learn's kind of seed.

    Args:
        random: draws the seed.
        shuffle: whether the generator shuffles; without, it leaves any order as it is.

    Returns:
        The generator.
    """
    bits = np.random.PCG64(random.randint(np.iinfo(np.int32).max))
    return np.random.Generator(bits) if shuffle else _InOrder(bits)


class _InOrder(np.random.Generator):
    """Random numbers for weights and dropout that leave the order of the samples alone."""

    def shuffle(self, x: npt.ArrayLike, axis: int = 0) -> None:
        """Do nothing."""

    def __reduce__(self) -> Any:
        # The base class would come back as itself.
        return _InOrder, (self.bit_generator,)


class PicklableTrainer(Trainer):
    """A trainer that can be pickled and copied, its optimizer's state included."""

    def __getstate__(self) -> dict[str, Any]:
        # The optimizer works on views of the network, and views are pickled as copies.
        arguments = {"network": self.network, "config": self.config, "rng": self.rng}
        so_far = {
            "epochs_done": self.epochs_done,
            "initial_loss": self.initial_loss,
            "dropped_loss": self.dropped_loss,
        }
        steps = getattr(self.optimizer, "steps", None)
        return {
            "arguments": arguments,
            "so_far": so_far,
            "steps": steps,
            "state": self.optimizer.state,
            "average": self.average and (self.average.steps, self.average.others),
        }

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        Trainer.__init__(self, **pickled["arguments"])
        self.__dict__.update(pickled["so_far"])
        self.optimizer.state[:] = pickled["state"]
        if pickled["steps"] is not None:
            self.optimizer.steps = pickled["steps"]  # type: ignore[attr-defined]
        if self.average is not None:
            self.average.steps, others = pickled["average"]
            for mine, other in zip(self.average.others, others, strict=True):
                mine[:] = other
