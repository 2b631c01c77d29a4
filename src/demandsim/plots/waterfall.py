"""Steps: which change moved the forecast, and by how much, as a waterfall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from demandsim.plots.canvas import BLUE, GREY, INK, ORANGE, Canvas, band, bare, plain_ticks, wrapped
from demandsim.plots.panels import captioned, chosen, lay_out, provenance, study_of
from demandsim.plots.rows import FRAME, ROW, check_dims, long_names
from demandsim.plots.words import Locale, locale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["waterfall"]


def waterfall(
    bridge: xr.Dataset, *, of: Sequence[str] | str | None = None, dim: str | None = None, locale: str = "en"
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
    said = locale_of(locale)
    check_dims(bridge, ("quantity", "change"), "ds.sensitivity.bridge(before, after, of=...)")
    names = chosen(of, bridge.quantity.values)
    steps = bridge["contribution"]
    panels = lay_out({name: steps.sel(quantity=name, drop=True) for name in names}, ("change",), dim)
    orders = [_in_order(bridge.sel(quantity=name)) for name in names]
    canvas = Canvas([ROW * (len(order) + 2) + FRAME for order in orders], len(panels.labels), 4.9, said)
    titles = long_names(bridge, "quantity")
    for row, (name, order) in enumerate(zip(names, orders, strict=True)):
        found = bridge.sel(quantity=name)
        for column in range(len(panels.labels)):
            where = panels.where(found, column)
            axes = canvas.axes[row, column]
            unit = str(found["units"].item() if "units" in found.coords else steps.attrs.get("units", "1"))
            _steps(canvas, axes, found.sel(where).sel(change=order), unit, said, first=column == 0)
            axes.set_title(captioned(said.name(name, titles.get(name)), where, said), fontsize=10, loc="left")
    statistic = str(bridge.attrs.get("statistic", ""))
    keys = [
        band(GREY, said.say("forecast")),
        band(BLUE, said.say("increase")),
        band(ORANGE, said.say("decrease")),
    ]
    study = study_of(bridge.attrs, said)
    words = {"median", "mean", "lower", "upper", "sd"}
    title = said.say("waterfall_bare", study=study)
    if statistic == "point":
        title = said.say("waterfall_point", study=study)
    if statistic in words:
        prob = said.percent(float(bridge.attrs.get("prob", 0.9)))
        title = said.say("waterfall", study=study, statistic=said.say(statistic, prob=prob))
    return canvas.finish(title, keys, provenance(bridge, [], said))


def _in_order(found: xr.Dataset) -> list[str]:
    """Changes that move a quantity: the largest first; the raising ones, where a level would change its sign."""
    steps = found["contribution"].fillna(0.0)
    size = abs(steps).max([d for d in steps.dims if d != "change"])
    ranked = [str(change) for change in found.change.values[np.argsort(-size.values, kind="stable")]]
    least = 1e-9 * float(size.max())
    ranked = [change for change in ranked if float(size.sel(change=change)) > least] or ranked[:1]
    levels = found["before"] + steps.sel(change=ranked).cumsum("change")
    before, after = np.sign(found["before"]), np.sign(found["after"])
    # A number of cards that passes through minus a million on its way from one to two is no picture of anything.
    if ((before == after) & (np.sign(levels) == -before)).values.any():
        towards = (steps * before).mean([d for d in steps.dims if d != "change"])
        return sorted(ranked, key=lambda change: float(towards.sel(change=change)) < 0)
    return ranked


def _steps(canvas: Canvas, axes: Axes, found: xr.Dataset, unit: str, locale: Locale, *, first: bool) -> None:
    before, after = float(found["before"]), float(found["after"])
    steps = found["contribution"].values.astype(float)
    levels = before + np.concatenate([[0.0], np.cumsum(steps)])
    divisor, shown = locale.unit(unit, float(np.max(np.abs([*levels, after]))))
    plain_ticks(axes)
    levels, steps = levels / divisor, steps / divisor
    last = len(steps) + 1
    pieces = [(0.0, before / divisor, GREY, locale.number(before / divisor, 3))]
    pieces += [
        (levels[i], levels[i + 1], BLUE if step >= 0 else ORANGE, f"{'+' if step >= 0 else ''}{locale.number(step, 3)}")
        for i, step in enumerate(steps.tolist())
    ]
    pieces += [(0.0, after / divisor, GREY, locale.number(after / divisor, 3))]
    for y, (start, stop, colour, written) in enumerate(pieces):
        axes.barh(y, stop - start, left=start, height=0.62, color=colour)
        if y < last:
            axes.plot([stop, stop], [y + 0.31, y + 0.69], color=GREY, linewidth=0.8)
        right = stop >= start
        text = axes.annotate(
            written,
            (stop, y),
            (4 if right else -4, 0),
            textcoords="offset points",
            va="center",
            ha="left" if right else "right",
            fontsize=8,
        )
        canvas.keep_inside(axes, text)
    canvas.keep_range(axes, min(0.0, float(levels.min())), max(0.0, float(levels.max())))
    axes.axvline(0, color=INK, linewidth=1)
    names = long_names(found, "change")
    changes = [locale.name(c, names.get(c)) for c in map(str, found.change.values)]
    texts = [wrapped(t) if first else "" for t in (locale.say("before"), *changes, locale.say("after"))]
    axes.set_yticks(range(last + 1), texts, fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(last + 0.6, -0.6)
    axes.set_xlabel(shown or locale.say("ratio"), fontsize=9)
    bare(axes, "left", "top", "right")
