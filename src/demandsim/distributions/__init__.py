"""Distributions as an expert says them: intervals, moments, percentiles, data.

A menu: each constructor returns a `Distribution`, and costs one row. Whatever else has a quantile
function, of scipy or PreliZ, is taken as it is by `as_distribution`.
"""

from demandsim.distributions.adapters import as_distribution, scipy_distribution
from demandsim.distributions.compose import constant, discrete, empirical, metalog, mixture, truncated
from demandsim.distributions.families import (
    beta,
    gamma,
    lognormal,
    loguniform,
    normal,
    pert,
    student_t,
    triangular,
    uniform,
)
from demandsim.distributions.grammar import parse_distribution
from demandsim.distributions.law import Distribution

__all__ = [
    "Distribution",
    "as_distribution",
    "beta",
    "constant",
    "discrete",
    "empirical",
    "gamma",
    "lognormal",
    "loguniform",
    "metalog",
    "mixture",
    "normal",
    "parse_distribution",
    "pert",
    "scipy_distribution",
    "student_t",
    "triangular",
    "truncated",
    "uniform",
]
