"""Tails: whether shares of a variance can be told from draws, or hang on the few most extreme of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.errors import HeavyTailWarning, warn
from demandsim.statistics.tails import HEAVY_FOR_SHARES, heavier_tail, tail_size

__all__ = ["Tail", "collect_heavy", "is_sure", "rounding", "tail_shape", "warn_of_draws", "warn_of_indices"]

#: Values below which nothing is said of tails.
_FEWEST = 100
#: Widest interval of an index that heavy tails are not worth a warning for, and that is called known at all.
_NARROW, _WIDE = 0.05, 1.0


def tail_shape(values: Array) -> float:
    r"""Shape :math:`\hat k` of the heavier tail of some values, by a generalized Pareto fit; 0 for short tails.

    Moments of an order above :math:`1 / k` do not exist.

    Examples
    --------
    >>> normal = np.random.default_rng(1).standard_normal(4096)
    >>> tail_shape(normal) < 0.1, tail_shape(np.exp(3 * normal)) > 0.7
    (True, True)
    """
    finite = np.sort(values[np.isfinite(values)])
    if finite.size < _FEWEST or is_sure(finite):
        return 0.0
    count = tail_size(finite.size)
    found = heavier_tail(finite[: count + 1], finite[-count - 1 :])
    return max(found, 0.0) if math.isfinite(found) else 0.0


def rounding(values: Array) -> Array:
    """Largest spread around each of some values that may be rounding alone."""
    return np.asarray(64 * np.finfo(float).eps * np.abs(values))


def is_sure(values: Array) -> bool:
    """Whether some finite values do not vary by more than rounding."""
    return bool(np.ptp(values) <= rounding(values).max())


@dataclass(frozen=True)
class Tail:
    """Shape of the tails of what is explained, and whether its logarithm can be explained instead."""

    shape: float
    has_logarithm: bool

    @classmethod
    def of(cls, values: Array, scale: str) -> Tail:
        """Tail of some values; of those that are logarithms already there is no logarithm."""
        return cls(tail_shape(values), scale == "linear" and bool(np.all(values > 0)))


def warn_of_indices(function: str, labels: Sequence[str], tails: Sequence[Tail], lower: Array, upper: Array) -> None:
    """Warn of indices that cannot be, or that hang on a few draws.

    Parameters
    ----------
    function : str
        Which the user has called.
    labels, tails : sequence
        Of every element.
    lower, upper : array of shape (elements, ...)
        Bounds of all its indices.
    """
    heavy: dict[str, Tail] = {}
    vague: dict[str, float] = {}
    for label, tail, low, high in zip(labels, tails, lower, upper, strict=True):
        known = np.isfinite(low) & np.isfinite(high)
        widest = float((high - low)[known].max(initial=0.0))
        # By chance an interval of what is 0 lies below 0, but not far below.
        apart = np.maximum(low - 1, -high)[known] > 3 * (high - low)[known]
        impossible = bool(np.any(apart))
        if tail.shape > HEAVY_FOR_SHARES and (widest > _NARROW or impossible):
            heavy[label] = max(tail, heavy.get(label, tail), key=lambda one: one.shape)
        elif widest > _WIDE or impossible:
            vague[label] = max(widest, vague.get(label, 0.0))
    if heavy:
        logarithm = all(tail.has_logarithm for tail in heavy.values())
        way_out = "explain the logarithm with log=True, or whether" if logarithm else "explain whether"
        text = (
            f"{function}: the variance of {_quoted(heavy)} hangs on a few extreme draws (Pareto k-hat of its heavy "
            f"tails is {max(tail.shape for tail in heavy.values()):.2f}, above {HEAVY_FOR_SHARES}); shares of it and "
            f"their intervals cannot be trusted. Instead {way_out} a threshold is passed with event=, or use "
            "sensitivity.given_data, whose delta and PAWN need no variance"
        )
        warn(text, HeavyTailWarning)
    if vague:
        text = (
            f"{function}: so few draws do not tell the indices of {_quoted(vague)} (an interval is "
            f"{max(vague.values()):.2g} wide, or holds no number between 0 and 1); take more draws"
        )
        warn(text, HeavyTailWarning)


def collect_heavy(heavy: dict[str, float], quantity: str, values: Array) -> None:
    """Note the heaviest tail of a quantity, if shares of its variance hang on a few draws."""
    if (shape := tail_shape(values)) > HEAVY_FOR_SHARES:
        heavy[quantity] = max(shape, heavy.get(quantity, shape))


def warn_of_draws(function: str, heavy: Mapping[str, float]) -> None:
    """Warn of shares from draws whose variance hangs on a few of them.

    Parameters
    ----------
    function : str
        Which the user has called.
    heavy : mapping of quantity to shape of its tails
    """
    if heavy:
        text = (
            f"{function}: the variance of {_quoted(heavy)} hangs on a few extreme draws (Pareto k-hat of its heavy "
            f"tails is {max(heavy.values()):.2f}, above {HEAVY_FOR_SHARES}); shares of it and their intervals cannot "
            "be trusted. delta and pawn of given_data need no variance; or pass draws of the logarithm, as "
            "draws.assign(log_y=np.log(draws.y))"
        )
        warn(text, HeavyTailWarning)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
