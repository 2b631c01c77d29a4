"""Study files: data that says everything a model is, and errors that say where a file goes wrong."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim import distributions as dist
from demandsim._system import written_whole
from demandsim.errors import CorrelationError, DemandsimError, OutputError, StudyError, UnknownNameError
from demandsim.studies.loading import model_from_toml

YEARS = [2025, 2026, 2027]
CARDS = ["H800", "H20"]


@ds.equation(unit="card")
def cards(demand, speed):
    """Cards by a measured speed."""
    return demand / speed


@ds.equation(unit="CNY")
def cost(cards, price):
    return cards * price


@ds.equation(unit="1")
def doubled(spare):
    return 2 * spare


OWN = [cards, cost, doubled]

# Models of any kind, as an expert might write them

floats = st.floats(1e-3, 1e3, allow_subnormal=False)


@st.composite
def labelled(draw, numbers):
    """A number, or numbers by year, by hardware, or by both."""
    dims = draw(st.sampled_from([(), (), ("year",), ("hardware",), ("hardware", "year")]))
    coords = {"year": YEARS, "hardware": CARDS}
    if not dims:
        return draw(numbers)
    shape = [len(coords[dim]) for dim in dims]
    values = draw(st.lists(numbers, min_size=math.prod(shape), max_size=math.prod(shape)))
    return xr.DataArray(np.reshape(values, shape), dims=dims, coords={dim: coords[dim] for dim in dims})


@st.composite
def plain(draw):
    """A distribution of a single positive number, by any constructor."""
    low, span, prob = draw(floats), draw(st.floats(1.5, 50)), draw(st.floats(0.5, 0.99))
    return draw(
        st.sampled_from(
            [
                lambda: dist.constant(low),
                lambda: dist.lognormal(low, low * span, prob=prob),
                lambda: dist.lognormal(median=low, factor=span),
                lambda: dist.uniform(low, low * span, prob=1.0),
                lambda: dist.loguniform(low, low * span),
                lambda: dist.triangular(low, low * (1 + span) / 2, low * span),
                lambda: dist.pert(low, low * (1 + span) / 2, low * span),
                lambda: dist.gamma(mean=low, sd=low / 2),
                lambda: dist.beta(mean=0.4, sd=0.01 * min(span, 20)),
                lambda: dist.discrete([low, low * span], weights=[1, span]),
                lambda: dist.empirical([low, low * 1.1, low * span], interpolate=True),
                lambda: dist.metalog([0.1, 0.5, 0.9], [low, 1.2 * low, 1.5 * low], lower=0),
                lambda: dist.mixture([dist.lognormal(low, low * span), low], weights=[2, 1]),
                lambda: dist.truncated(dist.normal(mean=low, sd=low), lower=low / 10),
            ]
        )
    )()


@st.composite
def indexed(draw):
    """A distribution whose parameters have dims."""
    median = draw(labelled(floats))
    return draw(
        st.sampled_from(
            [
                lambda: dist.lognormal(median=median, factor=2.5),
                lambda: dist.uniform(median, 2 * median),
                lambda: dist.gamma(mean=median, sd=0.3 * median),
                lambda: dist.constant(median),
            ]
        )
    )()


words = st.none() | st.text("abc äé中 '\"\\\n#[]=,.", min_size=1, max_size=12)


@st.composite
def assumptions(draw, unit):
    distribution = draw(plain() | indexed())
    made = ds.Assumption(distribution, unit, long_name=draw(words), source=draw(words), shared=draw(st.booleans()))
    return made.relabelled(point=made.point * 1.1) if draw(st.booleans()) and not distribution.is_constant else made


@st.composite
def models(draw):
    made = {
        "demand": draw(assumptions("Mtoken/s")),
        "speed": draw(assumptions("token/s/card")),
        "price": draw(assumptions("wan*CNY/card")),
        "spare": draw(assumptions("1")),
    }
    correlations = draw(
        st.dictionaries(st.sampled_from([("demand", "price"), ("spare", "speed")]), st.floats(-0.3, 0.3))
    )
    sure = {name for name, assumption in made.items() if assumption.distribution.is_constant}
    correlations = {pair: rho for pair, rho in correlations.items() if not sure.intersection(pair)}
    scenarios = {}
    if draw(st.booleans()):
        low, high = draw(floats), draw(plain())
        if not made["demand"].distribution.dims:
            scenarios["scenario"] = {"low 1": {"demand": low}, "high.2": {"demand": high}, "as it is": {}}
    if draw(st.booleans()) and not made["price"].distribution.dims:
        override = ds.Assumption(draw(plain()), "wan*CNY/card", point=draw(floats), source=draw(words))
        scenarios["policy"] = {"open": {"price": override}, "closed": {}}
    try:
        return ds.Model(OWN, made, correlations=correlations, scenarios=scenarios)
    except CorrelationError:
        # Laws that share values cannot have every correlation.
        reject()


@pytest.mark.filterwarnings("ignore::demandsim.errors.CorrelationWarning")
@settings(max_examples=25)
@given(model=models())
def test_a_model_goes_through_a_file_without_losing_a_bit(model):
    again = model_from_toml(model.to_toml(), equations=OWN)
    assert again == model
    assert again.assumptions == model.assumptions
    assert again.scenarios == model.scenarios
    assert again.hash == model.hash
    one, other = (m.simulate(draws=16, chains=2, seed=1) for m in (model, again))
    xr.testing.assert_identical(other, one)
    xr.testing.assert_identical(again.point(), model.point())
    # And the second file is the first.
    assert again.to_toml() == model.to_toml()


@pytest.mark.parametrize("name", ds.list_studies())
def test_shipped_studies_go_through_a_file(name, tmp_path):
    model = ds.load_study(name)
    path = tmp_path / "again.toml"
    text = model.to_toml(path)
    assert path.read_text(encoding="utf-8") == text
    again = ds.load_study(path)
    assert again == model
    assert again.notes == model.notes
    xr.testing.assert_identical(again.simulate(draws=32, seed=1), model.simulate(draws=32, seed=1))


def test_impossible_correlations_mended_on_request_stay_mended():
    pairs = {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9}
    model = ds.Model([], {name: dist.normal(0, 1) for name in "abc"}, correlations=pairs, nearest=True)
    again = model_from_toml(model.to_toml())
    assert again == model
    xr.testing.assert_identical(again.simulate(draws=32, seed=1), model.simulate(draws=32, seed=1))


def test_what_cannot_be_written_says_so_and_what_to_use():
    class Mine:
        def ppf(self, u):
            return np.asarray(u)

        def cdf(self, x):
            return np.asarray(x)

    with pytest.raises(StudyError, match=r"'x'.*metalog or empirical"):
        ds.Model([], {"x": Mine()}).to_toml()


# Loading never runs anything


def test_a_file_is_read_as_data_and_nothing_in_it_is_run(tmp_path):
    witness = tmp_path / "was_here"
    for code in (
        f"__import__('pathlib').Path({str(witness)!r}).touch()",
        f"open({str(witness)!r}, 'w')",
        "normal.__class__(0, 1)",
        "normal(0, 1).laws",
        "lambda: 0",
        "normal(0, 10**9)",
    ):
        path = tmp_path / "study.toml"
        quoted = code.replace("\\", "\\\\").replace('"', '\\"')
        path.write_text(f'schema = 1\nequations = []\n[assumptions.x]\ndistribution = "{quoted}"\n', encoding="utf-8")
        with pytest.raises(StudyError, match=r"\[assumptions.x\]: key 'distribution'"):
            ds.load_study(path)
        for reference in ("os.system", "pathlib.Path.touch", "demandsim.errors.DemandsimError", "inference.__doc__"):
            path.write_text(f'schema = 1\nequations = ["{reference}"]\n[assumptions]\n', encoding="utf-8")
            with pytest.raises(StudyError, match="unknown equation"):
                ds.load_study(path)
    assert not witness.exists()


# Errors of a file

GOOD = """
schema = 1
equations = ["cards", "cost"]

[coords]
year = [2025, 2026]

[assumptions.demand]
distribution = "lognormal(by(\\"year\\", [1, 2]), by(\\"year\\", [4, 8]))"
unit = "Mtoken/s"

[assumptions.speed]
distribution = 2000
unit = "token/s/card"

[assumptions.price]
distribution = "uniform(1, 2)"
unit = "CNY/card"
point = 1.5

[scenarios.scenario.low]
price = 1.0

[[correlations]]
between = ["demand", "price"]
spearman = 0.5
"""


def test_the_file_that_the_errors_are_made_from_is_good():
    model = model_from_toml(GOOD, equations=OWN)
    assert model.assumptions["demand"].distribution.coords == {"year": (2025, 2026)}
    assert model.point().price.values.tolist() == [1.0]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        # Unknown keys, with the nearest
        ('unit = "CNY/card"', 'units = "CNY/card"', r"\[assumptions.price\]: unknown key 'units'; did you mean 'unit'"),
        ("schema = 1", "schema = 1\nequation = []", "top level: unknown key 'equation'; did you mean 'equations'"),
        ("spearman = 0.5", "spearman = 0.5\nrho = 1", r"\[correlations.0\]: unknown key 'rho'; known keys: between"),
        # Missing keys
        ("schema = 1", "", "key 'schema' is missing; expected 1"),
        ("distribution = 2000", "", r"\[assumptions.speed\]: key 'distribution' is missing; expected number, or text"),
        ("spearman = 0.5", "", r"\[correlations.0\]: expected either spearman or kendall"),
        # Wrong types and values
        ("schema = 1", "schema = 2", "key 'schema' is 2; expected 1"),
        ("schema = 1", "schema = true", "key 'schema' is True; expected 1"),
        ("distribution = 2000", "distribution = [1, 2]", r"\[assumptions.speed\]: key 'distribution' is \[1, 2\]; exp"),
        ("distribution = 2000", "distribution = true", r"\[assumptions.speed\]: key 'distribution' is True; expected"),
        ("distribution = 2000", "distribution = inf", r"\[assumptions.speed\]: key 'distribution' is inf; expected"),
        (
            "distribution = 2000",
            "distribution = 1\nshared = 'yes'",
            r"\[assumptions.speed\]: key 'shared' is 'yes'; exp",
        ),
        ("point = 1.5", "point = nan", r"\[assumptions.price\]: key 'point' is nan; expected published value"),
        ("point = 1.5", "point = 'uniform(1, 2)'", r"\[assumptions.price\]: key 'point' is 'uniform\(1, 2\)'; exp"),
        (
            "spearman = 0.5",
            "spearman = 1.5",
            r"\[correlations.0\]: key 'spearman' is 1.5; expected rank corr.*-1 and 1",
        ),
        ('["demand", "price"]', '["demand"]', r"\[correlations.0"),
        ("equations = [", "equations = 3 #", "key 'equations' is 3; expected names, such as 'inference.cards'"),
        (
            "[assumptions.demand]",
            "[assumptions]\nx = 3\n[assumptions.demand]",
            r"\[assumptions\]: key 'x' is 3; exp.* a table",
        ),
        # Distributions
        ('"uniform(1, 2)"', '"unifrom(1, 2)"', r"\[assumptions.price\]: key 'distribution'.*did you mean 'uniform'"),
        (
            '"uniform(1, 2)"',
            '"uniform(2, 1)"',
            r"\[assumptions.price\]: key 'distribution'.*uniform\(2, 1.*low must be below",
        ),
        ('"uniform(1, 2)"', '"uniform(1, 2"', r"\[assumptions.price\]: key 'distribution'.*cannot read"),
        ('by(\\"year\\", [1, 2])', 'by(\\"years\\", [1, 2])', r"\[assumptions.demand\].*'years'.*did you mean 'year'"),
        ('by(\\"year\\", [1, 2])', 'by(\\"year\\", [1])', r"\[assumptions.demand\].*shape \(2,\), found \(1,\)"),
        ("price = 1.0", "price = 'unifrom(1, 2)'", r"\[scenarios.scenario.low\] price.*did you mean 'uniform'"),
        # Names
        ('"cards", ', '"crads", ', "key 'equations': unknown equation 'crads'.*load_study"),
        ('"cards", ', '"inference.crads", ', "did you mean 'inference.cards'"),
        ("price = 1.0", "prize = 1.0", "scenario 'low': 'prize'; did you mean 'price'"),
        ('"demand", "price"', '"demand", "prize"', "correlation: 'prize'; did you mean 'price'"),
        ("[assumptions.speed]", "[assumptions.spede]", "needs 'speed'.*did you mean 'spede'"),
        # Units
        ('"token/s/card"', '"token/s/gpu"', "unknown unit 'token/s/gpu'"),
        ('"token/s/card"', '"token/card"', "equation 'cards' declares unit 'card'"),
        # Not TOML
        ("schema = 1", "schema = ", "not valid TOML: .*line 2"),
        ("schema = 1", "schema = 1\nschema = 1", "not valid TOML: line .* says again"),
    ],
)
def test_errors_name_the_file_the_table_the_key_and_what_was_expected(tmp_path, old, new, says):
    assert GOOD.count(old) >= 1
    path = tmp_path / "my-study.toml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DemandsimError, match=says) as caught:
        ds.load_study(path, equations=OWN)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_published_row_must_be_of_a_quantity_of_the_model():
    row = '\n[[published]]\nquantity = "crads"\nrow = "cards"\nunit = "card"\ndigits = 0\nvalues = { low = 1 }\n'
    with pytest.raises(StudyError, match=r"\[published\]: unknown quantity 'crads'; did you mean 'cards'"):
        model_from_toml(GOOD + row, equations=OWN)


def test_files_that_cannot_be_read_say_why(tmp_path):
    with pytest.raises(UnknownNameError, match="there is no study file"):
        ds.load_study(tmp_path / "nothing.toml")
    with pytest.raises(UnknownNameError, match="unknown study 'guosen-2025'; did you mean 'guosen-2025-01'"):
        ds.load_study("guosen-2025")
    path = tmp_path / "latin.toml"
    path.write_bytes("schema = 1 # Zürich".encode("latin-1"))
    with pytest.raises(StudyError, match=r"is not UTF-8 text .byte 14"):
        ds.load_study(path)
    (tmp_path / "deep.toml").write_text("a = " + "[" * 100_000, encoding="utf-8")
    with pytest.raises(StudyError, match=r"deep.toml: not valid TOML"):
        ds.load_study(tmp_path / "deep.toml")
    with pytest.raises(StudyError, match="is a folder; name the study file in it"):
        ds.load_study(tmp_path)


def test_a_copy_of_a_shipped_study_loads_by_path_as_text_or_path(tmp_path):
    source = Path(ds.__file__).parent / "studies" / "guosen-2025-01.toml"
    path = shutil.copy(source, tmp_path / "mine.toml")
    assert ds.load_study(str(path)) == ds.load_study(Path(path)) == ds.load_study("guosen-2025-01")


# Written whole or not at all


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_half_written_stays_when_writing_is_cut_off(tmp_path, error):
    target = tmp_path / "result.txt"
    target.write_text("the old whole", encoding="utf-8")

    def cut_off():
        with written_whole(target) as unfinished:
            unfinished.write_text("half of the n", encoding="utf-8")
            raise error

    with pytest.raises(error):
        cut_off()
    assert target.read_text(encoding="utf-8") == "the old whole"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    target = tmp_path / "result.txt"
    with written_whole(target) as unfinished:
        unfinished.write_text("whole", encoding="utf-8")
        assert not target.exists()
        assert unfinished.suffix == ".txt"
    assert target.read_text(encoding="utf-8") == "whole"
    assert target.stat().st_mode & 0o600 == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_study_that_cannot_be_written_says_where(tmp_path):
    model = ds.load_study("guosen-2025-01")
    with pytest.raises(OutputError, match=r"cannot write .*No such file"):
        model.to_toml(tmp_path / "no" / "folder.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        model.to_toml(tmp_path / "folder.toml")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.toml"]
