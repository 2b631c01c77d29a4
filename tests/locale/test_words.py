"""Words: every language is complete, what is left out is English with a warning, and a language is one file."""

import dataclasses
import re
import string
from pathlib import Path

import numpy as np
import pytest

import demandsim as ds
from demandsim import locale
from demandsim.errors import MissingWordWarning, UnknownNameError
from demandsim.locale import words
from demandsim.statistics.design import DESIGNS

READERS = ("plots", "report", "explorer", "terminal")
SOURCE = Path(ds.__file__).parent
#: Families that a study is likely to name; of others readers see the name of the constructor.
COMMON = {"normal", "lognormal", "uniform", "triangular", "pert", "beta", "discrete", "mixture", "truncated"}

GERMAN = """
tag = "de"
[names]
cards = "Karten"
utilization = "Auslastung"
[report]
headline = "Ergebnisse"
[plots]
tornado = "{study}: was eine Annahme allein bewegt"
tornado_low = "Annahme am unteren Ende"
seed = "Startwert {seed}"
"""


def blanks(text):
    return {name for _, name, *_ in string.Formatter().parse(text) if name}


@pytest.fixture
def german(tmp_path, monkeypatch):
    """A folder with a third language in it: nothing else is touched."""
    for code in locale.languages():
        (tmp_path / f"{code}.toml").write_bytes((SOURCE / "locale" / f"{code}.toml").read_bytes())
    (tmp_path / "de.toml").write_text(GERMAN, encoding="utf-8")
    monkeypatch.setattr(words, "_FOLDER", tmp_path)
    locale.words_of.cache_clear()
    yield
    locale.words_of.cache_clear()


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("code", locale.languages())
def test_every_language_has_the_phrases_of_english_with_the_same_blanks(code, reader):
    english, own = (locale.words_of(language, reader).phrases for language in ("en", code))
    tables = words._tables(code)
    assert list(tables[reader]) == list(words._tables("en")[reader])
    assert list(tables["families"]) == list(words._tables("en")["families"])
    assert {key for key in english if blanks(english[key]) != blanks(own[key])} == set()


def test_no_phrase_of_the_explorer_hides_one_of_the_page():
    assert not set(locale.words_of("en", "explorer").phrases) & set(locale.words_of("en", "report").phrases)


def test_every_phrase_of_a_picture_is_said_somewhere():
    source = "".join(path.read_text(encoding="utf-8") for path in (SOURCE / "plots").glob("*.py"))
    unsaid = {key for key in locale.words_of("en", "plots").phrases if f'"{key}"' not in source}
    # Designs are said by their name.
    assert unsaid - DESIGNS.keys() == set()


def test_common_families_have_a_name_and_no_other_thing_has():
    assert set(ds.distributions.__all__) >= COMMON
    assert set(locale.words_of("en").families) >= COMMON


def test_a_missing_word_warns_and_is_english(german):
    with pytest.warns(MissingWordWarning, match=r"locale 'de' has no words for .*plots\.tornado_high"):
        said = locale.words_of("de", "plots")
    assert said.say("tornado_low") == "Annahme am unteren Ende"
    assert said.say("tornado_high") == locale.words_of("en", "plots").say("tornado_high")
    # Python shows such a warning in development mode only, as it does for files left open.
    assert issubclass(MissingWordWarning, ResourceWarning)


@pytest.mark.filterwarnings("ignore::demandsim.errors.MissingWordWarning")
def test_a_third_language_is_one_file(german, tmp_path):
    model = ds.load_study("guosen-2025-01").select(scenario="100T")
    axes = ds.plots.tornado(ds.sensitivity.tornado(model, of="cards", prob=0.995), locale="de")
    figure = np.ravel(axes)[0].figure
    told = " ".join(text.get_text() for text in figure.texts)
    assert "was eine Annahme allein bewegt" in told
    rows = [label.get_text() for label in np.ravel(axes)[0].get_yticklabels()]
    assert "Auslastung" in rows
    assert re.search("99,5\xa0%", told)
    ds.write_report(model, tmp_path / "seite.html", draws=64, seed=1, locale="de")
    page = (tmp_path / "seite.html").read_text(encoding="utf-8")
    assert 'lang="de"' in page
    assert "Ergebnisse" in page
    assert "Auslastung" in page


def test_an_unknown_language_is_named():
    with pytest.raises(UnknownNameError, match="unknown locale 'cn'"):
        locale.words_of("cn")


@pytest.mark.parametrize(
    ("tag", "written"),
    [("en", "1,234.5%"), ("zh-Hans", "1,234.5%"), ("de", "1.234,5\xa0%"), ("fr", "1\u202f234,5\xa0%")],
)
def test_numbers_have_the_signs_of_their_language(tag, written):
    said = dataclasses.replace(locale.words_of("en"), tag=tag)
    assert said.figures("1,234.5%") == written
    assert said.figures("−12") == "−12"
