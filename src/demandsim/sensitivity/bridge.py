"""Bridge: which changed assumption or equation moved a forecast, and by how much."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from demandsim._system import Array
from demandsim.errors import check_known, check_whole
from demandsim.graph.changes import changes_attrs
from demandsim.sampling.qmc import UNIFORMS, Stream, entropy_of, recorded_seed
from demandsim.sensitivity.inputs import check_chains, long_name, quantities
from demandsim.sensitivity.interpolation import Interpolation, changes
from demandsim.sensitivity.permutations import divided
from demandsim.sensitivity.results import labelled, named
from demandsim.statistics.mcse import spread_to_mcse
from demandsim.statistics.ranking import ranked

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["bridge"]

Statistic = Literal["point", "mean"]

#: Most changes of which every combination is computed.
_ALL_SUBSETS = 12


@dataclass(frozen=True, eq=False)
class _Moves:
    """What each change adds in some orders, shape (orders, changes, elements), and the values at both ends."""

    added: Array
    before: Array
    after: Array


def bridge(
    before: Model,
    after: Model,
    of: str | Sequence[str],
    *,
    statistic: Statistic = "point",
    draws: int = 1024,
    chains: int = 8,
    seed: int | None = None,
    orders: int = 256,
) -> xr.Dataset:
    r"""Attribute the change of a forecast between two versions of a model to what changed.

    .. math:: \phi_i = \sum_{u \not\ni i} \frac{|u|! \, (k - |u| - 1)!}{k!}
        \left[ y(u \cup i) - y(u) \right], \quad \sum_i \phi_i = y_\text{after} - y_\text{before}

    where y(u) is computed with the changes u made. No order of the changes is preferred, and the
    contributions sum exactly to the whole change.

    Parameters
    ----------
    before, after : Model
        With the same scenarios and labels.
    of : str or sequence of str
    statistic : {"point", "mean"}, default "point"
        What moved: the value at the published points, or the mean, on common random numbers.
    draws, chains : int
        For the mean.
    seed : int, optional
        For the mean, and for the orders of more than 12 changes.
    orders : int, default 256
        Random orders of the changes that are tried if there are more than 12.

    Returns
    -------
    Dataset
        ``contribution`` over ``quantity``, ``change`` (largest first, of the first quantity) and the
        model's dims; ``before`` and ``after``, in the quantities' units (coordinate ``units``).
        ``contribution_mcse`` where it was estimated: its Monte Carlo error.

    Raises
    ------
    UnknownNameError
        If a model has no such quantity.
    DemandsimError
        If the models differ in scenarios or labels.

    Notes
    -----
    What only one version has (an assumption that a new equation needs) is no change by itself: its
    effect goes to the equation. Correlations are one change, which moves means only. Sources: Shapley,
    Annals of Mathematics Studies 28 (1953); Castro, Gomez and Tejada, Computers & Operations Research
    36 (2009), for random orders.

    Examples
    --------
    >>> import demandsim as ds
    >>> before = ds.load_study("guosen-2025-01").select(scenario="100T")
    >>> after = before.fix(utilization=0.3, peak_ratio=2)
    >>> found = bridge(before, after, "cards").squeeze()
    >>> found.contribution.round().sel(change=["utilization", "peak_ratio"]).values
    array([ 357405., -357405.])
    >>> round((found.after - found.before).item(), 6)
    0.0
    """
    check_known([statistic], ("point", "mean"), "statistic")
    check_whole("draws", draws)
    check_whole("orders", orders, 2)
    check_chains(chains)
    names = quantities(before, of)
    quantities(after, of)
    entropy = entropy_of(seed)
    random = statistic == "mean"
    changed = changes(before, after, random)
    sizes = [(draws, chain) for chain in range(chains)] if random else [(0, 0)]
    versions = [Interpolation(before, after, names, n, entropy, chain) for n, chain in sizes]
    out = _table(versions[0], changed, [_moves(between, changed, orders) for between in versions])
    if not random and len(changed) <= _ALL_SUBSETS:
        out = out.drop_vars("contribution_mcse")
    out = out.assign_attrs(
        study=after.notes.name or before.notes.name,
        statistic=statistic,
        before_hash=before.hash,
        after_hash=after.hash,
        **changes_attrs(before, after),
    )
    settings = {"seed": recorded_seed(entropy), "draws": draws, "chains": chains, "design": "sobol"}
    return out.assign_attrs(settings if random else {})


def _table(between: Interpolation, changed: Sequence[str], parts: Sequence[_Moves]) -> xr.Dataset:
    """Label the means over chains of all moves, the largest first."""
    import xarray as xr

    before, after, rows = between.before, between.after, between.rows
    layout, axes = before.program.layout, {"change": changed}
    added = np.stack([part.added for part in parts])
    contribution = added.mean(axis=(0, 1)).T
    out = xr.Dataset(
        {
            "contribution": labelled(contribution, rows, layout, axes),
            "contribution_mcse": labelled(_errors(added).T, rows, layout, axes),
            "before": labelled(np.mean([part.before for part in parts], axis=0), rows, layout, {}),
            "after": labelled(np.mean([part.after for part in parts], axis=0), rows, layout, {}),
        },
        attrs={"n_invalid": int(np.count_nonzero(~np.isfinite(contribution)))},
    )
    size = np.abs(np.nan_to_num(contribution[: rows[0].elements(layout)])).mean(axis=0)
    units = [after.notes.unit_of(name, after.declared_units[name]) for name in between.of]
    out = out.isel(change=ranked(size, out.change.values)).assign_coords(units=("quantity", units))
    long_names = [long_name(str(change), after, before) for change in out.change.values]
    return named(out.assign_coords(long_name=("change", long_names)), after)


def _errors(added: Array) -> Array:
    """Error of the mean over chains and orders, shape (changes, elements)."""
    chains, orders = added.shape[:2]
    if chains > 1:
        # Every chain has orders of its own, so that their spread holds both errors.
        return spread_to_mcse(np.moveaxis(added.mean(axis=1), 0, -1))
    return added[0].std(axis=0, ddof=1) / math.sqrt(orders) if orders > 1 else np.zeros(added.shape[2:])


def _moves(between: Interpolation, changed: Sequence[str], orders: int) -> _Moves:
    """Find what each change adds, in all combinations or in random orders."""
    # A change that no quantity depends on in either version adds nothing, in any combination.
    behind = between.before.graph.ancestors(between.of) | between.after.graph.ancestors(between.of)
    known = {*between.before.quantities, *between.after.quantities}
    relevant = [change for change in changed if change in behind or change not in known]
    value = functools.cache(between.values)
    before, after = value(frozenset()), value(frozenset(relevant))
    few = len(relevant) <= _ALL_SUBSETS
    gained = _combined(relevant, value) if few else _ordered(relevant, value, between, orders)
    added = np.zeros((len(gained), len(changed), before.size))
    added[:, [changed.index(change) for change in relevant]] = gained
    return _Moves(added, before, after)


def _combined(relevant: Sequence[str], value: Callable[[frozenset[str]], Array]) -> Array:
    """Shapley values from all combinations, shape (1, changes, elements)."""
    k = len(relevant)
    subsets = [frozenset(change for place, change in enumerate(relevant) if n >> place & 1) for n in range(1 << k)]
    return divided(np.stack([value(made) for made in subsets], axis=-1), k).T[None]


def _ordered(
    relevant: Sequence[str], value: Callable[[frozenset[str]], Array], between: Interpolation, orders: int
) -> Array:
    """What each change adds in random orders, every second one the reverse of the one before: shape as `_combined`."""
    pairs = max(orders // 2, 2)
    keys = [
        UNIFORMS["random"](between.seed, between.chain, Stream("|bridge order", number), 0, pairs, pairs)
        for number in range(len(relevant))
    ]
    gained = np.zeros((pairs, len(relevant), value(frozenset()).size))
    for both, order in zip(gained, np.argsort(np.array(keys), axis=0).T.tolist(), strict=True):
        for walk in (order, order[::-1]):
            made: frozenset[str] = frozenset()
            for place in walk:
                more = made | {relevant[place]}
                both[place] += 0.5 * (value(more) - value(made))
                made = more
    return gained
