"""Every design of the unit cube, held to one proof."""

import hashlib
import itertools
import math
import typing
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import qmc

import demandsim as ds
from demandsim import _system
from demandsim.errors import DemandsimError, UnknownNameError
from demandsim.sampling import qmc as qmc_file
from demandsim.sampling.qmc import UNIFORMS, Stream, latin_hypercube, sobol, uniforms
from demandsim.statistics.design import DESIGNS, DesignName, design_of

#: A new design is held to this proof by being in the menu.
ALL = sorted(DESIGNS)
MODEL = ds.load_study("guosen-2025-01")
EACH_DESIGN = pytest.mark.parametrize("design", ALL)

streams = st.builds(Stream, st.text(min_size=1, max_size=8), st.integers(0, 5), st.integers(0, 30))
seeds = st.one_of(st.just(0), st.integers(0, 2**32), st.integers(2**63, 2**130))


def whole(design, seed=7, chain=0, name="utilization", element=0, dimension=0, draws=4096):
    return UNIFORMS[design](seed, chain, Stream(name, element, dimension), 0, draws, draws)


def rank_correlation(a, b):
    return float(np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1])


@EACH_DESIGN
@given(data=st.data(), seed=seeds, stream=streams, draws=st.integers(1, 5000))
def test_any_split_into_blocks_gives_the_same_bits(design, data, seed, stream, draws):
    cuts = sorted(data.draw(st.lists(st.integers(0, draws), max_size=4)))
    edges = [0, *cuts, draws]
    parts = [UNIFORMS[design](seed, 2, stream, a, b, draws) for a, b in itertools.pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts), UNIFORMS[design](seed, 2, stream, 0, draws, draws))


@EACH_DESIGN
@given(data=st.data(), seed=seeds, stream=streams, draws=st.sampled_from([1, 2, 100, 1024, 1500]))
def test_chains_that_are_drawn_together_are_each_by_itself(design, data, seed, stream, draws):
    first, last = sorted(data.draw(st.tuples(st.integers(0, draws - 1), st.integers(1, draws))))
    chains = data.draw(st.lists(st.integers(0, 2**33), min_size=1, max_size=18))
    parts = [(chain, min(first, last - 1), last) for chain in chains]
    for more in ([], [(3, 0, draws)]):
        alone = [UNIFORMS[design](seed, chain, stream, a, b, draws) for chain, a, b in parts + more]
        np.testing.assert_array_equal(uniforms(design, seed, stream, parts + more, draws), np.concatenate(alone))


@given(seed=seeds, chain=st.integers(0, 2**33), stream=streams, purpose=st.integers(0, 9))
def test_a_key_is_that_of_numpys_spawned_seeds(seed, chain, stream, purpose):
    digest = hashlib.blake2b(stream.name.encode(), digest_size=16).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    spawned = np.random.SeedSequence(seed, spawn_key=(purpose, chain, stream.element, *words))
    assert np.array_equal(qmc_file._key(seed, chain, stream, purpose).generate_state(4), spawned.generate_state(4))


@EACH_DESIGN
@given(seed=seeds, stream=streams, start=st.integers(0, 2**40))
def test_values_lie_strictly_inside_the_unit_interval_however_far_out(design, seed, stream, start):
    u = UNIFORMS[design](seed, 0, stream, start, start + 500, 2**41)
    assert u.shape == (500,)
    assert u.min() > 0
    assert u.max() < 1


@EACH_DESIGN
@pytest.mark.parametrize("dimension", [0, 1, 7, 40])
def test_values_are_uniform(design, dimension):
    u = np.sort(whole(design, draws=16384, dimension=dimension, name=f"x{dimension}"))
    upper = np.arange(1, u.size + 1) / u.size
    kolmogorov = max(np.max(upper - u), np.max(u - upper + 1 / u.size))
    # 1.95 / sqrt(n) is passed by one independent sample in a thousand; the other designs lie far below it.
    assert kolmogorov < 1.95 / math.sqrt(u.size) * (1 if design == "random" else 0.1)


@EACH_DESIGN
def test_assumptions_and_elements_are_independent(design):
    kinds = {
        "name": [whole(design, name=name, dimension=place) for place, name in enumerate("abcdefgh")],
        "element": [whole(design, element=element, dimension=element) for element in range(8)],
    }
    for kind, made in kinds.items():
        for one, other in itertools.combinations(made, 2):
            # Four standard errors of an independent pair.
            assert abs(rank_correlation(one, other)) < 4 / math.sqrt(one.size), kind


@EACH_DESIGN
@pytest.mark.parametrize("other", [{"chain": 1}, {"seed": 10_000}], ids=["chains", "seeds"])
def test_errors_of_chains_and_of_seeds_are_independent(design, other):
    # Not the draws one by one: two scramblings of one Sobol' dimension visit related places. What the Monte Carlo
    # error rests on is that one chain's error says nothing about another's.
    def errors(shift):
        return np.array(
            [
                np.mean(np.exp(whole(design, seed=s + shift.get("seed", 0), chain=shift.get("chain", 0), draws=64)))
                for s in range(500)
            ]
        )

    assert abs(np.corrcoef(errors({}), errors(other))[0, 1]) < 4 / math.sqrt(500)
    assert abs(rank_correlation(errors({}) ** 2, errors(other) ** 2)) < 4 / math.sqrt(500)


@EACH_DESIGN
def test_zero_is_a_seed_like_any_other(design):
    np.testing.assert_array_equal(whole(design, seed=0), whole(design, seed=0))
    assert not np.array_equal(whole(design, seed=0), whole(design, seed=1))


@EACH_DESIGN
@given(seed=seeds, stream=streams)
def test_the_same_key_gives_the_same_bits_and_any_other_key_others(design, seed, stream):
    made = UNIFORMS[design](seed, 0, stream, 0, 64, 64)
    np.testing.assert_array_equal(made, UNIFORMS[design](seed, 0, stream, 0, 64, 64))
    others = [
        UNIFORMS[design](seed + 1, 0, stream, 0, 64, 64),
        UNIFORMS[design](seed, 1, stream, 0, 64, 64),
        UNIFORMS[design](seed, 0, Stream(stream.name + "x", stream.element, stream.dimension), 0, 64, 64),
        UNIFORMS[design](seed, 0, Stream(stream.name, stream.element + 1, stream.dimension), 0, 64, 64),
    ]
    assert not any(np.array_equal(made, other) for other in others)


@EACH_DESIGN
@pytest.mark.parametrize("power", [1, 2, 3])
def test_means_are_unbiased_over_seeds(design, power):
    means = np.array([np.mean(whole(design, seed=seed, draws=16) ** power) for seed in range(400)])
    error = means.std(ddof=1) / math.sqrt(means.size)
    assert abs(means.mean() - 1 / (power + 1)) < 4 * error


@EACH_DESIGN
def test_a_mean_is_never_worse_than_that_of_plain_monte_carlo(design):
    plain = math.sqrt(1 / 12 / 256)
    means = np.array([np.mean(whole(design, seed=seed, draws=256)) for seed in range(200)])
    assert means.std(ddof=1) < plain * (1.2 if design == "random" else 0.1)


@EACH_DESIGN
def test_no_two_draws_of_a_long_chain_are_equal(design):
    u = whole(design, draws=1 << 16)
    assert np.unique(u).size == u.size


def test_an_unknown_design_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'sobol'"):
        MODEL.simulate(draws=1, seed=1, design="sobel")


def test_each_design_has_its_name_its_points_and_its_record():
    assert list(DESIGNS) == list(UNIFORMS) == list(typing.get_args(DesignName))
    assert [design.name for design in DESIGNS.values()] == list(DESIGNS)


@EACH_DESIGN
def test_a_design_is_extensible_if_and_only_if_a_longer_chain_begins_with_a_shorter_one(design):
    begins = np.array_equal(whole(design, draws=64), whole(design, draws=128)[:64])
    assert DESIGNS[design].extensible == begins


@EACH_DESIGN
def test_a_design_whose_draws_are_independent_has_the_error_that_follows_from_them(design):
    means = np.array([np.mean(whole(design, seed=seed, draws=256)) for seed in range(400)])
    # The share of the variance of independent draws: 1, within five standard errors of a variance, or far below.
    share = means.var(ddof=1) * 12 * 256
    assert DESIGNS[design].independent == (abs(share - 1) < 5 * math.sqrt(2 / 400))


@EACH_DESIGN
def test_draws_know_their_design_through_a_comparison_and_what_is_made_of_them_is_taken_for_dependent(design):
    draws = MODEL.simulate(draws=16, chains=2, seed=1, design=design, keep=["cards"])
    assert design_of(draws) == design_of(draws.cards > 0) == DESIGNS[design]
    moved = draws.assign_coords(chain=draws.chain.assign_attrs(design=f"{design}, importance"))
    assert not design_of(moved).independent


@EACH_DESIGN
def test_a_design_warns_of_other_lengths_if_and_only_if_they_unbalance_it(design):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        MODEL.simulate(draws=1000, chains=2, seed=1, design=design, keep=["cards"])
    assert bool(said) == DESIGNS[design].balanced_at_powers_of_two


@pytest.mark.parametrize("draws", [1, 2, 3, 5, 7, 64, 100, 1000, 1023, 1025, 10_007])
def test_latin_hypercube_has_exactly_one_point_in_each_stratum(draws):
    for seed in range(5):
        u = latin_hypercube(seed, 0, Stream("x"), 0, draws, draws)
        np.testing.assert_array_equal(np.sort(np.floor(u * draws)), np.arange(draws))


def test_latin_hypercube_puts_the_strata_in_any_order_equally_often():
    # 6 orders of 3 strata; the share of each over 3,000 seeds is 1/6 within five binomial standard errors.
    orders = [tuple(np.argsort(latin_hypercube(s, 0, Stream("x"), 0, 3, 3)).tolist()) for s in range(3000)]
    shares = [orders.count(order) / len(orders) for order in itertools.permutations(range(3))]
    assert max(abs(share - 1 / 6) for share in shares) < 5 * math.sqrt(1 / 6 * 5 / 6 / 3000)


@pytest.mark.parametrize("dimension", [0, 1, 2, 15, 16, 63, 500])
@pytest.mark.parametrize("power", [0, 1, 5, 10, 12])
def test_the_first_points_of_each_sobol_dimension_stratify_exactly(dimension, power):
    points = 1 << power
    u = sobol(11, 3, Stream("x", 0, dimension), 0, points, points)
    np.testing.assert_array_equal(np.sort(np.floor(u * points)), np.arange(points))


@pytest.mark.parametrize("start", [0, 1024, 5 * 1024])
def test_two_sobol_dimensions_put_one_point_in_every_elementary_interval(start):
    power = 10
    points = 1 << power
    u, v = (sobol(3, 1, Stream(name, 0, d), start, start + points, 8192) for d, name in enumerate("uv"))
    for split in range(power + 1):
        cells = np.floor(u * 2**split) * 2 ** (power - split) + np.floor(v * 2 ** (power - split))
        np.testing.assert_array_equal(np.sort(cells), np.arange(points))


def test_scrambled_points_are_as_even_as_those_of_scipy():
    names = "abcdef"
    ours = [
        qmc.discrepancy(
            np.column_stack([whole("sobol", s, name=n, dimension=d, draws=512) for d, n in enumerate(names)])
        )
        for s in range(10)
    ]
    theirs = [qmc.discrepancy(qmc.Sobol(len(names), rng=s).random(512)) for s in range(10)]
    plain = [qmc.discrepancy(np.random.default_rng(s).random((512, len(names)))) for s in range(10)]
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.15)
    assert np.mean(ours) < np.mean(plain) / 5


@pytest.mark.parametrize(("start", "stop"), [(0, 1 << 16), (5, 70_001), (3 << 10, (3 << 10) + 1025)])
@pytest.mark.parametrize("stream", [Stream("utilization"), Stream("price", 2, 7)])
def test_compiled_scrambling_gives_the_same_bits(stream, start, stop, monkeypatch):
    pytest.importorskip("numba", reason="numba, of the extra fast, is not installed")
    plain = sobol(3, 1, stream, start, stop, 1 << 17)
    monkeypatch.setattr(_system, "_WORTH_COMPILING", 0)
    assert qmc_file._scramble(1) is not None
    assert np.array_equal(sobol(3, 1, stream, start, stop, 1 << 17), plain)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 64, 21_201])
def test_points_without_scrambling_are_those_of_scipy(dimensions):
    bits, directions = qmc_file._BITS, qmc_file._directions(dimensions)
    expected = qmc.Sobol(dimensions, scramble=False, bits=bits).random(256)
    index = np.arange(256) ^ (np.arange(256) >> 1)  # scipy walks in Gray code
    made = np.zeros((256, dimensions), dtype=np.uint64)
    for bit in range(8):
        made ^= np.where((index[:, None] >> bit) & 1, directions[:, bit], np.uint64(0)).astype(np.uint64)
    np.testing.assert_array_equal(made / 2.0**bits, expected)


#: First lines of new-joe-kuo-6: dimension, degree s, inner coefficients a, initial numbers m.
PUBLISHED = [
    (2, 1, 0, [1]),
    (3, 2, 1, [1, 3]),
    (4, 3, 1, [1, 3, 1]),
    (5, 3, 2, [1, 1, 1]),
    (6, 4, 1, [1, 1, 3, 3]),
    (7, 4, 4, [1, 3, 5, 13]),
    (8, 5, 2, [1, 1, 5, 5, 17]),
]


@pytest.mark.parametrize(("dimension", "s", "a", "m"), PUBLISHED, ids=lambda value: str(value))
def test_directions_follow_from_the_published_table(dimension, s, a, m):
    # Joe and Kuo, "Notes on generating Sobol sequences" (2008), equation 2, in whole numbers.
    m = list(m)
    while len(m) < qmc_file._BITS:
        new = m[-s] ^ (m[-s] << s)
        for k in range(1, s):
            new ^= ((a >> (s - 1 - k)) & 1) * (m[-k] << k)
        m.append(new)
    expected = [number << (qmc_file._BITS - 1 - place) for place, number in enumerate(m)]
    assert qmc_file._directions(16)[dimension - 1].tolist() == expected


def test_directions_of_the_second_dimension_are_pascals_triangle():
    expected = [sum((math.comb(j, k) % 2) << k for k in range(j + 1)) << (51 - j) for j in range(52)]
    assert qmc_file._directions(2)[1].tolist() == expected


def test_the_last_dimension_has_points_and_those_of_a_table_do_not_depend_on_its_size():
    u = sobol(1, 0, Stream("x", 0, 21_200), 0, 1024, 1024)
    np.testing.assert_array_equal(np.sort(np.floor(u * 1024)), np.arange(1024))
    np.testing.assert_array_equal(qmc_file._directions(64), qmc_file._directions(1024)[:64])


def test_more_dimensions_than_there_are_say_what_to_use():
    with pytest.raises(DemandsimError, match="design='random'"):
        sobol(1, 0, Stream("x", 0, 21_201), 0, 1, 1)
