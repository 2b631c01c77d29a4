"""Diagnostics: posteriors that are refused, in which words."""

import numpy as np
import pytest
from yearly import SHARP

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import (
    ConvergenceError,
    EvidenceConflictError,
    EvidenceError,
    EvidenceWarning,
    ImpossibleEvidenceError,
    InvalidDrawsError,
)


def test_no_evidence_no_posterior(single):
    with pytest.raises(EvidenceError, match=r"model\.observe"):
        single.infer(seed=1)


@pytest.mark.parametrize("evidence", [{"utilization": "uniform(2, 3)"}, {"cards": 5e5}, {"event": "utilization > 1"}])
@pytest.mark.parametrize("on_failure", ["raise", "warn"])
def test_impossible_evidence_gives_no_number(single, evidence, on_failure):
    with pytest.raises(ImpossibleEvidenceError, match="zero likelihood"):
        single.observe(**evidence).infer(draws=64, chains=2, seed=1, on_failure=on_failure)


@pytest.mark.parametrize(
    ("sign", "scale"), [(1, "normal(mean={0}, sd=0.1)"), (-1, "normal(mean={0}, sd=0.1)"), (1, "student_t({1}, {2})")]
)
def test_evidence_ten_sd_away_gives_no_number(sign, scale):
    centre = sign * 10.0
    model = ds.Model([], {"x": ds.Assumption(dist.normal(mean=0, sd=1))})
    informed = model.observe(x=scale.format(centre, centre - 0.1, centre + 0.1))
    with pytest.raises(EvidenceConflictError, match=r"'x' lies (9\.\d|10\.\d) standard deviations"):
        informed.infer(seed=1)


def test_four_sd_are_a_surprise_and_no_contradiction():
    model = ds.Model([], {"x": ds.Assumption(dist.normal(mean=0, sd=1))})
    posterior = model.observe(x=dist.normal(mean=4.5, sd=0.5)).infer(draws=512, seed=1)
    assert posterior.attrs["prior_distance"] == pytest.approx(4.5 / np.sqrt(1.25), rel=0.05)
    assert float(posterior.x.mean()) == pytest.approx(4.5 / 1.25, abs=0.05)


def test_observations_that_contradict_each_other(single):
    torn = single.observe(cards="lognormal(median=4e5, factor=1.05)").observe(
        cards="lognormal(median=8e5, factor=1.05)"
    )
    with pytest.raises(EvidenceConflictError, match="all evidence together"):
        torn.infer(draws=128, chains=4, seed=1)


def test_weights_that_cannot_be_trusted_raise_with_what_to_try(single):
    informed = single.observe(**SHARP)
    with pytest.raises(ConvergenceError, match=r"Try this: use method='auto'"):
        informed.infer(draws=128, chains=2, seed=1, method="importance")
    with pytest.warns(EvidenceWarning, match="did not converge"):
        posterior = informed.infer(draws=128, chains=2, seed=1, method="importance", on_failure="warn")
    assert posterior.attrs["khat"] > 0.7


def test_nan_made_by_an_equation_is_no_likelihood():
    @ds.equation(unit="1")
    def root(x):
        return np.sqrt(x)

    model = ds.Model([root], {"x": ds.Assumption(dist.normal(mean=1, sd=1))}).observe(root="normal(mean=1, sd=0.1)")
    with pytest.raises(InvalidDrawsError, match="'root' made NaN"):
        model.infer(draws=64, seed=1)


@pytest.mark.parametrize(
    "settings",
    [{"method": "nuts"}, {"on_failure": "ignore"}, {"draws": 0}, {"chains": 0}, {"seed": -1}, {"keep": ["no"]}],
)
def test_settings_are_checked(single, settings):
    with pytest.raises(ds.DemandsimError):
        single.observe(utilization="normal(mean=0.4, sd=0.1)").infer(**settings)
