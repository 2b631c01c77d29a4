"""Assumption: a distribution with a unit, a point and a source."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demandsim.distributions.base import Distribution, is_labelled
from demandsim.distributions.by_label import repeated
from demandsim.distributions.convert import as_distribution
from demandsim.distributions.format import as_labelled
from demandsim.errors import DistributionError
from demandsim.graph.bounds import Bounds, about, check_point, warn_outside
from demandsim.units.amount import read_amount
from demandsim.units.convert import conversion_factor, same_dimension

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["USER", "Assumption", "assumptions_of", "in_unit"]

#: Source of what somebody has changed and not said why.
USER = "set by the user"


@dataclass(frozen=True, init=False)
class Assumption:
    """A quantity that nobody knows exactly, and how well it is known.

    Parameters
    ----------
    distribution : distribution, number, DataArray or str
        Anything that has a quantile function; a number is a sure value. In `unit`.
    unit : str, default "1"
        Unit of the values, such as ``"token/day"``; what you count yourself stands in braces, ``"M{image}/day"``.
    point : float or DataArray, optional
        The best single value, in `unit`; the median by default.
    long_name : str, optional
        A label for tables and plots.
    source : str, optional
        Where the point and the spread come from.
    shared : bool, default False
        For a distribution indexed by year or hardware: one draw for all elements (their quantiles
        move together) instead of one independent draw per element.
    bounds : (low, high), optional
        Least and greatest value that it can have, in `unit`, None for no bound: ``(0, 1)`` of a share, ``(0, None)``
        of a price. A point outside raises, a distribution that reaches beyond warns.
    dims : sequence of str, optional
        Dims along which it is drawn anew, such as ``("region",)``, also where the distribution says none: their labels
        are those that the model knows, of other assumptions or of ``Model(..., coords={"region": [...]})``.

    Raises
    ------
    DistributionError
        If the distribution cannot be read, or the point is not a finite number.
    BoundsError
        If the point is outside the bounds.

    Examples
    --------
    >>> from demandsim import distributions as dist
    >>> a = Assumption(dist.beta(mean=0.45, sd=0.1), point=0.45, source="report, Fig. 27")
    >>> a.point
    0.45
    >>> Assumption(1979, unit="TFLOP/s/card").distribution.is_constant
    True
    """

    distribution: Distribution
    unit: str
    point: Any
    long_name: str | None
    source: str | None
    shared: bool
    bounds: Bounds | None
    dims: tuple[str, ...]

    def __init__(
        self,
        distribution: Any,
        unit: str = "1",
        *,
        point: float | xr.DataArray | None = None,
        long_name: str | None = None,
        source: str | None = None,
        shared: bool = False,
        bounds: tuple[float | None, float | None] | None = None,
        dims: Sequence[str] = (),
    ) -> None:
        made = as_distribution(in_unit(distribution, unit or "1"))
        object.__setattr__(self, "distribution", made)
        object.__setattr__(self, "unit", unit or "1")
        object.__setattr__(self, "dims", _checked_dims(dims))
        object.__setattr__(self, "point", _checked_point(made, as_labelled(point), self.dims))
        object.__setattr__(self, "long_name", long_name)
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "shared", bool(shared))
        object.__setattr__(self, "bounds", Bounds.of(bounds))
        check_point(self.point, self.bounds, self.unit)
        warn_outside(made, self.bounds, self.unit)

    def with_distribution(self, distribution: Any) -> Assumption:
        """Return the assumption with another distribution; unit, label and bounds stay.

        The point is that of the new distribution, its median, and the source is the user.

        Examples
        --------
        >>> changed = Assumption(0.45, source="Fig. 27").with_distribution("uniform(0.1, 0.2)")
        >>> round(changed.point, 6), changed.source
        (0.15, 'set by the user')
        """
        if isinstance(distribution, Assumption):
            unsaid: dict[str, Any] = {} if distribution.source else {"source": USER}
            if self.bounds is not None and distribution.bounds is None:
                unsaid["bounds"] = self.bounds_in(distribution)
            return distribution.relabelled(**unsaid) if unsaid else distribution
        made = as_distribution(in_unit(distribution, self.unit))
        missing = [dim for dim in self.dims if dim not in made.dims and dim in self.distribution.coords]
        made = repeated(made, {dim: self.distribution.coords[dim] for dim in missing}) if missing else made
        return self if made == self.distribution else self.relabelled(distribution=made, point=None, source=USER)

    def over(self, coords: Mapping[str, Sequence[Any]]) -> Assumption:
        """Return the assumption with all of its `dims`, along each of which it has the same law and draws of its own.

        Raises
        ------
        DistributionError
            If a dim has no labels.

        Examples
        --------
        >>> print(Assumption("normal(1, 2)", dims=("region",)).over({"region": ["north", "south"]}).distribution)
        by("region", normal(1, 2, prob=0.9))
        """
        missing = [dim for dim in self.dims if dim not in self.distribution.dims]
        for dim in missing:
            if dim not in coords:
                known = f" (known: {', '.join(map(str, coords))})" if coords else ""
                raise DistributionError(
                    f"dims: '{dim}' has no labels{known}; give "
                    f"them to the model, ds.Model(..., coords={{'{dim}': [...]}}), or as [coords] of a study file"
                )
        if not missing:
            return self
        return self.relabelled(distribution=repeated(self.distribution, {dim: coords[dim] for dim in missing}))

    def bounds_in(self, other: Assumption) -> Bounds | None:
        """Return the bounds in the unit of another assumption, which stands in for this one; None if it has none."""
        if self.bounds is None or not same_dimension(self.unit, other.unit):
            return None
        return self.bounds.scaled(conversion_factor(self.unit, other.unit))

    def relabelled(self, **changes: Any) -> Assumption:
        """Return the assumption with other `unit`, `point`, `long_name`, `source`, `shared`, `bounds` or `dims`."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)} | changes
        if fields["bounds"] and fields["distribution"] is self.distribution and fields["bounds"] == self.bounds:
            # What lies outside has been said.
            bounds = fields.pop("bounds")
            made = Assumption(fields.pop("distribution"), fields.pop("unit"), **fields)
            object.__setattr__(made, "bounds", bounds)
            check_point(made.point, bounds, made.unit)
            return made
        return Assumption(fields.pop("distribution"), fields.pop("unit"), **fields)

    def _repr_html_(self) -> str:
        from demandsim.graph.html import assumption_html

        return assumption_html(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Assumption):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[Any, ...]:
        point = self.point
        if is_labelled(point):
            point = (point.dims, tuple(point.values.ravel().tolist()))
        # Those that the distribution has are known of it.
        dims = tuple(dim for dim in self.dims if dim not in self.distribution.dims)
        return self.distribution, self.unit, point, self.long_name, self.source, self.shared, self.bounds, dims


def assumptions_of(given: Any) -> dict[str, Assumption]:
    """Read assumptions as a model is given them, each as an `Assumption` or as its distribution alone.

    Raises
    ------
    DistributionError
        If one is no distribution, with its name; or if they have no names.
    """
    if not isinstance(given, Mapping):
        raise DistributionError(
            f"assumptions are given by name, as {{'utilization': ds.Assumption(0.45)}}, not as a {type(given).__name__}"
        )
    made = {}
    for name, value in given.items():
        with about(str(name)):
            made[str(name)] = value if isinstance(value, Assumption) else Assumption(value)
    return made


def in_unit(value: Any, unit: str) -> Any:
    """An amount with a unit of its own, ``"150 thousand CNY/card"``, as a text in the unit; all else as it is."""
    return read_amount(value, unit) if isinstance(value, str) else value


def _checked_dims(dims: Sequence[str]) -> tuple[str, ...]:
    found = (dims,) if isinstance(dims, str) else tuple(dims)
    for dim in found:
        if not isinstance(dim, str) or not dim.isidentifier() or found.count(dim) > 1:
            raise DistributionError(f"dims: names of dims, each once, such as ('region',), not {dims!r}")
    return found


def _checked_point(distribution: Distribution, point: Any, dims: Sequence[str]) -> Any:
    if point is None:
        middle = distribution.middle()
        if distribution.is_constant and distribution.said and not is_labelled(middle):
            return float(middle)
        return middle if is_labelled(middle) else float(middle)
    if is_labelled(point):
        if set(point.dims) - {*distribution.dims, *dims}:
            raise DistributionError(f"point has dims {point.dims}, the distribution {distribution.dims}")
        for value in point.values.ravel().tolist():
            if not math.isfinite(value):
                raise DistributionError(f"point must be finite, not {value!r}")
        return point
    if isinstance(point, bool) or (not isinstance(point, (int, float)) and not hasattr(point, "__float__")):
        raise DistributionError(f"point must be a number or a DataArray, not {point!r}")
    if not math.isfinite(float(point)):
        raise DistributionError(f"point must be finite, not {point!r}")
    return float(point)
