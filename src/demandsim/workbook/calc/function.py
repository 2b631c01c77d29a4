"""Function: an output of a workbook as a function of its assumptions, as an equation of a Model has one."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import is_labelled
from demandsim.workbook.calc.book import Book, Key
from demandsim.workbook.calc.program import Program
from demandsim.workbook.calc.trace import traced
from demandsim.workbook.calc.values import CellError, Mixed

__all__ = ["Calculation", "CellFunction", "shown"]

#: Draws that are computed together: what a few cells need of them stays in the processor's cache.
_TOGETHER = 8192
#: Steps that an explanation prints; all are printed if it is asked for all labels.
_STEPS = 40


class Calculation:
    """The program behind the outputs of a workbook, shared by their functions.

    Parameters
    ----------
    book : Book
    outputs, inputs : sequence of Key
    chance : bool
        Whether RAND is drawn.
    """

    def __init__(self, book: Book, outputs: Sequence[Key], inputs: Sequence[Any], chance: bool = False) -> None:
        self.book, self.outputs, self.inputs, self.chance = book, tuple(outputs), tuple(inputs), chance
        self.program: Program = traced(book, outputs, inputs, chance=chance)
        self._last = threading.local()

    def __reduce__(self) -> Any:
        return Calculation, (self.book, self.outputs, self.inputs, self.chance)

    def needs(self, output: Key) -> list[Any]:
        """The inputs that reach an output, in their order."""
        reached = set(self.program.reached)
        found: set[Any] = set()
        waiting, seen = [output], {output}
        while waiting:
            key = waiting.pop()
            if key in self.inputs:
                found.add(key)
                continue
            found.update(one for one in self.program.chance if one[1] == key)
            for area in self.program.areas.get(key, ()):
                for cell in self.program.cells_of(area):
                    if cell not in seen and (cell in reached or cell in self.inputs):
                        seen.add(cell)
                        waiting.append(cell)
        return [one for one in (*self.inputs, *self.program.chance) if one in found]

    def steps(self, output: Key) -> list[Key]:
        """The formulas between the inputs and an output, in order."""
        wanted, waiting = {output}, [output]
        reached = set(self.program.reached)
        while waiting:
            for area in self.program.areas.get(waiting.pop(), ()):
                for cell in self.program.cells_of(area):
                    if cell in reached and cell not in wanted:
                        wanted.add(cell)
                        waiting.append(cell)
        return [key for key in self.program.reached if key in wanted]

    def digest(self) -> str:
        """What determines the results: formulas between inputs and outputs, and the values beside them."""
        made = hashlib.blake2b(digest_size=16)
        program = self.program
        for key in program.reached:
            made.update(f"{key}{self.book.formulas[key].text}".encode())
        for key, value in sorted(program.fixed.items(), key=lambda item: str(item[0])):
            if key[0] != "spill":
                made.update(f"{key}{value!r}".encode())
        return made.hexdigest()

    def computed(self, given: Mapping[Any, Array], output: Key) -> Array:
        """Values of an output for flat arrays of inputs; NaN where it is no number."""
        last = getattr(self._last, "run", None)
        if last is not None and last[0].keys() >= given.keys() and all(last[0][key] is given[key] for key in given):
            found: Array | None = last[1].get(output)
            if found is not None:
                return found
        results = self._run(given)
        # Outputs are asked for one after the other: what one run has computed serves them all. The inputs are kept,
        # so that what is the same is seen.
        self._last.run = (dict(given), results)
        return results[output]

    def _run(self, given: Mapping[Any, Array]) -> dict[Key, Array]:
        base = self.program.base
        filled = {key: base.get(key) for key in (*self.inputs, *self.program.chance)}
        known = [output for output in self.outputs if set(self.needs_of[output]) <= given.keys()]
        size = max((np.size(array) for array in given.values()), default=1)
        results = {output: np.empty(size) for output in known}
        for start in range(0, size, _TOGETHER):
            part = {key: _part(array.reshape(-1), start) for key, array in given.items()}
            values = self.program.run({**filled, **part}, whole=False)
            for output, result in results.items():
                result[start : start + _TOGETHER] = _numbers(values.get(output, base.get(output)))
        return results

    @property
    def needs_of(self) -> dict[Key, list[Any]]:
        """The inputs that reach each output."""
        if not hasattr(self, "_needs"):
            self._needs = {output: self.needs(output) for output in self.outputs}
        return self._needs


def _part(array: Array, start: int) -> Any:
    """Some draws of an input; of what does not vary its one value."""
    return float(array[0]) if array.size == 1 else array[start : start + _TOGETHER]


def _numbers(value: Any) -> Any:
    if type(value) is Mixed:
        return np.where(value.odd, np.nan, value.numbers)
    if type(value) is np.ndarray:
        return value
    return float(value) if type(value) in (float, bool) else np.nan


class CellFunction:
    """An output as a function of assumptions by name.

    Parameters
    ----------
    calculation : Calculation
    output : Key
    names : mapping of input to str
        Of the inputs that reach it.
    labels : mapping of Key to str
        What the cells are called, for explanations.
    """

    def __init__(
        self, calculation: Calculation, output: Key, names: Mapping[Any, str], labels: Mapping[Key, str]
    ) -> None:
        self.calculation, self.output, self.names, self.labels = calculation, output, dict(names), dict(labels)
        # An equation goes by them.
        self.__name__ = self.__qualname__ = "CellFunction"
        #: Said where a formula is wanted and there is none.
        self.instead = f"the cells of {Path(calculation.book.path).name} compute it: keep that file, and read it"

    def __call__(self, **inputs: Any) -> Any:
        """Compute it for numbers or arrays, which are broadcast, or by label."""
        arrays = [inputs[name] for name in self.names.values()]
        if any(is_labelled(array) for array in arrays):
            import xarray as xr

            bare = [a.copy(data=getattr(a.data, "magnitude", a.data)) if is_labelled(a) else a for a in arrays]
            return xr.apply_ufunc(self._computed, *bare)
        return self._computed(*arrays)

    def _computed(self, *arrays: Any) -> Any:
        given = [np.asarray(array, dtype=np.float64) for array in arrays]
        shape = np.broadcast_shapes(*(array.shape for array in given))
        keys = list(self.names)
        if all(array.shape == shape or array.size == 1 for array in given):
            # As they are, so that another output sees that they are the same.
            whole = dict(zip(keys, given, strict=True))
        else:
            wide = [array if array.size == 1 else np.broadcast_to(array, shape) for array in given]
            whole = {key: np.ascontiguousarray(array) for key, array in zip(keys, wide, strict=True)}
        return self.calculation.computed(whole, self.output).reshape(shape).copy()

    def __str__(self) -> str:
        book = self.calculation.book
        steps = self.calculation.steps(self.output)
        more = f", {len(steps)} cells" if len(steps) > 1 else ""
        return f"{book.address(self.output)}{more}: {book.formulas[self.output].text[:200]}"

    def trail(self, values: Mapping[str, float], everything: bool = False) -> list[str]:
        """Say how the output is computed, cell by cell, from single values of the assumptions."""
        calculation, book = self.calculation, self.calculation.book
        base = calculation.program.base
        filled = {key: base.get(key) for key in (*calculation.inputs, *calculation.program.chance)}
        found = calculation.program.run({**filled, **{key: float(values[name]) for key, name in self.names.items()}})
        steps = calculation.steps(self.output)
        left_out = 0 if everything or len(steps) <= _STEPS else len(steps) - _STEPS
        lines = [f"... {left_out} cells before these"] if left_out else []
        for key in steps[left_out:]:
            label = f"  ({self.labels[key]})" if self.labels.get(key) else ""
            lines.append(f"{book.address(key)}{label} = {shown(found.get(key))}")
            lines.append(f"    {book.formulas[key].text[:240]}")
        return lines


def shown(value: Any) -> str:
    """A value as explanations and lists of differences write it."""
    if value is None:
        return "blank"
    if isinstance(value, CellError):
        return value.code
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"{value:,.10g}"
    return repr(value)[:80]
