"""Probability: distribution functions and their inverses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from demandsim.workbook.calc.functions.row import function
from demandsim.workbook.calc.values import NUM, CellError

__all__: list[str] = []


def _special(name: str) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        from scipy import special

        return getattr(special, name)(*args)

    return call


_ndtr, _ndtri, _betaincinv = _special("ndtr"), _special("ndtri"), _special("betaincinv")


def _inside(level: float) -> None:
    if not 0 < level < 1:
        raise CellError(NUM.code)


@function("NORM.S.INV", "NORMSINV", takes="n", vector=_ndtri)
def _norm_s_inv(level: float) -> float:
    _inside(level)
    return float(_ndtri(level))


def _norm_inv_draws(level: Any, mean: Any, sd: Any) -> Any:
    return np.where(sd > 0, mean + sd * _ndtri(level), np.nan)


@function("NORM.INV", "NORMINV", takes="nnn", vector=_norm_inv_draws)
def _norm_inv(level: float, mean: float, sd: float) -> float:
    _inside(level)
    if sd <= 0:
        raise CellError(NUM.code)
    return mean + sd * float(_ndtri(level))


@function("NORM.DIST", "NORMDIST", takes="nnnn")
def _norm_dist(value: float, mean: float, sd: float, cumulative: float) -> float:
    if sd <= 0:
        raise CellError(NUM.code)
    score = (value - mean) / sd
    return float(_ndtr(score)) if cumulative else math.exp(-score * score / 2) / (sd * math.sqrt(2 * math.pi))


@function("NORM.S.DIST", takes="nn")
def _norm_s_dist(score: float, cumulative: float) -> float:
    return float(_norm_dist(score, 0.0, 1.0, cumulative))


function("NORMSDIST", takes="n", vector=_ndtr)(lambda score: float(_ndtr(score)))


@function("LOGNORM.INV", "LOGINV", takes="nnn")
def _lognorm_inv(level: float, mean: float, sd: float) -> float:
    return math.exp(_norm_inv(level, mean, sd))


@function("BETA.INV", "BETAINV", takes="nnnnn", least=3)
def _beta_inv(level: float, alpha: float, beta: float, low: float = 0.0, high: float = 1.0) -> float:
    _inside(level)
    if alpha <= 0 or beta <= 0 or high <= low:
        raise CellError(NUM.code)
    return low + (high - low) * float(_betaincinv(alpha, beta, level))


@function("GAMMA.INV", "GAMMAINV", takes="nnn")
def _gamma_inv(level: float, alpha: float, beta: float) -> float:
    _inside(level)
    if alpha <= 0 or beta <= 0:
        raise CellError(NUM.code)
    return beta * float(_special("gammaincinv")(alpha, level))


@function("LOGNORM.DIST", takes="nnnn")
def _lognorm_dist(value: float, mean: float, sd: float, cumulative: float) -> float:
    if value <= 0:
        raise CellError(NUM.code)
    found = float(_norm_dist(math.log(value), mean, sd, cumulative))
    return found if cumulative else found / value


@function("STANDARDIZE", takes="nnn")
def _standardize(value: float, mean: float, sd: float) -> float:
    if sd <= 0:
        raise CellError(NUM.code)
    return (value - mean) / sd


def _law(name: str, shapes: int, allowed: Callable[..., bool], kept: Callable[..., dict[str, float]]) -> Any:
    """Distribution function and density of a law of scipy, whose parameters stand between value and flag."""

    def scalar(value: float, *rest: float) -> float:
        from scipy import stats

        given, cumulative = rest[:shapes], rest[shapes]
        if not allowed(value, *given):
            raise CellError(NUM.code)
        law = getattr(stats, name)(**kept(*given))
        density = law.pmf if hasattr(law.dist, "pmf") else law.pdf
        return float(law.cdf(value) if cumulative else density(value))

    return scalar


def _positive(*values: float) -> bool:
    return all(value > 0 for value in values)


function("EXPON.DIST", "EXPONDIST", takes="nnn")(
    _law("expon", 1, lambda x, rate: x >= 0 and rate > 0, lambda rate: {"scale": 1 / rate})
)
function("WEIBULL.DIST", "WEIBULL", takes="nnnn")(
    _law(
        "weibull_min", 2, lambda x, shape, scale: x >= 0 and _positive(shape, scale), lambda c, s: {"c": c, "scale": s}
    )
)
function("GAMMA.DIST", "GAMMADIST", takes="nnnn")(
    _law("gamma", 2, lambda x, shape, scale: x >= 0 and _positive(shape, scale), lambda a, s: {"a": a, "scale": s})
)
function("T.DIST", takes="nnn")(
    _law("t", 1, lambda x, freedom: int(freedom) >= 1, lambda freedom: {"df": math.trunc(freedom)})
)
function("CHISQ.DIST", takes="nnn")(
    _law("chi2", 1, lambda x, freedom: x >= 0 and int(freedom) >= 1, lambda freedom: {"df": math.trunc(freedom)})
)


def _counting(scalar: Callable[..., float]) -> Callable[..., float]:
    """Numbers of events are whole: what stands behind the point is left out."""
    return lambda value, *rest: scalar(float(math.trunc(value)), *rest)


function("POISSON.DIST", "POISSON", takes="nnn")(
    _counting(_law("poisson", 1, lambda x, mean: x >= 0 and mean >= 0, lambda mean: {"mu": mean}))
)
function("BINOM.DIST", "BINOMDIST", takes="nnnn")(
    _counting(
        _law(
            "binom",
            2,
            lambda x, trials, p: 0 <= x <= int(trials) and 0 <= p <= 1,
            lambda trials, p: {"n": math.trunc(trials), "p": p},
        )
    )
)


@function("BETA.DIST", takes="nnnnnn", least=4)
def _beta_dist(
    value: float, alpha: float, beta: float, cumulative: float, low: float = 0.0, high: float = 1.0
) -> float:
    if not (_positive(alpha, beta) and low <= value <= high and low < high):
        raise CellError(NUM.code)
    from scipy import stats

    law = stats.beta(alpha, beta, loc=low, scale=high - low)
    return float(law.cdf(value) if cumulative else law.pdf(value))


@function("BINOM.INV", "CRITBINOM", takes="nnn")
def _binom_inv(trials: float, p: float, level: float) -> float:
    _inside(level)
    if trials < 0 or not 0 <= p <= 1:
        raise CellError(NUM.code)
    from scipy import stats

    return float(max(stats.binom(math.trunc(trials), p).ppf(level), 0.0))


def _freedom(value: float) -> int:
    if value < 1:
        raise CellError(NUM.code)
    return math.trunc(value)


@function("T.INV", takes="nn", vector=lambda level, freedom: _special("stdtrit")(np.trunc(freedom), level))
def _t_inv(level: float, freedom: float) -> float:
    _inside(level)
    return float(_special("stdtrit")(_freedom(freedom), level))


@function("T.INV.2T", "TINV", takes="nn")
def _t_inv_two(level: float, freedom: float) -> float:
    if not 0 < level <= 1:
        raise CellError(NUM.code)
    return -float(_special("stdtrit")(_freedom(freedom), level / 2))


@function("CHISQ.INV", takes="nn")
def _chisq_inv(level: float, freedom: float) -> float:
    _inside(level)
    return 2.0 * float(_special("gammaincinv")(_freedom(freedom) / 2, level))


@function("GAMMALN", "GAMMALN.PRECISE", takes="n")
def _gammaln(value: float) -> float:
    if value <= 0:
        raise CellError(NUM.code)
    return math.lgamma(value)
