"""From draws: pair a quantity with the inputs that may explain it, label by label, in draws already made."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.errors import DemandsimError, DependentInputsWarning, check_dataset, check_known, warn
from demandsim.sensitivity.inputs import Groups, grouped
from demandsim.statistics.event import Event, event_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["MOST", "Asked", "Cells", "Paired", "Row", "asked", "at", "generator", "happened", "paired", "rows_of"]

#: Most draws that are looked at; of more, the first of every chain, which are a sample of their own.
MOST = 1 << 17
#: Fewest draws that may be left under a condition, and that nearest neighbours and kernels take.
FEWEST = 128

#: What is found of one element: of every row, by name, a value and what stands beside it.
type Cells = list[dict[str, tuple[float, ...]]]


@dataclass(frozen=True, eq=False)
class Asked:
    """What a user asks of draws.

    Parameters
    ----------
    draws : Dataset
        In memory.
    of : list of str
        Quantities.
    inputs : mapping of str to tuple of str
        Members of each input: one, unless it is a group.
    available : int
        Draws of each chain before some were taken.
    given : bool DataArray, optional
        Draws that count.
    condition : str
        The same in words; empty if all count.
    """

    draws: xr.Dataset
    of: list[str]
    inputs: dict[str, tuple[str, ...]]
    available: int
    given: xr.DataArray | None = None
    condition: str = ""

    def about(self) -> dict[str, Any]:
        """Attributes of a result: where the draws come from, and how many of them were looked at."""
        told = self.draws.attrs
        carried = {name: told[name] for name in ("study", "model_hash", "design", "chains") if name in told}
        number = int(self.draws.sizes["draw"])
        return carried | {
            "draws": number,
            "draws_available": self.available,
            "thinned": "no" if number == self.available else "the first draws of every chain",
            **({"given": self.condition} if self.condition else {}),
        }

    def check_number(self, function: str) -> None:
        """Raise if there are too few draws to tell anything."""
        number = int(self.draws.sizes["chain"] * self.draws.sizes["draw"])
        if number < FEWEST:
            raise DemandsimError(f"{function} needs {FEWEST} draws or more, and here are {number}: simulate more")


@dataclass(frozen=True)
class Row:
    """A row of a result: an input, or one label of it along dims that the quantity does not have.

    Parameters
    ----------
    label, name : str
        Of the row, and of the input.
    columns : tuple of (str, mapping of dim to label)
        Quantities that it stands for, and where.
    """

    label: str
    name: str
    columns: tuple[tuple[str, dict[str, object]], ...]


@dataclass(frozen=True, eq=False)
class Paired:
    """One element of a quantity, and all inputs with the same labels.

    Parameters
    ----------
    quantity : str
    place : mapping of dim to label
    y : array of shape (draws,)
        Finite, and by a power of two within -1 to 1; so are the inputs.
    x : tuple of array of shape (columns, draws)
        Of every row: one column, unless it is a group.
    chain : int array of shape (draws,)
    invalid : int
        Draws left out because the quantity or an input is NaN or infinite there.
    kept : bool array
        Which of all draws are not left out.
    """

    quantity: str
    place: dict[str, object]
    y: Array
    x: tuple[Array, ...]
    chain: npt.NDArray[np.intp]
    invalid: int
    kept: npt.NDArray[np.bool_]


def generator(entropy: int, purpose: int) -> np.random.Generator:
    """Random numbers for one purpose, from the entropy of a seed."""
    return np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence(entropy, spawn_key=(purpose,))))


def asked(
    draws: xr.Dataset,
    of: str | Sequence[str],
    *,
    inputs: Sequence[str] | None = None,
    groups: Groups | None = None,
    given: Any = None,
    most: int | None = None,
) -> Asked:
    """Check what a user asks for, and load it.

    Raises
    ------
    UnknownNameError
        If the draws have no such quantity.
    DemandsimError
        If they have no dims chain and draw, no assumption, or if an input does not vary or is what it is to explain.

    Warns
    -----
    DependentInputsWarning
        If inputs are computed from others.
    """
    check_dataset(draws)
    if not {"chain", "draw"} <= set(draws.dims):
        raise DemandsimError("draws must have dims 'chain' and 'draw', as model.simulate makes them")
    every = [str(name) for name in draws.data_vars]
    names = [of] if isinstance(of, str) else list(dict.fromkeys(of))
    check_known(names, every, "quantity in of:")
    factors = _factors(draws, names, inputs, groups)
    members = [name for own in factors.values() for name in own]
    where = happened(draws, given) if given is not None else None
    # The first draws of a low-discrepancy sequence fill the cube evenly; every n-th would not.
    first = slice(0, max((most or MOST) // draws.sizes["chain"], 1))
    kept = draws[list(dict.fromkeys([*names, *members]))].isel(draw=first).load()
    varying = {name for name in members if _varies(kept[name])}
    chosen = {*(inputs or ()), *_members(groups)} - varying
    if chosen:
        still = next(name for name in members if name in chosen)
        raise DemandsimError(
            f"'{still}' has one value in all draws, which explains nothing; leave it out of the inputs"
        )
    factors = {name: own for name, own in factors.items() if set(own) <= varying}
    if not factors:
        raise _nothing(draws)
    _warn_of_dependence(draws, factors)
    if where is None:
        return Asked(kept, names, factors, int(draws.sizes["draw"]))
    text = str(event_of(given)) if isinstance(given, (str, tuple, Event)) else "an event"
    return Asked(kept, names, factors, int(draws.sizes["draw"]), where.isel(draw=first).load(), text)


def _factors(
    draws: xr.Dataset, names: Sequence[str], inputs: Sequence[str] | None, groups: Groups | None
) -> dict[str, tuple[str, ...]]:
    """Members of each input that a user asks for."""
    every = [str(name) for name in draws.data_vars]
    if isinstance(inputs, str):
        raise DemandsimError(f"inputs must be a list of quantities, such as ['{inputs}']")
    wanted = [n for n in every if draws[n].attrs.get("role") == "assumption" and n not in names]
    if inputs is not None:
        check_known(inputs, every, "quantity in inputs:")
        wanted = list(inputs)
    factors = grouped(every, list(dict.fromkeys([*wanted, *_members(groups)])), groups, "quantity")
    for own in factors.values():
        if itself := set(own) & set(names):
            raise DemandsimError(f"'{min(itself)}' cannot explain itself: leave it out of inputs, or out of of")
    return factors


def _members(groups: Groups | None) -> list[str]:
    return [name for own in (groups or {}).values() if not isinstance(own, str) for name in own]


def _nothing(draws: xr.Dataset) -> DemandsimError:
    if not any("role" in array.attrs for array in draws.data_vars.values()):
        return DemandsimError(
            "these draws do not say which of their quantities are assumptions; name them: "
            "ds.import_draws(draws, assumptions=[...]), or inputs=[...]"
        )
    return DemandsimError("no assumption varies in these draws; keep them: simulate(keep=[...]) left them out")


def _warn_of_dependence(draws: xr.Dataset, factors: Mapping[str, tuple[str, ...]]) -> None:
    computed = [n for own in factors.values() for n in own if draws[n].attrs.get("role") == "derived"]
    if computed and len(factors) > 1:
        warn(
            f"'{computed[0]}' is computed from other quantities, so that inputs depend on each other: an index tells "
            "all that an input knows of the result, what it shares with others included, and first orders may add up "
            "to more than 1. Shapley effects (sensitivity.nearest_neighbours) divide what is shared",
            DependentInputsWarning,
        )


def happened(draws: xr.Dataset, event: Any) -> xr.DataArray:
    """Which draws an event happens in.

    Raises
    ------
    DemandsimError
        If it is no event.
    """
    told = event_of(event) if isinstance(event, (str, tuple)) else event
    found = told(draws) if callable(told) else told
    if getattr(getattr(found, "dtype", None), "kind", "") != "b" or not {"chain", "draw"} <= set(found.dims):
        raise DemandsimError("event must be a bool DataArray over 'chain' and 'draw', as draws.gross_margin < 0 is")
    return found


def at(event: xr.DataArray, place: Mapping[str, object], quantity: str) -> npt.NDArray[np.bool_]:
    """Which draws an event happens in at the labels of an element, one chain after the other."""
    here = event.sel({dim: label for dim, label in place.items() if dim in event.dims})
    if left := [str(dim) for dim in here.dims if dim not in ("chain", "draw")]:
        raise DemandsimError(
            f"the event is told by {left[0]}, which '{quantity}' is not: say at which, as in "
            f"lambda d: d.{quantity}.sel({left[0]}={here[left[0]].values[-1]!r}) < 0"
        )
    return np.asarray(here.transpose("chain", "draw").values.ravel())


def _varies(array: xr.DataArray) -> bool:
    if not {"chain", "draw"} <= set(array.dims):
        return False
    values = array.transpose("chain", "draw", ...).values
    return bool(np.any(values != values[:1, :1]))


def rows_of(data: Asked, quantity: str) -> list[Row]:
    """Rows of a result: an input with dims that the quantity does not have stands once per label, a group once."""
    found = []
    for name, members in data.inputs.items():
        columns = [column for member in members for column in _columns(data.draws, quantity, member)]
        if len(members) > 1 or name not in members:
            found.append(Row(name, name, tuple(columns)))
            continue
        for member, place in columns:
            label = f"{name}[{', '.join(map(str, place.values()))}]" if place else name
            found.append(Row(label, name, ((member, place),)))
    return found


def _columns(draws: xr.Dataset, quantity: str, name: str) -> Iterator[tuple[str, dict[str, object]]]:
    free = [str(d) for d in draws[name].dims if d not in ("chain", "draw") and d not in draws[quantity].dims]
    for place in itertools.product(*(draws[name][dim].values.tolist() for dim in free)):
        yield name, dict(zip(free, place, strict=True))


def paired(data: Asked, quantity: str) -> Iterator[Paired]:
    """Go through the elements of a quantity.

    Raises
    ------
    DemandsimError
        If a condition leaves too few draws.
    """
    draws, array = data.draws, data.draws[quantity]
    dims = [str(dim) for dim in array.dims if dim not in ("chain", "draw")]
    rows = rows_of(data, quantity)
    chain = np.repeat(np.arange(draws.sizes["chain"]), draws.sizes["draw"])
    for labels in itertools.product(*(array[dim].values.tolist() for dim in dims)):
        place = dict(zip(dims, labels, strict=True))
        y = array.sel(place).transpose("chain", "draw").values.astype(float).ravel()
        x = []
        for row in rows:
            own = []
            for name, free in row.columns:
                here = {dim: label for dim, label in place.items() if dim in draws[name].dims}
                own.append(draws[name].sel({**here, **free}).transpose("chain", "draw").values.astype(float).ravel())
            x.append(np.array(own))
        finite = np.isfinite(y) & np.all([np.isfinite(own).all(axis=0) for own in x], axis=0)
        counts = at(data.given, place, quantity) if data.given is not None else np.ones(y.size, dtype=bool)
        kept = finite & counts
        if data.given is not None and np.count_nonzero(kept) < FEWEST:
            where = f" at {', '.join(map(str, place.values()))}" if place else ""
            raise DemandsimError(
                f"given '{data.condition}', {np.count_nonzero(kept):,} of {y.size:,} draws of '{quantity}' are left"
                f"{where}; {FEWEST} are needed: simulate more, or condition on something that happens more often"
            )
        own_x = tuple(_scaled(own[:, kept]) for own in x)
        yield Paired(
            quantity, place, _scaled(y[kept]), own_x, chain[kept], int(np.count_nonzero(counts & ~finite)), kept
        )


def _scaled(values: Array) -> Array:
    """Each row by a power of two, of which no index knows: squares of very large or small numbers are no doubles."""
    exponent = np.frexp(np.abs(values).max(axis=-1, initial=0.0))[1]
    return np.asarray(np.ldexp(values, -exponent[..., None]))
