"""``demandsim ledger``: forecasts that were issued, what came, and how they did."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from demandsim.cli._output import print_line, print_table
from demandsim.cli._table import Column
from demandsim.units.format import number, readable

__all__ = ["ledger"]


def ledger(
    path: Annotated[
        Path | None, typer.Argument(help="A TOML file of [[forecast]] tables; the project's own by default.")
    ] = None,
) -> None:
    """Print the forecasts that were issued, what came of them, their scores and their calibration."""
    from demandsim.forecasting import calibration
    from demandsim.forecasting import ledger as read

    found = read(path)
    lines = []
    for place in range(found.sizes["forecast"]):
        here = found.isel(forecast=place)
        divisor, unit = readable(here.unit.item(), float(here["quantile"].sel(level=0.5)))
        low, middle, high = (
            number(float(here["quantile"].sel(level=level)) / divisor, 3) for level in (0.05, 0.5, 0.95)
        )
        came = float(here.outcome)
        known = math.isfinite(came)
        lines.append(
            [
                here.study.item(),
                here.issued.item(),
                here.target.item(),
                middle,
                f"{low} to {high}",
                number(came / divisor, 3) if known else "open",
                ("hit" if here.inside.item() else "miss") if known else "",
                number(float(here.score), 2) if known else "",
                unit,
            ]
        )
    columns = (
        Column("study", "name"), "issued", "target", "median", "90% interval", "came", "90%", "score",
        Column("unit", "unit"),
    )  # fmt: skip
    print_table(columns, lines)
    scored = found.dropna("forecast", subset=["outcome"])
    print_line()
    if not scored.sizes["forecast"]:
        print_line("nothing that these forecasts are about has come yet")
        return
    for study in dict.fromkeys(scored.study.values.tolist()):
        own = scored.isel(forecast=scored.study.values == study)
        held = calibration(own.grade, probs=(0.9,)).isel(interval=0)
        print_line(
            f"{study}: {int(own.inside.sum())} of {own.sizes['forecast']} inside 90%, true coverage "
            f"{float(held.lower):.0%} to {float(held.upper):.0%}, mean score {float(own.score.mean()):.2f}"
        )
    print_line("scores are of logarithms: near to the CRPS, the lower the better")
    print_line(f"{found.sizes['forecast'] - scored.sizes['forecast']} open")
