"""Scatter: how quantities move together, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.plots.canvas import BLUE, INK, ORANGE, Frame, bare, bars_of, dot, is_wide, plain_ticks, wrapped
from demandsim.plots.panels import Picture, derived, finite, plot, quantities
from demandsim.plots.words import Locale
from demandsim.statistics.mcse import spread_to_mcse

if TYPE_CHECKING:
    from matplotlib.axes import Axes


__all__ = ["scatter"]

_MOST_PANELS = 7
#: Draws up to which each is seen as a dot.
_FEW = 512


@plot
def scatter(
    draws: xr.Dataset, *, of: Sequence[str] | None = None, most: int = 2048, locale: str = "en", **frame: Unpack[Frame]
) -> Any:
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
    **frame
        ``ax``, ``figsize`` and ``title``, as in `Frame`.

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
    # Of one scenario, there is no other to select.
    draws = draws.squeeze([dim for dim, size in draws.sizes.items() if size == 1 and dim not in ("chain", "draw")])
    names = quantities(of, draws.data_vars, derived(draws)[:_MOST_PANELS])
    if not 2 <= len(names) <= _MOST_PANELS:
        raise DemandsimError(f"a scatter shows 2 to {_MOST_PANELS} quantities, not {len(names)}; name them with of=")
    others = [str(d) for n in names for d in draws[n].dims if d not in ("chain", "draw")]
    if others:
        raise DemandsimError(f"a scatter shows one scenario; select a label first, as in draws.sel({others[0]}=...)")
    picture = Picture(draws, {name: draws[name] for name in names}, ("chain", "draw"), locale, frame=frame)
    said, count, chains = picture.locale, len(names), draws.sizes["chain"]
    # The first draws of every chain, a power of two: such a part of a Sobol' sequence is balanced, other parts are not.
    kept = min(1 << (max(most // chains, 1).bit_length() - 1), draws.sizes["draw"])
    picture.open([1.85] * count, count, 2.1)
    scaled = [_Scaled.of(draws[name], said) for name in names]
    for row, y in enumerate(scaled):
        for column, x in enumerate(scaled):
            axes = picture.canvas.axes[row, column]
            if column > row:
                _correlation(axes, x.values, y.values, said)
                continue
            x.scale(axes, "x")
            if column == row:
                _histogram(axes, x)
            else:
                _cloud(axes, x, y, kept)
            axes.tick_params(labelsize=8, labelbottom=row == count - 1, labelleft=column == 0 and row > 0)
            axes.set_xlabel(x.label if row == count - 1 else "", fontsize=8.5)
            axes.set_ylabel(y.label if column == 0 else "", fontsize=8.5)
    notes = [said.say("scatter_note", shown=f"{kept * chains:,}", total=f"{chains * draws.sizes['draw']:,}")]
    keys = [dot(BLUE, said.say("draws"), "."), dot(INK, said.say("correlation") + " ρ ± MCSE", "$ρ$")]
    return picture.finish("scatter", keys, [*notes, said.say("tails")])


@dataclass(frozen=True)
class _Scaled:
    """A quantity in the unit of its axes: draws, what the axis is called, and the range that is drawn."""

    values: xr.DataArray
    label: str
    low: float
    high: float

    @classmethod
    def of(cls, array: xr.DataArray, locale: Locale) -> _Scaled:
        values = finite(array)
        divisor, shown = locale.unit(str(array.attrs.get("units", "1")), float(np.median(np.abs(values))))
        title = wrapped(locale.name(str(array.name), array.attrs.get("long_name")), 22)
        low, high = np.quantile(values, [0.004, 0.996]) / divisor
        return cls(array.transpose("chain", "draw") / divisor, f"{title}\n{shown}".strip(), low, high)

    @property
    def wide(self) -> bool:
        return is_wide(self.low, self.high)

    def scale(self, axes: Axes, which: str) -> None:
        plain_ticks(axes, log=self.wide, which=which)
        if self.high > self.low:
            (axes.set_xlim if which == "x" else axes.set_ylim)(self.low, self.high)


def _histogram(axes: Axes, x: _Scaled) -> None:
    if x.high > x.low:
        values = finite(x.values)
        bins: Any = (np.geomspace if x.wide else np.linspace)(x.low, x.high, bars_of(values.size, 32))
        axes.hist(values, bins=bins, color=BLUE)
    axes.set_yticks([])
    bare(axes, "left", "top", "right")


def _cloud(axes: Axes, x: _Scaled, y: _Scaled, kept: int) -> None:
    shown = (one.values.values[:, :kept].ravel() for one in (x, y))
    # A few draws are seen as dots, thousands as a cloud.
    alpha, size = (0.35, 3) if kept * x.values.sizes["chain"] > _FEW else (0.7, 6)
    axes.plot(*shown, ".", color=BLUE, alpha=alpha, markersize=size, markeredgewidth=0)
    y.scale(axes, "y")
    bare(axes, "top", "right")


def _correlation(axes: Axes, x: xr.DataArray, y: xr.DataArray, locale: Locale) -> None:
    from matplotlib.colors import to_rgba
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
    axes.set_facecolor(to_rgba(BLUE if rho >= 0 else ORANGE, shade))
    written = "0.00" if abs(rho) < 0.005 else locale.figures(f"{rho:+.2f}")
    within = locale.number(max(error, 1e-4), 1)
    text = "–" if np.isnan(rho) else f"ρ = {written}" + ("" if np.isnan(error) else f"\n± {within}")
    colour = "white" if shade > 0.75 else INK
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=11, color=colour)
