"""Cross-checks: results held against published limits, such as the market that would have to supply them."""

from __future__ import annotations

import functools
import importlib.resources
import itertools
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from demandsim.errors import DemandsimError, UnitError, check_known
from demandsim.graph.presentation import time_dims
from demandsim.locale.words import Words, words_of
from demandsim.series.loader import load_series
from demandsim.statistics.summarize import probability, run_attrs, summarize
from demandsim.units.convert import conversion_factor, same_dimension
from demandsim.units.format import Scaling, label_text, number, readable

__all__ = ["can_cross_check", "checked_quantities", "cross_check", "published_limits", "verdicts"]

#: Result and limit of the indicators that ship in ``equations.market``.
_INDICATORS = {
    "exceeds_market": ("chip_spending", "chip_market"),
    "exceeds_capex": ("chip_spending", "provider_capex"),
    "exceeds_chip_budget": ("chip_spending", "provider_chip_budget"),
}
_PREFIX = "exceeds_"
#: Yearly spending on chips, as models name it; the first that a run has is checked.
_SPENDING = ("chip_spending", "annualized_capex")


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
    places = tomllib.loads(path.read_text(encoding="utf-8"))
    return MappingProxyType({name: _limit(**where) for name, where in places.items()})


def _limit(series: str, variable: str, at: Mapping[str, Any], periods: int = 1, note: str = "") -> Limit:
    figures = load_series(series).sel(at)
    value = periods * float(figures[variable].sum(skipna=False))
    sources = ", ".join(dict.fromkeys(figures.source.sel(variable=variable).values.ravel().tolist()))
    return Limit(value, "CNY/year", sources + (f" ({note})" if note else ""))


def cross_check(
    draws: xr.Dataset, of: str | None = None, against: Mapping[str, float | xr.DataArray] | None = None
) -> xr.Dataset:
    """How often a result exceeds what the market sells, a provider spends, or any other limit.

    Parameters
    ----------
    draws : Dataset
        Of ``model.simulate``.
    of : str, optional
        Quantity to check. By default every indicator that the model has (a quantity named
        ``exceeds_...``, as in ``equations.market``); if it has none, ``chip_spending`` or else
        ``annualized_capex``.
    against : mapping of name to float or DataArray, optional
        Limits: numbers in the unit of the quantity, or labelled arrays with the attribute ``units``, such as
        a series. By default the published ones: China's AI chip market, the capex and chip budget of ByteDance,
        the capex of Alibaba, Tencent and Baidu.

    Returns
    -------
    Dataset
        Dims ``check`` and those of the draws without ``chain`` and ``draw``. Variables ``probability`` and
        ``mcse`` [1], and the medians ``result`` and ``limit``, in the coordinate ``units``; ``n_invalid`` if draws
        with NaN or infinity were kept. Coordinates ``quantity`` and ``source``. The attribute ``verdict`` says it in
        words, a line per check and label; along years it names the worst.

    Raises
    ------
    UnknownNameError
        If there is no such quantity.
    UnitError
        If a limit measures another dimension than the quantity.
    DemandsimError
        If there is nothing to check, or a limit is no number or lacks labels of the quantity.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=1024, seed=1)
    >>> checks = cross_check(draws, "annualized_capex", {"the chip market of 2025": 178e9})
    >>> print(checks.attrs["verdict"])
    Annual compute cost of 100T exceeds the chip market of 2025 in 1.2% of draws ...
    Annual compute cost of 1000T exceeds the chip market of 2025 in 58.8% of draws ...
    """
    checks = _checks(draws, of, against)
    # Checks may differ in their dims, such as a limit by year and one for good.
    even = xr.broadcast(*checks, exclude=["check"])
    found = xr.concat(even, dim="check", join="exact", coords="minimal", compat="equals")
    widest = max((check.probability.dims for check in checks), key=len)
    found = found.transpose(*widest, ...)
    found = found.assign_coords(check=found.check.values.astype(str))
    if "n_invalid" in found:
        found["n_invalid"] = found.n_invalid.fillna(0).astype(np.int64)
    found.attrs = run_attrs(draws)
    found.attrs["verdict"] = "\n".join(_verdicts(checks, draws, words_of("en", "terminal"), readable))
    return found


def verdicts(draws: xr.Dataset, words: Words, scale: Scaling, summary: xr.Dataset | None = None) -> list[str]:
    """Say in a language what `cross_check` finds by default; nothing if there is nothing to check.

    Parameters
    ----------
    draws : Dataset
    words : Words
        With the phrases of the terminal.
    scale : callable
        Of a unit and a magnitude: the divisor and the unit in which it is shown.
    summary : Dataset, optional
        Of the draws and more: medians and labels are taken from it if it is there, and only what
        `checked_quantities` names needs draws.
    """
    checks = _checks(draws, summary=summary) if can_cross_check(draws) else []
    return list(_verdicts(checks, draws if summary is None else summary, words, scale))


def checked_quantities(names: Iterable[str]) -> list[str]:
    """Those of some quantities whose draws are checked by default."""
    known = list(names)
    indicators = [name for name in known if name.startswith(_PREFIX)]
    return indicators or [name for name in _SPENDING if name in known][:1]


def can_cross_check(draws: xr.Dataset) -> bool:
    """Tell whether `cross_check` has something to check by default."""
    if any(str(name).startswith(_PREFIX) for name in draws.data_vars):
        return True
    spending = next((name for name in _SPENDING if name in draws), None)
    # The published limits are in yuan: spending in another currency needs limits of its own.
    return spending is not None and same_dimension(str(draws[spending].attrs.get("units", "1")), "CNY/year")


def _checks(
    draws: xr.Dataset,
    of: str | None = None,
    against: Mapping[str, float | xr.DataArray] | None = None,
    summary: xr.Dataset | None = None,
) -> list[xr.Dataset]:
    """Every check by itself, with the dims that it has."""
    told = draws if summary is None else summary
    indicators = [str(name) for name in draws.data_vars if str(name).startswith(_PREFIX)]
    if of is None and against is None and indicators:
        return [_indicated(draws[name], told) for name in indicators]
    quantity = of or next((name for name in _SPENDING if name in draws), None)
    if quantity is None:
        raise DemandsimError(
            f"nothing to check: no quantity is named {_PREFIX}..., and there is no {' or '.join(_SPENDING)}; "
            "say of= and against="
        )
    check_known([quantity], [str(name) for name in draws.data_vars], "quantity")
    return list(_compared(draws[quantity], _median(told, quantity), against))


def _indicated(exceeds: xr.DataArray, told: xr.Dataset) -> xr.Dataset:
    """The check of an indicator that the model has."""
    name = str(exceeds.name)
    result, limit = _INDICATORS.get(name, (None, None))
    label = str(told[limit].attrs.get("long_name", limit)) if limit in told else ""
    if limit in told and told[limit].attrs.get("role") == "derived":
        # The label of an equation is a noun; that of an assumption may be a name, and stays as it is.
        label = f"the {label[:1].lower()}{label[1:]}"
    source = str(told[limit].attrs.get("source", "")) if limit in told else ""
    unit = str(told[result].attrs.get("units", "1")) if result in told else "1"
    said = {"quantity": result or name, "limit_name": label, "units": unit, "source": source}
    return _check(exceeds > 0.5, _median(told, result), _median(told, limit), name, said)


def _compared(
    values: xr.DataArray, middle: xr.DataArray, against: Mapping[str, float | xr.DataArray] | None
) -> Iterator[xr.Dataset]:
    """The checks of a quantity against limits, published or given."""
    quantity, unit = str(values.name), str(values.attrs.get("units", "1"))
    limits: Mapping[str, Any] = published_limits() if against is None else against
    if not limits:
        raise DemandsimError("nothing to check against: name at least one limit")
    for name, given in limits.items():
        own = str(given.unit if isinstance(given, Limit) else getattr(given, "attrs", {}).get("units", unit))
        if not same_dimension(own, unit):
            raise UnitError(f"limit '{name}' is in '{own}', and '{quantity}' in '{unit}': different dimensions")
        source = given.source if isinstance(given, Limit) else str(getattr(given, "attrs", {}).get("source", ""))
        limit = _aligned(given.value if isinstance(given, Limit) else given, values, name, quantity)
        limit = limit * conversion_factor(own, unit)
        told = {"quantity": quantity, "limit_name": name, "units": unit, "source": source}
        yield _check((values > limit).rename(quantity), middle, limit, name, told)


def _aligned(limit: Any, values: xr.DataArray, name: str, quantity: str) -> xr.DataArray:
    """A limit with the labels of the quantity, along the dims that both have."""
    made = limit.reset_coords(drop=True) if isinstance(limit, xr.DataArray) else xr.DataArray(limit)
    for dim in set(made.dims) & set(values.dims):
        missing = [label for label in values[dim].values.tolist() if label not in made[dim].values.tolist()]
        if missing:
            raise DemandsimError(f"limit '{name}' has no {dim} {missing[0]}, which '{quantity}' has")
        made = made.sel({dim: values[dim].values})
    if made.dtype.kind not in "fiu" or not np.isfinite(made.values).all():
        raise DemandsimError(f"limit '{name}' must be finite numbers, not {limit!r}")
    return made.astype(np.float64)


def _median(found: xr.Dataset, quantity: str | None) -> xr.DataArray:
    """Median of a quantity, of its draws or as a summary of them says."""
    if quantity is None or quantity not in found:
        return xr.DataArray(np.nan)
    summary = found if "statistic" in found.dims else summarize(found[[quantity]])
    return summary[quantity].sel(statistic="median", drop=True)


def _check(
    event: xr.DataArray, result: xr.DataArray, limit: xr.DataArray, name: str, told: Mapping[str, str]
) -> xr.Dataset:
    made = probability(event).assign(result=result.drop_attrs(), limit=limit.drop_attrs())
    return made.expand_dims(check=[name]).assign_coords({key: ("check", [text]) for key, text in told.items()})


def _verdicts(checks: Sequence[xr.Dataset], draws: xr.Dataset, words: Words, scale: Scaling) -> Iterator[str]:
    """Say checks in words, for every label of every dim but time."""
    for check in checks:
        whole = check.isel(check=0)
        # Along time a verdict names the worst label alone: a line per year would hide the point.
        time = time_dims(whole.probability)
        dims = [str(dim) for dim in whole.probability.dims if dim not in time]
        for labels in itertools.product(*(whole[dim].values.tolist() for dim in dims)):
            here = whole.sel(dict(zip(dims, labels, strict=True)))
            places = zip(dims, labels, strict=True)
            named = [words.label(at) if isinstance(at, str) else f"{words.dim(dim)} {at}" for dim, at in places]
            where = words.say("check_at", labels=", ".join(named)) if named else ""
            for dim in time:
                others = [other for other in here.probability.dims if other != dim]
                here = here.isel({dim: int(here.probability.max(others).argmax(dim))})
                where += words.say("check_worst", label=label_text(here[dim].values), dim=words.dim(str(dim)))
            yield _sentence(here, draws, where, words, scale)


def _sentence(
    here: xr.Dataset,
    draws: xr.Dataset,
    where: str,
    words: Words,
    scale: Scaling,
) -> str:
    quantity, limit = here.quantity.item(), here.limit_name.item()
    long_name = str(draws[quantity].attrs.get("long_name", quantity))
    p, mcse = float(here.probability), float(here.mcse)
    some = words.say("check_few") if p < 5e-4 else words.say("check_share", share=f"{p:.1%}")
    often = words.say("check_never") if p == 0 else words.say("check_always") if p == 1 else some
    error = words.say("points", error=f"{100 * mcse:.2g}") if np.isfinite(mcse) else words.say("no_mcse")
    # English says the label of the quantity as it stands.
    name = long_name if words.code == "en" else words.name(quantity, long_name)
    told = {"name": name, "limit": words.names.get(limit, limit), "where": where, "often": often, "error": error}
    said = words.say("check_exceeds" if limit else "check_holds", **told)
    result, bound = float(here.result), float(here.limit)
    if np.isfinite(result) and np.isfinite(bound):
        divisor, unit = scale(here.units.item(), max(abs(result), abs(bound)))
        median, most = number(result / divisor, 3), number(bound / divisor, 3)
        said += words.say("check_against", median=median, limit=most, unit=unit).rstrip()
    left_out = int(here.n_invalid) if "n_invalid" in here else 0
    return said + (words.say("check_left_out", count=f"{left_out:,}") if left_out else "")
