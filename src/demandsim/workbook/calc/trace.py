"""Trace: the way back from outputs to all that they are computed from, which is computed once on it."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from demandsim.workbook.calc.book import Book, Key
from demandsim.workbook.calc.circles import circles_of
from demandsim.workbook.calc.differences import compare
from demandsim.workbook.calc.expressions import compiled
from demandsim.workbook.calc.grammar import parsed
from demandsim.workbook.calc.names import references_of
from demandsim.workbook.calc.program import Program
from demandsim.workbook.calc.references import Area
from demandsim.workbook.calc.state import Compiled, FrozenError, Needed, State
from demandsim.workbook.calc.values import CellError, UnsupportedError

__all__ = ["traced"]


class _Tracer:
    """Goes backwards from the outputs, computing every cell once at the cached inputs."""

    def __init__(self, program: Program, chance: bool) -> None:
        self.program, self.book, self.chance = program, program.book, chance
        self.state = State(dict(self.book.constants), visit=self._visit)
        self.done: set[Key] = set()
        self.grey: dict[Key, None] = {}
        self.current: Key | None = None
        self.unsupported: dict[Key, str] = {}
        self.looped: set[Key] = set()
        for key in program.inputs:
            self.state.values[key] = self.book.saved(key)

    def trace(self) -> None:
        for output in self.program.outputs:
            if output not in self.done:
                self._descend(output)
        self.program.base, self.program.laws = self.state.values, self.state.laws

    def _descend(self, output: Key) -> None:
        work = [(output, self._enter(output))]
        while work:
            key, rest = work[-1]
            for cell in rest:
                if cell in self.done or cell in self.program.inputs or cell not in self.book.formulas:
                    continue
                if cell in self.grey:
                    self._circle(cell)
                    continue
                work.append((cell, self._enter(cell)))
                break
            else:
                needed = self._leave(key)
                if needed is None:
                    work.pop()
                else:
                    work[-1] = (key, self.program.cells_of(needed))

    def _enter(self, key: Key) -> Iterator[Key]:
        self.grey[key] = None
        program = self.program
        program.areas[key] = []
        if key not in self.book.formulas or key in program.inputs:
            return iter(())
        try:
            made = compiled(self.book, key, chance=self.chance)
            program.code[key] = made
            program.areas[key] = list(made.areas)
            program.chance += made.chance
            self.state.values.update({one: 0.5 for one in made.chance if one[0] == "chance"})
        except FrozenError as error:
            program.frozen[key] = str(error)
        except UnsupportedError as error:
            self.unsupported[key] = str(error)
            program.areas[key] = self._written(key)
        return (cell for area in list(program.areas[key]) for cell in program.cells_of(area))

    def _written(self, key: Key) -> list[Area]:
        try:
            return references_of(self.book, parsed(self.book.formulas[key].text), key)
        except UnsupportedError as error:
            raise self.program.refusal(key, str(error)) from None

    def _visit(self, area: Area) -> None:
        """A computed reference leads somewhere: its cells come first."""
        assert self.current is not None
        known = self.program.areas[self.current]
        if area not in known:
            if area.sheet not in self.book.sheets:
                raise CellError("#REF!")
            known.append(area)
            if any(c in self.book.formulas and c not in self.done for c in self.program.cells_of(area)):
                raise Needed(area)

    def _leave(self, key: Key) -> Area | None:
        """Compute a cell, unless it turns out to need others first."""
        program = self.program
        self._spill_of_what_stands(key)
        if key in program.code:
            self.current = key
            try:
                value = program.code[key].run(self.state)
            except Needed as needed:
                return needed.area
            except CellError as error:
                value = CellError(error.code)
            except UnsupportedError as error:
                self.unsupported[key] = str(error)
                del program.code[key]
                value = self.book.cached.get(key)
        elif key in self.book.formulas and key not in program.inputs:
            value = self.book.cached.get(key)
        else:
            value = self.book.saved(key)
        self.state.values[key] = value
        del self.grey[key]
        self.done.add(key)
        if key in self.book.formulas and key not in program.inputs:
            program.order.append(key)
        return None

    def _spill_of_what_stands(self, key: Key) -> None:
        """A part of an array for which the saved values stand has its saved value too."""
        made = self.book.formulas.get(key)
        if made is None or made.spill is None:
            return
        for why in (self.program.frozen, self.unsupported):
            if made.spill[0] in why:
                why[key] = why[made.spill[0]]
                self.program.code.pop(key, None)

    def _circle(self, cell: Key) -> None:
        path = [*list(self.grey)[list(self.grey).index(cell) :], cell]
        if not self.book.loops.allowed:
            shown = " <- ".join(map(self.book.address, path if len(path) <= 12 else [*path[:6], *path[-6:]]))
            raise UnsupportedError(
                f"{self.book.path}: the formulas need each other in a circle, which the file does not allow: {shown}; "
                "allow iterative calculation in Excel's options if it is meant"
            )
        self.looped.update(path)
        if cell not in self.state.values:
            cached = self.book.cached.get(cell)
            self.state.values[cell] = 0.0 if cached is None else cached


def traced(book: Book, outputs: Sequence[Key], inputs: Sequence[Key], *, chance: bool = False) -> Program:
    """Find what outputs are computed from, compute it once at the cached inputs, and compare.

    Parameters
    ----------
    book : Book
    outputs, inputs : sequence of Key
    chance : bool
        Whether RAND is drawn rather than frozen.

    Raises
    ------
    UnsupportedError
        If a cell on the way from the inputs to the outputs cannot be computed; with its address and the way to it.
    """
    with _without_collection():
        return _traced(Program(book, tuple(outputs), tuple(inputs)), chance)


def _traced(program: Program, chance: bool) -> Program:
    book = program.book
    tracer = _Tracer(program, chance)
    tracer.trace()
    program.specialise()
    reached = set(program.reached)
    for key, why in tracer.unsupported.items():
        if key in reached or book.cached.get(key) is None:
            raise program.refusal(key, why)
        program.frozen[key] = f"{why}; no assumption reaches it"
    frozen_on_path = [key for key in program.frozen if key in reached]
    for key in frozen_on_path:
        if book.cached.get(key) is None:
            raise program.refusal(key, f"{program.frozen[key]}, and there is no cached value to stand for it")
    compare(program, _settled(program) if tracer.looped else set())
    _check_laws(program)
    for key in frozen_on_path:
        program.code[key] = Compiled(_constant(program.base.get(key)), ())
    return program


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Do not look for garbage while tens of thousands of functions are made: all of them stay."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _constant(value: Any) -> Callable[[State], Any]:
    return lambda state: value


def _check_laws(program: Program) -> None:
    """A distribution in a formula has sure parameters."""
    uncertain = {*program.inputs, *program.reached}
    for key in dict.fromkeys(one[1] for one in program.laws):
        parameters = (cell for area in program.code[key].parameters for cell in program.cells_of(area))
        for cell in parameters:
            if cell in uncertain:
                where = program.book.address(cell)
                raise program.refusal(key, f"a distribution whose parameter {where} is uncertain is not read")


def _settled(program: Program) -> set[Key]:
    """Let circles arrive at the cached inputs, which is where the sweeps of draws begin; these are their cells."""
    blocks = circles_of(program.order, program.precedents)
    reached = program.blocks
    program.blocks = [b for b in blocks if not (len(b) == 1 and b[0] not in program.code)]
    found = program.circles()
    cached = program.book.cached
    program.base.update((key, cached[key]) for key in found if cached.get(key) is not None)
    program.begin(program.base)
    program.base = program.run({})
    program.blocks = reached
    program.specialise()
    return found
