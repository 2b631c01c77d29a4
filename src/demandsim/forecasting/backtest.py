"""Backtest: models refitted at each cutoff on what had come out by then, and scored on what came after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from demandsim._system import Array, versions
from demandsim.errors import DemandsimError
from demandsim.forecasting.figures import ERROR_FACTORS, EXCESS, Figures, figures_of
from demandsim.forecasting.rules import crps, interval_score, log_score, pit
from demandsim.inference.importance import keyed
from demandsim.sampling.qmc import entropy_of
from demandsim.statistics.estimators import check_prob
from demandsim.statistics.mcse import spread_to_mcse
from demandsim.units.dates import decimal_year, first_day

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Forecaster", "backtest", "scores_of"]

#: What is told of each forecast, and its unit: that of the series, of its logarithm, a year, or none.
_TOLD = {
    "crps": "1",
    "mcse_crps": "1",
    "log": "1",
    "interval": "1",
    "pit": "1",
    "median": "",
    "lower": "",
    "upper": "",
    "outcome": "",
    "years_ahead": "year",
}


class Forecaster(Protocol):
    """What can be backtested: it draws the logarithm of one series at later years, given the figures of all."""

    def forecast(
        self, figures: Mapping[str, Figures], of: str, years: Array, *, draws: int, chains: int, seed: int
    ) -> Array:
        """Draws of the logarithm of the series `of`, shape (chains, draws, years)."""


@dataclass(frozen=True)
class _Task:
    """One series at one cutoff: what was known, and what came."""

    series: str
    cutoff: Any
    known: Mapping[str, Figures]
    later: Figures


def backtest(
    models: Mapping[str, Forecaster],
    series: Mapping[str, xr.DataArray],
    *,
    cutoffs: Sequence[str] | None = None,
    horizons: Sequence[int] = (1,),
    least: int = 2,
    factors: Mapping[str, float] = ERROR_FACTORS,
    prob: float = 0.9,
    draws: int = 512,
    chains: int = 8,
    seed: int | None = None,
) -> xr.Dataset:
    r"""Rolling origin: refit each model at each cutoff, and score its forecasts of the figures that came out next.

    A model sees what had been announced before the cutoff, of all series, and nothing else. It forecasts each figure
    as it would be read: with the error of a figure of its kind.

    Parameters
    ----------
    models : mapping of name to model
        Such as ``forecasting.RevertingGrowth()``, ``forecasting.Curve("gompertz")``, or anything with their method
        ``forecast``.
    series : mapping of name to DataArray
        Positive figures over ``date``, as `figures_of` reads them.
    cutoffs : sequence of str, optional
        Days; by default, for each series, each day on which a figure of it came out.
    horizons : sequence of int
        1 is the next figure that came out, 2 the one after it.
    least : int, default 2
        Figures of a series that must be known.
    factors : mapping of str to float
        Errors of figures by qualifier, as for `figures_of`.
    prob : float, default 0.9
        Of the intervals.
    draws, chains, seed
        Of each forecast.

    Returns
    -------
    Dataset
        Dims ``model``, ``series``, ``cutoff`` and ``horizon``; NaN where no figure was forecast. ``crps`` (with
        ``mcse_crps``), ``log`` and ``interval`` are scores of logarithms, the lower the better; ``pit`` is what
        `calibration` reads; ``median``, ``lower``, ``upper`` and ``outcome`` are in the unit of the series.

    Raises
    ------
    DemandsimError
        If nothing can be forecast: too few figures, or no figure after a cutoff.

    Notes
    -----
    Tashman, "Out-of-sample tests of forecasting accuracy", Int. J. Forecasting 16 (2000).

    Examples
    --------
    >>> import demandsim as ds
    >>> from demandsim import forecasting
    >>> tokens = {"Doubao": ds.load_series("doubao-daily-tokens").daily_tokens}
    >>> rivals = {"naive": forecasting.LastGrowth(), "exponential": forecasting.Curve("exponential")}
    >>> found = forecasting.backtest(rivals, tokens, cutoffs=["2026-04-01"], draws=128, chains=4, seed=1)
    >>> dict(found.crps.sizes)
    {'model': 2, 'series': 1, 'cutoff': 1, 'horizon': 1}
    """
    import xarray as xr

    check_prob(prob)
    if not models or not horizons or min(horizons) < 1:
        raise DemandsimError("a backtest needs at least one model, and horizons of 1 (the next figure) or more")
    read = {name: figures_of(each, factors) for name, each in series.items()}
    tasks = [task for name in read for task in _tasks(read, name, cutoffs, least) if len(task.later)]
    if not tasks:
        raise DemandsimError(
            f"nothing to forecast: no series has {least} figures before a cutoff and one after it; "
            "name earlier cutoffs=, or a smaller least="
        )
    seed = entropy_of(seed)
    days = sorted({task.cutoff for task in tasks})
    shape = (len(models), len(series), len(days), len(horizons))
    made = {name: np.full(shape, np.nan) for name in _TOLD}
    dates = np.full(shape[1:], np.datetime64("NaT", "ns"))
    for task in tasks:
        reach = [(column, step) for column, step in enumerate(horizons) if step <= len(task.later)]
        later = task.later[[step - 1 for _, step in reach]]
        spot = (list(series).index(task.series), days.index(task.cutoff))
        for place, model in enumerate(models.values()):
            logs = model.forecast(task.known, task.series, later.years, draws=draws, chains=chains, seed=seed)
            for at, (column, _) in enumerate(reach):
                drawn, outcome = _as_read(logs[..., at], later, at, seed), float(later.logs[at])
                told = scores_of(drawn, outcome, prob)
                told["interval"] = interval_score(drawn.ravel(), outcome, prob)
                told["years_ahead"] = later.years[at] - task.known[task.series].years[-1]
                for name, value in told.items():
                    made[name][(place, *spot, column)] = value
                dates[(*spot, column)] = _day(later.years[at])
    unit = str(next(iter(series.values())).attrs.get("units", "1"))
    dims = ("model", "series", "cutoff", "horizon")
    coords = {"model": list(models), "series": list(series), "cutoff": np.array(days, "datetime64[ns]")}
    data = {name: (dims, made[name], {"units": told or unit}) for name, told in _TOLD.items()}
    attrs = {"prob": prob, "draws": draws, "chains": chains, "seed": seed, "scale": "log", **versions()}
    return xr.Dataset(data, {**coords, "horizon": list(horizons)}, attrs).assign_coords(date=(dims[1:], dates))


def _tasks(read: Mapping[str, Figures], name: str, cutoffs: Sequence[str] | None, least: int) -> list[_Task]:
    own = read[name]
    if cutoffs is None:
        days = sorted({_day(year) for year in own.announced})
    else:
        days = [np.datetime64(first_day(str(day)), "ns") for day in cutoffs]
    found = []
    for day in days:
        at = decimal_year(day.astype("datetime64[D]").item()) - 1e-6
        known = {other: figures.known(at) for other, figures in read.items()}
        later = own[own.announced >= at]
        if len(known[name]) >= least:
            found.append(_Task(name, day, known, later[np.argsort(later.announced, kind="stable")]))
    return found


def _as_read(logs: Array, later: Figures, place: int, seed: int) -> Array:
    """Draws of what a figure of this kind would say: with its error, and a bound as far below as bounds are."""
    chains, draws = logs.shape
    rng = keyed(seed, 31)
    read = logs + later.sds[place] * rng.standard_normal((chains, draws))
    if later.sides[place]:
        read = read - later.sides[place] * EXCESS * rng.standard_exponential((chains, draws))
    return np.asarray(read)


def scores_of(read: Array, outcome: float, prob: float) -> dict[str, float]:
    """Scores of one figure as it is read, from logarithms of shape (chain, draw), and what was said and came."""
    sample = read.ravel()
    low, middle, high = np.exp(np.quantile(sample, [(1 - prob) / 2, 0.5, (1 + prob) / 2]))
    return {
        "crps": crps(sample, outcome),
        "mcse_crps": float(spread_to_mcse([crps(chain, outcome) for chain in read])),
        "log": log_score(sample, outcome),
        "pit": pit(sample, outcome),
        "median": float(middle),
        "lower": float(low),
        "upper": float(high),
        "outcome": float(np.exp(outcome)),
    }


def _day(year: float) -> Any:
    """The day of a decimal year."""
    whole = int(year)
    start, end = np.datetime64(f"{whole}-01-01", "D"), np.datetime64(f"{whole + 1}-01-01", "D")
    days = round((year - whole) * int((end - start) / np.timedelta64(1, "D")))
    return (start + np.timedelta64(days, "D")).astype("datetime64[ns]")
