r"""Compound: a law whose parameters are uncertain themselves.

.. math:: F(x) = \int F(x \mid \theta) \, dP(\theta)

The integral is a Gauss sum over each parameter: over its grade (Legendre) if its values are bounded, else over its
normal score (Hermite). Both converge geometrically for what is smooth; places are doubled until the sum no longer
changes. A parameter of finitely many values is summed over them.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.distributions.closed_form import Columns
from demandsim.distributions.frozen import ScipyLaw
from demandsim.distributions.inversion import tabulate
from demandsim.distributions.mixture_law import MixtureLaw, mixture_law
from demandsim.distributions.step_law import StepLaw, step_law
from demandsim.errors import DistributionError

__all__ = ["CompoundLaw", "compound_law"]

#: Places along a parameter to begin with and in the end, most terms of the sum, and by how much it may still change
#: when places are doubled.
_FEWEST, _MOST_PLACES, _MOST = 6, 192, 2400
_SETTLED = 1e-10
#: Whole numbers up to which a discrete law becomes a list of its values.
_MOST_VALUES = 100_000
#: Numbers that are computed at once where all components are.
_BLOCK = 1 << 18


def compound_law(solve: Callable[..., Law], said: Mapping[str, Any], unsure: Mapping[str, Law]) -> Law:
    """The law of a value whose parameters follow laws of their own, independent of each other.

    Parameters
    ----------
    solve : callable
        Makes the law of sure parameters.
    said : mapping of str to value
        Those that are sure.
    unsure : mapping of str to Law

    Raises
    ------
    DistributionError
        If a parameter can have a value that is impossible, or the sum does not settle.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> dist.normal(mean=dist.normal(mean=1, sd=3), sd=4).ppf(0.975).round(6)  # normal with an sd of 5
    np.float64(10.79982)
    """
    # By grades what is bounded and flat settles sooner, by normal scores what has tails.
    for rule in (_by_grades, _by_scores):
        found = _summed(functools.partial(_mixed, solve, said, unsure, rule), unsure)
        if found is not None:
            return _settled(found)
    raise DistributionError(
        f"the law does not settle over its uncertain {' and '.join(unsure)}: beside that it is narrow, or it jumps; "
        "make an assumption of each and an equation of the rest"
    )


def _summed(mixed: Callable[[Mapping[str, int]], Law], unsure: Mapping[str, Law]) -> Law | None:
    """The sum with as few places as it needs along each parameter; None if that is too many."""
    places = dict.fromkeys(unsure, _FEWEST)
    made = mixed(places)
    probes = _probes(made)
    waiting = [name for name, law in unsure.items() if not isinstance(law, StepLaw)]
    while waiting:
        name = waiting.pop(0)
        doubled = {**places, name: 2 * places[name]}
        if doubled[name] > _MOST_PLACES or math.prod(doubled.values()) > _MOST:
            return None
        finer = mixed(doubled)
        # What doubling changes is how far the sum before was off.
        if float(np.max(np.abs(finer.cdf(probes) - made.cdf(probes)))) >= _SETTLED:
            places, made = doubled, finer
            waiting.append(name)
    return made


def _probes(made: Law) -> Array:
    """Where sums are compared: over all that the law is likely to be."""
    laws = made.components if isinstance(made, MixtureLaw) else (made,)
    found = np.unique(np.concatenate([law.ppf(np.array([0.02, 0.2, 0.5, 0.8, 0.98])) for law in laws]))
    return np.asarray(found[np.linspace(0, found.size - 1, min(found.size, 64)).astype(int)])


def _settled(made: Law) -> Law:
    """The law in the form in which it is quick: a list of values if it is discrete, else with quick quantiles."""
    if not isinstance(made, MixtureLaw):
        return made
    if made.kind == "continuous":
        return CompoundLaw(made.components, made.shares)
    low = min(law.support()[0] for law in made.components)
    high = max(min(law.support()[1], law.mean() + 40 * law.std() + 40) for law in made.components)
    if made.kind == "mixed" or not high - low < _MOST_VALUES:
        return made
    # Counts, one apart.
    values = np.arange(math.floor(low), math.ceil(high) + 1, dtype=np.float64)
    return step_law(values, np.exp(made.logpdf(values)))


@dataclass(frozen=True, eq=False)
class CompoundLaw(MixtureLaw):
    """A smooth law of many components: its table starts from few quantiles, and Newton's steps bring the rest."""

    @functools.cached_property
    def _columns(self) -> Columns | None:
        plain = all(type(law) is ScipyLaw and law.bounds is None for law in self.components)
        return Columns.of([law.rv for law in self.components if isinstance(law, ScipyLaw)]) if plain else None

    def _summed(self, what: str, x: Array) -> Array:
        """Weighted sum over all components at once."""
        columns = cast(Columns, self._columns)
        # Two values at least: numpy adds a lone column up in another order.
        flat = np.append(np.ravel(x), 0.0) if np.size(x) == 1 else np.ravel(x)
        out, size = np.empty(flat.size), max(2, _BLOCK // len(self.components))
        with np.errstate(all="ignore"):
            for start in range(0, flat.size, size):
                start = min(start, flat.size - 2)
                part = columns.at(what, flat[start : start + size])
                part = np.exp(part, out=part) if what == "logpdf" else part
                out[start : start + size] = (self.shares[:, None] * part).sum(axis=0)
        return out[: np.size(x)].reshape(np.shape(x))

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return super().cdf(x) if self._columns is None else self._summed("cdf", x)

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return super().sf(x) if self._columns is None else self._summed("sf", x)

    def _pdf(self, x: Array) -> Array:
        return np.exp(self.logpdf(x)) if self._columns is None else self._summed("logpdf", x)

    def fast(self) -> Callable[[Array], Array]:
        """The quantile function that draws go through."""
        from scipy import interpolate, special

        z = np.linspace(-8.2, 8.2, 329)
        u = special.ndtr(-np.abs(z))
        guess = interpolate.CubicSpline(z, np.where(z < 0, self.ppf(u), self.isf(u)), extrapolate=True)

        def solved(u: Array, upper: bool) -> Array:
            x = np.asarray(guess(-special.ndtri(u) if upper else special.ndtri(u)))
            with np.errstate(all="ignore"):
                for _ in range(3):
                    short = self.sf(x) - u if upper else u - self.cdf(x)
                    step = short / self._pdf(x)
                    x = np.where(np.isfinite(step), x + step, x)
            return x

        def ppf(u: Array) -> Array:
            near = u <= 0.5
            out = np.empty_like(u)
            out[near], out[~near] = solved(u[near], False), solved(1.0 - u[~near], True)
            return out

        # What the table cannot confirm takes the exact quantile function in the end.
        return tabulate(ppf, self.cdf, self.sf, lambda u: solved(u, True))


def _by_grades(law: Law, places: int) -> tuple[Array, Array]:
    """Values of a parameter, and the share of each: over its grade, if it is bounded."""
    if not np.all(np.isfinite(law.support())):
        return _by_scores(law, places)
    node, weight = np.polynomial.legendre.leggauss(places)
    return np.where(node < 0, law.ppf((1 + node) / 2), law.isf((1 - node) / 2)), weight / 2


def _by_scores(law: Law, places: int) -> tuple[Array, Array]:
    """Values of a parameter, and the share of each: over its normal score."""
    from scipy import special

    z, weight = np.polynomial.hermite_e.hermegauss(places)
    tail = special.ndtr(-np.abs(z))
    values = np.where(z < 0, law.ppf(tail), law.isf(tail))
    kept = weight > 0
    return values[kept], np.asarray(weight[kept] / weight.sum())


def _mixed(
    solve: Callable[..., Law],
    said: Mapping[str, Any],
    unsure: Mapping[str, Law],
    rule: Callable[[Law, int], tuple[Array, Array]],
    places: Mapping[str, int],
) -> Law:
    """The sum over some places of each parameter."""
    nodes = [
        (law.values, law.shares) if isinstance(law, StepLaw) else rule(law, places[name])
        for name, law in unsure.items()
    ]
    laws, shares = [], []
    for place in itertools.product(*(range(values.size) for values, _ in nodes)):
        here = {name: float(values[i]) for name, (values, _), i in zip(unsure, nodes, place, strict=True)}
        try:
            laws.append(solve(**said, **here))
        except DistributionError as error:
            told = ", ".join(f"{name}={value:.6g}" for name, value in here.items())
            raise DistributionError(f"its parameters can be {told}, of which there is no such law: {error}") from None
        shares.append(math.prod(float(weights[i]) for (_, weights), i in zip(nodes, place, strict=True)))
    return mixture_law(laws, np.array(shares))
