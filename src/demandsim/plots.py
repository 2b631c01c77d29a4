"""Plots: one function a picture, readable without the code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError, check_known
from demandsim.estimates import check_prob
from demandsim.files import written_whole
from demandsim.tables import number
from demandsim.units import readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["distributions", "save"]

# Okabe and Ito's palette, told apart with every common colour blindness.
_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#666666"


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, Any]:
    # The object-oriented interface: no global state, no window, safe in threads.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def distributions(
    draws: xr.Dataset,
    point: xr.Dataset | None = None,
    *,
    of: Sequence[str] | None = None,
    prob: float = 0.9,
    dim: str | None = None,
) -> Any:
    """Distributions of quantities against their published points.

    Parameters
    ----------
    draws : Dataset
        Of ``model.simulate``.
    point : Dataset, optional
        Of ``model.point()``: drawn as a line.
    of : sequence of str, optional
        Quantities; the computed ones by default.
    prob : float, default 0.9
        Probability of the interval that is shaded.
    dim : str, optional
        Dim along which panels stand side by side; the first scenario dim by default.

    Returns
    -------
    numpy array of matplotlib Axes, shape (quantities, labels)

    Raises
    ------
    UnknownNameError
        If there is no such quantity.
    DemandsimError
        If a quantity still has another dim, which must be selected first.

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("guosen-2025-01")
    >>> axes = distributions(model.simulate(draws=256, seed=1), model.point(), of=["cards"])
    >>> axes.shape
    (1, 2)
    """
    check_prob(prob)
    derived = [str(n) for n, a in draws.data_vars.items() if a.attrs.get("role") == "derived"]
    names = list(of) if of is not None else derived or [str(n) for n in draws.data_vars]
    check_known(names, [str(n) for n in draws.data_vars], "quantity")
    others = list(dict.fromkeys(str(d) for n in names for d in draws[n].dims if d not in ("chain", "draw")))
    across = dim or (others[0] if others else None)
    left = [d for d in others if d != across]
    if left:
        raise DemandsimError(f"quantities still vary over {left}; select a label first, as in draws.sel({left[0]}=...)")
    labels = list(draws.coords[across].values) if across else [None]
    width = max(4.4 * len(labels), 6.4)
    figure, axes = _figure(len(names), len(labels), width, 2.15 * len(names) + 0.9)
    for row, name in enumerate(names):
        for column, label in enumerate(labels):
            where = {across: label} if across in draws[name].dims else {}
            published = None if point is None or name not in point else point[name].sel(where)
            _panel(axes[row, column], draws[name].sel(where), published, prob, f"{label}" if where else "")
    title = draws.attrs.get("study") or "model"
    figure.suptitle(f"{title}: what the assumptions leave open", x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.supxlabel(_caption(draws, prob, point is not None), fontsize=8, color=_GREY, x=0.01, ha="left")
    return axes


def _caption(draws: xr.Dataset, prob: float, with_points: bool) -> str:
    a = draws.attrs
    total = f"{draws.sizes['chain']} chains of {draws.sizes['draw']:,} draws"
    line = "orange line: published point; " if with_points else ""
    return (
        f"blue: draws; dark blue: central {prob:.0%} interval; white line: median; {line}"
        f"design {a.get('design', 'unknown')}, {total}, seed {a.get('seed', 'unknown')}"
    )


def _panel(axes: Axes, array: xr.DataArray, published: Any, prob: float, label: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    values = np.ravel(array.values).astype(np.float64)
    values = values[np.isfinite(values)]
    unit = str(array.attrs.get("units", "1"))
    median = float(np.median(values))
    divisor, shown = readable(unit, median if published is None else max(abs(float(published)), abs(median)))
    values = values / divisor
    low, middle, high = np.quantile(values, [(1 - prob) / 2, 0.5, (1 + prob) / 2])
    start, stop = np.quantile(values, [0.004, 0.996])
    if start == stop:
        axes.axvline(start, color=_BLUE)
    else:
        # The last 0.4% of each tail is left out of the picture, not out of the numbers.
        log = start > 0 and stop / start > 30
        edges = np.geomspace(start, stop, 64) if log else np.linspace(start, stop, 64)
        counts, _ = np.histogram(values, edges)
        if log:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=9))
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axes.stairs(counts / counts.max(), edges, fill=True, color=_BLUE, alpha=0.35, linewidth=0)
        inside = (edges[1:] > low) & (edges[:-1] < high)
        axes.stairs(np.where(inside, counts / counts.max(), 0), edges, fill=True, color=_BLUE, linewidth=0)
        axes.vlines(middle, 0, counts[np.searchsorted(edges, middle) - 1] / counts.max(), color="white", linewidth=1.5)
    if published is not None:
        axes.axvline(float(published) / divisor, color=_ORANGE, linewidth=2)
    name = str(array.attrs.get("long_name", array.name))
    axes.set_title(f"{name} ({label})" if label else name, fontsize=10, loc="left")
    axes.set_xlabel(
        f"{shown or 'ratio'}    median {number(middle, 3)}, {prob:.0%}: {number(low, 3)} to {number(high, 3)}"
    )
    axes.set_yticks([])
    axes.set_ylim(0, 1.08)
    for side in ("left", "top", "right"):
        axes.spines[side].set_visible(False)


def save(axes: Any, path: str | Path, *, dpi: int = 130) -> None:
    """Write the figure of some Axes as a picture, whole or not at all.

    Parameters
    ----------
    axes : Axes or array of Axes
    path : str or Path
        The suffix chooses the format: ``.png``, ``.svg``, ``.pdf``.
    dpi : int, default 130

    Examples
    --------
    >>> import tempfile
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=256, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(distributions(draws, of=["cards"]), Path(folder) / "cards.png")
    """
    figure = np.ravel(axes)[0].figure
    with written_whole(path) as unfinished:
        figure.savefig(unfinished, dpi=dpi)
