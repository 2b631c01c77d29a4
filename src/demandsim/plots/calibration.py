"""Calibration: whether forecasts held what came, by model: how scores fall, and coverage against what was claimed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.plots.canvas import BLUE, GREY, INK, ORANGE, STROKES, Frame, band, bare, line, percent_ticks
from demandsim.plots.panels import Picture, plot
from demandsim.plots.words import locale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["calibration", "scores"]

_LIGHT = "#D0E3F0"
_BINS = 10
#: Phrases of scores.
_SCORES = {"crps": "score_crps", "log": "score_log", "interval": "score_interval"}


@plot
def calibration(found: xr.Dataset, *, prob: float = 0.9, locale: str = "en", **frame: Unpack[Frame]) -> Any:
    """Calibration of forecasts: a histogram of their PIT, and coverage against what was claimed, a column per model.

    Parameters
    ----------
    found : Dataset
        Of ``forecasting.backtest``, with ``pit`` over ``model`` and more.
    prob : float, default 0.9
        Of the bands in which counts, and shares, of a calibrated model lie.
    locale : {"en", "zh"}, default "en"
    **frame
        ``ax``, ``figsize`` and ``title``, as in `Frame`.

    Returns
    -------
    numpy array of matplotlib Axes, shape (2, models)

    Raises
    ------
    DemandsimError
        If there is no PIT by model, or a model has no outcome.

    Notes
    -----
    The bands are those of independent outcomes; figures of one series hang together, so that they should be wider.

    Examples
    --------
    >>> import demandsim as ds
    >>> from demandsim import forecasting
    >>> tokens = {"Doubao": ds.load_series("doubao-daily-tokens").daily_tokens}
    >>> found = forecasting.backtest({"naive": forecasting.LastGrowth()}, tokens, draws=64, chains=2, seed=1)
    >>> calibration(found).shape
    (2, 1)
    """
    if "pit" not in found or "model" not in found.dims:
        raise DemandsimError("a picture of calibration takes what forecasting.backtest returns: a PIT by model")
    said = locale_of(locale)
    table = found.pit.stack(outcome=[dim for dim in found.pit.dims if dim != "model"]).reset_index("outcome")
    panels = {"pit": table.drop_vars(list(table.coords)).assign_coords(model=found.model)}
    panels["coverage"] = panels["pit"].assign_attrs(long_name=said.say("coverage"))
    panels["pit"] = panels["pit"].assign_attrs(long_name="PIT")
    picture = Picture(xr.Dataset(panels, attrs=found.attrs), panels, ("outcome",), locale, "model", frame)
    for panel in picture.panels([1.9, 2.3], 2.7):
        values = panel.of(panels[panel.name]).values
        values = values[~np.isnan(values)]
        if panel.name == "pit":
            _histogram(panel.axes, values, prob)
            panel.axes.set_xlabel(said.say("grade"), fontsize=9)
            panel.axes.set_ylabel(said.say("figures_counted") if panel.column == 0 else "", fontsize=9)
        else:
            _coverage(panel.axes, values, prob)
            panel.axes.set_xlabel(said.say("claimed"), fontsize=9)
            panel.axes.set_ylabel(said.say("held") if panel.column == 0 else "", fontsize=9)
    keys = [band(_LIGHT, said.say("calibrated", prob=said.percent(prob))), line(ORANGE, said.say("found"), marker="o")]
    return picture.finish("calibration", keys)


def _histogram(axes: Axes, values: Any, prob: float) -> None:
    from matplotlib.ticker import MaxNLocator
    from scipy import stats

    bins = max(min(_BINS, math.ceil(values.size / 4)), 2)
    counts, edges = np.histogram(values, bins=bins, range=(0, 1))
    low, high = stats.binom(values.size, 1 / bins).ppf([(1 - prob) / 2, (1 + prob) / 2])
    axes.axhspan(low, high, color=_LIGHT, linewidth=0)
    axes.axhline(values.size / bins, color=GREY, linewidth=0.8)
    axes.bar(edges[:-1], counts, width=1 / bins, align="edge", color=BLUE, alpha=0.75, edgecolor=INK, linewidth=0.5)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.08 * max(high, counts.max()))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    _small(axes)


def _coverage(axes: Axes, values: Any, prob: float) -> None:
    from scipy import stats

    # Here, since forecasts load all that infers.
    from demandsim.forecasting.calibration import calibration as coverage_of

    claimed = np.linspace(0.05, 0.95, 19)
    low, high = (stats.binom(values.size, claimed).ppf(end) / values.size for end in ((1 - prob) / 2, (1 + prob) / 2))
    axes.fill_between(claimed, low, high, color=_LIGHT, linewidth=0, step="mid")
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    held = coverage_of(values, claimed.tolist()).coverage.values
    axes.plot(claimed, held, color=ORANGE, linewidth=1.4, marker="o", markersize=3)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.03)
    percent_ticks(axes.xaxis, 3)
    percent_ticks(axes.yaxis, 5)
    _small(axes)


@plot
def scores(found: xr.Dataset, of: str = "crps", *, locale: str = "en", **frame: Unpack[Frame]) -> Any:
    """Mean score by horizon, a line per model, with its standard error over forecasts.

    Parameters
    ----------
    found : Dataset
        Of ``forecasting.backtest``.
    of : str, default "crps"
        Score to draw; the lower, the better.
    locale : {"en", "zh"}, default "en"
    **frame
        ``ax``, ``figsize`` and ``title``, as in `Frame`.

    Returns
    -------
    numpy array of matplotlib Axes, shape (1, 1)

    Examples
    --------
    >>> import demandsim as ds
    >>> from demandsim import forecasting
    >>> tokens = {"Doubao": ds.load_series("doubao-daily-tokens").daily_tokens}
    >>> models = {"naive": forecasting.LastGrowth()}
    >>> scores(forecasting.backtest(models, tokens, horizons=[1, 2], draws=64, chains=2, seed=1)).shape
    (1, 1)
    """
    if of not in found or "horizon" not in found.dims:
        raise DemandsimError(f"no '{of}' by horizon: pass what forecasting.backtest returns")
    dims = [dim for dim in found[of].dims if dim not in ("model", "horizon")]
    mean, count = found[of].mean(dims), found[of].count(dims)
    error = found[of].std(dims, ddof=1) / np.sqrt(count)
    picture = Picture(found, {of: found[of]}, ("model", "horizon", *map(str, dims)), locale, None, frame=frame)
    keys, said = [], picture.locale
    for panel in picture.panels([2.8], 6.4):
        panel.title("", said)
        for place, name in enumerate(found.model.values):
            color, dash, mark = STROKES[place % len(STROKES)]
            own, off = mean.sel(model=name).values, np.nan_to_num(error.sel(model=name).values)
            shift = 0.04 * (place - (found.sizes["model"] - 1) / 2)
            panel.axes.errorbar(
                found.horizon.values + shift,
                own,
                off,
                color=color,
                linestyle=dash,
                marker=mark,
                markersize=5,
                capsize=2,
            )
            keys.append(line(color, str(name), linestyle=dash, marker=mark))
        panel.axes.set_xticks(found.horizon.values)
        panel.axes.set_xlabel(said.say("figures_ahead"), fontsize=9)
        panel.axes.set_ylabel(
            said.say("score", score=said.say(_SCORES[of]) if of in _SCORES else said.name(of)), fontsize=9
        )
        panel.axes.set_ylim(bottom=min(0.0, float(np.nanmin(mean))))
        _small(panel.axes)
    return picture.finish("scores", keys)


def _small(axes: Axes) -> None:
    axes.tick_params(labelsize=8)
    bare(axes, "top", "right")
