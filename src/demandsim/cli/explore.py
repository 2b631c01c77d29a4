"""``demandsim explore``: a page on this machine to play with the assumptions of a study."""

from __future__ import annotations

from typing import Annotated

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import say
from demandsim.cli._study import loaded

__all__ = ["explore"]


def explore(
    study: option.Study,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes any that is free.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    draws: Annotated[int, typer.Option(help="Draws per chain, a power of two.")] = 1024,
    seed: Annotated[int, typer.Option(help="Whole number; the same while you play.")] = 1,
    prob: option.Prob = 0.9,
    set_: option.Set = [],  # noqa: B006
    locale: Annotated[option.LocaleName, typer.Option(help="Language of the page.")] = option.LocaleName.EN,
) -> None:
    """Play with a study: a local page with sliders for its assumptions and live results; Ctrl-C ends it."""
    from demandsim.explorer.server import check_panel, serve
    from demandsim.explorer.session import Explorer
    from demandsim.statistics.estimators import check_prob

    check_panel()
    check_prob(prob)
    explorer = Explorer(loaded(study, set_), draws=draws, seed=seed, prob=prob, locale=locale.value)

    def ready(address: str) -> None:
        say(f"serving: {address}")
        say("Ctrl-C ends it")

    serve(explorer, study, set_, port=port, browser=browser, ready=ready)
