"""Values of knowing several quantities that matter only together: the printed interval holds the exact value."""

import math

import numpy as np
import pytest
from scipy import stats

import demandsim as ds
from demandsim import decisions
from demandsim import distributions as dist
from demandsim.decisions.folds import folds_of
from demandsim.decisions.neighbours import by_cells, by_neighbours, cells_of, missed

NORMAL = dist.normal(mean=0, sd=1)
#: E max(0, x) of a standard normal number.
HALF = 1 / math.sqrt(2 * math.pi)


def worth(function, names, of, *, actions=(0, 1), payoff=lambda d, a: d.gain * a, draws=1024, seed=1, **settings):
    model = ds.Model([ds.equation(function, unit="1", name="gain")], dict.fromkeys(names, NORMAL))
    made = model.simulate(draws=draws, seed=seed, **settings)
    return decisions.value_of_information(made, list(actions), payoff, of=of).squeeze()


def holds(found, exact):
    return bool((found.lower_evppi <= exact + 1e-9) & (exact - 1e-9 <= found.upper_evppi))


def product_of_signs(*x):
    return x[0] * np.prod(np.sign(x[1:]), axis=0)


def signs(n):
    names = [f"x{i}" for i in range(n)]
    body = eval(f"lambda {', '.join(names)}: product({', '.join(names)})", {"product": product_of_signs})
    return body, names


@pytest.mark.parametrize(("design", "n"), [("random", 2), ("sobol", 3), ("random", 4), ("sobol", 5), ("random", 6)])
def test_a_product_of_signs_is_worth_knowing_only_as_a_whole(n, design):
    function, names = signs(n)
    whole = worth(function, names, {"all": names}, design=design, seed=5)
    assert whole.evppi.item() == pytest.approx(HALF, abs=0.02)
    # Of five cases at 90% one may miss: none by more than two errors.
    more = 2 * whole.mcse_evppi
    assert whole.lower_evppi - more <= HALF <= whole.upper_evppi + more
    assert whole.upper_evppi - whole.lower_evppi < 0.1
    but_one = worth(function, names, {"all but one": names[:-1]}, design=design, seed=5)
    assert holds(but_one, 0)
    assert but_one.evppi < 0.03


def test_noise_beside_an_interaction_does_not_hide_it():
    found = worth(lambda a, b, c, e: a * np.sign(b) * np.sign(c) + 2 * e, "abce", {"three": list("abc")}, draws=2048)
    assert found.evppi.item() == pytest.approx(HALF, abs=0.01)
    assert holds(found, HALF)


def test_exclusive_or_with_thresholds_anywhere():
    # Plus or minus 1, with the mean of a product of independent signs.
    mean = (1 - 2 * stats.norm.cdf(0.4)) * (1 - 2 * stats.norm.cdf(-0.7))
    exact = (1 + mean) / 2
    found = worth(lambda a, b, e: np.sign(a - 0.4) * np.sign(b + 0.7) + 0.5 * e, "abe", {"both": ["a", "b"]})
    assert found.evppi.item() == pytest.approx(exact, abs=0.015)
    assert holds(found, exact)


def test_the_best_of_several_actions_by_the_quadrant_of_two_numbers():
    # Four actions, each of which pays 1 in its own quadrant: 1 if it is known, a quarter if not.
    def payoff(d, action):
        return ((d.a > 0) * 2 + (d.b > 0) == action) * 1.0 + 0 * d.gain

    found = worth(lambda a, b: a + b, "ab", {"both": ["a", "b"]}, actions=range(4), payoff=payoff)
    assert found.evppi.item() == pytest.approx(0.75, abs=0.01)
    assert holds(found, 0.75)


def test_a_bend_that_no_line_sees():
    # max(0.2, x^2 - 1 + e): the expectation given x is x^2 - 1, and e tells nothing that changes the choice alone.
    edge = math.sqrt(1.2)
    exact = 2 * ((stats.norm.sf(edge) + edge * stats.norm.pdf(edge)) - stats.norm.sf(edge)) + 0.2 * (
        2 * stats.norm.cdf(edge) - 1
    )
    found = worth(
        lambda x, e: x**2 - 1 + e,
        "xe",
        {"x": "x"},
        payoff=lambda d, a: d.gain * a + 0.2 * (1 - a),
        draws=4096,
    )
    assert found.evppi.item() == pytest.approx(exact - 0.2, abs=0.002)
    assert holds(found, exact - 0.2)


def test_what_does_not_matter_is_worth_nothing_within_the_error():
    for seed in range(4):
        found = worth(lambda a, b, c, d: a + 0 * (b + c + d), "abcd", {"idle": ["b", "c", "d"]}, seed=seed)
        assert found.lower_evppi == 0
        assert found.evppi < 0.01
        assert found.upper_evppi < 0.5 * found.evpi


def test_bounds_stand_in_order_and_nothing_is_above_perfect_information():
    function, names = signs(3)
    for of in ({"one": names[0]}, {"two": names[:2]}, {"all": names}):
        found = worth(function, names, of, draws=256)
        assert 0 <= found.lower_evppi <= found.evppi <= found.upper_evppi
        assert found.evppi <= found.evpi
        assert found.lower_evpi <= found.evpi <= found.upper_evpi


@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_many_fits_to_noise_is_worth_nothing(seed):
    # A product of four signs tells nothing without the last: what its neighbours tell is noise, and was worth 0.06.
    function, names = signs(4)
    found = worth(function, names, {"all but one": names[:-1]}, seed=seed + 4)
    assert found.lower_evppi == 0
    assert found.evppi <= 0.02


# Parts that it is made of


def test_cells_are_equally_full_and_predict_parts_without_themselves():
    rng = np.random.default_rng(1)
    grades = rng.permuted(np.tile((np.arange(4096) + 0.5) / 4096, (3, 1)), axis=1)
    numbers = [int(cell.max()) + 1 for cell in cells_of(grades)]
    assert numbers == [8]
    assert not list(cells_of(grades[:, :64]))
    folds = folds_of(8, 512, None, independent=False)
    y = rng.normal(size=(4096, 2))
    cell = next(cells_of(grades))
    _, outside = by_cells(cell, y, folds)
    own = folds.part(3)
    others = np.delete(np.arange(4096), np.arange(own.start, own.stop))
    there = others[cell[others] == cell[own.start]]
    expected = (y[there].sum(axis=0) + y.mean(axis=0)) / (len(there) + 1)
    np.testing.assert_allclose(outside[own.start], expected)


def test_neighbours_of_other_parts_follow_a_smooth_function():
    rng = np.random.default_rng(2)
    grades = rng.random((2, 4096))
    y = (grades[0] * grades[1])[:, None]
    found = by_neighbours(grades, y, folds_of(8, 512, None, independent=False))
    assert found is not None
    assert np.sqrt(np.mean((found[1] - y) ** 2)) < 0.02
    assert by_neighbours(grades[:, :20], y[:20], folds_of(1, 20, None, independent=False)) is None


def test_errors_of_draws_that_are_alike_tell_what_a_fit_has_missed():
    rng = np.random.default_rng(3)
    grades, folds = rng.random((3, 8192)), folds_of(8, 1024, None, independent=True)
    wrong = np.prod(np.sign(grades - 0.5), axis=0)[:, None]
    noise = rng.normal(size=(8192, 1))
    more, clear = missed(grades, wrong + 0.5 * noise, folds)
    # Half of the root of the mean square that is missed, 1.
    assert clear
    assert more == pytest.approx(0.5, abs=0.15)
    more, clear = missed(grades, noise, folds)
    assert not clear
    assert more < 0.2
