"""Which of the study's initializers and activations break the network before it has learned?"""

from __future__ import annotations

from hpsearch.diagnostics.check import Check, Verdict
from hpsearch.diagnostics.layers import layer_statistics, signal
from hpsearch.diagnostics.network_checks import first_loss, loss_verdict
from hpsearch.diagnostics.subject import Subject
from hpsearch.space import Categorical, Space

__all__ = ["choices"]


def choices(subject: Subject, space: Space, name: str) -> Check | None:
    """Try every choice of a setting, all else in the middle of the space.

    Args:
        subject: rows and recipe.
        space: what the study searches.
        name: "initializer" or "activation".

    Returns:
        A warning that names the choices which break the network, since their trials are wasted, and
        a failure when all of them do; None where the setting is not searched.
    """
    parameter = space.parameters.get(name)
    if not isinstance(parameter, Categorical):
        return None
    found, broken = [], []
    for choice in parameter.choices:
        verdict, words = _judge(subject.with_network(**{name: choice}))
        found.append(f"{choice}: {words}")
        if verdict == "fail":
            broken.append(str(choice))
    total = len(parameter.choices)
    return Check(
        f"choices of {name}",
        "fail" if len(broken) == total else "warn" if broken else "pass",
        "; ".join(found),
        "the loss near ln(classes), and a signal in every layer",
        f"{', '.join(broken)} {'break' if len(broken) > 1 else 'breaks'} the network before it has "
        "learned, and so wastes trials: leave it out of the choices"
        if broken
        else "each of them starts soundly enough",
    )


def _judge(subject: Subject) -> tuple[Verdict, str]:
    loss = first_loss(subject)
    if loss_verdict(loss, subject.n_classes) == "fail":
        return "fail", f"loss {loss:.3g}"
    verdict, fault = signal(layer_statistics(subject))
    return verdict, fault or f"loss {loss:.3g}"
