"""What draws at hand tell: nearest neighbours, kernels, groups, intermediates and conditions, against closed forms."""

import math
import warnings

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim import sensitivity
from demandsim.errors import DemandsimError, DependentInputsWarning, DesignWarning, UnknownNameError

NORMAL = dist.normal(mean=0, sd=1)
SLOPES = np.array([3, 2, 1, 0.5])
TIED = 0.6 ** np.abs(np.subtract.outer(range(4), range(4)))


def model_of(function, **assumptions):
    return ds.Model([ds.equation(function, unit="1", name="y")], assumptions)


def adding(tied=False):
    made = model_of(lambda a, b, c, d: 3 * a + 2 * b + c + 0.5 * d, **dict.fromkeys("abcd", NORMAL))
    if not tied:
        return made
    # The correlation of normal numbers, told in that of their ranks.
    return made.correlate(
        {("abcd"[i], "abcd"[j]): 6 / math.pi * math.asin(TIED[i, j] / 2) for i in range(4) for j in range(i + 1, 4)}
    )


def ishigami():
    angles = dict.fromkeys("abc", dist.uniform(-math.pi, math.pi))
    return model_of(lambda a, b, c: np.sin(a) + 7 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a), **angles)


def inside(found, name, truth, slack=0.0):
    lower, upper = (np.ravel(found[name + end].values) for end in ("_lower", "_upper"))
    return (lower - slack <= truth) & (truth <= upper + slack)


def effects_of_tied():
    """Shapley effects by their definition, from all subsets of a normal vector."""

    def explained(own):
        if not own:
            return 0.0
        places = sorted(own)
        pull = TIED[places] @ SLOPES
        return pull @ np.linalg.solve(TIED[np.ix_(places, places)], pull) / (SLOPES @ TIED @ SLOPES)

    out = np.zeros(4)
    for i in range(4):
        for number in range(16):
            own = {j for j in range(4) if number >> j & 1}
            if i not in own:
                weight = math.factorial(len(own)) * math.factorial(3 - len(own)) / 24
                out[i] += weight * (explained(own | {i}) - explained(own))
    return out


# Nearest neighbours


@pytest.mark.parametrize("design", ["random", "sobol"])
def test_total_orders_and_effects_of_correlated_normals_are_those_of_the_closed_form(design):
    found = sensitivity.nearest_neighbours(adding(tied=True).simulate(draws=512, seed=3, design=design), "y", seed=1)
    total = SLOPES**2 / np.diag(np.linalg.inv(TIED)) / (SLOPES @ TIED @ SLOPES)
    np.testing.assert_allclose(found.total_order.values[0], total, atol=0.02)
    np.testing.assert_allclose(found.effect.values[0], effects_of_tied(), atol=0.025)
    assert inside(found, "total_order", total, 0.003).all()
    assert inside(found, "effect", effects_of_tied(), 0.003).all()
    # Neighbours alone, without the regression, leave several per cent of what four inputs tell together.
    assert found.unexplained.item() < 0.002


def test_effects_add_up_to_what_the_inputs_explain():
    made = ishigami().simulate(draws=256, seed=2)
    for own in ({}, {"inputs": ["a", "b"]}, {"groups": {"ac": ["a", "c"]}}):
        found = sensitivity.nearest_neighbours(made, "y", seed=1, **own)
        assert found.effect.sum().item() == pytest.approx(1 - found.unexplained.item(), abs=1e-9)
    # c interacts with a: without it, what it would have explained is left.
    a = 0.5 * (1 + 0.1 * math.pi**4 / 5) ** 2
    ac = 0.01 * math.pi**8 * (1 / 18 - 1 / 50)
    left = sensitivity.nearest_neighbours(made, "y", inputs=["a", "b"], seed=1).unexplained.item()
    assert left == pytest.approx(ac / (a + 49 / 8 + ac), abs=0.05)


def test_intervals_of_nearest_neighbours_hold_the_truth_as_often_as_they_say():
    held = []
    a = 0.5 * (1 + 0.1 * math.pi**4 / 5) ** 2
    ac = 0.01 * math.pi**8 * (1 / 18 - 1 / 50)
    first, total = np.array([a, 49 / 8, 0]), np.array([a + ac, 49 / 8, ac])
    whole = a + 49 / 8 + ac
    for seed in range(8):
        made = ishigami().simulate(draws=128, seed=seed, design="random")
        found = sensitivity.nearest_neighbours(made, "y", seed=seed)
        held += [inside(found, "total_order", total / whole), inside(found, "effect", 0.5 * (first + total) / whole)]
    assert np.mean(held) >= 0.8


def test_what_inputs_leave_is_no_interaction_of_theirs():
    some = sensitivity.nearest_neighbours(adding().simulate(draws=256, seed=1), "y", inputs=["b", "c"], seed=1)
    np.testing.assert_allclose(some.total_order.values[0], np.array([4, 1]) / 14.25, atol=0.03)
    assert inside(some, "total_order", np.array([4, 1]) / 14.25).all()
    assert some.unexplained.item() == pytest.approx(9.25 / 14.25, abs=0.03)


def test_many_inputs_are_looked_at_in_random_orders():
    many = model_of(
        lambda a, b, c, d, e, f, g, h: 4 * a + 3 * b + c + d + e + f + g + 0 * h, **dict.fromkeys("abcdefgh", NORMAL)
    )
    found = sensitivity.nearest_neighbours(many.simulate(draws=64, seed=1), "y", seed=1)
    truth = np.array([16, 9, 1, 1, 1, 1, 1, 0]) / 30
    np.testing.assert_allclose(found.effect.values[0], truth, atol=0.06)
    np.testing.assert_allclose(found.total_order.values[0], truth, atol=0.06)
    again = sensitivity.nearest_neighbours(many.simulate(draws=64, seed=1), "y", seed=1)
    xr.testing.assert_identical(found, again)


def test_sums_of_products_are_told_by_their_parts():
    found = sensitivity.nearest_neighbours(
        ds.load_study("guosen-2025-01").select(scenario="100T").simulate(draws=128, seed=1), "gross_margin", seed=1
    )
    exact = {"activated_parameters": 0.603, "token_price": 0.107, "utilization": 0.103, "card_flops": 0.042}
    for name, share in exact.items():
        one = found.isel(quantity=0, scenario=0).sel(assumption=name)
        assert one.total_order.item() == pytest.approx(share, abs=0.08)
        assert one.total_order_lower.item() - 0.02 <= share <= one.total_order_upper.item() + 0.02


def test_one_chain_of_points_that_keep_apart_is_warned_of():
    with pytest.warns(DesignWarning, match="one chain of the design 'sobol'.*several chains, or with design='random'"):
        sensitivity.nearest_neighbours(adding().simulate(draws=256, chains=1, seed=1), "y", seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = adding().simulate(draws=256, chains=1, seed=1, design="random")
        sensitivity.nearest_neighbours(alone, "y", inputs=["a", "b"], seed=1)


# Groups


def test_groups_are_known_together():
    made = adding().simulate(draws=512, seed=4)
    found = sensitivity.given_data(made, "y", groups={"large": ["a", "b", "c"]}, seed=1).isel(quantity=0)
    assert found.assumption.values.tolist() == ["large", "d"]
    large = found.sel(assumption="large")
    # Of one normal number that explains 14 of 14.25: see test_honest_indices.
    for name, truth, near in (("first_order", 14 / 14.25, 0.01), ("delta", 0.812, 0.03), ("pawn", 0.634, 0.03)):
        assert large[name].item() == pytest.approx(truth, abs=near)
        assert large[f"{name}_lower"] - 0.005 <= truth <= large[f"{name}_upper"] + 0.005
    near = sensitivity.nearest_neighbours(made, "y", groups={"large": ["a", "b", "c"]}, seed=1).isel(quantity=0)
    np.testing.assert_allclose(near.total_order.values, np.array([14, 0.25]) / 14.25, atol=0.02)
    both = sensitivity.hsic(made, "y", groups={"large": ["a", "b", "c"]}).hsic.isel(quantity=0)
    assert both.sel(assumption="large") > 5 * both.sel(assumption="d")


def test_a_group_that_does_not_matter_has_no_delta():
    idle = model_of(lambda a, b, c: a + 0 * b * c, **dict.fromkeys("abc", NORMAL))
    found = sensitivity.given_data(idle.simulate(draws=512, seed=1), "y", groups={"bc": ["b", "c"]}, inputs=[], seed=1)
    for name in ("delta", "pawn", "first_order"):
        assert abs(found[name].item()) < 0.04
        assert found[f"{name}_lower"].item() <= 0


# Intermediates


def test_quantities_on_the_way_explain_too_and_are_said_to_depend():
    @ds.equation(unit="CNY")
    def cost(price, amount):
        return price + amount

    @ds.equation(unit="CNY")
    def margin(cost, income):
        return income - cost

    normal = {name: ds.Assumption(NORMAL, unit="CNY") for name in ("price", "amount", "income")}
    made = ds.Model([cost, margin], normal).simulate(draws=256, seed=1)
    with pytest.warns(DependentInputsWarning, match="'cost' is computed from other quantities"):
        found = sensitivity.given_data(made, "margin", inputs=["cost", "price"], seed=1).isel(quantity=0)
    np.testing.assert_allclose(found.first_order.values, [2 / 3, 1 / 3], atol=0.06)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = sensitivity.nearest_neighbours(made, "margin", inputs=["cost"], seed=1)
    assert alone.effect.item() == pytest.approx(2 / 3, abs=0.03)


# Conditions


def test_indices_of_a_subset_are_those_of_its_distribution():
    made = model_of(lambda a, b: a + b, a=NORMAL, b=NORMAL).simulate(draws=1024, seed=1)
    # The variance of the positive half of a normal number is 1 - 2 / pi.
    half = 1 - 2 / math.pi
    truth = np.array([half, 1]) / (half + 1)
    for given in ("a > 0", ("a", ">", 0.0), made.a > 0, lambda d: d.a > 0):
        found = sensitivity.given_data(made, "y", given=given, seed=1)
        np.testing.assert_allclose(found.first_order.values[0], truth, atol=0.06)
        assert found.n_draws.item() == int((made.a > 0).sum())
    assert sensitivity.given_data(made, "y", given="a > 0", seed=1).attrs["given"] == "a > 0"
    near = sensitivity.nearest_neighbours(made, "y", given="a > 0", seed=1)
    np.testing.assert_allclose(near.total_order.values[0], truth, atol=0.05)
    kernel = sensitivity.hsic(made, "y", given="a > 0").hsic.values[0]
    assert kernel[1] > kernel[0] > 0.05


def test_a_condition_holds_label_by_label_and_too_few_draws_are_named():
    study = ds.load_study("guosen-2025-01").simulate(draws=64, seed=1)
    found = sensitivity.given_data(study, "gross_margin", given="gross_margin < 0", seed=1)
    assert found.n_draws.dims == ("quantity", "scenario")
    np.testing.assert_array_equal(found.n_draws.values[0], (study.gross_margin < 0).sum(["chain", "draw"]))
    for function in (sensitivity.given_data, sensitivity.nearest_neighbours, sensitivity.hsic):
        with pytest.raises(
            DemandsimError, match=r"given 'cards > 2000000', \d+ of 512 draws of 'cards' are left at 100T; 128"
        ):
            function(study, "cards", given="cards > 2e6")


# HSIC


def test_hsic_of_the_same_is_one_and_of_independent_draws_its_p_value_is_even():
    same = model_of(lambda a, b: 2 * a + 0 * b, a=NORMAL, b=NORMAL)
    found = [
        sensitivity.hsic(same.simulate(draws=16, seed=s, design="random"), "y").isel(quantity=0) for s in range(40)
    ]
    for one in found:
        assert one.hsic.sel(assumption="a").item() == pytest.approx(1, abs=1e-9)
    # A gamma distribution is near that of the index, and rather cautious: of 300 seeds, 4% are below 0.05.
    values = np.array([one.p_value.sel(assumption="b").item() for one in found])
    assert abs(values.mean() - 0.5) < 0.15
    assert np.mean(values < 0.1) < 0.25
    assert max(one.p_value.sel(assumption="a").item() for one in found) < 1e-9


def test_the_interval_of_hsic_is_as_wide_as_its_spread():
    made = [sensitivity.hsic(ishigami().simulate(draws=32, seed=s, design="random"), "y") for s in range(24)]
    values = np.array([one.hsic.values[0] for one in made])
    width = np.mean([(one.hsic_upper - one.hsic_lower).values[0] for one in made], axis=0)
    # 90% of Student's distribution with 7 degrees of freedom on either side.
    assert 0.6 < width[0] / (2 * 1.895 * values[:, 0].std(ddof=1)) < 1.7


# What is refused


@pytest.mark.parametrize("function", [sensitivity.given_data, sensitivity.nearest_neighbours, sensitivity.hsic])
def test_bad_inputs_are_named_before_anything_is_computed(function):
    made = adding().fix(d=1.0).simulate(draws=64, seed=1)
    for asked, error, text in (
        ({"inputs": ["x"]}, UnknownNameError, "unknown quantity in inputs: 'x'"),
        ({"inputs": "a"}, DemandsimError, r"inputs must be a list.*\['a'\]"),
        ({"inputs": ["y"]}, DemandsimError, "'y' cannot explain itself"),
        ({"inputs": ["d"]}, DemandsimError, "'d' has one value in all draws"),
        ({"groups": {"g": ["a", "x"]}}, UnknownNameError, "in group 'g'"),
        ({"groups": {"g": ["a"], "h": ["a"]}}, DemandsimError, "in the groups 'g' and 'h'"),
        ({"given": "z > 0"}, UnknownNameError, "'z'"),
        ({"given": made.a}, DemandsimError, "event must be a bool DataArray"),
        ({"prob": 1.5}, DemandsimError, "prob"),
    ):
        with pytest.raises(error, match=text):
            function(made, "y", **asked)
    if function is not sensitivity.given_data:
        with pytest.raises(DemandsimError, match="needs 128 draws or more, and here are 64"):
            function(adding().simulate(draws=8, seed=1), "y")
