"""Loop: equations that need last year's values of each other, stepped together along a dim.

A recurrence is an equation with a `Lag`: others take its value at the label before as ``previous_NAME``. Equations that
lean on each other so form a loop. It is turned into equations without a circle: one for each quantity of which a value
before is needed, which steps from label to label; all others then follow from those, for all labels at once.
"""

from __future__ import annotations

import dataclasses
import functools
import graphlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim.distributions.format import check_order
from demandsim.errors import CycleError, EquationError, in_equation
from demandsim.units.constant import Constant
from demandsim.units.convert import base_factor

__all__ = ["PREVIOUS", "Lag", "Lagged", "Stepped", "previous", "without_loops"]

#: Before the name of a quantity: its value at the label before.
PREVIOUS = "previous_"
_MOST_KEPT = 4096
#: Labels that a loop steps through: each step is computed by itself, a dozen times while a model is built.
_MOST_STEPS = 10_000


@dataclass(frozen=True)
class Lag:
    """How a quantity is taken at the label before.

    Parameters
    ----------
    of : str
    over : str
        The dim.
    start : str
        Quantity that stands before the first label.
    constant : Constant, optional
        Its value, where the model gives none.
    """

    of: str
    over: str
    start: str
    constant: Constant | None = None


def previous(values: Any, start: Any, over: str) -> Any:
    """Values at the label before, and `start` at the first.

    Parameters
    ----------
    values : DataArray with dim `over`
    start : DataArray without it, or float
    over : str

    Examples
    --------
    >>> import xarray as xr
    >>> previous(xr.DataArray([1.0, 2.0, 4.0], dims="year"), 0.5, "year").values
    array([0.5, 1. , 2. ])
    """
    steps = [values.isel({over: place}, drop=True) for place in range(values.sizes[over] - 1)]
    return _stacked([_at(start, over, 0), *steps], over, values.coords.get(over))


def _stacked(steps: Sequence[Any], over: str, labels: Any) -> Any:
    """One array of those at each label."""
    import xarray as xr

    if labels is not None:
        check_order(labels.values, over)
    arrays = xr.broadcast(*(step if hasattr(step, "dims") else xr.DataArray(step) for step in steps))
    dims = arrays[0].dims
    data: Any = np.stack([array.transpose(*dims).data for array in arrays])
    coords = {dim: arrays[0].coords[dim] for dim in dims if dim in arrays[0].coords}
    # Draws stand last, as everywhere.
    made = xr.DataArray(data, dims=(over, *dims), coords=coords | ({} if labels is None else {over: labels.values}))
    return made.transpose(..., *(dim for dim in dims if dim == "draw"))


def _at(value: Any, over: str, place: int) -> Any:
    return value.isel({over: place}, drop=True) if over in getattr(value, "dims", ()) else value


def _possible(made: Any, value: Any) -> Any:
    """The value with NaN where it is none that the quantity can have."""
    if made.bounds is None or not isinstance(getattr(value, "data", value), np.ndarray | float):
        return value
    low, high = made.bounds.scaled(base_factor(made.unit)).roomy()
    if not hasattr(value, "dims"):
        return value if low <= value <= high else np.nan
    return value.where((value >= low) & (value <= high))


def _none_of(made: Any, raw: Any, value: Any, inputs: Iterable[Any]) -> Any:
    """Where a step has made no number, and NaN neither is a result of it nor comes of one."""
    if not isinstance(getattr(value, "data", value), np.ndarray | float):
        return np.False_
    none = np.isnan(raw)
    allowed = functools.reduce(np.logical_or, map(np.isnan, inputs), np.bool_(made.invalid == "keep"))
    return np.logical_or(np.isnan(value) & ~none, none & ~allowed)


def _marked(value: Any, wrong: Any) -> Any:
    """A value that is infinite, which is an error everywhere, where something behind it is wrong."""
    if not np.any(wrong):
        return value
    import xarray as xr

    marked: Any = xr.where(wrong, np.inf, value) if hasattr(value, "dims") else np.inf  # type: ignore[no-untyped-call]
    return marked


class _Looped:
    """What both kinds have: the equation as it is written, and what it takes in place of values before."""

    def __init__(self, made: Any, lags: Mapping[str, Lag]) -> None:
        self.made, self.lags = made, dict(lags)
        self.__name__ = self.__qualname__ = made.name
        self.__doc__ = None

    @property
    def text(self) -> str:
        """The right-hand side as it is written."""
        return str(self.made.formula)


class Lagged(_Looped):
    """An equation over values at the label before, of quantities that are known for all labels."""

    def __call__(self, **values: Any) -> Any:
        """Compute it from labelled values in base units."""
        inputs = {
            name: previous(_with_dim(self.made, values[lag.of], lag.over), values[lag.start], lag.over)
            if (lag := self.lags.get(name))
            else values[name]
            for name in self.made.inputs
        }
        return self.made.function(**inputs)


class Stepped(_Looped):
    """A quantity of a loop at all labels, by stepping through those that it leans on.

    Parameters
    ----------
    made : Equation
        Of the quantity.
    lags : mapping of str to Lag
        Of everything that is taken at the label before.
    inner : sequence of Equation
        That are computed at each label, in their order; `made` among them.
    over : str
    """

    def __init__(self, made: Any, lags: Mapping[str, Lag], inner: Sequence[Any], over: str) -> None:
        super().__init__(made, lags)
        self.inner, self.over = tuple(inner), over

    def __call__(self, **values: Any) -> Any:
        """Compute it from labelled values in base units."""
        labelled = next((value for value in values.values() if self.over in getattr(value, "dims", ())), None)
        if labelled is None:
            raise EquationError(
                f"recurrence '{self.made.name}' goes over '{self.over}', and nothing that it is computed from has that "
                "dim; give an assumption with its labels"
            )
        if labelled.sizes[self.over] > _MOST_STEPS:
            raise EquationError(
                f"recurrence '{self.made.name}' would step through {labelled.sizes[self.over]:,} labels of "
                f"'{self.over}'; at most {_MOST_STEPS:,} are stepped through, one after the other: use longer steps"
            )
        lags, keeps = self.lags, any(made.invalid == "keep" for made in self.inner)
        before: dict[str, Any] = {}
        wrong: dict[str, Any] = {}
        steps = []
        for place in range(labelled.sizes[self.over]):
            now = {name: _at(value, self.over, place) for name, value in values.items()}
            spoilt: dict[str, Any] = {}
            for made in self.inner:
                inputs = {name: self._input(name, now, before, values, place) for name in made.inputs}
                with in_equation(made.name):
                    raw = made.function(**inputs)
                now[made.name] = _possible(made, raw)
                if keeps:
                    carried = [(wrong, lags[name].of) if name in lags else (spoilt, name) for name in made.inputs]
                    spoilt[made.name] = functools.reduce(
                        np.logical_or,
                        [known[of] for known, of in carried if of in known],
                        _none_of(made, raw, now[made.name], inputs.values()),
                    )
            steps.append(_marked(now[self.made.name], spoilt.get(self.made.name, False)))
            before, wrong = now, spoilt
        return _stacked(steps, self.over, labelled.coords.get(self.over))

    def _input(self, name: str, now: Mapping[str, Any], before: Mapping[str, Any], values: Any, place: int) -> Any:
        if name not in self.lags:
            return now[name]
        lag = self.lags[name]
        return before[lag.of] if place else now[lag.start]


def _with_dim(made: Any, value: Any, over: str) -> Any:
    if over in getattr(value, "dims", ()):
        return value
    raise EquationError(
        f"equation '{made.name}' takes a value at the label before along '{over}' of what has no such dim"
    )


def without_loops(equations: Mapping[str, Any], lags: Mapping[str, Lag], cache: dict[Any, Any]) -> dict[str, Any]:
    """Equations that compute the same without values before, nor a circle.

    Parameters
    ----------
    equations : mapping of str to Equation
    lags : mapping of str to Lag
        By ``previous_NAME``.
    cache : dict
        What was made before of the same equations, so that it is the same again.

    Raises
    ------
    CycleError
        If equations need each other at one label.
    EquationError
        If a loop goes over two dims.
    """
    needs = {
        name: {lags[wanted].of if wanted in lags else wanted for wanted in made.inputs} & set(equations)
        for name, made in equations.items()
    }
    loop_of = _loops(needs)
    found = {}
    if len(cache) > _MOST_KEPT:
        cache.clear()
    for name, made in equations.items():
        used = {wanted: lags[wanted] for wanted in made.inputs if wanted in lags}
        loop = loop_of[name]
        inside = {wanted: lag for n in loop for wanted, lag in lags.items() if wanted in equations[n].inputs}
        inside = {wanted: lag for wanted, lag in inside.items() if lag.of in loop}
        states = sorted({lag.of for lag in inside.values()})
        if name in states:
            key: Any = (name, tuple(equations[n] for n in loop), tuple(sorted(lags)))
            if key not in cache:
                cache[key] = _stepped(made, equations, loop, lags, states[: states.index(name)])
            found[name] = cache[key]
        elif used:
            key = (made, tuple(used.values()))
            if key not in cache:
                cache[key] = _replaced(made, Lagged(made, used), [made], used)
            found[name] = cache[key]
        else:
            found[name] = made
    return found


def _loops(needs: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """For each quantity those that need each other with it, in a fixed order; itself alone, mostly."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = sorted(needs)
    places = {name: place for place, name in enumerate(names)}
    pairs = [(places[name], places[wanted]) for name in names for wanted in sorted(needs[name])]
    rows, columns = ([pair[side] for pair in pairs] for side in (0, 1))
    matrix = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(names), len(names)))
    _, groups = connected_components(matrix, connection="strong")
    members: dict[int, list[str]] = {}
    for name, group in zip(names, groups, strict=True):
        members.setdefault(int(group), []).append(name)
    return {name: tuple(members[int(group)]) for name, group in zip(names, groups, strict=True)}


def _stepped(made: Any, equations: Mapping[str, Any], loop: Sequence[str], lags: Mapping[str, Lag], known: Any) -> Any:
    """A quantity of a loop, of which some are known for all labels."""
    left = [name for name in loop if name not in known]
    same = {name: {wanted for wanted in equations[name].inputs if wanted in left} for name in left}
    try:
        order = list(graphlib.TopologicalSorter(same).static_order())
    except graphlib.CycleError as error:
        path = " -> ".join(reversed(error.args[1]))
        raise CycleError(
            f"equations need each other at one label: {path}; what they need of the label before is called "
            f"{PREVIOUS}{error.args[1][0]}"
        ) from None
    needed = _leaning(made.name, equations, lags, left)
    inner = [equations[name] for name in order if name in needed]
    used = {wanted: lags[wanted] for one in inner for wanted in one.inputs if wanted in lags}
    overs = {lag.over for lag in used.values() if lag.of in loop}
    if len(overs) > 1:
        raise EquationError(f"the loop of {', '.join(loop)} goes over two dims, {' and '.join(sorted(overs))}; use one")
    return _replaced(made, Stepped(made, used, inner, overs.pop()), inner, used)


def _leaning(name: str, equations: Mapping[str, Any], lags: Mapping[str, Lag], among: Sequence[str]) -> set[str]:
    """What a quantity is computed from, at its own label or the one before."""
    needed: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in needed:
            needed.add(one)
            inputs = [lags[wanted].of if wanted in lags else wanted for wanted in equations[one].inputs]
            waiting += [wanted for wanted in inputs if wanted in among]
    return needed


def _replaced(made: Any, function: Any, inner: Sequence[Any], lags: Mapping[str, Lag]) -> Any:
    """The equation with another function, and the inputs and constants of all that it computes inside."""
    own = {one.name for one in inner} if isinstance(function, Stepped) else set()
    outer = [
        wanted
        for one in inner
        for name in one.inputs
        for wanted in ((lags[name].of, lags[name].start) if name in lags else (name,))
    ]
    inputs = tuple(dict.fromkeys(wanted for wanted in outer if wanted not in own))
    constants = {name: value for one in inner for name, value in one.constants.items()}
    constants |= {lag.start: lag.constant for lag in lags.values() if lag.constant is not None}
    keeps = any(one.invalid == "keep" for one in inner)
    invalid = "keep" if keeps else made.invalid
    return dataclasses.replace(made, function=function, inputs=inputs, constants=constants, invalid=invalid)
