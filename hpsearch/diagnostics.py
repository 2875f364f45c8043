"""Checks before learning, after lecture 6: babysitting the learning process.

A wrong loss, a dead initialization or a network that cannot even learn twenty samples by heart
wastes a whole search; each shows in a second.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from hpsearch.data import Dataset, Preprocessor, Split
from hpsearch.nn import Network, train
from hpsearch.objective import Recipe
from hpsearch.space import Value
from hpsearch.study_file import StudyFile
from hpsearch.study_file.data import study_data

__all__ = ["Check", "check_network", "check_study"]

INITIAL_LOSS_SLACK = 1.5
"""How far the initial loss may lie above ln(classes): logits of variance v add about v / 2, and
He's initialization gives them a variance of about 2."""

INITIAL_LOSS_WRONG = 5.0
"""How far above it is no longer odd but wrong."""

TINY = 20
"""Samples that any sound network learns by heart."""

TINY_LOSS = 0.05
"""The training loss below which they count as learned."""


@dataclass(frozen=True)
class Check:
    """One check: its verdict, what was found, what was expected, and one sentence of what to do."""

    name: str
    verdict: Literal["pass", "warn", "fail"]
    found: str
    expected: str
    advice: str

    def document(self) -> dict[str, Any]:
        """The check in terms of JSON."""
        return asdict(self)


def check_study(study: StudyFile) -> list[Check]:
    """Load the data of a study and check it together with a typical network of its space.

    The network is the one in the middle of every searched range.

    Raises:
        DataError: the data cannot be loaded or divided.
    """
    dataset, splits = study_data(study.data, study.seed)
    space = study.space()
    middle = space.from_unit([0.5] * len(space.parameters))
    configuration = study.fixed() | middle
    return [
        *_check_data(dataset, splits[0]),
        *check_network(dataset, splits[0], configuration, seed=study.seed),
    ]


def _check_data(dataset: Dataset, split: Split) -> list[Check]:
    X = dataset.X[split.train]
    constant = int((np.nanmin(X, axis=0) == np.nanmax(X, axis=0)).sum()) if len(X) else 0
    shares = np.bincount(dataset.y[split.train], minlength=len(dataset.classes)) / len(split.train)
    smallest = dataset.classes[int(shares.argmin())]
    balanced = shares.min() * len(shares) >= 0.2
    return [
        Check(
            "columns that vary",
            "warn" if constant else "pass",
            str(X.shape[1] - constant),
            str(X.shape[1]),
            "constant columns carry nothing; they do no harm"
            if constant
            else "every column varies",
        ),
        Check(
            "smallest class",
            "pass" if balanced else "warn",
            f"{shares.min():.1%}",
            f"{1 / len(shares):.1%}",
            "the classes are about equally frequent"
            if balanced
            else f"{smallest!s} is rare: accuracy says little about it; look at its errors apart",
        ),
    ]


def check_network(
    dataset: Dataset, split: Split, configuration: dict[str, Value], *, seed: int = 0
) -> list[Check]:
    """The lecture's three checks: initial loss, its rise with l2, a tiny subset by heart.

    Args:
        dataset: what to learn from.
        split: its parts; only the training part is looked at.
        configuration: preprocessing, network and training, as `Recipe.of` reads them.
        seed: of weights and samples.
    """
    recipe = Recipe.of(configuration, epochs=1)
    rows = split.train
    X = Preprocessor.fit(
        dataset.X[rows], recipe.preprocessing, categories=dataset.categories
    ).transform(dataset.X[rows])
    y = dataset.y[rows]
    return [
        _initial_loss(X, y, dataset, recipe, seed),
        _regularization(X, y, dataset, recipe, seed),
        _overfit(X, y, dataset, recipe, seed),
    ]


def _network(X: np.ndarray, dataset: Dataset, recipe: Recipe, seed: int) -> Network:
    rng = np.random.default_rng(seed)
    return Network(X.shape[1], len(dataset.classes), recipe.network, rng=rng)


def _loss(network: Network, X: np.ndarray, y: np.ndarray) -> float:
    chances = network.predict_proba(X)[np.arange(len(y)), y]
    return float(-np.log(np.maximum(chances, 1e-30)).mean())


def _initial_loss(
    X: np.ndarray, y: np.ndarray, dataset: Dataset, recipe: Recipe, seed: int
) -> Check:
    expected = math.log(len(dataset.classes))
    found = _loss(_network(X, dataset, recipe, seed), X[:2000], y[:2000])
    above = found - expected
    fine = abs(above) <= INITIAL_LOSS_SLACK
    return Check(
        "initial loss",
        "pass" if fine else "warn" if above <= INITIAL_LOSS_WRONG else "fail",
        f"{found:.3f}",
        f"ln {len(dataset.classes)} = {expected:.3f}",
        "a network that knows nothing is about as unsure as it should be"
        if fine
        else "it is sure of itself before it has learned: use smaller initial weights "
        "(initializer he or xavier) and standardize the columns",
    )


def _regularization(
    X: np.ndarray, y: np.ndarray, dataset: Dataset, recipe: Recipe, seed: int
) -> Check:
    losses = []
    for l2 in (0.0, 1.0):
        still = replace(recipe.training, l2=l2, learning_rate=1e-12, warmup=0.0, optimizer="sgd")
        network = _network(X, dataset, recipe, seed)
        rng = np.random.default_rng(seed)
        losses.append(train(network, X[:2000], y[:2000], still, rng=rng).curve[0].train_loss)
    rises = losses[1] > losses[0]
    weights = recipe.network.initializer != "zeros"
    return Check(
        "loss with l2 = 1",
        "pass" if rises else "warn",
        f"{losses[1]:.3f}",
        f"over {losses[0]:.3f}",
        "regularization is felt"
        if rises
        else "regularization does nothing to weights that are all zero; initialize them at random"
        if not weights
        else "regularization does not raise the loss; the weights are next to nothing",
    )


def _overfit(X: np.ndarray, y: np.ndarray, dataset: Dataset, recipe: Recipe, seed: int) -> Check:
    rng = np.random.default_rng(seed)
    tiny = np.sort(rng.permutation(len(y))[:TINY])
    training = replace(
        recipe.training,
        l2=0.0,
        optimizer="adam",
        learning_rate=0.01,
        schedule="constant",
        warmup=0.0,
        batch_size=TINY,
        epochs=300,
        patience=None,
        divergence=1e6,
        weight_averaging=0.0,
    )
    network_config = replace(recipe.network, dropout=0.0)
    network = _network(X, dataset, replace(recipe, network=network_config), seed)
    few, labels = np.ascontiguousarray(X[tiny]), y[tiny]
    train(network, few, labels, training, rng=rng)
    loss = _loss(network, few, labels)
    learned = loss <= TINY_LOSS
    return Check(
        f"{len(tiny)} samples by heart",
        "pass" if learned else "fail",
        f"loss {loss:.3f}",
        f"under {TINY_LOSS}",
        "the network can learn"
        if learned
        else "it cannot even learn these: look for contradicting labels, a dead initialization "
        "(zeros), or a network that is too small",
    )
