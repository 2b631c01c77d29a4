"""Families over scipy, by what an expert says: a central interval, or moments."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np

from demandsim.distributions.law import Array, Distribution, Law, build, standard_normal
from demandsim.errors import DistributionError

__all__ = [
    "ScipyLaw",
    "beta",
    "gamma",
    "lognormal",
    "loguniform",
    "normal",
    "pert",
    "student_t",
    "triangular",
    "uniform",
]

#: A number, or a DataArray with one number per year, hardware, ...
Parameter: TypeAlias = Any


@dataclass(frozen=True, eq=False)
class ScipyLaw:
    """A law that is a frozen distribution of `scipy.stats`, with a fast quantile function if it has one."""

    rv: Any
    fast: Callable[[Array], Array] | None = None
    #: For laws that are functions of a normal: takes standard normal numbers to values.
    of_normal: Callable[[Array], Array] | None = None

    @property
    def direct(self) -> bool:
        """True if `ppf` needs no table."""
        return self.fast is not None

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return self.fast(u) if self.fast is not None else cast(Array, self.rv.ppf(u))

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return cast(Array, self.rv.isf(u))

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return cast(Array, self.rv.cdf(x))

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return cast(Array, self.rv.sf(x))

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`."""
        return cast(Array, self.rv.logpdf(x) if hasattr(self.rv, "logpdf") else self.rv.logpmf(x))

    def mean(self) -> float:
        """Expected value."""
        return float(self.rv.mean())

    def std(self) -> float:
        """Standard deviation."""
        return float(self.rv.std())

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        low, high = self.rv.support()
        return float(low), float(high)


def _finite(**values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not math.isfinite(value):
            raise DistributionError(f"{name} must be a finite number, not {value}")


def _check_interval(low: float, high: float, prob: float) -> None:
    _finite(low=low, high=high, prob=prob)
    if not low < high:
        raise DistributionError("low must be below high")
    if not 0.0 < prob < 1.0:
        raise DistributionError("prob must lie between 0 and 1 (for example 0.9 for P5 to P95)")


def _either(interval: tuple[Any, Any], moments: tuple[Any, Any], words: str = "mean and sd") -> bool:
    """Return True for an interval, False for moments; raise unless exactly one is complete."""
    whole = [None not in pair for pair in (interval, moments)]
    parts = [any(item is not None for item in pair) for pair in (interval, moments)]
    if whole == parts and whole.count(True) == 1:
        return whole[0]
    raise DistributionError(f"give either low and high, or {words}, and both of them")


def _positive_sd(mean: float, sd: float) -> None:
    _finite(mean=mean, sd=sd)
    if not sd > 0:
        raise DistributionError("sd must be positive (for a sure value use constant)")


def _normal_law(mean: float, sd: float) -> Law:
    from scipy import stats

    def of_normal(z: Array) -> Array:
        return mean + sd * z

    return ScipyLaw(stats.norm(mean, sd), lambda u: of_normal(standard_normal()(u)), of_normal)


def _lognormal_law(mu: float, sigma: float) -> Law:
    from scipy import stats

    if not math.isfinite(math.exp(min(mu, 710.0))) or not math.isfinite(sigma) or sigma <= 0:
        raise DistributionError("the numbers are too large or too close together for a double")

    def of_normal(z: Array) -> Array:
        scaled = sigma * z
        scaled += mu
        return np.exp(scaled, out=scaled)

    return ScipyLaw(stats.lognorm(sigma, scale=math.exp(mu)), lambda u: of_normal(standard_normal()(u)), of_normal)


def _central_z(prob: float) -> float:
    from scipy import special

    return float(special.ndtri(0.5 + prob / 2))


def _solve_normal(
    low: float | None = None,
    high: float | None = None,
    prob: float = 0.9,
    mean: float | None = None,
    sd: float | None = None,
) -> Law:
    if _either((low, high), (mean, sd)):
        low, high = cast(float, low), cast(float, high)
        _check_interval(low, high, prob)
        return _normal_law((low + high) / 2, (high - low) / (2 * _central_z(prob)))
    mean, sd = cast(float, mean), cast(float, sd)
    _positive_sd(mean, sd)
    return _normal_law(mean, sd)


def normal(
    low: Parameter = None,
    high: Parameter = None,
    *,
    prob: Parameter = None,
    mean: Parameter = None,
    sd: Parameter = None,
) -> Distribution:
    r"""Normal distribution, by its central interval or by moments.

    Parameters
    ----------
    low, high : float or DataArray
        Ends of the central interval that holds `prob` of the probability.
    prob : float, default 0.9
        Probability of the interval; 0.9 makes `low` and `high` the P5 and P95.
    mean, sd : float or DataArray
        Moments, instead of an interval. ``sd > 0``.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If both or neither are given, ``low >= high``, or a number is not finite.

    Notes
    -----
    .. math:: \mu = \frac{l + h}{2}, \quad \sigma = \frac{h - l}{2 \Phi^{-1}((1 + p) / 2)}

    Examples
    --------
    >>> normal(8, 12).mean(), normal(8, 12).sd().round(3)
    (np.float64(10.0), np.float64(1.216))
    """
    return build(
        "normal", _solve_normal, ("low", "high"), low=low, high=high, prob=_default(prob, low), mean=mean, sd=sd
    )


def _default(prob: Parameter, low: Parameter, default: float = 0.9) -> Parameter:
    return default if prob is None and low is not None else prob


def _solve_lognormal(
    low: float | None = None,
    high: float | None = None,
    prob: float = 0.9,
    mean: float | None = None,
    sd: float | None = None,
    median: float | None = None,
    factor: float | None = None,
) -> Law:
    if median is not None or factor is not None:
        if not _either((low, high), (median, factor), "median and factor") and mean is None and sd is None:
            median, factor = cast(float, median), cast(float, factor)
            _finite(median=median, factor=factor)
            if median <= 0 or factor <= 1 or not 0 < prob < 1:
                raise DistributionError("median must be positive, factor above 1, prob between 0 and 1")
            return _lognormal_law(math.log(median), math.log(factor) / _central_z(prob))
        raise DistributionError("give either low and high, or mean and sd, or median and factor")
    if _either((low, high), (mean, sd), "mean and sd, or median and factor"):
        low, high = cast(float, low), cast(float, high)
        _check_interval(low, high, prob)
        if low <= 0:
            raise DistributionError("low must be positive: a lognormal has no values at or below 0")
        return _lognormal_law(
            (math.log(low) + math.log(high)) / 2, (math.log(high) - math.log(low)) / (2 * _central_z(prob))
        )
    mean, sd = cast(float, mean), cast(float, sd)
    _positive_sd(mean, sd)
    if mean <= 0:
        raise DistributionError("mean must be positive: a lognormal has no values at or below 0")
    variance = math.log1p((sd / mean) ** 2)
    return _lognormal_law(math.log(mean) - variance / 2, math.sqrt(variance))


def lognormal(
    low: Parameter = None,
    high: Parameter = None,
    *,
    prob: Parameter = None,
    mean: Parameter = None,
    sd: Parameter = None,
    median: Parameter = None,
    factor: Parameter = None,
) -> Distribution:
    r"""Lognormal distribution, by its central interval, by moments, or "within a factor of".

    Parameters
    ----------
    low, high : float or DataArray
        Ends of the central interval, ``0 < low < high``.
    prob : float, default 0.9
        Probability of the interval.
    mean, sd : float or DataArray
        Moments of the variable itself (not of its logarithm), instead of an interval.
    median, factor : float or DataArray
        Instead: `prob` of the probability lies between ``median / factor`` and ``median * factor``.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If not exactly one of the three is given, or it is impossible.

    Notes
    -----
    With :math:`z = \Phi^{-1}((1 + p) / 2)`: :math:`\mu = (\ln l + \ln h) / 2` and
    :math:`\sigma = \ln(h / l) / 2z`; by moments, :math:`\sigma^2 = \ln(1 + s^2 / m^2)`.

    Examples
    --------
    >>> lognormal(500, 2000).median().round(6)
    np.float64(1000.0)
    >>> lognormal(median=110e9, factor=2).ppf([0.05, 0.95]).round(-6)
    array([5.5e+10, 2.2e+11])
    """
    return build(
        "lognormal",
        _solve_lognormal,
        ("low", "high"),
        low=low,
        high=high,
        mean=mean,
        sd=sd,
        median=median,
        factor=factor,
        prob=_default(prob, low if low is not None else factor),
    )


def _widened(low: float, high: float, prob: float) -> tuple[float, float]:
    """Bounds of a uniform whose central interval of probability `prob` is (low, high)."""
    if prob == 1.0:
        _check_interval(low, high, 0.5)
        return low, high
    _check_interval(low, high, prob)
    margin = (high - low) * (1 - prob) / (2 * prob)
    return low - margin, high + margin


def _solve_uniform(
    low: float | None = None,
    high: float | None = None,
    prob: float = 1.0,
    mean: float | None = None,
    sd: float | None = None,
) -> Law:
    from scipy import stats

    if _either((low, high), (mean, sd)):
        low, high = _widened(cast(float, low), cast(float, high), prob)
    else:
        mean, sd = cast(float, mean), cast(float, sd)
        _positive_sd(mean, sd)
        low, high = mean - math.sqrt(3) * sd, mean + math.sqrt(3) * sd
    start, width = low, high - low
    return ScipyLaw(stats.uniform(start, width), lambda u: start + width * u)


def uniform(
    low: Parameter = None,
    high: Parameter = None,
    *,
    prob: Parameter = None,
    mean: Parameter = None,
    sd: Parameter = None,
) -> Distribution:
    r"""Uniform distribution, by its bounds, a central interval, or moments.

    Parameters
    ----------
    low, high : float or DataArray
        Bounds; with ``prob < 1``, ends of the central interval of that probability.
    prob : float, default 1.0
    mean, sd : float or DataArray
        Moments, instead of an interval; the bounds are :math:`m \mp \sqrt 3 s`.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If both or neither are given, or ``low >= high``.

    Examples
    --------
    >>> uniform(2, 4).laws[0].support()
    (2.0, 4.0)
    >>> uniform(2, 4, prob=0.5).laws[0].support()
    (1.0, 5.0)
    """
    return build(
        "uniform", _solve_uniform, ("low", "high"), low=low, high=high, prob=_default(prob, low, 1.0), mean=mean, sd=sd
    )


def _solve_loguniform(
    low: float | None = None,
    high: float | None = None,
    prob: float = 1.0,
    mean: float | None = None,
    sd: float | None = None,
) -> Law:
    from scipy import optimize, stats

    if _either((low, high), (mean, sd)):
        low, high = cast(float, low), cast(float, high)
        _finite(low=low, high=high)
        if low <= 0:
            raise DistributionError("low must be positive: a loguniform has no values at or below 0")
        start, stop = _widened(math.log(low), math.log(high), prob)
    else:
        mean, sd = cast(float, mean), cast(float, sd)
        _positive_sd(mean, sd)
        if mean <= 0:
            raise DistributionError("mean must be positive: a loguniform has no values at or below 0")
        target = math.log1p((sd / mean) ** 2)

        def excess(half: float) -> float:
            # E[x^2] / E[x]^2 = h coth(h) for logarithms within +-h of their centre.
            return math.log(half / math.tanh(half)) - target

        if excess(300.0) < 0:
            raise DistributionError("sd is too large for a loguniform of that mean")
        half = float(optimize.brentq(excess, 1e-9, 300.0, xtol=1e-15))
        centre = math.log(mean) - math.log(math.sinh(half) / half)
        start, stop = centre - half, centre + half
    width = stop - start

    def quantile(u: Array) -> Array:
        return np.exp(start + width * u)

    return ScipyLaw(stats.loguniform(math.exp(start), math.exp(stop)), quantile)


def loguniform(
    low: Parameter = None,
    high: Parameter = None,
    *,
    prob: Parameter = None,
    mean: Parameter = None,
    sd: Parameter = None,
) -> Distribution:
    r"""Loguniform distribution: every factor of two within the bounds is equally likely.

    Parameters
    ----------
    low, high : float or DataArray
        Bounds, ``0 < low < high``; with ``prob < 1``, ends of the central interval.
    prob : float, default 1.0
    mean, sd : float or DataArray
        Moments, instead of an interval; with logarithms within :math:`\pm h` of their centre,
        :math:`1 + s^2 / m^2 = h \coth h`.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If both or neither are given, or they are impossible.

    Examples
    --------
    >>> loguniform(1, 100).median().round(9)
    np.float64(10.0)
    """
    return build(
        "loguniform",
        _solve_loguniform,
        ("low", "high"),
        low=low,
        high=high,
        prob=_default(prob, low, 1.0),
        mean=mean,
        sd=sd,
    )


def _solve_pair(residual: Callable[[Array], Any], starts: list[tuple[float, float]], what: str) -> tuple[float, float]:
    """Solve two equations in two positive unknowns, in logarithms, from several starts."""
    from scipy import optimize

    with np.errstate(all="ignore"):
        for start in starts:
            found = optimize.root(
                lambda log: residual(np.exp(log)), np.log(start), method="hybr", options={"xtol": 1e-13}
            )
            if np.all(np.isfinite(found.x)) and np.max(np.abs(residual(np.exp(found.x)))) < 1e-9:
                one, other = np.exp(found.x)
                return float(one), float(other)
    raise DistributionError(f"no {what} has this interval")


def _check_mode(low: float, mode: float, high: float, prob: float) -> None:
    _finite(low=low, mode=mode, high=high, prob=prob)
    if not low < high:
        raise DistributionError("low must be below high")
    if not low <= mode <= high:
        raise DistributionError("mode must lie between low and high")
    if not 0 < prob <= 1:
        raise DistributionError("prob must lie between 0 and 1, or be 1 for bounds")
    if prob < 1 and not low < mode < high:
        raise DistributionError("with prob below 1 the mode must lie strictly between low and high")


def _bounds_by_percentiles(
    make: Callable[[float, float], Any], low: float, mode: float, high: float, prob: float, what: str
) -> tuple[float, float]:
    """Bounds left and right of the mode such that (low, high) is the central interval."""
    tail = (1 - prob) / 2

    def residual(spans: Array) -> list[float]:
        rv = make(mode - spans[0], mode + spans[1])
        return [float(rv.cdf(low)) - tail, float(rv.sf(high)) - tail]

    stretch = 1 + tail * 4
    starts = [((mode - low) * f, (high - mode) * f) for f in (stretch, 1.05, 1.5, 3.0)]
    left, right = _solve_pair(residual, starts, what)
    return mode - left, mode + right


def _solve_triangular(low: float, mode: float, high: float, prob: float = 1.0) -> Law:
    from scipy import stats

    _check_mode(low, mode, high, prob)

    def make(start: float, stop: float) -> Any:
        return stats.triang((mode - start) / (stop - start), start, stop - start)

    if prob < 1:
        low, high = _bounds_by_percentiles(make, low, mode, high, prob, "triangular")
    start, stop = low, high
    share = (mode - start) / (stop - start)
    rise, fall = (stop - start) * (mode - start), (stop - start) * (stop - mode)

    def quantile(u: Array) -> Array:
        return cast(Array, np.where(u < share, start + np.sqrt(rise * u), stop - np.sqrt(fall * (1 - u))))

    return ScipyLaw(make(start, stop), quantile)


def triangular(low: Parameter, mode: Parameter, high: Parameter, *, prob: Parameter = 1.0) -> Distribution:
    """Triangular distribution, by its bounds and mode, or by a central interval and mode.

    Parameters
    ----------
    low, mode, high : float or DataArray
        Smallest, most likely and largest value; with ``prob < 1``, `low` and `high` are the ends
        of the central interval of that probability, and the bounds are solved for.
    prob : float, default 1.0

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If they are out of order, or no triangle has that interval.

    Examples
    --------
    >>> triangular(0, 1, 2).sd().round(4)
    np.float64(0.4082)
    >>> triangular(0, 1, 2, prob=0.9).ppf([0.05, 0.95]).round(6)
    array([0., 2.])
    """
    return build("triangular", _solve_triangular, ("low", "mode", "high"), low=low, mode=mode, high=high, prob=prob)


def _solve_pert(low: float, mode: float, high: float, prob: float = 1.0, shape: float = 4.0) -> Law:
    from scipy import stats

    _check_mode(low, mode, high, prob)
    _finite(shape=shape)
    if shape <= 0:
        raise DistributionError("shape must be positive (4 is the classical PERT)")

    def make(start: float, stop: float) -> Any:
        width = stop - start
        return stats.beta(1 + shape * (mode - start) / width, 1 + shape * (stop - mode) / width, start, width)

    if prob < 1:
        low, high = _bounds_by_percentiles(make, low, mode, high, prob, "pert")
    return ScipyLaw(make(low, high))


def pert(
    low: Parameter, mode: Parameter, high: Parameter, *, prob: Parameter = 1.0, shape: Parameter = 4.0
) -> Distribution:
    r"""PERT distribution: a beta stretched between bounds, peaked at the mode.

    Parameters
    ----------
    low, mode, high : float or DataArray
        Smallest, most likely and largest value; with ``prob < 1``, `low` and `high` are the ends
        of the central interval of that probability.
    prob : float, default 1.0
    shape : float, default 4.0
        Weight of the mode; larger is narrower.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If they are out of order, or no PERT has that interval.

    Notes
    -----
    A beta on (low, high) with :math:`\alpha = 1 + \lambda (m - l) / (h - l)` and
    :math:`\beta = 1 + \lambda (h - m) / (h - l)`; mean :math:`(l + \lambda m + h) / (\lambda + 2)`.
    Source: Malcolm et al., Operations Research 7 (1959), with the shape of Vose (2000).

    Examples
    --------
    >>> pert(0, 1, 5).mean().round(6)
    np.float64(1.5)
    """
    return build("pert", _solve_pert, ("low", "mode", "high"), low=low, mode=mode, high=high, prob=prob, shape=shape)


def _solve_beta(
    low: float | None = None,
    high: float | None = None,
    prob: float = 0.9,
    mean: float | None = None,
    sd: float | None = None,
) -> Law:
    from scipy import special, stats

    if not _either((low, high), (mean, sd)):
        mean, sd = cast(float, mean), cast(float, sd)
        _positive_sd(mean, sd)
        if not 0 < mean < 1:
            raise DistributionError("mean must lie between 0 and 1")
        if sd * sd >= mean * (1 - mean):
            raise DistributionError(f"sd must be below sqrt(mean * (1 - mean)) = {math.sqrt(mean * (1 - mean)):.4g}")
        size = mean * (1 - mean) / (sd * sd) - 1
        return ScipyLaw(stats.beta(mean * size, (1 - mean) * size))
    low, high = cast(float, low), cast(float, high)
    _check_interval(low, high, prob)
    if low <= 0 or high >= 1:
        raise DistributionError("the interval must lie strictly inside 0 and 1")
    tail = (1 - prob) / 2

    def residual(ab: Array) -> list[float]:
        return [special.betainc(ab[0], ab[1], low) - tail, special.betaincc(ab[0], ab[1], high) - tail]

    guess_mean, guess_sd = (low + high) / 2, (high - low) / (2 * _central_z(prob))
    sizes = [max(guess_mean * (1 - guess_mean) / guess_sd**2 - 1, 0.5) * f for f in (1.0, 0.5, 2.0, 0.1)]
    starts = [(guess_mean * size, (1 - guess_mean) * size) for size in sizes] + [(1.0, 1.0), (0.5, 0.5)]
    a, b = _solve_pair(residual, starts, "beta")
    return ScipyLaw(stats.beta(a, b))


def beta(
    low: Parameter = None,
    high: Parameter = None,
    *,
    prob: Parameter = None,
    mean: Parameter = None,
    sd: Parameter = None,
) -> Distribution:
    r"""Beta distribution of a share between 0 and 1, by its central interval or by moments.

    Parameters
    ----------
    low, high : float or DataArray
        Ends of the central interval, ``0 < low < high < 1``.
    prob : float, default 0.9
        Probability of the interval.
    mean, sd : float or DataArray
        Moments, instead of an interval, with ``sd**2 < mean * (1 - mean)``.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If the interval is not inside (0, 1), or the moments are impossible.

    Notes
    -----
    By moments, :math:`\alpha = m k` and :math:`\beta = (1 - m) k` with
    :math:`k = m (1 - m) / s^2 - 1`; by interval, both percentiles are solved for.

    Examples
    --------
    >>> beta(mean=0.45, sd=0.1).sd().round(9)
    np.float64(0.1)
    >>> beta(0.2, 0.6).ppf([0.05, 0.95]).round(9)
    array([0.2, 0.6])
    """
    return build("beta", _solve_beta, ("low", "high"), low=low, high=high, prob=_default(prob, low), mean=mean, sd=sd)


def _solve_gamma(
    low: float | None = None,
    high: float | None = None,
    prob: float = 0.9,
    mean: float | None = None,
    sd: float | None = None,
) -> Law:
    from scipy import optimize, special, stats

    if not _either((low, high), (mean, sd)):
        mean, sd = cast(float, mean), cast(float, sd)
        _positive_sd(mean, sd)
        if mean <= 0:
            raise DistributionError("mean must be positive")
        return ScipyLaw(stats.gamma((mean / sd) ** 2, scale=sd * sd / mean))
    low, high = cast(float, low), cast(float, high)
    _check_interval(low, high, prob)
    if low <= 0:
        raise DistributionError("low must be positive: a gamma has no values at or below 0")
    tail = (1 - prob) / 2

    def excess(log_shape: float) -> float:
        # The ratio of the percentiles depends on the shape alone, and falls with it.
        shape = math.exp(log_shape)
        bottom = float(special.gammaincinv(shape, tail))
        if bottom <= 0:
            return math.inf
        return math.log(float(special.gammainccinv(shape, tail)) / bottom) - math.log(high / low)

    lowest, highest = math.log(5e-3), math.log(1e12)
    if not excess(lowest) > 0 > excess(highest):
        raise DistributionError("no gamma has this interval: it is too wide or too narrow")
    shape = math.exp(float(optimize.brentq(lambda s: min(excess(s), 1e6), lowest, highest, xtol=1e-14, rtol=1e-14)))
    return ScipyLaw(stats.gamma(shape, scale=high / float(special.gammainccinv(shape, tail))))


def gamma(
    low: Parameter = None,
    high: Parameter = None,
    *,
    prob: Parameter = None,
    mean: Parameter = None,
    sd: Parameter = None,
) -> Distribution:
    r"""Gamma distribution, by its central interval or by moments.

    Parameters
    ----------
    low, high : float or DataArray
        Ends of the central interval, ``0 < low < high``.
    prob : float, default 0.9
        Probability of the interval.
    mean, sd : float or DataArray
        Moments, instead of an interval: shape :math:`(m / s)^2`, scale :math:`s^2 / m`.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If both or neither are given, or no gamma has that interval.

    Examples
    --------
    >>> gamma(1, 10).ppf([0.05, 0.95]).round(9)
    array([ 1., 10.])
    """
    return build("gamma", _solve_gamma, ("low", "high"), low=low, high=high, prob=_default(prob, low), mean=mean, sd=sd)


def _solve_student_t(
    low: float | None = None,
    high: float | None = None,
    prob: float = 0.9,
    mean: float | None = None,
    sd: float | None = None,
    df: float = 4.0,
) -> Law:
    from scipy import special, stats

    _finite(df=df)
    if df <= 0:
        raise DistributionError("df must be positive")
    if _either((low, high), (mean, sd)):
        low, high = cast(float, low), cast(float, high)
        _check_interval(low, high, prob)
        return ScipyLaw(stats.t(df, (low + high) / 2, (high - low) / (2 * float(special.stdtrit(df, 0.5 + prob / 2)))))
    mean, sd = cast(float, mean), cast(float, sd)
    _positive_sd(mean, sd)
    if df <= 2:
        raise DistributionError("df must be above 2 to have an sd; give low and high instead")
    return ScipyLaw(stats.t(df, mean, sd * math.sqrt((df - 2) / df)))


def student_t(
    low: Parameter = None,
    high: Parameter = None,
    *,
    df: Parameter = 4.0,
    prob: Parameter = None,
    mean: Parameter = None,
    sd: Parameter = None,
) -> Distribution:
    """Student's t distribution, by its central interval or by moments: tails heavier than normal.

    Parameters
    ----------
    low, high : float or DataArray
        Ends of the central interval.
    df : float, default 4.0
        Degrees of freedom; smaller is heavier.
    prob : float, default 0.9
        Probability of the interval.
    mean, sd : float or DataArray
        Moments, instead of an interval; needs ``df > 2``.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If both or neither are given, ``df <= 0``, or an sd is asked for that does not exist.

    Examples
    --------
    >>> student_t(8, 12, df=3).ppf([0.05, 0.95]).round(9)
    array([ 8., 12.])
    """
    return build(
        "student_t",
        _solve_student_t,
        ("low", "high"),
        low=low,
        high=high,
        df=df,
        prob=_default(prob, low),
        mean=mean,
        sd=sd,
    )
