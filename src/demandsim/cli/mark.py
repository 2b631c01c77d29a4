"""``demandsim mark``: a copy of a workbook with a sheet that lists its outputs and the numbers behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import say
from demandsim.locale.words import words_of

__all__ = ["mark"]


def mark(
    workbook: Annotated[Path, typer.Argument(help="Any .xlsx workbook.")],
    output: option.Output = [],  # noqa: B006  typer reads the default and never changes it
    into: Annotated[
        Path | None, typer.Option("--into", metavar="FILE", help="The copy; MODEL-marked.xlsx by default.")
    ] = None,
    locale: option.Language = option.LocaleName.EN,
) -> None:
    """Add a sheet to a copy of a workbook: its outputs, and the numbers behind them by what they move."""
    from demandsim.workbook import mark_workbook

    path = mark_workbook(workbook, into, outputs=output)
    words = words_of(locale.value, "terminal")
    say(words.say("written", files=path))
    say(words.say("mark_then", command=f"demandsim run {path}"))
