"""From what the expert said to a distribution: numbers read, labels spread, impossible requests refused."""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Distribution, Law
from demandsim.distributions.format import is_labelled
from demandsim.errors import DistributionError, shorten

__all__ = ["build", "listed", "numbers_of", "sound"]

_TINY = float(np.finfo(np.float64).tiny)


def build(
    family: str,
    solve: Callable[..., Law],
    positional: tuple[str, ...],
    parts: Mapping[str, Any] | None = None,
    **given: Any,
) -> Distribution:
    """Make a distribution from what was said; what has dims makes it indexed.

    Parameters
    ----------
    family : str
    solve : callable
        Takes what was said about one element, by name, and returns its law.
    positional : tuple of str
        Names written without ``name=``.
    parts : mapping, optional
        What is not a number: lists, distributions, switches.
    **given
        Numbers, or DataArrays of them; None is dropped.

    Raises
    ------
    DistributionError
        If something is no number, labels disagree, or there is no such law.
    """
    said = {name: value for name, value in (parts or {}).items() if value is not None}
    said |= {name: _number(family, name, value) for name, value in given.items() if value is not None}
    # Written as f(a, b, name=c): a name is left out only while all before it were left out too.
    words: list[tuple[str, Any]] = []
    plain = True
    for name, value in said.items():
        plain = plain and name in positional and positional.index(name) == len(words)
        words.append(("" if plain else name, value))
    coords = _labels(family, said)
    dims = tuple(coords)
    shell = Distribution(family, tuple(words), (), dims, coords)
    laws = []
    for place in _places(coords):
        element = {name: _at(value, place) for name, value in said.items()}
        where = "".join(f", {dim}={coords[dim][index]}" for dim, index in place.items())
        laws.append(_solved(solve, element, shell, where))
    return Distribution(family, tuple(words), tuple(laws), dims, coords)


def _solved(solve: Callable[..., Law], said: Mapping[str, Any], shell: Distribution, where: str) -> Law:
    try:
        with np.errstate(all="ignore"):
            return solve(**said)
    except DistributionError as error:
        raise DistributionError(f"{shorten(str(shell))}{where}: {error}") from None
    except (ArithmeticError, ValueError, TypeError) as error:
        raise DistributionError(f"{shorten(str(shell))}{where}: doubles cannot hold its numbers ({error})") from error


def _number(family: str, name: str, value: Any) -> Any:
    """Read a number, or a DataArray of numbers as a copy that nobody else can change."""
    if is_labelled(value):
        return _labelled_numbers(family, name, value)
    if isinstance(value, np.ndarray) and value.ndim:
        raise DistributionError(
            f"{family}: {name} is a bare array; give an xarray DataArray, so that its dims have names"
        )
    if isinstance(value, np.ndarray):
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise DistributionError(f"{family}: {name} must be a number, not {shorten(repr(value))}")
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
        for dim in value.dims:
            labels = value.coords[dim]
            if is_labelled(labels):
                # Dates become integers in a plain list, so they stay as numpy has them.
                labels = tuple(labels.values if labels.dtype.kind in "mM" else labels.values.tolist())
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
    """Read a list of numbers from whatever holds some; None stays None."""
    if values is None:
        return None
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
