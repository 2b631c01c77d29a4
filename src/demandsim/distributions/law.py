"""A law (numbers below) and a distribution (what the expert said, and its labels, above)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from demandsim.distributions.inverses import QuantileTable, tabulate
from demandsim.errors import DistributionError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Distribution", "Law", "build", "format_value", "is_labelled", "normal_scores", "standard_normal"]

Array = npt.NDArray[np.float64]


class Law(Protocol):
    """One distribution of a single number. All functions are vectorised over a flat array."""

    #: True if `ppf` is cheap and accurate as it is, so that no table is needed.
    direct: bool

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u` in (0, 1)."""

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``, accurate for small `u`."""

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density (of the probability, if discrete) at `x`."""

    def mean(self) -> float:
        """Expected value."""

    def std(self) -> float:
        """Standard deviation."""

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""


@functools.cache
def standard_normal() -> QuantileTable:
    """Fast quantile function of the standard normal distribution."""
    from scipy import special

    def isf(u: Array) -> Array:
        return cast(Array, -special.ndtri(u))

    def sf(x: Array) -> Array:
        return cast(Array, special.ndtr(-x))

    return tabulate(special.ndtri, special.ndtr, sf, isf)


def normal_scores(z: Array) -> Array:
    """Uniform numbers strictly inside (0, 1) from standard normal ones."""
    from scipy import special

    return np.clip(special.ndtr(z), 2.0**-54, 1.0 - 2.0**-53)


def is_labelled(value: Any) -> bool:
    """Tell a DataArray from numbers, without importing xarray."""
    return hasattr(value, "dims") and not isinstance(value, Distribution)


def format_value(value: Any) -> str:
    """Write a value as the text grammar reads it, without losing a bit."""
    if isinstance(value, Distribution):
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if is_labelled(value):
        names = "".join(f'"{dim}", ' for dim in value.dims)
        return f"by({names}{format_value(value.values.tolist())})"
    if isinstance(value, (list, tuple, np.ndarray)):
        return "[" + ", ".join(format_value(item) for item in value) + "]"
    number = float(value)
    plain = f"{number:.0f}" if number.is_integer() and abs(number) < 1e15 else repr(number)
    digits, _, exponent = f"{number:.16e}".partition("e")
    scientific = f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"
    return scientific if len(plain) > 7 and len(scientific) < len(plain) and float(scientific) == number else plain


@dataclass(frozen=True, eq=False)
class Distribution:
    """A probability distribution: its family, what was said about it, and its laws.

    Made by the constructors of `demandsim.distributions`, or by `as_distribution` from a number,
    a text, or a distribution of scipy or PreliZ. Two distributions are equal when they were said
    in the same words (``str``).

    Parameters
    ----------
    family : str
        Name of the constructor.
    said : tuple of (name, value)
        Arguments in the order of the constructor; positional ones have the name ``""``.
    laws : tuple of Law
        One law, or one per element of `dims` in C order.
    dims : tuple of str
        Own dims, such as ``("year",)``; empty for a single number.
    coords : mapping of dim to labels

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> x = dist.lognormal(500, 1200, prob=0.9)
    >>> x
    lognormal(500, 1200, prob=0.9)
    >>> x.median().round(2)
    np.float64(774.6)
    """

    family: str
    said: tuple[tuple[str, Any], ...]
    laws: tuple[Law, ...]
    dims: tuple[str, ...] = ()
    coords: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.family == "constant":
            return format_value(self.said[0][1])
        arguments = ", ".join(f"{name}={format_value(v)}" if name else format_value(v) for name, v in self.said)
        return f"{self.family}({arguments})"

    def __repr__(self) -> str:
        return f"constant({self})" if self.family == "constant" else str(self)

    def _identity(self) -> tuple[str, tuple[tuple[str, tuple[Any, ...]], ...]]:
        return str(self), tuple(sorted((dim, tuple(labels)) for dim, labels in self.coords.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Distribution) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of elements along each of `dims`."""
        return tuple(len(self.coords[dim]) for dim in self.dims)

    @property
    def is_constant(self) -> bool:
        """True if every element is a single sure value."""
        return all(law.support()[0] == law.support()[1] for law in self.laws)

    @functools.cached_property
    def quantile_functions(self) -> tuple[Callable[[Array], Array], ...]:
        """Fast quantile functions, one per element: tabulated where the law's own is slow."""
        return tuple(law.ppf if law.direct else tabulate(law.ppf, law.cdf, law.sf, law.isf) for law in self.laws)

    def __getstate__(self) -> dict[str, Any]:
        # Tables are rebuilt where they are needed: cheaper than to send them.
        return {k: v for k, v in self.__dict__.items() if k != "quantile_functions"}

    def ppf(self, u: npt.ArrayLike) -> Any:
        """Quantiles at probability `u`: exact, not from a table.

        Parameters
        ----------
        u : array of values in (0, 1), any shape

        Returns
        -------
        array of the shape of `u`; or DataArray with `dims`, for a scalar `u` and an indexed distribution
        """
        points = np.asarray(u, dtype=np.float64)
        return self._each(lambda law: np.reshape(law.ppf(points.ravel()), points.shape))

    def cdf(self, x: npt.ArrayLike) -> Any:
        """Probability of at most `x`, an array of any shape."""
        points = np.asarray(x, dtype=np.float64)
        return self._each(lambda law: np.reshape(law.cdf(points.ravel()), points.shape))

    def logpdf(self, x: npt.ArrayLike) -> Any:
        """Logarithm of the density at `x`, an array of any shape."""
        points = np.asarray(x, dtype=np.float64)
        return self._each(lambda law: np.reshape(law.logpdf(points.ravel()), points.shape))

    def median(self) -> Any:
        """Value with as much probability below as above."""
        return self.ppf(0.5)

    def mean(self) -> Any:
        """Expected value."""
        return self._each(lambda law: np.float64(law.mean()))

    def sd(self) -> Any:
        """Standard deviation."""
        return self._each(lambda law: np.float64(law.std()))

    def _each(self, function: Callable[[Law], Any]) -> Any:
        if not self.dims:
            result = function(self.laws[0])
            return result[()] if np.ndim(result) == 0 else result
        import xarray as xr

        values = np.array([function(law) for law in self.laws], dtype=np.float64)
        if values.ndim != 1:
            return values.reshape(self.shape + values.shape[1:])
        coords = {dim: list(labels) for dim, labels in self.coords.items()}
        return xr.DataArray(values.reshape(self.shape), dims=self.dims, coords=coords)


def build(family: str, solve: Callable[..., Law], positional: tuple[str, ...], **said: Any) -> Distribution:
    """Make a distribution from what was said; parameters that are DataArrays make it indexed.

    Parameters
    ----------
    family : str
    solve : callable
        Takes the numbers of one element by name, returns its law; raises `DistributionError`.
    positional : tuple of str
        Names written without ``name=``.
    said
        Everything the expert gave; None is dropped.
    """
    given = {name: value for name, value in said.items() if value is not None}
    labelled = {name: value for name, value in given.items() if is_labelled(value)}
    for name, value in given.items():
        if isinstance(value, np.ndarray) and value.ndim and family not in ("discrete", "empirical", "metalog"):
            raise DistributionError(
                f"{family}: {name} is a bare array; give an xarray DataArray, so that its dims have names"
            )
    # Written as f(a, b, name=c): a name is left out only while all before it were left out too.
    words, plain = [], True
    for name, value in given.items():
        plain = plain and name in positional and positional.index(name) == len(words)
        words.append(("" if plain else name, value))
    shell = Distribution(family, tuple(words), ())

    def one(values: Mapping[str, Any]) -> Law:
        try:
            return solve(**values)
        except DistributionError as error:
            raise DistributionError(f"{shell}: {error}") from None

    if not labelled:
        return Distribution(family, tuple(words), (one(given),))
    dims, coords, elements = _elements(family, given, labelled)
    return Distribution(family, tuple(words), tuple(one(element) for element in elements), dims, coords)


def _elements(
    family: str, given: Mapping[str, Any], labelled: Mapping[str, xr.DataArray]
) -> tuple[tuple[str, ...], dict[str, tuple[Any, ...]], Iterator[dict[str, Any]]]:
    import xarray as xr

    try:
        arrays = dict(zip(labelled, xr.align(*labelled.values(), join="exact", copy=False), strict=True))
        arrays = dict(zip(arrays, xr.broadcast(*arrays.values()), strict=True))
    except ValueError as error:
        raise DistributionError(f"{family}: parameters disagree in their coordinates: {error}") from None
    first = next(iter(arrays.values()))
    dims = tuple(str(dim) for dim in first.dims)
    for dim in dims:
        if dim not in first.coords:
            raise DistributionError(
                f"{family}: dim '{dim}' has no coordinate; give the DataArray coords={{'{dim}': [...]}}"
            )
    coords = {dim: tuple(first.coords[dim].values.tolist()) for dim in dims}
    flat = {name: np.asarray(array.transpose(*dims).values, dtype=np.float64).ravel() for name, array in arrays.items()}

    def elements() -> Iterator[dict[str, Any]]:
        for index in range(math.prod(first.shape)):
            yield {**given, **{name: float(values[index]) for name, values in flat.items()}}

    return dims, coords, elements()
