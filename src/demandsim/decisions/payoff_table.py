"""Payoff table: what every action pays in every draw, checked, and made in blocks of actions if it is large."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from demandsim._system import Array
from demandsim.decisions.actions import Actions, LabelledPayoff, Payoff, labelled_actions
from demandsim.decisions.folds import Folds, folds_of
from demandsim.errors import DemandsimError, InvalidDrawsError, check_dataset, check_known
from demandsim.statistics.design import design_of
from demandsim.statistics.ranking import ranked
from demandsim.units.convert import check_unit
from demandsim.units.registry import CURRENCIES

__all__ = ["PayoffTable", "chosen_unseen", "over_places", "tables_of", "unit_of"]

#: Payoffs of one label that are held at once; of more, they are computed block by block, at each pass again.
_BYTES = 1 << 29
#: Most choices of replicates by which the best action is chosen, to be valued on the rest.
_CHOICES = 100


@dataclass(frozen=True, eq=False)
class PayoffTable:
    """Payoffs of all actions in one element of the other dims, as scenario.

    Parameters
    ----------
    draws : Dataset
    place : mapping of dim to label
    actions : DataArray
    compute : callable
        Payoffs of some actions, shape (actions, draws), draws of all chains flat.
    held : array or None
        All payoffs, if they fit.
    kept : bool array of shape (draws,), or None
        Draws whose payoffs are numbers, where some are not.
    folds : Folds
    independent : bool
        Draws do not depend on each other.
    others : mapping of dim to labels
        Of which `place` is one.
    """

    draws: xr.Dataset
    place: dict[str, Any]
    actions: xr.DataArray
    compute: Callable[[slice], Array]
    held: Array | None
    kept: npt.NDArray[np.bool_] | None
    folds: Folds
    independent: bool
    others: dict[str, npt.NDArray[Any]]

    def mean_and_error(self, values: Array) -> tuple[float, float]:
        """Mean over draws and its Monte Carlo standard error."""
        mean = float(values.mean())
        if self.independent:
            return mean, float(values.std()) / math.sqrt(values.size)
        return mean, float(self.folds.mcse(self.folds.means(values)))

    def by_replicate(self, sums: Array) -> tuple[Array, Array]:
        """Sums over parts, and draws, of each replicate."""
        return np.bincount(self.folds.replicate, sums), np.bincount(self.folds.replicate, self.folds.sizes)

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Go through payoffs, some actions at a time."""
        if self.held is not None:
            yield slice(0, self.actions.size), self.held
            return
        step = _step(self.draws)
        for start in range(0, self.actions.size, step):
            block = slice(start, min(start + step, self.actions.size))
            values = self.compute(block)
            yield block, values if self.kept is None else values[:, self.kept]

    def row(self, action: int) -> Array:
        """Payoff of one action in every draw."""
        if self.held is not None:
            return np.asarray(self.held[action])
        values = self.compute(slice(action, action + 1))[0]
        return np.asarray(values if self.kept is None else values[self.kept])

    @property
    def n_invalid(self) -> int:
        """Draws left out."""
        return 0 if self.kept is None else int(np.count_nonzero(~self.kept))


def _step(draws: xr.Dataset) -> int:
    return max(_BYTES // (8 * draws.sizes["chain"] * draws.sizes["draw"]), 1)


def unit_of(unit: str | None, payoff: Payoff, draws: xr.Dataset) -> str:
    """Unit of a payoff: as asked, as a ready-made payoff says, or the money that the draws are in."""
    if unit is not None:
        return check_unit(unit)
    said = payoff.attrs.get("units") if isinstance(payoff, xr.DataArray) else getattr(payoff, "unit", None)
    if said is not None:
        return str(said)
    units = [str(array.attrs.get("units", "")) for array in draws.data_vars.values()]
    # Cells of a workbook have units that nobody says.
    return next((money for money in CURRENCIES if any(money in one for one in units)), "1" if any(units) else "")


def tables_of(
    draws: xr.Dataset, actions: Actions | None, payoff: Payoff, dim: str, on_invalid: str, most: int | None = None
) -> list[PayoffTable]:
    """Payoffs of every element of the other dims, checked.

    Parameters
    ----------
    draws : Dataset
    actions : DataArray, sequence, or None
    payoff : callable or DataArray
    dim : str
        Of actions that are a bare sequence.
    on_invalid : {"raise", "keep"}
    most : int, optional
        Draws that are looked at, at most: the first of every chain.

    Raises
    ------
    InvalidDrawsError
        If payoffs are NaN or infinite.
    """
    check_known([on_invalid], ("raise", "keep"), "setting on_invalid")
    check_dataset(draws)
    if not {"chain", "draw"} <= set(draws.dims):
        raise DemandsimError("draws must be a Dataset with dims 'chain' and 'draw', as model.simulate makes them")
    offered = labelled_actions(actions, payoff, dim)
    if most is not None and draws.sizes["chain"] * draws.sizes["draw"] > most:
        length = max(most // draws.sizes["chain"], 1)
        if isinstance(payoff, xr.DataArray) and payoff.sizes.get("draw") == draws.sizes["draw"]:
            payoff = payoff.isel(draw=slice(0, length))
        draws = draws.isel(draw=slice(0, length))
    pays = LabelledPayoff(draws, offered, payoff)
    independent = design_of(draws).independent
    nothing = folds_of(1, 1, None, independent=False)
    tables = []
    for place in pays.places():
        one = PayoffTable(draws, place, offered, pays.at(place), None, None, nothing, independent, pays.others)
        if offered.size <= _step(draws):
            one = replace(one, held=one.compute(slice(0, offered.size)))
        good = _finite(one, on_invalid)
        if good is not None:
            one = replace(one, kept=good, held=None if one.held is None else one.held[:, good])
        folds = folds_of(draws.sizes["chain"], draws.sizes["draw"], good, independent=independent)
        tables.append(replace(one, folds=folds))
    return tables


def chosen_unseen(table: PayoffTable, parts: Array, best: int) -> Array:
    """Payoff in every draw of actions that pay most in three quarters of the replicates, without its own; on average.

    The action that is best on average in all draws looks better than it is, most where actions tie.

    Parameters
    ----------
    table : PayoffTable
    parts : array of shape (actions, parts)
        Mean payoffs.
    best : int
        Action that is best in all draws.
    """
    folds, base = table.folds, table.row(best)
    sizes = np.bincount(folds.replicate, folds.sizes)
    if sizes.size == 1:
        return base
    sums = (parts * folds.sizes) @ np.eye(sizes.size)[folds.replicate]
    others = _most_of(sizes.size)
    chosen = [ranked(column)[0] for column in (sums @ others.T / (others @ sizes)).T]
    out = np.zeros_like(base)
    for action in sorted(set(chosen)):
        here = ~others[np.equal(chosen, action)]
        share = here.sum(axis=0) / (~others).sum(axis=0)
        out += np.repeat(share[folds.replicate], folds.sizes.astype(np.intp)) * (
            base if action == best else table.row(action)
        )
    return out


def _most_of(count: int) -> npt.NDArray[np.bool_]:
    """Which replicates are in each three quarters of them, shape (choices, replicates): of all choices, or of some."""
    size = max(count * 3 // 4, 1)
    if math.comb(count, size) <= _CHOICES:
        members = np.array(list(itertools.combinations(range(count), size)))
    else:
        members = np.random.Generator(np.random.PCG64DXSM(0)).random((_CHOICES, count)).argsort(axis=1)[:, :size]
    out = np.zeros((len(members), count), dtype=bool)
    np.put_along_axis(out, members, True, axis=1)
    return out


def over_places(
    tables: Sequence[PayoffTable], rows: Sequence[Any], attrs: Mapping[str, Any], *own: str
) -> tuple[list[str], npt.NDArray[Any], Mapping[str, Any]]:
    """Make a variable over the payoff's other dims from a number, or an array over the dims `own`, of each table."""
    others, values = tables[0].others, np.array(rows)
    shape = [*(len(labels) for labels in others.values()), *values.shape[1:]]
    return [*others, *own], values.reshape(shape), attrs


def _finite(table: PayoffTable, on_invalid: str) -> npt.NDArray[np.bool_] | None:
    good: npt.NDArray[np.bool_] | None = None
    for block, values in table.blocks():
        finite = np.isfinite(values)
        if finite.all():
            continue
        if on_invalid == "raise":
            action, draw = (int(i) for i in np.argwhere(~finite)[0])
            label = table.actions.values[block.start + action].item()
            chain, within = divmod(draw, table.draws.sizes["draw"])
            where = "".join(f", {name} {value}" for name, value in table.place.items())
            raise InvalidDrawsError(
                f"the payoff is NaN or infinite in {np.count_nonzero(~finite):,} of {finite.size:,} cases, first for "
                f"action {label!r}{where} in chain {chain}, draw {within}; mend the payoff, or pass "
                "on_invalid='keep' to leave such draws out and count them"
            )
        good = finite.all(axis=0) if good is None else good & finite.all(axis=0)
    if good is not None and not good.any():
        raise InvalidDrawsError("the payoff is NaN or infinite in every draw, for one action at least")
    return good
