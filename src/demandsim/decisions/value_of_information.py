"""Value of information: what it is worth, in money, to know assumptions or to gather evidence before the choice."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from demandsim._system import Array
from demandsim.decisions.actions import Actions, Payoff, at_place
from demandsim.decisions.measurement import Evidence, Measurement, summaries
from demandsim.decisions.multilevel import Rerun
from demandsim.decisions.payoff_table import PayoffTable, chosen_unseen, over_places, tables_of, unit_of
from demandsim.decisions.regression import Fit, given_one
from demandsim.decisions.surfaces import given_several
from demandsim.errors import DemandsimError, InvalidDrawsError, check_known, check_whole
from demandsim.sampling.progress import Progress, Report, reporting
from demandsim.sampling.qmc import entropy_of, recorded_seed
from demandsim.statistics.ranking import ranked
from demandsim.statistics.summarize import run_attrs, warn_one_chain

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["value_of_information"]

#: Draws that are looked at, at most: all payoffs of one label are held while surfaces are fitted.
_MOST = 1 << 18

#: Share of the value of perfect information by which a fit may be off, however many draws there are.
_COMMON = 5e-4

#: Share of the value of perfect information by which bounds are apart where a regression leaves a value open.
_OPEN = 0.05
#: Errors on either side of a value that hold the true one in 90% of cases, by the normal distribution.
_NORMAL = 1.645

Of = str | Sequence[str | Sequence[str]] | Mapping[str, str | Sequence[str]]


def value_of_information(
    draws: xr.Dataset,
    actions: Actions | None,
    payoff: Payoff,
    *,
    of: Of | None = None,
    evidence: Mapping[str, Evidence] | None = None,
    model: Model | None = None,
    nested: bool = False,
    runs: int = 1 << 20,
    seed: int | None = None,
    unit: str | None = None,
    dim: str = "action",
    on_invalid: str = "raise",
    progress: Progress = None,
) -> xr.Dataset:
    r"""What it is worth to know assumptions, or to gather evidence, before an action is chosen.

    .. math:: \mathrm{EVPI} = E \max_a P_a - \max_a E P_a, \qquad
        \mathrm{EVPPI}_i = E \max_a E(P_a | x_i) - \max_a E P_a

    EVSI is the same with the summary of a sample in the place of :math:`x_i`.

    Parameters
    ----------
    draws : Dataset
        Made by ``model.simulate`` or ``model.infer``; of more than 262,144 draws the first of every chain.
    actions, payoff, unit, dim, on_invalid
        As of `evaluate`.
    of : str, sequence or mapping, optional
        Quantities to know: names, tuples of names known together, or a mapping of label to names. Every
        assumption by default. One with dims that the payoff lacks is known for all its labels.
    evidence : mapping of str to callable, optional
        Evidence by name: a `Measurement`, or ``function(draws, generator)`` that returns summaries of the data
        simulated for each draw, DataArray or Dataset with dims chain and draw.
    model : Model, optional
        That made the draws: what a regression leaves open is then found by runs of it.
    nested : bool, default False
        Find every EVPPI by runs of `model` given values of what is known, not only those whose bounds a regression
        leaves further apart than 5% of EVPI.
    runs : int, default 1,048,576
        Of `model`, for each group.
    seed : int, optional
        Of simulated evidence and of runs of `model`.

    Returns
    -------
    Dataset
        In the unit of the payoff, over its other dims, as scenario: ``evpi``; ``evppi`` over ``assumption``;
        ``evsi`` over ``evidence``, with the ``count`` of a measurement; of each the ``mcse_``, and ``lower_`` and
        ``upper_``, which hold the true value in 90% of cases, what a fit may have missed included; ``best`` and
        ``expected_payoff`` as things stand.
        ``optimism`` says how far apart the two estimates are that each value is the mean of, ``terms`` how many
        columns were fitted. None is negative, none is above EVPI, a measurement is worth at most what it
        measures, and a group at least its best member.

    Notes
    -----
    :math:`E(P_a | x)` is a regression on the same draws (Strong, Oakley and Brennan, Medical Decision Making 34,
    2014; of samples, with Breeze, 35, 2015): splines in the rank of one quantity, polynomials and splines of
    indices for several; columns are chosen by how they predict parts left out. The mean of the largest fitted
    payoff is too high, since it chooses noise too; what the choices earn in parts that the fit has not seen is
    too low, by as much to first order. A value is the mean of the two, its MCSE the spread of the latter over
    chains. Of groups, means over cells and over the nearest draws are fitted too, and the errors of draws that are
    alike tell what the fit may have missed: ``upper_evppi`` is above ``evppi`` by that much, and by the error.
    With correlated assumptions EVPPI counts what one tells about the others.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01-evidence").simulate(draws=512, seed=1).sel(scenario="100T")
    >>> orders = np.geomspace(5e4, 2e6, 12)
    >>> found = value_of_information(draws, orders, ds.decisions.OrderCards())
    >>> bool(found.evppi.max() <= found.evpi), found.evppi.sel(assumption="card_flops").item()
    (True, 0.0)
    """
    check_whole("runs", runs)
    if nested and model is None:
        raise DemandsimError("nested=True runs the model again: pass model=, the one whose simulate made the draws")
    tables = tables_of(draws, actions, payoff, dim, on_invalid, _MOST)
    warn_one_chain(draws)
    draws = tables[0].draws
    groups, planned = _groups(draws, of), dict(evidence or {})
    entropy = entropy_of(seed)
    simulated = {}
    for name, source in planned.items():
        # Keyed by name: further evidence leaves the noise of this one as it is.
        sequence = np.random.SeedSequence(entropy, spawn_key=(11, zlib.crc32(name.encode())))
        simulated[name] = summaries(name, source, draws, np.random.Generator(np.random.PCG64DXSM(sequence)))
    steps = _steps(reporting(progress, "value of information"), len(tables) * (len(groups) + len(planned)))
    lines = [_informed(table, groups, planned, simulated, steps) for table in tables]
    if model is not None:
        _rerun(Rerun.of(model, draws, (actions, payoff, dim), runs, entropy), lines, groups, nested)
    out = _labelled(draws, tables, lines, groups, list(planned), unit_of(unit, payoff, draws))
    if planned:
        counts = [one.count if isinstance(one, Measurement) else math.nan for one in planned.values()]
        out = out.assign_coords(count=("evidence", np.array(counts, dtype=float)))
    return out.assign_attrs(
        run_attrs(draws)
        | {"draws": int(draws.sizes["draw"])}
        | ({"seed_of_evidence": recorded_seed(entropy)} if planned else {})
    )


def _rerun(again: Rerun, lines: Sequence[dict[str, Any]], groups: Mapping[str, tuple[str, ...]], every: bool) -> None:
    """Put values by runs of the model in the place of those by regression: of all, or of those that are left open."""
    for label, names in groups.items():
        open_ = [line["evppi"][label].upper - line["evppi"][label].lower > _OPEN * line["evpi"].value for line in lines]
        if not (every or any(open_)):
            continue
        if why := again.can(names):
            if every:
                raise DemandsimError(f"{why}; leave nested=True out")
            continue
        for line, missing in zip(lines, again.unknown(label, names, len(lines)), strict=True):
            evpi, before = line["evpi"], line["evppi"][label]
            value = min(max(evpi.value - missing.value, 0.0), evpi.value)
            mcse = math.hypot(evpi.mcse, missing.mcse)
            half = _NORMAL * mcse + missing.slack
            found = _Worth(value, mcse, max(value - half, 0.0), min(value + half, evpi.upper), terms=0)
            if every or found.upper - found.lower < before.upper - before.lower:
                line["evppi"][label] = found


def _steps(report: Report, total: int) -> Iterator[None]:
    """Each item taken is a step that is done."""
    for done in range(1, total + 1):
        report(done, total)
        yield


def _groups(draws: xr.Dataset, of: Of | None) -> dict[str, tuple[str, ...]]:
    names = [str(name) for name in draws.data_vars]
    if of is None:
        own = [n for n in names if draws[n].attrs.get("role") == "assumption"]
        if not own:
            raise DemandsimError("these draws do not say which variables are assumptions; name them with of=[...]")
        return {name: (name,) for name in own}
    found: dict[str, tuple[str, ...]] = {}
    entries: Iterable[tuple[str | None, str | Sequence[str]]] = (
        of.items() if isinstance(of, Mapping) else ((None, one) for one in ([of] if isinstance(of, str) else of))
    )
    for label, entry in entries:
        members = (entry,) if isinstance(entry, str) else tuple(dict.fromkeys(entry))
        check_known(members, names, "quantity in of:")
        if not members:
            raise DemandsimError(f"the group '{label}' in of= is empty; name what is known")
        found[label or " + ".join(members)] = members
    if not found:
        raise DemandsimError("of= is empty: name at least one quantity, or leave it out for every assumption")
    return found


@dataclass(frozen=True)
class _Worth:
    """Value, its error and bounds, the gap between its two estimates, columns of the fit."""

    value: float
    mcse: float
    lower: float = 0.0
    upper: float = 0.0
    optimism: float = 0.0
    terms: int = 1


def _informed(
    table: PayoffTable,
    groups: Mapping[str, tuple[str, ...]],
    planned: Mapping[str, Evidence],
    simulated: Mapping[str, xr.Dataset],
    steps: Iterator[None],
) -> dict[str, Any]:
    """All values in one element of the payoff's dims."""
    by_part: list[Array] = []
    largest: Array | None = None
    for _, values in table.blocks():
        by_part.append(table.folds.means(values))
        most = values.max(axis=0)
        largest = most if largest is None else np.maximum(largest, most)
    parts = np.concatenate(by_part)
    means = (parts @ table.folds.sizes / table.folds.sizes.sum()).tolist()
    best = ranked(means)[0]
    base = table.row(best)
    # What is paid by the action that is best in all draws is too much, by one chosen without a part too little.
    middle = 0.5 * (base + chosen_unseen(table, parts, best))
    behind = table.folds.means(middle - base)
    evpi = _Worth(0.0, 0.0) if largest is None else _perfect(largest - middle, table, behind)
    known: dict[tuple[str, int], _Worth] = {}
    # By a power of two, since squares of very large or small numbers are no doubles: fits would explain nothing.
    exponent = int(np.frexp(np.abs(base).max(initial=0.0 if largest is None else np.abs(largest).max()))[1])

    def gains() -> Iterator[Array]:
        for _, values in table.blocks():
            yield np.ldexp(values - base, -exponent)

    def worth(key: str, columns: Array) -> _Worth:
        """Value of knowing some columns together: at least that of the best of them."""
        alone = []
        for place, column in enumerate(columns):
            if (key, place) not in known:
                fit = given_one(column, gains(), table.folds).times(exponent)
                known[key, place] = _worth(fit, table, evpi, behind)
            alone.append(known[key, place])
        if not alone:
            return _Worth(0.0, 0.0)
        most = max(alone, key=lambda one: one.value)
        if len(alone) == 1:
            return most
        fit = given_several(columns, np.concatenate(list(gains())), table.folds).times(exponent)
        together = _worth(fit, table, evpi, behind)
        highest = max(one.upper for one in (*alone, together))
        # The best of several looks better than it is: twice the distance.
        lowest = max(together.lower, 2 * most.lower - most.value)
        return replace(together if together.value >= most.value else most, lower=lowest, upper=highest)

    evppi = {}
    for label, names in groups.items():
        evppi[label] = worth(" + ".join(names), _columns(table, table.draws, names))
        next(steps)
    evsi = {}
    for name, made in simulated.items():
        next(steps)
        found = worth(f"\n{name}", _columns(table, made, [str(key) for key in made.data_vars]))
        source = planned[name]
        if isinstance(source, Measurement):
            ceiling = worth(source.of, _columns(table, table.draws, [source.of]))
            found = found if found.value <= ceiling.value else ceiling
        evsi[name] = found
    return {"evpi": evpi, "evppi": evppi, "evsi": evsi, "best": best, "expected_payoff": means[best]}


def _perfect(gained: Array, table: PayoffTable, behind: Array) -> _Worth:
    """Value of perfect information, which is a mean."""
    value, mcse = table.mean_and_error(gained)
    half = _interval(table) * mcse + _apart(table, behind) if math.isfinite(mcse) else math.inf
    return _Worth(value, mcse, max(value - half, 0.0), value + half)


def _apart(table: PayoffTable, behind: Array) -> float:
    """By how much the payoff of the best action may be other than it is taken for, since draws choose it."""
    sizes = table.folds.sizes
    return abs(float(sizes @ behind / sizes.sum()))


def _interval(table: PayoffTable) -> float:
    """Errors on either side of a value that hold the true one in 90% of cases, by Student's distribution."""
    from scipy import special

    replicates = int(table.folds.replicate.max()) + 1
    return float(special.stdtrit(max(replicates - 1, 1), 0.95))


def _worth(fit: Fit, table: PayoffTable, evpi: _Worth, behind: Array) -> _Worth:
    sizes = table.folds.sizes
    if fit.terms > 1:
        fit = replace(fit, inside=fit.inside - float(sizes @ behind / sizes.sum()), outside=fit.outside - behind)
    else:
        # To know nothing is worth nothing.
        fit = replace(fit, inside=0.0, outside=np.zeros(len(sizes)))
    earned, mcse = float(sizes @ fit.outside / sizes.sum()), float(table.folds.mcse(fit.outside))
    # Where choices earn clearly more than the fit promises, the fit is too smooth, and what they earn is known.
    middle = earned if fit.inside < earned - 2 * mcse else 0.5 * (fit.inside + earned)
    value = min(max(middle, 0.0), evpi.value)
    # What fits have in common, as rounded corners, the spread between chains does not show.
    half = _interval(table) * mcse + _COMMON * evpi.value + _apart(table, behind) if math.isfinite(mcse) else math.inf
    lower, upper = max(earned - (2 if fit.picked else 1) * half, 0.0), max(fit.inside, earned) + half + fit.missed
    return _Worth(
        value,
        mcse,
        min(lower, value),
        max(min(upper, evpi.upper + _COMMON * evpi.value), value),
        fit.inside - earned,
        fit.terms,
    )


def _columns(table: PayoffTable, source: xr.Dataset, names: Sequence[str]) -> Array:
    """Values of some quantities in the draws of a table, one row for each label; what does not vary is left out."""
    rows = []
    for name in names:
        array = at_place(source[name], table.place)
        if not {"chain", "draw"} <= set(array.dims):
            continue
        values = array.transpose(..., "chain", "draw").values.astype(np.float64)
        flat = values.reshape(-1, values.shape[-2] * values.shape[-1])
        if table.kept is not None:
            flat = flat[:, table.kept]
        if not np.all(np.isfinite(flat)):
            raise InvalidDrawsError(f"'{name}' holds NaN or infinity, so that it cannot be known; leave it out of of=")
        rows += [row for row in flat if row.size and np.any(row != row[0])]
    return np.array(rows) if rows else np.zeros((0, 1))


def _labelled(
    draws: xr.Dataset,
    tables: Sequence[PayoffTable],
    lines: Sequence[Mapping[str, Any]],
    groups: Mapping[str, tuple[str, ...]],
    evidence: Sequence[str],
    unit: str,
) -> xr.Dataset:
    coords: dict[str, Any] = dict(tables[0].others)
    money = {"units": unit}

    def over(key: str, part: str, attrs: Mapping[str, Any], row: str) -> Any:
        return over_places(tables, [[getattr(one, part) for one in line[key].values()] for line in lines], attrs, row)

    out: dict[str, Any] = {
        "evpi": over_places(tables, [line["evpi"].value for line in lines], money | {"long_name": "EVPI"}),
    }
    for part in ("mcse", "lower", "upper"):
        out[f"{part}_evpi"] = over_places(tables, [getattr(line["evpi"], part) for line in lines], money)
    for key, row, labels in (("evppi", "assumption", list(groups)), ("evsi", "evidence", list(evidence))):
        if labels:
            out[key] = over(key, "value", money | {"long_name": key.upper()}, row)
            for part in ("mcse", "lower", "upper"):
                out[f"{part}_{key}"] = over(key, part, money, row)
            coords[row] = labels
    out["optimism"] = over("evppi", "optimism", money, "assumption")
    out["terms"] = over("evppi", "terms", {}, "assumption")
    offered = tables[0].actions
    actions = offered[offered.dims[0]].values
    unit_of_action = {n: v for n, v in offered.attrs.items() if n == "units"}
    out["best"] = over_places(tables, [actions[line["best"]] for line in lines], unit_of_action)
    out["expected_payoff"] = over_places(tables, [line["expected_payoff"] for line in lines], money)
    out["n_invalid"] = over_places(tables, [table.n_invalid for table in tables], {})
    coords["long_name"] = (
        "assumption",
        [
            str(draws[members[0]].attrs.get("long_name", label)) if members == (label,) else label
            for label, members in groups.items()
        ],
    )
    return xr.Dataset(out, coords=coords)
