"""Provenance: published rows against recomputed ones, how the numbers were made, and how to make them again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demandsim.report.assumptions import AssumptionRow, assumption_rows
from demandsim.report.runs import Results
from demandsim.report.words import Words
from demandsim.sampling.receipt import receipt
from demandsim.units.convert import conversion_factor, same_dimension

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["Printed", "Promise", "Receipt", "Record", "correlation_rows", "printed_rows", "receipt_of", "record_of"]

#: Labels of one assumption, such as years, that stand in the table of the receipt; of more, the worst.
_LABELS = 4


@dataclass(frozen=True)
class Printed:
    """A row as the source prints it: per key, the printed value, the computed one, and whether they agree."""

    label: str
    quantity: str
    unit: str
    cells: Mapping[str, tuple[str, str, bool]]


@dataclass(frozen=True)
class Promise:
    """What was asked of a sample for one assumption against what it achieved."""

    label: str
    asked: tuple[str, ...]
    achieved: tuple[float, ...]


@dataclass(frozen=True)
class Receipt:
    """The receipt of a sample: quantiles by assumption, correlations by pair, the worst deviation of each."""

    probs: tuple[float, ...]
    quantiles: tuple[Promise, ...]
    pairs: tuple[tuple[str, float, float], ...]
    worst_share: float
    worst_correlation: float


@dataclass(frozen=True)
class Record:
    """What stands under the results, whatever the scenario.

    Parameters
    ----------
    assumptions : tuple of AssumptionRow
    correlations : tuple of (pair, rank correlation, why)
    notes : tuple of str
    printed : tuple of Printed
    receipt : Receipt or None
    equations : tuple of (name, label, formula, unit)
    facts : tuple of (what, fact)
        Design, draws, seed, versions.
    command : str
        What makes the page again.
    """

    assumptions: tuple[AssumptionRow, ...]
    correlations: tuple[tuple[str, float | str, str], ...]
    notes: tuple[str, ...]
    printed: tuple[Printed, ...]
    receipt: Receipt | None
    equations: tuple[tuple[str, str, str, str], ...]
    facts: tuple[tuple[str, str], ...]
    command: str


def record_of(results: Results, read_at: str | None, command: str, words: Words) -> Record:
    """Collect where the numbers come from.

    Parameters
    ----------
    results : Results
    read_at : str or None
        Where shares of variance were read off the draws, if they were.
    command : str
        What makes the page again.
    words : Words
    """
    model = results.model
    named = [
        (e.name, words.locale.name(e.name, e.long_name), e.formula, model.notes.unit_of(e.name, e.unit))
        for e in model.equations.values()
    ]
    return Record(
        tuple(assumption_rows(model, results.selection.scenarios, results.prob, words)),
        tuple(correlation_rows(model, words)),
        tuple(map(words.locale.text, model.notes.notes)),
        tuple(printed_rows(model, results.point, words)),
        receipt_of(model, results.draws, words),
        tuple((name, label, formula, unit_in_words(unit, words)) for name, label, formula, unit in named),
        tuple(_facts(results, read_at, words)),
        command,
    )


def _facts(results: Results, read_at: str | None, words: Words) -> Iterator[tuple[str, str]]:
    say, got = words.say, results.draws.attrs
    chains, draws = int(got["chains"]), int(got["draws"])
    yield say("design"), say(str(got["design"]))
    yield say("draws"), say("totals", chains=chains, draws=f"{draws:,}", total=f"{chains * draws:,}")
    yield say("seed"), say("same_seed", seed=got["seed"])
    yield say("mcse_is"), say("mcse_note")
    if results.shares is not None:
        runs, points = (int(results.shares.attrs.get(key, 0)) for key in ("model_runs", "draws"))
        if read_at is not None:
            yield say("analyses"), say("read_off", points=f"{points:,}", place=read_at)
        elif runs:
            yield say("analyses"), say("runs", runs=f"{runs:,}", points=f"{points:,}")
    made_by = {str(key).removesuffix("_version"): got[key] for key in got if str(key).endswith("_version")}
    yield say("versions"), say("comma").join(f"{name} {version}" for name, version in made_by.items())
    yield say("model_hash"), str(got.get("model_hash", ""))


def unit_in_words(unit: str, words: Words) -> str:
    """Write a unit; Chinese reports count in 1e4 and 1e8."""
    many = {"wan*yi*": "wan_yi", "wan*": "wan", "yi*": "yi"}
    count = next((found for found in many if unit.startswith(found)), "")
    shown = words.locale.unit(unit.removeprefix(count), 0.0)[1]
    if not count:
        return shown or (words.say("ratio") if unit else "")
    # Chinese words stand without a blank between them.
    gap = "" if shown[:1] > "\u2e80" else " "
    return f"{words.say(many[count])}{gap}{shown}".strip()


def printed_rows(model: Model, point: xr.Dataset, words: Words) -> Iterator[Printed]:
    """Recompute every printed value at the published points, in the unit and to the digits of the source."""
    for made in model.notes.published:
        cells = {}
        for key, printed in made.values.items():
            value = _computed(point[made.quantity], key, made.unit)
            shown = f"{value:,.{made.digits}f}" if math.isfinite(value) else "–"
            # Half a unit of the last digit, and the last bit of what half of it is.
            agrees = abs(value - printed) <= 0.5 * 10.0**-made.digits + 1e-9 * abs(printed)
            cells[key] = (f"{printed:,.{made.digits}f}", shown, agrees)
        yield Printed(words.locale.text(made.row), made.quantity, unit_in_words(made.unit, words), cells)


def _computed(array: xr.DataArray, key: str, unit: str) -> float:
    """Value at the labels that a key names, NaN where it names none or several."""
    own = str(array.attrs.get("units", "1"))
    if not same_dimension(own, unit):
        return math.nan
    for dim in array.dims:
        labels = array[dim].values
        matching = [i for i, label in enumerate(labels) if str(label) == key]
        if matching:
            array = array.isel({dim: matching[0]})
        elif array.sizes[dim] == 1:
            # One scenario was kept: a key of another names a value that is not here.
            return math.nan
    return float(array) * conversion_factor(own, unit) if array.ndim == 0 else math.nan


def correlation_rows(model: Model, words: Words) -> Iterator[tuple[str, float | str, str]]:
    """Pairs of assumptions by name, their rank correlation, and why."""

    def name(key: str) -> str:
        return words.locale.name(key, model.assumptions[key].long_name)

    for pair, rho in model.correlations.items():
        both = words.say("pair", one=name(pair[0]), other=name(pair[1]))
        yield both, rho, model.notes.reasons.get(tuple(sorted(pair)), "")
    for (one, other, dim), rank in model.label_correlations.items():
        of = name(one) if one == other else words.say("pair", one=name(one), other=name(other))
        labelled = words.say("labelled", name=of, labels=words.locale.name(dim, None))
        yield labelled, rank if isinstance(rank, float) else str(rank), ""


def receipt_of(model: Model, draws: xr.Dataset, words: Words) -> Receipt | None:
    """Read the receipt of the draws, if they carry one."""
    if "receipt" not in draws.attrs:
        return None
    found: dict[str, Any] = receipt(draws)
    probs: tuple[float, ...] = ()
    quantiles, worst = [], 0.0
    groups: dict[str, list[tuple[str, float, Mapping[str, Any]]]] = {}
    for key, row in found["quantiles"].items():
        name, _, labels = key.partition("[")
        probs = tuple(row["prob"])
        apart = max(abs(a - p) for a, p in zip(row["achieved_prob"], probs, strict=True))
        groups.setdefault(name, []).append((labels.removesuffix("]"), apart, row))
        # A discrete distribution cannot hit a probability: what lies at or below is more by construction.
        if all(law.kind == "continuous" for law in model.assumptions[name].distribution.laws):
            worst = max(worst, apart)
    for name, rows in groups.items():
        # Of many labels the one that is farthest off: a page is read, and draws.nc has them all.
        shown = rows if len(rows) <= _LABELS else [max(rows, key=lambda one: one[1])]
        for labels, _, row in shown:
            made = model.assumptions[name]
            label = words.locale.name(name, made.long_name)
            if labels:
                told = words.keyed(labels)
                if len(shown) < len(rows):
                    told = words.say("worst_of", label=told, count=len(rows))
                label = words.say("labelled", name=label, labels=told)
            scale = words.scale(made.unit, *row["requested"])
            asked = tuple(scale.measure(value) for value in row["requested"])
            quantiles.append(Promise(label, asked, tuple(row["achieved_prob"])))
    pairs = tuple(
        (pair, float(row["requested"]), float(row["achieved"]))
        for pair, row in found["rank_correlations"].items()
        if row["achieved"] is not None
    )
    apart = max((abs(asked - got) for _, asked, got in pairs), default=0.0)
    return Receipt(probs, tuple(quantiles), pairs, worst, apart)
