"""Model: any workbook as a Model, whose assumptions and outputs are cells."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from demandsim.distributions.convert import as_distribution
from demandsim.errors import DemandsimError, WorkbookError, WorkbookWarning, shorten
from demandsim.graph.assumption import Assumption
from demandsim.graph.equation import Equation
from demandsim.graph.metadata import StudyNotes
from demandsim.model import Model
from demandsim.workbook.calc.book import Book, Key, book_of
from demandsim.workbook.calc.function import Calculation, CellFunction, shown
from demandsim.workbook.calc.program import Program
from demandsim.workbook.exported import is_exported, read_exported
from demandsim.workbook.label import identifiers, label_of, unit_hint
from demandsim.workbook.marks import Mark, Marks, crystal_ball, marks_of

__all__ = ["cell_model", "read_workbook"]

#: Differences that an error lists.
_LISTED = 8


def read_workbook(
    path: str | Path,
    *,
    outputs: Sequence[str] = (),
    assume: Mapping[str, Any] | None = None,
    equations: Iterable[Equation] = (),
    accept: bool = False,
    rand: bool = False,
) -> Model:
    """Read a model from a workbook: any one, or one that `write_workbook` wrote and an analyst has edited.

    Of any workbook, the formulas between the cells that are assumed and the outputs are compiled to run on draws.

    Parameters
    ----------
    path : str or Path
        A file ending in ``.xlsx`` or ``.xlsm``.
    outputs : sequence of str, optional
        Cells to compute, such as ``"DCF!D29"``, or names of the workbook. Those on its sheet ``demandsim`` by default,
        which ``demandsim mark`` writes.
    assume : mapping of cell to distribution, optional
        What is known of input cells, such as ``{"Inputs!C21": "normal(0.08, 0.12)"}``; on top of the sheet.
    equations : iterable of Equation, optional
        Your own equations, which the sheet ``equations`` of an exported workbook names without a room. Those of which
        it holds the formula need not be given.
    accept : bool, default False
        Go on where cells recomputed at the saved inputs differ from the values saved with them.
    rand : bool, default False
        Draw RAND and RANDBETWEEN, an assumption each; they stand frozen at their saved values otherwise.

    Returns
    -------
    Model
        Of an exported workbook, equal to the one that was written where nothing was edited. Of any other, quantities
        are named by the labels beside their cells, and ``source`` says which cell each is.

    Raises
    ------
    UnknownNameError
        If there is no such file, sheet, cell or name.
    WorkbookError
        If the file is no workbook, a cell between assumptions and outputs holds what is not known here, or its
        recomputed value is not the saved one: it names sheet and cell.
    DemandsimError
        If the edited parts do not make a model.

    Warns
    -----
    WorkbookWarning
        If cells stand frozen at their saved values, or nothing was saved to check against; of an exported workbook, if
        a point lies where its distribution has no probability.

    Notes
    -----
    Nothing in the file is run but the grammar of formulas: macros, links and connections are never followed.

    Examples
    --------
    >>> import tempfile, openpyxl, demandsim as ds
    >>> from pathlib import Path
    >>> book = openpyxl.Workbook()
    >>> for row in (["Cards", 1000], ["Price", 150_000], ["Capex", "=B1*B2"]):
    ...     book.active.append(row)
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # openpyxl saves no values to check against
    ...     book.save(Path(folder) / "capex.xlsx")
    ...     model = ds.read_workbook(
    ...         Path(folder) / "capex.xlsx", outputs=["Sheet!B3"], assume={"Sheet!B1": "normal(900, 1200)"}
    ...     )
    >>> model.point().capex.item(), list(model.assumptions), model.equations["capex"].formula
    (150000000.0, ['cards'], 'Sheet!B3: =B1*B2')
    """
    if not outputs and not assume and is_exported(path):
        return read_exported(path, equations=equations)
    book = book_of(path)
    on_sheet = marks_of(book)
    if not on_sheet.assumptions and (held := crystal_ball(book)):
        _say(f"{book.path}: {held}", stacklevel=3)
    marks = on_sheet.adding(book, outputs, assume or {})
    if not marks.outputs:
        marks = replace(marks, outputs=_risk_outputs(book))
    if not marks.outputs:
        raise WorkbookError(
            f"{book.path}: which cells are wanted is not said; name them, as in outputs=['DCF!D29'] or --output, or "
            "write a sheet 'demandsim' to fill in, with demandsim mark"
        )
    asked = {"outputs": list(outputs), "assume": dict(assume or {}), "accept": accept, "rand": rand}
    return cell_model(book, marks, accept=accept, rand=rand, asked={key: said for key, said in asked.items() if said})


def _risk_outputs(book: Book) -> dict[Key, Mark]:
    """Cells that @RISK takes for outputs."""
    return {key: Mark() for key, made in book.formulas.items() if "RISKOUTPUT(" in made.text.upper()}


@dataclass(frozen=True)
class _Named:
    """Cells with what they are called."""

    book: Book
    names: dict[Any, str] = field(default_factory=dict)
    labels: dict[Key, str] = field(default_factory=dict)

    def long_name(self, key: Key, unit: str | None) -> str:
        label = self.labels.get(key) or self.book.address(key)
        return f"{label} [{unit}]" if unit and unit != "%" and unit not in label else label

    def source(self, key: Key, said: str | None = None) -> str:
        where = f"{Path(self.book.path).name}, {self.book.address(key)}"
        return f"{said} ({where})" if said else where


def cell_model(
    book: Book, marks: Marks, *, accept: bool = False, rand: bool = False, asked: Mapping[str, Any] | None = None
) -> Model:
    """Make a model of the cells that are marked.

    Parameters
    ----------
    book : Book
    marks : Marks
    accept : bool
    rand : bool
    asked : mapping of str, optional
        What the caller has asked for on top of the sheet, to ask for it again.
    """
    calculation = Calculation(book, list(marks.outputs), list(marks.assumptions), rand)
    program = calculation.program
    _check(program, accept)
    named = _named(book, marks, program)
    assumptions = {named.names[key]: _assumption(named, marks, key) for key in marks.assumptions}
    for chance in program.chance:
        assumptions[named.names[chance]] = _drawn_assumption(named, program, chance)
    made = [_equation(named, calculation, marks, key) for key in marks.outputs]
    file = Path(book.path)
    notes = StudyNotes(
        name=file.stem,
        title=file.stem,
        source=file.name,
        notes=tuple(_frozen_words(program)),
        unsaid=(*assumptions, *(equation.name for equation in made)),
        asked=asked or {},
    )
    correlations = {(named.names[a], named.names[b]): rank for (a, b), rank in marks.correlations.items()}
    correlations |= _matrix_correlations(named, program)
    scenarios = {
        "scenario": {
            label: {named.names[key]: law for key, law in values.items()} for label, values in marks.scenarios.items()
        }
    }
    model = Model.drafted(
        made,
        assumptions,
        correlations=correlations,
        scenarios=scenarios if marks.scenarios else {},
        notes=notes,
    )
    return model.loaded()


def _named(book: Book, marks: Marks, program: Program) -> _Named:
    labels = {key: label for key in program.reached if (label := label_of(book, key))}
    cells = [*marks.assumptions, *marks.outputs]
    labels |= {key: label for key in cells if (label := label_of(book, key))}
    named = _Named(book, labels=labels)
    named.names.update(identifiers([(key, labels.get(key)) for key in cells], book))
    used = set(named.names.values())
    for chance in program.chance:
        label = program.laws[chance].name if chance in program.laws else None
        base = label or labels.get(chance[1]) or label_of(book, chance[1]) or book.address(chance[1])
        word = identifiers([(chance[1], base)], book)[chance[1]] + ("" if chance in program.laws else "_rand")
        number, name = 1, word
        while name in used:
            number += 1
            name = f"{word}_{number}"
        used.add(name)
        named.names[chance] = name
    return named


def _assumption(named: _Named, marks: Marks, key: Key) -> Assumption:
    mark = marks.assumptions[key]
    book = named.book
    value = book.saved(key)
    if type(value) is not float:
        what = "is blank" if value is None else f"holds {shown(value)}"
        raise WorkbookError(f"{book.path}: {book.address(key)} {what}, which is no number to be uncertain about")
    try:
        law = as_distribution(mark.law)
    except DemandsimError as error:
        raise type(error)(f"{book.path}: {book.address(key)}: {error}") from None
    # A sure value is its own point; what is uncertain keeps that of the workbook.
    point = None if law.is_constant else value
    unit = mark.unit or unit_hint(book.formats.get(key))
    return Assumption(law, point=point, long_name=named.long_name(key, unit), source=named.source(key, mark.source))


def _drawn_assumption(named: _Named, program: Program, chance: Any) -> Assumption:
    """A draw that a formula asks for itself: RAND, or a distribution of @RISK."""
    key = chance[1]
    found = program.laws.get(chance)
    if found is None:
        long_name = f"RAND of {named.book.address(key)}"
        return Assumption("uniform(0, 1)", point=0.5, long_name=long_name, source=named.source(key))
    long_name = found.name or label_of(named.book, key) or named.book.address(key)
    return Assumption(found.law, point=found.rest, long_name=long_name, source=named.source(key))


def _matrix_correlations(named: _Named, program: Program) -> dict[tuple[str, str], float]:
    """Rank correlations that RiskCorrmat names by a matrix and places in it."""
    found: dict[tuple[str, str], float] = {}
    placed = [(chance, law.matrix) for chance, law in program.laws.items() if law.matrix is not None]
    for place, (one, first) in enumerate(placed):
        for other, second in placed[place + 1 :]:
            if (first[0], first[2]) != (second[0], second[2]) or first[1] == second[1]:
                continue
            area, row, column = first[0], max(first[1], second[1]), min(first[1], second[1])
            # Either half of the matrix may be left empty.
            cells = [(area.sheet, area.top + i - 1, area.left + j - 1) for i, j in ((row, column), (column, row))]
            ranks = [program.base.get(cell) for cell in cells]
            rank = next((value for value in ranks if type(value) is float), 0.0)
            if rank:
                found[named.names[one], named.names[other]] = rank
    return found


def _equation(named: _Named, calculation: Calculation, marks: Marks, key: Key) -> Equation:
    book = named.book
    value = calculation.program.base.get(key)
    if type(value) not in (float, bool):
        what = "is blank" if value is None else f"is {shown(value)}"
        raise WorkbookError(f"{book.path}: the output {book.address(key)} {what}, which is no number")
    if key not in book.formulas:
        raise WorkbookError(f"{book.path}: the output {book.address(key)} is no formula; name a cell that is computed")
    names = {one: named.names[one] for one in calculation.needs_of[key]}
    if not names:
        raise WorkbookError(
            f"{book.path}: no assumption reaches the output {book.address(key)}; assume cells that it depends on, or "
            "leave it out"
        )
    function = CellFunction(calculation, key, names, named.labels)
    unit = marks.outputs[key].unit or unit_hint(book.formats.get(key))
    made = Equation(
        function, named.names[key], "1", named.long_name(key, unit), named.source(key), tuple(names.values())
    )
    # What cells compute has no source to read: it says itself what it is.
    object.__setattr__(made, "formula", str(function))
    object.__setattr__(made, "fingerprint", f"{calculation.digest()} {book.address(key)}")
    return made


def _check(program: Program, accept: bool) -> None:
    """Hold what was recomputed against what was saved, and tell what stands frozen."""
    book = program.book
    if program.differences and not accept:
        lines = [
            f"  {book.address(one.key)}: {one.formula[:80]} gives {shown(one.ours)}, the file says {shown(one.theirs)}"
            for one in program.differences[:_LISTED]
        ]
        more = len(program.differences) - len(lines)
        raise WorkbookError(
            f"{book.path}: {len(program.differences)} of {program.checked} cells between assumptions and outputs are "
            "not as the file says, recomputed at its own inputs; the first are\n"
            + "\n".join(lines)
            + (f"\n  and {more} more" if more else "")
            + "\nsave the workbook after a full recalculation, or go on all the same with accept=True or --accept"
        )
    if program.differences:
        count = len(program.differences)
        _say(f"{book.path}: {count} of {program.checked} recomputed cells are not as the file says; ours are used")
    if not program.checked and program.order:
        _say(f"{book.path}: no values are saved with its formulas, so that there is nothing to check against")
    for line in _frozen_words(program):
        _say(f"{book.path}: {line}")


def _frozen_words(program: Program) -> list[str]:
    by_why: dict[str, list[str]] = {}
    for key, why in program.frozen.items():
        by_why.setdefault(why, []).append(program.book.address(key))
    return [
        f"{', '.join(cells[:4])}{f' and {len(cells) - 4} more' if len(cells) > 4 else ''} frozen at the saved value: "
        f"{shorten(why, 100)}"
        for why, cells in by_why.items()
    ]


def _say(message: str, stacklevel: int = 4) -> None:
    warnings.warn(message, WorkbookWarning, stacklevel=stacklevel)
