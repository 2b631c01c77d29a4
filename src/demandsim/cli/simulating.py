"""``demandsim run``: simulate a study, print its summary, write draws, summary and picture."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from demandsim.cli.loading import loaded
from demandsim.cli.options import (
    ChainsOption,
    DesignName,
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
from demandsim.cli.terminal import busy, check_folder, open_console, print_table, progress, replay, say
from demandsim.errors import OutputError
from demandsim.files import written_whole
from demandsim.tables import Row, as_csv, as_records, rows

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["run"]


def run(
    study: StudyArgument,
    draws: Annotated[
        int | None, typer.Option(help="Draws per chain, a power of two for sobol; 8192, or 1024 to begin with --rtol.")
    ] = None,
    chains: ChainsOption = 8,
    seed: SeedOption = None,
    design: Annotated[DesignName, typer.Option(help="How the unit cube is sampled.")] = DesignName.SOBOL,
    prob: ProbOption = 0.9,
    rtol: Annotated[float, typer.Option(help="Draw until errors are this small, relative to the results.")] = 0.0,
    of: Annotated[list[str], typer.Option(help="Quantities that --rtol is about; all results by default.")] = [],  # noqa: B006
    max_draws: Annotated[int, typer.Option(help="Draws at which --rtol is given up.")] = 2**26,
    set_: SetOption = [],  # noqa: B006  typer reads the default and never changes it
    scenario: ScenarioOption = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="Folder for draws, summary and picture.")] = Path("out"),
    format_: FormatOption = Format.TABLE,
    locale: LocaleOption = LocaleName.EN,
) -> None:
    """Simulate a study: print its summary, write draws, summary and picture."""
    from demandsim.estimates import check_prob
    from demandsim.plots.wording import locale_of
    from demandsim.summary import probability, summarize

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
            design=design.value,
            prob=prob,
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
    with busy("writing draws, summary and picture"):
        written = _write(model, data, table, folder, prob, locale)
    if format_ is Format.JSON:
        attrs = {k: v for k, v in summary.attrs.items() if isinstance(v, (str, int, float))}
        sys.stdout.write(
            json.dumps(
                {**attrs, "rows": as_records(table), **_covered(covers), "cross_checks": _cross_checked(data)}, indent=2
            )
        )
    elif format_ is Format.CSV:
        sys.stdout.write(as_csv(table))
    else:
        _print_summary(model, data, table, covers, prob)
    say(f"written: {', '.join(str(path) for path in written)}")
    say(f"replay:  {replay('run', study, data.attrs, design.value, prob, set_, scenario)}")


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

    files = [folder / "draws.nc", folder / "summary.csv", folder / "distributions.png"]
    try:
        with written_whole(files[0]) as unfinished:
            data.to_netcdf(unfinished, engine="h5netcdf")
        with written_whole(files[1]) as unfinished:
            unfinished.write_text(as_csv(table), encoding="utf-8")
        drawn, names = _pictured(data)
        axes = plots.distributions(drawn, model.point(), of=names, prob=prob, locale=locale.value)
        plots.save(axes, files[2])
    except OSError as error:
        raise OutputError(
            f"cannot write results to '{folder}': {error.strerror or error}; nothing is half-written"
        ) from None
    return files


def _pictured(data: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """The quantities worth a picture: results that do not vary over years or hardware, at most six."""
    scenario = [d for d in data.dims if d not in ("chain", "draw")][:1]
    fitting = [
        str(n)
        for n, a in data.data_vars.items()
        if set(a.dims) <= {"chain", "draw", *scenario} and a.attrs.get("role") == "derived"
    ]
    liked = ["cards", "annualized_capex", "revenue", "gross_margin", "revenue_to_cost", "break_even_price"]
    chosen = [n for n in liked if n in fitting] or fitting[-6:] or [str(next(iter(data.data_vars)))]
    return data, chosen


def _print_summary(model: Model, data: xr.Dataset, table: list[Row], covers: xr.Dataset | None, prob: float) -> None:
    tail = 100 * (1 - prob) / 2
    heads = ("published", "mean", f"P{tail:g}", "P50", f"P{100 - tail:g}", "MCSE of mean", "unit")
    groups: dict[str, list[Row]] = {}
    for row in table:
        groups.setdefault(", ".join(str(v) for v in row.labels.values()), []).append(row)
    console = open_console()
    title = model.notes.title or model.notes.name or "model"
    console.print(f"{title}", style="bold", markup=False)
    total = data.sizes["chain"] * data.sizes["draw"]
    console.print(
        f"{total:,} draws in {data.sizes['chain']} chains, design {data.attrs['design']}, seed {data.attrs['seed']}",
        markup=False,
    )
    # Quantities that are the same in every scenario come first, once.
    for label, members in sorted(groups.items(), key=lambda item: item[0] != ""):
        console.print()
        grid = Table(title=None)
        grid.add_column(label or "in every scenario", no_wrap=True, style="bold" if console.is_terminal else "")
        for head in heads:
            grid.add_column(head, justify="left" if head == "unit" else "right", no_wrap=True)
        for row in members:
            s = row.statistics
            cells = [row.shown(v) for v in (row.point, s["mean"], s["lower"], s["median"], s["upper"])]
            grid.add_row(row.quantity, *cells, row.shown(s["mcse_mean"], 2), row.readable_unit)
        print_table(grid)
    if covers is not None:
        console.print()
        console.print("Probability that the API business covers its compute cost:", markup=False)
        for place in _places(covers):
            p, e = float(covers.probability.sel(place)), float(covers.mcse.sel(place))
            label = ", ".join(str(v) for v in place.values())
            console.print(f"  {label + ': ' if label else ''}{p:.1%} (MCSE {100 * e:.2g} points)", markup=False)
    if verdicts := _cross_checked(data):
        console.print()
        console.print("Held against published limits:", markup=False)
        for verdict in verdicts:
            console.print(f"  {verdict}", markup=False)


def _cross_checked(data: xr.Dataset) -> list[str]:
    from demandsim.cross_checks import can_cross_check, cross_check

    return cross_check(data).attrs["verdict"].splitlines() if can_cross_check(data) else []


def _places(covers: xr.Dataset) -> Iterator[dict[str, Any]]:
    import numpy as np

    dims = [str(dim) for dim in covers.probability.dims]
    for spot in np.ndindex(*covers.probability.shape):
        yield {dim: covers.coords[dim].values[i] for dim, i in zip(dims, spot, strict=True)}
