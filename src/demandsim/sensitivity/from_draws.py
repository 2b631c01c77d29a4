"""From draws: pair a quantity with the assumptions behind it, label by label, in draws already made."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_dataset, check_known

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["MOST", "Paired", "paired", "taken"]

#: Most draws that are looked at; of more, the first of every chain, which are a sample of their own.
MOST = 1 << 17


@dataclass(frozen=True, eq=False)
class Paired:
    """One element of a quantity, and all assumptions with the same labels.

    Parameters
    ----------
    quantity : str
    place : mapping of dim to label
    y : array of shape (draws,)
        Finite, and by a power of two within -1 to 1; so are the assumptions.
    x : array of shape (assumptions, draws)
    chain : int array of shape (draws,)
    invalid : int
        Draws left out because the quantity or an assumption is NaN or infinite there.
    kept : bool array
        Which of the draws are not left out.
    """

    quantity: str
    place: dict[str, object]
    y: Array
    x: Array
    chain: npt.NDArray[np.intp]
    invalid: int
    kept: npt.NDArray[np.bool_]


def taken(draws: xr.Dataset, of: str | Sequence[str]) -> tuple[xr.Dataset, list[str], list[str]]:
    """Draws in memory, the quantities, and the assumptions that vary.

    Raises
    ------
    UnknownNameError
        If the draws have no such quantity.
    DemandsimError
        If they have no dims chain and draw, or no assumption.
    """
    check_dataset(draws)
    if not {"chain", "draw"} <= set(draws.dims):
        raise DemandsimError("draws must have dims 'chain' and 'draw', as model.simulate makes them")
    names = [of] if isinstance(of, str) else list(dict.fromkeys(of))
    check_known(names, [str(name) for name in draws.data_vars], "quantity in of:")
    assumptions = [str(n) for n, a in draws.data_vars.items() if a.attrs.get("role") == "assumption"]
    kept = draws[list(dict.fromkeys([*names, *assumptions]))]
    # The first draws of a low-discrepancy sequence fill the cube evenly; every n-th would not.
    kept = kept.isel(draw=slice(0, max(MOST // draws.sizes["chain"], 1))).load()
    varying = [n for n in assumptions if n not in names and _varies(kept[n])]
    if not assumptions and not any("role" in array.attrs for array in draws.data_vars.values()):
        raise DemandsimError(
            "these draws do not say which of their quantities are assumptions; name them: "
            "ds.import_draws(draws, assumptions=[...])"
        )
    if not varying:
        raise DemandsimError("no assumption varies in these draws; keep them: simulate(keep=[...]) left them out")
    return kept, names, varying


def _varies(array: xr.DataArray) -> bool:
    if not {"chain", "draw"} <= set(array.dims):
        return False
    values = array.transpose("chain", "draw", ...).values
    return bool(np.any(values != values[:1, :1]))


def rows_of(draws: xr.Dataset, quantity: str, assumptions: Sequence[str]) -> list[tuple[str, str, dict[str, object]]]:
    """Name of each row, its assumption, and labels along dims that the quantity does not have."""
    found = []
    for name in assumptions:
        free = [d for d in draws[name].dims if d not in ("chain", "draw") and d not in draws[quantity].dims]
        labels = [draws[name][dim].values.tolist() for dim in free]
        for place in itertools.product(*labels):
            label = f"{name}[{', '.join(map(str, place))}]" if place else name
            found.append((label, name, dict(zip(map(str, free), place, strict=True))))
    return found


def paired(draws: xr.Dataset, quantity: str, assumptions: Sequence[str]) -> Iterator[Paired]:
    """Go through the elements of a quantity."""
    array = draws[quantity]
    dims = [str(dim) for dim in array.dims if dim not in ("chain", "draw")]
    rows = rows_of(draws, quantity, assumptions)
    chain = np.repeat(np.arange(draws.sizes["chain"]), draws.sizes["draw"])
    for labels in itertools.product(*(array[dim].values.tolist() for dim in dims)):
        place = dict(zip(dims, labels, strict=True))
        y = array.sel(place).transpose("chain", "draw").values.astype(float).ravel()
        x = []
        for _, name, free in rows:
            own = {dim: label for dim, label in place.items() if dim in draws[name].dims}
            x.append(draws[name].sel({**own, **free}).transpose("chain", "draw").values.astype(float).ravel())
        table = np.array(x)
        kept = np.isfinite(y) & np.isfinite(table).all(axis=0)
        y, table = _scaled(y[kept]), _scaled(table[:, kept])
        yield Paired(quantity, place, y, table, chain[kept], int(np.count_nonzero(~kept)), kept)


def _scaled(values: Array) -> Array:
    """Each row by a power of two, of which no index knows: squares of very large or small numbers are no doubles."""
    exponent = np.frexp(np.abs(values).max(axis=-1, initial=0.0))[1]
    return np.asarray(np.ldexp(values, -exponent[..., None]))
