"""Sketches: merging loses nothing, and every quantile is within the proven error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from demandsim.sketches import MANTISSA_BITS, merged, merged_moments, moments_of, sketch_of

PROBS = np.arange(1, 100) / 100
WIDTH = 2.0**-MANTISSA_BITS

numbers = st.floats(-1e12, 1e12, allow_nan=False).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
samples = arrays(np.float64, st.integers(1, 300), elements=numbers)


def pooled(parts):
    total = sketch_of(parts[0])
    for part in parts[1:]:
        total = merged(total, sketch_of(part))
    return total


@given(samples, st.integers(1, 7))
def test_quantiles_are_within_a_bin_of_their_order_statistics(values, pieces):
    sketch = pooled(np.array_split(values, pieces))
    exact = np.sort(values)
    for prob, found in zip(PROBS, sketch.quantiles(PROBS), strict=True):
        place = prob * (values.size - 1)
        low, high = exact[int(place)], exact[min(int(place) + 1, values.size - 1)]
        slack = WIDTH * max(abs(low), abs(high))
        assert low - slack <= found <= high + slack


@given(samples, samples)
def test_merging_is_sketching_together(a, b):
    together, apart = sketch_of(np.concatenate([a, b])), merged(sketch_of(a), sketch_of(b))
    assert together.count == apart.count == a.size + b.size
    assert (together.smallest, together.largest) == (apart.smallest, apart.largest)
    np.testing.assert_allclose(together.quantiles(PROBS), apart.quantiles(PROBS), rtol=1e-12)


@given(arrays(np.float64, st.integers(2, 500), elements=st.floats(-1e6, 1e6)), st.integers(1, 9))
def test_moments_are_those_of_numpy(values, pieces):
    total = moments_of(values[:0])
    for part in np.array_split(values, pieces):
        total = merged_moments(total, moments_of(part))
    scale = np.ptp(values) + 1e-9 * np.abs(values).max() + 1e-12
    assert total.count == values.size
    assert total.mean == pytest.approx(values.mean(), abs=1e-9 * (np.abs(values).max() + 1e-12))
    assert total.sd == pytest.approx(values.std(ddof=1), abs=1e-7 * scale)
    assert total.fourth / total.count == pytest.approx(
        np.mean((values - values.mean()) ** 4), rel=1e-6, abs=1e-7 * scale**4
    )


@pytest.mark.parametrize(
    "values",
    [
        stats.lognorm(1.0).rvs(200_000, random_state=1),
        -stats.lognorm(2.0).rvs(200_000, random_state=1),
        stats.norm(1e10, 1.0).rvs(200_000, random_state=1),
        stats.t(2).rvs(200_000, random_state=1) + 3,
    ],
    ids=["lognormal", "negative", "far from zero", "heavy tails"],
)
def test_large_samples_in_pieces_stay_within_the_bar(values):
    sketch = pooled(np.array_split(values, 13))
    exact = np.quantile(values, PROBS)
    near_zero = np.abs(exact) < 0.05
    np.testing.assert_allclose(np.array(sketch.quantiles(PROBS))[~near_zero], exact[~near_zero], rtol=1e-4)


def test_invalid_values_are_counted_and_left_out():
    values = np.array([1.0, np.nan, 2.0, np.inf, -np.inf, 3.0])
    sketch = merged(sketch_of(values), sketch_of(np.array([np.nan])))
    assert (sketch.count, sketch.invalid) == (3, 4)
    assert sketch.quantiles([0.5]) == [pytest.approx(2.0, rel=1e-4)]


def test_memory_is_bounded_whatever_the_range():
    values = np.concatenate([10.0 ** np.arange(-300, 300, 1.0), -(10.0 ** np.arange(-300, 300, 1.0))])
    sketch = pooled(np.array_split(values, 5))
    assert sketch.count == values.size
    assert sketch.positive[1].nbytes + sketch.negative[1].nbytes <= 2 * 8 * 66 * 2**MANTISSA_BITS
