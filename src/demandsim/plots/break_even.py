"""Break-even: where over two assumptions an event is likely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError, ScenarioError, check_known, check_whole
from demandsim.plots.canvas import GREY, INK, ORANGE, Frame, dot, line, percent_ticks, plain
from demandsim.plots.panels import Picture, plot
from demandsim.plots.words import Locale
from demandsim.statistics.design import DESIGNS, DesignName
from demandsim.statistics.estimators import check_prob
from demandsim.statistics.event import Event, event_of
from demandsim.statistics.summarize import probability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from demandsim.model import Model

__all__ = ["break_even"]

_SHOWN = {">=": "≥", "<=": "≤", "!=": "≠", "==": "="}


@plot
def break_even(
    model: Model,
    x: str,
    y: str,
    *,
    event: str | tuple[str, str, float] | Event | None = None,
    points: int = 25,
    prob: float = 0.9,
    draws: int = 512,
    chains: int = 8,
    seed: int | None = None,
    design: DesignName = "sobol",
    locale: str = "en",
    **frame: Unpack[Frame],
) -> Any:
    r"""Map of the probability of an event over two assumptions, with the published point on it.

    Parameters
    ----------
    model : Model
        Its other assumptions vary by their distributions, on the same random numbers everywhere.
    x, y : str
        Assumptions on the axes, each fixed at `points` values.
    event : str, optional
        Such as ``"revenue > annualized_capex and cards < 1e6"``; a number is in the unit of the quantity that it is
        compared with. A tuple (quantity, sign, number) will do, too. By default the first event of the study, or that
        its first result is positive.
    points : int, default 25
        Values along each axis, spread over the central interval of the assumption.
    prob : float, default 0.9
        Probability of that interval.
    draws, chains, seed, design
        As for ``model.simulate``, at each point.
    locale : {"en", "zh"}, default "en"
    **frame
        ``ax``, ``figsize`` and ``title``, as in `Frame`.

    Returns
    -------
    numpy array of matplotlib Axes, shape (1, labels of the scenario dim)

    Raises
    ------
    UnknownNameError
        If there is no such assumption, quantity or comparison.
    DemandsimError
        If an assumption is a sure value, has a dim, is changed by a scenario, or is correlated.

    Notes
    -----
    The map shows :math:`P(\text{event} \mid x, y)` where the two are independent of the others, and
    costs ``points**2 * draws * chains`` runs of the model.

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("guosen-2025-01").select(scenario="100T")
    >>> axes = ds.plots.break_even(model, "utilization", "token_price", points=5, draws=64, seed=1)
    >>> axes[0, 0].get_ylabel()
    'Mean API price [CNY/million tokens]'
    """
    check_prob(prob)
    first = model.presentation
    if event is None:
        event = next((one.event for one in first.events.values()), f"{first.explained[0]} > 0")
    happens = event_of(event, model.quantities)
    if x == y:
        raise DemandsimError(f"x and y are both '{x}'; a map needs two assumptions")
    check_whole("points", points, 3)
    grids = {name: _values(model, name, points, prob) for name in (x, y)}
    settings = {"draws": draws, "chains": chains, "seed": seed, "design": design}
    chances = _chances(model, grids, happens, settings)
    picture = Picture(chances, {str(happens): chances.probability}, (x, y), locale, frame=frame)
    said, phrase = picture.locale, _phrase(model, happens, picture.locale)
    (across, *_), (up, *_) = scales = [_scaled(model, name, values, said) for name, values in grids.items()]
    filled: Any = None
    for panel in picture.panels([4.3], 5.0):
        filled = _map(panel.axes, panel.of(chances.probability), scales[0][1:], scales[1][1:], said)
        panel.axes.set_xlabel(across, fontsize=9)
        panel.axes.set_ylabel(up if panel.column == 0 else "", fontsize=9)
        label = "".join(said.say("at", dim=said.dim(dim), label=own) for dim, own in panel.where.items())
        panel.axes.set_title(label[:1].upper() + label[1:], fontsize=10, loc="left")
    canvas = picture.canvas
    bar = canvas.figure.colorbar(
        filled, ax=[a for a in canvas.axes.flat if a.get_visible()], label=said.say("chance", event=phrase), pad=0.02
    )
    percent_ticks(bar.ax.yaxis)
    keys = [line(INK, said.say("even"), linewidth=2.2)]
    keys += [dot(ORANGE, said.say("point"), "D", markeredgecolor="white", markersize=9)]
    known = chains > 1 or DESIGNS[design].independent
    worst = said.number(100 * float(np.nanmax(chances.mcse.values)), 2) if known else "?"
    return picture.finish("break_even", keys, [said.say("break_even_note", error=worst)], event=phrase)


def _scaled(model: Model, name: str, values: Any, locale: Locale) -> tuple[str, Any, float]:
    """What an axis is called, its values, and the published point on it."""
    assumption = model.assumptions[name]
    divisor, shown = locale.unit(assumption.unit, float(np.max(np.abs(values))))
    title = locale.name(name, assumption.long_name)
    return f"{title} [{shown}]" if shown else title, values / divisor, float(assumption.point) / divisor


def _phrase(model: Model, event: Event, locale: Locale) -> str:
    """The event in words: quantities by their labels, numbers in units that read well."""
    told = {}
    for name in event.names:
        made = model.equations.get(name) or model.assumptions[name]
        label = locale.name(name, made.long_name)
        told[name] = label[:1].lower() + label[1:] if locale.code == "en" and not label[:2].isupper() else label
    if event.simple is not None and event.simple[2] == 0 and event.simple[1][0] in "<>":
        name, sign, _ = event.simple
        return locale.say("event_zero_more" if sign.startswith(">") else "event_zero_less", name=told[name])

    def compared(one: Event) -> str:
        if one.simple is None:
            left, right = (told[name] for name in one.parts)
            return locale.say("event", name=left, sign=_SHOWN.get(one.word, one.word), value=right)
        name, sign, bound = one.simple
        divisor, shown = locale.unit(model.declared_units[name], bound)
        value = f"{locale.number(bound / divisor, 3)} {shown}".strip()
        return locale.say("event", name=told[name], sign=_SHOWN.get(sign, sign), value=value)

    return event.written(compared, {word: locale.say(word) for word in ("and", "or", "not")})


def _values(model: Model, name: str, points: int, prob: float) -> Any:
    """Values of an assumption at which it is fixed: its central interval, with the published point in it."""
    check_known([name], model.assumptions, "assumption")
    assumption = model.assumptions[name]
    distribution = assumption.distribution
    if distribution.dims:
        raise DemandsimError(f"assumption '{name}' varies over {list(distribution.dims)}; a map needs a single number")
    if (dim := model.scenarios.dim_of(name)) is not None:
        raise ScenarioError(
            f"assumption '{name}' is changed by the scenarios of '{dim}'; map another, or take the scenarios off with "
            "model.with_scenarios({'as published': {}})"
        )
    tied = [pair for pair in model.correlations if name in pair]
    if tied:
        raise DemandsimError(
            f"assumption '{name}' is correlated ({' and '.join(tied[0])}): fixing it would break that; map another"
        )
    low, high = (float(distribution.ppf((1 + side * prob) / 2)) for side in (-1, 1))
    if not low < high:
        raise DemandsimError(f"assumption '{name}' is a sure value; give it a distribution with model.assume")
    point = float(assumption.point)
    low, high = min(low, point), max(high, point)
    return np.geomspace(low, high, points) if low > 0 and high / low > 3 else np.linspace(low, high, points)


def _chances(model: Model, grids: dict[str, Any], event: Event, settings: dict[str, Any]) -> xr.Dataset:
    """Probability of the event at every point of the grid, as scenarios of one run: common random numbers."""
    # The published point is one more value along each axis, so that its probability is computed, not read off.
    kept = {dim: dict(labels) for dim, labels in model.scenarios.grid.items()}
    added = {
        f"{name} at": {str(i): {name: float(v)} for i, v in enumerate([*values, model.assumptions[name].point])}
        for name, values in grids.items()
    }
    data = model.with_scenarios(**kept, **added).simulate(**settings, keep=event.names)
    found = probability(event(data))
    found = found.rename({f"{name} at": name for name in grids})
    found = found.assign_coords(
        {name: [*values, float(model.assumptions[name].point)] for name, values in grids.items()}
    )
    attrs = {k: data.attrs[k] for k in ("study", "seed", "design", "chains", "draws")}
    return found.assign_attrs(attrs | {"source": model.notes.source})


def _map(axes: Axes, chances: xr.DataArray, x: tuple[Any, float], y: tuple[Any, float], locale: Locale) -> Any:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    dims = [str(d) for d in chances.dims]
    x_name, y_name = dims
    shares = chances.isel({x_name: slice(-1), y_name: slice(-1)}).transpose(y_name, x_name).values
    for (values, _), which in ((x, "x"), (y, "y")):
        ratios = np.diff(values)
        if not np.allclose(ratios, ratios[0], rtol=1e-3):
            (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    levels = np.linspace(0, 1, 11)
    filled = axes.contourf(x[0], y[0], shares, levels=levels, cmap="RdBu", vmin=0, vmax=1)
    for axis, scale in ((axes.xaxis, axes.get_xscale()), (axes.yaxis, axes.get_yscale())):
        low, high = axis.get_view_interval()
        if scale == "log":
            axis.set_minor_locator(NullLocator())
        # Over less than a decade the ticks of a logarithmic axis are too few to read values off.
        wide = scale == "log" and high / low > 10
        axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=9) if wide else MaxNLocator(7))
        plain(axis)
    written = []
    for level, width in ((0.1, 0.8), (0.25, 0.8), (0.5, 2.2), (0.75, 0.8), (0.9, 0.8)):
        # A line that only cuts off a corner has no room for its label.
        if 0.04 < (shares < level).mean() < 0.96:
            lines = axes.contour(x[0], y[0], shares, levels=[level], colors=[INK], linewidths=width)
            written += axes.clabel(lines, fmt={level: f"{level:.0%}"}, fontsize=8, inline_spacing=3)
    here = float(chances.isel({x_name: -1, y_name: -1}))
    axes.plot(x[1], y[1], "D", color=ORANGE, markeredgecolor="white", markersize=9)
    _, top = axes.get_ylim()
    upper = axes.transData.transform((x[1], y[1]))[1] > axes.transData.transform((x[1], top))[1] - 40
    axes.annotate(
        locale.say("here", chance=locale.percent(round(here, 2))),
        (x[1], y[1]),
        (0, -12 if upper else 10),
        textcoords="offset points",
        ha="center",
        va="top" if upper else "bottom",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": GREY, "linewidth": 0.5, "boxstyle": "round,pad=0.25"},
    )
    # A line under the note keeps its place, and loses its label.
    spot = np.add(axes.transData.transform((x[1], y[1])), (0, -20 if upper else 20))
    for label in written:
        if (np.abs(axes.transData.transform(label.get_position()) - spot) < (90, 30)).all():
            label.remove()
    return filled
