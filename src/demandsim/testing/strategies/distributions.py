"""Distributions drawn at random: every member of the menu, with parameters that can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from hypothesis import strategies as st

from demandsim import distributions as menu
from demandsim.distributions.base import Distribution
from demandsim.distributions.constructor import CONSTRUCTORS
from demandsim.errors import DemandsimError, check_known

__all__ = ["FAMILIES", "centres_by_default", "distributions", "shares_by_default"]

type Numbers = st.SearchStrategy[float]
#: Makes a distribution around a positive centre, as wide as a share of it between 0 and 1.
type Builder = Callable[[st.DrawFn, float, float], Distribution]


def _metalog(draw: st.DrawFn, c: float, w: float) -> Distribution:
    return menu.metalog([0.1, 0.5, 0.9], [c * (1 - w / 2), c, c * (1 + w / 2)], lower=0)


def _mixture(draw: st.DrawFn, c: float, w: float) -> Distribution:
    parts = [menu.lognormal(c * (1 - w / 2), c * (1 + w)), menu.uniform(c, c * (1 + w), prob=0.9)]
    return menu.mixture(parts, [1, draw(st.sampled_from([1, 3]))])


def _pooled(draw: st.DrawFn, c: float, w: float) -> Distribution:
    opinions = [menu.lognormal(median=c, factor=1 + w), menu.lognormal(median=c * (1 + w), factor=1 + w)]
    return menu.pooled(opinions, kind=draw(st.sampled_from(["linear", "logarithmic"])))


def _discrete(draw: st.DrawFn, c: float, w: float) -> Distribution:
    return menu.discrete([c, c * (1 + w), c * (1 + 2 * w)], draw(st.none() | st.just([2, 1, 1])))


def _empirical(draw: st.DrawFn, c: float, w: float) -> Distribution:
    steps = draw(st.lists(st.integers(-8, 8), min_size=3, max_size=9, unique=True))
    return menu.empirical([c * (1 + w * step / 10) for step in steps], interpolate=draw(st.booleans()))


def _mixed_share(draw: st.DrawFn, c: float, w: float) -> Distribution:
    return menu.mixture([menu.beta(mean=c, sd=w * _room(c) / 2), c])


#: Of a centre on either side of zero.
_SIGNS: st.SearchStrategy[int] = st.sampled_from([1, 0, -1])


def _asked_for(support: str) -> dict[str, Builder]:
    """Constructors that are asked by an interval, or by bounds around a mode, as the registry has them."""

    def by_interval(make: Callable[..., Distribution]) -> Builder:
        def builder(draw: st.DrawFn, c: float, w: float) -> Distribution:
            reach = w * _room(c) if support == "unit" else w * c / 2
            shift = c * draw(_SIGNS) - c if support == "real" else 0.0
            return make(c - reach + shift, c + reach + shift)

        return builder

    def around_mode(make: Callable[..., Distribution]) -> Builder:
        def builder(draw: st.DrawFn, c: float, w: float) -> Distribution:
            reach = w * _room(c) if support == "unit" else w * c / 2
            below = c if support == "real" else 0.0
            return make(c - reach - below, c, c + reach)

        return builder

    found: dict[str, Builder] = {}
    for name, known in CONSTRUCTORS.items():
        if known.moved_by == "mode":
            found[name] = around_mode(known.make)
        # An interval of all its probability is its bounds.
        elif known.interval is not None and (known.support == support or known.interval == 1.0):
            found[name] = by_interval(known.make)
    return found


#: Positive values around a centre c with a width of w * c, 0 < w < 1.
_POSITIVE: dict[str, Builder] = {
    "constant": lambda draw, c, w: menu.constant(c),
    "truncated": lambda draw, c, w: menu.truncated(menu.normal(mean=c, sd=c * w), lower=c * (1 - w) / 2),
    "metalog": _metalog,
    "discrete": _discrete,
    "empirical": _empirical,
    "mixture": _mixture,
    "pooled": _pooled,
    **_asked_for("positive"),
}
#: Shares around a centre c between 0 and 1; w says how much of the way to the nearer end they take.
_UNIT: dict[str, Builder] = {
    "constant": lambda draw, c, w: menu.constant(c),
    "truncated": lambda draw, c, w: menu.truncated(menu.normal(mean=c, sd=w * _room(c)), c / 2, (1 + c) / 2),
    "metalog": lambda draw, c, w: menu.metalog([0.1, 0.9], [c - w * _room(c), c + w * _room(c)], lower=0, upper=1),
    "discrete": lambda draw, c, w: menu.discrete([c - w * _room(c), c, c + w * _room(c)]),
    "empirical": lambda draw, c, w: menu.empirical([c - w * _room(c), c, c + w * _room(c)], interpolate=True),
    "mixture": _mixed_share,
    **_asked_for("unit"),
}
#: Values on either side of zero are the positive ones, and these.
_REAL: dict[str, Builder] = {
    **_POSITIVE,
    **{name: made for name, made in _asked_for("real").items() if CONSTRUCTORS[name].support == "real"},
    "constant": lambda draw, c, w: menu.constant(c * draw(_SIGNS)),
    "bernoulli": lambda draw, c, w: menu.bernoulli(w),
    "poisson": lambda draw, c, w: menu.poisson(min(c, 1e3)),
    "binomial": lambda draw, c, w: menu.binomial(draw(st.integers(1, 9)), w),
    "clipped": lambda draw, c, w: menu.clipped(menu.normal(mean=c, sd=c * w), lower=c * draw(_SIGNS) * (1 - w)),
    "rounded": lambda draw, c, w: menu.rounded(menu.normal(mean=c * draw(_SIGNS), sd=c * w), step=c * w),
    "discrete": lambda draw, c, w: menu.discrete([-c, 0, c * w]),
}
_MENUS = {"real": _REAL, "positive": _POSITIVE, "unit": _UNIT}
#: Every family that can be asked for.
FAMILIES = tuple(sorted({*_REAL, *_UNIT}))


def _room(c: float) -> float:
    """Half the way from a share to the nearer of 0 and 1."""
    return min(c, 1 - c) / 2


def _round(x: float) -> float:
    return float(f"{x:.3g}")


def centres_by_default() -> Numbers:
    """Positive numbers over some decades, with few digits."""
    return st.sampled_from([1.0, 10.0, 1000.0]) | st.floats(0.01, 1e4).map(_round)


def shares_by_default() -> Numbers:
    """Numbers well inside 0 and 1, with few digits."""
    return st.sampled_from([0.5, 0.1, 0.9]) | st.floats(0.05, 0.95).map(_round)


@st.composite
def distributions(
    draw: st.DrawFn,
    *,
    support: Literal["real", "positive", "unit"] = "real",
    families: Sequence[str] | None = None,
    centres: Numbers | None = None,
    widths: Numbers | None = None,
) -> Distribution:
    """Draw a distribution of the library's menu.

    Parameters
    ----------
    support : {"real", "positive", "unit"}, default "real"
        All its values are above 0, or between 0 and 1.
    families : sequence of str, optional
        Names of constructors; all that have the support by default.
    centres : strategy of float, optional
        About where the values are: positive, for ``"unit"`` below 1.
    widths : strategy of float, optional
        How wide it is, as a share of the centre, between 0 and 1.

    Returns
    -------
    strategy of Distribution
        They shrink to constants.

    Raises
    ------
    UnknownNameError
        If there is no such support, or no such family of that support.

    Examples
    --------
    >>> from hypothesis import given, settings, strategies as st
    >>> @settings(max_examples=20)
    ... @given(made=distributions(support="positive", centres=st.floats(1, 10)))
    ... def test_its_median_is_positive(made):
    ...     assert 0 < made.median() < 30
    >>> test_its_median_is_positive()
    """
    check_known([support], _MENUS, "support")
    rows = _MENUS[support]
    chosen = list(rows) if families is None else list(families)
    check_known(chosen, rows, f"family with support '{support}':")
    builder = rows[draw(st.sampled_from(chosen))]
    usual = shares_by_default() if support == "unit" else centres_by_default()
    centre = draw(usual if centres is None else centres)
    width = draw(st.sampled_from([0.5, 0.1, 0.9]) if widths is None else widths)
    if not 0 < centre < (1 if support == "unit" else float("inf")) or not 0 < width < 1:
        raise DemandsimError(f"centres= gave {centre!r} and widths= {width!r}; see the docstring for their ranges")
    return builder(draw, float(centre), float(width))
