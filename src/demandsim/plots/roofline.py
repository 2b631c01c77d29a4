"""Roofline: what bounds a card, over batch, context or whatever else varies, against what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

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
    Frame,
    band,
    bare,
    dot,
    is_wide,
    line,
    percent_ticks,
    plain_ticks,
)
from demandsim.plots.panels import Panel, Picture, plot, quantities
from demandsim.plots.words import Locale
from demandsim.statistics.estimators import check_prob

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["roofline"]

_LINES = (BLUE, SKY, ORANGE)
_WALLS = (GREEN, INK)
_DASHES = ("--", "-.", ":")
_DOTTED = (0, (1, 1.5))
_RANDOM = ("chain", "draw")


@plot
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
    **frame: Unpack[Frame],
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
    **frame
        ``ax``, ``figsize`` and ``title``, as in `Frame`.

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
    rows = tuple((entry,) if isinstance(entry, str) else tuple(entry) for entry in of)
    asked = _Asked(draws, _axis(draws, over), rows, tuple(limits), tuple(walls), tuple(measured), dict(levels or {}))
    asked.check()
    arrays = {name: draws[name] for name in asked.looks}
    picture = Picture(draws, arrays, (*_RANDOM, str(asked.x.dims[0])), locale, dim, frame=frame)
    found = {name: _summary(array, prob) for name, array in arrays.items()}
    for panel in picture.panels([2.9] * len(rows), 4.4, names=[row[0] for row in rows]):
        asked.draw(panel, found, str(panel.label), picture.locale)
    picture.arrays = {name: draws[name] for row in rows for name in row}
    return picture.finish("roofline", asked.keys(prob, picture.locale), [picture.locale.say("roofline_note")])


@dataclass(frozen=True)
class _Asked:
    """What a picture is asked to show, as in the arguments of `roofline`, with the values of the horizontal axis."""

    draws: xr.Dataset
    x: xr.DataArray
    rows: tuple[tuple[str, ...], ...]
    roofs: tuple[str, ...]
    walls: tuple[str, ...]
    measured: tuple[Sequence[Any], ...]
    levels: Mapping[str, tuple[float, str]]

    @property
    def looks(self) -> dict[str, dict[str, Any]]:
        """Colour and line of every quantity."""
        looks: dict[str, dict[str, Any]] = {}
        for row in self.rows:
            looks |= {name: {"color": _LINES[place % len(_LINES)]} for place, name in enumerate(row)}
        looks |= {name: {"color": ORANGE, "linestyle": _DASHES[place % 3]} for place, name in enumerate(self.roofs)}
        return looks | {name: {"color": _WALLS[place % 2], "linestyle": "-"} for place, name in enumerate(self.walls)}

    def check(self) -> None:
        """Raise where a name is unknown, or units or dims do not fit."""
        draws, along = self.draws, self.x.dims[0]
        names = quantities([name for row in self.rows for name in row], draws.data_vars)
        check_known([*self.roofs, *self.walls], map(str, draws.data_vars), "quantity")
        check_known([*(point[0] for point in self.measured), *self.levels], names, "quantity")
        for name in names:
            if along not in draws[name].dims:
                raise DemandsimError(f"'{name}' does not vary along '{along}', the dim of '{self.x.name}'")
        for row in self.rows:
            units = {_unit(draws[name]) for name in row}
            if len(units) > 1:
                raise DemandsimError(f"{list(row)} are to share a panel, but have the units {sorted(units)}")
        drawn = {_unit(draws[name]) for name in names}
        for name in self.roofs:
            if _unit(draws[name]) not in drawn:
                raise DemandsimError(f"'{name}' is in '{_unit(draws[name])}', and no panel of of= is: it bounds none")
        own = _unit(self.x)
        for name in self.walls:
            if _unit(draws[name]) != own:
                raise DemandsimError(
                    f"'{name}' is in '{_unit(draws[name])}', and a wall needs '{own}', as '{self.x.name}'"
                )
            if along in draws[name].dims:
                raise DemandsimError(f"'{name}' varies along '{along}' itself; a wall is one value")

    def draw(self, panel: Panel, found: Mapping[str, xr.DataArray], label: str, locale: Locale) -> None:
        """Draw the panel of a row and a label."""
        axes, row, looks, x = panel.axes, self.rows[panel.row], self.looks, self.x
        unit = _unit(self.draws[panel.name])
        divisor, shown = locale.axis(self.draws[panel.name], max(float(found[n].sel(end="middle").max()) for n in row))
        _scales(axes, x, [found[name] / divisor for name in row], unit)
        for name in self.walls:
            _wall(axes, panel.of(found[name]), looks[name])
        for name in row:
            _curve(axes, x, panel.of(found[name]) / divisor, looks[name])
        for name in (name for name in self.roofs if _unit(self.draws[name]) == unit):
            # A roof may be level.
            middle = panel.of(found[name]).sel(end="middle").values / divisor
            axes.plot(x.values, np.broadcast_to(middle, x.shape), linewidth=1.4, **looks[name])
        for name, across, up, *only in (point for point in self.measured if point[0] in row):
            if not only or str(only[0]) == label:
                axes.plot(across, up / divisor, "D", **looks[name], markeredgecolor=INK, markersize=7)
        for name in (name for name in self.levels if name in row):
            axes.axhline(self.levels[name][0] / divisor, color=GREY, linewidth=1.4, linestyle=_DOTTED)
        if len(row) > 1:
            # Several curves of a panel are named by the key.
            panel.title("", locale)
        axes.set_ylabel(shown if panel.column == 0 else "", fontsize=9)
        axes.set_xlabel(_across(x, locale) if panel.row == len(self.rows) - 1 else "", fontsize=9)

    def keys(self, prob: float, locale: Locale) -> list[Any]:
        """Curves that share a panel, roofs, walls, points and levels."""
        apart, looks = any(len(row) > 1 for row in self.rows), self.looks
        keys = [] if apart else [line(BLUE, locale.say("median"))]
        for name in looks if apart else [*self.roofs, *self.walls]:
            label = locale.name(name, self.draws[name].attrs.get("long_name"))
            keys.append(line(looks[name]["color"], label, linestyle=looks[name].get("linestyle", "-")))
        keys += [band("#BBBBBB", locale.say("interval", prob=locale.percent(prob)))]
        keys += [dot("white", locale.say("measured"), "D", markeredgecolor=INK)] if self.measured else []
        texts = dict.fromkeys(text for _, text in self.levels.values())
        return keys + [line(GREY, text, linestyle=_DOTTED, linewidth=1.4) for text in texts]


def _unit(array: xr.DataArray) -> str:
    return str(array.attrs.get("units", "1"))


def _across(x: xr.DataArray, locale: Locale) -> str:
    name = locale.name(str(x.name), x.attrs.get("long_name"))
    unit = locale.unit(_unit(x), 1.0)[1]
    return f"{name} [{unit}]" if unit else name


def _axis(draws: xr.Dataset, over: str) -> xr.DataArray:
    """Values of the quantity on the horizontal axis, along its one dim."""
    (name,) = quantities(over, draws.data_vars)
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
    bottom, least = (min(float(f.sel(end=end).min()) for f in found) for end in ("middle", "low"))
    top = max(float(f.max()) for f in found)
    # On a logarithmic axis, an interval that goes below zero would end where it does not.
    wide = is_wide(bottom, top) and least > 0
    plain_ticks(axes, log=wide, which="y")
    # All columns of a row on one scale, so that they can be compared; roofs may leave it.
    axes.set_ylim(*((0.6 * bottom, 2.2 * top) if wide else (1.12 * min(least, 0.0), 1.12 * top)))
    if unit == "1" and top <= 1:
        percent_ticks(axes.yaxis)
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
