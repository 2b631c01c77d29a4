"""Property tests for users' own models: planted mistakes are found and told well, healthy models pass."""

import re

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim import testing
from demandsim.errors import UnitError, UnknownNameError

nested = settings(suppress_health_check=list(HealthCheck), deadline=None)


@pytest.fixture(scope="module")
def report():
    return ds.load_study("guosen-2025-01")


@pytest.fixture(scope="module")
def one(report):
    return report.select(scenario="100T")


def told(function, *args, **settings_):
    """The message of an invariant that does not hold; found in the same way every time."""
    with pytest.raises(AssertionError) as caught:
        function(*args, **settings_, max_examples=40, seed=1)
    assert caught.value.__suppress_context__
    text = str(caught.value)
    assert text.endswith("found with seed=1")
    return text


# Planted mistakes


def mutant(model, function, unit, name=None):
    return model.with_equations(ds.equation(function, unit=unit, name=name))


def squared(one):
    def cards(peak_compute, card_flops, utilization):
        return peak_compute / (card_flops * utilization**2)

    return mutant(one, cards, "card")


def clipped(one):
    def cards(peak_compute, card_flops, utilization):
        return peak_compute / (card_flops * np.maximum(utilization, 0.45))

    return mutant(one, cards, "card")


def upside_down(one):
    def gross_margin(revenue, annualized_capex):
        return annualized_capex - revenue

    return mutant(one, gross_margin, "CNY/year")


def in_thousands(one):
    def capex(cards, card_price):
        return cards * card_price / 1000

    return mutant(one, capex, "CNY")


def by_size(one):
    def token_rate(daily_tokens):
        # A number with a hidden unit: tokens a second.
        return xr.where(daily_tokens > 1e10, 0.9, 1.0) * daily_tokens

    return mutant(one, token_rate, "token/s")


def test_a_squared_term_is_told_with_its_numbers(one):
    assert told(testing.assert_homogeneous, squared(one), "cards", by="utilization", degree=-1) == (
        "cards is not homogeneous of degree -1 in utilization\n"
        "  scaled by: 2\n"
        "  expected:  953080.042781 card\n"
        "  found:     476540.021391 card\n"
        "  at:        scenario=100T\n"
        "  with:\n"
        "    activated_parameters = 1.1e11 parameter (its point)\n"
        "    daily_tokens = 1e14 token/day (its point)\n"
        "    peak_ratio = 3 (its point)\n"
        "    card_flops = 1979 TFLOP/s/card (its point)\n"
        "    utilization = 0.45 (its point)\n"
        "  found with seed=1"
    )


def test_a_clipped_result_is_told_by_the_simplest_values_at_which_it_is(one):
    text = told(testing.assert_homogeneous, clipped(one), "cards", by="utilization", degree=-1)
    assert re.search(r"scaled by: (2|0.5)\n", text)
    assert re.search(r" utilization = 0\.\d{1,3}( \(its point\))?\n", text)
    text = told(testing.assert_monotone, clipped(one), "cards", by="utilization", direction="decreasing", strict=True)
    assert text.startswith("cards is not strictly decreasing in utilization\n  before:    857772.038")
    # Without strict there is nothing wrong: it never rises.
    testing.assert_monotone(clipped(one), "cards", by="utilization", direction="decreasing", max_examples=20)


def test_a_flipped_sign_is_told_as_a_rise_that_is_a_fall(one):
    text = told(testing.assert_monotone, upside_down(one), "gross_margin", by="token_price", direction="increasing")
    assert text.startswith("gross_margin is not increasing in token_price\n  before: ")
    assert re.search(r"before: +-4.* CNY/year\n  after: +-.* CNY/year\n  token_price to: .* CNY/Mtoken", text)


def test_a_factor_of_a_thousand_is_held_against_a_second_formulation(one):
    text = told(testing.assert_same, one, in_thousands(one))
    assert text.startswith(
        "capex is not the same in both models: expected of the first, found in the second\n"
        "  expected:  128665805775 CNY\n"
        "  found:     128665805.775 CNY\n"
    )
    # No law of scaling sees it, which is why it needs this.
    testing.assert_homogeneous(in_thousands(one), "capex", by="card_price", degree=1, max_examples=10)
    testing.assert_unit_invariant(in_thousands(one), max_examples=10)


def test_a_number_with_a_hidden_unit_gives_itself_away_in_other_base_units(one):
    text = told(testing.assert_unit_invariant, by_size(one), of="token_rate")
    assert text.startswith("token_rate hangs on the units that are used\n  counted in: ")
    assert re.search(r"counted in: \w+ instead of (token|second)\n  expected: ", text)


@pytest.fixture(scope="module")
def fleet():
    """Three kinds of cards, by hardware, with a total that is a sum of two parts."""
    kinds = ["H800", "H20", "B200"]
    share = xr.DataArray([0.5, 0.3, 0.2], dims="hardware", coords={"hardware": kinds})

    @ds.equation(unit="card")
    def hardware_cards(cards, hardware_share):
        return cards * hardware_share

    @ds.equation(unit="card")
    def spare(hardware_cards, spare_share):
        return hardware_cards * spare_share

    @ds.equation(unit="kcard")
    def busy(hardware_cards, spare_share):
        return hardware_cards * (1 - spare_share)

    return ds.Model(
        [hardware_cards, spare, busy],
        {
            "cards": ds.Assumption("lognormal(800e3, 900e3)", "card"),
            "hardware_share": ds.Assumption(share),
            "spare_share": ds.Assumption("beta(mean=0.1, sd=0.02)"),
        },
    )


def test_a_forgotten_term_is_told_as_a_sum_that_does_not_add_up(fleet):
    testing.assert_conserved(fleet, total="hardware_cards", parts=["spare", "busy"], max_examples=20)
    testing.assert_conserved(fleet, total="cards", parts="hardware_cards", dim="hardware", max_examples=20)
    text = told(testing.assert_conserved, fleet, total="hardware_cards", parts=["busy"])
    assert text.startswith("hardware_cards is not the sum of busy\n  expected:  ")
    assert "\n  at:        hardware=H800\n" in text

    def hardware_cards(cards, hardware_share):
        # The last kind is left out.
        return cards * hardware_share.where(hardware_share.hardware != "B200", 0.0)

    broken = mutant(fleet, hardware_cards, "card")
    text = told(testing.assert_conserved, broken, total="cards", parts="hardware_cards", dim="hardware")
    assert text.startswith("cards is not the sum of hardware_cards over hardware\n")
    assert "hardware_share = 0.5 (H800), 0.3 (H20), 0.2 (B200) (its point)" in text
    assert "at:" not in text


def test_an_equation_that_hangs_on_the_order_of_labels_is_told_with_the_order(fleet):
    testing.assert_order_invariant(fleet, dim="hardware", max_examples=20)

    def spare(hardware_cards, spare_share):
        return (hardware_cards * spare_share).cumsum("hardware")

    text = told(testing.assert_order_invariant, mutant(fleet, spare, "card"), dim="hardware")
    assert text.startswith("spare hangs on the order of hardware\n  listed as: B200, H20, H800\n")
    # One that asks for a label by name does not hang on its place.

    def by_name(hardware_cards, spare_share):
        return hardware_cards.sel(hardware="H20", drop=True) * spare_share

    testing.assert_order_invariant(mutant(fleet, by_name, "card", name="spare"), dim="hardware", max_examples=20)


def test_scenarios_that_are_mixed_are_told(report):
    testing.assert_scenarios_paired(report, max_examples=20)

    def token_rate(daily_tokens):
        if "scenario" in getattr(daily_tokens, "dims", ()):
            return daily_tokens.mean("scenario")
        # Without labels scenarios are the first of two axes.
        return daily_tokens.mean(axis=0, keepdims=True) if np.ndim(daily_tokens) > 1 else daily_tokens

    text = told(testing.assert_scenarios_paired, mutant(report, token_rate, "token/s"), "cards")
    assert "cards of a scenario hangs on the other scenarios\n  alone:     scenario=100" in text


def test_a_bound_that_is_passed_is_told_with_the_bound(one, fleet):
    testing.assert_bounded(one, "cards", low=0, max_examples=20)
    testing.assert_bounded(fleet, "spare", low=0, high="hardware_cards", max_examples=20)
    text = told(testing.assert_bounded, one, "gross_margin", low=0)
    assert text.startswith("gross_margin is below 0\n  expected:  at least 0 CNY/year\n  found:     -")
    text = told(testing.assert_bounded, one, "cards", high=1e5)
    assert text.startswith("cards is above 100000\n  expected:  at most 100000 card\n  found:     857772.0")
    text = told(testing.assert_bounded, fleet, "hardware_cards", high="spare")
    assert "expected:  at most spare = " in text


def test_bounds_hold_to_the_edges_of_the_support():
    @ds.equation(unit="1")
    def odds(share):
        return share / (1 - share)

    # Less than one draw in 10,000 passes 9,999, and it is found with 40 examples.
    model = ds.Model([odds], {"share": "triangular(0, 0.5, 1)"})
    text = told(testing.assert_bounded, model, "odds", low=0, high=9999)
    assert text.startswith("odds is above 9999\n")


def never_above_a_half(model, value):
    def cards(peak_compute, card_flops, utilization):
        return xr.where(utilization > 0.5, value, 1.0) * peak_compute / (card_flops * utilization)

    return mutant(model, cards, "card")


def test_what_is_not_finite_is_a_fault_of_its_own_in_every_invariant(one):
    broken = never_above_a_half(one, np.nan)
    for text in (
        told(testing.assert_bounded, broken, "cards"),
        told(testing.assert_homogeneous, broken, "cards", by="daily_tokens", degree=1),
        told(testing.assert_monotone, broken, "cards", by="daily_tokens", direction="increasing"),
        told(testing.assert_unit_invariant, broken, of="cards"),
        told(testing.assert_conserved, broken, total="cards", parts="cards"),
    ):
        assert text.startswith("cards is not finite\n  found:     nan\n")
        assert re.search(r" utilization = 0\.\d+\n", text)
    text = told(testing.assert_bounded, never_above_a_half(one, np.inf), "cards")
    assert text.startswith("cards is not finite\n  found:     inf\n")


def test_an_equation_that_raises_is_told_with_the_values(one):
    def cards(peak_compute, card_flops, utilization):
        if np.any((utilization > 0.55) & (peak_compute > 1e18)):
            raise ValueError("no card is that busy")
        return peak_compute / (card_flops * utilization)

    text = told(testing.assert_bounded, mutant(one, cards, "card"), "cards")
    assert text.startswith("equation 'cards' raised ValueError: no card is that busy\n  with:\n")


def test_values_shrink_to_few_digits_where_the_point_does_not_fail(one):
    def cards(peak_compute, card_flops, utilization):
        return xr.where(utilization > 0.5, 1.1, 1.0) * peak_compute / (card_flops * utilization)

    text = told(testing.assert_same, one, mutant(one, cards, "card"), "cards")
    assert re.search(r" utilization = 0\.\d{1,3}\n", text)
    assert text.count("(its point)") == 4


# What would test nothing is an error


def test_names_and_settings_are_checked_before_anything_runs(one):
    homogeneous, monotone, bounded = testing.assert_homogeneous, testing.assert_monotone, testing.assert_bounded
    with pytest.raises(UnknownNameError, match="unknown quantity 'card'; did you mean 'cards'"):
        homogeneous(one, "card", by="daily_tokens", degree=1)
    with pytest.raises(UnknownNameError, match="by: 'daily_token'; did you mean 'daily_tokens'"):
        homogeneous(one, "cards", by="daily_token", degree=1)
    with pytest.raises(
        ds.DemandsimError, match=r"'revenue' does not depend on 'card_price'.*it depends on daily_tokens"
    ):
        homogeneous(one, "revenue", by="card_price", degree=0)
    with pytest.raises(ds.DemandsimError, match="by='cards' is computed; name assumptions: it depends on activated"):
        monotone(one, "capex", by="cards", direction="increasing")
    with pytest.raises(ds.DemandsimError, match="direction must be 'increasing' or 'decreasing', not 'up'"):
        monotone(one, "cards", by="daily_tokens", direction="up")
    with pytest.raises(ds.DemandsimError, match="by= names no assumption"):
        monotone(one, "cards", by=[], direction="increasing")
    with pytest.raises(ds.DemandsimError, match="degree must be a finite number"):
        homogeneous(one, "cards", by="daily_tokens", degree=np.nan)
    with pytest.raises(ds.DemandsimError, match="rtol must be at least 0"):
        homogeneous(one, "cards", by="daily_tokens", degree=1, rtol=-1)
    with pytest.raises(ds.DemandsimError, match="max_examples must be a whole number of at least 1, not 0"):
        homogeneous(one, "cards", by="daily_tokens", degree=1, max_examples=0)
    with pytest.raises(ds.DemandsimError, match="low=2 is above high=1"):
        bounded(one, "cards", low=2, high=1)
    with pytest.raises(ds.DemandsimError, match="a bound must be a finite number or a quantity, not inf"):
        bounded(one, "cards", high=np.inf)
    with pytest.raises(UnitError, match="cannot convert 'CNY' to 'card'"):
        bounded(one, "cards", high="capex")
    with pytest.raises(UnitError, match="cannot convert"):
        testing.assert_conserved(one, total="capex", parts=["cards"])
    with pytest.raises(UnknownNameError, match="unknown dim 'year'"):
        testing.assert_order_invariant(one, dim="year")
    with pytest.raises(ds.DemandsimError, match="no scenarios"):
        testing.assert_scenarios_paired(one.with_scenarios())
    with pytest.raises(ds.DemandsimError, match="different labels"):
        testing.assert_same(one, one.with_scenarios({"a": {"peak_ratio": 2}}))
    with pytest.raises(ds.DemandsimError, match="prob must be above 0 and at most 1"):
        testing.values_within(one, prob=0)
    with pytest.raises(UnknownNameError, match="assumption in values: 'utilisation'; did you mean 'utilization'"):
        bounded(one, "cards", values=st.just({"utilisation": 0.3}), max_examples=5)


def test_an_invariant_that_was_never_put_to_the_test_fails(one):
    def cards(peak_compute, card_flops, utilization):
        return 0.0 * peak_compute / (card_flops * utilization)

    idle = mutant(one, cards, "card")
    text = "cards was 0, in any of .* examples: nothing was tested; give other values="
    with pytest.raises(AssertionError, match=text):
        testing.assert_homogeneous(idle, "cards", by="daily_tokens", degree=1, max_examples=5)
    with pytest.raises(AssertionError, match="cards did not change with daily_tokens, in any of"):
        testing.assert_monotone(idle, "cards", by="daily_tokens", direction="increasing", max_examples=5)
    with pytest.raises(AssertionError, match="were all 0, in any of"):
        testing.assert_conserved(idle, total="cards", parts="cards", max_examples=5)


# Healthy models


def degree_of(model, name, by):
    """Degree to which a drawn quantity is homogeneous in an assumption; None if it is a sum of different ones."""
    if name in model.assumptions:
        return 1 if name == by else 0
    # Such as (a + b) / c, or a * b / c / d.
    whole, *under = model.equations[name].formula.split(" / ")
    adds = " + " in whole
    above, below = ([degree_of(model, n, by) for n in names] for names in (re.findall(r"\w+", whole), under))
    if None in (*above, *below) or (adds and len(set(above)) > 1):
        return None
    return (above[0] if adds else sum(above)) - sum(below)


def varies(model, names, dim):
    """Whether anything that the quantities depend on varies along a dim, and not by one value all along."""
    points = model.point()
    found = [points[n] for n in model.graph.ancestors(names) & model.assumptions.keys() if dim in points[n].dims]
    return any((array != array.isel({dim: 0})).any() for array in found)


@pytest.mark.filterwarnings("ignore:no equation asks for")
@settings(nested, max_examples=25)
@given(model=testing.models(coords={"hardware": ["H800", "H20"]}), data=st.data())
def test_no_invariant_raises_a_false_alarm(model, data):
    draws = model.simulate(draws=8, chains=1, seed=1)
    assert all(np.isfinite(array).all() for array in draws.values())
    few = {"max_examples": 4, "seed": 1}
    names = tuple(model.equations)
    testing.assert_unit_invariant(model, **few)
    testing.assert_bounded(model, names, low=0, **few)
    testing.assert_same(model, model, **few)
    testing.assert_conserved(model, total=names[-1], parts=names[-1], **few)
    by = data.draw(st.sampled_from(sorted(model.graph.ancestors([names[-1]]) & model.assumptions.keys())))
    degree = degree_of(model, names[-1], by)
    if degree is not None:
        testing.assert_homogeneous(model, names[-1], by=by, degree=degree, **few)
        if degree > 0:
            testing.assert_monotone(model, names[-1], by=by, direction="increasing", **few)
    if varies(model, names, "scenario"):
        testing.assert_scenarios_paired(model, **few)
        testing.assert_order_invariant(model, dim="scenario", **few)
    if varies(model, names, "hardware"):
        testing.assert_order_invariant(model, dim="hardware", **few)


def test_rounding_is_no_fault():
    @ds.equation(unit="node")
    def nodes(cards, node_size):
        return np.ceil(cards / node_size)

    @ds.equation(unit="card")
    def difference(cards, other_cards):
        return (cards + other_cards) - cards

    # At 8,000 cards in nodes of 8 the last bit decides between 1,000 and 1,001.
    model = ds.Model(
        [nodes, difference],
        {
            "cards": ds.Assumption("uniform(7000, 9000)", "card", point=8000),
            "other_cards": ds.Assumption("uniform(1e-4, 2e-4)", "card"),
            "node_size": ds.Assumption(8, "card/node"),
        },
    )
    testing.assert_unit_invariant(model, max_examples=60)
    testing.assert_homogeneous(model, "nodes", by=["cards", "node_size"], degree=0, max_examples=60)
    testing.assert_homogeneous(model, "difference", by=["cards", "other_cards"], degree=1, max_examples=60)
    testing.assert_monotone(model, "nodes", by="cards", direction="increasing", max_examples=60)


def test_several_assumptions_are_scaled_together(one):
    # Twice the tokens at half the price: the same revenue.
    testing.assert_homogeneous(one, "gross_margin", by=["token_price", "card_price"], degree=1, max_examples=20)
    text = told(testing.assert_homogeneous, one, "gross_margin", by=["token_price", "paid_share"], degree=1)
    assert text.startswith("gross_margin is not homogeneous of degree 1 in token_price and paid_share\n")


def test_what_is_tried_stays_within_what_a_draw_can_reach(one):
    seen = []

    @ds.equation(unit="card")
    def cards(peak_compute, card_flops, utilization):
        seen.extend(np.ravel(utilization).tolist())
        return peak_compute / (card_flops * utilization)

    # A share is never scaled past 1, where the model does not claim to hold.
    model = one.with_equations(cards)
    seen.clear()
    testing.assert_homogeneous(model, "cards", by="utilization", degree=-1, max_examples=40)
    assert 0 < min(seen) < 0.1
    assert 0.9 < max(seen) < 1


def test_a_sure_value_can_be_scaled_and_raised_too():
    @ds.equation(unit="card")
    def cards(peak_compute, card_flops):
        return peak_compute / card_flops

    model = ds.Model(
        [cards], {"peak_compute": ds.Assumption(500, "EFLOP/s"), "card_flops": ds.Assumption(2, "EFLOP/s/card")}
    )
    testing.assert_homogeneous(model, "cards", by="card_flops", degree=-1, max_examples=5)
    testing.assert_monotone(model, "cards", by="card_flops", direction="decreasing", strict=True, max_examples=5)


@pytest.mark.parametrize("study", ds.list_studies())
def test_shipped_studies_hang_on_no_unit_and_mix_no_scenarios(study):
    model = ds.load_study(study)
    testing.assert_unit_invariant(model, max_examples=6)
    if model.scenarios.dims:
        testing.assert_scenarios_paired(model, max_examples=6)


# Other formulations


def test_the_other_formulation_may_assume_what_the_first_computes(one):
    @ds.equation(unit="wan*card")
    def cards(peak_compute, card_flops, utilization):
        return peak_compute / card_flops / utilization

    assumed = {
        "peak_compute": ds.Assumption("lognormal(1, 2)", "TFLOP/s"),
        "card_flops": ds.Assumption(2, "PFLOP/s/card"),
        "utilization": ds.Assumption(45, "%"),
    }
    testing.assert_same(one, ds.Model([cards], assumed), "cards", max_examples=20)
    odd = ds.equation(lambda peak_computation: peak_computation, unit="card", name="cards")
    with pytest.raises(UnknownNameError, match="assumption of the other model: 'peak_computation'"):
        testing.assert_same(one, ds.Model([odd], {"peak_computation": ds.Assumption(1, "card")}), "cards")
