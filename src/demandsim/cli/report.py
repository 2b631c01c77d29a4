"""``demandsim report``: one HTML page of a study, for a colleague who has no Python."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import progress, say
from demandsim.cli._study import Call, Cells

__all__ = ["report"]


def report(
    study: option.Study,
    of: Annotated[list[str], typer.Option(help="Results that the page is about; chosen by default.")] = [],  # noqa: B006
    draws: Annotated[int, typer.Option(min=1, help="Draws per chain, a power of two.")] = 8192,
    chains: option.Chains = 8,
    seed: option.Seed = None,
    prob: option.Prob = 0.9,
    set_: option.Set = [],  # noqa: B006
    output: option.Output = [],  # noqa: B006
    assume: option.Assume = [],  # noqa: B006
    accept: option.Accept = False,
    rand: option.Rand = False,
    scenario: option.Scenario = [],  # noqa: B006
    out: option.Out = Path("out"),
    name: option.Name = None,
    locale: Annotated[option.LocaleName, typer.Option(help="Language of the page.")] = option.LocaleName.EN,
) -> None:
    """Write a report: one HTML page that needs no network, with results, charts, assumptions and sources."""
    from demandsim.report import write_report

    cells = Cells(output, assume, accept, rand)
    call = Call("report", study, chains, seed, prob, set_, scenario, out, as_=name, cells=cells)
    model = call.model()
    if out.suffix == ".html":
        raise typer.BadParameter(
            f"'{out}' is a folder, as in all commands; the page is report.html in it", param_hint="--out"
        )
    file = call.folder(model).path / "report.html"

    def again(made: int) -> str:
        more = [] if locale is option.LocaleName.EN else ["--locale", locale.value]
        return call.replay(made, draws, of=of, more=more)

    with progress("simulating") as advance:
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
    say(f"written: {file}", whole=True)
    say(f"replay:  {again(attrs['seed'])}", whole=True)
