"""Two published decisions of health economics: what others found by millions of nested runs.

Chemotherapy: model of Heath and Baio, Value in Health 21 (2018), as the Goda research group computed it in their
public repository mlmc-evppi-cpp (2019), which prints an EVPI of 33.09 and a difference of EVPI and EVPPI of 4.989 to
within 0.01. Chronic pain: model of Sullivan et al., Journal of Medical Economics 19 (2016), and there an EVPI of 1,085
and a difference of 232.8 to within 0.2. The parameters are theirs, the code is ours.
"""

import functools

import numpy as np
import pytest
from scipy import stats

import demandsim as ds
from demandsim import decisions

CHEMOTHERAPY = {
    "ill": stats.beta(28, 85),
    "reduction": stats.norm(0.65, 0.1),
    "admitted": stats.beta(11, 18),
    "fatal": stats.beta(2, 17),
    "recovered_at_home": stats.beta(5.12, 6.26),
    "recovered_in_hospital": stats.beta(3.63, 6.74),
    "utility_home": stats.beta(5.75, 5.75),
    "utility_hospital": stats.beta(0.87, 3.47),
    "utility_well": stats.beta(18.23, 0.372),
    "cost_home": stats.lognorm(0.039, scale=np.exp(7.74)),
    "cost_hospital": stats.lognorm(0.15, scale=np.exp(8.77)),
    "cost_death": stats.lognorm(0.13, scale=np.exp(8.33)),
}
LEARNED = list(CHEMOTHERAPY)[:6]

PRICES = {
    "cost_morphine": stats.gamma(100, scale=0.0226),
    "cost_oxycodone": stats.gamma(100, scale=0.00030137),
    "cost_event": stats.gamma(100, scale=0.06991),
    "cost_withdrawal": stats.gamma(100, scale=1.0691),
    "cost_other": stats.gamma(100, scale=1.0691),
    "cost_end": stats.gamma(100, scale=0.185),
    "utility": stats.beta(29.805, 13.0799),
    "utility_event": stats.beta(41.117, 29.4096),
    "utility_withdrawal": stats.beta(49.197, 48.6102),
    "utility_other": stats.beta(59.095, 86.8186),
}
RATES = {
    "event_morphine": stats.beta(55.9479, 72.3261),
    "withdrawal_morphine": stats.beta(94.3703, 1598.69),
    "other_morphine": stats.beta(98.7131, 7648.68),
    "event_oxycodone": stats.beta(53.1865, 61.5632),
    "withdrawal_oxycodone": stats.beta(96.6874, 2851.30),
    "end": stats.beta(94.95, 1804.05),
}
#: First printed: the novel therapy has rates of its own, and oxycodone after it others than after morphine.
FIRST = PRICES | RATES | {
    "withdrawal_novel": stats.beta(97.6812, 4157.01),
    "other_novel": stats.beta(99.8371, 61818.2),
    "event_after": stats.beta(53.1865, 61.5632),
    "withdrawal_after": stats.beta(96.6874, 2851.30),
    "other_oxycodone": stats.beta(99.7674, 43212.6),
}  # fmt: skip
#: Corrected: all rates of the novel therapy are 0.7 of those of oxycodone; withdrawal costs the same for any reason.
CORRECTED = PRICES | RATES | {"other_oxycodone": stats.beta(99.8371, 61818.2)}
del CORRECTED["cost_other"]


@ds.equation(unit="1")
def gained_per_ill(admitted, fatal, recovered_at_home, recovered_in_hospital, utility_home, utility_hospital,
                   utility_well, cost_home, cost_hospital, cost_death):  # fmt: skip
    """Net benefit a cycle of one patient with side effects, over fifteen cycles."""
    admitted, fatal = admitted / 15, fatal / 15
    home, hospital, well, dead = 1.0, 0.0, 0.0, 0.0
    total = 0.0
    for cycle in range(16):
        if cycle:
            home, hospital, well, dead = (
                home * (1 - recovered_at_home) * (1 - admitted),
                home * admitted + hospital * (1 - recovered_in_hospital) * (1 - fatal),
                home * recovered_at_home * (1 - admitted) + hospital * recovered_in_hospital * (1 - fatal) + well,
                hospital * fatal + dead,
            )
        total = total + 30000 * (home * utility_home + hospital * utility_hospital + well * utility_well)
        total = total - (home * cost_home + hospital * cost_hospital + dead * cost_death)
    return total / 16


@ds.equation(unit="1")
def net_benefit_of_novel(ill, reduction, utility_well, gained_per_ill):
    """Net benefit of the new drug over that of the old one."""
    return ill * (reduction - 1) * (gained_per_ill - 30000 * utility_well) - (420 - 110)


def treated(first, second, end, utilities, costs):
    """Net benefit of 51 weeks on a first and then a second treatment: rates (event, withdrawal, other) and costs."""
    calm, event, withdrawal, other = (20000 * 7 / 365.25 * utility for utility in utilities)
    cost_first, cost_second, cost_event, cost_withdrawal, cost_other, cost_end = costs
    value = {
        "start": calm - cost_first,
        "first": (1 - first[0]) * calm + first[0] * (event - cost_event) - cost_first,
        "left": withdrawal - cost_withdrawal,
        "left_other": other - cost_other,
        "second": (1 - second[0]) * 0.9 * calm + second[0] * (0.9 * event - cost_event) - cost_second,
        "left_second": 0.9 * withdrawal - cost_withdrawal,
        "left_second_other": 0.9 * other - cost_other,
        "ended": 0.8 * other - cost_end,
    }
    now = dict.fromkeys(value, 0.0) | {"start": 1.0}
    total = 0.0
    for _ in range(51):
        on, off = now["start"] + now["first"], now["left"] + now["left_other"]
        after = {
            "start": 0.0,
            "first": on * (1 - first[1] - first[2]),
            "left": on * first[1],
            "left_other": on * first[2],
            "second": off * (1 - end) + now["second"] * (1 - second[1] - second[2]),
            "left_second": now["second"] * second[1],
            "left_second_other": now["second"] * second[2],
            "ended": off * end + now["left_second"] + now["left_second_other"] + now["ended"],
        }
        total = total + sum(value[state] * 0.5 * (now[state] + after[state]) for state in value)
        now = after
    return 12.5174 * (total + sum(value[state] * now[state] for state in value))


@ds.equation(unit="1", name="gain")
def first_printed(cost_morphine, cost_oxycodone, cost_event, cost_withdrawal, cost_other, cost_end, utility,
                  utility_event, utility_withdrawal, utility_other, event_morphine, withdrawal_morphine, other_morphine,
                  event_oxycodone, withdrawal_oxycodone, other_oxycodone, end, withdrawal_novel, other_novel,
                  event_after, withdrawal_after):  # fmt: skip
    """Net benefit of the novel therapy over that of morphine."""
    utilities = utility, utility_event, utility_withdrawal, utility_other
    costs = 9.2442, cost_event, cost_withdrawal, cost_other, cost_end
    morphine, second = (event_morphine, withdrawal_morphine, other_morphine), (event_oxycodone, withdrawal_oxycodone)
    novel = 0.7 * event_morphine, withdrawal_novel, other_novel
    after = event_after, withdrawal_after, other_oxycodone
    return treated(novel, after, end, utilities, (55.207 + cost_oxycodone, *costs)) - treated(
        morphine, (*second, other_oxycodone), end, utilities, (2.6327 + cost_morphine, *costs)
    )


@ds.equation(unit="1", name="gain")
def corrected(cost_morphine, cost_oxycodone, cost_event, cost_withdrawal, cost_end, utility, utility_event,
              utility_withdrawal, utility_other, event_morphine, withdrawal_morphine, other_morphine, event_oxycodone,
              withdrawal_oxycodone, other_oxycodone, end):  # fmt: skip
    """Net benefit of the novel therapy over that of morphine."""
    utilities = utility, utility_event, utility_withdrawal, utility_other
    costs = 9.20 + cost_oxycodone, cost_event, cost_withdrawal, cost_withdrawal, cost_end
    morphine = event_morphine, withdrawal_morphine, other_morphine
    second = event_oxycodone, withdrawal_oxycodone, other_oxycodone
    novel = tuple(0.7 * rate for rate in second)
    return treated(novel, second, end, utilities, (55.21 + 0.7 * cost_oxycodone, *costs)) - treated(
        morphine, second, end, utilities, (2.63 + cost_morphine, *costs)
    )


CASES = {
    "chemotherapy": ([gained_per_ill, net_benefit_of_novel], CHEMOTHERAPY, LEARNED),
    "chronic pain, first printed": ([first_printed], FIRST, list(PRICES)),
    "chronic pain, corrected": ([corrected], CORRECTED, [name for name in PRICES if name in CORRECTED]),
}


@functools.cache
def decided(case):
    equations, laws, of = CASES[case]
    model = ds.Model(equations, laws)
    name = equations[-1].name
    return model, model.simulate(draws=1024, seed=1), (lambda data, action: data[name] * action), {"group": of}


@pytest.mark.parametrize(
    ("case", "evpi", "rest", "error"),
    [
        ("chemotherapy", 33.09, 4.989, 0.01),
        ("chronic pain, first printed", None, 232.8, 0.2),
        ("chronic pain, corrected", 1085, 113.6, 0.2),
    ],
)
def test_a_published_decision(case, evpi, rest, error):
    model, draws, payoff, of = decided(case)
    settings = {"model": model, "nested": True, "runs": 1 << 15, "seed": 2}
    found = decisions.value_of_information(draws, [0, 1], payoff, of=of, **settings).squeeze()
    if evpi is not None:
        assert found.lower_evpi - 0.01 * evpi <= evpi <= found.upper_evpi + 0.01 * evpi
    assert found.mcse_evppi < 0.12 * rest
    # Both EVPI are the same draws, whose error is not that of the difference.
    error = np.hypot(np.sqrt(found.mcse_evppi**2 - found.mcse_evpi**2), error)
    assert abs(found.evpi - found.evppi - rest) < 2.5 * error
    assert abs(found.evpi - found.evppi - rest) < 0.15 * rest
