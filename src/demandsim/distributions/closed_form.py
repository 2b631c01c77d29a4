"""Distributions of scipy by name: common ones need `scipy.special` alone, since `scipy.stats` takes half a second."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim._system import Array

__all__ = ["Columns", "Named", "named", "named_in_scipy"]

#: A function of an array and of the shapes.
Formula = Callable[..., Any]


@dataclass(frozen=True)
class _Formulas:
    """A family in standard form, as scipy computes it: between bounds, at place 0, of scale 1."""

    ppf: Formula
    cdf: Formula
    logpdf: Formula
    isf: Formula | None = None
    sf: Formula | None = None
    bounds: Callable[..., tuple[Any, Any]] = lambda: (0.0, 1.0)


def _triangular_cdf(x: Array, mode: float) -> Array:
    if mode in (0, 1):
        return x * x if mode else 2 * x - x * x
    return np.where(x < mode, x * x / mode, (x * x - 2 * x + mode) / (mode - 1))


def _triangular_pdf(x: Array, mode: float) -> Array:
    if mode in (0, 1):
        return 2 * x if mode else 2 - 2 * x
    return np.where(x < mode, 2 * x / mode, 2 * (1 - x) / (1 - mode))


def _lognormal_logpdf(x: Array, s: float) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        log = -(np.log(x) ** 2) / (2 * s**2) - np.log(s * x * np.sqrt(2 * np.pi))
    return np.where(x == 0, -np.inf, log)


@functools.cache
def _families() -> dict[str, _Formulas]:
    """Formulas by scipy's names, term by term as scipy has them, so that the last bits agree."""
    from scipy import special as sp

    whole, positive = lambda *_: (-math.inf, math.inf), lambda *_: (0.0, math.inf)
    unit = lambda *_: (0.0, 1.0)  # noqa: E731
    return {
        "norm": _Formulas(
            ppf=sp.ndtri,
            isf=lambda q: -sp.ndtri(q),
            cdf=sp.ndtr,
            sf=lambda x: sp.ndtr(-x),
            logpdf=lambda x: -(x**2) / 2.0 - math.log(math.sqrt(2 * math.pi)),
            bounds=whole,
        ),
        "lognorm": _Formulas(
            ppf=lambda q, s: np.exp(s * sp.ndtri(q)),
            isf=lambda q, s: np.exp(s * -sp.ndtri(q)),
            cdf=lambda x, s: sp.ndtr(np.log(x) / s),
            sf=lambda x, s: sp.ndtr(-(np.log(x) / s)),
            logpdf=_lognormal_logpdf,
            bounds=positive,
        ),
        "uniform": _Formulas(ppf=lambda q: q, cdf=lambda x: x, logpdf=np.zeros_like, bounds=unit),
        "loguniform": _Formulas(
            ppf=lambda q, a, b: np.exp(np.log(a) + q * (np.log(b) - np.log(a))),
            cdf=lambda x, a, b: (np.log(x) - np.log(a)) / (np.log(b) - np.log(a)),
            logpdf=lambda x, a, b: -np.log(x) - np.log(np.log(b) - np.log(a)),
            bounds=lambda a, b: (a, b),
        ),
        "triang": _Formulas(
            ppf=lambda q, c: np.where(q < c, np.sqrt(c * q), 1 - np.sqrt((1 - c) * (1 - q))),
            cdf=_triangular_cdf,
            logpdf=lambda x, c: np.log(_triangular_pdf(x, c)),
            bounds=unit,
        ),
        "beta": _Formulas(
            ppf=lambda q, a, b: sp.betaincinv(a, b, q),
            isf=lambda q, a, b: sp.betainccinv(a, b, q),
            cdf=lambda x, a, b: sp.betainc(a, b, x),
            sf=lambda x, a, b: sp.betaincc(a, b, x),
            logpdf=lambda x, a, b: sp.xlog1py(b - 1.0, -x) + sp.xlogy(a - 1.0, x) - sp.betaln(a, b),
            bounds=unit,
        ),
        "gamma": _Formulas(
            ppf=lambda q, a: sp.gammaincinv(a, q),
            isf=lambda q, a: sp.gammainccinv(a, q),
            cdf=lambda x, a: sp.gammainc(a, x),
            sf=lambda x, a: sp.gammaincc(a, x),
            logpdf=lambda x, a: sp.xlogy(a - 1.0, x) - x - sp.gammaln(a),
            bounds=positive,
        ),
    }


@dataclass(frozen=True)
class Named:
    """A distribution of scipy by name and parameters, which pickles as these and not as 12 kB of machinery.

    Parameters
    ----------
    name : str
        In `scipy.stats`.
    shapes : tuple of float
    loc, scale : float
    """

    name: str
    shapes: tuple[Any, ...] = ()
    loc: Any = 0.0
    scale: Any = 1.0

    @functools.cached_property
    def frozen(self) -> Any:
        """The distribution of scipy itself."""
        from scipy import stats

        scale = {} if self.kind == "discrete" else {"scale": self.scale}
        return getattr(stats, self.name)(*self.shapes, loc=self.loc, **scale)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("name", "shapes", "loc", "scale")}

    @property
    def _formulas(self) -> _Formulas | None:
        return _families().get(self.name)

    @property
    def kind(self) -> str:
        """Continuous or discrete."""
        if self._formulas is not None:
            return "continuous"
        from scipy import stats

        return "continuous" if hasattr(getattr(stats, self.name), "logpdf") else "discrete"

    def mean(self) -> float:
        """Expected value."""
        return float(self.frozen.mean())

    def std(self) -> float:
        """Standard deviation."""
        return float(self.frozen.std())

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        formulas = self._formulas
        low, high = self.frozen.support() if formulas is None else self._placed(formulas)
        return float(low), float(high)

    def _placed(self, formulas: _Formulas) -> tuple[Any, Any]:
        low, high = formulas.bounds(*self.shapes)
        return low * self.scale + self.loc, high * self.scale + self.loc

    def ppf(self, u: Any) -> Array:
        """Quantiles at `u`."""
        formulas = self._formulas
        if formulas is None:
            return np.asarray(self.frozen.ppf(u), dtype=np.float64)
        return self._quantiles(u, formulas.ppf, *self._placed(formulas))

    def isf(self, u: Any) -> Array:
        """Quantiles at ``1 - u``."""
        formulas = self._formulas
        if formulas is None:
            return np.asarray(self.frozen.isf(u), dtype=np.float64)
        falling = formulas.isf or (lambda q, *shapes: formulas.ppf(1.0 - q, *shapes))
        return self._quantiles(u, falling, *reversed(self._placed(formulas)))

    def _quantiles(self, u: Any, standard: Formula, at_0: float, at_1: float) -> Array:
        q = np.asarray(u, dtype=np.float64)
        x = np.full(q.shape, np.nan)
        x[q == 0], x[q == 1] = at_0, at_1
        inside = (q > 0) & (q < 1)
        x[inside] = standard(q[inside], *self.shapes) * self.scale + self.loc
        return x

    def cdf(self, x: Any) -> Array:
        """Probability of at most `x`."""
        formulas = self._formulas
        if formulas is None:
            return np.asarray(self.frozen.cdf(x), dtype=np.float64)
        return self._inside(x, formulas, formulas.cdf, 0.0, 1.0)

    def sf(self, x: Any) -> Array:
        """Probability of more than `x`."""
        formulas = self._formulas
        if formulas is None:
            return np.asarray(self.frozen.sf(x), dtype=np.float64)
        above = formulas.sf or (lambda y, *shapes: 1.0 - formulas.cdf(y, *shapes))
        return self._inside(x, formulas, above, 1.0, 0.0)

    def _inside(self, x: Any, formulas: _Formulas, standard: Formula, below: float, above: float) -> Array:
        y = (np.asarray(x, dtype=np.float64) - self.loc) / self.scale
        low, high = formulas.bounds(*self.shapes)
        found = np.where(y <= low, below, np.where(y >= high, above, np.nan))
        inside = (y > low) & (y < high)
        found[inside] = standard(y[inside], *self.shapes)
        return found

    def logpdf(self, x: Any) -> Array:
        """Logarithm of the density (of the probability, if discrete) at `x`."""
        formulas = self._formulas
        if formulas is None:
            log = self.frozen.logpdf if self.kind == "continuous" else self.frozen.logpmf
            return np.asarray(log(x), dtype=np.float64)
        y = (np.asarray(x, dtype=np.float64) - self.loc) / self.scale
        low, high = formulas.bounds(*self.shapes)
        inside = (y >= low) & (y <= high)
        found = np.where(np.isnan(y), np.nan, -np.inf)
        found[inside] = formulas.logpdf(y[inside], *self.shapes) - np.log(self.scale)
        return found


@dataclass(frozen=True)
class Columns:
    """Distributions of one family, all computed at once: a row for each.

    Parameters
    ----------
    all : tuple of Named
        Normal, lognormal or gamma ones, of a single name.
    """

    all: tuple[Named, ...]

    @classmethod
    def of(cls, laws: Sequence[Any]) -> Columns | None:
        """The columns of some laws; none if they are not of one such family."""
        names = {getattr(law, "name", "") for law in laws}
        return cls(tuple(laws)) if len(names) == 1 and names <= {"norm", "lognorm", "gamma"} else None

    @functools.cached_property
    def _parameters(self) -> tuple[Array, Array, tuple[Array, ...]]:
        rows = np.array([(law.loc, law.scale, *law.shapes) for law in self.all], dtype=np.float64)
        loc, scale, *shapes = (column[:, None] for column in rows.T)
        return loc, scale, tuple(shapes)

    def at(self, what: str, x: Array) -> Array:
        """``cdf``, ``sf`` or ``logpdf`` at `x`, shape (distributions, values)."""
        loc, scale, shapes = self._parameters
        formulas = _families()[self.all[0].name]
        y = np.maximum((x - loc) / scale, formulas.bounds(*self.all[0].shapes)[0])
        found = np.asarray(getattr(formulas, what)(y, *shapes), dtype=np.float64)
        return found - np.log(scale) if what == "logpdf" else found


def named_in_scipy(dist: Any) -> bool:
    """Tell whether `scipy.stats` has this very distribution under its name."""
    from scipy import stats

    return type(getattr(stats, dist.name, None)) is type(dist)


def named(frozen: Any) -> Named:
    """A frozen distribution of scipy, by its name and parameters."""
    shapes = frozen.dist.shapes.replace(" ", "").split(",") if frozen.dist.shapes else []
    said = {"loc": 0.0, "scale": 1.0, **dict(zip((*shapes, "loc", "scale"), frozen.args, strict=False)), **frozen.kwds}
    return Named(frozen.dist.name, tuple(said[shape] for shape in shapes), said["loc"], said["scale"])
