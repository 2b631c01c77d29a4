"""Mixture law: a draw takes one of several laws, each with its share."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.distributions.bisect import first_double, narrowed
from demandsim.distributions.step_law import StepLaw, step_law
from demandsim.errors import DistributionError

__all__ = ["MixtureLaw", "mixture_law"]


@dataclass(frozen=True, eq=False)
class MixtureLaw(Law):
    """A draw takes one component, with its share, and then a value from it."""

    components: tuple[Law, ...]
    shares: Array

    @functools.cached_property
    def kind(self) -> str:
        """That of all components, or mixed."""
        kinds = {law.kind for law in self.components}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    def _solve(self, u: Array, upper: bool) -> Array:
        quantiles = np.stack([law.isf(u) if upper else law.ppf(u) for law in self.components])

        def excess(x: Array, place: npt.NDArray[np.intp]) -> Array:
            return u[place] - self.sf(x) if upper else self.cdf(x) - u[place]

        # The quantile lies between those of the components.
        low, high = narrowed(excess, quantiles.min(axis=0), quantiles.max(axis=0))
        return first_double(lambda x, place: excess(x, place) >= 0, low, high)

    def _by_side(self, u: Array, flip: bool) -> Array:
        out = np.empty_like(u)
        near = u <= 0.5
        out[near] = self._solve(u[near], flip)
        out[~near] = self._solve(1.0 - u[~near], not flip)
        return out

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return self._by_side(np.asarray(u, dtype=np.float64), False)

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return self._by_side(np.asarray(u, dtype=np.float64), True)

    def _weighted(self, parts: Sequence[Array]) -> Array:
        return cast(Array, sum(share * part for share, part in zip(self.shares, parts, strict=True)))

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return self._weighted([law.cdf(x) for law in self.components])

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return self._weighted([law.sf(x) for law in self.components])

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`."""
        if self.kind == "mixed":
            raise DistributionError("a mixture of sure values and continuous distributions has no density")
        logs = [law.logpdf(x) + math.log(share) for law, share in zip(self.components, self.shares, strict=True)]
        return cast(Array, np.logaddexp.reduce(logs, axis=0))

    def atoms(self) -> dict[float, float]:
        """Those of all components."""
        found: dict[float, float] = {}
        for law, share in zip(self.components, self.shares.tolist(), strict=True):
            for value, own in law.atoms().items():
                found[value] = found.get(value, 0.0) + share * own
        return found

    def mean(self) -> float:
        """Expected value."""
        return float(sum(share * law.mean() for law, share in zip(self.components, self.shares, strict=True)))

    def std(self) -> float:
        """Standard deviation."""
        mean = self.mean()
        parts = [
            math.sqrt(share) * math.hypot(law.std(), law.mean() - mean)
            for law, share in zip(self.components, self.shares, strict=True)
        ]
        return math.hypot(*parts)

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        ends = [law.support() for law in self.components]
        return min(low for low, _ in ends), max(high for _, high in ends)


def mixture_law(laws: Sequence[Law], shares: Array) -> Law:
    """The law of a mixture; of its values, if they are finitely many; of its part, if it is one."""
    kept = [(law, share) for law, share in zip(laws, shares, strict=True) if share > 0]
    steps = [(law, share) for law, share in kept if isinstance(law, StepLaw)]
    if len(kept) == 1:
        return kept[0][0]
    if len(steps) == len(kept):
        values = np.concatenate([law.values for law, _ in steps])
        return step_law(values, np.concatenate([law.shares * share for law, share in steps]))
    return MixtureLaw(tuple(law for law, _ in kept), np.array([share for _, share in kept]))
