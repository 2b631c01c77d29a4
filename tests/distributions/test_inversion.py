"""Tables of quantiles: their error holds everywhere, and not only where it was checked when they were built."""

import dataclasses
import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from demandsim import _system
from demandsim.distributions import inversion
from demandsim.distributions.inversion import U_ERROR, tabulate

#: Eight places in every cell of a grid with 64 cells in each of the octaves of min(u, 1 - u) from 1/4 down to 2**-16.
PLACES = np.random.default_rng(11).uniform(size=(15, 8, 64))
NEAR = np.ldexp(1 + (np.arange(64) + PLACES) / 64, -np.arange(2, 17)[:, None, None]).ravel()


def beta(mean, sd):
    size = mean * (1 - mean) / sd**2 - 1
    return stats.beta(mean * size, (1 - mean) * size)


LAWS = {
    "narrow beta": beta(0.5, 1e-5),
    "beta almost at 1": beta(0.999, 0.001),
    "bathtub": beta(0.5, 0.45),
    "beta": beta(0.45, 0.1),
    "pert with its mode at the bound": stats.beta(5, 1, 0, 5),
    "gamma": stats.gamma(0.3),
    "Cauchy": stats.t(1),
    "Weibull": stats.weibull_min(1.5, scale=2),
    "Pareto": stats.pareto(3, scale=2),
    "inverse Gauss": stats.invgauss(0.5),
}


def u_error(forward, x, near):
    """How far `near` lies outside the probabilities of the doubles about `x`, two of them on either side.

    Near 1 a double may be worth a millionth of probability, and processors round the last bit of `x` differently.
    """
    ends = forward(x - 2 * np.spacing(x)), forward(x + 2 * np.spacing(x))
    return np.maximum(np.minimum(*ends) - near, near - np.maximum(*ends))


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_the_error_holds_between_the_places_where_it_was_checked(law):
    table = tabulate(law.ppf, law.cdf, law.sf, law.isf)
    for u, forward, inverse in ((NEAR, law.cdf, law.ppf), (1 - NEAR, law.sf, law.isf)):
        own = u_error(forward, inverse(NEAR), NEAR).clip(4 * np.finfo(float).eps * NEAR)
        assert np.max((u_error(forward, table(u), NEAR) - own) / np.minimum(1, 4 * NEAR)) <= U_ERROR


# Compiled look-ups


@pytest.fixture
def compiled(monkeypatch):
    """Look-ups as numba compiles them, from the first on."""
    pytest.importorskip("numba", reason="numba, of the extra fast, is not installed")
    monkeypatch.setattr(_system, "_WORTH_COMPILING", 0)
    assert inversion._look_up(1) is not None


@pytest.mark.parametrize("law", LAWS)
def test_compiled_look_ups_give_the_same_bits(law, compiled, monkeypatch):
    table = tabulate(LAWS[law].ppf, LAWS[law].cdf, LAWS[law].sf, LAWS[law].isf)
    # All octaves on both sides, the middle, and what is beyond the table.
    u = np.concatenate([NEAR, 1 - NEAR, [0.5, np.nextafter(0.5, 0), np.nextafter(0.5, 1), 1e-7, 1e-300, 1 - 1e-12]])
    fast = table(u.reshape(-1, 2))
    monkeypatch.setattr(_system, "_WORTH_COMPILING", 2**62)
    assert np.array_equal(fast, table(u).reshape(-1, 2))


def test_compiled_look_ups_read_what_must_not_be_written(compiled):
    # So arrays are that another process has sent.
    table = tabulate(LAWS["beta"].ppf, LAWS["beta"].cdf, LAWS["beta"].sf, LAWS["beta"].isf)
    whole = table(NEAR)
    sent = pickle.loads(pickle.dumps(table.coefficients))
    near = NEAR.copy()
    for array in (near, *sent):
        array.setflags(write=False)
    assert np.array_equal(dataclasses.replace(table, coefficients=sent)(near), whole)


def test_a_kink_is_looked_up_alike(compiled, monkeypatch):
    def kinked(u):
        return np.where(u < 0.3, u, 3 * u + 1)

    def share(x):
        return np.where(x < 0.3, x, np.clip((x - 1) / 3, 0.3, 1))

    table = tabulate(kinked, share, lambda x: 1 - share(x), lambda v: kinked(1 - v))
    assert table.failing is not None
    u = np.concatenate([NEAR, 1 - NEAR, np.linspace(0.2999, 0.3001, 1001)])
    fast = table(u)
    monkeypatch.setattr(_system, "_WORTH_COMPILING", 2**62)
    assert np.array_equal(fast, table(u))


def test_without_numba_nothing_changes_but_time(monkeypatch):
    monkeypatch.setattr(_system, "_WORTH_COMPILING", 0)
    monkeypatch.setitem(sys.modules, "numba", None)
    inversion._look_up.compiled.cache_clear()
    try:
        assert inversion._look_up(1) is None
    finally:
        inversion._look_up.compiled.cache_clear()


def test_nothing_is_compiled_for_few_draws():
    few = "import sys, demandsim as ds; ds.load_study('guosen-2025-01').simulate(64, seed=1)"
    script = f"{few}; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
