"""Backtests: nothing of the future is seen, scores are those of the rules, and the shipped forecasts meet what came."""

import inspect
import math

import arviz_stats
import numpy as np
import pytest
import xarray as xr
from scipy import stats

import demandsim as ds
from demandsim import forecasting
from demandsim.errors import DemandsimError, UnknownNameError
from demandsim.forecasting import rules


def series(values, days, **coords):
    dates = np.array(days, "datetime64[ns]")
    return xr.DataArray(values, {"date": dates, **{n: ("date", v) for n, v in coords.items()}}, "date", "x")


def growing(years=8, rate=0.4):
    return series(np.exp(rate * np.arange(years)), [f"{2015 + y}-06-30" for y in range(years)])


class Recorder:
    """A forecaster that remembers what it was shown."""

    def __init__(self):
        self.seen = []

    def forecast(self, figures, of, years, *, draws, chains, seed):
        self.seen.append({name: one.announced.max(initial=0.0) for name, one in figures.items()})
        rng = np.random.default_rng(seed)
        return figures[of].logs[-1] + rng.normal(size=(chains, draws, len(years)))


def test_a_model_sees_only_what_had_come_out():
    late = series(
        [1.0, 2.0, 4.0],
        ["2020-01-01", "2021-01-01", "2022-01-01"],
        announced=["2020-01-02", "2023-01-01", "2022-01-02"],
    )
    recorder = Recorder()
    found = forecasting.backtest({"r": recorder}, {"late": late, "other": growing()}, draws=64, chains=2, seed=1)
    # The figure of 2021 came out last: it is forecast from those of 2020 and 2022.
    assert found.outcome.sel(series="late").dropna("cutoff").values.ravel().tolist() == pytest.approx([2.0])
    cutoffs = [2015 + y + 0.5 for y in range(2, 8)]
    assert len(recorder.seen) == 1 + len(cutoffs)
    for seen in recorder.seen[1:]:
        assert seen["other"] < max(cutoffs)
    assert recorder.seen[0]["late"] < 2023.0


def test_scores_are_those_of_the_rules_on_the_logarithm():
    recorder = Recorder()
    found = forecasting.backtest(
        {"r": recorder}, {"x": growing()}, cutoffs=["2020-01-01"], factors={"exact": 1.001}, draws=256, chains=4, seed=3
    )
    logs = 0.4 * 4 + np.random.default_rng(3).normal(size=1024)
    here = found.isel(model=0, series=0, cutoff=0, horizon=0)
    assert here.crps.item() == pytest.approx(rules.crps(logs, 0.4 * 5), abs=2e-3)
    assert here.pit.item() == pytest.approx(np.mean(logs < 2.0), abs=0.01)
    assert here.outcome.item() == pytest.approx(math.exp(2.0))
    assert str(here.date.values)[:10] == "2020-06-30"
    assert here.years_ahead.item() == pytest.approx(1.0, abs=0.01)


def test_horizons_count_the_figures_that_follow():
    found = forecasting.backtest(
        {"naive": forecasting.LastGrowth()}, {"x": growing()}, horizons=[1, 3], draws=64, chains=2, seed=1
    )
    assert found.crps.sizes == {"model": 1, "series": 1, "cutoff": 6, "horizon": 2}
    # The last two cutoffs have no third figure after them.
    assert found.crps.isnull().sum("cutoff").values.ravel().tolist() == [0, 2]
    assert found.years_ahead.sel(horizon=3).mean().item() == pytest.approx(3.0, abs=0.01)
    np.testing.assert_allclose(found["median"].sel(horizon=1).values.ravel(), np.exp(0.4 * np.arange(2, 8)), rtol=0.2)


@pytest.mark.parametrize("name", ["exponential", "logistic", "gompertz", "bass"])
def test_a_curve_finds_itself(name):
    """On figures that a curve made, its own forecast is near and the naive one is not better."""
    years, days = np.arange(10) / 2, [f"{2015 + y // 2}-{'01' if y % 2 == 0 else '07'}-01" for y in range(10)]
    truth = {
        "exponential": np.exp(0.6 * years),
        "logistic": 30 / (1 + 29 * np.exp(-1.2 * years)),
        "gompertz": 30 * np.exp(np.log(1 / 30) * np.exp(-0.6 * years)),
        "bass": 30 * (1 - np.exp(-0.8 * (years + 0.5))) / (1 + 15 * np.exp(-0.8 * (years + 0.5))),
    }[name]
    found = forecasting.backtest(
        {"curve": forecasting.Curve(name)}, {"x": series(truth, days)}, cutoffs=["2018-02-01"], horizons=[3],
        factors={"exact": 1.05}, draws=256, chains=4, seed=1,
    )  # fmt: skip
    assert found["median"].item() == pytest.approx(found.outcome.item(), rel=0.15)


def test_the_same_seed_gives_the_same_scores():
    once, again = (
        forecasting.backtest({"c": forecasting.Curve("gompertz")}, {"x": growing(5)}, draws=64, chains=2, seed=9)
        for _ in range(2)
    )
    xr.testing.assert_identical(once, again)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"least": 9}, "no series has 9 figures"),
        ({"horizons": [0]}, "horizons of 1"),
        ({"horizons": 0}, "horizons of 1"),
        ({"horizons": [1.5]}, "horizons of 1"),
        ({"cutoffs": ["2030"]}, "nothing to forecast"),
        ({"cutoffs": "soon"}, "cutoffs: 'soon' is not a date"),
        ({"draws": 2**45}, "281,474,976,710,656 draws of a forecast need up to .* fewer with draws="),
        ({"draws": 1e3}, "draws must be a whole number of at least 1, not 1000.0; write 1000"),
    ],
)
def test_what_cannot_be_backtested_says_why(settings, says):
    with pytest.raises(DemandsimError, match=says):
        forecasting.backtest({"naive": forecasting.LastGrowth()}, {"x": growing()}, **settings)
    with pytest.raises(UnknownNameError, match="did you mean 'gompertz'"):
        forecasting.Curve("gomperz")


def test_a_rate_that_reverts_beats_the_curve_that_failed():
    """One step ahead in 2026: what came lies inside 95%, where no draw of the curve is, at less than half the score."""
    tokens = {"Doubao": ds.load_series("doubao-daily-tokens").daily_tokens}
    models = {"reverting": forecasting.RevertingGrowth(points=256), "gompertz": forecasting.Curve("gompertz")}
    found = forecasting.backtest(models, tokens, cutoffs=["2026-04-02", "2026-06-23"], draws=256, chains=4, seed=1)
    here = found.isel(series=0, horizon=0)
    assert (abs(2 * here.pit.sel(model="reverting") - 1) < 0.95).all()
    assert (here.pit.sel(model="gompertz") > 0.99).all()
    assert here.crps.sel(model="reverting").mean() < 0.5 * here.crps.sel(model="gompertz").mean()
    assert (here.mcse_crps < 0.05).all()


@pytest.mark.parametrize(
    ("models", "given", "says"),
    [
        (forecasting.LastGrowth(), {"x": growing()}, "models are named"),
        ({"naive": forecasting.LastGrowth()}, growing(), "series are named"),
        ({"naive": forecasting.LastGrowth()}, {"x": growing().to_dataset()}, "take one variable"),
    ],
)
def test_what_is_not_named_says_so(models, given, says):
    with pytest.raises(DemandsimError, match=says):
        forecasting.backtest(models, given)


def test_series_of_several_units_keep_their_own():
    several = {"x": growing().assign_attrs(units="GW"), "y": growing().assign_attrs(units="user")}
    found = forecasting.backtest({"naive": forecasting.LastGrowth()}, several, draws=64, chains=2, seed=1)
    assert found.unit.values.tolist() == ["GW", "user"]
    assert "units" not in found["median"].attrs


# Several models


def table(logs):
    data = xr.DataArray(np.asarray(logs, float)[:, None, :], dims=("model", "series", "cutoff"))
    return xr.Dataset({"log": data, "crps": data}, {"model": [f"m{i}" for i in range(len(logs))]})


def test_stacking_is_the_maximum_of_its_objective():
    rng = np.random.default_rng(2)
    outcomes = rng.normal(size=40)
    laws = [stats.norm(-1, 1), stats.norm(1, 1), stats.norm(0, 3)]
    densities = np.array([law.pdf(outcomes) for law in laws])
    for shrinkage in (0.0, 1.0, 5.0):
        weights = forecasting.stack(table(-np.log(densities)), shrinkage=shrinkage, seed=1).weight.values

        def value(w, shrinkage=shrinkage):
            return np.log(w @ densities).sum() + (shrinkage * np.log(w).sum() if shrinkage else 0.0)

        assert weights.sum() == pytest.approx(1)
        for other in rng.dirichlet([1, 1, 1], 300):
            assert value(weights) >= value(0.9 * weights + 0.1 * other) - 1e-9


def test_weights_are_equal_where_little_was_scored_and_stacking_s_where_much_was():
    one = forecasting.stack(table([[0.0], [2.0]]), seed=1)
    assert 0.5 < one.weight[0] < 0.75
    assert one.pseudo_bma[0] > 0.85
    many = forecasting.stack(table([[0.0] * 200, [2.0] * 200]), seed=1)
    assert many.weight[0] > 0.98
    assert one.attrs["forecasts"] == 1
    # A model that calls what came impossible is no reason to give up, unless all do.
    assert forecasting.stack(table([[0.5, 0.5], [math.inf, 0.1]]), seed=1).weight[0] > 0.5
    with pytest.raises(DemandsimError, match="impossible to every model"):
        forecasting.stack(table([[math.inf], [math.inf]]))
    with pytest.raises(DemandsimError, match="'m0' was sure of what came"):
        forecasting.stack(table([[-math.inf], [0.0]]))
    with pytest.raises(DemandsimError, match="shrinkage is nan"):
        forecasting.stack(table([[1.0], [0.0]]), shrinkage=math.nan)
    with pytest.raises(DemandsimError, match="pass what a backtest returns"):
        forecasting.stack(xr.Dataset({"x": ("model", [1.0])}))


def test_one_wrong_model_does_not_take_all():
    """Two models, each right about half of what came: stacking keeps both, pseudo-BMA one."""
    logs = np.where(np.arange(60) % 2 == 0, [[0.0], [3.0]], [[3.05], [0.0]])
    found = forecasting.stack(table(logs), seed=1)
    assert 0.4 < found.weight[0] < 0.6
    assert found.pseudo_bma.max() > 0.8
    assert (found.lower < found.weight).all()
    assert (found.weight < found.upper).all()


# What the first version of ArviZ asks of pandas is deprecated there.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_stacking_is_arviz_s_where_it_applies():
    """The same pointwise log densities, without shrinkage."""
    logs = np.random.default_rng(4).gamma(2.0, 1.0, (3, 50))
    # The first versions ask for it, later ones refuse it.
    kind = {"kind": "loo"} if "kind" in inspect.signature(arviz_stats.ELPDData).parameters else {}
    told = {}
    for name, row in zip(("m0", "m1", "m2"), -logs, strict=True):
        points = xr.DataArray(row, dims="forecast")
        told[name] = arviz_stats.ELPDData(
            **kind, elpd=row.sum(), se=1.0, p=0.0, n_samples=1, n_data_points=50, scale="log", warning=False,
            good_k=0.7, elpd_i=points, pareto_k=0 * points,
        )  # fmt: skip
    theirs = arviz_stats.compare(told, method="stacking", round_to="none").weight
    ours = forecasting.stack(table(logs), shrinkage=0.0, seed=1).weight
    for name in told:
        assert ours.sel(model=name).item() == pytest.approx(theirs[name], abs=2e-3)
    theirs = arviz_stats.compare(told, method="pseudo-bma", round_to="none").weight
    ours = forecasting.stack(table(logs), seed=1).pseudo_bma
    for name in told:
        assert ours.sel(model=name).item() == pytest.approx(theirs[name], rel=1e-6)


def test_a_mixture_is_draws_in_proportion_and_knows_which_model_each_is_of():
    rng = np.random.default_rng(1)
    parts = {
        name: xr.Dataset({"x": (("chain", "draw"), rng.normal(mean, 1, (4, 500)), {"units": "token/day"})})
        for name, mean in (("low", 0.0), ("high", 10.0))
    }
    weights = xr.DataArray([0.3, 0.7], {"model": ["low", "high"]}, "model")
    mixed = forecasting.mixture(parts, weights, seed=1)
    assert (mixed.model == "low").sum("draw").values.tolist() == [150] * 4
    assert mixed.x.attrs["units"] == "token/day"
    assert float(mixed.x.where(mixed.model == "high").mean()) == pytest.approx(10, abs=0.1)
    # Between: 0.21 * 100; within: 1.
    assert forecasting.model_share(mixed, "x").item() == pytest.approx(21 / 22, abs=0.01)
    assert ds.summarize(mixed).x.sel(statistic="mean").item() == pytest.approx(7, abs=0.1)
    with pytest.raises(UnknownNameError, match="did you mean 'high'"):
        forecasting.mixture({"hihg": parts["high"]}, weights)
    with pytest.raises(DemandsimError, match="differ in their chains, draws or labels"):
        forecasting.mixture({"low": parts["low"], "high": parts["high"].isel(draw=slice(9))}, weights)


def test_log_odds_are_pooled():
    assert forecasting.pooled_probability([0.2, 0.8]) == pytest.approx(0.5)
    assert forecasting.pooled_probability([0.7, 0.7, 0.7]) == pytest.approx(0.7)
    assert forecasting.pooled_probability([0.7] * 3, extremizing=2.0) == pytest.approx(0.49 / (0.49 + 0.09))
    assert forecasting.pooled_probability([0.1, 0.9], [1, 3]) > 0.5
    pool = forecasting.pooled_distribution([stats.norm(0, 1), stats.norm(4, 1)])
    assert pool.median().item() == pytest.approx(2, abs=0.01)
    assert pool.sd().item() < 1.0
    same = forecasting.pooled_distribution([stats.norm(3, 2)] * 2)
    np.testing.assert_allclose(same.ppf([0.05, 0.5, 0.95]).ravel(), stats.norm(3, 2).ppf([0.05, 0.5, 0.95]), atol=0.02)
    narrow = forecasting.pooled_distribution([stats.norm(3, 2)] * 2, extremizing=2.0)
    assert narrow.sd().item() < 0.7 * same.sd().item()
    for told in ([], [0.0, 0.5], [1.0]):
        with pytest.raises(DemandsimError):
            forecasting.pooled_probability(told)
    with pytest.raises(DemandsimError, match="weights must be 2 numbers"):
        forecasting.pooled_probability([0.2, 0.3], [1])
