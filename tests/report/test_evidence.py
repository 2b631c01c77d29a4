"""What the evidence changes, against what is known exactly, and how the page tells it."""

import re

import numpy as np
import pytest
from scipy import stats

import demandsim as ds
from demandsim.report import report_page
from demandsim.report.evidence import learned
from demandsim.report.runs import Sample, computed
from demandsim.report.selection import selection_of
from demandsim.report.words import words_of


def test_the_posterior_is_that_of_two_normals(yearly):
    prior, seen = stats.norm(30e9, 10e9), stats.norm(50e9, 5e9)
    model = yearly.assume(outlay="normal(mean=30e9, sd=10e9)").observe(outlay="normal(mean=50e9, sd=5e9)")
    selection = selection_of(model)
    results = computed(model, selection, Sample(1024, seed=1))
    found = learned(results, words_of("en"))
    weights = np.array([1 / prior.var(), 1 / seen.var()])
    exact = stats.norm((weights @ [prior.mean(), seen.mean()]) / weights.sum(), weights.sum() ** -0.5)
    belief = found.scenarios[0].assumptions[0]
    assert belief.label == "Outlay"
    assert belief.before == pytest.approx(prior.ppf([0.05, 0.5, 0.95]), abs=0.02 * prior.std())
    assert belief.after == pytest.approx(exact.ppf([0.05, 0.5, 0.95]), abs=0.05 * exact.std())
    assert belief.moved == pytest.approx((exact.mean() - prior.mean()) / prior.std(), abs=0.02)
    # What depends on it moves as well; what does not stays where it was.
    assert next(b for b in found.scenarios[0].results if b.label.startswith("Gross margin")).moved < -0.1
    assert abs(next(b for b in found.scenarios[0].assumptions if b.label == "Price").moved) < 0.05


def test_the_page_tells_the_evidence_in_words(reader):
    page, _ = report_page(ds.load_study("doubao-growth-gompertz"), Sample(256, seed=1))
    said = reader(page).said
    assert "The study has 9 observations." in said
    assert re.search(r"Moved most: Growth rate of the curve, from 1\.\d+/year to 0\.\d+/year", said)
    assert "Top-down tokens a day (2026) 63 (90%: 42.0 to 94.5 tn tokens/day)" in said
    assert re.search(r"Given the evidence, Top-down tokens a day \(2031\): \d\d\d tn tokens/day", said)
    assert "lognormal(median=by(" not in said
    assert re.search(
        r"Posterior: 2,048 draws by importance sampling from a proposal .*, worth [\d,]+ independent ones, R-hat 1\.0",
        said,
    )


def test_an_event_is_told_in_words(model, reader):
    told = model.select(scenario="100T").observe(event="gross_margin < 0", capex="normal(mean=80e9, sd=15e9)")
    said = reader(report_page(told, Sample(256, seed=1))[0]).said
    assert "Gross margin < 0 it happened" in said
    assert "Capex 80 (90%: 55.3 to 105 bn CNY)" in said


def test_evidence_that_contradicts_says_so_in_its_section(reader, yearly):
    model = yearly.observe(outlay="normal(mean=9e15, sd=1e9)")
    said = reader(report_page(model, Sample(256, seed=1))[0]).said
    section = said[said.rindex("What the evidence changes") :]
    assert section.startswith("What the evidence changes Left out: ")
    assert "standard deviations from what the prior" in section[:200]
