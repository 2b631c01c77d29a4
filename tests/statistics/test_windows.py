"""Windows: order statistics without a sort are those of a sort, to the last bit, whatever the draws look like."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demandsim.statistics import estimators, order_statistics, windows
from demandsim.statistics.estimators import Asked, array_estimates, stacked_estimates
from demandsim.statistics.order_statistics import Windowed
from demandsim.statistics.sample import Pooled, Sorted
from demandsim.statistics.sketch import moments_of
from demandsim.statistics.tails import tail_index, tail_size

LEVELS = (0.5, 0.05, 0.95)


@pytest.fixture(autouse=True, scope="module")
def small():
    """Blocks and pilots so small that a few draws have many."""
    before = windows._BLOCK, order_statistics._PILOT
    windows._BLOCK, order_statistics._PILOT = 64, 32
    yield
    windows._BLOCK, order_statistics._PILOT = before


def smooth(rng, size):
    return np.exp(rng.standard_normal(size))


def even(rng, size):
    return (rng.permutation(size) + rng.random(size)) / size


def few(rng, size):
    return np.floor(5 * rng.random(size))


def equal(rng, size):
    return np.where(rng.random(size) < 0.7, 3.0, rng.standard_normal(size))


def clipped(rng, size):
    # Two values that many draws have, at the ends of all.
    return np.clip(rng.standard_normal(size), -0.5, 1.0)


def alike(rng, size):
    # Many draws have one value, and the next numbers on either side have as many.
    return rng.choice([1.0, np.nextafter(1.0, 2.0), np.nextafter(1.0, 0.0), 2.0], size)


def many(rng, size):
    # Windows that begin and end at one value, which is not so frequent that it is counted.
    return np.floor(40 * rng.random(size))


def single_few(rng, size):
    return few(rng, size).astype(np.float32)


def peaks(rng, size):
    return rng.standard_normal(size) + 1000.0 * (rng.random(size) < 0.5)


def heavy(rng, size):
    return rng.standard_t(1, size)


def rising(rng, size):
    # The first draws say nothing of the rest.
    return np.sort(rng.standard_normal(size))


def shifted(rng, size):
    return rng.standard_normal(size) + 10 * rng.random()


def tiny(rng, size):
    return 1e-310 * rng.standard_normal(size)


def huge(rng, size):
    return 1.7e308 * (2 * rng.random(size) - 1)


def single(rng, size):
    return np.exp(rng.standard_normal(size)).astype(np.float32)


KINDS = [smooth, even, few, many, equal, clipped, alike, single_few, peaks, heavy, rising, shifted, tiny, huge, single]


def both(rows, **settings):
    made = Windowed(
        rows,
        LEVELS,
        list(map(moments_of, rows)),
        tail=tail_size(sum(row.size for row in rows)) + 1,
        **{"iid": False, **settings},
    )
    chains = [Sorted(np.sort(row)) for row in rows]
    return made, chains, Pooled(chains)


@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5),
    iid=st.booleans(),
    probs=st.lists(st.floats(0, 1), max_size=5),
)
def test_order_statistics_are_those_of_a_sort(kind, seed, sizes, iid, probs):
    rng = np.random.default_rng(seed)
    rows = [kind(rng, size) for size in sizes]
    made, chains, pooled = both(rows, iid=iid)
    assert made.quantiles([*LEVELS, *probs, 0.0, 1.0]) == pooled.quantiles([*LEVELS, *probs, 0.0, 1.0])
    asked = [*pooled.quantiles([*LEVELS, *probs]), -7.5, float(rows[0][0])]
    for own, chain in zip(made.chains, chains, strict=True):
        assert np.array_equal(own.counts(asked), chain.counts(asked))
        gap, other = (high / 2 - low / 2 for low, high in (own.widest_gap(), chain.widest_gap()))
        assert gap == other
        for enough in (gap, 3 * gap):
            low, high = own.widest_gap(enough)
            assert high / 2 - low / 2 == gap or gap <= enough / 2
        for most in (gap, gap / 3):
            low, high = own.widest_gap(most=2 * most)
            assert high / 2 - low / 2 == gap or most <= high / 2 - low / 2 <= gap
    assert tail_index(made) == pytest.approx(tail_index(pooled), rel=1e-9, nan_ok=True)


@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5),
    prob=st.floats(0.01, 0.99),
)
def test_highest_density_intervals_are_those_of_a_sort(kind, seed, sizes, prob):
    rng = np.random.default_rng(seed)
    made, chains, pooled = both([kind(rng, size) for size in sizes], prob=prob)
    assert made.narrowest(prob) == pooled.narrowest(prob)
    assert [own.narrowest(prob) for own in made.chains] == [chain.narrowest(prob) for chain in chains]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asked", [Asked(0.9), Asked(0.5, probs=(0.999, 0.3)), Asked(0.9, "hdi"), Asked(0.9, iid=True)])
@pytest.mark.parametrize("share", [windows._OFTEN, 2.0], ids=["counted", "kept"])
def test_statistics_are_those_of_sorted_draws(kind, asked, share, monkeypatch):
    monkeypatch.setattr(windows, "_OFTEN", share)
    values = np.array([kind(np.random.default_rng(seed), 5000) for seed in range(8)])
    found = array_estimates(values, asked)
    assert estimators._SORT_ALL < 8 * 5000
    monkeypatch.setattr(estimators, "_SORT_ALL", values.size)
    exact = array_estimates(values, asked)
    assert found.row[2:5] == exact.row[2:5]
    # Sums in another order differ in their last bits, of which a spread of chains may be made.
    scale = max(map(abs, exact.row[:5]))
    assert found.row[: asked.count] == pytest.approx(exact.row[: asked.count], rel=1e-6, abs=1e-12 * scale)
    # Errors may leave out what is not felt.
    assert found.row[asked.count :] == pytest.approx(exact.row[asked.count :], rel=3e-4, abs=1e-12 * scale)
    assert found.tail == pytest.approx(exact.tail, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("iid", [False, True])
def test_a_gap_far_out_is_felt_in_the_error_of_an_sd(seed, iid, monkeypatch):
    values = np.array([heavy(np.random.default_rng([seed, chain]), 30_000) for chain in range(3)])
    found = array_estimates(values, Asked(0.9, iid=iid))
    monkeypatch.setattr(estimators, "_SORT_ALL", values.size)
    assert found.row[6] == pytest.approx(array_estimates(values, Asked(0.9, iid=iid)).row[6], rel=3e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_left_out_and_counted(bad):
    values = np.random.default_rng(1).standard_normal((8, 5000))
    values[2, 17] = values[7, 4999] = bad
    kept = [row[np.isfinite(row)] for row in values]
    found = array_estimates(values, Asked(0.9))
    assert found.left_out == 2
    assert found.row[2] == np.quantile(np.concatenate(kept), 0.5)


def test_numbers_whose_sum_is_none_are_not_left_out():
    assert array_estimates(np.full((2, 20_000), 1.5e308) * np.linspace(0.5, 1, 20_000), Asked(0.9)).left_out == 0


def test_most_draws_are_read_once_and_not_sorted(monkeypatch):
    monkeypatch.setattr(windows, "_BLOCK", 65_536)
    monkeypatch.setattr(order_statistics, "_PILOT", 8_192)
    read = []
    monkeypatch.setattr(
        windows, "_read_chain", lambda row, edges, plain=windows._read_chain: read.append(row) or plain(row, edges)
    )
    values = [smooth(np.random.default_rng(seed), 2**16) for seed in range(8)]
    made = Windowed(values, LEVELS, list(map(moments_of, values)), iid=True, tail=tail_size(2**19) + 1)
    for level, step in itertools.product(LEVELS, (-5e-4, 0, 5e-4)):
        made.quantiles([level + step])
    assert len(read) == 8
    assert sum(window.size for window in made._windows) < 0.06 * 2**19


@pytest.mark.parametrize("kind", [smooth, even, few, equal, clipped, peaks, heavy])
@pytest.mark.parametrize("seed", range(3))
def test_most_draws_are_compared_once_and_not_sorted(kind, seed, monkeypatch):
    monkeypatch.setattr(windows, "_BLOCK", 65_536)
    monkeypatch.setattr(order_statistics, "_PILOT", 8_192)
    monkeypatch.setattr(estimators, "_SORT_ALL", 1 << 15)
    read, sorted_ = [], []
    chain, sort = windows._read_chain, np.sort
    monkeypatch.setattr(windows, "_read_chain", lambda row, edges: read.append(row.size) or chain(row, edges))
    monkeypatch.setattr(np, "sort", lambda values, **more: sorted_.append(values.size) or sort(values, **more))
    rng = np.random.default_rng(seed)
    # Of fewer that are spread evenly the widest gap is felt, and looked for.
    values = np.array([kind(rng, 2**17 if kind is even else 2**15) for _ in range(8)])
    array_estimates(values, Asked(0.9, probs=(0.25, 0.75), iid=kind is not even))
    # The first chain is read again where the pilot was wrong about it; all of them hardly ever.
    assert sum(read) <= 2 * values.size
    assert sum(sorted_) < 0.45 * values.size


def rare(rng, size):
    return (rng.random(size) < 1 / 50).astype(float)


def beyond(rng, size):
    values = rng.standard_normal(size)
    values[rng.integers(size)] = rng.choice([np.nan, np.inf])
    return values


@given(
    seed=st.integers(0, 2**32),
    chains=st.integers(1, 5),
    size=st.integers(1, 300),
    kind=st.sampled_from(["eti", "hdi"]),
    iid=st.booleans(),
    multimodal=st.booleans(),
)
def test_many_small_samples_at_once_are_each_by_itself(seed, chains, size, kind, iid, multimodal):
    asked = Asked(0.8, kind, (0.001, 0.25), iid, multimodal and kind == "hdi")
    rng = np.random.default_rng(seed)
    values = [np.array([each(rng, size) for _ in range(chains)]) for each in [*KINDS, rare, beyond]]
    exact = [place for place in range(2, asked.count) if kind == "eti" or place not in (3, 4)]
    for found, one in zip(stacked_estimates(values, asked), values, strict=True):
        alone = array_estimates(one, asked)
        assert found.left_out == alone.left_out
        assert [found.row[place] for place in exact] == pytest.approx(
            [alone.row[p] for p in exact], rel=0, abs=0, nan_ok=True
        )
        # What is next to nothing beside the size of the draws is what rounding left.
        assert found.row == pytest.approx(alone.row, rel=1e-9, abs=1e-14 * abs(alone.row[0]), nan_ok=True)
        assert found.tail == pytest.approx(alone.tail, rel=1e-7, nan_ok=True)
        assert (found.dense is None) == (alone.dense is None)
        if found.dense:
            assert found.dense.ends == pytest.approx(alone.dense.ends, nan_ok=True)
