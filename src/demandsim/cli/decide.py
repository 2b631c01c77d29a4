"""``demandsim decide``: what to do, what it risks, and what is worth knowing before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from demandsim.cli import _options as option
from demandsim.cli._decision import Decision, Terms, decision_on
from demandsim.cli._output import Folder, Results, busy, print_line, print_table, print_title
from demandsim.cli._study import NO_CELLS, Call, Cells, of_cells
from demandsim.cli._table import Column
from demandsim.cli._words import named, scale_of
from demandsim.statistics.ranking import ranked
from demandsim.statistics.table import places
from demandsim.units.format import number

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model
    from demandsim.plots.words import Locale

__all__ = ["decide"]

#: Actions in the printed table, at most; the files hold all.
_ROWS = 12
_PAID = ("mean", "mcse_mean", "median", "lower", "upper", "cvar", "regret", "probability_best")


@of_cells
def decide(
    study: option.Study,
    price: Annotated[
        bool, typer.Option("--price", help="Set a price of tokens, instead of ordering cards.")
    ] = Terms.price,
    actions: Annotated[
        str | None, typer.Option(metavar="LOW:HIGH:COUNT", help="Cards, or prices in CNY/Mtoken, to choose from.")
    ] = Terms.actions,
    demand: Annotated[str, typer.Option(help="Quantity: cards that demand asks for.")] = Terms.demand,
    unit_cost: Annotated[str, typer.Option(help="Quantity or CNY/card: price of a card.")] = Terms.unit_cost,
    value: Annotated[
        str | None,
        typer.Option(help="Quantity or CNY/card: what a card at work earns; its share of revenue over its life."),
    ] = Terms.value,
    salvage: Annotated[
        str, typer.Option(help="Quantity, CNY/card, or such as 20% of the price: of an idle card.")
    ] = Terms.salvage,
    lost_margin: Annotated[
        str, typer.Option(help="Quantity or CNY/card: further loss per card that is missing.")
    ] = Terms.lost_margin,
    elasticity: Annotated[
        str, typer.Option(help="Quantity or number, with --price: percent of paid tokens lost per percent of price.")
    ] = Terms.elasticity,
    tail: Annotated[float, typer.Option(help="Share of the worst draws whose mean payoff is the risk.")] = Terms.tail,
    observe: option.Observe = [],  # noqa: B006  typer reads the default and never changes it
    event: option.Event = [],  # noqa: B006
    draws: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Draws per chain, a power of two.")] = 2048,
    chains: option.Chains = 8,
    seed: option.Seed = None,
    prob: option.Prob = 0.9,
    set_: option.Set = [],  # noqa: B006
    cells: Cells = NO_CELLS,
    scenario: option.Scenario = [],  # noqa: B006
    out: option.Out = Path("out"),
    name: option.Name = None,
    format_: option.PrintAs = [],  # noqa: B006
    locale: option.Locale = option.LocaleName.EN,
) -> None:
    """Decide how many cards to order: print what each order pays and risks, and what is worth knowing before."""
    call = Call(
        "decide", study, chains, seed, prob, set_, scenario, out, format_, locale, observe, event, as_=name, cells=cells
    )
    terms = Terms(price, actions, demand, unit_cost, value, salvage, lost_margin, elasticity, tail)
    tried = terms.tried
    model, words = call.model(), call.words
    decision = decision_on(model, call.name(model), terms, words)
    folder = call.folder(model, "decision")
    with busy(words.say("simulating")):
        made = model.infer if model.evidence else model.simulate
        found = decision.stated(made(draws, chains=chains, seed=seed))
    options = decision.actions(found, tried)
    with busy(words.say("weighing")):
        weighed = _weighed(found, options, decision, prob, tail)
    results = Results(weighed.records, weighed.paid.attrs, more={"decision": decision.title})
    with busy(words.say("writing_files")):
        folder.add_text("decision.csv", results.csv)
        _add_pictures(folder, weighed, call.pictured)

    def printed() -> None:
        _print_head(model, found, decision, words)
        for place in places(weighed.paid, [str(dim) for dim in weighed.paid.best.dims]):
            _print_place(weighed, place, lambda actions: _against(found, actions, weighed), words)

    results.print(call.printed, printed, folder.written, call.replay_of(found, more=terms.words), words)


@dataclass(frozen=True)
class Weighed:
    """What a decision comes to.

    Parameters
    ----------
    decision : Decision
    paid : Dataset
        Of `decisions.evaluate`.
    worth : Dataset
        Of `decisions.value_of_information`.
    shares : Dataset
        Of `sensitivity.given_data`, on the quantity that the decision hangs on.
    """

    decision: Decision
    paid: xr.Dataset
    worth: xr.Dataset
    shares: xr.Dataset

    @property
    def dim(self) -> str:
        """Dim of the actions."""
        return str(self.paid.attrs["action"])

    @property
    def records(self) -> list[dict[str, Any]]:
        """What each action pays, then what it is worth to know each assumption, at every label."""
        return _paid_records(self.paid, self.dim) + _worth_records(self.worth, self.shares, self.decision)


def _weighed(found: xr.Dataset, options: xr.DataArray, decision: Decision, prob: float, tail: float) -> Weighed:
    from demandsim import decisions, sensitivity

    paid = decisions.evaluate(found, options, decision.payoff, prob=prob, tail=tail)
    worth = decisions.value_of_information(found, options, decision.payoff)
    shares = sensitivity.given_data(found, decision.index, seed=int(found.attrs["seed"]), prob=prob)
    # Estimates of a share that is nothing scatter around 0.
    shares = shares.assign(first_order=shares.first_order.clip(min=0, keep_attrs=True))
    return Weighed(decision, paid, worth, shares)


def _against(found: xr.Dataset, actions: Sequence[float], weighed: Weighed) -> xr.Dataset:
    """What the actions of the printed table pay, so that the best of them leads the next that is printed."""
    from demandsim import decisions

    tried = weighed.decision.actions(found, list(actions))
    told = weighed.paid.attrs
    return decisions.evaluate(found, tried, weighed.decision.payoff, prob=told["prob"], tail=told["tail"])


def _paid_records(paid: xr.Dataset, dim: str) -> list[dict[str, Any]]:
    """One record per label and action."""
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


def _worth_records(worth: xr.Dataset, shares: xr.Dataset, decision: Decision) -> list[dict[str, Any]]:
    """One record per label and assumption that is worth anything or explains anything."""
    dims = [str(d) for d in worth.evpi.dims]
    records = []
    for place in places(worth, dims):
        here = worth.sel(place)
        unit = str(worth.evpi.attrs["units"])
        records.append(
            {"row": "everything", **place, "unit": unit, "worth": float(here.evpi), "mcse_worth": float(here.mcse_evpi)}
        )
        for name in here.assumption.values[ranked(here.evppi, here.assumption.values)]:
            own = here.sel(assumption=name)
            record = {"row": "assumption", **place, "assumption": str(name), "unit": unit}
            record |= {"worth": float(own.evppi), "mcse_worth": float(own.mcse_evppi)}
            if name in shares.assumption.values:
                index = shares.first_order.sel(quantity=decision.index, assumption=name)
                index = index.sel({d: v for d, v in place.items() if d in index.dims})
                record["share_of_variance"] = float(index) if index.ndim == 0 else math.nan
            if record["worth"] > 0 or math.isfinite(record.get("share_of_variance", math.nan)):
                records.append(record)
    return records


def _add_pictures(folder: Folder, weighed: Weighed, locale: str) -> None:
    from demandsim import plots

    paid, dim = weighed.paid, weighed.dim
    # An order of nothing has no place on a logarithmic axis; it stays where it is the best.
    drawn = paid.sel({dim: paid[dim] > 0}) if bool((paid.best > 0).all()) else paid
    folder.add_picture("payoffs", plots.payoffs, drawn, locale=locale)
    index = weighed.decision.index
    folder.add_picture("information", plots.information, weighed.worth, weighed.shares, of=index, locale=locale)


def _print_head(model: Model, found: xr.Dataset, decision: Decision, words: Locale) -> None:
    print_title(model, words)
    total, pieces = found.sizes["chain"] * found.sizes["draw"], len(model.evidence)
    given = words.say("given_evidence" if pieces > 1 else "given_one", count=pieces) if pieces else ""
    print_line(words.say("decided", decision=decision.title, given=given, total=f"{total:,}", seed=found.attrs["seed"]))
    for note in decision.notes:
        print_line(note)


def _print_place(
    weighed: Weighed, place: dict[str, Any], against: Callable[[Sequence[float]], xr.Dataset], words: Locale
) -> None:
    """Print for one scenario which action is best, what others pay, and what knowledge is worth."""
    here, dim = weighed.paid.sel(place), weighed.dim
    divisor, unit = scale_of(words)(str(here["mean"].attrs["units"]), float(abs(here["mean"]).max()))
    best = float(here.best)
    mine = [record for record in weighed.records if all(record.get(d) == v for d, v in place.items())]
    paying = [record for record in mine if record["row"] == "action"]
    shown = _thinned(paying, [record[dim] for record in paying].index(best))
    print_line()
    printed = against([record[dim] for record in shown]).sel(place)
    _print_best(here, printed, place, weighed.decision, (divisor, unit), words)
    low = 50 * (1 - here.attrs["prob"])
    ends = (f"P{low:g}", f"P{100 - low:g}", words.say("worst", tail=f"{here.attrs['tail']:.0%}"))
    lines = []
    for record in shown:
        values = [record[key] / divisor for key in ("mean", "mcse_mean", "lower", "upper", "cvar", "regret")]
        cells = [number(value, 2 if at == 1 else 3) for at, value in enumerate(values)]
        lines.append([number(record[dim], 3), *cells, f"{record['probability_best']:.0%}", unit])
    expected = words.say("expected")
    columns = (
        Column(words.say(f"head_{dim}", unit=weighed.decision.many), "key"),
        expected,
        Column("MCSE", "error", of=expected),
        *ends,
        words.say("regret"),
        words.say("hindsight"),
        Column(words.say("unit"), "unit"),
    )
    print_table(columns, lines)
    if len(shown) < len(paying):
        print_line(words.say(f"{dim}s_left_out", count=len(paying) - len(shown), total=len(paying)))
    _print_worth([record for record in mine if record["row"] != "action"], weighed, words)


def _print_best(
    here: xr.Dataset,
    shown: xr.Dataset,
    place: dict[str, Any],
    decision: Decision,
    scale: tuple[float, str],
    words: Locale,
) -> None:
    """Print the best action, how sure that is, and whether better ones may lie beyond what was tried."""
    import numpy as np

    (divisor, unit), best = scale, here.best.item()
    labels, at = here[decision.dim].values, here.sel({decision.dim: best})
    lead = f"{number(shown.lead.item() / divisor, 3)} ± {number(shown.mcse_lead.item() / divisor, 2)}"
    means = shown["mean"].where(shown[decision.dim] != best, -np.inf)
    following = shown[decision.dim].values[int(means.argmax(decision.dim))]
    payoff = f"{number(at['mean'].item() / divisor, 3)} ± {number(at.mcse_mean.item() / divisor, 2)} {unit}"
    amount, beaten = f"{number(best, 3)} {decision.many}", number(float(following), 3)
    told = words.say("best", best=amount, payoff=payoff, lead=lead, next=beaten)
    told += "" if bool(shown.resolved) else words.say("not_told_apart")
    where = ", ".join(map(words.label, place.values()))
    print_line(words.say("said_of", what=where, said=told) if where else told)
    if best == 0:
        print_line(words.say("order_nothing"))
    elif best in (labels[0], labels[-1]):
        print_line(words.say("least_tried" if best == labels[0] else "most_tried"))


def _thinned(records: Sequence[dict[str, Any]], best: int) -> list[dict[str, Any]]:
    """The first and the best action, and others evenly apart."""
    step = max(1, math.ceil(len(records) / _ROWS))
    return [record for place, record in enumerate(records) if (place - best) % step == 0 or not place]


def _print_worth(records: Sequence[dict[str, Any]], weighed: Weighed, words: Locale) -> None:
    from demandsim.plots.panels import long_names

    labels = long_names(weighed.worth, "assumption")
    divisor, unit = scale_of(words)(records[0]["unit"], records[0]["worth"])
    lines = []
    for record in records:
        share = record.get("share_of_variance", math.nan)
        worth = number(record["worth"] / divisor, 3), number(record["mcse_worth"] / divisor, 2)
        name = record.get("assumption")
        known = words.say("everything") if name is None else named(words, name, labels.get(name))
        lines.append([known, *worth, unit, f"{share:.0%}" if math.isfinite(share) else ""])
    value = words.say("worth")
    columns = (
        Column(words.say("known_before"), "name"),
        value,
        Column("MCSE", "error", of=value),
        Column(words.say("unit"), "unit"),
        words.say("share_of_variance", of=named(words, weighed.decision.index)),
    )
    print_line()
    print_table(columns, lines)
