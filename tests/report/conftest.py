"""A study and a model over years, their pages, and what reads them."""

from html.parser import HTMLParser

import pytest

import demandsim as ds
from demandsim.report import report_page
from demandsim.report.runs import Sample, computed
from demandsim.report.scenes import scenes
from demandsim.report.selection import selection_of
from demandsim.report.words import words_of

STUDY = "guosen-2025-01"
EMPTY = {"meta", "link", "br", "input", "hr"}


class Reader(HTMLParser):
    """Elements, attributes and text of a page; an end tag that closes nothing is an error."""

    def __init__(self, page):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in EMPTY:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def said(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="session")
def reader():
    """Reads a page: its elements, and what it says."""
    return Reader


@pytest.fixture(scope="session")
def model():
    return ds.load_study(STUDY)


@pytest.fixture(scope="session")
def page(model):
    return report_page(model, Sample(256, seed=1))[0]


@pytest.fixture(scope="session")
def results(model):
    return computed(model, selection_of(model), Sample(256, seed=1))


@pytest.fixture(scope="session")
def first(model, results):
    return next(scenes(results, words_of("en")))


@ds.equation(unit="CNY/year")
def income(price, volume):
    return price * volume


@pytest.fixture(scope="session", name="income")
def income_():
    """An equation: price times volume."""
    return income


@ds.equation(unit="CNY/year")
def gross_margin(income, outlay):
    return income - outlay


@pytest.fixture(scope="session")
def yearly():
    """A model over years, with two scenarios."""
    years = ds.distributions.lognormal(2e10, 5e10, prob=0.9)
    growth = 'lognormal(by("year", [1e10, 2e10, 4e10]), by("year", [3e10, 6e10, 12e10]), prob=0.9)'
    from demandsim.distributions.grammar import parse_distribution

    by_year = parse_distribution(growth, {"year": (2025, 2026, 2027)})
    return ds.Model(
        [income, gross_margin],
        {
            "price": ds.Assumption("lognormal(1, 2, prob=0.9)", unit="CNY/token"),
            "volume": ds.Assumption(by_year, unit="token/year", shared=True),
            "outlay": ds.Assumption(years, unit="CNY/year"),
        },
        scenarios={"scenario": {"plain": {}, "dear": {"price": "lognormal(2, 4, prob=0.9)"}}},
    )
