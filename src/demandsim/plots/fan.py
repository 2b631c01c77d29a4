"""Fan: how a quantity may go on over the years, as central intervals around its median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError, check_known
from demandsim.graph.presentation import time_dims
from demandsim.plots.canvas import BLUE, GREY, INK, ORANGE, Frame, band, bare, dot, grid, is_wide, line, plain_ticks
from demandsim.plots.panels import Picture, derived, plot, quantities
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
    """Fan chart: medians and central intervals over years or dates, a row per quantity.

    Parameters
    ----------
    draws : Dataset
        Of ``model.simulate`` or ``model.infer``, with a dim ``year`` or ``date``; sum or select other dims first.
    of : str or sequence of str, optional
        Quantities; by default all computed ones that vary over time, at most four.
    prob : float, default 0.9
        Probability of the widest interval; those of 50% and 80% are drawn inside it.
    published : mapping of quantity to DataArray, optional
        Published figures over the same dim, marked; with the attribute ``units``, or in the quantity's unit.
    dim : str, optional
        Dim along which panels stand side by side; the first scenario dim by default.
    locale : {"en", "zh"}, default "en"
    **frame
        ``ax``, ``figsize`` and ``title``, as in `Frame`.

    Returns
    -------
    numpy array of matplotlib Axes, shape (quantities, labels)

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
    names = quantities(of, moving, _plain(draws[moving])[:4])
    check_known(published or {}, names, "published quantity")
    picture = Picture(draws, {name: draws[name] for name in names}, ("chain", "draw", along), locale, dim, frame=frame)
    said, probs = picture.locale, [p for p in _INNER if p < prob] + [prob]
    found = {name: _ends(draws[name], probs) for name in names}
    marks = _marks(draws, published or {})
    for panel in picture.panels([2.3] * len(names), 3.6 if len(picture.labels) > 1 else 6.4):
        axes, ends, unit = panel.axes, found[panel.name], str(draws[panel.name].attrs.get("units", "1"))
        divisor, shown = said.unit(unit, float(np.nanmax(np.abs(ends.sel(quantile=0.5)))))
        _draw(axes, panel.of(ends) / divisor, along, probs)
        if panel.name in marks:
            here = panel.of(marks[panel.name]).dropna(along) / divisor
            looks: Any = {"color": ORANGE, "markeredgecolor": INK, "zorder": 5, "clip_on": False}
            axes.plot(here[along].values, here.values, "D", **looks)
        _scale(axes, ends / divisor, said, share=unit == "1")
        axes.set_ylabel(shown if panel.column == 0 else "", fontsize=9)
        _ticks(axes, draws[along])
    keys = [line(BLUE, said.say("median"))]
    keys += [band(_tint(i, len(probs)), said.say("interval", prob=said.percent(p))) for i, p in enumerate(probs)]
    keys += [dot(ORANGE, said.say("figures"), "D", markeredgecolor=INK)] if published else []
    return picture.finish("fan", keys, [said.say("without_error")] if published else [])


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
