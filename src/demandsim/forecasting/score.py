"""Scores of forecasts against what came, each with its Monte Carlo error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from demandsim._system import Array
from demandsim.distributions.format import check_zone
from demandsim.errors import DemandsimError, UnitError, check_known
from demandsim.forecasting.rules import crps, energy, interval_score, log_score, pit, quantile_score
from demandsim.statistics.estimators import check_prob
from demandsim.statistics.mcse import spread_to_mcse
from demandsim.statistics.summarize import run_attrs
from demandsim.units.convert import conversion_factor

__all__ = ["energy_score", "score"]

type Rule = Callable[[Array, float], float]


def score(
    draws: xr.Dataset,
    outcomes: Mapping[str, Any] | xr.Dataset,
    *,
    prob: float = 0.9,
    probs: Sequence[float] = (),
    log: bool = False,
) -> xr.Dataset:
    r"""Proper scores of a forecast against what came; the lower, the better.

    Parameters
    ----------
    draws : Dataset
        Of ``model.simulate`` or ``model.infer``: dims ``chain`` and ``draw``, and the quantities' own.
    outcomes : mapping of quantity to float or DataArray
        What came, in the unit of the draws or with the attribute ``units``; along labels of the draws, or some of
        them. NaN is what has not come yet, and stays NaN.
    prob : float, default 0.9
        Probability of the central interval of ``interval`` and ``covered``.
    probs : sequence of float, optional
        Levels of quantile scores: 0.25 gives ``quantile_p25``.
    log : bool, default False
        Score logarithms, so that being wrong by a factor counts the same at any size.

    Returns
    -------
    Dataset
        The scored quantities, with dim ``score``: ``crps``, ``log`` (minus the log density at the outcome),
        ``interval``, ``pit`` (share of draws below the outcome), ``covered`` (1 or 0), the quantile scores, and the
        ``mcse_`` of each, NaN for a single chain and for ``covered``.

    Raises
    ------
    UnknownNameError
        If an outcome is of no quantity of the draws, or at a label that they lack.
    UnitError
        If an outcome measures another dimension.
    DemandsimError
        If draws are not finite numbers, or not positive with ``log``.

    Notes
    -----
    CRPS: :math:`E|X - y| - \tfrac12 E|X - X'|`, without bias for the number of draws. Gneiting and Raftery, J. Am.
    Stat. Assoc. 102 (2007). The density of ``log`` is a kernel estimate; an outcome that no draw comes near scores
    infinity, since the draws cannot say more.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").select(scenario="100T").simulate(draws=256, seed=1)
    >>> found = score(draws, {"cards": 402e3}, log=True)
    >>> found.cards.sel(score="covered").item()
    1.0
    >>> bool(0 < found.cards.sel(score="mcse_crps") < 0.1 * found.cards.sel(score="crps"))
    True
    """
    check_prob(prob)
    for level in probs:
        check_prob(level)
    if not len(outcomes):
        raise DemandsimError("nothing came: pass outcomes={'quantity': what came}")
    check_known(map(str, outcomes), map(str, draws.data_vars), "quantity")
    rules: dict[str, Rule] = {
        "crps": crps,
        "log": log_score,
        "interval": partial(interval_score, prob=prob),
        "pit": pit,
    }
    rules["covered"] = partial(_covered, prob=prob)
    rules |= {f"quantile_p{100 * level:.10g}": partial(quantile_score, prob=level) for level in probs}
    found = {name: _scored(draws[name], outcomes[name], rules, log) for name in map(str, outcomes)}
    return xr.Dataset(found, attrs=run_attrs(draws) | {"prob": prob, "scale": "log" if log else "linear"})


def energy_score(draws: xr.DataArray, outcome: xr.DataArray, dim: str, *, log: bool = False) -> xr.Dataset:
    r"""Energy score of whole paths along a dim, :math:`E\|X - y\| - \tfrac12 E\|X - X'\|`.

    Parameters
    ----------
    draws : DataArray
        One quantity, with dims ``chain``, ``draw`` and `dim`.
    outcome : DataArray
        What came, along `dim`; labels that have not come are left out.
    dim : str
        Such as ``"year"``.
    log : bool, default False
        Of logarithms.

    Returns
    -------
    Dataset
        ``energy`` and ``mcse`` over the other dims.

    Raises
    ------
    UnknownNameError, UnitError, DemandsimError
        As of `score`; or if no label has come.

    Examples
    --------
    >>> paths = xr.DataArray(np.random.default_rng(1).normal(size=(8, 64, 2)), dims=("chain", "draw", "year"),
    ...     coords={"year": [2025, 2026]}, name="x")
    >>> bool(0 < energy_score(paths, paths[0, 0, :], "year").energy < 3)
    True
    """
    check_known([dim], map(str, draws.dims), "dim")
    values, came = _prepared(draws, outcome, log)
    came = came.dropna(dim, how="any")
    if not came.sizes[dim]:
        raise DemandsimError(f"no outcome along '{dim}' has come yet: nothing to score")
    ordered = values.sel({dim: came[dim]}).transpose(..., "chain", "draw", dim)
    truth = came.broadcast_like(ordered.isel(chain=0, draw=0, drop=True)).transpose(..., dim).values
    shape = ordered.shape[:-3]
    total, error = np.empty(shape), np.empty(shape)
    for place in np.ndindex(*shape):
        chains = ordered.values[place]
        total[place] = energy(chains.reshape(-1, chains.shape[-1]), truth[place])
        error[place] = spread_to_mcse([energy(chain, truth[place]) for chain in chains])
    dims = ordered.dims[:-3]
    coords = {each: ordered.coords[each] for each in dims if each in ordered.coords}
    unit = {"units": "1" if log else str(draws.attrs.get("units", "1"))}
    return xr.Dataset({"energy": (dims, total, unit), "mcse": (dims, error, unit)}, coords)


def _scored(draws: xr.DataArray, outcome: Any, rules: Mapping[str, Rule], log: bool) -> xr.DataArray:
    values, came = _prepared(draws, outcome, log)
    ordered = values.transpose(..., "chain", "draw")
    truth = came.broadcast_like(ordered.isel(chain=0, draw=0, drop=True)).transpose(*ordered.dims[:-2])
    names = [*rules, *(f"mcse_{name}" for name in rules)]
    out = np.full((*truth.shape, len(names)), np.nan)
    for place, y in _came(truth):
        chains = ordered.values[place]
        for column, (name, rule) in enumerate(rules.items()):
            out[(*place, column)] = rule(chains.ravel(), y)
            if name != "covered":
                # A chain of a single draw has no spread of its own.
                own = [rule(chain, y) for chain in chains] if chains.shape[1] > 1 else [np.nan]
                out[(*place, len(rules) + column)] = spread_to_mcse(own) if np.isfinite(own).all() else np.nan
    coords: dict[str, Any] = {str(dim): truth.coords[dim] for dim in truth.dims if dim in truth.coords}
    attrs = {key: draws.attrs[key] for key in ("units", "long_name") if key in draws.attrs}
    return xr.DataArray(out, {**coords, "score": names}, (*truth.dims, "score"), attrs=attrs)


def _came(truth: xr.DataArray) -> Iterator[tuple[tuple[int, ...], float]]:
    for place in np.ndindex(*truth.shape):
        if not np.isnan(truth.values[place]):
            yield place, float(truth.values[place])


def _covered(sample: Array, outcome: float, prob: float) -> float:
    low, high = np.quantile(sample, [(1 - prob) / 2, (1 + prob) / 2])
    return float(low <= outcome <= high)


def _outcome(draws: xr.DataArray, outcome: Any) -> xr.DataArray:
    """What came as a labelled array, its dates as those of the draws are written."""
    if not isinstance(outcome, xr.DataArray):
        if not (outcome is None or isinstance(outcome, int | float | np.number) or hasattr(outcome, "to_xarray")):
            raise DemandsimError(
                f"the outcome of '{draws.name}' is {outcome!r:.40}: pass a number, or a DataArray or a pandas Series "
                "with the labels of the draws"
            )
        outcome = xr.DataArray(outcome)
    came: xr.DataArray = outcome
    for dim in map(str, came.dims):
        check_known([dim], map(str, draws.dims), f"dim of '{draws.name}'")
        if dim in draws.coords and dim not in came.coords:
            raise DemandsimError(f"the outcome of '{draws.name}' has no labels along '{dim}': say which are its own")
        check_zone(came, dim)
        if draws[dim].dtype.kind == "M":
            try:
                days = np.array(came[dim].values, dtype="datetime64[ns]")
            except (ValueError, TypeError):
                raise DemandsimError(
                    f"the outcome of '{draws.name}' has labels along '{dim}' that are no dates"
                ) from None
            came = came.assign_coords({dim: days})
    return came


def _prepared(draws: xr.DataArray, outcome: Any, log: bool) -> tuple[xr.DataArray, xr.DataArray]:
    """Draws at the labels that the outcome has, and the outcome in their unit; both logarithms if asked."""
    for dim in ("chain", "draw"):
        if dim not in draws.dims:
            raise DemandsimError(f"'{draws.name}' has no dim '{dim}'; score draws, not what was made of them")
    if draws.sizes["chain"] * draws.sizes["draw"] < 2:
        raise DemandsimError(f"'{draws.name}' is a single number, and no forecast: give at least two draws")
    came = _outcome(draws, outcome)
    unit = str(draws.attrs.get("units", "1"))
    own = str(came.attrs.get("units", unit))
    try:
        came = came.astype(np.float64) * conversion_factor(own, unit)
    except UnitError:
        raise UnitError(f"the outcome of '{draws.name}' is in '{own}', its draws in '{unit}'") from None
    for dim in map(str, came.dims):
        labels, known = came[dim].values, draws[dim].values
        if len(set(known.tolist())) < known.size:
            raise DemandsimError(f"'{draws.name}' has a label of {dim} twice, of which one outcome cannot be told")
        if missing := [str(label) for label in labels if label not in known]:
            told = missing[0].removesuffix("T00:00:00.000000000")
            raise DemandsimError(f"an outcome is given at {dim} {told}, of which '{draws.name}' has no draws")
        if len(set(labels.tolist())) < labels.size:
            raise DemandsimError(f"outcomes of '{draws.name}' are given twice at one {dim}: one of them came")
    values = draws.sel({dim: came[dim] for dim in came.dims}).astype(np.float64)
    if not np.isfinite(values.values).all():
        raise DemandsimError(f"draws of '{draws.name}' hold NaN or infinity: leave them out before scoring")
    if np.isinf(came.values).any():
        raise DemandsimError(f"the outcome of '{draws.name}' is infinite")
    if log:
        if (values.values <= 0).any() or (came.values <= 0).any():
            raise DemandsimError(f"'{draws.name}' is not positive everywhere and has no logarithm; leave out log=True")
        values, came = values.copy(data=np.log(values.values)), came.copy(data=np.log(came.values))
    return values, came
