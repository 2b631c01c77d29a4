r"""Kalman filter and simulation smoother of linear Gaussian states, many of them at once: numbers only.

All arrays begin with an axis of settings (of hyperparameters), which run side by side; each step has one scalar
measurement or none. Sums run in a fixed order.

Sources: R. E. Kalman, J. Basic Eng. 82 (1960); J. Durbin and S. J. Koopman, "A simple and efficient simulation smoother
for state space time series analysis", Biometrika 89 (2002).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array

__all__ = ["Step", "log_likelihood", "smoothed_draws"]


@dataclass(frozen=True, eq=False)
class Step:
    """A time of the process: how the state comes there, and what is measured.

    Parameters
    ----------
    move : array of shape (settings, states, states)
        From the state before.
    noise : array of shape (settings, states, states)
        Covariance of what is new.
    state : int or None
        State that is measured; None for none.
    value : array of shape (settings,) or float
        What was read.
    variance : float
        Of its error.
    """

    move: Array
    noise: Array
    state: int | None = None
    value: Array | float = 0.0
    variance: float = 0.0


@dataclass(frozen=True, eq=False)
class _Filtered:
    """What the filter knew before each measurement, and what the measurement taught."""

    means: list[Array]
    covariances: list[Array]
    gains: list[Array]
    scales: list[Array]
    surprises: list[Array]


def _filtered(mean: Array, covariance: Array, steps: Sequence[Step]) -> _Filtered:
    found = _Filtered([], [], [], [], [])
    for step in steps:
        mean = (step.move @ mean[..., None])[..., 0]
        covariance = step.move @ covariance @ np.swapaxes(step.move, -1, -2) + step.noise
        found.means.append(mean)
        found.covariances.append(covariance)
        if step.state is None:
            for unmeasured in (found.gains, found.scales, found.surprises):
                unmeasured.append(np.zeros(0))
            continue
        column = covariance[..., step.state]
        scale = column[..., step.state] + step.variance
        surprise = step.value - mean[..., step.state]
        gain = column / scale[..., None]
        mean = mean + gain * surprise[..., None]
        covariance = covariance - gain[..., :, None] * column[..., None, :]
        found.gains.append(gain)
        found.scales.append(scale)
        found.surprises.append(surprise)
    return found


def log_likelihood(mean: Array, covariance: Array, steps: Sequence[Step]) -> Array:
    """Logarithm of the density of all measurements, shape (settings,).

    Parameters
    ----------
    mean : array of shape (settings, states)
    covariance : array of shape (settings, states, states)
        Of the state before the first step.
    steps : sequence of Step

    Examples
    --------
    >>> one = np.ones((1, 1, 1))
    >>> step = Step(one, 0 * one, state=0, value=0.0, variance=1.0)
    >>> round(float(log_likelihood(np.zeros((1, 1)), 0 * one, [step])[0]), 4)
    -0.9189
    """
    found = _filtered(mean, covariance, steps)
    total = np.zeros(len(mean))
    for scale, surprise in zip(found.scales, found.surprises, strict=True):
        if scale.size:
            total -= 0.5 * (np.log(2 * math.pi * scale) + surprise * surprise / scale)
    return total


def smoothed_draws(mean: Array, covariance: Array, steps: Sequence[Step], rng: np.random.Generator) -> Array:
    """One path of the state for each setting, given all measurements; shape (settings, steps, states).

    A path is drawn without looking at the measurements, and then moved by what they say of the difference.

    Parameters
    ----------
    mean, covariance, steps
        As for `log_likelihood`.
    rng : Generator
    """
    state = mean + _normal(covariance, rng)
    free, differences = [], []
    for step in steps:
        state = (step.move @ state[..., None])[..., 0] + _normal(step.noise, rng)
        free.append(state)
        if step.state is None:
            differences.append(step)
            continue
        read = state[..., step.state] + math.sqrt(step.variance) * rng.standard_normal(len(state))
        differences.append(Step(step.move, step.noise, step.state, step.value - read, step.variance))
    found = _filtered(np.zeros_like(mean), covariance, differences)
    later = np.zeros_like(mean)
    out = np.empty((len(mean), len(steps), mean.shape[1]))
    for place in range(len(steps) - 1, -1, -1):
        step = steps[place]
        if step.state is not None:
            # What later measurements say, less what this one has already said of it.
            told = np.sum(found.gains[place] * later, axis=-1)
            later = later.copy()
            later[..., step.state] += found.surprises[place] / found.scales[place] - told
        moved = (found.covariances[place] @ later[..., None])[..., 0]
        out[:, place] = free[place] + found.means[place] + moved
        later = (np.swapaxes(step.move, -1, -2) @ later[..., None])[..., 0]
    return out


def _normal(covariance: Array, rng: np.random.Generator) -> Array:
    """Normal draws with a covariance that may be singular."""
    shape = covariance.shape[:-1]
    drawn = rng.standard_normal(shape)
    out = np.zeros(shape)
    factor = _factor(covariance)
    for column in range(shape[-1]):
        out += factor[..., column] * drawn[..., column, None]
    return out


def _factor(covariance: Array) -> Array:
    """Cholesky factor; a state without noise of its own has a row of zeros."""
    size = covariance.shape[-1]
    factor = np.zeros_like(covariance)
    for column in range(size):
        rest = covariance[..., :, column] - np.sum(factor * factor[..., column, None, :], axis=-1)
        pivot = rest[..., column]
        tiny = pivot <= 1e-13 * covariance[..., column, column]
        root = np.sqrt(np.where(tiny, 1.0, pivot))
        factor[..., :, column] = np.where(tiny[..., None], 0.0, rest / root[..., None])
        factor[..., :column, column] = 0.0
    return factor
