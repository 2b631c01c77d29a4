"""Program: cells between assumptions and outputs, found backwards from the outputs and run forwards over draws."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from demandsim.workbook.calc.book import Book, Key
from demandsim.workbook.calc.draws import is_drawn
from demandsim.workbook.calc.expressions import Compiled, FrozenError, Needed, State, compiled, references_of
from demandsim.workbook.calc.grammar import parsed
from demandsim.workbook.calc.references import Area
from demandsim.workbook.calc.risk import Drawn
from demandsim.workbook.calc.values import NUM, CellError, Grid, Mixed, UnsupportedError, number

__all__ = ["Difference", "Program", "traced"]

#: What sweeps of circular references change at most when they have arrived.
_ARRIVED = 1e-12


@dataclass(frozen=True)
class Difference:
    """A cell whose value here is not the one in the file."""

    key: Key
    formula: str
    ours: Any
    theirs: Any


@dataclass
class Program:
    """What outputs are computed from.

    Parameters
    ----------
    book : Book
    outputs, inputs : tuple of Key
    order : list of Key
        All formulas that the outputs depend on, each after what it takes.
    code : dict of Key to Compiled
    frozen : dict of Key to str
        Cells for which their cached values stand, and why.
    base : dict
        Values at the cached inputs.
    blocks : list of list of Key
        The part of `order` that the inputs reach; several cells together are a circle.
    chance : list
        Draws that formulas ask for themselves, by RAND or as distributions of @RISK.
    laws : dict
        The latter.
    differences : list of Difference
        Cells that are not as the file says, in order.
    checked : int
        Cells that could be compared.
    """

    book: Book
    outputs: tuple[Key, ...]
    inputs: tuple[Any, ...]
    order: list[Key] = field(default_factory=list)
    code: dict[Key, Compiled] = field(default_factory=dict)
    areas: dict[Key, list[Area]] = field(default_factory=dict)
    frozen: dict[Key, str] = field(default_factory=dict)
    base: dict[Any, Any] = field(default_factory=dict)
    blocks: list[list[Key]] = field(default_factory=list)
    chance: list[Any] = field(default_factory=list)
    laws: dict[Any, Drawn] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    checked: int = 0

    def __post_init__(self) -> None:
        self._fixed: dict[Any, Any] = {}
        self._grids: dict[Area, Grid] = {}
        self._selfish: set[Key] = set()
        self._done_with: list[list[Key]] = []

    @property
    def fixed(self) -> dict[Any, Any]:
        """Values beside the part that the inputs reach: what it takes as it is."""
        return dict(self._fixed)

    @property
    def reached(self) -> list[Key]:
        """Formulas that the inputs reach, in order."""
        return [key for block in self.blocks for key in block]

    def cells_of(self, area: Area) -> Iterator[Key]:
        """Cells of a range that can hold anything."""
        return iter((area.first,)) if area.single else area.clipped(self.book).cells()

    def run(self, given: Mapping[Any, Any], *, whole: bool = True) -> dict[Any, Any]:
        """Compute everything that the inputs reach.

        Parameters
        ----------
        given : mapping of input to number or array of shape (draws,)
        whole : bool
            Whether to keep every cell, rather than the outputs and what they still need: memory that is used again
            stays in the processor's cache.

        Returns
        -------
        dict of Key to value
        """
        state = State({**self._fixed, **given}, self._grids)
        with np.errstate(all="ignore"):
            for place, block in enumerate(self.blocks):
                if len(block) == 1 and not self._loops_on_itself(block[0]):
                    state.values[block[0]] = self._computed(block[0], state)
                else:
                    self._swept(block, state)
                for key in () if whole else self._done_with[place]:
                    state.values.pop(key, None)
        return state.values

    def _loops_on_itself(self, key: Key) -> bool:
        return key in self._selfish

    def _computed(self, key: Key, state: State) -> Any:
        try:
            return self.code[key].run(state)
        except CellError as error:
            return CellError(error.code)
        except UnsupportedError as error:
            raise self.refusal(key, str(error)) from None

    def _swept(self, block: Sequence[Key], state: State) -> None:
        """Sweep over a circle until no draw changes any more, within the limits of the file."""
        values = state.values
        for key in block:
            values[key] = self.base.get(key)
        loops, arrived = self.book.loops, np.array(False)
        moved: Any = np.array(0.0)
        for _ in range(loops.count):
            before = {key: values[key] for key in block}
            for key in block:
                values[key] = self._computed(key, state)
            changes = [_change(before[key], values[key]) for key in block]
            moved, sizes = (np.max(np.broadcast_arrays(*part), axis=0) for part in zip(*changes, strict=True))
            # A draw that has arrived stays, so that it does not depend on the others.
            for key in block:
                values[key] = _kept(arrived, before[key], values[key])
            arrived = arrived | (moved <= _ARRIVED * sizes)
            if np.all(arrived):
                return
        lost = ~arrived & ~(moved <= loops.delta)
        for key in block:
            values[key] = _invalid(lost, values[key])

    def specialise(self) -> None:
        """Keep for runs only what they need: the part that the inputs reach, and the values beside it."""
        part, reached = self._reach()
        self.blocks = _circles(part, self._precedents)
        self._selfish = {b[0] for b in self.blocks if len(b) == 1 and b[0] in set(self._precedents(b[0]))}
        self._fixed, self._grids = {}, {}
        for key in part:
            for area in self.areas[key] if key not in self.frozen else ():
                cells = list(self.cells_of(area))
                if not area.single and not any(cell in reached for cell in cells):
                    self._grids[area] = self._grid(area)
                self._fixed.update((cell, self.base[cell]) for cell in cells if cell in self.base)
        for key in part:
            self._fixed.pop(key, None)
        self._fixed.update((key, value) for key, value in self.base.items() if key[0] == "spill")

        self._done_with = self._last_uses(set(part))

    def _last_uses(self, reached: set[Key]) -> list[list[Key]]:
        """Cells that no later block takes, by block; outputs are kept."""
        last: dict[Key, int] = {}
        for place, block in enumerate(self.blocks):
            for key in block:
                last[key] = place
                last.update((cell, place) for cell in self._precedents(key) if cell in reached)
        found: list[list[Key]] = [[] for _ in self.blocks]
        for key, place in last.items():
            if key not in self.outputs:
                found[place].append(key)
        return found

    def _reach(self) -> tuple[list[Key], set[Any]]:
        """Formulas that the inputs reach, in order, and everything that depends on the draw."""
        reached: set[Any] = {*self.inputs, *self.chance}
        drawn = {one[1] for one in self.chance}
        formulas = [key for key in self.order if key not in self.inputs]
        while True:
            before = len(reached)
            for key in formulas:
                if key not in reached and (key in drawn or any(self._touched(one, reached) for one in self.areas[key])):
                    reached.add(key)
            # Within circles what comes later may reach what comes first.
            if len(reached) == before or not self.book.loops.allowed:
                return [key for key in formulas if key in reached], reached

    def _touched(self, area: Area, reached: set[Any]) -> bool:
        return area.first in reached if area.single else any(cell in reached for cell in self.cells_of(area))

    def _grid(self, area: Area) -> Grid:
        used = area.clipped(self.book)
        columns = range(used.left, used.right + 1)
        rows = [[self.base.get((used.sheet, i, j)) for j in columns] for i in range(used.top, used.bottom + 1)]
        return Grid(rows, area.first, area.shape)

    def _precedents(self, key: Key) -> Iterator[Key]:
        for area in self.areas[key]:
            yield from self.cells_of(area)

    def refusal(self, key: Key, why: str) -> UnsupportedError:
        """The error of a cell that cannot be computed, with the way from an output to it."""
        path = self._way_to(key)
        shown = " <- ".join(map(self.book.address, path if len(path) <= 8 else [*path[:4], *path[-4:]]))
        formula = self.book.formulas[key].text if key in self.book.formulas else ""
        return UnsupportedError(
            f"{self.book.path}: {self.book.address(key)}: {why}; its formula is {formula[:120]}"
            + (f"; the way from the output: {shown}" if len(path) > 1 else "")
        )

    def _way_to(self, key: Key) -> list[Key]:
        for output in self.outputs:
            came: dict[Key, Key | None] = {output: None}
            waiting = [output]
            for one in waiting:
                if one == key:
                    way: list[Key] = []
                    step: Key | None = one
                    while step is not None:
                        way.append(step)
                        step = came[step]
                    return way[::-1]
                for area in self.areas.get(one, ()):
                    for cell in self.cells_of(area):
                        if cell not in came and cell in self.book.formulas:
                            came[cell] = one
                            waiting.append(cell)
        return [key]


def _change(before: Any, after: Any) -> tuple[Any, Any]:
    """How far a value has moved in each draw, and its size; an error or text has not moved if it is the same."""
    one, other = _plain(before), _plain(after)
    moved = np.abs(other - one)
    if type(before) in (float, np.ndarray) and type(after) in (float, np.ndarray):
        return moved, np.maximum(np.abs(other), 1e-9)
    both = np.isnan(one) & np.isnan(other)
    return np.where(both, 0.0, np.where(np.isnan(moved), np.inf, moved)), np.maximum(np.nan_to_num(np.abs(other)), 1e-9)


def _plain(value: Any) -> Any:
    if type(value) is Mixed:
        return value.numbers
    if type(value) is np.ndarray:
        return value.astype(np.float64)
    if value is None:
        return np.array(0.0)
    return np.array(float(value) if type(value) in (float, bool) else np.nan)


def _kept(arrived: Any, before: Any, after: Any) -> Any:
    if not np.any(arrived) or before is after:
        return after
    if type(before) in (float, np.ndarray) and type(after) in (float, np.ndarray):
        return np.where(arrived, before, after)
    return after


def _invalid(lost: Any, value: Any) -> Any:
    """A value that is an error in the draws that have not arrived."""
    if not np.any(lost):
        return value
    if not np.ndim(lost):
        return NUM
    numbers = np.where(lost, np.nan, np.broadcast_to(_plain(value), lost.shape))
    odd = lost | np.isnan(numbers)
    things = np.full(lost.shape, NUM, dtype=object)
    return Mixed(numbers, odd, things)


def _circles(order: Sequence[Key], precedents: Callable[[Key], Iterable[Key]]) -> list[list[Key]]:
    """Cells in order, those of a circle together (Tarjan's algorithm, without recursion)."""
    place = {key: i for i, key in enumerate(order)}
    index: dict[Key, int] = {}
    low: dict[Key, int] = {}
    stack: list[Key] = []
    on_stack: set[Key] = set()
    found: list[list[Key]] = []
    for root in order:
        if root in index:
            continue
        work = [(root, iter(list(precedents(root))))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            key, rest = work[-1]
            for other in rest:
                if other not in place:
                    continue
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(list(precedents(other)))))
                    break
                if other in on_stack:
                    low[key] = min(low[key], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[key])
                if low[key] == index[key]:
                    block = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        block.append(member)
                        if member == key:
                            break
                    found.append(sorted(block, key=place.__getitem__))
    return found


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
    _compare(program, tracer)
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
    if tracer.looped:
        _settle(program)
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


def _settle(program: Program) -> None:
    """Let circles arrive at the cached inputs, which is where the sweeps of draws begin."""
    blocks = _circles(program.order, program._precedents)
    reached = program.blocks
    program.blocks = [b for b in blocks if not (len(b) == 1 and b[0] not in program.code)]
    program._selfish = {b[0] for b in blocks if len(b) == 1 and b[0] in set(program._precedents(b[0]))}
    program._fixed, program._grids = dict(program.base), {}
    program.base = program.run({})
    program.blocks = reached
    program.specialise()


def _compare(program: Program, tracer: _Tracer) -> None:
    book = program.book
    near: set[Key] = set()
    for key in program.order:
        if key not in program.code:
            continue
        theirs = book.cached.get(key)
        if theirs is None:
            continue
        program.checked += 1
        ours = program.base.get(key)
        slack = book.loops.delta if tracer.looped and key in _after(tracer, program) else 0.0
        if _is_searched(program, key) or (near and any(cell in near for cell in program._precedents(key))):
            # What XIRR finds is near the file's value, and what is computed from it is judged from that value.
            near.add(key)
            ours = ours if _is_searched(program, key) else _from_saved(program, key, near)
        if not _agree(ours, theirs, program, key, slack):
            program.differences.append(Difference(key, book.formulas[key].text, ours, theirs))


def _is_searched(program: Program, key: Key) -> bool:
    """Whether a value is found by a search that stops near it, rather than by a formula."""
    return "XIRR" in program.book.formulas[key].text.upper()


def _from_saved(program: Program, key: Key, near: set[Key]) -> Any:
    """What a cell comes to if some that it takes have the values that the file says."""
    saved = {cell: program.book.cached.get(cell) for cell in program._precedents(key) if cell in near}
    return program._computed(key, State({**program.base, **saved}))


def _after(tracer: _Tracer, program: Program) -> set[Key]:
    """Cells on circles and behind them: as exact as the file's own iteration."""
    if not hasattr(tracer, "behind"):
        behind = set(tracer.looped)
        for key in program.order:
            if any(cell in behind for cell in program._precedents(key)):
                behind.add(key)
        tracer.behind = behind  # type: ignore[attr-defined]
    return tracer.behind  # type: ignore[attr-defined,no-any-return]


def _agree(ours: Any, theirs: Any, program: Program, key: Key, slack: float) -> bool:
    if type(ours) is float and type(theirs) is float:
        loose = 1e-8 if _is_searched(program, key) else 1e-9
        if abs(ours - theirs) <= max(loose * max(abs(ours), abs(theirs)), slack):
            return True
        # A difference of large numbers is as exact as they are.
        near = [program.base.get(cell) for cell in program._precedents(key)]
        size = max((abs(value) for value in near if type(value) is float), default=0.0)
        return abs(ours - theirs) <= 1e-13 * size
    if type(ours) is bool or type(theirs) is bool:
        return isinstance(ours, (bool, float)) and isinstance(theirs, (bool, float)) and number(ours) == number(theirs)
    if type(ours) is str and type(theirs) is str:
        return ours == theirs
    return bool(ours == theirs)


def is_number(value: Any) -> bool:
    """Whether a value is a number, in every draw or surely."""
    return type(value) is float or is_drawn(value)
