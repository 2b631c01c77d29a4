"""What is computed without `scipy.stats` has the bits of `scipy.stats`."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from demandsim.distributions.closed_form import Named, named

SIZES = st.floats(0.05, 30)
SHAPES = {
    "norm": st.tuples(),
    "lognorm": st.tuples(st.floats(0.01, 4)),
    "uniform": st.tuples(),
    "loguniform": st.tuples(st.floats(1e-3, 1), st.floats(1.5, 1e3)),
    "triang": st.tuples(st.floats(0, 1)),
    "beta": st.tuples(SIZES, SIZES),
    "gamma": st.tuples(SIZES),
    # Left to scipy.
    "weibull_min": st.tuples(SIZES),
}
LEVELS = np.array([0, 1, np.nan, -0.1, 1.1, 2.0**-1074, 1 - 2.0**-53, *np.linspace(0, 1, 41), *np.logspace(-300, -1)])


@pytest.mark.parametrize("name", SHAPES)
@given(data=st.data(), loc=st.floats(-100, 100), scale=st.floats(1e-3, 1e3))
def test_a_distribution_by_name_has_the_bits_of_scipy(name, data, loc, scale):
    shapes = data.draw(SHAPES[name])
    ours, theirs = Named(name, shapes, loc, scale), getattr(stats, name)(*shapes, loc=loc, scale=scale)
    low, high = theirs.support()
    x = ours.ppf(LEVELS)
    x = np.array([*x, *(x - 1), low, high, np.nan, -np.inf, np.inf, np.nextafter(low, high), np.nextafter(high, low)])
    with np.errstate(all="ignore"):
        for function, at in [("ppf", LEVELS), ("isf", LEVELS), ("cdf", x), ("sf", x), ("logpdf", x)]:
            # Those of a beta are from special.betaincinv, as in its law: scipy.stats fails at some places.
            if (name, function) != ("beta", "ppf"):
                np.testing.assert_array_equal(getattr(ours, function)(at), getattr(theirs, function)(at), function)
    assert ours.support() == (low, high)


def test_a_distribution_by_name_is_read_and_travels():
    for frozen in (stats.beta(2, b=3, loc=1), stats.binom(10, 0.5), stats.norm(3, 2)):
        ours = named(frozen)
        assert pickle.loads(pickle.dumps(ours)) == ours
        assert ours.mean() == frozen.mean()
        assert ours.frozen.kwds["loc"] == frozen.dist._parse_args(*frozen.args, **frozen.kwds)[1]
        assert ours.kind == ("discrete" if frozen.dist.name == "binom" else "continuous")


def test_usual_distributions_are_made_without_scipy_stats():
    code = (
        "import sys; from demandsim import distributions as d;"
        "made = [d.normal(1, 2), d.lognormal(1, 2), d.uniform(1, 2), d.loguniform(1, 2), d.pert(1, 2, 3),"
        "d.triangular(1, 2, 3), d.beta(mean=.5, sd=.1), d.gamma(mean=2, sd=1)];"
        "[x.quantile_functions for x in made]; [x.cdf(1.5) for x in made]; print('scipy.stats' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False"]
