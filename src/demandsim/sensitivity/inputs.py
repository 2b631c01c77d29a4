"""Inputs: the uncertain assumptions behind some quantities, as factors that vary together, and values at points."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.distributions.base import normal_scores, standard_normal
from demandsim.errors import CorrelationError, DemandsimError, check_known, check_model, check_whole
from demandsim.sampling.program import Program, Values, Varying
from demandsim.sampling.qmc import Stream, entropy_of, sobol
from demandsim.sampling.run import BLOCK
from demandsim.sampling.student_t import grades_of_scores, scores_of_grades, stepwise

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = [
    "Block",
    "Factor",
    "Groups",
    "Inputs",
    "Kept",
    "Places",
    "SobolPoints",
    "check_chains",
    "factor_name",
    "gather",
    "grouped",
    "long_name",
    "quantities",
    "scores",
]

#: Numbers of one array of a block.
_CELLS = 1 << 21

#: Computed quantities in base units, and what they vary over.
Kept = dict[str, tuple[Array, Varying]]
Places = npt.NDArray[np.intp]
Groups = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Factor:
    """Assumptions that are varied together.

    Parameters
    ----------
    name, long_name : str
    members : tuple of str
        Assumptions, one unless it is a group.
    places : tuple of int
        Its coordinates among the `Inputs.streams`: one per random element.
    """

    name: str
    long_name: str
    members: tuple[str, ...]
    places: tuple[int, ...]


@dataclass(frozen=True)
class Block:
    """Points `start` to `stop` of some chains of a Sobol' sequence, of which each chain has `draws`.

    Parameters
    ----------
    seed : int
    chains : range
    start, stop, draws : int
    """

    seed: int
    chains: range
    start: int
    stop: int
    draws: int


@dataclass(frozen=True)
class SobolPoints:
    """Sobol' points of several chains, each of which is randomised by itself.

    Parameters
    ----------
    seed : int
    draws : int
        Points of each chain, a power of two.
    chains : int
    """

    seed: int
    draws: int
    chains: int

    @classmethod
    def of(cls, draws: int, chains: int, seed: int | None) -> SobolPoints:
        """Check what a user asks for."""
        check_whole("draws", draws)
        check_chains(chains)
        if draws & (draws - 1):
            raise DemandsimError(f"draws must be a power of two for Sobol' points, such as {1 << draws.bit_length()}")
        return cls(entropy_of(seed), draws, chains)

    def blocks(self, chains: range, most: int) -> list[Block]:
        """Blocks of at most `most` points of each of some chains."""
        starts = range(0, self.draws, most)
        return [Block(self.seed, chains, start, min(start + most, self.draws), self.draws) for start in starts]


def check_chains(chains: Any) -> None:
    """Raise unless there are chains whose spread can tell the error."""
    check_whole("chains", chains, 2, why=": their spread is the error")


@dataclass(frozen=True, eq=False)
class Inputs:
    """Random assumptions behind some quantities.

    Parameters
    ----------
    program : Program
    needed : frozenset of str
        The quantities and all they are computed from.
    factors : tuple of Factor
    streams : tuple of int
        Positions of the coordinates among the program's streams.
    correlation : array
        Of the scores of the coordinates.
    tails : mapping of places to float
        Groups of coordinates under a t copula, and its degrees of freedom; scores of all others are normal.
    """

    program: Program
    needed: frozenset[str]
    factors: tuple[Factor, ...]
    streams: tuple[int, ...]
    correlation: Array
    tails: Mapping[tuple[int, ...], float] = field(default_factory=dict)

    @functools.cached_property
    def root(self) -> Array:
        """Cholesky factor of the correlation."""
        return np.linalg.cholesky(self.correlation)

    @functools.cached_property
    def owner(self) -> Places:
        """Number of the factor that each coordinate belongs to."""
        owner = np.empty(len(self.streams), dtype=np.intp)
        for number, factor in enumerate(self.factors):
            owner[list(factor.places)] = number
        return owner

    @functools.cached_property
    def alone(self) -> tuple[bool, ...]:
        """Whether each coordinate is uncorrelated with all others."""
        return tuple(row.sum() == 1 for row in self.linked)

    @functools.cached_property
    def linked(self) -> npt.NDArray[np.bool_]:
        """Which coordinates depend on each other: under a t copula also those of correlation 0."""
        linked: npt.NDArray[np.bool_] = self.correlation != 0
        for places in self.tails:
            linked[np.ix_(places, places)] = True
        return linked

    def cube(self, block: Block, replica: str) -> Array:
        """Points of the unit cube, shape (coordinates, points of the block), one chain after the other.

        Replica "A" takes the first dimensions of the Sobol' sequence, which are the most even, "B" the
        next: together they are points of one sequence. Any other replica is a sequence of its own.
        """
        offset = len(self.streams) if replica == "B" else 0
        out = np.empty((len(self.streams), len(block.chains), block.stop - block.start))
        for place, stream in enumerate(self.streams):
            made = self.program.streams[stream]
            key = Stream(f"{made.name}|sensitivity {replica}", made.element, place + offset)
            for row, chain in zip(out[place], block.chains, strict=True):
                row[:] = sobol(block.seed, chain, key, block.start, block.stop, block.draws)
        return out.reshape(len(self.streams), -1)

    def grades(self, u: Array) -> Array:
        """Pass independent numbers through the copula; what is uncorrelated keeps its bits."""
        together = [place for place, alone in enumerate(self.alone) if not alone]
        if not together:
            return u
        out = u.copy()
        root = np.linalg.cholesky(self.correlation[np.ix_(together, together)])
        out[together] = normal_scores(root @ scores(u[together]))
        return self._with_tails(out, [None] * len(u), u)

    def _with_tails(self, out: Array, known: Sequence[Array | None], u: Array) -> Array:
        """Grades with those under t copulas drawn, of numbers in (0, 1), given the scores that are known."""
        for places, df in self.tails.items():
            matrix = self.correlation[np.ix_(places, places)]
            moved = stepwise(matrix, [known[place] for place in places], [u[place] for place in places], df)
            out[list(places)] = [grades_of_scores(x, df) for x in moved]
        return out

    def redrawn(self, grades: Array, fresh: Array, new: Places) -> Array:
        """Grades in which the coordinates `new` under t copulas are drawn again, given the others.

        Parameters
        ----------
        grades : array of shape (coordinates, points)
            Under the copula.
        fresh : array of the same shape
            Independent numbers in (0, 1).
        new : array of int
        """
        known: list[Array | None] = [None] * len(grades)
        for places, df in self.tails.items():
            for place in set(places) - set(new.tolist()):
                known[place] = scores_of_grades(grades[place], df)
        return self._with_tails(grades.copy(), known, fresh)

    def values(self, grades: Array) -> Values:
        """Values of the needed assumptions, in their units, at grades of shape (coordinates, points)."""
        row = {stream: grades[place] for place, stream in enumerate(self.streams)}
        return self.program.assume(row.__getitem__, grades.shape[1], set(self.needed))

    def run(self, assumed: Values, kept: Kept | None = None) -> Values:
        """Run the model on values of its assumptions: those and all that is computed from them.

        Parameters
        ----------
        assumed : mapping of assumption to array
        kept : dict, optional
            As of `Program.derive_again`.
        """
        if kept is None:
            return {**assumed, **self.program.derive(assumed, set(self.needed))}
        return {**assumed, **self.program.derive_again(assumed, set(self.needed), kept)}

    def untouched(self, kept: Kept, changed: Iterable[str]) -> Kept:
        """Those of some computed quantities that do not depend on the assumptions that are changed."""
        touched = set(changed)
        for step in self.program.steps:
            if not touched.isdisjoint(step.equation.inputs):
                touched.add(step.equation.name)
        return {name: own for name, own in kept.items() if name not in touched}

    @functools.cached_property
    def most(self) -> int:
        """Points of one block, so that an array of the widest quantity stays small."""
        layout = self.program.layout
        varying = [own.dims for name, own in self.program.varying.items() if name in self.needed]
        widest = max(math.prod(layout.size(dim) for dim in dims) for dims in varying)
        return min(BLOCK, 1 << max((_CELLS // widest).bit_length() - 1, 10))

    def check_independent(self, function: str) -> None:
        """Raise if two factors are correlated.

        Raises
        ------
        CorrelationError
            Which two, and what to use instead.
        """
        for a, b in itertools.combinations(range(len(self.streams)), 2):
            one, other = self.factors[self.owner[a]], self.factors[self.owner[b]]
            if one is not other and self.linked[a, b]:
                raise CorrelationError(
                    f"{function} needs independent assumptions, and '{one.name}' is correlated with '{other.name}': "
                    "variance cannot be divided among them in this way. Use sensitivity.shapley, or vary them "
                    f"together with groups={{'name': ['{one.members[0]}', '{other.members[0]}']}}"
                )


def scores(u: Array) -> Array:
    """Normal scores of numbers in (0, 1), of any shape."""
    return np.reshape(standard_normal()(u.ravel()), u.shape)


def long_name(name: str, *models: Model) -> str:
    """Label of an assumption or equation, in the first model that gives it one."""
    for model in models:
        made = model.assumptions.get(name) or model.equations.get(name)
        if made is not None and made.long_name:
            return str(made.long_name)
    return name.replace("_", " ")


def factor_name(name: str, model: Model) -> str:
    """Label of an assumption, or the name of a group."""
    return long_name(name, model) if name in model.assumptions else name.replace("_", " ")


def quantities(model: Model, of: str | Sequence[str]) -> tuple[str, ...]:
    """Names in `of`, checked.

    Raises
    ------
    UnknownNameError
        If the model has no such quantity; with the nearest name.
    """
    check_model(model)
    names = (of,) if isinstance(of, str) else tuple(dict.fromkeys(of))
    check_known(names, model.quantities, "quantity in of:")
    if not names:
        raise DemandsimError("of= names no quantity; give one, such as of='" + next(iter(model.equations), "x") + "'")
    return names


def grouped(
    known: Iterable[str], wanted: Sequence[str], groups: Groups | None, kind: str = "assumption"
) -> dict[str, tuple[str, ...]]:
    """Members of each factor: the groups first named, then every other wanted assumption alone.

    Raises
    ------
    UnknownNameError
        If a group names no assumption.
    DemandsimError
        If an assumption is in two groups, or a group is called like an assumption outside of it.
    """
    known = list(known)
    taken: dict[str, str] = {}
    made: dict[str, tuple[str, ...]] = {}
    for group, members in (groups or {}).items():
        if isinstance(members, str):
            raise DemandsimError(f"group '{group}' must list its members, such as ['{members}']")
        check_known(members, known, f"{kind} in group '{group}':")
        for name in members:
            if taken.setdefault(name, group) != group:
                raise DemandsimError(f"'{name}' is in the groups '{taken[name]}' and '{group}'; leave it in one")
        made[group] = tuple(name for name in members if name in wanted)
    for group in made:
        if group in known and taken.get(group) != group:
            raise DemandsimError(f"group '{group}' is called like a {kind} that is not in it; rename the group")
    made = {group: members for group, members in made.items() if members}
    return made | {name: (name,) for name in wanted if name not in taken}


def gather(model: Model, names: Sequence[str], groups: Groups | None = None) -> Inputs:
    """Find the random assumptions behind the quantities `names`.

    Raises
    ------
    DemandsimError
        If nothing behind them is random.
    """
    program = model.program
    needed = frozenset(model.graph.ancestors(names))
    random = [name for name in model.assumptions if name in needed and program.transforms[name].varying.random]
    if not random:
        raise DemandsimError(f"nothing behind {', '.join(names)} is random: every assumption is a sure value")
    members = grouped(model.assumptions, random, groups)
    streams = tuple(sorted(s for name in random for s in program.transforms[name].streams))
    place = {stream: number for number, stream in enumerate(streams)}
    factors = tuple(
        Factor(
            name,
            factor_name(name, model),
            own,
            tuple(place[s] for member in own for s in program.transforms[member].streams),
        )
        for name, own in members.items()
    )
    correlation, tails = np.eye(len(streams)), {}
    for (together, root), df in zip(program.copula.groups, program.copula.degrees, strict=True):
        inside = tuple(place[stream] for stream in together if stream in place)
        if df is not None and len(inside) > 1:
            tails[inside] = df
        whole = root @ root.T
        for (i, a), (j, b) in itertools.permutations(enumerate(together), 2):
            # An assumption that nothing asked for leaves the others' joint distribution as it is.
            if a in place and b in place:
                correlation[place[a], place[b]] = whole[i, j]
    return Inputs(program, needed, factors, streams, correlation, tails)
