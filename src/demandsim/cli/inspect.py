"""``demandsim list``, ``show`` and ``explain``: what there is, and where its numbers come from."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from demandsim.cli._options import ScenarioOption, SetOption, StudyArgument
from demandsim.cli._output import open_console, print_table
from demandsim.cli._study import loaded
from demandsim.units.format import number

__all__ = ["explain", "list_", "show"]


def list_() -> None:
    """List the studies that ship with demandsim."""
    from demandsim.studies import list_studies, load_study

    grid = Table("study", "title", "assumptions", "equations")
    for name in list_studies():
        model = load_study(name)
        grid.add_row(name, model.notes.title, str(len(model.assumptions)), str(len(model.equations)))
    print_table(grid)


def _numbers(point: Any) -> str:
    """Write a point: a number, or those of an indexed assumption in brackets."""
    import numpy as np

    values = np.asarray(point, dtype=np.float64)
    if values.ndim == 0:
        return number(float(values))
    return "[" + ", ".join(_numbers(part) for part in values) + "]"


def show(study: StudyArgument) -> None:
    """Show a study: assumptions with units, distributions and sources, scenarios, errata."""
    model = loaded(study)
    notes, console = model.notes, open_console()
    for line in (notes.title or notes.name, notes.source):
        if line:
            console.print(line, markup=False)
    for name, assumption in model.assumptions.items():
        point = _numbers(assumption.point)
        unit = "" if assumption.unit == "1" else f" {assumption.unit}"
        console.print(f"\n{name}: {assumption.distribution}{unit}", markup=False, soft_wrap=True)
        console.print(f"  {assumption.long_name or name}; point {point}{unit}", markup=False, soft_wrap=True)
        if assumption.source:
            console.print(f"  source: {assumption.source}", markup=False, soft_wrap=True)
    for pair, rho in model.correlations.items():
        why = notes.reasons.get(tuple(sorted(pair)))
        console.print(
            f"\nrank correlation of {' and '.join(pair)}: {rho:g}" + (f"; {why}" if why else ""), markup=False
        )
    for dim, labels in model.scenarios.grid.items():
        for label, overrides in labels.items():
            sets = "; ".join(f"{name} = {made.distribution}" for name, made in overrides.items())
            console.print(f"\n{dim} {label}: {sets or 'as above'}", markup=False, soft_wrap=True)
    console.print("\nequations", markup=False)
    for made in model.equations.values():
        unit = "" if made.unit == "1" else f"  [{made.unit}]"
        console.print(f"  {made.name} = {made.formula}{unit}", markup=False, soft_wrap=True)
    if notes.notes:
        console.print("\nnotes and errata", markup=False)
    for note in notes.notes:
        console.print(f"  - {note}", markup=False, soft_wrap=True)


def explain(
    study: StudyArgument,
    quantity: Annotated[str, typer.Argument(help="Assumption or computed quantity.")],
    set_: SetOption = [],  # noqa: B006
    scenario: ScenarioOption = [],  # noqa: B006
) -> None:
    """Trace a quantity back to its assumptions: formulas, numbers, units, sources."""
    model = loaded(study, set_, scenario)
    open_console().print(str(model.explain(quantity)), markup=False, soft_wrap=True)
