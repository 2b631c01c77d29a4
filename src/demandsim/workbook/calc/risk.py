"""Risk: the distributions that @RISK writes into formulas, such as ``RiskNormal(100, 10)``, as ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demandsim import distributions as dist
from demandsim.distributions.base import Distribution
from demandsim.errors import DistributionError
from demandsim.workbook.calc.references import Area
from demandsim.workbook.calc.values import CellError, Grid, UnsupportedError, number

__all__ = ["LAWS", "PROPERTIES", "Drawn", "Property", "drawn"]


@dataclass(frozen=True)
class Property:
    """What stands behind the parameters: a name, limits, a correlation."""

    kind: str
    values: tuple[Any, ...] = ()
    area: Area | None = None


@dataclass(frozen=True)
class Drawn:
    """A distribution in a formula: its law, the value at rest, and where it stands in a matrix of correlations."""

    law: Distribution
    rest: float
    name: str | None = None
    matrix: tuple[Area, int, str] | None = None


def _listed(value: Any) -> list[float]:
    return [number(inner) for inner in (value.flat() if type(value) is Grid else [value])]


#: How many parameters each takes, and our law of them.
LAWS: Mapping[str, tuple[int, Callable[..., Distribution]]] = {
    "RISKNORMAL": (2, lambda mean, sd: dist.normal(mean=number(mean), sd=number(sd))),
    "RISKLOGNORM": (2, lambda mean, sd: dist.lognormal(mean=number(mean), sd=number(sd))),
    "RISKUNIFORM": (2, lambda low, high: dist.uniform(number(low), number(high))),
    "RISKTRIANG": (3, lambda low, mode, high: dist.triangular(number(low), number(mode), number(high))),
    "RISKPERT": (3, lambda low, mode, high: dist.pert(number(low), number(mode), number(high))),
    "RISKDISCRETE": (2, lambda values, weights: dist.discrete(_listed(values), weights=_listed(weights))),
}
#: Properties that are understood; those without meaning for a simulation are passed over.
PROPERTIES = ("RISKNAME", "RISKSTATIC", "RISKTRUNCATE", "RISKCORRMAT", "RISKUNITS", "RISKCATEGORY")


def drawn(name: str, args: Sequence[Any], cached: Any) -> Drawn:
    """Make the distribution of a call.

    Parameters
    ----------
    name : str
    args : sequence of values and Property
    cached : float or other
        What the file saved for the call, if that is known: its value at rest.

    Raises
    ------
    UnsupportedError
        If it cannot be had; the message says why.
    """
    count, make = LAWS[name]
    given = [one for one in args if not isinstance(one, Property)]
    told = {one.kind: one for one in args if isinstance(one, Property)}
    if len(given) != count:
        raise UnsupportedError(f"{name} takes {count} parameters and properties, not {len(given)}")
    try:
        law = make(*given)
        if "RISKTRUNCATE" in told:
            ends = [None if end is None else number(end) for end in told["RISKTRUNCATE"].values]
            law = dist.truncated(law, lower=ends[0], upper=ends[1] if len(ends) > 1 else None)
    except CellError as error:
        raise UnsupportedError(f"{name} has the parameter {error.code}") from None
    except DistributionError as error:
        raise UnsupportedError(f"{name}: {error}") from None
    rest = number(told["RISKSTATIC"].values[0]) if "RISKSTATIC" in told else cached
    if type(rest) is not float:
        rest = float(law.mean())
    label = str(told["RISKNAME"].values[0]) if "RISKNAME" in told else None
    return Drawn(law, rest, label, _place(told.get("RISKCORRMAT")))


def _place(told: Property | None) -> tuple[Area, int, str] | None:
    if told is None or told.area is None:
        return None
    instance = told.values[1] if len(told.values) > 1 and told.values[1] is not None else ""
    return told.area, int(number(told.values[0])), str(instance)
