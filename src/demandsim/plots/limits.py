"""Limits: how likely a result is to exceed what the market sells, or what anyone spends."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.plots.canvas import BLUE, GREEN, GREY, INK, ORANGE, SKY, Canvas, bare, is_wide, line, plain_ticks
from demandsim.plots.panels import finite, provenance, study_of
from demandsim.plots.words import Locale, locale_of
from demandsim.series.cross_check import cross_check

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["limits"]

_COLOURS = (BLUE, ORANGE, GREEN, SKY)
#: Points of a curve: more cannot be seen.
_POINTS = 400
#: Share of the panel that the label of a limit takes, above the curves.
_STEP = 0.11
#: Where the labels begin: clear of curves near 100%.
_ABOVE = 1.07


def limits(
    draws: xr.Dataset,
    *,
    of: str | None = None,
    against: Mapping[str, float | xr.DataArray] | None = None,
    locale: str = "en",
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
    said = locale_of(locale)
    found = cross_check(draws, of, against)
    names = list(dict.fromkeys(found.quantity.values.tolist()))
    if len(names) > 1 or bool(found.limit.isnull().any()):
        raise DemandsimError(
            f"the checks are of {names}, not all with a limit; name one quantity with of= and against="
        )
    values = draws[names[0]]
    dims = [str(dim) for dim in found.probability.dims if dim != "check"]
    places = [
        dict(zip(dims, labels, strict=True)) for labels in itertools.product(*(found[d].values.tolist() for d in dims))
    ]
    if len(places) > len(_COLOURS):
        raise DemandsimError(
            f"{len(places)} curves over {dims} are too many to read; select a label first, as in "
            f"draws.sel({dims[-1]}=...)"
        )
    if any(found.limit.max(dim).values.tolist() != found.limit.min(dim).values.tolist() for dim in dims):
        raise DemandsimError(f"a limit varies over {dims}; select a label first, as in draws.sel({dims[-1]}=...)")
    canvas = Canvas([2.9 + 0.3 * found.sizes["check"]], 1, 8.4, said)
    _curves(canvas, values, found, places, said)
    labels = [", ".join(map(said.label, place.values())) or said.name(names[0]) for place in places]
    colours = _COLOURS[: len(places)]
    keys = [line(colour, label) for colour, label in zip(colours, labels, strict=True)] if places[0] else []
    notes = [said.say("limit_note"), *provenance(draws, [values], said)]
    title = said.say(
        "limits", study=study_of(draws.attrs, said), name=_inside(said.name(names[0], values.attrs.get("long_name")))
    )
    return canvas.finish(title, keys, notes)


def _inside(name: str) -> str:
    """A name within a sentence: the capital goes, unless it is of an abbreviation."""
    return name[:1].lower() + name[1:] if name[1:2].islower() else name


def _curves(
    canvas: Canvas, values: xr.DataArray, found: xr.Dataset, places: Sequence[dict[str, Any]], locale: Locale
) -> None:
    axes: Axes = canvas.axes[0, 0]
    bounds = [float(found.limit.isel(check=place).max()) for place in range(found.sizes["check"])]
    order = np.argsort(bounds)
    drawn = [np.sort(finite(values.sel({d: v for d, v in p.items() if d in values.dims}))) for p in places]
    low = min(float(np.quantile(one, 0.004)) for one in drawn)
    high = max(*(float(np.quantile(one, 0.996)) for one in drawn), *bounds)
    divisor, shown = locale.unit(str(values.attrs.get("units", "1")), max(abs(low), abs(high)))
    plain_ticks(axes, log=is_wide(low, high))
    for colour, one in zip(_COLOURS, drawn, strict=False):
        places_of = np.unique(np.linspace(0, one.size - 1, _POINTS).astype(int))
        # The last 0.4% of each tail is left out of the picture, as elsewhere.
        places_of = places_of[(one[places_of] >= low) & (one[places_of] <= high)]
        axes.plot(one[places_of] / divisor, 1 - (places_of + 0.5) / one.size, color=colour, linewidth=2)
    # Labels run towards the middle of the panel: the limit nearest to the edge that they run to stands lowest.
    middle = np.sqrt(low * high) if is_wide(low, high) else (low + high) / 2
    leftwards = float(np.median(bounds)) > middle
    for row, place in enumerate(order if leftwards else order[::-1]):
        check, bound = found.isel(check=int(place)), bounds[int(place)] / divisor
        top = _ABOVE + _STEP * row
        axes.plot([bound, bound], [0, top + 0.04], color=GREY, linewidth=1, linestyle="--")
        label = str(check.check.item())
        name = locale.names.get(str(check.limit_name.item()) or label, str(check.limit_name.item()) or label)
        chances = locale.say("separator").join(
            " ".join([*map(locale.label, p.values()), _chance(float(check.probability.sel(p)))]) for p in places
        )
        text = locale.say("limit", name=f"{name[:1].upper()}{name[1:]}", value=locale.number(bound, 3), chances=chances)
        side = -6 if leftwards else 6
        written = axes.annotate(
            text,
            (bound, top),
            (side, 0),
            textcoords="offset points",
            ha="right" if leftwards else "left",
            va="center",
            fontsize=8.5,
            color=INK,
        )
        canvas.keep_inside(axes, written)
        for colour, p in zip(_COLOURS, places, strict=False):
            axes.plot(bound, float(check.probability.sel(p)), "o", color=colour, markersize=6, clip_on=False)
    axes.set_xlim(low / divisor, high / divisor)
    canvas.keep_range(axes, low / divisor, high / divisor)
    axes.minorticks_off()
    axes.set_ylim(0, _ABOVE + _STEP * len(bounds))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"], fontsize=9)
    axes.set_ylabel(locale.say("exceeds"), fontsize=9)
    axes.set_xlabel(shown or locale.say("ratio"), fontsize=9)
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)
    bare(axes, "left", "top", "right")
    axes.tick_params(axis="y", length=0)


def _chance(share: float) -> str:
    """A chance in whole percent, but never 0% or 100% of what is not certain."""
    if 0 < share < 0.005:
        return "<0.5%"
    return ">99.5%" if 0.995 < share < 1 else f"{100 * share:.0f}%"
