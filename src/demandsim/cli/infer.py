"""``demandsim infer``: what the assumptions are, given what was observed: prior against posterior."""

from __future__ import annotations

import enum
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from demandsim._system import written_whole
from demandsim.cli._learning import Learned, as_csv, learned
from demandsim.cli._observing import EventOption, ObserveOption, again, observing
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
from demandsim.cli._output import busy, check_folder, finite_or_null, open_console, print_table, replay, say, writing
from demandsim.cli._study import loaded
from demandsim.units.convert import conversion_factor
from demandsim.units.format import label_value, number

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["infer"]

#: Labels of one quantity, such as years, in the printed table; the files hold all.
_LABELS = 8
#: Scenarios of a picture, at most.
_SIDE_BY_SIDE = 4


class MethodName(enum.StrEnum):
    """How the posterior is drawn."""

    AUTO = "auto"
    IMPORTANCE = "importance"
    ENSEMBLE = "ensemble"


class OnFailure(enum.StrEnum):
    """What happens to a posterior that cannot be trusted."""

    RAISE = "raise"
    WARN = "warn"


def infer(
    study: StudyArgument,
    observe: ObserveOption = [],  # noqa: B006  typer reads the default and never changes it
    event: EventOption = [],  # noqa: B006
    draws: Annotated[int, typer.Option(help="Draws per chain, of prior and posterior, a power of two.")] = 2048,
    chains: ChainsOption = 8,
    seed: SeedOption = None,
    method: Annotated[MethodName, typer.Option(help="Weights, a sampler, or weights where they suffice.")] = (
        MethodName.AUTO
    ),
    on_failure: Annotated[
        OnFailure, typer.Option(help="If evidence contradicts the prior, or draws have not converged.")
    ] = OnFailure.RAISE,
    prob: ProbOption = 0.9,
    set_: SetOption = [],  # noqa: B006
    scenario: ScenarioOption = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="Folder for draws, summary and picture.")] = Path("out"),
    format_: FormatOption = Format.TABLE,
    locale: LocaleOption = LocaleName.EN,
) -> None:
    """Learn from evidence: print prior against posterior, write the posterior's draws, summary and picture."""
    from demandsim.plots.words import locale_of
    from demandsim.statistics.estimators import check_prob

    check_prob(prob)
    locale_of(locale.value)
    model = observing(loaded(study, set_, scenario), observe, event)
    if not model.evidence:
        raise typer.BadParameter(
            f"study '{study}' holds no evidence of its own (no [[evidence]] tables); say what was observed, such as "
            '--observe "NAME=normal(mean=80e9, sd=15e9)" or --event "NAME < 0"',
            param_hint="--observe",
        )
    folder = out / (model.notes.name or Path(study).stem) / "posterior"
    check_folder(folder)
    with busy("inferring"):
        posterior = model.infer(draws, chains=chains, seed=seed, method=method.value, on_failure=on_failure.value)
        prior = model.simulate(draws, chains=chains, seed=int(posterior.attrs["seed"]))
    with busy("summarizing"):
        records = list(learned(model, prior, posterior, prob))
    with busy("writing draws, summary and picture"):
        written = _write(prior, posterior, records, folder, model.program.layout.scenario_dims, locale)
    if format_ is Format.JSON:
        attrs: dict[str, Any] = {k: v for k, v in posterior.attrs.items() if isinstance(v, (str, int, float))}
        attrs |= {"evidence": json.loads(attrs["evidence"]), "receipt": json.loads(attrs["receipt"])}
        sys.stdout.write(
            json.dumps(
                finite_or_null({**attrs, "prob": prob, "rows": [one.record for one in records]}),
                indent=2,
                allow_nan=False,
            )
        )
    elif format_ is Format.CSV:
        sys.stdout.write(as_csv(records))
    else:
        _print(model, posterior, records, prob)
    say(f"written: {', '.join(str(path) for path in written)}")
    extra = ["--method", method.value] if method is not MethodName.AUTO else []
    extra += ["--on-failure", on_failure.value] if on_failure is not OnFailure.RAISE else []
    words = replay("infer", study, posterior.attrs, "sobol", prob, set_, scenario)
    say(f"replay:  {again(words, observe, event, extra)}")


def _write(
    prior: xr.Dataset,
    posterior: xr.Dataset,
    records: Sequence[Learned],
    folder: Path,
    scenarios: Sequence[str],
    locale: LocaleName,
) -> list[Path]:
    from demandsim import plots
    from demandsim.sampling.store.netcdf import write_netcdf

    files = [folder / "draws.nc", folder / "summary.csv", folder / "posterior.png"]
    with writing(folder):
        write_netcdf(posterior, files[0])
        with written_whole(files[1]) as unfinished:
            unfinished.write_text(as_csv(records), encoding="utf-8")
        posterior = _few(posterior, scenarios)
        plots.save(plots.posterior(posterior, prior, locale=locale.value), files[2])
        for name, seen in _series(posterior):
            files.append(folder / f"{name}.png")
            plots.save(plots.fan(posterior, name, published={name: seen}, locale=locale.value), files[-1])
    return files


def _series(posterior: xr.Dataset) -> Iterator[tuple[str, xr.DataArray]]:
    """What was observed over years or dates, and nothing else: medians of the evidence, to be marked in a fan."""
    import numpy as np
    import xarray as xr

    pieces = [piece for piece in json.loads(posterior.attrs["evidence"]) if "quantity" in piece]
    for name in dict.fromkeys(piece["quantity"] for piece in pieces):
        array = posterior[name]
        along = next((d for d in ("year", "date") if d in array.dims), None)
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


def _few(posterior: xr.Dataset, scenarios: Sequence[str]) -> xr.Dataset:
    """As many scenarios as stand side by side in a picture."""
    for dim in scenarios:
        if posterior.sizes.get(dim, 0) > _SIDE_BY_SIDE:
            posterior = posterior.isel({dim: slice(_SIDE_BY_SIDE)})
            shown = ", ".join(str(label) for label in posterior[dim].values)
            say(f"note: the pictures show {dim} {shown}; --scenario chooses another")
    return posterior


def _print(model: Model, posterior: xr.Dataset, records: Sequence[Learned], prob: float) -> None:
    console, a = open_console(), posterior.attrs
    console.print(model.notes.title or model.notes.name or "model", style="bold", markup=False)
    for piece in model.evidence:
        source = f"; {piece.source}" if piece.source else ""
        coords = piece.distribution.coords if hasattr(piece, "distribution") else {}
        where = "".join(f", {dim} {' '.join(map(str, labels))}" for dim, labels in coords.items())
        console.print(f"evidence: {piece}{where}{source}", markup=False, soft_wrap=True)
    total = posterior.sizes["chain"] * posterior.sizes["draw"]
    likelihood = a["log_marginal_likelihood"]
    shown = ", ".join(
        number(float(value), 3) for value in (likelihood if isinstance(likelihood, list) else [likelihood])
    )
    distance = f"; evidence {a['prior_distance']:.1f} sd from the prior" if "prior_distance" in a else ""
    console.print(
        f"{total:,} draws in {posterior.sizes['chain']} chains, seed {a['seed']}; method {a['method']}, k-hat "
        f"{a['khat']:.2f}, ESS {a['ess']:,.0f}, R-hat {a['rhat']:.3f}; log marginal likelihood {shown}{distance}",
        markup=False,
        soft_wrap=True,
    )
    _print_tables(model, records, prob)


def _print_tables(model: Model, records: Sequence[Learned], prob: float) -> None:
    from demandsim.units.format import readable

    console, tail = open_console(), 100 * (1 - prob) / 2
    ends = (f"P{tail:g}", "P50", f"P{100 - tail:g}")
    scenarios = model.program.layout.scenario_dims
    groups: dict[str, dict[str, list[Learned]]] = {}
    for one in records:
        group = ", ".join(str(v) for d, v in one.labels.items() if d in scenarios)
        groups.setdefault(group, {}).setdefault(one.quantity, []).append(one)
    left_out = False
    for group, quantities in sorted(groups.items(), key=lambda item: item[0] != ""):
        console.print()
        grid = Table(title=None)
        grid.add_column(group or "in every scenario" if scenarios else "", no_wrap=True)
        for head in (*(f"prior {end}" for end in ends), *(f"posterior {end}" for end in ends), "shift, sd", "unit"):
            grid.add_column(head, justify="left" if head == "unit" else "right", no_wrap=True)
        for members in quantities.values():
            step = math.ceil(len(members) / _LABELS)
            left_out |= step > 1
            for one in members[::-1][::step][::-1]:
                inner = [str(v) for d, v in one.labels.items() if d not in scenarios]
                n = one.numbers
                ends_of = [
                    n[f"{kind}_{end}"] for kind in ("prior", "posterior") for end in ("lower", "median", "upper")
                ]
                divisor, unit = readable(one.unit, abs(n["posterior_median"]))
                shift = f"{n['shift']:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0")
                grid.add_row(", ".join([one.quantity, *inner]), *(number(v / divisor) for v in ends_of), shift, unit)
        print_table(grid)
    console.print()
    console.print(
        "shift: where the posterior's median lies in the prior, in its standard deviations"
        + ("; summary.csv has all labels" if left_out else ""),
        markup=False,
    )
