"""Distributions of scipy and PreliZ, numbers and texts, taken as they are."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from demandsim._system import is_table
from demandsim.distributions.base import Distribution, Law, is_labelled
from demandsim.distributions.by_label import by_label
from demandsim.distributions.closed_form import named_in_scipy
from demandsim.distributions.constructor import CONSTRUCTORS, register, sound
from demandsim.distributions.foreign import ObjectLaw
from demandsim.distributions.format import as_labelled
from demandsim.distributions.frozen import law_of
from demandsim.distributions.grammar import parse_distribution
from demandsim.errors import DistributionError, did_you_mean, shorten

__all__ = ["as_distribution", "as_distributions", "as_part", "scipy_distribution"]

#: Distributions of scipy's new kind that can be said by name.
_NEW = ("Normal", "Uniform", "Logistic", "Binomial")


def _scipy_menu() -> dict[str, Any]:
    from scipy import stats

    menu = {key: v for key, v in vars(stats).items() if isinstance(v, (stats.rv_continuous, stats.rv_discrete))}
    return menu | {key: getattr(stats, key) for key in _NEW if hasattr(stats, key)}


def scipy_distribution(name: str, *args: Any, **kwargs: Any) -> Distribution:
    """A distribution of `scipy.stats` by name, as study files write it: ``scipy("gamma", 2, scale=3)``.

    Parameters
    ----------
    name : str
        Name in `scipy.stats`; legacy (``"gamma"``) or new (``"Normal"``).
    *args, **kwargs : float
        Its parameters.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If scipy has no such distribution, or not with these parameters.

    Examples
    --------
    >>> scipy_distribution("expon", scale=2.0).mean()
    np.float64(2.0)
    """
    if not isinstance(name, str):
        raise DistributionError(f"scipy: the first argument is a name such as 'gamma', not {shorten(repr(name))}")
    menu = _scipy_menu()
    if name not in menu:
        raise DistributionError(f"scipy has no distribution '{shorten(name)}'{did_you_mean(name[:80], menu)}")
    for value in (*args, *kwargs.values()):
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
            raise DistributionError(f"scipy: the parameters of '{name}' must be numbers, not {shorten(repr(value))}")
    try:
        made = menu[name](*args, **kwargs)
    except Exception as error:
        raise DistributionError(f"scipy distribution '{name}': {error}") from None
    return as_distribution(made)


register("scipy", scipy_distribution)


def _from_frozen(frozen: Any) -> Distribution:
    parameters = [*frozen.args, *frozen.kwds.values()]
    if any(np.ndim(value) for value in parameters):
        raise DistributionError(
            f"scipy distribution '{frozen.dist.name}' has array parameters; use a constructor of "
            "demandsim.distributions with DataArrays, so that the dims have names"
        )
    law = law_of(frozen)
    if not named_in_scipy(frozen.dist):
        return _object("scipy object", f"{type(frozen.dist).__name__}({', '.join(map(repr, parameters))})", law)
    said = [("", frozen.dist.name), *(("", float(v)) for v in frozen.args)]
    said += [(key, float(value)) for key, value in frozen.kwds.items()]
    return _sound(Distribution("scipy", tuple(said), (law,)))


def _from_new(x: Any) -> Distribution:
    from scipy import stats

    parameters = getattr(x, "_original_parameters", {})
    if any(np.ndim(value) for value in parameters.values()):
        raise DistributionError("a scipy distribution with array parameters has no named dims; use DataArrays instead")
    if type(x) is getattr(stats, "Mixture", None):
        # By its parts: scipy's own copy of a mixture, as pickle makes it, forgets the weights.
        return CONSTRUCTORS["mixture"].make(x.components, weights=np.asarray(x.weights).tolist())
    if type(x).__name__ == "TruncatedDistribution" and hasattr(x, "_dist"):
        # By ours: scipy's loses the upper tail, and may draw infinity.
        return CONSTRUCTORS["truncated"].make(x._dist, lower=float(x.lb), upper=float(x.ub))
    said = [(key, float(value)) for key, value in parameters.items()]
    if type(x).__name__ == "StandardNormal":
        # What scipy makes of Normal() alone; the same law has a name in the menu.
        x, said = stats.Normal(mu=0.0, sigma=1.0), [("mu", 0.0), ("sigma", 1.0)]
    name = type(x).__name__
    if name in _NEW and type(x) is getattr(stats, name, None):
        return _sound(Distribution("scipy", (("", name), *said), (ObjectLaw(x),)))
    return _legacy(x, said) or _object("scipy object", repr(x), ObjectLaw(x))


def _legacy(x: Any, said: list[tuple[str, float]]) -> Distribution | None:
    """The distribution that `make_distribution` was made from, if it is one of scipy's."""
    from scipy import stats

    name = repr(x).partition("(")[0].lower()
    if type(x).__name__ != "CustomDistribution" or not hasattr(stats, name):
        return None
    try:
        frozen = getattr(stats, name)(**dict(said))
        same = np.array_equal(frozen.ppf([1e-6, 0.2, 0.5, 0.9]), x.icdf(np.array([1e-6, 0.2, 0.5, 0.9])))
    except Exception:
        return None
    return _from_frozen(frozen) if same else None


def _object(family: str, text: str, law: Law) -> Distribution:
    # A repr may round, or hold an address: some quantiles tell one object from another for good.
    try:
        with np.errstate(all="ignore"):
            quantiles = np.asarray(law.ppf(np.array([1e-3, 0.25, 0.5, 0.75, 0.999])), dtype=np.float64).tolist()
    except Exception as error:
        raise DistributionError(f"{shorten(text)}: its quantile function fails: {shorten(str(error), 200)}") from error
    text = text if " at 0x" not in text else text.partition(" at 0x")[0].rpartition(".")[2]
    return _sound(Distribution(family, (("", text), ("quantiles", quantiles)), (law,)))


def _sound(distribution: Distribution) -> Distribution:
    try:
        sound(distribution.laws[0])
    except DistributionError as error:
        raise DistributionError(f"{shorten(str(distribution))}: {error}") from None
    except Exception as error:
        raise DistributionError(
            f"{shorten(str(distribution))}: its quantile function fails: {shorten(str(error), 200)}"
        ) from error
    return distribution


def as_distribution(value: Any, coords: Mapping[str, Sequence[Any]] | None = None) -> Distribution:
    """Take whatever has a quantile function as a distribution.

    Parameters
    ----------
    value : Distribution, number, DataArray, Series, DataFrame, str, scipy or PreliZ distribution
        A number, or numbers by label, are constant; axes of pandas are dims by their names; a text is read by the
        grammar of study files.
    coords : mapping of dim to labels, optional
        Coordinates of the dims that a text names with ``by(...)``.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If it is none of these, or its quantile function gives no numbers.

    Examples
    --------
    >>> from scipy import stats
    >>> as_distribution(stats.gamma(2, scale=3))
    scipy("gamma", 2, scale=3)
    >>> as_distribution("beta(mean=0.45, sd=0.1)").mean()
    np.float64(0.45)
    """
    value = as_labelled(value)
    if isinstance(value, Distribution):
        return value
    if isinstance(value, (bool, np.bool_)):
        raise DistributionError(f"{value} is neither a number nor a distribution")
    if is_labelled(value) or isinstance(value, numbers.Real) or (isinstance(value, np.ndarray) and not value.ndim):
        return CONSTRUCTORS["constant"].make(value)
    if isinstance(value, str):
        return parse_distribution(value, coords)
    if isinstance(value, type):
        raise DistributionError(f"{value.__name__} is a class of distributions: give it parameters")
    if hasattr(value, "dist") and hasattr(value, "args") and hasattr(value, "ppf"):
        return _from_frozen(value)
    if hasattr(value, "icdf") and hasattr(value, "iccdf"):
        return _from_new(value)
    if hasattr(value, "freeze") and hasattr(value, "ppf"):
        try:
            frozen = value()
        except TypeError:
            raise DistributionError(f"scipy distribution '{value.name}' needs parameters: {value.shapes}") from None
        return _from_frozen(frozen)
    if hasattr(value, "ppf") and hasattr(value, "cdf"):
        return _object("object", repr(value), ObjectLaw(value))
    raise _refusal(value)


def _refusal(value: Any) -> DistributionError:
    """What to say of a value that is no distribution."""
    if is_table(value):
        return DistributionError(
            f"a {type(value).__name__} of {len(value)} rows is not a distribution: give values by label as a "
            "DataArray, as .to_xarray() makes it, or the distribution of a sample as dist.empirical(values.to_numpy())"
        )
    said = shorten(" ".join(repr(value).split()), 60)
    if isinstance(value, Mapping):
        return DistributionError(f"{said} is not a distribution: by label it is dist.by('year', {{2025: 4, 2026: 5}})")
    if isinstance(value, Iterable):
        return DistributionError(
            f"{said} is not a distribution: a range is written dist.uniform(low, high) or dist.normal(low, high), a "
            f"sample dist.empirical(values), numbers by label as a DataArray with named dims"
        )
    return DistributionError(
        f"{said} of type {type(value).__name__} is not a distribution: give a number, one of demandsim.distributions, "
        "such as dist.normal(8, 12), or a distribution of scipy"
    )


def by(dim: str, values: Mapping[Any, Any]) -> Distribution:
    """Another distribution, or a known value, for each label along a dim: actuals, then a forecast.

    Parameters
    ----------
    dim : str
        Such as ``"year"``.
    values : mapping of label to distribution or number
        Anything that `as_distribution` takes, without dims of its own.

    Returns
    -------
    Distribution
        With the dim `dim`; independent from label to label, unless the model correlates them.

    Raises
    ------
    DistributionError
        If there is no label, or one is given what is no distribution of a single number.

    Examples
    --------
    >>> from demandsim.distributions import lognormal
    >>> tokens = by("year", {2024: 4e12, 2025: 6.3e13, 2026: lognormal(1e14, 4e14)})
    >>> tokens.ppf(0.95).values
    array([4.0e+12, 6.3e+13, 4.0e+14])
    """
    if not isinstance(values, Mapping):
        raise DistributionError("by: give a mapping of label to distribution, such as {{2024: 4, 2025: normal(5, 7)}}")
    return by_label(dim, list(values), [as_distribution(value) for value in values.values()])


register("by", by)


def as_part(family: str, name: str, value: Any) -> Distribution:
    """Read the distribution that a constructor starts from."""
    return as_distribution(value)


def as_distributions(family: str, name: str, values: Any) -> list[Distribution]:
    """Read the distributions that a constructor combines."""
    if isinstance(values, (str, bytes, dict, set, Distribution)) or not hasattr(values, "__iter__"):
        raise DistributionError(f"{family}: {name} must be a list of distributions")
    return [as_distribution(value) for value in values]
