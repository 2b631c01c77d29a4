"""Program: cells between assumptions and outputs, found backwards from the outputs and run forwards over draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from demandsim.workbook.calc.book import Book, Key
from demandsim.workbook.calc.circles import change, circles_of, invalid, kept
from demandsim.workbook.calc.references import Area
from demandsim.workbook.calc.risk import Drawn
from demandsim.workbook.calc.state import Compiled, State
from demandsim.workbook.calc.values import CellError, Grid, UnsupportedError

__all__ = ["Difference", "Program"]

#: What sweeps of circular references change at most when they have arrived.
_ARRIVED = 1e-12
#: Sweeps that are made if need be, however few the file allows: Excel goes on each time that it is asked to calculate.
_SWEEPS = 200


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
                    state.values[block[0]] = self.computed(block[0], state)
                else:
                    self._swept(block, state)
                for key in () if whole else self._done_with[place]:
                    state.values.pop(key, None)
        return state.values

    def circles(self) -> set[Key]:
        """Cells of circles among the blocks."""
        self._selfish = {b[0] for b in self.blocks if len(b) == 1 and b[0] in set(self.precedents(b[0]))}
        return {key for block in self.blocks if len(block) > 1 for key in block} | self._selfish

    def begin(self, values: Mapping[Any, Any]) -> None:
        """Let a run begin at some values of all cells."""
        self._fixed, self._grids = dict(values), {}

    def _loops_on_itself(self, key: Key) -> bool:
        return key in self._selfish

    def computed(self, key: Key, state: State) -> Any:
        """Value of a cell, of which an error is one too."""
        try:
            return self.code[key].run(state)
        except CellError as error:
            return CellError(error.code)
        except UnsupportedError as error:
            raise self.refusal(key, str(error)) from None

    def _swept(self, block: Sequence[Key], state: State) -> None:
        """Sweep over a circle until no draw changes any more, or by less than the file asks for."""
        values = state.values
        for key in block:
            values[key] = self.base.get(key)
        loops, arrived = self.book.loops, np.array(False)
        moved: Any = np.array(0.0)
        for _ in range(max(loops.count, _SWEEPS)):
            before = {key: values[key] for key in block}
            for key in block:
                values[key] = self.computed(key, state)
                # Cells of a circle change, and what ranges of them came to with them.
                state.begun.clear()
            changes = [change(before[key], values[key]) for key in block]
            moved, sizes = (np.max(np.broadcast_arrays(*part), axis=0) for part in zip(*changes, strict=True))
            # A draw that has arrived stays, so that it does not depend on the others.
            for key in block:
                values[key] = kept(arrived, before[key], values[key])
            arrived = arrived | (moved <= _ARRIVED * sizes)
            if np.all(arrived):
                return
        lost = ~arrived & ~(moved <= loops.delta)
        for key in block:
            values[key] = invalid(lost, values[key])

    def specialise(self) -> None:
        """Keep for runs only what they need: the part that the inputs reach, and the values beside it."""
        part, reached = self._reach()
        self.blocks = circles_of(part, self.precedents)
        self.circles()
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
                last.update((cell, place) for cell in self.precedents(key) if cell in reached)
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

    def precedents(self, key: Key) -> Iterator[Key]:
        """Cells that a formula takes."""
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
