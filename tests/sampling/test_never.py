"""Never: an equation may declare that NaN is a result; the rest of the run stays strict."""

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import EquationError, InvalidDrawsError
from demandsim.studies.loading import model_from_toml


@ds.equation(unit="year", bounds=(0, None), invalid="keep")
def payback(saving, cost):
    """Years until it has paid for itself; never, where it saves nothing."""
    return xr.where(saving > 0, cost / saving, np.nan)


@ds.equation(unit="year")
def twice(payback):
    return 2 * payback


@ds.equation(unit="1")
def pays(payback, horizon):
    return xr.where(payback <= horizon, 1.0, 0.0)


def model(*more):
    years = xr.DataArray([1.0, 2.0], dims="site", coords={"site": ["east", "west"]})
    return ds.Model(
        [payback, twice, pays, *more],
        {
            "saving": ds.Assumption(dist.normal(mean=years, sd=1), "CNY/year"),
            "cost": ds.Assumption(dist.uniform(1, 2), "CNY"),
            "horizon": ds.Assumption(5, "year"),
        },
    )


def test_never_is_kept_and_its_share_is_said():
    draws = model().simulate(draws=512, chains=4, seed=1)
    never = draws.saving <= 0
    np.testing.assert_array_equal(draws.payback.isnull(), never)
    np.testing.assert_array_equal(draws.twice.isnull(), never)
    assert not draws.pays.isnull().any()
    found = ds.summarize(draws)
    np.testing.assert_array_equal(found.payback.sel(statistic="n_invalid"), never.sum(["chain", "draw"]))
    valid = draws.payback.where(~never)
    np.testing.assert_allclose(found.payback.sel(statistic="mean"), valid.mean(["chain", "draw"]), rtol=1e-12)


def test_the_rest_stays_strict():
    @ds.equation(unit="1")
    def root(cost):
        return np.log(cost / cost - 1.0)

    with pytest.raises(InvalidDrawsError, match="equation 'root' made NaN or infinity in 2,048 values"):
        model(root).simulate(draws=512, chains=4, seed=1)

    @ds.equation(unit="year")
    def other(payback, pays):
        return payback * xr.where(pays > 0, np.nan, 1.0)

    with pytest.raises(InvalidDrawsError, match="equation 'other'"):
        model(other).simulate(draws=512, chains=4, seed=1)


def test_infinity_and_results_outside_the_bounds_are_no_never():
    @ds.equation(unit="year", bounds=(0, None), invalid="keep")
    def unguarded(cost, saving):
        return cost / saving

    with pytest.raises(InvalidDrawsError, match="equation 'unguarded' made results outside its bounds"):
        model(unguarded).simulate(draws=512, chains=4, seed=1)
    with pytest.raises(EquationError, match="invalid is 'raise' or 'keep', not 'allow'"):
        ds.equation(unguarded.function, unit="year", invalid="allow")


def test_chunks_and_files_keep_it(tmp_path):
    made = model()
    whole = made.simulate(draws=256, chains=2, seed=1)
    lazy = made.simulate(draws=256, chains=2, seed=1, chunks=64)
    np.testing.assert_array_equal(lazy.compute().payback, whole.payback)
    one, other = (ds.summarize(draws).payback.sel(statistic="n_invalid") for draws in (whole, lazy))
    np.testing.assert_array_equal(one, other)
    text = (
        'schema = 1\n[formulas.x]\nformula = "log(a)"\nunit = "1"\ninvalid = "keep"\n'
        '[assumptions.a]\ndistribution = "normal(mean=1, sd=1)"\n'
    )
    read = model_from_toml(text)
    assert read.simulate(draws=256, chains=2, seed=1).x.isnull().any()
    assert model_from_toml(read.to_toml()).equations["x"].invalid == "keep"


def test_tables_say_the_share():
    made = model()
    draws = made.simulate(draws=512, chains=4, seed=1)
    share = float((draws.saving <= 0).sel(site="east").mean())
    table = ds.table(ds.summarize(draws))
    assert (
        table.frame.loc[("payback", "east"), "never"] == table.frame.loc[("twice", "east"), "never"] == f"{share:.1%}"
    )
    assert table.frame.loc[("pays", "east"), "never"] == table.frame.loc[("cost", ""), "never"] == ""
    assert table.to_frame().loc[("payback", "east"), "share left out"] == pytest.approx(share)
    # Draws that are never kept are told of likewise.
    streamed = made.summarize(draws=512, chains=4, seed=1)
    np.testing.assert_array_equal(streamed.payback.sel(statistic="share_invalid")[0], share)
    assert ds.table(streamed).frame.loc[("payback", "east"), "never"] == f"{share:.1%}"
    assert "never" not in ds.table(ds.summarize(draws[["cost"]])).frame


def test_draws_that_went_wrong_are_no_never():
    @ds.equation(unit="1")
    def root(cost, horizon):
        return np.sqrt(cost / cost - horizon / horizon - 1)

    made = model(root).simulate(draws=64, chains=2, seed=1, on_invalid="keep")
    table = ds.table(ds.summarize(made)).frame
    assert (table.loc[("root", ""), "never"], table.loc[("root", ""), "left out"]) == ("", "128 (100%)")
    assert table.loc[("payback", "east"), "left out"] == ""


TEXT = """schema = 1
[formulas.payback]
formula = "cost / exp(log(saving))"
unit = "year"
invalid = "keep"
[assumptions.cost]
distribution = "uniform(1, 2)"
unit = "CNY"
[assumptions.saving]
distribution = "uniform(-1, 3)"
unit = "CNY/year"
[scenarios.scenario.base]
[scenarios.scenario.good]
saving = "uniform(-1, 9)"
"""


@pytest.mark.filterwarnings("ignore::demandsim.errors.HeavyTailWarning")
def test_the_terminal_and_the_page_say_the_share(tmp_path, monkeypatch, capsys):
    from demandsim import plots
    from demandsim.cli import app
    from demandsim.report import report_page
    from demandsim.report.runs import Sample

    monkeypatch.setattr(plots, "distributions", lambda *_, **__: None)
    monkeypatch.setattr(plots, "save", lambda _, path: path.touch())
    (tmp_path / "payback.toml").write_text(TEXT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for words, told in (
        ([], "payback: never (base 25.0%, good 10.0% of draws); the numbers are of the others"),
        (["--locale", "zh"], "Payback：永不出现（占抽样的 基准 25.0%，good 10.0%）"),
    ):
        app(["run", "payback.toml", "--draws", "256", "--seed", "1", *words], standalone_mode=False)
        assert told in capsys.readouterr().out
    page = report_page(model_from_toml(TEXT), Sample(128, seed=1))[0]
    assert "never in 25.0% of draws; the numbers are of the others" in page


@ds.recurrence(over="year", unit="CNY", start=ds.constant(100, "CNY"))
def cash(previous_cash, profit):
    return previous_cash + profit


@ds.equation(unit="CNY", invalid="keep")
def profit(previous_cash, margin):
    """Nobody lends below 70: what comes then has no number."""
    return (margin * previous_cash).where(previous_cash > 70)


@ds.equation(unit="CNY")
def doubled(cash):
    return 2 * cash


def lending(*more, margin=0.3):
    years = xr.DataArray([0.0, 0.1, 0.1], dims="year", coords={"year": [2025, 2026, 2027]})
    return ds.Model([cash, profit, doubled, *more], {"margin": dist.normal(mean=years, sd=margin)})


def test_equations_of_a_loop_may_have_no_value():
    draws = lending().simulate(draws=256, chains=2, seed=1)
    before, expected = 100.0, []
    for year in (2025, 2026, 2027):
        margin = draws.margin.sel(year=year, drop=True)
        before = (before + margin * before).where(np.greater(before, 70))
        expected.append(before)
    np.testing.assert_allclose(draws.cash, xr.concat(expected, "year").transpose(*draws.cash.dims), rtol=1e-12)
    gone = (draws.cash.sel(year=[2025, 2026]) <= 70).any("year").mean()
    found = ds.summarize(draws)
    assert float(found.cash.sel(year=2027, statistic="share_invalid")) == pytest.approx(float(gone))
    table = ds.table(found).frame
    assert table.loc[("cash", "2027"), "never"] == table.loc[("doubled", "2027"), "never"] == f"{gone:.1%}"


def test_what_goes_wrong_beside_it_in_a_loop_is_still_an_error():
    @ds.recurrence(over="year", unit="CNY", start=ds.constant(100, "CNY"))
    def money(previous_money, gain):
        return previous_money + gain

    @ds.equation(unit="CNY", invalid="keep")
    def gain(previous_money, rate):
        return (rate * previous_money).where(previous_money > 70)

    @ds.equation(unit="1")
    def rate(previous_money, margin):
        # No share of a negative margin has a root, whatever was allowed before.
        return np.sqrt(margin) + 0 * (previous_money / previous_money)

    years = xr.DataArray([0.5, 0.0, 0.5], dims="year", coords={"year": [2025, 2026, 2027]})
    made = ds.Model([money, gain, rate], {"margin": dist.normal(mean=years, sd=0.05)})
    for keep in (["money"], None):
        with pytest.raises(InvalidDrawsError, match="equation 'money' made NaN or infinity"):
            made.simulate(draws=64, chains=2, seed=1, keep=keep)


def test_a_recurrence_itself_may_have_no_value():
    @ds.recurrence(over="year", unit="1", start=ds.constant(1, "1"), invalid="keep", bounds=(0, None))
    def rating(previous_rating, margin):
        return (previous_rating * (1 + margin)).where(margin > -0.3)

    years = xr.DataArray([0.0, 0.1], dims="year", coords={"year": [2025, 2026]})
    made = ds.Model([rating], {"margin": dist.normal(mean=years, sd=0.3)})
    draws = made.simulate(draws=64, chains=2, seed=1)
    np.testing.assert_array_equal(draws.rating.sel(year=2026).isnull(), (draws.margin <= -0.3).any("year"))
    low = made.with_equations(
        ds.recurrence(
            rating.function,
            over="year",
            unit="1",
            start=ds.constant(1, "1"),
            invalid="keep",
            bounds=(1, None),
            name="rating",
        )
    )
    with pytest.raises(InvalidDrawsError, match=r"outside its bounds|NaN or infinity"):
        low.simulate(draws=64, chains=2, seed=1)
