"""Evidence in scenarios: one that pins what was observed, next to others that draw it."""

import numpy as np
import pytest
from scipy import integrate, stats

import demandsim as ds
from demandsim import distributions as dist

PRIOR, READ = dist.lognormal(1, 4), dist.normal(mean=2, sd=0.5)


@ds.equation(unit="1")
def double(x):
    """Twice the input."""
    return 2 * x


@pytest.fixture(scope="module")
def pinned():
    return ds.Model([double], {"x": ds.Assumption(PRIOR)}).with_scenarios({"a": {"x": 2.5}, "b": {}})


@pytest.mark.parametrize("observe", [{"x": READ}, {"double": dist.normal(mean=4, sd=1)}])
@pytest.mark.parametrize("method", ["auto", "importance", "ensemble"])
def test_a_value_that_a_scenario_pins_counts_with_its_density(pinned, method, observe):
    posterior = pinned.observe(**observe).infer(draws=256, seed=1, method=method)
    scale = 1 if "x" in observe else 2
    assert float(posterior.x.sel(scenario="a").std()) == 0.0
    assert float(posterior.x.sel(scenario="a").max()) == 2.5
    pinned_density, drawn = posterior.attrs["log_marginal_likelihood"]
    assert pinned_density == pytest.approx(stats.norm(2, 0.5).logpdf(2.5) - np.log(scale))

    def weight(x, power):
        return x**power * np.exp(PRIOR.logpdf(x)) * stats.norm.pdf(x, 2, 0.5)

    total, first = (integrate.quad(weight, 0, 10, args=(power,))[0] for power in (0, 1))
    assert drawn == pytest.approx(np.log(total / scale), abs=0.02)
    summary = ds.summarize(posterior.x.sel(scenario="b").to_dataset(name="x")).x
    off = float(summary.sel(statistic="mean") - first / total)
    assert abs(off) < 5 * float(summary.sel(statistic="mcse_mean"))
    # What reads a posterior takes it: summary, receipt, ArviZ's groups.
    ds.summarize(posterior)
    ds.receipt(posterior)
    assert "log_likelihood" in ds.to_datatree(posterior).children


def test_evidence_goes_where_a_scenario_alone_is_sure_of_it(pinned):
    informed = pinned.observe(x=READ)
    assert informed.select(scenario="a").evidence == ()
    assert informed.select(scenario="b").evidence == informed.evidence


def test_a_pinned_value_that_the_evidence_excludes_is_named(pinned):
    with pytest.raises(ds.DemandsimError, match=r"'x, scenario=a' lies .* standard deviations"):
        pinned.with_scenarios({"a": {"x": 40.0}, "b": {}}).observe(x=READ).infer(draws=64, seed=1)
    with pytest.raises(ds.DemandsimError, match=r"zero likelihood in scenario 'a'.*agrees with the evidence on 'x'"):
        pinned.observe(x=dist.uniform(1, 2)).infer(draws=64, seed=1)
