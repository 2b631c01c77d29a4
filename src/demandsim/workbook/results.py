"""Results sheet: every quantity at the points, as formulas that an analyst can follow cell by cell."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.graph.equation import Equation
from demandsim.units.constant import Constant
from demandsim.units.convert import base_factor
from demandsim.workbook.cells import NamedCells, fixed
from demandsim.workbook.formulas.expressions import Expression, Place, Workspace
from demandsim.workbook.formulas.terms import LARGEST, Term, UntranslatableError, named
from demandsim.workbook.formulas.translation import translated
from demandsim.workbook.inputs import InputSheets, look_of
from demandsim.workbook.page import Page
from demandsim.workbook.sheets import AT, StepsSheet, UnitsSheet, base_unit

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["ResultsSheet"]

_INTRO = (
    "Live: edit a point on the sheet 'assumptions' and everything here follows. Each value times its factor is the "
    "value in base units; equations compute in base units, over named cells; results go back to their unit."
)
#: How far a formula may be from what the model computes: rounding, not meaning.
_ROUNDING = 1e-9

Labels = dict[str, Any]


@dataclass(frozen=True)
class _Row:
    """What stands beside the numbers of a row."""

    name: str
    unit: str
    label: str | None = None
    formula: str = ""
    how: str = ""
    look: str = "short"
    source: str | None = None


class ResultsSheet:
    """The sheet of results.

    Parameters
    ----------
    book : openpyxl Workbook
    model : Model
    inputs : InputSheets
        Where the points stand.
    units : UnitsSheet
        Where the factors stand.
    names : NamedCells
        Gets a name for every cell in base units.
    """

    def __init__(self, book: Any, model: Model, inputs: InputSheets, units: UnitsSheet, names: NamedCells) -> None:
        self._model, self.inputs, self.units, self._names = model, inputs, units, names
        self.steps = StepsSheet(book, names)
        self.point = model.point()
        layout = model.program.layout
        self.scenarios = _spots({dim: layout.coords[dim] for dim in layout.scenario_dims})
        self.dims = layout.model_dims
        self.coords = {dim: layout.coords[dim] for dim in self.dims}
        #: Labels of the dims of scenarios as well.
        self.everything = dict(layout.coords)
        #: Quantities that stand as values, with why; and those computed from them.
        self.frozen: dict[str, str] = {}
        self._after_frozen: dict[str, str] = {}
        self._cells: list[dict[str, Expression]] = [{} for _ in self.scenarios]
        self._constants: dict[tuple[str, float, str], list[Expression]] = {}
        valued = {*model.assumptions, *model.equations}
        titles = [_title(scenario) for scenario in self.scenarios]
        headers = ["quantity", *(f"{AT}{dim}" for dim in self.dims), "label", "unit", *titles]
        headers += ["base units in one unit", *(f"{title}, in base units" for title in titles)]
        headers += ["base unit", "equation, in base units", "how it is computed", "source"]
        self._first = 4 + len(self.dims)
        widths = [(16, 34), *((8, 14) for _ in self.dims), (20, 34), (8, 24), *((12, 22) for _ in titles), (12, 18)]
        widths += [*((14, 22) for _ in titles), (10, 26), (24, 46), (12, 24), (30, 50)]
        left = _letters(2 + len(self.dims))
        self.page = Page(book.create_sheet("results"), _INTRO, headers, widths, left)
        self.page.section("Assumptions")
        for name in model.assumptions:
            self._assumption(name)
        # No constant stands in for what has a value of its own.
        constants = {
            _key(name, constant): constant
            for made in model.graph.equations.values()
            for name, constant in made.constants.items()
            if name not in valued
        }
        if constants:
            self.page.section("Constants of the equations (to change one, add an assumption of its name)")
        for key, constant in constants.items():
            self._constant(key, constant)
        self.page.section("Results")
        ordered = _in_order(model)
        # All are named before any is written: a year may ask for the year before of what stands further down.
        row = self.page.row
        for made in ordered:
            row += len(self._name_quantity(made.name, made.unit, row))
        for made in ordered:
            self._derived(made)

    def status(self, name: str) -> str:
        """Say how a quantity is computed on this sheet."""
        if name in self.frozen:
            return f"value, not a formula: {self.frozen[name]}; it does not follow when assumptions are edited"
        if name in self._after_frozen:
            return f"formula, over a value that is none: {self._after_frozen[name]}"
        return "formula"

    def base_cell(self, name: str, labels: Mapping[str, Any]) -> Term | None:
        """Return the cell of a quantity in base units, at labels that single it out; None if they do not."""
        array = self.point[name]
        free = [dim for dim in array.dims if dim not in labels]
        if free:
            return None
        scenario = next(i for i, s in enumerate(self.scenarios) if all(s[d] == labels.get(d, s[d]) for d in s))
        expression = self._cells[scenario][name]
        return expression.at({dim: self.coords[dim].index(labels[dim]) for dim in expression.dims})

    def _rows(self, name: str) -> list[Labels]:
        """Labels of the rows of a quantity."""
        return _spots({dim: self.coords[dim] for dim in self.dims if dim in self.point[name].dims})

    def _place(self, labels: Labels) -> dict[str, int]:
        return {dim: self.coords[dim].index(label) for dim, label in labels.items()}

    def _value(self, name: str, scenario: Labels, labels: Labels) -> float:
        array, spot = self.point[name], {**scenario, **labels}
        index = tuple(self.everything[dim].index(spot[dim]) for dim in map(str, array.dims))
        return float(np.asarray(array.values)[index])

    def _name_cells(
        self, name: str, dims: tuple[str, ...], value: Callable[[Labels, Labels], float], row: int
    ) -> list[Expression]:
        """Name the cells in base units of the rows from `row` on, which hold a value by scenario and labels."""

        def cell(scenario: Labels, letters: str, rows: Iterator[int], place: Place) -> Term:
            labels = {dim: self.coords[dim][at] for dim, at in place.items()}
            words = [*map(str, scenario.values()), *map(str, labels.values())]
            given = self._names.give(name, words, f"results!{fixed(f'{letters}{next(rows)}')}")
            return named(given, value(scenario, labels))

        sizes = {dim: len(self.coords[dim]) for dim in dims}
        return [
            Expression.of(sizes, functools.partial(cell, scenario, _letters(base), itertools.count(row)))
            for _, scenario, _, base in self._columns()
        ]

    def _name_quantity(self, name: str, unit: str, row: int) -> list[Labels]:
        """Name the cells of a quantity, from a row on, and return the labels of its rows."""
        rows, factor = self._rows(name), base_factor(unit)
        found = self._name_cells(name, tuple(rows[0]), lambda *at: self._value(name, *at) * factor, row)
        for cells, expression in zip(self._cells, found, strict=True):
            cells[name] = expression
        return rows

    def _begin(self, said: _Row, labels: Labels, factor: str, linked: str | None = None) -> str:
        """Write what stands beside the numbers of a row, and return the cell of its factor to base units."""
        page, row, last = self.page, self.page.row, self._first + 2 * len(self.scenarios) + 1
        page.text(row, 1, said.name, "name")
        for dim, one in labels.items():
            page.put(row, 2 + self.dims.index(dim), one, "short")
        page.text(row, self._first - 2, said.label, "short")
        if linked is None:
            page.text(row, self._first - 1, said.unit, "unit")
        else:
            page.formula(row, self._first - 1, linked, said.unit, "linked unit")
        page.text(row, last, base_unit(said.unit), "unit")
        page.text(row, last + 1, said.formula, "code")
        page.text(row, last + 2, said.how, said.look)
        page.text(row, last + 3, said.source, "short")
        return "$" + page.formula(row, self._first + len(self.scenarios), factor, base_factor(said.unit), "base")

    def _columns(self) -> Iterator[tuple[int, Labels, int, int]]:
        """Each scenario with the columns of its numbers in their unit and in base units."""
        for i, scenario in enumerate(self.scenarios):
            yield i, scenario, self._first + i, self._first + len(self.scenarios) + 1 + i

    def _assumption(self, name: str) -> None:
        made, page = self._model.assumptions[name], self.page
        said = _Row(name, made.unit, made.long_name, how="point of an assumption", source=made.source)
        unit = self.inputs.points[(name,)].unit
        for labels in self._name_quantity(name, made.unit, self.page.row):
            looked_up = self.units.looked_up(f"${_letters(self._first - 1)}{page.row}")
            factor = self._begin(said, labels, looked_up, unit)
            for _, scenario, shown, base in self._columns():
                given, value = self._given(name, scenario).at(labels), self._value(name, scenario, labels)
                # An empty cell or a text would be a silent zero.
                cell = page.formula(page.row, shown, f"IF(ISNUMBER({given}),{given},NA())", value, "link")
                page.formula(page.row, base, f"{cell}*{factor}", value * base_factor(made.unit), "base")
            page.row += 1

    def _given(self, name: str, scenario: Labels) -> Any:
        """Where the point stands that holds in a scenario."""
        for dim, label in scenario.items():
            if (dim, label, name) in self.inputs.points:
                return self.inputs.points[dim, label, name]
        return self.inputs.points[(name,)]

    def _constant(self, key: tuple[str, float, str], constant: Constant) -> None:
        page, (name, number, unit) = self.page, key
        finite = math.isfinite(number)
        # Infinity is the largest number that a cell can hold.
        value, base_value = min(max(constant.value, -LARGEST), LARGEST), number if finite else LARGEST
        self._constants[key] = self._name_cells(name, (), lambda *_: base_value, page.row)
        how = "constant of an equation" if finite else "no limit: the largest number that a cell holds"
        factor = self._begin(_Row(name, unit, how=how, source=""), {}, self.units.factor(unit))
        for _, _, shown, base in self._columns():
            cell = page.number(page.row, shown, value, "computed")
            page.formula(page.row, base, f"{cell}*{factor}" if finite else cell, base_value, "base")
        page.row += 1

    def _derived(self, made: Equation) -> None:
        page, name, start = self.page, made.name, self.page.row
        rows = self._rows(name)
        formulas = self._formulas(made)
        touched = sorted({name, *made.inputs} & (self.frozen.keys() | self._after_frozen.keys()) - {name})
        if name not in self.frozen and touched:
            self._after_frozen[name] = ", ".join(touched)
        status = self.status(name)
        for labels in rows:
            # What is the same for every label is said once.
            said = (made.formula[:2000], made.source) if page.row == start else ("", "")
            row = _Row(name, made.unit, made.long_name, said[0], status, look_of(status, "text"), said[1])
            factor, place = self._begin(row, labels, self.units.factor(made.unit)), self._place(labels)
            for i, scenario, shown, base in self._columns():
                value = self._value(name, scenario, labels)
                base_value = self._cells[i][name].at(place).value
                if formulas is not None:
                    cell = page.formula(page.row, base, formulas[i].at(place).text, base_value, "base")
                elif math.isfinite(value):
                    cell = page.number(page.row, base, base_value, "frozen")
                else:
                    cell = page.formula(page.row, base, "NA()", math.nan, "frozen")
                page.formula(page.row, shown, f"{cell}/{factor}", value, "frozen" if formulas is None else "computed")
            page.row += 1

    def _formulas(self, made: Equation) -> list[Expression] | None:
        """A formula for every cell of a quantity by scenario, or None if it is to stand as a value."""
        try:
            formulas = [self._translated(made, i) for i in range(len(self.scenarios))]
        except UntranslatableError as error:
            self.frozen[made.name] = str(error)
            self.steps.drop()
            return None
        self.steps.keep()
        return formulas

    def _translated(self, made: Equation, scenario: int) -> Expression:
        """The formulas of a quantity in one scenario, each compared with what the model has."""
        cells = self._cells[scenario]
        own = cells[made.name]
        inputs = {name: self._input(name, made, scenario) for name in made.inputs}
        step = functools.partial(self.steps.add, made.name, _title(self.scenarios[scenario]))
        written = translated(made, inputs, Workspace(own.at, step, self.coords))
        if set(written.dims) - set(own.dims):
            raise UntranslatableError("its formula has dims that its result has not")

        def checked(place: Place) -> Term:
            term, expected = written.at(place), own.at(place).value
            if not _same(term.value, expected):
                raise UntranslatableError(
                    f"its formula would come to {term.value:.12g} where the model has {expected:.12g}"
                )
            return term

        return Expression.of(own.lengths, checked)

    def _input(self, name: str, made: Equation, scenario: int) -> Expression:
        """Cells of what an equation asks for: of a quantity, of a constant, or of the label before."""
        cells = self._cells[scenario]
        if name in cells:
            return cells[name]
        lag = self._model.graph.lags.get(name)
        if lag is None:
            return self._constants[_key(name, made.constants[name])][scenario]
        constant = None if lag.start in cells else lag.constant
        start = cells[lag.start] if constant is None else self._constants[_key(lag.start, constant)][scenario]
        return cells[lag.of].previous(lag.over, start)


def _in_order(model: Model) -> list[Equation]:
    """Equations as the model lists them, each after those that it needs."""
    found: dict[str, Equation] = {}

    def visit(name: str) -> None:
        # No recursion deeper than the model is: it has been ordered before.
        if name in model.equations and name not in found:
            for wanted in model.equations[name].inputs:
                visit(wanted)
            found[name] = model.equations[name]

    for name in model.graph.order if len(model.equations) > 500 else model.equations:
        visit(name)
    return list(found.values())


def _spots(coords: Mapping[str, Any]) -> list[Labels]:
    """Every combination of labels, the last dim fastest."""
    return [dict(zip(coords, spot, strict=True)) for spot in itertools.product(*coords.values())]


def _key(name: str, constant: Constant) -> tuple[str, float, str]:
    return name, float(constant), constant.unit


def _same(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=0.0)


def _letters(column: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(column))


def _title(scenario: Labels) -> str:
    if len(scenario) <= 1:
        return next((str(label) for label in scenario.values()), "point")
    return ", ".join(f"{dim}={label}" for dim, label in scenario.items())
