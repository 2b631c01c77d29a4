"""``demandsim sensitivity``: which assumptions matter, as table and pictures."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

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
from demandsim.cli._output import check_folder, open_console, print_table, replay, say, writing
from demandsim.cli._study import loaded
from demandsim.cli._summary_tables import TIME
from demandsim.errors import check_known
from demandsim.statistics.table import csv_text
from demandsim.units.format import number

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["sensitivity"]

#: Years that fit beside each other in a picture.
_SIDE_BY_SIDE = 4


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
    from demandsim.plots.words import locale_of
    from demandsim.sensitivity import shapley, sobol, tornado
    from demandsim.statistics.estimators import check_prob

    check_prob(prob)
    locale_of(locale.value)
    model = loaded(study, set_, scenario)
    names = of or ["gross_margin" if "gross_margin" in model.equations else list(model.equations)[-1]]
    check_known(names, model.quantities, "quantity")
    folder = out / (model.notes.name or Path(study).stem)
    check_folder(folder)
    moved = tornado(model, names, prob=prob)
    drawn: Callable[..., Any] = plots.sobol
    try:
        shares = sobol(model, names, draws=draws, chains=chains, seed=seed, prob=prob)
    except CorrelationError:
        say("note: assumptions are correlated, which Sobol' indices do not allow; Shapley effects are used instead")
        drawn = plots.shapley
        shares = shapley(model, names, draws=draws, chains=chains, seed=seed, prob=prob)
    files = [folder / "tornado.png", folder / f"{drawn.__name__}.png"]
    with writing(folder):
        plots.save(plots.tornado(_one_dim(moved, ("assumption", "end")), locale=locale.value), files[0])
        plots.save(drawn(_one_dim(shares, ("quantity", "assumption", "assumption_2")), locale=locale.value), files[1])
    records = list(_matters(moved, shares))
    if format_ is Format.JSON:
        attrs = {k: v for k, v in shares.attrs.items() if isinstance(v, (str, int, float))}
        sys.stdout.write(json.dumps({**attrs, "rows": records}, indent=2))
    elif format_ is Format.CSV:
        sys.stdout.write(csv_text(records))
    else:
        _print_matters(model, records, moved, shares, prob)
    say(f"written: {', '.join(str(path) for path in files)}")
    attrs = {**shares.attrs, "draws": draws, "chains": chains}
    say(f"replay:  {replay('sensitivity', study, attrs, 'sobol', prob, set_, scenario, names)}")


def _one_dim(data: xr.Dataset, inner: Sequence[str]) -> xr.Dataset:
    """Leave one dim for panels to stand side by side, scenarios rather than years; of the others the last label."""
    others = [str(dim) for dim in data[list(data.data_vars)].reset_coords(drop=True).dims if dim not in inner]
    beside = next((dim for dim in others if dim not in TIME), None)
    beside = beside or next((dim for dim in others if data.sizes[dim] <= _SIDE_BY_SIDE), None)
    left = [dim for dim in others if dim != beside]
    for dim in left:
        say(f"note: the pictures show {dim} {data[dim].values[-1]}; the table has all")
    return data.isel(dict.fromkeys(left, -1))


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
                    setting = moved["setting"].sel(member=assumption, end=end)
                    setting = setting.sel({d: v for d, v in place.items() if d in setting.dims})
                    low, high = float(setting.min()), float(setting.max())
                    record[end] = low if low == high else f"{number(low)} to {number(high)}"
                record["assumption_unit"] = str(moved["setting_units"].sel(member=assumption).item())
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
    model: Model, records: Sequence[dict[str, Any]], moved: xr.Dataset, shares: xr.Dataset, prob: float
) -> None:
    from demandsim.plots.tornado import setting_in_words
    from demandsim.plots.words import locale_of
    from demandsim.units.format import readable

    labels = [str(dim) for dim in moved.dims if dim not in ("assumption", "end", "member")]
    english = locale_of("en")
    heads = {"first_order": "alone", "total_order": "with interactions", "effect": "Shapley effect"}
    kinds = [kind for kind in heads if kind in shares]
    console = open_console()
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
            low, high = (setting_in_words(moved, record["assumption"], e, record, english) for e in ("low", "high"))
            cells = [low, number(record["at_low"] / divisor), high, number(record["at_high"] / divisor)]
            grid.add_row(record["assumption"], *cells, *(_share(record, kind) for kind in kinds))
        print_table(grid)


def _share(record: dict[str, Any], kind: str) -> str:
    share = record.get(kind, math.nan)
    if math.isnan(share):
        return "-"
    return f"{share:.1%} ({100 * record[f'{kind}_lower']:.1f} to {100 * record[f'{kind}_upper']:.1f})"
