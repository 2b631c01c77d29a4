"""``demandsim report``: one HTML page of a study, for a colleague who has no Python."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import progress, say
from demandsim.cli._study import NO_CELLS, Call, Cells, of_cells

__all__ = ["report"]


@of_cells
def report(
    study: option.Study,
    of: Annotated[list[str], typer.Option(help="Results that the page is about; chosen by default.")] = [],  # noqa: B006
    draws: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Draws per chain, a power of two.")] = 8192,
    chains: option.Chains = 8,
    seed: option.Seed = None,
    prob: option.Prob = 0.9,
    set_: option.Set = [],  # noqa: B006
    cells: Cells = NO_CELLS,
    scenario: option.Scenario = [],  # noqa: B006
    out: option.Out = Path("out"),
    name: option.Name = None,
    locale: option.Language = option.LocaleName.EN,
) -> None:
    """Write a report: one HTML page that needs no network, with results, charts, assumptions and sources."""
    from demandsim.report import write_report

    call = Call("report", study, chains, seed, prob, set_, scenario, out, locale=locale, as_=name, cells=cells)
    model = call.model()
    if out.suffix == ".html":
        raise typer.BadParameter(
            f"'{out}' is a folder, as in all commands; the page is report.html in it", param_hint="--out"
        )
    file = call.folder(model).path / "report.html"

    def again(made: int) -> str:
        return call.replay(made, draws, of=of)

    with progress(call.words.say("simulating")) as advance:
        attrs = write_report(
            model,
            file,
            of=of or None,
            draws=draws,
            chains=chains,
            seed=seed,
            prob=prob,
            locale=locale.value,
            command=again,
            progress=advance,
        )
    say(call.words.say("written", files=file), whole=True)
    say(call.words.say("replay", command=again(attrs["seed"])), whole=True)
