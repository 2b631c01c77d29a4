"""Computing: every run of the model that the page needs, from one seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.errors import CorrelationError, DemandsimError
from demandsim.report.selection import Choice

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["Results", "computed"]

#: Bytes of draws up to which every quantity is kept, for the table of all results.
_KEPT = 800_000_000
#: Base points per chain of the shares of variance, at most.
_POINTS = 1024
#: Elements, such as scenarios times years, up to which shares of variance are computed by runs of their own.
_ELEMENTS = 16
#: Draws per chain that shares of variance are read off where there are more elements.
_READ = 2048
_ORDERS = 40
#: Draws per chain of the posterior, at most.
_BELIEVED = 2048


@dataclass(frozen=True, eq=False)
class Results:
    """What the runs gave.

    Parameters
    ----------
    draws, summary, point : Dataset
    checks : Dataset or None
        Of `cross_check`, where there is something to check.
    moved, shares : Dataset or None
        Tornado; Sobol' indices, or Shapley effects where assumptions are correlated.
    worth : list of Dataset
        Value of information by scenario, empty where the model has no decision.
    absent : dict of section to str
        Why a section could not be computed.
    posterior : Dataset, optional
        Draws given the evidence, where the model has some.
    """

    draws: xr.Dataset
    summary: xr.Dataset
    point: xr.Dataset
    checks: xr.Dataset | None
    moved: xr.Dataset | None
    shares: xr.Dataset | None
    worth: list[xr.Dataset]
    absent: dict[str, str]
    posterior: xr.Dataset | None = None


def computed(
    model: Model,
    choice: Choice,
    *,
    draws: int,
    chains: int,
    seed: int | None,
    prob: float,
    progress: Callable[[int, int], None] | None = None,
) -> Results:
    """Run the model: draws, then what they and the assumptions say.

    A section whose analysis refuses is left out with the reason; draws that fail raise.
    """
    from demandsim.sensitivity import tornado
    from demandsim.series.cross_check import can_cross_check, cross_check
    from demandsim.statistics.summarize import summarize

    kept = None if _size(model, draws * chains) <= _KEPT else _needed(model, choice)
    data = model.simulate(draws, chains=chains, seed=seed, prob=prob, keep=kept, progress=progress)
    absent: dict[str, str] = {}

    def attempt(section: str, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except DemandsimError as error:
            absent[section] = str(error)
            return None

    moved = shares = None
    if choice.explained:
        moved = attempt("moves", lambda: tornado(model, list(choice.explained), prob=prob))
        shares = attempt("shares", lambda: _shares(model, choice, data, min(draws, _POINTS), prob))
    worth = (attempt("information", lambda: _worth(data, choice)) if choice.decides else None) or []
    checks = cross_check(data) if can_cross_check(data) else None
    summary = summarize(_random(data), prob, probs=(0.25, 0.75))
    posterior = attempt("learned", lambda: _posterior(model, data, kept)) if model.evidence else None
    return Results(data, summary, model.point(), checks, moved, shares, worth, absent, posterior)


def _posterior(model: Model, data: xr.Dataset, kept: list[str] | None) -> xr.Dataset:
    """What is known given the evidence: fewer draws than of the prior, each of which costs more."""
    draws, seed = min(data.sizes["draw"], _BELIEVED), int(data.attrs["seed"])
    return model.infer(draws, chains=data.sizes["chain"], seed=seed, keep=kept)


def _random(data: xr.Dataset) -> xr.Dataset:
    return data[[name for name, array in data.data_vars.items() if {"chain", "draw"} <= set(array.dims)]]


def _size(model: Model, total: int) -> int:
    varying, layout = model.program.varying, model.program.layout
    cells = sum(math.prod(layout.size(dim) for dim in own.dims) for own in varying.values() if own.random)
    return 8 * total * cells


def _needed(model: Model, choice: Choice) -> list[str]:
    """Quantities without which a section of the page would be missing."""
    checked = ("chip_spending", "annualized_capex", "chip_market", "provider_capex", "provider_chip_budget")
    wanted = [*choice.headlines, *(name for name in checked if name in model.program.varying)]
    wanted += [name for name in model.equations if name.startswith("exceeds_")]
    wanted += [str(piece.quantity) for piece in model.evidence if hasattr(piece, "quantity")]
    wanted += [*model.assumptions, *(["cards", "revenue"] if choice.decides else [])]
    return list(dict.fromkeys(wanted))


def _shares(model: Model, choice: Choice, data: xr.Dataset, points: int, prob: float) -> xr.Dataset:
    """Shares of variance: Sobol' indices, Shapley effects of correlated assumptions, or read off the draws.

    The last where there are so many years and scenarios that runs of their own would take minutes; then of the
    last label of the model's dims, which the attribute ``read_at`` names.
    """
    from demandsim.sensitivity import given_data, shapley, sobol

    names, seed, chains = list(choice.explained), data.attrs["seed"], data.sizes["chain"]
    dims = {str(dim) for name in names for dim in data[name].dims if dim not in ("chain", "draw")}
    if math.prod(data.sizes[dim] for dim in dims) > _ELEMENTS:
        inner = {dim: -1 for dim in dims if dim in model.program.layout.model_dims}
        read = data[list(model.assumptions)]
        for name in names:
            own = {dim: place for dim, place in inner.items() if dim in data[name].dims}
            read[name] = data[name].isel(own, drop=True)
        found = given_data(read.isel(draw=slice(0, _READ)), names, prob=prob, seed=seed, resamples=10)
        labels = {dim: data[dim].values[-1].item() for dim in inner}
        return found.assign_attrs(read_at=labels, draws=min(_READ, data.sizes["draw"]))
    try:
        return sobol(model, names, draws=points, chains=chains, seed=seed, prob=prob)
    except CorrelationError:
        return shapley(model, names, draws=points, chains=chains, seed=seed, prob=prob)


def _worth(data: xr.Dataset, choice: Choice) -> list[xr.Dataset]:
    """What knowing each assumption before cards are ordered is worth, by scenario."""
    from demandsim.decisions import OrderCards, value_of_information

    found = []
    for labels in choice.scenarios:
        here = data.sel({dim: label for dim, label in labels.items() if dim in data.dims})
        found.append(value_of_information(here, orders(here.cards.values), OrderCards()))
    return found


def orders(cards: Any) -> list[float]:
    """Orders to choose from: none, and steps from the lowest to the highest demand, rounded to two digits."""
    low, high = np.quantile(cards, [0.01, 0.99])
    steps = np.geomspace(max(low, 1.0), max(high, 2.0), _ORDERS)
    return [0.0, *sorted({float(f"{step:.1e}") for step in steps})]
