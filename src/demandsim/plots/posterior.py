"""Posterior: what the evidence changes, as prior and posterior of each quantity on one axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known
from demandsim.plots.canvas import BLUE, GREY, INK, ORANGE, Frame, band, bare, dot, is_wide, line, plain_ticks
from demandsim.plots.panels import Picture, finite, plot, quantities
from demandsim.plots.words import Locale
from demandsim.statistics.datatree import observations
from demandsim.statistics.ranking import ranked
from demandsim.units.convert import conversion_factor
from demandsim.units.format import label_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["posterior"]

#: Quantities that are drawn without being named, at most; computed ones among them that were not observed.
_MOST, _COMPUTED = 6, 2
#: Standard deviations of the prior from which on a mean has moved.
_LEAST = 0.1
#: Labels of a dim that stand side by side without being asked for, at most.
_WIDEST = 4
_PALE = "#D9D9D9"


@plot
def posterior(
    found: xr.Dataset,
    prior: xr.Dataset,
    of: Sequence[str] | str | None = None,
    *,
    dim: str | None = None,
    locale: str = "en",
    **frame: Unpack[Frame],
) -> Any:
    """Posterior of quantities over their prior, with what was observed of them.

    Parameters
    ----------
    found : Dataset
        Of ``model.infer``.
    prior : Dataset
        Of ``model.simulate``, of the same model.
    of : str or sequence of str, optional
        Quantities; by default what was observed, and the results and assumptions that moved most, at most six.
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
        If there is no such quantity.
    DemandsimError
        If `found` is no posterior, or a quantity still has another dim, which must be selected first.

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("guosen-2025-01").select(scenario="100T")
    >>> found = model.observe(capex="normal(mean=80e9, sd=15e9)").infer(draws=256, seed=1)
    >>> posterior(found, model.simulate(draws=256, seed=1), of=["capex", "utilization"]).shape
    (2, 1)
    """
    if "evidence" not in found.attrs:
        raise DemandsimError("these draws are not of a posterior; pass what model.infer returns, then the prior")
    evidence = observations(found)
    known = [n for n, a in found.data_vars.items() if n in prior.data_vars and {"chain", "draw"} <= set(a.dims)]
    names = quantities(_telling(found[known], prior, evidence) if of is None else of, known)
    for name in names:
        check_known(map(str, prior[name].dims), [str(d) for d in found[name].dims], "dim of the prior")
    picture = Picture(found, {name: found[name] for name in names}, ("chain", "draw"), locale, dim, frame=frame)
    said = picture.locale
    for panel in picture.panels([1.75] * len(names), 4.6):
        before, after = panel.of(prior[panel.name]), panel.of(found[panel.name])
        _shapes(panel.axes, before, after, _observed(evidence, after), said)
    keys = [
        band(_PALE, said.say("prior")),
        band(BLUE, said.say("posterior"), alpha=0.55),
        line(INK, said.say("median"), linewidth=1.5),
    ]
    if any(piece["quantity"] in names for piece in evidence):
        keys.append(dot(ORANGE, said.say("observed"), "D", markeredgecolor=INK))
    return picture.finish("posterior_title", keys, [said.say("tails")])


def _telling(found: xr.Dataset, prior: xr.Dataset, evidence: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was observed, and the results and assumptions that moved most, if they have no dims but scenarios."""
    fitting = _side_by_side(found)
    seen = [name for name in dict.fromkeys(piece["quantity"] for piece in evidence) if name in fitting]
    moved = {n: _moved(prior[n], found[n]) for n in fitting if n not in seen}
    left = [n for n in moved if moved[n] > 0]
    ordered = [left[i] for i in ranked([moved[n] for n in left], left)]
    # Where nothing moved by much, what moved most says so.
    most = [n for n in ordered if moved[n] >= _LEAST] or ordered[:1]
    computed = [n for n in most if found[n].attrs.get("role") == "derived"][:_COMPUTED]
    most = [*computed, *(n for n in most if found[n].attrs.get("role") == "assumption")]
    if not seen and not most:
        raise DemandsimError(
            f"everything that moved varies over more than {_WIDEST} labels, or over several dims; select labels first, "
            "as in found.sel(year=2026), and name quantities with of="
        )
    return [*seen, *most][:_MOST]


def _side_by_side(found: xr.Dataset) -> list[str]:
    """Quantities that vary along one dim of few labels at most: what varies otherwise is left for `of`."""
    outer = {str(n): [d for d in a.dims if d not in ("chain", "draw")] for n, a in found.data_vars.items()}
    fitting = {n: dims for n, dims in outer.items() if all(found.sizes[d] <= _WIDEST for d in dims)}
    across = next((d for dims in fitting.values() for d in dims), None)
    return [n for n, dims in fitting.items() if set(dims) <= {across}]


def _moved(before: xr.DataArray, after: xr.DataArray) -> float:
    spread = float(before.std())
    return float(abs(after.mean() - before.mean())) / spread if spread > 0 else 0.0


def _observed(evidence: Sequence[Mapping[str, Any]], after: xr.DataArray) -> list[tuple[float, ...]]:
    """Evidence on one panel, in the quantity's unit: median, and the ends of its interval where the draws tell them."""
    values: list[tuple[float, ...]] = []
    for piece in evidence:
        if piece["quantity"] != after.name:
            continue
        told = [piece[key] for key in ("observed", "lower", "upper") if key in piece]
        read = np.reshape(told, [len(told), *(len(labels) for labels in piece["coords"].values())])
        for axis, (name, labels) in enumerate(piece["coords"].items()):
            here = label_value(after.coords[name].values[()]) if name in after.coords else ""
            # What is kept on its axis has one label or none.
            read = read.take([i for i, label in enumerate(labels) if label == here], axis=axis + 1)
        factor = conversion_factor(piece["unit"], str(after.attrs.get("units", "1")))
        values += map(tuple, (read * factor).reshape(len(told), -1).T.tolist())
    return values


def _shapes(
    axes: Axes, before: xr.DataArray, after: xr.DataArray, seen: Sequence[tuple[float, ...]], locale: Locale
) -> None:
    prior, posterior = finite(before), finite(after)
    middles = float(np.median(prior)), float(np.median(posterior))
    divisor, shown = locale.axis(after, max(abs(m) for m in middles))
    prior, posterior = prior / divisor, posterior / divisor
    ends = [float(q) for values in (prior, posterior) for q in np.quantile(values, [0.004, 0.996])]
    marks = [tuple(value / divisor for value in one) for one in seen]
    ends += [value for one in marks for value in one if math.isfinite(value)]
    start, stop = min(ends), max(ends)
    wide = is_wide(start, stop)
    plain_ticks(axes, log=wide)
    if start < stop:
        # Few draws fill few bins.
        bins = int(np.clip(np.sqrt(posterior.size), 24, 80)) + 1
        edges = np.geomspace(start, stop, bins) if wide else np.linspace(start, stop, bins)
        _area(axes, prior, edges, _PALE, 1.0)
        _area(axes, posterior, edges, BLUE, 0.55)
    for middle, colour in zip(middles, (GREY, INK), strict=True):
        axes.vlines(middle / divisor, 0, 1.04, color=colour, linewidth=1.5)
    for middle, *error in marks:
        axes.plot(error, [0.06] * len(error), color=ORANGE, marker="|", markersize=9, linewidth=2, zorder=5)
        axes.plot(middle, 0.06, "D", color=ORANGE, markeredgecolor=INK, zorder=6, clip_on=False)
    before_text, after_text = (locale.number(m / divisor, 3) for m in middles)
    medians = locale.say("medians", before=before_text, after=after_text)
    axes.set_xlabel(f"{shown}    {medians}".strip(), fontsize=9)
    axes.set_yticks([])
    axes.set_ylim(0, 1.08)
    bare(axes, "left", "top", "right")


def _area(axes: Axes, values: Array, edges: Array, colour: str, alpha: float) -> None:
    """Density by its height over the modal bin; a posterior is narrower, not larger."""
    counts = np.histogram(values, edges)[0]
    axes.stairs(counts / max(int(counts.max()), 1), edges, fill=True, color=colour, alpha=alpha, linewidth=0)
