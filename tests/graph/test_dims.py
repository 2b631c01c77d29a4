"""Dims that are said: of an assumption, of an equation, of pandas; with labels of the model."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import DistributionError, EquationError, ScenarioError
from demandsim.studies.loading import model_from_toml

REGIONS, FORMATS = ["north", "south"], ["fp16", "fp8"]


@ds.equation(unit="TFLOP/s/card", dims={"precision": FORMATS})
def card_flops(base_flops):
    """Compute of a card by precision."""
    return base_flops * xr.DataArray([1.0, 2.0], dims="precision", coords={"precision": FORMATS})


@ds.equation(unit="card")
def cards(demand, card_flops):
    return demand / card_flops


DEMAND = ds.Assumption("lognormal(1, 3)", "EFLOP/s", dims=("region",))


def planned(demand=DEMAND, coords={"region": REGIONS}, equations=(card_flops, cards), card=False):  # noqa: B006
    name = "card_flops" if card else "base_flops"
    return ds.Model(equations, {name: ds.Assumption(1000, "TFLOP/s/card"), "demand": demand}, coords=coords)


def test_an_assumption_is_drawn_anew_along_its_dims():
    model = planned()
    draws = model.simulate(draws=512, chains=4, seed=1)
    assert draws.demand.sizes == {"chain": 4, "draw": 512, "region": 2}
    north, south = draws.demand.stack(all=("chain", "draw")).transpose("region", ...).values
    assert abs(np.corrcoef(north, south)[0, 1]) < 0.05
    np.testing.assert_allclose(np.median(north), 3**0.5, rtol=0.01)
    shared = planned(DEMAND.relabelled(shared=True)).simulate(draws=64, seed=1).demand
    np.testing.assert_array_equal(shared.sel(region="north"), shared.sel(region="south"))


@pytest.mark.parametrize(
    "written",
    [
        'by("region", lognormal(1, 3, prob=0.9))',
        'by("region", "quarter", lognormal(1, 3, prob=0.9))',
    ],
)
def test_the_same_law_for_all_labels_is_written_once(written):
    coords = {"region": REGIONS, "quarter": [1, 2, 3]}
    from demandsim.distributions.grammar import parse_distribution

    made = parse_distribution(written, coords)
    assert str(made) == written
    assert len(made.laws) == np.prod(made.shape)
    assert parse_distribution(str(made), coords) == made


def test_one_number_for_all_labels_is_a_constant_by_label():
    from demandsim.distributions.grammar import parse_distribution

    made = ds.Assumption(7, dims=("region",)).over({"region": REGIONS}).distribution
    assert made == parse_distribution('by("region", [7, 7])', {"region": REGIONS})
    np.testing.assert_array_equal(made.median(), [7, 7])
    assert made.is_constant


def test_it_stays_along_its_dims_whatever_is_assumed_of_it():
    model = planned().assume(demand="lognormal(2, 3)")
    assert model.point().cards.dims == ("precision", "region")
    for value in ("lognormal(2, 4)", ds.Assumption("lognormal(2, 4)", "EFLOP/s", dims=("region",))):
        draws = planned().with_scenarios({"as it is": {}, "more": {"demand": value}}).simulate(draws=64, seed=1)
        assert draws.demand.dims == ("scenario", "chain", "draw", "region")
        assert (draws.demand.std(["chain", "draw"]) > 0).all()
        cases = planned(equations=(cards,), demand=DEMAND, card=True).with_scenarios({"more": {"demand": value}})
        assert model_from_toml(cases.to_toml()) == cases
        assert (draws.demand.sel(region="north") != draws.demand.sel(region="south")).all()


def test_it_goes_through_a_study_file_and_a_workbook(tmp_path):
    model = planned()
    with pytest.warns(UserWarning, match="card_flops"):
        text = model.to_toml()
    again = model_from_toml(text, equations=[card_flops])
    assert again == model
    assert again.hash == model.hash
    short = text.replace('by(\\"region\\", lognormal(1, 3, prob=0.9))', "lognormal(1, 3, prob=0.9)")
    assert short != text
    assert model_from_toml(short, equations=[card_flops]) == model
    # The table by label is a formula there.
    assert ds.write_workbook(model, tmp_path / "plan.xlsx") == {}
    read = ds.read_workbook(tmp_path / "plan.xlsx", equations=[card_flops])
    xr.testing.assert_allclose(read.simulate(draws=64, seed=1).cards, model.simulate(draws=64, seed=1).cards)


def test_a_dim_without_labels_says_what_to_do():
    with pytest.raises(
        DistributionError, match=r"assumption 'demand': dims: 'region' has no labels \(known: precision\); give"
    ):
        planned(coords={})
    with pytest.raises(DistributionError, match=r"'regoin' has no labels \(known: region, precision\)"):
        planned(DEMAND.relabelled(dims=("regoin",)))
    with pytest.raises(DistributionError, match="dim 'region' has a label twice"):
        planned(coords={"region": ["north", "north"]})


@ds.equation(unit="1", dims=["precision"])
def gain(effort):
    return effort * xr.DataArray([1.0, 2.0], dims="precision", coords={"precision": FORMATS})


def test_an_equation_makes_a_dim_from_a_table_in_the_order_of_the_model():
    with pytest.raises(EquationError, match="equation 'gain' makes a dim 'precision' that has no labels"):
        ds.Model([gain], {"effort": 3})
    model = ds.Model([gain], {"effort": "uniform(3, 3.5)"}, coords={"precision": FORMATS[::-1]})
    assert model.point().gain.sel(precision="fp8") == 6.5
    assert model.point().precision.values.tolist() == FORMATS[::-1]
    draws = model.simulate(draws=64, seed=1)
    np.testing.assert_array_equal(draws.gain.sel(precision="fp8"), 2 * draws.effort)
    # A name of its own, and labels of an assumption that has the dim.
    named = ds.Model([gain.renamed("speed")], {"effort": dist.by("precision", {"fp16": 1, "fp8": 2})})
    np.testing.assert_array_equal(named.point().speed, [1, 4])


def test_a_dim_that_is_not_declared_says_how():
    @ds.equation(unit="1")
    def undeclared(effort):
        return effort * xr.DataArray([1.0, 2.0], dims="precision", coords={"precision": FORMATS})

    with pytest.raises(EquationError, match=r"makes a new dim 'precision'; declare it, @ds.equation\(..., dims="):
        ds.Model([undeclared], {"effort": 3})


def test_labels_that_differ_are_told():
    with pytest.raises(ScenarioError, match="'effort' and 'made' disagree about the labels"):
        ds.Model(
            [gain.renamed("made").over({"precision": FORMATS})],
            {"effort": dist.by("precision", {"fp4": 1, "fp8": 2})},
        )


def test_labels_of_a_declared_dim_are_part_of_the_hash():
    one, other = (ds.Model([gain], {"effort": 3}, coords={"precision": labels}) for labels in (FORMATS, FORMATS[::-1]))
    assert one.hash != other.hash


# Pandas


def test_series_and_tables_of_pandas_are_data_by_label():
    series = pd.Series([1.0, 2.0], pd.Index(REGIONS, name="region"))
    table = pd.DataFrame(
        [[1.0, 2], [3, 4]], index=pd.Index([2025, 2026], name="year"), columns=pd.Index(REGIONS, name="region")
    )
    assert str(dist.lognormal(median=series, factor=2)) == 'lognormal(median=by("region", [1, 2]), factor=2, prob=0.9)'
    np.testing.assert_array_equal(ds.Assumption(table, "card").point.sel(year=2026), [3, 4])
    assert ds.Assumption(dist.normal(mean=table, sd=1), point=table).point.dims == ("year", "region")
    both = pd.Series([1.0, 2.0], pd.MultiIndex.from_tuples([(2025, "a"), (2026, "a")], names=["year", "kind"]))
    assert dist.normal(mean=both, sd=1).dims == ("year", "kind")


def test_series_of_pandas_are_evidence():
    @ds.equation(unit="1")
    def seen(level, by_region):
        return level + by_region

    model = ds.Model(
        [seen], {"level": "normal(mean=0, sd=1)", "by_region": dist.by("region", {"north": 0, "south": 1})}
    )
    told = pd.Series([0.5, 1.5], pd.Index(REGIONS, name="region"))
    posterior = model.observe(seen=dist.normal(mean=told, sd=1.0)).infer(draws=256, chains=2, seed=1)
    np.testing.assert_allclose(posterior.level.mean(), 1 / 3, atol=0.05)


def test_axes_without_names_say_how_to_name_them():
    with pytest.raises(DistributionError, match=r"write .rename_axis\('year'\); the distribution of a sample is"):
        dist.normal(mean=pd.Series([1.0, 2.0]), sd=1)
    with pytest.raises(DistributionError, match="rename_axis\\(index='year', columns='region'\\)"):
        ds.Assumption(pd.DataFrame([[1.0]]))


def test_an_equation_and_the_dim_that_it_brings_are_added_at_once():
    @ds.equation(unit="1")
    def load(peak):
        return peak / 2

    @ds.equation(unit="1", dims={"precision": ["fp8", "fp16"]})
    def memory(load, width):
        return load * width * xr.DataArray([1.0, 2.0], dims="precision", coords={"precision": ["fp8", "fp16"]})

    model = ds.Model([load], {"peak": "uniform(1, 2)"})
    added = model.add(memory, width=ds.Assumption("uniform(1, 3)", dims=("precision",)))
    draws = added.simulate(draws=64, seed=1)
    assert draws.width.sizes["precision"] == 2
    assert not np.array_equal(draws.width.sel(precision="fp8"), draws.width.sel(precision="fp16"))
    with pytest.raises(ds.DemandsimError, match="there is a 'load' already"):
        model.add(load)
    with pytest.raises(ds.DemandsimError, match="add takes equations, then assumptions by name"):
        model.add(3)
