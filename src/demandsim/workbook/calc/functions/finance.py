"""Finance: present values, rates of return, and payments of a loan."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from demandsim.workbook.calc.draws import Declined
from demandsim.workbook.calc.functions.numbers import numbers, stacked
from demandsim.workbook.calc.functions.row import function
from demandsim.workbook.calc.values import NUM, CellError, Grid

__all__: list[str] = []


def _npv_draws(rate: Any, *flows: Any) -> Any:
    total, factor = 0.0, 1.0
    for flow in stacked(flows):
        factor = factor * (1.0 + rate)
        total = total + flow / factor
    return total


function("NPV", takes="n", more="r", vector=_npv_draws, least=2)(
    lambda rate, *flows: _npv_draws(rate, *[Grid([numbers(flows)])])
)


def _dated(flows: Any, dates: Any) -> tuple[list[Any], list[float]]:
    amounts, days = stacked([flows]), stacked([dates])
    if len(amounts) != len(days) or not days:
        raise CellError(NUM.code)
    if any(type(day) is np.ndarray for day in days):
        raise Declined
    days = [float(math.floor(day)) for day in days]
    if any(day < days[0] for day in days):
        raise CellError(NUM.code)
    return amounts, [(day - days[0]) / 365.0 for day in days]


def _xnpv_draws(rate: Any, flows: Any, dates: Any) -> Any:
    total = 0.0
    for flow, years in zip(*_dated(flows, dates), strict=True):
        total = total + flow / np.power(1.0 + rate, years)
    return np.where(np.asarray(rate) > 0, total, np.nan)


@function("XNPV", takes="nrr", vector=_xnpv_draws)
def _xnpv(rate: float, flows: Any, dates: Any) -> float:
    if rate <= -1:
        raise CellError(NUM.code)
    return math.fsum(flow / (1.0 + rate) ** years for flow, years in zip(*_dated(flows, dates), strict=True))


def _root(value: Callable[[Any], Any], slope: Callable[[Any], Any], start: Any) -> Any:
    """Newton's method for every draw at once, from one start as Excel does; NaN where it does not arrive."""
    rate = np.array(start, dtype=np.float64)
    arrived = np.zeros(rate.shape, dtype=bool)
    with np.errstate(all="ignore"):
        for _ in range(60):
            step = value(rate) / slope(rate)
            moved = rate - step
            # A step beyond -100% is halved.
            moved = np.where(moved <= -1.0, (rate - 1.0) / 2.0, moved)
            now = np.abs(moved - rate) <= 1e-14 + 1e-13 * np.abs(moved)
            rate = np.where(arrived, rate, moved)
            arrived |= now
            if arrived.all():
                break
    return np.where(arrived & np.isfinite(rate), rate, np.nan)


def _return(flows: list[Any], years: list[float], guess: float) -> Any:
    """Rate at which flows are worth nothing."""
    wide = np.stack(np.broadcast_arrays(*map(np.atleast_1d, flows)))
    times = np.array(years)[:, None]

    def value(rate: Any) -> Any:
        return (wide * np.power(1.0 + rate, -times)).sum(axis=0)

    def slope(rate: Any) -> Any:
        return (-times * wide * np.power(1.0 + rate, -times - 1.0)).sum(axis=0)

    signs = (wide > 0).any(axis=0) & (wide < 0).any(axis=0)
    found = _root(value, slope, np.full(wide.shape[1], guess))
    lost = np.isnan(found) & signs
    if lost.any():
        found = np.where(lost, _bracketed(value, wide.shape[1]), found)
    return np.where(signs, found, np.nan)


def _bracketed(value: Callable[[Any], Any], size: int) -> Any:
    """Halving between -99.99% and 1000%, for draws in which Newton's method loses its way."""
    low, high = np.full(size, -0.9999), np.full(size, 10.0)
    with np.errstate(all="ignore"):
        at_low = np.sign(value(low))
        crossing = at_low != np.sign(value(high))
        for _ in range(80):
            middle = (low + high) / 2.0
            same = np.sign(value(middle)) == at_low
            low, high = np.where(same, middle, low), np.where(same, high, middle)
    return np.where(crossing, (low + high) / 2.0, np.nan)


def _only(found: Any) -> float:
    value = float(found[0])
    if not math.isfinite(value):
        raise CellError(NUM.code)
    return value


def _irr_draws(flows: Any, guess: Any = 0.1) -> Any:
    amounts = stacked([flows])
    if np.ndim(guess) or not amounts:
        raise Declined
    return _return(amounts, list(map(float, range(len(amounts)))), guess)


@function("IRR", takes="rn", vector=_irr_draws, least=1)
def _irr(flows: Any, guess: float = 0.1) -> float:
    amounts = numbers([flows])
    if not amounts:
        raise CellError(NUM.code)
    return _only(_return(amounts, list(map(float, range(len(amounts)))), guess))


def _xirr_draws(flows: Any, dates: Any, guess: Any = 0.1) -> Any:
    if np.ndim(guess):
        raise Declined
    return _return(*_dated(flows, dates), guess)


@function("XIRR", takes="rrn", vector=_xirr_draws, least=2)
def _xirr(flows: Any, dates: Any, guess: float = 0.1) -> float:
    return _only(_xirr_draws(flows, dates, guess))


@function("MIRR", takes="rnn")
def _mirr(flows: Any, finance: float, reinvest: float) -> float:
    amounts = numbers([flows])
    last = len(amounts) - 1
    spent = sum(flow / (1 + finance) ** t for t, flow in enumerate(amounts) if flow < 0)
    earned = sum(flow * (1 + reinvest) ** (last - t) for t, flow in enumerate(amounts) if flow > 0)
    return float((earned / -spent) ** (1.0 / last) - 1.0)


# Loans: pv (1 + r)^n + pmt (1 + r type) ((1 + r)^n - 1) / r + fv = 0


def _grown(rate: Any, periods: Any, kind: Any) -> tuple[Any, Any]:
    """What 1 grows to, and what a payment of 1 a period does; also where the rate is 0."""
    flat = np.asarray(rate) == 0
    safe = np.where(flat, 1.0, rate)
    growth = np.where(flat, 1.0, np.power(1.0 + np.asarray(rate), periods))
    paid = np.where(flat, periods, (1.0 + safe * (np.asarray(kind) != 0)) * (growth - 1.0) / safe)
    return growth, paid


def _pmt(rate: Any, periods: Any, present: Any, future: Any = 0.0, kind: Any = 0.0) -> Any:
    growth, paid = _grown(rate, periods, kind)
    return -(present * growth + future) / paid


def _pv(rate: Any, periods: Any, payment: Any, future: Any = 0.0, kind: Any = 0.0) -> Any:
    growth, paid = _grown(rate, periods, kind)
    return -(future + payment * paid) / growth


def _fv(rate: Any, periods: Any, payment: Any, present: Any = 0.0, kind: Any = 0.0) -> Any:
    growth, paid = _grown(rate, periods, kind)
    return -(present * growth + payment * paid)


def _ipmt(rate: Any, period: Any, periods: Any, present: Any, future: Any = 0.0, kind: Any = 0.0) -> Any:
    wrong = (np.asarray(period) < 1) | (np.asarray(period) > periods)
    payment = _pmt(rate, periods, present, future, kind)
    early = np.asarray(kind) != 0
    owed = _fv(rate, period - 1.0, payment, present, kind)
    interest = owed * rate
    interest = np.where(early, np.where(np.asarray(period) == 1, 0.0, interest / (1.0 + np.asarray(rate))), interest)
    return np.where(wrong, np.nan, interest)


def _ppmt(rate: Any, period: Any, periods: Any, present: Any, future: Any = 0.0, kind: Any = 0.0) -> Any:
    return _pmt(rate, periods, present, future, kind) - _ipmt(rate, period, periods, present, future, kind)


def _nper(rate: Any, payment: Any, present: Any, future: Any = 0.0, kind: Any = 0.0) -> Any:
    flat = np.asarray(rate) == 0
    safe = np.where(flat, 1.0, rate)
    level = payment * (1.0 + safe * (np.asarray(kind) != 0)) / safe
    with np.errstate(all="ignore"):
        found = np.log((level - future) / (level + present)) / np.log1p(safe)
        return np.where(flat, -(np.asarray(present) + future) / np.asarray(payment), found)


def _loan(name: str, call: Callable[..., Any], takes: str, least: int) -> None:
    def scalar(*args: float) -> float:
        with np.errstate(all="ignore"):
            return float(call(*args))

    function(name, takes=takes, vector=call, least=least)(scalar)


_loan("PMT", _pmt, "nnnnn", 3)
_loan("PV", _pv, "nnnnn", 3)
_loan("FV", _fv, "nnnnn", 3)
_loan("NPER", _nper, "nnnnn", 3)
_loan("IPMT", _ipmt, "nnnnnn", 4)
_loan("PPMT", _ppmt, "nnnnnn", 4)


def _rate_draws(periods: Any, payment: Any, present: Any, future: Any = 0.0, kind: Any = 0.0, guess: Any = 0.1) -> Any:
    args = np.broadcast_arrays(*map(np.atleast_1d, (periods, payment, present, future, kind, guess)))
    periods, payment, present, future, kind, start = args

    def value(rate: Any) -> Any:
        growth, paid = _grown(rate, periods, kind)
        return present * growth + payment * paid + future

    def slope(rate: Any) -> Any:
        step = 1e-6 * np.maximum(np.abs(rate), 1e-2)
        return (value(rate + step) - value(rate - step)) / (2.0 * step)

    return _root(value, slope, start)


@function("RATE", takes="nnnnnn", vector=_rate_draws, least=3)
def _rate(*args: float) -> float:
    return _only(_rate_draws(*args))


@function("CUMIPMT", takes="nnnnnn")
def _cumipmt(rate: float, periods: float, present: float, first: float, last: float, kind: float) -> float:
    return float(sum(_ipmt(rate, float(t), periods, present, 0.0, kind) for t in range(int(first), int(last) + 1)))


@function("CUMPRINC", takes="nnnnnn")
def _cumprinc(rate: float, periods: float, present: float, first: float, last: float, kind: float) -> float:
    return float(sum(_ppmt(rate, float(t), periods, present, 0.0, kind) for t in range(int(first), int(last) + 1)))


@function("SLN", takes="nnn", vector=lambda cost, salvage, life: (cost - salvage) / life)
def _sln(cost: float, salvage: float, life: float) -> float:
    return (cost - salvage) / life


@function("SYD", takes="nnnn")
def _syd(cost: float, salvage: float, life: float, period: float) -> float:
    if not 1 <= period <= life:
        raise CellError(NUM.code)
    return (cost - salvage) * (life - period + 1) * 2.0 / (life * (life + 1))


@function("DDB", takes="nnnnn", least=4)
def _ddb(cost: float, salvage: float, life: float, period: float, factor: float = 2.0) -> float:
    if not 1 <= period <= life or period != int(period):
        raise CellError(NUM.code)
    written, share = 0.0, 0.0
    for _ in range(int(period)):
        share = max(min((cost - written) * factor / life, cost - salvage - written), 0.0)
        written += share
    return share


@function("EFFECT", takes="nn")
def _effect(nominal: float, periods: float) -> float:
    if nominal <= 0 or periods < 1:
        raise CellError(NUM.code)
    return float((1.0 + nominal / int(periods)) ** int(periods) - 1.0)


@function("NOMINAL", takes="nn")
def _nominal(effective: float, periods: float) -> float:
    if effective <= 0 or periods < 1:
        raise CellError(NUM.code)
    return float(((1.0 + effective) ** (1.0 / int(periods)) - 1.0) * int(periods))


@function("RRI", takes="nnn")
def _rri(periods: float, present: float, future: float) -> float:
    return float((future / present) ** (1.0 / periods) - 1.0)
