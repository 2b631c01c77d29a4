"""``demandsim export``: a study as a workbook, to audit and edit in Excel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import busy, say
from demandsim.cli._study import loaded

__all__ = ["export"]


def export(
    study: option.Study,
    path: Annotated[Path, typer.Argument(help="Workbook to write; its name ends in .xlsx.")],
    set_: option.Set = [],  # noqa: B006  typer reads the default and never changes it
    scenario: option.Scenario = [],  # noqa: B006
) -> None:
    """Write a study as an Excel workbook: assumptions to edit, results as live formulas."""
    from demandsim.workbook import write_workbook

    with busy("writing the workbook"):
        write_workbook(loaded(study, set_, scenario), path)
    say(f"written: {path}")
    say(f"edit it, then: demandsim run {path}")
