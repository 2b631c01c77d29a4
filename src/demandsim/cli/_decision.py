"""Decisions: a ready-made one on a study, from the options of the command line, or what the study lacks for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import typer

from demandsim.errors import DemandsimError, StudyError

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.locale.words import Words
    from demandsim.model import Model

__all__ = ["Decision", "Terms", "decision_on"]

#: Actions that are tried without being asked for.
_TRIED = 60


@dataclass(frozen=True)
class Decision:
    """A decision on a study.

    Parameters
    ----------
    title : str
    payoff : callable
    dim, unit : str
        Of the actions.
    many : str
        The unit in words.
    scale : str
        Quantity whose draws say which actions to try.
    index : str
        Quantity whose variance the assumptions share.
    zero : bool
        Doing nothing is an action.
    notes : sequence of str
        What was assumed.
    units : mapping of str to str
        In what it takes quantities.
    """

    title: str
    payoff: Callable[..., Any]
    dim: str
    unit: str
    many: str
    scale: str
    index: str
    zero: bool
    notes: Sequence[str] = ()
    units: Mapping[str, str] = field(default_factory=dict)

    def stated(self, draws: xr.Dataset) -> xr.Dataset:
        """Draws whose quantities without a unit, as of a workbook, are in the units that the decision takes."""
        unsaid = {name: unit for name, unit in self.units.items() if draws[name].attrs.get("units") == ""}
        return draws.assign({name: draws[name].assign_attrs(units=unit) for name, unit in unsaid.items()})

    def actions(self, draws: xr.Dataset, asked: Sequence[float] | None) -> xr.DataArray:
        """Those asked for, or such as cover what the draws ask for, evenly in the logarithm."""
        import numpy as np
        import xarray as xr

        from demandsim.units.convert import convert

        if asked is None:
            needed = convert(draws[self.scale], self.unit).quantile([0.02, 0.95], ["chain", "draw"])
            if float(needed.min()) <= 0:
                raise DemandsimError(f"'{self.scale}' may be 0 or less; name what to choose from with --actions")
            tried = np.geomspace(float(needed.min()), float(needed.max()), _TRIED - self.zero).tolist()
            # Round numbers are what people order.
            round_ones = {round(value, 2 - math.floor(math.log10(value))) for value in tried}
            asked = sorted(round_ones | {0.0} if self.zero else round_ones)
        values = np.asarray(asked, dtype=float)
        return xr.DataArray(values, coords={self.dim: values}, dims=self.dim, attrs={"units": self.unit})


@dataclass(frozen=True)
class Terms:
    """What a decision is about: each field is the option of its name, as it is given on the command line.

    Parameters
    ----------
    price : bool
        A price of tokens, instead of an order of cards.
    actions : str or None
        ``LOW:HIGH:COUNT``.
    demand, unit_cost, value, salvage, lost_margin, elasticity : str
        Names of quantities, or numbers.
    tail : float
        Share of the worst draws whose mean payoff is the risk.
    """

    price: bool = False
    actions: str | None = None
    demand: str = "cards"
    unit_cost: str = "card_price"
    value: str | None = None
    salvage: str = "0"
    lost_margin: str = "0"
    elasticity: str = "1.5"
    tail: float = 0.1

    @property
    def words(self) -> list[str]:
        """The options that are not as they are by default."""
        words: list[str] = []
        for one in fields(self):
            given, option = getattr(self, one.name), f"--{one.name.replace('_', '-')}"
            if given != one.default:
                words += [option] if given is True else [option, f"{given:g}" if one.name == "tail" else given]
        return words

    @property
    def tried(self) -> list[float] | None:
        """Actions that are asked for: numbers evenly apart."""
        import numpy as np

        if self.actions is None:
            return None
        try:
            low, high, count = (float(part) for part in self.actions.split(":"))
        except ValueError:
            low = high = count = -1.0
        if not (0 <= low < high < float("inf") and 2 <= count <= 10_000 and count == int(count)):
            raise typer.BadParameter(
                f"'{self.actions}' is not LOW:HIGH:COUNT, such as 0:1000000:21: two numbers that are not negative, the "
                "second larger, and how many there shall be, 2 to 10,000",
                param_hint="--actions",
            )
        return np.linspace(low, high, int(count)).tolist()


def decision_on(model: Model, study: str, terms: Terms, words: Words) -> Decision:
    """The decision that is asked for, told in a language.

    Raises
    ------
    StudyError
        If the study lacks what it is made of.
    """
    return (_price if terms.price else _order)(model, study, terms, words)


def _term(text: str) -> str | float:
    """A number, or the name of a quantity."""
    try:
        return float(text)
    except ValueError:
        return text.strip()


def _resale(salvage: str, cost: str | float) -> tuple[Any, str | float]:
    """What an idle card brings, for the payoff; and the quantity or number that it is, 0 for a share of its price."""
    from demandsim.units.convert import convert

    if not salvage.strip().endswith("%"):
        found = _term(salvage)
        return found, found
    try:
        share = float(salvage.strip().removesuffix("%")) / 100
    except ValueError:
        raise typer.BadParameter(f"'{salvage}' is not a share such as 20%", param_hint="--salvage") from None
    if not isinstance(cost, str):
        return share * cost, 0.0
    return lambda draws: share * convert(draws[cost], "CNY/card"), 0.0


def _order(model: Model, study: str, terms: Terms, words: Words) -> Decision:
    """An order of cards under uncertain demand, on the quantities of a study."""
    from demandsim.decisions import OrderCards
    from demandsim.units.convert import convert

    demand, cost, lost = terms.demand, _term(terms.unit_cost), _term(terms.lost_margin)
    resold, salvage = _resale(terms.salvage, cost)
    worth: Any = None if terms.value is None else _term(terms.value)
    named = {"--demand": demand, "--unit-cost": cost, "--value": worth, "--lost-margin": lost, "--salvage": salvage}
    needed = {option: name for option, name in named.items() if isinstance(name, str)}
    notes = []
    if worth is None:
        needed |= {"--value (revenue)": "revenue", "--value (useful life)": "useful_life"}
        notes.append(words.say("card_earns", demand=demand))
    _check(model, study, "an order of cards", needed)

    def earned(draws: xr.Dataset) -> Any:
        yearly = convert(draws["revenue"], "CNY/year") / convert(draws[demand], "card")
        return yearly * convert(draws["useful_life"], "year")

    payoff = OrderCards(demand, cost, earned if worth is None else worth, resold, lost)
    notes.append(words.say("card_costs", cost=terms.unit_cost, salvage=terms.salvage, lost=terms.lost_margin))
    units = dict.fromkeys(needed.values(), "CNY/card") | {"revenue": "CNY/year", "useful_life": "year", demand: "card"}
    units = {name: unit for name, unit in units.items() if name in needed.values()}
    notes += _unsaid_note(model, units, words)
    index = next(iter(model.presentation.explained), demand)
    title, many = words.say("order_of_cards"), words.say("cards")
    return Decision(title, payoff, "order", "card", many, demand, index, True, notes, units)


def _unsaid_note(model: Model, units: Mapping[str, str], words: Words) -> list[str]:
    """Say in what a decision takes quantities whose unit nobody has said."""
    taken = [f"{name} [{unit}]" for name, unit in units.items() if model.notes.unit_of(name, "1") == ""]
    return [words.say("taken_in", names=", ".join(taken))] if taken else []


def _price(model: Model, study: str, terms: Terms, words: Words) -> Decision:
    """A price of tokens against the break-even price, on the quantities of a study."""
    from demandsim.decisions import SetPrice

    names = ["token_price", "break_even_price", "daily_tokens", "paid_share"]
    answer = _term(terms.elasticity)
    names += [answer] if isinstance(answer, str) else []
    _check(model, study, "a price of tokens", {f"({name})": name for name in names})
    notes = [words.say("tokens_fall", elasticity=terms.elasticity)]
    index, unit = next(iter(model.presentation.explained), "break_even_price"), "CNY/Mtoken"
    return Decision(
        words.say("price_of_tokens"), SetPrice(answer), "price", unit, unit, "token_price", index, False, notes
    )


def _check(model: Model, study: str, what: str, needed: dict[str, str]) -> None:
    """Raise unless the study has every quantity that a decision reads, each for one moment and kind of hardware."""
    lacking = {option: name for option, name in needed.items() if name not in model.quantities}
    if lacking:
        said = ", ".join(dict.fromkeys(lacking.values()))
        has = f"'demandsim show {study}' lists what it has"
        if model.notes.unsaid:
            has = f"This workbook has {', '.join(model.quantities)}"
        options = [option for option in dict.fromkeys(key.split()[0] for key in lacking) if option.startswith("--")]
        others = f"name other quantities or numbers with {', '.join(options)}, or " if options else ""
        raise StudyError(
            f"study '{study}' lacks {said}, which {what} is made of; {others}choose a study that has them, such as "
            f"guosen-2025-01-evidence. {has}"
        )
    layout = model.program.layout
    for name in needed.values():
        inner = [dim for dim in layout.model_dims if dim in model.program.varying[name].dims]
        if inner:
            raise DemandsimError(
                f"'{name}' varies over {' and '.join(inner)}, and this decision is taken once; name a quantity "
                "without, or use ds.decisions.evaluate in Python on draws of one label, as in draws.sel("
                f"{inner[0]}=...)"
            )
