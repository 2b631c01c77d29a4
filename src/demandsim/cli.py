"""Command line: ``demandsim run | sensitivity | list | show | explain``.

Results go to standard output, messages and progress to standard error. Exit codes: 0 done, 1 an
error of the model, the data or the disk, 2 a wrong call.
"""

from __future__ import annotations

import csv
import enum
import json
import math
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from demandsim.errors import DemandsimError, OutputError, check_known
from demandsim.files import written_whole
from demandsim.tables import Row, as_csv, as_records, number, rows

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Probabilistic models of AI compute demand: distributions on every assumption, intervals on every result.",
)


class Format(enum.StrEnum):
    """How results are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class DesignName(enum.StrEnum):
    """How the unit cube is sampled."""

    SOBOL = "sobol"
    LATIN_HYPERCUBE = "latin_hypercube"
    RANDOM = "random"


class LocaleName(enum.StrEnum):
    """Language of the pictures."""

    EN = "en"
    ZH = "zh"


StudyArgument = Annotated[str, typer.Argument(help="Name of a shipped study, or path of a .toml file.")]
SetOption = Annotated[
    list[str], typer.Option("--set", metavar="NAME=VALUE", help="Replace an assumption: a number or a distribution.")
]
ScenarioOption = Annotated[
    list[str], typer.Option("--scenario", metavar="[DIM=]LABEL", help="Keep one scenario; all by default.")
]

SeedOption = Annotated[int | None, typer.Option(help="Whole number; fresh if not given, and printed.")]
ProbOption = Annotated[float, typer.Option(help="Probability of the interval.")]
ChainsOption = Annotated[int, typer.Option(help="Independent randomisations.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print the results.")]
LocaleOption = Annotated[LocaleName, typer.Option(help="Language of the pictures; zh needs a Chinese font.")]


def _console(error: bool = False) -> Console:
    """A console that is plain in a pipe: no colour, no boxes, no folding at 80 columns."""
    stream = sys.stderr if error else sys.stdout
    if stream.isatty():
        return Console(file=stream, highlight=False)
    return Console(file=stream, highlight=False, color_system=None, width=400)


def _print_table(table: Table) -> None:
    console = _console()
    table.box = SIMPLE_HEAD if console.is_terminal else None
    table.show_edge = False
    table.pad_edge = False
    table.collapse_padding = False
    with console.capture() as captured:
        console.print(table)
    sys.stdout.write("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")


def _say(text: str) -> None:
    _console(error=True).print(text, markup=False, soft_wrap=True)


def _loaded(study: str, sets: Sequence[str] = (), scenarios: Sequence[str] = ()) -> Model:
    from demandsim.distributions.grammar import parse_distribution
    from demandsim.studies import load_study

    model = load_study(study)
    changes: dict[str, Any] = {}
    for item in sets:
        name, equals, value = item.partition("=")
        name = name.strip()
        if not equals or not value.strip():
            raise typer.BadParameter(f"'{item}' is not NAME=VALUE, such as utilization=0.3", param_hint="--set")
        check_known([name], model.assumptions, "assumption")
        try:
            changes[name] = parse_distribution(value.strip(), model.program.layout.coords)
        except DemandsimError as error:
            raise type(error)(f"--set {name}: {error}") from None
    if changes:
        model = model.assume(**changes)
        for name in changes:
            if (dim := model.scenarios.dim_of(name)) is not None:
                _say(f"note: scenarios of '{dim}' that set '{name}' themselves are not changed by --set {name}")
    if scenarios:
        chosen: dict[str, str] = {}
        for item in scenarios:
            dim, equals, label = item.partition("=")
            only = next(iter(model.scenarios.dims), "scenario")
            chosen |= {dim: label} if equals else {only: item}
        model = model.select(**chosen)
    return model


@contextmanager
def _progress(what: str) -> Iterator[Any]:
    """Yield a callback that shows a progress bar on a terminal, once a second has passed."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = _console(error=True)
    bar = Progress(
        TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
    )
    began, task = time.monotonic(), None

    def advance(done: int, total: int) -> None:
        nonlocal task
        if task is None and done < total and time.monotonic() - began > 1.0 and console.is_terminal:
            bar.start()
            task = bar.add_task(what, total=total)
        if task is not None:
            bar.update(task, completed=done)

    try:
        yield advance
    finally:
        bar.stop()


@contextmanager
def _busy(what: str) -> Iterator[None]:
    """Show on a terminal that something is going on whose end cannot be told beforehand."""
    console = _console(error=True)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


def _check_folder(out: Path) -> None:
    """Find out before any work whether results can be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write to folder '{out}': {error.strerror or error}; choose another with --out"
        ) from None


@app.command()
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
    model = _loaded(study, set_, scenario)
    folder = out / (model.notes.name or Path(study).stem)
    _check_folder(folder)
    with _progress("simulating") as advance:
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
            on_round=lambda reached: _say(str(reached)),
        )
    with _busy("summarizing"):
        summary = summarize(data, prob=prob)
    table = list(rows(summary, model.point()))
    covers = probability(data.gross_margin > 0) if "gross_margin" in data else None
    with _busy("writing draws, summary and picture"):
        written = _write(model, data, table, folder, prob, locale)
    if format_ is Format.JSON:
        attrs = {k: v for k, v in summary.attrs.items() if isinstance(v, (str, int, float))}
        sys.stdout.write(json.dumps({**attrs, "rows": as_records(table), **_covered(covers)}, indent=2))
    elif format_ is Format.CSV:
        sys.stdout.write(as_csv(table))
    else:
        _print_summary(model, data, table, covers, prob)
    _say(f"written: {', '.join(str(path) for path in written)}")
    _say(f"replay:  {_replay('run', study, data.attrs, design.value, prob, set_, scenario)}")


def _replay(
    command: str,
    study: str,
    attrs: Mapping[Any, Any],
    design: str,
    prob: float,
    sets: Sequence[str],
    scenarios: Sequence[str],
    of: Sequence[str] = (),
) -> str:
    import shlex

    words = ["demandsim", command, study, *(word for name in of for word in ("--of", name))]
    words += ["--seed", str(attrs["seed"]), "--draws", str(attrs["draws"]), "--chains", str(attrs["chains"])]
    words += ["--design", design] if design != DesignName.SOBOL else []
    words += ["--prob", f"{prob:g}"] if prob != 0.9 else []
    words += [word for item in sets for word in ("--set", item)]
    words += [word for item in scenarios for word in ("--scenario", item)]
    return shlex.join(words)


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
    console = _console()
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
        _print_table(grid)
    if covers is not None:
        console.print()
        console.print("Probability that the API business covers its compute cost:", markup=False)
        for place in _places(covers):
            p, e = float(covers.probability.sel(place)), float(covers.mcse.sel(place))
            label = ", ".join(str(v) for v in place.values())
            console.print(f"  {label + ': ' if label else ''}{p:.1%} (MCSE {100 * e:.2g} points)", markup=False)


def _places(covers: xr.Dataset) -> Iterator[dict[str, Any]]:
    import numpy as np

    dims = [str(dim) for dim in covers.probability.dims]
    for spot in np.ndindex(*covers.probability.shape):
        yield {dim: covers.coords[dim].values[i] for dim, i in zip(dims, spot, strict=True)}


@app.command()
def sensitivity(
    study: StudyArgument,
    of: Annotated[list[str], typer.Option(help="Results to explain; gross_margin, or the last, by default.")] = [],  # noqa: B006
    draws: Annotated[int, typer.Option(help="Base points per chain, a power of two.")] = 1024,
    chains: ChainsOption = 8,
    seed: SeedOption = None,
    prob: ProbOption = 0.9,
    set_: SetOption = [],  # noqa: B006
    scenario: ScenarioOption = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("out"),
    format_: FormatOption = Format.TABLE,
    locale: LocaleOption = LocaleName.EN,
) -> None:
    """Find out which assumptions matter: print tornado and shares of variance, write both as pictures."""
    from demandsim import plots
    from demandsim.errors import CorrelationError
    from demandsim.estimates import check_prob
    from demandsim.plots.wording import locale_of
    from demandsim.sensitivity import shapley, sobol, tornado

    check_prob(prob)
    locale_of(locale.value)
    model = _loaded(study, set_, scenario)
    names = of or ["gross_margin" if "gross_margin" in model.equations else list(model.equations)[-1]]
    check_known(names, model.quantities, "quantity")
    folder = out / (model.notes.name or Path(study).stem)
    _check_folder(folder)
    moved = tornado(model, names, prob=prob)
    drawn: Callable[..., Any] = plots.sobol
    try:
        shares = sobol(model, names, draws=draws, chains=chains, seed=seed, prob=prob)
    except CorrelationError:
        _say("note: assumptions are correlated, which Sobol' indices do not allow; Shapley effects are used instead")
        drawn = plots.shapley
        shares = shapley(model, names, draws=draws, chains=chains, seed=seed, prob=prob)
    files = [folder / "tornado.png", folder / f"{drawn.__name__}.png"]
    try:
        plots.save(plots.tornado(_one_dim(moved, ("assumption", "end")), locale=locale.value), files[0])
        plots.save(drawn(_one_dim(shares, ("quantity", "assumption", "assumption_2")), locale=locale.value), files[1])
    except OSError as error:
        raise OutputError(
            f"cannot write results to '{folder}': {error.strerror or error}; nothing is half-written"
        ) from None
    records = list(_matters(moved, shares))
    if format_ is Format.JSON:
        attrs = {k: v for k, v in shares.attrs.items() if isinstance(v, (str, int, float))}
        sys.stdout.write(json.dumps({**attrs, "rows": records}, indent=2))
    elif format_ is Format.CSV:
        columns = list(dict.fromkeys(key for record in records for key in record))
        writer = csv.DictWriter(sys.stdout, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    else:
        labels = [str(dim) for dim in moved.dims if dim not in ("assumption", "end")]
        _print_matters(model, records, labels, shares, prob)
    _say(f"written: {', '.join(str(path) for path in files)}")
    attrs = {**shares.attrs, "draws": draws, "chains": chains}
    _say(f"replay:  {_replay('sensitivity', study, attrs, 'sobol', prob, set_, scenario, names)}")


def _one_dim(data: xr.Dataset, inner: Sequence[str]) -> xr.Dataset:
    """Leave one dim for panels to stand side by side; of the others, such as years, the last label."""
    others = [str(dim) for dim in data.dims if dim not in inner]
    for dim in others[1:]:
        _say(f"note: the pictures show {dim} {data[dim].values[-1]}; the table has all")
    return data.isel(dict.fromkeys(others[1:], -1))


def _matters(moved: xr.Dataset, shares: xr.Dataset) -> Iterator[dict[str, Any]]:
    """One record per quantity, label and assumption, in the declared units, the widest swing first."""
    import itertools

    kinds = [str(n) for n in shares.data_vars if str(n) + "_lower" in shares and "assumption_2" not in shares[n].dims]
    for name in map(str, shares.quantity.values):
        array, unit = moved[name], str(moved[name].attrs.get("units", "1"))
        dims = [str(d) for d in array.dims if d not in ("assumption", "end")]
        for labels in itertools.product(*(array[d].values.tolist() for d in dims)):
            place = dict(zip(dims, labels, strict=True))
            here, share = array.sel(place), shares.sel({d: v for d, v in place.items() if d in shares.dims})
            swing = here.max("end") - here.min("end")
            for assumption in map(str, here.assumption.values[(-swing.values).argsort(kind="stable")]):
                record: dict[str, Any] = {"quantity": name, **place, "assumption": assumption}
                for end in ("low", "high"):
                    setting = moved["setting"].sel(assumption=assumption, end=end)
                    record[end] = str(setting.sel({d: v for d, v in place.items() if d in setting.dims}).item())
                record["unit"] = unit
                for end in ("low", "base", "high"):
                    record[f"at_{end}"] = float(here.sel(assumption=assumption, end=end))
                if assumption in shares.assumption.values:
                    own = share.sel(quantity=name, assumption=assumption)
                    for kind in kinds:
                        for part in (kind, f"{kind}_lower", f"{kind}_upper", f"{kind}_mcse"):
                            record[part] = float(own[part])
                yield record


def _print_matters(
    model: Model, records: Sequence[dict[str, Any]], labels: Sequence[str], shares: xr.Dataset, prob: float
) -> None:
    from demandsim.plots.wording import locale_of
    from demandsim.units import readable

    english = locale_of("en")
    heads = {"first_order": "alone", "total_order": "with interactions", "effect": "Shapley effect"}
    kinds = [kind for kind in heads if kind in shares]
    console = _console()
    console.print(model.notes.title or model.notes.name or "model", style="bold", markup=False)
    a = shares.attrs
    console.print(
        f"{int(a.get('model_runs', 0)):,} model runs in {a['chains']} chains, seed {a['seed']}; shares of "
        f"variance with their {prob:.0%} interval; low and high are the ends of an assumption's {prob:.0%} interval",
        markup=False,
    )
    tables: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in records:
        key = (record["quantity"], *(record[dim] for dim in labels if dim in record))
        tables.setdefault(key, []).append(record)
    for key, members in tables.items():
        ends = [abs(record[f"at_{end}"]) for record in members for end in ("low", "high")]
        divisor, unit = readable(members[0]["unit"], max(ends))
        console.print()
        title = ", ".join(str(part) for part in key)
        console.print(f"{title}: {number(members[0]['at_base'] / divisor)} {unit}".rstrip(), markup=False)
        grid = Table(title=None)
        grid.add_column("assumption", no_wrap=True)
        for head in ("low", "result", "high", "result", *(heads[kind] for kind in kinds)):
            grid.add_column(head, justify="right", no_wrap=True)
        for record in members:
            low, high = (english.setting(record[end]) for end in ("low", "high"))
            cells = [low, number(record["at_low"] / divisor), high, number(record["at_high"] / divisor)]
            grid.add_row(record["assumption"], *cells, *(_share(record, kind) for kind in kinds))
        _print_table(grid)


def _share(record: dict[str, Any], kind: str) -> str:
    share = record.get(kind, math.nan)
    if math.isnan(share):
        return "-"
    return f"{share:.1%} ({100 * record[f'{kind}_lower']:.1f} to {100 * record[f'{kind}_upper']:.1f})"


@app.command("list")
def list_() -> None:
    """List the studies that ship with demandsim."""
    from demandsim.studies import list_studies, load_study

    grid = Table("study", "title", "assumptions", "equations")
    for name in list_studies():
        model = load_study(name)
        grid.add_row(name, model.notes.title, str(len(model.assumptions)), str(len(model.equations)))
    _print_table(grid)


@app.command()
def show(study: StudyArgument) -> None:
    """Show a study: assumptions with units, distributions and sources, scenarios, errata."""
    model = _loaded(study)
    notes, console = model.notes, _console()
    for line in (notes.title or notes.name, notes.source):
        if line:
            console.print(line, markup=False)
    for name, assumption in model.assumptions.items():
        point = (
            number(float(assumption.point))
            if not getattr(assumption.point, "dims", ())
            else str(assumption.point.values)
        )
        unit = "" if assumption.unit == "1" else f" {assumption.unit}"
        console.print(f"\n{name}: {assumption.distribution}{unit}", markup=False, soft_wrap=True)
        console.print(f"  {assumption.long_name or name}; point {point}{unit}", markup=False, soft_wrap=True)
        if assumption.source:
            console.print(f"  source: {assumption.source}", markup=False, soft_wrap=True)
    for pair, rho in model.correlations.items():
        why = notes.reasons.get(tuple(sorted(pair)))
        console.print(
            f"\nrank correlation of {' and '.join(pair)}: {rho:g}" + (f"; {why}" if why else ""), markup=False
        )
    for dim, labels in model.scenarios.grid.items():
        for label, overrides in labels.items():
            sets = "; ".join(f"{name} = {made.distribution}" for name, made in overrides.items())
            console.print(f"\n{dim} {label}: {sets or 'as above'}", markup=False, soft_wrap=True)
    console.print("\nequations", markup=False)
    for made in model.equations.values():
        unit = "" if made.unit == "1" else f"  [{made.unit}]"
        console.print(f"  {made.name} = {made.formula}{unit}", markup=False, soft_wrap=True)
    if notes.notes:
        console.print("\nnotes and errata", markup=False)
    for note in notes.notes:
        console.print(f"  - {note}", markup=False, soft_wrap=True)


@app.command()
def explain(
    study: StudyArgument,
    quantity: Annotated[str, typer.Argument(help="Assumption or computed quantity.")],
    set_: SetOption = [],  # noqa: B006
    scenario: ScenarioOption = [],  # noqa: B006
) -> None:
    """Trace a quantity back to its assumptions: formulas, numbers, units, sources."""
    model = _loaded(study, set_, scenario)
    _console().print(str(model.explain(quantity)), markup=False, soft_wrap=True)


def main() -> None:
    """Run the command line, turning our own errors into one line and exit code 1."""
    warnings.showwarning = lambda message, *_, **__: _say(f"warning: {message}")
    try:
        app()
    except DemandsimError as error:
        _say(f"error: {error}")
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as stop:
        # typer turns Ctrl-C into exit code 130; ours are 0, 1 and 2.
        if isinstance(stop, SystemExit) and stop.code != 130:
            raise
        _say("interrupted; nothing half-written was left behind")
        sys.exit(1)
