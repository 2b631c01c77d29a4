"""Backtest: models refitted at each cutoff on what had come out by then, and scored on what came after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from demandsim._system import Array, available_memory, memory_text, versions
from demandsim.errors import DemandsimError, MemoryGuardError, check_whole
from demandsim.forecasting.figures import ERROR_FACTORS, EXCESS, Figures, day_of, figures_of
from demandsim.forecasting.rules import crps, interval_score, log_score, pit
from demandsim.forecasting.study import Refitted, evidence_figures, measured, unit_of
from demandsim.inference.importance import keyed
from demandsim.sampling.qmc import entropy_of
from demandsim.statistics.estimators import check_prob
from demandsim.statistics.mcse import spread_to_mcse
from demandsim.units.dates import decimal_year, first_day

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["Forecaster", "backtest"]

#: What is told of each forecast: its unit (that of the series where empty) and its name.
_TOLD = {
    "crps": ("1", "CRPS of the logarithm"),
    "mcse_crps": ("1", "Monte Carlo error of the CRPS"),
    "log": ("1", "Log score"),
    "interval": ("1", "Interval score of the logarithm"),
    "pit": ("1", "PIT"),
    "median": ("", "Median"),
    "lower": ("", "Lower end of the interval"),
    "upper": ("", "Upper end of the interval"),
    "outcome": ("", "What came"),
    "years_ahead": ("year", "Time from the last figure"),
    "known": ("1", "Figures that were known"),
}


#: Numbers that are held for each draw, at most: while the rates of growth that come back are fitted.
_HELD = 160


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
    models: Mapping[str, Forecaster | Model],
    series: Mapping[str, xr.DataArray] | None = None,
    *,
    cutoffs: str | Sequence[str] | None = None,
    horizons: int | Sequence[int] = (1,),
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
        Such as ``forecasting.RevertingGrowth()``, ``forecasting.Curve("gompertz")``, anything with their method
        ``forecast``; or a ``ds.Model`` with dated evidence on the quantity, which is taken back by ``as_of`` to the
        last day on which a figure had come out, and conditioned on its evidence.
    series : mapping of name to DataArray, optional
        Positive figures over ``date``, as `figures_of` reads them; by default the evidence of the first ``ds.Model``,
        by quantity.
    cutoffs : str or sequence of str, optional
        Days; by default, for each series, each day on which a figure of it came out.
    horizons : int or sequence of int
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
        `calibration` reads; ``median``, ``lower``, ``upper`` and ``outcome`` are in the coordinate ``unit`` of the
        series; ``known`` figures were known.

    Raises
    ------
    EvidenceError
        If a model's evidence does not say when it was announced.
    DemandsimError
        If nothing can be forecast: too few figures, or no figure after a cutoff.
    MemoryGuardError
        If the draws of a forecast would not fit in memory.

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
    check_prob(prob)
    _guard_memory(check_whole("draws", draws) * check_whole("chains", chains))
    steps = _checked_steps(models, series, horizons)
    read, units = _read(models, series, factors)
    made_of = {name: _forecaster(name, model) for name, model in models.items()}
    tasks = [task for name in read for task in _tasks(read, name, cutoffs, least) if len(task.later)]
    if not tasks:
        raise DemandsimError(
            f"nothing to forecast: no series has {least} figures before a cutoff and one after it; "
            "name earlier cutoffs=, or a smaller least="
        )
    seed = entropy_of(seed)
    days = sorted({task.cutoff for task in tasks})
    shape = (len(models), len(read), len(days), len(steps))
    made = {name: np.full(shape, np.nan) for name in _TOLD}
    dates = np.full(shape[1:], np.datetime64("NaT", "ns"))
    for task in tasks:
        reach = [(column, step) for column, step in enumerate(steps) if step <= len(task.later)]
        later = task.later[[step - 1 for _, step in reach]]
        spot = (list(read).index(task.series), days.index(task.cutoff))
        for place, model in enumerate(made_of.values()):
            logs = model.forecast(task.known, task.series, later.years, draws=draws, chains=chains, seed=seed)
            for at, (column, _) in enumerate(reach):
                for name, value in _scored(_as_read(logs[..., at], later, at, seed), task, later, at, prob).items():
                    made[name][(place, *spot, column)] = value
                dates[(*spot, column)] = day_of(later.years[at])
    return _dataset(made, dates, dict(zip(read, units, strict=True)), list(models), days, steps).assign_attrs(
        prob=prob, draws=draws, chains=chains, seed=seed, scale="log", **versions()
    )


def _guard_memory(total: int) -> None:
    """Raise before anything is computed if the draws of one forecast would not fit."""
    needed, free = 8 * _HELD * total, available_memory()
    if needed > 0.9 * free:
        raise MemoryGuardError(
            f"{total:,} draws of a forecast need up to {memory_text(needed)}, {memory_text(free)} are available; "
            "ask for fewer with draws="
        )


def _checked_steps(models: Any, series: Any, horizons: int | Sequence[int]) -> list[int]:
    for said, given in (("models", models), ("series", series)):
        if given is not None and not isinstance(given, Mapping):
            raise DemandsimError(f"{said} are named: pass {said}={{'name': ...}}, not {type(given).__name__}")
    steps = [horizons] if isinstance(horizons, int) else list(horizons)
    if not models or not steps or any(not isinstance(step, int | np.integer) or step < 1 for step in steps):
        raise DemandsimError("a backtest needs at least one model, and horizons of 1 (the next figure) or more")
    return steps


def _scored(drawn: Array, task: _Task, later: Figures, at: int, prob: float) -> dict[str, float]:
    """What is told of one forecast of one figure."""
    outcome, known = float(later.logs[at]), task.known[task.series]
    told = scores_of(drawn, outcome, prob)
    told["interval"] = interval_score(drawn.ravel(), outcome, prob)
    return told | {"years_ahead": later.years[at] - known.years[-1], "known": len(known)}


def _dataset(
    made: Mapping[str, Array],
    dates: Array,
    units: Mapping[str, str],
    models: list[str],
    days: list[Any],
    steps: list[int],
) -> xr.Dataset:
    import xarray as xr

    # Series of several units have none together, but in the coordinate.
    unit = {"units": next(iter(units.values()))} if len(set(units.values())) == 1 else {}
    dims = ("model", "series", "cutoff", "horizon")
    data = {
        name: (dims, made[name], {"long_name": said} | ({"units": told} if told else unit))
        for name, (told, said) in _TOLD.items()
    }
    coords = {"model": models, "series": list(units), "cutoff": np.array(days, "datetime64[ns]"), "horizon": steps}
    return xr.Dataset(data, coords).assign_coords(date=(dims[1:], dates), unit=("series", list(units.values())))


def _read(
    models: Mapping[str, Forecaster | Model], series: Mapping[str, xr.DataArray] | None, factors: Mapping[str, float]
) -> tuple[dict[str, Figures], list[str]]:
    """Figures of each series, and their units."""
    if series is not None:
        read = {name: figures_of(each, factors) for name, each in series.items()}
        return read, [str(each.attrs.get("units", "1")) for each in series.values()]
    for model in models.values():
        if not hasattr(model, "forecast"):
            names = measured(model)
            if not names:
                raise DemandsimError(
                    "nothing to forecast: the model has no evidence that measures a quantity; "
                    "model.observe(quantity=..., announced='2026-04-02') adds it"
                )
            found = {name: evidence_figures(model, name) for name in names}
            return found, [unit_of(model, name) for name in names]
    raise DemandsimError("a backtest needs series=, or a model of a study whose evidence says when it came out")


def _forecaster(name: str, model: Any) -> Forecaster:
    if hasattr(model, "forecast"):
        return model  # type: ignore[no-any-return]  # it has the method that the protocol asks for
    if not hasattr(model, "as_of"):
        raise DemandsimError(f"model '{name}' is {model!r:.40}: pass a ds.Model, or what has a method 'forecast'")
    return Refitted(model)


def _tasks(read: Mapping[str, Figures], name: str, cutoffs: str | Sequence[str] | None, least: int) -> list[_Task]:
    own = read[name]
    if cutoffs is None:
        days = sorted({day_of(year) for year in own.announced})
    else:
        asked = [cutoffs] if isinstance(cutoffs, str) else list(cutoffs)
        try:
            days = [np.datetime64(first_day(str(day)), "ns") for day in asked]
        except ValueError as error:
            raise DemandsimError(f"cutoffs: {error}") from None
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
