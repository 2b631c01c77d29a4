r"""Bases: orthonormal functions of one random coordinate, made from the assumption's own values.

What an equation does with an assumption is most often linear, or a power: the value itself and its
logarithm come first. Polynomials of the grade u and of the normal score z catch the rest. All are
made orthonormal under the coordinate's distribution by a Gram-Schmidt process on a grid of z.

Integrals over z are sums over that grid: by the trapezoidal rule, geometric in accuracy for smooth
functions; where a discrete assumption jumps, each cell of the grid weighs as much as its probability.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.distributions.base import normal_scores
from demandsim.sensitivity.inputs import Inputs, scores

__all__ = ["Basis", "Features", "bases_of", "beyond", "features"]

Law = Callable[[Array], Array]

#: Values of one coordinate that are offered: one per scenario, or per element of a shared assumption.
_MOST_LAWS = 3
_LEGENDRE = 10
#: Largest share of a second moment that may come from beyond 6 sd, where the grid ends soon.
_TAIL = 1e-4


@functools.cache
def _grid() -> tuple[Array, Array, Array]:
    """Normal scores, their grades and their weights by the trapezoidal rule."""
    z = np.linspace(-8.2, 8.2, 8192)
    weight = np.exp(-0.5 * z * z)
    return z, normal_scores(z), weight / weight.sum()


def beyond(sd: float) -> npt.NDArray[np.bool_]:
    """Points of the grid further out than `sd` standard deviations."""
    return np.abs(_grid()[0]) > sd


def _weight(laws: Sequence[Law]) -> Array:
    """Weights of the grid: the probability of cells that end where an assumption jumps."""
    from scipy import special

    z, u, smooth = _grid()
    edges = 0.5 * (z[1:] + z[:-1])
    jumps = np.zeros(edges.size, dtype=bool)
    for law in laws:
        x = law(u)
        where = np.flatnonzero(np.diff(x) > 0)
        low, high, x_low, x_high = z[where], z[where + 1], x[where], x[where + 1]
        for _ in range(40):
            middle = 0.5 * (low + high)
            x_middle = law(normal_scores(middle))
            left = x_middle - x_low > x_high - x_middle
            high, x_high = np.where(left, middle, high), np.where(left, x_middle, x_high)
            low, x_low = np.where(left, low, middle), np.where(left, x_low, x_middle)
        # What is left of the step after 40 halvings is a jump; a slope would have vanished.
        jump = x_high - x_low > 0.5 * (x[where + 1] - x[where])
        edges[where[jump]] = 0.5 * (low + high)[jump]
        jumps[where[jump]] = True
    if not jumps.any():
        return smooth
    below = np.concatenate([[0.0], special.ndtr(edges), [1.0]])
    return np.diff(below)


@dataclass(frozen=True, eq=False)
class Basis:
    """Functions of one coordinate with mean 0, variance 1 and no covariance.

    Parameters
    ----------
    laws : tuple of callable
        Quantile functions of the assumption that the coordinate feeds.
    weight : array
        Of the points of the grid; sums to 1.
    rich, tame : (array of shape (candidates, functions), array of shape (candidates,))
        From candidates to functions, and the candidates' means. Tame ones grow so slowly that their
        exponential has moments.
    on_grid : (array, array)
        The functions at the points of the grid.
    """

    laws: tuple[Law, ...]
    weight: Array
    rich: tuple[Array, Array]
    tame: tuple[Array, Array]
    on_grid: tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class Features:
    """Functions of all coordinates at some points, shape (draws, functions)."""

    rich: Array
    tame: Array


def _candidates(u: Array, z: Array, laws: Sequence[Law]) -> list[tuple[bool, Array]]:
    """Functions that a basis is made from: whether each is tame, and its values."""
    t = 2 * u - 1
    legendre = [np.ones_like(t), t]
    for n in range(1, _LEGENDRE):
        legendre.append(((2 * n + 1) * t * legendre[n] - n * legendre[n - 1]) / (n + 1))
    values = [law(u) for law in laws]
    with np.errstate(divide="ignore", invalid="ignore"):
        own = [(False, x) for x in values] + [(True, np.log(x)) for x in values]
    polynomials = [(n <= 6, legendre[n]) for n in (1, 2)] + [(True, z)] + [(n <= 6, legendre[n]) for n in (3, 4)]
    return own + polynomials + [(False, z * z)] + [(n <= 6, legendre[n]) for n in range(5, _LEGENDRE + 1)]


def _usable(values: Array, weight: Array, z: Array) -> bool:
    if not np.all(np.isfinite(values)):
        return False
    second = weight * (values - np.sum(weight * values)) ** 2
    return bool(second[np.abs(z) > 6].sum() <= _TAIL * second.sum())


def _orthonormal(rows: Array, weight: Array, allowed: Sequence[bool], most: int) -> tuple[Array, Array]:
    """Coefficients that turn candidates into orthonormal functions, and the candidates' means."""
    means = rows @ weight
    centred = rows - means[:, None]
    made: list[Array] = []
    functions: list[Array] = []
    for number, row in enumerate(centred):
        size = np.sqrt(np.sum(weight * row * row))
        if not allowed[number] or size == 0 or len(made) >= most:
            continue
        coefficients = np.zeros(len(rows))
        coefficients[number] = 1.0
        left = row.copy()
        for _ in range(2):  # twice is enough (Kahan), once is not
            for known, function in zip(made, functions, strict=True):
                share = np.sum(weight * left * function)
                left = left - share * function
                coefficients = coefficients - share * known
        length = np.sqrt(np.sum(weight * left * left))
        if length > 1e-4 * size:
            made.append(coefficients / length)
            functions.append(left / length)
    return (np.array(made).T if made else np.zeros((len(rows), 0))), means


@functools.lru_cache(maxsize=256)
def _basis(laws: tuple[Law, ...], jumpy: bool, most: int) -> Basis:
    z, u, _ = _grid()
    weight = _weight(laws if jumpy else ())
    offered = _candidates(u, z, laws)
    usable = [_usable(values, weight, z) for _, values in offered]
    rows = np.array([values if good else np.zeros_like(u) for good, (_, values) in zip(usable, offered, strict=True)])
    rich = _orthonormal(rows, weight, usable, most)
    gentle = [good and tame for good, (tame, _) in zip(usable, offered, strict=True)]
    tame = _orthonormal(rows, weight, gentle, min(most, 8))
    on_grid = tuple(table.T @ (rows - means[:, None]) for table, means in (rich, tame))
    return Basis(laws, weight, rich, tame, (on_grid[0], on_grid[1]))


def _laws(inputs: Inputs, place: int) -> tuple[tuple[Law, ...], bool]:
    """Quantile functions that one coordinate goes through, and whether any of them jumps."""
    if not inputs.alone[place]:
        # Correlated within its group: the value depends on the group's other coordinates too.
        return (), False
    stream = inputs.streams[place]
    transform = next(s for s in inputs.program.transforms.values() if stream in s.streams)
    own = transform.streams.index(stream)
    found: dict[int, Law] = {}
    jumpy = False
    for variant in transform.variants:
        one = slice(own, own + 1) if len(transform.streams) > 1 and variant.dims else slice(None)
        jumpy = jumpy or any(law.kind != "continuous" for law in variant.laws[one])
        found.update({id(function): function for function in variant.quantile_functions[one]})
    return tuple(found.values())[:_MOST_LAWS], jumpy


def bases_of(inputs: Inputs, most: int) -> list[Basis]:
    """A basis of at most `most` functions for every coordinate."""
    return [_basis(*_laws(inputs, place), most) for place in range(len(inputs.streams))]


def features(bases: Sequence[Basis], u: Array) -> Features:
    """Evaluate all functions at independent points `u` of shape (coordinates, draws)."""
    z = scores(u)
    rich: list[Array] = []
    tame: list[Array] = []
    for place, basis in enumerate(bases):
        offered = np.array([values for _, values in _candidates(u[place], z[place], basis.laws)])
        for (table, means), out in ((basis.rich, rich), (basis.tame, tame)):
            used = np.flatnonzero(table.any(axis=1))
            out.append((offered[used] - means[used, None]).T @ table[used])
    return Features(np.hstack(rich), np.hstack(tame))
