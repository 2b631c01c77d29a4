"""Fan: how a quantity may go on over the years, as central intervals around its median."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError, check_known
from demandsim.graph.presentation import time_dims
from demandsim.plots.canvas import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PAPER,
    STROKES,
    Frame,
    band,
    bare,
    dot,
    grid,
    is_wide,
    line,
    plain_ticks,
)
from demandsim.plots.panels import Panel, Picture, derived, headline, plot, quantities
from demandsim.plots.words import Locale
from demandsim.statistics.estimators import check_prob
from demandsim.units.convert import conversion_factor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["fan"]

#: Central intervals inside the widest, and how dark each is on top of those around it.
_INNER, _SHADE = (0.5, 0.8), 0.22
#: Range from which on an axis of a panel has room for the powers of ten only.
_DECADES = 3000
#: Quantities that are drawn where none are named.
_MOST_QUANTITIES = 4


@plot
def fan(
    draws: xr.Dataset,
    of: Sequence[str] | str | None = None,
    *,
    prob: float = 0.9,
    published: Mapping[str, xr.DataArray] | None = None,
    dim: str | None = None,
    locale: str = "en",
    **frame: Unpack[Frame],
) -> Any:
    """Fan chart: medians and central intervals over years or dates, a panel per quantity.

    Up to eight scenarios share a panel, if one axis shows them all: the first has its intervals, the others their
    medians, and bars beside the panel are the intervals of each at the end.

    Parameters
    ----------
    draws : Dataset
        Of ``model.simulate`` or ``model.infer``, with a dim ``year`` or ``date``; sum or select other dims first.
    of : str or sequence of str, optional
        Quantities; by default those that the study puts in front, at most four.
    prob : float, default 0.9
        Probability of the widest interval; those of 50% and 80% are drawn inside it.
    published : mapping of quantity to DataArray, optional
        Published figures over the same dim, marked; with the attribute ``units``, or in the quantity's unit.
    dim : str, optional
        Dim along which panels stand side by side, each with all its intervals, though its labels could share one.
    locale : {"en", "zh"}, default "en"
    **frame
        ``ax``, ``figsize`` and ``title``, as in `Frame`.

    Returns
    -------
    numpy array of matplotlib Axes
        Two quantities beside each other; below them those of which each label has a panel.

    Raises
    ------
    UnknownNameError
        If a quantity is unknown.
    DemandsimError
        If a quantity does not vary over time, or varies over a further dim.

    Examples
    --------
    >>> import xarray as xr
    >>> import demandsim as ds
    >>> from demandsim.equations import equation_named
    >>> time = xr.DataArray([0.0, 1.0, 2.0], coords={"year": [2025, 2026, 2027]}, dims="year")
    >>> model = ds.Model(
    ...     [equation_named("growth.exponential_growth")],
    ...     {
    ...         "elapsed_time": ds.Assumption(ds.distributions.constant(time), unit="year"),
    ...         "initial_tokens": ds.Assumption("lognormal(40e12, 65e12, prob=0.9)", unit="token/day"),
    ...         "growth_rate": ds.Assumption("normal(0.2, 0.9, prob=0.9)", unit="1/year"),
    ...     },
    ... )
    >>> ds.plots.fan(model.simulate(draws=256, seed=1)).shape
    (1, 1)
    """
    check_prob(prob)
    along = _time(draws, [of] if isinstance(of, str) else of or [])
    if along is None:
        raise DemandsimError("a fan chart needs draws over time: a dim whose labels are years or dates")
    moving = [n for n, a in draws.data_vars.items() if {along, "draw"} <= set(a.dims)]
    plain = _plain(draws[moving])
    names = quantities(of, moving, headline(draws, plain, _MOST_QUANTITIES))
    check_known(published or {}, names, "published quantity")
    picture = Picture(draws, {name: draws[name] for name in names}, ("chain", "draw", along), locale, dim, frame=frame)
    said, probs = picture.locale, [p for p in _INNER if p < prob] + [prob]
    found = {name: _ends(draws[name], probs) for name in names}
    marks = _marks(draws, published or {})
    # Figures of a scenario would hide behind those of another.
    together = picture.together(lambda part: _span(found[str(part.name)], part, picture.across), len(STROKES))
    together -= {name for name, mark in marks.items() if picture.across in mark.dims}
    shared = [name for name in together if len(picture.parts(name)) > 1]
    for panel in picture.grid(together, lambda name: 2.3, _width(picture, together)):
        _fan(panel, picture, found[panel.name], marks.get(panel.name), along, probs)
    keys = _keys(picture, shared, probs)
    keys += [dot(ORANGE, said.say("figures"), "D", markeredgecolor=INK)] if published else []
    notes = [said.say("ends", label=picture.labels[0])] if shared else []
    notes += [*picture.unseen(plain, of), *([said.say("without_error")] if published else [])]
    return picture.finish("fan", keys, notes)


def _fan(
    panel: Panel,
    picture: Picture,
    ends: xr.DataArray,
    marks: xr.DataArray | None,
    along: str,
    probs: Sequence[float],
) -> None:
    """Draw one panel: of a label, of what is the same in all, or of all labels."""
    array, said = picture.arrays[panel.name], picture.locale
    unit = str(array.attrs.get("units", "1"))
    divisor, shown = said.unit(unit, float(np.nanmax(np.abs(ends.sel(quantile=0.5)))))
    parts = [_selected(ends / divisor, part) for part in picture.parts(panel.name, panel.where)]
    _draw(panel.axes, parts[0], along, probs)
    if marks is not None:
        here = panel.of(marks).dropna(along) / divisor
        looks: Any = {"color": ORANGE, "markeredgecolor": INK, "zorder": 5, "clip_on": False}
        panel.axes.plot(here[along].values, here.values, "D", **looks)
    _scale(panel.axes, ends / divisor, said, share=unit == "1")
    panel.axes.set_ylabel(shown if panel.column == 0 else "", fontsize=9)
    _ticks(panel.axes, array[along])
    if len(parts) > 1:
        _others(panel.axes, parts, along, probs)


def _width(picture: Picture, together: Collection[str]) -> float:
    """Inches of a panel: a single one is wide, many labels side by side are narrow."""
    if len(together) < len(picture.arrays):
        return 3.6
    return 6.4 if len(together) == 1 else 4.6


def _keys(picture: Picture, shared: Sequence[str], probs: Sequence[float]) -> list[Any]:
    """What lines and bands are: of the first scenario, where several share a panel."""
    said = picture.locale
    looks = zip(STROKES, picture.labels if shared else [], strict=False)
    keys = [line(c, said.label(label), linestyle=dash, marker=mark) for (c, dash, mark), label in looks]
    keys = keys or [line(BLUE, said.say("median"))]
    return keys + [band(_tint(i, len(probs)), said.say("interval", prob=said.percent(p))) for i, p in enumerate(probs)]


def _selected(array: xr.DataArray, part: Mapping[str, Any]) -> xr.DataArray:
    return array.sel({dim: label for dim, label in part.items() if dim in array.dims})


def _span(ends: xr.DataArray, part: xr.DataArray, across: str | None) -> tuple[float, float]:
    """From where to where the widest interval of a label goes."""
    own = ends.sel({across: part[across].item()}) if across in ends.dims else ends
    return float(np.nanmin(own)), float(np.nanmax(own))


def _others(axes: Axes, parts: Sequence[xr.DataArray], along: str, probs: Sequence[float]) -> None:
    """Medians of the scenarios, and beside the panel a bar each: the inner and the outer interval at the end."""
    beside: Any = axes.inset_axes((1.02, 0.0, 0.032 * len(parts), 1.0), sharey=axes)
    bare(beside, "left", "right", "top", "bottom")
    beside.set_xticks([])
    beside.tick_params(axis="y", which="both", left=False, labelleft=False)
    beside.patch.set_visible(False)
    beside.set_xlim(-0.7, len(parts) - 0.3)
    inner, outer = probs[0], probs[-1]
    for place, ((colour, dash, mark), ends) in enumerate(zip(STROKES, parts, strict=False)):
        middle = ends.sel(quantile=0.5)
        axes.plot(middle[along].values, middle.values, color=colour, linestyle=dash, marker=mark, markersize=4)
        last = ends.isel({along: -1})
        for prob, width in ((outer, 1.2), (inner, 4.0)):
            low, high = (float(last.sel(quantile=(1 + side * prob) / 2, method="nearest")) for side in (-1, 1))
            beside.plot([place, place], [low, high], color=colour, linewidth=width, solid_capstyle="butt")
        beside.plot(
            place, float(last.sel(quantile=0.5)), color=colour, marker=mark, markersize=5, markeredgecolor=PAPER
        )


def _time(draws: xr.Dataset, of: Sequence[str]) -> str | None:
    """The dim of time along which all that is asked for varies: another quantity may have one of months."""
    asked = [draws[name].dims for name in of if name in draws]
    return next((each for each in time_dims(draws) if all(each in dims for dims in asked)), None)


def _ends(array: xr.DataArray, probs: Sequence[float]) -> xr.DataArray:
    """Median and ends of central intervals."""
    levels = sorted({0.5, *((1 - p) / 2 for p in probs), *((1 + p) / 2 for p in probs)})
    return array.quantile(levels, [d for d in ("chain", "draw") if d in array.dims])


def _marks(draws: xr.Dataset, published: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Published figures in the units of the quantities."""
    units = {name: str(draws[name].attrs.get("units", "1")) for name in published}
    return {n: f * conversion_factor(str(f.attrs.get("units", units[n])), units[n]) for n, f in published.items()}


def _plain(draws: xr.Dataset) -> list[Any]:
    """Computed quantities without kinds of hardware, which have to be summed or selected first."""
    return [name for name in derived(draws) if "hardware" not in draws[name].dims]


def _tint(place: int, count: int) -> Any:
    """The colour that overlapping bands come to: the innermost lies on top of all others."""
    from matplotlib.colors import to_rgb

    cover = 1 - (1 - _SHADE) ** (count - place)
    return tuple(1 - cover * (1 - part) for part in to_rgb(BLUE))


def _draw(axes: Axes, ends: xr.DataArray, along: str, probs: Sequence[float]) -> None:
    time = ends[along].values
    for p in reversed(probs):
        low, high = (ends.sel(quantile=level, method="nearest").values for level in ((1 - p) / 2, (1 + p) / 2))
        axes.fill_between(time, low, high, color=BLUE, alpha=_SHADE, linewidth=0)
    axes.plot(time, ends.sel(quantile=0.5).values, color=BLUE, linewidth=2)


def _scale(axes: Axes, ends: xr.DataArray, locale: Locale, *, share: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    wide = is_wide(low, high) and not share
    plain_ticks(axes, log=wide, which="y")
    if wide:
        if high > _DECADES * low:
            axes.yaxis.set_major_locator(LogLocator(numticks=9))
        axes.set_ylim(low / 1.3, high * 1.3)
    else:
        room = 0.05 * (high - low or 1.0)
        axes.set_ylim(min(low - room, 0.0) if low < 0 else 0.0, high + room)
    if low < 0 < high:
        axes.axhline(0.0, color=GREY, linewidth=0.8)
    if share:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: locale.percent(round(value, 6))))
    grid(axes, "y")
    axes.tick_params(labelsize=9, color=GREY)
    bare(axes, "top", "right")


def _ticks(axes: Axes, time: xr.DataArray) -> None:
    from matplotlib import dates
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if time.name == "date":
        locator: Any = dates.AutoDateLocator(maxticks=6)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        return
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.set_xlim(float(time.min()), float(time.max()))
