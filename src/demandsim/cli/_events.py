"""Events of a run: those that a study puts in words and those asked for, and how likely they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from demandsim.graph.presentation import time_dims
from demandsim.statistics.table import places

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["Asked", "asked_events", "said_chances"]


class Asked(NamedTuple):
    """An event to tell: its key in JSON, its words, and its text."""

    key: str
    says: str
    event: str


def asked_events(model: Model, asked: Sequence[str]) -> Iterator[Asked]:
    """Events that the study puts in words, and those asked for."""
    from demandsim.statistics.event import parse_event

    for name, shown in model.presentation.events.items():
        if shown.says and set(parse_event(shown.event).names) <= set(model.quantities):
            yield Asked(name, shown.says, shown.event)
    for text in asked:
        event = str(parse_event(text, model.quantities))
        yield Asked(event, event, event)


def said_chances(covers: xr.Dataset) -> list[str]:
    """The probability of each scenario; over time, of all years in one line."""
    time = next(iter(time_dims(covers)), None)
    lines = []
    for place in places(covers, [str(dim) for dim in covers.probability.dims if dim != time]):
        here = covers.sel(place)
        label = ", ".join(str(value) for value in place.values())
        if time is None:
            said = f"{float(here.probability):.1%} (MCSE {100 * float(here.mcse):.2g} points)"
        else:
            parts = [f"{t} {float(here.probability.sel({time: t})):.1%}" for t in here[time].values]
            said = f"{', '.join(parts)} (MCSE at most {100 * float(here.mcse.max()):.2g} points)"
        lines.append(f"{label}: {said}" if label else said)
    return lines
