"""Swings: how far each assumption alone moves a result, as a tornado."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from demandsim.plots.canvas import BLUE, GREY, INK, ORANGE, Canvas, band, line, plain_ticks
from demandsim.plots.panels import captioned, chosen, finite, lay_out, provenance, study_of
from demandsim.plots.rows import FRAME, MOST, ROW, check_dims, name_rows
from demandsim.plots.words import Locale, locale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["setting_in_words", "tornado"]


def tornado(
    moved: xr.Dataset, *, of: Sequence[str] | str | None = None, dim: str | None = None, locale: str = "en"
) -> Any:
    """Tornado: how far each assumption alone moves a result, widest first.

    Parameters
    ----------
    moved : Dataset
        Of ``ds.sensitivity.tornado``.
    of : str or sequence of str, optional
        Quantities; all by default.
    dim : str, optional
        Dim along which panels stand side by side; the first scenario dim by default.
    locale : {"en", "zh"}, default "en"

    Returns
    -------
    numpy array of matplotlib Axes, shape (quantities, labels)

    Raises
    ------
    UnknownNameError
        If there is no such quantity.
    DemandsimError
        If `moved` is no tornado, or has a further dim.

    Examples
    --------
    >>> import xarray as xr
    >>> import demandsim as ds
    >>> moved = xr.Dataset(
    ...     {"cards": (("assumption", "end"), [[4e5, 9e5, 2e6], [7e5, 9e5, 1e6]], {"units": "card"})},
    ...     coords={"assumption": ["utilization", "peak_ratio"], "end": ["low", "base", "high"]},
    ... )
    >>> [text.get_text() for text in ds.plots.tornado(moved)[0, 0].get_yticklabels()]
    ['Utilization', 'Peak ratio']
    """
    said = locale_of(locale)
    check_dims(moved, ("assumption", "end"), "ds.sensitivity.tornado(model, of=...)")
    names = chosen(of, (n for n, a in moved.data_vars.items() if {"assumption", "end"} <= set(a.dims)))
    counts = [int(moved[name].attrs.get("n_invalid", 0)) for name in names]
    moved = moved.assign({name: moved[name].where(np.isfinite(moved[name])) for name in names})
    panels = lay_out({name: moved[name] for name in names}, ("assumption", "end"), dim)
    orders = [_widest(moved[name]) for name in names]
    canvas = Canvas([ROW * len(order) + FRAME for order in orders], len(panels.labels), 4.9, said)
    for row, (name, order) in enumerate(zip(names, orders, strict=True)):
        for column in range(len(panels.labels)):
            where = panels.where(moved[name], column)
            axes = canvas.axes[row, column]
            settings = {(a, e): setting_in_words(moved, a, e, where, said) for a in order for e in ("low", "high")}
            _tornado(canvas, axes, moved[name].sel(where), settings, order, said)
            name_rows(axes, order, moved, said, first=column == 0)
            title = said.name(name, moved[name].attrs.get("long_name"))
            axes.set_title(captioned(title, where, said), fontsize=10, loc="left")
    keys = [band(BLUE, said.say("tornado_low")), band(ORANGE, said.say("tornado_high"))]
    bases = {"point": "tornado_point", "median": "tornado_median"}
    keys += [line(INK, said.say(bases.get(str(moved.attrs.get("base", "")), "tornado_base")), linewidth=1)]
    notes = [said.say("tornado_note", prob=said.percent(float(moved.attrs.get("prob", 0.9))))]
    left = max(moved.sizes["assumption"] - MOST, 0)
    notes += [said.say("tornado_most", count=left)] if left else []
    notes += [said.say("invalid_results", count=sum(counts))] if sum(counts) else []
    notes += provenance(moved, (moved[n] for n in names), said)
    return canvas.finish(said.say("tornado", study=study_of(moved.attrs, said)), keys, notes)


def _widest(array: xr.DataArray) -> list[str]:
    """Assumptions that move the result at all, by how far, in the label where each does most."""
    swing = array.max("end") - array.min("end")
    # Each label in units of its own widest swing: ten times the tokens must not outweigh the others.
    swing = swing / swing.max("assumption").clip(min=np.finfo(float).tiny)
    swing = swing.max([d for d in swing.dims if d != "assumption"])
    ranked = swing.isel(assumption=np.argsort(-swing.values, kind="stable"))
    kept = [str(a) for a, size in zip(ranked.assumption.values, ranked.values, strict=True) if size > 1e-9]
    return kept[:MOST] or [str(a) for a in ranked.assumption.values[:MOST]]


def setting_in_words(moved: xr.Dataset, assumption: str, end: str, place: Mapping[str, Any], locale: Locale) -> str:
    """Write what one row of a tornado was set to at one end: a value, or that of each member of a group."""
    if "setting" not in moved.coords:
        return ""
    setting = moved["setting"].isel(member=np.flatnonzero(moved["row"].values == assumption))
    setting = setting.sel({"end": end} | {d: v for d, v in place.items() if d in setting.dims})
    written, alone = [], setting.member.values.tolist() == [assumption]
    for member, unit in zip(map(str, setting.member.values), map(str, setting.setting_units.values), strict=True):
        text = locale.setting(np.ravel(setting.sel(member=member).values), unit)
        written.append(text if alone else f"{locale.name(member)} {text}")
    return ", ".join(written)


def _tornado(
    canvas: Canvas,
    axes: Axes,
    array: xr.DataArray,
    settings: Mapping[tuple[str, str], str],
    order: Sequence[str],
    locale: Locale,
) -> None:
    divisor, shown = locale.unit(str(array.attrs.get("units", "1")), float(np.abs(finite(array)).max()))
    plain_ticks(axes)
    base = float(np.median(finite(array.sel(end="base")))) / divisor
    values = array.sel(assumption=list(order)) / divisor
    gap = 0.012 * float(values.max() - values.min() or abs(base) or 1.0)
    for y, assumption in enumerate(order):
        ends, written = [], []
        for end, colour in (("low", BLUE), ("high", ORANGE)):
            value = float(values.sel(assumption=assumption, end=end))
            ends.append(value if np.isfinite(value) else base)
            written.append(settings[assumption, end] if np.isfinite(value) else "")
            axes.barh(y, ends[-1] - base, left=base, height=0.62, color=colour)
        low, high = ends
        sides = _sides(base, low, high, *written)
        for (beside, side), setting in sides:
            ha = "left" if side > 0 else "right"
            text = axes.text(beside + side * gap, y, setting, va="center", ha=ha, fontsize=8)
            canvas.keep_inside(axes, text)
    canvas.keep_range(axes, float(values.min()), float(values.max()))
    axes.axvline(base, color=INK, linewidth=1)
    if values.min() < 0 < values.max():
        axes.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel(f"{shown or locale.say('ratio')}    {locale.say('base', value=locale.number(base, 3))}", fontsize=9)


def _sides(base: float, low: float, high: float, at_low: str, at_high: str) -> list[tuple[tuple[float, int], str]]:
    """Where the settings stand: beside their own ends, or both beyond the farther if the ends lie on one side."""
    if not at_low and not at_high:
        return []
    if (low - base) * (high - base) > 0:
        side = 1 if low > base else -1
        far = max(low, high) if side > 0 else min(low, high)
        return [((far, side), f"{at_low} | {at_high}")]
    rising = high > low or (high == low)
    return [((low, -1 if rising else 1), at_low), ((high, 1 if rising else -1), at_high)]
