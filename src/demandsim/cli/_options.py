"""Options: the arguments that several commands share, and their choices."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Accept",
    "Assume",
    "Chains",
    "Event",
    "Format",
    "Locale",
    "LocaleName",
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
]


class Format(enum.StrEnum):
    """How results are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class LocaleName(enum.StrEnum):
    """Language of tables and pictures."""

    EN = "en"
    ZH = "zh"


Study = Annotated[str, typer.Argument(help="Name of a shipped study, or path of a .toml or .xlsx file.")]
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

Out = Annotated[Path, typer.Option(help="Folder; results go to OUT/STUDY/, or to a folder in it for what was set.")]
Name = Annotated[str | None, typer.Option("--name", help="Name of that folder, instead of what was set.")]
Seed = Annotated[int | None, typer.Option(help="Whole number; fresh if not given, and printed.")]
Prob = Annotated[float, typer.Option(help="Probability of the interval.")]
Chains = Annotated[int, typer.Option(help="Independent randomisations.")]
PrintAs = Annotated[Format, typer.Option("--format", help="How to print the results.")]
Locale = Annotated[LocaleName, typer.Option(help="Language of tables and pictures; zh needs a Chinese font.")]

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
