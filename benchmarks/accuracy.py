"""Time to a given accuracy: how many draws, and so how long, until a statistic is right to 0.03%.

The root mean square error is taken over seeds, from truths of two kinds that must agree: exact ones
(moments of independent factors; one integral for the quantiles of `cards`) and a reference of very
many draws that demandsim streams in chunks. The worse of the two counts.
"""

import math
import time
from collections.abc import Callable

import numpy as np
from core import BETAS, LOGNORMALS, beta_shape, drawn, log_scale
from scipy import optimize, special, stats

import demandsim as ds

__all__ = ["STATISTICS", "draws_needed_by_demandsim", "draws_needed_by_hand", "exact", "streamed"]

TOLERANCE = 3e-4
CHAINS = 8
KEEP = ["cards", "gross_margin"]
STATISTICS = ("cards mean", "cards P5", "cards P50", "cards P95", "gross_margin mean")


def _lognormal_mean(power: dict[str, float]) -> float:
    """Mean of a product of powers of the study's lognormals."""
    scales = {name: log_scale(*LOGNORMALS[name]) for name in power}
    return math.exp(sum(p * scales[n][0] + (p * scales[n][1]) ** 2 / 2 for n, p in power.items()))


def exact() -> np.ndarray:
    """`STATISTICS` without sampling."""
    alpha, beta = beta_shape(*BETAS["utilization"])
    reciprocal = (alpha + beta - 1) / (alpha - 1)
    numerator = {"activated_parameters": 1, "daily_tokens": 1, "peak_ratio": 1, "card_flops": -1}
    constant = 2 / 86400 / 1e18 * 1e6
    cards = constant * _lognormal_mean(numerator) * reciprocal
    cost = constant * _lognormal_mean(numerator | {"card_price": 1, "useful_life": -1}) * reciprocal
    revenue = 365 / 1e6 * _lognormal_mean({"daily_tokens": 1, "token_price": 1}) * BETAS["paid_share"][0]
    # cards is a lognormal over an independent beta: its distribution function is one smooth integral.
    scales = {name: log_scale(*LOGNORMALS[name]) for name in numerator}
    centre = math.log(constant) + sum(p * scales[n][0] for n, p in numerator.items())
    spread = math.hypot(*(scales[n][1] for n in numerator))
    nodes, weights = np.polynomial.legendre.leggauss(2000)
    share = (nodes + 1) / 2
    density = weights / 2 * stats.beta.pdf(share, alpha, beta)

    def quantile(prob: float) -> float:
        def excess(log_cards: float) -> float:
            return float(np.sum(density * special.ndtr((log_cards + np.log(share) - centre) / spread))) - prob

        return math.exp(optimize.brentq(excess, centre - 9 * spread, centre + 9 * spread, xtol=1e-13))

    return np.array([cards, quantile(0.05), quantile(0.5), quantile(0.95), revenue - cost])


def _picked(summary) -> np.ndarray:
    cards = summary.cards.sel(statistic=["mean", "lower", "median", "upper"]).values
    return np.append(cards, summary.gross_margin.sel(statistic="mean").item())


def streamed(model: ds.Model, log2: int, seed: int) -> np.ndarray:
    """`STATISTICS` from 2**log2 draws that are never held at once."""
    draws = model.simulate((1 << log2) // CHAINS, chains=CHAINS, chunks=1 << 18, seed=seed, keep=KEEP)
    return _picked(ds.summarize(draws, prob=0.9))


def by_demandsim(model: ds.Model, draws: int, seed: int) -> np.ndarray:
    """`STATISTICS` of the pooled draws, with the errors that a summary always has."""
    return _picked(ds.summarize(model.simulate(draws // CHAINS, chains=CHAINS, seed=seed, keep=KEEP), prob=0.9))


def by_estimate(model: ds.Model, draws: int, seed: int) -> np.ndarray:
    """`STATISTICS` by conditional Monte Carlo, from the same numbers."""
    return _picked(model.estimate(KEEP, draws=draws // CHAINS, chains=CHAINS, seed=seed, prob=0.9))


def by_hand(draws: int, seed: int) -> np.ndarray:
    """`STATISTICS` by plain Monte Carlo in numpy: only what they need is computed."""
    a = drawn(np.random.default_rng(seed), draws)
    peak = 2 * a["activated_parameters"] * (a["daily_tokens"] / 86400) * a["peak_ratio"] / 1e18
    cards = peak / (a["card_flops"] * a["utilization"]) * 1e6
    revenue = a["daily_tokens"] * a["token_price"] * a["paid_share"] / 1e6 * 365
    margin = revenue - cards * a["card_price"] / a["useful_life"]
    return np.array([cards.mean(), *np.quantile(cards, [0.05, 0.5, 0.95]), margin.mean()])


def _square_errors(found: np.ndarray, truths: list[np.ndarray]) -> np.ndarray:
    return np.max([(found / truth - 1) ** 2 for truth in truths], axis=0)


def draws_needed_by_demandsim(
    work: Callable[[int, int], np.ndarray],
    truths: list[np.ndarray],
    seeds: int,
    least: int,
    most: int,
    say: Callable[[str], None],
) -> tuple[int | None, np.ndarray]:
    """Double the draws from `least` until every RMSE is within the tolerance; None if `most` would be passed.

    Returns the draws and the RMSE there. `work` takes draws of all chains together, and a seed.
    """
    draws = least
    while True:
        total = np.zeros(len(STATISTICS))
        for seed in range(seeds):
            total += _square_errors(work(draws, seed), truths)
            # Squares only add up: a number of draws that has already failed need not be finished.
            if (total > seeds * TOLERANCE**2).any():
                break
        rmse, whole = np.sqrt(total / (seed + 1)), seed + 1 == seeds
        say(f"{draws:,} draws, {seed + 1} of {seeds} seeds: RMSE " + ", ".join(f"{e:.3%}" for e in rmse))
        if whole and (rmse <= TOLERANCE).all():
            return draws, rmse
        if 2 * draws > most:
            return None, rmse
        draws *= 2


def draws_needed_by_hand(truths: list[np.ndarray], seeds: int, draws: int = 1 << 20) -> tuple[int, np.ndarray]:
    """Draws at which plain Monte Carlo reaches the tolerance, by its exact law, and its RMSE at `draws`.

    The RMSE of independent draws falls as n**-1/2, so that one measurement tells all numbers of draws.
    """
    squares = [_square_errors(by_hand(draws, seed), truths) for seed in range(seeds)]
    rmse = np.sqrt(np.mean(squares, axis=0))
    return math.ceil(draws * float(rmse.max() / TOLERANCE) ** 2), rmse


def seconds(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
