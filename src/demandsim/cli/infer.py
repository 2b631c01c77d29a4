"""``demandsim infer``: what the assumptions are, given what was observed: prior against posterior."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import Folder, Results, busy, print_line, print_table, print_title, progress, say
from demandsim.cli._study import NO_CELLS, Call, Cells, of_cells
from demandsim.cli._table import Column
from demandsim.cli._words import named, scale_of
from demandsim.graph.presentation import time_dims
from demandsim.units.convert import conversion_factor
from demandsim.units.format import label_value, number

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model
    from demandsim.plots.words import Locale

__all__ = ["infer"]

#: Labels of one quantity, such as years, in the printed table; the files hold all.
_LABELS = 8
#: Scenarios of a picture, at most.
_SIDE_BY_SIDE = 4


class MethodName(enum.StrEnum):
    """How the posterior is drawn."""

    AUTO = "auto"
    IMPORTANCE = "importance"
    CONDITIONAL = "conditional"
    ADAPTIVE = "adaptive"
    ENSEMBLE = "ensemble"


class OnFailure(enum.StrEnum):
    """What happens to a posterior that cannot be trusted."""

    RAISE = "raise"
    WARN = "warn"


@of_cells
def infer(
    study: option.Study,
    observe: option.Observe = [],  # noqa: B006  typer reads the default and never changes it
    event: option.Event = [],  # noqa: B006
    draws: Annotated[
        int, typer.Option(min=1, metavar="NUMBER", help="Draws per chain, of prior and posterior, a power of two.")
    ] = 2048,
    chains: option.Chains = 8,
    seed: option.Seed = None,
    method: Annotated[
        MethodName,
        typer.Option(help="Weights, weights of an adapted proposal, populations, or the first that suffices."),
    ] = (MethodName.AUTO),
    on_failure: Annotated[
        OnFailure, typer.Option(help="If evidence contradicts the prior, or draws have not converged.")
    ] = OnFailure.RAISE,
    prob: option.Prob = 0.9,
    set_: option.Set = [],  # noqa: B006
    cells: Cells = NO_CELLS,
    scenario: option.Scenario = [],  # noqa: B006
    out: option.Out = Path("out"),
    name: option.Name = None,
    format_: option.PrintAs = [],  # noqa: B006
    locale: option.Locale = option.LocaleName.EN,
) -> None:
    """Learn from evidence: print prior against posterior, write the posterior's draws, summary and picture."""
    from demandsim.sampling.receipt import receipt
    from demandsim.statistics.datatree import told_evidence

    call = Call(
        "infer", study, chains, seed, prob, set_, scenario, out, format_, locale, observe, event, as_=name, cells=cells
    )
    model, words = call.model(), call.words
    if not model.evidence:
        raise typer.BadParameter(
            f"study '{study}' holds no evidence of its own (no [[evidence]] tables); say what was observed, such as "
            '--observe "NAME=normal(mean=80e9, sd=15e9)" or --event "NAME < 0"',
            param_hint="--observe",
        )
    folder = call.folder(model, "posterior")
    with progress(words.say("inferring")) as advance:
        posterior = model.infer(
            draws, chains=chains, seed=seed, method=method.value, on_failure=on_failure.value, progress=advance
        )
        prior = model.simulate(draws, chains=chains, seed=int(posterior.attrs["seed"]))
    with busy(words.say("summarizing")):
        rows = list(_learned(model, prior, posterior, prob))
    a = posterior.attrs
    more = {"evidence": told_evidence(posterior), "receipt": receipt(posterior), "prob": prob}
    labels = list(dict.fromkeys(dim for row in rows for dim in row.labels))
    results = Results([row.record for row in rows], a, labels, more)
    with busy(words.say("writing_files")):
        folder.add_draws(posterior)
        folder.add_text("summary.csv", results.csv)
        _add_pictures(folder, prior, _few(posterior, model.program.layout.scenario_dims, words), call.pictured)
    again = ["--method", method.value] if method is not MethodName.AUTO else []
    again += ["--on-failure", on_failure.value] if on_failure is not OnFailure.RAISE else []

    def printed() -> None:
        _print_head(model, posterior, words)
        _print_learned(model, rows, prob, words)

    results.print(call.printed, printed, folder.written, call.replay_of(posterior, more=again), words)


@dataclass(frozen=True)
class Learned:
    """One quantity at one label: its interval before and after the evidence, in the declared unit."""

    quantity: str
    long_name: str
    labels: dict[str, Any]
    role: str
    unit: str
    numbers: dict[str, float]

    @property
    def record(self) -> dict[str, Any]:
        """All of it, flat."""
        return {"quantity": self.quantity, **self.labels, "role": self.role, "unit": self.unit, **self.numbers}


def _learned(model: Model, prior: xr.Dataset, posterior: xr.Dataset, prob: float) -> Iterator[Learned]:
    """Everything that varies from draw to draw."""
    import numpy as np
    from scipy import special

    from demandsim.statistics.summarize import summarize
    from demandsim.statistics.table import rows

    moving = [n for n in model.quantities if {"chain", "draw"} <= set(posterior[n].dims) & set(prior[n].dims)]
    before = summarize(prior[moving], prob=prob)
    for row in rows(summarize(posterior[moving], prob=prob), model.point()):
        array = prior[row.quantity]
        # A posterior may differ between scenarios where the prior does not.
        here = {d: v for d, v in row.labels.items() if d in array.dims}
        values = np.sort(array.sel(here).values.ravel())
        if values[0] == values[-1]:
            continue
        old = before[row.quantity].sel(here)
        numbers = {f"prior_{end}": float(old.sel(statistic=end)) for end in ("lower", "median", "upper")}
        numbers |= {f"posterior_{end}": row.statistics[end] for end in ("lower", "median", "upper", "mcse_median")}
        # Where the median of the posterior lies among draws of the prior, as a normal score.
        below = np.searchsorted(values, row.statistics["median"], "left")
        above = np.searchsorted(values, row.statistics["median"], "right")
        numbers["shift"] = float(special.ndtri((0.5 * (below + above) + 0.5) / (values.size + 1)))
        yield Learned(row.quantity, row.long_name, row.labels, row.role, row.unit, numbers)


def _add_pictures(folder: Folder, prior: xr.Dataset, posterior: xr.Dataset, locale: str) -> None:
    from demandsim import plots

    folder.add_picture("posterior", plots.posterior, posterior, prior, locale=locale)
    for name, seen in _series(posterior):
        folder.add_picture(name, plots.fan, posterior, name, published={name: seen}, locale=locale)


def _series(posterior: xr.Dataset) -> Iterator[tuple[str, xr.DataArray]]:
    """What was observed over years or dates, and nothing else: medians of the evidence, to be marked in a fan."""
    import numpy as np
    import xarray as xr

    from demandsim.statistics.datatree import observations

    pieces = observations(posterior)
    for name in dict.fromkeys(piece["quantity"] for piece in pieces):
        array = posterior[name]
        along = next(iter(time_dims(array)), None)
        if along is None or len(array.dims) > 4:
            continue
        seen = xr.DataArray(np.full(array.sizes[along], np.nan), coords={along: array[along].values}, dims=along)
        places = {label_value(label): place for place, label in enumerate(array[along].values)}
        for piece in pieces:
            if piece["quantity"] == name and list(piece["coords"]) == [along]:
                values = zip(piece["coords"][along], np.ravel(piece["observed"]), strict=True)
                for label, value in values:
                    seen[places[label]] = value * conversion_factor(piece["unit"], array.attrs["units"])
        yield name, seen.assign_attrs(units=array.attrs["units"])


def _few(posterior: xr.Dataset, scenarios: Sequence[str], words: Locale) -> xr.Dataset:
    """As many scenarios as stand side by side in a picture."""
    for dim in scenarios:
        if posterior.sizes.get(dim, 0) > _SIDE_BY_SIDE:
            posterior = posterior.isel({dim: slice(_SIDE_BY_SIDE)})
            shown = words.say("comma").join(map(words.label, posterior[dim].values))
            say(words.say("pictures_show_some", dim=words.dim(dim), labels=shown))
    return posterior


def _print_head(model: Model, posterior: xr.Dataset, words: Locale) -> None:
    import numpy as np

    a = posterior.attrs
    print_title(model, words)
    for piece in model.evidence:
        source = words.say("separator") + words.text(piece.source) if piece.source else ""
        coords = piece.distribution.coords if hasattr(piece, "distribution") else {}
        places = (f"{words.dim(dim)} {' '.join(map(words.label, labels))}" for dim, labels in coords.items())
        where = "".join(words.say("comma") + place for place in places)
        print_line(words.say("evidence", piece=f"{piece}{where}{source}"))
    total = posterior.sizes["chain"] * posterior.sizes["draw"]
    logs, errors = (np.atleast_1d(a[f"log_marginal_likelihood{kind}"]) for kind in ("", "_mcse"))
    shown = ", ".join(
        f"{number(float(value), 4)} ± {number(float(error), 2)}" for value, error in zip(logs, errors, strict=True)
    )
    distance = words.say("from_prior", sd=f"{a['prior_distance']:.1f}") if "prior_distance" in a else ""
    how = {"method": a["method"], "khat": f"{a['khat']:.2f}", "ess": f"{a['ess']:,.0f}", "rhat": f"{a['rhat']:.3f}"}
    counts = {"total": f"{total:,}", "chains": posterior.sizes["chain"], "seed": a["seed"]}
    print_line(words.say("inferred", **counts, **how, likelihood=shown) + distance)


def _print_learned(model: Model, rows: Sequence[Learned], prob: float, words: Locale) -> None:
    """Print a table per scenario: a line a quantity, or a few where it has many labels."""
    tail = 100 * (1 - prob) / 2
    ends = (f"P{tail:g}", "P50", f"P{100 - tail:g}")
    kinds = map(words.say, ("prior", "posterior"))
    heads = [Column(f"{kind} {end}", joined=end != ends[0]) for kind in kinds for end in ends]
    heads += [Column(words.say("shift")), Column(words.say("unit"), "unit")]
    scenarios = model.program.layout.scenario_dims
    groups: dict[str, dict[str, list[Learned]]] = {}
    for row in rows:
        group = ", ".join(words.label(v) for d, v in row.labels.items() if d in scenarios)
        groups.setdefault(group, {}).setdefault(row.quantity, []).append(row)
    left_out = False
    for title, quantities in sorted(groups.items(), key=lambda item: item[0] != ""):
        steps = [math.ceil(len(members) / _LABELS) for members in quantities.values()]
        left_out |= max(steps) > 1
        members = zip(quantities.values(), steps, strict=True)
        shown = [row for rows, step in members for row in rows[::-step][::-1]]
        print_line()
        first = title or words.say("everywhere") if scenarios else ""
        lines = [_cells(row, scenarios, words) for row in shown]
        print_table((Column(first, "name"), *heads), lines)
    print_line()
    print_line(words.say("shift_is") + (words.say("has_all_labels") if left_out else ""))


def _cells(row: Learned, scenarios: Sequence[str], words: Locale) -> list[str]:
    """A line of the printed table."""
    n = row.numbers
    inner = [words.label(v) for d, v in row.labels.items() if d not in scenarios]
    ends = [n[f"{kind}_{end}"] for kind in ("prior", "posterior") for end in ("lower", "median", "upper")]
    divisor, unit = scale_of(words)(row.unit, abs(n["posterior_median"]))
    shift = f"{n['shift']:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0")
    name = words.say("comma").join([named(words, row.quantity, row.long_name), *inner])
    return [name, *(number(v / divisor) for v in ends), shift, unit]
