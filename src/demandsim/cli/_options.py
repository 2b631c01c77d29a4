"""Options: the arguments that several commands share, and their choices."""

from __future__ import annotations

import enum
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from demandsim.locale.words import LANGUAGE

__all__ = [
    "Accept",
    "Assume",
    "Chains",
    "Event",
    "Format",
    "Language",
    "Locale",
    "LocaleName",
    "Method",
    "Name",
    "Observe",
    "Out",
    "Output",
    "PrintAs",
    "Prob",
    "Rand",
    "Scenario",
    "Seed",
    "Set",
    "Study",
    "worded",
]


class Format(enum.StrEnum):
    """How results are printed, and in what pictures are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PNG = "png"
    SVG = "svg"
    PDF = "pdf"

    @property
    def of_pictures(self) -> bool:
        """Whether it is one of files of pictures."""
        return self in (Format.PNG, Format.SVG, Format.PDF)


class Method(enum.StrEnum):
    """How sensitivity is told."""

    AUTO = "auto"
    SOBOL = "sobol"
    SHAPLEY = "shapley"
    GIVEN_DATA = "given-data"
    NEIGHBOURS = "nearest-neighbours"
    HSIC = "hsic"


class LocaleName(enum.StrEnum):
    """Language of tables and pictures."""

    EN = "en"
    ZH = "zh"


Study = Annotated[
    str, typer.Argument(metavar="STUDY", help="Name of a shipped study, or path of a .toml or .xlsx file.")
]
Set = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Replace an assumption by a number or a distribution; NAME@SCENARIO=VALUE within one scenario.",
    ),
]
Scenario = Annotated[
    list[str], typer.Option("--scenario", metavar="[DIM=]LABEL", help="Keep one scenario; all by default.")
]
Observe = Annotated[
    list[str],
    typer.Option(
        "--observe",
        metavar="NAME[@LABEL]=DISTRIBUTION",
        help="What was measured, and how far off it may be; at one year or scenario, if a label is named.",
    ),
]
Event = Annotated[
    list[str],
    typer.Option("--event", metavar="'NAME < NUMBER'", help="What is known to have happened; also with and, or, not."),
]

Out = Annotated[
    Path,
    typer.Option(metavar="FOLDER", help="Folder; results go to OUT/STUDY/, or to a folder in it for what was set."),
]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Name of that folder, instead of what was set.")
]
Seed = Annotated[
    int | None, typer.Option(min=0, metavar="NUMBER", help="Whole number; fresh if not given, and printed.")
]
Prob = Annotated[float, typer.Option(metavar="SHARE", help="Probability of the interval.")]
Chains = Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Independent randomisations.")]
PrintAs = Annotated[
    list[Format],
    typer.Option(
        "--format", help="Results are printed as a table, csv or json, pictures written as png, svg or pdf; repeatable."
    ),
]
Locale = Annotated[
    LocaleName, typer.Option(envvar=LANGUAGE, help="Language of tables and pictures; zh needs a Chinese font.")
]

#: Of what a command prints that makes no picture, or of its page.
Language = Annotated[LocaleName, typer.Option("--locale", envvar=LANGUAGE, help="Language of what is written.")]

Output = Annotated[
    list[str], typer.Option("--output", metavar="CELL", help="Of a workbook: a cell to compute, such as 'DCF!D29'.")
]
Assume = Annotated[
    list[str],
    typer.Option(
        "--assume",
        metavar="CELL=VALUE",
        help="Of a workbook: what is known of a cell, as in 'Inputs!C21=normal(1, 2)'.",
    ),
]
Accept = Annotated[
    bool, typer.Option("--accept", help="Of a workbook: go on where recomputed cells are not as it says.")
]
Rand = Annotated[bool, typer.Option("--rand", help="Of a workbook: draw RAND, which stands frozen otherwise.")]


def worded(said: str, option: str, words: Sequence[str]) -> str:
    """Say what is wrong with a call in words of its writer: the parser names types, and not what was typed.

    Parameters
    ----------
    said : str
        As the parser says it.
    option : str
        That it is about, if it is about one.
    words : sequence of str
        The call.

    Examples
    --------
    >>> worded("Input should be a valid integer, unable to parse string as an integer", "--draws", ["--draws", "1e6"])
    "'1e6' is not written as a whole number, such as 1000000"
    """
    if said.startswith("Input should be"):
        typed = _typed(option, words)
        whole = "integer" in said or "greater" in said
        number = _number_in(typed)
        if "greater" in said or "less" in said:
            return f"'{typed}' is out of range: {said.removeprefix('Input ')}"
        kind, right = ("a whole number", "8192") if whole else ("a number", "0.9")
        if number is not None and (not whole or number.is_integer()):
            right = f"{number:.0f}" if whole else f"{number:g}"
        return f"'{typed}' is not written as {kind}, such as {right}"
    if said.startswith("Got unexpected extra argument"):
        more = said.partition("(")[2].rstrip(")")
        if "=" in more:
            return f"{said}; each setting has its option before it: --set a=1 --set b=2"
        return f"{said}; a path or text with blanks stands in quotes: {shlex.quote('my folder/model.xlsx')}"
    return said.removeprefix("Value error, ")


def _typed(option: str, words: Sequence[str]) -> str:
    """What was written for an option, the last time."""
    found = ""
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == option:
            found = value if equals else next(iter(words[place + 1 : place + 2]), "")
    return found


def _number_in(text: str) -> float | None:
    """The number that was probably meant: 1e6, 1,000, 90%, 0,9."""
    plain = text.strip().removesuffix("%")
    thousands = len(plain.rpartition(",")[2]) == 3
    try:
        return float(plain.replace(",", "" if thousands else ".")) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        return None
