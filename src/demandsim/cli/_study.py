"""A call: the study that a command is about, with the settings and evidence of the command line, and its replay."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from demandsim._system import file_name, is_workbook, repeated, unless
from demandsim.cli import _options as option
from demandsim.cli._options import Format, LocaleName
from demandsim.cli._output import Folder, say
from demandsim.cli._words import spoken
from demandsim.errors import DemandsimError, EventError, UnknownNameError, check_known

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.distributions.base import Distribution
    from demandsim.model import Model
    from demandsim.plots.words import Locale
    from demandsim.statistics.event import Event

__all__ = ["NO_CELLS", "Call", "Cells", "event_option", "loaded", "of_cells"]

#: Characters of a folder that is named by what was set.
_LONGEST_VARIANT = 80


@dataclass(frozen=True)
class Cells:
    """What is asked of a workbook.

    Parameters
    ----------
    output, assume : sequence of str
        As they are given with options of these names.
    accept, rand : bool
    """

    output: Sequence[str] = ()
    assume: Sequence[str] = ()
    accept: bool = False
    rand: bool = False

    @property
    def words(self) -> list[str]:
        """The same as words of a command."""
        return [
            *repeated("--output", self.output),
            *repeated("--assume", self.assume),
            *(["--accept"] if self.accept else []),
            *(["--rand"] if self.rand else []),
        ]

    @property
    def arguments(self) -> dict[str, Any]:
        """The same as arguments of `read_workbook`."""
        assume = {}
        for item in self.assume:
            # A sheet in quotes may have an equals sign in its name.
            quoted = item.find("'!", 1) if item.startswith("'") else 0
            cut = item.find("=", max(quoted, 0))
            if cut < 1 or not item[cut + 1 :].strip():
                form = "CELL=VALUE, such as 'Inputs!C21=normal(0.08, 0.12)'"
                raise typer.BadParameter(f"'{item}' is not {form}", param_hint="--assume")
            assume[item[:cut].strip()] = item[cut + 1 :].strip()
        return {"outputs": self.output, "assume": assume, "accept": self.accept, "rand": self.rand}


#: Nothing is asked of a workbook.
NO_CELLS = Cells()


def of_cells(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say what is asked of a workbook, and hand them to it as its ``cells``."""
    signature = inspect.signature(command, eval_str=True)
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, kind, default in (
            ("output", option.Output, []),
            ("assume", option.Assume, []),
            ("accept", option.Accept, False),
            ("rand", option.Rand, False),
        )
    ]
    given = {name: one for name, one in signature.parameters.items() if name != "cells"}
    place = list(signature.parameters).index("cells")
    shown = [*given.values()][:place] + more + [*given.values()][place:]

    @functools.wraps(command)
    def run(*args: Any, **settings: Any) -> None:
        cells = Cells(**{one.name: settings.pop(one.name) for one in more if one.name in settings})
        command(*args, **settings, cells=cells)

    shown = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in shown]
    run.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in shown}
    return run


@dataclass(frozen=True)
class Call:
    """What the commands that compute are all asked.

    Parameters
    ----------
    command, study : str
    chains : int
    seed : int or None
    prob : float
    sets, scenarios : sequence of str
        As they are given with ``--set`` and ``--scenario``.
    out : Path
    format_ : sequence of Format, optional
        Of what is printed and of pictures; the last of a kind counts.
    locale : LocaleName, optional
        Of what is printed, and of pictures.
    observe, event : sequence of str, optional
        As they are given with options of these names.
    as_ : str, optional
        What the folder of this variant is called, with ``--name``.
    cells : Cells, optional
        Of a workbook.
    """

    command: str
    study: str
    chains: int
    seed: int | None
    prob: float
    sets: Sequence[str]
    scenarios: Sequence[str]
    out: Path
    format_: Sequence[Format] = ()
    locale: LocaleName = LocaleName.EN
    observe: Sequence[str] = ()
    event: Sequence[str] = ()
    as_: str | None = None
    cells: Cells = NO_CELLS

    def model(self) -> Model:
        """The study as it is asked for; whatever can be wrong without it is found out first."""
        from demandsim.statistics.estimators import check_prob

        check_prob(self.prob)
        return _observing(loaded(self.study, self.sets, self.scenarios, self.cells), self.observe, self.event)

    @property
    def printed(self) -> Format:
        """How results are printed."""
        return next((one for one in reversed(self.format_) if not one.of_pictures), Format.TABLE)

    @property
    def suffix(self) -> str:
        """What files of pictures end in."""
        return f".{next((one for one in reversed(self.format_) if one.of_pictures), Format.PNG)}"

    @functools.cached_property
    def words(self) -> Locale:
        """The language of what is printed."""
        return spoken(self.locale)

    @functools.cached_property
    def pictured(self) -> str:
        """The language of pictures: English, and a word about it, where the machine has no font for another."""
        from demandsim.plots.words import locale_of

        try:
            return locale_of(self.locale.value).code
        except DemandsimError as error:
            say(self.words.say("no_font", why=self.words.message(str(error))))
            return LocaleName.EN.value

    def name(self, model: Model) -> str:
        """Name of the study as its folder is called: one component of a path, whatever the study calls itself."""
        return file_name(model.notes.name or Path(self.study).stem)

    @property
    def variant(self) -> list[str]:
        """Folder of what was set, so that it leaves the results of the study itself alone; none if nothing was."""
        said = self.as_ or "+".join([*self.cells.assume, *self.sets, *self.scenarios, *self.observe, *self.event])
        if not said:
            return []
        plain = said.replace("=", "-")
        name = file_name(plain)
        if name == plain and len(name) <= _LONGEST_VARIANT:
            return [name]
        # What is cut or changed is told apart by its digest.
        return [f"{name[:_LONGEST_VARIANT]}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"]

    def folder(self, model: Model, *inner: str) -> Folder:
        """Where results go: ``OUT/STUDY/``, and in it a folder for what was set."""
        return Folder(Path(self.out, self.name(model), *self.variant, *inner), self.suffix)

    def replay(
        self, seed: int, draws: int, *, of: Sequence[str] = (), design: str = "sobol", more: Sequence[str] = ()
    ) -> str:
        """Return the command that gives the same draws again."""
        words = ["demandsim", self.command, self.study, *self.cells.words, *repeated("--of", of)]
        words += ["--seed", str(seed), "--draws", str(draws), "--chains", str(self.chains)]
        words += [*unless("sobol", "--design", design), *unless(0.9, "--prob", self.prob)]
        words += [*repeated("--set", self.sets), *repeated("--scenario", self.scenarios)]
        words += [*repeated("--observe", self.observe), *repeated("--event", self.event)]
        words += [*unless(None, "--name", self.as_ or None), *unless("en", "--locale", self.locale.value)]
        return shlex.join([*words, *more])

    def replay_of(self, draws: xr.Dataset, *, design: str = "sobol", more: Sequence[str] = ()) -> str:
        """Return the command that gives these draws again."""
        return self.replay(draws.attrs["seed"], draws.attrs["draws"], design=design, more=more)


def loaded(study: str, sets: Sequence[str] = (), scenarios: Sequence[str] = (), cells: Cells = NO_CELLS) -> Model:
    """Load a study and apply the settings of the command line; a bad one is named."""
    from demandsim.distributions.grammar import parse_distribution
    from demandsim.graph.assumption import in_unit
    from demandsim.studies import load_study

    if is_workbook(study):
        from demandsim.workbook import read_workbook

        model = read_workbook(study, **cells.arguments)
    else:
        model = load_study(study)
        if cells.words:
            what = "is about cells of workbooks, whose names end in .xlsx; results go to the folder --out"
            raise typer.BadParameter(what, param_hint=cells.words[0])
    changes: dict[str, Any] = {}
    for item in sets:
        name, label, value = _parted(item, "--set", "NAME=VALUE, such as utilization=0.3, or NAME@SCENARIO=VALUE")
        if name in model.equations:
            raise UnknownNameError(
                f"--set {name}: is computed by an equation, not assumed; set what it is computed from, as 'demandsim "
                f"explain {shlex.quote(study)} {name}' says, or learn from it with 'demandsim infer --observe'"
            )
        if name in changes and not label:
            raise DemandsimError(f"--set {name} is given twice; keep one")
        check_known([name], [*model.assumptions, *model.constants], "assumption")
        try:
            made = parse_distribution(in_unit(value, _unit(model, name)), model.program.layout.coords)
        except DemandsimError as error:
            raise type(error)(f"--set {_target(item)}: {error}") from None
        if label:
            model = model.with_scenarios(**model.scenarios.changed(name, label, made))
        else:
            changes[name] = made
    if changes:
        model = model.assume(**changes)
        for name in changes:
            if (dim := model.scenarios.dim_of(name)) is not None and not model.scenarios.replaces(name):
                say(f"note: scenarios of '{dim}' that set '{name}' themselves are not changed by --set {name}")
    only = next(iter(model.scenarios.dims), "scenario")
    parts = [item.partition("=") for item in scenarios]
    chosen = {dim if equals else only: label if equals else dim for dim, equals, label in parts}
    return model.select(**chosen) if chosen else model


def _unit(model: Model, name: str) -> str:
    return model.assumptions[name].unit if name in model.assumptions else model.constants[name].unit


def _target(item: str) -> str:
    return _plain(item).partition("=")[0].strip()


def _plain(item: str) -> str:
    """A setting with an equals sign of ASCII, where the keyboard writes another."""
    return item if "=" in item else item.replace("＝", "=", 1)


def _parted(item: str, option: str, form: str) -> tuple[str, str, str]:
    """Name, label (or nothing) and value of ``NAME[@LABEL]=VALUE``."""
    target, _, value = _plain(item).partition("=")
    name, at, label = (part.strip() for part in target.partition("@"))
    if not value.strip() or not name or (at and not label):
        raise typer.BadParameter(f"'{item}' is not {form}", param_hint=option)
    return name, label, value.strip()


def _observing(model: Model, observe: Sequence[str], event: Sequence[str]) -> Model:
    """Add the evidence of the command line to that of the study; a bad piece is named."""
    form = "NAME=DISTRIBUTION, such as 'capex=normal(mean=80e9, sd=15e9)', or NAME@LABEL=DISTRIBUTION"
    for item in observe:
        name, label, value = _parted(item, "--observe", form)
        check_known([name], model.quantities, "quantity")
        try:
            seen: dict[str, Any] = {name: _measured(model, name, label, value)}
            model = model.observe(**seen)
        except DemandsimError as error:
            raise type(error)(f"--observe {_target(item)}: {error}") from None
    for item in event:
        model = model.observe(event=event_option(item, model, "--event"))
    return model


def event_option(text: str, model: Model, option: str) -> Event:
    """Read an event of the command line; what is none is a fault of the option."""
    from demandsim.statistics.event import parse_event

    try:
        return parse_event(text, model.quantities)
    except EventError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _measured(model: Model, name: str, label: str, text: str) -> Distribution:
    """The distribution of a measurement, at one label if one is named."""
    from demandsim.distributions.grammar import parse_distribution
    from demandsim.graph.assumption import in_unit

    layout = model.program.layout
    made = parse_distribution(in_unit(text, model.declared_units[name]), layout.coords)
    if not label:
        return made
    own = model.program.varying[name].dims | set(layout.scenario_dims)
    places = {str(v): (dim, v) for dim in layout.dims if dim in own for v in layout.coords[dim]}
    check_known([label], places, f"label of '{name}'")
    if made.dims:
        raise DemandsimError("by(...) names labels already; leave out '@'")
    dim, found = places[label]
    return dataclasses.replace(made, dims=(dim,), coords={dim: (found,)})
