"""``demandsim list``, ``show``, ``explain`` and ``graph``: what there is, and where its numbers come from."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import print_line, print_table
from demandsim.cli._study import NO_CELLS, Cells, loaded, of_cells
from demandsim.cli._table import Column

__all__ = ["explain", "graph", "list_", "show"]


def list_(locale: option.Language = option.LocaleName.EN) -> None:
    """List the studies that ship with demandsim."""
    from demandsim.locale.words import words_of
    from demandsim.studies.catalogue import catalogue

    words = words_of(locale.value, "terminal")
    lines = [[e.name, words.text(e.title), str(e.assumptions), str(e.equations)] for e in catalogue()]
    study, title, assumptions, equations = map(words.say, ("study", "title", "assumptions", "equations"))
    print_table((Column(study, "name"), Column(title, "text"), assumptions, equations), lines)


@of_cells
def show(study: option.Study, cells: Cells = NO_CELLS, locale: option.Language = option.LocaleName.EN) -> None:
    """Show a study: assumptions with intervals and sources, equations by layer, what looks odd, errata."""
    from demandsim.locale.words import words_of

    for line in loaded(study, cells=cells).describe().lines(words_of(locale.value, "terminal")):
        print_line(line)


@of_cells
def explain(
    study: option.Study,
    quantity: Annotated[str, typer.Argument(help="Assumption or computed quantity.")],
    set_: option.Set = [],  # noqa: B006
    cells: Cells = NO_CELLS,
    scenario: option.Scenario = [],  # noqa: B006
    all_: Annotated[
        bool, typer.Option("--all", help="Work out every label, such as every year, and not the first three.")
    ] = False,
    locale: option.Language = option.LocaleName.EN,
) -> None:
    """Trace a quantity back to its assumptions: formulas, numbers, units, sources."""
    from demandsim.locale.words import words_of

    model = loaded(study, set_, scenario, cells)
    for line in model.explain(quantity, "all" if all_ else 3).told(words_of(locale.value, "terminal")):
        print_line(line)


class DiagramForm(enum.StrEnum):
    """The language of a diagram."""

    MERMAID = "mermaid"
    DOT = "dot"


@of_cells
def graph(
    study: option.Study,
    cells: Cells = NO_CELLS,
    of: Annotated[
        list[str], typer.Option("--of", help="Quantity to draw with its causes, repeatable; all by default.")
    ] = [],  # noqa: B006
    form: Annotated[
        DiagramForm, typer.Option("--form", help="Mermaid, which GitHub and notebooks draw, or DOT of Graphviz.")
    ] = DiagramForm.MERMAID,
) -> None:
    """Write the influence diagram: which quantity is computed from which, as text to draw."""
    # Not folded to the width of the terminal: programs read it.
    typer.echo(loaded(study, cells=cells).diagram(of or None, form.value), nl=False)
