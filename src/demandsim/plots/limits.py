"""Limits: how likely a result is to exceed what the market sells, or what anyone spends."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.plots.canvas import (
    GREY,
    INK,
    STROKES,
    Canvas,
    Frame,
    bare,
    grid,
    is_wide,
    line,
    plain_ticks,
)
from demandsim.plots.panels import Picture, finite, plot
from demandsim.series.cross_check import cross_check

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["limits"]

_LOOKS = STROKES[:4]
#: Points of a curve: more cannot be seen.
_POINTS = 400
#: Share of the panel that the label of a limit takes, above the curves.
_STEP = 0.11
#: Where the labels begin: clear of curves near 100%.
_ABOVE = 1.07


@plot
def limits(
    draws: xr.Dataset,
    *,
    of: str | None = None,
    against: Mapping[str, float | xr.DataArray] | None = None,
    locale: str = "en",
    **frame: Unpack[Frame],
) -> Any:
    """Chance that a result exceeds each value, with the limits of ``ds.cross_check`` marked.

    Parameters
    ----------
    draws : Dataset
        Of ``model.simulate``; one curve for each of at most four labels.
    of : str, optional
        Quantity, as in ``ds.cross_check``.
    against : mapping of name to float or DataArray, optional
        Limits, as in ``ds.cross_check``. One that varies from draw to draw stands at its median; the chance
        beside its name counts its variation.
    locale : {"en", "zh"}, default "en"
    **frame
        ``ax``, ``figsize`` and ``title``, as in `Frame`.

    Returns
    -------
    numpy array of matplotlib Axes, shape (1, 1)

    Raises
    ------
    DemandsimError
        If there are more than four curves, several quantities, or a limit that varies over labels.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=256, seed=1)
    >>> ds.plots.limits(draws).shape
    (1, 1)
    """
    found = cross_check(draws, of, against)
    names = list(dict.fromkeys(found.quantity.values.tolist()))
    if len(names) > 1 or bool(found.limit.isnull().any()):
        raise DemandsimError(
            f"the checks are of {names}, not all with a limit; name one quantity with of= and against="
        )
    dims = [str(dim) for dim in found.probability.dims if dim != "check"]
    labels = itertools.product(*(found[d].values.tolist() for d in dims))
    places = [dict(zip(dims, place, strict=True)) for place in labels]
    if len(places) > len(_LOOKS):
        raise DemandsimError(
            f"{len(places)} curves over {dims} are too many to read; select a label first, as in "
            f"draws.sel({dims[-1]}=...)"
        )
    if any(found.limit.max(dim).values.tolist() != found.limit.min(dim).values.tolist() for dim in dims):
        raise DemandsimError(f"a limit varies over {dims}; select a label first, as in draws.sel({dims[-1]}=...)")
    values = draws[names[0]]
    picture = Picture(draws, {names[0]: values}, [str(dim) for dim in values.dims], locale, frame=frame)
    said = picture.locale
    picture.open([2.9 + 0.3 * found.sizes["check"]], 1, 8.4)
    _curves(picture.canvas, values, found, places)
    named = ((look, ", ".join(map(said.label, place.values()))) for look, place in zip(_LOOKS, places, strict=False))
    keys = [line(colour, name, linestyle=dash) for (colour, dash, _), name in named if name]
    name = said.name(names[0], values.attrs.get("long_name"))
    return picture.finish("limits", keys, [said.say("limit_note")], name=_inside(name))


def _inside(name: str) -> str:
    """A name within a sentence: the capital goes, unless it is of an abbreviation."""
    return name[:1].lower() + name[1:] if name[1:2].islower() else name


def _curves(canvas: Canvas, values: xr.DataArray, found: xr.Dataset, places: Sequence[dict[str, Any]]) -> None:
    axes: Axes = canvas.axes[0, 0]
    bounds = found.limit.max([dim for dim in found.limit.dims if dim != "check"]).values.tolist()
    drawn = [np.sort(finite(values.sel({d: v for d, v in p.items() if d in values.dims}))) for p in places]
    low = min(float(np.quantile(one, 0.004)) for one in drawn)
    high = max(*(float(np.quantile(one, 0.996)) for one in drawn), *bounds)
    divisor, shown = canvas.locale.axis(values, max(abs(low), abs(high)))
    plain_ticks(axes, log=is_wide(low, high))
    for (colour, dash, _), one in zip(_LOOKS, drawn, strict=False):
        places_of = np.unique(np.linspace(0, one.size - 1, _POINTS).astype(int))
        # The last 0.4% of each tail is left out of the picture, as elsewhere.
        places_of = places_of[(one[places_of] >= low) & (one[places_of] <= high)]
        axes.plot(one[places_of] / divisor, 1 - (places_of + 0.5) / one.size, color=colour, linestyle=dash, linewidth=2)
    # Labels run towards the middle of the panel: the limit nearest to the edge that they run to stands lowest.
    middle = np.sqrt(low * high) if is_wide(low, high) else (low + high) / 2
    leftwards = float(np.median(bounds)) > middle
    order = np.argsort(bounds) if leftwards else np.argsort(bounds)[::-1]
    for row, place in enumerate(order.tolist()):
        at = (bounds[place] / divisor, _ABOVE + _STEP * row)
        _limit(canvas, found.isel(check=place), at, places, leftwards=leftwards)
    axes.set_xlim(low / divisor, high / divisor)
    canvas.keep_range(axes, low / divisor, high / divisor)
    axes.minorticks_off()
    axes.set_ylim(0, _ABOVE + _STEP * len(bounds))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"], fontsize=9)
    axes.set_ylabel(canvas.locale.say("exceeds"), fontsize=9)
    axes.set_xlabel(shown, fontsize=9)
    grid(axes, "y")
    bare(axes, "left", "top", "right")
    axes.tick_params(axis="y", length=0)


def _limit(
    canvas: Canvas, check: xr.Dataset, at: tuple[float, float], places: Sequence[dict[str, Any]], *, leftwards: bool
) -> None:
    """Draw one limit, with its name and how often it is exceeded above the curves."""
    axes, said, (bound, top) = canvas.axes[0, 0], canvas.locale, at
    axes.plot([bound, bound], [0, top + 0.04], color=GREY, linewidth=1, linestyle="--")
    given = str(check.limit_name.item()) or str(check.check.item())
    name, shares = said.names.get(given, given), [float(check.probability.sel(p)) for p in places]
    chances = said.say("separator").join(
        " ".join([*map(said.label, p.values()), said.percent(share, 0)])
        for p, share in zip(places, shares, strict=True)
    )
    text = said.say("limit", name=name[:1].upper() + name[1:], value=said.number(bound, 3), chances=chances)
    away, ha = ((-6, 0), "right") if leftwards else ((6, 0), "left")
    canvas.write(axes, text, at, away, ha=ha, fontsize=8.5, color=INK)
    for (colour, _, _), share in zip(_LOOKS, shares, strict=False):
        axes.plot(bound, share, "o", color=colour, markersize=6, clip_on=False)
