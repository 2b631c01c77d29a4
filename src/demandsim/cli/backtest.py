"""``demandsim backtest``: a study taken back to each day on which a figure came out, and held against that figure."""

from __future__ import annotations

from typing import Annotated

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import busy, print_line, print_table, print_title
from demandsim.cli._table import Column
from demandsim.cli._words import scale_of, spoken
from demandsim.units.format import number

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
    locale: option.Language = option.LocaleName.EN,
) -> None:
    """Refit a study at each day on which evidence of it came out, and hold it against what came."""
    from demandsim.forecasting import backtest as backtest_of
    from demandsim.forecasting import calibration
    from demandsim.studies import load_study

    model, words = load_study(study), spoken(locale)
    with busy(words.say("refitting")):
        found = backtest_of({"study": model}, cutoffs=cutoff, least=least, draws=draws, chains=chains, seed=seed)
    print_title(model, words)
    lines = []
    rows = found.isel(model=0).stack(forecast=("series", "cutoff", "horizon")).dropna("forecast", subset=["pit"])
    for place in range(rows.sizes["forecast"]):
        here = rows.isel(forecast=place)
        divisor, unit = scale_of(words)(str(here.unit.item()), float(here["median"]))
        low, middle, high, came = (
            number(float(here[key]) / divisor, 3) for key in ("lower", "median", "upper", "outcome")
        )
        lines.append(
            [
                str(here.cutoff.values)[:10], str(here.date.values)[:7], str(int(here.known)), middle,
                f"{low}{words.phrases[' to ']}{high}", came, f"{float(here.pit):.2f}", number(float(here.crps), 2),
                unit,
            ]
        )  # fmt: skip
    columns: tuple[Column | str, ...] = (
        Column(words.say("as_of"), "key"), *map(words.say, ("figure_of", "known", "median")),
        words.say("interval", prob="90%"), words.say("came"), words.say("grade"), "CRPS",
        Column(words.say("unit"), "unit"),
    )  # fmt: skip
    print_table(columns, lines)
    held, count, mean = calibration(rows.pit), rows.sizes["forecast"], float(rows.crps.mean())
    probs = held.interval.values.tolist()
    shares = {p: f"{float(held.coverage.sel(interval=p)):.0%}" for p in probs}
    print_line()
    print_line(words.say("forecasts", count=count, mean=f"{mean:.3f}"))
    print_line(
        words.say("comma").join(words.say("inside", share=share, prob=f"{p:.0%}") for p, share in shares.items())
    )
    print_line(words.say("chains_of", chains=chains, draws=draws, seed=found.attrs["seed"]))
