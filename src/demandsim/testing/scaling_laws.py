"""Scaling laws: how a result moves when an assumption is scaled, or raised."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Unpack

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known
from demandsim.sampling.program import Values
from demandsim.testing.evaluate import Cell, names_of
from demandsim.testing.search import Claim, SearchSettings, search_for
from demandsim.testing.strategies.values import ends_of

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["assert_homogeneous", "assert_monotone"]

_FARTHEST = 20.0
#: Easily read ones come first.
_FACTORS = (2.0, 0.5, 10.0, 0.1, 3.0, 1.5, 0.8, 1.25, 1.1, 0.9)


def assert_homogeneous(
    model: Model,
    of: Sequence[str] | str,
    *,
    by: Sequence[str] | str,
    degree: float,
    **search: Unpack[SearchSettings],
) -> None:
    r"""Assert that scaling assumptions scales a result by a power of the same factor.

    Parameters
    ----------
    model : Model
    of : str or sequence of str
        Quantities; every scenario and label of each.
    by : str or sequence of str
        Assumptions that are scaled together. They stay within what a draw of theirs can reach.
    degree : float
        1 for proportional, -1 for inversely, 0 for not at all (where it cancels).
    **search
        ``values``, a strategy of dicts of assumption to value, by default `values_within`; ``rtol``, by default
        1e-9, the relative tolerance: differences that rounding explains are let pass; ``max_examples`` and
        ``seed``, by default those of the active hypothesis profile.

    Raises
    ------
    AssertionError
        With the simplest counter-example found; also if the result is not finite, or always 0.
    UnknownNameError, DemandsimError
        Before anything runs, if a name is unknown, or a quantity does not depend on `by`.

    Notes
    -----
    .. math:: f(\lambda x) = \lambda^k f(x)

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("guosen-2025-01")
    >>> assert_homogeneous(model, "cards", by="daily_tokens", degree=1, max_examples=5)
    >>> assert_homogeneous(model, "cards", by="peak_ratio", degree=2, max_examples=5, seed=1)
    Traceback (most recent call last):
    ...
    AssertionError: cards is not homogeneous of degree 2 in peak_ratio
      scaled by: 2
      expected:  34310881.5401 card
      found:     17155440.7701 card
      at:        scenario=1000T
      with:
        ...
    """
    names, scaled = _prepared(model, of, by)
    if not math.isfinite(degree):
        raise DemandsimError(f"degree must be a finite number, not {degree!r}")
    look = search_for(model, names, search)
    reach = {name: _reach(model, name) for name in scaled}

    @st.composite
    def cases(draw: st.DrawFn) -> tuple[Values, float]:
        world = draw(look.worlds)
        low, high = _factors({name: world[name] for name in scaled}, reach)
        easy = [factor for factor in _FACTORS if low <= factor <= high]
        any_factor = st.floats(low, high)
        factor = draw(st.sampled_from(easy) | any_factor if easy else any_factor)
        assume(abs(factor - 1) > 1e-4)
        return world, factor

    def check(case: tuple[Values, float]) -> bool:
        world, factor = case
        before, after = look.at(world, world | {name: world[name] * factor for name in scaled})
        power: float = factor**degree

        def noise(name: str) -> Array:
            return power * before.noise(name) + after.noise(name)

        for name in names:
            text = f"{name} is not homogeneous of degree {degree:g} in {' and '.join(scaled)}"
            look.equal(
                before,
                Claim(name, text, [("scaled by", f"{factor:g}")]),
                after.found[name],
                before.found[name] * power,
                slack=functools.partial(noise, name),
            )
        return any(np.any(before.found[name]) for name in names)

    look.run(cases(), check, f"{' and '.join(names)} was 0")


def assert_monotone(
    model: Model,
    of: Sequence[str] | str,
    *,
    by: Sequence[str] | str,
    direction: Literal["increasing", "decreasing"],
    strict: bool = False,
    **search: Unpack[SearchSettings],
) -> None:
    r"""Assert that a result never falls (or never rises) when assumptions rise.

    Parameters
    ----------
    model : Model
    of : str or sequence of str
        Quantities; every scenario and label of each.
    by : str or sequence of str
        Assumptions that are raised together, at every label. A sure value is raised by up to its size.
    direction : {"increasing", "decreasing"}
    strict : bool, default False
        Staying the same is a fault too.
    **search
        As for `assert_homogeneous`.

    Raises
    ------
    AssertionError
        With the simplest counter-example found; also if the result never changed at all.
    UnknownNameError, DemandsimError
        Before anything runs, if a name is unknown, or a quantity does not depend on `by`.

    Notes
    -----
    .. math:: x \le x' \implies f(x) \le f(x')

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("guosen-2025-01")
    >>> assert_monotone(model, "cards", by="utilization", direction="decreasing", strict=True, max_examples=5)
    """
    names, raised = _prepared(model, of, by)
    if direction not in ("increasing", "decreasing"):
        raise DemandsimError(f"direction must be 'increasing' or 'decreasing', not {direction!r}")
    sign = 1.0 if direction == "increasing" else -1.0
    look = search_for(model, names, search)
    bench = look.bench
    middle = {name: _reach(model, name, 0.9) for name in raised}

    @st.composite
    def cases(draw: st.DrawFn) -> tuple[Values, Values]:
        world, other = draw(look.worlds), draw(look.worlds)
        stretch = draw(st.sampled_from([1.0, 0.5, 0.01]))
        pairs = {name: _apart(world[name], other[name], middle[name], stretch) for name in raised}
        gap = np.concatenate([np.ravel(high - low > 1e-4 * np.abs(low)) for low, high in pairs.values()])
        assume(gap.all() if strict else gap.any())
        lower, upper = ({name: pair[side] for name, pair in pairs.items()} for side in (0, 1))
        return world | lower, world | upper

    def check(case: tuple[Values, Values]) -> bool:
        lower, upper = look.at(*case)

        def shown(name: str, cell: Cell) -> list[tuple[str, str]]:
            rows = [
                (word, bench.rounded(name, t.found[name][cell])) for word, t in (("before", lower), ("after", upper))
            ]
            return rows + [(f"{moved} to", bench.amount(moved, _at(upper.world[moved], cell))) for moved in raised]

        def noise(name: str) -> Array:
            return lower.noise(name) + upper.noise(name)

        for name in names:
            text = f"{name} is not {'strictly ' if strict else ''}{direction} in {' and '.join(raised)}"
            fall = sign * (lower.found[name] - upper.found[name])
            look.hold(
                lower,
                Claim(name, text),
                # No tolerance excuses staying the same where that is a fault.
                np.where(fall >= 0, np.inf, 0.0) if strict else fall,
                np.maximum(np.abs(lower.found[name]), np.abs(upper.found[name])),
                functools.partial(noise, name),
                functools.partial(shown, name),
            )
        return any(np.any(upper.found[name] != lower.found[name]) for name in names)

    look.run(cases(), check, f"{' and '.join(names)} did not change with {' and '.join(raised)}")


def _prepared(
    model: Model, of: Sequence[str] | str, by: Sequence[str] | str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the quantities, and those of `by`, all of which every quantity hangs on."""
    names = names_of(model, of)
    moved = (by,) if isinstance(by, str) else tuple(by)
    for name in moved:
        if name in model.equations:
            roots = sorted(model.graph.ancestors([name]) & model.assumptions.keys())
            raise DemandsimError(f"by='{name}' is computed; name assumptions: it depends on {', '.join(roots)}")
    check_known(moved, model.assumptions, "assumption in by:")
    if not moved:
        raise DemandsimError("by= names no assumption")
    for name in names:
        roots = sorted(model.graph.ancestors([name]) & model.assumptions.keys())
        for other in moved:
            if other not in roots:
                raise DemandsimError(
                    f"'{name}' does not depend on '{other}', so that there is nothing to test; "
                    f"it depends on {', '.join(roots)}"
                )
    return names, moved


def _reach(model: Model, name: str, prob: float = 1.0) -> tuple[Array, Array]:
    """Lowest and highest values of an assumption over a central interval, with all axes."""
    transform, layout = model.program.transforms[name], model.program.layout
    dims = ((transform.scenario_dim,) if transform.scenario_dim else ()) + transform.dims
    count = math.prod(layout.size(dim) for dim in transform.dims)
    ends = [
        [ends_of(variant.laws[place if variant.dims else 0], prob) for place in range(count)]
        for variant in transform.variants
    ]
    low, high = np.moveaxis(np.array(ends if transform.scenario_dim else ends[0]), -1, 0)
    return layout.spread(low[..., None], dims), layout.spread(high[..., None], dims)


def _factors(world: Values, reach: dict[str, tuple[Array, Array]]) -> tuple[float, float]:
    """Factors that keep the values within reach; a sure value may go anywhere."""
    least, most = 1 / _FARTHEST, _FARTHEST
    for name, values in world.items():
        low, high = np.broadcast_arrays(*reach[name])
        free = (low < high) & (values != 0)
        for x, bottom, top in zip(values[free], low[free], high[free], strict=True):
            one, other = sorted((bottom / x, top / x))
            least, most = max(least, one), min(most, other)
    # Values that a strategy of the user's draws may lie out of reach.
    return min(least, 1.0), max(most, 1.0)


def _apart(one: Array, other: Array, middle: tuple[Array, Array], stretch: float) -> tuple[Array, Array]:
    """A lower and an upper value, kept apart where the same was drawn twice."""
    lower, upper = np.minimum(one, other), np.maximum(one, other)
    low, high = middle
    same, sure = lower == upper, low == high
    upper = np.where(same & ~sure & (upper < high), high, upper)
    lower = np.where(same & ~sure & (lower >= high), low, lower)
    return lower, np.where(same & sure, lower + stretch * np.where(lower == 0, 1.0, np.abs(lower)), upper)


def _at(values: Array, cell: Cell) -> float:
    place = tuple(min(index, size - 1) for index, size in zip(cell, values.shape[:-1], strict=True))
    return float(values[place][0])
