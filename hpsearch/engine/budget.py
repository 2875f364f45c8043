"""The search that a study file asks for, with as many trials as its budget pays for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hpsearch.engine.identity import BUDGETS
from hpsearch.errors import UsageError
from hpsearch.search import make_strategy
from hpsearch.search.base import Result
from hpsearch.search.race import RacedSearch
from hpsearch.study_file import StudyFile

__all__ = ["make_search", "most_below", "plan_search"]


def plan_search(study: StudyFile) -> RacedSearch:
    """The strategy of a study file, with the most trials whose plan its epochs pay for.

    Raises:
        UsageError: the search makes no sense, or the budget pays for no training.
    """
    search, most = make_search(study, study.search.trials), study.search.total_epochs
    if most is None or search.planned_epochs <= most:
        return search
    trials = most_below(search.trials, lambda n: make_search(study, n).planned_epochs <= most)
    if not trials:
        raise UsageError(
            f"total_epochs = {most} does not pay for one training of "
            f"{make_search(study, 1).planned_epochs} {study.resource.name}; raise it"
        )
    return make_search(study, trials)


def make_search(
    study: StudyFile, trials: int, prior: Sequence[Sequence[Result]] = ()
) -> RacedSearch:
    """The strategy that a study file asks for, with some number of trials.

    Args:
        study: the study file.
        trials: how many.
        prior: the results of the earlier studies that it names; its plan does without.
    """
    given = study.search.model_dump(exclude={"strategy", "prior", *BUDGETS}, exclude_none=True)
    return make_strategy(
        study.search.strategy,
        study.written_space(),
        trials=trials,
        epochs=study.resource.full,
        least=study.resource.least,
        seed=study.seed,
        prior=prior if study.search.prior else None,
        first=study.first,
        **given,
    )


def most_below(bound: int, fits: Callable[[int], bool]) -> int:
    """The largest whole number below a bound that fits, found by halving; 0 if 1 does not fit.

    >>> most_below(100, lambda n: n * n <= 50)
    7
    """
    least, most = 0, bound
    while most - least > 1:
        middle = (least + most) // 2
        if fits(middle):
            least = middle
        else:
            most = middle
    return least
