"""Given data: indices from draws already made, with correlated assumptions too; what the worst have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known, check_whole
from demandsim.sampling.qmc import entropy_of, recorded_seed
from demandsim.sensitivity.from_draws import Paired, paired, rows_of, taken
from demandsim.sensitivity.kernels import bins_of, delta, folds_of, pawn, rank_first_order, table_of
from demandsim.sensitivity.tails import rounding, tail_shape, warn_of_draws
from demandsim.statistics.estimators import check_prob
from demandsim.statistics.event import Event, event_of
from demandsim.statistics.tails import HEAVY_FOR_SHARES

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["given_data", "regional"]

_LONG_NAMES = {
    "first_order": "share of variance explained alone",
    "pawn": "PAWN, median Kolmogorov distance",
    "delta": "Borgonovo's delta",
}


def given_data(
    draws: xr.Dataset,
    of: str | Sequence[str],
    *,
    prob: float = 0.9,
    seed: int | None = None,
    resamples: int = 100,
) -> xr.Dataset:
    r"""Sensitivity indices from draws already made; assumptions may be correlated.

    .. math:: S_i = \frac{\mathrm{Var}\, E[y|x_i]}{\mathrm{Var}\, y}, \quad
        P_i = \mathrm{median}_{x_i} \sup_y |F(y|x_i) - F(y)|, \quad
        \delta_i = \tfrac12 E \int |f(y|x_i) - f(y)| \, dy

    With correlated assumptions an index includes what an assumption tells about the others.

    Parameters
    ----------
    draws : Dataset
        Made by ``model.simulate``; may be Dask-backed. Of more than 131,072 draws the first of every
        chain are taken.
    of : str or sequence of str
    prob : float, default 0.9
        Of the intervals.
    seed : int, optional
        Of the resampling.
    resamples : int, default 100
        Of the bootstrap.

    Returns
    -------
    Dataset
        ``first_order``, ``pawn`` and ``delta`` with ``_lower`` and ``_upper``, over ``quantity``,
        ``assumption`` and the model's dims. An assumption with dims that the quantity lacks has a row
        per label. ``n_invalid`` counts draws left out for NaN or infinity. NaN for what does not vary by
        more than rounding.

    Warns
    -----
    HeavyTailWarning
        If the variance hangs on a few extreme draws, so that first orders cannot be trusted.

    Notes
    -----
    First order: pairs of draws that are neighbours in :math:`x_i`; Gamboa, Gremaud, Klein and Lagnoux,
    Bernoulli 28 (2022), after Chatterjee, JASA 116 (2021). Neighbours of one chain of a low-discrepancy
    design are not independent, and are left out where there are several. PAWN: Pianosi and Wagener,
    Environmental Modelling & Software 67 (2015). Delta: Borgonovo, Reliability Engineering & System
    Safety 92 (2007), as the largest excess of a probability over that of independent draws. Where an
    assumption does not matter, the largest distance of some draws is still not 0. Sets and places are
    therefore found on chains, or parts of them, other than those in which they are measured.
    Intervals: random parts of the draws (first order); a bootstrap of the chains, from the value of such
    chains to that of the draws in which the sets were found (others).

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=512, seed=1)
    >>> found = given_data(draws, "cards", seed=1)
    >>> found.first_order.isel(quantity=0, scenario=0).to_series().idxmax()
    'activated_parameters'
    """
    check_prob(prob)
    check_whole("resamples", resamples, 10)
    entropy = entropy_of(seed)
    kept, names, assumptions = taken(draws, of)

    heavy: dict[str, float] = {}

    def one(data: Paired) -> Sequence[Mapping[str, tuple[float, ...]]]:
        if len(data.y) < 32 or np.ptp(data.y) <= rounding(data.y).max():
            return [dict.fromkeys(_LONG_NAMES, (math.nan, math.nan, math.nan)) for _ in data.x]
        if (shape := tail_shape(data.y)) > HEAVY_FOR_SHARES:
            heavy[data.quantity] = max(shape, heavy.get(data.quantity, shape))
        rng = np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence(entropy, spawn_key=(7,))))
        # Equal values of an assumption, as of a discrete one, come in random order.
        shuffled, bins, folds, found = rng.permutation(data.y.size), bins_of(data.y), folds_of(data.chain), []
        for x in data.x:
            order = shuffled[np.argsort(x[shuffled], kind="stable")]
            table = table_of(order, bins, folds)
            first = rank_first_order(data.y[order], data.chain[order], rng, prob)
            bounds = {"pawn": pawn(table, rng, resamples, prob), "delta": delta(table, rng, resamples, prob)}
            found.append({"first_order": first, **bounds})
        return found

    out = _collected(kept, names, assumptions, one, _LONG_NAMES, ("", "_lower", "_upper"))
    warn_of_draws(heavy)
    return out.assign_attrs(
        _about(draws, kept),
        seed=recorded_seed(entropy),
        prob=prob,
        resamples=resamples,
        method="rank-based first order, PAWN, delta",
    )


def _about(draws: xr.Dataset, kept: xr.Dataset) -> dict[str, Any]:
    carried = {name: draws.attrs[name] for name in ("study", "model_hash", "design", "chains") if name in draws.attrs}
    return carried | {
        "draws": int(kept.sizes["draw"]),
        "draws_available": int(draws.sizes["draw"]),
        "thinned": "no" if kept.sizes["draw"] == draws.sizes["draw"] else "the first draws of every chain",
    }


def _collected(
    draws: xr.Dataset,
    names: Sequence[str],
    assumptions: Sequence[str],
    one: Callable[[Paired], Sequence[Mapping[str, tuple[float, ...]]]],
    long_names: Mapping[str, str],
    suffixes: Sequence[str],
) -> xr.Dataset:
    """Run `one`, which gives a result for every assumption, on every element of every quantity."""
    import xarray as xr

    whole = []
    for name in names:
        rows = rows_of(draws, name, assumptions)
        dims = [str(dim) for dim in draws[name].dims if dim not in ("chain", "draw")]
        shape = [draws.sizes[dim] for dim in dims]
        elements = list(paired(draws, name, assumptions))
        found = [one(data) for data in elements]
        coords = {dim: draws[dim].values for dim in dims}
        parts: dict[str, xr.DataArray] = {}
        for key, label in long_names.items():
            for place, suffix in enumerate(suffixes):
                values = np.array([[cell[key][place] for cell in line] for line in found])
                parts[key + suffix] = xr.DataArray(
                    values.reshape([*shape, len(rows)]),
                    dims=[*dims, "assumption"],
                    coords={**coords, "assumption": [row[0] for row in rows]},
                    attrs={"units": "1", "long_name": label + suffix.replace("_", ", ")},
                )
        counts = np.array([data.invalid for data in elements]).reshape(shape)
        parts["n_invalid"] = xr.DataArray(counts, dims=dims, coords=coords)
        labels = [draws[row[1]].attrs.get("long_name", row[1]) + row[0].removeprefix(row[1]) for row in rows]
        whole.append(xr.Dataset(parts).assign_coords(long_name=("assumption", labels)))
    # Quantities over different dims: each is repeated along those that it does not have.
    every = {dim: draws[dim].values for dim in draws.dims if any(dim in part.dims for part in whole)}
    wide = [part.expand_dims({d: v for d, v in every.items() if d not in part.dims}) for part in whole]
    out = xr.concat(wide, dim="quantity", join="outer", coords="minimal", compat="override", combine_attrs="override")
    return out.assign_coords(quantity=list(names)).transpose("quantity", "assumption", ...)


def regional(
    draws: xr.Dataset,
    of: str | Sequence[str],
    worst: float = 0.1,
    *,
    side: Literal["low", "high"] = "low",
    event: str | Event | xr.DataArray | Callable[[xr.Dataset], xr.DataArray] | None = None,
) -> xr.Dataset:
    r"""What the worst outcomes have in common: where their assumptions lie among all draws.

    .. math:: D_i = \sup_x |F(x_i \,|\, \text{worst}) - F(x_i \,|\, \text{rest})|

    Parameters
    ----------
    draws : Dataset
        Made by ``model.simulate``; may be Dask-backed, and is thinned as by `given_data`.
    of : str or sequence of str
    worst : float, default 0.1
        Share of draws that counts as worst.
    side : {"low", "high"}, default "low"
        Whether low values are bad, as of a margin, or high ones, as of a cost.
    event : str, bool DataArray or function of the draws, optional
        What counts as worst instead, such as ``"gross_margin < 0"``.

    Returns
    -------
    Dataset
        Over ``quantity``, ``assumption`` and the model's dims: ``median_grade``, the quantile among all
        draws at which the median of the worst lies (0.5 if the assumption does not matter);
        ``mean_shift``, the mean of the worst less that of all, in standard deviations;
        ``kolmogorov``, the distance :math:`D_i`. ``n_worst`` and ``n_invalid`` count draws. NaN where
        all or none are worst.

    Notes
    -----
    Source: Spear and Hornberger, Water Research 14 (1980). For an assumption that does not matter
    :math:`D_i` is above :math:`1.36 / \sqrt{n_1 n_2 / (n_1 + n_2)}` in one case of twenty.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=512, seed=1)
    >>> found = regional(draws, "gross_margin").median_grade.isel(quantity=0, scenario=0)
    >>> found.to_series().round(1)["activated_parameters"]
    np.float64(0.9)
    """
    check_known([side], ("low", "high"), "side")
    if not 0 < worst < 1:
        raise DemandsimError(f"worst must lie between 0 and 1, not {worst!r}; 0.1 looks at the worst tenth")
    kept, names, assumptions = taken(draws, of)
    happened = None
    if event is not None:
        told = event_of(event) if isinstance(event, (str, tuple)) else event
        happened = told(draws) if callable(told) else told
        if getattr(getattr(happened, "dtype", None), "kind", "") != "b" or not {"chain", "draw"} <= set(happened.dims):
            raise DemandsimError("event must be a bool DataArray over 'chain' and 'draw', as draws.gross_margin < 0 is")
        happened = happened.isel(draw=slice(0, kept.sizes["draw"])).load()

    def bad(data: Paired) -> npt.NDArray[np.bool_]:
        if happened is None:
            ranked = np.argsort(data.y if side == "low" else -data.y, kind="stable")
            return np.isin(np.arange(data.y.size), ranked[: max(round(worst * data.y.size), 1)])
        own = happened.sel({dim: label for dim, label in data.place.items() if dim in happened.dims})
        return np.asarray(own.transpose("chain", "draw").values.ravel()[data.kept])

    def one(data: Paired) -> list[dict[str, tuple[float, ...]]]:
        group = bad(data)
        return [_compared(x, group) for x in data.x]

    long_names = {
        "median_grade": "quantile among all at the median of the worst",
        "mean_shift": "mean of the worst less that of all, in sd",
        "kolmogorov": "Kolmogorov distance of the worst from the rest",
        "n_worst": "draws that are worst",
    }
    out = _collected(kept, names, assumptions, one, long_names, ("",))
    out["n_worst"] = out.n_worst.isel(assumption=0, drop=True).astype(int)
    return out.assign_attrs(_about(draws, kept), worst="event" if event is not None else worst, side=side)


def _compared(x: Array, group: npt.NDArray[np.bool_]) -> dict[str, tuple[float, ...]]:
    """Compare the values of one assumption in a group of draws with the rest, and with all."""
    number = int(np.count_nonzero(group))
    if number in (0, x.size):
        return {**dict.fromkeys(("median_grade", "mean_shift", "kolmogorov"), (math.nan,)), "n_worst": (number,)}
    middle, spread, ranks = float(np.median(x[group])), float(x.std()), np.sort(x)
    grade = 0.5 * (np.searchsorted(ranks, middle, "left") + np.searchsorted(ranks, middle, "right")) / x.size
    inside, outside = np.sort(x[group]), np.sort(x[~group])
    gap = np.searchsorted(inside, ranks, "right") / number - np.searchsorted(outside, ranks, "right") / outside.size
    return {
        "median_grade": (float(grade),),
        "mean_shift": ((float(x[group].mean()) - float(x.mean())) / spread if spread else math.nan,),
        "kolmogorov": (float(np.abs(gap).max()),),
        "n_worst": (number,),
    }
