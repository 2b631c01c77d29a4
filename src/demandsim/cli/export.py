"""``demandsim export``: a study as a workbook, to audit and edit in Excel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import busy, progress, say
from demandsim.cli._study import NO_CELLS, Cells, loaded, of_cells
from demandsim.locale.words import words_of

__all__ = ["export"]


@of_cells
def export(
    study: option.Study,
    path: Annotated[Path, typer.Argument(help="Workbook to write; its name ends in .xlsx.")],
    set_: option.Set = [],  # noqa: B006  typer reads the default and never changes it
    scenario: option.Scenario = [],  # noqa: B006
    cells: Cells = NO_CELLS,
    draws: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="NUMBER",
            help="Draws per chain of the sheets with percentiles and charts; 0 leaves them out.",
        ),
    ] = 1024,
    seed: option.Seed = None,
    locale: option.Language = option.LocaleName.EN,
) -> None:
    """Write a study as an Excel workbook: assumptions to edit, results as live formulas, simulated ones beside them."""
    from demandsim.workbook import write_workbook

    words = words_of(locale.value, "terminal")
    model, data = loaded(study, set_, scenario, cells), None
    if draws:
        with progress(words.say("simulating")) as advance:
            data = model.simulate(draws, chains=8, seed=seed, keep=list(model.equations), progress=advance)
    with busy(words.say("writing_workbook")):
        write_workbook(model, path, draws=data)
    say(words.say("written", files=path))
    say(words.say("edit_then", command=f"demandsim run {path}"))
