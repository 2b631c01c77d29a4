"""Shapley effects: the variance divided fairly among assumptions, whether they are correlated or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.distributions.base import normal_scores
from demandsim.sampling.in_memory import in_order
from demandsim.sampling.progress import Progress, Report, reporting
from demandsim.sampling.qmc import recorded_seed
from demandsim.sampling.run import BLOCK
from demandsim.sensitivity.inputs import Groups, SobolPoints, scores
from demandsim.sensitivity.permutations import exact, orders_of, redrawn
from demandsim.sensitivity.results import chain_interval, provenance
from demandsim.sensitivity.surrogate.basis import features
from demandsim.sensitivity.surrogate.expansion import Surrogate
from demandsim.sensitivity.surrogate.fit import Pilot, expansion_pilot, gaussian_pilot
from demandsim.sensitivity.tails import warn_of_indices
from demandsim.sensitivity.targets import Explained, Happening, explained
from demandsim.statistics.estimators import check_prob

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["shapley"]


def shapley(
    model: Model,
    of: str | Sequence[str] | None = None,
    *,
    draws: int = 1024,
    chains: int = 8,
    seed: int | None = None,
    log: bool = False,
    event: Happening | None = None,
    groups: Groups | None = None,
    prob: float = 0.9,
    progress: Progress = None,
) -> xr.Dataset:
    r"""Divide the variance of quantities among their assumptions; they may be correlated.

    .. math:: \phi_i = \frac{1}{V} \sum_{u \not\ni i} \frac{|u|! \, (d - |u| - 1)!}{d!}
        \left[ c(u \cup i) - c(u) \right], \quad c(u) = E\, \mathrm{Var}(y \,|\, x_{\sim u})

    Effects are not negative and sum to 1. Assumptions join in an order drawn anew for every point;
    those that have joined are drawn again given the others, which in the normal scores of a Gaussian
    copula is exact. As in `sobol`, a surrogate whose effects are known exactly leaves only its
    residual to the model's runs.

    Parameters
    ----------
    model : Model
    of : str or sequence of str
        Quantities; may be left out with an `event` that names its own.
    draws : int, default 1024
        Base points per chain, a power of two. The model runs ``draws * chains * (factors + 1)`` times,
        and on a pilot of at most 8192 points.
    chains : int, default 8
        Independent randomisations, whose spread gives the errors and intervals.
    seed : int, optional
    log, event, groups
        As for `sobol`; correlated assumptions need no group.
    prob : float, default 0.9
        Of the intervals.
    progress : bool or callable, optional
        True shows a line; or called with (chains done, chains in total).

    Returns
    -------
    Dataset
        ``effect`` with ``_lower``, ``_upper`` and ``_mcse``, over ``quantity``, ``assumption`` and the
        model's dims; ``n_invalid`` counts runs that gave NaN or infinity. NaN for what does not vary.

    Warns
    -----
    HeavyTailWarning
        As `sobol`.

    Notes
    -----
    Sources: Song, Nelson and Staum, SIAM/ASA J. Uncertainty Quantification 4 (2016), orders and
    correlated inputs; Goda, Reliability Engineering & System Safety 214 (2021), one walk of d steps
    per point for all effects; Owen, SIAM/ASA J. Uncertainty Quantification 2 (2014).

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("guosen-2025-01").correlate({("utilization", "peak_ratio"): -0.5})
    >>> found = shapley(model, "gross_margin", draws=64, seed=1)
    >>> found.effect.sum("assumption").round(6).values
    array([[1., 1.]])
    """
    check_prob(prob)
    points = SobolPoints.of(draws, chains, seed)
    about = explained(model, of, groups, log=log, event=event)
    runs = draws * chains * (len(about.inputs.factors) + 1)
    pilot: Pilot[Any]
    correlated = not all(about.inputs.alone)
    pilot = gaussian_pilot(about, points.seed) if correlated else expansion_pilot(about, points.seed, runs)
    report = reporting(progress, "shapley")
    parts = _chains(about, pilot, points, report)
    invalid = np.sum([part[1] for part in parts], axis=0)
    if invalid.any():
        # The surrogate's exact effects are about all points, not about those that are valid.
        pilot = pilot.without(invalid > 0)
        parts = _chains(about, pilot, points, report)
    effect = _effects(np.stack([part[0] for part in parts]), prob, _reach(about))
    warn_of_indices("shapley", about.labels, pilot.tails, *effect[1:3])
    return about.table({"effect": effect}, {"effect": "Shapley effect"}, invalid).assign_attrs(
        provenance(model, design="sobol", seed=recorded_seed(points.seed), draws=draws, chains=chains, prob=prob),
        model_runs=runs + pilot.draws,
        method="random orders on the residual of a surrogate with exact effects",
        scale=about.scale,
    )


def _reach(about: Explained) -> npt.NDArray[np.bool_]:
    """Factors whose effect is not exactly 0: what an element is computed from, and what that is correlated with."""
    inputs = about.inputs
    linked = np.zeros((len(inputs.factors),) * 2, dtype=bool)
    for a, b in zip(*np.nonzero(inputs.linked), strict=True):
        linked[inputs.owner[a], inputs.owner[b]] = True
    reach = about.reach
    for _ in inputs.factors:
        reach = reach @ linked
    return reach


def _effects(shares: Array, prob: float, reach: npt.NDArray[np.bool_]) -> tuple[Array, Array, Array, Array]:
    """Normalise parts of the variance of shape (chains, elements, factors) to effects that sum to 1."""
    total = shares.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = total.mean(axis=0)
        effect = np.where(pooled > 0, shares.mean(axis=0) / pooled, np.nan)
        each = effect + (shares - effect * total) / pooled
    effect, each = (np.where(reach | ~np.isfinite(effect), x, 0.0) for x in (effect, each))
    return (effect, *chain_interval(effect, each, prob))


def _chains(about: Explained, pilot: Pilot[Any], points: SobolPoints, report: Report) -> list[tuple[Array, Array]]:
    parts = []
    for chain in range(points.chains):
        report(chain, points.chains)
        parts.append(_chain(about, pilot, points, chain))
    report(points.chains, points.chains)
    return parts


def _chain(about: Explained, pilot: Pilot[Any], points: SobolPoints, chain: int) -> tuple[Array, Array]:
    """Parts of the variance of one chain, shape (elements, factors); and invalid runs of each element."""
    inputs = about.inputs
    orders = orders_of(inputs, points.seed, chain, points.draws)
    # A surrogate's effects are exact under a normal copula alone; under another it says nothing.
    trusted = not inputs.tails
    shares = (
        exact(inputs, pilot.surrogates, orders) if trusted else np.zeros((len(pilot.surrogates), len(inputs.factors)))
    )
    sums, counts = np.zeros_like(shares), np.zeros(len(shares))
    invalid = np.zeros(len(shares), dtype=int)
    most = inputs.most
    for block in points.blocks(range(chain, chain + 1), min(most, BLOCK // 4)):
        order = orders[block.start : block.stop]
        cubes = [inputs.cube(block, replica) for replica in ("A", "B")]
        base = scores(inputs.grades(cubes[0])) if inputs.tails else inputs.root @ scores(cubes[0])
        fresh = scores(cubes[1])
        steps = [base, *(redrawn(inputs, base, fresh, order[:, : k + 1]) for k in range(len(inputs.factors)))]
        # Few points of many steps run together as well as many points of one.
        size, each = base.shape[1], max(most // base.shape[1], 1)
        runs = [_both(about, pilot, np.hstack(steps[k : k + each])) for k in range(0, len(steps), each)]
        y, h = (
            np.concatenate(side, axis=1).reshape(-1, len(steps), size).swapaxes(0, 1)
            for side in zip(*runs, strict=True)
        )
        h = h if trusted else np.zeros_like(h)
        good = np.isfinite(y).all(axis=0)
        invalid += np.count_nonzero(~np.isfinite(y), axis=(0, 2))
        with np.errstate(invalid="ignore"):
            half = 0.5 * ((y - y[0]) ** 2 - (h - h[0]) ** 2)
        gained = np.diff(np.where(good, half, 0.0), axis=0)
        for k, step in enumerate(gained):
            for factor in range(len(inputs.factors)):
                sums[:, factor] += step[:, order[:, k] == factor].sum(axis=-1)
        counts += good.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return shares + sums / counts[:, None], invalid


def _both(about: Explained, pilot: Pilot[Any], z: Array) -> tuple[Array, Array]:
    """Standardised values of the model and of the surrogates at normal scores, shape (elements, points)."""
    u = normal_scores(z)
    values = pilot.standard(about.values(about.inputs.values(u), z.shape[1]))
    point = features(pilot.blank.space.bases, u) if isinstance(pilot.blank, Surrogate) else z
    return values, np.stack(in_order(lambda surrogate: surrogate.value(point), pilot.surrogates))
