"""Targets: the numbers whose variance is divided, which are quantities, their logarithms, or events."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.errors import DemandsimError
from demandsim.sampling.program import Values
from demandsim.sensitivity.inputs import Groups, Inputs, Kept, gather, quantities
from demandsim.sensitivity.results import Quantified, labelled, named
from demandsim.statistics.event import Event, event_of

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["Explained", "Happening", "Target", "events", "explained", "targets"]

#: What users give: read by `statistics.event`, or a function of the draws.
Happening = str | tuple[str, str, float] | Event | Callable[..., Any]


@dataclass(frozen=True)
class Target(Quantified):
    """A number to explain, for every element of a quantity.

    Parameters
    ----------
    label : str
    dims : tuple of str
        Over which it varies, in the order of the layout.
    names : tuple of str
        Quantities that it is read from.
    read : callable
        From values with all axes of the layout to an array of shape (elements, draws).
    """

    names: tuple[str, ...]
    read: Callable[[Mapping[str, Array], int], Array]


@dataclass(frozen=True, eq=False)
class Explained:
    """What a division of variance is about.

    Parameters
    ----------
    model : Model
    inputs : Inputs
    targets : tuple of Target
    scale : {"linear", "log", "event"}
    """

    model: Model
    inputs: Inputs
    targets: tuple[Target, ...]
    scale: str

    @property
    def labels(self) -> list[str]:
        """Label of each element's target."""
        layout = self.inputs.program.layout
        return [target.label for target in self.targets for _ in range(target.elements(layout))]

    @functools.cached_property
    def reach(self) -> npt.NDArray[np.bool_]:
        """Whether each element is computed from each factor at all, shape (elements, factors)."""
        behind = [self.model.graph.ancestors(target.names) for target in self.targets]
        rows = [[not own.isdisjoint(factor.members) for factor in self.inputs.factors] for own in behind]
        layout = self.inputs.program.layout
        return np.repeat(np.array(rows), [target.elements(layout) for target in self.targets], axis=0)

    def values(self, assumed: Values, draws: int, kept: Kept | None = None) -> Array:
        """Run the model, and read the elements of all targets: shape (elements, draws)."""
        values = self.inputs.run(assumed, kept)
        return np.concatenate([target.read(values, draws) for target in self.targets])

    def table(self, found: Mapping[str, Sequence[Array]], long_names: Mapping[str, str], invalid: Array) -> xr.Dataset:
        """Label indices and their lower and upper bounds and errors.

        Parameters
        ----------
        found : mapping of name to (estimate, lower, upper, mcse)
            Each of shape (elements, factors), or (elements, factors, factors).
        long_names : mapping of name to label
        invalid : array of shape (elements,)
            Runs that gave NaN or infinity.
        """
        import xarray as xr

        names, layout = [factor.name for factor in self.inputs.factors], self.inputs.program.layout
        out = xr.Dataset()
        for name, parts in found.items():
            axes = dict.fromkeys(("assumption", "assumption_2")[: parts[0].ndim - 1], names)
            for part, suffix in zip(parts, ("", "lower", "upper", "error"), strict=True):
                key = {"": name, "error": f"{name}_mcse"}.get(suffix, f"{name}_{suffix}")
                label = long_names[name] + (suffix and f", {suffix}")
                out[key] = labelled(part, self.targets, layout, axes).assign_attrs(units="1", long_name=label)
        out["n_invalid"] = labelled(invalid, self.targets, layout, {})
        shown = [factor.long_name for factor in self.inputs.factors]
        return named(out.assign_coords(long_name=("assumption", shown)), self.model)


def explained(
    model: Model, of: str | Sequence[str] | None, groups: Groups | None, *, log: bool, event: Happening | None
) -> Explained:
    """Find the targets that a user asks for, and the inputs behind them."""
    if event is None:
        if of is None:
            raise DemandsimError("of= is missing: name the quantities to explain, such as of='cards'")
        names = quantities(model, of)
        made = targets(model, names, log=log)
    else:
        if log:
            raise DemandsimError("an event is 0 or 1 and has no logarithm; leave out log=True")
        made = events(model, () if of is None else quantities(model, of), event)
        names = tuple(dict.fromkeys(name for target in made for name in target.names))
    scale = "event" if event is not None else "log" if log else "linear"
    return Explained(model, gather(model, names, groups), tuple(made), scale)


def _flat(array: Array, draws: int) -> Array:
    """Shape (elements, draws), of an array with all axes."""
    return np.reshape(np.broadcast_to(array, (*array.shape[:-1], draws)), (-1, draws))


def _dims(model: Model, names: Sequence[str]) -> tuple[str, ...]:
    dims = frozenset().union(*(model.program.varying[name].dims for name in names))
    return tuple(dim for dim in model.program.layout.dims if dim in dims)


def targets(model: Model, names: Sequence[str], *, log: bool = False) -> list[Target]:
    """The quantities themselves, or their logarithms."""

    def read(name: str, values: Mapping[str, Array], draws: int) -> Array:
        found = _flat(values[name], draws)
        if log and np.any(found <= 0):
            raise DemandsimError(
                f"'{name}' is not positive in {np.mean(found <= 0):.1%} of draws, and has no logarithm there; "
                "use log=False"
            )
        return np.log(found) if log else found

    return [Target(name, _dims(model, [name]), (name,), functools.partial(read, name)) for name in names]


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
    units = model.declared_units
    event.in_units(units)

    def happens(values: Mapping[str, Array], draws: int) -> Array:
        return _flat(event.chance(values, units), draws)

    return Target(str(event), _dims(model, event.names), event.names, happens)


def _called(model: Model, names: tuple[str, ...], event: Callable[[xr.Dataset], Any]) -> Target:
    """An event that a function of the labelled draws decides."""
    layout, varying = model.program.layout, model.program.varying

    def drawn(values: Mapping[str, Array]) -> Any:
        import xarray as xr

        found = event(xr.Dataset({name: layout.label(values[name], varying[name]) for name in names}))
        if not isinstance(found, xr.DataArray) or found.dtype != bool:
            raise DemandsimError("event must return a bool DataArray, such as draws.gross_margin > 0")
        return found

    # Tried on the median of everything, to learn over which dims the event varies.
    needed = model.graph.ancestors(names)
    middle = model.program.assume(lambda stream: np.full(2, 0.5), 2, needed)
    tried = drawn({**middle, **model.program.derive(middle, needed)})
    dims = tuple(dim for dim in layout.dims if dim in tried.dims)

    def happens(values: Mapping[str, Array], draws: int) -> Array:
        found = drawn(values)
        found = found if "draw" in found.dims else found.expand_dims(draw=draws)
        out = found.transpose(*dims, "draw").values.astype(float)
        for name in names:
            bad = ~np.isfinite(values[name])
            if bad.any():
                out[..., np.broadcast_to(bad.reshape(-1, bad.shape[-1]).any(axis=0), draws)] = np.nan
        return np.asarray(out.reshape(-1, draws))

    called = getattr(event, "__name__", "event")
    return Target("event" if called == "<lambda>" else called, dims, names, happens)
