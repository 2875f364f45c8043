"""Which of the study's initializers and activations break the network before it has learned?"""

from __future__ import annotations

from hpsearch.diagnostics.check import Check, Verdict
from hpsearch.diagnostics.layers import layer_statistics, signal
from hpsearch.diagnostics.network_checks import first_loss, loss_verdict
from hpsearch.diagnostics.subject import Subject
from hpsearch.space import Categorical, Space, Value

__all__ = ["choices"]


def choices(subject: Subject, space: Space, name: str) -> tuple[Check | None, Subject]:
    """Try every choice of a setting, all else in the middle of the space.

    Args:
        subject: rows and recipe.
        space: what the study searches.
        name: "initializer" or "activation".

    Returns:
        A warning that names the choices which break the network, since their trials are wasted, and
        a failure when all of them do; None where the setting is not searched. Then the subject with
        a choice that does not break it, where its own does: the other checks are of that.
    """
    parameter = space.parameters.get(name)
    if not isinstance(parameter, Categorical):
        return None, subject
    found: list[str] = []
    broken: list[str] = []
    sound: list[Value] = []
    for choice in parameter.choices:
        verdict, words = _judge(subject.with_network(**{name: choice}))
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
    if sound and getattr(subject.recipe.network, name) not in sound:
        subject = subject.with_network(**{name: sound[0]})
    return check, subject


def _judge(subject: Subject) -> tuple[Verdict, str]:
    loss = first_loss(subject)
    if loss_verdict(loss, subject.n_classes) == "fail":
        return "fail", f"loss {loss:.3g}"
    verdict, fault = signal(layer_statistics(subject))
    return verdict, fault or f"loss {loss:.3g}"
