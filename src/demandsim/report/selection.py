"""Selection: which quantities of a model the page is about, and over which labels a reader switches."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demandsim.errors import check_known
from demandsim.statistics.event import Event, parse_event

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["Selection", "at", "last_of", "selection_of"]

#: Labels of a further dim, such as hardware, that get a row each; of more, the last one.
_LABELS = 6


@dataclass(frozen=True)
class Selection:
    """What the page is about.

    Parameters
    ----------
    headlines : tuple of str
        Computed quantities, the most wanted first.
    explained : tuple of str
        Those that sensitivity looks at; all of them are uncertain.
    scenarios : tuple of dict
        Labels of the scenario dims, one dict per combination.
    time_dim : str
        Empty where nothing varies over time.
    times : tuple
        Labels of that dim.
    decides : bool
        The model has what an order of cards takes.
    events : tuple of Event
        Whose probabilities readers ask for.
    """

    headlines: tuple[str, ...]
    explained: tuple[str, ...]
    scenarios: tuple[dict[str, str], ...]
    time_dim: str
    times: tuple[Any, ...]
    decides: bool
    events: tuple[Event, ...] = ()

    def shown_labels(self, coords: Any, dims: Sequence[str]) -> list[dict[str, Any]]:
        """Labels of the further dims of a quantity, such as hardware: all if they are few, or the last."""
        apart = [dim for dim in dims if dim not in self.scenario_dims and dim != self.time_dim]
        every = [list(coords[dim]) for dim in apart]
        few = [labels if len(labels) <= _LABELS else labels[-1:] for labels in every]
        return [dict(zip(apart, labels, strict=True)) for labels in itertools.product(*few)]

    @property
    def scenario_dims(self) -> tuple[str, ...]:
        """Dims of scenarios, in order."""
        return tuple(self.scenarios[0])


def at(array: Any, place: Mapping[str, Any]) -> Any:
    """Select the labels of those dims that an array has."""
    return array.sel({dim: label for dim, label in place.items() if dim in array.dims})


def last_of(array: Any, place: Mapping[str, Any]) -> Any:
    """Select a place, and of the model's dims that are not in it the last label."""
    found = at(array, place)
    kept = {"assumption", "end", "statistic", "chain", "draw", "quantity"}
    return found.isel({dim: -1 for dim in found.dims if dim not in kept})


def selection_of(model: Model, of: Sequence[str] | None = None) -> Selection:
    """Select from what was asked for, from what readers look for, and from what the source printed.

    Raises
    ------
    UnknownNameError
        If `of` names something that the model does not have.

    Examples
    --------
    >>> import demandsim as ds
    >>> found = selection_of(ds.load_study("guosen-2025-01"))
    >>> found.explained, found.scenarios
    (('gross_margin', 'cards'), ({'scenario': '100T'}, {'scenario': '1000T'}))
    """
    check_known(of or (), model.quantities, "quantity")
    varying, layout = model.program.varying, model.program.layout
    shown = model.presentation
    headlines = tuple(dict.fromkeys(of or shown.results))
    offered = headlines if of else dict.fromkeys([*shown.explained, *headlines])
    explained = [name for name in offered if varying[name].random]
    if not of:
        # A total says more than one kind of hardware does.
        further = set(layout.model_dims) - set(shown.time)
        apart = {name for name in offered if further & set(varying[name].dims)}
        explained.sort(key=apart.__contains__)
        headlines = tuple(sorted(headlines, key=apart.__contains__))
    seen = {dim for name in headlines for dim in varying[name].dims}
    time_dim = next((dim for dim in shown.time if dim in seen), "")
    grid = [[(dim, str(label)) for label in layout.coords[dim]] for dim in layout.scenario_dims]
    return Selection(
        headlines,
        tuple(explained[:2]),
        tuple(dict(labels) for labels in itertools.product(*grid)),
        time_dim,
        tuple(layout.coords[time_dim]) if time_dim else (),
        _decides(model),
        tuple(parse_event(one.event) for one in shown.events.values()),
    )


def _decides(model: Model) -> bool:
    """Tell whether a model has what an order of cards takes: one uncertain demand, paid and earned in yuan."""
    from demandsim.units.convert import same_dimension

    varying, inner = model.program.varying, set(model.program.layout.model_dims)
    needed = ("cards", "card_price", "revenue", "useful_life")
    if any(name not in varying or inner & set(varying[name].dims) for name in needed) or not varying["cards"].random:
        return False
    paid, earned = ((model.assumptions.get(name) or model.equations[name]).unit for name in ("card_price", "revenue"))
    return same_dimension(paid, "CNY/card") and same_dimension(earned, "CNY/year")
