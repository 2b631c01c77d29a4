"""Panels: which quantity and which label each panel of a picture shows, and what its title and footer say."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from demandsim._system import is_table
from demandsim.errors import DemandsimError, check_known
from demandsim.graph.changes import Change, read_changes
from demandsim.plots.canvas import Canvas, Frame, bare, is_wide, wrapped
from demandsim.plots.words import Locale, locale_of
from demandsim.statistics.design import DESIGNS
from demandsim.statistics.ranking import ranked
from demandsim.studies.catalogue import entry, list_studies

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "FRAME",
    "MOST",
    "ROW",
    "Panel",
    "Picture",
    "alike",
    "assumptions_named",
    "check_dims",
    "derived",
    "finite",
    "headline",
    "largest",
    "left_out",
    "long_names",
    "name_rows",
    "plot",
    "quantities",
    "telling",
]

#: Bars of one panel that a reader takes in.
MOST = 12
#: Inches of a row of bars, and of what stands above and below the rows of a panel.
ROW, FRAME = 0.36, 0.95

#: Letters of a line of a title at most, and on an inch; inches of a cell that ticks and their unit take.
_LETTERS, _LETTERS_AN_INCH, _BESIDE = 52, 13, 0.7
#: Inches of a further line of a title.
_LINE = 0.17
#: Panels side by side that a page has room for; more labels go on below.
_WIDEST = 4
_FOLDED = 3
#: Panels of different quantities side by side.
_ABREAST = 2
#: Labels share an axis where each takes up at least such a part of it.
_SQUEEZED = 6
#: Quantities that are drawn where none are named.
_HEADLINES = 6
#: Shares of a variance below this have no row.
_LEAST_SHARE = 0.01
_CHANGES = 3
_LONGEST_SOURCE = 220
#: Coordinates that a footer does not name.
_INNER = ("chain", "draw", "statistic", "quantity", "quantile", "units", "long_name")


_RUN = "simulate it first: model.simulate(seed=1)"
#: What makes the first argument of a picture, where it is no draws.
_MADE_BY = {
    "moved": "pass ds.sensitivity.tornado(model, of=...)",
    "indices": "pass ds.sensitivity.sobol(model, of=...)",
    "effects": "pass ds.sensitivity.shapley(model, of=...)",
    "bridge": "pass ds.sensitivity.bridge(before, after, of=...)",
    "summary": "pass ds.summarize(model.simulate(seed=1))",
    "found": "pass what the analysis returns",
}


def plot[**P, R](draw: Callable[P, R]) -> Callable[P, R]:
    """Make a function a picture: what it is given is checked alike in all, before anything is drawn.

    Raises
    ------
    UnknownNameError
        If an argument is none of its own, nor of `Frame`.
    DemandsimError
        If it is given a table of pandas.
    """
    own = [name for name, one in inspect.signature(draw).parameters.items() if one.kind is not one.VAR_KEYWORD]
    known = [*own, *Frame.__annotations__]

    @functools.wraps(draw)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        check_known(kwargs, known, f"argument of plots.{draw.__name__}")
        table = next((one for one in (*args, *kwargs.values()) if is_table(one)), None)
        if table is not None:
            raise DemandsimError(
                f"plots.{draw.__name__} draws a Dataset, not a {type(table).__name__} of pandas; make draws of a table "
                "with ds.import_draws, or pass what the analysis returned and not its .to_frame()"
            )
        if own[0] != "model" and args and hasattr(args[0], "simulate"):
            raise DemandsimError(f"plots.{draw.__name__} draws a Dataset, not a Model; {_MADE_BY.get(own[0], _RUN)}")
        for name, one in zip(own, args, strict=False):
            if name in ("point", "prior", "indices") and one is not None and not hasattr(one, "data_vars"):
                raise DemandsimError(f"plots.{draw.__name__}: {name} is a Dataset; quantities are named with of=[...]")
        return draw(*args, **kwargs)

    return checked


def quantities(
    of: Sequence[str] | str | None, known: Iterable[Hashable], default: Iterable[Hashable] = ()
) -> list[str]:
    """Names of the quantities to draw: those of `of`, checked, or the default ones, or all that are known."""
    names = [str(name) for name in known]
    if of is None:
        return [str(name) for name in default] or names
    wanted = [of] if isinstance(of, str) else list(of)
    check_known(wanted, names, "quantity")
    if not wanted:
        raise DemandsimError("of= is empty: name at least one quantity")
    return wanted


def derived(data: xr.Dataset) -> list[Hashable]:
    """Quantities that the model computes."""
    return [name for name, array in data.data_vars.items() if array.attrs.get("role") == "derived"]


def headline(data: xr.Dataset, fitting: Sequence[Hashable], most: int = _HEADLINES) -> list[Hashable]:
    """Results that a picture shows where none are named: those that the study puts in front, or those computed last."""
    study = str(data.attrs.get("study", ""))
    liked = data.attrs.get("pictured") or (entry(study).pictured if study in list_studies() else ())
    return [name for name in liked if name in fitting][:most] or list(fitting[-most:])


def alike(ranges: Sequence[tuple[float, float]]) -> bool:
    """Tell whether one axis shows all ranges, none of them squeezed; a sure value is a line on any.

    Examples
    --------
    >>> alike([(10, 1000), (100, 10_000)]), alike([(-20, 5), (-2000, 500)])
    (True, False)
    """
    low, high = min(one for one, _ in ranges), max(other for _, other in ranges)
    scaled = np.log(ranges) if is_wide(low, high) else np.asarray(ranges, dtype=float)
    spans = scaled[:, 1] - scaled[:, 0]
    return bool((spans[spans > 0] * _SQUEEZED >= np.ptp(scaled)).all())


def check_dims(data: xr.Dataset, dims: Sequence[str], maker: str) -> None:
    """Raise unless a Dataset has the dims of the analysis that a picture shows."""
    missing = [dim for dim in dims if dim not in getattr(data, "dims", ())]
    if missing:
        raise DemandsimError(f"this {type(data).__name__} has no dim '{missing[0]}'; pass what {maker} returns")


@dataclass(frozen=True)
class Panel:
    """One panel: its Axes and place, and what it shows.

    Parameters
    ----------
    axes : Axes
    name : str
        Of the quantity.
    where : mapping
        Label that the panel is of, by its dim; empty if panels do not differ by one.
    row : int
        Place of the quantity among all; it has several rows of panels where its labels are many.
    column : int
        Of the panels of its quantity.
    label : object
        Label of the column's dim, also of a quantity that does not vary along it.
    letters : int
        Of a line of its title.
    same : sequence of str
        Dims along which what it shows does not differ.
    """

    axes: Axes
    name: str
    where: Mapping[str, Any]
    row: int
    column: int
    label: Any = None
    letters: int = _LETTERS
    same: Sequence[str] = ()

    def of(self, data: Any) -> Any:
        """Select what the panel shows of an array or Dataset."""
        return data.sel({dim: label for dim, label in self.where.items() if dim in data.dims})

    def title(self, text: str, locale: Locale) -> None:
        """Write a text above the panel, with the label if panels differ by one."""
        self.axes.set_title(_titled(text, self.where, self.same, locale, self.letters), fontsize=10, loc="left")


class Picture:
    """A picture of a Dataset: a row of panels per quantity, a column per label of one dim.

    Parameters
    ----------
    data : Dataset
        What the run behind the picture is read from.
    arrays : mapping of quantity to DataArray
        What is drawn.
    inner : sequence of str
        Dims that a panel shows itself; panels stand side by side along the first other one.
    locale : str
    dim : str, optional
        Dim along which panels stand side by side instead.
    frame : Frame, optional

    Raises
    ------
    UnknownNameError
        If there is no such language, or the quantities do not vary over `dim`.
    DemandsimError
        If they vary over a further dim, of which a label must be selected first.
    """

    def __init__(
        self,
        data: xr.Dataset,
        arrays: Mapping[str, xr.DataArray],
        inner: Sequence[str],
        locale: str,
        dim: str | None = None,
        frame: Frame | None = None,
    ) -> None:
        self.frame, self.asked = frame, dim is not None
        self.data, self.arrays, self.locale = data, dict(arrays), locale_of(locale)
        others = list(dict.fromkeys(str(d) for array in arrays.values() for d in array.dims if d not in inner))
        if dim is not None:
            check_known([dim], others, "dim")
        self.across = dim or (others[0] if others else None)
        left = [d for d in others if d != self.across]
        if left:
            raise DemandsimError(
                f"quantities still vary over {left}; select a label first, as in data.sel({left[0]}=...), "
                "or name with dim= what stands side by side"
            )
        labelled = next((a for a in arrays.values() if self.across in a.dims), None)
        self.labels: list[Any] = [None] if labelled is None else list(labelled[self.across].values)
        self.canvas: Canvas

    def where(self, label: Any) -> dict[str, Any]:
        """A label by its dim; nothing if panels do not differ by one."""
        return {} if self.across is None else {self.across: label}

    def panels(
        self,
        heights: Sequence[float],
        width: float,
        *,
        names: Sequence[str] | None = None,
        titles: Mapping[str, str] | None = None,
    ) -> Iterator[Panel]:
        """Lay out the canvas and go through its panels, each under the name of its quantity.

        Parameters
        ----------
        heights : sequence of float
            Of the rows, in inches.
        width : float
            Of a panel, in inches.
        names : sequence of str, optional
            Quantities that have a row; all by default.
        titles : mapping of quantity to str, optional
            Their long names; by default those of the arrays.
        """
        columns = self._columns()
        lines = -(-len(self.labels) // columns)
        letters = _letters(width)
        told = {
            name: self.locale.name(
                name, self.arrays[name].attrs.get("long_name") if titles is None else titles.get(name)
            )
            for name in names or self.arrays
        }
        wheres = [self.where(label) for label in self.labels]
        over = [max(_above(name, where, (), self.locale, letters) for where in wheres) for name in told.values()]
        self.open([h + more for h, more in zip(heights, over, strict=True) for _ in range(lines)], columns, width)
        for row, name in enumerate(names or self.arrays):
            array = self.arrays[name]
            places = self.canvas.axes[row * lines : (row + 1) * lines].flat
            for place, (label, axes) in enumerate(zip(self.labels, places, strict=False)):
                where = self.where(label) if self.across in array.dims else {}
                panel = Panel(axes, name, where, row, place % columns, label, letters)
                panel.title(told[name], self.locale)
                yield panel
            for axes in places[len(self.labels) :]:
                axes.set_visible(False)

    def _columns(self) -> int:
        return len(self.labels) if len(self.labels) <= _WIDEST else _FOLDED

    def together(self, ranges: Callable[[xr.DataArray], tuple[float, float]], most: int) -> set[str]:
        """Quantities of which all labels share a panel: `most` of them at most, on an axis that shows each.

        None do that vary along a dim that was asked for: its labels stand side by side.

        Parameters
        ----------
        ranges : callable
            Takes an array of one label, and returns from where to where the axis must go for it.
        most : int
        """
        found = set()
        for name, array in self.arrays.items():
            parts = [array.sel({self.across: label}) for label in self.labels] if self.across in array.dims else []
            if not parts or (not self.asked and len(parts) <= most and alike([ranges(part) for part in parts])):
                found.add(name)
        return found

    def parts(self, name: str, where: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Labels of a quantity that a panel of `grid` shows, each by its dim; one, where it is the same in all.

        Parameters
        ----------
        name : str
        where : mapping, optional
            What the panel is of; nothing if all labels share it.
        """
        array = self.arrays[name]
        if where or self.across not in array.dims:
            return [dict(where or {})]
        # The draws of one chain tell most labels apart.
        alone = _are_alike(array.isel(chain=slice(1), missing_dims="ignore"), self.across)
        alone = alone and _are_alike(array, self.across)
        return [self.where(label) for label in (self.labels[:1] if alone else self.labels)]

    def _same(self, name: str) -> list[str]:
        """The dim along which a quantity varies by name, and by no value."""
        parts = self.parts(name)
        return list(parts[0]) if len(parts) == 1 and len(self.labels) > 1 else []

    def unseen(self, fitting: Sequence[Hashable], of: Sequence[str] | str | None) -> list[str]:
        """Say how many quantities would fit the picture too; a reader who named those that he wants knows."""
        # Of a large run only what is drawn is read back; who reads it knows the rest.
        left = self.data.attrs.get("unpictured", sum(name not in self.arrays for name in fitting))
        return [self.locale.say("unseen", count=left)] if left and of is None else []

    def grid(
        self, together: Iterable[str], height: Callable[[str], float], width: float, beside: float = _BESIDE
    ) -> Iterator[Panel]:
        """Lay out one panel for each quantity of `together`, and one a label for the others, below; go through them.

        Parameters
        ----------
        together : iterable of str
        height : callable
            Of the panels of a quantity, in inches.
        width : float
            Of a panel, in inches.
        beside : float, optional
            Inches of it that stand beside its axes.
        """
        letters = _letters(width, beside)
        one: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in self.arrays if name in together]
        apart = [[(name, self.where(label)) for label in self.labels] for name in self.arrays if name not in together]
        columns = self._columns() if apart else min(len(one), _ABREAST)
        rows = []
        for cells in (one, *apart):
            rows += [cells[start : start + columns] for start in range(0, len(cells), columns)]
        told = {name: self.locale.name(name, array.attrs.get("long_name")) for name, array in self.arrays.items()}
        same = {name: self._same(name) for name in self.arrays}
        over = [max(_above(told[name], where, same[name], self.locale, letters) for name, where in row) for row in rows]
        heights = [max(height(name) for name, _ in row) + more for row, more in zip(rows, over, strict=True)]
        self.open(heights, columns, width)
        for places, row in zip(self.canvas.axes, rows, strict=True):
            for column, (axes, (name, where)) in enumerate(zip(places, row, strict=False)):
                panel = Panel(axes, name, where, 0, column if where else 0, letters=letters, same=same[name])
                panel.title(told[name], self.locale)
                yield panel
            for axes in places[len(row) :]:
                axes.set_visible(False)

    def open(self, heights: Sequence[float], columns: int, width: float) -> None:
        """Lay out the canvas, as `Canvas` takes it."""
        self.canvas = Canvas(heights, columns, width, self.locale, self.frame)

    def finish(self, title: str, keys: Sequence[Any], notes: Iterable[str] = (), **values: Any) -> Any:
        """Write title, key and footer, and return the Axes; `values` fill in the phrase of the title."""
        say, invalid = self.locale.say, int(self.data["n_invalid"].sum()) if "n_invalid" in self.data else 0
        said = [*notes, *([say("invalid", count=f"{invalid:,}")] if invalid else [])]
        study = str(self.data.attrs.get("study") or say("model"))
        said += provenance(self.data, self.arrays.values(), self.locale)
        return self.canvas.finish(say(title, study=study, **values), keys, said)


def _are_alike(array: xr.DataArray, dim: str | None) -> bool:
    """Whether an array is the same at all labels of a dim, but for rounding."""
    first, others = array.isel({dim: [0]}).values, array.isel({dim: slice(1, None)}).values
    return np.allclose(np.broadcast_to(first, others.shape), others, rtol=1e-9, atol=0, equal_nan=True)


def _letters(width: float, beside: float = _BESIDE) -> int:
    """Letters of a line of a title, over a panel so many inches wide, of which some stand beside it."""
    return min(_LETTERS, int(_LETTERS_AN_INCH * (width - beside)))


def _titled(text: str, where: Mapping[str, Any], same: Iterable[str], locale: Locale, letters: int) -> str:
    """The title of a panel in lines: what it shows, and of which label, or that it is so in all."""
    for dim, label in where.items():
        text = locale.say("labelled", name=text, dim=locale.dim(dim), label=label)
    for dim in () if where else same:
        text = locale.say("every", name=text, dim=locale.dim(dim))
    return wrapped(text.strip(), letters)


def _above(text: str, where: Mapping[str, Any], same: Iterable[str], locale: Locale, letters: int) -> float:
    """Inches that a title takes besides its first line, which the height of a panel holds."""
    return _LINE * _titled(text, where, same, locale, letters).count("\n")


def provenance(data: xr.Dataset, arrays: Iterable[xr.DataArray], locale: Locale) -> list[str]:
    """Say which study, scenario, design, draws, seed and source a picture is of."""
    a = data.attrs
    said = [locale.say("study", study=a["study"])] if a.get("study") else []
    for name, coord in data.coords.items():
        if coord.ndim == 0 and name not in _INNER:
            said.append(locale.say("at", dim=locale.dim(str(name)), label=coord.item()))
    if "design" in a:
        design = str(a["design"])
        said.append(locale.say(design) if design in DESIGNS else design.replace("_", " "))
    chains, draws = (a.get(f"{d}s", data.sizes.get(d)) for d in ("chain", "draw"))
    if chains is not None and draws is not None:
        said.append(locale.say("totals", chains=f"{int(chains):,}", draws=f"{int(draws):,}"))
    if "model_runs" in a:
        said.append(locale.say("runs", runs=f"{int(a['model_runs']):,}"))
    if "seed" in a:
        said.append(locale.say("seed", seed=a["seed"]))
    # Lines of the footer break between these, not inside.
    said = [text.replace(" ", "\u00a0") for text in said]
    if told := [_short(change, locale) for change in read_changes(a)]:
        changed = f"{'; '.join(told[:_CHANGES])}{'; ...' if len(told) > _CHANGES else ''}"
        said.insert(0, locale.say("changed", study=a.get("study") or locale.say("model"), changes=changed))
    source = str(a.get("source", "")) or _source_of_study(str(a.get("study", ""))) or _sources(arrays, locale)
    return [*said, locale.say("source", source=locale.text(source))] if source else said


def _short(change: Change, locale: Locale) -> str:
    """A change in the words of a language: laws are left to tables, where there is room."""
    name = locale.name(change.name)
    before, after = (text.partition(" ~ ")[0] for text in (change.before, change.after))
    plain = before != after and all(text[:1].isdigit() or text[:1] == "-" for text in (before, after))
    return f"{name} {before} -> {after}" if plain else name


@functools.cache
def _source_of_study(name: str) -> str:
    """What a study that ships says of its source."""
    return entry(name).source if name in list_studies() else ""


def _sources(arrays: Iterable[xr.DataArray], locale: Locale) -> str:
    different = [source for source in dict.fromkeys(str(array.attrs.get("source", "")) for array in arrays) if source]
    if not different:
        return ""
    shown: list[str] = []
    for source in different:
        if shown and len("; ".join([*shown, source])) > _LONGEST_SOURCE:
            return locale.say("sources", source="; ".join(shown))
        shown.append(source)
    return "; ".join(shown)


def finite(array: xr.DataArray) -> Any:
    """All values of an array that are numbers, flat."""
    values = np.ravel(array.values).astype(np.float64)
    kept = values[np.isfinite(values)]
    if not kept.size:
        raise DemandsimError(f"'{array.name}' has no finite value to draw")
    return kept


# Rows of bars, each of an assumption


def largest(sizes: xr.DataArray, *, nil: bool = False) -> list[str]:
    """Assumptions by their size, the largest first, in the label where each has most; those of none only with `nil`."""
    # NaN marks what a quantity does not depend on, or a quantity that does not vary.
    most = sizes.max([d for d in sizes.dims if d != "assumption"]).fillna(0.0)
    ordered = most.isel(assumption=ranked(most, most.assumption.values))
    names = [str(name) for name in ordered.assumption.values]
    kept = [name for name, size in zip(names, ordered.values, strict=True) if nil or abs(size) > 1e-9]
    return (kept or names)[:MOST]


def telling(shares: xr.DataArray) -> list[str]:
    """Assumptions of shares that have a row: those of 1% or more in any label, the largest first."""
    most = abs(shares).max([d for d in shares.dims if d != "assumption"]).fillna(0.0)
    ordered = largest(shares)
    return [name for name in ordered if float(most.sel(assumption=name)) >= _LEAST_SHARE] or ordered[:1]


def left_out(data: xr.Dataset, locale: Locale) -> list[str]:
    """Say how many assumptions have no row."""
    left = max(data.sizes["assumption"] - MOST, 0)
    return [locale.say("tornado_most", count=left)] if left else []


def name_rows(axes: Axes, texts: Sequence[str]) -> None:
    """Name rows down the side of a panel, and leave it without a frame."""
    axes.set_yticks(range(len(texts)), [wrapped(text) for text in texts], fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(texts) - 0.4, -0.6)
    bare(axes, "left", "top", "right")


def long_names(data: xr.Dataset, dim: str) -> dict[str, str]:
    """Return the labels that a Dataset has for the names along a dim."""
    for name in (f"{dim}_long_name", "long_name"):
        if name in data.coords and data[name].dims == (dim,):
            return dict(zip(map(str, data[dim].values), map(str, data[name].values), strict=True))
    return {}


def assumptions_named(data: xr.Dataset, order: Sequence[str], locale: Locale) -> list[str]:
    """Name assumptions for readers."""
    names = long_names(data, "assumption")
    return [locale.name(name, names.get(name)) for name in order]
