"""`CoarseToFineSearchCV`: the search behind scikit-learn's names and conventions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import is_classifier
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from hpsearch.errors import NoWinnerError, UnknownNameError, UsageError, shown
from hpsearch.search import make_strategy
from hpsearch.search.base import (
    Configuration,
    Result,
    Slot,
    Stage,
    StagePlan,
    Winner,
)
from hpsearch.search.quasi_random import sobol_points
from hpsearch.search.race import RacedSearch
from hpsearch.search.strategies import IN_STAGES
from hpsearch.search_cv.ranges import Ranges, read_ranges
from hpsearch.search_cv.splits import Splits, rows_of
from hpsearch.space import Space

if TYPE_CHECKING:
    from hpsearch.search_cv.stored import StoredSearch

__all__ = ["CoarseToFineSearchCV"]

EXPLORES = 4
"""One candidate in so many of a fine stage comes from the whole ranges.

A few hundred rows leave plateaus, on which the best of a coarse stage may all lie; the ranges and
the model would then see nothing else.
"""

ROWS = "n_samples"
"""The resource that is no parameter: rows of the training parts."""

Table: TypeAlias = dict[str, Any]
"""`cv_results_`."""


class CoarseToFineSearchCV(BaseSearchCV):  # type: ignore[misc]
    """Search from coarse to fine in cross-validation, in the place of `RandomizedSearchCV`.

    The candidates come in stages. The first is spread over the whole ranges; each later one goes
    where the best were, within ranges that were narrowed on evidence, but for every fourth of its
    candidates, which goes on with the first. Within a stage all fits run side by side. The same
    ``random_state`` gives the same candidates with any ``n_jobs``. A candidate is never fitted
    twice on the same rows, so that a small space ends with fewer candidates than were asked for.

    What a search of scikit-learn has, this one has: it is a `BaseSearchCV`. The arguments that
    share a name with `RandomizedSearchCV` have its meaning.

    Args:
        estimator: what is fitted, as a pipeline or a single one.
        param_distributions: by the name of each parameter a list of values of any kind, a frozen
            distribution of scipy.stats, or a `Float`, `Int` or `Categorical`; or a list of such
            dicts, of which each candidate has one; or a `Space`, whose conditions then hold.
            Numbers in a list are tried in their order, other values as choices without one. A
            search keeps to a distribution or a list; it may go past the ends of a `Float` or `Int`,
            as far as their ``limits``.
        n_iter: the candidates of all stages together; fewer than 11 are one stage only.
        scoring: a name, a callable, or several, as for `RandomizedSearchCV`. Of several ``refit``
            names the one that leads the search; where it names none, the first does.
        n_jobs: fits that run side by side.
        refit: fit the winner to all rows; the name of a metric, or a callable, as for
            `RandomizedSearchCV`.
        cv: how rows are split. They are split once, so that all candidates have the same splits
            even where the splitter shuffles without a seed.
        strategy: ``guided``, where a model of all results chooses the later stages' candidates, or
            ``coarse-to-fine``, where they are drawn from the narrowed ranges.
        resource: what the early stages save: ``n_samples``, rows of the training parts (those that
            score are always all), or a parameter of the estimator that is a whole number, such as
            ``max_iter``. The first stage has a quarter of it, the second half, the others all.
            None: all candidates are fitted in full.
        max_resources: the full amount; ``auto`` is all rows, or the estimator's own value.
        min_resources: the least; ``smallest`` is 1, or of rows four times the classes.
        race: how many of ``n_iter`` go to a race at the end: the best few are scored again, on
            other splits, and the worse drop out. By default there is none: all candidates are
            compared on the same splits, and a deterministic estimator would score there as it did
            before. It needs a splitter with ``random_state``, or a number as ``cv``.
        random_state: an int, `numpy.random.RandomState` or None.
        verbose, pre_dispatch, error_score, return_train_score: as for `RandomizedSearchCV`. A
            candidate without a finite score counts as worse than any with one.
        storage: the name of a SQLite file, or a URL of SQLite or PostgreSQL, in which every
            candidate is kept as soon as it is known. A search that was killed is fitted again with
            the same arguments and data, repeats nothing, and comes to the same; one that was over
            fits its winner's splits once more, since scikit-learn wants something to fit. Other
            data, another estimator and other settings are refused.
            `hpsearch report` and optuna-dashboard show the study.
        study_name: what the study is called there.

    Attributes:
        cv_results_: a row for each candidate, in the order of the stages. Besides the columns of
            `RandomizedSearchCV` there are ``iter``, the stage from 0, with a resource
            ``n_resources``, and with a race ``splits_seed``, of other splits than the first ones
            (0). Ranks are of all rows; where these are not of the same rows or the same length they
            do not say who has won.
        best_index_: the row of the winner: of those that were fitted in full the best, or the first
            of the winner's rows in the race.
        best_score_: the mean that the choice was made by: the winner's in its row, which is
            flattered by the choice, or that of all its rows in the race, which is not.
        best_params_, best_estimator_, refit_time_, n_splits_, scorer_, multimetric_, classes_,
            ``n_features_in_``, ``feature_names_in_``: as for `RandomizedSearchCV`.
        stages_: what each stage searched, with a reason for every range that it changed.

    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> X, y = load_iris(return_X_y=True)
    >>> ranges = {"C": loguniform(1e-2, 1e3), "kernel": ["rbf", "linear"]}
    >>> search = CoarseToFineSearchCV(SVC(), ranges, n_iter=20, random_state=0).fit(X, y)
    >>> bool(search.best_score_ > 0.97), len(search.cv_results_["params"])
    (True, 20)
    """

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 40,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[[Table], int] = True,
        cv: Any = None,
        strategy: str = "guided",
        resource: str | None = None,
        max_resources: int | str = "auto",
        min_resources: int | str = "smallest",
        race: int = 0,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: float | str = np.nan,
        return_train_score: bool = False,
        storage: str | None = None,
        study_name: str | None = None,
    ) -> None:
        self.storage = storage
        self.study_name = study_name
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.strategy = strategy
        self.resource = resource
        self.max_resources = max_resources
        self.min_resources = min_resources
        self.race = race
        self.random_state = random_state
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and fit the winner to all rows.

        Args:
            X: rows, an array, a list, a sparse matrix or a dataframe.
            y: what is to be learned of each, or None.
            params: for the estimator's fit, the scorer and the splitter, as for
                `RandomizedSearchCV`.

        Returns:
            The search.

        Raises:
            UsageError: for an argument out of range; a ValueError.
            ValueError, TypeError: from scikit-learn's own checks.
        """
        self._amounts = self._read_resources(X, y) if self.resource is not None else (1, 1)
        self._stored: StoredSearch | None = None
        if self.storage is not None:
            from hpsearch.search_cv.stored import digest_of

            self._data = digest_of("data", (X, y, params))
        try:
            super().fit(X, y, **params)
        finally:
            self._stored = None
        if hasattr(self, "best_score_") and self.race and not callable(self.refit):
            self.best_score_ = self._winner.mean
        return self

    @available_if(lambda search: hasattr(search.estimator, "set_output"))  # type: ignore[untyped-decorator]
    def set_output(self, *, transform: str | None = None) -> Self:
        """Have the estimator put out frames, as `RandomizedSearchCV` cannot.

        Args:
            transform: ``default``, ``pandas``, ``polars``, or None to leave it as it is.

        Returns:
            The search.
        """
        for each in (self.estimator, getattr(self, "best_estimator_", None)):
            if each is not None:
                each.set_output(transform=transform)
        return self

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        """Evaluate stage after stage."""
        ranges = read_ranges(self.param_distributions)
        if self.resource is not None and self.resource in ranges.names.values():
            raise UsageError(
                f"{self.resource} is the resource and is searched too; take it out of one of them.",
                key="resource",
            )
        self._check_numbers()
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        # As scikit-learn has read it, since a generator can be read once; not before 1.9.
        cv = getattr(self, "_checked_cv_orig", self.cv)
        task = _task(self, callback_ctx, "search", None)
        with self._open_stored(cv, seed, ranges) as stored:
            self._stored = stored
            seed = seed if stored is None else stored.seed
            splits = Splits(cv, classifies=is_classifier(self.estimator), seed=seed)
            if self.race:
                splits.reseeded(seed)  # which refuses what has no other splits
            strategy = self._make_strategy(ranges.space, seed)
            evaluation = _Evaluation(self, ranges, evaluate_candidates, splits, stored)
            results: list[Result] = []
            self.stages_: list[StagePlan] = []
            while (stage := strategy.next_stage(results)) is not None:
                stage = _with_others(stage, ranges.space, len(results))
                plan = {each.name: getattr(stage, each.name) for each in fields(StagePlan)}
                self.stages_.append(StagePlan(**plan))
                results += evaluation.stage(stage, task)
            self._winner = _winner(strategy, results, evaluation)
            if stored is not None and not stored.tabled:
                evaluation.again(self._winner.row, task)
        _end(self, task)

    def _open_stored(
        self, cv: Any, seed: int, ranges: Ranges
    ) -> AbstractContextManager[StoredSearch | None]:
        if self.storage is None:
            return nullcontext()
        from hpsearch.search_cv.stored import asked_of, open_stored

        if not self.study_name:
            raise UsageError(
                "a search with storage has a study_name; give it one.", key="study_name"
            )
        asked = asked_of(self, cv, self._data)
        return open_stored(self.storage, self.study_name, asked, seed, ranges)

    def _format_results(
        self,
        candidate_params: list[dict[str, Any]],
        n_splits: int,
        out: list[dict[str, Any]],
        more_results: Table | None = None,
    ) -> Table:
        """The table of all rows, those of earlier runs among them."""
        stored = self._stored
        if stored is None:
            return dict(super()._format_results(candidate_params, n_splits, out, more_results))
        params, folds, more = stored.all_rows(out, n_splits)
        return dict(super()._format_results(params, n_splits, folds, more))

    def __getstate__(self) -> dict[str, Any]:
        """Without the database, which no worker has to do with."""
        return {**super().__getstate__(), "_stored": None}

    def _select_best_index(self, refit: Any, refit_metric: str, results: Table) -> Any:
        """The row of the winner, or what a callable says."""
        if callable(refit):
            return super()._select_best_index(refit, refit_metric, results)
        return self._winner.row

    def _check_numbers(self) -> None:
        if self.strategy not in IN_STAGES:
            raise UnknownNameError("strategy", self.strategy, list(IN_STAGES))
        for name, least in (("n_iter", 1), ("race", 0)):
            _check_whole(name, getattr(self, name), least)

    def _make_strategy(self, space: Space, seed: int) -> RacedSearch:
        least, full = self._amounts
        made = make_strategy(
            self.strategy,
            space,
            trials=int(self.n_iter),
            epochs=full,
            seed=seed,
            race=int(self.race),
            epoch_shares=[max(share, least / full) for share in IN_STAGES[self.strategy][1]],
        )
        # A stage begins when the one before is over, so that it can see all of it.
        return replace(made, search=replace(made.search, unseen=0.0))

    def _read_resources(self, X: Any, y: Any) -> tuple[int, int]:
        """The least and the full amount of the resource."""
        least, full = self.min_resources, self.max_resources
        if self.resource == ROWS:
            rows = rows_of(X)
            full = rows if full == "auto" else full
            if least == "smallest":
                least = min(4 * (len(np.unique(y)) if is_classifier(self.estimator) else 1), rows)
        else:
            own = self.estimator.get_params()
            if self.resource not in own:
                raise UnknownNameError("parameter", self.resource, sorted(own))
            if full == "auto":
                full = own[self.resource]
                if not _is_whole(full, 1):
                    raise UsageError(
                        f"{self.resource} is {shown(full)} in the estimator, and a resource is a "
                        "whole number of at least 1; give max_resources, or another resource.",
                        key="max_resources",
                    )
            least = 1 if least == "smallest" else least
        _check_whole("max_resources", full, 1)
        _check_whole("min_resources", least, 1)
        if self.resource == ROWS and int(full) > rows:
            raise UsageError(
                f"max_resources is {full} of {rows} rows; give at most all.", key="max_resources"
            )
        if int(least) > int(full):
            raise UsageError(
                f"min_resources is {least} and max_resources {full}; exchange the two.",
                key="min_resources",
            )
        return int(least), int(full)


def _with_others(stage: Stage, whole: Space, drawn: int) -> Stage:
    """A fine stage some of whose candidates are more of the first stage's, from the whole ranges.

    Args:
        stage: of any kind.
        whole: the ranges of the first stage.
        drawn: how many candidates came before.
    """
    if stage.kind.name != "fine":
        return stage
    propose = stage.propose
    go_on = sobol_points(len(whole.parameters), drawn + stage.slots, stage.seed, stage=0)

    def either(index: int, finished: Sequence[Result]) -> Configuration:
        if index % EXPLORES != EXPLORES - 1:
            return propose(index, finished)
        return whole.from_unit(go_on(drawn + index))

    return replace(stage, propose=either)


class _Key(NamedTuple):
    """What tells a row of `cv_results_` from others: its parameters, its length, its splits."""

    parameters: tuple[tuple[str, str], ...]
    length: int
    splits: int


class _Row(NamedTuple):
    """The winner: its row, and the mean that the choice was made by."""

    row: int
    mean: float


class _Candidate(NamedTuple):
    """What scikit-learn is asked to fit.

    Args:
        key: of its row.
        slot: it belongs to.
        parameters: of the estimator.
        more: values of its row in our own columns.
    """

    key: _Key
    slot: Slot
    parameters: dict[str, Any]
    more: dict[str, int]


class _Evaluation:
    """Evaluates stages; what was fitted on the same rows before is not fitted again.

    Args:
        search: whose arguments hold.
        ranges: what is searched.
        evaluate: scikit-learn's function, which fits candidates and returns all rows so far.
        splits: of the rows.
        stored: the rows of earlier runs, and where those of this one are kept.
    """

    def __init__(
        self,
        search: CoarseToFineSearchCV,
        ranges: Ranges,
        evaluate: Callable[..., Table],
        splits: Splits,
        stored: StoredSearch | None,
    ) -> None:
        self.search, self.ranges, self.evaluate, self.splits = search, ranges, evaluate, splits
        self.stored = stored
        self.rows: dict[_Key, int] = {}
        self.scores: list[float] = []
        self.asked: list[tuple[Stage, _Candidate]] = []

    def stage(self, stage: Stage, task: Any) -> list[Result]:
        """The results of a stage, which is part of scikit-learn's task."""
        slots = [stage.slot(index) for index in range(stage.slots)]
        keys = [self.key(slot, races=stage.races) for slot in slots]
        new = {k: s for k, s in zip(keys, slots, strict=True) if k not in self.rows}
        candidates = [self._candidate(stage, key, slot) for key, slot in new.items()]
        for splits in dict.fromkeys(key.splits for key in new):
            self._fit(stage, [each for each in candidates if each.key.splits == splits], task)
        scores = [self.scores[self.rows[key]] for key in keys]
        return [
            Result(slot, score) if math.isfinite(score) else Result(slot, 0.0, complete=False)
            for slot, score in zip(slots, scores, strict=True)
        ]

    def key(self, slot: Slot, *, races: bool) -> _Key:
        """What tells the row of a slot from others, which a race fits to splits of their own."""
        parameters = self.ranges.same(slot.configuration)
        return _Key(parameters, slot.epochs, slot.seed if races else 0)

    def again(self, row: int, task: Any) -> None:
        """Fit a row once more that is there already, since scikit-learn wants to fit something."""
        stage, candidate = self.asked[row]
        self._evaluate(stage, [candidate], task)

    def _candidate(self, stage: Stage, key: _Key, slot: Slot) -> _Candidate:
        parameters = self.ranges.parameters(slot.configuration)
        more = {"iter": stage.index}
        if (resource := self.search.resource) is not None:
            more["n_resources"] = stage.epochs
            if resource != ROWS:
                parameters[resource] = stage.epochs
        if self.search.race:
            more["splits_seed"] = key.splits
        return _Candidate(key, slot, parameters, more)

    def _fit(self, stage: Stage, candidates: Sequence[_Candidate], task: Any) -> None:
        """Fit candidates of a stage that have the same splits; those of a stored search in groups.

        A group keeps all workers busy, and is all that is lost where the process is killed.
        """
        stored = self.stored
        if stored is None:
            self._note(stage, candidates, self._evaluate(stage, candidates, task))
            return
        abreast = max(1, effective_n_jobs(self.search.n_jobs))
        waiting: list[_Candidate] = []
        for each in [*candidates, None]:
            known = each is not None and stored.knows(each.key)
            if waiting and (known or each is None or len(waiting) == abreast):
                scores = stored.fit(
                    self.search, partial(self._evaluate, stage, waiting, task), stage, waiting
                )
                self._note(stage, waiting, scores)
                waiting = []
            if each is not None and known:
                self._note(stage, [each], [stored.take(each)])
            elif each is not None:
                waiting.append(each)
        stored.check()

    def _note(
        self, stage: Stage, candidates: Sequence[_Candidate], scores: Sequence[float]
    ) -> None:
        for each, score in zip(candidates, scores, strict=True):
            self.rows[each.key] = len(self.scores)
            self.scores.append(score)
            self.asked.append((stage, each))

    def _evaluate(self, stage: Stage, candidates: Sequence[_Candidate], task: Any) -> list[float]:
        """The scores of candidates that have the same splits."""
        search, count, seed = self.search, len(candidates), candidates[0].key.splits
        splits = self.splits.reseeded(seed) if seed else self.splits
        if search.resource == ROWS:
            splits = replace(splits, amount=stage.epochs)
        inner = _task(search, task, stage.name, count)
        table = self.evaluate(
            [each.parameters for each in candidates],
            splits,
            more_results={name: [c.more[name] for c in candidates] for name in candidates[0].more},
            **({} if inner is None else {"callback_ctx": inner}),
        )
        _end(search, inner)
        scores: list[float] = table[_leading(table, search.refit)][-count:].tolist()
        return scores


def _winner(strategy: RacedSearch, results: Sequence[Result], evaluation: _Evaluation) -> _Row:
    """The winner of a search; the first row where no candidate has a finite score."""
    try:
        winner: Winner = strategy.winner(results)
    except NoWinnerError:
        return _Row(0, math.nan)
    slot = next(result.slot for result in results if result.slot.place == winner.slots[0])
    races = evaluation.search.stages_[slot.stage].races
    return _Row(evaluation.rows[evaluation.key(slot, races=races)], winner.mean)


def _leading(table: Table, refit: object) -> str:
    """The column of the scores that lead the search."""
    if "mean_test_score" in table:
        return "mean_test_score"
    if isinstance(refit, str) and f"mean_test_{refit}" in table:
        return f"mean_test_{refit}"
    return next(name for name in table if name.startswith("mean_test_"))


def _task(search: CoarseToFineSearchCV, outer: Any, name: str, candidates: int | None) -> Any:
    """A task that callbacks of scikit-learn are told of; None where it has none, before 1.9."""
    if outer is None:
        return None
    task = outer.subcontext(
        task_name=name,
        max_subtasks=None if candidates is None else candidates * search.n_splits_,
        sequential_subtasks=candidates is None,
    )
    return task.call_on_fit_task_begin(estimator=search)


def _end(search: CoarseToFineSearchCV, task: Any) -> None:
    if task is not None:
        task.call_on_fit_task_end(estimator=search)


def _is_whole(given: object, least: int) -> bool:
    whole = isinstance(given, Integral) and not isinstance(given, bool)
    return whole and int(given) >= least  # type: ignore[call-overload]


def _check_whole(name: str, given: object, least: int) -> None:
    if not _is_whole(given, least):
        raise UsageError(
            f"{name} is {shown(given)}; give a whole number of at least {least}.", key=name
        )
