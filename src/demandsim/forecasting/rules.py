"""Scoring rules of a sample against what came: numbers only, no labels."""

from __future__ import annotations

import math

import numpy as np

from demandsim._system import Array

__all__ = ["crps", "energy", "interval_score", "log_score", "pit", "quantile_score", "weighted_interval_score"]


def crps(sample: Array, outcome: float) -> float:
    r"""Continuous ranked probability score, :math:`E|X - y| - \tfrac12 E|X - X'|`, without bias for any sample size.

    Examples
    --------
    >>> crps(np.array([0.0, 2.0]), 1.0)
    0.0
    """
    ordered, count = np.sort(sample), sample.size
    ranks = 2.0 * np.arange(1, count + 1) - count - 1
    # Centred, so that a large mean does not eat the digits of a small spread.
    half_spread = float(ranks @ (ordered - ordered.mean())) / (count * (count - 1))
    return float(np.abs(ordered - outcome).mean()) - half_spread


def log_score(sample: Array, outcome: float) -> float:
    """Minus the logarithm of a kernel estimate of the density at the outcome; infinite where no draw comes near.

    Normal kernels, as wide as Silverman has it (1986, section 3.4): the sd times (3 n / 4)**(-1/5).

    Examples
    --------
    >>> log_score(np.array([0.0, 1.0, 2.0]), 99.0)
    inf
    """
    if not np.ptp(sample) > 0:
        return -math.inf if outcome == sample[0] else math.inf
    # By a power of two, since squares of very large or small numbers are no doubles.
    exponent = int(np.frexp(np.ptp(sample))[1])
    with np.errstate(over="ignore"):
        sample, outcome = np.ldexp(sample, -exponent), float(np.ldexp(outcome, -exponent))
    width = float(sample.std(ddof=1)) * (0.75 * sample.size) ** -0.2
    if not sample.min() - 3 * width <= outcome <= sample.max() + 3 * width:
        return math.inf
    far = ((sample - outcome) / width) ** 2 / 2
    near = far.min()
    score = float(near - np.log(np.exp(near - far).mean())) + math.log(width * math.sqrt(2 * math.pi))
    return score + exponent * math.log(2.0)


def quantile_score(sample: Array, outcome: float, prob: float) -> float:
    r"""Quantile score, :math:`2 (1\{y \le q\} - p)(q - y)`; its mean over all p is the CRPS.

    Examples
    --------
    >>> quantile_score(np.array([1.0, 2.0, 3.0]), 4.0, 0.5)
    2.0
    """
    quantile = float(np.quantile(sample, prob))
    return 2 * (float(outcome <= quantile) - prob) * (quantile - outcome)


def interval_score(sample: Array, outcome: float, prob: float) -> float:
    r"""Interval score, :math:`u - l + \tfrac2\alpha (l - y)_+ + \tfrac2\alpha (y - u)_+`, of a central interval.

    Examples
    --------
    >>> round(interval_score(np.linspace(0, 1, 101), 1.05, 0.9), 9)
    2.9
    """
    tail = (1 - prob) / 2
    low, high = (float(q) for q in np.quantile(sample, [tail, 1 - tail]))
    return high - low + (max(low - outcome, 0.0) + max(outcome - high, 0.0)) / tail


def weighted_interval_score(quantiles: Array, levels: Array, outcome: float) -> float:
    r"""Weighted interval score: the mean of :math:`2 (1\{y \le q\} - p)(q - y)` over levels; near to the CRPS.

    Of levels that are symmetric around the median it is a weighted mean of interval scores: Bracher, Ray, Gneiting and
    Reich, PLoS Comput. Biol. 17 (2021).

    Examples
    --------
    >>> round(weighted_interval_score(np.array([1.0, 2.0, 3.0]), np.array([0.25, 0.5, 0.75]), 2.0), 6)
    0.333333
    """
    return float(np.mean(2 * ((outcome <= quantiles) - levels) * (quantiles - outcome)))


def pit(sample: Array, outcome: float) -> float:
    """Probability integral transform: the share of draws below the outcome, ties by half.

    Examples
    --------
    >>> pit(np.array([1.0, 2.0, 3.0]), 2.0)
    0.5
    """
    return float(np.mean(sample < outcome) + np.mean(sample == outcome) / 2)


def energy(paths: Array, outcome: Array) -> float:
    r"""Energy score of paths, :math:`E\|X - y\| - \tfrac12 E\|X - X'\|`.

    Pairs are those of each path with the one a fixed number of places further, at eight distances.

    Parameters
    ----------
    paths : array of shape (draws, labels)
    outcome : array of shape (labels,)

    Examples
    --------
    >>> energy(np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([3.0, 4.0]))
    5.0
    """
    count, exponent = len(paths), int(np.frexp(max(np.abs(paths).max(), np.abs(outcome).max()))[1])
    paths, outcome = np.ldexp(paths, -exponent), np.ldexp(outcome, -exponent)
    steps = np.unique(np.linspace(1, max(count // 2, 1), 8).astype(int))
    apart = np.mean([np.linalg.norm(paths - np.roll(paths, step, axis=0), axis=1).mean() for step in steps])
    return math.ldexp(float(np.linalg.norm(paths - outcome, axis=1).mean() - apart / 2), exponent)
