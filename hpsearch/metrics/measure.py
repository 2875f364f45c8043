"""What a measure is called, which way is better, and how its values are written.

Enough to show and to rank values that stand in a store already; a `Metric` can compute them too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["ACCURACY", "Bounds", "Direction", "Measure"]

Direction: TypeAlias = Literal["maximize", "minimize"]
Bounds: TypeAlias = tuple[float | None, float | None]


@dataclass(frozen=True)
class Measure:
    """A measure of trials.

    Attributes:
        name: how study files and pages call it.
        direction: whether more or less of it is better.
        bounds: the least and the greatest value that it may have; None where there is no limit.
    """

    name: str
    direction: Direction = "maximize"
    bounds: Bounds = (None, None)

    @property
    def maximized(self) -> bool:
        """Whether more of it is better."""
        return self.direction == "maximize"

    @property
    def sign(self) -> float:
        """What a value is multiplied by to be a score, and the other way."""
        return 1.0 if self.maximized else -1.0

    @property
    def title(self) -> str:
        """Its name in words, for headings and axes.

        >>> Measure("roc_auc").title, Measure("neg_log_loss").title
        ('ROC AUC', 'neg log loss')
        """
        words = self.name.replace("_", " ")
        return TITLES.get(self.name, words)

    @property
    def best(self) -> float | None:
        """The best value that there can be; None where there is always a better one."""
        return self.bounds[1] if self.maximized else self.bounds[0]

    def score(self, value: float) -> float:
        """A value as searches see it: greater is better."""
        return value if self.maximized else -value

    def of_score(self, score: float) -> float:
        """The value that a score stands for; `score` undone."""
        return self.score(score)

    def text(self, value: float | None) -> str:
        """A value: a share or a correlation by its places behind the point, others by their digits.

        >>> ACCURACY.text(0.97), Measure("rmse", "minimize", (0.0, None)).text(53.2134)
        ('0.9700', '53.21')
        """
        if value is None:
            return ""
        return f"{value:.4f}" if self._narrow else f"{value:.4g}"

    def interval_text(self, low: float, high: float) -> str:
        """An interval in a table.

        >>> ACCURACY.interval_text(0.91551, 0.9637)
        '0.916-0.964'
        >>> Measure("r2", bounds=(None, 1.0)).interval_text(-0.5, 0.25)
        '-0.5 to 0.25'
        """
        ends = [f"{end:.3f}" if self._narrow else f"{end:.3g}" for end in (low, high)]
        return (" to " if any("-" in end for end in ends) else "-").join(ends)

    def difference_text(self, difference: float) -> str:
        """How much a value is above another, with its sign.

        >>> ACCURACY.difference_text(0.00312)
        '+0.0031'
        """
        return f"{difference:+.4f}" if self._narrow else f"{difference:+.4g}"

    @property
    def _narrow(self) -> bool:
        low, high = self.bounds
        return low is not None and high is not None and high - low <= 2


TITLES = {
    "f1": "F1",
    "f1_macro": "F1 (macro)",
    "mae": "MAE",
    "mcc": "MCC",
    "r2": "R²",
    "rmse": "RMSE",
    "roc_auc": "ROC AUC",
}
"""Where the name alone would not do as a heading."""

ACCURACY = Measure("accuracy", "maximize", (0.0, 1.0))
"""What studies were measured by before they could name a metric."""
