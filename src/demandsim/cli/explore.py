"""``demandsim explore``: a page on this machine to play with the assumptions of a study."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import say
from demandsim.cli._study import NO_CELLS, Cells, loaded, of_cells
from demandsim.errors import DemandsimError, shorten
from demandsim.locale.words import words_of

__all__ = ["explore"]


@of_cells
def explore(
    study: option.Study,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes any that is free.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    draws: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Draws per chain, a power of two.")] = 1024,
    seed: Annotated[int, typer.Option(help="Whole number; the same while you play.")] = 1,
    prob: option.Prob = 0.9,
    set_: option.Set = [],  # noqa: B006
    cells: Cells = NO_CELLS,
    state: Annotated[
        str,
        typer.Option(
            metavar="STATE", help="What the page begins with: copied from 'To share' on it, or a file saved there."
        ),
    ] = "",
    locale: option.Language = option.LocaleName.EN,
) -> None:
    """Play with a study: a local page with sliders for its assumptions and live results; Ctrl-C ends it."""
    from demandsim.explorer.server import check_panel, serve
    from demandsim.explorer.session import Explorer
    from demandsim.statistics.estimators import check_prob

    check_panel()
    check_prob(prob)
    begin = _read(state)
    explorer = Explorer(loaded(study, set_, cells=cells), draws=draws, seed=seed, prob=prob, locale=locale.value)

    def ready(address: str) -> None:
        words = words_of(locale.value, "terminal")
        say(words.say("serving", address=address))
        say(words.say("ends_it"))
        if browser:
            webbrowser.open(address)

    serve(explorer, study, set_, state=begin, port=port, ready=ready)


def _read(state: str) -> str:
    """Read a file of a state; what begins like one is one itself."""
    if not state or state.lstrip().startswith("{"):
        return state
    try:
        return Path(state).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DemandsimError(
            f"cannot read the state '{shorten(state)}': {getattr(error, 'strerror', None) or error}"
        ) from None
