"""Differences: cells recomputed at the cached inputs that are not as the file says."""

from __future__ import annotations

from typing import Any

from demandsim.workbook.calc.book import Key
from demandsim.workbook.calc.program import Difference, Program
from demandsim.workbook.calc.state import State
from demandsim.workbook.calc.values import number

__all__ = ["compare"]


def compare(program: Program, circles: set[Key]) -> None:
    """Note all cells that are not as the file says.

    A cell may lie near its saved value for no fault of its formula: behind a search such as XIRR, behind a circle, or
    behind a long chain whose rounding it shows. It is judged from the saved values of what it takes.

    Parameters
    ----------
    program : Program
    circles : set of Key
        Cells on circles, which are as exact as the file's own iteration, and so is what stands behind them.
    """
    book = program.book
    near, wrong = set(circles), set[Key]()
    behind, state = set(circles), State(dict(program.base))
    for key in program.order:
        takes = _taken(program, key) if near or wrong or behind else ()
        if behind and any(cell in behind for cell in takes):
            behind.add(key)
        theirs = book.cached.get(key)
        if theirs is None or key not in program.code:
            continue
        program.checked += 1
        ours = program.base.get(key)
        slack = book.loops.delta if key in behind else 0.0
        searched = _is_searched(program, key)
        if searched or (near and any(cell in near for cell in takes)):
            near.add(key)
            ours = ours if searched else _from_saved(program, state, key, near)
        if _agree(ours, theirs, program, key, slack):
            continue
        if not searched and _only_rounded(program, state, key, ours, wrong):
            near.add(key)
            continue
        wrong.add(key)
        program.differences.append(Difference(key, book.formulas[key].text, ours, theirs))


def _only_rounded(program: Program, state: State, key: Key, ours: Any, wrong: set[Key]) -> bool:
    """Whether a number is what its formula makes of saved values, and as near to it as numbers of their size are."""
    theirs, takes = program.book.cached[key], _taken(program, key)
    if type(ours) is not float or type(theirs) is not float or any(cell in wrong for cell in takes):
        return False
    size = max((abs(value) for cell in takes if type(value := program.base.get(cell)) is float), default=0.0)
    if abs(ours - theirs) > 1e-9 * size:
        return False
    return _agree(_from_saved(program, state, key, set(takes)), theirs, program, key, 0.0)


def _taken(program: Program, key: Key) -> list[Key]:
    """Cells from which a cell is computed; those of its array formula, if it shows a part of one."""
    made = program.book.formulas[key]
    if made.spill is None or made.spill[0] not in program.areas:
        return list(program.precedents(key))
    return [made.spill[0], *program.precedents(made.spill[0])]


def _is_searched(program: Program, key: Key) -> bool:
    """Whether a value is found by a search that stops near it, rather than by a formula."""
    return "XIRR" in program.book.formulas[key].text.upper()


def _from_saved(program: Program, state: State, key: Key, near: set[Key]) -> Any:
    """What a cell comes to if some that it takes have the values that the file says."""
    cached, values = program.book.cached, state.values
    saved = {cell: cached[cell] for cell in _taken(program, key) if cell in near and cached.get(cell) is not None}
    before = {cell: values.get(cell) for cell in saved}
    values.update(saved)
    anchor = program.book.formulas[key].spill
    if anchor is not None and anchor[0] in program.code:
        program.computed(anchor[0], state)
    found = program.computed(key, state)
    values.update(before)
    return found


def _agree(ours: Any, theirs: Any, program: Program, key: Key, slack: float) -> bool:
    if type(ours) is float and type(theirs) is float:
        loose = 1e-8 if _is_searched(program, key) else 1e-9
        if abs(ours - theirs) <= max(loose * max(abs(ours), abs(theirs)), slack):
            return True
        # A difference of large numbers is as exact as they are.
        near = [program.base.get(cell) for cell in _taken(program, key)]
        size = max((abs(value) for value in near if type(value) is float), default=0.0)
        return abs(ours - theirs) <= 1e-13 * size
    if type(ours) is bool or type(theirs) is bool:
        return isinstance(ours, (bool, float)) and isinstance(theirs, (bool, float)) and number(ours) == number(theirs)
    if type(ours) is str and type(theirs) is str:
        return ours == theirs
    return bool(ours == theirs)
