"""Constructors: from what the expert said to a distribution, registered for all who list, read, write or move them.

A constructor is a function that takes what was said about one number and returns its law. `constructor` makes of
it the public one, which takes labelled numbers as well, checks them, and remembers the words.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
import math
import numbers
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Distribution, Law
from demandsim.distributions.by_label import MOST_LAWS
from demandsim.distributions.compound import compound_law
from demandsim.distributions.format import as_labelled, check_zone, is_labelled, labels_along
from demandsim.errors import DistributionError, did_you_mean, shorten

__all__ = [
    "CONSTRUCTORS",
    "Constructor",
    "Number",
    "bound",
    "by_interval",
    "central_z",
    "certain",
    "check_finite",
    "check_interval",
    "check_moments",
    "constructor",
    "either",
    "listed",
    "numbers_of",
    "positive",
    "register",
    "sound",
]

#: A number, or a DataArray with one number per year, hardware, ...
type Number = Any
#: Reads one argument: takes the family, the parameter's name and what was given; None is as if nothing was.
type Reader = Callable[[str, str, Any], Any]
type Support = Literal["real", "positive", "unit"]

_TINY = float(np.finfo(np.float64).tiny)
#: What says where a distribution lies and how wide it is; all else is its form.
_PLACE = ("low", "mode", "high", "prob", "mean", "sd", "median", "factor", "probs", "values")


@dataclass(frozen=True)
class Constructor:
    """What is known of a constructor.

    Parameters
    ----------
    name : str
        What texts call it.
    make : callable
        The constructor itself.
    interval : float or None
        For one that takes a central interval ``(low, high, prob=)``: its probability by default.
    support : {"real", "positive", "unit"}
        Where all its distributions lie; above 0, between 0 and 1, or that depends.
    """

    name: str
    make: Callable[..., Distribution]
    interval: float | None = None
    support: Support = "real"

    @functools.cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of its parameters, in order."""
        return tuple(inspect.signature(self.make).parameters)

    @property
    def moved_by(self) -> str:
        """What another central interval is asked through: ``"interval"``, ``"mode"``, ``"quantiles"``, or nothing."""
        if self.interval is not None:
            return "interval"
        return "mode" if "mode" in self.parameters else "quantiles" if "probs" in self.parameters else ""

    @property
    def form(self) -> tuple[str, ...]:
        """Parameters that say neither where its distributions lie nor how wide they are."""
        return tuple(name for name in self.parameters if name not in _PLACE)


_REGISTERED: dict[str, Constructor] = {}
#: Every constructor by name.
CONSTRUCTORS: Mapping[str, Constructor] = MappingProxyType(_REGISTERED)


def register[**P](
    name: str, make: Callable[P, Distribution], *, interval: float | None = None, support: Support = "real"
) -> Callable[P, Distribution]:
    """Add a constructor under the name that texts call it by, and return it."""
    _REGISTERED[name] = Constructor(name, make, interval, support)
    return make


def constructor[**P](
    *,
    interval: float | None = None,
    support: Support = "real",
    read: Mapping[str, Reader] | None = None,
    named: tuple[str, ...] = (),
) -> Callable[[Callable[P, Law]], Callable[P, Distribution]]:
    """Make a constructor of a function that takes what was said about one number and returns its law.

    What has dims makes the distribution indexed: the function is called once per label.

    Parameters
    ----------
    interval : float, optional
        Probability of the interval ``(low, high)``, or of a `factor`, that is given without `prob`.
    support : {"real", "positive", "unit"}
        Where all its distributions lie.
    read : mapping of parameter to reader, optional
        How to read what is not a number: lists, distributions, switches.
    named : tuple of str
        Parameters whose name is always written, beside those that are keyword-only.

    Examples
    --------
    >>> from scipy import stats
    >>> from demandsim.distributions.frozen import ScipyLaw
    >>> @constructor()
    ... def laplace(mean, sd):
    ...     return ScipyLaw(stats.laplace(mean, sd / 2**0.5))
    >>> laplace(1, sd=2), laplace(1, sd=2).mean()
    (laplace(1, 2), np.float64(1.0))
    >>> CONSTRUCTORS["laplace"].parameters
    ('mean', 'sd')
    >>> del _REGISTERED["laplace"]
    """

    def decorate(solve: Callable[P, Law]) -> Callable[P, Distribution]:
        family, signature = solve.__name__, inspect.signature(solve)
        kinds = signature.parameters.values()
        numeric = frozenset(signature.parameters) - frozenset(read or {})
        plain = tuple(p.name for p in kinds if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in named)
        required = {p.name for p in kinds if p.default is p.empty}

        @functools.wraps(solve)
        def make(*args: P.args, **kwargs: P.kwargs) -> Distribution:
            bound = _bound(family, signature, args, kwargs)
            said = {}
            for name, value in bound.arguments.items():
                if value is None and name in required:
                    raise DistributionError(f"{family}: {name} must be given")
                found = None if value is None else (read or {}).get(name, _number)(family, name, value)
                if found is not None:
                    said[name] = found
            if interval is not None and "prob" not in said and not said.keys().isdisjoint(("low", "factor")):
                said["prob"] = interval
            return _built(
                family,
                functools.partial(_law, solve, numeric),
                plain,
                {name: said[name] for name in signature.parameters if name in said},
            )

        make.__signature__ = signature.replace(return_annotation="Distribution")  # type: ignore[attr-defined]
        make.__annotations__ = {**solve.__annotations__, "return": "Distribution"}
        return register(family, make, interval=interval, support=support)

    return decorate


def _bound(
    family: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> inspect.BoundArguments:
    """Arguments by name, those that were not given too; one that there is not is told with the nearest."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        strange = next((name for name in kwargs if name not in signature.parameters), "")
        hint = did_you_mean(strange, signature.parameters) if strange else ""
        raise TypeError(f"{family}: {error}{hint}") from None
    bound.apply_defaults()
    return bound


def _built(family: str, solve: Callable[..., Law], plain: tuple[str, ...], said: Mapping[str, Any]) -> Distribution:
    # Written as f(a, b, name=c): a name is left out only while all before it were left out too.
    words: list[tuple[str, Any]] = []
    unnamed = True
    for name, value in said.items():
        unnamed = unnamed and plain[len(words) : len(words) + 1] == (name,)
        words.append(("" if unnamed else name, value))
    coords = _labels(family, said)
    count = math.prod(map(len, coords.values()))
    if count > MOST_LAWS and family != "constant":
        raise DistributionError(
            f"{family}: {count:,} labels make as many distributions, and more than {MOST_LAWS:,} take minutes to "
            "build and to draw; use one distribution times a constant by label, or fewer labels"
        )
    shell = Distribution(family, tuple(words), (), tuple(coords), coords)
    laws = []
    for place in _places(coords):
        element = {name: _at(value, place) for name, value in said.items()}
        where = "".join(f", {dim}={coords[dim][index]}" for dim, index in place.items())
        laws.append(_solved(solve, element, shell, where))
    return dataclasses.replace(shell, laws=tuple(laws))


def _law(solve: Callable[..., Law], numeric: frozenset[str], /, **said: Any) -> Law:
    """The law of one element; where parameters are uncertain themselves, over all that they can be."""
    unsure = {
        name: value.laws[0] for name, value in said.items() if name in numeric and isinstance(value, Distribution)
    }
    if not unsure:
        return solve(**said)
    return compound_law(solve, {name: value for name, value in said.items() if name not in unsure}, unsure)


def _solved(solve: Callable[..., Law], said: Mapping[str, Any], shell: Distribution, where: str) -> Law:
    try:
        with np.errstate(all="ignore"):
            return solve(**said)
    except DistributionError as error:
        raise DistributionError(f"{shorten(str(shell))}{where}: {error}") from None
    except (ArithmeticError, ValueError, TypeError) as error:
        raise DistributionError(f"{shorten(str(shell))}{where}: doubles cannot hold its numbers ({error})") from error


def _number(family: str, name: str, value: Any) -> Any:
    """Read a number, a distribution of it, or a DataArray of numbers as a copy that nobody else can change."""
    value = as_labelled(value)
    if isinstance(value, Distribution):
        return value if value.dims or not value.is_constant else float(value.median())
    if is_labelled(value):
        return _labelled_numbers(family, name, value)
    if isinstance(value, np.ndarray) and value.ndim:
        raise DistributionError(
            f"{family}: {name} is a bare array; give an xarray DataArray, so that its dims have names"
        )
    if isinstance(value, np.ndarray):
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise DistributionError(f"{family}: {name} must be a number or a distribution, not {shorten(repr(value))}")
    try:
        return float(value)
    except OverflowError:
        raise DistributionError(f"{family}: {name} is too large for a double") from None


def _labelled_numbers(family: str, name: str, value: Any) -> Any:
    values = np.asarray(value.values)
    if values.dtype.kind not in "iuf":
        raise DistributionError(f"{family}: {name} must hold numbers, not values of type {values.dtype}")
    if values.ndim == 0:
        return float(values)
    if values.size == 0:
        raise DistributionError(f"{family}: {name} holds no numbers")
    for dim in value.dims:
        if dim not in value.coords:
            raise DistributionError(
                f"{family}: dim '{dim}' has no coordinate; give the DataArray coords={{'{dim}': [...]}}"
            )
        check_zone(value, dim)
        labels = value.coords[dim].values
        if len(set(labels.tolist())) < labels.size:
            raise DistributionError(f"{family}: dim '{dim}' of {name} has a label twice")
    coords = {dim: value.coords[dim].values.copy() for dim in value.dims}
    return type(value)(values.astype(np.float64), dims=value.dims, coords=coords)


def _indexed(said: Any) -> Iterator[tuple[str, Any]]:
    """Everything with dims among what was said, inside lists as well."""
    for name, value in said:
        if isinstance(value, list):
            yield from _indexed((f"{name}[{place}]", item) for place, item in enumerate(value))
        elif (is_labelled(value) or isinstance(value, Distribution)) and value.dims:
            yield name, value


def _labels(family: str, said: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Labels of every dim, which all that have the dim must share."""
    found: dict[str, tuple[Any, ...]] = {}
    first: dict[str, str] = {}
    for name, value in _indexed(said.items()):
        if getattr(value, "wholes", ()):
            raise DistributionError(
                f"{family}: {name} is {shorten(str(value))}, whose shares add up to 1 together; use it as it is, and "
                "an equation for what follows"
            )
        for dim in value.dims:
            labels = labels_along(value, dim) if is_labelled(value) else value.coords[dim]
            if found.setdefault(str(dim), labels) != labels:
                raise DistributionError(
                    f"{family}: {first[str(dim)]} and {name} disagree in the labels of '{dim}': "
                    f"{shorten(str(list(found[str(dim)])))} and {shorten(str(list(labels)))}"
                )
            first.setdefault(str(dim), name)
    return found


def _places(coords: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, int]]:
    for place in itertools.product(*(range(len(labels)) for labels in coords.values())):
        yield dict(zip(coords, place, strict=True))


def _at(value: Any, place: Mapping[str, int]) -> Any:
    """What was said about one element."""
    if isinstance(value, list):
        return [_at(item, place) for item in value] if any(isinstance(item, Distribution) for item in value) else value
    if is_labelled(value):
        return float(value.values[tuple(place[dim] for dim in value.dims)])
    if isinstance(value, Distribution) and value.dims:
        index = np.ravel_multi_index([place[dim] for dim in value.dims], value.shape)
        return Distribution(value.family, value.said, (value.laws[int(index)],))
    return value


def listed(family: str, name: str, values: Any) -> Any:
    """Read a list of numbers from whatever holds some."""
    try:
        array = np.asarray(values if hasattr(values, "__array__") else list(values))
        if array.dtype.kind not in "biufO" or isinstance(values, (str, bytes, dict, set)):
            raise TypeError
        if array.dtype.kind == "O" and not all(isinstance(item, numbers.Real) for item in array.ravel()):
            raise TypeError
        found: list[Any] = array.astype(np.float64).tolist()
    except (TypeError, ValueError, OverflowError):
        raise DistributionError(f"{family}: {name} must be a list of numbers, not {shorten(repr(values))}") from None
    return found


def numbers_of(name: str, values: Any) -> Array:
    """Check that a list holds at least one number, and only finite ones."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise DistributionError(f"{name} must be a list of at least one number")
    if not np.all(np.isfinite(array)):
        raise DistributionError(f"{name} must be finite numbers; position {int(np.argmin(np.isfinite(array)))} is not")
    return array


def certain(family: str, name: str, value: Any) -> Any:
    """Read a number that cannot be uncertain itself."""
    found = _number(family, name, value)
    if isinstance(found, Distribution):
        raise DistributionError(f"{family}: {name} must be a number, not {shorten(str(found))}")
    return found


def bound(family: str, name: str, value: Any) -> Any:
    """Read a `lower` or `upper` bound; one at its own infinity is none."""
    found = certain(family, name, value)
    infinite = isinstance(found, float) and found == (-math.inf if name == "lower" else math.inf)
    return None if infinite else found


def check_finite(**values: float | None) -> None:
    """Raise unless every number given is finite."""
    for name, value in values.items():
        if value is not None and not math.isfinite(value):
            raise DistributionError(f"{name} must be a finite number, not {value}")


def check_interval(low: float, high: float, prob: float, *, above_zero: str = "", whole: bool = False) -> None:
    """Raise unless the numbers make a central interval, of `above_zero` if its values are positive.

    With `whole`, it may also hold all of the probability.
    """
    check_finite(low=low, high=high, prob=prob)
    if above_zero and low <= 0:
        raise DistributionError(f"low must be positive: {above_zero} has no values at or below 0")
    if not low < high:
        raise DistributionError("low must be below high; a mean and an sd are given by name, as mean= and sd=")
    if not (0.0 < prob < 1.0 or (whole and prob == 1.0)):
        raise DistributionError("prob must lie between 0 and 1 (for example 0.9 for P5 to P95)")
    if not math.isfinite(high - low):
        raise DistributionError("low and high are too far apart for a double")


def check_moments(mean: float, sd: float, prob: float | None = None, *, above_zero: str = "") -> None:
    """Raise unless the numbers are moments, of `above_zero` if its values are positive."""
    if prob is not None:
        raise DistributionError("prob belongs to an interval; with mean and sd leave it out")
    check_finite(mean=mean, sd=sd)
    if not sd > 0:
        raise DistributionError("sd must be positive (for a sure value use constant)")
    if above_zero and not mean > 0:
        raise DistributionError(f"mean must be positive: {above_zero} has no values at or below 0")


def either(*ways: Mapping[str, Any]) -> int:
    """Return the place of the one way to ask that was used; raise unless exactly one is complete."""
    complete = [None not in way.values() for way in ways]
    if complete == [set(way.values()) != {None} for way in ways] and complete.count(True) == 1:
        return complete.index(True)
    raise DistributionError(f"give either {', or '.join(' and '.join(way) for way in ways)}, and both of them")


def by_interval(
    interval: tuple[Any, Any, Any], moments: tuple[Any, Any], *, above_zero: str = "", whole: bool = False
) -> bool:
    """Return True if an interval ``(low, high, prob)`` was asked for, False if moments ``(mean, sd)`` were.

    Raises
    ------
    DistributionError
        If not exactly one of them was, or it is impossible.
    """
    low, high, prob = interval
    if either({"low": low, "high": high}, {"mean": moments[0], "sd": moments[1]}):
        check_moments(*moments, prob, above_zero=above_zero)
        return False
    check_interval(low, high, prob, above_zero=above_zero, whole=whole)
    return True


def central_z(prob: float) -> float:
    """Half-width, in standard deviations, of a normal's central interval."""
    from scipy import special

    # From the tail: 1 - prob keeps the digits of a prob near 1.
    return -float(special.ndtri((1.0 - prob) / 2))


def positive(law: Law) -> Law:
    """Return a law of positive values if none of them, in practice, becomes zero in a double."""
    with np.errstate(all="ignore"):
        lost = law.cdf(np.array([_TINY]))[0]
    if not lost < 1e-9:
        raise DistributionError("it is so wide that its smallest values are zero in a double")
    return law


def sound(law: Law) -> Law:
    """Return the law if doubles can hold it: finite quantiles in order, that its cdf confirms.

    Raises
    ------
    DistributionError
        If some quantile is not finite, they fall, or the distribution function disagrees.
    """
    u = np.array([2.0**-54, 0.25, 0.5, 0.75])
    with np.errstate(all="ignore"):
        x = np.concatenate([law.ppf(u), law.isf(np.array([2.0**-53]))])
        if not np.all(np.isfinite(x)):
            raise DistributionError("some of its values are too large for a double, or are not numbers")
        if np.any(np.diff(x) < 0) or (law.kind == "continuous" and x[0] == x[-1]):
            raise DistributionError("its values are too close together for a double")
        # Between neighbouring doubles no quantile function can choose; next to 0 they are 2e-308 apart.
        tiny = np.where(np.abs(x[1:4]) < _TINY, _TINY, 0.0)
        below = u[1:] - law.cdf(np.nextafter(x[1:4], np.inf) + tiny)
        above = law.cdf(np.nextafter(x[1:4], -np.inf) - tiny) - u[1:]
        if not np.all(np.maximum(below, above) < 1e-8):
            raise DistributionError("its quantile function and its distribution function disagree")
    return law
