r"""Stacking: several models weighed by how they forecast what came next, and the mixture that they make.

Sources: Y. Yao, A. Vehtari, D. Simpson and A. Gelman, "Using stacking to average Bayesian predictive distributions",
Bayesian Analysis 13 (2018); P.-C. Bürkner, J. Gabry and A. Vehtari, "Approximate leave-future-out cross-validation for
Bayesian time series models", J. Stat. Comput. Simul. 90 (2020).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known
from demandsim.inference.importance import keyed
from demandsim.sampling.qmc import entropy_of
from demandsim.units.convert import conversion_factor

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["mixture", "model_share", "pseudo_bma", "stack", "stacked"]

#: Steps of the fixed point, which converges to far below this change.
_STEPS, _CHANGE = 20_000, 1e-12
_RESAMPLES = 1000


def stack(scores: xr.Dataset, *, shrinkage: float = 1.0, seed: int | None = None) -> xr.Dataset:
    r"""Weights of models by their scores out of sample.

    Parameters
    ----------
    scores : Dataset
        Of `backtest`: each forecast was made without what it is scored on.
    shrinkage : float, default 1
        Forecasts that each model is given for free, in all of which it was as good as any other: weights are equal
        where nothing was scored, and are those of plain stacking where shrinkage is 0 or forecasts are many.
    seed : int, optional
        Of the Bayesian bootstrap that the errors come from.

    Returns
    -------
    Dataset
        Dim ``model``: ``weight``, with ``lower`` and ``upper`` between which it lies with 90% when other forecasts
        might have been scored; ``pseudo_bma``, weights by the exponential of the sum of log scores, which put all on
        the best of several wrong models; ``log_score`` and ``crps``, means, and their ``mcse_log_score`` and
        ``mcse_crps`` over forecasts. The attribute ``forecasts`` counts what all models were scored on.

    Raises
    ------
    DemandsimError
        If no forecast was scored of all models, or one that came is impossible to all.

    Notes
    -----
    With :math:`p_{ik}` the density that model k gave to outcome i, the weights maximize

    .. math:: \sum_i \log \sum_k w_k \, p_{ik} + \lambda \sum_k \log w_k.

    Examples
    --------
    >>> import xarray as xr
    >>> log = xr.DataArray([[[0.1, 0.2]], [[2.0, 1.5]]], dims=("model", "series", "cutoff"))
    >>> table = xr.Dataset({"log": log, "crps": log}, {"model": ["sharp", "vague"]})
    >>> stack(table, seed=1).weight.round(2).values
    array([0.71, 0.29])
    """
    import xarray as xr

    if not shrinkage >= 0:
        raise DemandsimError(f"shrinkage is {shrinkage}; it must be 0 or more")
    if not {"log", "crps"} <= set(scores) or "model" not in scores.log.dims:
        raise DemandsimError("weights are made of scores by model: pass what a backtest returns")
    flat = scores[["log", "crps"]].stack(forecast=[dim for dim in scores.log.dims if dim != "model"])
    flat = flat.transpose("model", "forecast")
    whole = (~flat.log.isnull()).all("model").values
    logs, crps = flat.log.values[:, whole], flat.crps.values[:, whole]
    count = logs.shape[1]
    if not count:
        raise DemandsimError("no forecast was scored of all models; a backtest with the same cutoffs for all is needed")
    if np.isneginf(logs).any():
        sure = scores.model.values[np.isneginf(logs).any(axis=1)][0]
        raise DemandsimError(
            f"model '{sure}' was sure of what came: its density is infinite, and would take all weight"
        )
    if np.isinf(logs).all(axis=0).any():
        raise DemandsimError(
            "an outcome is impossible to every model: no weights can be had; add one that is less sure"
        )
    densities = np.exp(-(logs - logs.min(axis=0)))
    rng = keyed(entropy_of(seed), 41)
    shares = rng.standard_exponential((_RESAMPLES, count))
    shares *= count / shares.sum(axis=1, keepdims=True)
    again = stacked(densities[None], shares, shrinkage)
    low, high = np.quantile(again, [0.05, 0.95], axis=0)
    made = {
        "weight": stacked(densities[None], np.ones((1, count)), shrinkage)[0],
        "lower": low,
        "upper": high,
        "pseudo_bma": pseudo_bma(logs),
        "log_score": logs.mean(axis=1),
        "mcse_log_score": _error(logs),
        "crps": crps.mean(axis=1),
        "mcse_crps": _error(crps),
    }
    coords = {"model": scores.model.values}
    data = {name: ("model", values, {"units": "1"}) for name, values in made.items()}
    return xr.Dataset(data, coords, {"forecasts": count, "shrinkage": shrinkage})


def stacked(densities: Array, shares: Array, shrinkage: float) -> Array:
    """Weights of stacking, by expectation and maximization.

    Parameters
    ----------
    densities : array of shape (1, models, forecasts)
    shares : array of shape (problems, forecasts)
        How often each forecast counts.
    shrinkage : float

    Returns
    -------
    array of shape (problems, models)

    Examples
    --------
    >>> stacked(np.array([[[1.0, 1.0], [0.5, 0.5]]]), np.ones((1, 2)), 1.0).round(3)
    array([[0.64, 0.36]])
    """
    models = densities.shape[1]
    weights = np.full((len(shares), models), 1.0 / models)
    total = shares.sum(axis=1, keepdims=True) + shrinkage * models
    for _ in range(_STEPS):
        parts = weights[:, :, None] * densities
        blame = parts / parts.sum(axis=1, keepdims=True)
        new = (np.sum(blame * shares[:, None, :], axis=2) + shrinkage) / total
        moved = float(np.abs(new - weights).max())
        weights = new
        if moved < max(_CHANGE, 1e-7 * (len(shares) > 1)):
            break
    return weights


def pseudo_bma(logs: Array) -> Array:
    """Weights by the exponential of summed log scores (minus log densities), shape (models, forecasts).

    Examples
    --------
    >>> pseudo_bma(np.array([[0.0, 0.0], [1.0, 1.0]])).round(3)
    array([0.881, 0.119])
    """
    total = -logs.sum(axis=1)
    made = np.exp(total - total.max())
    return np.asarray(made / made.sum())


def _error(values: Array) -> Array:
    """Standard error of a mean over forecasts; infinite scores have none."""
    count = values.shape[1]
    if count < 2:
        return np.full(len(values), math.nan)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.std(values, axis=1, ddof=1) / math.sqrt(count))


def mixture(draws: Mapping[str, xr.Dataset], weights: xr.DataArray, *, seed: int | None = None) -> xr.Dataset:
    """Draws of several models as those of one: each chain takes from each model in proportion to its weight.

    Parameters
    ----------
    draws : mapping of model to Dataset
        With the same chains, draws and labels.
    weights : DataArray
        Over ``model``, as ``stack(...).weight``.
    seed : int, optional

    Returns
    -------
    Dataset
        Draws like any other, of the quantities that all models have. The coordinate ``model`` says of each draw which
        model it is of: ``made.tokens.where(made.model == "gompertz")`` looks at one, and `model_share` tells how much
        of the uncertainty is which model.

    Raises
    ------
    UnknownNameError
        If a model has no weight.
    UnitError
        If models measure one quantity in units of other dimensions; all have the unit of the first.
    DemandsimError
        If a model has a weight and no draws, or two weights; if models share no quantity, or differ in their chains,
        draws or labels.

    Examples
    --------
    >>> import xarray as xr
    >>> parts = {name: xr.Dataset({"x": (("chain", "draw"), np.full((2, 64), value))}) for name, value in
    ...     (("low", 0.0), ("high", 1.0))}
    >>> weights = xr.DataArray([0.25, 0.75], {"model": ["low", "high"]}, "model")
    >>> float(mixture(parts, weights, seed=1).x.mean())
    0.75
    """
    import xarray as xr

    named = [str(name) for name in weights.model.values]
    check_known(draws, named, "model")
    for name, share in zip(named, weights.values.tolist(), strict=True):
        if named.count(name) > 1:
            raise DemandsimError(f"model '{name}' has {named.count(name)} weights; one counts")
        if name not in draws and share != 0:
            raise DemandsimError(f"model '{name}' has a weight of {share:.3g} and no draws: give them, or leave it out")
    shares = np.array([float(weights.sel(model=name)) for name in draws])
    if not (shares >= 0).all() or not 0 < shares.sum() < math.inf:
        raise DemandsimError("weights must be finite and 0 or more, and one of them above 0")
    shares = shares / shares.sum()
    common = [name for name in next(iter(draws.values())).data_vars if all(name in each for each in draws.values())]
    common = [name for name in common if all({"chain", "draw"} <= set(each[name].dims) for each in draws.values())]
    if not common:
        raise DemandsimError("the models share no quantity that varies from draw to draw")
    try:
        plain = _in_one_unit([each[common].reset_coords(drop=True) for each in draws.values()])
        table = xr.concat(plain, "model", join="exact", combine_attrs="override")
    except ValueError as error:
        raise DemandsimError(f"the models differ in their chains, draws or labels: {error}") from None
    chains, length = table.sizes["chain"], table.sizes["draw"]
    edges, seed = np.cumsum(shares), entropy_of(seed)
    chosen = np.empty((chains, length), dtype=int)
    for chain in range(chains):
        rng = keyed(seed, 42, 0, chain)
        even = (np.arange(length) + rng.random()) / length
        chosen[chain] = rng.permutation(np.minimum(np.searchsorted(edges, even), len(shares) - 1))
    names = np.array(list(draws))
    made = table.isel(model=xr.DataArray(chosen, dims=("chain", "draw")))
    made = made.assign_coords(model=(("chain", "draw"), names[chosen]))
    return made.assign_attrs(seed=seed, mixture=", ".join(f"{n} {s:.3f}" for n, s in zip(names, shares, strict=True)))


def _in_one_unit(parts: list[xr.Dataset]) -> list[xr.Dataset]:
    """Draws of each quantity in the unit in which the first model has them."""
    units = {name: str(each.attrs.get("units", "1")) for name, each in parts[0].items()}
    made = [parts[0]]
    for part in parts[1:]:
        factors = {
            name: conversion_factor(str(each.attrs.get("units", units[name])), units[name])
            for name, each in part.items()
        }
        made.append(part.assign({name: part[name] * factor for name, factor in factors.items() if factor != 1.0}))
    return made


def model_share(mixed: xr.Dataset, of: str) -> xr.DataArray:
    r"""Share of the variance that is which model: :math:`\operatorname{Var} E[X \mid M] / \operatorname{Var} X`.

    Parameters
    ----------
    mixed : Dataset
        Of `mixture`.
    of : str
        Quantity.

    Examples
    --------
    >>> import xarray as xr
    >>> parts = {name: xr.Dataset({"x": (("chain", "draw"), np.full((2, 64), value))}) for name, value in
    ...     (("low", 0.0), ("high", 1.0))}
    >>> mixed = mixture(parts, xr.DataArray([0.5, 0.5], {"model": ["low", "high"]}, "model"), seed=1)
    >>> float(model_share(mixed, "x"))
    1.0
    """
    import xarray as xr

    check_known([of], map(str, mixed.data_vars), "quantity")
    dims = "chain", "draw"
    # By a power of two, since squares of very large or small numbers are no doubles; what is no number is left out.
    values = mixed[of].astype(np.float64)
    exponent = xr.apply_ufunc(lambda largest: np.frexp(largest)[1], abs(values).max(dims))
    values = xr.apply_ufunc(np.ldexp, values, -exponent).transpose(*values.dims)
    total, count = values.var(dims), values.count(dims)
    between = 0.0 * total
    for name in np.unique(mixed.model.values):
        mine = values.where(mixed.model == name)
        off = (mine.mean(dims) - values.mean(dims)).fillna(0.0)
        between = between + mine.count(dims) / count * off**2
    made: xr.DataArray = (between / total).rename(f"{of}_model_share")
    return made.assign_attrs(units="1", long_name=f"Share of the variance of {of} that is which model")
