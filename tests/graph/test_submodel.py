"""Submodels: a model uses another's results by name, as a model of its own and as a file."""

import pickle
import time

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import equation_named
from demandsim.equations.inference import cards
from demandsim.errors import DemandsimError, ScenarioError, StudyError, UnknownNameError
from demandsim.studies.loading import model_from_toml

STUDY = "guosen-2025-01"


@ds.equation(unit="MW")
def power(supply_cards, card_power):
    return supply_cards * card_power


@ds.equation(unit="token/day")
def my_tokens(users, per_user):
    return users * per_user


def whole():
    """Tokens of our own, served by the report's chain, at our own power."""
    own = ds.Model(
        [my_tokens],
        {
            "users": ds.Assumption(dist.lognormal(4e8, 8e8), "user"),
            "per_user": ds.Assumption(2e5, "token/user/day"),
        },
    )
    supply = ds.load_study(STUDY).select(scenario="100T")
    model = own.with_submodel("supply", supply, given={"daily_tokens": "my_tokens"})
    return model.add(card_power=ds.Assumption("uniform(600, 800)", unit="W/card")).with_equations(power)


def test_its_results_are_those_of_the_study_at_our_tokens():
    model = whole()
    draws = model.simulate(draws=64, chains=2, seed=1)
    alone = ds.load_study(STUDY).select(scenario="100T").graph.equations
    tokens = draws.my_tokens * 1e0 / 86_400
    flops = 2 * draws.supply_activated_parameters * tokens * draws.supply_peak_ratio
    expected = flops / (draws.supply_card_flops * 1e12 * draws.supply_utilization)
    factor = float((draws.supply_cards / expected).mean())
    np.testing.assert_allclose(draws.supply_cards / expected, factor, rtol=1e-12)
    assert {f"supply_{name}" for name in alone} <= set(model.equations)
    assert "supply_daily_tokens" not in model.quantities
    assert draws.supply_cards.attrs["source"] == alone["cards"].source
    np.testing.assert_allclose(draws.power, draws.supply_cards * draws.card_power / 1e6, rtol=1e-12)


def test_it_goes_through_files_and_processes(tmp_path):
    model = whole()
    again = model_from_toml(model.to_toml())
    assert again.equations["supply_cards"].reference.startswith("inference.cards(peak_compute=supply_peak_compute")
    one, other = (m.simulate(draws=32, chains=2, seed=1) for m in (model, again))
    xr.testing.assert_equal(other, one)
    assert again.to_toml() == model.to_toml()
    assert ds.write_workbook(model, tmp_path / "whole.xlsx") == {}
    xr.testing.assert_allclose(ds.read_workbook(tmp_path / "whole.xlsx").point(), model.point(), rtol=1e-14)
    assert pickle.loads(pickle.dumps(model)) == model
    assert "supply_cards = supply_peak_compute / (supply_card_flops * supply_utilization)" in str(
        model.explain("power")
    )


def test_a_renamed_equation_is_the_same_function():
    made = equation_named("inference.cards(utilization=load) as needed")
    assert made(peak_compute=1e18, card_flops=1e15, load=0.5) == cards(1e18, 1e15, 0.5)
    assert (made.name, made.inputs, made.bounds) == ("needed", ("peak_compute", "card_flops", "load"), cards.bounds)
    assert made.fingerprint != cards.fingerprint
    twice = made.renamed("other", {"load": "share"})
    assert twice.reference == "inference.cards(utilization=share) as other"
    with pytest.raises(UnknownNameError, match="unknown input of equation 'cards': 'utilisation'; did you mean"):
        cards.renamed("needed", {"utilisation": "load"})
    with pytest.raises(DemandsimError, match="two inputs of 'cards' would have one name"):
        cards.renamed("needed", {"utilization": "card_flops"})
    with pytest.raises(UnknownNameError, match=r"unknown equation 'inference\.crads.*did you mean 'inference\.cards'"):
        equation_named("inference.crads(utilization=load)")


TEXT = """
schema = 1
equations = []
[submodels.supply]
study = "guosen-2025-01"
select = { scenario = "100T" }
given = { daily_tokens = "my_tokens" }
[formulas.my_tokens]
formula = "users * per_user"
unit = "token/day"
[formulas.power]
formula = "supply_cards * card_power"
unit = "MW"
[assumptions.users]
distribution = "lognormal(4e8, 8e8)"
unit = "user"
[assumptions.per_user]
distribution = 2e5
unit = "token/user/day"
[assumptions.card_power]
distribution = "uniform(600, 800)"
unit = "W/card"
"""


def test_a_study_file_uses_another_study():
    model = model_from_toml(TEXT)
    np.testing.assert_allclose(model.point().power, whole().point().power, rtol=1e-14)


def test_a_study_file_uses_a_file_beside_it(tmp_path):
    ds.load_study(STUDY).select(scenario="100T").assume(utilization=0.2).to_toml(tmp_path / "supply.toml")
    text = TEXT.replace('"guosen-2025-01"', '"supply.toml"').replace('select = { scenario = "100T" }\n', "")
    (tmp_path / "whole.toml").write_text(text)
    assert ds.load_study(tmp_path / "whole.toml").point().supply_utilization.item() == 0.2
    (tmp_path / "supply.toml").write_text(text.replace("supply.toml", "whole.toml"))
    with pytest.raises(StudyError, match=r"\[submodels.supply\]: .*uses itself"):
        ds.load_study(tmp_path / "whole.toml")


SMALL = 'schema = 1\nequations = []\n[assumptions.x]\ndistribution = "normal(0, 1)"\n'


def uses(*studies):
    return SMALL + "".join(f'[submodels.p{place}]\nstudy = "{study}"\n' for place, study in enumerate(studies))


@pytest.mark.parametrize("study", ["../other.toml", "{root}/other.toml", "below/../../other.toml", "link.toml", "../x"])
def test_what_a_study_uses_stands_beside_it_or_below(study, tmp_path):
    (tmp_path / "in" / "below").mkdir(parents=True)
    for place in ("other.toml", "x", "in/below/other.toml"):
        (tmp_path / place).write_text(SMALL)
    (tmp_path / "in" / "link.toml").symlink_to(tmp_path / "other.toml")
    main = tmp_path / "in" / "main.toml"
    main.write_text(uses(study.format(root=tmp_path)))
    with pytest.raises(StudyError, match=r"\[submodels.p0\]: '.*' leads out of the folder"):
        ds.load_study(main)
    # A file below may use one above it, as long as that is where the reader began, or below.
    (tmp_path / "in" / "above.toml").write_text(SMALL)
    (tmp_path / "in" / "below" / "middle.toml").write_text(uses("../above.toml"))
    main.write_text(uses("below/other.toml", "below/middle.toml"))
    assert ds.load_study(main).quantities == ("x", "p0_x", "p1_x", "p1_p0_x")


@pytest.mark.parametrize("name", ["self", "self.toml"])
def test_a_file_that_uses_itself_says_so_whatever_its_name(name, tmp_path):
    (tmp_path / name).write_text(uses(f"./{name}"))
    with pytest.raises(StudyError, match="uses itself"):
        ds.load_study(tmp_path / name)


@pytest.mark.parametrize(("deep", "twice"), [(30, 1), (6, 2)])
def test_studies_that_use_studies_without_end_are_refused_soon(deep, twice, tmp_path):
    for place in range(deep):
        (tmp_path / f"{place}.toml").write_text(uses(*[f"{place + 1}.toml"] * twice))
    (tmp_path / f"{deep}.toml").write_text(SMALL)
    begun = time.process_time()
    with pytest.raises(StudyError, match="one too many: studies use others at most 8 deep, and 64 in all"):
        ds.load_study(tmp_path / "0.toml")
    assert time.process_time() - begun < 10
    # Each file counts its own.
    (tmp_path / "main.toml").write_text(uses(f"{deep}.toml", f"{deep}.toml"))
    assert len(ds.load_study(tmp_path / "main.toml").quantities) == 3


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("guosen-2025-01", "guosen-2025-02", r"\[submodels.supply\]: unknown study 'guosen-2025-02'; did you mean"),
        ("daily_tokens =", "daily_token =", "unknown assumption of submodel 'supply': 'daily_token'; did you mean"),
        ('"my_tokens"', '"my_token"', "needs 'my_token'.*did you mean 'my_tokens'"),
        ("[formulas.power]", "[formulas.supply_cards]", "there is a quantity 'supply_cards' already"),
    ],
)
def test_errors_name_the_submodel(old, new, says):
    with pytest.raises(DemandsimError, match=f"(?s)study: .*{says}"):
        model_from_toml(TEXT.replace(old, new))


def test_scenarios_of_both_meet_by_label():
    other = ds.load_study(STUDY)
    double = ds.equation(lambda price: 2 * price, unit="1", name="double")
    own = ds.Model([double], {"price": 2.0}).with_scenarios({"100T": {"price": 1.0}, "1000T": {}})
    model = own.with_submodel("s", other)
    point = model.point()
    assert point.price.sel(scenario="100T") == 1
    np.testing.assert_allclose(point.s_cards, other.point().cards, rtol=1e-14)
    with pytest.raises(ScenarioError, match=r"pick one first, as in other.select\(scenario='100T'\)"):
        ds.Model([double], {"price": 2.0}).with_scenarios({"low": {"price": 1.0}}).with_submodel("s", other)


def test_correlations_come_along_and_evidence_does_not():
    other = ds.load_study(STUDY).correlate({("utilization", "peak_ratio"): -0.5})
    model = ds.Model([], {}).with_submodel("s", other)
    assert model.correlations[("s_utilization", "s_peak_ratio")] == -0.5
    with pytest.raises(DemandsimError, match="submodel 's' has evidence"):
        ds.Model([], {}).with_submodel("s", other.observe(capex="normal(mean=80e9, sd=15e9)"))
