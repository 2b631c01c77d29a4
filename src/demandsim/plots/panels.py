"""Panels: which quantity and which label each panel shows, and what the footer says of the run behind it."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError, check_known
from demandsim.plots.words import Locale
from demandsim.statistics.design import DESIGNS
from demandsim.studies import list_studies, load_study

__all__ = ["Panels", "captioned", "chosen", "lay_out", "provenance", "study_of"]

_LONGEST_SOURCE = 220


@dataclass(frozen=True)
class Panels:
    """A grid: one row per quantity, one column per label of a dim.

    Parameters
    ----------
    names : list of str
    across : str or None
        Dim whose labels stand side by side.
    labels : list
        Its labels; one None if there is no such dim.
    """

    names: list[str]
    across: str | None
    labels: list[Any]

    def where(self, array: xr.DataArray | xr.Dataset, column: int) -> dict[str, Any]:
        """Select what a column shows of an array."""
        return {self.across: self.labels[column]} if self.across is not None and self.across in array.dims else {}


def chosen(of: Sequence[str] | str | None, known: Iterable[Hashable], default: Iterable[Hashable] = ()) -> list[str]:
    """Names of the quantities to draw, checked."""
    names = [str(name) for name in known]
    if of is None:
        return [str(name) for name in default] or names
    wanted = [of] if isinstance(of, str) else list(of)
    check_known(wanted, names, "quantity")
    if not wanted:
        raise DemandsimError("of= is empty: name at least one quantity")
    return wanted


def lay_out(arrays: Mapping[str, xr.DataArray], inner: Sequence[str], dim: str | None) -> Panels:
    """Find the dim along which panels stand side by side: the first that no panel shows itself.

    Raises
    ------
    UnknownNameError
        If the quantities do not vary over `dim`.
    DemandsimError
        If they vary over a further dim, of which a label must be selected first.
    """
    others = list(dict.fromkeys(str(d) for array in arrays.values() for d in array.dims if d not in inner))
    if dim is not None:
        check_known([dim], others, "dim")
    across = dim or (others[0] if others else None)
    left = [d for d in others if d != across]
    if left:
        raise DemandsimError(
            f"quantities still vary over {left}; select a label first, as in data.sel({left[0]}=...), "
            "or name with dim= what stands side by side"
        )
    labelled = next((a for a in arrays.values() if across in a.dims), None)
    labels = [None] if labelled is None else list(labelled[across].values)
    return Panels(list(arrays), across, labels)


def captioned(name: str, where: Mapping[str, Any], locale: Locale) -> str:
    """Name a panel: the quantity, and the label if panels differ by it."""
    for dim, label in where.items():
        return locale.say("labelled", name=name, dim=locale.dim(dim), label=label)
    return name


def study_of(attrs: Mapping[Any, Any], locale: Locale) -> str:
    """Name the study for a title."""
    return str(attrs.get("study") or locale.say("model"))


def provenance(data: xr.Dataset, arrays: Iterable[xr.DataArray], locale: Locale) -> list[str]:
    """Say which study, scenario, design, draws, seed and source a picture is of."""
    a = data.attrs
    said = [locale.say("study", study=a["study"])] if a.get("study") else []
    for name, coord in data.coords.items():
        if coord.ndim == 0 and name not in ("chain", "draw", "statistic", "quantity", "quantile", "units", "long_name"):
            said.append(locale.say("at", dim=locale.dim(str(name)), label=coord.item()))
    if "design" in a:
        design = str(a["design"])
        said.append(locale.say(design) if design in DESIGNS else design.replace("_", " "))
    chains, draws = (a.get(f"{d}s", data.sizes.get(d)) for d in ("chain", "draw"))
    if chains is not None and draws is not None:
        said.append(locale.say("totals", chains=f"{int(chains):,}", draws=f"{int(draws):,}"))
    if "model_runs" in a:
        said.append(locale.say("runs", runs=f"{int(a['model_runs']):,}"))
    if "seed" in a:
        said.append(locale.say("seed", seed=a["seed"]))
    # Lines of the footer break between these, not inside.
    said = [text.replace(" ", "\u00a0") for text in said]
    source = str(a.get("source", "")) or _source_of_study(str(a.get("study", ""))) or _sources(arrays, locale)
    return [*said, locale.say("source", source=locale.text(source))] if source else said


@functools.cache
def _source_of_study(name: str) -> str:
    """What a study that ships says of its source."""
    return load_study(name).notes.source if name in list_studies() else ""


def _sources(arrays: Iterable[xr.DataArray], locale: Locale) -> str:
    different = [source for source in dict.fromkeys(str(array.attrs.get("source", "")) for array in arrays) if source]
    if not different:
        return ""
    shown: list[str] = []
    for source in different:
        if shown and len("; ".join([*shown, source])) > _LONGEST_SOURCE:
            return locale.say("sources", source="; ".join(shown))
        shown.append(source)
    return "; ".join(shown)


def finite(array: xr.DataArray) -> Any:
    """All values of an array that are numbers, flat."""
    values = np.ravel(array.values).astype(np.float64)
    kept = values[np.isfinite(values)]
    if not kept.size:
        raise DemandsimError(f"'{array.name}' has no finite value to draw")
    return kept
