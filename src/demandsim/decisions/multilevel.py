r"""Multilevel Monte Carlo: what knowing some assumptions is worth, by runs of the model given their values.

Given values of what is known, the rest is drawn M times, and the payoffs are averaged. The mean of the largest average
falls from the value of perfect information, at M = 1, to that of what is known, with M. Each doubling of M is a level,

.. math:: Z_\ell = \tfrac12 \Bigl( \max_a \bar P_a^{(1)} + \max_a \bar P_a^{(2)} \Bigr) - \max_a \bar P_a

with the averages over either half of the :math:`2^\ell` draws and over all of them. Most of the difference lies in the
first levels, where a value costs little; the last ones differ little, so that few values tell it.

Sources: Giles and Goda, "Decision-making under uncertainty: using MLMC for efficient estimation of EVPPI", Statistics
and Computing 29 (2019); Giles, "Multilevel Monte Carlo methods", Acta Numerica 24 (2015).
"""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array
from demandsim.decisions.actions import Actions, Payoff
from demandsim.decisions.payoff_table import tables_of
from demandsim.distributions.base import normal_scores
from demandsim.errors import DemandsimError
from demandsim.sensitivity.inputs import Inputs, Places, gather, scores
from demandsim.sensitivity.permutations import given_the_rest

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["Rerun", "Unknown"]

#: Doublings of the draws given one value of what is known, at most; by how much fewer values each level has.
_LEVELS, _THINNED = 11, 2.0**-1.25
#: Values on a level, at least, and doublings that are made even if that takes more runs than were asked for.
_FEWEST, _FIRST_LEVELS = 8, 5
#: Model runs at once.
_BLOCK = 1 << 16
#: How much smaller the levels beyond the last may be than the one before: one over M, or its root where actions tie.
_FAST, _SLOW = 0.5, math.sqrt(0.5)


@dataclass(frozen=True)
class Unknown:
    """How much less it is worth to know some assumptions than to know all.

    Parameters
    ----------
    value, mcse : float
    slack : float
        By how much the levels that were not computed may be other than they were taken for.
    """

    value: float
    mcse: float
    slack: float


@dataclass(frozen=True)
class Rerun:
    """A model that is run again, and the decision about its results.

    Parameters
    ----------
    model : Model
        That made the draws.
    names : tuple of str
        Quantities that the payoff may ask for.
    place : mapping of dim to label
        That was selected from the draws before.
    actions, payoff, dim
        As of `evaluate`.
    runs : int
        Of the model, for each group.
    entropy : int
    """

    model: Model
    names: tuple[str, ...]
    place: Mapping[str, Any]
    actions: Actions | None
    payoff: Payoff
    dim: str
    runs: int
    entropy: int

    @classmethod
    def of(
        cls, model: Model, draws: xr.Dataset, decision: tuple[Actions | None, Payoff, str], runs: int, entropy: int
    ) -> Rerun:
        """Check that the model is the one that made the draws, and that the payoff can be asked again.

        Raises
        ------
        DemandsimError
            If the draws are those of another model or of a posterior, or if payoffs are given as numbers.
        """
        if draws.attrs.get("model_hash") != model.hash:
            raise DemandsimError("model= is not the model that made these draws; pass the one whose simulate made them")
        if model.evidence:
            raise DemandsimError("model= has evidence, and runs given some values do not know it; leave model= out")
        if not callable(decision[1]):
            raise DemandsimError("runs of the model need a payoff that can be asked: a function of draws and action")
        names = tuple(str(name) for name in draws.data_vars if name in model.quantities)
        layout = model.program.layout
        place = {dim: draws[dim].item() for dim in layout.dims if dim in draws.coords and not draws[dim].ndim}
        scenarios = {key: str(label) for key, label in place.items() if key in layout.scenario_dims}
        return cls(model.select(**scenarios) if scenarios else model, names, place, *decision, runs, entropy)

    def can(self, known: Sequence[str]) -> str:
        """Why a group cannot be known in runs of the model; empty if it can."""
        other = [name for name in known if name not in self.model.assumptions]
        if other:
            return f"'{other[0]}' is no assumption, so that the rest cannot be drawn given its value"
        inputs = self._inputs
        transforms = self.model.program.transforms
        own = [number for number, factor in enumerate(inputs.factors) if factor.name in known]
        inside = np.isin(inputs.owner, own)
        for number in own:
            factor = inputs.factors[number]
            tied = inputs.linked[np.ix_(inputs.owner == number, ~inside)].any()
            variants = transforms[factor.name].variants
            if tied and any(law.atoms() for variant in variants for law in variant.laws):
                return f"'{factor.name}' has values with a probability of their own, and is correlated with others"
        return ""

    @functools.cached_property
    def _inputs(self) -> Inputs:
        return gather(self.model, self.names)

    def unknown(self, label: str, known: Sequence[str], elements: int) -> list[Unknown]:
        """Compare knowing some assumptions with knowing all, in every element of the payoff's dims."""
        inputs = self._inputs
        own = [number for number, factor in enumerate(inputs.factors) if factor.name in known]
        new = np.flatnonzero(~np.isin(inputs.owner, own))
        if not new.size:
            return [Unknown(0.0, 0.0, 0.0)] * elements
        sizes = [
            self.runs * _THINNED**level / (2 * sum((2 * _THINNED) ** n for n in range(_LEVELS)))
            for level in range(_LEVELS)
        ]
        levels = max(sum(size >= _FEWEST for size in sizes), _FIRST_LEVELS)
        means: list[Array] = []
        errors: list[Array] = []
        for level in range(1, levels + 1):
            size = max(round(sizes[level - 1]), _FEWEST)
            z = self._level(inputs, new, level, size, zlib.crc32(label.encode()))
            means.append(z.mean(axis=1))
            errors.append(z.std(axis=1, ddof=1) / math.sqrt(size))
        return [
            _added(one, error) for one, error in zip(np.stack(means, axis=1), np.stack(errors, axis=1), strict=True)
        ]

    def _level(self, inputs: Inputs, new: Places, level: int, size: int, key: int) -> Array:
        """Differences of one level, shape (elements of the payoff, values)."""
        sequence = np.random.SeedSequence(self.entropy, spawn_key=(12, key, level))
        rng = np.random.Generator(np.random.PCG64DXSM(sequence))
        inner, found = 1 << level, []
        step = max(_BLOCK >> level, 1)
        for start in range(0, size, step):
            outer = min(step, size - start)
            u = np.maximum(rng.random((len(inputs.streams), outer)), 2.0**-54)
            base = np.repeat(scores(inputs.grades(u)), inner, axis=1)
            grades = normal_scores(given_the_rest(inputs, base, rng.standard_normal(base.shape), new))
            payoffs = self._payoffs(inputs, grades)
            halves = payoffs.reshape(*payoffs.shape[:2], outer, 2, inner // 2).mean(axis=-1)
            found.append(halves.max(axis=1).mean(axis=-1) - halves.mean(axis=-1).max(axis=1))
        return np.concatenate(found, axis=1)

    def _payoffs(self, inputs: Inputs, grades: Array) -> Array:
        """Payoffs at grades of the assumptions, shape (elements of the payoff, actions, points)."""
        import xarray as xr

        program = self.model.program
        values = inputs.run(inputs.values(np.clip(grades, 2.0**-54, 1 - 2.0**-53)))
        variables = {}
        for name in self.names:
            array = program.layout.label(values[name], program.varying[name])
            variables[name] = array.expand_dims("chain") if program.varying[name].random else array
        data = xr.Dataset(variables).sel(dict(self.place))
        data = data.transpose("chain", "draw", ...) if "draw" in data.dims else data
        tables = tables_of(data, self.actions, self.payoff, self.dim, "raise")
        return np.stack([np.concatenate([block for _, block in table.blocks()]) for table in tables])


def _added(means: Array, errors: Array) -> Unknown:
    """Add up the levels, and those beyond the last, which fall off as the last ones did."""
    last, before = float(means[-1]), float(means[-3])
    noise = float(errors[-1])
    if last <= 0 and before <= 0:
        return Unknown(float(means.sum()), float(np.linalg.norm(errors)), 0.0)
    ratio = min(max(math.sqrt(max(last, 0.0) / before) if before > 0 else _SLOW, _FAST), _SLOW)
    tail, least, most = (last * r / (1 - r) for r in (ratio, _FAST, _SLOW))
    error = float(np.linalg.norm([*errors[:-1], noise / (1 - ratio)]))
    return Unknown(float(means.sum()) + tail, error, max(most - tail, tail - least))
