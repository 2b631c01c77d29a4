"""A law (numbers below) and a distribution (what the expert said, and its labels, above)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.distributions.format import format_value, is_labelled
from demandsim.distributions.inversion import QuantileTable, tabulate
from demandsim.errors import DistributionError, check_whole, shorten

__all__ = ["Distribution", "Law", "Whole", "format_value", "is_labelled", "normal_scores", "standard_normal"]


class Law(Protocol):
    """One distribution of a single number. All functions are vectorised over a flat array.

    A class that is one says so as its base: it then needs no function that follows from the others.
    """

    @property
    def kind(self) -> str:
        """``"continuous"``, ``"discrete"``, or ``"mixed"`` of both."""

    def fast(self) -> Callable[[Array], Array]:
        """The quantile function that draws go through: a table of `ppf`, or itself where it is cheap."""
        return tabulate(self.ppf, self.cdf, self.sf, self.isf)

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u` in (0, 1), as exact as they can be computed."""

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``, accurate for small `u`."""
        return self.ppf(1.0 - u)

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return 1.0 - self.cdf(x)

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density (of the probability, if discrete) at `x`."""

    def atoms(self) -> dict[float, float]:
        """Values that have a probability of their own, as far as they are finitely many."""
        return {}

    def mean(self) -> float:
        """Expected value."""

    def std(self) -> float:
        """Standard deviation."""

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""


@dataclass(frozen=True)
class Whole:
    """Elements of a distribution that are drawn together, because they add up to 1.

    Parameters
    ----------
    places : tuple of int
        Which elements.
    weights : tuple of float
        Of each, as it was said.
    """

    places: tuple[int, ...]
    weights: tuple[float, ...]

    def __getstate__(self) -> dict[str, Any]:
        # Tables are rebuilt where they are needed.
        return {"places": self.places, "weights": self.weights}

    def drawn(self, grade: Callable[[int], Array]) -> list[Array]:
        """Values of its elements, from the numbers in (0, 1) that a place is given."""
        raise NotImplementedError

    def logpdf(self, rows: Sequence[Array]) -> Array:
        """Logarithm of the density, or probability, of values of its elements."""
        raise NotImplementedError

    def middle(self) -> list[float]:
        """The best single value of each element, which add up to 1."""
        raise NotImplementedError

    def margins(self) -> list[Law]:
        """Law of each element by itself."""
        raise NotImplementedError


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

    return cast(Array, np.clip(special.ndtr(z), 2.0**-54, 1.0 - 2.0**-53))


@dataclass(frozen=True, eq=False)
class Distribution:
    """A probability distribution: its family, what was said about it, and its laws.

    Made by the constructors of `demandsim.distributions`, or by `as_distribution` from a number,
    a text, or a distribution of scipy or PreliZ. Two distributions are equal when they were said
    in the same words (``str``) about the same labels.

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
    wholes : tuple of Whole
        Elements that are drawn together, all or none; `laws` are those of each by itself.

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
    wholes: tuple[Whole, ...] = ()

    def __str__(self) -> str:
        if self.family == "constant":
            return format_value(self.said[0][1])
        arguments = ", ".join(f"{name}={format_value(v)}" if name else format_value(v) for name, v in self.said)
        return f"{self.family}({arguments})"

    def __repr__(self) -> str:
        return f"constant({self})" if self.family == "constant" else str(self)

    def _repr_html_(self) -> str:
        from demandsim.distributions.sparkline import distribution_html

        return distribution_html(self)

    def _identity(self) -> tuple[str, tuple[str, ...], tuple[tuple[str, tuple[Any, ...]], ...]]:
        return str(self), self.dims, tuple(sorted((dim, tuple(labels)) for dim, labels in self.coords.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Distribution) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __getstate__(self) -> dict[str, Any]:
        # Tables are rebuilt where they are needed: cheaper than to send them.
        return {name: value for name, value in self.__dict__.items() if name != "quantile_functions"}

    @property
    def parts(self) -> tuple[Distribution, ...]:
        """Distributions that it is made of; none for most."""
        given = [item for _, value in self.said for item in (value if isinstance(value, list) else [value])]
        return tuple(item for item in given if isinstance(item, Distribution))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of elements along each of `dims`."""
        return tuple(len(self.coords[dim]) for dim in self.dims)

    @property
    def is_constant(self) -> bool:
        """True if every element is a single sure value.

        Examples
        --------
        >>> from demandsim import distributions as dist
        >>> dist.discrete([5, 5]).is_constant, dist.discrete([5, 6]).is_constant
        (True, False)
        """
        return all(law.support()[0] == law.support()[1] for law in self.laws)

    @property
    def atoms(self) -> Any:
        """Values with a probability of their own, and how much: those of a list, and what clipping piles up.

        A list of them, one by label, where it has labels; empty for continuous laws and for endlessly many values.

        Examples
        --------
        >>> from demandsim import distributions as dist
        >>> dist.discrete([5, 6], weights=[1, 3]).atoms
        {5.0: 0.25, 6.0: 0.75}
        """
        found = [law.atoms() for law in self.laws]
        return found if self.dims else found[0]

    @functools.cached_property
    def quantile_functions(self) -> tuple[Callable[[Array], Array], ...]:
        """Fast quantile functions, one per element: tabulated where the law's own is slow.

        Their u-error is at most 1e-10. They take flat arrays of numbers strictly inside (0, 1), and
        give each number the same bits whatever array it stands in.
        """
        return tuple(law.fast() for law in self.laws)

    def drawn(self, grade: Callable[[int], Array]) -> list[Array]:
        """Values of all elements from the numbers in (0, 1) that each is given, by its place."""
        if not self.wholes:
            return [law(grade(place)) for place, law in enumerate(self.quantile_functions)]
        found: list[Any] = [None] * len(self.laws)
        for whole in self.wholes:
            for place, row in zip(whole.places, whole.drawn(grade), strict=True):
                found[place] = row
        return found

    def middle(self) -> Any:
        """The best single value: the median; of shares of a whole what adds up to 1, their mean or likeliest label."""
        if not self.wholes:
            return self.median()
        values = np.zeros(len(self.laws))
        for whole in self.wholes:
            values[list(whole.places)] = whole.middle()
        return self._labelled(list(values))

    def ppf(self, u: npt.ArrayLike) -> Any:
        """Quantiles at probability `u`: exact, not from a table.

        Parameters
        ----------
        u : array of values in (0, 1), any shape

        Returns
        -------
        array of the shape of `u`; or DataArray with `dims`, for a scalar `u` and an indexed distribution

        Examples
        --------
        >>> from demandsim import distributions as dist
        >>> dist.uniform(0, 10).ppf([0.05, 0.95])
        array([0.5, 9.5])
        """
        points = np.asarray(u, dtype=np.float64)
        return self._each(lambda law: np.reshape(law.ppf(points.ravel()), points.shape))

    def cdf(self, x: npt.ArrayLike) -> Any:
        """Probability of at most `x`, an array of any shape.

        Examples
        --------
        >>> from demandsim import distributions as dist
        >>> dist.uniform(0, 10).cdf(2.5)
        np.float64(0.25)
        """
        points = np.asarray(x, dtype=np.float64)
        return self._each(lambda law: np.reshape(law.cdf(points.ravel()), points.shape))

    def logpdf(self, x: npt.ArrayLike) -> Any:
        """Logarithm of the density (of the probability, if discrete) at `x`, an array of any shape.

        Raises
        ------
        DistributionError
            If the distribution mixes sure values with a continuous part: it has no density.
        """
        points = np.asarray(x, dtype=np.float64)
        return self._each(lambda law: np.reshape(law.logpdf(points.ravel()), points.shape))

    def sample(self, draws: int = 1000, *, seed: int | None = None) -> Any:
        """Draw independent values, for a quick look; in a model every assumption is drawn by it.

        Parameters
        ----------
        draws : int, default 1000
        seed : int, optional
            Fresh entropy if not given.

        Returns
        -------
        array of shape (draws,); or DataArray with `dims` and ``draw``, for an indexed distribution

        Examples
        --------
        >>> from demandsim import distributions as dist
        >>> dist.uniform(2, 4).sample(3, seed=1).round(3)
        array([3.024, 3.901, 2.288])
        """
        count = check_whole("draws", draws)
        u = np.random.default_rng(seed).uniform(2.0**-54, 1.0 - 2.0**-53, (len(self.laws), count))
        values = np.array(self.drawn(u.__getitem__))
        if not self.dims:
            return values[0]
        import xarray as xr

        coords = {dim: list(labels) for dim, labels in self.coords.items()}
        return xr.DataArray(values.reshape(*self.shape, count), dims=(*self.dims, "draw"), coords=coords)

    def plot(self, ax: Any = None) -> Any:
        """Draw the density with its 90% interval and median, or one curve a label; needs matplotlib.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            The current ones by default.

        Returns
        -------
        matplotlib Axes
        """
        from demandsim.distributions.sparkline import plotted

        return plotted(self, ax)

    #: Arrays leave arithmetic to the distribution, which refuses it.
    __array_ufunc__ = None

    def _no_arithmetic(self, *other: Any) -> Any:
        raise DistributionError(
            f"{shorten(str(self))} is a distribution and no number to compute with; make an assumption of it, and an "
            "equation of what follows: @ds.equation(unit=...) def y(x): return 8 * x. For a quick look compute with "
            ".sample()"
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _no_arithmetic
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __neg__ = _no_arithmetic

    def median(self) -> Any:
        """Value with as much probability below as above."""
        return self.ppf(0.5)

    def mean(self) -> Any:
        """Expected value; infinite or NaN if it does not exist."""
        return self._each(lambda law: np.float64(law.mean()))

    def sd(self) -> Any:
        """Standard deviation; infinite or NaN if it does not exist."""
        return self._each(lambda law: np.float64(law.std()))

    def _each(self, function: Callable[[Law], Any]) -> Any:
        with np.errstate(all="ignore"):
            return self._labelled([function(law) for law in self.laws])

    def _labelled(self, results: list[Any]) -> Any:
        if not self.dims:
            return results[0][()] if np.ndim(results[0]) == 0 else results[0]
        import xarray as xr

        values = np.array(results, dtype=np.float64)
        if values.ndim != 1:
            return values.reshape(self.shape + values.shape[1:])
        coords = {dim: list(labels) for dim, labels in self.coords.items()}
        return xr.DataArray(values.reshape(self.shape), dims=self.dims, coords=coords)
