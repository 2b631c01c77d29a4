"""Sketches: merging loses nothing, and every quantile is within the proven error."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from demandsim.statistics.sketch import (
    MANTISSA_BITS,
    focus_on,
    guessed_focus,
    merged,
    merged_moments,
    moments_of,
    repeated,
    sketch_of,
)

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
    # Apart from the first value, so that numpy's own rounding of the mean does not count.
    apart = values - values[0]
    assert total.sd == pytest.approx(apart.std(ddof=1), abs=1e-7 * scale)
    assert total.scaled(total.scaled(total.scaled(total.scaled(total.fourth)))) / total.count == pytest.approx(
        np.mean((apart - apart.mean()) ** 4), rel=1e-6, abs=1e-7 * scale**4
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
    assert sketch.nbytes <= 2 * 66 * 2**MANTISSA_BITS


@pytest.mark.parametrize("value", [3.0, -3.0, 0.0, -1e-310, math.nan, math.inf])
def test_a_repeated_value_is_sketched_as_its_copies(value):
    times = 70_000
    one, other = repeated(value, times), sketch_of(np.full(times, value))
    assert (one.count, one.zeros, one.invalid, one.smallest) == (
        other.count,
        other.zeros,
        other.invalid,
        other.smallest,
    )
    np.testing.assert_array_equal(one.quantiles(PROBS), other.quantiles(PROBS))


# Counting finely where somebody looks

levels = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=4)


def looked_at(values, probs, prob, pieces, first):
    """Read all pieces with the focus that some guess, and again with what was missed; the table, and how often."""
    focus = guessed_focus(first, probs, prob, values.size)
    for times in (1, 2, 3):
        sketches = [sketch_of(part, focus) for part in np.array_split(values, pieces)]
        table = functools.reduce(merged, sketches).table()
        missed = table.unresolved(probs, prob)
        if not missed:
            return table, times
        focus |= focus_on(missed)
    raise AssertionError("what was missed was still missed when it was known")


@given(samples, levels, st.floats(0.05, 0.95), st.integers(1, 5), samples)
def test_what_a_wrong_guess_missed_is_found_in_a_second_pass_with_the_same_bits(values, probs, prob, pieces, guess):
    everywhere = sketch_of(values)
    table, times = looked_at(values, probs, prob, pieces, guess)
    assert times <= 2
    assert table.quantiles(probs) == everywhere.quantiles(probs)
    assert table.narrowest(prob) == everywhere.narrowest(prob)


LAWS = {
    "lognormal": stats.lognorm(1.0),
    "normal": stats.norm(2, 1),
    "beta": stats.beta(2, 5),
    "heavy tails": stats.t(2),
    "many zeros": stats.poisson(0.7),
}


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("prob", [None, 0.9], ids=["quantiles", "narrowest"])
def test_the_first_draws_tell_where_to_look(law, prob):
    values = law.rvs(100_000, random_state=7).astype(float)
    probs = [0.5, 0.05, 0.95, 0.001]
    table, times = looked_at(values, probs, prob, 5, values[:8192])
    assert times == 1
    assert table.quantiles(probs) == sketch_of(values).quantiles(probs)


@pytest.mark.parametrize("value", [2.5, -2.5, 0.0])
@pytest.mark.parametrize("prob", [None, 0.9])
def test_one_draw_tells_where_a_sure_value_lies(value, prob):
    sketch = repeated(value, 1000, guessed_focus(np.array([value]), [0.5, 0.05], prob, 1000))
    assert sketch.table().unresolved([0.5, 0.05], prob) == []


def test_a_sketch_of_an_interval_takes_a_fraction_of_one_of_everything_and_that_less_than_the_draws():
    values = LAWS["lognormal"].rvs(65_536, random_state=3)
    focus = guessed_focus(values[:8192], [0.5, 0.05, 0.95], None, values.size)
    assert 4 * sketch_of(values, focus).nbytes < sketch_of(values).nbytes < values.nbytes
    with pytest.raises(ValueError, match="different places"):
        merged(sketch_of(values, focus), sketch_of(values))


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)).map(sorted), max_size=5), numbers)
def test_every_value_inside_a_focus_is_counted_finely(intervals, value):
    table = sketch_of([value], focus_on(intervals)).table()
    assert table.number.tolist() == [1]
    assert table.low[0] <= value <= table.high[0]
    if any(low <= value <= high for low, high in intervals):
        assert table.fine[0]
