"""Points: keyed low-discrepancy points of one's own choice, and the model's values there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import normal_scores, standard_normal
from demandsim.errors import DemandsimError
from demandsim.sampling.program import Layout, Values, Varying
from demandsim.sampling.qmc import Stream, sobol
from demandsim.sensitivity.inputs import Inputs
from demandsim.statistics.event import Event, event_of

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["Happening", "Target", "cube", "events", "grades_of", "read", "scores", "targets", "values_at"]

#: What users give: read by `statistics.event`, or a function of the draws.
Happening = str | tuple[str, str, float] | Event | Callable[..., Any]


@dataclass(frozen=True)
class Target:
    """A number to explain, for every element of a quantity.

    Parameters
    ----------
    label : str
    names : tuple of str
        Quantities that it is read from.
    dims : tuple of str
        Over which it varies, in the order of the layout.
    read : callable
        From values with all axes of the layout to an array of shape (elements, draws).
    """

    label: str
    names: tuple[str, ...]
    dims: tuple[str, ...]
    read: Callable[[Mapping[str, Array], int], Array]


def cube(inputs: Inputs, seed: int, chains: Sequence[int], replica: str, start: int, stop: int, draws: int) -> Array:
    """Points of the unit cube, shape (coordinates, chains * draws).

    Replica "A" takes the first dimensions of the Sobol' sequence, which are the most even, "B" the
    next: together they are points of one sequence. Any other replica is a sequence of its own.
    """
    offset = len(inputs.streams) if replica == "B" else 0
    out = np.empty((len(inputs.streams), len(chains) * (stop - start)))
    for place, stream in enumerate(inputs.streams):
        made = inputs.program.streams[stream]
        key = Stream(f"{made.name}|sensitivity {replica}", made.element, place + offset)
        for number, chain in enumerate(chains):
            part = slice(number * (stop - start), (number + 1) * (stop - start))
            out[place, part] = sobol(seed, chain, key, start, stop, draws)
    return out


def scores(u: Array) -> Array:
    """Normal scores of numbers in (0, 1), of any shape."""
    return np.reshape(standard_normal()(u.ravel()), u.shape)


def grades_of(inputs: Inputs, u: Array) -> Array:
    """Pass independent numbers through the copula; what is uncorrelated keeps its bits."""
    together = [place for place, alone in enumerate(inputs.alone) if not alone]
    if not together:
        return u
    out = u.copy()
    z = np.linalg.cholesky(inputs.correlation[np.ix_(together, together)]) @ scores(u[together])
    out[together] = normal_scores(z)
    return out


def values_at(inputs: Inputs, grades: Array) -> Values:
    """Values of the needed assumptions, in their units, at given grades."""
    row = {stream: grades[place] for place, stream in enumerate(inputs.streams)}
    return inputs.program.assume(row.__getitem__, grades.shape[1], set(inputs.needed))


def read(inputs: Inputs, assumed: Values, wanted: Sequence[Target], draws: int) -> list[Array]:
    """Run the model on values of its assumptions, and read the targets."""
    values = {**assumed, **inputs.program.derive(assumed, set(inputs.needed))}
    return [target.read(values, draws) for target in wanted]


def _flat(array: Array, draws: int) -> Array:
    """Shape (elements, draws), of an array with all axes."""
    return np.reshape(np.broadcast_to(array, (*array.shape[:-1], draws)), (-1, draws))


def _dims(layout: Layout, varying: Varying) -> tuple[str, ...]:
    return tuple(dim for dim in layout.dims if dim in varying.dims)


def targets(model: Model, names: Sequence[str], *, log: bool = False) -> list[Target]:
    """The quantities themselves, or their logarithms."""

    def target(name: str) -> Target:
        def plain(values: Mapping[str, Array], draws: int) -> Array:
            found = _flat(values[name], draws)
            if not log:
                return found
            if np.any(found <= 0):
                raise DemandsimError(
                    f"'{name}' is not positive in {np.mean(found <= 0):.1%} of draws, and has no logarithm there; "
                    "use log=False"
                )
            return np.log(found)

        return Target(name, (name,), _dims(model.program.layout, model.program.varying[name]), plain)

    return [target(name) for name in names]


def events(model: Model, of: Sequence[str], event: Happening) -> list[Target]:
    """Whether an event happens, as 0 or 1; NaN where a quantity that it is read from is invalid.

    Raises
    ------
    DemandsimError
        If the event cannot be read.
    """
    if callable(event) and not isinstance(event, Event):
        # It may look at any quantity.
        return [_called(model, model.quantities, event)]
    # One for each quantity, of a text that leaves it open: "> 0".
    made = [event_of(event, model.quantities, of=name) for name in of] if of else [event_of(event, model.quantities)]
    return [_event(model, one) for one in dict.fromkeys(made)]


def _event(model: Model, event: Event) -> Target:
    varying, units = model.program.varying, model.declared_units
    event.in_units(units)
    dims = frozenset().union(*(varying[name].dims for name in event.names))
    own = tuple(dim for dim in model.program.layout.dims if dim in dims)
    return Target(str(event), event.names, own, lambda values, draws: _flat(event.chance(values, units), draws))


def _called(model: Model, names: tuple[str, ...], event: Callable[[xr.Dataset], Any]) -> Target:
    """An event that a function of the labelled draws decides."""
    layout, varying = model.program.layout, model.program.varying

    def labelled(values: Mapping[str, Array]) -> Any:
        import xarray as xr

        found = event(xr.Dataset({name: layout.label(values[name], varying[name]) for name in names}))
        if not isinstance(found, xr.DataArray) or found.dtype != bool:
            raise DemandsimError("event must return a bool DataArray, such as draws.gross_margin > 0")
        return found

    # Tried on the median of everything, to learn over which dims the event varies.
    middle = model.program.assume(lambda stream: np.full(2, 0.5), 2, model.graph.ancestors(names))
    tried = labelled({**middle, **model.program.derive(middle, model.graph.ancestors(names))})
    dims = tuple(dim for dim in layout.dims if dim in tried.dims)

    def happens(values: Mapping[str, Array], draws: int) -> Array:
        found = labelled(values)
        found = found if "draw" in found.dims else found.expand_dims(draw=draws)
        out = found.transpose(*dims, "draw").values.astype(float)
        for name in names:
            bad = ~np.isfinite(values[name])
            if bad.any():
                out[..., np.broadcast_to(bad.reshape(-1, bad.shape[-1]).any(axis=0), draws)] = np.nan
        return np.asarray(out.reshape(-1, draws))

    called = getattr(event, "__name__", "event")
    return Target("event" if called == "<lambda>" else called, names, dims, happens)
