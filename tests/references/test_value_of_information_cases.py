"""Values of information against published cases: their exact values, by closed forms or by quadrature."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

import demandsim as ds
from demandsim import decisions
from demandsim import distributions as dist
from demandsim.errors import DemandsimError, UnknownNameError


def worth(mean, sd):
    r"""Value of knowing a normal gain: :math:`s \phi(m / s) - |m| \Phi(-|m| / s)`."""
    return sd * stats.norm.pdf(mean / sd) - abs(mean) * stats.norm.sf(abs(mean) / sd)


def do_or_leave(draws, action):
    return draws.gain * action


def model_of(function, laws):
    return ds.Model([ds.equation(function, unit="1", name="gain")], laws)


# The vignette of the R package voi (Jackson): a gain p1 - p2 or nothing, p1 ~ N(1, 1), p2 ~ N(0, 2).


VIGNETTE = model_of(lambda p1, p2: p1 - p2, {"p1": dist.normal(mean=1, sd=1), "p2": dist.normal(mean=0, sd=2)})


def test_the_vignette_of_voi():
    assert worth(1, math.sqrt(5)) == pytest.approx(0.47981, abs=5e-6)
    assert worth(1, 1) == pytest.approx(0.08332, abs=5e-6)
    found = decisions.value_of_information(VIGNETTE.simulate(draws=4096, seed=1), [0, 1], do_or_leave)
    assert found.evpi.item() == pytest.approx(0.47981, rel=0.01)
    assert found.evppi.sel(assumption="p1").item() == pytest.approx(0.08332, rel=0.01)
    for name, exact in (("p1", 0.08332), ("p2", worth(1, 2))):
        one = found.sel(assumption=name)
        assert one.lower_evppi <= exact <= one.upper_evppi


def test_sample_sizes_of_the_vignette_of_voi():
    # The mean of n data with sd 1 about p1: a preposterior sd of 1 / sqrt(1 + 1 / n).
    sizes = (1, 2, 4, 8, 16, 32, 64)
    exact = np.array([worth(1, 1 / math.sqrt(1 + 1 / n)) for n in sizes])
    evidence = {str(n): decisions.Measurement("p1", sd=1, count=n) for n in sizes}
    right = 100 * exact - 0.5 - 0.05 * np.array(sizes)
    best, estimates, inside = sizes[int(right.argmax())], [], []
    for seed in range(20):
        draws = VIGNETTE.simulate(draws=2048, seed=seed)
        found = decisions.value_of_information(draws, [0, 1], do_or_leave, of="p1", evidence=evidence, seed=seed)
        estimates.append(found.evsi.values)
        inside.append(((found.lower_evsi <= exact) & (exact <= found.upper_evsi)).values)
        plan = decisions.net_benefit_of_sampling(found, fixed_cost=0.5, cost_per_sample=0.05, decisions=100)
        np.testing.assert_allclose(plan.net_benefit, 100 * found.evsi - 0.5 - 0.05 * np.array(sizes), atol=1e-9)
        assert plan.best.item() == str(int(plan.best_count))
        # The best size, and any that is taken for it, is hardly worse than the best.
        assert right[sizes.index(int(plan.best_count))] > right.max() - 0.6
        assert plan.may_be_best.sel(evidence=str(best))
        assert not plan.may_be_best.sel(evidence="1")
    np.testing.assert_allclose(np.mean(estimates, axis=0), exact, atol=0.003)
    assert np.mean(inside) >= 0.82


def test_evidence_that_costs_more_than_it_is_worth_is_not_gathered():
    draws = VIGNETTE.simulate(draws=512, seed=1)
    evidence = {"few": decisions.Measurement("p1", sd=1, count=2), "many": decisions.Measurement("p1", sd=1, count=50)}
    found = decisions.value_of_information(draws, [0, 1], do_or_leave, evidence=evidence, seed=1)
    dear = decisions.net_benefit_of_sampling(found, fixed_cost=1.0)
    assert (dear.best.item(), dear.best_count.item(), dear.best_net_benefit.item()) == ("none", 0, 0)
    assert not dear.may_be_best.any()
    priced = decisions.net_benefit_of_sampling(found, cost={"few": 0.0, "many": 9.0})
    assert (priced.best.item(), priced.best_count.item()) == ("few", 2)
    assert priced.cost.values.tolist() == [0.0, 9.0]


def test_net_benefit_of_sampling_says_what_is_wrong():
    draws = VIGNETTE.simulate(draws=128, seed=1)
    evidence = {"poll": lambda d, g: d.p1 + g.standard_normal(d.p1.shape)}
    found = decisions.value_of_information(draws, [0, 1], do_or_leave, evidence=evidence, seed=1)
    benefit = decisions.net_benefit_of_sampling
    with pytest.raises(DemandsimError, match="evidence 'poll' has no count of samples"):
        benefit(found, cost_per_sample=0.1)
    with pytest.raises(UnknownNameError, match="did you mean 'poll'"):
        benefit(found, cost={"pol": 1.0})
    with pytest.raises(DemandsimError, match="'poll' must be a number of at least 0"):
        benefit(found, cost={"poll": -1.0})
    with pytest.raises(DemandsimError, match="decisions must be a number above 0"):
        benefit(found, cost={"poll": 1.0}, decisions=0)
    with pytest.raises(DemandsimError, match="holds no evidence"):
        benefit(decisions.value_of_information(draws, [0, 1], do_or_leave))


# Two treatments and 19 normal parameters, in the form of Brennan, Kharroubi, O'Hagan and Chilcott (2007): cost of the
# drug, admissions * days * cost of a day, and two products of three that make up the benefit.

MEANS = dict(zip(range(1, 20), (1000, 0.1, 5.2, 400, 0.7, 0.3, 3, 0.25, -0.1, 0.5, 1500, 0.08, 6.1, 0.8, 0.3, 3, 0.2,
                                -0.1, 0.5), strict=True))  # fmt: skip
SDS = dict(zip(range(1, 20), (1, 0.02, 1, 200, 0.1, 0.1, 0.5, 0.1, 0.02, 0.2, 1, 0.02, 1, 0.1, 0.05, 1, 0.05, 0.02,
                              0.2), strict=True))  # fmt: skip
#: The gain of the second treatment as a sum of products of independent parameters.
TERMS = [
    (-1, (11,)),
    (-1, (12, 13, 4)),
    (1e4, (14, 15, 16)),
    (1e4, (17, 18, 19)),
    (1, (1,)),
    (1, (2, 3, 4)),
    (-1e4, (5, 6, 7)),
    (-1e4, (8, 9, 10)),
]


def gain_given(known):
    """Expected gain given the values of some parameters."""
    return sum(
        size * math.prod([known.get(place, MEANS[place]) for place in places], start=1.0) for size, places in TERMS
    )


def by_quadrature(group, nodes=40):
    """EVPPI of a group of independent normal parameters: a sum over a grid of their quantiles."""
    u = (np.arange(nodes) + 0.5) / nodes
    axes = np.meshgrid(*(MEANS[p] + SDS[p] * stats.norm.ppf(u) for p in group), indexing="ij")
    found = gain_given(dict(zip(group, axes, strict=True)))
    return float(np.mean(np.maximum(found, 0))) - max(gain_given({}), 0)


def test_two_treatments_of_nineteen_parameters():
    names = {place: f"t{place}" for place in MEANS}
    header = ", ".join(names.values())
    body = " + ".join(f"({size}) * " + " * ".join(names[p] for p in places) for size, places in TERMS)
    model = model_of(eval(f"lambda {header}: {body}"), {names[p]: dist.normal(mean=MEANS[p], sd=SDS[p]) for p in MEANS})
    groups = {"t5": (5,), "t6": (6,), "t16": (16,), "response": (5, 14), "utility": (6, 15), "all four": (5, 6, 14, 15)}
    draws = model.simulate(draws=4096, seed=2)
    of = {label: [names[p] for p in group] for label, group in groups.items()}
    found = decisions.value_of_information(draws, [0, 1], do_or_leave, of=of)
    for label, group in groups.items():
        exact, one = by_quadrature(group, 2000 if len(group) == 1 else 200 if len(group) == 2 else 40), found.sel(
            assumption=label
        )  # fmt: skip
        assert one.evppi.item() == pytest.approx(exact, rel=0.02, abs=0.5)
        assert one.lower_evppi - 0.5 <= exact <= one.upper_evppi + 0.5
    for one, other in itertools.pairwise(["t5", "response", "all four"]):
        assert found.evppi.sel(assumption=one) <= found.evppi.sel(assumption=other)
