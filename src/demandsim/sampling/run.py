"""Runs: what to draw and keep, one range of it, and what to say when an equation fails."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array, available_memory, keep_freed_memory, memory_text
from demandsim.errors import EquationError, InvalidDrawsError, MemoryGuardError, equation_of
from demandsim.graph.equation import Equation
from demandsim.graph.graph import ancestors
from demandsim.sampling.program import Program
from demandsim.statistics.design import DesignName

__all__ = ["BLOCK", "Faults", "Run", "Stored", "guard_memory", "spans", "stored_shape", "threads_that_fit"]

#: Draws of one block: large enough that threads rarely wait for the interpreter, small enough that
#: a handful of arrays of it stay in the caches.
BLOCK = 65_536
#: Values of one quantity in one block: more would leave the caches, and fill the memory, where quantities have years
#: and hardware; fewer would spend their time on labels.
_BLOCK_VALUES = 2**19
#: Bytes for which the system is not asked whether it has them, which takes as long as to draw so many.
_UNASKED = 1 << 20
#: Bytes of one entry in the list of what is to be done.
_LISTED = 1024

Stored = npt.NDArray[np.floating[Any]]


def spans(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """Split a range into pieces of at most `size`, as (start, stop) of each.

    Examples
    --------
    >>> list(spans(0, 10, 4))
    [(0, 4), (4, 8), (8, 10)]
    """
    for first in range(start, stop, size):
        yield first, min(first + size, stop)


@dataclass(frozen=True)
class Run:
    """What to run: a program, a randomisation and the quantities to keep.

    Parameters
    ----------
    program : Program
    design : str
    seed : int
    chains, draws : int
        Independent randomisations, and draws of each.
    keep : tuple of str
        Quantities to store; only they and what they need are computed.
    needed : frozenset of str
        `keep` and all their ancestors.
    dtype : numpy dtype
        In which values are stored; they are computed in double precision.
    on_invalid : {"raise", "keep"}
        What to do with NaN and infinity made by an equation.
    """

    program: Program
    design: DesignName
    seed: int
    chains: int
    draws: int
    keep: tuple[str, ...]
    needed: frozenset[str]
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float64))
    on_invalid: str = "raise"

    @property
    def total(self) -> int:
        """Draws of all chains together."""
        return self.chains * self.draws

    @property
    def block_size(self) -> int:
        """Draws to compute at a time: fewer where quantities have many labels, so that caches hold a handful."""
        layout, varying = self.program.layout, self.program.varying
        labels = [math.prod(layout.size(dim) for dim in varying[name].dims) for name in self.needed if name in varying]
        fitting = _BLOCK_VALUES // max(labels, default=1)
        return min(BLOCK, max(1 << fitting.bit_length() >> 1, 1024))

    def only(self, names: Sequence[str], draws: int | None = None) -> Run:
        """The same run of some of its quantities, and of the first draws of each chain: the same bits."""
        inputs = {step.equation.name: step.equation.inputs for step in self.program.steps}
        needed = frozenset(ancestors(inputs, names))
        return replace(self, keep=tuple(names), needed=needed, draws=draws or self.draws)

    def grades(self, start: int, stop: int) -> Callable[[int], Array]:
        """Numbers in (0, 1) for a range of the flat index, by stream; see `Program.grades`."""
        return self.program.grades(self.design, self.seed, start, stop, self.draws)

    def block(self, start: int, stop: int) -> dict[str, Array]:
        """Compute a range of the flat index ``chain * draws + draw``.

        Returns
        -------
        dict of array
            All needed quantities, in their units, with all axes of the layout.

        Raises
        ------
        EquationError
            If an equation raises; with its name and the first draw that makes it.
        """
        return dict(self.quantities(start, stop))

    def quantities(self, start: int, stop: int, faults: Faults | None = None) -> Iterator[tuple[str, Array]]:
        """Name and values of one quantity after the other, as `block` has them, with their faults counted.

        Whoever keeps none of them needs memory only for what equations are still to be computed from.
        """
        assumed = self.program.assume(self.grades(start, stop), stop - start, self.needed)
        yield from assumed.items()
        never: dict[str, Any] = {}
        try:
            for step, values in self.program.derived(assumed, self.needed):
                if faults is not None:
                    faults.look(self, step.equation, values, start, never)
                yield step.equation.name, values
        except Exception as error:
            raise self._explained(error, start, stop) from error

    def _explained(self, error: Exception, start: int, stop: int) -> EquationError:
        """Find the first draw that makes the equation raise, by halving the range."""
        while stop - start > 1:
            middle = (start + stop) // 2
            if self._raises(start, middle):
                stop = middle
            elif self._raises(middle, stop):
                start = middle
            else:
                break
        name = equation_of(error) or "?"
        where = f"at {self.spot(start)}, from {self.causes(name, start)}" if stop - start == 1 else "in no draw alone"
        said = f"equation '{name}' raised {type(error).__name__}: {error}"
        return EquationError(f"{error if isinstance(error, EquationError) else said}; {where}", name)

    def _raises(self, start: int, stop: int) -> bool:
        assumed = self.program.assume(self.grades(start, stop), stop - start, self.needed)
        try:
            self.program.derive(assumed, self.needed)
        except Exception:
            return True
        return False

    def spot(self, place: int) -> str:
        """Name a draw of the flat index."""
        chain, draw = divmod(place, self.draws)
        return f"chain {chain}, draw {draw}"

    def causes(self, name: str, place: int, element: tuple[int, ...] | None = None) -> str:
        """Write the assumptions behind a quantity in one draw."""
        grades = self.grades(place, place + 1)
        causes = ancestors({step.equation.name: step.equation.inputs for step in self.program.steps}, [name])
        words = []
        for cause, values in self.program.assume(grades, 1, causes).items():
            if element is not None:
                at = tuple(min(i, n - 1) for i, n in zip(element, values.shape, strict=True))
                words.append(f"{cause} = {values[at]:.6g}")
            else:
                low, high = float(values.min()), float(values.max())
                words.append(f"{cause} = {low:.6g}" + ("" if low == high else f" to {high:.6g}"))
        return ", ".join(words) or "no assumption"

    def range_of(self, chain: int, start: int, stop: int) -> dict[str, Array]:
        """Compute draws `start` to `stop` of one chain, kept quantities only, in cache-sized blocks.

        Returns
        -------
        dict of array
            Shape (scenario dims, model dims, draws), over the dims along which each varies; size 1
            in draws for what is sure.

        Raises
        ------
        EquationError, InvalidDrawsError
            If an equation fails on a draw of the range.
        """
        # Workers of others, which have compiled nothing, begin here.
        keep_freed_memory()
        out: dict[str, Array] = {}
        faults = Faults()
        for first, last in spans(start, stop, self.block_size):
            spot = chain * self.draws
            for name, values in self.quantities(spot + first, spot + last, faults):
                if name not in self.keep:
                    continue
                shape = stored_shape(self, name)[:-2]
                random = self.program.varying[name].random
                if name not in out:
                    out[name] = np.empty((*shape, stop - start if random else 1), dtype=self.dtype)
                target = out[name][..., first - start : last - start] if random else out[name]
                with np.errstate(over="ignore"):
                    target[...] = values.reshape(target.shape)
        if faults.counts and self.on_invalid == "raise":
            raise InvalidDrawsError(faults.described(self))
        return {name: out[name] for name in self.keep}


@dataclass
class Faults:
    """Invalid values made by equations, counted per quantity, with the first draw of each.

    Those outside the bounds of their quantity come as NaN.
    """

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)

    def look(self, run: Run, made: Equation, values: Array, start: int, never: dict[str, Any]) -> None:
        """Count NaN and infinity in what an equation made of one block, but for NaN that is a result.

        `never` holds where those before it were, and learns where this one is.
        """
        random = run.program.varying[made.name].random
        # As they are stored: a number can be too large for single precision. If the least and the greatest
        # are finite, all are: two passes that fill no array.
        with np.errstate(over="ignore", invalid="ignore"):
            ends = np.array([values.min(), values.max()]).astype(run.dtype)
            if np.isfinite(ends).all() or not (random or start == 0):
                return
            bad = ~np.isfinite(values.astype(run.dtype, copy=False))
        bad = _but_never(run, made, values, bad, never)
        if bad.any():
            number = int(np.count_nonzero(bad)) * (1 if random else run.total)
            place = start + int(np.argmax(bad.reshape(-1, bad.shape[-1]).any(axis=0)))
            self.merge(Faults({made.name: number}, {made.name: place}))

    def merge(self, other: Faults) -> None:
        """Add the counts of another block."""
        for name, number in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + number
            self.first[name] = min(self.first.get(name, other.first[name]), other.first[name])

    def described(self, run: Run) -> str:
        """Say which equation made invalid values first, in how many draws, and from which assumptions."""
        order = [step.equation.name for step in run.program.steps if step.equation.name in self.counts]
        origin, place = order[0], self.first[order[0]]
        values = run.block(place, place + 1)
        with np.errstate(over="ignore"):
            bad = ~np.isfinite(values[origin].astype(run.dtype, copy=False))
        open_ = dataclasses.replace(run, program=run.program.unbounded()).block(place, place + 1)
        element = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))
        layout = run.program.layout
        labels = [
            f"{dim} {layout.coords[dim][i]}"
            for dim, i, n in zip(layout.dims, element, bad.shape, strict=False)
            if n > 1
        ]
        others = [f"'{name}' ({self.counts[name]:,})" for name in order[1:]]
        follow = f"; it goes on into {', '.join(others)}" if others else ""
        made, value = run.program.equation(origin), float(open_[origin][element])
        what, which = "NaN or infinity", ""
        if made.bounds is not None and math.isfinite(value) and not made.bounds.holds(value):
            what, unit = "results outside its bounds", "" if made.unit == "1" else f" {made.unit}"
            which = f": {value:.6g}{unit} is {made.bounds.passed(value)}"
        return (
            f"equation '{origin}' made {what} in {self.counts[origin]:,} values{follow}. First at "
            f"{', '.join([*labels, run.spot(place)])}{which}, from {run.causes(origin, place, element)}. Mend the "
            "distributions (truncate them?), or pass on_invalid='keep' to keep and count such draws."
        )


def _but_never(run: Run, made: Equation, result: Array, bad: Any, never: dict[str, Any]) -> Any:
    """What is invalid, without NaN that is a result or comes of one in the same draw; `never` then knows of it."""
    before = [never[name] for name in made.inputs if name in never]
    if made.invalid != "keep" and not before:
        return bad
    nan = np.isnan(result)
    allowed = nan if made.invalid == "keep" else nan & functools.reduce(np.logical_or, before)
    layout = run.program.layout
    along = tuple(range(len(layout.scenario_dims), len(layout.dims)))
    never[made.name] = allowed.any(axis=along, keepdims=True)
    return bad & ~allowed


def stored_shape(run: Run, name: str) -> tuple[int, ...]:
    """Shape in which a quantity is stored: scenario dims, model dims, chain, draw."""
    varying, layout = run.program.varying[name], run.program.layout
    return (*(layout.size(dim) for dim in layout.dims if dim in varying.dims), run.chains, run.draws)


def guard_memory(run: Run, copies: int = 1, more: int = 0) -> None:
    """Raise before anything is computed if the draws would not fit.

    Parameters
    ----------
    run : Run
    copies : int, default 1
        How often the draws are held.
    more : int, default 0
        Bytes that are held besides.

    Raises
    ------
    MemoryGuardError
        With the size, and what to do.
    """
    random = [name for name in run.keep if run.program.varying[name].random]
    sizes = {name: copies * math.prod(stored_shape(run, name)) * run.dtype.itemsize for name in random}
    needed = sum(sizes.values()) + more + _while_computing(run, run.total)
    if needed < _UNASKED:
        return
    free = available_memory()
    if needed > 0.9 * free:
        largest = max(sizes, key=lambda name: sizes[name], default="")
        which = f" (the largest is '{largest}' with {memory_text(sizes[largest])})" if largest else ""
        raise MemoryGuardError(
            f"{run.total:,} draws of {len(random)} quantities need {memory_text(needed)}, "
            f"{memory_text(free)} are available{which}; "
            "store fewer with keep=[...], or run out of core with chunks=... or store='draws.zarr'"
        )


def threads_that_fit(run: Run, chunk: int, threads: int) -> int:
    """How many threads can each hold a chunk of all kept quantities, at most `threads`.

    Raises
    ------
    MemoryGuardError
        If not even one can, or the blocks are too many to be listed; with the size, and what to do.
    """
    free, size = 0.9 * available_memory(), min(chunk, run.draws)
    values = sum(math.prod(stored_shape(run, name)[:-2]) for name in run.keep)
    # Computed, arranged as they are stored, and as bytes on their way to the disk.
    one = 3 * values * size * run.dtype.itemsize + _while_computing(run, size)
    listed = run.chains * -(-run.draws // chunk) * (len(run.keep) + 1) * _LISTED
    if one > free:
        fitting = max(int(chunk * free / one / 2), 1)
        raise MemoryGuardError(
            f"a chunk of {size:,} draws of {len(run.keep)} quantities needs {memory_text(one)}, "
            f"{memory_text(free)} are available; "
            f"keep fewer with keep=[...], or draw in smaller pieces with chunks={fitting}"
        )
    if listed > free:
        raise MemoryGuardError(
            f"{run.total:,} draws in chunks of {chunk:,} are too many chunks: their list alone needs "
            f"{memory_text(listed)}, {memory_text(free)} are available; draw in larger pieces with chunks=..."
        )
    return max(min(threads, int(free // one)), 1)


def _while_computing(run: Run, draws: int) -> int:
    """Bytes that one thread needs for a block: everything that the kept quantities are computed from."""
    layout, varying, block = run.program.layout, run.program.varying, min(run.block_size, draws)
    labels = [math.prod(layout.size(dim) for dim in varying[name].dims) for name in run.needed if name in varying]
    return 8 * block * sum(labels)
