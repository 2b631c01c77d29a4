"""Spelling: how each distribution is written, and what was meant by a text that is none."""

from __future__ import annotations

import re

from demandsim.distributions.constructor import CONSTRUCTORS
from demandsim.errors import close_matches, did_you_mean
from demandsim.units.format import exact

__all__ = ["examples", "meant", "misspelt", "spellings", "unknown"]

_ANY = ("0.45", "lognormal(500, 1200)", "beta(mean=0.45, sd=0.1)")
#: Of those that take no plain numbers in a row.
_LISTS = {
    "discrete": ("discrete([5, 6])", "discrete([5, 6], [1, 3])", "discrete([5, 6], weights=[1, 3])"),
    "empirical": ("empirical([3, 1, 2])", "empirical([3, 1, 2], [1, 1, 2])", "empirical([3, 1, 2], interpolate=true)"),
    "mixture": ("mixture([normal(1, 2), 5])", "mixture([normal(1, 2), 5], [2, 1])", "mixture([uniform(2, 3), 1])"),
    "pooled": ("pooled([normal(1, 2), uniform(1, 3)])", "pooled([1, normal(1, 2)], [2, 1])"),
    "metalog": ("metalog([0.1, 0.5, 0.9], [1, 2, 4])", "metalog([0.1, 0.5, 0.9], [1, 2, 4], lower=0)"),
    "truncated": ("truncated(normal(8, 12), lower=9)", "truncated(normal(8, 12), 9, 11)"),
    "clipped": ("clipped(normal(8, 12), lower=9)", "clipped(normal(8, 12), 9, 11)"),
    "rounded": ("rounded(normal(8, 12))", "rounded(normal(8, 12), 0.5)"),
    "scipy": ('scipy("gamma", 2, scale=3)', 'scipy("norm", 10, 2)', 'scipy("expon")'),
    "by": ('by("year", [1, 2, 4])', 'by("year", [1, 2, lognormal(2, 4)])'),
}
#: What distributions and their parameters are called elsewhere.
_ELSEWHERE = {
    **dict.fromkeys(("n", "norm", "gauss", "gaussian", "正态", "正态分布", "高斯"), "normal"),
    **dict.fromkeys(("lognorm", "对数正态", "对数正态分布"), "lognormal"),
    **dict.fromkeys(("u", "unif", "range", "between", "interval", "均匀", "均匀分布"), "uniform"),
    **dict.fromkeys(("t", "student"), "student_t"),
    **dict.fromkeys(("tri", "triangle", "三角", "三角分布"), "triangular"),
    **dict.fromkeys(("const", "fixed", "常数"), "constant"),
    **dict.fromkeys(("data", "sample", "samples", "hist"), "empirical"),
    **dict.fromkeys(("mu", "average", "均值"), "mean"),
    **dict.fromkeys(("sigma", "std", "stdev", "stddev", "标准差"), "sd"),
    **dict.fromkeys(("min", "minimum", "lower", "left", "最小"), "low"),
    **dict.fromkeys(("max", "maximum", "upper", "right", "最大"), "high"),
    **dict.fromkeys(("p", "ci", "confidence", "level", "conf"), "prob"),
    **dict.fromkeys(("p50", "中位数"), "median"),
    **dict.fromkeys(("peak", "most_likely", "likely"), "mode"),
}
_NO_VALUE = {"nan", "inf", "infinity", "none", "null", "na", "tbd", "tba", "todo"}
_MULTIPLES = {
    "万": 1e4,
    "亿": 1e8,
    "千": 1e3,
    "百万": 1e6,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "bn": 1e9,
    "B": 1e9,
    "tn": 1e12,
}
_LAST_NUMBER = re.compile(r"([-+]?[\d.]+)\s*\Z")
_GROWN = re.compile(r"([-+]?[\d.]+)(?=[^\W\d])")
#: Digits behind letters, as in 1e5e5 and 0x10.
_NO_NUMBER = re.compile(r"[\d.]+[a-zA-Z]+\d\w*")
_DECIMAL_COMMA = re.compile(r"(\d+),(\d+)\Z")


def spellings(name: str = "") -> str:
    """Right spellings of a distribution, or of any.

    Examples
    --------
    >>> spellings("normal")
    'normal(8, 12), normal(8, 12, prob=0.5) or normal(mean=10, sd=2)'
    """
    *first, last = examples(name)
    return f"{', '.join(first)} or {last}" if first else last


def examples(name: str) -> tuple[str, ...]:
    """Some texts that are read as that distribution, each said in another way."""
    known = CONSTRUCTORS.get(name)
    if known is None:
        return _ANY
    if name in _LISTS:
        return _LISTS[name]
    if known.interval is not None:
        share = known.support == "unit"
        low, high = ("0.3", "0.6") if share else ("8", "12")
        found = [f"{name}({low}, {high})", f"{name}({low}, {high}, prob=0.5)"]
        if "median" in known.parameters:
            found.append(f"{name}(median=10, factor=2)")
        elif "mean" in known.parameters:
            found.append(f"{name}(mean=0.45, sd=0.1)" if share else f"{name}(mean=10, sd=2)")
        return tuple(found)
    if "mode" in known.parameters:
        return f"{name}(1, 2, 4)", f"{name}(1, 2, 4, prob=0.9)", f"{name}(low=1, mode=2, high=4)"
    return (f"{name}({', '.join(known.parameters)})",)


def meant(word: str, known: list[str]) -> str:
    """What was probably meant by a word that is not known; nothing if nothing is near.

    Examples
    --------
    >>> meant("gaussian", ["beta", "normal"]), meant("std", ["mean", "sd"]), meant("zebra", ["mean"])
    ('normal', 'sd', '')
    """
    other = _ELSEWHERE.get(word.lower(), "")
    near = [other] if other in known else close_matches(word.lower(), known)
    return near[0] if near else ""


def unknown(word: str, rest: str) -> str:
    """What to say of a word that is no distribution, and of what follows it.

    Examples
    --------
    >>> print(unknown("scypi", '("norm")'))
    unknown distribution 'scypi'; did you mean 'scipy'? Write it like scipy("gamma", 2, scale=3), ...
    """
    if word.lower() in _NO_VALUE:
        said, near = f"'{word}' is no value: say what it may be", ""
    elif rest.startswith("."):
        said, near = f"a distribution is written alone, without '{word}.' before it", ""
    else:
        near = meant(word, sorted(CONSTRUCTORS))
        hint = f"; did you mean '{near}'?" if near else did_you_mean(word[:80], CONSTRUCTORS)
        said = f"unknown distribution '{word}'{hint}"
    return f"{said} Write it like {spellings(near)}" if said.endswith("?") else f"{said}; write it like {spellings()}"


def misspelt(text: str, place: int, expected: str) -> str:
    """Say what is wrong with the text of a distribution where reading it stopped.

    Parameters
    ----------
    text : str
    place : int
        Where that is.
    expected : str
        What to say where nothing better is known.
    """
    before, rest = text[:place].rstrip(), text[place:].strip()
    missing = before.count("(") > before.count(")")
    close = not text[place : place + 1].isspace()
    # No pattern looks at more than a little.
    before, rest = before[-60:], rest[:60]
    if strange := _NO_NUMBER.match(rest):
        return f"'{strange[0]}' is no number"
    # A unit stands behind the number that was read, or is grown together with one that was not.
    grown = _GROWN.match(rest)
    number = grown or _LAST_NUMBER.search(before)
    word = re.match(r"[^\W\d]+", rest[grown.end() :] if grown else rest)
    if not rest:
        return "nothing is written" if not before else "a bracket is not closed" if missing else expected
    if number and rest[0] == "%":
        return f"a share is written as a number: {exact(float(f'{_value(number[1]) / 100:.12g}'))} for {number[1]}%"
    if number and word:
        factor = _MULTIPLES.get(word[0], 0)
        instead = f": {exact(_value(number[1]) * factor)} for {number[1]}{word[0]}" if factor else ""
        return f"numbers stand in the unit of their assumption, with no unit behind them{instead}"
    if found := next((said for signs, said in _SIGNS if rest[0] in signs), ""):
        return found
    digits = re.match(r"[\d.]+", rest)
    found = _of_digits(digits[0], before if close else f"{before} ", number is not None) if digits else ""
    return found or expected


def _of_digits(digits: str, before: str, number: bool) -> str:
    """What is wrong with digits that stand where no number can; nothing if only their place is wrong."""
    if comma := _DECIMAL_COMMA.search(before + digits):
        return f"is the comma a decimal point? Write {comma[1]}.{comma[2]}"
    if digits.count(".") > 1:
        return f"'{digits}' is no number"
    return "a comma is missing between two numbers (thousands are parted by none: 1000)" if number else ""


def _value(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


_SIGNS = (
    (";；、|", "numbers are parted by commas"),
    ("±", "write normal(mean=..., sd=...) for a value and its error"),
    ("+-*/^×÷–—~", "nothing is calculated here, and a range is written uniform(low, high)"),
    ("=", "there is one '=' at most, between a name and its value"),
    ("{", "lists stand in square brackets: [1, 2]"),
    ("(", "an interval has the name of its distribution before it"),
    ("\"'", "a quote is not closed, and numbers stand without quotes"),
)
