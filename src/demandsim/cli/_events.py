"""Events of a run: those that a study puts in words and those asked for, and how likely they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from demandsim.graph.presentation import time_dims
from demandsim.statistics.table import places

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.locale.words import Words
    from demandsim.model import Model

__all__ = ["Asked", "asked_events", "said_chances"]


class Asked(NamedTuple):
    """An event to tell: its key in JSON, its words, and its text."""

    key: str
    says: str
    event: str

    def said(self, words: Words) -> str:
        """Put it in the words of a language: the study's own, or the names of what it compares."""
        if words.code == "en":
            return self.says
        return words.text(self.says) if self.says != self.event else words.name(self.event)


def asked_events(model: Model, asked: Sequence[str]) -> Iterator[Asked]:
    """Events that the study puts in words, and those asked for."""
    from demandsim.statistics.event import parse_event

    for name, shown in model.presentation.events.items():
        if shown.says and set(parse_event(shown.event).names) <= set(model.quantities):
            yield Asked(name, shown.says, shown.event)
    for text in asked:
        event = str(parse_event(text, model.quantities))
        yield Asked(event, event, event)


def said_chances(covers: xr.Dataset, words: Words) -> list[str]:
    """The probability of each scenario; over time, of all years in one line."""
    time = next(iter(time_dims(covers)), None)
    lines = []
    for place in places(covers, [str(dim) for dim in covers.probability.dims if dim != time]):
        here = covers.sel(place)
        label = ", ".join(words.label(value) for value in place.values())
        if time is None:
            chance, error = f"{float(here.probability):.1%}", f"{100 * float(here.mcse):.2g}"
            said = words.say("chance", chance=chance, error=words.say("points", error=error))
        else:
            parts = [f"{t} {float(here.probability.sel({time: t})):.1%}" for t in here[time].values]
            error = words.say("points_at_most", error=f"{100 * float(here.mcse.max()):.2g}")
            said = words.say("chance", chance=", ".join(parts), error=error)
        lines.append(words.say("said_of", what=label, said=said) if label else said)
    return lines
