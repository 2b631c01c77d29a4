"""Distributions as an expert says them: intervals, moments, percentiles, data.

A menu: each constructor returns a `Distribution`, and costs one row. Whatever else has a quantile
function, of scipy or PreliZ, is taken as it is by `as_distribution`.
"""

from demandsim.distributions.base import Distribution
from demandsim.distributions.beta_gamma import beta, gamma
from demandsim.distributions.convert import as_distribution, scipy_distribution
from demandsim.distributions.empirical import constant, discrete, empirical
from demandsim.distributions.grammar import parse_distribution
from demandsim.distributions.metalog import metalog
from demandsim.distributions.mixture import mixture
from demandsim.distributions.normal import lognormal, normal, student_t
from demandsim.distributions.opinion_pool import pooled
from demandsim.distributions.triangular_pert import pert, triangular
from demandsim.distributions.truncation import truncated
from demandsim.distributions.uniform import loguniform, uniform

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
    "pooled",
    "scipy_distribution",
    "student_t",
    "triangular",
    "truncated",
    "uniform",
]
