r"""Shares: numbers along a dim that add up to 1, of a Dirichlet law, or 1 for the one label that is chosen.

They are drawn together. Of a Dirichlet law one share after the other is broken off what is left, by beta laws
(L. Devroye, Non-Uniform Random Variate Generation, 1986, section XI.4):

.. math:: x_k = v_k \prod_{j < k} (1 - v_j), \quad v_k \sim \text{Beta}(\alpha_k, \sum_{j > k} \alpha_j)

so that every share follows from numbers of its own in (0, 1), as those of all designs are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Distribution, Law, Whole
from demandsim.distributions.by_label import MOST_LAWS
from demandsim.distributions.closed_form import Named
from demandsim.distributions.constructor import certain, register
from demandsim.distributions.format import as_labelled, is_labelled, labels_along, labels_of
from demandsim.distributions.frozen import BetaLaw
from demandsim.distributions.step_law import StepLaw
from demandsim.errors import DistributionError, check_known, shorten

__all__ = ["choice", "dirichlet"]

_SURE, _NEVER = StepLaw(np.ones(1), np.ones(1)), StepLaw(np.zeros(1), np.ones(1))


@dataclass(frozen=True)
class _Broken(Whole):
    """Shares of a Dirichlet law, one broken off after the other."""

    weights: tuple[float, ...]

    @cached_property
    def _pieces(self) -> tuple[Callable[[Array], Array], ...]:
        return tuple(_beta(own, rest).fast() for own, rest in zip(self.weights, _rests(self.weights), strict=False))

    def drawn(self, grade: Callable[[int], Array]) -> list[Array]:
        """Shares of all labels; what is left at last is that of the last label."""
        found: list[Array] = []
        left: Any = 1.0
        for place, piece in zip(self.places, self._pieces, strict=False):
            part = piece(grade(place))
            found.append(left * part)
            left = left * (1.0 - part)
        return [*found, left + np.zeros_like(grade(self.places[0]))]

    def logpdf(self, rows: Sequence[Array]) -> Array:
        """Logarithm of the density of the shares but the last."""
        size = math.lgamma(sum(self.weights)) - sum(map(math.lgamma, self.weights))
        return np.asarray(
            size + sum((a - 1) * np.log(row) for a, row in zip(self.weights, rows, strict=True) if a != 1)
        )

    def middle(self) -> list[float]:
        """Mean shares, which add up to 1."""
        return [own / sum(self.weights) for own in self.weights]

    def margins(self) -> list[Law]:
        """Law of each share by itself."""
        total = sum(self.weights)
        return [_beta(own, total - own) for own in self.weights] if len(self.weights) > 1 else [_SURE]


@dataclass(frozen=True)
class _Chosen(Whole):
    """One of the labels, by one number for all of them."""

    weights: tuple[float, ...]

    def drawn(self, grade: Callable[[int], Array]) -> list[Array]:
        """1 for the label that is chosen, 0 for the others."""
        ends = np.cumsum(self.weights)
        place = np.searchsorted(ends[:-1] / ends[-1], grade(self.places[0]), side="left")
        return [(place == label).astype(np.float64) for label in range(len(self.weights))]

    def logpdf(self, rows: Sequence[Array]) -> Array:
        """Logarithm of the probability of the label."""
        return np.asarray(sum(row * math.log(own) for own, row in zip(self._shares, rows, strict=True) if own))

    @cached_property
    def _shares(self) -> list[float]:
        return [own / sum(self.weights) for own in self.weights]

    def middle(self) -> list[float]:
        """The most likely label, the first of several."""
        best = int(np.argmax(self.weights))
        return [float(label == best) for label in range(len(self.weights))]

    def margins(self) -> list[Law]:
        """Whether each label is chosen."""
        return [
            StepLaw(np.array([0.0, 1.0]), np.array([1 - own, own])) if 0 < own < 1 else _SURE if own else _NEVER
            for own in self._shares
        ]


def _beta(one: float, other: float) -> Law:
    return BetaLaw(Named("beta", (one, other)))


def _rests(weights: Sequence[float]) -> list[float]:
    """What stands after each but the last, added up from the last one, so that small ones count."""
    return np.cumsum(weights[::-1])[-2::-1].tolist() if len(weights) > 1 else []


def dirichlet(concentration: Any, *, dim: str | None = None) -> Distribution:
    r"""Dirichlet distribution: uncertain shares of a whole, which add up to 1 along a dim.

    Parameters
    ----------
    concentration : mapping of label to float, or DataArray
        Positive. Their ratios are the mean shares; the larger their sum, the surer the shares: it is as if that many
        had been counted.
    dim : str, optional
        Along which they add up; needed with a mapping, and where there are several dims.

    Returns
    -------
    Distribution
        With the dims of `concentration`. A share by itself is beta.

    Raises
    ------
    DistributionError
        If a concentration is not positive, or the dim is not given.

    Notes
    -----
    .. math:: p(x) \propto \prod_k x_k^{\alpha_k - 1}, \quad E[x_k] = \alpha_k / \sum_j \alpha_j

    Its point is the mean. Source: Kotz, Balakrishnan and Johnson, Continuous Multivariate Distributions, vol. 1,
    2nd ed. (2000), chapter 49.

    Examples
    --------
    >>> mix = dirichlet({"H100": 6, "H20": 3, "B200": 1}, dim="hardware")
    >>> mix
    dirichlet(by("hardware", [6, 3, 1]))
    >>> mix.mean().values
    array([0.6, 0.3, 0.1])
    >>> mix.sample(2, seed=1).sum("hardware").values
    array([1., 1.])
    """
    return _together("dirichlet", "concentration", concentration, dim, _Broken)


def choice(weights: Any, *, dim: str | None = None) -> Distribution:
    """One of the labels of a dim, which nobody knows yet: 1 for the label that is chosen and 0 for the others.

    Parameters
    ----------
    weights : mapping of label to float, or DataArray
        Relative probabilities.
    dim : str, optional
        Whose labels they are; needed with a mapping, and where there are several dims.

    Returns
    -------
    Distribution
        An equation takes what belongs to the label that is chosen as ``(price * hardware).sum("hardware")``; the mean
        of a label is its share of the draws.

    Raises
    ------
    DistributionError
        If a weight is negative, all are zero, or the dim is not given.

    Examples
    --------
    >>> card = choice({"H100": 0.6, "H20": 0.4}, dim="hardware")
    >>> card
    choice(by("hardware", [0.6, 0.4]))
    >>> card.sample(4, seed=1).sel(hardware="H100").values
    array([1., 0., 1., 0.])
    """
    return _together("choice", "weights", weights, dim, _Chosen)


register("dirichlet", dirichlet, support="unit")
register("choice", choice, support="unit")


def _together(family: str, name: str, given: Any, dim: str | None, kind: Callable[..., Whole]) -> Distribution:
    array, dim = _read(family, name, given, dim)
    values = np.asarray(array.values)
    low = "positive" if kind is _Broken else "not negative"
    if not np.all(np.isfinite(values)) or np.any(values < 0) or (kind is _Broken and np.any(values == 0)):
        raise DistributionError(f"{family}: {name} must be finite and {low}, not {shorten(str(values.tolist()))}")
    axis = array.dims.index(dim)
    if not np.all(values.max(axis=axis) > 0):
        raise DistributionError(f"{family}: at least one of the {name} along '{dim}' must be positive")
    if values.size > MOST_LAWS:
        raise DistributionError(f"{family}: {values.size:,} labels are more than {MOST_LAWS:,} distributions")
    places = np.moveaxis(np.arange(values.size).reshape(values.shape), axis, -1).reshape(-1, values.shape[axis])
    wholes = tuple(kind(tuple(own.tolist()), tuple(values.ravel()[own].tolist())) for own in places)
    laws: list[Any] = [None] * values.size
    for whole in wholes:
        for place, law in zip(whole.places, whole.margins(), strict=True):
            laws[place] = law
    dims = tuple(map(str, array.dims))
    said = (("", array), *((("dim", dim),) if len(dims) > 1 else ()))
    return Distribution(family, said, tuple(laws), dims, {d: labels_along(array, d) for d in dims}, wholes)


def _read(family: str, name: str, given: Any, dim: str | None) -> tuple[Any, str]:
    """What was given as an array by label, and the dim along which it is a whole."""
    if isinstance(given, Mapping):
        import xarray as xr

        if not isinstance(dim, str) or not dim.isidentifier():
            raise DistributionError(f"{family}: say whose labels they are, such as dim='hardware'")
        if not given:
            raise DistributionError(f"{family}: {name} names no label")
        values = [certain(family, f"{name} of {label}", value) for label, value in given.items()]
        given = xr.DataArray(values, dims=dim, coords={dim: list(labels_of(dim, list(given)))})
    given = as_labelled(given)
    if not is_labelled(given) or not given.dims:
        raise DistributionError(
            f"{family}: {name} must have labels, such as {{'H100': 6, 'H20': 4}} with dim='hardware', or in text "
            f'{family}(by("hardware", [6, 4]))'
        )
    array = certain(family, name, given)
    if dim is None and len(array.dims) > 1:
        raise DistributionError(f"{family}: {name} has the dims {array.dims}; say along which they are a whole: dim=")
    if dim is not None:
        check_known([dim], array.dims, f"{family}: dim of {name}:")
    return array, str(array.dims[0]) if dim is None else dim
