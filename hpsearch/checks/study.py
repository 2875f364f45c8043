"""All checks of a study: its data, and the network in the middle of its space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hpsearch.checks.check import Check
from hpsearch.checks.choices import batch_normalization, choices
from hpsearch.checks.context import CheckContext
from hpsearch.checks.data_checks import (
    class_balance,
    codes_for_missing,
    constant_columns,
    missing_values,
    scale,
    target_spread,
)
from hpsearch.checks.duplicates import contradictions, duplicates, identical_rows, unlike_twins
from hpsearch.checks.gradients import gradient_check
from hpsearch.checks.layers import layer_outputs
from hpsearch.checks.leaks import label_leaks, value_leaks
from hpsearch.checks.network_checks import initial_loss, regularization, tiny_subset
from hpsearch.checks.rates import LONGER, RateRange, learning_rates, sweep
from hpsearch.checks.split_checks import (
    drift,
    groups_apart,
    near_duplicates,
    order_in_time,
    parts_said,
)
from hpsearch.data import Dataset, Split
from hpsearch.nn import TrainingConfig
from hpsearch.space import Parameter, Space, Value
from hpsearch.study_file import StudyFile

__all__ = ["check_data", "check_data_and_network", "check_network", "learning_range"]


def check_data_and_network(study: StudyFile, dataset: Dataset, split: Split) -> list[Check]:
    """Check the data of a study, and a typical network of its space if it searches one.

    Args:
        study: the study file.
        dataset: its data.
        split: the first of its divisions.

    Returns:
        Every check with its verdict; a pure function of the study and its data.

    Raises:
        UsageError: the study weighs a label that there is none of, or a metric does not fit.
    """
    study.class_weights(dataset.classes)  # refuses a label that there is none of
    study.objective.metrics(dataset.task, dataset.classes)
    space, seed = study.search_space(), study.seed
    if study.objective.kind != "network":
        return check_data(dataset, split, seed=seed)
    middle, epochs = _middle(study, space), study.training.epochs
    network = check_network(dataset, split, middle, space=space, epochs=epochs, seed=seed)
    return check_data(dataset, split, seed=seed) + network


def _middle(study: StudyFile, space: Space) -> dict[str, Value]:
    """The configuration in the middle of a study's space."""
    return study.configuration(space.from_unit([0.5] * len(space.parameters)))


def learning_range(study: StudyFile, dataset: Dataset, split: Split) -> RateRange | None:
    """The learning rates at which the network in the middle of a study's space learns.

    Args:
        study: the study file.
        dataset: its data.
        split: the first of its divisions.

    Returns:
        What the sweep came to, None where no rate makes it learn.
    """
    from threadpoolctl import threadpool_limits

    middle, epochs = _middle(study, study.search_space()), study.training.epochs
    with threadpool_limits(1):
        context = CheckContext.of(dataset, split, middle, epochs=epochs, seed=study.seed)
        return sweep(context) or sweep(context, longer=LONGER)


def check_data(dataset: Dataset, split: Split, *, seed: int = 0) -> list[Check]:
    """Missing values, constant columns, rare classes, rows that are there twice, label leaks.

    Args:
        dataset: what to learn from.
        split: its parts; of the test part the labels are not looked at.
        seed: draws rows where not all are looked at.
    """
    content, whole = identical_rows(dataset.X)
    drifts, said = drift(dataset, split), parts_said(dataset)
    return [
        missing_values(dataset, split),
        codes_for_missing(dataset),
        constant_columns(dataset, split),
        (class_balance if dataset.classes else target_spread)(dataset, split),
        *([] if said is None else [said]),
        groups_apart(dataset, split),
        order_in_time(dataset),
        *([] if drifts is None else [drifts]),
        duplicates(dataset, split, content, whole),
        near_duplicates(dataset, split, seed=seed),
        (contradictions if dataset.classes else unlike_twins)(dataset, split, content),
        (label_leaks if dataset.classes else value_leaks)(dataset, split, seed=seed),
    ]


def check_network(
    dataset: Dataset,
    split: Split,
    configuration: Mapping[str, Value],
    *,
    space: Space | None = None,
    epochs: int = TrainingConfig.epochs,
    seed: int = 0,
) -> list[Check]:
    """Scale, initial loss, regularization, a tiny subset, gradients, layers, learning rates.

    Args:
        dataset: what to learn from.
        split: its parts; only the training part is looked at, and of that 2,000 rows at most.
        configuration: preprocessing, network and training; see `TrainingSpecification.of`.
        space: what the study searches; its choices of initializer and activation are each tried,
            and its range of the learning rate is compared with what learns. None for nothing.
        epochs: of a full training.
        seed: of weights and samples.

    Raises:
        UsageError, UnknownNameError: the configuration makes no sense.
        DataError: no column is left to learn from.
    """
    from threadpoolctl import threadpool_limits

    searched = space or Space({})
    rates = searched.parameters.get("learning_rate")
    if "learning_rate" not in searched.active(configuration):
        rates = None  # its condition does not hold here: the network's rate is its default
    # As a worker has it: matrices are small, and the numbers are then the same on any machine.
    with threadpool_limits(1):
        context = CheckContext.of(dataset, split, configuration, epochs=epochs, seed=seed)
        return list(_network_checks(context, searched, rates, dataset.feature_names))


def _network_checks(
    context: CheckContext, space: Space, rates: Parameter | None, names: tuple[str, ...]
) -> Iterator[Check]:
    yield scale(context, names)
    for setting in ("initializer", "activation"):
        check, context = choices(context, space, setting)
        if check is not None:
            yield check
    yield initial_loss(context)
    yield regularization(context)
    yield gradient_check(context)
    yield layer_outputs(context)
    normalized = batch_normalization(context, space)
    if normalized is not None:
        yield normalized
        if normalized.verdict == "fail":
            return  # nothing can be trained
    yield (tiny := tiny_subset(context))
    yield learning_rates(context, rates, patient=tiny.verdict == "pass")
