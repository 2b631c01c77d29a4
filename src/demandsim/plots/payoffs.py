"""Choices: what each action pays and risks, and which actions no other beats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError
from demandsim.plots.canvas import BLUE, GREEN, GREY, INK, ORANGE, SKY, Canvas, band, bare, dot, line, wrapped
from demandsim.plots.canvas import plain_ticks as ticks
from demandsim.plots.panels import captioned, lay_out, provenance, study_of
from demandsim.plots.words import Locale, locale_of
from demandsim.units.format import brief

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["amount", "frontier", "notes", "payoffs"]

#: Actions that are named in a panel of mean and risk.
_NAMED = 6


def _evaluated(found: xr.Dataset) -> str:
    """Return the dim of the actions, or raise unless a Dataset is of `evaluate`."""
    action = str(found.attrs.get("action", "action"))
    if "cvar" not in found or action not in found.dims:
        raise DemandsimError(
            "this Dataset holds no payoffs of actions; pass what ds.decisions.evaluate(draws, actions, payoff) returns"
        )
    return action


def amount(value: float, unit: str, locale: Locale) -> str:
    """Write an amount in a readable unit: "27.3 × 10,000 cards"."""
    divisor, shown = locale.unit(unit, value)
    # A unit that begins with a number must not look like a part of the value.
    times = "× " if shown[:1].isdigit() else ""
    return f"{brief(value / divisor)} {times}{shown}".strip()


def notes(found: xr.Dataset, locale: Locale) -> list[str]:
    """Say in the footer what was left out, and of what run the picture is."""
    invalid = int(found["n_invalid"].sum()) if "n_invalid" in found else 0
    said = [locale.say("invalid", count=f"{invalid:,}")] if invalid else []
    return [*said, *provenance(found, [], locale)]


def payoffs(found: xr.Dataset, *, dim: str | None = None, locale: str = "en") -> Any:
    """Payoff of every action: expected, with its interval and the mean of its worst; the best action is marked.

    Parameters
    ----------
    found : Dataset
        Of ``ds.decisions.evaluate``.
    dim : str, optional
        Dim along which panels stand side by side; the first scenario dim by default.
    locale : {"en", "zh"}, default "en"

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
    said, action = locale_of(locale), _evaluated(found)
    canvas, panels = _panels(found, action, dim, 3.1, said)
    for column, (axes, own) in enumerate(panels):
        _payoffs(axes, own, action, said, first=column == 0)
    prob, tail = said.percent(float(found.attrs.get("prob", 0.9))), said.percent(float(found.attrs.get("tail", 0.1)))
    keys = [
        line(BLUE, said.say("payoff_mean"), marker="o", markersize=4),
        band(SKY, said.say("interval", prob=prob), alpha=0.35),
        line(ORANGE, said.say("payoff_worst", tail=tail), linestyle="--"),
        dot(GREEN, said.say("payoff_best"), "D"),
    ]
    return canvas.finish(said.say("payoffs", study=study_of(found.attrs, said)), keys, notes(found, said))


def _panels(
    found: xr.Dataset, action: str, dim: str | None, height: float, locale: Locale
) -> tuple[Canvas, list[tuple[Axes, xr.Dataset]]]:
    """Make a row of panels, a label each, with its best action above; and what each is to show."""
    panels = lay_out({"mean": found["mean"]}, (action,), dim)
    canvas, shown = Canvas([height], len(panels.labels), 5.2, locale), []
    for column in range(len(panels.labels)):
        axes, where = canvas.axes[0, column], panels.where(found["mean"], column)
        own = found.sel(where)
        axes.set_title(wrapped(_caption(own, where, locale), 54), fontsize=10, loc="left")
        shown.append((axes, own))
    return canvas, shown


def _caption(own: xr.Dataset, where: dict[str, Any], locale: Locale) -> str:
    key = "payoff_resolved" if bool(own["resolved"]) else "payoff_unresolved"
    best = own["best"].item()
    if not isinstance(best, str):
        best = amount(float(best), str(own["best"].attrs.get("units", "1")), locale)
    return captioned(locale.say(key, action=best), where, locale)


def _payoffs(axes: Axes, own: xr.Dataset, action: str, locale: Locale, *, first: bool) -> None:
    labels = own[action].values
    money, shown = locale.unit(
        str(own["mean"].attrs.get("units", "1")), float(np.max(np.abs([own["lower"], own["upper"]])))
    )
    mean, low, high, worst = (own[name].values / money for name in ("mean", "lower", "upper", "cvar"))
    place = int(np.argmax(own["mean"].values))
    if labels.dtype.kind in "fiu":
        divisor, unit = locale.unit(str(own[action].attrs.get("units", "1")), float(np.max(np.abs(labels))))
        x = labels / divisor
        ticks(axes, log=bool(x.min() > 0 and x.max() > 30 * x.min()))
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
    ticks(axes, which="y")
    axes.tick_params(labelsize=8.5)
    axes.set_ylabel((shown or locale.say("ratio")) if first else "", fontsize=9)
    bare(axes, "top", "right")


def frontier(found: xr.Dataset, *, dim: str | None = None, locale: str = "en") -> Any:
    """Efficient frontier: expected payoff of actions against the mean of their worst draws.

    Parameters
    ----------
    found : Dataset
        Of ``ds.decisions.evaluate``.
    dim : str, optional
        Dim along which panels stand side by side; the first scenario dim by default.
    locale : {"en", "zh"}, default "en"

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
    said, action = locale_of(locale), _evaluated(found)
    canvas, panels = _panels(found, action, dim, 3.3, said)
    tail = said.percent(float(found.attrs.get("tail", 0.1)))
    outside = sum(_frontier(canvas, axes, own, action, said) for axes, own in panels)
    worst = said.say("payoff_worst", tail=tail)
    for axes in canvas.axes.flat:
        axes.set_xlabel(said.say("with_unit", name=worst, unit=axes.get_xlabel()), fontsize=9)
    for axes in canvas.axes[:, 0]:
        axes.set_ylabel(said.say("with_unit", name=said.say("payoff_mean"), unit=axes.get_ylabel()), fontsize=9)
    for axes in canvas.axes[:, 1:].flat:
        axes.set_ylabel("")
    keys = [
        line(BLUE, said.say("efficient"), marker="o", markersize=5),
        dot(GREY, said.say("beaten"), markersize=4),
        dot(GREEN, said.say("payoff_best"), "D"),
    ]
    left = [said.say("far_beaten", count=outside)] if outside else []
    return canvas.finish(said.say("frontier", study=study_of(found.attrs, said)), keys, left + notes(found, said))


def _frontier(canvas: Canvas, axes: Axes, own: xr.Dataset, action: str, locale: Locale) -> int:
    """Draw a panel; return how many actions lie outside it."""
    money, shown = locale.unit(
        str(own["mean"].attrs.get("units", "1")), float(np.max(np.abs([own["mean"], own["cvar"]])))
    )
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
    best = int(np.argmax(mean))
    axes.plot([risk[best]], [mean[best]], color=GREEN, marker="D", markersize=8, linestyle="none", zorder=5)
    ticks(axes)
    ticks(axes, which="y")
    axes.margins(0.12)
    labels, unit = own[action].values, str(own[action].attrs.get("units", "1"))
    divisor, _ = locale.unit(unit, float(np.max(np.abs(labels)))) if labels.dtype.kind in "fiu" else (1.0, "")
    # Named where names have room: points apart by a share of the panel.
    drawn_at = near | efficient
    spots = np.stack([values / (np.ptp(values[drawn_at]) or 1.0) for values in (risk, mean)])
    named: list[int] = []
    for place in [best, *order.tolist()]:
        if len(named) < _NAMED and all(np.abs(spots[:, place] - spots[:, other]).max() > 0.14 for other in named):
            named.append(place)
    for place in named:
        text = str(labels[place])
        if labels.dtype.kind in "fiu":
            value = float(labels[place])
            text = brief(value / divisor)
        drawn = axes.annotate(
            text, (risk[place], mean[place]), (7, 5), textcoords="offset points", fontsize=8, va="bottom"
        )
        canvas.keep_inside(axes, drawn)
    axes.tick_params(labelsize=8.5)
    axes.set_xlabel(shown or locale.say("ratio"))
    axes.set_ylabel(shown or locale.say("ratio"))
    bare(axes, "top", "right")
    return int(np.count_nonzero(~drawn_at))
