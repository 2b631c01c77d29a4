"""Distributions as an expert says them: intervals, moments, percentiles, data.

A menu: each constructor returns a `Distribution`, and costs one row. Whatever else has a quantile
function, of scipy or PreliZ, is taken as it is by `as_distribution`.
"""

from demandsim.distributions.base import Distribution
from demandsim.distributions.beta_gamma import beta, gamma
from demandsim.distributions.clipping import clipped
from demandsim.distributions.convert import as_distribution, by, scipy_distribution
from demandsim.distributions.counts import bernoulli, binomial, poisson
from demandsim.distributions.empirical import constant, discrete, empirical
from demandsim.distributions.grammar import parse_distribution
from demandsim.distributions.metalog import metalog
from demandsim.distributions.mixture import mixture
from demandsim.distributions.normal import lognormal, normal, student_t
from demandsim.distributions.opinion_pool import pooled
from demandsim.distributions.rounding import rounded
from demandsim.distributions.shares import choice, dirichlet
from demandsim.distributions.triangular_pert import pert, triangular
from demandsim.distributions.truncation import truncated
from demandsim.distributions.uniform import loguniform, uniform
from demandsim.distributions.weibull_pareto import pareto, weibull

__all__ = [
    "Distribution",
    "as_distribution",
    "bernoulli",
    "beta",
    "binomial",
    "by",
    "choice",
    "clipped",
    "constant",
    "dirichlet",
    "discrete",
    "empirical",
    "gamma",
    "lognormal",
    "loguniform",
    "metalog",
    "mixture",
    "normal",
    "pareto",
    "parse_distribution",
    "pert",
    "poisson",
    "pooled",
    "rounded",
    "scipy_distribution",
    "student_t",
    "triangular",
    "truncated",
    "uniform",
    "weibull",
]
