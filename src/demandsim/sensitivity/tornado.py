"""Tornado: one assumption at a time from its low to its high value, the others at their points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from demandsim._system import Array
from demandsim.errors import DemandsimError, check_known
from demandsim.sampling.points import point_values
from demandsim.sampling.program import Program, Values
from demandsim.sensitivity.inputs import Groups, grouped, quantities
from demandsim.sensitivity.results import provenance
from demandsim.statistics.estimators import check_prob

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
        (low, base, high) and the model's dims. Coordinate ``setting`` says what the assumption was set
        to. Where an equation gives no number, the value is NaN or infinite, and the attribute
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
    >>> found.assumption.values[:2].tolist(), found.setting.values[0].tolist()
    (['activated_parameters', 'daily_tokens'], ['3.667e+10 parameter', '1.1e+11 parameter', '3.3e+11 parameter'])
    """
    import xarray as xr

    check_prob(prob)
    check_known([base], ("point", "median"), "base")
    names = quantities(model, of)
    given = _checked(model, values)
    program = model.program
    needed = model.graph.ancestors(names)
    moved = [n for n in model.assumptions if n in needed and (n in given or program.transforms[n].varying.random)]
    members = grouped(model, moved, groups)
    if not members:
        raise DemandsimError(f"nothing behind {', '.join(names)} is uncertain: give values={{name: (low, high)}}")
    middle = _middles(model, needed, base)

    def end(name: str, place: int) -> Array:
        if name in given:
            return np.full_like(middle[name], given[name][place])
        grade = np.array([(1 - prob) / 2 if place == 0 else (1 + prob) / 2])
        return program.transforms[name].values(program.layout, lambda stream: grade, 1)

    ends = {label: [{name: end(name, place) for name in own} for place in (0, 1)] for label, own in members.items()}
    results = _results(program, middle, ends, set(needed))
    swing = {label: _swing(results[label], names[0]) for label in members}
    order = sorted(members, key=lambda label: -swing[label])
    out = xr.Dataset(attrs=provenance(model, prob=prob, base=base))
    for name in names:
        dims = [dim for dim in program.layout.dims if dim in program.varying[name].dims]
        table = np.array([[result[name] for result in results[label]] for label in order])
        shape = [len(order), 3, *(program.layout.size(dim) for dim in dims)]
        about = model.assumptions.get(name) or model.equations[name]
        attrs = {
            "units": about.unit,
            "long_name": about.long_name or name.replace("_", " "),
            "n_invalid": int(np.count_nonzero(~np.isfinite(table))),
        }
        out[name] = (["assumption", "end", *dims], table.reshape(shape), attrs)
        out = out.assign_coords({dim: list(program.layout.coords[dim]) for dim in dims})

    def text(label: str, place: int) -> str:
        low, high = ends[label]
        chosen = low if place == 0 else high if place == 2 else middle
        words = [_text(chosen[name], model.assumptions[name].unit) for name in members[label]]
        if label in members[label] and len(words) == 1:
            return words[0]
        return ", ".join(f"{name} {word}" for name, word in zip(members[label], words, strict=True))

    def long_name(label: str) -> str:
        known = model.assumptions.get(label)
        return (known.long_name if known is not None else None) or label.replace("_", " ")

    return out.assign_coords(
        assumption=order,
        end=["low", "base", "high"],
        setting=(("assumption", "end"), [[text(label, place) for place in range(3)] for label in order]),
        long_name=("assumption", [long_name(label) for label in order]),
    )


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
    return made


def _middles(model: Model, needed: set[str], base: Base) -> Values:
    """The points or medians of assumptions, with all axes of the layout."""
    program = model.program
    wanted = [name for name in model.assumptions if name in needed]
    if base == "median":
        half = np.array([0.5])
        return {name: program.transforms[name].values(program.layout, lambda stream: half, 1) for name in wanted}
    points = point_values(program, model.assumptions, model.scenarios)
    return {name: points[name] for name in wanted}


def _swing(results: Sequence[Values], name: str) -> float:
    """Mean distance between both ends, over all elements that have one."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(results[2][name] - results[0][name])
    finite = apart[np.isfinite(apart)]
    return float(finite.mean()) if finite.size else -1.0


def _text(values: Array, unit: str) -> str:
    low, high = float(values.min()), float(values.max())
    number = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
    return number if unit == "1" else f"{number} {unit}"
