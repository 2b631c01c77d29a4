"""Tables of quantiles: their error holds everywhere, and not only where it was checked when they were built."""

import numpy as np
import pytest
from scipy import stats

from demandsim.distributions.inversion import U_ERROR, tabulate

#: Eight places in every cell of a grid with 64 cells in each of the octaves of min(u, 1 - u) from 1/4 down to 2**-16.
PLACES = np.random.default_rng(11).uniform(size=(15, 8, 64))
NEAR = np.ldexp(1 + (np.arange(64) + PLACES) / 64, -np.arange(2, 17)[:, None, None]).ravel()


def beta(mean, sd):
    size = mean * (1 - mean) / sd**2 - 1
    return stats.beta(mean * size, (1 - mean) * size)


LAWS = {
    "narrow beta": beta(0.5, 1e-5),
    "beta almost at 1": beta(0.999, 0.001),
    "bathtub": beta(0.5, 0.45),
    "beta": beta(0.45, 0.1),
    "pert with its mode at the bound": stats.beta(5, 1, 0, 5),
    "gamma": stats.gamma(0.3),
    "Cauchy": stats.t(1),
    "Weibull": stats.weibull_min(1.5, scale=2),
    "Pareto": stats.pareto(3, scale=2),
    "inverse Gauss": stats.invgauss(0.5),
}


def u_error(forward, x, near):
    """How far `near` lies outside the probabilities just below and just above `x`."""
    ends = forward(np.nextafter(x, -np.inf)), forward(np.nextafter(x, np.inf))
    return np.maximum(np.minimum(*ends) - near, near - np.maximum(*ends))


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_the_error_holds_between_the_places_where_it_was_checked(law):
    table = tabulate(law.ppf, law.cdf, law.sf, law.isf)
    for u, forward, inverse in ((NEAR, law.cdf, law.ppf), (1 - NEAR, law.sf, law.isf)):
        own = u_error(forward, inverse(NEAR), NEAR).clip(4 * np.finfo(float).eps * NEAR)
        assert np.max((u_error(forward, table(u), NEAR) - own) / np.minimum(1, 4 * NEAR)) <= U_ERROR
