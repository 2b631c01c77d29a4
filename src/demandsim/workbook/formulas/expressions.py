"""Expressions: terms along the dims of a model, combined label by label as xarray would."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from demandsim.workbook.formulas.terms import Term, UntranslatableError, numeral

__all__ = ["Expression", "Place", "Workspace", "as_expression", "combined", "plain_number"]

Place = Mapping[str, int]


@dataclass(frozen=True)
class Expression:
    """A term per place.

    Parameters
    ----------
    dims : tuple of str
    sizes : tuple of int
        Number of labels along each dim.
    terms : tuple of Term
        In the order in which the last dim moves fastest.
    """

    dims: tuple[str, ...]
    sizes: tuple[int, ...]
    terms: tuple[Term, ...]

    @classmethod
    def of(cls, sizes: Mapping[str, int], make: Callable[[dict[str, int]], Term]) -> Expression:
        """Make a term for every place along the dims of `sizes`."""
        dims = tuple(sizes)
        spots = itertools.product(*(range(size) for size in sizes.values()))
        terms = tuple(make(dict(zip(dims, spot, strict=True))) for spot in spots)
        return cls(dims, tuple(sizes.values()), terms)

    @classmethod
    def single(cls, term: Term) -> Expression:
        """Make an expression that is the same everywhere."""
        return cls((), (), (term,))

    @property
    def lengths(self) -> dict[str, int]:
        """Number of labels by dim."""
        return dict(zip(self.dims, self.sizes, strict=True))

    def at(self, place: Place) -> Term:
        """Return the term at a place, which may name further dims."""
        index = 0
        for dim, size in zip(self.dims, self.sizes, strict=True):
            index = index * size + place[dim]
        return self.terms[index]

    def each(self, change: Callable[[Term], Term]) -> Expression:
        """Change every term."""
        return Expression(self.dims, self.sizes, tuple(change(term) for term in self.terms))

    def _along(self, dim: str) -> dict[str, int]:
        if dim not in self.dims:
            raise UntranslatableError(f"takes '{dim}' of what has no dim '{dim}'")
        return {name: size for name, size in self.lengths.items() if name != dim}

    def reduced(self, dim: str, join: Callable[[Sequence[Term]], Term]) -> Expression:
        """Join the terms along a dim into one."""
        outer, length = self._along(dim), self.lengths[dim]
        return Expression.of(outer, lambda place: join([self.at({**place, dim: i}) for i in range(length)]))

    def running(self, dim: str, join: Callable[[Sequence[Term]], Term]) -> Expression:
        """Join, at each label of a dim, the terms up to it."""
        self._along(dim)
        return Expression.of(
            self.lengths, lambda place: join([self.at({**place, dim: i}) for i in range(place[dim] + 1)])
        )

    def shifted(self, dim: str, steps: int, fill: Term) -> Expression:
        """Move the terms along a dim."""
        self._along(dim)
        length = self.lengths[dim]

        def moved(place: dict[str, int]) -> Term:
            source = place[dim] - steps
            return self.at({**place, dim: source}) if 0 <= source < length else fill

        return Expression.of(self.lengths, moved)

    def previous(self, dim: str, start: Expression) -> Expression:
        """Take, at each label of a dim, the term at the label before, and `start` at the first."""
        self._along(dim)

        def before(place: dict[str, int]) -> Term:
            return self.at({**place, dim: place[dim] - 1}) if place[dim] else start.at(place)

        return Expression.of({**start.lengths, **self.lengths}, before)

    def taken(self, dim: str, index: int) -> Expression:
        """Keep one label of a dim, which goes away."""
        outer, length = self._along(dim), self.lengths[dim]
        if not -length <= index < length:
            raise UntranslatableError(f"takes label {index} of '{dim}', which has {length}")
        return Expression.of(outer, lambda place: self.at({**place, dim: index % length}))


def plain_number(value: Any) -> bool:
    """Tell a number of Python from true, false, and everything else."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def as_expression(value: Any) -> Expression:
    """Make an expression of a number; one that is an expression stays as it is."""
    if isinstance(value, Expression):
        return value
    if plain_number(value):
        return Expression.single(numeral(float(value)))
    raise UntranslatableError(f"takes {value!r:.40} for a number")


@dataclass(frozen=True)
class Workspace:
    """Where the formulas of an equation may stand: what one cell cannot say is computed in several.

    Parameters
    ----------
    own : callable
        Gives the cell in which the result for a place will stand: a later year may refer to an earlier one.
    step : callable
        Puts a term into a cell of its own, and returns that cell.
    coords : mapping of dim to labels
        Of the model, by which tables are looked up.
    """

    own: Callable[[Place], Term]
    step: Callable[[Term], Term]
    coords: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def table(self, array: Any) -> Expression:
        """Make an expression of a DataArray of numbers, in the order of the model's labels.

        Raises
        ------
        UntranslatableError
            If it has other labels than the model.
        """
        for dim in array.dims:
            if dim not in array.coords or set(array[dim].values.tolist()) != set(self.coords.get(dim, ())):
                raise UntranslatableError(f"has a table whose labels of '{dim}' are not those of the model")
        ordered = array.sel({dim: list(self.coords[dim]) for dim in array.dims})
        sizes = {str(dim): ordered.sizes[dim] for dim in ordered.dims}
        return Expression.of(sizes, lambda place: numeral(float(ordered.isel(place))))

    def taken(self, own: Expression, labels: Mapping[str, Any]) -> Expression:
        """Keep one label of each of some dims, which go away."""
        for dim, label in labels.items():
            known = list(self.coords.get(dim, ()))
            if isinstance(label, list | dict) or label not in known:
                raise UntranslatableError(f"takes {label!r:.40} of '{dim}', which is no label of it")
            own = own.taken(dim, known.index(label))
        return own


def combined(parts: Sequence[Expression], join: Callable[..., Term]) -> Expression:
    """Combine expressions place by place; one without a dim is the same along it.

    Examples
    --------
    >>> from demandsim.workbook.formulas.terms import named, numeral
    >>> years = Expression.of({"year": 2}, lambda place: named(f"cards_{2025 + place['year']}", 1.0))
    >>> [term.text for term in combined([years, Expression.single(numeral(2))], lambda a, b: a * b).terms]
    ['cards_2025*2', 'cards_2026*2']
    """
    sizes: dict[str, int] = {}
    for part in parts:
        sizes |= part.lengths
    return Expression.of(sizes, lambda place: join(*(part.at(place) for part in parts)))
