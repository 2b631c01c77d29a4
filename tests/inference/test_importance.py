"""Importance: smoothing of weights, and resampling by them."""

import numpy as np
import pytest
from scipy import stats

from demandsim.inference.importance import effective_size, smoothed, systematic


def test_smoothing_leaves_what_has_no_tail():
    equal = np.where(np.arange(1000) % 3 == 0, 0.0, -np.inf)
    found, khat = smoothed(equal)
    np.testing.assert_array_equal(found, equal)
    assert khat == 0.0
    assert smoothed(np.full(10, -1.0))[1] == np.inf
    heavy = stats.pareto(1 / 1.2).rvs(20_000, random_state=1)
    assert smoothed(np.log(heavy))[1] == pytest.approx(1.2, abs=0.15)


def test_resampling_is_unbiased_and_takes_nothing_without_weight():
    weights = np.array([0.0, 1.0, 2.0, 5.0, 0.0])
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    counts = np.zeros(5)
    for seed in range(400):
        places = systematic(logs, 7, np.random.default_rng(seed))
        assert np.all(np.diff(places) >= 0)
        counts += np.bincount(places, minlength=5)
    assert counts[0] == counts[4] == 0
    np.testing.assert_allclose(counts / counts.sum(), weights / 8, atol=0.01)
    assert effective_size(logs) == pytest.approx(64 / 30)


def test_resampling_of_a_sobol_sequence_has_no_echo():
    # In their own order, every fourth point of a Sobol' sequence lies in the same quarter of the cube.
    from demandsim.sampling.qmc import Stream, sobol

    u = sobol(1, 0, Stream("x"), 0, 4096, 4096)
    means = [u[systematic(np.zeros(4096), 1024, np.random.default_rng(seed))].mean() for seed in range(50)]
    assert np.std(means) < 1.5 * np.sqrt(1 / 12 / 1024)
