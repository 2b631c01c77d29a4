"""Summary: credible intervals and probabilities, each with its Monte Carlo standard error."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import xarray as xr

from demandsim.errors import DemandsimError, DesignWarning, check_known

__all__ = ["probability", "summarize", "to_datatree"]

Array = npt.NDArray[np.float64]
Kind = Literal["eti", "hdi"]

#: Prefix of the coordinates that mark draws with NaN or infinity, kept on request.
INVALID = "invalid_"


def spread_to_mcse(estimates: Array) -> float:
    r"""Standard error of the mean of independent estimates, one per chain.

    .. math:: t_{m-1}\bigl(\Phi(1)\bigr) \, s / \sqrt m

    The factor (1.08 for 8 chains, 1.03 for 16) makes plus or minus one MCSE cover 68.3%, as for a
    normal error of known size, although s is itself estimated from few chains.
    """
    from scipy import special

    chains = estimates.size
    if chains < 2:
        return math.nan
    if not np.all(np.isfinite(estimates)):
        return math.nan
    factor = float(special.stdtrit(chains - 1, special.ndtr(1.0)))
    return factor * float(np.std(estimates, ddof=1)) / math.sqrt(chains)


def sorted_quantile(ordered: Array, prob: float) -> float:
    """Quantile of sorted values, linear between order statistics (numpy's default)."""
    place = prob * (ordered.size - 1)
    low = min(int(place), ordered.size - 1)
    high = min(low + 1, ordered.size - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


def pooled_quantile(chains: Sequence[Array], prob: float) -> float:
    """Quantile of all chains together, each of them sorted, without sorting them again.

    The pooled quantile lies between the smallest and the largest of the chains' own, so only the
    values in between need to be looked at.
    """
    total = sum(chain.size for chain in chains)
    place = prob * (total - 1)
    low = int(place)
    spots = [prob * (chain.size - 1) for chain in chains]
    start = min(chain[max(int(spot) - 1, 0)] for chain, spot in zip(chains, spots, strict=True))
    stop = max(chain[min(int(spot) + 2, chain.size - 1)] for chain, spot in zip(chains, spots, strict=True))
    first = [int(np.searchsorted(chain, start, side="left")) for chain in chains]
    last = [int(np.searchsorted(chain, stop, side="right")) for chain in chains]
    between = np.sort(np.concatenate([chain[a:b] for chain, a, b in zip(chains, first, last, strict=True)]))
    rank = low - sum(first)
    below = between[rank]
    above = between[min(rank + 1, between.size - 1)]
    return float(below + (above - below) * (place - low))


def narrowest(ordered: Array, prob: float) -> tuple[float, float]:
    """Highest density interval of sorted values: the narrowest that holds `prob` of them."""
    inside = min(int(math.floor(prob * ordered.size)), ordered.size - 1)
    widths = ordered[inside:] - ordered[: ordered.size - inside]
    place = int(np.argmin(widths))
    return float(ordered[place]), float(ordered[place + inside])


def _iid_quantile_mcse(chains: Sequence[Array], prob: float) -> float:
    """Half the distance between the quantiles one binomial standard error up and down."""
    total = sum(chain.size for chain in chains)
    step = math.sqrt(prob * (1 - prob) / total)
    low, high = max(prob - step, 0.0), min(prob + step, 1.0)
    return (pooled_quantile(chains, high) - pooled_quantile(chains, low)) / 2


def _moments(chains: Sequence[Array]) -> tuple[float, float, float]:
    """Pooled mean, standard deviation and fourth central moment."""
    total = sum(chain.size for chain in chains)
    mean = math.fsum(float(np.mean(chain)) * chain.size for chain in chains) / total
    squares, fourths = 0.0, 0.0
    for chain in chains:
        deviation = chain - mean
        deviation *= deviation
        squares += float(np.sum(deviation))
        deviation *= deviation
        fourths += float(np.sum(deviation))
    return mean, math.sqrt(squares / (total - 1)) if total > 1 else 0.0, fourths / total


def statistics(chains: Sequence[Array], prob: float, kind: Kind, probs: Sequence[float], iid: bool) -> list[float]:
    """All statistics of one quantity: values first, their MCSE after.

    Parameters
    ----------
    chains : sequence of array
        Finite values of each chain.
    prob, kind : interval
    probs : sequence of float
        Further quantiles.
    iid : bool
        Draws are independent, so that errors follow from all of them; otherwise from the spread
        between chains.

    Returns
    -------
    list of float
        mean, sd, median, lower, upper, further quantiles, then the MCSE of each.
    """
    chains = [np.sort(chain) for chain in chains if chain.size]
    total = sum(chain.size for chain in chains)
    count = 5 + len(probs)
    if not total:
        return [math.nan] * (2 * count)
    if all(chain[0] == chains[0][0] == chain[-1] for chain in chains):
        value = float(chains[0][0])
        return [value, 0.0, *([value] * (count - 2)), *([0.0] * count)]
    tails = ((1 - prob) / 2, (1 + prob) / 2)
    levels = [0.5, *(tails if kind == "eti" else ()), *probs]
    mean, sd, fourth = _moments(chains)
    quantiles = [pooled_quantile(chains, level) for level in levels]
    per_chain = [
        [sorted_quantile(chain, level) for level in levels] + list(narrowest(chain, prob) if kind == "hdi" else ())
        for chain in chains
    ]
    spread = [spread_to_mcse(np.array(column)) for column in zip(*per_chain, strict=True)]
    if iid:
        errors = [_iid_quantile_mcse(chains, level) for level in levels] + spread[len(levels) :]
        error_mean = sd / math.sqrt(total)
        error_sd = math.sqrt(max(fourth - sd**4, 0.0) / total) / (2 * sd) if sd else 0.0
    else:
        errors = spread
        error_mean = spread_to_mcse(np.array([np.mean(chain) for chain in chains]))
        error_sd = spread_to_mcse(np.array([np.std(chain, ddof=1) if chain.size > 1 else np.nan for chain in chains]))
    if kind == "hdi":
        ends = narrowest(np.sort(np.concatenate(chains)), prob)
        quantiles = [quantiles[0], *ends, *quantiles[1:]]
        errors = [errors[0], *errors[len(levels) :], *errors[1 : len(levels)]]
    return [mean, sd, *quantiles, error_mean, error_sd, *errors]


def _names(probs: Sequence[float]) -> list[str]:
    values = ["mean", "sd", "median", "lower", "upper", *(f"p{100 * p:.10g}" for p in probs)]
    return [*values, *(f"mcse_{name}" for name in values)]


def check_prob(prob: float) -> None:
    """Raise unless `prob` is a probability strictly between 0 and 1."""
    if not 0 < prob < 1:
        raise DemandsimError(f"prob must lie between 0 and 1, not {prob!r}; 0.9 gives P5 to P95")


def summarize(
    draws: xr.Dataset | xr.DataArray, prob: float = 0.9, kind: Kind = "eti", *, probs: Sequence[float] = ()
) -> xr.Dataset:
    r"""Mean, sd, median and credible interval of every quantity, each with its Monte Carlo error.

    Parameters
    ----------
    draws : Dataset or DataArray
        With dims ``chain`` and ``draw``, as ``model.simulate`` makes.
    prob : float, default 0.9
        Probability of the interval.
    kind : {"eti", "hdi"}, default "eti"
        Equal-tailed or highest density interval.
    probs : sequence of float, optional
        Further quantiles; 0.25 gives the statistics ``p25`` and ``mcse_p25``.

    Returns
    -------
    Dataset
        Same quantities and units; dims without ``chain`` and ``draw``, plus ``statistic``: mean, sd,
        median, lower, upper and the ``mcse_`` of each. If draws with NaN or infinity were kept, they
        are left out, and the statistic ``n_invalid`` says how many.

    Raises
    ------
    DemandsimError
        If `prob` is not inside (0, 1), or `draws` has no dims ``chain`` and ``draw``.

    Notes
    -----
    For the design ``random`` the MCSE of the mean is :math:`s / \sqrt n`, that of the sd
    :math:`\sqrt{(m_4 - s^4) / n} / 2s`, that of a quantile half the distance between the quantiles
    one binomial standard error up and down. For the other designs, whose draws depend on each
    other, it comes from the spread of the chains, which are independent randomisations.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=1024, seed=1)
    >>> s = ds.summarize(draws).cards.sel(scenario="100T")
    >>> bool(s.sel(statistic="lower") < 857_772 < s.sel(statistic="upper"))
    True
    """
    check_prob(prob)
    check_known([kind], ("eti", "hdi"), "kind of interval")
    for level in probs:
        check_prob(level)
    data = _as_dataset(draws)
    design = _design(data)
    kept = {name: array for name, array in data.data_vars.items() if {"chain", "draw"} <= set(array.dims)}
    if not kept:
        raise DemandsimError("nothing to summarize: no variable has both dims 'chain' and 'draw'")
    _warn_one_chain(design, data.sizes["chain"])
    jobs = [(str(name), place, values) for name, array in kept.items() for place, values in _elements(array)]

    def one(job: tuple[str, tuple[int, ...], Array]) -> tuple[list[float], int]:
        values = job[2]
        if values.strides[-1] == 0 and values.strides[-2] == 0:
            values = values[:1, :1]
        finite = np.isfinite(values)
        whole = bool(finite.all())
        chains = list(values) if whole else [row[good] for row, good in zip(values, finite, strict=True)]
        left_out = 0 if whole else int(np.count_nonzero(~finite))
        return statistics(chains, prob, kind, probs, design == "random"), left_out

    large = sum(values.size for *_, values in jobs) > 200_000
    results = list(_pooled_map(one, jobs) if large else map(one, jobs))
    names = _names(probs)
    some_invalid = any(left_out for _, left_out in results)
    labels = [*names, "n_invalid"] if some_invalid else names
    out: dict[str, xr.DataArray] = {}
    tables = {str(n): np.empty((*_other_shape(array), len(labels))) for n, array in kept.items()}
    for (name, place, _), (row, left_out) in zip(jobs, results, strict=True):
        tables[name][place] = [*row, left_out] if some_invalid else row
    for key, array in kept.items():
        dims = [dim for dim in array.dims if dim not in ("chain", "draw")]
        coords = {dim: array.coords[dim] for dim in dims if dim in array.coords}
        out[str(key)] = xr.DataArray(
            tables[str(key)], dims=[*dims, "statistic"], coords=coords, attrs=dict(array.attrs)
        )
    summary = xr.Dataset(out, coords={"statistic": labels})
    kept_attrs = ("study", "model_hash", "seed", "design", "chains", "draws")
    summary.attrs = {k: data.attrs[k] for k in kept_attrs if k in data.attrs} | {"prob": prob, "kind": kind}
    return summary


def _pooled_map(function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Any]:
    with ThreadPoolExecutor() as pool:
        yield from pool.map(function, jobs)


def _as_dataset(draws: xr.Dataset | xr.DataArray) -> xr.Dataset:
    if isinstance(draws, xr.DataArray):
        draws = draws.to_dataset(name=str(draws.name) if draws.name is not None else "value")
    for dim in ("chain", "draw"):
        if dim not in draws.dims:
            raise DemandsimError(f"draws have no dim '{dim}'; pass what model.simulate returns, before reducing it")
    return draws


def _design(data: xr.Dataset | xr.DataArray) -> str:
    """The design of the draws, which the coordinate ``chain`` carries through every comparison."""
    found = data.coords["chain"].attrs.get("design") if "chain" in data.coords else None
    return str(found or data.attrs.get("design", "unknown"))


def _warn_one_chain(design: str, chains: int) -> None:
    if chains < 2 and design != "random":
        warnings.warn(
            f"one chain of design '{design}' cannot tell its Monte Carlo error, which is left NaN; use chains=8",
            DesignWarning,
            stacklevel=3,
        )


def _other_shape(array: xr.DataArray) -> tuple[int, ...]:
    return tuple(size for dim, size in array.sizes.items() if dim not in ("chain", "draw"))


def _elements(array: xr.DataArray) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Draws of every element of the other dims, shape (chain, draw)."""
    values = array.transpose(..., "chain", "draw").values
    if values.dtype.kind not in "fiub":
        raise DemandsimError(f"variable '{array.name}' holds {values.dtype}, not numbers")
    for place in np.ndindex(*values.shape[:-2]):
        yield place, cast(Array, values[place] if values.dtype.kind == "f" else values[place].astype(np.float64))


def probability(event: xr.DataArray) -> xr.Dataset:
    r"""Share of draws in which an event happens, with its Monte Carlo error.

    Parameters
    ----------
    event : bool DataArray with dims ``chain`` and ``draw``
        For example ``draws.gross_margin > 0``.

    Returns
    -------
    Dataset
        ``probability`` and ``mcse``, dimensionless, over the other dims of `event`. If draws with NaN
        or infinity were kept, they are left out, and ``n_invalid`` says how many.

    Raises
    ------
    DemandsimError
        If `event` is not boolean, or has no dims ``chain`` and ``draw``.

    Notes
    -----
    For independent draws :math:`\sqrt{p (1 - p) / n}`; for the other designs, the spread between
    chains. Where the event happened in no draw, or in all, the error is that of
    :math:`p = (k + 1/2) / (n + 1)`: never zero.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=1024, seed=1)
    >>> p = ds.probability(draws.gross_margin > 0).sel(scenario="100T")
    >>> bool(0.2 < p.probability < 0.8), bool(p.mcse < 0.02)
    (True, True)
    """
    data = _as_dataset(event)
    array = next(iter(data.data_vars.values()))
    if array.dtype != np.bool_:
        raise DemandsimError("an event is a comparison, such as draws.gross_margin > 0; this array holds numbers")
    design = _design(array)
    _warn_one_chain(design, array.sizes["chain"])
    invalid = _marked_invalid(event)
    others = [dim for dim in array.dims if dim not in ("chain", "draw")]
    shape = _other_shape(array)
    share, mcse, left_out = np.empty(shape), np.empty(shape), np.zeros(shape, dtype=np.int64)
    marks = None if invalid is None else dict(_elements(invalid.broadcast_like(array).astype(float)))
    for place, values in _elements(array):
        bad = None if marks is None else marks[place] > 0
        chains = [row if bad is None else row[~bad[i]] for i, row in enumerate(values)]
        left_out[place] = 0 if bad is None else int(np.count_nonzero(bad))
        share[place], mcse[place] = share_and_error([c for c in chains if c.size], design == "random")
    coords = {dim: array.coords[dim] for dim in others if dim in array.coords}
    made = {"probability": (others, share, {"units": "1"}), "mcse": (others, mcse, {"units": "1"})}
    out = xr.Dataset(made, coords=coords)
    return out.assign(n_invalid=(others, left_out)) if left_out.any() else out


def share_and_error(chains: Sequence[Array], iid: bool) -> tuple[float, float]:
    """Share of ones among draws, and its Monte Carlo standard error."""
    total = sum(chain.size for chain in chains)
    if not total:
        return math.nan, math.nan
    hits = sum(float(np.sum(chain)) for chain in chains)
    if hits in (0.0, float(total)):
        guess = (hits + 0.5) / (total + 1)
        return hits / total, math.sqrt(guess * (1 - guess) / total)
    if iid:
        return hits / total, math.sqrt(hits / total * (1 - hits / total) / total)
    return hits / total, spread_to_mcse(np.array([np.mean(chain) for chain in chains]))


def _marked_invalid(event: xr.DataArray) -> xr.DataArray | None:
    marks: Mapping[Any, xr.DataArray] = {n: c for n, c in event.coords.items() if str(n).startswith(INVALID)}
    own = marks.get(f"{INVALID}{event.name}")
    if own is not None:
        return own
    # Of an event made from several quantities only the marks tell which draws were not numbers.
    return None if not marks else cast(xr.DataArray, sum(marks.values()) > 0)


def to_datatree(draws: xr.Dataset) -> xr.DataTree:
    """Put draws into ArviZ's schema, so that its functions and plots run on them.

    Parameters
    ----------
    draws : Dataset
        Made by ``model.simulate``.

    Returns
    -------
    DataTree
        Group ``prior`` holds the assumptions, ``prior_predictive`` the computed quantities, both
        with dims ``chain`` and ``draw`` first.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=64, seed=1)
    >>> sorted(to_datatree(draws).children)
    ['prior', 'prior_predictive']
    """
    ordered = draws.transpose("chain", "draw", ...)
    groups = {"prior": "assumption", "prior_predictive": "derived"}
    parts = {}
    for group, role in groups.items():
        names = [name for name, array in ordered.data_vars.items() if array.attrs.get("role") == role]
        if names:
            parts[group] = ordered[names]
    return xr.DataTree.from_dict(parts, name="demandsim")
