"""Cohorts: how the cards of a year wear out, and what has to be bought beside them; numpy below, labels above.

Inside, every array has the year as its first axis and, where kinds of hardware share one demand, the
hardware as its second; size 1 where a quantity does not vary.

A card that is bought in year ``v`` and lives ``L`` serves in year ``t`` for the share
``clip((L - (t - v)) / period, 0, 1)`` of that year: in full while its age is below ``L - period``, and
for what is left of ``L`` in the year in which its life ends. The shares of all years add up to ``L``
exactly, also where it is no whole number of years.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.distributions.base import is_labelled
from demandsim.errors import EquationError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["fallen_due", "mixed_purchases", "over_years", "purchases", "retirements", "survivors", "written_off"]

Mask = npt.NDArray[np.bool_]

#: How far two floats may be apart and still be meant to be equal.
_ROUNDING = 1e-9


def over_years(kernel: Callable[..., Array], *values: Any) -> Any:
    """Run a kernel on the numbers of labelled values, and label its result.

    Values with units, as of the unit check, give a result with the unit that follows from theirs.

    Parameters
    ----------
    kernel : callable
        Takes arrays with the year as first axis, the hardware as second, and draws as last.
    *values : DataArray or float

    Raises
    ------
    EquationError
        If none of the values has a dim ``year``, or one is an array without labels.
    """
    import xarray as xr

    if any(np.ndim(value) and not is_labelled(value) for value in values):
        raise EquationError("cohorts need labelled arrays, with a dim 'year'")
    # Kernels write into none of them.
    arrays = xr.align(*(v if is_labelled(v) else xr.DataArray(float(v)) for v in values), join="exact", copy=False)
    found = dict.fromkeys(str(dim) for array in arrays for dim in array.dims)
    if "year" not in found:
        raise EquationError("cohorts need a dim 'year': give the assumption elapsed_time as by('year', [0, 1, ...])")
    # Draws last, so that numpy's inner loop runs over neighbours in memory. Every array has all axes.
    dims = ["year", "hardware", *(dim for dim in found if dim not in ("year", "hardware", "draw")), "draw"]
    labelled = _with_labels(kernel(*(_with_axes(array, dims) for array in arrays)), dims, arrays)
    units = [array.data.units for array in arrays if hasattr(array.data, "units")]
    if len(units) < len(arrays):
        return labelled
    return labelled.copy(data=arrays[0].data._REGISTRY.Quantity(labelled.data, _UNIT_OF[kernel.__name__](*units)))


def _with_labels(result: Array, dims: Sequence[str], arrays: Sequence[xr.DataArray]) -> xr.DataArray:
    """A kernel's result with the labels of what it was computed from, without the axes of size 1 that nothing has."""
    import xarray as xr

    sizes = {str(dim): max(int(a.sizes.get(dim, 1)) for a in arrays) for array in arrays for dim in array.dims}
    full = [dim for dim, n in zip(dims, result.shape, strict=True) if sizes.get(dim) == n]
    coords = {dim: array.coords[dim] for array in arrays for dim in full if dim in array.coords}
    return xr.DataArray(result.reshape([sizes[dim] for dim in full]), dims=full, coords=coords)


def _with_axes(array: xr.DataArray, dims: Sequence[str]) -> Array:
    """The numbers of an array with all axes, of size 1 where it does not vary."""
    data = getattr(array.data, "magnitude", array.data)
    places = {dim: place for place, dim in enumerate(array.dims)}
    moved = np.transpose(data, [places[dim] for dim in dims if dim in places])
    return np.reshape(moved, [array.sizes[dim] if dim in places else 1 for dim in dims])


#: Unit of a kernel's result. What must cancel is written as a ratio: if it does not, the result has a wrong unit.
_UNIT_OF: dict[str, Callable[..., Any]] = {
    "purchases": lambda required, life, elapsed, limit, initial, period: (
        required * (life / period) * (elapsed / period) * (limit / required) * (initial / required)
    ),
    "mixed_purchases": lambda required, share, speed, life, elapsed, limit, initial, period: (
        (required / speed)
        * share
        * (life / period)
        * (elapsed / period)
        * (limit * speed / required)
        * (initial * speed / required)
    ),
    "survivors": lambda bought, life, elapsed, initial, period: (
        bought * (life / period) * (elapsed / period) * (initial / bought)
    ),
    "retirements": lambda in_service, surviving: in_service * (surviving / in_service),
    "written_off": lambda paid, life, elapsed, period: (paid / life) * (life / period) * (elapsed / period),
    "fallen_due": lambda bought, lead, elapsed, period: bought * (lead / period) * (elapsed / period),
}


def _year(array: Array, year: int) -> Array:
    """One year of a quantity, which may be the same in all."""
    one: Array = array[year if len(array) > 1 else 0]
    return one


def _following(elapsed: Array, period: Array, years: int) -> Mask:
    """Whether the years follow each other by one period each."""
    if len(elapsed) != years:
        raise EquationError("cohorts need elapsed_time for every year: give it as by('year', [0, 1, ...])")
    steps = np.diff(elapsed, axis=0)
    even: Mask = np.all(abs(steps - period) <= _ROUNDING * period, axis=0, keepdims=True)
    return even


def _lives(life: Array, elapsed: Array, period: Array, years: int) -> Array:
    """Lives that can be reckoned with: one below a period, or years that do not follow each other, give NaN."""
    return np.where((life >= period) & _following(elapsed, period, years), life, np.nan)


def _once(initial: Array) -> Array:
    """What there is before the first year, which no later year can change."""
    if len(initial) > 1:
        raise EquationError("initial_cards is what there is before the first year; it cannot have a dim 'year'")
    return _year(initial, 0)


def _share(life: Array, elapsed: Array, period: Array, bought: int, year: int) -> Array:
    """Share of a year for which a card of an earlier or the same year serves."""
    age = elapsed[year] - elapsed[bought]
    shares: Array = np.clip((_year(life, bought) - age) / period[0], 0.0, 1.0)
    return shares


def _left_over(bought: Array, first: Array, life: Array, elapsed: Array, period: Array, year: int) -> Array:
    """What is left in a year of the purchases of earlier years, and of what there was before the first."""
    # Cards of all ages from new to worn out: they retire at an even pace over one life.
    aged = np.clip(1.0 - (elapsed[year] - elapsed[0]) / life[0], 0.0, 1.0)
    total: Array = np.empty(np.broadcast_shapes(bought.shape[1:], first.shape, aged.shape))
    np.multiply(first, aged, out=total)
    # Always from the oldest to the newest: then rounding never makes more cards survive than there were.
    _add_shares(total, bought[:year], life, elapsed, period, year)
    return total


def _add_shares(total: Array, bought: Array, life: Array, elapsed: Array, period: Array, year: int) -> None:
    """Add what is left in a year of each cohort."""
    piece = np.empty(bought.shape[1:])
    for place, cohort in enumerate(bought):
        share = _share(life, elapsed, period, place, year)
        total += cohort if np.all(share == 1.0) else np.multiply(cohort, share, out=piece)


def survivors(bought: Array, life: Array, elapsed: Array, initial: Array, period: Array) -> Array:
    """What is left, in each year, of the purchases of the years before and of the initial fleet."""
    years, first = max(len(bought), len(elapsed)), _once(initial)
    life = _lives(life, elapsed, period, years)
    bought = np.broadcast_to(bought, (years, *np.broadcast_shapes(bought.shape[1:], life.shape[1:], first.shape)))
    out: Array = np.empty(bought.shape)
    for year in range(years):
        out[year] = _left_over(bought, first, life, elapsed, period, year)
    return out


def purchases(required: Array, life: Array, elapsed: Array, limit: Array, initial: Array, period: Array) -> Array:
    """What is bought in each year to make up for what is missing, as far as there is supply."""
    years, first = max(len(required), len(limit), len(elapsed)), _once(initial)
    life = _lives(life, elapsed, period, years)
    inner = np.broadcast_shapes(*(a.shape[1:] for a in (required, life, elapsed, limit, initial, period)))
    out: Array = np.empty((years, *inner))
    for year in range(years):
        missing = _year(required, year) - _left_over(out, first, life, elapsed, period, year)
        np.minimum(np.maximum(missing, 0.0), _year(limit, year), out=out[year])
    return out


class _Mix(NamedTuple):
    """Kinds of hardware that share one demand."""

    required: Array
    share: Array
    performance: Array
    life: Array
    elapsed: Array
    limit: Array
    initial: Array
    period: Array


def mixed_purchases(*inputs: Array) -> Array:
    """Cards of each kind that are bought in each year so that all kinds together do the work required.

    What a kind cannot supply goes to the first kind, in the order of the labels, that can.
    """
    mix = _Mix(*inputs)
    years, first = max(len(array) for array in mix), _once(mix.initial) * mix.performance[0]
    inner = np.broadcast_shapes(*(a.shape[1:] for a in mix))
    if mix.required.shape[1] > 1:
        raise EquationError("the work that all kinds of hardware share, capacity_compute, cannot vary by 'hardware'")
    life = _lives(mix.life, mix.elapsed, mix.period, years)
    cards: Array = np.empty((years, *inner))
    work: Array = np.empty(cards.shape)
    for year in range(years):
        speed = np.broadcast_to(_year(mix.performance, year), inner)
        most = np.broadcast_to(_year(mix.limit, year), inner)
        held = _added(_left_over(work, first, life, mix.elapsed, mix.period, year))
        missing = np.maximum(_year(mix.required, year)[0] - held, 0.0)
        wanted = _whole(_year(mix.share, year), inner[0]) * missing / speed
        np.minimum(wanted, most, out=cards[year])
        # Where every kind supplies its part, what is left is rounding, and no card is bought for it.
        short = np.any(wanted > most, axis=0)
        rest = np.maximum(missing - _added(cards[year] * speed), 0.0)
        _passed_on(cards[year], np.where(short | np.isnan(rest), rest, 0.0), speed, most)
        np.multiply(cards[year], speed, out=work[year])
    return cards


def _passed_on(cards: Array, rest: Array, speed: Array, most: Array) -> None:
    """Let each kind in turn take over what is left, as far as there is supply."""
    for kind in range(len(cards)):
        if not rest.any():
            return
        before = cards[kind].copy()
        enough = before + rest / speed[kind]
        np.minimum(enough, most[kind], out=cards[kind])
        rest = np.maximum(rest - (cards[kind] - before) * speed[kind], 0.0)
        # The kind that fills the gap fills it to the last bit.
        rest = np.where(enough <= most[kind], 0.0, rest)


def _added(kinds: Array) -> Array:
    """Sum over the first axis in a fixed order, whatever the number of draws."""
    total: Array = kinds[0].copy()
    for kind in kinds[1:]:
        total += kind
    return total


def _whole(share: Array, kinds: int) -> Array:
    """The mix, or NaN where its parts are negative or do not add up to one."""
    parts = np.broadcast_to(share, (kinds, *share.shape[1:]))
    good = (abs(_added(parts) - 1.0) <= _ROUNDING) & np.all(parts >= 0.0, axis=0)
    return np.where(good, parts, np.nan)


def retirements(in_service: Array, surviving: Array) -> Array:
    """What served in the year before and is no longer there; nothing in the first year."""
    out: Array = np.empty((len(surviving), *np.broadcast_shapes(in_service.shape[1:], surviving.shape[1:])))
    out[0] = 0.0 * surviving[0]
    np.subtract(in_service[:-1], surviving[1:], out=out[1:])
    return out


def written_off(paid: Array, life: Array, elapsed: Array, period: Array) -> Array:
    """Straight-line depreciation, as a rate, of what was paid in each year."""
    years = max(len(paid), len(elapsed))
    life = _lives(life, elapsed, period, years)
    rate = paid / life
    rate = np.broadcast_to(rate, (years, *rate.shape[1:]))
    out: Array = np.zeros(rate.shape)
    for year in range(years):
        _add_shares(out[year], rate[: year + 1], life, elapsed, period, year)
    return out


def fallen_due(bought: Array, lead: Array, elapsed: Array, period: Array) -> Array:
    """What has to be ordered in each year to arrive a lead time later; nothing for years beyond the last."""
    years = max(len(bought), len(elapsed))
    steps = np.where((lead >= 0.0) & _following(elapsed, period, years), lead / period, np.nan)
    inner = np.broadcast_shapes(bought.shape[1:], steps.shape[1:])
    out: Array = np.zeros((years, *inner))
    for year in range(years):
        for later in range(year, years):
            share = np.maximum(1.0 - abs(_year(steps, later) - (later - year)), 0.0)
            out[year] += _year(bought, later) * share
    return out
