"""Net benefit of sampling: what evidence is worth less what it costs, and how much of it to gather."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import xarray as xr

from demandsim.errors import DemandsimError, check_known

__all__ = ["net_benefit_of_sampling"]


def net_benefit_of_sampling(
    worth: xr.Dataset,
    *,
    cost: Mapping[str, float] | None = None,
    fixed_cost: float = 0.0,
    cost_per_sample: float = 0.0,
    decisions: float = 1.0,
) -> xr.Dataset:
    r"""Expected net benefit of gathering evidence (ENBS), and the evidence or sample size that is best.

    .. math:: \mathrm{ENBS}(n) = D \cdot \mathrm{EVSI}(n) - c_0 - c_1 n

    Parameters
    ----------
    worth : Dataset
        Of `value_of_information`, with ``evidence=``.
    cost : mapping of str to float, optional
        What each evidence costs, in the unit of the payoff. By default ``fixed_cost + cost_per_sample * count``
        of its `Measurement`.
    fixed_cost, cost_per_sample : float
        In the unit of the payoff.
    decisions : float, default 1
        How many times the decision is made that the evidence informs, such as sites or patients, discounted.

    Returns
    -------
    Dataset
        Over ``evidence`` and the payoff's other dims: ``net_benefit``, its ``mcse_``, and ``lower_`` and ``upper_``,
        which hold the true value in 90% of cases; ``cost``; ``may_be_best``: no other evidence, nor none, is better
        for certain. Over the other dims: ``best``, the evidence of the highest net benefit or ``"none"``,
        ``best_count``, how many samples that is (NaN if it is not counted, 0 for none), and ``best_net_benefit``.

    Raises
    ------
    DemandsimError
        If there is no evidence, or the cost of one is not known.

    Notes
    -----
    Source: Raiffa and Schlaifer, *Applied Statistical Decision Theory* (1961), chapter 5.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01-evidence").simulate(draws=512, seed=1).sel(scenario="100T")
    >>> pilots = {f"{n} weeks": ds.decisions.Measurement("utilization", sd=0.2, count=n) for n in (1, 4, 16, 64)}
    >>> worth = ds.decisions.value_of_information(
    ...     draws, np.geomspace(5e4, 2e6, 12), ds.decisions.OrderCards(), of="utilization", evidence=pilots, seed=1
    ... )
    >>> found = net_benefit_of_sampling(worth, cost_per_sample=1e7)
    >>> found.net_benefit.dims, bool((found.net_benefit < worth.evsi).all())
    (('evidence',), True)
    """
    if not isinstance(worth, xr.Dataset) or "evsi" not in worth:
        raise DemandsimError("worth holds no evidence; pass value_of_information(..., evidence={...})")
    prices = {"fixed_cost": fixed_cost, "cost_per_sample": cost_per_sample, **(cost or {})}
    for name, price in prices.items():
        if not math.isfinite(price) or price < 0:
            raise DemandsimError(f"the cost {name!r} must be a number of at least 0, not {price!r}")
    if not (math.isfinite(decisions) and decisions > 0):
        raise DemandsimError(f"decisions must be a number above 0, not {decisions!r}")
    labels = [str(label) for label in worth.evidence.values]
    check_known(cost or {}, labels, "evidence in cost:")
    counts = worth["count"].values if "count" in worth.coords else np.full(len(labels), np.nan)
    spent = [(cost or {}).get(n, fixed_cost + cost_per_sample * c) for n, c in zip(labels, counts, strict=True)]
    unknown = [name for name, price in zip(labels, spent, strict=True) if not math.isfinite(price)]
    if unknown:
        raise DemandsimError(f"evidence '{unknown[0]}' has no count of samples; give its cost={{'{unknown[0]}': ...}}")
    return _benefits(worth, xr.DataArray(spent, dims="evidence", coords={"evidence": labels}), counts, decisions)


def _benefits(worth: xr.Dataset, spent: xr.DataArray, counts: npt.NDArray[np.float64], decisions: float) -> xr.Dataset:
    money = {"units": worth.evsi.attrs.get("units", "1")}
    out = xr.Dataset({"net_benefit": decisions * worth.evsi - spent, "mcse_net_benefit": decisions * worth.mcse_evsi})
    for end in ("lower", "upper"):
        out[f"{end}_net_benefit"] = decisions * worth[f"{end}_evsi"] - spent
    out["cost"] = spent
    # To gather nothing is worth nothing, for certain.
    floor = out.lower_net_benefit.max("evidence").clip(min=0)
    out["may_be_best"] = out.upper_net_benefit >= floor
    place = out.net_benefit.argmax("evidence")
    some = out.net_benefit.max("evidence") > 0
    names = xr.DataArray(worth.evidence.values.astype(object), dims="evidence")
    out["best"] = names[place].where(some, "none")
    out["best_count"] = xr.DataArray(counts, dims="evidence")[place].where(some, 0.0)
    out["best_net_benefit"] = out.net_benefit.max("evidence").clip(min=0)
    for name in ("cost", *(str(name) for name in out.data_vars if "net_benefit" in str(name))):
        out[name].attrs = dict(money)
    out["net_benefit"].attrs["long_name"] = "expected net benefit of sampling"
    return out.assign_attrs(worth.attrs, decisions=decisions)
