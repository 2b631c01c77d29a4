"""Worth: what each assumption is worth knowing before a choice, next to its share of a result's variance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError, check_known
from demandsim.plots.canvas import BLUE, INK, ORANGE, Canvas, band, line
from demandsim.plots.canvas import plain_ticks as ticks
from demandsim.plots.panels import Panels, captioned, lay_out, study_of
from demandsim.plots.payoffs import amount, notes
from demandsim.plots.rows import FRAME, MOST, ROW, long_names, name_rows
from demandsim.plots.words import Locale, locale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["information"]


def information(
    found: xr.Dataset,
    indices: xr.Dataset | None = None,
    *,
    of: str | None = None,
    dim: str | None = None,
    locale: str = "en",
) -> Any:
    """What each assumption is worth knowing before the choice, next to its share of a result's variance.

    Parameters
    ----------
    found : Dataset
        Of ``ds.decisions.value_of_information``.
    indices : Dataset, optional
        Of ``ds.sensitivity.sobol``; with correlated assumptions of ``shapley``; of a posterior ``given_data``.
    of : str, optional
        Quantity of `indices`; the first by default.
    dim : str, optional
        Dim whose labels have a row of panels each; the first scenario dim by default.
    locale : {"en", "zh"}, default "en"

    Returns
    -------
    numpy array of matplotlib Axes, shape (labels, 2), or (labels, 1) without `indices`

    Raises
    ------
    UnknownNameError
        If `indices` has no such quantity.
    DemandsimError
        If a Dataset holds something else, or has a further dim.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01-evidence").simulate(draws=256, seed=1)
    >>> found = ds.decisions.value_of_information(draws, [1e5, 2e5, 4e5], ds.decisions.OrderCards())
    >>> ds.plots.information(found.sel(scenario="100T")).shape
    (1, 1)
    """
    said = locale_of(locale)
    if "evppi" not in found:
        raise DemandsimError(
            "this Dataset holds no value of information; pass what ds.decisions.value_of_information returns"
        )
    panels = lay_out({"evppi": found["evppi"]}, ("assumption",), dim)
    shares = None if indices is None else _shares(indices, of)
    most = found["evppi"].max([d for d in found["evppi"].dims if d != "assumption"])
    ranked = most.isel(assumption=np.argsort(-most.values, kind="stable"))
    order = [str(name) for name in ranked.assumption.values[:MOST]]
    canvas = Canvas([ROW * len(order) + FRAME] * len(panels.labels), 1 if shares is None else 2, 4.7, said)
    for row in range(len(panels.labels)):
        where = panels.where(found["evppi"], row)
        own = found.sel(where).sel(assumption=order)
        _values(canvas, canvas.axes[row, 0], own, said)
        name_rows(canvas.axes[row, 0], order, own, said, first=True)
        canvas.axes[row, 0].set_title(captioned(_evpi(own, said), where, said), fontsize=10, loc="left")
        if shares is not None:
            _indices(canvas, canvas.axes[row, 1], shares, indices, panels, row, order, said)
    keys = [band(BLUE, said.say("evppi"))]
    if shares is not None:
        keys.append(band(ORANGE, said.say(str(shares.name))))
    keys.append(line(INK, said.say("band"), linewidth=1.2, marker="|"))
    left = max(found.sizes["assumption"] - MOST, 0)
    left_out = [said.say("tornado_most", count=left)] if left else []
    return canvas.finish(
        said.say("information", study=study_of(found.attrs, said)), keys, left_out + notes(found, said)
    )


def _shares(indices: xr.Dataset, of: str | None) -> xr.DataArray:
    kind = next((name for name in ("total_order", "effect", "first_order") if name in indices), None)
    if kind is None or "quantity" not in indices.dims:
        raise DemandsimError(
            "indices holds no shares of variance; pass what ds.sensitivity.sobol, shapley or given_data returns"
        )
    names = [str(name) for name in indices.quantity.values]
    if of is not None:
        check_known([of], names, "quantity")
    found: xr.DataArray = indices[kind].sel(quantity=of or names[0])
    return found


def _evpi(own: xr.Dataset, locale: Locale) -> str:
    return locale.say("evpi", value=amount(float(own["evpi"]), str(own["evpi"].attrs.get("units", "1")), locale))


def _values(canvas: Canvas, axes: Axes, own: xr.Dataset, locale: Locale) -> None:
    divisor, shown = locale.unit(str(own["evppi"].attrs.get("units", "1")), float(own["evppi"].max()))
    values, errors = own["evppi"].values / divisor, np.nan_to_num(own["mcse_evppi"].values / divisor)
    for y, (value, error) in enumerate(zip(values.tolist(), errors.tolist(), strict=True)):
        ends = max(value - 1.96 * error, 0.0), value + 1.96 * error
        axes.barh(y, value, height=0.62, color=BLUE)
        axes.plot(ends, [y, y], color=INK, linewidth=1.2, marker="|", markersize=6)
        _written(canvas, axes, locale.number(value, 3) if value > 5e-4 * values.max() else "0", ends[1], y)
    _from_zero(axes, float((values + 1.96 * errors).max()))
    ticks(axes)
    axes.set_xlabel(shown or locale.say("ratio"), fontsize=9)


def _indices(
    canvas: Canvas,
    axes: Axes,
    shares: xr.DataArray,
    indices: xr.Dataset | None,
    panels: Panels,
    row: int,
    order: Sequence[str],
    locale: Locale,
) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    own = shares.sel(panels.where(shares, row))
    own = own.squeeze([dim for dim in own.dims if dim != "assumption" and own.sizes[dim] == 1])
    if own.ndim > 1:
        raise DemandsimError(f"indices still vary over {own.dims[1:]}; select a label first")
    known = dict(zip(map(str, own.assumption.values), own.values.tolist(), strict=True))
    for y, name in enumerate(order):
        # Groups, and what does not vary, have no index.
        share = known.get(name, np.nan)
        if np.isfinite(share):
            axes.barh(y, share, height=0.62, color=ORANGE)
            _written(canvas, axes, f"{100 * share:.{1 if abs(share) < 0.0995 else 0}f}%", max(share, 0.0), y)
    name_rows(axes, order, xr.Dataset(coords={"assumption": list(order)}), locale, first=False)
    _from_zero(axes, max(np.nan_to_num(list(known.values()))))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.10g}%"))
    name = str(shares["quantity"].item())
    titles = {} if indices is None else long_names(indices, "quantity")
    axes.set_title(locale.name(name, titles.get(name)), fontsize=10, loc="left")
    axes.set_xlabel(locale.say("variance"), fontsize=9)


def _written(canvas: Canvas, axes: Axes, text: str, end: float, y: float) -> None:
    drawn = axes.annotate(text, (end, y), (4, 0), textcoords="offset points", va="center", fontsize=8)
    canvas.keep_inside(axes, drawn)


def _from_zero(axes: Axes, high: float) -> None:
    axes.set_xlim(0, high if high > 0 else 1.0)
    axes.axvline(0, color=INK, linewidth=1)
