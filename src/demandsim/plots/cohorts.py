"""Cohorts: the cards in service of each year, by the year in which they were bought, and those that are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.plots.canvas import GREY, INK, ORANGE, Frame, band, bare, grid, line, plain
from demandsim.plots.panels import Picture, plot
from demandsim.statistics.estimators import check_prob
from demandsim.units.convert import convert

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cohorts"]

_NEEDED = ("cards_in_service", "cards_bought", "useful_life", "elapsed_time")
_INITIAL = "#BBBBBB"


@plot
def cohorts(
    draws: xr.Dataset, *, prob: float = 0.9, dim: str | None = None, locale: str = "en", **frame: Unpack[Frame]
) -> Any:
    """Cards in service by year, stacked by the year in which they were bought.

    Bars are means, since those add up; the interval is that of all cards in service together. Kinds
    of hardware are added up. Cards that are required and cannot be bought are drawn above, if the draws
    have `unmet_cards`.

    Parameters
    ----------
    draws : Dataset
        Of ``model.simulate``, with `cards_in_service`, `cards_bought`, `useful_life` and `elapsed_time`.
    prob : float, default 0.9
        Probability of the interval of the cards in service.
    dim : str, optional
        Dim along which panels stand side by side; the first scenario dim by default.
    locale : {"en", "zh"}, default "en"
    **frame
        ``ax``, ``figsize`` and ``title``, as in `Frame`.

    Returns
    -------
    numpy array of matplotlib Axes, shape (1, labels)

    Raises
    ------
    DemandsimError
        If a quantity is missing, or one varies over a further dim, which must be selected first.

    Examples
    --------
    >>> import xarray as xr
    >>> import demandsim as ds
    >>> from demandsim.equations import equation_named
    >>> time = xr.DataArray([0.0, 1.0, 2.0], coords={"year": [2025, 2026, 2027]}, dims="year")
    >>> names = ("cards_bought", "cards_surviving", "cards_in_service")
    >>> model = ds.Model(
    ...     [equation_named(f"fleet.{name}") for name in names],
    ...     {
    ...         "elapsed_time": ds.Assumption(ds.distributions.constant(time), unit="year"),
    ...         "cards_required": ds.Assumption("lognormal(1e5, 3e5, prob=0.9)", unit="card"),
    ...         "useful_life": ds.Assumption("uniform(1, 3)", unit="year"),
    ...     },
    ... )
    >>> ds.plots.cohorts(model.simulate(draws=256, seed=1)).shape
    (1, 1)
    """
    check_prob(prob)
    lacking = [name for name in _NEEDED if name not in draws]
    if lacking:
        raise DemandsimError(f"the draws have no '{lacking[0]}', which a picture of cohorts needs; add it to keep=")
    if "year" not in draws.cards_in_service.dims:
        raise DemandsimError("'cards_in_service' does not vary over 'year'; pass the draws of all years")
    total = _all_kinds(draws.cards_in_service).assign_attrs(draws.cards_in_service.attrs)
    picture = Picture(draws, {"cards_in_service": total}, ("chain", "draw", "year"), locale, dim, frame=frame)
    said, layers = picture.locale, _layers(draws)
    missing = _mean(_all_kinds(draws.unmet_cards)) if "unmet_cards" in draws else 0 * _mean(total)
    ends = total.quantile([(1 - prob) / 2, (1 + prob) / 2], [d for d in ("chain", "draw") if d in total.dims])
    top = max(float(np.nanmax(ends)), float(np.nanmax(_mean(total) + missing)))
    divisor, shown = said.unit(str(total.attrs.get("units", "card")), top)
    colours = _colours(layers)
    for panel in picture.panels([3.1], 4.6):
        parts = [(panel.of(part), colours[name]) for name, part in layers.items()]
        _stack(panel.axes, parts, panel.of(missing), panel.of(ends), divisor)
        panel.axes.set_ylim(0, 1.06 * top / divisor)
        panel.axes.set_ylabel(shown if panel.column == 0 else "", fontsize=9)
        panel.axes.set_xlabel(said.dim("year"), fontsize=9)
    keys = [
        band(colours[name], said.say("cohort_initial") if name is None else said.say("cohort", label=name))
        for name in layers
    ]
    if bool((missing > 0).any()):
        keys += [band("white", said.say("cohort_missing"), hatch="////", edgecolor=ORANGE)]
    keys += [line(INK, said.say("interval", prob=said.percent(prob)), linewidth=1.5)]
    picture.arrays = {name: draws[name] for name in _NEEDED}
    return picture.finish("cohorts", keys, [said.say("cohorts_note")])


def _mean(array: xr.DataArray) -> xr.DataArray:
    return array.mean([dim for dim in ("chain", "draw") if dim in array.dims])


def _all_kinds(array: xr.DataArray) -> xr.DataArray:
    return array.sum("hardware", skipna=False) if "hardware" in array.dims else array


def _layers(draws: xr.Dataset) -> dict[Any, xr.DataArray]:
    """Mean number of cards in service by year: of the initial fleet, if there is one, and of each cohort."""
    life, elapsed = (convert(draws[name], "year") for name in ("useful_life", "elapsed_time"))
    period: Any = convert(draws.period, "year") if "period" in draws else 1.0
    found: dict[Any, xr.DataArray] = {}
    for label in draws.year.values.tolist():
        age = elapsed - elapsed.sel(year=label)
        own = life.sel(year=label) if "year" in life.dims else life
        share = ((own - age) / period).clip(0.0, 1.0).where(age >= 0, 0.0)
        found[label] = _mean(_all_kinds(draws.cards_bought.sel(year=label, drop=True) * share))
    first = _mean(_all_kinds(draws.cards_in_service)) - sum(found.values())
    first = first.clip(min=0.0)
    return {None: first, **found} if float(first.max()) > 1e-9 * float(found[label].max() + first.max()) else found


def _colours(layers: dict[Any, xr.DataArray]) -> dict[Any, Any]:
    """Grey for what was there, then from dark for the oldest cohort to light for the newest."""
    from matplotlib import colormaps

    shades = colormaps["viridis"](np.linspace(0.05, 0.95, sum(name is not None for name in layers)))
    return dict(zip(layers, [_INITIAL] * (None in layers) + list(shades), strict=True))


def _stack(axes: Axes, parts: Any, missing: xr.DataArray, ends: xr.DataArray, divisor: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    labels = [str(label) for label in missing.year.values.tolist()]
    places = np.arange(len(labels))
    bottom = np.zeros(len(labels))
    for part, colour in parts:
        heights = part.values / divisor
        # A line of the background between cohorts: neighbours in a scale of colours are much alike.
        axes.bar(places, heights, 0.78, bottom=bottom, color=colour, edgecolor="white", linewidth=0.4)
        bottom = bottom + heights
    looks: Any = {"color": "white", "edgecolor": ORANGE, "hatch": "////", "linewidth": 0.6}
    # An empty bar would still have an edge.
    seen = missing.values > 1e-3 * np.nanmax(ends.values)
    axes.bar(places[seen], missing.values[seen] / divisor, 0.78, bottom=bottom[seen], **looks)
    axes.vlines(places, ends.values[0] / divisor, ends.values[1] / divisor, color=INK, linewidth=1.5)
    axes.set_xlim(-0.6, len(labels) - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: labels[round(x)] if abs(x - round(x)) < 1e-9 and 0 <= x < len(labels) else "")
    )
    axes.yaxis.set_major_locator(MaxNLocator(6))
    plain(axes.yaxis)
    grid(axes, "y")
    axes.tick_params(labelsize=9, color=GREY)
    bare(axes, "top", "right", "left")
