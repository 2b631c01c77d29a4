"""Reading order: the equations as a model lists them, each after those that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demandsim.graph.graph import Equation

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["in_order", "valued_names"]


def valued_names(model: Model) -> set[str]:
    """Names that have a value of their own, so that no constant stands in for them."""
    return {*model.assumptions, *model.equations}


def in_order(model: Model) -> list[Equation]:
    """Equations as the model lists them, each after its inputs."""
    found: dict[str, Equation] = {}

    def visit(name: str) -> None:
        # No recursion deeper than the model is: it has been ordered before.
        if name in model.equations and name not in found:
            for wanted in model.equations[name].inputs:
                visit(wanted)
            found[name] = model.equations[name]

    for name in model.graph.order if len(model.equations) > 500 else model.equations:
        visit(name)
    return list(found.values())
