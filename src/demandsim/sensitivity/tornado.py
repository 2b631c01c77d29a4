"""Tornado: one assumption at a time from its low to its high value, the others at their points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known
from demandsim.graph.bounds import about, check_point
from demandsim.sampling.points import point_values
from demandsim.sampling.program import Layout, Program, Values
from demandsim.sensitivity.inputs import Groups, factor_name, grouped, long_name, quantities
from demandsim.sensitivity.results import provenance
from demandsim.statistics.estimators import check_prob
from demandsim.statistics.ranking import ranked

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["tornado"]

Base = Literal["point", "median"]


def tornado(
    model: Model,
    of: str | Sequence[str],
    prob: float = 0.9,
    values: Mapping[str, tuple[float, float]] | None = None,
    groups: Groups | None = None,
    *,
    base: Base = "point",
) -> xr.Dataset:
    r"""Move one assumption at a time between the ends of its central interval.

    .. math:: y\bigl(x_1, \dots, F_i^{-1}(\tfrac{1 \pm p}{2}), \dots, x_d\bigr)

    Says nothing of interactions and correlations: for those see `sobol` and `shapley`.

    Parameters
    ----------
    model : Model
    of : str or sequence of str
        Quantities; the swing of the first orders the assumptions.
    prob : float, default 0.9
        0.9 goes from P5 to P95.
    values : mapping of str to (low, high), optional
        Ends for some assumptions, in their units; a sure value may be moved in this way as well.
    groups : mapping of str to sequence of str, optional
        Assumptions that move together, all to their low ends and all to their high ends.
    base : {"point", "median"}, default "point"
        Where the others stay.

    Returns
    -------
    Dataset
        One variable per quantity, in its unit, over ``assumption`` (largest mean swing first), ``end``
        (low, base, high) and the model's dims. Coordinate ``setting``, over ``member`` and ``end``, is what
        each assumption was set to, in ``setting_units``; ``row`` says with which label of ``assumption`` it
        moved. Where an equation gives no number, the value is NaN or infinite, and the attribute
        ``n_invalid`` counts such values.

    Raises
    ------
    UnknownNameError
        If `of`, `values` or `groups` names something that the model does not have.

    Notes
    -----
    Source: Howard, "Decision analysis: practice and promise", Management Science 34 (1988).

    Examples
    --------
    >>> import demandsim as ds
    >>> found = tornado(ds.load_study("guosen-2025-01"), "cards")
    >>> found.cards.dims
    ('assumption', 'end', 'scenario')
    >>> found.assumption.values[:2].tolist()
    ['activated_parameters', 'daily_tokens']
    >>> found.setting.sel(member="utilization", scenario="100T").values.round(2).tolist()
    [0.29, 0.45, 0.62]
    """
    import xarray as xr

    check_prob(prob)
    check_known([base], ("point", "median"), "base")
    names = quantities(model, of)
    given = _checked(model, values)
    program = model.program
    needed = model.graph.ancestors(names)
    moved = [n for n in model.assumptions if n in needed and (n in given or program.transforms[n].varying.random)]
    members = grouped(model.assumptions, moved, groups)
    if not members:
        raise DemandsimError(f"nothing behind {', '.join(names)} is uncertain: give values={{name: (low, high)}}")
    middle = _middles(model, needed, base)
    ends = {name: _ends(program, middle[name], name, given.get(name), prob) for own in members.values() for name in own}
    moves = {label: [{name: ends[name][at] for name in own} for at in (0, 1)] for label, own in members.items()}
    results = _results(program, middle, moves, set(needed))
    labels = list(members)
    order = [labels[i] for i in ranked([_swing(results[label], names[0]) for label in labels], labels)]
    out = xr.Dataset({name: _moved(model, name, [results[label] for label in order]) for name in names})
    row_of = {name: label for label in order for name in members[label]}
    return out.assign_coords(
        assumption=order,
        end=["low", "base", "high"],
        long_name=("assumption", [factor_name(label, model) for label in order]),
        setting=_labelled(program, [(ends[name][0], middle[name], ends[name][1]) for name in row_of], list(row_of)),
        member=list(row_of),
        row=("member", list(row_of.values())),
        setting_units=("member", [model.assumptions[name].unit for name in row_of]),
    ).assign_attrs(provenance(model, prob=prob, base=base))


def _ends(
    program: Program, middle: Array, name: str, given: tuple[float, float] | None, prob: float
) -> tuple[Array, Array]:
    """Low and high end of an assumption, as given or at its quantiles, with all axes of the layout."""
    if given is not None:
        return np.full_like(middle, given[0]), np.full_like(middle, given[1])
    return _quantile(program, name, (1 - prob) / 2), _quantile(program, name, (1 + prob) / 2)


def _quantile(program: Program, name: str, prob: float) -> Array:
    grade = np.array([prob])
    return program.transforms[name].values(program.layout, lambda stream: grade, 1)


def _moved(model: Model, name: str, results: Sequence[Sequence[Values]]) -> xr.DataArray:
    """A quantity over rows and their ends."""
    table = np.array([[result[name] for result in ends] for ends in results])
    program, about = model.program, model.assumptions.get(name) or model.equations[name]
    dims = [dim for dim in program.layout.dims if dim in program.varying[name].dims]
    return _over(program.layout, table, "assumption", dims).assign_attrs(
        units=model.notes.unit_of(name, about.unit),
        long_name=long_name(name, model),
        n_invalid=int(np.count_nonzero(~np.isfinite(table))),
    )


def _labelled(program: Program, settings: Sequence[Sequence[Array]], names: Sequence[str]) -> xr.DataArray:
    """What assumptions are set to, over all dims along which any of them varies."""
    varying = frozenset().union(*(program.transforms[name].varying.dims for name in names))
    dims = [dim for dim in program.layout.dims if dim in varying]
    shape = [program.layout.size(dim) if dim in dims else 1 for dim in program.layout.dims]
    table = np.array([[np.broadcast_to(values, [*shape, 1]) for values in own] for own in settings])
    return _over(program.layout, table, "member", dims)


def _over(layout: Layout, table: Array, row: str, dims: Sequence[str]) -> xr.DataArray:
    """Label an array of shape (rows, ends, all axes of the layout, 1)."""
    import xarray as xr

    coords = {dim: list(layout.coords[dim]) for dim in dims}
    shape = [*table.shape[:2], *(layout.size(dim) for dim in dims)]
    return xr.DataArray(table.reshape(shape), dims=[row, "end", *dims], coords=coords)


def _results(
    program: Program, middle: Values, ends: Mapping[str, Sequence[Values]], needed: set[str]
) -> dict[str, list[Values]]:
    """Everything at the low, middle and high setting of each label, all settings as draws of one run."""
    random = {name for name in middle if program.transforms[name].varying.random}
    settings: list[tuple[str, int]] = [(label, place) for label in ends for place in (0, 1)]
    # The rest are given ends of sure values: an equation does not expect those to vary from draw to draw.
    together = [(label, place) for label, place in settings if random.issuperset(ends[label][place])]
    columns = {
        name: np.concatenate(
            [middle[name], *(ends[label][place].get(name, middle[name]) for label, place in together)], -1
        )
        for name in random
    }
    assumed = {name: columns.get(name, middle[name].copy()) for name in middle}
    found = {**assumed, **program.derive(assumed, needed)}

    def at(column: int) -> Values:
        return {name: v[..., column : column + 1] if v.shape[-1] > 1 else v for name, v in found.items()}

    moved = {setting: at(1 + column) for column, setting in enumerate(together)}
    for label, place in settings:
        if (label, place) not in moved:
            alone = {name: ends[label][place].get(name, middle[name]).copy() for name in middle}
            moved[label, place] = {**alone, **program.derive(alone, needed)}
    return {label: [moved[label, 0], at(0), moved[label, 1]] for label in ends}


def _checked(model: Model, values: Mapping[str, tuple[float, float]] | None) -> dict[str, tuple[float, float]]:
    check_known(values or {}, model.assumptions, "assumption in values:")
    made = {}
    for name, ends in (values or {}).items():
        if not isinstance(ends, (tuple, list)) or len(ends) != 2 or not all(np.isfinite(float(end)) for end in ends):
            raise DemandsimError(f"values of '{name}' must be two numbers (low, high), not {ends!r}")
        made[name] = (float(ends[0]), float(ends[1]))
        with about(name):
            for end in made[name]:
                check_point(end, model.assumptions[name].bounds, model.assumptions[name].unit)
    return made


def _middles(model: Model, needed: set[str], base: Base) -> Values:
    """The points or medians of assumptions, with all axes of the layout."""
    program = model.program
    wanted = [name for name in model.assumptions if name in needed]
    if base == "median":
        return {name: _quantile(program, name, 0.5) for name in wanted}
    points = point_values(program, model.assumptions, model.scenarios)
    return {name: points[name] for name in wanted}


def _swing(results: Sequence[Values], name: str) -> float:
    """Mean distance between both ends, over all elements that have one."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(results[2][name] - results[0][name])
    finite = apart[np.isfinite(apart)]
    return float(finite.mean()) if finite.size else -1.0
