"""``demandsim run``: simulate a study, print its summary, write draws, summary and picture."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from demandsim._system import is_workbook
from demandsim.cli import _options as option
from demandsim.cli._events import Asked, asked_events, said_chances
from demandsim.cli._output import Folder, Results, busy, print_line, print_table, print_title, progress, say
from demandsim.cli._study import NO_CELLS, Call, Cells, of_cells
from demandsim.cli._table import Column
from demandsim.cli._words import named, scale_of
from demandsim.statistics.design import DesignName
from demandsim.statistics.table import Row, heads, intervals, places, rows, single_values
from demandsim.units.format import percent

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model
    from demandsim.plots.words import Locale
    from demandsim.sampling.simulate import Settings

__all__ = ["run"]

#: Columns that fit beside each other.
_WIDEST = 8
#: Bytes of draws up to which everything is kept.
_LARGEST = 2**29
#: Bytes of draws up to which they are written without being asked for.
_LARGEST_FILE = 50e6
#: Results that people look at first, of one moment and over time, and how many of them are drawn.
_DRAWN, _DRAWN_OVER_TIME = 6, 4


@of_cells
def run(
    study: option.Study,
    draws: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="NUMBER",
            help="Draws per chain, a power of two for sobol; 8192, or 1024 to begin with --rtol.",
        ),
    ] = None,
    chains: option.Chains = 8,
    seed: option.Seed = None,
    design: Annotated[DesignName, typer.Option(help="How the unit cube is sampled.")] = "sobol",
    prob: option.Prob = 0.9,
    kind: Annotated[
        Literal["eti", "hdi"], typer.Option(help="Equal-tailed intervals, or those of highest density.")
    ] = "eti",
    multimodal: Annotated[
        bool, typer.Option("--multimodal", help="With --kind hdi: several intervals where a result has several peaks.")
    ] = False,
    probs: Annotated[str, typer.Option(metavar="SHARES", help="Further quantiles: 0.01,0.99 adds P1 and P99.")] = "",
    rtol: Annotated[float, typer.Option(help="Draw until errors are this small, relative to the results.")] = 0.0,
    of: Annotated[list[str], typer.Option(help="Quantities that --rtol is about; all results by default.")] = [],  # noqa: B006
    max_draws: Annotated[int, typer.Option(help="Draws at which --rtol is given up.")] = 2**26,
    set_: option.Set = [],  # noqa: B006  typer reads the default and never changes it
    scenario: option.Scenario = [],  # noqa: B006
    keep: Annotated[
        list[str], typer.Option(help="Quantities to keep; all by default, but for those by label that fill memory.")
    ] = [],  # noqa: B006
    chances: Annotated[
        list[str],
        typer.Option("--probability", metavar="EVENT", help="Also tell how likely this is: 'gross_margin > 0'."),
    ] = [],  # noqa: B006
    error: Annotated[
        bool, typer.Option("--error", help="Also print the Monte Carlo errors of the percentiles.")
    ] = False,
    cells: Cells = NO_CELLS,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="FILE", help="Of a workbook: a copy of it with a sheet of results.")
    ] = None,
    out: option.Out = Path("out"),
    name: option.Name = None,
    format_: option.PrintAs = [],  # noqa: B006
    locale: option.Locale = option.LocaleName.EN,
    draws_file: Annotated[
        bool | None, typer.Option("--draws-file/--no-draws-file", help="Write draws.nc; up to 50 MB by default.")
    ] = None,
) -> None:
    """Simulate a study: print its summary, write draws, summary and picture."""
    from demandsim.sampling.simulate import Settings
    from demandsim.sampling.summary import summarized_by_scenario
    from demandsim.series.cross_check import verdicts
    from demandsim.statistics.summarize import asked_of, probability, summarize

    _check_options(study, of, rtol, into)
    call = Call("run", study, chains, seed, prob, set_, scenario, out, format_, locale, as_=name, cells=cells)
    model, words = call.model(), call.words
    events, levels = list(asked_events(model, chances)), _levels(probs)
    folder = call.folder(model)
    kept = keep or _fitting(model, draws, chains, words) or list(model.quantities)
    files = "writing_summary" if draws_file is False else "writing_draws"
    say(words.say(files, folder=folder.path), whole=True)
    asked = asked_of(prob, kind, levels, multimodal)
    settings = Settings(draws or 8192, chains, seed, design, kept)
    apart = not any((rtol, into, draws_file)) and _apart(model, settings)
    with progress(words.say("simulating")) as advance:
        if apart:
            summary, data = summarized_by_scenario(model.parts(), settings, asked, _read(model, kept, events), advance)
        else:
            data = model.simulate(
                draws,
                chains=chains,
                seed=seed,
                design=design,
                prob=prob,
                keep=kept,
                rtol=rtol,
                of=of or None,
                max_draws=max_draws,
                progress=advance,
                on_round=lambda reached: say(str(reached)),
            )
    if not apart:
        with busy(words.say("summarizing")):
            summary = summarize(data, prob=prob, kind=kind, probs=levels, multimodal=multimodal)
    table = list(rows(summary, model.point(), scale_of(words)))
    told = {event: probability(event.event, data) for event in events}
    checked = verdicts(data, words, scale_of(words), summary)
    results = _results(summary, table, told, checked)
    with busy(words.say("writing_files")):
        size = _bytes(model, dataclasses.replace(settings, draws=data.sizes["draw"]))
        if draws_file or (draws_file is None and size <= _LARGEST_FILE):
            folder.add_draws(data)
        elif draws_file is None:
            say(words.say("not_written", size=f"{size / 1e6:,.0f}"))
        folder.add_text("summary.csv", results.csv)
        _add_picture(folder, model, kept, data, call)
    more = ["--kind", kind] * (kind != "eti") + ["--multimodal"] * multimodal + ["--probs", probs] * bool(probs)
    again = call.replay_of(data, design=design, more=more)
    if into is not None:
        _write_copy(into, model, data, call, again)

    def printed() -> None:
        _print_head(model, data, words)
        _print_summary(model, table, summary, error, words)
        for event, found in told.items():
            _print_lines(words.say("chance_that", event=event.said(words)), said_chances(found, words))
        _print_lines(words.say("held_against"), checked)

    results.print(call.printed, printed, folder.written, again, words)


def _check_options(study: str, of: Sequence[str], rtol: float, into: Path | None) -> None:
    """Find out before any work what does not go together."""
    if of and not rtol:
        raise typer.BadParameter("names results that a tolerance is about; give --rtol too", param_hint="--of")
    if into is not None and not is_workbook(study):
        raise typer.BadParameter("is of workbooks, whose names end in .xlsx", param_hint="--into")


def _write_copy(into: Path, model: Model, data: xr.Dataset, call: Call, again: str) -> None:
    """A copy of the workbook with a sheet of results."""
    from demandsim.workbook import write_results

    write_results(call.study, into, model, data, prob=call.prob, command=again)
    say(call.words.say("written", files=into))


def _results(
    summary: xr.Dataset, table: Sequence[Row], told: Mapping[Asked, xr.Dataset], checked: Sequence[str]
) -> Results:
    """The summary as records, in the declared units."""
    records = [
        {"quantity": row.quantity, **row.labels}
        | {key: getattr(row, key) for key in ("unit", "published", "point")}
        | row.statistics
        for row in table
    ]
    labels = list(dict.fromkeys(dim for row in table for dim in row.labels))
    more: dict[str, Any] = {"cross_checks": list(checked)}
    for event, found in told.items():
        spots = places(found, [str(dim) for dim in found.probability.dims])
        more[f"probability_{event.key}"] = [
            {**spot, **{name: float(found[name].sel(spot)) for name in ("probability", "mcse")}} for spot in spots
        ]
    return Results(records, summary.attrs, labels, more)


def _fitting(model: Model, draws: int | None, chains: int, words: Locale) -> list[str] | None:
    """Quantities to keep: all, or where they would fill the disk, those that vary over no dim such as hardware."""
    layout, varying = model.program.layout, model.program.varying
    plain = {*layout.scenario_dims, *model.presentation.time}
    values = {n: math.prod(layout.size(d) for d in varying[n].dims) for n in model.quantities if varying[n].random}
    if 8 * sum(values.values()) * (draws or 8192) * chains <= _LARGEST:
        return None
    left_out = [name for name in values if varying[name].dims - plain]
    if not left_out:
        return None
    dims = ", ".join(words.dim(dim) for dim in sorted(set(layout.model_dims) - plain))
    say(words.say("not_kept", count=len(left_out), dims=dims))
    return [name for name in model.quantities if name not in left_out]


def _apart(model: Model, settings: Settings) -> bool:
    """Whether scenarios are drawn one after the other: there are some, and draws are too large to be written."""
    return bool(model.scenarios.dims) and _bytes(model, settings) > _LARGEST_FILE


def _bytes(model: Model, settings: Settings) -> int:
    """Size of all draws that are kept, with those that are sure."""
    layout, varying = model.program.layout, model.program.varying
    values = sum(math.prod(layout.size(dim) for dim in varying[name].dims) for name in settings.keep or ())
    return 8 * values * settings.draws * settings.chains


def _read(model: Model, kept: Sequence[str], events: Sequence[Asked]) -> list[str]:
    """Quantities of those kept whose draws are looked at once they are summarized."""
    from demandsim.series.cross_check import checked_quantities
    from demandsim.statistics.event import parse_event

    asked = [str(name) for event in events for name in parse_event(event.event).names]
    wanted = {*_pictured(model, kept)[1], *checked_quantities(kept), *asked}
    return [name for name in kept if name in wanted]


def _add_picture(folder: Folder, model: Model, kept: Sequence[str], data: xr.Dataset, call: Call) -> None:
    from demandsim import plots

    moving, names, others = _pictured(model, kept)
    # What a picture leaves out it says, unless there is nothing that it could show as well.
    asked = {} if all(name in model.equations for name in names) else {"of": names}
    settings: dict[str, Any] = {"prob": call.prob, "locale": call.pictured, **asked}
    data = data.assign_attrs(pictured=names, unpictured=others)
    if moving:
        folder.add_picture("fan", plots.fan, data, **settings)
    else:
        folder.add_picture("distributions", plots.distributions, data, model.point(), **settings)


def _pictured(model: Model, kept: Sequence[str]) -> tuple[bool, list[str], int]:
    """Whether the picture is one over time, the results worth it, and how many others would do.

    Those do that vary over no dim such as hardware.
    """
    shown, written, layout = model.presentation, model.notes.presentation, model.program.layout
    results = {name: model.program.varying[name].dims for name in kept if name in model.equations}
    time = next((dim for dim in shown.time if any(dim in dims for dims in results.values())), None)
    plain = set(layout.scenario_dims[:1])
    over_time = [n for n, dims in results.items() if time in dims and dims <= plain | {time}]
    fitting = over_time or [n for n, dims in results.items() if dims <= plain]
    most = _DRAWN_OVER_TIME if over_time else _DRAWN
    # What the study does not put in an order of its own stands in that of the model.
    liked = shown.pictured or [n for n in fitting if n in written.results[:most]]
    names = [n for n in liked if n in fitting][:most] or fitting[-most:]
    return bool(over_time), names or [kept[0]], max(len(fitting) - len(names), 0)


def _print_head(model: Model, data: xr.Dataset, words: Locale) -> None:
    print_title(model, words)
    total, a = data.sizes["chain"] * data.sizes["draw"], data.attrs
    design = a["design"] if words.code == "en" else words.phrases[a["design"]]
    print_line(words.say("drawn", total=f"{total:,}", chains=data.sizes["chain"], design=design, seed=a["seed"]))


def _print_lines(head: str, lines: Sequence[str]) -> None:
    """Print some lines under a head, if there are any."""
    for text in ("", head, *(f"  {line}" for line in lines)) if lines else ():
        print_line(text)


def _levels(text: str) -> list[float]:
    """Levels of quantiles, as they are given with ``--probs``."""
    from demandsim.errors import DemandsimError

    try:
        levels = [float(word) for word in text.split(",") if word.strip()]
    except ValueError:
        levels = [math.nan]
    if not all(0 < level < 1 for level in levels):
        raise DemandsimError(
            f"--probs are shares between 0 and 1, separated by commas, such as 0.01,0.99; not '{text}'"
        )
    return levels


def _print_summary(model: Model, table: Sequence[Row], summary: xr.Dataset, errors: bool, words: Locale) -> None:
    """Print a line a quantity, those over time with a column a year, and name those by further labels."""
    scenarios = set(model.scenarios.dims)
    further = [set(row.labels) - scenarios for row in table]
    time = model.presentation.time
    paired = list(zip(table, further, strict=True))
    _print_plain([row for row, dims in paired if not dims], summary, errors, words)
    _print_timed([row for row, dims in paired if dims and dims <= set(time)], time, summary, words)
    _print_left_out(table, words)
    others = dict.fromkeys(named(words, row.quantity, row.long_name) for row, dims in paired if not dims <= set(time))
    if others:
        print_line()
        print_line(words.say("by_labels", names=words.say("comma").join(others)))


def _print_left_out(table: Sequence[Row], words: Locale) -> None:
    """Say in how many draws a quantity has no value, label by label where these are few."""
    groups: dict[tuple[str, bool], list[Row]] = {}
    for row in table:
        if row.share_left_out:
            groups.setdefault((named(words, row.quantity, row.long_name), row.never), []).append(row)
    for (name, never), members in groups.items():
        least, most = (pick(row.share_left_out for row in members) for pick in (min, max))
        said = percent(most, 1) if least == most else words.phrases[" to "].join((percent(least, 1), percent(most, 1)))
        if least != most and len(members) <= _WIDEST:
            labels = (", ".join(words.label(label) for label in row.labels.values()) for row in members)
            said = words.say("comma").join(
                f"{label} {percent(row.share_left_out, 1)}" for row, label in zip(members, labels, strict=True)
            )
        print_line(words.say("never" if never else "no_numbers", name=name, share=said))


def _by_scenario(rows: Sequence[Row], words: Locale, time: Sequence[str] = ()) -> list[tuple[str, list[Row]]]:
    """Rows of each scenario; those that are the same in every scenario come first, once."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        label = ", ".join(words.label(value) for dim, value in row.labels.items() if dim not in time)
        groups.setdefault(label, []).append(row)
    return sorted(groups.items(), key=lambda item: item[0] != "")


def _print_plain(rows: Sequence[Row], summary: xr.Dataset, errors: bool, words: Locale) -> None:
    singles = single_values(rows)
    shown = heads(summary.statistic.values.tolist(), summary.attrs["prob"], hdi=summary.attrs["kind"] == "hdi")
    # All intervals of a highest density set stand in one cell.
    spans = [Column("HDI", "text")] * ("lower_1" in summary.statistic)
    told = shown if errors else {"mean": "mean"}
    # Quantiles stand or fall together where the terminal is narrow.
    said = {head: words.phrases["mean"] if head == "mean" else head for head in shown}
    numbers = [Column(said[head], joined=place > 1) for place, head in enumerate(shown)]
    mcse = [Column(words.say("mcse_of", head=said[head]), "error", of=said[head]) for head in told]
    single_heads = [words.say(f"head_{key}") for key in singles]
    for label, members in _by_scenario(rows, words):
        lines = []
        for row in members:
            cells = [row.shown(row.statistics[name]) for name in shown.values()]
            cells += [row.shown(row.statistics[f"mcse_{name}"], 2) for name in told.values()]
            texts = [row.spans(words.phrases[" to "], words.phrases["and"]) for _ in spans]
            name = named(words, row.quantity, row.long_name)
            lines.append([name, *map(row.single, singles), *texts, *cells, row.readable_unit])
        print_line()
        head, unit = Column(label or words.say("everywhere"), "name"), Column(words.say("unit"), "unit")
        print_table([head, *single_heads, *spans, *numbers, *mcse, unit], lines)


def _print_timed(rows: Sequence[Row], time: Sequence[str], summary: xr.Dataset, words: Locale) -> None:
    """A line a quantity and a column a year: the median, and the interval in brackets."""
    results = [row for row in rows if row.role == "derived"]
    if not results:
        return
    times = list(dict.fromkeys(_time(row, time) for row in results))
    shown = times[:: -math.ceil(len(times) / _WIDEST)][::-1]
    for label, members in _by_scenario(results, words, time):
        lines = []
        for name in dict.fromkeys(row.quantity for row in members):
            cells = {_time(row, time): row for row in members if row.quantity == name}
            first = next(iter(cells.values()))
            said = named(words, first.quantity, first.long_name)
            lines.append([said, *(_cell(cells.get(moment)) for moment in shown), first.readable_unit])
        print_line()
        head, last = Column(label or words.say("everywhere"), "name"), Column(words.say("unit"), "unit")
        print_table([head, *shown, last], lines)
    which = "medians_hdi" if summary.attrs["kind"] == "hdi" else "medians_eti"
    print_line(words.say(which, prob=f"{summary.attrs['prob']:.0%}"))


def _time(row: Row, time: Sequence[str]) -> str:
    return next(str(row.labels[dim]) for dim in time if dim in row.labels)


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    middle = row.shown(row.statistics["median"], 3)
    ends = [[row.shown(end, 3) for end in pair] for pair in intervals(row.statistics)]
    return middle if ends == [[middle, middle]] else f"{middle} ({'; '.join(map(', '.join, ends))})"
