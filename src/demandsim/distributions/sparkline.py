"""Sparkline: the density of a distribution as a small picture of lines (SVG), for notebooks."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array, printable
from demandsim.locale.words import displayed
from demandsim.units.format import brief, label_text, percent

if TYPE_CHECKING:
    from demandsim.distributions.base import Distribution, Law

__all__ = ["distribution_html", "percentiles", "plotted", "sparkline"]

#: Steps of the axis, and the share of draws at each end that is not drawn.
_STEPS = 64
_ENDS = 0.002
#: Labels of an indexed distribution that are drawn over each other, and that stand in a table.
_CURVES = 12
_LABELS = 40


def sparkline(distribution: Distribution, width: int = 120, height: int = 28, prob: float = 0.9) -> str:
    """Draw the density; the central interval is shaded, and the median a line.

    Parameters
    ----------
    distribution : Distribution
        An indexed one is drawn as the curves of its labels, without intervals.
    width, height : int
        In pixels.
    prob : float, default 0.9
        Probability of the interval.

    Returns
    -------
    str
        SVG in the colour of the text around it; empty for a sure value.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> sparkline(dist.normal(8, 12))[:4], sparkline(dist.constant(1))
    ('<svg', '')
    """
    laws = [law for law in distribution.laws[:_CURVES] if law.support()[0] < law.support()[1]]
    if not laws:
        return ""
    ends = np.array([_clipped(law) for law in laws])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    if not (math.isfinite(high - low) and high > low):
        return ""
    edges = np.linspace(low, high, _STEPS + 1)
    masses = [_masses(law, edges) for law in laws]
    top = max(float(mass.max()) for mass in masses)
    if not top > 0:
        return ""
    parts = []
    for law, mass in zip(laws, masses, strict=True):
        points = _outline(mass / top, width, height, smooth=law.kind == "continuous")
        if len(laws) == 1:
            parts.append(_interval(law, (low, high), points, (width, height), prob))
        parts.append(f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1"/>')
    label = html.escape(printable(f"density of {distribution}"[:120]), quote=True)
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def _clipped(law: Law) -> tuple[float, float]:
    """What is drawn of a law: all but its far ends, and a little more where a value there is likely."""
    with np.errstate(all="ignore"):
        low, high = float(law.ppf(np.array([_ENDS]))[0]), float(law.isf(np.array([_ENDS]))[0])
    if law.kind != "continuous" or not high > low:
        room = 0.04 * (high - low) or 0.5 * abs(low) or 1.0
        low, high = low - room, high + room
    return low, high


def _masses(law: Law, edges: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(np.diff(law.cdf(edges)))


def _outline(heights: Array, width: int, height: int, smooth: bool) -> str:
    """A histogram as the corners of a line: its steps, or the middles of them."""
    x = np.linspace(0, width, heights.size + 1)
    y = height - 1 - heights * (height - 3)
    if smooth:
        corners = list(zip((x[1:] + x[:-1]) / 2, y, strict=True))
    else:
        corners = [(each, y[i]) for i in range(heights.size) for each in (x[i], x[i + 1])]
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in [(x[0], height - 1), *corners, (x[-1], height - 1)])


def _interval(law: Law, ends: tuple[float, float], points: str, size: tuple[int, int], prob: float) -> str:
    """The shaded part between the quantiles, and the line of the median."""
    low, high = ends
    (width, height), tail = size, (1 - prob) / 2
    with np.errstate(all="ignore"):
        quantiles = law.ppf(np.array([tail, 0.5, 1 - tail]))
    left, middle, right = np.clip((quantiles - low) / (high - low), 0, 1) * width
    # The part is cut out by drawing the area in a picture of its own, as wide as the interval.
    wide = max(right - left, 1.0)
    shade = (
        f'<svg x="{left:.1f}" y="0" width="{wide:.1f}" height="{height}" viewBox="{left:.1f} 0 {wide:.1f} {height}">'
        f'<polygon points="{points}" fill="currentColor" fill-opacity="0.25"/></svg>'
    )
    return f'{shade}<line x1="{middle:.1f}" x2="{middle:.1f}" y1="0" y2="{height - 1}" stroke="currentColor"/>'


def percentiles(distribution: Distribution, prob: float = 0.9, divisor: float = 1.0) -> list[tuple[str, list[str]]]:
    """Write the ends of the interval and the median, divided by a number, by label of an indexed distribution.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> percentiles(dist.uniform(0, 10))
    [('', ['0.5', '5', '9.5'])]
    """
    levels = np.array([(1 - prob) / 2, 0.5, (1 + prob) / 2])
    found = []
    for place, law in zip(np.ndindex(*distribution.shape), distribution.laws, strict=True):
        with np.errstate(all="ignore"):
            values = law.ppf(levels).tolist()
        labels = [label_text(distribution.coords[dim][i]) for dim, i in zip(distribution.dims, place, strict=True)]
        found.append((", ".join(labels), [brief(value / divisor, 4) for value in values]))
    return found


def plotted(distribution: Distribution, ax: Any = None) -> Any:
    """Draw the density into axes of matplotlib: one curve a label, or one with its interval and median."""
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.gca()
    laws = distribution.laws[:_CURVES]
    for (label, _), law in zip(percentiles(distribution), laws, strict=False):
        low, high = _clipped(law)
        edges = np.linspace(low, high, 4 * _STEPS + 1)
        heights, middles = _masses(law, edges) / np.diff(edges), (edges[1:] + edges[:-1]) / 2
        (line,) = ax.plot(middles, heights, label=label or str(distribution))
        if len(laws) == 1:
            left, middle, right = law.ppf(np.array([0.05, 0.5, 0.95]))
            inside = (middles >= left) & (middles <= right)
            ax.fill_between(middles[inside], heights[inside], color=line.get_color(), alpha=0.25)
            ax.axvline(middle, color=line.get_color(), linewidth=1)
    ax.set_ylim(bottom=0)
    if len(laws) > 1:
        ax.legend()
    return ax


def distribution_html(distribution: Distribution) -> str:
    """Show a distribution in a notebook: what was said, its density, and its percentiles.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> "P95" in distribution_html(dist.normal(8, 12))
    True
    """
    said = f"<code>{html.escape(printable(repr(distribution)[:2000]))}</code>"
    if distribution.is_constant:
        return said
    rows = percentiles(distribution)
    cells = "".join(
        f"<tr><th>{html.escape(printable(label))}</th>{''.join(f'<td>{value}</td>' for value in values)}</tr>"
        for label, values in rows[:_LABELS]
    )
    more = f"<p>{displayed().say('display_more', count=len(rows) - _LABELS)}</p>" if len(rows) > _LABELS else ""
    head = "<tr><th></th><th>P5</th><th>P50</th><th>P95</th></tr>"
    table = f"<table>{head}{cells}</table>{more}{_piled_up(distribution)}"
    return f"<div>{said}<br>{sparkline(distribution, 320, 80)}{table}</div>"


def _piled_up(distribution: Distribution) -> str:
    """Say how much lies on single values, where that is not all there is."""
    if distribution.dims or distribution.laws[0].kind != "mixed":
        return ""
    told = "; ".join(f"{percent(share, 1)} at exactly {brief(value, 4)}" for value, share in distribution.atoms.items())
    return f"<p>{told}</p>" if told else ""
