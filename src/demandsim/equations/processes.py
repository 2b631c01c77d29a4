"""Processes: how a quantity wanders, returns, jumps or changes along time, from shocks that are assumptions.

Each is a plain function of shocks, exact for labels at uneven distances: a model with labels 2025, 2026 and 2030 has in
2030 the law that one with every year has. A level may be of any unit; who takes one into a model names it and its unit,
``processes.random_walk(shock=price_shock) as card_price in CNY/card`` in a study file or ``renamed`` in Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from demandsim.errors import EquationError
from demandsim.graph.equation import equation
from demandsim.units.constant import constant

_YEAR = constant(1, "year")
_LN2, _HALF = math.log(2), 1 / 2
#: What labels of a dim may be seasons of, by the name of their own dim.
_SEASONS = ("month", "quarter", "weekday", "hour")


@equation(unit="1")
def random_walk(
    initial_level: Any, drift: Any, volatility: Any, shock: Any, elapsed_time: Any, period: Any = _YEAR
) -> Any:
    r"""Random walk: a drift, and what every period adds by chance and is never taken back.

    .. math:: x_i = x_0 + \mu \, t_i + \sigma \sum_{j \le i} \sqrt{(t_j - t_{j-1}) / P} \; z_j, \quad t_{-1} = 0

    `shock` is a standard normal number a label; `volatility` the standard deviation of what a period adds, in the unit
    of the level; `drift` that unit a year.

    Source: Brownian motion with drift, of which labels see the increments.
    """
    return initial_level + drift * elapsed_time + volatility * _brownian(shock, elapsed_time, period)


@equation(unit="1", bounds=(0, None))
def geometric_random_walk(
    initial_level: Any, drift: Any, volatility: Any, shock: Any, elapsed_time: Any, period: Any = _YEAR
) -> Any:
    r"""Geometric random walk: every period multiplies by chance, so that a level stays positive.

    .. math:: x_i = x_0 \exp\Big(\mu \, t_i + \sigma \sum_{j \le i} \sqrt{(t_j - t_{j-1}) / P} \; z_j\Big)

    `drift` is the growth rate of the median, and `volatility` the standard deviation of what a period adds to the
    logarithm: 0.2 is about 20%. The mean grows faster, at the drift plus half of the squared volatility.

    Source: geometric Brownian motion, of which labels see the increments: M. F. M. Osborne, Operations
    Research 7 (1959).
    """
    return initial_level * np.exp(drift * elapsed_time + volatility * _brownian(shock, elapsed_time, period))


@equation(unit="1")
def mean_reverting(
    initial_level: Any, mean_level: Any, half_life: Any, level_sd: Any, shock: Any, elapsed_time: Any
) -> Any:
    r"""Mean-reverting level: from where it stands it comes back to its mean, and shocks fade.

    .. math:: x_i = m + (x_{i-1} - m) \, 2^{-\Delta_i / h} + s \sqrt{1 - 4^{-\Delta_i / h}} \; z_i, \quad x_{-1} = x_0

    `level_sd` is the standard deviation around the mean in the long run, `half_life` the time after which half of a
    shock is left. The mean of what it adds up to between labels is `growth.reverting_rate`.

    Source: G. E. Uhlenbeck and L. S. Ornstein, Phys. Rev. 36 (1930); the step from label to label is exact.
    """
    dim = time_dim("mean_reverting", "elapsed_time", elapsed_time)
    step = elapsed_time - elapsed_time.shift({dim: 1}, fill_value=0)
    kept = np.exp(-_LN2 * (step / half_life))
    new = level_sd * np.sqrt(1 - kept * kept) * shock
    return (
        mean_level
        + (initial_level - mean_level) * np.exp(-_LN2 * (elapsed_time / half_life))
        + persisted(new, kept, dim)
    )


@equation(unit="1")
def autoregressive(
    mean_level: Any, persistence: Any, level_sd: Any, shock: Any, elapsed_time: Any, period: Any = _YEAR
) -> Any:
    r"""Autoregressive level, AR(1): as far from its mean as ever at the first label, and alike from label to label.

    .. math:: x_i = m + d_i, \quad d_i = \rho^{\Delta_i / P} \, d_{i-1} + s \sqrt{1 - \rho^{2 \Delta_i / P}} \; z_i,
        \quad d_0 = s \, z_0

    `persistence` is the correlation of levels that are one `period` apart, and `level_sd` their standard deviation, the
    same at every label. It is `mean_reverting` of which nobody knows where it stands. A negative persistence needs
    labels that are whole periods apart.

    Source: autoregression of first order in its stationary state, G. U. Yule, Phil. Trans. R. Soc. A 226 (1927).
    """
    dim = time_dim("autoregressive", "elapsed_time", elapsed_time)
    step = (elapsed_time - elapsed_time.shift({dim: 1}, fill_value=0)) / period
    # Nothing is kept of what was before the first label.
    kept = persistence**step * (step * 0 + 1).shift({dim: 1}, fill_value=0)
    return mean_level + persisted(level_sd * np.sqrt(1 - kept * kept) * shock, kept, dim)


@equation(unit="1", bounds=(0, None))
def seasonal_factor(seasonal_weight: Any, elapsed_time: Any) -> Any:
    r"""Seasonal factor of a date: the weight of its month, quarter, weekday or hour over the mean of all.

    .. math:: f_i = M \, w_{m(i)} / \sum_m w_m

    `seasonal_weight` has a dim ``month`` or ``quarter`` (labels from 1), ``weekday`` (0 is Monday) or ``hour``;
    `elapsed_time` gives the dates. Whatever the weights, what they multiply keeps its mean over a whole season.

    Source: the seasonal component of classical decomposition, W. M. Persons, Review of Economics and
    Statistics 1 (1919).
    """
    season = [dim for dim in _SEASONS if dim in getattr(seasonal_weight, "dims", ())]
    if len(season) != 1 or "date" not in getattr(elapsed_time, "dims", ()):
        raise EquationError(
            "seasonal_factor needs one dim of month, quarter, weekday or hour in seasonal_weight, and dates in a dim "
            "'date' of elapsed_time"
        )
    known = seasonal_weight[season[0]].values.tolist()
    asked = getattr(elapsed_time["date"].dt, season[0])
    if missing := sorted(set(asked.values.tolist()) - set(known)):
        raise EquationError(f"seasonal_factor: dates fall into {season[0]} {missing[0]}; seasonal_weight has {known}")
    shares = seasonal_weight / seasonal_weight.mean(season[0])
    return shares.sel({season[0]: asked}).drop_vars(season[0])


@equation(unit="1")
def jump(jump_size: Any, jump_probability: Any, jump_chance: Any, elapsed_time: Any, period: Any = _YEAR) -> Any:
    r"""Jump: 0 until a shock that happens once, at a random date, and the size of it from then on.

    .. math:: x_i = S \, [\, U \le 1 - (1 - p)^{t_i / P} \,]

    `jump_probability` is that of the shock within a `period`, as long as it has not happened, and `jump_chance` a
    number between 0 and 1 without a dim, ``uniform(0, 1)``: it is one date for all labels, whatever labels there are.

    Source: the first event of a Poisson process.
    """
    return jump_size * (1 - (1 - jump_probability) ** (elapsed_time / period) >= jump_chance)


@equation(unit="1")
def jumps(
    jump_frequency: Any, jump_mean: Any, jump_sd: Any, count_chance: Any, size_shock: Any, elapsed_time: Any
) -> Any:
    r"""Jumps: shocks that happen again and again at random dates, each of its own size; the sum of those so far.

    .. math:: x_i = \sum_{j \le i} \big( n_j \, m + \sqrt{n_j} \, s \, z_j \big), \quad
        n_j \sim \text{Poisson}(\lambda \, (t_j - t_{j-1}))

    `jump_frequency` is how many are expected a year; sizes are normal. By label, `count_chance` is a number between 0
    and 1 that tells how many there were and `size_shock` a standard normal one. With a random walk for what happens
    every day it is a jump diffusion.

    Source: compound Poisson process; R. C. Merton, Journal of Financial Economics 3 (1976).
    """
    dim = time_dim("jumps", "elapsed_time", elapsed_time)
    step = elapsed_time - elapsed_time.shift({dim: 1}, fill_value=0)
    count = _poisson_quantile(count_chance, jump_frequency * step)
    return (count * jump_mean + np.sqrt(count) * jump_sd * size_shock).cumsum(dim, skipna=False)


@equation(unit="1")
def regime(level_before: Any, level_after: Any, change_time: Any, elapsed_time: Any) -> Any:
    r"""Regime: one level before a date and another from it on.

    .. math:: x_i = b \; [\, t_i < T \,] + a \; [\, t_i \ge T \,]

    `change_time` is counted as `elapsed_time` is, and may be uncertain; both levels may vary by label.

    Source: definition of a structural break.
    """
    changed = elapsed_time >= change_time
    return level_before * (1 - changed) + level_after * changed


@equation(unit="1")
def bridged_shock(shock: Any, elapsed_time: Any) -> Any:
    r"""Shocks of the steps of a random walk, made of shocks of which the first tells most of where it goes.

    .. math:: W(t) \;|\; W(a), W(b) \sim N\Big(\frac{(b - t) \, W(a) + (t - a) \, W(b)}{b - a},
        \frac{(t - a)(b - t)}{b - a}\Big)

    The first shock is where Brownian motion ends, the second where it is halfway, then each half likewise: a Brownian
    bridge. The result is as independent and standard normal as what it is made of. A quasi-random design is most even
    in its first dims, and here these hold most of the variance. Shocks that are correlated by label are no such shocks.

    Source: B. Moskowitz and R. E. Caflisch, "Smoothness and dimension reduction in quasi-Monte Carlo methods",
    Mathematical and Computer Modelling 23 (1996).
    """
    import xarray as xr

    dim = time_dim("bridged_shock", "elapsed_time", elapsed_time)
    if elapsed_time.size != elapsed_time.sizes[dim]:
        raise EquationError("bridged_shock needs an elapsed_time that is sure, and the same in all scenarios")
    rows = _bridge(np.diff(np.ravel(np.asarray(elapsed_time)), prepend=0))
    parts = (shock.isel({dim: k}, drop=True) * xr.DataArray(row, dims=dim) for k, row in enumerate(rows))
    # One after the other: the order in which a product of matrices adds up hangs on its size.
    return sum(parts).assign_coords({dim: elapsed_time[dim]})


def _bridge(steps: Any) -> Any:
    """What each shock adds to the shock of each step, a row each; orthogonal."""
    moving = np.flatnonzero(steps)
    lengths, ends = steps[moving], np.cumsum(steps[moving])
    # Steps of no length keep shocks of their own, which do nothing.
    rows, waiting = [], [(0, lengths.size)] if lengths.size else []
    if waiting:
        rows.append(np.sqrt(lengths / ends[-1]))
    while waiting:
        first, last = waiting.pop(0)
        if last - first < 2:
            continue
        start, end = ends[first] - lengths[first], ends[last - 1]
        middle = first + 1 + int(np.argmin(np.abs(ends[first : last - 1] - (start + end) * _HALF)))
        before, after = ends[middle - 1] - start, end - ends[middle - 1]
        row = np.sqrt(lengths / (before + after))
        row[:first] = row[last:] = 0
        row[first:middle] *= np.sqrt(after / before)
        row[middle:last] *= -np.sqrt(before / after)
        rows.append(row)
        waiting += [(first, middle), (middle, last)]
    whole = np.eye(steps.size)[[*moving, *np.flatnonzero(steps == 0)]]
    whole[: moving.size] = 0
    whole[: moving.size, moving] = rows
    return whole


def _brownian(shock: Any, elapsed_time: Any, period: Any) -> Any:
    """Brownian motion at the labels, of variance 1 a period."""
    dim = time_dim("a random walk", "elapsed_time", elapsed_time)
    step = elapsed_time - elapsed_time.shift({dim: 1}, fill_value=0)
    return (np.sqrt(step / period) * shock).cumsum(dim, skipna=False)


def _poisson_quantile(chance: Any, mean: Any) -> Any:
    """Least count of which the distribution function reaches a chance."""
    import xarray as xr
    from scipy import special

    def counted(chance: Any, mean: Any) -> Any:
        above = np.ceil(special.pdtrik(chance, mean))
        below = np.maximum(above - 1, 0)
        found = np.where(special.pdtr(below, mean) >= chance, below, above)
        return np.where(mean == 0, 0, found)

    return xr.apply_ufunc(counted, chance, mean)


def persisted(shock: Any, persistence: Any, dim: str) -> Any:
    """Shocks and what lives on of earlier ones, along a dim; `persistence` may vary along it."""
    import xarray as xr

    kept = persistence if hasattr(persistence, "dims") else xr.full_like(shock.isel({dim: 0}, drop=True), persistence)
    shock, kept = xr.broadcast(shock, kept)
    # Row by row without labels, of which each sum would make new ones.
    axis = shock.dims.index(dim)
    new, left = (np.moveaxis(each.transpose(*shock.dims).data, axis, 0) for each in (shock, kept))
    drift = [new[0]]
    for place in range(1, len(new)):
        drift.append(left[place] * drift[-1] + new[place])
    return shock.copy(data=np.stack(drift, axis=axis))


def unlabelled(function: Callable[[Any], tuple[Any, ...]], value: Any) -> tuple[Any, ...]:
    """What an elementwise function makes of one array, whose labels are those of all results.

    Compared at each operation, labels take ten times as long as numbers of a few hundred draws.
    """
    import xarray as xr

    # Terms of an explanation are of a type of their own.
    if type(value) is not xr.DataArray:
        return function(value)
    return tuple(value.copy(data=found.data) for found in function(value.variable))


def time_dim(called: str, name: str, value: Any) -> str:
    """The dim along which time runs."""
    dims = getattr(value, "dims", ())
    return "year" if "year" in dims else "date" if "date" in dims else _no_time(called, name)


def _no_time(called: str, name: str) -> str:
    raise EquationError(f"{called} adds up over time: {name} needs a dim 'year' or 'date'")
