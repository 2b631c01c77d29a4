"""``demandsim sensitivity``: which assumptions matter, as table and pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from demandsim.cli import _options as option
from demandsim.cli._output import Results, print_line, print_table, print_title, progress, say
from demandsim.cli._study import NO_CELLS, Call, Cells, of_cells
from demandsim.cli._table import Column
from demandsim.cli._words import named, scale_of
from demandsim.errors import check_known
from demandsim.graph.presentation import time_dims
from demandsim.statistics.ranking import ranked
from demandsim.statistics.table import places
from demandsim.units.format import number

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model
    from demandsim.plots.words import Locale

__all__ = ["sensitivity"]

#: Years that fit beside each other in a picture.
_SIDE_BY_SIDE = 4


@of_cells
def sensitivity(
    study: option.Study,
    of: Annotated[list[str], typer.Option(help="Results to explain; by default the first that the study names.")] = [],  # noqa: B006
    draws: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Base points per chain, a power of two.")] = 1024,
    chains: option.Chains = 8,
    seed: option.Seed = None,
    prob: option.Prob = 0.9,
    set_: option.Set = [],  # noqa: B006
    cells: Cells = NO_CELLS,
    scenario: option.Scenario = [],  # noqa: B006
    out: option.Out = Path("out"),
    name: option.Name = None,
    format_: option.PrintAs = [],  # noqa: B006
    locale: option.Locale = option.LocaleName.EN,
) -> None:
    """Find out which assumptions matter: print tornado and shares of variance, write both as pictures."""
    from demandsim import plots
    from demandsim.sensitivity import tornado

    call = Call("sensitivity", study, chains, seed, prob, set_, scenario, out, format_, locale, as_=name, cells=cells)
    model = call.model()
    names = list(of or model.presentation.explained[:1])
    check_known(names, model.quantities, "quantity")
    folder = call.folder(model)
    moved = tornado(model, names, prob=prob)
    kind, shares = _shares(model, names, draws, call)
    inner = ("quantity", "assumption", "assumption_2", "end")
    folder.add_picture("tornado", plots.tornado, _one_dim(moved, inner, call.words), locale=call.pictured)
    folder.add_picture(kind, getattr(plots, kind), _one_dim(shares, inner, call.words), locale=call.pictured)
    records = list(_matters(moved, shares))
    Results(records, shares.attrs).print(
        call.printed,
        lambda: _print_matters(model, records, moved, shares, call),
        folder.written,
        call.replay(shares.attrs["seed"], draws, of=names),
        call.words,
    )


def _shares(model: Model, names: Sequence[str], draws: int, call: Call) -> tuple[str, xr.Dataset]:
    """Shares of variance, and of which kind they are."""
    from demandsim.errors import CorrelationError
    from demandsim.sensitivity import shapley, sobol

    settings: dict[str, Any] = {"draws": draws, "chains": call.chains, "seed": call.seed, "prob": call.prob}
    try:
        with progress(call.words.say("explaining")) as advance:
            return "sobol", sobol(model, names, **settings, progress=advance)
    except CorrelationError:
        say(call.words.say("by_shapley"))
        with progress(call.words.say("explaining")) as advance:
            return "shapley", shapley(model, names, **settings, progress=advance)


def _one_dim(data: xr.Dataset, inner: Sequence[str], words: Locale) -> xr.Dataset:
    """Leave one dim for panels to stand side by side, scenarios rather than years; of the others the last label."""
    others = [str(dim) for dim in data[list(data.data_vars)].reset_coords(drop=True).dims if dim not in inner]
    time = time_dims(data)
    beside = next((dim for dim in others if dim not in time), None)
    beside = beside or next((dim for dim in others if data.sizes[dim] <= _SIDE_BY_SIDE), None)
    left = [dim for dim in others if dim != beside]
    for dim in left:
        say(words.say("pictures_show", dim=words.dim(dim), labels=words.label(data[dim].values[-1])))
    return data.isel(dict.fromkeys(left, -1))


def _labels(moved: xr.Dataset | xr.DataArray) -> list[str]:
    return [str(dim) for dim in moved.dims if dim not in ("assumption", "end", "member")]


def _matters(moved: xr.Dataset, shares: xr.Dataset) -> Iterator[dict[str, Any]]:
    """One record per quantity, label and assumption, in the declared units, the widest swing first."""
    kinds = [str(n) for n in shares.data_vars if str(n) + "_lower" in shares and "assumption_2" not in shares[n].dims]
    for name in map(str, shares.quantity.values):
        array, unit = moved[name], str(moved[name].attrs.get("units", "1"))
        for place in places(array, _labels(array)):
            here, share = array.sel(place), shares.sel({d: v for d, v in place.items() if d in shares.dims})
            swing = here.max("end") - here.min("end")
            for assumption in map(str, here.assumption.values[ranked(swing, here.assumption.values)]):
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
    model: Model, records: Sequence[dict[str, Any]], moved: xr.Dataset, shares: xr.Dataset, call: Call
) -> None:
    from demandsim.plots.panels import long_names
    from demandsim.plots.tornado import setting_in_words

    words = call.words
    labels = long_names(moved, "assumption")
    kinds = [kind for kind in ("first_order", "total_order", "effect") if kind in shares]
    print_title(model, words)
    a, runs = shares.attrs, f"{int(shares.attrs.get('model_runs', 0)):,}"
    print_line(words.say("moved_by", runs=runs, chains=a["chains"], seed=a["seed"], prob=f"{call.prob:.0%}"))
    result = words.say("result")
    columns: list[Column | str] = [
        Column(words.say("assumption"), "name"),
        words.say("low"),
        Column(result, joined=True),
        words.say("high"),
        Column(result, joined=True),
        *(Column(words.say(f"head_{kind}"), joined=kind != kinds[0]) for kind in kinds),
    ]
    tables: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in records:
        key = (record["quantity"], *(record[dim] for dim in _labels(moved) if dim in record))
        tables.setdefault(key, []).append(record)
    for key, members in tables.items():
        ends = [abs(record[f"at_{end}"]) for record in members for end in ("low", "high")]
        divisor, unit = scale_of(words)(members[0]["unit"], max(ends))
        quantity = named(words, key[0], moved[key[0]].attrs.get("long_name"))
        title = words.say("comma").join([quantity, *map(words.label, key[1:])])
        print_line()
        base = f"{number(members[0]['at_base'] / divisor)} {unit}".rstrip()
        print_line(words.say("said_of", what=title, said=base))
        lines = []
        for record in members:
            if record["low"] == record["high"] and record["at_low"] == record["at_high"]:
                continue  # A sure value here, which is uncertain in another scenario.
            low, high = (setting_in_words(moved, record["assumption"], e, record, words) for e in ("low", "high"))
            cells = [low, number(record["at_low"] / divisor), high, number(record["at_high"] / divisor)]
            name = named(words, record["assumption"], labels.get(record["assumption"]))
            lines.append([name, *cells, *(_share(record, kind, words) for kind in kinds)])
        print_table(columns, lines)


def _share(record: dict[str, Any], kind: str, words: Locale) -> str:
    share = record.get(kind, math.nan)
    if math.isnan(share):
        return "-"
    said = [f"{100 * value:.1f}" for value in (share, record[f"{kind}_lower"], record[f"{kind}_upper"])]
    own, *ends = ("0.0" if text == "-0.0" else text for text in said)
    return f"{own}% ({words.phrases[' to '].join(ends)})"
