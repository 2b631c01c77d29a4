"""Growth: curves against their differential equations, and rates that vary and persist over the years."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import growth
from demandsim.errors import EquationError

YEARS = [2025, 2026, 2028]
ELAPSED = xr.DataArray([0.0, 1.0, 3.0], coords={"year": YEARS}, dims="year")

amounts = st.floats(1e-3, 1e3)
rates = st.floats(0.01, 3)
times = st.floats(0, 10)


def year(values):
    return xr.DataArray(np.asarray(values, dtype=float), coords={"year": YEARS}, dims="year")


CURVES = {
    "exponential": lambda t, x0, r, k: growth.exponential_growth(x0, r, t),
    "logistic": lambda t, x0, r, k: growth.logistic_growth(x0, r, t, k),
    "gompertz": lambda t, x0, r, k: growth.gompertz_growth(x0, r, t, k),
}
SLOPES = {
    "exponential": lambda x, r, k: r * x,
    "logistic": lambda x, r, k: r * x * (1 - x / k),
    "gompertz": lambda x, r, k: r * x * np.log(k / x),
}


@pytest.mark.parametrize("curve", CURVES)
@settings(max_examples=15)
@given(initial=amounts, rate=rates, above=st.floats(1.5, 1e3), end=st.floats(0.5, 5))
def test_a_curve_solves_its_differential_equation(curve, initial, rate, above, end):
    ceiling = initial * above
    at = np.linspace(0, end, 7)
    solved = solve_ivp(
        lambda _, x: SLOPES[curve](x, rate, ceiling), (0, end), [initial], t_eval=at, rtol=1e-9, atol=1e-9 * initial
    )
    np.testing.assert_allclose(CURVES[curve](at, initial, rate, ceiling), solved.y[0], rtol=1e-6)


@pytest.mark.parametrize("curve", CURVES)
@given(initial=amounts, rate=rates, above=st.floats(1.01, 1e3), one=times, other=times)
def test_a_curve_starts_at_the_initial_tokens_rises_and_stays_below_saturation(curve, initial, rate, above, one, other):
    ceiling = initial * above
    run = CURVES[curve]
    assert run(0.0, initial, rate, ceiling) == pytest.approx(initial, rel=1e-12)
    early, late = sorted((one, other))
    assert run(early, initial, rate, ceiling) <= run(late, initial, rate, ceiling) * (1 + 1e-12)
    if curve != "exponential":
        assert run(late, initial, rate, ceiling) <= ceiling * (1 + 1e-12)
        assert run(1e4, initial, rate, ceiling) == pytest.approx(ceiling, rel=1e-9)
    # And nothing grows at a rate of zero.
    assert run(late, initial, 0.0, ceiling) == pytest.approx(initial, rel=1e-12)


@pytest.mark.parametrize("curve", CURVES)
@given(initial=amounts, rate=rates, above=st.floats(1.01, 1e3), time=times, factor=amounts)
def test_a_curve_is_homogeneous_in_tokens_and_knows_no_unit_of_time(curve, initial, rate, above, time, factor):
    base = CURVES[curve](time, initial, rate, initial * above)
    assert CURVES[curve](time, factor * initial, rate, factor * initial * above) == pytest.approx(
        factor * base, rel=1e-9
    )
    assert CURVES[curve](time * 365, initial, rate / 365, initial * above) == pytest.approx(base, rel=1e-9)


@given(initial=amounts, rate=rates, time=st.floats(0, 3))
def test_logistic_growth_is_exponential_far_below_saturation(initial, rate, time):
    exponential = growth.exponential_growth(initial, rate, time)
    logistic = growth.logistic_growth(initial, rate, time, initial * 1e12)
    assert logistic == pytest.approx(exponential, rel=1e-7)
    assert growth.logistic_growth(initial, rate, time, initial * 2) <= exponential * (1 + 1e-12)


@given(initial=amounts, rate=st.floats(-2, 3))
def test_varying_growth_at_a_constant_rate_is_exponential(initial, rate):
    expected = growth.exponential_growth(initial, rate, ELAPSED)
    # Whether the rate has the dim or not, and wherever the first label stands.
    for given_rate in (rate, year([rate] * 3)):
        found = growth.varying_growth(initial, given_rate, ELAPSED)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        later = growth.varying_growth(initial, given_rate, ELAPSED + 0.5)
        np.testing.assert_allclose(later, growth.exponential_growth(initial, rate, ELAPSED + 0.5), rtol=1e-12)


@settings(max_examples=15)
@given(initial=amounts, by_year=st.lists(st.floats(-1, 2), min_size=3, max_size=3))
def test_varying_growth_solves_its_differential_equation(initial, by_year):
    found = growth.varying_growth(initial, year(by_year), ELAPSED)
    # Each rate holds over the time that ends at its label: two stretches, integrated one by one.
    reached = [initial]
    for rate, start, stop in ((by_year[1], 0.0, 1.0), (by_year[2], 1.0, 3.0)):
        solved = solve_ivp(lambda _, x, r=rate: r * x, (start, stop), [reached[-1]], rtol=1e-9, atol=1e-12 * initial)
        reached.append(solved.y[0, -1])
    np.testing.assert_allclose(found, reached, rtol=1e-6)


@settings(max_examples=15)
@given(initial=amounts, by_year=st.lists(st.floats(-1, 2), min_size=3, max_size=3), above=st.floats(1.1, 1e3))
def test_varying_growth_with_saturation_solves_its_differential_equation(initial, by_year, above):
    ceiling = initial * above
    found = growth.varying_logistic_growth(initial, year(by_year), ELAPSED, ceiling)
    reached = [initial]
    for rate, start, stop in ((by_year[1], 0.0, 1.0), (by_year[2], 1.0, 3.0)):
        solved = solve_ivp(
            lambda _, x, r=rate: r * x * (1 - x / ceiling),
            (start, stop),
            [reached[-1]],
            rtol=1e-9,
            atol=1e-12 * initial,
        )
        reached.append(solved.y[0, -1])
    np.testing.assert_allclose(found, reached, rtol=1e-6)
    assert (found <= ceiling * (1 + 1e-12)).all()
    # At one rate it is the curve of Verhulst, and far below saturation that without it.
    steady = growth.varying_logistic_growth(initial, 0.7, ELAPSED, ceiling)
    np.testing.assert_allclose(steady, growth.logistic_growth(initial, 0.7, ELAPSED, ceiling), rtol=1e-12)
    free = growth.varying_logistic_growth(initial, year(by_year), ELAPSED, initial * 1e12)
    np.testing.assert_allclose(free, growth.varying_growth(initial, year(by_year), ELAPSED), rtol=1e-6)


def test_from_above_saturation_tokens_fall_to_it_or_have_no_value():
    falling = growth.varying_logistic_growth(4.0, year([1.0, 1.0, 1.0]), ELAPSED, 2.0)
    assert (np.diff(falling) < 0).all()
    assert (falling > 2.0).all()
    # dx/dt = -x (1 - x / 2) from 4 reaches infinity after ln 2 years: never a negative number of tokens.
    lost = growth.varying_logistic_growth(4.0, year([-1.0, -1.0, -1.0]), ELAPSED, 2.0)
    np.testing.assert_array_equal(np.isnan(lost), [False, True, True])


def test_varying_growth_runs_along_dates_too():
    elapsed = ELAPSED.rename(year="date")
    np.testing.assert_array_equal(growth.varying_growth(1.0, 0.7, elapsed), growth.varying_growth(1.0, 0.7, ELAPSED))


@pytest.mark.parametrize(
    "made",
    [growth.varying_growth, growth.varying_logistic_growth, growth.persistent_rate],
    ids=lambda made: made.function.__name__,
)
def test_what_adds_up_over_time_asks_for_a_dim_of_time(made):
    with pytest.raises(EquationError, match="needs a dim 'year' or 'date'"):
        made(**dict.fromkeys(made.inputs, 1.0))


@settings(max_examples=30)
@given(shocks=st.lists(st.floats(-1, 1), min_size=3, max_size=3), mean=rates, persistence=st.floats(0, 1))
def test_a_persistent_rate_is_a_filter_of_first_order(shocks, mean, persistence):
    from scipy.signal import lfilter

    found = growth.persistent_rate(mean, year(shocks), persistence)
    np.testing.assert_allclose(found, mean + lfilter([1], [1, -persistence], shocks), rtol=1e-9, atol=1e-12)
    assert found.year.values.tolist() == YEARS
    np.testing.assert_allclose(growth.persistent_rate(mean, year(shocks), 0.0), mean + np.array(shocks), atol=1e-15)
    np.testing.assert_allclose(growth.persistent_rate(mean, year(shocks), 1.0), mean + np.cumsum(shocks), atol=1e-12)


@given(factor=st.floats(0.1, 20), period=st.floats(0.1, 5))
def test_a_rate_from_a_factor_reaches_it(factor, period):
    rate = growth.rate_from_factor(factor, period)
    assert growth.exponential_growth(1.0, rate, period) == pytest.approx(factor, rel=1e-12)
    assert growth.rate_from_factor(1.0, period) == 0


def of_years(rate, *equations, **more):
    """Ten years of growth at a rate, from 1e12 tokens a day."""
    years = list(range(2025, 2035))
    elapsed = xr.DataArray(np.arange(10.0), coords={"year": years}, dims="year")
    return ds.Model(
        [growth.varying_growth, *equations],
        {
            "initial_tokens": ds.Assumption(1e12, "token/day"),
            "elapsed_time": ds.Assumption(elapsed, "year"),
            **({"growth_rate": rate} if rate is not None else {}),
            **more,
        },
    ), elapsed


def test_independent_years_cancel_and_persistent_ones_do_not():
    _, elapsed = of_years(ds.Assumption(0.7, "1/year"))
    by_year = dist.normal(mean=0.5 + 0 * elapsed, sd=0.2 + 0 * elapsed)

    def spread(model):
        last = model.simulate(draws=4096, chains=4, seed=1, design="random").top_down_tokens.isel(year=-1)
        return float(np.log(last).std())

    independent = spread(of_years(ds.Assumption(by_year, "1/year"))[0])
    shared = spread(of_years(ds.Assumption(by_year, "1/year", shared=True))[0])
    without = spread(of_years(ds.Assumption(dist.normal(mean=0.5, sd=0.2), "1/year"))[0])
    # Nine years of growth: sd 0.2 times the root of 9, or times 9.
    assert independent == pytest.approx(0.2 * 3, rel=0.03)
    assert shared == pytest.approx(0.2 * 9, rel=0.03)
    assert without == pytest.approx(0.2 * 9, rel=0.03)

    wandering = {
        "mean_growth_rate": ds.Assumption(0.5, "1/year"),
        "growth_shock": ds.Assumption(dist.normal(mean=0 * elapsed, sd=0.2 + 0 * elapsed), "1/year"),
    }
    for persistence in (0.0, 0.5, 1.0):
        model, _ = of_years(None, growth.persistent_rate, **wandering, persistence=persistence)
        # Growth up to the last year adds the rates of 9 years; the shock of year j is felt in all that follow.
        ages = np.arange(10)
        weights = [sum(persistence ** (i - j) for i in range(max(j, 1), 10)) for j in ages]
        assert spread(model) == pytest.approx(0.2 * np.sqrt(np.sum(np.square(weights))), rel=0.03)
