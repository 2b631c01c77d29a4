"""Input sheets: assumptions, scenarios, correlations, equations, notes and labels, as they are read back."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demandsim.distributions.base import is_labelled
from demandsim.distributions.convert import as_distribution
from demandsim.distributions.grammar import written
from demandsim.errors import DistributionError, WorkbookError
from demandsim.graph.assumption import Assumption
from demandsim.graph.changes import changes_line
from demandsim.graph.study_file import formula_tables, presentation_table
from demandsim.workbook.cells import fixed
from demandsim.workbook.equations import formula_text
from demandsim.workbook.page import FIRST_ROW, Page
from demandsim.workbook.sheets import AS_WRITTEN, AT, INPUTS, LABEL_KINDS, OPTIONAL, SURE
from demandsim.workbook.style import input_format

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["GUIDE", "InputSheets", "PointCells", "look_of"]

_WIDTHS = {
    "name": (14, 34),
    "label": (16, 40),
    "point": (14, 20),
    "unit": (10, 24),
    "distribution": (36, 52),
    "shared": (8, 8),
    "source": (40, 70),
    "formula": (30, 60),
    "text": (60, 110),
    "why": (40, 70),
    "equation": (20, 40),
}

#: Shown beside a cell that is selected.
_PROMPTS = {
    "point": "Feeds the sheet 'results' at once. A simulation draws from the distribution: edit that as well.",
    "distribution": f"What a simulation draws from: a number, '{SURE}' (the point itself), or a text such as "
    "lognormal(1, 4). The sheet 'notes' has more. Then: demandsim run THIS_FILE.xlsx",
}
#: Rows below the last one in which people may add theirs.
_ROOM = 50

GUIDE = (
    "Colours: blue on a tint is typed, and read back; black is computed; green comes from another sheet.",
    "Red is a value that no formula computes; yellow is computed from such a value.",
    "A distribution is a number, 'sure', or a text, such as one of these:",
    "lognormal(500, 1200, prob=0.9); normal(8, 12, prob=0.9); beta(mean=0.45, sd=0.1); gamma(mean=5, sd=2);",
    "triangular(1, 2, 4); pert(1, 2, 4); uniform(1, 3); loguniform(1, 100); discrete([0, 1], weights=[1, 3]);",
    "truncated(normal(8, 12), lower=9); metalog([0.1, 0.5, 0.9], [1, 2, 4]).",
    "Two plain numbers are the ends of a central interval, prob is its probability; mean= and sd= are moments.",
    "A new assumption is a new row; a row is left out by deleting it. Columns and sheets of your own are ignored.",
    "Numbers may be formulas of yours: their last computed value is read. Nothing is run, and no link is followed.",
    "The sheets 'results', 'simulation', 'tornado' and 'units' are made anew; what is typed there is not read back.",
    "Capitals count in a unit: 'Mtoken' is a million tokens, 'mtoken' a thousandth of one.",
    "The sheet 'units' has the units that the formulas know; a simulation knows more.",
)


@dataclass(frozen=True)
class PointCells:
    """Where the point of an assumption stands.

    Parameters
    ----------
    cells : mapping of labels to cell
        One per combination of labels along `dims`.
    dims : tuple of str
    unit : str
        Cell of the unit.
    """

    cells: Mapping[tuple[Any, ...], str]
    dims: tuple[str, ...]
    unit: str

    def at(self, labels: Mapping[str, Any]) -> str:
        """Return the cell of the point at some labels."""
        return self.cells[tuple(labels[dim] for dim in self.dims)]


class InputSheets:
    """The sheets that are read back, written from a model.

    Parameters
    ----------
    book : openpyxl Workbook
    model : Model
    """

    def __init__(self, book: Any, model: Model) -> None:
        from openpyxl.utils import get_column_letter

        self.model = model
        layout = model.program.layout
        self.coords = {dim: layout.coords[dim] for dim in layout.model_dims}
        self.points: dict[tuple[str, ...], PointCells] = {}
        at = [f"{AT}{dim}" for dim in self.coords]
        self.pages: list[Page] = []
        self._pages: dict[str, Page] = {}
        self._letters: dict[str, dict[str, str]] = {}
        for plan in INPUTS.values():
            wanted = {"labels": bool(self.coords), "study": model.origin is not None}
            if plan.name in OPTIONAL and not wanted.get(plan.name):
                continue
            headers = [*plan.columns, *plan.more]
            if plan.name in ("assumptions", "scenarios"):
                headers[headers.index("point") : headers.index("point")] = at
            widths = [_WIDTHS.get(header, (12, 26)) for header in headers]
            page = Page(book.create_sheet(plan.name), plan.intro, headers, widths)
            self.pages.append(page)
            self._pages[plan.name] = page
            self._letters[plan.name] = {head: get_column_letter(i) for i, head in enumerate(headers, start=1)}
        for name, assumption in model.assumptions.items():
            said = assumption.long_name, assumption.source
            self.points[(name,)] = self._assumption("assumptions", (), name, assumption, said)
        self._scenarios()
        for sheet in ("assumptions", "scenarios"):
            self._mark(sheet)
        self._correlations()
        self._labels()
        for part, text in model.origin.parts.items() if model.origin is not None else ():
            source = model.assumptions[part].source if part in model.assumptions else None
            self._pages["study"].add((part, "name"), (text, "text"), (source, "text"))

    def _assumption(
        self, sheet: str, scenario: tuple[str, ...], name: str, made: Assumption, said: tuple[str | None, str | None]
    ) -> PointCells:
        """Write an assumption with its label and source, and a row per label below it for indexed points."""
        page, row, first = self._pages[sheet], self._pages[sheet].row, len(scenario) + 1
        point_column = first + 2 + len(self.coords)
        for column, word in enumerate((*scenario, name), start=1):
            page.text(row, column, word, "name")
        page.text(row, first + 1, said[0], "input")
        unit = page.text(row, point_column + 1, made.unit, "input unit")
        for column in range(first + 2, point_column):
            page.text(row, column, None, "short")
        last = len(self._letters[sheet])
        sure, text = _distribution(name, made)
        page.put(row, last, sure if text is None else text, "base")
        if text is None:
            page.number(row, point_column + 2, sure, "edit", input_format(sure))
        else:
            page.text(row, point_column + 2, text, "edit")
        if sheet == "assumptions":
            page.text(row, point_column + 3, "yes" if made.shared else "no", "input")
        page.text(row, point_column + (4 if sheet == "assumptions" else 3), said[1], "input")
        if sheet == "assumptions":
            for column, end in enumerate(made.bounds or (None, None), start=point_column + 5):
                if end is None:
                    page.text(row, column, None, "input")
                else:
                    page.number(row, column, end, "input", input_format(end))
        page.row += 1
        if not is_labelled(made.point):
            cell = page.number(row, point_column, float(made.point), "edit", input_format(made.point))
            page.number(row, last - 1, float(made.point), "base")
            return PointCells({(): f"{sheet}!{fixed(cell)}"}, (), f"{sheet}!{fixed(unit)}")
        page.text(row, point_column, None, "short")
        dims = tuple(str(dim) for dim in made.point.dims)
        cells = {}
        for labels in itertools.product(*(made.point[dim].values.tolist() for dim in dims)):
            for column, word in enumerate((*scenario, name), start=1):
                page.text(page.row, column, word, "short")
            for dim, one in zip(dims, labels, strict=True):
                page.put(page.row, first + 2 + list(self.coords).index(dim), one, "short")
            value = float(made.point.sel(dict(zip(dims, labels, strict=True))))
            cell = page.number(page.row, point_column, value, "edit", input_format(value))
            page.number(page.row, last - 1, value, "base")
            cells[labels] = f"{sheet}!{fixed(cell)}"
            page.row += 1
        return PointCells(cells, dims, f"{sheet}!{fixed(unit)}")

    def _mark(self, sheet: str) -> None:
        """Say what a cell is for where it is selected, and colour a distribution that its point has left behind."""
        from openpyxl.formatting.rule import FormulaRule
        from openpyxl.styles import PatternFill
        from openpyxl.worksheet.datavalidation import DataValidation

        page, letters = self._pages[sheet].sheet, self._letters[sheet]
        first, last = FIRST_ROW, max(self._pages[sheet].row - 1, FIRST_ROW)
        for header, told in _PROMPTS.items():
            prompt = DataValidation(showInputMessage=True, promptTitle=f"Edit: {header}", prompt=told)
            prompt.add(f"{letters[header]}{first}:{letters[header]}{last}")
            page.add_data_validation(prompt)
        point, law = letters["point"], letters["distribution"]
        was, law_was = (letters[header] for header in AS_WRITTEN)
        moved = f"ISNUMBER(${was}{first}),${point}{first}<>${was}{first}"
        rule = f'AND({moved},${law}{first}=${law_was}{first},${law}{first}<>"{SURE}")'
        fill = PatternFill("solid", start_color="F4B183", end_color="F4B183")
        page.conditional_formatting.add(f"{law}{first}:{law}{last}", FormulaRule(formula=[rule], fill=fill))
        for letter in (was, law_was):
            page.column_dimensions[letter].outlineLevel = 1
            page.column_dimensions[letter].hidden = True

    def edited(self) -> str:
        """Formula that counts the points and distributions that are not as written, new rows included."""
        counted = []
        for sheet in ("assumptions", "scenarios"):
            letters, rows = self._letters[sheet], (FIRST_ROW, self._pages[sheet].row + _ROOM)
            for now, was in zip(("point", "distribution"), AS_WRITTEN, strict=True):
                one, other = (f"{sheet}!${c}${rows[0]}:${c}${rows[1]}" for c in (letters[now], letters[was]))
                counted.append(f"SUMPRODUCT(({one}<>{other})*1)")
        return "+".join(counted)

    def _scenarios(self) -> None:
        page = self._pages["scenarios"]
        for dim, scenarios in self.model.scenarios.grid.items():
            for scenario, overrides in scenarios.items():
                if not overrides:
                    page.add((dim, "name"), (scenario, "input"))
                for name, made in overrides.items():
                    base = self.model.assumptions[name]
                    # Left empty, label and source are those of the assumption.
                    said = (
                        made.long_name if made.long_name != base.long_name else None,
                        made.source if made.source != base.source else None,
                    )
                    self.points[(dim, scenario, name)] = self._assumption(
                        "scenarios", (dim, scenario), name, made, said
                    )

    def _correlations(self) -> None:
        page = self._pages["correlations"]
        for pair, rho in self.model.correlations.items():
            why = self.model.notes.reasons.get(tuple(sorted(pair)))
            rank = (float(rho), "input", "0.00##")
            page.add((pair[0], "input"), (pair[1], "input"), rank, (why, "input"), (None, "input"), self._df(*pair))
        for (one, other, dim), found in self.model.label_correlations.items():
            said = (found, "input", "0.00##") if isinstance(found, float) else (str(found), "input")
            page.add((one, "input"), (other, "input"), said, (None, "input"), (dim, "input"), self._df(one, other))

    def _df(self, one: str, other: str) -> tuple[Any, str]:
        """Degrees of freedom of a pair, if it has a t copula."""
        tails = self.model.tails
        return tails.get(one, tails.get(other)), "input"

    def _labels(self) -> None:
        for dim, labels in self.coords.items():
            page = self._pages["labels"]
            for label in labels:
                kind = next((word for word, made in LABEL_KINDS.items() if type(label) is made), None)
                if kind is None:
                    raise WorkbookError(
                        f"dim '{dim}': label {label!r} is no number or text, and cannot be written to a workbook"
                    )
                page.add((dim, "name"), (label, "short"), (kind, "short"))

    def write_equations(self, status: Mapping[str, str]) -> None:
        """Write the equations; `status` says how each stands on the sheet of results."""
        page = self._pages["equations"]
        for made in self.model.equations.values():
            said, how = (formula_text(made), "code"), status[made.name]
            texts = (made.reference, "input"), (made.name, "short"), (made.unit, "unit"), said
            page.add(*texts, (how, look_of(how)), (made.source, "text"))

    def write_notes(self, frozen: Mapping[str, str]) -> None:
        """Write the notes, the settings, and what people should know of this workbook."""
        import tomli_w

        page, model = self._pages["notes"], self.model
        notes = model.notes
        rows = [("name", notes.name), ("title", notes.title), ("source", notes.source)]
        rows += [("note", note) for note in notes.notes]
        if model.changes:
            rows.insert(0, ("changed", changes_line(notes.name, model.changes, most=len(model.changes))))
        shown = presentation_table(notes.presentation)
        rows += [("presentation", tomli_w.dumps(shown, multiline_strings=False).strip())] if shown else []
        # The rest stands on the sheet of equations.
        formulas = {
            name: {key: one for key, one in table.items() if key not in ("formula", "unit", "source")}
            for name, table in formula_tables(model.equations)[0].items()
        }
        formulas = {name: table for name, table in formulas.items() if table}
        rows += [("formulas", tomli_w.dumps(formulas, multiline_strings=False).strip())] if formulas else []
        rows += [("order of dimensions", ", ".join(model.dimensions))]
        rows += [("nearest correlations", "yes" if model.nearest else "no"), ("schema", "1")]
        for key, text in rows:
            page.add((key, "name"), (text, "input"))
        for line in GUIDE:
            page.add(("guide", "short"), (line, "text"))
        for name, why in frozen.items():
            page.add(("not a formula", "frozen"), (f"{name}: {why}", "frozen"))


def look_of(status: str, live: str = "short") -> str:
    """Look of what says how a quantity is computed."""
    return "frozen" if status.startswith("value") else "uncertain" if status != "formula" else live


def _distribution(name: str, made: Assumption) -> tuple[float, str | None]:
    """A number, or a text if there is one."""
    try:
        text = written(made.distribution)
    except DistributionError as error:
        raise WorkbookError(f"assumption '{name}': {error}") from None
    if made.distribution.is_constant and as_distribution(made.point) == made.distribution:
        return 0.0, SURE
    return (0.0, text) if isinstance(text, str) else (text, None)
