"""Published limits: what the market sells and providers spend in a year, read from the series that ship."""

from __future__ import annotations

import functools
import importlib.resources
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from demandsim.series import load_series

__all__ = ["Limit", "published_limits"]


@dataclass(frozen=True)
class Limit:
    """A published figure that a result should not pass without a reason.

    Parameters
    ----------
    value : float
    unit, source : str
    """

    value: float
    unit: str
    source: str


@functools.cache
def published_limits() -> Mapping[str, Limit]:
    """Read the limits, by name.

    Examples
    --------
    >>> limit = published_limits()["China's AI chip market of 2025"]
    >>> limit.value, limit.unit
    (178000000000.0, 'CNY/year')
    """
    path = importlib.resources.files("demandsim.series").joinpath("published_limits.toml")
    chosen = tomllib.loads(path.read_text(encoding="utf-8"))
    return MappingProxyType({name: _read(**where) for name, where in chosen.items()})


def _read(series: str, variable: str, at: Mapping[str, Any], periods: int = 1, note: str = "") -> Limit:
    figures = load_series(series).sel(at)
    value = periods * float(figures[variable].sum(skipna=False))
    sources = ", ".join(dict.fromkeys(figures.source.sel(variable=variable).values.ravel().tolist()))
    return Limit(value, "CNY/year", sources + (f" ({note})" if note else ""))
