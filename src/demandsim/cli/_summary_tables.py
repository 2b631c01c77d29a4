"""Summary tables: what ``demandsim run`` prints, a line a quantity, or a column a year."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from demandsim.cli._output import open_console, print_table
from demandsim.statistics.table import Row, places
from demandsim.units.format import number, readable

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["TIME", "print_summary"]

#: Dims that run across a table rather than down.
TIME = ("year", "date")
#: Columns that fit beside each other.
_WIDEST = 8


def print_summary(
    model: Model,
    data: xr.Dataset,
    table: Sequence[Row],
    covers: xr.Dataset | None,
    verdicts: Sequence[str],
    prob: float,
) -> None:
    """Print the summary of a run: tables by scenario, the chance of covering the cost, and cross-checks."""
    console = open_console()
    title = model.notes.title or model.notes.name or "model"
    console.print(f"{title}", style="bold", markup=False)
    total = data.sizes["chain"] * data.sizes["draw"]
    console.print(
        f"{total:,} draws in {data.sizes['chain']} chains, design {data.attrs['design']}, seed {data.attrs['seed']}",
        markup=False,
    )
    plain, timed, others = _sorted(model, table)
    # What the study prints as published is so called; elsewhere a point is the study's own.
    point = "published" if len(model.notes.published) > len(model.equations) / 2 else "point"
    _print_plain(plain, point, prob)
    _print_timed(timed, prob)
    if others:
        console.print()
        names = ", ".join(dict.fromkeys(row.quantity for row in others))
        console.print(f"by further labels, in summary.csv: {names}", markup=False, soft_wrap=True)
    if covers is not None:
        console.print()
        console.print("Probability that the API business covers its compute cost:", markup=False)
        for text in _chances(covers):
            console.print(f"  {text}", markup=False)
    if verdicts:
        console.print()
        console.print("Held against published limits:", markup=False)
        for verdict in verdicts:
            console.print(f"  {verdict}", markup=False)


def _sorted(model: Model, table: Sequence[Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """Rows without further labels, those over time, and those over anything else."""
    plain: list[Row] = []
    timed: list[Row] = []
    others: list[Row] = []
    scenarios = set(model.scenarios.dims)
    for row in table:
        further = set(row.labels) - scenarios
        (plain if not further else timed if further <= set(TIME) else others).append(row)
    return plain, timed, others


def _by_scenario(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Rows of each scenario; those that are the same in every scenario come first, once."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        label = ", ".join(str(value) for dim, value in row.labels.items() if dim not in TIME)
        groups.setdefault(label, []).append(row)
    return sorted(groups.items(), key=lambda item: item[0] != "")


def _print_plain(rows: Sequence[Row], point: str, prob: float) -> None:
    tail = 100 * (1 - prob) / 2
    heads = (point, "mean", f"P{tail:g}", "P50", f"P{100 - tail:g}", "MCSE of mean", "unit")
    console = open_console()
    for label, members in _by_scenario(rows):
        console.print()
        grid = Table(title=None)
        grid.add_column(label or "in every scenario", no_wrap=True, style="bold" if console.is_terminal else "")
        for head in heads:
            grid.add_column(head, justify="left" if head == "unit" else "right", no_wrap=True)
        for row in members:
            s = row.statistics
            cells = [row.shown(v) for v in (row.point, s["mean"], s["lower"], s["median"], s["upper"])]
            grid.add_row(row.quantity, *cells, row.shown(s["mcse_mean"], 2), row.readable_unit)
        print_table(grid)


def _print_timed(rows: Sequence[Row], prob: float) -> None:
    """A line a quantity and a column a year: the median, and the interval in brackets."""
    results = [row for row in rows if row.role == "derived"]
    if not results:
        return
    console = open_console()
    times = list(dict.fromkeys(str(row.labels[dim]) for row in results for dim in TIME if dim in row.labels))
    step = -(-len(times) // _WIDEST)
    shown = times[::-step][::-1]
    for label, members in _by_scenario(results):
        console.print()
        grid = Table(title=None)
        grid.add_column(label or "in every scenario", no_wrap=True, style="bold" if console.is_terminal else "")
        for time in shown:
            grid.add_column(time, justify="right", no_wrap=True)
        grid.add_column("unit", no_wrap=True)
        for name in dict.fromkeys(row.quantity for row in members):
            cells = {
                str(row.labels[d]): row for row in members if row.quantity == name for d in TIME if d in row.labels
            }
            sizes = [abs(cells[time].statistics["median"]) for time in shown if time in cells]
            divisor, unit = readable(next(iter(cells.values())).unit, max(sizes))
            grid.add_row(name, *(_cell(cells.get(time), divisor) for time in shown), unit)
        print_table(grid)
    console.print(f"medians, and central {prob:.0%} intervals in brackets", markup=False)


def _cell(row: Row | None, divisor: float) -> str:
    if row is None:
        return ""
    middle, low, high = (number(row.statistics[k] / divisor, 3) for k in ("median", "lower", "upper"))
    return middle if low == middle == high else f"{middle} ({low}, {high})"


def _chances(covers: xr.Dataset) -> Iterator[str]:
    """The probability of each scenario; over time, of all years in one line."""
    time = next((dim for dim in TIME if dim in covers.dims), None)
    for place in places(covers, [str(dim) for dim in covers.probability.dims if dim != time]):
        here = covers.sel(place)
        label = ", ".join(str(value) for value in place.values())
        head = f"{label}: " if label else ""
        if time is None:
            yield f"{head}{float(here.probability):.1%} (MCSE {100 * float(here.mcse):.2g} points)"
            continue
        parts = [f"{t} {float(here.probability.sel({time: t})):.1%}" for t in here[time].values]
        yield f"{head}{', '.join(parts)} (MCSE at most {100 * float(here.mcse.max()):.2g} points)"
