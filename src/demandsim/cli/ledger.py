"""``demandsim ledger``: forecasts that were issued, what came, and how they did."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import print_line, print_table
from demandsim.cli._table import Column
from demandsim.cli._words import scale_of, spoken
from demandsim.units.format import number

__all__ = ["ledger"]


def ledger(
    path: Annotated[
        Path | None, typer.Argument(help="A TOML file of [[forecast]] tables; the project's own by default.")
    ] = None,
    locale: option.Language = option.LocaleName.EN,
) -> None:
    """Print the forecasts that were issued, what came of them, their scores and their calibration."""
    from demandsim.forecasting import calibration
    from demandsim.forecasting import ledger as read

    found, words = read(path), spoken(locale)
    lines = []
    for place in range(found.sizes["forecast"]):
        here = found.isel(forecast=place)
        divisor, unit = scale_of(words)(here.unit.item(), float(here["quantile"].sel(level=0.5)))
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
                words.phrases[" to "].join((low, high)),
                number(came / divisor, 3) if known else words.say("open"),
                words.say("hit" if here.inside.item() else "miss") if known else "",
                number(float(here.score), 2) if known else "",
                unit,
            ]
        )
    columns: tuple[Column | str, ...] = (
        Column(words.say("study"), "name"), *map(words.say, ("issued", "target", "median")),
        words.say("interval", prob="90%"), words.say("came"), "90%", words.say("score"),
        Column(words.say("unit"), "unit"),
    )  # fmt: skip
    print_table(columns, lines)
    scored = found.dropna("forecast", subset=["outcome"])
    print_line()
    if not scored.sizes["forecast"]:
        print_line(words.say("nothing_came"))
        return
    for study in dict.fromkeys(scored.study.values.tolist()):
        own = scored.isel(forecast=scored.study.values == study)
        held = calibration(own.grade, probs=(0.9,)).isel(interval=0)
        counts = {"inside": int(own.inside.sum()), "total": own.sizes["forecast"]}
        covered = {"low": f"{float(held.lower):.0%}", "high": f"{float(held.upper):.0%}"}
        print_line(words.say("held", study=study, **counts, **covered, score=f"{float(own.score.mean()):.2f}"))
    print_line(words.say("scores_are"))
    print_line(words.say("still_open", count=found.sizes["forecast"] - scored.sizes["forecast"]))
