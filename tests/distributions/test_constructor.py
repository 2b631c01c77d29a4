"""A constructor registers itself, and all who list, read, write or move distributions find it."""

import inspect

import numpy as np
import pytest
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.distributions.base import Distribution
from demandsim.distributions.constructor import (
    _REGISTERED,
    CONSTRUCTORS,
    Number,
    by_interval,
    constructor,
    sound,
)
from demandsim.distributions.frozen import ScipyLaw
from demandsim.distributions.grammar import written
from demandsim.distributions.interval import is_wide, scaled, why_fixed, with_interval
from demandsim.errors import DistributionError, StudyError, WorkbookError


@pytest.fixture
def logistic():
    @constructor(interval=0.9)
    def logistic(
        low: Number = None,
        high: Number = None,
        *,
        prob: Number = None,
        mean: Number = None,
        sd: Number = None,
    ):
        if by_interval((low, high, prob), (mean, sd)):
            return sound(
                ScipyLaw(stats.logistic(low / 2 + high / 2, (high - low) / 2 / stats.logistic.isf((1 - prob) / 2)))
            )
        return sound(ScipyLaw(stats.logistic(mean, sd * 3**0.5 / np.pi)))

    yield logistic
    del _REGISTERED["logistic"]


def test_a_new_constructor_needs_nothing_else(logistic, tmp_path):
    made = logistic(8, 12)
    assert str(made) == "logistic(8, 12, prob=0.9)"
    assert made.ppf([0.05, 0.95]) == pytest.approx([8, 12])
    assert dist.parse_distribution(str(made)) == made
    assert with_interval(made, 1, 2) == logistic(1, 2)
    assert scaled(logistic(mean=2, sd=1), 3) == logistic(mean=6, sd=3)
    assert not is_wide(made)
    model = ds.Model([], {"x": ds.Assumption(made)})
    model.to_toml(tmp_path / "study.toml")
    assert ds.load_study(tmp_path / "study.toml").assumptions["x"].distribution == made
    with pytest.raises(DistributionError, match=r"logistic\(3, 2, prob=0.9\): low must be below high"):
        logistic(3, 2)
    with pytest.raises(DistributionError, match="logistic has no parameter 'meen'; did you mean 'mean'"):
        dist.parse_distribution("logistic(meen=3, sd=2)")


def test_a_constructor_looks_like_the_function_that_it_was_made_of():
    assert inspect.signature(dist.pert).return_annotation == "Distribution"
    assert list(inspect.signature(dist.pert).parameters) == ["low", "mode", "high", "prob", "shape"]
    assert dist.pert.__doc__.startswith("PERT distribution")
    with pytest.raises(TypeError, match=r"normal: got an unexpected keyword argument 'median'"):
        dist.normal(median=3)
    with pytest.raises(TypeError, match=r"triangular: missing a required argument: 'high'"):
        dist.triangular(1, 2)


@pytest.mark.parametrize("name", sorted(CONSTRUCTORS))
def test_what_is_known_of_a_constructor_is_so(name):
    known = CONSTRUCTORS[name]
    if known.interval is None:
        return
    low, high = (0.2, 0.4) if known.support == "unit" else (2, 4)
    made = known.make(low, high)
    assert dict(made.said)["prob"] == known.interval
    tail = (1 - known.interval) / 2
    ends = made.ppf([max(tail, 1e-300), min(1 - tail, 1 - 1e-16)])
    assert ends == pytest.approx([low, high])
    bottom, top = made.laws[0].support()
    assert known.support == "real" or bottom >= 0
    assert known.support != "unit" or top == 1
    assert why_fixed(made) == ""


def test_what_no_constructor_made_is_not_written_even_as_a_part(tmp_path):
    class Odd(stats.rv_continuous):
        def _ppf(self, q):
            return q

        def _cdf(self, x):
            return x

        def _pdf(self, x):
            return np.ones_like(x)

    odd = Odd(a=0, b=1, name="odd")()
    for made in (odd, dist.mixture([odd, 3]), dist.truncated(dist.mixture([odd, 3]), lower=0.5)):
        whole = dist.as_distribution(made)
        assert isinstance(whole, Distribution)
        with pytest.raises(DistributionError, match="cannot be written as text; use a constructor"):
            written(whole)
        model = ds.Model([], {"x": ds.Assumption(made)})
        with pytest.raises(StudyError, match=r"assumption 'x': .* cannot be written as text"):
            model.to_toml()
        with pytest.raises(WorkbookError, match=r"assumption 'x': .* cannot be written as text"):
            ds.write_workbook(model, tmp_path / "model.xlsx")


@pytest.mark.parametrize("value", [0.1, 1e308, 5e-324, 110e9, 7])
def test_a_number_of_a_study_keeps_every_bit(value, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(f"schema = 1\nequations = []\n[assumptions.x]\ndistribution = {value!r}\npoint = {value!r}\n")
    own = ds.load_study(path).assumptions["x"]
    assert own.point == value
    assert own.distribution == dist.constant(value)
    assert own.distribution.median() == value


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("key", ["distribution", "point"])
def test_a_number_of_a_study_that_is_none_is_refused(value, key, tmp_path):
    path = tmp_path / "study.toml"
    given = {"distribution": "1.0", key: value}
    path.write_text("schema = 1\nequations = []\n[assumptions.x]\n" + "".join(f"{k} = {v}\n" for k, v in given.items()))
    with pytest.raises(StudyError, match=rf"study\.toml: \[assumptions\.x\]: key '{key}' is {value}"):
        ds.load_study(path)
