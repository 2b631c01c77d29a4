"""Words: what a language calls things, read from its file; what it leaves out is said in English."""

from __future__ import annotations

import functools
import importlib.resources
import os
import re
import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from demandsim.errors import MissingWordWarning, check_known

__all__ = ["CHINESE", "LANGUAGE", "Words", "displayed", "languages", "words_of"]

#: Variable of the environment that names the language of displays in notebooks, and of commands.
LANGUAGE = "DEMANDSIM_LOCALE"

CHINESE = re.compile("[\u3400-\u9fff]")

#: Terms that the field writes in capitals, by how they stand in a name of code.
_TERMS = {
    term.lower(): term
    for term in (
        *(
            "AI",
            "API",
            "ARPU",
            "CAGR",
            "CPU",
            "CRPS",
            "EVPI",
            "EVPPI",
            "EVSI",
            "GPU",
            "GPUs",
            "HBM",
            "IRR",
            "KV",
            "LLM",
        ),
        *("LLMs", "MFU", "MoE", "NPV", "PIT", "PUE", "QPS", "ROI", "TCO", "TPU", "TPUs", "WACC"),
    )
}

#: Blanks of messages that are numbers.
_NUMBERS = ("bound", "count", "draws", "high", "khat", "least", "low", "most", "width")

#: Holds one file a language, named by its code.
_FOLDER = importlib.resources.files("demandsim.locale")


@dataclass(frozen=True)
class Words:
    """A language, as one reader of it needs it.

    Parameters
    ----------
    code : str
        Name of its file.
    tag : str
        Language tag (BCP 47), by which pages are marked and numbers written.
    phrases : mapping of str to str
        Phrases of this reader by key.
    names, dims, labels : mapping of str to str
        Quantities, dims and labels of dims by their name in a model.
    texts : mapping of str to str
        Titles, sources and notes of the shipped studies, by what they are in English.
    families : mapping of str to str
        Families of distributions by the name of their constructor.
    units : mapping
        Tables ``head`` and ``tail`` (parts of a unit before and after its first slash), ``scales`` (in what large
        values of a unit are counted in pictures) and ``page`` (in what they are on a page, where that differs).
    fonts : tuple of str
        Families with its characters, in order of liking; none where any will do.
    font_hint : str
        What to do where the machine has none of them.
    """

    code: str
    tag: str
    phrases: Mapping[str, str]
    names: Mapping[str, str]
    dims: Mapping[str, str]
    labels: Mapping[str, str]
    texts: Mapping[str, str]
    families: Mapping[str, str]
    units: Mapping[str, Mapping[str, Any]]
    fonts: tuple[str, ...] = ()
    font_hint: str = ""

    def say(self, key: str, **values: Any) -> str:
        """Fill in a phrase; a label of a dim in its blank `label` is put in words.

        Examples
        --------
        >>> words_of("en", "plots").say("seed", seed=1), words_of("zh", "plots").say("seed", seed=1)
        ('seed 1', '种子 1')
        """
        if "label" in values:
            values["label"] = self.label(values["label"])
        return self.phrases[key].format(**values)

    def name(self, name: str, long_name: str | None = None) -> str:
        """Name a quantity for readers: never as code if there is another way.

        A name that a model gives in Chinese is its author's own, and goes before that of the language.

        Examples
        --------
        >>> words_of("en").name("card_price", "Price of a card"), words_of("en").name("card_price")
        ('Price of a card', 'Card price')

        Terms are written as the field writes them:

        >>> words_of("en").name("crps"), words_of("en").name("gpu_hours", "gpu hours")
        ('CRPS', 'GPU hours')
        """
        if long_name and CHINESE.search(long_name):
            return long_name
        # A label that only repeats the name is none.
        if name in self.names or (long_name and long_name != name.replace("_", " ")):
            return self.names.get(name) or str(long_name)
        # An event is named by what it compares: "gross_margin > 0".
        spaced = re.sub(r"[^\W\d]\w*", lambda found: self.names.get(found[0], _spaced(found[0])), name)
        return spaced[:1].upper() + spaced[1:]

    def dim(self, name: str) -> str:
        """Name a dim for readers.

        Examples
        --------
        >>> words_of("zh").dim("year"), words_of("en").dim("card_kind")
        ('年份', 'card kind')
        """
        return self.dims.get(name, name.replace("_", " "))

    def label(self, label: Any) -> str:
        """Name a label of a dim for readers: its own name, unless it is one of a shipped study.

        Examples
        --------
        >>> words_of("en").label("base"), words_of("zh").label("base"), words_of("zh").label("H20")
        ('base', '基准', 'H20')
        """
        return self.labels.get(str(label), str(label))

    def text(self, text: str) -> str:
        """Say a title, a source or a note; one that the language does not know stays as it is.

        Examples
        --------
        >>> words_of("zh").text("Our own model")
        'Our own model'
        """
        return self.texts.get(text, text)

    def bounds(self, bounds: str) -> str:
        """Say between what a quantity can be.

        Examples
        --------
        >>> words_of("zh", "terminal").bounds("at least 0"), words_of("en", "terminal").bounds("0 to 1")
        ('不小于 0', '0 to 1')
        """
        for said in ("at least", "at most", " to "):
            bounds = bounds.replace(said, self.phrases[said])
        return bounds

    def message(self, text: str) -> str:
        """Say an error, a warning or a part of one; one that the language does not know stays as it is.

        Examples
        --------
        >>> words_of("zh").message("unknown study 'x'; did you mean 'y'?"), words_of("zh").message("Who knows?")
        ("未知的研究 'x'；是否指 'y'？", 'Who knows?')
        """
        for pattern, own in _messages(self.code):
            if found := pattern.fullmatch(text):
                return own.format(**{name: self.message(part) for name, part in found.groupdict().items()})
        return text

    def family(self, family: str) -> str:
        """Name a family of distributions for readers.

        Examples
        --------
        >>> words_of("en").family("loguniform"), words_of("en").family("gumbel")
        ('Log-uniform', 'gumbel')
        """
        return self.families.get(family, family)

    def figures(self, number: str) -> str:
        """Write a number that is written in English, ``1,234.5`` or ``48.4%``, with the signs of the language.

        Examples
        --------
        >>> words_of("en").figures("1,234.5%"), words_of("zh").figures("1,234.5%")
        ('1,234.5%', '1,234.5%')
        """
        return number.translate(_signs(self.tag))


@functools.cache
def _messages(code: str) -> list[tuple[re.Pattern[str], str]]:
    """What a language says for messages: the pattern of each in English, with its blanks, and its own phrase."""
    found = []
    for english, own in _tables(code).get("messages", {}).items():
        # Blanks of numbers hold no blanks: "{low} to {high}" is no sentence.
        def blank(name: re.Match[str]) -> str:
            return f"(?P<{name[1]}>{'[^ ]+' if name[1] in _NUMBERS else '.+?'})"

        pattern = re.sub(r"\\\{(\w+)\\\}", blank, re.escape(english))
        found.append((re.compile(pattern, re.DOTALL), own))
    return found


def _spaced(code: str) -> str:
    """A name of code as words."""
    return " ".join(_TERMS.get(word.lower(), word) for word in code.split("_"))


@functools.cache
def _signs(tag: str) -> dict[int, str]:
    """Signs between digits, from Unicode's tables, by those that English has."""
    from babel.numbers import format_percent, get_decimal_symbol, get_group_symbol

    locale = tag.replace("-", "_")
    signs = {",": get_group_symbol(locale), ".": get_decimal_symbol(locale), "%": format_percent(0, locale=locale)[1:]}
    return str.maketrans(signs)


def displayed() -> Words:
    """The language of what notebooks show: that of the environment, or English where it names none that there is."""
    code = os.environ.get(LANGUAGE, "en")
    return words_of(code if code in languages() else "en", "terminal")


def languages() -> list[str]:
    """Codes of the languages that have a file, English first.

    Examples
    --------
    >>> languages()
    ['en', 'zh']
    """
    codes = sorted(file.name.removesuffix(".toml") for file in _FOLDER.iterdir() if file.name.endswith(".toml"))
    return sorted(codes, key=lambda code: code != "en")


@functools.cache
def words_of(code: str, *readers: str) -> Words:
    """Read a language.

    Parameters
    ----------
    code : str
        One of `languages()`.
    *readers : {"plots", "report", "explorer"}
        Whose phrases are wanted, the later ones over the earlier.

    Raises
    ------
    UnknownNameError
        If there is no such language.

    Warns
    -----
    MissingWordWarning
        If the language leaves out phrases, which are English then. Python shows it in development mode and in tests.

    Examples
    --------
    >>> words_of("en", "report", "explorer").say("reset"), words_of("zh", "report", "explorer").say("reset")
    ("Reset to the study's values", '恢复原研究的设定')
    """
    check_known([code], languages(), "locale")
    english, own = _tables("en"), _tables(code)
    needed = ("families", *readers)
    missing = [f"{table}.{key}" for table in needed for key in english[table] if key not in own.get(table, {})]
    if missing:
        warnings.warn(
            f"locale '{code}' has no words for {', '.join(missing)}; they are said in English: "
            f"add them to locale/{code}.toml",
            MissingWordWarning,
            stacklevel=2,
        )
    said: dict[str, Any] = {table: {**english[table], **own.get(table, {})} for table in needed}
    plain = {table: own.get(table, {}) for table in ("names", "dims", "labels", "texts")}
    # Words for scales are a language's own: what English counts in thousands another counts in ten thousands.
    units = own.get("units", {})
    ends = {end: {**english["units"][end], **units.get(end, {})} for end in ("head", "tail")}
    counted = {kind: units.get(kind, {}) for kind in ("scales", "page")}
    return Words(
        code,
        own.get("tag", code),
        {key: phrase for reader in readers for key, phrase in said[reader].items()},
        **plain,
        families=said["families"],
        units={**ends, **counted},
        fonts=tuple(own.get("fonts", ())),
        font_hint=own.get("font_hint", ""),
    )


def _tables(code: str) -> dict[str, Any]:
    return tomllib.loads(_FOLDER.joinpath(f"{code}.toml").read_text(encoding="utf-8"))
