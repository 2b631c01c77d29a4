"""Loading: a study as the command line asks for it, with --set and --scenario applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from demandsim.cli.terminal import say
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
        name, equals, value = item.partition("=")
        name = name.strip()
        if not equals or not value.strip():
            raise typer.BadParameter(f"'{item}' is not NAME=VALUE, such as utilization=0.3", param_hint="--set")
        check_known([name], model.assumptions, "assumption")
        try:
            changes[name] = parse_distribution(value.strip(), model.program.layout.coords)
        except DemandsimError as error:
            raise type(error)(f"--set {name}: {error}") from None
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
