"""Chinese wording is complete: whatever ships has a name, a unit, a label, a title, and no two things share one."""

import re
from itertools import chain

import pytest

import demandsim as ds
from demandsim.equations import shipped
from demandsim.plots.words import locale_of
from demandsim.units.constant import Constant
from demandsim.units.registry import CURRENCIES

CHINESE = locale_of("zh", drawn=False)
STUDIES = ds.list_studies()
#: Names that Chinese reports print in Latin letters.
LATIN = {"pue"}


def of_registry():
    """Quantities of all shipped equations: what they compute, and what a model must give them."""
    given = {
        name
        for made in shipped().values()
        for name in made.inputs
        if not isinstance(made.constants.get(name), Constant)
    }
    return given | {made.name for made in shipped().values()}


def texts_of(study):
    """Whatever a study says in sentences: its notes, the rows it is held against, where each figure is from."""
    model = ds.load_study(study)
    notes = model.notes
    said = {notes.title, notes.source, *notes.notes, *notes.reasons.values()}
    said |= {row.row for row in notes.published} | {piece.source for piece in model.evidence}
    said |= {event.says for event in model.presentation.events.values()}
    return (said | {assumption.source for assumption in model.assumptions.values()}) - {"", None}


def sources_of_equations():
    """Where the shipped equations are from."""
    return {made.source for made in shipped().values()}


def test_every_equation_says_in_chinese_where_it_is_from():
    assert sorted(sources_of_equations() - CHINESE.texts.keys()) == []


def test_every_quantity_of_the_registry_has_a_chinese_name():
    assert sorted(of_registry() - CHINESE.names.keys()) == []


@pytest.mark.parametrize("study", STUDIES)
def test_every_quantity_of_a_study_has_a_chinese_name_of_its_own(study):
    model = ds.load_study(study)
    names = {name: CHINESE.names.get(name, name) for name in model.quantities}
    assert [name for name in names if name not in CHINESE.names] == []
    assert [name for name, said in names.items() if list(names.values()).count(said) > 1] == []


def test_chinese_names_are_chinese_short_and_differ():
    said = {name: text for name, text in CHINESE.names.items() if name not in LATIN}
    assert [text for text in said.values() if not re.search("[\u4e00-\u9fff]", text)] == []
    quantities = [said[name] for name in sorted(of_registry() - LATIN)]
    assert [text for text in quantities if quantities.count(text) > 1] == []
    assert [text for text in quantities if len(text) > 18] == []
    # Brackets, commas and colons are those of Chinese; a slash divides.
    assert [text for text in said.values() if re.search(r"[(),:;]", text)] == []


@pytest.mark.parametrize("study", STUDIES)
def test_dims_labels_and_sentences_of_a_study_are_said_in_chinese(study):
    model = ds.load_study(study)
    layout = model.program.layout
    dims = [*layout.scenario_dims, *layout.model_dims]
    assert [dim for dim in dims if dim not in CHINESE.dims] == []
    labels = chain.from_iterable(map(str, layout.coords[dim]) for dim in dims)
    # Models of hardware, and amounts such as 100T, are the same in Chinese; words are not.
    assert [label for label in labels if re.search("[a-z]{2}", label) and label not in CHINESE.labels] == []
    assert sorted(texts_of(study) - CHINESE.texts.keys()) == []


def test_nothing_is_translated_that_no_study_says():
    # What the library itself says of a changed assumption.
    said = {"set by the user"}.union(sources_of_equations(), *map(texts_of, STUDIES))
    assert sorted(CHINESE.texts.keys() - said) == []


def test_numbers_of_a_note_are_those_of_its_translation():
    """Years, percentages and quotients stay; amounts may be counted in wan and yi."""
    for english, chinese in CHINESE.texts.items():
        kept = re.findall(r"(?<![\w.,/])\d+(?:\.\d+)?%|\b20[12]\d\b", english)
        assert [number for number in kept if number not in chinese] == [], english


def test_every_unit_that_ships_is_said_in_chinese():
    units = {made.unit for made in shipped().values()}
    units |= set(CURRENCIES)
    units |= {a.unit for study in STUDIES for a in ds.load_study(study).assumptions.values()}
    left = {word for unit in units for word in re.findall("[A-Za-z]+", CHINESE.unit(unit, 1.0)[1])}
    # What Chinese reports write in Latin letters too.
    assert left - {"token", "FLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP", "MB", "GB", "TB", "W", "kWh"} == set()


@pytest.mark.parametrize("study", [n for n in STUDIES if not n.startswith(("doubao-growth", "deepseek"))])
def test_whatever_a_study_is_held_against_has_a_chinese_name(study):
    draws = ds.load_study(study).simulate(draws=64, chains=2, seed=1)
    limits = set(map(str, ds.cross_check(draws).limit_name.values))
    assert sorted(limits - CHINESE.names.keys()) == []


def test_a_name_that_its_author_gave_in_chinese_goes_first():
    assert CHINESE.name("cards", "Cards needed") == "所需算力卡"
    assert CHINESE.name("cards", "推理卡") == "推理卡"
    assert locale_of("en", drawn=False).name("cards", "推理卡") == "推理卡"


def test_labels_and_rates_are_written_as_people_do():
    assert CHINESE.say("at", dim="情景", label="export control") == "情景：出口管制"
    assert CHINESE.say("at", dim="年份", label=2030) == "年份：2030"
    assert CHINESE.label("my own") == "my own"
    assert CHINESE.setting([0.32], "1/year") == "0.32/年"
    assert CHINESE.setting([4.2e-13], "1/year") == "0/年"
    assert locale_of("en", drawn=False).setting([0.4], "1/year") == "0.4/year"
    assert CHINESE.unit("Mcard*hour", 2.788) == (1.0, "百万卡时")
    assert locale_of("en", drawn=False).unit("card*hour", 3.0) == (1.0, "card-hours")
