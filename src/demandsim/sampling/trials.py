"""Trials: every equation runs on a few draws, labelled and bare, together and alone, before it is trusted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.errors import EquationError
from demandsim.graph.equation import Equation
from demandsim.graph.graph import Graph
from demandsim.graph.integer_overflow import in_floats, mentions
from demandsim.sampling.program import (
    Layout,
    LostLabelsError,
    Program,
    Step,
    Varying,
    bare_run,
    labelled_run,
)

__all__ = ["already_tried", "tried"]

#: Scores at which a new model's equations are tried, together and each alone: in no order, nor when rolled, so
#: that sorting is noticed.
_PROBES = np.array([0.5, 0.31, 0.77, 0.42])
#: How far results may lie apart that only rounding tells from each other, of the largest; what wraps is farther.
_ALIKE = 1e-5


def already_tried(before: Program, trial: Program, graph: Graph) -> bool:
    """Whether a program was made of the same equations over the same axes: trials would find the same.

    What they find is how results vary and whether labels are needed, which no distribution changes.
    """
    return (
        before.layout == trial.layout
        and [step.equation for step in before.steps] == [graph.equations[name] for name in graph.order]
        and {name: transform.varying for name, transform in before.transforms.items()}
        == {name: transform.varying for name, transform in trial.transforms.items()}
    )


def tried(trial: Program, graph: Graph) -> tuple[tuple[Step, ...], dict[str, Varying]]:
    """Run every equation on a few draws, labelled and bare, together and alone.

    Parameters
    ----------
    trial : Program
        With transforms, and no steps yet.
    graph : Graph

    Returns
    -------
    steps : tuple of Step
    varying : dict of quantity to Varying

    Raises
    ------
    EquationError
        If an equation mixes draws, drops labels or makes new dims.
    """
    layout = trial.layout
    # Streams differ from each other, so that no accidental symmetry hides a mistake.
    assumed = trial.assume(lambda stream: np.roll(_PROBES, stream), len(_PROBES))
    base = trial.to_base(assumed)
    varying = {name: transform.varying for name, transform in trial.transforms.items()}
    steps = []
    with np.errstate(all="ignore"):
        for name in graph.order:
            made = graph.equations[name]
            bare, bare_varying = _bare_try(made, base, layout, varying)
            if bare is not None and _scenarios_apart(made, base, layout, varying, bare):
                # There is no label that the bare run could have lost.
                result, found = bare, bare_varying
            else:
                result, found = _labelled_try(made, base, layout, varying, bare)
            same = bare is not None and bare_varying == found and np.array_equal(bare, result, equal_nan=True)
            varying[name] = found
            steps.append(Step(made, elementwise=same))
            _check_draws_apart(steps[-1], base, layout, varying, result)
            _check_whole_numbers(steps[-1], base, layout, varying, result)
            result.flags.writeable = False
            base[name] = result
    return tuple(steps), varying


def _scenarios_apart(
    made: Equation, base: Mapping[str, Array], layout: Layout, varying: Mapping[str, Varying], together: Array
) -> bool:
    """Whether a bare result varies over no dim but scenarios, of which each gives the same when it runs alone."""
    inputs = {name: base[name] for name in made.inputs if name in base}
    dims = Varying.union([varying[name] for name in inputs]).dims
    if not dims <= set(layout.scenario_dims):
        return False
    for axis, dim in enumerate(layout.scenario_dims):
        for place in range(layout.size(dim) if dim in dims else 0):
            one = {n: v.take([place], axis) if v.shape[axis] > 1 else v for n, v in inputs.items()}
            try:
                alone = bare_run(made, one, layout)
            except Exception:
                return False
            if not np.array_equal(alone, together.take([place], axis), equal_nan=True):
                return False
    return True


def _labelled_try(
    made: Equation, base: Mapping[str, Array], layout: Layout, varying: Mapping[str, Varying], bare: Array | None
) -> tuple[Array, Varying]:
    """The result on labelled arrays; where it loses the labels, that on bare ones, if there is one."""
    try:
        return labelled_run(made, base, layout, varying)
    except LostLabelsError:
        if bare is None:
            raise
        return bare, Varying.union([varying[name] for name in made.inputs if name in base])


def _bare_try(
    made: Equation, base: Mapping[str, Array], layout: Layout, varying: Mapping[str, Varying]
) -> tuple[Array | None, Varying]:
    """The result on bare arrays, if there is one that has the shape of an elementwise result."""
    inputs = [name for name in made.inputs if name in base]
    found = Varying.union([varying[name] for name in inputs])
    try:
        result = bare_run(made, base, layout)
    except Exception:
        # Whatever it was, the labelled run will say it with the names of the dims.
        return None, found
    shape = np.broadcast_shapes(*(base[name].shape for name in inputs), (1,) * (len(layout.dims) + 1))
    return (result if result.shape == shape else None), found


def _check_draws_apart(
    step: Step, base: Mapping[str, Array], layout: Layout, varying: Mapping[str, Varying], together: Array
) -> None:
    """Every draw must be computed from itself alone, or blocks and chains would leak into results."""
    inputs = {name: base[name] for name in step.equation.inputs if name in base}
    for place in range(len(_PROBES)):
        alone = {n: v[..., place : place + 1] if varying[n].random else v for n, v in inputs.items()}
        single, _ = step.run(alone, layout, varying)
        expected = together[..., place : place + 1] if together.shape[-1] > 1 else together
        # Not to the last bit: a sum over many years may round otherwise for one draw than for several.
        if not np.array_equal(single, expected, equal_nan=True) and (
            single.shape != expected.shape
            or not np.allclose(single, expected, rtol=1e-9, atol=1e-9 * _typical(together), equal_nan=True)
        ):
            again, _ = step.run(base, layout, varying)
            if not np.array_equal(again, together, equal_nan=True):
                raise EquationError(
                    f"equation '{step.equation.name}' gives another result when it runs again: it draws random "
                    "numbers, or keeps something from call to call; what is random is the distribution of an assumption"
                )
            raise EquationError(
                f"equation '{step.equation.name}' mixes draws: its value for one draw depends on the others; "
                "name the dim to reduce, as in x.sum('year')"
            )


def _check_whole_numbers(
    step: Step, base: Mapping[str, Array], layout: Layout, varying: Mapping[str, Varying], result: Array
) -> None:
    """The equation must give the same with floats for the whole numbers that it holds or reads off labels."""
    made = step.equation
    coords = {dim: _in_floats(made, dim, labels) for dim, labels in layout.coords.items()}
    twin = in_floats(made)
    if twin is None and all(coords[dim] is labels for dim, labels in layout.coords.items()):
        return
    other = dataclasses.replace(layout, coords=coords)
    try:
        floats, _ = dataclasses.replace(step, equation=twin or made).run(base, other, varying)
    except Exception:
        # Whole numbers by which it looks something up, or counts steps, have no twin.
        return
    if not np.allclose(result, floats, rtol=_ALIKE, atol=_ALIKE * _typical(floats), equal_nan=True):
        raise EquationError(
            f"equation '{made.name}' computes with whole numbers that overflow in silence, as numpy's of 64 bits do "
            "beyond 9.2e18 (those of 8 bits beyond 127): with floats it gives another result; write 1e12 for 10**12, "
            "make arrays of floats (np.array([...], dtype=float)), and take np.floor(x) for x.astype(int), "
            "1.0 * x.year for x.year",
            made.name,
        )


def _in_floats(made: Equation, dim: str, labels: tuple[Any, ...]) -> tuple[Any, ...]:
    """Labels that are whole numbers as floats, where an equation reads them."""
    whole = np.asarray(labels).dtype.kind in "iu" and mentions(made.function, dim)
    return tuple(map(float, labels)) if whole else labels


def _typical(values: Array) -> float:
    """Largest finite size of the values: what a difference between them is measured against."""
    sizes = np.abs(values[np.isfinite(values)])
    return float(sizes.max()) if sizes.size else 0.0
