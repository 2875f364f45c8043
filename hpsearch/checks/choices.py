"""Which choices of the study break the network from the start, or leave batches too small?"""

from __future__ import annotations

from hpsearch.checks.check import Check, Verdict
from hpsearch.checks.context import CheckContext
from hpsearch.checks.layers import layer_statistics, signal
from hpsearch.checks.network_checks import first_loss, loss_verdict
from hpsearch.space import Categorical, Float, Int, Space, Value

__all__ = ["batch_normalization", "choices"]

FEW = 8
"""With fewer samples the error rises steeply (Wu and He, 2018, Group Normalization, figure 1)."""


def choices(context: CheckContext, space: Space, name: str) -> tuple[Check | None, CheckContext]:
    """Try every choice of a setting, all else in the middle of the space.

    Args:
        context: rows and specification.
        space: what the study searches.
        name: "initializer" or "activation".

    Returns:
        A warning that names the choices which break the network, since their trials are wasted, and
        a failure when all of them do; None where the setting is not searched. Then the context with
        a choice that does not break it, where its own does: the other checks are of that.
    """
    parameter = space.parameters.get(name)
    if not isinstance(parameter, Categorical):
        return None, context
    found: list[str] = []
    broken: list[str] = []
    sound: list[Value] = []
    for choice in parameter.choices:
        verdict, words = _judge(context.with_network(**{name: choice}))
        found.append(f"{choice}: {words}")
        if verdict == "fail":
            broken.append(str(choice))
        else:
            sound.append(choice)
    check = Check(
        f"choices of {name}",
        "pass" if not broken else "warn" if sound else "fail",
        "; ".join(found),
        "no loss far above ln(classes), a signal in every layer",
        f"{', '.join(broken)} would waste trials, since the network is broken from the start: take "
        "it off the choices"
        if broken
        else "each of them starts soundly enough",
    )
    if sound and getattr(context.spec.network, name) not in sound:
        context = context.with_network(**{name: sound[0]})
    return check, context


def _judge(context: CheckContext) -> tuple[Verdict, str]:
    loss = first_loss(context)
    if loss_verdict(loss, context.chance) == "fail":
        return "fail", f"loss {loss:.3g}"
    verdict, fault = signal(layer_statistics(context))
    return verdict, fault or f"loss {loss:.3g}"


def batch_normalization(context: CheckContext, space: Space) -> Check | None:
    """Whether the smallest batch that the study may draw has enough samples to be normalized by.

    Args:
        context: rows and specification.
        space: what the study searches.

    Returns:
        The check, or None for a study without batch normalization.
    """
    searched = space.parameters.get("batch_norm")
    if not (
        context.spec.network.batch_norm
        or (isinstance(searched, Categorical) and True in searched.choices)
    ):
        return None
    batch = space.parameters.get("batch_size")
    size = context.spec.training.batch_size
    if isinstance(batch, Categorical):
        size = min(choice for choice in batch.choices if isinstance(choice, int))
    elif isinstance(batch, Float | Int):
        size = int(batch.low)
    size = min(size, context.total)
    enough = size >= FEW
    return Check(
        "batch normalization",
        "pass" if enough else "fail" if size == 1 else "warn",
        f"batches of {size}",
        f"{FEW} or more",
        "a batch has enough samples to be normalized by"
        if enough
        else "a batch of one has no variance to be normalized by, and training refuses it: raise "
        "batch_size, or set batch_norm to false"
        if size == 1
        else "so few samples give noisy statistics: raise batch_size, or set batch_norm to false",
    )
