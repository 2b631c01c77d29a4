"""Sobol' indices: shares of the variance that assumptions explain alone, together, and in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_whole
from demandsim.sampling.qmc import entropy_of, recorded_seed
from demandsim.sampling.run import BLOCK
from demandsim.sensitivity.inputs import Groups, Inputs, gather, quantities
from demandsim.sensitivity.pick_freeze import Points, Sums, add, indices
from demandsim.sensitivity.results import (
    Rows,
    chain_interval,
    check_chains,
    estimates_table,
    labelled,
    named,
    provenance,
)
from demandsim.sensitivity.surrogate.basis import features
from demandsim.sensitivity.surrogate.expansion import Space, Surrogate
from demandsim.sensitivity.surrogate.fit import Regressors, constant, fit, products_behind, space_for
from demandsim.sensitivity.targets import Happening, Target, cube, events, grades_of, read, targets, values_at
from demandsim.statistics.estimators import check_prob

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["Pilot", "chosen", "piloted", "sobol"]

_LONG_NAMES = {
    "first_order": "share of variance explained alone",
    "total_order": "share of variance explained with interactions",
    "second_order": "share of variance explained by the interaction of two",
}
#: Fewest and most points that the surrogate is fitted on.
_FEWEST, _MOST = 256, 8192


@dataclass(frozen=True, eq=False)
class Pilot:
    """Surrogates of all elements of all targets, fitted on points that are used for nothing else.

    Parameters
    ----------
    space : Space
    centres, scales : list of array
        Per target: mean and standard deviation of each element, by which values are standardised.
    surrogates : list of list of Surrogate
    draws : int
        Points used.
    """

    space: Space
    centres: list[Array]
    scales: list[Array]
    surrogates: list[list[Surrogate]]
    draws: int

    def standard(self, number: int, values: Array) -> Array:
        """Standardise the values of a target, shape (elements, draws)."""
        return (values - self.centres[number][:, None]) / self.scales[number][:, None]


def chosen(
    model: Model, of: str | Sequence[str] | None, log: bool, event: Happening | None
) -> tuple[list[Target], tuple[str, ...], str]:
    """Targets, the quantities they are read from, and the scale."""
    if event is None:
        if of is None:
            raise DemandsimError("of= is missing: name the quantities to explain, such as of='cards'")
        names = quantities(model, of)
        return targets(model, names, log=log), names, "log" if log else "linear"
    if log:
        raise DemandsimError("an event is 0 or 1 and has no logarithm; leave out log=True")
    made = events(model, () if of is None else quantities(model, of), event)
    return made, tuple(dict.fromkeys(name for target in made for name in target.names)), "event"


def piloted(inputs: Inputs, wanted: Sequence[Target], seed: int, evaluations: int, products: bool) -> Pilot:
    """Run the model on pilot points and fit a surrogate to every element of every target."""
    draws = min(max(1 << max(evaluations // 4, 1).bit_length() - 1, _FEWEST), _MOST)
    u = cube(inputs, seed, [0], "pilot", 0, draws, draws)
    values = values_at(inputs, grades_of(inputs, u))
    values = {**values, **inputs.program.derive(values, set(inputs.needed))}
    space = space_for(inputs, draws)
    design = Regressors(space, features(space.bases, u))
    centres, scales, surrogates = [], [], []
    for target in wanted:
        y = target.read(values, draws)
        finite = np.isfinite(y)
        with np.errstate(invalid="ignore", divide="ignore"):
            centre = np.where(finite, y, 0.0).sum(axis=1) / finite.sum(axis=1)
            spread = np.sqrt((np.where(finite, y - centre[:, None], 0.0) ** 2).sum(axis=1) / finite.sum(axis=1))
        centres.append(np.where(np.isfinite(centre), centre, 0.0))
        # What rounding makes of a constant is no spread.
        scales.append(np.where(spread > 1e-13 * np.abs(centres[-1]), spread, 1.0))
        standard = (y - centres[-1][:, None]) / scales[-1][:, None]
        offered: list[list[Array]] = [[] for _ in y]
        if products and finite.all() and target.names[0] in values:
            offered = products_behind(inputs, design, values, target)
        surrogates.append([fit(design, row, own) for row, own in zip(standard, offered, strict=True)])
    return Pilot(space, centres, scales, surrogates, draws)


def _blocks(chains: int, draws: int) -> list[tuple[range, int, int]]:
    """Whole chains together while they fit into a block, parts of one where they do not."""
    if draws >= BLOCK:
        return [(range(c, c + 1), s, min(s + BLOCK, draws)) for c in range(chains) for s in range(0, draws, BLOCK)]
    together = BLOCK // draws
    return [(range(c, min(c + together, chains)), 0, draws) for c in range(0, chains, together)]


def _summed(
    inputs: Inputs,
    wanted: Sequence[Target],
    pilot: Pilot,
    seed: int,
    draws: int,
    chains: int,
    second: bool,
) -> list[list[Sums]]:
    """Run the model on all points; sums of every element of every target."""
    totals: list[list[list[Sums]]] = [[[Sums()] * chains for _ in own] for own in pilot.surrogates]
    for own, start, stop in _blocks(chains, draws):
        u = [cube(inputs, seed, own, replica, start, stop, draws) for replica in ("A", "B")]
        size = u[0].shape[1]
        a, b = (values_at(inputs, grades_of(inputs, points)) for points in u)
        fa, fb = (features(pilot.space.bases, points) for points in u)
        swapped = [{**a, **{n: b[n] for n in factor.members}} for factor in inputs.factors]
        back = [{**b, **{n: a[n] for n in factor.members}} for factor in inputs.factors] if second else []
        runs = [read(inputs, values, wanted, size) for values in (a, b, *swapped, *back)]
        for number in range(len(wanted)):
            y = np.stack([pilot.standard(number, run[number]) for run in runs])
            split = 2 + len(inputs.factors)
            for element, surrogate in enumerate(pilot.surrogates[number]):
                points = Points(y[0, element], y[1, element], y[2:split, element], y[split:, element])
                made = add(surrogate, fa, fb, points, len(own))
                for place, chain in enumerate(own):
                    part = Sums({k: v[place] for k, v in made.means.items()}, made.count[place], 0)
                    merged = totals[number][element][chain].merged(part)
                    more = made.invalid if place == 0 else 0
                    before = totals[number][element][chain].invalid
                    totals[number][element][chain] = Sums(merged.means, merged.count, before + more)
    return [[_together(parts) for parts in own] for own in totals]


def _together(parts: Sequence[Sums]) -> Sums:
    names = parts[0].means
    means = {name: np.stack([part.means[name] for part in parts]) for name in names}
    return Sums(means, np.array([float(part.count) for part in parts]), sum(part.invalid for part in parts))


def sobol(
    model: Model,
    of: str | Sequence[str] | None = None,
    *,
    draws: int = 4096,
    chains: int = 8,
    seed: int | None = None,
    second_order: bool = False,
    log: bool = False,
    event: Happening | None = None,
    groups: Groups | None = None,
    prob: float = 0.9,
) -> xr.Dataset:
    r"""Shares of the variance that each assumption explains, for all quantities in one pass.

    .. math:: S_i = \frac{\mathrm{Var}\, E[y|x_i]}{\mathrm{Var}\, y}, \quad
        T_i = \frac{E\, \mathrm{Var}(y|x_{\sim i})}{\mathrm{Var}\, y}, \quad
        S_{ij} = \frac{\mathrm{Var}\, E[y|x_i, x_j]}{\mathrm{Var}\, y} - S_i - S_j

    A surrogate with known indices is fitted on pilot points; the model's runs estimate what it misses
    (see `demandsim.sensitivity.pick_freeze`), so that a bad fit costs accuracy, not truth.

    Parameters
    ----------
    model : Model
    of : str or sequence of str
        Quantities; may be left out with an `event` that names its own.
    draws : int, default 4096
        Base points per chain, a power of two. The model runs ``draws * chains * (factors + 2)`` times
        (``2 * factors + 2`` with `second_order`), and on at most 8192 pilot points.
    chains : int, default 8
        Independent randomisations, whose spread gives the errors and intervals.
    seed : int, optional
    second_order : bool, default False
        Also the interactions of two assumptions.
    log : bool, default False
        Explain the logarithm: for what is multiplied, shares of the relative uncertainty.
    event : str, tuple or callable, optional
        Explain whether something happens: ``"revenue > annualized_capex"``; ``"> 0"`` of the quantities
        `of`; or a function of the draws, such as ``lambda d: d.revenue.sum("year") > 1e9``.
    groups : mapping of str to sequence of str, optional
        Assumptions that are varied together; only these may be correlated with each other.
    prob : float, default 0.9
        Of the intervals.

    Returns
    -------
    Dataset
        ``first_order``, ``total_order`` (and ``second_order``, with dim ``assumption_2``) over
        ``quantity``, ``assumption`` and the model's dims, each with ``_lower``, ``_upper`` and
        ``_mcse``. ``n_invalid`` counts the runs that gave NaN or infinity: a base point with one is left
        out. NaN for what does not vary.

    Raises
    ------
    CorrelationError
        If assumptions are correlated: use `shapley`.

    Notes
    -----
    Sources: Sobol', Math. Comput. Simul. 55 (2001), and those of `pick_freeze`.

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("guosen-2025-01").select(scenario="100T")
    >>> found = sobol(model, "cards", draws=512, seed=1)
    >>> found.total_order.sel(quantity="cards").squeeze().to_series().round(2).idxmax()
    'activated_parameters'
    """
    check_prob(prob)
    check_whole("draws", draws)
    check_chains(chains)
    if draws & (draws - 1):
        raise DemandsimError(f"draws must be a power of two for Sobol' points, such as {1 << draws.bit_length()}")
    entropy = entropy_of(seed)
    wanted, names, scale = chosen(model, of, log, event)
    inputs = gather(model, names, groups)
    inputs.check_independent("sobol")
    runs = draws * chains * ((2 * len(inputs.factors) if second_order else len(inputs.factors)) + 2)
    pilot = piloted(inputs, wanted, entropy, runs, scale == "linear")
    sums = _summed(inputs, wanted, pilot, entropy, draws, chains, second_order)
    spoilt = [(q, e) for q, own in enumerate(sums) for e, s in enumerate(own) if s.invalid]
    if any(pilot.surrogates[q][e].explained(np.ones((1, len(inputs.streams))))[0] for q, e in spoilt):
        # What is left after invalid points is not what the surrogate's exact indices are about.
        for q, e in spoilt:
            pilot.surrogates[q][e] = constant(pilot.space)
        sums = _summed(inputs, wanted, pilot, entropy, draws, chains, second_order)
    return named(_table(model, inputs, wanted, pilot, sums, prob), model).assign_attrs(
        provenance(
            model,
            design="sobol",
            seed=recorded_seed(entropy),
            draws=draws,
            chains=chains,
            model_runs=runs + pilot.draws,
            prob=prob,
            method="pick-freeze on the residual of a surrogate with exact indices",
            scale=scale,
        )
    )


def _table(
    model: Model,
    inputs: Inputs,
    wanted: Sequence[Target],
    pilot: Pilot,
    sums: Sequence[Sequence[Sums]],
    prob: float,
) -> xr.Dataset:
    found: dict[str, list[tuple[Array, Array, Array, Array]]] = {}
    invalid = []
    for number, target in enumerate(wanted):
        behind = model.graph.ancestors(target.names)
        reach = [any(name in behind for name in factor.members) for factor in inputs.factors]
        made = [indices(s, own, reach) for s, own in zip(pilot.surrogates[number], sums[number], strict=True)]
        invalid.append(np.array([own.invalid for own in sums[number]]))
        for name in made[0].estimates:
            each = [(m.estimates[name], *chain_interval(m.estimates[name], m.chains[name], prob)) for m in made]
            stacked: Mapping[int, Array] = {k: np.stack([row[k] for row in each]) for k in range(4)}
            found.setdefault(name, []).append((stacked[0], stacked[1], stacked[2], stacked[3]))
    rows = [Rows(target.label, target.dims) for target in wanted]
    out = estimates_table(found, rows, inputs.program.layout, inputs.factors, _LONG_NAMES)
    return out.assign(n_invalid=labelled(invalid, rows, inputs.program.layout, {}))
