"""Shares: which assumptions the variance comes from, as bars with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.plots.canvas import BLUE, INK, ORANGE, Canvas, band, line
from demandsim.plots.panels import captioned, chosen, lay_out, provenance, study_of
from demandsim.plots.rows import FRAME, MOST, ROW, check_dims, long_names, name_rows
from demandsim.plots.words import locale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["shapley", "sobol"]


def sobol(
    indices: xr.Dataset, *, of: Sequence[str] | str | None = None, dim: str | None = None, locale: str = "en"
) -> Any:
    """Sobol' indices as bars with their intervals.

    Parameters
    ----------
    indices : Dataset
        Of ``ds.sensitivity.sobol``.
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
        If `indices` holds no Sobol' indices, or has a further dim.

    Examples
    --------
    >>> import xarray as xr
    >>> import demandsim as ds
    >>> dims = ("quantity", "assumption")
    >>> indices = xr.Dataset(
    ...     {"first_order": (dims, [[0.6, 0.3]]), "total_order": (dims, [[0.7, 0.4]])},
    ...     coords={"quantity": ["cards"], "assumption": ["utilization", "peak_ratio"]},
    ... )
    >>> ds.plots.sobol(indices).shape
    (1, 1)
    """
    return _shares(indices, ("first_order", "total_order"), "sobol", "sobol_title", of, dim, locale)


def shapley(
    effects: xr.Dataset, *, of: Sequence[str] | str | None = None, dim: str | None = None, locale: str = "en"
) -> Any:
    """Shapley effects as bars with their intervals.

    Parameters
    ----------
    effects : Dataset
        Of ``ds.sensitivity.shapley``.
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
        If `effects` holds no Shapley effects, or has a further dim.

    Examples
    --------
    >>> import xarray as xr
    >>> import demandsim as ds
    >>> effects = xr.Dataset(
    ...     {"effect": (("quantity", "assumption"), [[0.6, 0.4]])},
    ...     coords={"quantity": ["cards"], "assumption": ["utilization", "peak_ratio"]},
    ... )
    >>> ds.plots.shapley(effects)[0, 0].get_xlabel()
    'share of the variance'
    """
    return _shares(effects, ("effect",), "shapley", "shapley_title", of, dim, locale)


def _shares(
    data: xr.Dataset,
    kinds: Sequence[str],
    maker: str,
    title: str,
    of: Sequence[str] | str | None,
    dim: str | None,
    locale: str,
) -> Any:
    said = locale_of(locale)
    check_dims(data, ("quantity", "assumption"), f"ds.sensitivity.{maker}(model, of=...)")
    missing = [kind for kind in kinds if kind not in data]
    if missing:
        other = next((n for n, v in (("shapley", "effect"), ("sobol", "first_order")) if v in data), None)
        hint = f"; draw it with ds.plots.{other}" if other and other != maker else ""
        raise DemandsimError(
            f"this Dataset holds no '{missing[0]}'{hint or f'; pass what ds.sensitivity.{maker} made'}"
        )
    names = chosen(of, data.quantity.values)
    panels = lay_out({name: data[kinds[-1]].sel(quantity=name, drop=True) for name in names}, ("assumption",), dim)
    orders = [_largest(data[kinds[-1]].sel(quantity=name)) for name in names]
    height = ROW if len(kinds) == 1 else 1.3 * ROW
    canvas = Canvas([height * len(order) + FRAME for order in orders], len(panels.labels), 4.9, said)
    canvas.one_scale = True
    titles = long_names(data, "quantity")
    scale = {"log": "variance_log", "rank": "variance_rank", "event": "variance_event"}
    measure = said.say(scale.get(str(data.attrs.get("scale", "")), "variance"))
    colours = (BLUE, ORANGE)[: len(kinds)]
    for row, (name, order) in enumerate(zip(names, orders, strict=True)):
        for column in range(len(panels.labels)):
            found = data.sel(quantity=name, assumption=order)
            where = panels.where(found, column)
            axes = canvas.axes[row, column]
            _bars(canvas, axes, found.sel(where), kinds, colours)
            name_rows(axes, order, data, said, first=column == 0)
            axes.set_xlabel(measure, fontsize=9)
            axes.set_title(captioned(said.name(name, titles.get(name)), where, said), fontsize=10, loc="left")
    keys = [band(colour, said.say(kind)) for kind, colour in zip(kinds, colours, strict=True)]
    if f"{kinds[0]}_lower" in data:
        prob = said.percent(float(data.attrs.get("prob", 0.9)))
        keys += [line(INK, said.say("confidence", prob=prob), linewidth=1.2, marker="|")]
    invalid = int(data["n_invalid"].sum()) if "n_invalid" in data else 0
    notes = [said.say("invalid", count=f"{invalid:,}")] if invalid else []
    left = max(data.sizes["assumption"] - MOST, 0)
    notes += [said.say("tornado_most", count=left)] if left else []
    notes += provenance(data, [], said)
    return canvas.finish(said.say(title, study=study_of(data.attrs, said)), keys, notes)


def _largest(shares: xr.DataArray) -> list[str]:
    most = shares.max([d for d in shares.dims if d != "assumption"])
    # NaN marks what the quantity does not depend on, or a quantity that does not vary.
    most = most.fillna(0.0)
    ranked = most.isel(assumption=np.argsort(-most.values, kind="stable"))
    kept = [str(a) for a, s in zip(ranked.assumption.values, ranked.values, strict=True) if abs(s) > 1e-9]
    return kept[:MOST] or [str(a) for a in ranked.assumption.values[:MOST]]


def _bars(canvas: Canvas, axes: Axes, found: xr.Dataset, kinds: Sequence[str], colours: Sequence[str]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    height = 0.62 if len(kinds) == 1 else 0.38
    ends = [1e-3]
    for place, (kind, colour) in enumerate(zip(kinds, colours, strict=True)):
        shift = 0.0 if len(kinds) == 1 else (place - 0.5) * (height + 0.02)
        with_interval = f"{kind}_lower" in found
        for y, share in enumerate(found[kind].values.tolist()):
            if np.isnan(share):
                continue
            axes.barh(y + shift, share, height=height, color=colour)
            low, high = share, share
            if with_interval:
                low, high = (float(found[f"{kind}_{end}"].values[y]) for end in ("lower", "upper"))
                # The ends are marked: an interval can be too narrow to be seen as a line.
                axes.plot([low, high], [y + shift] * 2, color=INK, linewidth=1.2, marker="|", markersize=6)
            ends += [low, high]
            end = max(high, share, 0.0)
            text = axes.annotate(
                f"{100 * share:.1f}%" if abs(share) < 0.0995 else f"{100 * share:.0f}%",
                (end, y + shift),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
            canvas.keep_inside(axes, text)
    low, high = min(np.nanmin(ends), 0.0), np.nanmax(ends)
    axes.set_xlim(low - 0.02 * (high - low) * (low < 0), high)
    axes.axvline(0, color=INK, linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.10g}%"))
