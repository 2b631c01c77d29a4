"""``demandsim report``: one HTML page of a study, for a colleague who has no Python."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demandsim.cli._options import (
    ChainsOption,
    LocaleName,
    ProbOption,
    ScenarioOption,
    SeedOption,
    SetOption,
    StudyArgument,
)
from demandsim.cli._output import check_folder, progress, replay, say
from demandsim.cli._study import loaded

__all__ = ["report"]


def report(
    study: StudyArgument,
    of: Annotated[list[str], typer.Option(help="Results that the page is about; chosen by default.")] = [],  # noqa: B006
    draws: Annotated[int, typer.Option(help="Draws per chain, a power of two.")] = 8192,
    chains: ChainsOption = 8,
    seed: SeedOption = None,
    prob: ProbOption = 0.9,
    set_: SetOption = [],  # noqa: B006
    scenario: ScenarioOption = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="File to write; out/STUDY/report.html by default.", dir_okay=False)
    ] = None,
    locale: Annotated[LocaleName, typer.Option(help="Language of the page.")] = LocaleName.EN,
) -> None:
    """Write a report: one HTML page that needs no network, with results, charts, assumptions and sources."""
    from demandsim.report import write_report

    model = loaded(study, set_, scenario)
    file = out or Path("out") / (model.notes.name or Path(study).stem) / "report.html"
    check_folder(file.parent)

    def again(made: int) -> str:
        attrs = {"seed": made, "draws": draws, "chains": chains}
        words = replay("report", study, attrs, "sobol", prob, set_, scenario, of)
        return words if locale is LocaleName.EN else f"{words} --locale {locale.value}"

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
    say(f"written: {file}")
    say(f"replay:  {again(attrs['seed'])}")
