"""Given data: indices from draws already made, with correlated assumptions too; what the worst have in common."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known, check_whole
from demandsim.sampling.qmc import entropy_of, recorded_seed
from demandsim.sensitivity.from_draws import Cells, Paired, asked, at, generator, happened, paired
from demandsim.sensitivity.inputs import Groups
from demandsim.sensitivity.kernels import (
    bins_of,
    closed_order,
    delta,
    folds_of,
    pawn,
    rank_first_order,
    table_of,
    table_of_several,
)
from demandsim.sensitivity.results import collected
from demandsim.sensitivity.tails import collect_heavy, is_sure, warn_of_draws
from demandsim.statistics.estimators import check_prob
from demandsim.statistics.event import Event

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
    inputs: Sequence[str] | None = None,
    groups: Groups | None = None,
    given: Any = None,
    prob: float = 0.9,
    seed: int | None = None,
    resamples: int = 100,
) -> xr.Dataset:
    r"""Sensitivity indices from draws already made; inputs may be correlated.

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
    inputs : sequence of str, optional
        Quantities that explain: assumptions, or what is computed from them. Every assumption by default.
    groups : mapping of str to sequence of str, optional
        Quantities that are known together.
    given : str, tuple, bool DataArray or callable, optional
        Only draws in which something happens count, such as ``"gross_margin < 0"``; 128 must be left.
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
        per label. ``n_invalid`` counts draws left out for NaN or infinity, ``n_draws`` those in which what
        is `given` happens. NaN for what does not vary by more than rounding.

    Warns
    -----
    HeavyTailWarning
        If the variance hangs on a few extreme draws, so that first orders cannot be trusted.
    DependentInputsWarning
        If inputs are computed from others.

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
    about = asked(draws, of, inputs=inputs, groups=groups, given=given)
    heavy: dict[str, float] = {}

    def one(data: Paired) -> Cells:
        found: Cells = []
        if len(data.y) < 32 or is_sure(data.y):
            return [dict.fromkeys(_LONG_NAMES, (math.nan, math.nan, math.nan)) for _ in data.x]
        collect_heavy(heavy, data.quantity, data.y)
        rng = generator(entropy, 7)
        # Equal values of an assumption, as of a discrete one, come in random order.
        shuffled, bins, folds = rng.permutation(data.y.size), bins_of(data.y), folds_of(data.chain)
        for x in data.x:
            if len(x) == 1:
                order = shuffled[np.argsort(x[0][shuffled], kind="stable")]
                table = table_of(order, bins, folds)
                first = rank_first_order(data.y[order], data.chain[order], rng, prob)
            else:
                table = table_of_several(x, data.y, shuffled, bins, data.chain, rng)
                first = closed_order(x, data.y, data.chain, rng, prob)
            bounds = {"pawn": pawn(table, rng, resamples, prob), "delta": delta(table, rng, resamples, prob)}
            found.append({"first_order": first, **bounds})
        return found

    elements, others = itertools.tee(data for name in about.of for data in paired(about, name))
    out = collected(about, elements, (one(data) for data in others), _LONG_NAMES, ("", "_lower", "_upper"))
    warn_of_draws("given_data", heavy)
    return out.assign_attrs(
        about.about(),
        seed=recorded_seed(entropy),
        prob=prob,
        resamples=resamples,
        method="rank-based first order, PAWN, delta",
    )


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
    about = asked(draws, of)
    where = None if event is None else happened(draws, event).isel(draw=slice(0, about.draws.sizes["draw"])).load()

    def bad(data: Paired) -> npt.NDArray[np.bool_]:
        if where is None:
            ranked = np.argsort(data.y if side == "low" else -data.y, kind="stable")
            return np.isin(np.arange(data.y.size), ranked[: max(round(worst * data.y.size), 1)])
        return at(where, data.place, data.quantity)[data.kept]

    def one(data: Paired) -> Cells:
        group = bad(data)
        return [_compared(x[0], group) for x in data.x]

    long_names = {
        "median_grade": "quantile among all at the median of the worst",
        "mean_shift": "mean of the worst less that of all, in sd",
        "kolmogorov": "Kolmogorov distance of the worst from the rest",
        "n_worst": "draws that are worst",
    }
    elements, others = itertools.tee(data for name in about.of for data in paired(about, name))
    out = collected(about, elements, (one(data) for data in others), long_names, ("",))
    out["n_worst"] = out.n_worst.isel(assumption=0, drop=True).astype(int)
    return out.assign_attrs(about.about(), worst="event" if event is not None else worst, side=side)


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
