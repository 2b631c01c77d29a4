"""Settling: how an estimate and its Monte Carlo error converge with the number of draws."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError, check_known
from demandsim.plots.canvas import BLUE, GREY, Canvas, band, bare, line
from demandsim.plots.panels import captioned, chosen, lay_out, provenance, study_of
from demandsim.plots.words import Locale, locale_of
from demandsim.statistics.estimators import check_prob
from demandsim.statistics.summarize import summarize

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["convergence"]

#: Draws of a chain below which an estimate says little.
_FEWEST = 8
_STATISTICS = ("mean", "sd", "median", "lower", "upper")
_LIGHT = "#A6CEE3"


def convergence(
    draws: xr.Dataset,
    *,
    of: Sequence[str] | str | None = None,
    statistic: str = "mean",
    prob: float = 0.9,
    dim: str | None = None,
    locale: str = "en",
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
    said = locale_of(locale)
    derived = [n for n, a in draws.data_vars.items() if a.attrs.get("role") == "derived"]
    names = chosen(of, draws.data_vars, derived[:4])
    length = draws.sizes.get("draw", 0)
    if length < 2 * _FEWEST:
        raise DemandsimError(f"convergence needs at least {2 * _FEWEST} draws per chain; there are {length}")
    panels = lay_out({name: draws[name] for name in names}, ("chain", "draw"), dim)
    sizes = [2**k for k in range(int(np.log2(_FEWEST)), length.bit_length())]
    sizes += [length] if sizes[-1] != length else []
    with warnings.catch_warnings():
        # One chain cannot tell its error: the picture then shows the estimate alone.
        warnings.simplefilter("ignore")
        kept = draws[names]
        found = xr.concat(
            [
                summarize(kept.isel(draw=slice(size)), prob).sel(statistic=[statistic, f"mcse_{statistic}"])
                for size in sizes
            ],
            dim="total",
        ).assign_coords(total=[size * draws.sizes["chain"] for size in sizes])
    canvas = Canvas([2.5] * len(names), len(panels.labels), 4.6, said)
    for row, name in enumerate(names):
        for column in range(len(panels.labels)):
            where = panels.where(found[name], column)
            axes = canvas.axes[row, column]
            _trace(axes, found[name].sel(where), statistic, said)
            title = said.name(name, draws[name].attrs.get("long_name"))
            axes.set_title(captioned(title, where, said), fontsize=10, loc="left")
            axes.set_xlabel(said.say("total_draws") if row == len(names) - 1 else "", fontsize=9)
    word = said.say("estimate", statistic=said.say(statistic, prob=said.percent(prob)))
    keys = [line(BLUE, word, marker="o", markersize=4), band(_LIGHT, said.say("band"))]
    notes = provenance(draws, (draws[n] for n in names), said)
    return canvas.finish(said.say("convergence", study=study_of(draws.attrs, said)), keys, notes)


def _trace(axes: Axes, found: xr.DataArray, statistic: str, locale: Locale) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    estimate = found.sel(statistic=statistic)
    error = found.sel(statistic=f"mcse_{statistic}")
    divisor, shown = locale.unit(str(found.attrs.get("units", "1")), float(np.nanmax(np.abs(estimate.values))))
    total, y, e = found.total.values, estimate.values / divisor, np.nan_to_num(error.values / divisor)
    axes.set_xscale("log", base=2)
    axes.fill_between(total, y - 1.96 * e, y + 1.96 * e, color=_LIGHT, linewidth=0)
    axes.axhline(y[-1], color=GREY, linewidth=0.8, linestyle=":")
    axes.plot(total, y, color=BLUE, marker="o", markersize=4, linewidth=1.5)
    axes.xaxis.set_major_locator(FixedLocator(total[::-1][::2][::-1]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.tick_params(labelsize=8.5)
    axes.set_ylabel(shown or locale.say("ratio"), fontsize=9)
    last = locale.say("last", value=locale.number(float(y[-1]), 4), error=locale.number(float(1.96 * e[-1]), 2))
    axes.text(0.99, 0.96, last, transform=axes.transAxes, ha="right", va="top", fontsize=8.5)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.18 * (high - low))
    bare(axes, "top", "right")
