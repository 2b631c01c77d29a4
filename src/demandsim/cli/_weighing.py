"""Weighing: what each action pays and each assumption is worth, as printed tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from demandsim.cli._decision import Chosen
from demandsim.cli._output import open_console, print_table
from demandsim.statistics.table import places
from demandsim.units.format import number

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["print_decision"]

#: Actions in the printed table, at most; the files hold all.
_ROWS = 12


def print_decision(
    model: Model,
    found: xr.Dataset,
    paid: xr.Dataset,
    records: Sequence[dict[str, Any]],
    made: Chosen,
    prob: float,
    tail: float,
) -> None:
    """Print for every scenario which action is best, what others pay, and what knowledge is worth."""
    import numpy as np

    from demandsim.units.format import readable

    console, dim = open_console(), str(paid.attrs["action"])
    console.print(model.notes.title or model.notes.name or "model", style="bold", markup=False)
    total = found.sizes["chain"] * found.sizes["draw"]
    given = f"given {_pieces(len(model.evidence))}, " if model.evidence else ""
    console.print(f"{made.title}; {given}{total:,} draws, seed {found.attrs['seed']}", markup=False, soft_wrap=True)
    for note in made.notes:
        console.print(note, markup=False, soft_wrap=True)
    dims = [str(d) for d in paid.best.dims]
    for place in places(paid, dims):
        here = paid.sel(place)
        mine = [r for r in records if all(r.get(d) == v for d, v in place.items())]
        best, labels = here.best.item(), here[dim].values
        divisor, unit = readable(str(here["mean"].attrs["units"]), float(np.abs(here["mean"]).max()))
        lead = f"{number(here.lead.item() / divisor, 3)} ± {number(here.mcse_lead.item() / divisor, 2)}"
        told = "more than the next" if bool(here.resolved) else "more than the next, which the draws do not tell apart"
        at = here.sel({dim: best})
        console.print()
        where = f"{', '.join(map(str, place.values()))}: " if place else ""
        console.print(
            f"{where}best {number(best, 3)} {made.many}: expected "
            f"{number(at['mean'].item() / divisor, 3)} ± {number(at.mcse_mean.item() / divisor, 2)} {unit}, "
            f"{lead} {told}",
            markup=False,
            soft_wrap=True,
        )
        if best == 0:
            console.print("nothing that was tried pays more than to order nothing", markup=False)
        elif best in (labels[0], labels[-1]):
            end = "least" if best == labels[0] else "most"
            console.print(f"this is the {end} that was tried; --actions tries others", markup=False)
        grid = Table(title=None)
        grid.add_column(f"{dim}, {made.many}", justify="right", no_wrap=True)
        low = 100 * (1 - prob) / 2
        for head in (
            "expected",
            "MCSE",
            f"P{low:g}",
            f"P{100 - low:g}",
            f"worst {tail:.0%}",
            "regret",
            "best in hindsight",
        ):
            grid.add_column(head, justify="right", no_wrap=True)
        grid.add_column("unit", no_wrap=True)
        paying = [r for r in mine if r["row"] == "action"]
        for record in _thinned(paying, [r[dim] for r in paying].index(float(best))):
            cells = [record[k] / divisor for k in ("mean", "mcse_mean", "lower", "upper", "cvar", "regret")]
            shown = [number(v, 2 if k == 1 else 3) for k, v in enumerate(cells)]
            grid.add_row(number(record[dim], 3), *shown, f"{record['probability_best']:.0%}", unit)
        print_table(grid)
        _print_worth([r for r in mine if r["row"] != "action"], made)


def _pieces(count: int) -> str:
    return "1 piece of evidence" if count == 1 else f"{count} pieces of evidence"


def _thinned(records: Sequence[dict[str, Any]], best: int) -> list[dict[str, Any]]:
    """The first and the best action, and others evenly apart."""
    step = max(1, math.ceil(len(records) / _ROWS))
    return [record for place, record in enumerate(records) if (place - best) % step == 0 or not place]


def _print_worth(records: Sequence[dict[str, Any]], made: Chosen) -> None:
    from demandsim.units.format import readable

    everything, *own = records
    divisor, unit = readable(everything["unit"], everything["worth"])
    grid = Table(title=None)
    grid.add_column("known before", no_wrap=True)
    for head in ("worth", "MCSE"):
        grid.add_column(head, justify="right", no_wrap=True)
    grid.add_column("unit", no_wrap=True)
    grid.add_column(f"share of variance of {made.index}", justify="right", no_wrap=True)
    for record in [everything, *own]:
        share = record.get("share_of_variance", math.nan)
        grid.add_row(
            record.get("assumption", "everything (EVPI)"),
            number(record["worth"] / divisor, 3),
            number(record["mcse_worth"] / divisor, 2),
            unit,
            f"{share:.0%}" if math.isfinite(share) else "",
        )
    print_table(grid)
