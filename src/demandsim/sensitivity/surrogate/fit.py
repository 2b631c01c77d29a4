"""Fits of surrogates: one for every element of every target, on pilot points of the model."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.distributions.base import normal_scores
from demandsim.sampling.in_memory import in_order
from demandsim.sampling.program import Values
from demandsim.sensitivity.inputs import Block, Inputs, scores
from demandsim.sensitivity.surrogate.basis import Features, bases_of, features
from demandsim.sensitivity.surrogate.expansion import Space, Surrogate
from demandsim.sensitivity.surrogate.gaussian import GaussianDesign, GaussianSurrogate, blank_gaussian, fit_gaussian
from demandsim.sensitivity.tails import Tail, rounding
from demandsim.sensitivity.targets import Explained, Target
from demandsim.statistics.estimators import least_squares

__all__ = ["Pilot", "StandIn", "expansion_pilot", "gaussian_pilot"]

#: Most functions of one coordinate, most columns of main effects, and most products of two.
_MOST, _MAIN, _PAIRS = 13, 300, 350
#: Most coordinates whose main effects are multiplied with each other.
_CROSSED = 12
#: Most products of exponentials offered to one target.
_PRODUCTS = 6
#: Share of the variance that a fit may leave and still count as exact.
_EXACT = 1e-8
#: Fewest and most pilot points of expansions, and those of Gaussian surrogates.
_FEWEST_POINTS, _MOST_POINTS, _GAUSSIAN_POINTS = 256, 8192, 4096


class StandIn(Protocol):
    """What any surrogate can tell."""

    def value(self, points: Any, /) -> Array:
        """Evaluate at points."""

    def explained(self, masks: Array, /) -> Array:
        """Variance of the expectation given some coordinates, exactly."""


@dataclass(frozen=True, eq=False)
class Pilot[S: StandIn]:
    """Surrogates of all elements of all targets, fitted on points that are used for nothing else.

    Parameters
    ----------
    blank : surrogate
        Explains nothing.
    centre, scale : array of shape (elements,)
        Mean and standard deviation of each element, by which values are standardised.
    tails : tuple of Tail
        Of the values of each element.
    surrogates : tuple of surrogate
    draws : int
        Points used.
    """

    blank: S
    centre: Array
    scale: Array
    tails: tuple[Tail, ...]
    surrogates: tuple[S, ...]
    draws: int

    def standard(self, values: Array) -> Array:
        """Standardise values of shape (elements, draws)."""
        return (values - self.centre[:, None]) / self.scale[:, None]

    def without(self, spoilt: npt.NDArray[np.bool_]) -> Pilot[S]:
        """Leave out the surrogates of some elements."""
        kept = tuple(self.blank if bad else own for bad, own in zip(spoilt, self.surrogates, strict=True))
        return replace(self, surrogates=kept)


def _pilot[S: StandIn](
    about: Explained, values: Values, draws: int, blank: S, fitted: Callable[[Target, int, Array], S]
) -> Pilot[S]:
    """Fit every element of every target, standardised, to the values of a run of the model."""
    centres, scales, surrogates = [], [], []
    tails: list[Tail] = []
    for target in about.targets:
        y = target.read(values, draws)
        centre, scale = _standardisation(y)
        rows = list(enumerate((y - centre[:, None]) / scale[:, None]))
        # The first makes what all fits share.
        surrogates += [fitted(target, *rows[0]), *in_order(lambda own: fitted(target, *own), rows[1:])]  # noqa: B023
        centres.append(centre)
        scales.append(scale)
        # What is 0 or 1 has no tails.
        tails += [Tail(0.0, False) if about.scale == "event" else Tail.of(row, about.scale) for row in y]
    return Pilot(blank, np.concatenate(centres), np.concatenate(scales), tuple(tails), tuple(surrogates), draws)


def _standardisation(y: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of the numbers among the values of each element."""
    finite = np.isfinite(y)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.where(finite, y / finite.sum(axis=1, keepdims=True), 0.0).sum(axis=1)
        apart = np.where(finite, y - centre[:, None], 0.0)
        # Squares of very large and very small numbers are none.
        most = np.abs(apart).max(axis=1)
        spread = most * np.sqrt(
            ((apart / np.where(most > 0, most, 1.0)[:, None]) ** 2).sum(axis=1) / finite.sum(axis=1)
        )
    # What rounding makes of a constant is no spread; what does not vary here may still do so at other points.
    return centre, np.where(spread > rounding(centre), spread, np.where(spread > 0, np.inf, 1.0))


def expansion_pilot(about: Explained, seed: int, evaluations: int) -> Pilot[Surrogate]:
    """Fit expansions, on a share of the points that an analysis runs the model at."""
    inputs = about.inputs
    draws = min(max(1 << max(evaluations // 4, 1).bit_length() - 1, _FEWEST_POINTS), _MOST_POINTS)
    u = inputs.cube(Block(seed, range(1), 0, draws, draws), "pilot")
    values = inputs.run(inputs.values(inputs.grades(u)))
    space = space_for(inputs, draws)
    design = Regressors(space, features(space.bases, u))

    @functools.cache
    def offered(name: str) -> list[list[Array]]:
        return products_behind(inputs, design, values, name) if np.isfinite(values[name]).all() else []

    def fitted(target: Target, element: int, y: Array) -> Surrogate:
        own = offered(target.names[0]) if about.scale == "linear" else []
        return fit(design, y, own[element] if own else [])

    return _pilot(about, values, draws, constant(space), fitted)


def gaussian_pilot(about: Explained, seed: int) -> Pilot[GaussianSurrogate]:
    """Fit Gaussian surrogates, which know of correlations."""
    inputs, draws = about.inputs, _GAUSSIAN_POINTS
    z = inputs.root @ scores(inputs.cube(Block(seed, range(1), 0, draws, draws), "pilot"))
    values = inputs.run(inputs.values(normal_scores(z)))
    design = GaussianDesign(inputs.correlation, z)

    def fitted(target: Target, element: int, y: Array) -> GaussianSurrogate:
        offered = parents_of(inputs, values, target.names[0], element) if about.scale == "linear" else []
        return fit_gaussian(design, y, offered)

    return _pilot(about, values, draws, blank_gaussian(inputs.correlation), fitted)


def parents_of(inputs: Inputs, values: Mapping[str, Array], name: str, element: int) -> list[Array]:
    """A quantity and what it is computed from, at the pilot points of one element."""
    parents = {step.equation.name: step.equation.inputs for step in inputs.program.steps}
    place = np.unravel_index(element, values[name].shape[:-1])
    offered = [name, *(p for p in parents.get(name, ()) if p in parents)][:5]
    varying = [values[other] for other in offered if values[other].shape[-1] > 1]
    places = [tuple(min(int(p), n - 1) for p, n in zip(place, v.shape[:-1], strict=True)) for v in varying]
    return [whole[spot] for whole, spot in zip(varying, places, strict=True)]


def space_for(inputs: Inputs, pilot: int) -> Space:
    """Choose functions, few enough that `pilot` points determine their coefficients well."""
    coordinates = len(inputs.streams)
    room = pilot // 8
    most = max(min(_MOST, min(_MAIN, room) // coordinates), 1)
    pairs = coordinates * (coordinates - 1) // 2
    left = min(_PAIRS, room - most * coordinates)
    paired = min(int(np.sqrt(left / pairs)), 6) if pairs and left > 0 else 0
    return Space(tuple(bases_of(inputs, most)), inputs.owner, paired)


def constant(space: Space, value: float = 0.0) -> Surrogate:
    """Return the surrogate that explains nothing, with which the estimators are the classical ones."""
    return Surrogate(space, value, None, None, np.zeros(0), np.zeros((0, space.tame_place.size)))


@dataclass(frozen=True, eq=False)
class Regressors:
    """Pilot points: the functions there, and the sums of products that all fits share.

    Parameters
    ----------
    space : Space
    found : Features
    """

    space: Space
    found: Features

    @functools.cached_property
    def tame(self) -> tuple[Array, Array]:
        """Tame functions with a constant, and the inverse of their sums of products."""
        x = np.column_stack([np.ones(len(self.found.tame)), self.found.tame])
        return x, np.linalg.pinv(x.T @ x)

    @functools.cached_property
    def columns(self) -> Array:
        """A constant; main effects; products of two functions."""
        rich = self.found.rich
        one, other = self.space.pairs
        return np.hstack([np.ones((len(rich), 1)), rich, rich[:, one] * rich[:, other]])

    def width(self, level: int) -> int:
        """Columns of a level: 0 a constant, 1 main effects, 2 products."""
        main = 1 + self.space.rich_place.size
        return (1, main, main + self.space.pairs[0].size)[level]

    @property
    def halves(self) -> tuple[slice, slice]:
        """Two parts of the points, either of which can test a fit on the other."""
        half = len(self.found.rich) // 2
        return slice(None, half), slice(half, None)

    @functools.cached_property
    def grams(self) -> tuple[Array, Array]:
        """Sums of products of all columns over each half."""
        one, other = (self.columns[half].T @ self.columns[half] for half in self.halves)
        return one, other

    def normal(self, level: int, extra: Array, y: Array) -> list[tuple[Array, Array]]:
        """Normal equations over each half, with further columns."""
        width = self.width(level)
        made = []
        for number, half in enumerate(self.halves):
            # A constant alone needs no product of the others: that is the fast way out.
            x = self.columns[half, :width] if level else np.ones((len(y[half]), 1))
            gram = self.grams[number][:width, :width] if level else np.array([[float(len(x))]])
            beside = x.T @ extra[half]
            whole = np.block([[gram, beside], [beside.T, extra[half].T @ extra[half]]])
            made.append((whole, np.concatenate([x.T @ y[half], extra[half].T @ y[half]])))
        return made


def products_behind(inputs: Inputs, design: Regressors, values: Mapping[str, Array], name: str) -> list[list[Array]]:
    """Logarithms of products of exponentials that may make up each element of a quantity.

    A quantity that keeps its sign is fitted as a product of functions of one coordinate each. Where
    it is none, as a sum of costs or a margin, so are the quantities that it is computed from.
    """
    parents = {step.equation.name: step.equation.inputs for step in inputs.program.steps}
    shape = values[name].shape[:-1]
    slopes: dict[tuple[str, tuple[int, ...]], tuple[Array | None, bool]] = {}

    def fitted(key: tuple[str, tuple[int, ...]]) -> tuple[Array | None, bool]:
        if key not in slopes:
            slopes[key] = _product(design, values[key[0]][key[1]])
        return slopes[key]

    offered = []
    for element in np.ndindex(*shape):
        queue = [(name, tuple(element))]
        own: list[Array] = []
        seen = set(queue)
        while queue and len(own) < _PRODUCTS:
            key = queue.pop(0)
            slope, exact = fitted(key)
            if slope is not None:
                own.append(slope)
            if exact:
                continue
            for parent in parents.get(key[0], ()):
                if parent in parents and parent in values and values[parent].shape[-1] > 1:
                    fresh = [k for k in _elements(parent, values[parent].shape[:-1], key[1], shape) if k not in seen]
                    seen.update(fresh)
                    queue += fresh
        offered.append(own)
    return offered


def _elements(
    name: str, shape: tuple[int, ...], place: tuple[int, ...], of: tuple[int, ...]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Elements of a parent that belong to one of a child: the same label, or all where the child has one."""
    free = [size if size > 1 and of[axis] == 1 else 1 for axis, size in enumerate(shape)]
    for shift in np.ndindex(*free):
        yield (
            name,
            tuple(s if f > 1 else min(p, size - 1) for s, f, p, size in zip(shift, free, place, shape, strict=True)),
        )


def _product(design: Regressors, values: Array) -> tuple[Array | None, bool]:
    """Fit a product to one element; say whether it is one to all digits."""
    if not np.all(np.isfinite(values)) or not (np.all(values > 0) or np.all(values < 0)):
        return None, False
    tame, inverse = design.tame
    logs = np.log(np.abs(values))
    logs = logs - logs.mean()
    coefficients = inverse @ (tame.T @ logs)
    left, total = float(np.var(logs - tame @ coefficients)), float(np.var(logs))
    slopes = coefficients[1:]
    slopes[np.abs(slopes) < 1e-9 * np.abs(slopes).max(initial=0.0)] = 0.0
    if total == 0 or left > 0.5 * total or design.space.exponential_moments(slopes) is None:
        return None, False
    return slopes, left <= _EXACT * total


def fit(design: Regressors, y: Array, products: Sequence[Array]) -> Surrogate:
    """Fit one target: the surrogate that predicts points it was not fitted on best.

    Parameters
    ----------
    design : Regressors
    y : array
        The target at the pilot points, of mean 0 and variance 1.
    products : sequence of array
        Logarithms of products of exponentials to choose from.
    """
    space = design.space
    if not np.all(np.isfinite(y)) or not y.any():
        return constant(space)
    slopes = np.array(products).reshape(len(products), space.tame_place.size)
    logs = design.found.tame @ slopes.T
    for number, slope in enumerate(slopes):
        moments = space.exponential_moments(slope)
        logs[:, number] -= np.log(moments[0]).sum() if moments is not None else 0.0
    extra = np.exp(logs)
    squares = [float(y[half] @ y[half]) for half in design.halves]
    best, smallest = constant(space), sum(squares)
    crossed = np.zeros((0, space.rich_place.size, space.rich_place.size))
    for level in (0, 1, 2) if len(slopes) else (1, 2):
        if level == 2 and best.main is not None:
            crossed, columns = _products_of_mains(design, best.main)
            extra = np.hstack([extra, columns])
        (one, to_one), (other, to_other) = design.normal(level, extra, y)
        by_one, by_other = least_squares(one, to_one), least_squares(other, to_other)
        # Squared errors on the half that a fit has not seen, from sums of products alone.
        error = squares[1] - 2 * by_one @ to_other + by_one @ other @ by_one
        error += squares[0] - 2 * by_other @ to_one + by_other @ one @ by_other
        if error < smallest:
            coefficients = least_squares(one + other, to_one + to_other)
            best, smallest = _made(design, coefficients, level, slopes, crossed), float(error)
        if smallest <= _EXACT * sum(squares):
            break
    return best


def _products_of_mains(design: Regressors, main: Array) -> tuple[Array, Array]:
    """Products of two coordinates' main effects, as matrices over the rich functions and at the points.

    What interacts is most often what matters alone, in the same form: a chain of factors is a product
    of main effects.
    """
    place = design.space.rich_place
    effects = [np.where(place == p, main, 0.0) for p in range(len(design.space.bases))]
    effects = sorted(effects, key=lambda effect: -float(effect @ effect))[:_CROSSED]
    effects = [effect / np.linalg.norm(effect) for effect in effects if effect @ effect > 1e-8]
    values = [design.found.rich @ effect for effect in effects]
    pairs = list(itertools.combinations(range(len(effects)), 2))
    matrices = [np.outer(effects[i], effects[j]) + np.outer(effects[j], effects[i]) for i, j in pairs]
    columns = [values[i] * values[j] for i, j in pairs]
    return np.array(matrices).reshape(-1, place.size, place.size), np.array(columns).reshape(len(pairs), -1).T


def _made(design: Regressors, coefficients: Array, level: int, slopes: Array, crossed: Array) -> Surrogate:
    space, width = design.space, design.width(level)
    weights = coefficients[width : width + len(slopes)]
    main = pairs = None
    if level >= 1:
        main = coefficients[1 : design.width(1)]
    if level >= 2:
        pairs = np.tensordot(coefficients[width + len(slopes) :], crossed, axes=1)
        one, other = space.pairs
        pairs[one, other] += coefficients[design.width(1) : width]
        pairs[other, one] += coefficients[design.width(1) : width]
    return Surrogate(space, float(coefficients[0]), main, pairs, weights, slopes)
