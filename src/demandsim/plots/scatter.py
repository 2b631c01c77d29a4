"""Relations: how quantities move together, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.plots.canvas import (
    BLUE,
    INK,
    ORANGE,
    Canvas,
    bare,
    dot,
    is_wide,
    plain_ticks,
    wrapped,
)
from demandsim.plots.panels import chosen, finite, provenance, study_of
from demandsim.plots.words import Locale, locale_of
from demandsim.statistics.estimators import spread_to_mcse

if TYPE_CHECKING:
    from matplotlib.axes import Axes


__all__ = ["scatter"]

_MOST_PANELS = 7


def scatter(draws: xr.Dataset, *, of: Sequence[str] | None = None, most: int = 2048, locale: str = "en") -> Any:
    """Scatter of every pair of quantities, with their rank correlations and the error of each.

    Parameters
    ----------
    draws : Dataset
        Of ``model.simulate``, one scenario selected.
    of : sequence of str, optional
        Two to seven quantities; the computed ones by default.
    most : int, default 2048
        Points drawn in a panel at most; correlations are of all draws.
    locale : {"en", "zh"}, default "en"

    Returns
    -------
    numpy array of matplotlib Axes, shape (quantities, quantities)
        Scatter below the diagonal, correlation above it, distributions on it.

    Raises
    ------
    UnknownNameError
        If there is no such quantity.
    DemandsimError
        If there are fewer than two or more than seven, or a scenario must be selected first.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=256, seed=1).sel(scenario="100T")
    >>> ds.plots.scatter(draws, of=["utilization", "cards", "gross_margin"]).shape
    (3, 3)
    """
    said = locale_of(locale)
    derived = [n for n, a in draws.data_vars.items() if a.attrs.get("role") == "derived"]
    names = chosen(of, draws.data_vars, derived[:_MOST_PANELS])
    if not 2 <= len(names) <= _MOST_PANELS:
        raise DemandsimError(f"a scatter shows 2 to {_MOST_PANELS} quantities, not {len(names)}; name them with of=")
    others = [str(d) for n in names for d in draws[n].dims if d not in ("chain", "draw")]
    if others:
        raise DemandsimError(f"a scatter shows one scenario; select a label first, as in draws.sel({others[0]}=...)")
    count = len(names)
    total = draws.sizes["chain"] * draws.sizes["draw"]
    # The first draws of every chain, a power of two: such a part of a Sobol' sequence is balanced, other parts are not.
    kept = min(1 << (max(most // draws.sizes["chain"], 1).bit_length() - 1), draws.sizes["draw"])
    canvas = Canvas([1.85] * count, count, 2.1, said)
    columns, labels, logs = [], [], []
    for name in names:
        array = draws[name]
        values = finite(array)
        divisor, shown = said.unit(str(array.attrs.get("units", "1")), float(np.median(np.abs(values))))
        low, high = np.quantile(values, [0.004, 0.996]) / divisor
        logs.append(is_wide(low, high))
        title = wrapped(said.name(name, array.attrs.get("long_name")), 22)
        labels.append(f"{title}\n{shown}".strip())
        columns.append((array.transpose("chain", "draw") / divisor, low, high))
    for row in range(count):
        for column in range(count):
            axes = canvas.axes[row, column]
            (x, x_low, x_high), (y, y_low, y_high) = columns[column], columns[row]
            if column > row:
                _correlation(axes, x, y, said)
                continue
            plain_ticks(axes, log=logs[column])
            if x_high > x_low:
                axes.set_xlim(x_low, x_high)
            if column == row:
                values = finite(x)
                bins = np.geomspace(x_low, x_high, 32) if logs[column] else np.linspace(x_low, x_high, 32)
                if x_high > x_low:
                    axes.hist(values, bins=bins, color=BLUE)
                axes.set_yticks([])
                bare(axes, "left", "top", "right")
            else:
                plain_ticks(axes, log=logs[row], which="y")
                axes.plot(
                    x.values[:, :kept].ravel(),
                    y.values[:, :kept].ravel(),
                    ".",
                    color=BLUE,
                    alpha=0.35,
                    markersize=3,
                    markeredgewidth=0,
                )
                if y_high > y_low:
                    axes.set_ylim(y_low, y_high)
                bare(axes, "top", "right")
            axes.tick_params(labelsize=8, labelbottom=row == count - 1, labelleft=column == 0 and row > 0)
            if row == count - 1:
                axes.set_xlabel(labels[column], fontsize=8.5)
            if column == 0:
                axes.set_ylabel(labels[row], fontsize=8.5)
    notes = [said.say("scatter_note", shown=f"{kept * draws.sizes['chain']:,}", total=f"{total:,}")]
    notes += [said.say("tails"), *provenance(draws, (draws[n] for n in names), said)]
    keys = [dot(BLUE, said.say("draws"), "."), dot(INK, said.say("correlation") + " ρ ± MCSE", "$ρ$")]
    return canvas.finish(said.say("scatter", study=study_of(draws.attrs, said)), keys, notes)


def _correlation(axes: Axes, x: xr.DataArray, y: xr.DataArray, locale: Locale) -> None:
    from scipy import stats

    def rank_correlation(one: Any, other: Any) -> float:
        both = np.isfinite(one) & np.isfinite(other)
        a, b = stats.rankdata(one[both]), stats.rankdata(other[both])
        return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) and np.ptp(b) else np.nan

    rho = rank_correlation(x.values.ravel(), y.values.ravel())
    each = np.array([rank_correlation(a, b) for a, b in zip(x.values, y.values, strict=True)])
    error = float(spread_to_mcse(each)) if len(each) > 1 else np.nan
    axes.set_xticks([])
    axes.set_yticks([])
    bare(axes, "left", "right", "top", "bottom")
    shade = 0.0 if np.isnan(rho) else 0.85 * abs(rho)
    axes.set_facecolor((*(_rgb(BLUE) if rho >= 0 else _rgb(ORANGE)), shade))
    written = "0.00" if abs(rho) < 0.005 else locale.figures(f"{rho:+.2f}")
    within = locale.number(max(error, 1e-4), 1)
    text = "–" if np.isnan(rho) else f"ρ = {written}" + ("" if np.isnan(error) else f"\n± {within}")
    axes.text(
        0.5,
        0.5,
        text,
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=11,
        color="white" if shade > 0.75 else INK,
    )


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)
