"""A proposal that bends with the evidence, against closed forms."""

import numpy as np
import pytest
from scipy import special, stats

from demandsim.inference.importance import effective_size, log_mean, normalised
from demandsim.inference.subspace import bent
from demandsim.inference.target import Reading
from demandsim.inference.term import Agreement


class Sum:
    """The sum of what each score stands for, read with a normal error."""

    def __init__(self, value, mean, sd):
        self.value, self.reading = value, Reading(mean, sd)

    def readings(self, z):
        return [self.reading], self.value(z)[None]

    def __call__(self, z):
        return Agreement(stats.norm.logpdf(self.value(z), self.reading.mean, self.reading.sd), np.zeros(z.shape[1]))


def points(dims, draws, seed):
    return stats.qmc.Sobol(dims + 2, seed=seed).random(draws).T


def exponentials(z):
    return -special.log_ndtr(-z).sum(axis=0)


@pytest.mark.parametrize("dims", [14, 30])
def test_a_sharp_sum_of_exponentials(dims):
    """The sum is gamma, and its parts are Dirichlet."""
    rng, total, error = np.random.default_rng(1), 0.8 * dims, 0.02
    parts = rng.dirichlet(np.ones(dims), 512).T * (total + error * rng.standard_normal(512))
    target = Sum(exponentials, total, error)
    found = bent(target, -special.ndtri(np.exp(-parts)), points(dims, 2048, 2), rng)
    z, ratio = found.drawn(points(dims, 4096, 3))
    np.testing.assert_allclose(found.log_ratio(z), ratio, atol=1e-6)
    # Where no draw of the prior counts.
    assert found.log_ratio(z[:, :0]).shape == (0,)
    weights = target(z).whole - ratio
    assert effective_size(weights) > 0.4 * weights.size
    assert log_mean(weights) == pytest.approx(stats.gamma(dims).logpdf(total), abs=0.05)
    # The sum of squares of the parts tells all their spreads at once.
    squares = np.sum(special.log_ndtr(-z) ** 2, axis=0) @ normalised(weights)
    assert squares == pytest.approx(total**2 * 2 / (dims + 1), rel=0.02)


def test_a_mode_that_it_never_comes_to_is_noticed():
    rng, dims = np.random.default_rng(1), 16
    along = np.ones(dims) / np.sqrt(dims)
    z = rng.standard_normal((dims, 512))
    z += np.outer(along, np.where(np.arange(512) % 6, 2.0, -2.0) - along @ z)
    target = Sum(lambda z: (along @ z) ** 2, 4.0, 0.05)
    assert bent(target, z, points(dims, 2048, 2), rng) is None
    one = z[:, along @ z > 0]
    assert bent(target, one, points(dims, 2048, 2), rng) is not None


def test_more_numbers_than_directions_are_left_to_others():
    class Many(Sum):
        def readings(self, z):
            return [self.reading] * 9, np.repeat(self.value(z)[None], 9, axis=0)

    rng = np.random.default_rng(1)
    target = Many(exponentials, 30.0, 0.1)
    assert bent(target, rng.standard_normal((30, 256)), points(30, 512, 2), rng) is None
