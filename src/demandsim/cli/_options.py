"""Options: the arguments that several commands share, and their choices."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

__all__ = [
    "ChainsOption",
    "Format",
    "FormatOption",
    "LocaleName",
    "LocaleOption",
    "ProbOption",
    "ScenarioOption",
    "SeedOption",
    "SetOption",
    "StudyArgument",
]


class Format(enum.StrEnum):
    """How results are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class LocaleName(enum.StrEnum):
    """Language of the pictures."""

    EN = "en"
    ZH = "zh"


StudyArgument = Annotated[str, typer.Argument(help="Name of a shipped study, or path of a .toml or .xlsx file.")]
SetOption = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Replace an assumption by a number or a distribution; NAME@SCENARIO=VALUE within one scenario.",
    ),
]
ScenarioOption = Annotated[
    list[str], typer.Option("--scenario", metavar="[DIM=]LABEL", help="Keep one scenario; all by default.")
]

SeedOption = Annotated[int | None, typer.Option(help="Whole number; fresh if not given, and printed.")]
ProbOption = Annotated[float, typer.Option(help="Probability of the interval.")]
ChainsOption = Annotated[int, typer.Option(help="Independent randomisations.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print the results.")]
LocaleOption = Annotated[LocaleName, typer.Option(help="Language of the pictures; zh needs a Chinese font.")]
