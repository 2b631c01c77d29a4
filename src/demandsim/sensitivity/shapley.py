"""Shapley effects: the variance divided fairly among assumptions, whether they are correlated or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import normal_scores
from demandsim.errors import DemandsimError, check_whole
from demandsim.sampling.qmc import entropy_of, recorded_seed
from demandsim.sampling.run import BLOCK
from demandsim.sensitivity.inputs import Groups, Inputs, gather
from demandsim.sensitivity.permutations import exact, orders_of, redrawn
from demandsim.sensitivity.results import (
    Rows,
    chain_interval,
    check_chains,
    estimates_table,
    labelled,
    named,
    provenance,
)
from demandsim.sensitivity.sobol import chosen, piloted
from demandsim.sensitivity.surrogate.basis import features
from demandsim.sensitivity.surrogate.expansion import Space, Surrogate
from demandsim.sensitivity.surrogate.fit import constant
from demandsim.sensitivity.surrogate.gaussian import GaussianSurrogate, blank_gaussian, fit_gaussian
from demandsim.sensitivity.targets import Happening, Target, cube, read, scores, values_at
from demandsim.statistics.estimators import check_prob

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["shapley"]

_PILOT = 4096


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Surrogates of all targets, standardised, and where to evaluate them."""

    space: Space | None
    centres: list[Array]
    scales: list[Array]
    surrogates: Sequence[Sequence[Surrogate | GaussianSurrogate]]
    draws: int


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

    Returns
    -------
    Dataset
        ``effect`` with ``_lower``, ``_upper`` and ``_mcse``, over ``quantity``, ``assumption`` and the
        model's dims; ``n_invalid`` counts runs that gave NaN or infinity. NaN for what does not vary.

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
    check_whole("draws", draws)
    check_chains(chains)
    if draws & (draws - 1):
        raise DemandsimError(f"draws must be a power of two for Sobol' points, such as {1 << draws.bit_length()}")
    entropy = entropy_of(seed)
    wanted, names, scale = chosen(model, of, log, event)
    inputs = gather(model, names, groups)
    runs = draws * chains * (len(inputs.factors) + 1)
    fitted = _fitted(inputs, wanted, entropy, runs, scale == "linear")
    parts = [_chain(inputs, wanted, fitted, entropy, chain, draws) for chain in range(chains)]
    invalid = [np.sum([part[1][q] for part in parts], axis=0) for q in range(len(wanted))]
    if any(count.any() for count in invalid) and fitted.draws:
        # The surrogate's exact effects are about all points, not about those that are valid.
        fitted = _without_surrogates(inputs, fitted, invalid)
        parts = [_chain(inputs, wanted, fitted, entropy, chain, draws) for chain in range(chains)]
    found = []
    for q, target in enumerate(wanted):
        shares = np.stack([part[0][q] for part in parts])
        found.append(_effects(shares, prob, _reach(model, inputs, target)))
    rows = [Rows(target.label, target.dims) for target in wanted]
    layout = inputs.program.layout
    out = estimates_table({"effect": found}, rows, layout, inputs.factors, {"effect": "Shapley effect"})
    return named(out.assign(n_invalid=labelled(invalid, rows, layout, {})), model).assign_attrs(
        provenance(
            model,
            design="sobol",
            seed=recorded_seed(entropy),
            draws=draws,
            chains=chains,
            model_runs=runs + fitted.draws,
            prob=prob,
            method="random orders on the residual of a surrogate with exact effects",
            scale=scale,
        )
    )


def _reach(model: Model, inputs: Inputs, target: Target) -> Array:
    """Factors whose effect is not exactly 0: what the target is computed from, and what that is correlated with."""
    behind = model.graph.ancestors(target.names)
    direct = np.array([any(name in behind for name in factor.members) for factor in inputs.factors])
    linked = np.zeros((len(direct), len(direct)))
    for a, b in zip(*np.nonzero(inputs.correlation), strict=True):
        linked[inputs.owner[a], inputs.owner[b]] = 1
    for _ in direct:
        direct = linked @ direct > 0
    return direct


def _effects(shares: Array, prob: float, reach: Array) -> tuple[Array, Array, Array, Array]:
    """Normalise parts of the variance of shape (chains, elements, factors) to effects that sum to 1."""
    total = shares.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = total.mean(axis=0)
        effect = np.where(pooled > 0, shares.mean(axis=0) / pooled, np.nan)
        each = effect + (shares - effect * total) / pooled
    effect, each = (np.where(reach | ~np.isfinite(effect), x, 0.0) for x in (effect, each))
    return (effect, *chain_interval(effect, each, prob))


def _fitted(inputs: Inputs, wanted: Sequence[Target], seed: int, runs: int, products: bool) -> _Fitted:
    if all(inputs.alone):
        pilot = piloted(inputs, wanted, seed, runs, products)
        return _Fitted(pilot.space, pilot.centres, pilot.scales, pilot.surrogates, pilot.draws)
    z = inputs.root @ scores(cube(inputs, seed, [0], "pilot", 0, _PILOT, _PILOT))
    values = values_at(inputs, normal_scores(z))
    values = {**values, **inputs.program.derive(values, set(inputs.needed))}
    centres, scales, surrogates = [], [], []
    for target in wanted:
        y = target.read(values, _PILOT)
        with np.errstate(invalid="ignore"):
            centre, scale = y.mean(axis=1), y.std(axis=1)
        centres.append(np.where(np.isfinite(centre), centre, 0.0))
        scales.append(np.where(np.isfinite(scale) & (scale > 1e-13 * np.abs(centres[-1])), scale, 1.0))
        standard = (y - centres[-1][:, None]) / scales[-1][:, None]
        own = [_behind(inputs, values, target, e, len(y)) if products else [] for e in range(len(y))]
        surrogates.append([fit_gaussian(inputs.correlation, z, *row) for row in zip(standard, own, strict=True)])
    return _Fitted(None, centres, scales, surrogates, _PILOT)


def _behind(inputs: Inputs, values: dict[str, Array], target: Target, element: int, elements: int) -> list[Array]:
    """The target and the quantities that it is computed from, at the pilot points of one element."""
    parents = {step.equation.name: step.equation.inputs for step in inputs.program.steps}
    name = target.names[0]
    place = np.unravel_index(element, values[name].shape[:-1])
    offered = [name, *(p for p in parents.get(name, ()) if p in parents)][:5]
    found = []
    for other in offered:
        whole = values[other]
        spot = tuple(min(int(p), size - 1) for p, size in zip(place, whole.shape[:-1], strict=True))
        if whole.shape[-1] > 1:
            found.append(whole[spot])
    return found


def _without_surrogates(inputs: Inputs, fitted: _Fitted, invalid: Sequence[Array]) -> _Fitted:
    kept: list[list[Surrogate | GaussianSurrogate]] = []
    for own, counts in zip(fitted.surrogates, invalid, strict=True):
        blank: Surrogate | GaussianSurrogate
        blank = constant(fitted.space) if fitted.space is not None else blank_gaussian(inputs.correlation)
        kept.append([blank if count else s for s, count in zip(own, counts, strict=True)])
    return _Fitted(fitted.space, fitted.centres, fitted.scales, kept, fitted.draws)


def _chain(
    inputs: Inputs, wanted: Sequence[Target], fitted: _Fitted, seed: int, chain: int, draws: int
) -> tuple[list[Array], list[Array]]:
    """Parts of the variance of one chain, shape (elements, factors) per target; and invalid runs."""
    d = len(inputs.factors)
    orders = orders_of(inputs, seed, chain, draws)
    shares = [exact(inputs, own, orders) for own in fitted.surrogates]
    sums = [np.zeros_like(share) for share in shares]
    counts = [np.zeros(len(share)) for share in shares]
    invalid = [np.zeros(len(share), dtype=int) for share in shares]
    for start in range(0, draws, BLOCK // 4):
        stop = min(start + BLOCK // 4, draws)
        order = orders[start:stop]
        white = [scores(cube(inputs, seed, [chain], replica, start, stop, draws)) for replica in ("A", "B")]
        base = inputs.root @ white[0]
        steps = [base, *(redrawn(inputs, base, white[1], order[:, : k + 1]) for k in range(d))]
        f, g = zip(*(_both(inputs, wanted, fitted, z) for z in steps), strict=True)
        rows = np.arange(stop - start)
        for q in range(len(wanted)):
            y, h = (np.stack([step[q] for step in side]) for side in (f, g))
            good = np.isfinite(y).all(axis=0)
            invalid[q] += np.count_nonzero(~np.isfinite(y), axis=(0, 2))
            with np.errstate(invalid="ignore"):
                half = 0.5 * ((y - y[0]) ** 2 - (h - h[0]) ** 2)
            half = np.where(good, half, 0.0)
            gained = np.diff(half, axis=0)
            for k in range(d):
                for factor in range(d):
                    here = rows[order[:, k] == factor]
                    sums[q][:, factor] += gained[k][:, here].sum(axis=-1)
            counts[q] += good.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return [s + t / n[:, None] for s, t, n in zip(shares, sums, counts, strict=True)], invalid


def _both(inputs: Inputs, wanted: Sequence[Target], fitted: _Fitted, z: Array) -> tuple[list[Array], list[Array]]:
    """Standardised values of the model and of the surrogates at normal scores."""
    u = normal_scores(z)
    values = read(inputs, values_at(inputs, u), wanted, z.shape[1])
    f = [(y - c[:, None]) / s[:, None] for y, c, s in zip(values, fitted.centres, fitted.scales, strict=True)]
    point = features(fitted.space.bases, u) if fitted.space is not None else z
    g = [np.stack([s.value(point) for s in own]) for own in fitted.surrogates]  # type: ignore[arg-type]
    return f, g
