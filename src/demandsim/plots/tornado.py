"""Tornado: how far each assumption alone moves a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.plots.canvas import GREY, HIGH, INK, LOW, Canvas, Frame, band, line, plain_ticks
from demandsim.plots.panels import (
    FRAME,
    ROW,
    Picture,
    assumptions_named,
    check_dims,
    finite,
    largest,
    left_out,
    name_rows,
    plot,
    quantities,
)
from demandsim.plots.words import Locale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["setting_in_words", "tornado"]


@plot
def tornado(
    moved: xr.Dataset,
    *,
    of: Sequence[str] | str | None = None,
    dim: str | None = None,
    locale: str = "en",
    **frame: Unpack[Frame],
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
    check_dims(moved, ("assumption", "end"), "ds.sensitivity.tornado(model, of=...)")
    names = quantities(of, (n for n, a in moved.data_vars.items() if {"assumption", "end"} <= set(a.dims)))
    invalid = sum(int(moved[name].attrs.get("n_invalid", 0)) for name in names)
    moved = moved.assign({name: moved[name].where(np.isfinite(moved[name])) for name in names})
    picture = Picture(moved, {name: moved[name] for name in names}, ("assumption", "end"), locale, dim, frame=frame)
    said, orders = picture.locale, {name: _widest(moved[name]) for name in names}
    for panel in picture.panels([ROW * len(order) + FRAME for order in orders.values()], 4.9):
        order = orders[panel.name]
        settings = {(a, e): setting_in_words(moved, a, e, panel.where, said) for a in order for e in ("low", "high")}
        _tornado(picture.canvas, panel.axes, panel.of(moved[panel.name]).sel(assumption=order), settings, said)
        name_rows(panel.axes, assumptions_named(moved, order, said) if panel.column == 0 else [""] * len(order))
    keys = [band(LOW, said.say("tornado_low")), band(HIGH, said.say("tornado_high"))]
    bases = {"point": "tornado_point", "median": "tornado_median"}
    keys += [line(INK, said.say(bases.get(str(moved.attrs.get("base", "")), "tornado_base")), linewidth=1)]
    notes = [said.say("tornado_note", prob=said.percent(float(moved.attrs.get("prob", 0.9)))), *left_out(moved, said)]
    notes += [said.say("invalid_results", count=invalid)] if invalid else []
    return picture.finish("tornado", keys, notes)


def _widest(array: xr.DataArray) -> list[str]:
    """Assumptions that move the result at all, by how far, in the label where each does most."""
    swing = array.max("end") - array.min("end")
    # Each label in units of its own widest swing: ten times the tokens must not outweigh the others.
    return largest(swing / swing.max("assumption").clip(min=np.finfo(float).tiny))


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
    canvas: Canvas, axes: Axes, array: xr.DataArray, settings: Mapping[tuple[str, str], str], locale: Locale
) -> None:
    divisor, shown = locale.axis(array, float(np.abs(finite(array)).max()))
    plain_ticks(axes)
    base = float(np.median(finite(array.sel(end="base")))) / divisor
    values = array / divisor
    gap = 0.012 * float(values.max() - values.min() or abs(base) or 1.0)
    for y, assumption in enumerate(map(str, values.assumption.values)):
        ends, written = [], []
        for end, colour in (("low", LOW), ("high", HIGH)):
            value = float(values.sel(assumption=assumption, end=end))
            ends.append(value if np.isfinite(value) else base)
            written.append(settings[assumption, end] if np.isfinite(value) else "")
            axes.barh(y, ends[-1] - base, left=base, height=0.62, color=colour)
        for (beside, side), setting in _sides(base, ends[0], ends[1], *written):
            ha = "left" if side > 0 else "right"
            canvas.keep_inside(axes, axes.text(beside + side * gap, y, setting, va="center", ha=ha, fontsize=8))
    canvas.keep_range(axes, float(values.min()), float(values.max()))
    axes.axvline(base, color=INK, linewidth=1)
    if values.min() < 0 < values.max():
        axes.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel(f"{shown}    {locale.say('base', value=locale.number(base, 3))}".strip(), fontsize=9)


def _sides(base: float, low: float, high: float, at_low: str, at_high: str) -> list[tuple[tuple[float, int], str]]:
    """Where the settings stand: beside their own ends, or both beyond the farther if the ends lie on one side."""
    if not at_low and not at_high:
        return []
    if low == high and at_low == at_high:
        # A sure value, which is uncertain in another panel.
        return [((low, 1), at_low)]
    if (low - base) * (high - base) > 0:
        side = 1 if low > base else -1
        far = max(low, high) if side > 0 else min(low, high)
        return [((far, side), f"{at_low} | {at_high}")]
    rising = high > low or (high == low)
    return [((low, -1 if rising else 1), at_low), ((high, 1 if rising else -1), at_high)]
