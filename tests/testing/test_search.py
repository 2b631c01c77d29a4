"""The search behind every assertion: its seed, the hypothesis profile, and what it says without hypothesis."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import settings

import demandsim as ds
from demandsim import testing
from demandsim.errors import UnknownNameError


@pytest.fixture(scope="module")
def one():
    return ds.load_study("guosen-2025-01").select(scenario="100T")


@pytest.mark.parametrize(
    ("assertion", "what"),
    [
        (testing.assert_bounded, {"of": "cards"}),
        (testing.assert_homogeneous, {"of": "cards", "by": "daily_tokens", "degree": 1}),
        (testing.assert_order_invariant, {"dim": "scenario"}),
        (testing.assert_unit_invariant, {}),
    ],
)
def test_a_setting_that_there_is_not_is_named(one, assertion, what):
    with pytest.raises(UnknownNameError, match="unknown setting of the search: 'sed'; did you mean 'seed'"):
        assertion(one, **what, sed=1)


def test_the_seed_decides_what_is_tried(one):
    def tried(seed):
        seen = []

        @ds.equation(unit="card")
        def cards(peak_compute, card_flops, utilization):
            seen.append(np.ravel(utilization).tolist())
            return peak_compute / (card_flops * utilization)

        testing.assert_bounded(one.with_equations(cards), "cards", low=0, max_examples=10, seed=seed)
        return seen

    assert tried(1) == tried(1)
    assert tried(1) != tried(2)


def test_the_profile_decides_how_many_are_tried_and_a_fresh_seed_is_told(one):
    with pytest.raises(AssertionError, match="found under the hypothesis profile's fixed seed"):
        testing.assert_bounded(one, "cards", high=0)
    with settings_of(derandomize=False), pytest.raises(AssertionError, match=r"found with seed=\d+$"):
        testing.assert_bounded(one, "cards", high=0)


class settings_of:  # noqa: N801
    """The active profile with some settings changed, for a while."""

    def __init__(self, **changes):
        settings.register_profile("changed", settings(), **changes)

    def __enter__(self):
        settings.load_profile("changed")

    def __exit__(self, *_):
        settings.load_profile("ci")


def test_without_hypothesis_the_extra_is_named_and_nothing_else_breaks():
    script = """
import sys
sys.modules["hypothesis"] = None
import demandsim.testing
from demandsim import testing
try:
    testing.models
except demandsim.DemandsimError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "demandsim.testing needs hypothesis; install it with: pip install 'demandsim[testing]'\n"


def test_hypothesis_is_imported_with_the_first_name_that_needs_it():
    script = """
import sys
import demandsim
demandsim.load_study("guosen-2025-01"), demandsim.testing, dir(demandsim.testing)
print("hypothesis" in sys.modules)
demandsim.testing.models
print("hypothesis" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "True"]
    with pytest.raises(AttributeError, match="no 'assert_monoton'; did you mean 'assert_monotone'"):
        _ = testing.assert_monoton
