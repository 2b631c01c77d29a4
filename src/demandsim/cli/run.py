"""``demandsim run``: simulate a study, print its summary, write draws, summary and picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from demandsim._system import written_whole
from demandsim.cli._options import (
    ChainsOption,
    Format,
    FormatOption,
    LocaleName,
    LocaleOption,
    ProbOption,
    ScenarioOption,
    SeedOption,
    SetOption,
    StudyArgument,
)
from demandsim.cli._output import busy, check_folder, progress, replay, say, writing
from demandsim.cli._study import loaded
from demandsim.cli._summary_tables import TIME, print_summary
from demandsim.statistics.design import DesignName
from demandsim.statistics.table import Row, as_csv, as_records, rows

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["run"]

#: Bytes of draws up to which everything is kept.
_LARGEST = 2**29
#: Results that people look at first, of one moment and over time, and how many of them are drawn.
_LIKED = ("cards", "annualized_capex", "revenue", "gross_margin", "revenue_to_cost", "break_even_price")
_LIKED_OVER_TIME = ("daily_tokens", "total_cost_of_ownership", "revenue", "gross_margin", "cards")
_DRAWN, _DRAWN_OVER_TIME = 6, 4


def run(
    study: StudyArgument,
    draws: Annotated[
        int | None, typer.Option(help="Draws per chain, a power of two for sobol; 8192, or 1024 to begin with --rtol.")
    ] = None,
    chains: ChainsOption = 8,
    seed: SeedOption = None,
    design: Annotated[DesignName, typer.Option(help="How the unit cube is sampled.")] = "sobol",
    prob: ProbOption = 0.9,
    rtol: Annotated[float, typer.Option(help="Draw until errors are this small, relative to the results.")] = 0.0,
    of: Annotated[list[str], typer.Option(help="Quantities that --rtol is about; all results by default.")] = [],  # noqa: B006
    max_draws: Annotated[int, typer.Option(help="Draws at which --rtol is given up.")] = 2**26,
    set_: SetOption = [],  # noqa: B006  typer reads the default and never changes it
    scenario: ScenarioOption = [],  # noqa: B006
    keep: Annotated[
        list[str], typer.Option(help="Quantities to keep; all by default, but for those by label that fill memory.")
    ] = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="Folder for draws, summary and picture.")] = Path("out"),
    format_: FormatOption = Format.TABLE,
    locale: LocaleOption = LocaleName.EN,
) -> None:
    """Simulate a study: print its summary, write draws, summary and picture."""
    from demandsim.plots.words import locale_of
    from demandsim.statistics.estimators import check_prob
    from demandsim.statistics.summarize import probability, summarize

    check_prob(prob)
    locale_of(locale.value)
    model = loaded(study, set_, scenario)
    folder = out / (model.notes.name or Path(study).stem)
    check_folder(folder)
    with progress("simulating") as advance:
        data = model.simulate(
            draws,
            chains=chains,
            seed=seed,
            design=design,
            prob=prob,
            keep=keep or _fitting(model, draws, chains),
            rtol=rtol,
            of=of or None,
            max_draws=max_draws,
            progress=advance,
            on_round=lambda reached: say(str(reached)),
        )
    with busy("summarizing"):
        summary = summarize(data, prob=prob)
    table = list(rows(summary, model.point()))
    covers = probability(data.gross_margin > 0) if "gross_margin" in data else None
    verdicts = _cross_checked(data)
    with busy("writing draws, summary and picture"):
        written = _write(model, data, table, folder, prob, locale)
    if format_ is Format.JSON:
        attrs = {k: v for k, v in summary.attrs.items() if isinstance(v, (str, int, float))}
        sys.stdout.write(
            json.dumps({**attrs, "rows": as_records(table), **_covered(covers), "cross_checks": verdicts}, indent=2)
        )
    elif format_ is Format.CSV:
        sys.stdout.write(as_csv(table))
    else:
        print_summary(model, data, table, covers, verdicts, prob)
    say(f"written: {', '.join(str(path) for path in written)}")
    say(f"replay:  {replay('run', study, data.attrs, design, prob, set_, scenario)}")


def _fitting(model: Model, draws: int | None, chains: int) -> list[str] | None:
    """Quantities to keep: all, or where they would fill the disk, those that vary over no dim such as hardware."""
    import math

    layout, varying = model.program.layout, model.program.varying
    plain = {*layout.scenario_dims, *TIME}
    values = {n: math.prod(layout.size(d) for d in varying[n].dims) for n in model.quantities if varying[n].random}
    if 8 * sum(values.values()) * (draws or 8192) * chains <= _LARGEST:
        return None
    left_out = [name for name in values if varying[name].dims - plain]
    if not left_out:
        return None
    dims = ", ".join(sorted(set(layout.model_dims) - plain))
    say(f"note: {len(left_out)} quantities by {dims} are not kept; name them with --keep")
    return [name for name in model.quantities if name not in left_out]


def _covered(covers: xr.Dataset | None) -> dict[str, Any]:
    if covers is None:
        return {}
    dims = list(covers.probability.dims)
    cells = (
        covers.to_dataframe().reset_index().to_dict("records")
        if dims
        else [{"probability": covers.probability.item(), "mcse": covers.mcse.item()}]
    )
    return {"probability_covers_compute_cost": cells}


def _write(
    model: Model, data: xr.Dataset, table: list[Row], folder: Path, prob: float, locale: LocaleName
) -> list[Path]:
    from demandsim import plots
    from demandsim.sampling.store.netcdf import write_netcdf

    moving, names = _pictured(model, data)
    files = [folder / "draws.nc", folder / "summary.csv", folder / ("fan.png" if moving else "distributions.png")]
    with writing(folder):
        write_netcdf(data, files[0])
        with written_whole(files[1]) as unfinished:
            unfinished.write_text(as_csv(table), encoding="utf-8")
        if moving:
            axes = plots.fan(data, of=names, prob=prob, locale=locale.value)
        else:
            axes = plots.distributions(data, model.point(), of=names, prob=prob, locale=locale.value)
        plots.save(axes, files[2])
    return files


def _pictured(model: Model, data: xr.Dataset) -> tuple[bool, list[str]]:
    """Whether the picture is one over time, and the results worth it: those that vary over no dim such as hardware."""
    time = next((dim for dim in TIME if dim in data.dims), None)
    results = {str(n): set(map(str, a.dims)) for n, a in data.data_vars.items() if a.attrs.get("role") == "derived"}
    plain = {"chain", "draw", *model.program.layout.scenario_dims[:1]}
    over_time = [n for n, dims in results.items() if time in dims and "draw" in dims and dims <= plain | {time}]
    if over_time:
        return True, [n for n in _LIKED_OVER_TIME if n in over_time][:_DRAWN_OVER_TIME] or over_time[-_DRAWN_OVER_TIME:]
    fitting = [n for n, dims in results.items() if dims <= plain]
    return False, [n for n in _LIKED if n in fitting] or fitting[-_DRAWN:] or [str(next(iter(data.data_vars)))]


def _cross_checked(data: xr.Dataset) -> list[str]:
    from demandsim.series.cross_check import can_cross_check, cross_check

    return cross_check(data).attrs["verdict"].splitlines() if can_cross_check(data) else []
