"""``demandsim list``, ``show`` and ``explain``: what there is, and where its numbers come from."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import print_line, print_table
from demandsim.cli._study import loaded
from demandsim.cli._table import Column
from demandsim.units.format import number

__all__ = ["explain", "list_", "show"]


def list_() -> None:
    """List the studies that ship with demandsim."""
    from demandsim.studies import list_studies, load_study

    models = {name: load_study(name) for name in list_studies()}
    lines = [[name, m.notes.title, str(len(m.assumptions)), str(len(m.equations))] for name, m in models.items()]
    print_table((Column("study", "name"), Column("title", "text"), "assumptions", "equations"), lines)


def _numbers(point: Any) -> str:
    """Write a point: a number, or those of an indexed assumption in brackets."""
    import numpy as np

    values = np.asarray(point, dtype=np.float64)
    if values.ndim == 0:
        return number(float(values))
    return "[" + ", ".join(_numbers(part) for part in values) + "]"


def show(study: option.Study) -> None:
    """Show a study: assumptions with units, distributions and sources, scenarios, errata."""
    model = loaded(study)
    notes = model.notes
    for line in (notes.title or notes.name, notes.source):
        if line:
            print_line(line)
    for name, assumption in model.assumptions.items():
        point = _numbers(assumption.point)
        unit = "" if assumption.unit == "1" else f" {assumption.unit}"
        print_line(f"\n{name}: {assumption.distribution}{unit}")
        possible = f"; can be {assumption.bounds}{unit}" if assumption.bounds else ""
        print_line(f"  {assumption.long_name or name}; point {point}{unit}{possible}")
        if assumption.source:
            print_line(f"  source: {assumption.source}")
    for pair, rho in model.correlations.items():
        why = notes.reasons.get(tuple(sorted(pair)))
        print_line(f"\nrank correlation of {' and '.join(pair)}: {rho:g}" + (f"; {why}" if why else ""))
    for (one, other, dim), rank in model.label_correlations.items():
        of = one if one == other else f"{one} and {other}"
        print_line(f"\nrank correlation of the labels of {of} along {dim}: {rank}")
    for dim, labels in model.scenarios.grid.items():
        for label, overrides in labels.items():
            sets = "; ".join(f"{name} = {made.distribution}" for name, made in overrides.items())
            print_line(f"\n{dim} {label}: {sets or 'as above'}")
    print_line("\nequations")
    for made in model.equations.values():
        unit = "" if made.unit == "1" else f"  [{made.unit}]"
        print_line(f"  {made.name} = {made.formula}{unit}" + (f"  ({made.bounds})" if made.bounds else ""))
    if notes.notes:
        print_line("\nnotes and errata")
    for note in notes.notes:
        print_line(f"  - {note}")


def explain(
    study: option.Study,
    quantity: Annotated[str, typer.Argument(help="Assumption or computed quantity.")],
    set_: option.Set = [],  # noqa: B006
    scenario: option.Scenario = [],  # noqa: B006
    all_: Annotated[
        bool, typer.Option("--all", help="Work out every label, such as every year, and not the first three.")
    ] = False,
) -> None:
    """Trace a quantity back to its assumptions: formulas, numbers, units, sources."""
    model = loaded(study, set_, scenario)
    print_line(str(model.explain(quantity, "all" if all_ else 3)))
