"""Runs: every run of the model that the page needs, from one seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.errors import CorrelationError, DemandsimError
from demandsim.report.selection import Selection
from demandsim.sampling.progress import Progress

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["Results", "Sample", "computed", "random_of"]

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


@dataclass(frozen=True)
class Sample:
    """How a model is simulated for the page, as for ``model.simulate``, and the probability of its intervals."""

    draws: int = 8192
    chains: int = 8
    seed: int | None = None
    prob: float = 0.9


@dataclass(frozen=True, eq=False)
class Results:
    """What the runs of a model gave.

    Parameters
    ----------
    model : Model
    selection : Selection
    prob : float
        Probability of the intervals.
    draws, summary, point : Dataset
    checks : Dataset, optional
        Of `cross_check`, where there is something to check.
    moved, shares : Dataset, optional
        Tornado; Sobol' indices, or Shapley effects where assumptions are correlated.
    worth : sequence of Dataset
        Value of information by scenario, empty where the model has no decision.
    absent : mapping of section to str
        Why a section could not be computed.
    posterior : Dataset, optional
        Draws given the evidence, where the model has some.
    """

    model: Model
    selection: Selection
    prob: float
    draws: xr.Dataset
    summary: xr.Dataset
    point: xr.Dataset
    checks: xr.Dataset | None = None
    moved: xr.Dataset | None = None
    shares: xr.Dataset | None = None
    worth: Sequence[xr.Dataset] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    posterior: xr.Dataset | None = None


def computed(model: Model, selection: Selection, sample: Sample, progress: Progress = None) -> Results:
    """Run the model: draws, then what they and the assumptions say.

    A section whose analysis refuses is left out with the reason; draws that fail raise.
    """
    from demandsim.sensitivity import tornado
    from demandsim.series.cross_check import can_cross_check, cross_check
    from demandsim.statistics.summarize import summarize

    draws, prob = sample.draws, sample.prob
    kept = None if _size(model, draws * sample.chains) <= _KEPT else _needed(model, selection)
    data = model.simulate(draws, chains=sample.chains, seed=sample.seed, prob=prob, keep=kept, progress=progress)
    absent: dict[str, str] = {}

    def attempt(section: str, wanted: bool, function: Callable[[], Any]) -> Any:
        try:
            return function() if wanted else None
        except DemandsimError as error:
            absent[section] = str(error)
            return None

    explained = bool(selection.explained)
    moved = attempt("moves", explained, lambda: tornado(model, list(selection.explained), prob=prob))
    shares = attempt("shares", explained, lambda: _shares(model, selection, data, min(draws, _POINTS), prob))
    return Results(
        model,
        selection,
        prob,
        data,
        summarize(random_of(data), prob, probs=(0.25, 0.75)),
        model.point(),
        cross_check(data) if can_cross_check(data) else None,
        moved,
        shares,
        attempt("information", selection.decides, lambda: _worth(data, selection)) or [],
        absent,
        attempt("learned", bool(model.evidence), lambda: _posterior(model, data, kept)),
    )


def _posterior(model: Model, data: xr.Dataset, kept: list[str] | None) -> xr.Dataset:
    """What is known given the evidence: fewer draws than of the prior, each of which costs more."""
    draws, seed = min(data.sizes["draw"], _BELIEVED), int(data.attrs["seed"])
    return model.infer(draws, chains=data.sizes["chain"], seed=seed, keep=kept)


def random_of(data: xr.Dataset) -> xr.Dataset:
    """Select what has draws."""
    return data[[name for name, array in data.data_vars.items() if {"chain", "draw"} <= set(array.dims)]]


def _size(model: Model, total: int) -> int:
    varying, layout = model.program.varying, model.program.layout
    cells = sum(math.prod(layout.size(dim) for dim in own.dims) for own in varying.values() if own.random)
    return 8 * total * cells


def _needed(model: Model, selection: Selection) -> list[str]:
    """Quantities without which a section of the page would be missing."""
    checked = ("chip_spending", "annualized_capex", "chip_market", "provider_capex", "provider_chip_budget")
    wanted = [*selection.headlines, *(name for name in checked if name in model.program.varying)]
    wanted += [name for name in model.equations if name.startswith("exceeds_")]
    wanted += [str(piece.quantity) for piece in model.evidence if hasattr(piece, "quantity")]
    wanted += [*model.assumptions, *(["cards", "revenue"] if selection.decides else [])]
    return list(dict.fromkeys(wanted))


def _shares(model: Model, selection: Selection, data: xr.Dataset, points: int, prob: float) -> xr.Dataset:
    """Shares of variance: Sobol' indices, Shapley effects of correlated assumptions, or read off the draws.

    The last where there are so many years and scenarios that runs of their own would take minutes; then of the
    last label of the model's dims, which the attribute ``read_at`` names.
    """
    from demandsim.sensitivity import given_data, shapley, sobol

    names, seed, chains = list(selection.explained), data.attrs["seed"], data.sizes["chain"]
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


def _worth(data: xr.Dataset, selection: Selection) -> list[xr.Dataset]:
    """What knowing each assumption before cards are ordered is worth, by scenario."""
    from demandsim.decisions import OrderCards, value_of_information

    found = []
    for labels in selection.scenarios:
        here = data.sel({dim: label for dim, label in labels.items() if dim in data.dims})
        found.append(value_of_information(here, orders(here.cards.values), OrderCards()))
    return found


def orders(cards: Any) -> list[float]:
    """Orders to choose from: none, and steps from the lowest to the highest demand, rounded to two digits."""
    low, high = np.quantile(cards, [0.01, 0.99])
    steps = np.geomspace(max(low, 1.0), max(high, 2.0), _ORDERS)
    return [0.0, *sorted({float(f"{step:.1e}") for step in steps})]
