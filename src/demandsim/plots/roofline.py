"""Roofs: what bounds a card, over batch, context or whatever else varies, against what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError, check_known
from demandsim.plots.canvas import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    SKY,
    Canvas,
    band,
    bare,
    dot,
    is_wide,
    line,
    plain_ticks,
    wrapped,
)
from demandsim.plots.panels import captioned, chosen, lay_out, provenance, study_of
from demandsim.plots.words import Locale, locale_of
from demandsim.statistics.estimators import check_prob

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["roofline"]

_LINES = (BLUE, SKY, ORANGE)
_WALLS = (GREEN, INK)
_DASHES = ("--", "-.", ":")
_DOTTED = (0, (1, 1.5))
_RANDOM = ("chain", "draw")


def roofline(
    draws: xr.Dataset,
    over: str,
    *,
    of: Sequence[str | Sequence[str]],
    limits: Sequence[str] = (),
    walls: Sequence[str] = (),
    measured: Sequence[tuple[Any, ...]] = (),
    levels: Mapping[str, tuple[float, str]] | None = None,
    prob: float = 0.9,
    dim: str | None = None,
    locale: str = "en",
) -> Any:
    """Rates and utilization over a quantity that varies along a dim, with their roofs and measured points.

    Parameters
    ----------
    draws : Dataset
        Of ``model.simulate``.
    over : str
        Assumption with sure values along one dim of the model, such as a batch or a context.
    of : sequence of str, or of sequences of str
        Quantities, a panel each; those of an inner sequence share a panel and have one unit.
    limits : sequence of str, optional
        Quantities whose medians are drawn as roofs, in the panels of their unit.
    walls : sequence of str, optional
        Quantities in the unit of `over` that bound it: upright lines at their medians, with intervals.
    measured : sequence of (quantity, x, y) or (quantity, x, y, label), optional
        Points in the units of `over` and the quantity; with a label, in the column of that label only.
    levels : mapping of quantity to (value, text), optional
        Values to hold the quantity against, in its unit, such as what a report assumes.
    prob : float, default 0.9
        Probability of the interval that is shaded.
    dim : str, optional
        Dim along which panels stand side by side; the first further dim by default.
    locale : {"en", "zh"}, default "en"

    Returns
    -------
    numpy array of matplotlib Axes, shape (panels of `of`, labels)

    Raises
    ------
    UnknownNameError
        If there is no such quantity.
    DemandsimError
        If `over` is no sure value along one dim, a quantity does not vary along it, or units do not match.

    Examples
    --------
    >>> import xarray as xr
    >>> import demandsim as ds
    >>> shares = xr.DataArray([0.1, 0.2, 0.4], dims="step", coords={"step": [1, 2, 3]})
    >>> model = ds.load_study("guosen-2025-01").fix(utilization=shares)
    >>> draws = model.simulate(draws=256, seed=1)
    >>> ds.plots.roofline(draws, "utilization", of=["cards"]).shape
    (1, 2)
    """
    check_prob(prob)
    said = locale_of(locale)
    x = _axis(draws, over)
    rows = [[entry] if isinstance(entry, str) else list(entry) for entry in of]
    names = chosen([name for row in rows for name in row], draws.data_vars)
    roofs, uprights = (chosen(list(given), draws.data_vars) if given else [] for given in (limits, walls))
    _check(draws, x, rows, uprights)
    levels = dict(levels or {})
    check_known([*(point[0] for point in measured), *levels], names, "quantity")
    everything = (*names, *roofs, *uprights)
    panels = lay_out({name: draws[name] for name in everything}, (*_RANDOM, str(x.dims[0])), dim)
    canvas = Canvas([2.9] * len(rows), len(panels.labels), 4.4, said)
    found = {name: _summary(draws[name], prob) for name in everything}
    looks = {name: {"color": _LINES[place % len(_LINES)]} for row in rows for place, name in enumerate(row)}
    looks |= {name: {"color": ORANGE, "linestyle": _DASHES[place % 3]} for place, name in enumerate(roofs)}
    looks |= {name: {"color": _WALLS[place % 2], "linestyle": "-"} for place, name in enumerate(uprights)}
    for place, row in enumerate(rows):
        unit = _unit(draws[row[0]])
        divisor, shown = said.unit(unit, max(float(found[name].sel(end="middle").max()) for name in row))
        for column, label in enumerate(panels.labels):
            axes = canvas.axes[place, column]
            _scales(axes, x, [found[name] / divisor for name in row], unit)
            for name in uprights:
                _wall(axes, found[name].sel(panels.where(found[name], column)), looks[name])
            for name in row:
                _curve(axes, x, found[name].sel(panels.where(found[name], column)) / divisor, looks[name])
            for name in (name for name in roofs if _unit(draws[name]) == unit):
                middle = found[name].sel(panels.where(found[name], column)).sel(end="middle") / divisor
                # A roof may be level.
                axes.plot(x.values, np.broadcast_to(middle.values, x.shape), linewidth=1.4, **looks[name])
            for name, across, up, *only in (point for point in measured if point[0] in row):
                if not only or str(only[0]) == str(label):
                    axes.plot(across, up / divisor, "D", **looks[name], markeredgecolor=INK, markersize=7)
            for name in (name for name in levels if name in row):
                axes.axhline(levels[name][0] / divisor, color=GREY, linewidth=1.4, linestyle=_DOTTED)
            # Several curves of a panel are named by the key.
            name = said.name(row[0], draws[row[0]].attrs.get("long_name")) if len(row) == 1 else ""
            where = panels.where(found[row[0]], column)
            axes.set_title(wrapped(captioned(name, where, said), 52).strip(), fontsize=10, loc="left")
            axes.set_ylabel((shown or said.say("ratio")) if column == 0 else "", fontsize=9)
            if place == len(rows) - 1:
                axes.set_xlabel(_across(x, said), fontsize=9)
    named = [*(names if any(len(row) > 1 for row in rows) else ()), *roofs, *uprights]
    keys = [] if len(named) > len(roofs) + len(uprights) else [line(BLUE, said.say("median"))]
    keys += [_key(said.name(n, draws[n].attrs.get("long_name")), looks[n]) for n in named]
    keys += [band("#BBBBBB", said.say("interval", prob=said.percent(prob)))]
    keys += [dot("white", said.say("measured"), "D", markeredgecolor=INK)] if measured else []
    keys += [
        line(GREY, text, linestyle=_DOTTED, linewidth=1.4)
        for text in dict.fromkeys(text for _, text in levels.values())
    ]
    notes = [said.say("roofline_note"), *provenance(draws, (draws[n] for n in names), said)]
    return canvas.finish(said.say("roofline", study=study_of(draws.attrs, said)), keys, notes)


def _key(label: str, looks: Mapping[str, Any]) -> Any:
    return line(looks["color"], label, linestyle=looks.get("linestyle", "-"))


def _unit(array: xr.DataArray) -> str:
    return str(array.attrs.get("units", "1"))


def _check(draws: xr.Dataset, x: xr.DataArray, rows: Sequence[Sequence[str]], walls: Sequence[str]) -> None:
    for name in (name for row in rows for name in row):
        if x.dims[0] not in draws[name].dims:
            raise DemandsimError(f"'{name}' does not vary along '{x.dims[0]}', the dim of '{x.name}'")
    for row in rows:
        units = {_unit(draws[name]) for name in row}
        if len(units) > 1:
            raise DemandsimError(f"{list(row)} are to share a panel, but have the units {sorted(units)}")
    for name in walls:
        if _unit(draws[name]) != _unit(x):
            raise DemandsimError(f"'{name}' is in '{_unit(draws[name])}', and a wall needs '{_unit(x)}', as '{x.name}'")
        if x.dims[0] in draws[name].dims:
            raise DemandsimError(f"'{name}' varies along '{x.dims[0]}' itself; a wall is one value")


def _across(x: xr.DataArray, locale: Locale) -> str:
    name = locale.name(str(x.name), x.attrs.get("long_name"))
    unit = locale.unit(_unit(x), 1.0)[1]
    return f"{name} [{unit}]" if unit else name


def _axis(draws: xr.Dataset, over: str) -> xr.DataArray:
    """Values of the quantity on the horizontal axis, along its one dim."""
    (name,) = chosen(over, draws.data_vars)
    every = draws[name]
    found = every.isel({dim: 0 for dim in _RANDOM if dim in every.dims}, drop=True)
    if found.ndim != 1 or not bool((every == found).all()):
        raise DemandsimError(
            f"'{name}' has the dims {list(every.dims)}; the horizontal axis needs sure values along one dim, "
            f"as from model.fix({name}=xr.DataArray(values, dims=...))"
        )
    return found


def _summary(array: xr.DataArray, prob: float) -> xr.DataArray:
    """Interval and median over the draws, with a dim ``end``."""
    over = [dim for dim in _RANDOM if dim in array.dims]
    if not over:
        return array.expand_dims(end=["low", "middle", "high"])
    found = array.quantile([(1 - prob) / 2, 0.5, (1 + prob) / 2], dim=over)
    return found.rename(quantile="end").assign_coords(end=["low", "middle", "high"])


def _scales(axes: Axes, x: xr.DataArray, found: Sequence[xr.DataArray], unit: str) -> None:
    low, high = float(x.min()), float(x.max())
    plain_ticks(axes, log=is_wide(low, high))
    axes.set_xlim(low, high)
    bottom = min(float(f.sel(end="middle").min()) for f in found)
    top = max(float(f.max()) for f in found)
    wide = is_wide(bottom, top)
    plain_ticks(axes, log=wide, which="y")
    # All columns of a row on one scale, so that they can be compared; roofs may leave it.
    axes.set_ylim(*((0.6 * bottom, 2.2 * top) if wide else (min(bottom, 0.0), 1.12 * top)))
    if unit == "1" and top <= 1:
        from matplotlib.ticker import FuncFormatter

        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))
    axes.tick_params(labelsize=8.5)
    bare(axes, "top", "right")


def _curve(axes: Axes, x: xr.DataArray, found: xr.DataArray, looks: Mapping[str, Any]) -> None:
    low, middle, high = (np.asarray(found.sel(end=end).values, dtype=float) for end in ("low", "middle", "high"))
    axes.fill_between(x.values, low, high, color=looks["color"], alpha=0.22, linewidth=0)
    axes.plot(x.values, middle, linewidth=1.8, **looks)


def _wall(axes: Axes, found: xr.DataArray, looks: Mapping[str, Any]) -> None:
    low, middle, high = (float(found.sel(end=end)) for end in ("low", "middle", "high"))
    axes.axvspan(low, high, color=looks["color"], alpha=0.15, linewidth=0)
    axes.axvline(middle, linewidth=1.2, **looks)
