"""A search in the database: what each candidate came to, as soon as it is known.

Every row of `cv_results_` is a trial of an Optuna study, with all that scikit-learn makes its
columns of. A search that is fitted again takes its rows from there, in their places, and fits what
is missing. It is refused where it would not come to the same: with other data, another estimator,
other ranges or settings.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from numbers import Integral
from pickle import PicklingError
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning

from hpsearch.engine.lease import Lease
from hpsearch.engine.metadata import read_metadata, write_metadata
from hpsearch.errors import UsageError
from hpsearch.search.base import Slot, Stage
from hpsearch.search.distributions import to_distribution
from hpsearch.search.optuna_strategies import quiet_optuna
from hpsearch.search_cv.ranges import At, Quantile, Ranges
from hpsearch.space import Categorical, Int
from hpsearch.storage import open_storage, storage_errors

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

__all__ = ["Entry", "StoredSearch", "asked_of", "digest_of", "open_stored"]

ASKED = "search_cv"
"""Of a study: what its rows depend on, a digest for each part."""

SETTINGS = (
    "n_iter",
    "strategy",
    "resource",
    "max_resources",
    "min_resources",
    "race",
    "error_score",
    "return_train_score",
)
"""The arguments that rows depend on, besides those that have a part of their own."""

DIFFERENT = {
    "estimator": "is of another estimator",
    "data": "is of other data",
    "splits": "has other splits",
    "scoring": "has another scoring",
    "ranges": "has other ranges",
    "settings": "",
}
"""What each part is said to be where it is not the same."""

ROW = "cross-validation"
"""Of a trial: the row, as JSON."""


class Candidate(Protocol):
    """What the search has scikit-learn fit."""

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells its row from others."""

    @property
    def slot(self) -> Slot:
        """It belongs to."""

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the estimator."""

    @property
    def more(self) -> dict[str, int]:
        """Values of its row in our own columns."""


class Entry(NamedTuple):
    """A row of `cv_results_` before it is one.

    Args:
        candidate: which was fitted.
        folds: what scikit-learn's `_fit_and_score` says of each split.
    """

    candidate: Candidate
    folds: list[dict[str, Any]]


class StoredSearch:
    """The rows of one study.

    Args:
        study: where they are.
        ranges: what is searched.
        seed: of the search.

    Attributes:
        entries: the rows that the search has come to so far, those of earlier runs among them.
        waiting: the candidates that are being fitted.
        folds: what scikit-learn said of each split of those that were fitted last.
        tabled: whether scikit-learn's last table has all of them.
    """

    def __init__(self, study: optuna.Study, ranges: Ranges, seed: int) -> None:
        self.study, self.ranges, self.seed = study, ranges, seed
        self.entries: list[Entry] = []
        self.waiting: Sequence[Candidate] = ()
        self.folds: list[list[dict[str, Any]]] = []
        self.tabled = False
        rows = (trial.user_attrs.get(ROW) for trial in study.get_trials(deepcopy=False))
        self.known = {json.dumps(row["key"]): row for row in map(json.loads, filter(None, rows))}

    def knows(self, key: object) -> bool:
        """Whether an earlier run has the row of a key."""
        return json.dumps(key) in self.known

    def take(self, candidate: Candidate) -> float:
        """Take a row over from an earlier run; its score."""
        row = self.known[json.dumps(candidate.key)]
        self.tabled = False
        self.entries.append(Entry(candidate, row["folds"]))
        return float(row["score"])

    def fit(
        self,
        search: Any,
        evaluate: Callable[[], list[float]],
        stage: Stage,
        candidates: Sequence[Candidate],
    ) -> list[float]:
        """Fit candidates and write their rows; their scores.

        Args:
            search: a `CoarseToFineSearchCV`.
            evaluate: has scikit-learn fit them, and make the table of all rows.
            stage: they belong to.
            candidates: a few.

        Raises:
            ValueError: a fit failed, and ``error_score`` is raise.
        """
        self.waiting = candidates
        try:
            scores = evaluate()
        except ValueError as error:
            # scikit-learn ends a search where all fail that it was given, if they are a few only.
            if search.error_score == "raise" or "fits failed" not in str(error):
                raise
            warnings.warn(str(error), FitFailedWarning, stacklevel=2)
            self.tabled = False
            scores = [float(search.error_score)] * len(candidates)
            self.folds = [[_failed(search, str(error))] * search.n_splits_ for _ in candidates]
        self.waiting = ()
        for each, folds, score in zip(candidates, self.folds, scores, strict=True):
            self.entries.append(Entry(each, folds))
            self._write(each, folds, score, stage)
        self.study._storage.flush()  # type: ignore[attr-defined]
        return scores

    def check(self) -> None:
        """Make sure that a stage found something.

        Raises:
            ValueError: every fit of the search has failed so far.
        """
        every = [fold["fit_error"] for entry in self.entries for fold in entry.folds]
        if every and all(every):
            raise ValueError(every[-1])

    def all_rows(
        self, out: Sequence[dict[str, Any]], splits: int
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, list[int]]]:
        """What the table of all rows is made of, those included that were fitted just now.

        Args:
            out: what was fitted in this run, each split of each candidate.
            splits: of each candidate.

        Returns:
            The parameters of every row, what was found on each of its splits, our own columns.
        """
        first = len(out) - len(self.waiting) * splits
        self.folds = [list(out[i : i + splits]) for i in range(first, len(out), splits)]
        self.tabled = True
        fresh = zip(self.waiting, self.folds[: len(self.waiting)], strict=True)
        entries = [*self.entries, *(Entry(each, folds) for each, folds in fresh)]
        every = [fold for entry in entries for fold in entry.folds]
        named = next((f["test_scores"] for f in every if isinstance(f["test_scores"], dict)), None)
        if named is not None:  # of a callable's metrics a candidate that failed knows no names
            every = [_with_names(fold, list(named)) for fold in every]
        more = {
            name: [entry.candidate.more[name] for entry in entries]
            for name in entries[0].candidate.more
        }
        return [entry.candidate.parameters for entry in entries], every, more

    def _write(
        self, candidate: Candidate, folds: Sequence[dict[str, Any]], score: float, stage: Stage
    ) -> None:
        from optuna.trial import TrialState, create_trial

        row = {"key": candidate.key, "folds": folds, "score": score}
        told = {
            name: _told(self.ranges, stage, name, value)
            for name, value in candidate.slot.configuration.items()
        }
        complete = math.isfinite(score)
        errors = [fold["fit_error"] for fold in folds if fold["fit_error"]]
        trial = create_trial(
            state=TrialState.COMPLETE if complete else TrialState.FAIL,
            value=score if complete else None,
            params={name: value for name, (value, _) in told.items()},
            distributions={name: distribution for name, (_, distribution) in told.items()},
            user_attrs={
                "stage": stage.name,
                **candidate.more,
                "seconds": round(sum(f["fit_time"] + f["score_time"] for f in folds), 4),
                ROW: json.dumps(row, default=_own),
                **({"errors": errors[:1]} if errors else {}),
            },
        )
        self.study.add_trial(trial)


def _failed(search: Any, why: str) -> dict[str, Any]:
    """What scikit-learn says of a split on which a fit failed."""
    score = float(search.error_score)
    fold = {"fit_error": why, "test_scores": score, "n_test_samples": 0}
    fold |= {"fit_time": 0.0, "score_time": 0.0}
    return fold | ({"train_scores": score} if search.return_train_score else {})


def _with_names(fold: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A split with a score for each metric, where a fit that failed has one for all."""
    scores: dict[str, Any] = {
        part: dict.fromkeys(names, fold[part])
        for part in ("test_scores", "train_scores")
        if part in fold and not isinstance(fold[part], dict)
    }
    return {**fold, **scores}


@contextmanager
def open_stored(
    storage: str, name: str, asked: Mapping[str, Any], seed: int, ranges: Ranges
) -> Iterator[StoredSearch]:
    """The rows of a study, which nobody else may add to within the block.

    Args:
        storage: the name of a SQLite file, or a URL of SQLite or PostgreSQL.
        name: of the study; made where it is not there.
        asked: see `asked_of`.
        seed: of the search, if this is its first run.
        ranges: what is searched.

    Raises:
        UsageError: the study is of something else, or another process is at it.
    """
    import optuna

    with open_storage(storage) as store, storage_errors(store.url):
        with quiet_optuna():
            study = optuna.create_study(
                study_name=name, storage=store, direction="maximize", load_if_exists=True
            )
        with Lease(store.engine, study._study_id, name) as lease:
            store.connection.fence = lease.check
            before = read_metadata(study, ASKED)
            if before is None:
                if study.get_trials(deepcopy=False):
                    raise UsageError(
                        f"the study {name!r} is there and is no search of CoarseToFineSearchCV; "
                        "give study_name another one.",
                        key="study_name",
                    )
                before = {**asked, "seed": seed}
                write_metadata(study, ASKED, before)
            _check_same(name, before, asked)
            yield StoredSearch(study, ranges, before["seed"])
            store.flush()


def asked_of(search: Any, cv: Any, data: str) -> dict[str, Any]:
    """What the rows of a search depend on, a digest or the words of each part.

    Args:
        search: a `CoarseToFineSearchCV`.
        cv: its splitter.
        data: the digest of all that it is fitted to.

    Raises:
        UsageError: a part of it has no digest, or the splits are drawn anew each time.
    """
    if getattr(cv, "shuffle", hasattr(cv, "random_state")) and not isinstance(
        getattr(cv, "random_state", 0), Integral
    ):
        raise UsageError(
            "a stored search has the same splits in every run; give cv a random_state that is a "
            "whole number.",
            key="cv",
        )
    settings = {name: _words(getattr(search, name)) for name in SETTINGS}
    if isinstance(search.random_state, Integral):  # else the first run draws the seed for all
        settings["random_state"] = _words(search.random_state)
    if isinstance(search.refit, str):
        settings["refit"] = search.refit
    splits = (type(cv).__qualname__, vars(cv) if hasattr(cv, "__dict__") else cv)
    return {
        "data": data,
        "estimator": digest_of("estimator", clone(search.estimator)),
        "splits": digest_of("cv", splits),
        "scoring": _words(search.scoring),
        "ranges": _words(search.param_distributions),
        "settings": settings,
    }


def digest_of(name: str, part: object) -> str:
    """What tells a part of a search from any other, in every process.

    Raises:
        UsageError: it cannot be pickled.
    """
    try:
        return str(joblib.hash(part))
    except (PicklingError, AttributeError, TypeError) as error:
        raise UsageError(
            f"a stored search knows its {name} again by its pickle, which there is none of "
            f"({error}); name functions in a module, or leave storage out.",
            key=name,
        ) from None


def _check_same(name: str, before: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse to go on with rows that are of something else."""
    for part, words in DIFFERENT.items():
        if before.get(part) == asked[part]:
            continue
        if part == "settings":
            had, has = before[part], asked[part]
            changed = next(key for key in {**had, **has} if had.get(key) != has.get(key))
            words = f"had {changed} {had.get(changed)} and now has {has.get(changed)}"
        raise UsageError(
            f"the search of the study {name!r} {words}; give the same again, or another "
            "study_name.",
            key="study_name",
        )


def _words(value: Any) -> str:
    """A value in words that are the same in every process."""
    if hasattr(value, "dist"):  # a frozen distribution of scipy
        value = tuple(getattr(value, part, "") for part in ("args", "kwds")), value.dist.name
    elif hasattr(value, "ppf"):  # another says in no other words what it is
        value = [f"{quantile:.9g}" for quantile in value.ppf(np.linspace(0.05, 0.95, 19))]
    if hasattr(value, "tolist"):  # an array, which shows but its ends
        value = value.tolist()
    if isinstance(value, Set):
        value = sorted(value, key=repr)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_words(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_words, value)) + "]"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _own(number: Any) -> Any:
    """NumPy's number as Python's."""
    return number.item() if isinstance(number, np.generic) else number


def _told(ranges: Ranges, stage: Stage, name: str, value: Any) -> tuple[Any, BaseDistribution]:
    """A value, as the estimator gets it where that is plain, and what Optuna is told of it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    parameter, decode = ranges.space.parameters[name], ranges.decode[name]
    if isinstance(parameter, Int) and isinstance(decode, At):
        numbers = [_own(decode(place)) for place in range(parameter.high + 1)]
        return numbers[value], CategoricalDistribution(numbers)
    if isinstance(decode, Quantile):
        return decode(value), FloatDistribution(float(decode(0.0)), float(decode(1.0)))
    of_stage = stage.space.parameters.get(name)
    # Of a choice Optuna wants to be told the same in every trial, and of a range what it came from.
    if of_stage is not None and not isinstance(parameter, Categorical) and value in of_stage:
        parameter = of_stage
    return value, to_distribution(parameter)
