"""Distributions: how sure a result is, as distributions and as intervals of scenarios side by side."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.graph.changes import published_at
from demandsim.plots.canvas import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    Frame,
    band,
    bare,
    dot,
    grid,
    is_wide,
    line,
    plain_ticks,
    wrapped,
)
from demandsim.plots.panels import Picture, derived, finite, name_rows, plot, quantities
from demandsim.plots.words import Locale
from demandsim.statistics.estimators import check_prob
from demandsim.statistics.table import intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["distributions", "forest"]

#: Colours of the single values: what was published, and the model's own where it is another.
_MARKS = {"published": ORANGE, "point": GREEN}

_LIGHT = "#A6CEE3"


@plot
def distributions(
    draws: xr.Dataset,
    point: xr.Dataset | None = None,
    *,
    of: Sequence[str] | str | None = None,
    prob: float = 0.9,
    dim: str | None = None,
    locale: str = "en",
    **frame: Unpack[Frame],
) -> Any:
    """Distributions of quantities against what was published of them, and their points.

    Parameters
    ----------
    draws : Dataset
        Of ``model.simulate``.
    point : Dataset, optional
        Of ``model.point()``: drawn as a line, where it is not what the source of the study printed, which is drawn too.
    of : str or sequence of str, optional
        Quantities; the computed ones by default.
    prob : float, default 0.9
        Probability of the interval that is shaded.
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
        If there is no such quantity.
    DemandsimError
        If a quantity still has another dim, which must be selected first.

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("guosen-2025-01")
    >>> axes = ds.plots.distributions(model.simulate(draws=256, seed=1), model.point(), of=["cards"])
    >>> axes.shape
    (1, 2)
    """
    check_prob(prob)
    names = quantities(of, draws.data_vars, derived(draws))
    picture = Picture(draws, {name: draws[name] for name in names}, ("chain", "draw"), locale, dim, frame=frame)
    said = picture.locale
    drawn: dict[str, float] = {}
    for panel in picture.panels([2.15] * len(names), 4.6):
        own = math.nan if point is None or panel.name not in point else float(panel.of(point[panel.name]))
        printed = published_at(draws[panel.name].attrs, list(panel.where.values())) if point is not None else math.nan
        marks = {"published": printed} | ({} if math.isclose(own, printed, rel_tol=1e-9) else {"point": own})
        drawn |= {kind: value for kind, value in marks.items() if math.isfinite(value)}
        _shape(panel.axes, panel.of(draws[panel.name]), marks, prob, said)
    keys = [
        band(_LIGHT, said.say("draws")),
        band(BLUE, said.say("interval", prob=said.percent(prob))),
        line(INK, said.say("median"), linewidth=1.5),
    ]
    keys += [line(color, said.say(kind)) for kind, color in _MARKS.items() if kind in drawn]
    return picture.finish("distributions", keys, [said.say("tails")])


def _shape(axes: Axes, array: xr.DataArray, marks: Mapping[str, float], prob: float, locale: Locale) -> None:
    values = finite(array)
    low, middle, high = np.quantile(values, [(1 - prob) / 2, 0.5, (1 + prob) / 2])
    known = {kind: value for kind, value in marks.items() if math.isfinite(value)}
    divisor, shown = locale.axis(array, max(abs(middle), *map(abs, known.values()), 0.0))
    values = values / divisor
    low, middle, high = low / divisor, middle / divisor, high / divisor
    start, stop = np.quantile(values, [0.004, 0.996])
    plain_ticks(axes, log=is_wide(start, stop))
    if start == stop:
        axes.axvline(start, color=BLUE)
    else:
        # The last 0.4% of each tail is left out of the picture, not out of the numbers.
        edges = np.geomspace(start, stop, 64) if is_wide(start, stop) else np.linspace(start, stop, 64)
        counts = np.histogram(values, edges)[0]
        heights = counts / counts.max()
        axes.stairs(heights, edges, fill=True, color=_LIGHT, linewidth=0)
        inside = (edges[1:] > low) & (edges[:-1] < high)
        axes.stairs(np.where(inside, heights, 0), edges, fill=True, color=BLUE, linewidth=0)
        axes.vlines(middle, 0, 1.04, color=INK, linewidth=1.5)
    for kind, value in known.items():
        axes.axvline(value / divisor, color=_MARKS[kind], linewidth=2)
    ends = {name: locale.number(end, 3) for name, end in (("median", middle), ("low", low), ("high", high))}
    numbers = locale.say("spread", prob=locale.percent(prob), **ends)
    axes.set_xlabel(f"{shown}    {numbers}".strip(), fontsize=9)
    axes.set_yticks([])
    axes.set_ylim(0, 1.08)
    bare(axes, "left", "top", "right")


@plot
def forest(
    summary: xr.Dataset,
    point: xr.Dataset | None = None,
    *,
    of: Sequence[str] | str | None = None,
    locale: str = "en",
    **frame: Unpack[Frame],
) -> Any:
    """Intervals of scenarios, one under the other, with the points.

    Parameters
    ----------
    summary : Dataset
        Of ``ds.summarize``: dims ``statistic`` and any others, whose labels are the rows. With
        ``probs=(0.25, 0.75)`` the central half is drawn thick.
    point : Dataset, optional
        Of ``model.point()``.
    of : str or sequence of str, optional
        Quantities, one panel each; the computed ones that vary over scenarios by default.
    locale : {"en", "zh"}, default "en"
    **frame
        ``ax``, ``figsize`` and ``title``, as in `Frame`.

    Returns
    -------
    numpy array of matplotlib Axes, shape (1, quantities)

    Raises
    ------
    UnknownNameError
        If there is no such quantity.
    DemandsimError
        If `summary` was not made by ``ds.summarize``.

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("guosen-2025-01")
    >>> summary = ds.summarize(model.simulate(draws=256, seed=1))
    >>> ds.plots.forest(summary, model.point(), of=["cards", "gross_margin"]).shape
    (1, 2)
    """
    if "statistic" not in summary.dims:
        raise DemandsimError("a forest is drawn from a summary; pass ds.summarize(draws)")
    names = quantities(of, summary.data_vars, [n for n in derived(summary) if summary[n].ndim > 1][:4])
    dims = list(dict.fromkeys(str(d) for n in names for d in summary[n].dims if d != "statistic"))
    picture = Picture(summary, {name: summary[name] for name in names}, ("statistic", *dims), locale, frame=frame)
    labels = itertools.product(*(summary[d].values.tolist() for d in dims))
    said, places = picture.locale, [dict(zip(dims, place, strict=True)) for place in labels]
    rows = [", ".join(map(said.label, place.values())) or said.say("draws") for place in places]
    picture.open([0.46 * len(places) + 1.15], len(names), 4.9)
    for axes, (name, array) in zip(picture.canvas.axes[0], picture.arrays.items(), strict=True):
        _intervals(axes, array, None if point is None else point.get(name), places, said)
        name_rows(axes, rows if name == names[0] else [""] * len(rows))
    picture.canvas.axes[0, 0].set_ylabel(", ".join(said.dim(d) for d in dims), fontsize=9, color=GREY)
    prob = said.percent(float(summary.attrs.get("prob", 0.9)))
    keys = [
        dot("white", said.say("median"), markeredgecolor=BLUE, markeredgewidth=2),
        line(BLUE, said.say("interval_hdi" if summary.attrs.get("kind") == "hdi" else "interval", prob=prob)),
    ]
    keys += [line(BLUE, said.say("half"), linewidth=6)] if _has_halves(summary) else []
    keys += [dot(ORANGE, said.say("points"), "D")] if point is not None else []
    return picture.finish("forest", keys)


def _has_halves(summary: xr.Dataset | xr.DataArray) -> bool:
    return {"p25", "p75"} <= set(summary.statistic.values.tolist())


def _intervals(
    axes: Axes, array: xr.DataArray, point: xr.DataArray | None, places: Sequence[dict[str, Any]], locale: Locale
) -> None:
    def at(place: dict[str, Any], found: xr.DataArray) -> xr.DataArray:
        return found.sel({d: v for d, v in place.items() if d in found.dims})

    ends = array.sel(statistic=["lower", "upper"]).values
    divisor, shown = locale.axis(array, float(np.nanmax(np.abs(ends))))
    low, high = float(np.nanmin(ends)) / divisor, float(np.nanmax(ends)) / divisor
    plain_ticks(axes, log=is_wide(low, high))
    for y, place in enumerate(places):
        found = {str(s.item()): float(at(place, array).sel(statistic=s)) / divisor for s in array.statistic}
        spans = intervals(found)
        for span in spans:
            axes.plot(span, [y, y], color=BLUE, linewidth=2, solid_capstyle="butt")
        if _has_halves(array):
            axes.plot([found["p25"], found["p75"]], [y, y], color=BLUE, linewidth=6, solid_capstyle="butt")
        axes.plot(found["median"], y, "o", color="white", markeredgecolor=BLUE, markeredgewidth=2, markersize=7)
        if point is not None:
            axes.plot(float(at(place, point)) / divisor, y - 0.24, "D", color=ORANGE, markersize=6)
        ends_text = "; ".join(
            locale.say("range", low=locale.number(low, 3), high=locale.number(high, 3)) for low, high in spans
        )
        text = f"{locale.number(found['median'], 3)}  ({ends_text})"
        axes.text(1.02, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8.5, color=INK)
    if low < 0 < high:
        axes.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_title(wrapped(locale.name(str(array.name), array.attrs.get("long_name")), 44), fontsize=10, loc="left")
    axes.set_xlabel(shown, fontsize=9)
    grid(axes, "x")
