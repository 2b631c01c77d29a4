"""Bridge: which changed assumption or equation moved a forecast, and by how much."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from demandsim._system import Array
from demandsim.errors import check_known, check_whole
from demandsim.sampling.qmc import UNIFORMS, Stream, entropy_of, recorded_seed
from demandsim.sensitivity.inputs import quantities
from demandsim.sensitivity.interpolation import Hybrids, changes
from demandsim.sensitivity.results import Rows, check_chains, labelled, named
from demandsim.statistics.estimators import spread_to_mcse

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["bridge"]

Statistic = Literal["point", "mean"]

#: Most changes of which every combination is computed.
_ALL_SUBSETS = 12


@dataclass(frozen=True, eq=False)
class _Moves:
    """What each change adds in some orders: shape (orders, changes, elements) per quantity."""

    added: dict[str, Array]
    before: dict[str, Array]
    after: dict[str, Array]


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
    import xarray as xr

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
    parts = [_moves(Hybrids(before, after, names, n, entropy, chain), changed, orders) for n, chain in sizes]
    layout = before.program.layout
    rows, tables, errors, ends = [], [], [], []
    for name in names:
        dims = before.program.varying[name].dims | after.program.varying[name].dims
        rows.append(Rows(name, tuple(dim for dim in layout.dims if dim in dims)))
        added = np.stack([part.added[name] for part in parts])
        tables.append(added.mean(axis=(0, 1)).T)
        errors.append(_errors(added).T)
        ends.append([np.mean([getattr(part, end)[name] for part in parts], axis=0) for end in ("before", "after")])
    axes = {"change": changed}
    about = [after.assumptions.get(name) or after.equations[name] for name in names]
    out = xr.Dataset({"contribution": labelled(tables, rows, layout, axes)})
    if random or len(changed) > _ALL_SUBSETS:
        out["contribution_mcse"] = labelled(errors, rows, layout, axes)
    for place, end in enumerate(("before", "after")):
        out[end] = labelled([own[place] for own in ends], rows, layout, {})
    invalid = sum(int(np.count_nonzero(~np.isfinite(table))) for table in tables)
    size = np.abs(np.nan_to_num(tables[0])).mean(axis=0)
    out = out.isel(change=np.argsort(-size, kind="stable")).assign_coords(units=("quantity", [a.unit for a in about]))
    settings = {"seed": recorded_seed(entropy), "draws": draws, "chains": chains}
    long_names = [_long_name(str(change), before, after) for change in out.change.values]
    out = named(out.assign_coords(long_name=("change", long_names)), after)
    about_run = {
        "study": after.notes.name or before.notes.name,
        "statistic": statistic,
        "before_hash": before.hash,
        "after_hash": after.hash,
        "n_invalid": invalid,
    }
    return out.assign_attrs(about_run | ({**settings, "design": "sobol"} if random else {}))


def _long_name(change: str, before: Model, after: Model) -> str:
    for model in (after, before):
        made = model.assumptions.get(change) or model.equations.get(change)
        if made is not None and made.long_name:
            return str(made.long_name)
    return change.replace("_", " ")


def _errors(added: Array) -> Array:
    """Error of the mean over chains and orders, shape (changes, elements)."""
    chains, orders = added.shape[:2]
    if chains > 1:
        # Every chain has orders of its own, so that their spread holds both errors.
        return spread_to_mcse(np.moveaxis(added.mean(axis=1), 0, -1))
    return added[0].std(axis=0, ddof=1) / math.sqrt(orders) if orders > 1 else np.zeros(added.shape[2:])


def _moves(hybrids: Hybrids, changed: Sequence[str], orders: int) -> _Moves:
    """Find what each change adds, in all combinations or in random orders."""
    known: dict[frozenset[str], dict[str, Array]] = {}
    # A change that no quantity depends on in either version adds nothing, in any combination.
    behind = hybrids.before.graph.ancestors(hybrids.of) | hybrids.after.graph.ancestors(hybrids.of)
    relevant = [c for c in changed if c in behind or c not in {*hybrids.before.quantities, *hybrids.after.quantities}]

    def value(made: frozenset[str]) -> dict[str, Array]:
        if made not in known:
            known[made] = {name: np.ravel(found) for name, found in hybrids.values(sorted(made)).items()}
        return known[made]

    walk = _combined(relevant, value) if len(relevant) <= _ALL_SUBSETS else _ordered(relevant, value, hybrids, orders)
    found: list[dict[str, dict[str, Array]]] = list(walk)
    before, after = value(frozenset()), value(frozenset(relevant))
    added = {}
    for name in hybrids.of:
        size = max(before[name].size, after[name].size)
        nothing = np.zeros(size)
        rows = [[np.broadcast_to(one[c][name], size) if c in one else nothing for c in changed] for one in found]
        added[name] = np.array(rows).reshape(len(found), len(changed), size)
    ends = [{name: np.broadcast_to(v[name], added[name].shape[-1]) for name in hybrids.of} for v in (before, after)]
    return _Moves(added, ends[0], ends[1])


def _combined(
    relevant: Sequence[str], value: Callable[[frozenset[str]], dict[str, Array]]
) -> Iterator[dict[str, dict[str, Array]]]:
    """Shapley values from all combinations."""
    k = len(relevant)
    total: dict[str, dict[str, Array]] = {}
    for change in relevant:
        others = [c for c in relevant if c != change]
        for size in range(k):
            weight = math.factorial(size) * math.factorial(k - size - 1) / math.factorial(k)
            for made in itertools.combinations(others, size):
                old, new = value(frozenset(made)), value(frozenset([*made, change]))
                own = total.setdefault(change, {})
                for name in new:
                    own[name] = own.get(name, np.zeros(1)) + weight * (new[name] - old[name])
    yield total


def _ordered(
    relevant: Sequence[str],
    value: Callable[[frozenset[str]], dict[str, Array]],
    hybrids: Hybrids,
    orders: int,
) -> Iterator[dict[str, dict[str, Array]]]:
    """What each change adds in random orders, every second one the reverse of the one before."""
    pairs = max(orders // 2, 2)
    keys = [
        UNIFORMS["random"](hybrids.seed, hybrids.chain, Stream("|bridge order", number), 0, pairs, pairs)
        for number in range(len(relevant))
    ]
    for order in np.argsort(np.array(keys), axis=0).T.tolist():
        both: dict[str, dict[str, Array]] = {}
        for walk in (order, order[::-1]):
            made: frozenset[str] = frozenset()
            for place in walk:
                change = relevant[place]
                more = made | {change}
                old, new = value(made), value(more)
                own = both.setdefault(change, {})
                for name in new:
                    own[name] = own.get(name, np.zeros(1)) + 0.5 * (new[name] - old[name])
                made = more
        yield both
