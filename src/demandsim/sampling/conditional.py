r"""Conditioning: mean and quantiles with one assumption integrated out analytically.

A quantile of draws converges slowly even under a quasi-random design, since the step "at most q" is
not smooth. Where a result has the form :math:`y = a + b x^k` in one assumption :math:`x`, with a and b
made from the others, the step can be replaced by its expectation over x,

.. math:: P(y \le q) = E\left[ F_x\Bigl(\bigl(\tfrac{q - a}{b}\bigr)^{1/k}\Bigr) \right]
    \quad (b > 0,\ k > 0),

which is smooth in the others, so that quantiles converge nearly as fast as means.

Sources: Asmussen, "Conditional Monte Carlo for sums", ASTIN Bulletin 48 (2018); L'Ecuyer, Puchhammer
and Ben Abdellah, "Monte Carlo and quasi-Monte Carlo density estimation via conditioning", INFORMS J.
Computing 34 (2022).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.errors import DemandsimError
from demandsim.sampling.run import BLOCK, Run, spans
from demandsim.statistics.mcse import spread_to_mcse

__all__ = ["Conditioned", "Form", "condition", "estimate", "estimates", "form_of"]

#: Powers that are tried: the report's chain has 1 (parameters, prices) and -1 (utilization, life).
_POWERS = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
_PROBES = 128
#: Draws of each chain that a solution is sought with first.
_ROUGH = 256


@dataclass(frozen=True)
class Form:
    """A result is ``a + b * x**power`` in the assumption `over`.

    Parameters
    ----------
    over : str
    power : float
    reach : float
        Median width, over the other assumptions, of the central 90% interval that x alone makes.
    """

    over: str
    power: float
    reach: float


def _law(run: Run, over: str) -> Law | None:
    """The law of an assumption that can be integrated out: one number, one law, moving alone."""
    transform = run.program.transforms[over]
    alone = len(transform.streams) == 1 and run.program.copula.group_of(transform.streams[0]) is None
    if transform.dims or len(transform.variants) > 1 or not transform.varying.random or not alone:
        return None
    law = transform.variants[0].laws[0]
    quartiles = law.ppf(np.array([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]))
    # A discrete law repeats values, and its steps would not be smoothed away.
    return law if np.all(np.diff(quartiles) > 0) and law.support()[0] >= 0 else None


def _at(run: Run, name: str, over: str, value: float, start: int, stop: int) -> Array:
    """A result with `over` set to one value and the others as drawn, shape (elements, draws)."""
    assumed = run.program.assume(run.grades(start, stop), stop - start, run.needed)
    assumed[over] = np.full_like(assumed[over][..., :1], value)
    result = run.program.derive(assumed, run.needed)[name]
    shape = (*result.shape[:-1], stop - start)
    return np.ascontiguousarray(np.broadcast_to(result, shape)).reshape(-1, stop - start)


def form_of(run: Run, name: str, over: str | None = None) -> Form | None:
    """Find the assumption that a result depends on most, in a form that can be integrated out.

    Parameters
    ----------
    run : Run
        Keeps the result.
    name : str
        Computed quantity.
    over : str, optional
        Try this assumption only.

    Returns
    -------
    Form or None
    """
    causes = [n for n in run.program.transforms if n in run.needed] if over is None else [over]
    forms = [form for cause in causes if (form := _form(run, name, cause)) is not None]
    return max(forms, key=lambda form: form.reach, default=None)


def _form(run: Run, name: str, over: str) -> Form | None:
    law = _law(run, over)
    if law is None:
        return None
    stop = min(_PROBES, run.total)
    x = law.ppf(np.array([0.05, 0.35, 0.7, 0.95]))
    y = np.stack([_at(run, name, over, value, 0, stop) for value in x.tolist()])
    scale = np.abs(y).max(axis=0)
    if not np.all(np.isfinite(y)) or np.all(y[3] == y[0]):
        return None
    for power in _POWERS:
        weights = (x[1:3] ** power - x[0] ** power) / (x[3] ** power - x[0] ** power)
        expected = y[0] + weights[:, None, None] * (y[3] - y[0])
        if np.all(np.abs(expected - y[1:3]) <= 1e-9 * scale):
            return Form(over, power, float(np.median(np.abs(y[3] - y[0]))))
    return None


@dataclass(frozen=True, eq=False)
class Conditioned:
    """Coefficients of a result in every draw.

    Parameters
    ----------
    law : Law
        Of the assumption that is integrated out.
    power : float
    a, b : array of shape (elements, chains, draws)
    """

    law: Law
    power: float
    a: Array
    b: Array

    def distribution(self, element: int, q: float) -> Array:
        """P(y <= q) of one element, per chain."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            t = (q - self.a[element]) / self.b[element]
            x = np.where(t > 0, np.abs(t), 0.0) ** (1.0 / self.power)
        # For t <= 0 no x**power lies below it: x is then 0 or infinity, and its cdf 0 or 1.
        below = np.reshape(self.law.cdf(x.ravel()), x.shape)
        at_most = below if self.power > 0 else 1.0 - below
        share = np.where(self.b[element] > 0, at_most, 1.0 - at_most)
        share = np.where(self.b[element] == 0, self.a[element] <= q, share)
        return np.asarray(share.mean(axis=-1))

    def means(self, element: int) -> Array:
        """Mean of one element, per chain."""
        # The mean of x**power by the trapezoidal rule in normal scores, geometric in accuracy.
        from scipy import special

        z = np.linspace(-8.0, 8.0, 4097)
        weight = np.exp(-0.5 * z * z)
        moment = float(np.sum(weight * self.law.ppf(special.ndtr(z)) ** self.power) / weight.sum())
        return np.asarray(self.a[element].mean(axis=-1) + self.b[element].mean(axis=-1) * moment)


def condition(run: Run, name: str, form: Form) -> Conditioned:
    """Find the coefficients of a result in every draw, by two values of the assumption."""
    law = _law(run, form.over)
    if law is None:
        raise DemandsimError(
            f"'{form.over}' cannot be integrated out: it is no single continuous number that moves alone"
        )
    low, high = law.ppf(np.array([0.25, 0.75])).tolist()
    parts = []
    for start, stop in spans(0, run.total, BLOCK):
        y0, y1 = (_at(run, name, form.over, value, start, stop) for value in (low, high))
        b = (y1 - y0) / (high**form.power - low**form.power)
        parts.append((y0 - b * low**form.power, b))
    a, b = (np.concatenate(column, axis=-1).reshape(-1, run.chains, run.draws) for column in zip(*parts, strict=True))
    return Conditioned(law, form.power, a, b)


def estimate(made: Conditioned, probs: Sequence[float]) -> Iterator[tuple[list[float], list[float]]]:
    """Mean and quantiles of every element, and the MCSE of each, from the spread of the chains.

    Yields
    ------
    values, errors : list of float
        Mean first, then the quantiles.
    """
    middle = float(made.law.ppf(np.array([0.5]))[0]) ** made.power
    for element in range(made.a.shape[0]):
        means = made.means(element)
        values, errors = [float(means.mean())], [float(spread_to_mcse(means))]
        typical = made.a[element] + made.b[element] * middle
        width = float(np.ptp(typical)) or abs(float(typical.flat[0])) or 1.0

        def pooled(q: float, element: int = element) -> float:
            return float(made.distribution(element, q).mean())

        rough = dataclasses.replace(made, a=made.a[..., :_ROUGH], b=made.b[..., :_ROUGH])
        for prob in probs:
            start = _root(rough, element, prob, float(typical.min()), float(typical.max()), width)
            q = _root(made, element, prob, start - 1e-3 * width, start + 1e-3 * width, width)
            step = 1e-4 * width
            density = (pooled(q + step) - pooled(q - step)) / (2 * step)
            shares = made.distribution(element, q)
            values.append(q)
            # A chain's own quantile differs by its share's difference over the density.
            errors.append(float(spread_to_mcse(shares)) / density if density > 0 else math.nan)
        yield values, errors


def _root(made: Conditioned, element: int, prob: float, low: float, high: float, width: float) -> float:
    """Solve P(y <= q) = prob, from a bracket that is widened until it holds the solution."""
    from scipy import optimize

    def excess(q: float) -> float:
        return float(made.distribution(element, q).mean()) - prob

    grow = max(high - low, 1e-9 * width)
    while excess(low) > 0:
        low, grow = low - grow, 4 * grow
    while excess(high) < 0:
        high, grow = high + grow, 4 * grow
    return float(optimize.brentq(excess, low, high, xtol=1e-10 * width, rtol=1e-10))


def estimates(
    run: Run, of: Sequence[str], probs: Sequence[float], over: str | None = None
) -> Iterator[tuple[str, Form, list[tuple[list[float], list[float]]]]]:
    """Conditional estimates of several results, each over the assumption that serves it best.

    Raises
    ------
    DemandsimError
        If a result has no assumption of the needed form.
    """
    for name in of:
        alone = dataclasses.replace(run, keep=(name,))
        form = form_of(alone, name, over)
        if form is None:
            what = f"'{over}'" if over else "any of its assumptions"
            raise DemandsimError(
                f"'{name}' is not of the form a + b * x**k in {what} (a single continuous, positive, uncorrelated "
                "number); use simulate and summarize"
            )
        yield name, form, list(estimate(condition(alone, name, form), probs))
