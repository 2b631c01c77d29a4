"""Actions on a labelled dim, and what they pay by labels: all at once, or one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from demandsim._system import Array
from demandsim.errors import DemandsimError

__all__ = ["Actions", "LabelledPayoff", "Payoff", "at_place", "labelled_actions"]

Actions = xr.DataArray | Sequence[Any]
Payoff = Callable[[xr.Dataset, xr.DataArray], xr.DataArray] | xr.DataArray


def labelled_actions(actions: Actions | None, payoff: Payoff, dim: str) -> xr.DataArray:
    """Actions on a dim of their own.

    Raises
    ------
    DemandsimError
        If there are none, if they are not in a row, or if two have the same label.
    """
    if actions is None and isinstance(payoff, xr.DataArray) and dim in payoff.dims:
        actions = payoff[dim] if dim in payoff.coords else list(range(payoff.sizes[dim]))
    if actions is None:
        raise DemandsimError(
            "name the actions, such as actions=[100_000, 200_000], or pass payoffs that have a dim of them"
        )
    if isinstance(actions, xr.DataArray):
        found = actions
        if found.ndim != 1:
            raise DemandsimError(f"actions must stand on one dim; this array has the dims {found.dims}")
        name = str(found.dims[0])
        if name not in found.coords:
            found = found.assign_coords({name: found.values})
    else:
        name = dim
        values = np.asarray(list(actions))
        if values.ndim != 1 or values.dtype.kind not in "fiubUM":
            raise DemandsimError(f"actions must be numbers or texts in a row, not {actions!r:.60}")
        found = xr.DataArray(values, dims=name, coords={name: values}, name=name)
    if name in ("chain", "draw"):
        raise DemandsimError(f"actions cannot stand on the dim '{name}', which is that of the draws")
    if not found.size:
        raise DemandsimError("there is no action to choose from: actions is empty")
    labels = found[name].values
    unique, counts = np.unique(labels, return_counts=True)
    if unique.size < labels.size:
        raise DemandsimError(f"action {unique[counts > 1][0].item()!r} is named twice; each needs a label of its own")
    if found.dtype.kind == "f" and not np.all(np.isfinite(found.values)):
        raise DemandsimError("actions hold NaN or infinity; name numbers that can be chosen")
    return found


def at_place[D: (xr.Dataset, xr.DataArray)](data: D, place: Mapping[str, Any]) -> D:
    """Select the labels of a place along those of its dims that the data has; a payoff may have made further dims."""
    for name, label in place.items():
        if name in data.dims:
            data = data.sel({name: label}) if name in data.coords else data.isel({name: int(label)})
    return data


class LabelledPayoff:
    """A payoff by its labels: asked for all actions at once, or for one after the other."""

    def __init__(self, draws: xr.Dataset, actions: xr.DataArray, payoff: Payoff) -> None:
        self.draws, self.actions, self.payoff = draws, actions, payoff
        self.dim = str(actions.dims[0])
        self.one_by_one = False
        if isinstance(payoff, xr.DataArray):
            first = self._checked(payoff, "payoff")
            if self.dim not in first.dims or first.sizes[self.dim] != actions.size:
                raise DemandsimError(
                    f"these payoffs have no dim '{self.dim}' with {actions.size} actions; their dims are "
                    f"{dict(first.sizes)}"
                )
            if self.dim in first.coords and not np.array_equal(first[self.dim].values, actions[self.dim].values):
                raise DemandsimError(f"the labels of the payoffs along '{self.dim}' are not those of the actions")
        else:
            if isinstance(payoff, type):
                raise DemandsimError(f"payoff {payoff.__name__} is a class; call it: {payoff.__name__}()")
            if not callable(payoff):
                raise DemandsimError("payoff must be a function of draws and action, or a DataArray of payoffs")
            first = self._asked(self.draws, actions.isel({self.dim: slice(0, 1)}))
        self.others = {
            str(d): first[d].values if d in first.coords else np.arange(first.sizes[d])
            for d in first.dims
            if d not in ("chain", "draw", self.dim)
        }

    def places(self) -> Iterator[dict[str, Any]]:
        """Go through the labels of the payoff's dims other than draws and actions."""
        for labels in itertools.product(*(values.tolist() for values in self.others.values())):
            yield dict(zip(self.others, labels, strict=True))

    def at(self, place: dict[str, Any]) -> Callable[[slice], Array]:
        """Return the function that gives payoffs of some actions at a place, shape (actions, draws)."""
        own = at_place(self.draws, place)

        def compute(block: slice) -> Array:
            if isinstance(self.payoff, xr.DataArray):
                found = self.payoff.isel({self.dim: block})
            else:
                found = self._asked(own, self.actions.isel({self.dim: block}))
            found = at_place(found, place)
            size = block.stop - block.start
            if self.dim not in found.dims:
                found = found.expand_dims({self.dim: size})
            values = found.transpose(self.dim, "chain", "draw").values
            return np.ascontiguousarray(values, dtype=np.float64).reshape(size, -1)

        return compute

    def _asked(self, draws: xr.Dataset, actions: xr.DataArray) -> xr.DataArray:
        if callable(self.payoff) and not self.one_by_one:
            try:
                return self._checked(self.payoff(draws, actions), "the payoff's result")
            except (TypeError, ValueError) as error:
                if isinstance(error, DemandsimError):
                    raise
                # A payoff with `if action == ...` in it takes one action at a time; an error that is another stays.
                self.one_by_one = True
        singles = []
        for place in range(actions.size):
            action = actions.isel({self.dim: place})
            singles.append(self._checked(self.payoff(draws, action), "the payoff's result"))  # type: ignore[operator]
        joined = xr.concat(
            [s.drop_vars(self.dim, errors="ignore") for s in singles],
            dim=self.dim,
            coords="minimal",
            compat="override",
            combine_attrs="override",
            join="outer",
        )
        return joined.assign_coords({self.dim: actions[self.dim].values})

    def _checked(self, found: Any, what: str) -> xr.DataArray:
        if not isinstance(found, xr.DataArray):
            raise DemandsimError(
                f"{what} must be a DataArray with the dims of the draws, not {type(found).__name__}; "
                "compute with draws.NAME and xarray functions, which keep labels, not with .values"
            )
        if not {"chain", "draw"} & set(found.dims):
            raise DemandsimError(f"{what} has lost the dims 'chain' and 'draw'; its dims are {found.dims}")
        for name in ("chain", "draw"):
            if name not in found.dims or found.sizes[name] != self.draws.sizes[name]:
                raise DemandsimError(
                    f"{what} has no dim '{name}' of length {self.draws.sizes[name]}; its dims are {dict(found.sizes)}"
                )
        if found.dtype.kind not in "fiub":
            raise DemandsimError(f"{what} holds {found.dtype}, not numbers")
        return found
