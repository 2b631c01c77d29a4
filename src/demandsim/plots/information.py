"""Information: what is worth knowing before a choice, next to what the variance comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.plots.canvas import BLUE, INK, ORANGE, Canvas, Frame, band, line, percent_ticks, plain_ticks
from demandsim.plots.panels import (
    FRAME,
    ROW,
    Panel,
    Picture,
    assumptions_named,
    largest,
    left_out,
    long_names,
    name_rows,
    plot,
    quantities,
)
from demandsim.plots.payoffs import amount
from demandsim.plots.words import Locale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["information"]


@plot
def information(
    found: xr.Dataset,
    indices: xr.Dataset | None = None,
    *,
    of: str | None = None,
    dim: str | None = None,
    locale: str = "en",
    **frame: Unpack[Frame],
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
    **frame
        ``ax``, ``figsize`` and ``title``, as in `Frame`.

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
    if "evppi" not in found:
        raise DemandsimError(
            "this Dataset holds no value of information; pass what ds.decisions.value_of_information returns"
        )
    picture = Picture(found, {"evppi": found["evppi"]}, ("assumption",), locale, dim, frame=frame)
    said, order = picture.locale, largest(found["evppi"], nil=True)
    shares = None if indices is None else _shares(indices, of)
    picture.open([ROW * len(order) + FRAME] * len(picture.labels), 1 if shares is None else 2, 4.7)
    for row, (label, (left, *right)) in enumerate(zip(picture.labels, picture.canvas.axes, strict=True)):
        panel = Panel(left, "evppi", picture.where(label), row, 0)
        own = panel.of(found).sel(assumption=order)
        _values(picture.canvas, left, own, said)
        name_rows(left, assumptions_named(own, order, said))
        evpi = amount(float(own["evpi"]), str(own["evpi"].attrs.get("units", "1")), said)
        panel.title(said.say("evpi", value=evpi), said)
        if shares is not None:
            _indices(picture.canvas, right[0], panel.of(shares), order, said)
    keys = [band(BLUE, said.say("evppi"))]
    keys += [] if shares is None else [band(ORANGE, said.say(str(shares.name)))]
    keys += [line(INK, said.say("band"), linewidth=1.2, marker="|")]
    return picture.finish("information", keys, left_out(found, said))


def _shares(indices: xr.Dataset, of: str | None) -> xr.DataArray:
    """Shares of the variance of one quantity, under its long name."""
    kind = next((name for name in ("total_order", "effect", "first_order") if name in indices), None)
    if kind is None or "quantity" not in indices.dims:
        raise DemandsimError(
            "indices holds no shares of variance; pass what ds.sensitivity.sobol, shapley or given_data returns"
        )
    name = quantities(of, indices.quantity.values)[0]
    found: xr.DataArray = indices[kind].sel(quantity=name)
    return found.assign_attrs(long_name=long_names(indices, "quantity").get(name))


def _values(canvas: Canvas, axes: Axes, own: xr.Dataset, locale: Locale) -> None:
    divisor, shown = locale.axis(own["evppi"], float(own["evppi"].max()))
    values, errors = own["evppi"].values / divisor, np.nan_to_num(own["mcse_evppi"].values / divisor)
    for y, (value, error) in enumerate(zip(values.tolist(), errors.tolist(), strict=True)):
        ends = max(value - 1.96 * error, 0.0), value + 1.96 * error
        axes.barh(y, value, height=0.62, color=BLUE)
        axes.plot(ends, [y, y], color=INK, linewidth=1.2, marker="|", markersize=6)
        canvas.write(axes, locale.number(value, 3) if value > 5e-4 * values.max() else "0", (ends[1], y), (4, 0))
    _from_zero(axes, float((values + 1.96 * errors).max()))
    plain_ticks(axes)
    axes.set_xlabel(shown, fontsize=9)


def _indices(canvas: Canvas, axes: Axes, shares: xr.DataArray, order: Sequence[str], locale: Locale) -> None:
    own = shares.squeeze([dim for dim in shares.dims if dim != "assumption" and shares.sizes[dim] == 1])
    if own.ndim > 1:
        raise DemandsimError(f"indices still vary over {own.dims[1:]}; select a label first")
    known = dict(zip(map(str, own.assumption.values), own.values.tolist(), strict=True))
    for y, name in enumerate(order):
        # Groups, and what does not vary, have no index.
        share = known.get(name, np.nan)
        if np.isfinite(share):
            axes.barh(y, share, height=0.62, color=ORANGE)
            canvas.write(axes, locale.share(share), (max(share, 0.0), y), (4, 0))
    name_rows(axes, [""] * len(order))
    _from_zero(axes, max(np.nan_to_num(list(known.values()))))
    percent_ticks(axes.xaxis, 5)
    axes.set_title(locale.name(str(shares["quantity"].item()), shares.attrs["long_name"]), fontsize=10, loc="left")
    axes.set_xlabel(locale.say("variance"), fontsize=9)


def _from_zero(axes: Axes, high: float) -> None:
    axes.set_xlim(0, high if high > 0 else 1.0)
    axes.axvline(0, color=INK, linewidth=1)
