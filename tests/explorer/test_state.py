"""What is typed beside a handle, pinned, shared by a command, an address or a file: it is what is shown."""

import functools
import json
import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import demandsim as ds
from demandsim.cli import app
from demandsim.errors import DemandsimError
from demandsim.explorer.page import Page
from demandsim.explorer.session import Explorer, Setting
from demandsim.explorer.state import State, read_state, state_text

GUOSEN = "guosen-2025-01"


@functools.cache
def explorer(study=GUOSEN):
    return Explorer(ds.load_study(study), draws=64)


def slider(name, of=None):
    of = of or explorer()
    return next(one for one in of.sliders(of.start().scenario) if one.name == name)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("utilization", "0.35", 0.35),
        ("utilization", " 35% ", 0.35),
        # In the unit that the slider shows, which is thousand CNY/card.
        ("card_price", "120", 120_000),
        ("card_price", "120 thousand CNY/card", 120_000),
        ("card_price", "¥120,000/card", 120_000),
        ("activated_parameters", "1,000", 1e12),
        ("activated_parameters", "1e3", 1e12),
        ("useful_life", "5.5", 5.5),
        ("utilization", ".5", 0.5),
        ("useful_life", "60 month", 5),
    ],
)
def test_a_typed_number_is_in_the_unit_that_is_shown_or_in_its_own(name, text, value):
    assert slider(name).read(text) == pytest.approx(value, rel=0.002 if "month" in text else 1e-14)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("utilization", "", "'' is no number to stand at; write one, such as 0.289"),
        ("utilization", "a lot", "is no number to stand at"),
        ("utilization", "0.2 to 0.3", "is no number to stand at"),
        ("utilization", "nan", "is no number to stand at"),
        ("utilization", "e5", "is no number to stand at"),
        ("utilization", ".", "is no number to stand at"),
        ("utilization", "1e999", "is no number to stand at"),
        ("utilization", "0,35", "is the comma a decimal point"),
        ("card_price", "5 kg", "'5 kg' for what is in 'CNY/card'"),
    ],
)
def test_what_is_no_number_is_said_with_what_to_write(name, text, why):
    with pytest.raises(DemandsimError) as caught:
        slider(name).read(text)
    assert why in str(caught.value)


def test_factors_and_shifts_are_typed_as_they_are_shown():
    of = explorer("doubao-2025-2030")
    factor = next(one for one in of.sliders(of.start().scenario) if one.way == "factor")
    assert factor.read("× 1.25") == factor.read("1.25") == 1.25
    with pytest.raises(DemandsimError, match="a factor must be above 0"):
        factor.read("0")
    shift = next(one for one in of.sliders(of.start().scenario) if one.way == "shift")
    assert shift.read("+0.01") == pytest.approx(0.01 * shift.scale.divisor)


def test_a_typed_number_is_taken_to_the_last_digit_and_the_slider_stands_there():
    page = Page(explorer(), GUOSEN)
    before, row = page.tiles.object, page.sliders["utilization"]
    assert [box.value for box in row.boxes] == ["0.289", "0.619"]
    row.boxes[1].value = "0.54321"
    assert "utilization=beta(0.2889, 0.54321, prob=0.9)" in page.command.value
    assert page.tiles.object != before
    assert row.control.value[1] == 140 - sum(value > 0.54321 for value in row.made.values[:141]) + 1
    # A handle that moves says so in its box, and forgets what was typed into the other one no more than the other way.
    row.control.value = (40, row.control.value[1])
    low = row.boxes[0].value
    assert float(low) < 0.289
    assert "0.54321, prob=0.9)" in page.command.value
    row.boxes[0].value = "0.5"
    assert "utilization=beta(0.5, 0.54321, prob=0.9)" in page.command.value


def test_a_mistyped_number_stands_still_beside_its_slider_until_it_is_mended():
    page = Page(explorer(), GUOSEN)
    row, shown, tiles = page.sliders["utilization"], page.command.value, page.tiles.object
    row.boxes[0].value = "<b>0,3</b>"
    assert (page.command.value, page.tiles.object) == (shown, tiles)
    assert 'role="alert"' in row.note.object
    assert "&lt;b&gt;0,3&lt;/b&gt;" in row.note.object
    assert "Results stand still: Utilization of a card" in page.status.object
    row.boxes[0].value = "0.9"
    assert "the low end must be below the high end" in page.status.object
    row.boxes[0].value = "0.3"
    assert page.status.object == ""
    assert page.tiles.object != tiles
    # The old number typed again, where a wrong one stood, mends it as well.
    row.boxes[0].value = "x"
    row.boxes[0].value = "0.3"
    assert page.status.object == ""


def test_what_was_pinned_stands_beside_what_is_shown():
    page = Page(explorer(), GUOSEN)
    assert page.compared.object == ""
    page.sliders["utilization"].boxes[1].value = "0.5"
    page.pin.clicks += 1
    page.sliders["useful_life"].boxes[0].value = "5"
    both = page.compared.object
    assert "A, pinned: Scenario 100T; utilization 0.45 ~ beta(" in both
    assert (
        both.index("beta(0.2889, 0.5, prob=0.9)") < both.index("B, as the sliders stand") < both.index("useful_life 6")
    )
    of, a = page.explorer, page.pinned
    scenes = [of.scene(setting) for setting in (a, page.setting)]
    rows = [next(row for row in scene.rows if row.name == "gross_margin") for scene in scenes]
    moved = rows[1].scale.value(rows[1].median - rows[0].median)
    assert f">+{moved}</td>" in both
    assert re.search(r"Revenue over compute cost.*>\+0\.\d+</td>", both)
    # Cards do not depend on how long they last, and the draws are the same.
    assert ">0</td>" in both
    assert "<small>A: " in page.tiles.object
    page.reset.clicks += 1
    assert page.pinned == a
    page.pin.clicks += 1
    assert page.compared.object == ""


def test_the_shared_command_opens_the_page_as_it_is(monkeypatch, tmp_path):
    page = Page(explorer(), GUOSEN, ["useful_life=5"])
    page.switches["scenario"].value = "1"
    page.switches["of"].value = "1"
    page.sliders["utilization"].boxes[1].value = "0.5"
    page.pin.clicks += 1
    page.sliders["paid_share"].boxes[0].value = "0.3"
    begun = []
    monkeypatch.setattr("demandsim.explorer.server.serve", lambda *said, **more: begun.append((said, more)))
    command, *words = shlex.split(page.shared.value)
    assert (command, words[:3]) == ("demandsim", ["explore", GUOSEN, "--set"])
    assert CliRunner().invoke(app, words).exit_code == 0
    (tmp_path / "state.json").write_text(page.saved.tags[0] + "\n")
    words[words.index("--state") + 1] = str(tmp_path / "state.json")
    assert CliRunner().invoke(app, words).exit_code == 0
    for (_, study, sets), more in begun:
        other = Page(explorer(), study, sets, more["state"])
        assert (other.setting, other.about, other.pinned) == (page.setting, page.about, page.pinned)
        assert other.tiles.object == page.tiles.object
        assert other.compared.object == page.compared.object
        assert [one.value for one in other.switches.values()] == ["1", "1"]
        assert other.shared.value == page.shared.value


def test_a_missing_file_of_a_state_is_named():
    found = CliRunner().invoke(app, ["explore", GUOSEN, "--state", "nowhere.json"])
    assert found.exit_code
    assert "cannot read the state 'nowhere.json'" in str(found.exception or found.output)


def test_a_year_of_a_state_is_read_back():
    of = explorer("doubao-2025-2030")
    setting = Setting({"scenario": "less capex"}, of.selection.times[1])
    assert read_state(of, state_text(State(setting))) == State(setting)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not as the explorer writes it"),
        ("[]", "not as the explorer writes it"),
        ("[" * 10_000, "not as the explorer writes it"),
        ('{"of":"card"}', "did you mean 'cards'"),
        ('{"off":"cards"}', "did you mean 'of'"),
        ('{"scenario":{"scenario":"10T"}}', "did you mean '100T'"),
        ('{"scenario":[]}', "'scenario' of the state is not"),
        ('{"set":{"utilisation":[1,2]}}', "did you mean 'utilization'"),
        ('{"set":{"utilization":[0.1]}}', "must be a list of 2 numbers"),
        ('{"set":{"utilization":[0.1,NaN]}}', "must be a list of 2 numbers"),
        ('{"set":{"utilization":[true,"0.2"]}}', "must be a list of 2 numbers"),
        ('{"pinned":{"set":{"utilization":7}}}', "'utilization' in 'set' of 'pinned' must be"),
        ('{"time":2030}', "time"),
    ],
)
def test_a_state_of_something_else_is_said_and_the_study_shown(text, why):
    with pytest.raises(DemandsimError) as caught:
        read_state(explorer(), text)
    assert why in str(caught.value)
    if text:
        page = Page(explorer(), GUOSEN, (), text)
        assert "cannot be read, so this is the study" in page.status.object
        assert page.setting == explorer().start()


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["scenario", "set", "of", "pinned", "time", "utilization"]), inner)
        ),
        max_leaves=8,
    )
)
def test_any_json_is_a_state_or_an_error_of_ours(told):
    try:
        found = read_state(explorer(), json.dumps(told))
    except DemandsimError:
        return
    assert isinstance(found, State)
