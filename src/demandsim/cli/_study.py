"""Loading: a study as the command line asks for it, with --set and --scenario applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from demandsim.cli._output import say
from demandsim.errors import DemandsimError, check_known

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["loaded"]


def loaded(study: str, sets: Sequence[str] = (), scenarios: Sequence[str] = ()) -> Model:
    """Load a study and apply the settings of the command line; a bad one is named."""
    from demandsim.distributions.grammar import parse_distribution
    from demandsim.studies import load_study

    if study.lower().endswith(".xlsx"):
        from demandsim.workbook import read_workbook

        model = read_workbook(study)
    else:
        model = load_study(study)
    changes: dict[str, Any] = {}
    for item in sets:
        target, equals, value = item.partition("=")
        name, at, label = (part.strip() for part in target.partition("@"))
        if not equals or not value.strip() or (at and not label):
            raise typer.BadParameter(
                f"'{item}' is not NAME=VALUE, such as utilization=0.3, or NAME@SCENARIO=VALUE", param_hint="--set"
            )
        check_known([name], model.assumptions, "assumption")
        try:
            made = parse_distribution(value.strip(), model.program.layout.coords)
        except DemandsimError as error:
            raise type(error)(f"--set {target.strip()}: {error}") from None
        if at:
            model = model.with_scenarios(**model.scenarios.changed(name, label, made))
        else:
            changes[name] = made
    if changes:
        model = model.assume(**changes)
        for name in changes:
            if (dim := model.scenarios.dim_of(name)) is not None:
                say(f"note: scenarios of '{dim}' that set '{name}' themselves are not changed by --set {name}")
    if scenarios:
        chosen: dict[str, str] = {}
        for item in scenarios:
            dim, equals, label = item.partition("=")
            only = next(iter(model.scenarios.dims), "scenario")
            chosen |= {dim: label} if equals else {only: item}
        model = model.select(**chosen)
    return model
