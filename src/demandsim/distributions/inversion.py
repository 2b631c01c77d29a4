r"""Fast quantile functions: piecewise cubics on a dyadic grid, with a bounded and checked error.

A quantile function is smooth inside (0, 1) and singular only at the ends, so a grid that halves
its cells towards both ends needs the same number of cells in every octave of ``min(u, 1 - u)``.
The bits of the double ``min(u, 1 - u)`` already hold the address: the exponent is the octave,
the leading bits of the mantissa the cell, the remaining bits the place inside the cell. A look-up
is then a shift, four gathers and a cubic, without branches or special cases in the tails.

Every cell is checked when the table is built: the u-error :math:`|F(\tilde x(u)) - u|` must stay
below `U_ERROR`, in the tails relative to ``min(u, 1 - u)``. A cell that fails (a kink, a jump)
is halved, and its failing halves again, until what is left is too small to matter; draws that fall
there take the exact quantile function. Where neighbouring doubles
are further apart in probability (a sure value, the end of a beta), no double can do better than lie
between them, and that is what is asked there.

Where numba is installed, which the extra ``fast`` asks for, look-ups are compiled once a process has made so many
that it pays. They do the same sums in the same order, without fused or reordered ones, and give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array, once_it_pays

__all__ = ["U_ERROR", "QuantileTable", "tabulate"]


U_ERROR = 1e-10
#: Share of `U_ERROR` that a cell may use up where it is checked. The rest is for what lies between those places,
#: and for the last bits of a distribution function, which differ between processors.
_BUDGET = 0.75
#: Below 2**-_OCTAVES, three draws in 100,000, the exact function answers.
_OCTAVES = 16
_CELL_BITS = 6
_CELLS = 1 << _CELL_BITS
_SHIFT = 52 - _CELL_BITS
_MANTISSA = np.int64((1 << 52) - 1)
_ONE = np.int64(1023) << np.int64(52)
#: Address of the first cell, in which min(u, 1 - u) = 2**-_OCTAVES.
_FIRST = np.int64((1023 - _OCTAVES) << _CELL_BITS)
#: Cells per side; min(u, 1 - u) runs up to 1/2, whose own cell is the last.
_SIDE = (_OCTAVES - 1) * _CELLS + 1
#: A failing cell is halved so often, and no further once so many pieces fail.
_HALVINGS = 26
_MOST_FAILING = 2048


type _Inverse = Callable[[Array], Array]

# Chebyshev points of a cell, and the matrix that takes values there to a cubic's coefficients.
_NODES = (np.cos(np.pi * (2 * np.arange(4)[::-1] + 1) / 8) + 1) / 2
_TO_POWERS = np.linalg.inv(np.vander(_NODES, increasing=True))
#: Where the error of such a cubic is largest, as long as its next term rules it.
_BETWEEN = (np.cos(np.pi * np.arange(5)[::-1] / 4) + 1) / 2


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Cubic pieces of uneven width for the failing cells of one side, found by bisection."""

    start: Array
    width: Array
    coefficients: Array
    exact: npt.NDArray[np.bool_]

    def __call__(self, near: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Quantiles at ``min(u, 1 - u)``, and where they must be computed exactly instead."""
        piece = np.searchsorted(self.start, near, side="right") - 1
        place = (near - self.start[piece]) / self.width[piece]
        out: Array = self.coefficients[3][piece]
        for power in (2, 1, 0):
            out *= place
            out += self.coefficients[power][piece]
        return out, self.exact[piece]


@dataclass(frozen=True, eq=False)
class QuantileTable:
    """Cubic pieces of a quantile function, addressed by the bits of ``min(u, 1 - u)``.

    Parameters
    ----------
    coefficients : tuple of four arrays, each of shape (2 * cells,)
        Lowest power first; the lower half of (0, 1) first, then the upper.
    failing : bool array of shape (2 * cells,), or None
        Cells in which one cubic is not accurate enough.
    finer : pair of pieces
        For the failing cells of the lower and the upper half.
    exact : callable
        The exact quantile function, for what is left.
    """

    coefficients: tuple[Array, Array, Array, Array]
    failing: npt.NDArray[np.bool_] | None
    finer: tuple[_Pieces | None, _Pieces | None]
    exact: _Inverse

    def __call__(self, u: Array) -> Array:
        """Quantiles at `u`, an array of any shape with values strictly inside (0, 1)."""
        flat = np.ascontiguousarray(u, dtype=np.float64).ravel()
        fast = _look_up(flat.size)
        return (self._plain(flat) if fast is None else self._compiled(flat, fast)).reshape(u.shape)

    def _compiled(self, flat: Array, fast: Any) -> Array:
        """Quantiles where one cubic tells them; the few others as without numba."""
        out, left = np.empty(flat.size), np.empty(flat.size, dtype=np.bool_)
        failing = np.zeros(2 * _SIDE, dtype=np.bool_) if self.failing is None else self.failing
        fast(flat, self.coefficients, failing, out, left)
        others = np.flatnonzero(left)
        if others.size:
            out[others] = self._plain(flat[others])
        return out

    def _plain(self, flat: Array) -> Array:
        upper = flat > 0.5
        near = np.minimum(flat, 1.0 - flat)
        bits = near.copy().view(np.int64)
        cell = bits >> np.int64(_SHIFT)
        cell -= _FIRST
        beyond = cell < 0
        cell += upper * np.int64(_SIDE)
        bits <<= np.int64(_CELL_BITS)
        bits &= _MANTISSA
        bits |= _ONE
        place = bits.view(np.float64)
        place -= 1.0
        c0, c1, c2, c3 = self.coefficients
        out: Array = np.take(c3, cell, mode="clip")
        term = np.empty_like(out)
        for coefficient in (c2, c1, c0):
            out *= place
            out += np.take(coefficient, cell, mode="clip", out=term)
        if self.failing is not None:
            failing = np.take(self.failing, cell, mode="clip") & ~beyond
            for pieces, side in zip(self.finer, (~upper, upper), strict=True):
                chosen = np.flatnonzero(failing & side)
                if pieces is not None and chosen.size:
                    out[chosen], beyond[chosen] = pieces(near[chosen])
        if beyond.any():
            out[beyond] = self.exact(flat[beyond])
        return out


def _types(numba: Any) -> Any:
    # What is read may be read-only, as arrays are that came from another process.
    given, marks = (numba.types.Array(kind, 1, "C", readonly=True) for kind in (numba.float64, numba.boolean))
    made = numba.float64[::1], numba.boolean[::1]
    return numba.void(given, numba.types.UniTuple(given, 4), marks, *made)


@once_it_pays(_types)
def _look_up(
    flat: Array,
    coefficients: tuple[Array, Array, Array, Array],
    failing: npt.NDArray[np.bool_],
    out: Array,
    left: npt.NDArray[np.bool_],
) -> None:
    """Fill `out` where one cubic tells the quantile, and mark what is left; written for numba."""
    c0, c1, c2, c3 = coefficients
    near = np.empty(1)
    bits = near.view(np.int64)
    for place in range(flat.size):
        u = flat[place]
        near[0] = min(u, 1.0 - u)
        cell = (bits[0] >> _SHIFT) - _FIRST
        left[place] = True
        if 0 <= cell < _SIDE:
            if u > 0.5:
                cell += _SIDE
            left[place] = failing[cell]
            bits[0] = ((bits[0] << _CELL_BITS) & _MANTISSA) | _ONE
            inside = near[0] - 1.0
            out[place] = ((c3[cell] * inside + c2[cell]) * inside + c1[cell]) * inside + c0[cell]


def _cells() -> tuple[Array, Array]:
    """Where the cells of one side start, and how wide they are."""
    octave = np.repeat(np.arange(-_OCTAVES, -1, dtype=np.int64), _CELLS)
    mantissa = 1.0 + np.tile(np.arange(_CELLS) / _CELLS, _OCTAVES - 1)
    # The last one is the point 1/2: beyond it lies the other side.
    return np.append(np.ldexp(mantissa, octave), 0.5), np.append(np.ldexp(1.0 / _CELLS, octave), 0.0)


def _fit(inverse: _Inverse, forward: _Inverse, start: Array, width: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """One cubic per cell, lowest power first, and whether it fails."""
    near, check = start[:, None] + width[:, None] * _NODES, start[:, None] + width[:, None] * _BETWEEN
    values = np.asarray(inverse(near.ravel()), dtype=np.float64).reshape(near.shape)
    # np.einsum rather than BLAS: the same bits for any number of threads.
    powers = np.einsum("ij,cj->ci", _TO_POWERS, values)
    level = np.all(values == values[:, :1], axis=1)
    powers[level] = 0.0
    powers[level, 0] = values[level, 0]
    x = ((powers[:, 3:] * _BETWEEN + powers[:, 2:3]) * _BETWEEN + powers[:, 1:2]) * _BETWEEN + powers[:, :1]
    sides = [np.asarray(forward(np.nextafter(x.ravel(), way))).reshape(x.shape) for way in (-np.inf, np.inf)]
    error = np.maximum(np.minimum(*sides) - check, check - np.maximum(*sides))
    allowed = _BUDGET * U_ERROR * np.minimum(1.0, 4.0 * check) + 4.0 * np.finfo(np.float64).eps * check
    # Written so that a NaN fails.
    failing = ~np.all(error <= allowed, axis=1) | ~np.isfinite(powers).all(axis=1)
    powers[failing] = 0.0
    return powers, failing


def _refine(inverse: _Inverse, forward: _Inverse, start: Array, width: Array) -> _Pieces | None:
    """Halve failing cells until they fit, or are too narrow to matter."""
    found: list[tuple[Array, Array, Array]] = []
    halvings = 0
    while 0 < start.size <= _MOST_FAILING and halvings < _HALVINGS:
        halvings += 1
        half = width / 2
        start, width = np.concatenate([start, start + half]), np.concatenate([half, half])
        powers, failing = _fit(inverse, forward, start, width)
        found.append((start[~failing], width[~failing], powers[~failing]))
        start, width = start[failing], width[failing]
    left = start.size
    found.append((start, width, np.zeros((left, 4))))
    starts, widths, powers = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(starts)
    exact = np.arange(starts.size) >= starts.size - left
    return _Pieces(starts[order], widths[order], powers[order].T.copy(), exact[order]) if starts.size else None


def tabulate(ppf: _Inverse, cdf: _Inverse, sf: _Inverse, isf: _Inverse) -> QuantileTable:
    r"""Build a table for a quantile function and check its error, cell by cell.

    The cubic of a cell interpolates at its Chebyshev points; a cell that holds a single value is
    that value. The u-error is measured between them, and must not exceed
    ``U_ERROR * min(1, 4 * min(u, 1 - u))``.

    Parameters
    ----------
    ppf, cdf, sf, isf : callable
        Exact quantile, distribution, survival and inverse survival function, vectorised. The
        upper half is built from `sf` and `isf`, so that it is as accurate as the lower.

    Returns
    -------
    QuantileTable

    Examples
    --------
    >>> from scipy import stats
    >>> rv = stats.gamma(2)
    >>> fast = tabulate(rv.ppf, rv.cdf, rv.sf, rv.isf)
    >>> u = np.array([1e-9, 0.2, 0.7])
    >>> bool(np.all(np.abs(rv.cdf(fast(u)) - u) < U_ERROR))
    True
    """
    start, width = _cells()
    tables, marks, finer = [], [], []
    with np.errstate(all="ignore"):
        for inverse, forward in ((ppf, cdf), (isf, sf)):
            powers, failing = _fit(inverse, forward, start, width)
            narrow = failing & (width > 0)
            finer.append(_refine(inverse, forward, start[narrow], width[narrow]))
            tables.append(powers)
            marks.append(failing)
    c0, c1, c2, c3 = np.concatenate(tables).T.copy()
    failing = np.concatenate(marks)

    def exact(u: Array) -> Array:
        upper = u > 0.5
        out = np.empty_like(u)
        with np.errstate(all="ignore"):
            out[~upper] = ppf(u[~upper])
            # 1 - u has no rounding here, so the upper tail keeps its digits.
            out[upper] = isf(1.0 - u[upper])
        return out

    return QuantileTable((c0, c1, c2, c3), failing if failing.any() else None, (finer[0], finer[1]), exact)
