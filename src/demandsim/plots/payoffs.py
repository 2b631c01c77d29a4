"""Payoffs: what each action pays and risks, and which actions no other beats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.plots.canvas import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    SKY,
    Canvas,
    Frame,
    band,
    bare,
    dot,
    line,
    plain_ticks,
)
from demandsim.plots.panels import Picture, plot
from demandsim.plots.words import Locale
from demandsim.statistics.ranking import ranked
from demandsim.units.format import brief

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["amount", "frontier", "payoffs"]

#: Actions that are named in a panel of mean and risk.
_NAMED = 6
#: Actions that are drawn, where they span decades: up to so many times the best one, and down to its such part.
_NEAR = 8


def _picture(found: xr.Dataset, dim: str | None, locale: str, frame: Frame) -> tuple[Picture, str]:
    """The picture of a Dataset of `evaluate`, and the dim of its actions."""
    action = str(found.attrs.get("action", "action"))
    if "cvar" not in found or action not in found.dims:
        raise DemandsimError(
            "this Dataset holds no payoffs of actions; pass what ds.decisions.evaluate(draws, actions, payoff) returns"
        )
    return Picture(found, {"mean": found["mean"]}, (action,), locale, dim, frame), action


def amount(value: float, unit: str, locale: Locale) -> str:
    """Write an amount in a readable unit: "27.3 × 10,000 cards"."""
    divisor, shown = locale.unit(unit, value)
    # A unit that begins with a number must not look like a part of the value.
    times = "× " if shown[:1].isdigit() else ""
    return f"{locale.figures(brief(value / divisor))} {times}{shown}".strip()


@plot
def payoffs(found: xr.Dataset, *, dim: str | None = None, locale: str = "en", **frame: Unpack[Frame]) -> Any:
    """Payoff of every action: expected, with its interval and the mean of its worst; the best action is marked.

    Parameters
    ----------
    found : Dataset
        Of ``ds.decisions.evaluate``.
    dim : str, optional
        Dim along which panels stand side by side; the first scenario dim by default.
    locale : {"en", "zh"}, default "en"
    **frame
        ``ax``, ``figsize`` and ``title``, as in `Frame`.

    Returns
    -------
    numpy array of matplotlib Axes, shape (1, labels)

    Raises
    ------
    DemandsimError
        If `found` holds no payoffs of actions, or has a further dim.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01-evidence").simulate(draws=256, seed=1)
    >>> found = ds.decisions.evaluate(draws, [1e5, 2e5, 4e5], ds.decisions.OrderCards())
    >>> ds.plots.payoffs(found).shape
    (1, 2)
    """
    picture, action = _picture(found, dim, locale, frame)
    said, far, units = picture.locale, 0, []
    for panel in picture.panels([3.1], 5.2):
        whole = panel.of(found)
        own = _near(whole, action)
        far = max(far, whole.sizes[action] - own.sizes[action])
        panel.title(_best(own, said), said)
        units.append(_payoffs(panel.axes, own, action, said))
        # Said where the row begins, and wherever it is another.
        panel.axes.set_ylabel(units[-1] if panel.column == 0 or units[-1] != units[0] else "", fontsize=9)
    prob, tail = said.percent(float(found.attrs.get("prob", 0.9))), said.percent(float(found.attrs.get("tail", 0.1)))
    keys = [
        line(BLUE, said.say("payoff_mean"), marker="o", markersize=4),
        band(SKY, said.say("interval", prob=prob), alpha=0.35),
        line(ORANGE, said.say("payoff_worst", tail=tail), linestyle="--"),
        dot(GREEN, said.say("payoff_best"), "D"),
    ]
    return picture.finish("payoffs", keys, [said.say("far_actions", times=_NEAR)] if far else [])


def _near(own: xr.Dataset, action: str) -> xr.Dataset:
    """Leave out actions far from the best of a panel: where scenarios lie decades apart, all would be a flat line."""
    labels = own[action].values
    if labels.dtype.kind not in "fiu" or not (best := float(labels[ranked(own["mean"])[0]])) > 0:
        return own
    near = (labels >= best / _NEAR) & (labels <= best * _NEAR)
    # A curve needs some actions on either side, and a few that are far squeeze nothing.
    return own.isel({action: near}) if near.sum() >= 5 and (~near).sum() > 1 else own


def _best(own: xr.Dataset, locale: Locale) -> str:
    best = own["best"].item()
    if not isinstance(best, str):
        best = amount(float(best), str(own["best"].attrs.get("units", "1")), locale)
    return locale.say("payoff_resolved" if bool(own["resolved"]) else "payoff_unresolved", action=best)


def _payoffs(axes: Axes, own: xr.Dataset, action: str, locale: Locale) -> str:
    """Draw a panel; return the unit of its payoffs."""
    labels = own[action].values
    money, shown = locale.axis(own["mean"], float(np.max(np.abs([own["lower"], own["upper"]]))))
    mean, low, high, worst = (own[name].values / money for name in ("mean", "lower", "upper", "cvar"))
    place = ranked(own["mean"])[0]
    if labels.dtype.kind in "fiu":
        divisor, unit = locale.unit(str(own[action].attrs.get("units", "1")), float(np.max(np.abs(labels))))
        x = labels / divisor
        plain_ticks(axes, log=bool(x.min() > 0 and x.max() > 30 * x.min()))
        axes.fill_between(x, low, high, color=SKY, alpha=0.35, linewidth=0)
        axes.plot(x, worst, color=ORANGE, linewidth=1.8, linestyle="--")
        axes.plot(x, mean, color=BLUE, linewidth=2, marker="o", markersize=4)
        name = locale.name(action)
        axes.set_xlabel(locale.say("with_unit", name=name, unit=unit) if unit else name, fontsize=9)
    else:
        x = np.arange(labels.size, dtype=float)
        axes.bar(x, high - low, bottom=low, width=0.5, color=SKY, alpha=0.35)
        axes.hlines(worst, x - 0.25, x + 0.25, color=ORANGE, linewidth=1.8, linestyle="--")
        axes.plot(x, mean, color=BLUE, linestyle="none", marker="o", markersize=5)
        axes.set_xticks(x, [str(label) for label in labels])
        axes.set_xlim(-0.6, labels.size - 0.4)
    axes.plot([x[place]], [mean[place]], color=GREEN, marker="D", markersize=8, linestyle="none", zorder=5)
    axes.axhline(0, color=INK, linewidth=0.8)
    plain_ticks(axes, which="y")
    axes.tick_params(labelsize=8.5)
    bare(axes, "top", "right")
    return shown


@plot
def frontier(found: xr.Dataset, *, dim: str | None = None, locale: str = "en", **frame: Unpack[Frame]) -> Any:
    """Efficient frontier: expected payoff of actions against the mean of their worst draws.

    Parameters
    ----------
    found : Dataset
        Of ``ds.decisions.evaluate``.
    dim : str, optional
        Dim along which panels stand side by side; the first scenario dim by default.
    locale : {"en", "zh"}, default "en"
    **frame
        ``ax``, ``figsize`` and ``title``, as in `Frame`.

    Returns
    -------
    numpy array of matplotlib Axes, shape (1, labels)

    Raises
    ------
    DemandsimError
        If `found` holds no payoffs of actions, or has a further dim.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01-evidence").simulate(draws=256, seed=1)
    >>> found = ds.decisions.evaluate(draws, [1e5, 2e5, 4e5], ds.decisions.OrderCards())
    >>> ds.plots.frontier(found).shape
    (1, 2)
    """
    picture, action = _picture(found, dim, locale, frame)
    said, outside, units = picture.locale, 0, []
    worst = said.say("payoff_worst", tail=said.percent(float(found.attrs.get("tail", 0.1))))
    for panel in picture.panels([3.3], 5.2):
        own = panel.of(found)
        panel.title(_best(own, said), said)
        shown, beyond = _frontier(picture.canvas, panel.axes, own, action, said)
        outside += beyond
        units.append(shown)
        panel.axes.set_xlabel(said.say("with_unit", name=worst, unit=shown), fontsize=9)
        if panel.column == 0 or shown != units[0]:
            panel.axes.set_ylabel(said.say("with_unit", name=said.say("payoff_mean"), unit=shown), fontsize=9)
    keys = [
        line(BLUE, said.say("efficient"), marker="o", markersize=5),
        dot(GREY, said.say("beaten"), markersize=4),
        dot(GREEN, said.say("payoff_best"), "D"),
    ]
    return picture.finish("frontier", keys, [said.say("far_beaten", count=outside)] if outside else [])


def _frontier(canvas: Canvas, axes: Axes, own: xr.Dataset, action: str, locale: Locale) -> tuple[str, int]:
    """Draw a panel; return the unit of its payoffs, and how many actions lie outside it."""
    money, shown = locale.axis(own["mean"], float(np.max(np.abs([own["mean"], own["cvar"]]))))
    mean, risk, efficient = own["mean"].values / money, own["cvar"].values / money, own["efficient"].values
    order = np.flatnonzero(efficient)[np.argsort(risk[efficient], kind="stable")]
    near = ~efficient
    if order.size > 1:
        # Far from the frontier lie actions that nobody would choose, and that would squeeze it.
        for values in (risk, mean):
            room = 0.5 * np.ptp(values[efficient])
            near &= (values >= values[efficient].min() - room) & (values <= values[efficient].max() + room)
    axes.plot(risk[near], mean[near], color=GREY, marker="o", markersize=4, linestyle="none")
    axes.plot(risk[order], mean[order], color=BLUE, marker="o", markersize=5, linewidth=1.5)
    best = ranked(mean)[0]
    axes.plot([risk[best]], [mean[best]], color=GREEN, marker="D", markersize=8, linestyle="none", zorder=5)
    plain_ticks(axes)
    plain_ticks(axes, which="y")
    axes.margins(0.12)
    texts = [str(label) for label in own[action].values]
    if own[action].dtype.kind in "fiu":
        divisor, _ = locale.axis(own[action], float(np.max(np.abs(own[action]))))
        texts = [locale.figures(brief(float(label) / divisor)) for label in own[action].values]
    # Named where names have room: points apart by a share of the panel.
    drawn_at = near | efficient
    spots = np.stack([values / (np.ptp(values[drawn_at]) or 1.0) for values in (risk, mean)])
    named: list[int] = []
    for place in [best, *order.tolist()]:
        if len(named) < _NAMED and all(np.abs(spots[:, place] - spots[:, other]).max() > 0.14 for other in named):
            named.append(place)
    for place in named:
        canvas.write(axes, texts[place], (risk[place], mean[place]), (7, 5), va="bottom")
    axes.tick_params(labelsize=8.5)
    bare(axes, "top", "right")
    return shown, int(np.count_nonzero(~drawn_at))
