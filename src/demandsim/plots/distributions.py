"""Distributions: how sure a result is, as distributions and as intervals of scenarios side by side."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

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
    bars_of,
    dot,
    grid,
    is_wide,
    line,
    plain_ticks,
    wrapped,
)
from demandsim.plots.panels import Picture, derived, finite, headline, name_rows, plot, quantities
from demandsim.plots.words import Locale
from demandsim.statistics.estimators import check_prob
from demandsim.statistics.table import intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["distributions", "forest"]

#: Colours of the single values: what was published, and the model's own where it is another.
_MARKS = {"published": ORANGE, "point": GREEN}

_LIGHT = "#A6CEE3"
#: Scenarios that have room in one panel, one over the other; inches of each, of what stands around them, and of the
#: numbers beside them.
_MOST, _EACH, _AROUND, _BESIDE = 8, 0.58, 0.85, 1.8


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

    Up to eight scenarios stand one over the other in one panel, if one axis shows them all.

    Parameters
    ----------
    draws : Dataset
        Of ``model.simulate``.
    point : Dataset, optional
        Of ``model.point()``: drawn as a line, where it is not what the source of the study printed, which is drawn too.
    of : str or sequence of str, optional
        Quantities; by default the computed ones, or where those are more than six, what the study puts in front.
    prob : float, default 0.9
        Probability of the interval that is shaded.
    dim : str, optional
        Dim along which panels stand side by side, though its labels could share one.
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
        If there is no such quantity.
    DemandsimError
        If a quantity still has another dim, which must be selected first.

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("guosen-2025-01")
    >>> draws = model.simulate(draws=256, seed=1)
    >>> ds.plots.distributions(draws, model.point(), of=["cards", "gross_margin"]).shape
    (2, 2)
    >>> ds.plots.distributions(draws, of=["cards"], dim="scenario").shape
    (1, 2)
    """
    check_prob(prob)
    computed = derived(draws)
    names = quantities(of, draws.data_vars, headline(draws, computed))
    picture = Picture(draws, {name: draws[name] for name in names}, ("chain", "draw"), locale, dim, frame=frame)
    said, drawn = picture.locale, set[str]()

    def height(name: str) -> float:
        return max(2.15, _AROUND + _EACH * len(picture.parts(name)) * (name in together))

    together = picture.together(_span, _MOST)
    shared = any(len(picture.parts(name)) > 1 for name in together)
    for panel in picture.grid(together, height, 4.6, *([_BESIDE] * shared)):
        array, parts = draws[panel.name], picture.parts(panel.name, panel.where)
        rows = [_Row(_selected(array, part), _marks(array, point, part)) for part in parts]
        drawn |= {kind for row in rows for kind in row.marks}
        labels = [said.label(next(iter(part.values()))) if len(parts) > 1 else "" for part in parts] if shared else []
        _shapes(panel.axes, rows, labels, prob, said)
    keys = [
        band(_LIGHT, said.say("draws")),
        band(BLUE, said.say("interval", prob=said.percent(prob))),
        line(INK, said.say("median"), linewidth=1.5),
    ]
    keys += [line(color, said.say(kind)) for kind, color in _MARKS.items() if kind in drawn]
    notes = [said.say("beside", prob=said.percent(prob))] * shared
    return picture.finish("distributions", keys, [*notes, *picture.unseen(computed, of), said.say("tails")])


class _Row(NamedTuple):
    """One shape of a panel: its draws, and the single values that it is held against, by their kind."""

    draws: xr.DataArray
    marks: Mapping[str, float]


def _selected(array: xr.DataArray, part: Mapping[str, Any]) -> xr.DataArray:
    return array.sel({dim: label for dim, label in part.items() if dim in array.dims})


def _marks(array: xr.DataArray, point: xr.Dataset | None, part: Mapping[str, Any]) -> dict[str, float]:
    """What was published of a quantity at a label, and its point where that is another."""
    if point is None:
        return {}
    own = float(_selected(point[array.name], part)) if array.name in point else math.nan
    marks = {"published": published_at(array.attrs, list(part.values())), "point": own}
    if math.isclose(own, marks["published"], rel_tol=1e-9):
        del marks["point"]
    return {kind: value for kind, value in marks.items() if math.isfinite(value)}


def _span(array: xr.DataArray) -> tuple[float, float]:
    """From where to where draws are drawn: the last 0.4% of each tail is left out of pictures, not of numbers."""
    start, stop = np.quantile(finite(array), [0.004, 0.996])
    return float(start), float(stop)


def _shapes(axes: Axes, rows: Sequence[_Row], labels: Sequence[str], prob: float, locale: Locale) -> None:
    """Draw the shapes of a panel, the first at the top; with labels, even empty ones, their numbers stand beside."""
    ends = [np.quantile(finite(row.draws), [(1 - prob) / 2, 0.5, (1 + prob) / 2]) for row in rows]
    sizes = [abs(middle) for _, middle, _ in ends] + [abs(value) for row in rows for value in row.marks.values()]
    divisor, shown = locale.axis(rows[0].draws, max(sizes))
    spans = [_span(row.draws) for row in rows]
    log = is_wide(min(start for start, _ in spans), max(stop for _, stop in spans))
    plain_ticks(axes, log=log)
    for place, (row, span, (low, middle, high)) in enumerate(zip(rows, spans, ends, strict=True)):
        foot = len(rows) - 1.0 - place
        if span[0] < span[1]:
            _shape(axes, finite(row.draws) / divisor, np.divide([*span, low, high], divisor), foot, log=log)
        axes.vlines(middle / divisor, foot, foot + 0.94, color=BLUE if span[0] == span[1] else INK, linewidth=1.5)
        for kind, value in row.marks.items():
            axes.vlines(value / divisor, foot, foot + 0.98, color=_MARKS[kind], linewidth=2)
    said = [{"low": low, "median": middle, "high": high} for low, middle, high in ends]
    numbers = [{key: locale.number(end / divisor, 3) for key, end in own.items()} for own in said]
    if labels:
        told = [locale.say("median_range", **own) for own in numbers]
        texts = [f"{wrapped(label)}\n{own}".strip() for label, own in zip(labels, told, strict=True)]
        axes.set_yticks(np.arange(len(rows))[::-1] + 0.4, texts, fontsize=8.5)
        axes.tick_params(axis="y", length=0)
        axes.hlines(np.arange(len(rows)), 0, 1, transform=axes.get_yaxis_transform(), color=GREY, linewidth=0.6)
        axes.set_xlabel(shown, fontsize=9)
    else:
        axes.set_yticks([])
        spread = locale.say("spread", prob=locale.percent(prob), **numbers[0])
        axes.set_xlabel(f"{shown}    {spread}".strip(), fontsize=9)
    axes.set_ylim(0, len(rows) + 0.02)
    bare(axes, "left", "top", "right")


def _shape(axes: Axes, values: Any, places: Any, foot: float, *, log: bool) -> None:
    """Draw a histogram, as high as a row; the interval is darker."""
    start, stop, low, high = places
    edges = (np.geomspace if log else np.linspace)(start, stop, bars_of(values.size))
    counts = np.histogram(values, edges)[0]
    tops = foot + 0.9 * counts / counts.max()
    axes.stairs(tops, edges, baseline=foot, fill=True, color=_LIGHT, linewidth=0)
    inside = (edges[1:] > low) & (edges[:-1] < high)
    axes.stairs(np.where(inside, tops, foot), edges, baseline=foot, fill=True, color=BLUE, linewidth=0)


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
