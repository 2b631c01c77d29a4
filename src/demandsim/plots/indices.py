"""Indices: which assumptions the variance comes from, as bars with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.plots.canvas import BLUE, GREEN, INK, ORANGE, Canvas, Frame, band, line, percent_ticks
from demandsim.plots.panels import (
    FRAME,
    MOST,
    ROW,
    Picture,
    assumptions_named,
    check_dims,
    left_out,
    long_names,
    name_rows,
    plot,
    quantities,
    telling,
)
from demandsim.plots.words import Locale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["given_data", "shapley", "sobol"]

_COLOURS = (BLUE, ORANGE, GREEN)
#: Indices that draws at hand give, and those of them that are no shares of the variance.
_FROM_DRAWS = ("first_order", "total_order", "effect", "pawn", "delta", "hsic")
_NO_SHARES = ("pawn", "delta", "hsic")


@plot
def sobol(
    indices: xr.Dataset,
    *,
    of: Sequence[str] | str | None = None,
    dim: str | None = None,
    locale: str = "en",
    **frame: Unpack[Frame],
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
    return _drawn(_checked(indices, "sobol", ("first_order", "total_order")), of, dim, locale, frame)


@plot
def shapley(
    effects: xr.Dataset,
    *,
    of: Sequence[str] | str | None = None,
    dim: str | None = None,
    locale: str = "en",
    **frame: Unpack[Frame],
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
    return _drawn(_checked(effects, "shapley", ("effect",)), of, dim, locale, frame)


@plot
def given_data(
    indices: xr.Dataset,
    *,
    of: Sequence[str] | str | None = None,
    dim: str | None = None,
    locale: str = "en",
    **frame: Unpack[Frame],
) -> Any:
    """Indices from draws already made as bars with their intervals.

    Parameters
    ----------
    indices : Dataset
        Of ``ds.sensitivity.given_data``, ``nearest_neighbours`` or ``hsic``.
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
        If `indices` holds none of these, or has a further dim.

    Examples
    --------
    >>> import xarray as xr
    >>> import demandsim as ds
    >>> indices = xr.Dataset(
    ...     {"delta": (("quantity", "assumption"), [[0.3, 0.2]])},
    ...     coords={"quantity": ["cards"], "assumption": ["utilization", "peak_ratio"]},
    ... )
    >>> ds.plots.given_data(indices)[0, 0].get_xlabel()
    'index'
    """
    kinds = [kind for kind in _FROM_DRAWS if kind in indices]
    return _drawn(_checked(indices, "given_data", kinds or ("delta",)), of, dim, locale, frame)


def _checked(data: xr.Dataset, maker: str, kinds: Sequence[str]) -> xr.Dataset:
    """What a picture draws of indices, or a raise where a Dataset holds others."""
    check_dims(data, ("quantity", "assumption"), f"ds.sensitivity.{maker}(model, of=...)")
    missing = [kind for kind in kinds if kind not in data]
    if missing:
        other = next((n for n, v in (("shapley", "effect"), ("sobol", "first_order")) if v in data), None)
        hint = f"; draw it with ds.plots.{other}" if other and other != maker else ""
        raise DemandsimError(
            f"this Dataset holds no '{missing[0]}'{hint or f'; pass what ds.sensitivity.{maker} made'}"
        )
    ends = [f"{kind}{end}" for kind in kinds for end in ("", "_lower", "_upper")]
    return data[[name for name in (*ends, "n_invalid") if name in data]]


def _drawn(data: xr.Dataset, of: Sequence[str] | str | None, dim: str | None, locale: str, frame: Frame) -> Any:
    kinds = [kind for kind in _FROM_DRAWS if kind in data]
    arrays = {name: data[kinds[-1]].sel(quantity=name, drop=True) for name in quantities(of, data.quantity.values)}
    picture = Picture(data, arrays, ("assumption",), locale, dim, frame=frame)
    said, orders = picture.locale, {name: telling(array) for name, array in arrays.items()}
    scale = {"log": "variance_log", "rank": "variance_rank", "event": "variance_event"}
    shares = not set(kinds) & set(_NO_SHARES)
    measure = said.say(scale.get(str(data.attrs.get("scale", "")), "variance") if shares else "index")
    height = ROW if len(kinds) == 1 else 0.65 * len(kinds) * ROW
    heights = [height * len(order) + FRAME for order in orders.values()]
    for panel in picture.panels(heights, 4.9, titles=long_names(data, "quantity")):
        order = orders[panel.name]
        _bars(picture.canvas, panel.axes, panel.of(data.sel(quantity=panel.name, assumption=order)), kinds, said)
        name_rows(panel.axes, assumptions_named(data, order, said) if panel.column == 0 else [""] * len(order))
        panel.axes.set_xlabel(measure, fontsize=9)
    picture.canvas.one_scale = True
    keys = [band(colour, said.say(kind)) for kind, colour in zip(kinds, _COLOURS, strict=False)]
    if f"{kinds[0]}_lower" in data:
        prob = said.percent(float(data.attrs.get("prob", 0.9)))
        keys += [line(INK, said.say("confidence", prob=prob), linewidth=1.2, marker="|")]
    notes = left_out(data, said)
    if any(len(order) < min(data.sizes["assumption"], MOST) for order in orders.values()):
        notes.append(said.say("small_shares"))
    if given := data.attrs.get("given"):
        notes.append(said.say("only_given", event=said.name(str(given))))
    title = "sobol_title" if "effect" not in kinds else "shapley_title"
    return picture.finish(title if shares else "given_title", keys, notes)


def _bars(canvas: Canvas, axes: Axes, found: xr.Dataset, kinds: Sequence[str], locale: Locale) -> None:
    height = 0.62 if len(kinds) == 1 else 0.76 / len(kinds)
    ends = [1e-3]
    for place, (kind, colour) in enumerate(zip(kinds, _COLOURS, strict=False)):
        shift = 0.0 if len(kinds) == 1 else (place - 0.5 * (len(kinds) - 1)) * (height + 0.02)
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
            canvas.write(axes, locale.share(share), (max(high, share, 0.0), y + shift), (4, 0))
    low, high = min(np.nanmin(ends), 0.0), np.nanmax(ends)
    axes.set_xlim(low - 0.02 * (high - low) * (low < 0), high)
    axes.axvline(0, color=INK, linewidth=1)
    percent_ticks(axes.xaxis, 5)
