"""Influence diagrams: every arrow is an input of an equation, and what is written is what the other tools read."""

import re

import pytest

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import UnknownNameError


def arrows_of(text):
    """Arrows by names, of DOT."""
    found = re.findall(r'^    "(.*?)" -> "(.*?)"( \[style=dotted\])?$', text, re.MULTILINE)
    return {(source, name, bool(before)) for source, name, before in found}


@pytest.mark.parametrize("study", ds.list_studies())
def test_arrows_are_the_inputs_of_the_equations(study):
    model = ds.load_study(study)
    known = {*model.assumptions, *model.equations}
    lags = model.graph.lags
    wanted = {
        (source, name, name_before)
        for name, made in model.equations.items()
        for asked in made.inputs
        for source, name_before in (
            [(asked, False)] if asked not in lags else [(lags[asked].of, True), (lags[asked].start, False)]
        )
        if source in known
    }
    text = model.diagram(form="dot")
    assert arrows_of(text) == wanted
    assert set(re.findall(r'^    "(\S+)" \[', text, re.MULTILINE)) == known
    # The same diagram in the other language, where nodes are numbers.
    mermaid = model.diagram()
    assert len(re.findall(r"^    n\d+ (?:-->|-\.->) n\d+$", mermaid, re.MULTILINE)) == len(wanted)
    assert len(re.findall(r"^    n\d+[(\[]", mermaid, re.MULTILINE)) == len(known)


def test_shapes_tell_what_varies_is_set_is_computed_and_is_a_result():
    model = ds.load_study("guosen-2025-01").fix(utilization=0.3)
    text = model.diagram(of=["capex"], form="dot")
    looks = dict(re.findall(r'^    "(\S+)" \[label=".*?", (.*)\]$', text, re.MULTILINE))
    assert looks["card_price"] == "shape=ellipse"
    assert looks["utilization"] == "shape=box, style=rounded"
    assert looks["cards"] == "shape=box"
    assert looks["capex"] == "shape=box, peripheries=2"
    assert "useful_life" not in looks


def test_a_value_of_the_label_before_is_a_dotted_arrow():
    @ds.recurrence(over="year", start="first_cards", unit="card")
    def cards(previous_cards, bought):
        return previous_cards + bought

    model = ds.Model(
        [cards],
        {
            "first_cards": ds.Assumption(10, unit="card"),
            "bought": ds.Assumption(dist.by("year", {2025: "uniform(1, 2)", 2026: "uniform(2, 3)"}), unit="card"),
        },
    )
    wanted = {("cards", "cards", True), ("first_cards", "cards", False), ("bought", "cards", False)}
    assert arrows_of(model.diagram(form="dot")) == wanted
    assert "    n2 -.-> n2" in model.diagram()
    assert "peripheries=2" in model.diagram(form="dot")


def test_labels_cannot_leave_their_quotes():
    made = ds.equation(lambda end: end, unit="1", name="graph")
    text = ds.Model([made], {"end": ds.Assumption("uniform(1, 2)", unit="1")}).diagram()
    # Words of Mermaid are labels and no names of nodes.
    assert text.splitlines()[1:] == ['    n0(["end"])', '    n1[["graph"]]', "    n0 --> n1"]


def test_unknown_names_are_answered_with_the_nearest():
    model = ds.load_study("guosen-2025-01")
    with pytest.raises(UnknownNameError, match="did you mean 'cards'"):
        model.diagram(of="card")
    with pytest.raises(UnknownNameError, match="form of a diagram"):
        model.diagram(form="svg")
