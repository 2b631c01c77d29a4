"""Presentation: what readers of a study look for first stands in its file; without it there is a rule."""

import tomllib

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim.cli.run import _pictured
from demandsim.errors import DemandsimError, StudyError
from demandsim.graph.presentation import Presentation, time_dims
from demandsim.report.selection import selection_of
from demandsim.studies.loading import model_from_toml

CHAIN = ("cards", "gross_margin", "revenue", "annualized_capex", "revenue_to_cost", "break_even_price", "capex")
TEXT = """
schema = 1
equations = ["inference.cards", "fleet.capex"]

[assumptions.peak_compute]
distribution = "lognormal(500, 1200)"
unit = "EFLOP/s"

[assumptions.card_flops]
distribution = 1979
unit = "TFLOP/s/card"

[assumptions.utilization]
distribution = "beta(mean=0.45, sd=0.1)"

[assumptions.card_price]
distribution = 150e3
unit = "CNY/card"
"""


@pytest.mark.parametrize("study", ds.list_studies())
def test_every_shipped_study_says_what_its_readers_look_for(study):
    model = ds.load_study(study)
    shown = model.notes.presentation
    assert shown.results
    again = model_from_toml(model.to_toml())
    assert again.notes.presentation == shown
    assert again == model


def test_the_report_s_study_shows_what_it_always_has():
    model = ds.load_study("guosen-2025-01")
    choice = selection_of(model)
    assert choice.headlines == CHAIN
    assert choice.explained == ("gross_margin", "cards")
    pictured = ["cards", "annualized_capex", "revenue", "gross_margin", "revenue_to_cost", "break_even_price"]
    # Of ten results four have no panel, which the footer says.
    assert _pictured(model, model.quantities) == (False, pictured, 4)


def test_the_presentation_determines_no_draw():
    model = ds.load_study("guosen-2025-01")
    other = model_from_toml(model.to_toml().replace('explained = [\n    "gross_margin",\n', "explained = [\n"))
    assert other.presentation.explained == ("cards",)
    assert other.hash == model.hash
    # Yet it is another model to those who read it.
    assert other != model


def test_a_model_that_says_nothing_shows_what_no_other_equation_uses():
    model = model_from_toml(TEXT)
    assert model.presentation == Presentation(("capex",), ("capex",))
    # What the study prints comes first.
    printed = (
        TEXT + '[[published]]\nquantity = "cards"\nrow = "cards"\nunit = "card"\ndigits = 0\nvalues = { "" = 1 }\n'
    )
    assert model_from_toml(printed).presentation.results == ("cards", "capex")


def test_what_a_change_takes_away_is_no_longer_shown():
    model = ds.load_study("guosen-2025-01")
    parameters = {"activated_parameters": ds.Assumption(1e9, unit="parameter")}
    made = ds.Model([model.equations["flops_per_token"]], parameters, notes=model.notes)
    assert made.presentation.results == ("flops_per_token",)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('results = ["crads"]', r"\[presentation\]: key 'results': unknown quantity 'crads'; did you mean 'cards'"),
        ('explained = "cards"', r"\[presentation\]: key 'explained' is 'cards'; expected quantities that sensitivity"),
        ('result = ["cards"]', r"\[presentation\]: unknown key 'result'; did you mean 'results'"),
        ('time = ["year"]', r"unknown dim in \[presentation\] time: 'year'"),
        (
            'events = { many = { event = "cards >" } }',
            r"\[presentation.events.many\]: key 'event': cannot read the event",
        ),
        ('events = { many = { event = "crads > 1" } }', r"\[presentation.events.many\]: unknown quantity 'crads'"),
        ('events = { many = { evnt = "cards > 1" } }', r"unknown key 'evnt'; did you mean 'event'"),
    ],
)
def test_a_presentation_of_what_there_is_not_is_named(table, says):
    with pytest.raises((StudyError, DemandsimError), match=says):
        model_from_toml(TEXT + "[presentation]\n" + table + "\n", "mine.toml")


def test_dims_of_time_are_those_with_dates_or_years():
    days = np.array(["2025-01-01", "2025-02-01"], dtype="datetime64[ns]")
    found = xr.DataArray(
        np.zeros((2, 2, 2, 2, 2)),
        coords={
            "scenario": ["a", "b"],
            "hardware": [8, 16],
            "horizon": [2025, 2026],
            "release": days,
            "draw": [2000, 2001],
        },
    )
    assert time_dims(found) == ("horizon", "release")
    assert time_dims(found.isel(horizon=0, release=0)) == ()
    assert time_dims({"year": [0, 1, 2]}) == ("year",)


def test_the_map_of_a_study_is_of_its_event():
    model = ds.load_study("guosen-2025-01").select(scenario="100T")
    axes = ds.plots.break_even(model, "utilization", "token_price", points=3, draws=16, seed=1)
    assert "ross margin is positive" in axes[0, 0].figure.get_suptitle() + str(
        [t.get_text() for t in axes[0, 0].figure.texts]
    )


def test_events_of_the_file_are_written_as_tables():
    text = ds.load_study("guosen-2025-01").to_toml()
    events = tomllib.loads(text)["presentation"]["events"]
    assert events["revenue_above_cost"] == {"event": "revenue_to_cost > 1"}
