r"""Fast quantile functions: piecewise cubics on a dyadic grid, with a bounded and checked error.

A quantile function is smooth inside (0, 1) and singular only at the ends, so a grid that halves
its cells towards both ends needs the same number of cells in every octave of ``min(u, 1 - u)``.
The bits of the double ``min(u, 1 - u)`` already hold the address: the exponent is the octave,
the leading bits of the mantissa the cell, the remaining bits the place inside the cell. A look-up
is then a shift, four gathers and a cubic, without branches or special cases in the tails.

Every cell is checked when the table is built: the u-error :math:`|F(\tilde x(u)) - u|` must stay
below `U_ERROR`, in the tails relative to ``min(u, 1 - u)``. A cell that fails (a kink, a jump)
is marked, and draws that fall into it take the exact quantile function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["U_ERROR", "QuantileTable", "tabulate"]

Array = npt.NDArray[np.float64]

U_ERROR = 1e-10
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


@dataclass(frozen=True, eq=False)
class QuantileTable:
    """Cubic pieces of a quantile function, addressed by the bits of ``min(u, 1 - u)``.

    Parameters
    ----------
    coefficients : tuple of four arrays, each of shape (2 * cells,)
        Lowest power first; the lower half of (0, 1) first, then the upper.
    exact_cells : bool array of shape (2 * cells,), or None
        Cells in which the cubic is not accurate enough.
    exact : callable
        The exact quantile function, for those cells.
    """

    coefficients: tuple[Array, Array, Array, Array]
    exact_cells: npt.NDArray[np.bool_] | None
    exact: Callable[[Array], Array]

    def __call__(self, u: Array) -> Array:
        """Quantiles at `u`, an array of any shape with values strictly inside (0, 1)."""
        flat = np.ascontiguousarray(u, dtype=np.float64).ravel()
        upper = flat > 0.5
        near = np.minimum(flat, 1.0 - flat)
        bits = near.view(np.int64)
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
        if self.exact_cells is not None:
            beyond |= np.take(self.exact_cells, cell, mode="clip")
        if beyond.any():
            out[beyond] = self.exact(flat[beyond])
        return out.reshape(u.shape)


def _cell_points(fractions: Array) -> tuple[Array, Array]:
    """Return `min(u, 1 - u)` at fractions of every cell, shape (cells, fractions), and u itself."""
    octave = np.repeat(np.arange(-_OCTAVES, -1, dtype=np.float64), _CELLS)
    octave = np.append(octave, -1.0)
    start = np.append(np.tile(np.arange(_CELLS, dtype=np.float64), _OCTAVES - 1), 0.0)
    mantissa = 1.0 + (start[:, None] + fractions) / _CELLS
    near = np.ldexp(mantissa, octave[:, None].astype(np.int64))
    return near, np.concatenate([near, 1.0 - near])


def tabulate(
    ppf: Callable[[Array], Array],
    cdf: Callable[[Array], Array],
    sf: Callable[[Array], Array],
    isf: Callable[[Array], Array],
) -> QuantileTable:
    r"""Build a table for a quantile function and check its error, cell by cell.

    The cubic of a cell interpolates at its Chebyshev points. Its u-error is measured between
    them; where it exceeds ``U_ERROR * min(1, 4 * min(u, 1 - u))`` the cell keeps the exact function.

    Parameters
    ----------
    ppf, cdf, sf, isf : callable
        Exact quantile, distribution, survival and inverse survival function, vectorised. The
        upper half is built from `sf` and `isf`, so that it is as accurate as the lower.

    Returns
    -------
    QuantileTable
    """
    nodes = (np.cos(np.pi * (2 * np.arange(4)[::-1] + 1) / 8) + 1) / 2
    between = np.array([0.0, (nodes[0] + nodes[1]) / 2, 0.5, (nodes[2] + nodes[3]) / 2, 1.0])
    to_powers = np.linalg.inv(np.vander(nodes, increasing=True))
    near, _ = _cell_points(nodes)
    check, _ = _cell_points(between)
    # The last cell, at u = 1/2 exactly, holds a single point: beyond it lies the other side.
    near[-1], check[-1] = 0.5, 0.5
    coefficients, hard = [], []
    with np.errstate(all="ignore"):
        for inverse, forward in ((ppf, cdf), (isf, sf)):
            values = np.asarray(inverse(near.ravel()), dtype=np.float64).reshape(near.shape)
            # np.einsum rather than BLAS: the same bits on every machine's thread count.
            powers = np.einsum("ij,cj->ci", to_powers, values)
            powers[-1] = [values[-1, 0], 0.0, 0.0, 0.0]
            x = ((powers[:, 3:] * between + powers[:, 2:3]) * between + powers[:, 1:2]) * between + powers[:, :1]
            error = np.abs(np.asarray(forward(x.ravel())).reshape(x.shape) - check)
            allowed = U_ERROR * np.minimum(1.0, 4.0 * check)
            ulp = 4.0 * np.finfo(np.float64).eps * check
            hard.append(~np.all(error <= allowed + ulp, axis=1) | ~np.isfinite(powers).all(axis=1))
            powers[hard[-1]] = 0.0
            coefficients.append(powers)
    table = np.concatenate(coefficients)
    exact_cells = np.concatenate(hard)
    c0, c1, c2, c3 = (np.ascontiguousarray(table[:, power]) for power in range(4))
    return QuantileTable((c0, c1, c2, c3), exact_cells if exact_cells.any() else None, ppf)
