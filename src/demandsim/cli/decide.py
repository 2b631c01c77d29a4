"""``demandsim decide``: what to do, what it risks, and what is worth knowing before."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from demandsim._system import written_whole
from demandsim.cli._decision import Chosen, chosen, priced, spaced
from demandsim.cli._observing import EventOption, ObserveOption, again, observing
from demandsim.cli._options import (
    ChainsOption,
    Format,
    FormatOption,
    LocaleName,
    LocaleOption,
    ProbOption,
    ScenarioOption,
    SeedOption,
    SetOption,
    StudyArgument,
)
from demandsim.cli._output import busy, check_folder, finite_or_null, replay, say, writing
from demandsim.cli._study import loaded
from demandsim.cli._weighing import print_decision
from demandsim.statistics.table import csv_text, places

if TYPE_CHECKING:
    import xarray as xr


__all__ = ["decide"]


def decide(
    study: StudyArgument,
    price: Annotated[bool, typer.Option("--price", help="Set a price of tokens, instead of ordering cards.")] = False,
    actions: Annotated[
        str | None, typer.Option(metavar="LOW:HIGH:COUNT", help="Cards, or prices in CNY/Mtoken, to choose from.")
    ] = None,
    demand: Annotated[str, typer.Option(help="Quantity: cards that demand asks for.")] = "cards",
    unit_cost: Annotated[str, typer.Option(help="Quantity or CNY/card: price of a card.")] = "card_price",
    value: Annotated[
        str | None,
        typer.Option(help="Quantity or CNY/card: what a card at work earns; its share of revenue over its life."),
    ] = None,
    salvage: Annotated[
        str, typer.Option(help="Quantity, CNY/card, or such as 20% of the price: of an idle card.")
    ] = "0",
    lost_margin: Annotated[
        str, typer.Option(help="Quantity or CNY/card: further loss per card that is missing.")
    ] = "0",
    elasticity: Annotated[
        str, typer.Option(help="Quantity or number, with --price: percent of paid tokens lost per percent of price.")
    ] = "1.5",
    tail: Annotated[float, typer.Option(help="Share of the worst draws whose mean payoff is the risk.")] = 0.1,
    observe: ObserveOption = [],  # noqa: B006  typer reads the default and never changes it
    event: EventOption = [],  # noqa: B006
    draws: Annotated[int, typer.Option(help="Draws per chain, a power of two.")] = 2048,
    chains: ChainsOption = 8,
    seed: SeedOption = None,
    prob: ProbOption = 0.9,
    set_: SetOption = [],  # noqa: B006
    scenario: ScenarioOption = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="Folder for tables and pictures.")] = Path("out"),
    format_: FormatOption = Format.TABLE,
    locale: LocaleOption = LocaleName.EN,
) -> None:
    """Decide how many cards to order: print what each order pays and risks, and what is worth knowing before."""
    from demandsim import decisions, sensitivity
    from demandsim.plots.words import locale_of
    from demandsim.statistics.estimators import check_prob

    check_prob(prob)
    locale_of(locale.value)
    asked = spaced(actions) if actions is not None else None
    model = observing(loaded(study, set_, scenario), observe, event)
    name = model.notes.name or Path(study).stem
    made = (
        priced(model, name, elasticity)
        if price
        else chosen(model, name, demand, unit_cost, value, salvage, lost_margin)
    )
    folder = out / name / "decision"
    check_folder(folder)
    with busy("drawing"):
        found = (
            model.infer(draws, chains=chains, seed=seed)
            if model.evidence
            else model.simulate(draws, chains=chains, seed=seed)
        )
    options = made.actions(found, asked)
    with busy("weighing actions"):
        paid = decisions.evaluate(found, options, made.payoff, prob=prob, tail=tail)
        worth = decisions.value_of_information(found, options, made.payoff)
        shares = sensitivity.given_data(found, made.index, seed=int(found.attrs["seed"]), prob=prob)
        # Estimates of a share that is nothing scatter around 0.
        shares = shares.assign(first_order=shares.first_order.clip(min=0, keep_attrs=True))
    records = _paid_records(paid) + _worth_records(worth, shares, made)
    with busy("writing tables and pictures"):
        written = _write(paid, worth, shares, records, made, folder, locale)
    if format_ is Format.JSON:
        attrs = {k: v for k, v in paid.attrs.items() if isinstance(v, (str, int, float))}
        sys.stdout.write(
            json.dumps({**attrs, "decision": made.title, "rows": finite_or_null(records)}, indent=2, allow_nan=False)
        )
    elif format_ is Format.CSV:
        sys.stdout.write(csv_text(records))
    else:
        print_decision(model, found, paid, records, made, prob, tail)
    say(f"written: {', '.join(str(path) for path in written)}")
    extra = ["--price"] if price else []
    extra += ["--actions", actions] if actions is not None else []
    for option, given, default in (
        ("--demand", demand, "cards"),
        ("--unit-cost", unit_cost, "card_price"),
        ("--value", value, None),
        ("--salvage", salvage, "0"),
        ("--lost-margin", lost_margin, "0"),
        ("--elasticity", elasticity, "1.5"),
        ("--tail", f"{tail:g}", "0.1"),
    ):
        extra += [option, given] if given is not None and given != default else []
    words = replay("decide", study, found.attrs, "sobol", prob, set_, scenario)
    say(f"replay:  {again(words, observe, event, extra)}")


_PAID = ("mean", "mcse_mean", "median", "lower", "upper", "cvar", "regret", "probability_best")


def _paid_records(paid: xr.Dataset) -> list[dict[str, Any]]:
    """One record per label and action."""
    dim = str(paid.attrs["action"])
    dims = [str(d) for d in paid["mean"].dims if d != dim]
    records = []
    for place in places(paid, dims):
        for action in paid[dim].values:
            here = paid.sel({**place, dim: action})
            records.append(
                {"row": "action", **place, dim: float(action), "unit": here["mean"].attrs["units"]}
                | {key: float(here[key]) for key in _PAID}
            )
    return records


def _worth_records(worth: xr.Dataset, shares: xr.Dataset, made: Chosen) -> list[dict[str, Any]]:
    """One record per label and assumption that is worth anything or explains anything."""
    import numpy as np

    dims = [str(d) for d in worth.evpi.dims]
    records = []
    for place in places(worth, dims):
        here = worth.sel(place)
        unit = str(worth.evpi.attrs["units"])
        records.append(
            {"row": "everything", **place, "unit": unit, "worth": float(here.evpi), "mcse_worth": float(here.mcse_evpi)}
        )
        for name in here.assumption.values[np.argsort(-here.evppi.values, kind="stable")]:
            own = here.sel(assumption=name)
            record = {"row": "assumption", **place, "assumption": str(name), "unit": unit}
            record |= {"worth": float(own.evppi), "mcse_worth": float(own.mcse_evppi)}
            if name in shares.assumption.values:
                index = shares.first_order.sel(quantity=made.index, assumption=name)
                index = index.sel({d: v for d, v in place.items() if d in index.dims})
                record["share_of_variance"] = float(index) if index.ndim == 0 else math.nan
            if record["worth"] > 0 or math.isfinite(record.get("share_of_variance", math.nan)):
                records.append(record)
    return records


def _write(
    paid: xr.Dataset,
    worth: xr.Dataset,
    shares: xr.Dataset,
    records: Sequence[Mapping[str, Any]],
    made: Chosen,
    folder: Path,
    locale: LocaleName,
) -> list[Path]:
    from demandsim import plots

    dim = str(paid.attrs["action"])
    # An order of nothing has no place on a logarithmic axis; it stays where it is the best.
    drawn = paid.sel({dim: paid[dim] > 0}) if bool((paid.best > 0).all()) else paid
    files = [folder / "decision.csv", folder / "payoffs.png", folder / "information.png"]
    with writing(folder):
        with written_whole(files[0]) as unfinished:
            unfinished.write_text(csv_text(records), encoding="utf-8")
        plots.save(plots.payoffs(drawn, locale=locale.value), files[1])
        plots.save(plots.information(worth, shares, of=made.index, locale=locale.value), files[2])
    return files
