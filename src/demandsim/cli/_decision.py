"""Choosing: a ready-made decision on a study, from the options of the command line, or what the study lacks for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from demandsim.errors import DemandsimError, StudyError

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["Chosen", "chosen", "priced", "spaced", "term"]

#: Actions that are tried without being asked for.
_TRIED = 60


@dataclass(frozen=True)
class Chosen:
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


def term(text: str) -> str | float:
    """A number, or the name of a quantity."""
    try:
        return float(text)
    except ValueError:
        return text.strip()


def spaced(text: str) -> list[float]:
    """Read ``LOW:HIGH:COUNT``: numbers evenly apart."""
    import numpy as np

    try:
        low, high, count = (float(part) for part in text.split(":"))
    except ValueError:
        low = high = count = -1.0
    if not (0 <= low < high < float("inf") and 2 <= count <= 10_000 and count == int(count)):
        raise typer.BadParameter(
            f"'{text}' is not LOW:HIGH:COUNT, such as 0:1000000:21: two numbers that are not negative, the second "
            "larger, and how many there shall be, 2 to 10,000",
            param_hint="--actions",
        )
    return np.linspace(low, high, int(count)).tolist()


def chosen(
    model: Model,
    study: str,
    demand: str,
    unit_cost: str,
    value: str | None,
    salvage: str,
    lost_margin: str,
) -> Chosen:
    """An order of cards under uncertain demand, on the quantities of a study."""
    from demandsim.decisions import OrderCards
    from demandsim.units.convert import convert

    notes = []
    cost, lost, worth = term(unit_cost), term(lost_margin), None if value is None else term(value)
    named = {"--demand": demand, "--unit-cost": cost, "--value": worth, "--lost-margin": lost}
    share, relative = 0.0, salvage.strip().endswith("%")
    if relative:
        try:
            share = float(salvage.strip().removesuffix("%")) / 100
        except ValueError:
            raise typer.BadParameter(f"'{salvage}' is not a share such as 20%", param_hint="--salvage") from None
    else:
        named["--salvage"] = term(salvage)
    needed = {option: name for option, name in named.items() if isinstance(name, str)}
    if value is None:
        needed |= {"--value (revenue)": "revenue", "--value (useful life)": "useful_life"}
        notes.append(
            f"a card at work earns its share of revenue over its useful life: revenue / {demand} * useful_life"
        )
    _check(model, study, "an order of cards", needed)
    _check_dims(model, list(needed.values()))

    def earned(draws: xr.Dataset) -> Any:
        yearly = convert(draws["revenue"], "CNY/year") / convert(draws[demand], "card")
        return yearly * convert(draws["useful_life"], "year")

    def resold(draws: xr.Dataset) -> Any:
        price = convert(draws[cost], "CNY/card") if isinstance(cost, str) else cost
        return share * price

    kept: Any = resold if relative else term(salvage)
    payoff = OrderCards(demand, cost, earned if worth is None else worth, kept, lost)
    notes.append(
        f"a card costs {unit_cost}, an idle one brings {salvage}, a missing one loses {lost_margin} more [CNY/card]"
    )
    index = "gross_margin" if "gross_margin" in model.equations else demand
    return Chosen("order of cards before demand is known", payoff, "order", "card", "cards", demand, index, True, notes)


def priced(model: Model, study: str, elasticity: str) -> Chosen:
    """A price of tokens against the break-even price, on the quantities of a study."""
    from demandsim.decisions import SetPrice

    names = ["token_price", "break_even_price", "daily_tokens", "paid_share"]
    answer = term(elasticity)
    names += [answer] if isinstance(answer, str) else []
    _check(model, study, "a price of tokens", {f"({name})": name for name in names})
    _check_dims(model, names)
    notes = [f"paid tokens fall by {elasticity} percent when the price rises by one (--elasticity)"]
    index = "gross_margin" if "gross_margin" in model.equations else "break_even_price"
    return Chosen(
        "price of tokens", SetPrice(answer), "price", "CNY/Mtoken", "CNY/Mtoken", "token_price", index, False, notes
    )


def _check(model: Model, study: str, what: str, needed: dict[str, str]) -> None:
    """Raise unless the study has every quantity that a decision reads."""
    lacking = {option: name for option, name in needed.items() if name not in model.quantities}
    if lacking:
        said = ", ".join(dict.fromkeys(lacking.values()))
        options = [option for option in dict.fromkeys(key.split()[0] for key in lacking) if option.startswith("--")]
        others = f"name other quantities or numbers with {', '.join(options)}, or " if options else ""
        raise StudyError(
            f"study '{study}' lacks {said}, which {what} is made of; {others}choose a study that has them, such as "
            f"guosen-2025-01-evidence. 'demandsim show {study}' lists what it has"
        )


def _check_dims(model: Model, names: Sequence[str]) -> None:
    """Raise if a decision would have to be made anew for each year or kind of hardware."""
    layout = model.program.layout
    for name in names:
        inner = [dim for dim in layout.model_dims if dim in model.program.varying[name].dims]
        if inner:
            raise DemandsimError(
                f"'{name}' varies over {' and '.join(inner)}, and this decision is taken once; name a quantity "
                "without, or use ds.decisions.evaluate in Python on draws of one label, as in draws.sel("
                f"{inner[0]}=...)"
            )
