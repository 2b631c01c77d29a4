"""Waterfall: what moved a forecast, change by change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.plots.canvas import BLUE, GREY, INK, ORANGE, Canvas, Frame, band, plain_ticks
from demandsim.plots.panels import FRAME, ROW, Picture, check_dims, long_names, name_rows, plot, quantities
from demandsim.plots.words import Locale
from demandsim.statistics.ranking import ranked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["waterfall"]

_COLOURS = {GREY: "forecast", BLUE: "increase", ORANGE: "decrease"}


@plot
def waterfall(
    bridge: xr.Dataset,
    *,
    of: Sequence[str] | str | None = None,
    dim: str | None = None,
    locale: str = "en",
    **frame: Unpack[Frame],
) -> Any:
    """Waterfall of a bridge: which change moved the forecast, and by how much.

    Parameters
    ----------
    bridge : Dataset
        Of ``ds.sensitivity.bridge``.
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
        If `bridge` is no bridge, or has a further dim.

    Examples
    --------
    >>> import xarray as xr
    >>> import demandsim as ds
    >>> bridge = xr.Dataset(
    ...     {
    ...         "contribution": (("quantity", "change"), [[1.5e6, -2e5]]),
    ...         "before": ("quantity", [9e5]),
    ...         "after": ("quantity", [2.2e6]),
    ...     },
    ...     coords={"quantity": ["cards"], "change": ["utilization", "peak_ratio"], "units": ("quantity", ["card"])},
    ... )
    >>> [text.get_text() for text in ds.plots.waterfall(bridge)[0, 0].get_yticklabels()]
    ['Before', 'Utilization', 'Peak ratio', 'After']
    """
    check_dims(bridge, ("quantity", "change"), "ds.sensitivity.bridge(before, after, of=...)")
    names = quantities(of, bridge.quantity.values)
    arrays = {name: bridge["contribution"].sel(quantity=name, drop=True) for name in names}
    picture = Picture(bridge, arrays, ("change",), locale, dim, frame=frame)
    said, orders = picture.locale, {name: _in_order(bridge.sel(quantity=name)) for name in names}
    heights = [ROW * (len(order) + 2) + FRAME for order in orders.values()]
    for panel in picture.panels(heights, 4.9, titles=long_names(bridge, "quantity")):
        found = panel.of(bridge.sel(quantity=panel.name, change=orders[panel.name]))
        _steps(picture.canvas, panel.axes, found, said)
        changed = long_names(bridge, "change")
        changes = [said.name(change, changed.get(change)) for change in orders[panel.name]]
        rows = [said.say("before"), *changes, said.say("after")]
        name_rows(panel.axes, rows if panel.column == 0 else [""] * len(rows))
    keys = [band(colour, said.say(key)) for colour, key in _COLOURS.items()]
    statistic, prob = str(bridge.attrs.get("statistic", "")), said.percent(float(bridge.attrs.get("prob", 0.9)))
    if statistic not in ("median", "mean", "lower", "upper", "sd"):
        return picture.finish("waterfall_point" if statistic == "point" else "waterfall_bare", keys)
    return picture.finish("waterfall", keys, statistic=said.say(statistic, prob=prob))


def _in_order(found: xr.Dataset) -> list[str]:
    """Changes that move a quantity: the largest first; the raising ones, where a level would change its sign."""
    steps = found["contribution"].fillna(0.0)
    size = abs(steps).max([d for d in steps.dims if d != "change"])
    order = [str(change) for change in found.change.values[ranked(size, found.change.values)]]
    least = 1e-9 * float(size.max())
    order = [change for change in order if float(size.sel(change=change)) > least] or order[:1]
    levels = found["before"] + steps.sel(change=order).cumsum("change")
    before, after = np.sign(found["before"]), np.sign(found["after"])
    # A number of cards that passes through minus a million on its way from one to two is no picture of anything.
    if ((before == after) & (np.sign(levels) == -before)).values.any():
        towards = (steps * before).mean([d for d in steps.dims if d != "change"])
        return sorted(order, key=lambda change: float(towards.sel(change=change)) < 0)
    return order


def _steps(canvas: Canvas, axes: Axes, found: xr.Dataset, locale: Locale) -> None:
    before, after = float(found["before"]), float(found["after"])
    steps = found["contribution"].values.astype(float)
    levels = before + np.concatenate([[0.0], np.cumsum(steps)])
    unit = str(found["units"].item() if "units" in found.coords else found["contribution"].attrs.get("units", "1"))
    divisor, shown = locale.axis_unit(unit, float(np.max(np.abs([*levels, after]))))
    plain_ticks(axes)
    levels, steps = levels / divisor, steps / divisor
    pieces = [(0.0, before / divisor, GREY, locale.number(before / divisor, 3))]
    for i, step in enumerate(steps.tolist()):
        sign = "+" if step >= 0 else ""
        pieces.append((levels[i], levels[i + 1], BLUE if sign else ORANGE, sign + locale.number(step, 3)))
    pieces += [(0.0, after / divisor, GREY, locale.number(after / divisor, 3))]
    for y, (start, stop, colour, written) in enumerate(pieces):
        axes.barh(y, stop - start, left=start, height=0.62, color=colour)
        if y <= len(steps):
            axes.plot([stop, stop], [y + 0.31, y + 0.69], color=GREY, linewidth=0.8)
        right = stop >= start
        canvas.write(axes, written, (stop, y), (4 if right else -4, 0), ha="left" if right else "right")
    canvas.keep_range(axes, min(0.0, float(levels.min())), max(0.0, float(levels.max())))
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_xlabel(shown, fontsize=9)
