"""Convergence: how an estimate settles, and its error with it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError, check_known
from demandsim.plots.canvas import BLUE, GREY, Frame, band, bare, line, plain
from demandsim.plots.panels import Picture, derived, plot, quantities
from demandsim.plots.words import Locale
from demandsim.statistics.estimators import check_prob
from demandsim.statistics.summarize import summarize

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["convergence"]

#: Draws of a chain below which an estimate says little.
_FEWEST = 8
_STATISTICS = ("mean", "sd", "median", "lower", "upper")
_LIGHT = "#A6CEE3"


@plot
def convergence(
    draws: xr.Dataset,
    *,
    of: Sequence[str] | str | None = None,
    statistic: str = "mean",
    prob: float = 0.9,
    dim: str | None = None,
    locale: str = "en",
    **frame: Unpack[Frame],
) -> Any:
    """Convergence of an estimate: its value and error after 2, 4, 8, ... times as many draws.

    Parameters
    ----------
    draws : Dataset
        Of ``model.simulate``, with at least 16 draws in each of several chains.
    of : str or sequence of str, optional
        Quantities; the computed ones, at most four, by default.
    statistic : {"mean", "sd", "median", "lower", "upper"}, default "mean"
        The last two are the ends of the interval of `prob`.
    prob : float, default 0.9
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
        If there is no such quantity or statistic.
    DemandsimError
        If there are too few draws, or a further dim.

    Notes
    -----
    Each point summarizes the first draws of every chain. Prefixes of a Sobol' sequence are balanced
    only at powers of two, which is where the points are.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=256, seed=1)
    >>> ds.plots.convergence(draws, of="cards").shape
    (1, 2)
    """
    check_prob(prob)
    check_known([statistic], _STATISTICS, "statistic")
    names = quantities(of, draws.data_vars, derived(draws)[:4])
    length = draws.sizes.get("draw", 0)
    if length < 2 * _FEWEST:
        raise DemandsimError(f"convergence needs at least {2 * _FEWEST} draws per chain; there are {length}")
    picture = Picture(draws, {name: draws[name] for name in names}, ("chain", "draw"), locale, dim, frame=frame)
    said, found = picture.locale, _estimates(draws[names], statistic, prob)
    for panel in picture.panels([2.5] * len(names), 4.6):
        _trace(panel.axes, panel.of(found[panel.name]), statistic, said)
        panel.axes.set_xlabel(said.say("total_draws") if panel.row == len(names) - 1 else "", fontsize=9)
    word = said.say("estimate", statistic=said.say(statistic, prob=said.percent(prob)))
    keys = [line(BLUE, word, marker="o", markersize=4), band(_LIGHT, said.say("band"))]
    return picture.finish("convergence", keys)


def _estimates(draws: xr.Dataset, statistic: str, prob: float) -> xr.Dataset:
    """Summaries of the first draws of every chain, by how many there are in all."""
    length = draws.sizes["draw"]
    sizes = [2**k for k in range(int(np.log2(_FEWEST)), length.bit_length())]
    sizes += [length] if sizes[-1] != length else []
    which = [statistic, f"mcse_{statistic}"]
    with warnings.catch_warnings():
        # One chain cannot tell its error: the picture then shows the estimate alone.
        warnings.simplefilter("ignore")
        parts = [summarize(draws.isel(draw=slice(size)), prob).sel(statistic=which) for size in sizes]
    return xr.concat(parts, dim="total").assign_coords(total=[size * draws.sizes["chain"] for size in sizes])


def _trace(axes: Axes, found: xr.DataArray, statistic: str, locale: Locale) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

    estimate = found.sel(statistic=statistic)
    error = found.sel(statistic=f"mcse_{statistic}")
    divisor, shown = locale.axis(found, float(np.nanmax(np.abs(estimate.values))))
    total, y, e = found.total.values, estimate.values / divisor, np.nan_to_num(error.values / divisor)
    axes.set_xscale("log", base=2)
    axes.fill_between(total, y - 1.96 * e, y + 1.96 * e, color=_LIGHT, linewidth=0)
    axes.axhline(y[-1], color=GREY, linewidth=0.8, linestyle=":")
    axes.plot(total, y, color=BLUE, marker="o", markersize=4, linewidth=1.5)
    axes.xaxis.set_major_locator(FixedLocator(total[::-1][::2][::-1]))
    axes.xaxis.set_minor_locator(NullLocator())
    plain(axes.xaxis)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    plain(axes.yaxis)
    axes.tick_params(labelsize=8.5)
    axes.set_ylabel(shown, fontsize=9)
    last = locale.say("last", value=locale.number(float(y[-1]), 4), error=locale.number(float(1.96 * e[-1]), 2))
    axes.text(0.99, 0.96, last, transform=axes.transAxes, ha="right", va="top", fontsize=8.5)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.18 * (high - low))
    bare(axes, "top", "right")
