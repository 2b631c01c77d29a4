"""Results sheet: every quantity at the points, as formulas that an analyst can follow cell by cell."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.graph.graph import Equation
from demandsim.units.convert import base_factor
from demandsim.workbook.cells import NamedCells
from demandsim.workbook.formulas.expressions import Expression
from demandsim.workbook.formulas.order import in_order, valued_names
from demandsim.workbook.formulas.stepwise import Workspace
from demandsim.workbook.formulas.terms import LARGEST, Term, UntranslatableError, named
from demandsim.workbook.formulas.translation import translated
from demandsim.workbook.inputs import InputSheets
from demandsim.workbook.page import Page
from demandsim.workbook.sheets import AT
from demandsim.workbook.steps_sheet import StepsSheet
from demandsim.workbook.units_sheet import UnitsSheet, base_unit, stored

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
        self._model, self._inputs, self._units, self._names = model, inputs, units, names
        self.steps = StepsSheet(book, names)
        self.point = model.point()
        layout = model.program.layout
        self.scenarios = [
            dict(zip(layout.scenario_dims, place, strict=True))
            for place in itertools.product(*(layout.coords[dim] for dim in layout.scenario_dims))
        ]
        self.dims = layout.model_dims
        self.coords = {dim: layout.coords[dim] for dim in self.dims}
        #: Labels of the dims of scenarios as well.
        self.everything = dict(layout.coords)
        #: Quantities that stand as values, with why; and those computed from them.
        self.frozen: dict[str, str] = {}
        self._after_frozen: dict[str, str] = {}
        self._cells: list[dict[str, Expression]] = [{} for _ in self.scenarios]
        self._constants: dict[tuple[str, float, str], list[Expression]] = {}
        titles = [_title(scenario) for scenario in self.scenarios]
        headers = ["quantity", *(f"{AT}{dim}" for dim in self.dims), "label", "unit", *titles]
        headers += ["base units in one unit", *(f"{title}, in base units" for title in titles)]
        headers += ["base unit", "equation, in base units", "how it is computed", "source"]
        self._first = 4 + len(self.dims)
        widths = [(16, 34), *((8, 14) for _ in self.dims), (20, 34), (8, 24), *((12, 22) for _ in titles), (12, 18)]
        widths += [*((14, 22) for _ in titles), (10, 26), (24, 46), (12, 24), (30, 50)]
        from openpyxl.utils import get_column_letter

        self.page = Page(book.create_sheet("results"), _INTRO, headers, widths, get_column_letter(2 + len(self.dims)))
        self.page.section("Assumptions")
        for name in model.assumptions:
            self._assumption(name)
        if any(made.constants.keys() - valued_names(model) for made in model.equations.values()):
            self.page.section("Constants of the equations (to change one, add an assumption of its name)")
            for made in model.equations.values():
                self._constants_of(made)
        self.page.section("Results")
        for made in in_order(model):
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

    def _rows(self, name: str) -> Iterator[Labels]:
        """Labels of the rows of a quantity."""
        own = [dim for dim in self.dims if dim in self.point[name].dims]
        for place in itertools.product(*(self.coords[dim] for dim in own)):
            yield dict(zip(own, place, strict=True))

    def _value(self, name: str, scenario: Labels, labels: Labels) -> float:
        array = self.point[name]
        place = {**scenario, **labels}
        index = tuple(self.everything[dim].index(place[dim]) for dim in map(str, array.dims))
        return float(np.asarray(array.values)[index])

    def _named(self, name: str, scenario: Labels, labels: Labels, cell: str) -> str:
        letters = cell.rstrip("0123456789")
        words = [*map(str, scenario.values()), *map(str, labels.values())]
        return self._names.give(name, words, f"results!${letters}${cell[len(letters) :]}")

    def _describe(self, row: int, name: str, labels: Labels, label: str | None, end: tuple[str, str, str]) -> None:
        page = self.page
        page.text(row, 1, name, "name")
        for dim, one in labels.items():
            column = 2 + self.dims.index(dim)
            page.text(row, column, one) if isinstance(one, str) else page.number(row, column, one, "short", "General")
        page.text(row, self._first - 2, label, "short")
        last = self._first + 2 * len(self.scenarios) + 1
        unit, formula, source = end
        page.text(row, last, base_unit(unit), "unit")
        page.text(row, last + 1, formula, "code")
        page.text(row, last + 3, source, "short")

    def _assumption(self, name: str) -> None:
        made, page, count = self._model.assumptions[name], self.page, len(self.scenarios)
        rows = list(self._rows(name))
        found: list[dict[tuple[int, ...], Term]] = [{} for _ in self.scenarios]
        unit = self._inputs.points[(name,)].unit
        for labels in rows:
            row = page.row
            self._describe(row, name, labels, made.long_name, (made.unit, "", made.source or ""))
            page.formula(row, self._first - 1, unit, made.unit, "linked unit")
            looked_up = self._units.looked_up(f"${_letters(self._first - 1)}{row}")
            factor = page.formula(row, self._first + count, looked_up, base_factor(made.unit), "base")
            for i, scenario in enumerate(self.scenarios):
                given = self._given(name, scenario)
                value = self._value(name, scenario, labels)
                # An empty cell or a text would be a silent zero.
                cell = page.formula(
                    row, self._first + i, f"IF(ISNUMBER({given.at(labels)}),{given.at(labels)},NA())", value, "link"
                )
                base = value * base_factor(made.unit)
                named_cell = page.formula(row, self._first + count + 1 + i, f"{cell}*${factor}", base, "base")
                place = tuple(self.coords[dim].index(labels[dim]) for dim in labels)
                found[i][place] = named(self._named(name, scenario, labels, named_cell), base)
            page.text(row, self._first + 2 * count + 3, "point of an assumption", "short")
            page.row += 1
        self._keep(name, rows, found)

    def _given(self, name: str, scenario: Labels) -> Any:
        """Where the point stands that holds in a scenario."""
        for dim, label in scenario.items():
            if (dim, label, name) in self._inputs.points:
                return self._inputs.points[dim, label, name]
        return self._inputs.points[(name,)]

    def _keep(self, name: str, rows: list[Labels], found: list[dict[tuple[int, ...], Term]]) -> None:
        dims = tuple(rows[0])
        sizes = tuple(len(self.coords[dim]) for dim in dims)
        for cells, terms in zip(self._cells, found, strict=True):
            cells[name] = Expression(dims, sizes, tuple(terms.values()))

    def _constants_of(self, made: Equation) -> None:
        page, count = self.page, len(self.scenarios)
        for name, constant in made.constants.items():
            key = (name, float(constant), constant.unit)
            if name in valued_names(self._model) or key in self._constants:
                continue
            row, value = page.row, stored(constant)
            self._describe(row, name, {}, None, (constant.unit, "", ""))
            page.text(row, self._first - 1, constant.unit, "unit")
            factor_cell, factor = self._units.factor(constant.unit), base_factor(constant.unit)
            factor_cell = page.formula(row, self._first + count, factor_cell, factor, "base")
            self._constants[key] = []
            for i, scenario in enumerate(self.scenarios):
                cell = page.number(row, self._first + i, value, "computed")
                text = f"{cell}*${factor_cell}" if math.isfinite(constant) else cell
                base = float(constant) if math.isfinite(constant) else LARGEST
                named_cell = page.formula(row, self._first + count + 1 + i, text, base, "base")
                term = named(self._named(name, scenario, {}, named_cell), base)
                self._constants[key].append(Expression.single(term))
            said = (
                "constant of an equation"
                if math.isfinite(constant)
                else "no limit: the largest number that a cell holds"
            )
            page.text(row, self._first + 2 * count + 3, said)
            page.row += 1

    def _derived(self, made: Equation) -> None:
        page, count, first = self.page, len(self.scenarios), self._first
        rows = list(self._rows(made.name))
        start, factor = page.row, base_factor(made.unit)
        found: list[dict[tuple[int, ...], Term]] = [{} for _ in self.scenarios]
        for offset, labels in enumerate(rows):
            place = tuple(self.coords[dim].index(labels[dim]) for dim in labels)
            for i, scenario in enumerate(self.scenarios):
                cell = f"{_letters(first + count + 1 + i)}{start + offset}"
                value = self._value(made.name, scenario, labels) * factor
                found[i][place] = named(self._named(made.name, scenario, labels, cell), value)
        self._keep(made.name, rows, found)
        formulas = self._formulas(made, found)
        touched = sorted({made.name, *made.inputs} & (self.frozen.keys() | self._after_frozen.keys()) - {made.name})
        if made.name not in self.frozen and touched:
            self._after_frozen[made.name] = ", ".join(touched)
        status = self.status(made.name)
        look = "frozen" if status.startswith("value") else "uncertain" if status != "formula" else "text"
        for labels in rows:
            row, place = page.row, tuple(self.coords[dim].index(labels[dim]) for dim in labels)
            # What is the same for every label is said once.
            said = (made.formula[:2000], made.source or "") if row == start else ("", "")
            self._describe(row, made.name, labels, made.long_name, (made.unit, *said))
            page.text(row, first - 1, made.unit, "unit")
            factor_cell = page.formula(row, first + count, self._units.factor(made.unit), factor, "base")
            for i, scenario in enumerate(self.scenarios):
                base_column, value = first + count + 1 + i, self._value(made.name, scenario, labels)
                if formulas is not None:
                    base_cell = page.formula(row, base_column, formulas[i][place].text, value * factor, "base")
                elif math.isfinite(value):
                    base_cell = page.number(row, base_column, value * factor, "frozen")
                else:
                    base_cell = page.formula(row, base_column, "NA()", math.nan, "frozen")
                shown = "frozen" if formulas is None else "computed"
                page.formula(row, first + i, f"{base_cell}/${factor_cell}", value, shown)
            page.text(row, first + 2 * count + 3, status, look)
            page.row += 1

    def _formulas(
        self, made: Equation, found: list[dict[tuple[int, ...], Term]]
    ) -> list[dict[tuple[int, ...], Term]] | None:
        """A formula for every cell of a quantity, or None if it is to stand as a value."""
        formulas: list[dict[tuple[int, ...], Term]] = []
        try:
            for i, cells in enumerate(self._cells):
                inputs = {
                    name: cells[name]
                    if name in cells
                    else self._constants[name, float(made.constants[name]), made.constants[name].unit][i]
                    for name in made.inputs
                }
                step = functools.partial(self.steps.add, made.name, _title(self.scenarios[i]))
                written = translated(made, inputs, Workspace(cells[made.name].at, step))
                own = cells[made.name]
                if set(written.dims) - set(own.dims):
                    raise UntranslatableError("its formula has dims that its result has not")
                terms = {}
                for place, expected in found[i].items():
                    term = written.at(dict(zip(own.dims, place, strict=True)))
                    if not _same(term.value, expected.value):
                        raise UntranslatableError(
                            f"its formula would come to {term.value:.12g} where the model has {expected.value:.12g}"
                        )
                    terms[place] = term
                formulas.append(terms)
        except UntranslatableError as error:
            self.frozen[made.name] = str(error)
            self.steps.drop()
            return None
        self.steps.keep()
        return formulas


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
