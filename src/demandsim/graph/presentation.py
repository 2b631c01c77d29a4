"""Presentation: what readers of a model look for first, as its study says it, or by a general rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from demandsim.graph.equation import Equation

__all__ = ["Presentation", "PresentedEvent", "time_dims"]

#: Dims of these names, and those whose labels are dates or years, are of time.
_TIMES = ("year", "date", "quarter", "month")
_YEARS = 1900, 2200
#: With fewer printed results, readers are shown others too; at most so many.
_FEW, _MOST = 4, 8


@dataclass(frozen=True)
class PresentedEvent:
    """An event that readers ask for.

    Parameters
    ----------
    event : str
        Such as ``"gross_margin > 0"``.
    says : str
        In words, after "Probability that"; empty where its quantities say it.
    """

    event: str
    says: str = ""


@dataclass(frozen=True)
class Presentation:
    """What readers look for first.

    Parameters
    ----------
    results : tuple of str
        Headline quantities, the most wanted first.
    explained : tuple of str
        Those that tornado and indices explain first.
    pictured : tuple of str
        Those in the picture of a run; the first results by default.
    time : tuple of str
        Dims of time, which run across a table.
    events : mapping of name to PresentedEvent
    """

    results: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    pictured: tuple[str, ...] = ()
    time: tuple[str, ...] = ()
    events: Mapping[str, PresentedEvent] = field(default_factory=dict)

    def completed(
        self,
        equations: Mapping[str, Equation],
        known: Iterable[str],
        printed: Sequence[str],
        coords: Mapping[str, Sequence[Any]],
    ) -> Presentation:
        """Return it without what a model does not have, and with what it leaves unsaid.

        Results are then those that the source prints, and those that no other equation uses; the first are explained.

        Parameters
        ----------
        equations : mapping of name to Equation
        known : iterable of str
            Quantities of the model.
        printed : sequence of str
            Quantities of which the source prints a value.
        coords : mapping of dim to labels
        """
        every = set(known)
        results, explained, pictured = (
            tuple(name for name in names if name in every) for names in (self.results, self.explained, self.pictured)
        )
        if not results:
            used = {name for made in equations.values() for name in made.inputs}
            offered = list(dict.fromkeys(name for name in printed if name in equations))
            if len(offered) < _FEW:
                offered += [name for name in equations if name not in used]
            # An indicator says of a limit whether it holds, and is told as a cross-check.
            plain = [name for name in dict.fromkeys(offered) if not name.startswith("exceeds_")]
            results = tuple(plain[:_MOST] or list(equations)[-1:])
        time = tuple(dim for dim in self.time if dim in coords) or time_dims(coords)
        return replace(self, results=results, explained=explained or results, pictured=pictured, time=time)


def time_dims(data: Any) -> tuple[str, ...]:
    """Dims whose labels are dates or years, or which are called so.

    Parameters
    ----------
    data : mapping of dim to labels, DataArray or Dataset

    Examples
    --------
    >>> time_dims({"scenario": ["low", "high"], "horizon": [2025, 2026.5], "quarter": ["Q1", "Q2"]})
    ('horizon', 'quarter')
    """
    import numpy as np

    coords = data if isinstance(data, Mapping) else {}
    if hasattr(data, "coords"):
        # The numbers of chains and draws are no years, however many there are.
        coords = {d: data.coords[d] for d in data.dims if d in data.coords and d not in ("chain", "draw")}
    return tuple(str(dim) for dim, labels in coords.items() if dim in _TIMES or _are_times(np.asarray(labels)))


def _are_times(labels: Any) -> bool:
    if labels.dtype.kind == "M":
        return True
    number = labels.dtype.kind in "iuf" and labels.size > 1
    return bool(number and ((labels >= _YEARS[0]) & (labels < _YEARS[1])).all())
