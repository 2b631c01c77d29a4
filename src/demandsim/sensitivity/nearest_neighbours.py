"""Nearest neighbours: total order indices and Shapley effects from draws already made, with correlated inputs too."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array
from demandsim.errors import DesignWarning, warn
from demandsim.sampling.progress import Progress, Report, reporting
from demandsim.sampling.qmc import entropy_of, recorded_seed
from demandsim.sensitivity.conditional_variance import ConditionalVariance, Left, normal_ranks, standard_error
from demandsim.sensitivity.from_draws import Cells, Paired, asked, generator, paired
from demandsim.sensitivity.inputs import Groups
from demandsim.sensitivity.results import collected
from demandsim.sensitivity.tails import collect_heavy, is_sure, warn_of_draws
from demandsim.statistics.estimators import check_prob

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["nearest_neighbours"]

#: Most draws that neighbours are looked for among; of more, the first of every chain.
_MOST = 1 << 12
#: Most quantities that a result is tried as a sum of.
_PARTS = 4
#: Most inputs of which all subsets are looked at; with more, random orders are, so many of them.
_ALL_SUBSETS, _ORDERS = 6, 16

_LONG_NAMES = {
    "total_order": "share of variance explained with interactions",
    "effect": "Shapley effect",
    "unexplained": "share of variance that the inputs together leave",
}
_SUFFIXES = ("", "_lower", "_upper", "_mcse")


def nearest_neighbours(
    draws: xr.Dataset,
    of: str | Sequence[str],
    *,
    inputs: Sequence[str] | None = None,
    groups: Groups | None = None,
    given: Any = None,
    prob: float = 0.9,
    seed: int | None = None,
    progress: Progress = None,
) -> xr.Dataset:
    r"""Total order indices and Shapley effects from draws already made; inputs may be correlated.

    .. math:: T_i = \frac{E\, \mathrm{Var}(y|x_{\sim i}) - E\, \mathrm{Var}(y|x)}{\mathrm{Var}\, y}, \quad
        \phi_i = \frac{1}{\mathrm{Var}\, y} \sum_{u \not\ni i} \frac{|u|! \, (d - |u| - 1)!}{d!}
        \left[ E\, \mathrm{Var}(y|x_u) - E\, \mathrm{Var}(y|x_{u \cup i}) \right]

    Draws that are near each other in what is known differ by what is not.

    Parameters
    ----------
    draws : Dataset
        Made by ``model.simulate`` or ``model.infer``, or imported. Of more than 4,096 draws the first of every chain
        are taken.
    of : str or sequence of str
    inputs : sequence of str, optional
        Quantities that explain: assumptions, or what is computed from them. Every assumption by default.
    groups : mapping of str to sequence of str, optional
        Quantities that are known together.
    given : str, tuple, bool DataArray or callable, optional
        Only draws in which something happens count, such as ``"gross_margin < 0"``.
    prob : float, default 0.9
        Of the intervals.
    seed : int, optional
        Of the order of equal values, and of the orders of more than 6 inputs.
    progress : bool or callable, optional
        True shows a line; or called with (done, total).

    Returns
    -------
    Dataset
        ``total_order`` and ``effect`` with ``_lower``, ``_upper`` and ``_mcse``, over ``quantity``, ``assumption`` and
        the model's dims; ``unexplained``, the share that is left when all inputs are known: what other quantities
        explain, and what so few draws do not tell. Effects add up to 1 less that. ``n_invalid`` counts draws left out
        for NaN or infinity, ``n_draws`` those that count. NaN for what does not vary by more than rounding.

    Raises
    ------
    DemandsimError
        If there are fewer than 128 draws.

    Warns
    -----
    HeavyTailWarning
        If the variance hangs on a few extreme draws.
    DependentInputsWarning
        If inputs are computed from others.
    DesignWarning
        If the draws are one chain of a design whose draws keep apart, so that neighbours are not independent.

    Notes
    -----
    Source: Broto, Bachoc and Depecker, SIAM/ASA J. Uncertainty Quantification 8 (2020). Residuals of a regression
    take the place of the result (see `demandsim.sensitivity.conditional_variance`), without which nine inputs would
    make every total order too large by a quarter of the variance. Intervals: the spread of what draws and chains tell,
    and the doubt about neighbours that are not near.

    Examples
    --------
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").select(scenario="100T").simulate(draws=128, seed=1)
    >>> found = nearest_neighbours(draws, "cards", inputs=["activated_parameters", "utilization"], seed=1)
    >>> found.effect.squeeze().to_series().idxmax()
    'activated_parameters'
    """
    check_prob(prob)
    entropy = entropy_of(seed)
    about = asked(draws, of, inputs=inputs, groups=groups, given=given, most=_MOST)
    about.check_number("nearest_neighbours")
    if about.draws.sizes["chain"] == 1 and draws.attrs.get("design", "random") != "random":
        warn(
            f"nearest_neighbours: draws of one chain of the design '{draws.attrs['design']}' keep apart, so that "
            "neighbours are not independent of each other; simulate several chains, or with design='random'",
            DesignWarning,
        )
    heavy: dict[str, float] = {}
    elements = [data for name in about.of for data in paired(about, name)]
    for data in elements:
        collect_heavy(heavy, data.quantity, data.y)
    nothing = {"total_order": (math.nan,) * 4, "effect": (math.nan,) * 4, "unexplained": (math.nan,)}
    cells: dict[int, Cells] = {place: [nothing for _ in data.x] for place, data in enumerate(elements)}
    beside = draws.isel(draw=slice(0, about.draws.sizes["draw"]))
    groups_alike = _alike(elements, entropy)
    plans = [_Plan.of(len(z), entropy) for _, z in groups_alike]
    steps = _steps(reporting(progress, "nearest neighbours"), sum(len(plan.shares) for plan in plans))
    next(steps)
    for (places, z), plan in zip(groups_alike, plans, strict=True):
        own = [elements[place] for place in places]
        parts = [_parts(beside, data) for data in own]
        cells |= zip(places, _divided(own, z, plan, prob, steps, parts), strict=True)
    out = collected(about, iter(elements), (cells[place] for place in range(len(elements))), _LONG_NAMES, _SUFFIXES)
    out["unexplained"] = out.unexplained.max("assumption", keep_attrs=True)
    warn_of_draws("nearest_neighbours", heavy)
    method = "nearest neighbours on the residuals of regressions"
    return out.assign_attrs(about.about(), seed=recorded_seed(entropy), prob=prob, method=method)


def _steps(report: Report, total: int) -> Iterator[None]:
    """The first item taken is the beginning, each further one a step that is done."""
    for done in range(total + 1):
        report(done, total)
        yield


def _alike(elements: Sequence[Paired], entropy: int) -> list[tuple[list[int], list[Array]]]:
    """Elements whose inputs are ranked alike, as in scenarios that only scale them: they have the same neighbours."""
    found: dict[bytes, tuple[list[int], list[Array]]] = {}
    for place, data in enumerate(elements):
        if is_sure(data.y):
            continue
        rng = generator(entropy, 13)
        z = [normal_ranks(own, rng) for own in data.x]
        key = hashlib.sha256(b"".join([data.chain.tobytes(), *(own.tobytes() for own in z)])).digest()
        found.setdefault(key, ([], z))[0].append(place)
    return list(found.values())


@dataclass(frozen=True, eq=False)
class _Plan:
    """Which sets of inputs are looked at, as bits, and what each is to the effect of every input.

    Parameters
    ----------
    shares : mapping of int to array of shape (inputs,)
        Coefficients of what a set explains; the full set and those without one input are always there.
    orders : list of tuple of int
        Random orders, if these and not all subsets are looked at.
    """

    shares: Mapping[int, Array]
    orders: list[tuple[int, ...]]

    @classmethod
    def of(cls, d: int, entropy: int) -> _Plan:
        """All subsets of few inputs; of many those of random orders, each beside its reverse."""
        if d <= _ALL_SUBSETS:
            weight = [math.factorial(s) * math.factorial(d - s - 1) / math.factorial(d) for s in range(d)]
            bits = [[bool(number >> i & 1) for i in range(d)] for number in range(1 << d)]
            rows = [[weight[sum(own) - 1] if has else -weight[sum(own)] for has in own] for own in bits]
            return cls({number: np.array(row) for number, row in enumerate(rows)}, [])
        rng = generator(entropy, 14)
        half = [tuple(rng.permutation(d).tolist()) for _ in range(_ORDERS // 2)]
        orders = [order for one in half for order in (one, one[::-1])]
        shares: dict[int, Array] = {(1 << d) - 1 - own: np.zeros(d) for own in (0, *(1 << i for i in range(d)))}
        for order in orders:
            joined = 0
            for i in order:
                for number, sign in ((joined, -1.0), (joined | 1 << i, 1.0)):
                    shares.setdefault(number, np.zeros(d))[i] += sign / len(orders)
                joined |= 1 << i
        return cls(shares, orders)

    def spread(self, left: Mapping[int, Array], d: int) -> Array:
        """Standard error of the effects that comes from the orders, shape (elements, inputs)."""
        if not self.orders:
            return np.zeros((1, d))
        gained = np.zeros((len(self.orders), len(next(iter(left.values()))), d))
        for row, order in zip(gained, self.orders, strict=True):
            joined = 0
            for i in order:
                row[:, i] = left[joined] - left[joined | 1 << i]
                joined |= 1 << i
        pairs = 0.5 * (gained[::2] + gained[1::2])
        return np.asarray(pairs.std(axis=0, ddof=1) / math.sqrt(len(pairs)))


def _parts(draws: xr.Dataset, data: Paired) -> Array:
    """Logarithms of quantities that an element may be a sum of: computed, of one sign, the likest first."""
    found = []
    for name, array in draws.data_vars.items():
        dims = set(array.dims) - {"chain", "draw"}
        if name == data.quantity or array.attrs.get("role") != "derived" or not dims <= set(data.place):
            continue
        own = array.sel({dim: data.place[str(dim)] for dim in dims})
        values = (
            own.transpose("chain", "draw").values.astype(float).ravel()[data.kept] if own.ndim == 2 else np.zeros(1)
        )
        if np.isfinite(values).all() and ((values > 0).all() or (values < 0).all()) and np.ptp(values) > 0:
            found.append(values)
    likeness = [abs(float(np.corrcoef(values, data.y)[0, 1])) for values in found]
    logs = [np.log(np.abs(found[place])) for place in np.argsort(likeness, kind="stable")[::-1][:_PARTS]]
    return np.array(logs).reshape(-1, data.y.size)


def _divided(
    elements: Sequence[Paired], z: Sequence[Array], plan: _Plan, prob: float, steps: Iterator[None], parts: list[Array]
) -> list[Cells]:
    """Total orders and effects of elements that have the same neighbours."""
    from scipy import special

    d, chain = len(z), elements[0].chain
    owner = np.repeat(np.arange(d), [len(own) for own in z])
    variance = ConditionalVariance.of(np.vstack(z), np.array([data.y for data in elements]), chain, parts)
    square = variance.y**2 - 1
    full = (1 << d) - 1
    effect, doubt = np.zeros((2, len(elements), d))
    influence = np.zeros((d, *square.shape))
    total, values = {}, {}
    missed = unexplained = np.zeros(len(elements))
    everything = variance.left(np.arange(0))
    for number, share in plan.shares.items():
        known = np.flatnonzero([number >> i & 1 for i in owner])
        left = variance.left(known)
        values[number] = left.value
        effect -= left.value[:, None] * share
        doubt += 0.5 * left.doubt[:, None] * np.abs(share)
        if share.any():
            influence -= share[:, None, None] * left.influence
        without = full & ~number
        if without and not without & (without - 1):
            total[without.bit_length() - 1] = left
        if number == full:
            # What neighbours so far apart leave may be explained all the same, by any input.
            everything, unexplained = left, left.value
            missed = np.minimum(left.value, 2 * left.doubt)
        next(steps)
    chains = int(chain.max()) + 1
    quantile = float(special.stdtrit(min(max(chains - 1, 3), 31), (1 + prob) / 2))
    spread = np.broadcast_to(plan.spread(values, d), effect.shape)

    def bounds(value: float, error: float, slack: float, below: float, above: float) -> tuple[float, ...]:
        half = quantile * error + slack
        return value, value - half - below, value + half + above, error

    found = []
    for e in range(len(elements)):
        cells: Cells = []
        # What the inputs leave for certain is no interaction of any of them.
        noise = float(unexplained[e] - missed[e])
        away = everything.influence[e] if noise > 0 else np.zeros(chain.size)
        for i in range(d):
            own: Left = total[i]
            value = max(float(own.value[e]) - noise, 0.0)
            error = float(standard_error(own.influence[e] - away - value * square[e], chain))
            part = float(effect[e, i])
            wrong = math.hypot(float(standard_error(influence[i, e] - part * square[e], chain)), float(spread[e, i]))
            cells.append(
                {
                    "total_order": bounds(value, error, float(own.doubt[e]), float(missed[e]) * (noise > 0), 0.0),
                    "effect": bounds(part, wrong, float(doubt[e, i]), 0.0, float(missed[e]) / d),
                    "unexplained": (float(unexplained[e]),),
                }
            )
        found.append(cells)
    return found
