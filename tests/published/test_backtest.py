"""The report's chain and that of production evidence, held against what ByteDance is reported to have spent."""

import numpy as np
import pytest
from scipy import stats

import demandsim as ds

REPORT, EVIDENCE = "guosen-2025-01", "guosen-2025-01-evidence"
#: Doubao's tokens a day: September and December 2025, as Volcano Engine said.
TOKENS = {"Sep 2025": 30e12, "Dec 2025": 50e12}
#: ByteDance in 2025: about 150 bn CNY; 85 of 160 bn planned for 2026 are for AI processors.
SPENT = 150e9
PROCESSORS = 150e9 * 85 / 160


@pytest.fixture(scope="module")
def capex():
    """Capex of the cards that serve the published tokens, by chain."""
    dated = {date: {"daily_tokens": value} for date, value in TOKENS.items()}
    return {
        study: ds.load_study(study).with_scenarios(dated).simulate(draws=2048, seed=1, keep=["capex"]).capex
        for study in (REPORT, EVIDENCE)
    }


def rank(draws, value):
    return float((draws < value).mean())


def test_the_series_say_what_is_typed_here():
    tokens = ds.load_series("doubao-daily-tokens").daily_tokens
    assert [tokens.sel(date=day).item() for day in ("2025-09-30", "2025-12-18")] == list(TOKENS.values())
    found = ds.load_series("bytedance-capex")
    assert found.capex.sel(date="2025").item() == SPENT
    assert found.processor_capex.sel(date="2026").item() / found.capex.sel(date="2026").item() == 85 / 160


def test_the_reports_point_by_hand():
    # 85.78 x 10,000 cards at 150,000 CNY serve 100T a day: 128.7 bn CNY, and half of it 50T.
    point = ds.load_study(REPORT).with_scenarios({"Dec 2025": {"daily_tokens": 50e12}}).point()
    assert point.capex.item() == pytest.approx(0.5 * 857_772.04 * 150e3, rel=1e-8)
    assert point.capex.item() / PROCESSORS == pytest.approx(0.81, abs=0.005)


def test_the_rank_of_the_published_figure_is_that_of_an_independent_draw(capex):
    # The same product, drawn by scipy alone: lognormals by their 90% factor, utilization by its moments.
    rng, n = np.random.default_rng(0), 400_000

    def lognormal(median, factor):
        return median * np.exp(np.log(factor) / stats.norm.ppf(0.95) * rng.standard_normal(n))

    mean, sd = 0.451386, 0.1
    size = mean * (1 - mean) / sd**2 - 1
    utilization = stats.beta(mean * size, (1 - mean) * size).rvs(n, random_state=rng)
    compute = 2 * lognormal(110e9, 3) * lognormal(3, 1.5) / 86_400
    money = compute * 50e12 / (lognormal(1979e12, 1.3) * utilization) * lognormal(150e3, 1.5)
    here = capex[REPORT].sel(scenario="Dec 2025")
    assert rank(here, PROCESSORS) == pytest.approx(np.mean(money < PROCESSORS), abs=0.005)
    assert float(np.median(here)) == pytest.approx(np.median(money), rel=0.01)


def test_where_the_published_figure_falls(capex):
    # The report's chain holds it near its middle, that of the evidence in its upper tail: cards of inference alone.
    assert 0.5 < rank(capex[REPORT].sel(scenario="Dec 2025"), PROCESSORS) < 0.7
    assert 0.9 < rank(capex[EVIDENCE].sel(scenario="Dec 2025"), PROCESSORS) < 0.97
    for study in (REPORT, EVIDENCE):
        september, december = (capex[study].sel(scenario=date) for date in TOKENS)
        # Money is proportional to tokens, so the rank falls as they grow.
        np.testing.assert_allclose(december, september * 5 / 3)
        assert rank(december, PROCESSORS) < rank(september, PROCESSORS)


def test_the_reports_two_mistakes_cancel():
    # Put in the evidence's parameters, and the report's cards fall by three; its utilization, and they rise again.
    report, evidence = (ds.load_study(study).select(scenario="100T") for study in (REPORT, EVIDENCE))

    def median(model):
        return float(np.median(model.simulate(draws=1024, seed=1, keep=["cards"]).cards))

    parameters = evidence.assumptions["activated_parameters"].distribution
    utilization = evidence.assumptions["utilization"].distribution
    fewer = report.assume(activated_parameters=parameters)
    assert median(fewer) / median(report) == pytest.approx(32.9 / 110, rel=0.05)
    both = fewer.assume(utilization=utilization)
    assert 0.7 < median(both) / median(report) < 1.1
