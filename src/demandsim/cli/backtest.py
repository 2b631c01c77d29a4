"""``demandsim backtest``: a study taken back to each day on which a figure came out, and held against that figure."""

from __future__ import annotations

from typing import Annotated

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import busy, print_line, print_table, print_title
from demandsim.cli._table import Column
from demandsim.locale.words import words_of
from demandsim.units.format import number, readable

__all__ = ["backtest"]


def backtest(
    study: option.Study,
    least: Annotated[int, typer.Option(help="Pieces of evidence that must be known.")] = 3,
    cutoff: Annotated[
        list[str] | None, typer.Option(help="A day to go back to, as 2025-12-31; every day with news by default.")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Draws per chain, a power of two.")] = 512,
    chains: option.Chains = 8,
    seed: option.Seed = None,
) -> None:
    """Refit a study at each day on which evidence of it came out, and hold it against what came."""
    from demandsim.forecasting import backtest as backtest_of
    from demandsim.forecasting import calibration
    from demandsim.studies import load_study

    model = load_study(study)
    with busy("refitting"):
        found = backtest_of({"study": model}, cutoffs=cutoff, least=least, draws=draws, chains=chains, seed=seed)
    print_title(model, words_of("en", "terminal"))
    lines = []
    rows = found.isel(model=0).stack(forecast=("series", "cutoff", "horizon")).dropna("forecast", subset=["pit"])
    for place in range(rows.sizes["forecast"]):
        here = rows.isel(forecast=place)
        divisor, unit = readable(str(here.unit.item()), float(here["median"]))
        low, middle, high, came = (
            number(float(here[key]) / divisor, 3) for key in ("lower", "median", "upper", "outcome")
        )
        lines.append(
            [
                str(here.cutoff.values)[:10], str(here.date.values)[:7], str(int(here.known)), middle,
                f"{low} to {high}", came, f"{float(here.pit):.2f}", number(float(here.crps), 2), unit,
            ]
        )  # fmt: skip
    columns = (
        Column("as of", "key"), "figure of", "known", "median", "90% interval", "came", "grade", "CRPS",
        Column("unit", "unit"),
    )  # fmt: skip
    print_table(columns, lines)
    held, count, mean = calibration(rows.pit), rows.sizes["forecast"], float(rows.crps.mean())
    shares = [f"{float(held.coverage.sel(interval=p)):.0%} inside {p:.0%}" for p in held.interval.values.tolist()]
    print_line()
    print_line(f"{count} forecast{'s' if count > 1 else ''}: mean CRPS of logarithms {mean:.3f}")
    print_line(", ".join(shares))
    print_line(f"{chains} chains of {draws} draws, seed {found.attrs['seed']}")
