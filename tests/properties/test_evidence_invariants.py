"""What must hold of every posterior, whatever the prior and the evidence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim import distributions as dist

# An assumption on which nothing depends keeps its prior: here it is meant.
pytestmark = pytest.mark.filterwarnings("ignore:no equation asks for 'free'")


@ds.equation(unit="1")
def product(one, other):
    return one * other


@st.composite
def informed(draw):
    """A product of two lognormals, correlated or not, with evidence that does not contradict it."""
    assumed = {
        name: ds.Assumption(dist.lognormal(median=draw(st.floats(0.1, 10)), factor=draw(st.floats(1.5, 4))))
        for name in ("one", "other", "free")
    }
    model = ds.Model([product], assumed)
    if draw(st.booleans()):
        model = model.correlate({("one", "other"): draw(st.floats(-0.8, 0.8))})
    middle = float(model.point()["product"]) * draw(st.floats(0.5, 2))
    return model.observe(product=dist.lognormal(median=middle, factor=draw(st.floats(1.1, 3))))


methods = st.sampled_from(["importance", "ensemble"])


@given(model=informed(), method=methods, threads=st.integers(1, 4), block=st.integers(500, 100_000))
@settings(max_examples=8)
def test_threads_and_blocks_do_not_change_a_bit(model, method, threads, block):
    how = {"draws": 64, "chains": 3, "seed": 5, "method": method, "on_failure": "raise"}
    one = model.infer(**how, threads=1)
    other = model.infer(**how, threads=threads, block=block)
    assert one.identical(other)


@given(model=informed(), seed=st.integers(0, 2**32))
@settings(max_examples=8)
def test_methods_agree(model, seed):
    found = [ds.summarize(model.infer(draws=256, chains=8, seed=seed, method=m)) for m in ("importance", "ensemble")]
    for name in ("one", "other", "product", "free"):
        one, other = (np.log(f[name].sel(statistic="median")) for f in found)
        errors = [float(f[name].sel(statistic="mcse_median") / f[name].sel(statistic="median")) for f in found]
        assert abs(float(one - other)) < 7 * np.hypot(*errors)


@given(model=informed())
@settings(max_examples=6)
def test_evidence_does_not_depend_on_the_unit_that_it_is_written_in(model):
    (seen,) = model.evidence
    median = float(seen.distribution.median())
    width = float(seen.distribution.ppf(0.95)) / median
    percent = ds.Assumption(dist.lognormal(median=100 * median, factor=width), unit="percent")
    bare = ds.Model(model.equations, model.assumptions, correlations=model.correlations)
    one = model.infer(draws=64, chains=2, seed=3)
    other = bare.observe(product=percent).infer(draws=64, chains=2, seed=3)
    np.testing.assert_allclose(one["product"], other["product"], rtol=1e-9)


@given(model=informed())
@settings(max_examples=6)
def test_evidence_narrows_what_it_is_about(model):
    prior, posterior = model.simulate(draws=512, seed=1), model.infer(draws=512, seed=1)
    assert np.log(posterior["product"]).std() < np.log(prior["product"]).std()
    assert posterior.attrs["rhat"] < 1.02
