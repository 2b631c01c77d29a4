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
    draws: Annotated[int, typer.Option(help="Draws per chain, a power of two.")] = 512,
    chains: option.Chains = 8,
    seed: option.Seed = None,
) -> None:
    """Refit a study at each day on which evidence of it came out, and hold it against what came."""
    from demandsim.forecasting import calibration
    from demandsim.forecasting.study import study_backtest
    from demandsim.studies import load_study

    model = load_study(study)
    with busy("refitting"):
        found = study_backtest(model, least=least, draws=draws, chains=chains, seed=seed)
    print_title(model, words_of("en", "terminal"))
    lines = []
    for place in range(found.sizes["forecast"]):
        here = found.isel(forecast=place)
        divisor, unit = readable(str(found.outcome.attrs["units"]), float(here["median"]))
        low, middle, high, came = (
            number(float(here[key]) / divisor, 3) for key in ("lower", "median", "upper", "outcome")
        )
        lines.append(
            [
                here.announced.item(), here.label.item(), str(int(here.known)), middle, f"{low} to {high}", came,
                f"{float(here.pit):.2f}", number(float(here.crps), 2), unit,
            ]
        )  # fmt: skip
    columns = (
        Column("announced", "key"), "of", "known", "median", "90% interval", "came", "grade", "CRPS",
        Column("unit", "unit"),
    )  # fmt: skip
    print_table(columns, lines)
    held, count, mean = calibration(found.pit), found.sizes["forecast"], float(found.crps.mean())
    shares = [f"{float(held.coverage.sel(interval=p)):.0%} inside {p:.0%}" for p in held.interval.values.tolist()]
    print_line()
    print_line(f"{count} figure{'s' if count > 1 else ''}, one step ahead: mean CRPS of logarithms {mean:.3f}")
    print_line(", ".join(shares))
    print_line(f"{chains} chains of {draws} draws, seed {found.attrs['seed']}")
