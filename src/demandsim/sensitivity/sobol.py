"""Sobol' indices: shares of the variance that assumptions explain alone, together, and in all."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from demandsim._system import Array
from demandsim.sampling.in_memory import in_order
from demandsim.sampling.program import Values
from demandsim.sampling.progress import Progress, Report, reporting
from demandsim.sampling.qmc import recorded_seed
from demandsim.sensitivity.inputs import Block, Groups, Kept, SobolPoints
from demandsim.sensitivity.pick_freeze import Outputs, Sums, indices, sums_of
from demandsim.sensitivity.results import chain_interval, provenance
from demandsim.sensitivity.surrogate.basis import features
from demandsim.sensitivity.surrogate.expansion import Surrogate
from demandsim.sensitivity.surrogate.fit import Pilot, expansion_pilot
from demandsim.sensitivity.tails import warn_of_indices
from demandsim.sensitivity.targets import Explained, Happening, explained
from demandsim.statistics.estimators import check_prob

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["sobol"]

_LONG_NAMES = {
    "first_order": "share of variance explained alone",
    "total_order": "share of variance explained with interactions",
    "second_order": "share of variance explained by the interaction of two",
}


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
    progress: Progress = None,
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
    progress : bool or callable, optional
        True shows a line; or called with (done, total).

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

    Warns
    -----
    HeavyTailWarning
        If the variance hangs on a few extreme draws, so that neither shares of it nor their intervals can be trusted;
        or if an interval is wider than 1.

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
    points = SobolPoints.of(draws, chains, seed)
    about = explained(model, of, groups, log=log, event=event)
    about.inputs.check_independent("sobol")
    factors = len(about.inputs.factors)
    runs = draws * chains * ((2 * factors if second_order else factors) + 2)
    pilot = expansion_pilot(about, points.seed, runs)
    report = reporting(progress, "sobol")
    sums = _sums(about, pilot, points, second_order, report)
    spoilt = np.array([own.invalid > 0 for own in sums])
    everything = np.ones((1, len(about.inputs.streams)))
    if any(own.explained(everything)[0] for own, bad in zip(pilot.surrogates, spoilt, strict=True) if bad):
        # What is left after invalid points is not what the surrogate's exact indices are about.
        pilot = pilot.without(spoilt)
        sums = _sums(about, pilot, points, second_order, report)
    made = [indices(*row) for row in zip(pilot.surrogates, sums, about.reach, strict=True)]
    found = {}
    for name in made[0].estimates:
        estimate = np.stack([own.estimates[name] for own in made])
        found[name] = (estimate, *chain_interval(estimate, np.stack([own.chains[name] for own in made], axis=1), prob))
    lower, upper = (np.stack([found[name][end] for name in ("first_order", "total_order")], axis=1) for end in (1, 2))
    warn_of_indices("sobol", about.labels, pilot.tails, lower, upper)
    return about.table(found, _LONG_NAMES, np.array([own.invalid for own in sums])).assign_attrs(
        provenance(model, design="sobol", seed=recorded_seed(points.seed), draws=draws, chains=chains, prob=prob),
        model_runs=runs + pilot.draws,
        method="pick-freeze on the residual of a surrogate with exact indices",
        scale=about.scale,
    )


def _sums(about: Explained, pilot: Pilot[Surrogate], points: SobolPoints, second: bool, report: Report) -> list[Sums]:
    """Sums of every element over all points; whole chains together while they fit into a block."""
    parts = []
    most = about.inputs.most
    together = max(most // points.draws, 1)
    groups = [range(first, min(first + together, points.chains)) for first in range(0, points.chains, together)]
    # A step is a run of the model on one block.
    each = 2 + (2 if second else 1) * len(about.inputs.factors)
    total = each * sum(len(points.blocks(chains, most)) for chains in groups)
    count = itertools.count()

    def step() -> None:
        report(next(count), total)

    step()
    for chains in groups:
        blocks = (_block_sums(about, pilot, block, second, step) for block in points.blocks(chains, most))
        parts.append(functools.reduce(lambda one, other: [a.plus(b) for a, b in zip(one, other, strict=True)], blocks))
    return [Sums.joined(own) for own in zip(*parts, strict=True)]


def _block_sums(
    about: Explained, pilot: Pilot[Surrogate], block: Block, second: bool, step: Callable[[], None]
) -> list[Sums]:
    """Run the model on the points of one block; sums of every element."""
    inputs, bases = about.inputs, pilot.blank.space.bases
    u = [inputs.cube(block, replica) for replica in ("A", "B")]
    a, b = (inputs.values(inputs.grades(points)) for points in u)
    fa, fb = (features(bases, points) for points in u)
    size = u[0].shape[1]

    def standard(assumed: Values, kept: Kept) -> Array:
        found = pilot.standard(about.values(assumed, size, kept))
        step()
        return found

    def exchanged(one: Values, other: Values, kept: Kept) -> Iterator[Array]:
        for factor in inputs.factors:
            # What does not depend on the factor is computed already.
            yield standard({**one, **{n: other[n] for n in factor.members}}, inputs.untouched(kept, factor.members))

    of_a: Kept = {}
    of_b: Kept = {}
    runs = [standard(a, of_a), standard(b, of_b)]
    if not second:
        of_b.clear()
    runs += exchanged(a, b, of_a)
    if second:
        runs += exchanged(b, a, of_b)
    split = 2 + len(inputs.factors)

    def sums(element: int) -> Sums:
        y = np.stack([run[element] for run in runs])
        outputs = Outputs(y[0], y[1], y[2:split], y[split:])
        return sums_of(pilot.surrogates[element], fa, fb, outputs, len(block.chains))

    return in_order(sums, range(len(pilot.surrogates)))
