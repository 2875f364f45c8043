"""How much each parameter matters: PED-ANOVA, over trials that were drawn from one space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from hpsearch.engine.summary import TrialRow
from hpsearch.plots.style import BLUE, blank_figure, label
from hpsearch.plots.view import NothingToDraw, StudyView, scored
from hpsearch.search.distributions import to_distribution
from hpsearch.search.optuna_strategies import quiet_optuna

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["ImportancesData", "importances_data", "importances_figure"]


@dataclass(frozen=True)
class ImportancesData:
    """Shares of importance, which sum to 1.

    Attributes:
        shares: by parameter, the most important one first.
        note: how they were measured, and over which trials.
    """

    shares: dict[str, float]
    note: str


@lru_cache(maxsize=1)  # three panels ask, one after the other
def importances_data(view: StudyView) -> ImportancesData:
    """The importance of each parameter that every trial has.

    By PED-ANOVA (Watanabe, Bansal and Hutter, 2023, IJCAI): how differently the best tenth of the
    trials is distributed from all of them. fANOVA would take minutes for thousands of trials. Later
    stages draw where the earlier ones were good, which would look like importance or hide it; so
    only trials of the first stage count.

    Raises:
        NothingToDraw: too few trials are complete, or fewer than two parameters vary.
    """
    trials = scored(view, at_least=10)
    first = [trial for trial in trials if trial.slot is not None and trial.slot.stage == 0]
    if first:
        trials = first
    if len(trials) < 10:
        raise NothingToDraw(
            f"Only {len(trials)} trials of the first stage are complete; importances need 10."
        )
    common = [n for n in view.parameters if all(n in t.configuration for t in trials)]
    varied = [n for n in common if len({t.configuration[n] for t in trials}) > 1]
    if len(varied) < 2:
        raise NothingToDraw("Fewer than two parameters vary in all trials; none is compared.")
    found = _ped_anova(view, trials, varied)
    ordered = dict(sorted(found.items(), key=lambda item: -item[1]))
    where = f"the {len(trials):,} trials of the stage {trials[0].stage}" if first else "all trials"
    left_out = [name for name in view.parameters if name not in varied]
    also = f" Left out, as not every trial has or varies them: {', '.join(left_out)}."
    note = (
        f"PED-ANOVA of Optuna over {where}: how differently the best tenth is distributed from "
        "all. " + ("With so few trials this is a hint, no proof." if len(trials) < 100 else "")
    )
    return ImportancesData(ordered, note.strip() + (also if left_out else ""))


def _ped_anova(
    view: StudyView, trials: Sequence[TrialRow], names: Sequence[str]
) -> dict[str, float]:
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    distributions = {name: to_distribution(view.parameters[name]) for name in names}
    frozen = [
        optuna.trial.create_trial(
            params={name: trial.configuration[name] for name in names},
            distributions=distributions,
            value=trial.score,
        )
        for trial in trials
    ]
    with quiet_optuna():
        study = optuna.create_study(direction="maximize" if view.summary.maximize else "minimize")
        study.add_trials(frozen)
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {name: float(share) for name, share in found.items()}


def importances_figure(data: ImportancesData) -> go.Figure:
    """A bar for each parameter."""
    names = [label(name) for name in reversed(data.shares)]
    shares = list(reversed(data.shares.values()))
    figure = blank_figure("share of importance", "", height=110 + 34 * len(names))
    figure.add_bar(
        x=shares,
        y=names,
        orientation="h",
        marker={"color": BLUE},
        text=[f"{share:.2f}" for share in shares],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )
    figure.update_xaxes(range=[0, 1.12 * max(shares)])
    figure.update_yaxes(type="category", automargin=True)
    return figure
