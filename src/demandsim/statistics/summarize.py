"""Summary: credible intervals and probabilities, each with its Monte Carlo standard error."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import xarray as xr

from demandsim._system import Array, keep_freed_memory
from demandsim.errors import (
    DemandsimError,
    DesignWarning,
    HeavyTailWarning,
    SeveralPeaksWarning,
    check_dataset,
    check_known,
)
from demandsim.statistics.design import design_of
from demandsim.statistics.estimators import (
    Asked,
    Estimates,
    Kind,
    array_estimates,
    check_prob,
    is_small,
    share_and_error,
    stacked_estimates,
)
from demandsim.statistics.event import Event, event_of
from demandsim.statistics.streaming import Place, stream_shares, stream_statistics
from demandsim.statistics.tails import HEAVY_FOR_MEAN, HEAVY_FOR_SD

__all__ = ["asked_of", "estimates_of", "probability", "run_attrs", "summarize", "summary_of", "warn_one_chain"]

#: Values of small samples that are worked out together, while they are in the cache.
_STACKED = 1 << 15

#: Prefix of the coordinates that mark draws with NaN or infinity, kept on request.
INVALID = "invalid_"


def _names(probs: Sequence[float]) -> list[str]:
    values = ["mean", "sd", "median", "lower", "upper", *(f"p{100 * p:.10g}" for p in probs)]
    return [*values, *(f"mcse_{name}" for name in values)]


def summarize(
    draws: xr.Dataset | xr.DataArray,
    prob: float = 0.9,
    kind: Kind = "eti",
    *,
    probs: Sequence[float] = (),
    multimodal: bool = False,
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
    multimodal : bool, default False
        A highest density interval may be several intervals, where a result has several peaks.

    Returns
    -------
    Dataset
        Same quantities and units; dims without ``chain`` and ``draw``, plus ``statistic``: mean, sd,
        median, lower, upper and the ``mcse_`` of each. If draws with NaN or infinity were kept, they
        are left out, and the statistics ``n_invalid`` and ``share_invalid`` say how many. A quantity with heavy tails
        has the attribute ``khat``. With `multimodal`, ``lower_1``, ``upper_1``, ``lower_2``, ... are the ends of each
        interval, NaN where a quantity has fewer; ``lower`` and ``upper`` are the outermost ends.

    Raises
    ------
    DemandsimError
        If `prob` is not inside (0, 1), `draws` has no dims ``chain`` and ``draw``, or `multimodal` is asked of an
        equal-tailed interval.

    Warns
    -----
    SeveralPeaksWarning
        If a highest density interval, asked to be one, spans values that hardly occur.
    HeavyTailWarning
        If the index of a Pareto law fitted to the most extreme draws of a quantity, less its standard error, is above
        0.3: the sd hangs on few draws; above 0.5 the mean does, too.

    Notes
    -----
    For the design ``random`` the MCSE of the mean is :math:`s / \sqrt n`, that of the sd
    :math:`\sqrt{(m_4 - s^4) / n} / 2s`, that of a quantile half the distance between the quantiles
    one binomial standard error up and down. For the other designs, whose draws depend on each
    other, it comes from the spread of the chains, which are independent randomisations: of their means and sds, and,
    for a quantile, of their shares of draws below it, divided by the slope there. It is 0 only where the value is sure.

    Dask-backed draws are read block by block; once, or twice where the first block misleads about the rest.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=1024, seed=1)
    >>> s = ds.summarize(draws).cards.sel(scenario="100T")
    >>> bool(s.sel(statistic="lower") < 857_772 < s.sel(statistic="upper"))
    True
    """
    asked = asked_of(prob, kind, probs, multimodal)
    data = _as_dataset(draws)
    kept = _kept(data)
    if not kept:
        raise DemandsimError("nothing to summarize: no variable has both dims 'chain' and 'draw'")
    warn_one_chain(data)
    return summary_of(
        data,
        _rows(kept, dataclasses.replace(asked, iid=design_of(data).independent)),
        asked,
        data.sizes["chain"] * data.sizes["draw"],
    )


def asked_of(prob: float, kind: Kind, probs: Sequence[float], multimodal: bool) -> Asked:
    """What is asked of draws; an error of what cannot be."""
    check_prob(prob)
    check_known([kind], ("eti", "hdi"), "kind of interval")
    if multimodal and kind != "hdi":
        raise DemandsimError("an equal-tailed interval is always one; multimodal=True needs kind='hdi'")
    for level in probs:
        check_prob(level)
    return Asked(prob, kind, tuple(probs), multimodal=multimodal)


def _kept(data: xr.Dataset) -> dict[str, xr.Variable]:
    """What has draws. Variables: to make a DataArray of one takes the longer the more there are."""
    variables = {str(name): data.variables[name] for name in data.data_vars}
    return {name: held for name, held in variables.items() if {"chain", "draw"} <= set(held.dims)}


def summary_of(
    data: xr.Dataset, rows: Mapping[tuple[str, tuple[int, ...]], Estimates], asked: Asked, total: int
) -> xr.Dataset:
    """The statistics of each element as a Dataset, with the labels and units of the draws; warns of tails and peaks."""
    kept = _kept(data)
    most = max(_count_of_pieces(found) for found in rows.values()) if asked.multimodal else 0
    some_invalid = any(found.left_out for found in rows.values())
    labels = [*_names(asked.probs), *_names_of_pieces(most), *["n_invalid", "share_invalid"] * some_invalid]
    tables = {name: np.empty((*_other_shape(array), len(labels))) for name, array in kept.items()}
    for (name, place), found in rows.items():
        tables[name][place] = [
            *found.row,
            *_pieces(found, most),
            *[found.left_out, found.left_out / total] * some_invalid,
        ]
    tails = _heavy_tails(rows)
    _warn_of_peaks(rows)
    out: dict[str, Any] = {}
    coords: dict[str, Any] = {"statistic": labels}
    for key, array in kept.items():
        dims = [dim for dim in array.dims if dim not in ("chain", "draw")]
        coords |= {str(dim): data.variables[dim] for dim in dims if dim in data.coords}
        khat = {"khat": tails[key]} if key in tails else {}
        out[key] = ([*dims, "statistic"], tables[key], dict(array.attrs) | khat)
    return xr.Dataset(out, coords=coords, attrs=run_attrs(data) | {"prob": asked.prob, "kind": asked.kind})


def _names_of_pieces(most: int) -> list[str]:
    values = [f"{end}_{number}" for number in range(1, most + 1) for end in ("lower", "upper")]
    return [*values, *(f"mcse_{name}" for name in values)]


def _count_of_pieces(found: Estimates) -> int:
    return 1 if found.dense is None else len(found.dense.ends)


def _pieces(found: Estimates, most: int) -> list[float]:
    """Ends of each interval of a highest density set, then their errors; NaN where there are fewer."""
    if not most:
        return []
    # Of what is sure, the one interval is that of the row: lower, upper and their errors.
    half = len(found.row) // 2
    sure = np.array([[found.row[3:5]], [found.row[half + 3 : half + 5]]])
    own = sure if found.dense is None else np.array([found.dense.ends, found.dense.errors])
    padded = np.full((2, most, 2), np.nan)
    padded[:, : own.shape[1]] = own[:, :most]
    return list(padded.ravel().tolist())


def _warn_of_peaks(rows: Mapping[tuple[str, tuple[int, ...]], Estimates]) -> None:
    """Warn once of highest density intervals that hold hardly anything in their middle."""
    empty = {name: found.dense.empty for (name, _), found in rows.items() if found.dense and found.dense.empty}
    if empty:
        name, (low, high) = next(iter(empty.items()))
        more = f"; so do those of {', '.join(repr(n) for n in list(empty)[1:4])}" if len(empty) > 1 else ""
        also = f" and {len(empty) - 4} more" if len(empty) > 4 else ""
        warnings.warn(
            f"'{name}' has several peaks: its highest density interval spans values that hardly occur, from "
            f"{low:.4g} to {high:.4g}{more}{also}; multimodal=True gives the intervals on either side",
            SeveralPeaksWarning,
            stacklevel=4,
        )


def _rows(arrays: Mapping[str, xr.Variable], asked: Asked) -> dict[Place, Estimates]:
    """Statistics of every element of every variable."""
    lazy = {name: array for name, array in arrays.items() if array.chunks is not None}
    held = {name: array for name, array in arrays.items() if array.chunks is None}
    jobs = [((name, place), values) for name, array in held.items() for place, values in _elements(array, name)]
    return estimates_of(jobs, asked) | (stream_statistics(lazy, asked) if lazy else {})


def estimates_of(elements: Sequence[tuple[Place, Any]], asked: Asked) -> dict[Place, Estimates]:
    """Statistics of elements, each with draws of shape (chain, draw)."""
    keep_freed_memory()
    alike: dict[tuple[int, ...], list[int]] = {}
    jobs: list[list[int]] = []
    for number, (_, values) in enumerate(elements):
        if not is_small(values):
            jobs.append([number])
            continue
        together = alike.setdefault(values.shape, [])
        if not together:
            jobs.append(together)
        together.append(number)
        if len(together) * values.size >= _STACKED:
            alike[values.shape] = []

    def some(numbers: list[int]) -> list[Estimates]:
        values = [elements[number][1] for number in numbers]
        return stacked_estimates(values, asked) if is_small(values[0]) else [array_estimates(values[0], asked)]

    # One after the other: threads would wait for each other between steps of some microseconds, and take no less time.
    rows = {number: row for job in jobs for number, row in zip(job, some(job), strict=True)}
    return {key: rows[number] for number, (key, _) in enumerate(elements)}


def _heavy_tails(rows: Mapping[tuple[str, tuple[int, ...]], Estimates]) -> dict[str, float]:
    """Tail index of the quantities whose tails are heavy, of which it warns once."""
    tails: dict[str, float] = {}
    for (name, _), found in rows.items():
        if found.tail > HEAVY_FOR_SD:
            tails[name] = max(found.tail, tails.get(name, 0.0))
    worst = sorted(tails, key=lambda name: -tails[name])
    if worst:
        means = [f"'{name}'" for name in worst if tails[name] > HEAVY_FOR_MEAN]
        more = f" and {len(worst) - 3} more" if len(worst) > 3 else ""
        also = f", and the mean of {', '.join(means[:3])}" if means else ""
        warnings.warn(
            f"heavy tails (Pareto index k-hat up to {tails[worst[0]]:.2f}): the sd of "
            f"{', '.join(repr(name) for name in worst[:3])}{more}{also} hangs on a few extreme draws, and its error "
            "may be far too small; use the median, lower, upper or probs=, which do not",
            HeavyTailWarning,
            stacklevel=4,
        )
    return tails


def _as_dataset(draws: xr.Dataset | xr.DataArray) -> xr.Dataset:
    if isinstance(draws, xr.DataArray):
        draws = draws.to_dataset(name=str(draws.name) if draws.name is not None else "value")
    check_dataset(draws)
    for dim in ("chain", "draw"):
        if dim not in draws.dims:
            raise DemandsimError(f"draws have no dim '{dim}'; pass what model.simulate returns, before reducing it")
    return draws


def run_attrs(data: xr.Dataset) -> dict[str, Any]:
    """Attributes by which a result says what draws it is of."""
    names = ("study", "changes", "model_hash", "seed", "design", "chains", "draws")
    return {name: data.attrs[name] for name in names if name in data.attrs}


def warn_one_chain(draws: xr.Dataset | xr.DataArray) -> None:
    """Warn that one chain of a design whose draws depend on each other cannot tell its error."""
    design = design_of(draws)
    if draws.sizes["chain"] < 2 and not design.independent:
        warnings.warn(
            f"one chain of design '{design.name}' cannot tell its Monte Carlo error, which is left NaN; use chains=8",
            DesignWarning,
            stacklevel=3,
        )


def _other_shape(array: xr.DataArray | xr.Variable) -> tuple[int, ...]:
    return tuple(size for dim, size in array.sizes.items() if dim not in ("chain", "draw"))


def _elements(array: xr.Variable, name: str) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Draws of every element of the other dims, shape (chain, draw)."""
    values = array.transpose(..., "chain", "draw").values
    if values.dtype.kind not in "fiub":
        raise DemandsimError(f"variable '{name}' holds {values.dtype}, not numbers")
    for place in np.ndindex(*values.shape[:-2]):
        yield place, cast(Array, values[place] if values.dtype.kind == "f" else values[place].astype(np.float64))


def probability(
    event: xr.DataArray | str | tuple[str, str, float] | Event, draws: xr.Dataset | None = None
) -> xr.Dataset:
    r"""Share of draws in which an event happens, with its Monte Carlo error.

    Parameters
    ----------
    event : bool DataArray with dims ``chain`` and ``draw``, or str
        For example ``draws.gross_margin > 0``; or as text, such as ``"revenue > annualized_capex and cards < 1e6"``.
    draws : Dataset, optional
        Of ``model.simulate``, where the event is a text.

    Returns
    -------
    Dataset
        ``probability`` and ``mcse``, dimensionless, over the other dims of the event. If draws with NaN
        or infinity were kept, they are left out, and ``n_invalid`` says how many.

    Raises
    ------
    DemandsimError
        If the event cannot be read, is not boolean, or has no dims ``chain`` and ``draw``.

    Notes
    -----
    For independent draws :math:`\sqrt{p (1 - p) / n}`; for the other designs, the spread between
    chains, and one draw of all. Where the event happened in no draw, or in all, the error is that of
    :math:`p = (k + 1/2) / (n + 1)`: never zero.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=1024, seed=1)
    >>> p = ds.probability(draws.gross_margin > 0).sel(scenario="100T")
    >>> bool(0.2 < p.probability < 0.8), bool(p.mcse < 0.02)
    (True, True)
    >>> bool(ds.probability("cards > 1e6", draws).probability.sel(scenario="1000T") > 0.5)
    True
    """
    if isinstance(event, xr.Dataset):
        raise DemandsimError(_unsaid(event, draws))
    if isinstance(event, (str, tuple, Event)):
        if draws is None:
            raise DemandsimError(f"event '{event}' needs draws to be told of: probability('{event}', draws)")
        event = event_of(event)(_as_dataset(draws))
    data = _as_dataset(event)
    array = next(iter(data.data_vars.values()))
    if array.dtype != np.bool_:
        name = str(event.name or "draws.gross_margin")
        raise DemandsimError(f"an event is a comparison, such as {name} > 0; this array holds numbers")
    iid = design_of(array).independent
    warn_one_chain(array)
    invalid = _marked_invalid(event)
    others = [dim for dim in array.dims if dim not in ("chain", "draw")]
    shape = _other_shape(array)
    share, mcse, left_out = np.empty(shape), np.empty(shape), np.zeros(shape, dtype=np.int64)
    marks = (
        None
        if invalid is None or array.chunks is not None
        else dict(_elements(invalid.broadcast_like(array).astype(float).variable, "invalid"))
    )
    if array.chunks is not None:
        for place, row in stream_shares(array, invalid, iid).items():
            share[place], mcse[place], left_out[place] = row
    else:
        for place, values in _elements(array.variable, str(array.name)):
            valid = np.ones(values.shape) if marks is None else 1.0 - marks[place]
            totals = valid.sum(axis=-1)
            left_out[place] = int(valid.size - totals.sum())
            share[place], mcse[place] = share_and_error((values * valid).sum(axis=-1), totals, iid)
    coords = {dim: array.coords[dim] for dim in others if dim in array.coords}
    made = {"probability": (others, share, {"units": "1"}), "mcse": (others, mcse, {"units": "1"})}
    out = xr.Dataset(made, coords=coords)
    return out.assign(n_invalid=(others, left_out)) if left_out.any() else out


def _unsaid(draws: xr.Dataset, event: Any) -> str:
    """What is wrong with a Dataset in the place of an event."""
    if event is not None:
        return f"the event comes first, then the draws: probability({event!r}, draws)"
    derived = [name for name, array in draws.data_vars.items() if array.attrs.get("role") == "derived"]
    name = next(iter([*derived[-1:], *draws.data_vars]), "quantity")
    return f"a Dataset does not say which event is meant: ask with probability('{name} > 0', draws)"


def _marked_invalid(event: xr.DataArray) -> xr.DataArray | None:
    marks: Mapping[Any, xr.DataArray] = {n: c for n, c in event.coords.items() if str(n).startswith(INVALID)}
    own = marks.get(f"{INVALID}{event.name}")
    if own is not None:
        return own
    if event.name is not None and str(event.name) in event.coords["chain"].attrs.get("finite", "").split(", "):
        return None
    # Of an event made from several quantities only the marks tell which draws were not numbers.
    return None if not marks else cast(xr.DataArray, sum(marks.values()) > 0)
