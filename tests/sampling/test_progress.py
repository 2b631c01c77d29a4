"""Progress: every longer computation tells how far it is, and its numbers do not hang on being asked."""

import io
import sys
import types

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim.errors import DemandsimError
from demandsim.sampling import progress as told

MODEL = ds.load_study("guosen-2025-01").select(scenario="100T")
PAYOFF = ds.decisions.OrderCards("cards", "card_price", 3e5)
DRAWS = MODEL.simulate(draws=64, chains=4, seed=1)

WAYS = {
    "simulate": lambda **more: MODEL.simulate(draws=64, chains=4, seed=1, **more),
    "estimate": lambda **more: MODEL.estimate(["cards", "capex"], draws=64, chains=4, seed=1, **more),
    "infer": lambda **more: MODEL.observe(capex="normal(mean=8e10, sd=1.5e10)").infer(draws=64, seed=1, **more),
    "sobol": lambda **more: ds.sensitivity.sobol(MODEL, "cards", draws=64, seed=1, **more),
    "shapley": lambda **more: ds.sensitivity.shapley(MODEL, "cards", draws=64, seed=1, **more),
    "nearest_neighbours": lambda **more: ds.sensitivity.nearest_neighbours(DRAWS, "cards", seed=1, **more),
    "value_of_information": lambda **more: ds.decisions.value_of_information(
        DRAWS, [0, 2e5, 4e5], PAYOFF, of=["daily_tokens", "utilization"], seed=1, **more
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_rises_to_its_total_and_changes_no_number(way):
    seen = []
    found = WAYS[way](progress=lambda done, total: seen.append((done, total)))
    assert seen
    assert seen[-1][0] == seen[-1][1]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len({total for _, total in seen}) == 1
    xr.testing.assert_identical(found.drop_attrs(), WAYS[way]().drop_attrs())


def test_a_line_appears_after_half_a_second_and_is_wiped(monkeypatch):
    clock, out = [0.0], io.StringIO()
    monkeypatch.setattr(told.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(sys, "stderr", out)
    report = told.reporting(True, "sobol")
    report(1, 4)
    assert out.getvalue() == ""
    clock[0] = 0.6
    report(2, 4)
    assert out.getvalue() == "\rsobol: 2 of 4 (50%), 1 s left"
    report(4, 4)
    assert out.getvalue().endswith("\r" + " " * len("sobol: 2 of 4 (50%), 1 s left") + "\r")


def test_what_is_no_report_is_refused():
    with pytest.raises(DemandsimError, match="progress must be True, or a function"):
        MODEL.simulate(draws=16, seed=1, progress="yes")


class ZMQInteractiveShell:
    """What the kernel of a notebook is called."""


def test_a_notebook_shows_a_bar_under_its_cell_without_widgets(monkeypatch):
    shown = []

    class Handle:
        def update(self, bundle, *, raw):
            shown.append(bundle)

    def display(bundle, *, raw, display_id):
        shown.append(bundle)
        return Handle()

    shell, parts = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    shell.get_ipython, parts.display = ZMQInteractiveShell, display
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", parts)
    clock, out = [0.0], io.StringIO()
    monkeypatch.setattr(told.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(sys, "stderr", out)
    report = told.reporting(True, "inferring")
    report(0, 1000)
    assert shown == []
    for clock[0], done in ((0.6, 200), (0.9, 500)):
        report(done, 1000)
    assert [bundle["text/plain"] for bundle in shown] == ["inferring: 20%, 2 s left", "inferring: 50%, 1 s left"]
    assert all("<progress" in bundle["text/html"] for bundle in shown)
    report(1000, 1000)
    assert shown[-1] == {"text/plain": "", "text/html": ""}
    assert out.getvalue() == ""


@pytest.mark.parametrize(("method", "least"), [("adaptive", 4), ("ensemble", 40)])
def test_inference_tells_how_far_it_is_all_the_way(method, least):
    seen = []
    model = MODEL.observe(capex="normal(mean=8e10, sd=1.5e10)")
    model.infer(draws=64, seed=1, method=method, progress=lambda done, total: seen.append(done / total))
    assert len(seen) >= least
    assert max(np.diff([0.0, *seen])) < 0.5
    assert seen[-1] == 1.0
