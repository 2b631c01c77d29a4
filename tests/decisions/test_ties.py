"""Where actions tie, the value of perfect information is not too low: the best is not valued where it was chosen."""

import numpy as np
import pytest
from scipy import stats

import demandsim as ds
from demandsim import decisions
from demandsim import distributions as dist


def perfect(means):
    """E max - max E of independent normal payoffs with sd 1, by quadrature over the distribution of the largest."""
    grid = np.linspace(-9, 9, 20001)
    below = np.prod([stats.norm.cdf(grid - mean) for mean in means], axis=0)
    return 9 - np.trapezoid(below, grid) - max(means)


@pytest.mark.parametrize("means", [(0, 0), (0, 0.03), (0, 0, 0, 0, 0)], ids=str)
def test_perfect_information_about_actions_that_tie(means):
    names = [f"x{number}" for number in range(len(means))]
    total = ds.equation(eval(f"lambda {', '.join(names)}: {' + '.join(names)}"), unit="1", name="total")
    model = ds.Model([total], {n: dist.normal(mean=mean, sd=1) for n, mean in zip(names, means, strict=True)})
    exact, found = perfect(means), []
    for seed in range(40):
        draws = model.simulate(draws=128, seed=seed, design="random")
        payoffs = np.array([draws[name].values for name in names])
        table = draws.total * 0 + draws.total.expand_dims(action=range(len(names))).copy(data=payoffs)
        one = decisions.value_of_information(draws, None, table, of=names[0])
        found.append([float(one[key]) for key in ("evpi", "mcse_evpi", "lower_evpi", "upper_evpi")])
    evpi, mcse, lower, upper = np.array(found).T
    # Chosen and valued on the same draws it was 0.7 errors too low for two that tie, and 1.2 for five.
    assert abs(np.mean((evpi - exact) / mcse)) < (0.9 if len(means) == 5 else 0.5)
    assert np.mean((lower <= exact) & (exact <= upper)) >= 0.82


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_worth_does_not_hang_on_the_size_of_payoffs(size):
    """Squares of such payoffs are no doubles; knowing one or two assumptions was worth 0, with an error of 0."""
    total = ds.equation(lambda a, b: a + b / 2, unit="1", name="total")
    draws = ds.Model([total], dict.fromkeys("ab", dist.normal(mean=0, sd=1))).simulate(draws=128, seed=1)

    def worth(scale):
        one = decisions.value_of_information(
            draws, [0.0, 1.0], lambda d, action: scale * d.total * action, of={"a": ["a"], "both": ["a", "b"]}
        )
        return {key: one[key] / scale for key in one.data_vars if one[key].dtype.kind == "f" and "best" not in key}

    ordinary = worth(1.0)
    assert float(ordinary["evppi"].max()) > 0.3
    for key, value in worth(size).items():
        np.testing.assert_allclose(value, ordinary[key], rtol=1e-6, err_msg=str(key))
