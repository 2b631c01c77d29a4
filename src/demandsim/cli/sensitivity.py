"""``demandsim sensitivity``: which assumptions matter, as table and pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from demandsim._system import repeated
from demandsim.cli import _options as option
from demandsim.cli._output import Folder, Results, print_line, print_table, print_title, progress, say
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
    method: Annotated[
        option.Method,
        typer.Option(
            help="Runs of the model for Sobol' indices (auto: Shapley effects if correlated), or only its draws: "
            "first order, PAWN and delta; total order and Shapley effects by nearest neighbours; HSIC."
        ),
    ] = option.Method.AUTO,
    input_: Annotated[
        list[str],
        typer.Option("--input", metavar="NAME", help="From draws: what explains, also what is computed; repeat it."),
    ] = [],  # noqa: B006
    group: Annotated[
        list[str], typer.Option("--group", metavar="NAME=A,B", help="What is known together, under a name; repeat it.")
    ] = [],  # noqa: B006
    given: Annotated[
        str | None, typer.Option(metavar="'NAME < NUMBER'", help="From draws: only those in which this happens.")
    ] = None,
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
    groups = dict(_group(item) for item in group)
    told = _Told(method, tuple(input_), groups, given)
    folder = call.folder(model)
    if told.from_draws:
        _print_told(told, model, names, draws, call, folder)
        return
    moved = tornado(model, names, prob=prob)
    kind, shares = _shares(told, model, names, draws, call)
    inner = ("quantity", "assumption", "assumption_2", "end")
    folder.add_picture("tornado", plots.tornado, _one_dim(moved, inner, call.words), locale=call.pictured)
    folder.add_picture(kind, getattr(plots, kind), _one_dim(shares, inner, call.words), locale=call.pictured)
    records = list(_matters(moved, shares))
    Results(records, shares.attrs).print(
        call.printed,
        lambda: _print_matters(model, records, moved, shares, call),
        folder.written,
        call.replay(shares.attrs["seed"], draws, of=names, more=told.words),
        call.words,
    )


def _group(item: str) -> tuple[str, list[str]]:
    name, mark, members = item.partition("=")
    if not mark or not name.strip() or not members.strip():
        raise typer.BadParameter(
            f"'{item}' is not NAME=A,B, such as price=token_price,card_price", param_hint="--group"
        )
    return name.strip(), [member.strip() for member in members.split(",")]


@dataclass(frozen=True)
class _Told:
    """How sensitivity is asked for.

    Parameters
    ----------
    method : Method
    inputs : tuple of str
    groups : mapping of str to list of str
    given : str, optional
    """

    method: option.Method
    inputs: tuple[str, ...]
    groups: dict[str, list[str]]
    given: str | None

    def __post_init__(self) -> None:
        if self.method in (option.Method.SOBOL, option.Method.SHAPLEY):
            for hint, asked in (("--input", self.inputs), ("--given", self.given)):
                if asked:
                    told = f"is of draws, and {self.method} runs the model; ask for --method given-data"
                    raise typer.BadParameter(told, param_hint=hint)

    @property
    def from_draws(self) -> bool:
        """Whether draws are enough."""
        own = (option.Method.GIVEN_DATA, option.Method.NEIGHBOURS, option.Method.HSIC)
        return self.method in own or bool(self.inputs or self.given)

    @property
    def words(self) -> list[str]:
        """The same as words of a command."""
        return [
            *(["--method", self.method.value] if self.method is not option.Method.AUTO else []),
            *repeated("--input", self.inputs),
            *repeated("--group", [f"{name}={','.join(own)}" for name, own in self.groups.items()]),
            *(["--given", self.given] if self.given else []),
        ]


def _shares(told: _Told, model: Model, names: Sequence[str], draws: int, call: Call) -> tuple[str, xr.Dataset]:
    """Shares of variance, and of which kind they are."""
    from demandsim.errors import CorrelationError
    from demandsim.sensitivity import shapley, sobol

    settings: dict[str, Any] = {"draws": draws, "chains": call.chains, "seed": call.seed, "prob": call.prob}
    settings["groups"] = told.groups or None
    try:
        if told.method is not option.Method.SHAPLEY:
            with progress(call.words.say("explaining")) as advance:
                return "sobol", sobol(model, names, **settings, progress=advance)
    except CorrelationError:
        if told.method is option.Method.SOBOL:
            raise
        say(call.words.say("by_shapley"))
    with progress(call.words.say("explaining")) as advance:
        return "shapley", shapley(model, names, **settings, progress=advance)


def _print_told(told: _Told, model: Model, names: Sequence[str], draws: int, call: Call, folder: Folder) -> None:
    """Print and draw what draws alone tell."""
    from demandsim import plots, sensitivity

    made = model.simulate(draws=draws, chains=call.chains, seed=call.seed)
    asked: dict[str, Any] = {"inputs": list(told.inputs) or None, "groups": told.groups or None, "given": told.given}
    settings: dict[str, Any] = asked | {"prob": call.prob}
    seed = int(made.attrs["seed"])
    if told.method is option.Method.NEIGHBOURS:
        with progress(call.words.say("explaining")) as advance:
            found = sensitivity.nearest_neighbours(made, names, **settings, seed=seed, progress=advance)
    elif told.method is option.Method.HSIC:
        found = sensitivity.hsic(made, names, **settings)
    else:
        found = sensitivity.given_data(made, names, **settings, seed=seed)
    method = told.method if told.method is not option.Method.AUTO else option.Method.GIVEN_DATA
    picture = _one_dim(found, ("quantity", "assumption"), call.words)
    folder.add_picture(str(method), plots.given_data, picture, locale=call.pictured)
    records = list(_told_records(found))
    Results(records, found.attrs).print(
        call.printed,
        lambda: _print_records(model, method, records, found, call),
        folder.written,
        call.replay(seed, draws, of=names, more=told.words),
        call.words,
    )


def _told_records(found: xr.Dataset) -> Iterator[dict[str, Any]]:
    """One record per quantity, label and input, the largest of the last index first."""
    kinds = [str(name) for name in found.data_vars if "assumption" in found[name].dims]
    main = [name for name in kinds if f"{name}_lower" in kinds][-1]
    dims = [str(dim) for dim in found[main].dims if dim != "assumption"]
    for place in places(found[main], dims):
        here = found.sel(place)
        for row in ranked(here[main], here.assumption.values):
            own = here.isel(assumption=row)
            if math.isnan(float(own[main])) and bool(here[main].notnull().any()):
                continue
            record = {**place, "assumption": str(own.assumption.item())}
            yield record | {name: float(own[name]) for name in kinds}


def _print_records(model: Model, method: str, records: Sequence[dict[str, Any]], found: xr.Dataset, call: Call) -> None:
    from demandsim.plots.panels import long_names

    words, labels = call.words, long_names(found, "assumption")
    kinds = [str(name) for name in found.data_vars if f"{name}_lower" in found or str(name) == "p_value"]
    total = int(found.attrs["draws"]) * int(found.attrs["chains"])
    print_title(model, words)
    said = {"total": f"{total:,}", "chains": found.attrs["chains"], "seed": found.attrs["seed"]}
    print_line(words.say("from_draws", **said, prob=f"{call.prob:.0%}", method=words.say(f"method_{method}")))
    dims = [str(dim) for dim in found[kinds[0]].dims if dim != "assumption"]
    tables: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in records:
        tables.setdefault(tuple(record[dim] for dim in dims), []).append(record)
    columns: list[Column | str] = [Column(words.say("assumption"), "name")]
    columns += [words.say(f"head_{kind}") for kind in kinds]
    results = long_names(found, "quantity")
    for key, members in tables.items():
        here = found.sel(dict(zip(dims, key, strict=True)))
        print_line()
        print_line(words.say("comma").join([named(words, key[0], results.get(key[0])), *map(words.label, key[1:])]))
        if "n_draws" in here:
            count = f"{int(here.n_draws):,}"
            print_line(words.say("only_of", event=found.attrs["given"], count=count, total=f"{total:,}"))
        lines = []
        for each in members:
            name = named(words, each["assumption"], labels.get(each["assumption"]))
            lines.append([name, *(_index(each, kind, words) for kind in kinds)])
        print_table(columns, lines)
        if "unexplained" in here:
            print_line(words.say("left_by_all", share=f"{float(here.unexplained):.1%}"))


def _index(record: dict[str, Any], kind: str, words: Locale) -> str:
    """A share with its interval in per cent, or an index as a number."""
    if kind in ("first_order", "total_order", "effect") or math.isnan(record[kind]):
        return _share(record, kind, words)
    if f"{kind}_lower" not in record:
        return f"{record[kind]:.3f}" if record[kind] >= 0.0005 else "<0.001"
    own, *ends = (f"{record[name]:.2f}" for name in (kind, f"{kind}_lower", f"{kind}_upper"))
    return f"{own} ({words.phrases[' to '].join(ends)})"


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
