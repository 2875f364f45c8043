"""The lecture's three: the first loss, its rise with regularization, a tiny subset to overfit."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from hpsearch.checks.check import Check, Verdict
from hpsearch.checks.context import CheckContext
from hpsearch.nn import LOSSES, EpochRecord, train

__all__ = ["first_loss", "initial_loss", "loss_verdict", "regularization", "tiny_subset"]

SLACK = 1.5
"""How far the first loss may lie from ln(classes): logits of variance v add about v/2, and He's
initialization gives them a variance of about 2."""

WRONG = 5.0
"""How far from it is no longer odd but wrong."""

STRENGTHS = (0.0, 0.01, 1.0)
"""Of l2, along which the loss has to rise."""

DRAWS = 4
"""Of weights: with few inputs or units the first loss depends on the draw."""

TINY = 20
"""Samples that any sound network overfits."""

TINY_LOSS = 0.05
"""The loss below which they are learned: the right label has a probability of 95%."""

TINY_STEPS = 300

PATIENT_STEPS = 3000
"""For those that have begun to learn: few columns, which hardly tell them apart, take longer."""

BEGUN, HALFWAY = 0.9, 0.5
"""Multiples of what guessing costs: below the one the loss has begun to fall, and below the other
the network does learn, if not everything."""

TINY_RATES = (0.01, 0.001)
"""Of Adam; the second is for networks with inputs too large for the first."""

TOLD_APART = 0.8
"""When a network can still get this share of contradicting samples right, not all is in vain."""


def first_loss(context: CheckContext) -> float:
    """The data loss of fresh networks, without dropout: the mean over several draws of weights."""
    draws = [replace(context, seed=context.seed + i) for i in range(DRAWS)]
    return fmean(draw.network().initial_loss(context.X, context.y) for draw in draws)


def loss_verdict(loss: float, chance: float) -> Verdict:
    """How the loss of an untrained network is to be judged, beside that of who knows nothing.

    >>> [loss_verdict(loss, 2.3) for loss in (2.31, 6.0, 300.0, float("nan"))]
    ['pass', 'warn', 'fail', 'fail']
    """
    off = abs(loss - chance)
    return "pass" if off <= SLACK else "warn" if off <= WRONG else "fail"


def initial_loss(context: CheckContext) -> Check:
    """Whether the untrained network is about as unsure as it should be: a loss near ln(classes).

    CS231n, lecture 6: "Double check that the loss is reasonable".
    """
    found = first_loss(context)
    verdict = loss_verdict(found, context.chance)
    knows_nothing = f"ln {context.n_classes} =" if context.n_classes else "knowing nothing:"
    how = f"{context.spec.network.initializer} weights"
    if context.spec.network.bias:
        how += f" and biases of {context.spec.network.bias:g}"
    return Check(
        "initial loss",
        verdict,
        f"{found:.3g}{context.looked_at}",
        f"{knows_nothing} {context.chance:.3g}, up to {SLACK:g} more",
        "a network that knows nothing is about as unsure as it should be"
        if verdict == "pass"
        else f"with {how} it is sure of itself before it has learned: take smaller initial weights "
        "(initializer he or xavier) and standardize the inputs",
    )


def regularization(context: CheckContext) -> Check:
    """Whether the loss rises with l2; CS231n, lecture 6: "crank up regularization"."""
    network = context.network()
    losses = [
        network.loss_and_gradients(context.X, context.y, l2=strength)[0] for strength in STRENGTHS
    ]
    rises = all(above > below for below, above in pairwise(losses))
    zeros = not any(network.parameters[part].any() for part in network.weight_slices)
    return Check(
        "loss as l2 rises",
        "pass" if rises else "warn" if zeros else "fail",
        ", ".join(f"{loss:.4g}" for loss in losses),
        f"rising with l2 = {', '.join(f'{s:g}' for s in STRENGTHS)}",
        "regularization is felt"
        if rises
        else "regularization cannot change weights that are all zero: draw them at random"
        if zeros
        else "regularization is lost beside the data loss: look at the scale of the inputs",
    )


def tiny_subset(context: CheckContext) -> Check:
    """Whether the network overfits a tiny subset, some 20 samples, without any regularization.

    CS231n, lecture 6: "make sure that you can overfit very small portion of the training data":
    near-zero loss and full accuracy. The optimizer is Adam whatever the study's own, so that only
    the network and the data are on trial; the study's rates have a check of their own.
    """
    bare = context.with_network(dropout=0.0)
    rng = np.random.default_rng([context.seed, 3])
    classes = context.n_classes > 0
    rows = _of_every_class(context.y, rng) if classes else rng.permutation(len(context.y))[:TINY]
    floor, most = _limits(bare, rows) if classes else (_least_loss(bare, rows), 1.0)
    if most < 1 or floor > TINY_LOSS:
        told = f"{most:.0%} can be right, with a loss of {floor:.2g}"
        return Check(
            "overfit a tiny subset",
            "warn" if most >= TOLD_APART else "fail",
            f"{len(rows)} samples: "
            + (told if classes else f"the loss cannot be under {floor:.2g}"),
            "100%, with a loss of 0" if classes else "a loss of 0",
            "equal rows with different labels are among them, which no network can tell apart: "
            "correct the labels, or add columns",
        )
    loss, accuracy, steps = math.inf, 0.0, 0
    attempts = [(rate, TINY_STEPS) for rate in TINY_RATES] + [(TINY_RATES[0], PATIENT_STEPS)]
    best = math.inf
    for rate, most_steps in attempts:
        if most_steps > TINY_STEPS and best > BEGUN * context.guessing:
            break
        loss, accuracy, steps = _learn(bare, rows, rate, most_steps)
        best = min(best, loss)
        if loss <= TINY_LOSS and accuracy == 1:
            break
    learned = loss <= TINY_LOSS and accuracy == 1
    halfway = best <= HALFWAY * context.guessing
    return Check(
        "overfit a tiny subset",
        "pass" if learned else "warn" if halfway else "fail",
        f"{len(rows)} samples: loss {loss:.2g}, "
        + (f"{accuracy:.0%} right, " if classes else "")
        + f"{steps} steps",
        f"loss under {TINY_LOSS}" + (", 100% right" if classes else ""),
        "the network can learn"
        if learned
        else "it learns them only in part: give it more units, or columns that tell them apart"
        if halfway
        else _why_not(bare),
    )


def _limits(bare: CheckContext, rows: NDArray[np.int64]) -> tuple[float, float]:
    """The least loss and the highest accuracy that any network can have on the rows."""
    labels: dict[bytes, list[int]] = {}
    for row in rows:
        labels.setdefault(bare.X[row].tobytes(), []).append(int(bare.y[row]))
    counts = [np.bincount(group) for group in labels.values()]
    loss = -sum(float((c[c > 0] * np.log(c[c > 0] / c.sum())).sum()) for c in counts)
    return loss / len(rows), sum(int(c.max()) for c in counts) / len(rows)


def _least_loss(bare: CheckContext, rows: NDArray[np.int64]) -> float:
    """The least loss of numbers that any network can have on the rows: that of equal rows' best."""
    alike: dict[bytes, list[int]] = {}
    for row in rows:
        alike.setdefault(bare.X[row].tobytes(), []).append(int(row))
    loss = LOSSES[bare.spec.network.loss]
    return sum(loss.guessing(bare.y[group]) * len(group) for group in alike.values()) / len(rows)


def _of_every_class(y: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows at random, the classes taking turns."""
    order = rng.permutation(len(y))
    turn = np.empty(len(y), np.int64)
    for label in np.unique(y):
        own = np.flatnonzero(y[order] == label)
        turn[own] = np.arange(len(own))
    chosen: NDArray[np.int64] = order[np.argsort(turn, kind="stable")[:TINY]]
    return chosen


def _learn(
    bare: CheckContext, rows: NDArray[np.int64], rate: float, steps: int
) -> tuple[float, float, int]:
    """Loss and accuracy on the rows after training on them, and the steps that it took."""
    training = replace(
        bare.spec.training,
        l2=0.0,
        optimizer="adam",
        momentum=0.9,
        learning_rate=rate,
        schedule="constant",
        warmup=0.0,
        batch_size=len(rows),
        epochs=steps,
        patience=None,
        divergence=1e6,
        weight_averaging=0.0,
        label_smoothing=0.0,
        class_weight="none",
    )
    network = bare.network()
    X, y = np.ascontiguousarray(bare.X[rows]), bare.y[rows]

    def learned(record: EpochRecord) -> bool:
        # The training loss is of before the step and, with batch normalization, of this batch's own
        # statistics; what counts is prediction.
        return record.train_loss <= TINY_LOSS / 2 and bare.loss(network, rows) <= TINY_LOSS / 2

    result = train(
        network, X, y, training, rng=np.random.default_rng([bare.seed, 4]), on_epoch=learned
    )
    outputs = network.predict_outputs(X)
    if not bare.n_classes:
        return bare.loss(network, rows), 1.0, result.epochs
    right = float(np.mean(outputs.argmax(axis=1) == y)) if np.isfinite(outputs).all() else 0.0
    return bare.loss(network, rows), right, result.epochs


def _why_not(bare: CheckContext) -> str:
    """The likeliest reason."""
    config = bare.spec.network
    if config.initializer == "zeros" and config.hidden_layer_sizes:
        return "with zero weights all units stay alike: draw them at random (he, xavier)"
    return (
        f"{len(config.hidden_layer_sizes)} layers of {config.activation} cannot learn even these: "
        "look for dead or saturated layers above, or give the network more units"
    )
