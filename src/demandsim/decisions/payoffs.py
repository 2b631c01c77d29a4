"""Payoffs over named quantities, ready-made: an order of cards, a price of tokens, buying or renting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError, check_known
from demandsim.units.convert import conversion_factor, convert

__all__ = ["BuyOrRent", "OrderCards", "SetPrice", "Term"]

#: A quantity of the draws by name, a number in the unit that is asked for, or a function of the draws.
Term = str | float | Callable[[xr.Dataset], Any]


def _read(draws: xr.Dataset, term: Term, unit: str) -> Any:
    """Value of a term, in a unit."""
    if isinstance(term, str):
        check_known([term], [str(name) for name in draws.data_vars], "quantity of the payoff")
        return convert(draws[term], unit)
    return term(draws) if callable(term) else term


def _numbers(action: xr.DataArray, what: str) -> xr.DataArray:
    if action.dtype.kind not in "fiu":
        raise DemandsimError(f"actions of this payoff are numbers, {what}; these are {action.values.tolist()[:3]!r}")
    if bool((action < 0).any()):
        raise DemandsimError(f"actions of this payoff are {what}, and none is negative")
    # The actions' own unit must not be taken for that of the money.
    return action.astype(float).drop_attrs()


def _value_of_a_card(draws: xr.Dataset) -> Any:
    names = ("revenue", "useful_life", "cards")
    check_known(names, [str(name) for name in draws.data_vars], "quantity of the payoff")
    yearly = convert(draws["revenue"], "CNY/year") / convert(draws["cards"], "card")
    return yearly * convert(draws["useful_life"], "year")


@dataclass(frozen=True)
class OrderCards:
    r"""Order of cards before demand is known: the newsvendor. Action: cards ordered [card].

    .. math:: P(q) = v \min(q, D) - c \, q + s (q - D)^+ - \ell \, (D - q)^+

    Parameters
    ----------
    demand : term, default "cards"
        Cards that demand asks for, D [card].
    unit_cost : term, default "card_price"
        Price of a card, c [CNY/card].
    value : term, optional
        What a card that serves demand earns over its useful life, v [CNY/card]; by default revenue per card
        needed times useful life: ``revenue / cards * useful_life``.
    salvage : term, default 0
        What a card without work is sold for, s [CNY/card].
    lost_margin : term, default 0
        Loss of a customer turned away, beyond the sale that is lost anyway, l [CNY/card].
    unit : str, default "CNY"

    Notes
    -----
    A term is the name of a quantity, a number in the unit above, or a function of the draws. With constant
    prices the best order is the critical fractile of demand,
    :math:`F(q^*) = (v + \ell - c) / (v + \ell - s)`.
    Source: Arrow, Harris and Marschak, Econometrica 19 (1951).

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01-evidence").simulate(draws=256, seed=1)
    >>> found = ds.decisions.evaluate(draws, [1e5, 2e5, 4e5, 8e5], OrderCards(salvage=2e4))
    >>> found.best.sel(scenario="100T").item() in (2e5, 4e5)
    True
    """

    demand: Term = "cards"
    unit_cost: Term = "card_price"
    value: Term = _value_of_a_card
    salvage: Term = 0.0
    lost_margin: Term = 0.0
    unit: str = "CNY"

    def __call__(self, draws: xr.Dataset, action: xr.DataArray) -> xr.DataArray:
        """Payoff of orders [CNY]."""
        order = _numbers(action, "cards to order")
        needed = _read(draws, self.demand, "card")
        value, cost = (_read(draws, term, "CNY/card") for term in (self.value, self.unit_cost))
        salvage, lost = (_read(draws, term, "CNY/card") for term in (self.salvage, self.lost_margin))
        served = np.minimum(needed, order)
        paid: xr.DataArray = (value - salvage + lost) * served - (cost - salvage) * order - lost * needed
        return paid.assign_attrs(units=self.unit, long_name="payoff of the order")


@dataclass(frozen=True)
class SetPrice:
    r"""Price of tokens against the break-even price. Action: price [CNY/Mtoken].

    .. math:: P(p) = T s \bigl( p \, m - b \, (1 - s + s \, m) \bigr), \qquad m = (p / p_0)^{-\varepsilon}

    Paid tokens T s answer to the price by their elasticity; free ones do not. The break-even price b
    charges the cost of all tokens to the paid ones, as the report does.

    Parameters
    ----------
    elasticity : term
        By how many percent paid tokens fall when the price rises by one, :math:`\varepsilon` [1].
    reference : term, default "token_price"
        Price at which the tokens are those assumed, p0 [CNY/Mtoken].
    break_even : term, default "break_even_price"
        b [CNY/Mtoken].
    tokens : term, default "daily_tokens"
        T [Mtoken/year].
    paid_share : term, default "paid_share"
        s [1].
    unit : str, default "CNY/year"

    Notes
    -----
    If cards are in place already, the break-even price does not answer to the volume as it does here, where
    the fleet follows demand. Source: the report's rows (Guosen, January 2025, Fig. 27 and 28), with demand of
    constant elasticity.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01-evidence").simulate(draws=256, seed=1)
    >>> found = ds.decisions.evaluate(draws, [0.5, 1.0, 2.0, 4.0, 8.0], SetPrice(elasticity=1.5))
    >>> found["mean"].attrs["units"]
    'CNY/year'
    """

    elasticity: Term
    reference: Term = "token_price"
    break_even: Term = "break_even_price"
    tokens: Term = "daily_tokens"
    paid_share: Term = "paid_share"
    unit: str = "CNY/year"

    def __call__(self, draws: xr.Dataset, action: xr.DataArray) -> xr.DataArray:
        """Payoff of prices [CNY/year]."""
        price = _numbers(action, "prices in CNY/Mtoken")
        if not bool((price > 0).all()):
            raise DemandsimError("a price of 0 sells without end under a constant elasticity; name prices above 0")
        reference, even = (_read(draws, term, "CNY/Mtoken") for term in (self.reference, self.break_even))
        share, elasticity = _read(draws, self.paid_share, "1"), _read(draws, self.elasticity, "1")
        more = (price / reference) ** (-elasticity)
        paid: xr.DataArray = (
            _read(draws, self.tokens, "Mtoken/year") * share * (price * more - even * (1 - share + share * more))
        )
        return paid.assign_attrs(units=self.unit, long_name="payoff of the price")


@dataclass(frozen=True)
class BuyOrRent:
    r"""Buy cards or rent them. Action: "buy" or "rent".

    .. math:: P_\text{buy} = -D \, (c + o L), \qquad P_\text{rent} = -D \, r \, h \, L

    Parameters
    ----------
    rent : term
        r [CNY/card/hour].
    hours_used : term, default 1
        Share of the hours in which a rented card is needed and paid for, h [1]. A fleet that is rented by the
        hour follows the load: ``lambda draws: 1 / draws.peak_ratio``.
    operating_cost : term, default 0
        Power, hosting and staff of an own card, o [CNY/card/year].
    demand, unit_cost, useful_life : term
        By default the quantities "cards" [card], "card_price" [CNY/card] and "useful_life" [year].
    unit : str, default "CNY"

    Notes
    -----
    Costs over the useful life, without discount. Source: cost comparison over one useful life.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01-evidence").simulate(draws=256, seed=1)
    >>> costs = BuyOrRent(rent=14.0, operating_cost=2e4, hours_used=lambda draws: 1 / draws.peak_ratio)
    >>> ds.decisions.evaluate(draws, ["buy", "rent"], costs).best.sel(scenario="100T").item()
    'buy'
    """

    rent: Term
    hours_used: Term = 1.0
    operating_cost: Term = 0.0
    demand: Term = "cards"
    unit_cost: Term = "card_price"
    useful_life: Term = "useful_life"
    unit: str = "CNY"

    def __call__(self, draws: xr.Dataset, action: xr.DataArray) -> xr.DataArray:
        """Payoff, a negative cost over the useful life [CNY]."""
        check_known([str(label) for label in np.ravel(action.values)], ("buy", "rent"), "action")
        needed = _read(draws, self.demand, "card")
        life = _read(draws, self.useful_life, "year")
        hourly = _read(draws, self.rent, "CNY/card/hour") * _read(draws, self.hours_used, "1")
        yearly = hourly * conversion_factor("year", "hour")
        own = _read(draws, self.unit_cost, "CNY/card") + _read(draws, self.operating_cost, "CNY/card/year") * life
        bought = (action == "buy").drop_attrs().astype(float)
        paid: xr.DataArray = -needed * (bought * own + (1 - bought) * yearly * life)
        return paid.assign_attrs(units=self.unit, long_name="payoff")
