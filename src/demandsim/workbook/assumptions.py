"""Assumption rows: points, distributions and units of assumptions and scenarios, read cell by cell."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demandsim.distributions.base import Distribution, is_labelled
from demandsim.distributions.convert import as_distribution
from demandsim.errors import did_you_mean
from demandsim.graph.assumption import Assumption, in_unit
from demandsim.graph.bounds import Bounds, about
from demandsim.graph.scenario import RESERVED
from demandsim.units.convert import base_factor, same_dimension
from demandsim.workbook.cells import Entry, SheetTable
from demandsim.workbook.sheets import AS_WRITTEN, AT, SURE

__all__ = ["AssumptionRows", "Found"]


@dataclass(frozen=True)
class Found:
    """An assumption, the row that it was read from, and those below it with points by label."""

    made: Assumption
    entry: Entry
    below: tuple[Entry, ...] = ()


class AssumptionRows:
    """Reads the rows of assumptions and of what scenarios change.

    Parameters
    ----------
    coords : mapping of dim to labels
    """

    def __init__(self, coords: Mapping[str, Sequence[Any]]) -> None:
        self.coords = coords
        self.found: list[Found] = []

    def assumptions(self, table: SheetTable) -> dict[str, Found]:
        """Read the sheet of assumptions."""
        self._check_dims(table)
        made: dict[str, Found] = {}
        for (name,), entry, below in self._groups(table, ("name",)):
            if not name.isidentifier():
                raise entry.fail("name", "a name has only letters, digits and '_', since equations ask for it by name")
            if name in made:
                raise entry.fail("name", f"'{name}' stands here twice; the first is in row {made[name].entry.row}")
            unit = entry.unit("1")
            said = {"long_name": entry.text("label"), "source": entry.text("source"), "shared": entry.yes("shared")}
            made[name] = self._read(entry, below, unit, bounds=_bounds(entry), **said)
        return made

    def scenarios(
        self, table: SheetTable, assumptions: Mapping[str, Found]
    ) -> dict[str, dict[str, dict[str, Assumption]]]:
        """Read the sheet of scenarios."""
        self._check_dims(table)
        grid: dict[str, dict[str, dict[str, Assumption]]] = {}
        for (dim, scenario, name), entry, below in self._groups(table, ("dim", "scenario", "name")):
            if dim in RESERVED or dim in self.coords:
                raise entry.fail("dim", f"'{dim}' is the name of another dim; choose another")
            changed = grid.setdefault(dim, {}).setdefault(scenario, {})
            if not name:
                continue
            if name not in assumptions:
                raise entry.fail("name", f"unknown assumption '{name}'{did_you_mean(name, assumptions)}")
            if name in changed:
                raise entry.fail("name", f"scenario '{scenario}' changes '{name}' twice")
            for other, labels in grid.items():
                if other != dim and any(name in overrides for overrides in labels.values()):
                    raise entry.fail("name", f"'{name}' is changed by both '{other}' and '{dim}'; leave it to one")
            base = assumptions[name].made
            unit = entry.unit(base.unit)
            if unit != base.unit and not (
                same_dimension(unit, base.unit) and base_factor(unit) == base_factor(base.unit)
            ):
                raise entry.fail(
                    "unit", f"is '{unit}', and the sheet 'assumptions' has '{base.unit}'; write it in that"
                )
            label, source = entry.text("label") or base.long_name, entry.text("source") or base.source
            said = {"long_name": label, "source": source, "shared": base.shared, "bounds": base.bounds}
            changed[name] = self._read(entry, below, unit, **said).made
        return grid

    def doubtful_points(self) -> Iterator[str]:
        """Say which points their distribution cannot have, or have been edited without it."""
        for found in self.found:
            if told := _impossible(found) or _left_behind(found):
                yield told

    def _check_dims(self, table: SheetTable) -> None:
        for header, column in table.columns.items():
            if header.startswith(AT) and (dim := header.removeprefix(AT)) not in self.coords:
                place = Entry(table.book, table.sheet, {}, {header: column}, 2)
                raise place.fail(
                    header, f"dim '{dim}' has no labels on the sheet 'labels'{did_you_mean(dim, self.coords)}"
                )

    def _groups(self, table: SheetTable, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Entry, list[Entry]]]:
        """The row of each assumption, with the rows below it that give points for labels."""
        at = [f"{AT}{dim}" for dim in self.coords if f"{AT}{dim}" in table.columns]
        heads: dict[tuple[str, ...], tuple[Entry, list[Entry]]] = {}
        groups: list[tuple[tuple[str, ...], Entry, list[Entry]]] = []
        for row in table:
            said = [row.text(key) for key in keys]
            # A scenario may change nothing: then it has no name of an assumption.
            key = tuple((text or "").strip() for text in said)
            for header, text in zip(keys, key, strict=True):
                if not text and not (header == "name" and len(keys) > 1):
                    raise row.fail(header, f"is empty; write the {header}, or delete the row")
            entry = row.about(", ".join(part for part in (key[-1], *key[1:-1]) if part))
            if any(entry.has(header) for header in at):
                if key not in heads:
                    raise entry.fail(keys[-1], f"the row of '{key[-1]}' with its unit and distribution must come first")
                heads[key][1].append(entry)
                continue
            below: list[Entry] = []
            heads.setdefault(key, (entry, below))
            groups.append((key, entry, below if heads[key][0] is entry else []))
        return iter(groups)

    def _read(self, entry: Entry, below: list[Entry], unit: str, **besides: Any) -> Found:
        said = entry.value("distribution")
        if said is None:
            raise entry.fail("distribution", f"is empty; write '{SURE}', a number, or a text such as lognormal(1, 4)")
        if isinstance(said, bool):
            raise entry.fail("distribution", f"is {str(said).upper()}; write '{SURE}', a number or a distribution")
        sure = isinstance(said, str) and said.strip().lower() == SURE
        distribution: Any = None
        if not sure:
            distribution = entry.read("distribution", lambda: as_distribution(in_unit(said, unit), self.coords))
        point = self._point(entry, below, distribution)
        if sure and point is None:
            raise entry.fail("point", f"is empty, and the distribution is '{SURE}': write the value")
        with about(entry.name):
            made = entry.read(
                "point", lambda: Assumption(point if sure else distribution, unit, point=point, **besides)
            )
        found = Found(made, entry, tuple(below))
        self.found.append(found)
        return found

    def _point(self, entry: Entry, below: list[Entry], distribution: Distribution | None) -> Any:
        if not below:
            return entry.number("point")
        if entry.has("point"):
            raise entry.fail(
                "point", f"there is a point here and {len(below)} below it, by label; leave one or the other"
            )
        dims = [dim for dim in self.coords if below[0].cells.get(f"{AT}{dim}") is not None]
        values: dict[tuple[Any, ...], float] = {}
        for row in below:
            place = tuple(self._label(row, dim) for dim in dims)
            extra = [dim for dim in self.coords if dim not in dims and row.cells.get(f"{AT}{dim}") is not None]
            if extra:
                raise row.fail(f"{AT}{extra[0]}", f"the rows above give no '{extra[0]}'")
            if place in values:
                raise row.fail("point", f"a second point for {', '.join(map(str, place))}")
            if (value := row.number("point")) is None:
                raise row.fail("point", "is empty; write the point for these labels")
            values[place] = value
        for place in itertools.product(*(self.coords[dim] for dim in dims)):
            if place not in values:
                at = ", ".join(f"{dim} {label}" for dim, label in zip(dims, place, strict=True))
                raise entry.fail("point", f"there is no row with the point for {at}")
        return _array(dims, self.coords, values, distribution)

    def _label(self, row: Entry, dim: str) -> Any:
        header = f"{AT}{dim}"
        value = row.value(header)
        if value is None:
            raise row.fail(header, f"is empty; write the label of '{dim}'")
        labels = self.coords[dim]
        for label in labels:
            if label == value and isinstance(label, str) == isinstance(value, str):
                return label
        words = {str(label): label for label in labels}
        if (text := str(row.text(header)).strip()) in words:
            return words[text]
        raise row.fail(header, f"unknown label '{text}' of '{dim}'{did_you_mean(text, words)}")


def _impossible(found: Found) -> str | None:
    """Say that a point lies where its distribution has no probability."""
    distribution, point = found.made.distribution, found.made.point
    values = point.broadcast_like(distribution.median()) if is_labelled(point) else point
    flat = (
        values.transpose(*distribution.dims).values.ravel().tolist()
        if is_labelled(values)
        else [float(values)] * len(distribution.laws)
    )
    for value, law in zip(flat, distribution.laws, strict=True):
        low, high = law.support()
        room = 1e-9 * max(abs(value), abs(low) if math.isfinite(low) else 0.0)
        if not low - room <= value <= high + room:
            return (
                f"{found.entry.where('point')}: the point {value:g} can never be drawn: the distribution "
                f"'{distribution}' runs from {low:g} to {high:g}; is one of the two out of date?"
            )
    return None


def _left_behind(found: Found) -> str | None:
    """Say that a point was edited and its distribution, from which simulations draw, was not."""
    point, law = AS_WRITTEN
    said = found.entry.value("distribution")
    if said != found.entry.kept(law) or (isinstance(said, str) and said.strip().lower() == SURE):
        return None
    for row in (found.entry, *found.below):
        was, now = row.kept(point), row.number("point")
        if isinstance(was, (int, float)) and now is not None and now != was:
            return (
                f"{row.where('point')}: the point was {was:g} and is {now:g}, but its distribution in "
                f"{found.entry.cell('distribution')} is still '{said}': simulations draw as before; edit the "
                f"distribution as well, or write '{SURE}' there to make the point certain"
            )
    return None


def _bounds(entry: Entry) -> Bounds | None:
    ends = entry.number("lower bound"), entry.number("upper bound")
    return None if ends == (None, None) else entry.read("lower bound", lambda: Bounds.of(ends))


def _array(
    dims: list[str], coords: Mapping[str, Sequence[Any]], values: Mapping[tuple[Any, ...], float], like: Any
) -> Any:
    """The points as an array whose dims are in the order in which the rows stand."""
    import xarray as xr

    def order(wanted: tuple[str, ...]) -> list[tuple[Any, ...]]:
        return [
            tuple(place[wanted.index(dim)] for dim in dims)
            for place in itertools.product(*(coords[dim] for dim in wanted))
        ]

    preferred = [dim for dim in getattr(like, "dims", ()) if dim in dims]
    preferred += [dim for dim in dims if dim not in preferred]
    # Rows that somebody has sorted in another way say nothing about dims.
    candidates = [tuple(preferred), *itertools.permutations(preferred)]
    chosen = next((one for one in candidates if order(one) == list(values)), candidates[0])
    numbers = [values[place] for place in order(chosen)]
    shape = [len(coords[dim]) for dim in chosen]
    import numpy as np

    array = np.reshape(np.array(numbers, dtype=np.float64), shape)
    return xr.DataArray(array, dims=chosen, coords={dim: list(coords[dim]) for dim in chosen})
