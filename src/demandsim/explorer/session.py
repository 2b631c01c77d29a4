"""Session: what a person has set, the model that follows from it, and the figures that follow from that."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from demandsim.distributions.base import Distribution
from demandsim.errors import DemandsimError, InvalidDrawsError
from demandsim.explorer.sliders import Fixed, Handles, Slider, fixed_ones, sliders
from demandsim.graph.changes import Change, Changes, said_of
from demandsim.model import Model
from demandsim.report.data import Moves, Scene
from demandsim.report.runs import Results, random_of
from demandsim.report.scenes import scenes, titled
from demandsim.report.selection import Selection, selection_of
from demandsim.report.words import words_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Explorer", "Setting", "Settled"]


@dataclass(frozen=True)
class Setting:
    """What a person has set.

    Parameters
    ----------
    scenario : mapping of dim to label
        One label of every scenario dim.
    time : label or None
        Of the study's time dim, where it has one.
    handles : mapping of key to values
        What the sliders that were moved stand at, by their keys.
    """

    scenario: Mapping[str, str] = field(default_factory=dict)
    time: Any = None
    handles: Mapping[str, Handles] = field(default_factory=dict)


@dataclass(frozen=True)
class Settled:
    """What a setting means: distributions by the slider that asks for them, and what was impossible."""

    changes: Mapping[str, Distribution]
    problems: Mapping[str, str]


class Explorer:
    """A study to play with, on the same random numbers throughout.

    Parameters
    ----------
    model : Model
    draws, chains, seed
        Of every simulation: a moved slider changes what follows from it and nothing else.
    prob : float, default 0.9
        Probability of the intervals, of assumptions and of results.
    locale : str, default "en"
        Language of all texts.

    Examples
    --------
    >>> import demandsim as ds
    >>> explorer = Explorer(ds.load_study("guosen-2025-01"), draws=64)
    >>> start = explorer.start()
    >>> explorer.scene(start).rows[0].name
    'cards'
    """

    def __init__(
        self,
        model: Model,
        *,
        draws: int = 1024,
        chains: int = 8,
        seed: int = 1,
        prob: float = 0.9,
        locale: str = "en",
    ) -> None:
        self.model, self.draws, self.chains, self.seed, self.prob = model, draws, chains, seed, prob
        self.words = words_of(locale, "explorer")
        self.selection: Selection = selection_of(model)
        self._flat: dict[tuple[str, ...], Model] = {}
        # The last of each: a move asks for them several times, for its numbers, its tornado and its commands.
        self._settled: tuple[Any, Settled] | None = None
        self._built: tuple[Any, Model] | None = None
        self._points: dict[tuple[str, ...], xr.Dataset] = {}
        self._sliders: dict[tuple[str, ...], tuple[Slider, ...]] = {}
        self._loaded: dict[tuple[str, ...], Changes] = {}

    def start(self) -> Setting:
        """Return the setting of the study: its first scenario, and its last year if it has years."""
        scenario = {dim: next(iter(labels)) for dim, labels in self.model.scenarios.grid.items()}
        return Setting(scenario, self.selection.times[-1] if self.selection.time_dim else None)

    def flat(self, scenario: Mapping[str, str]) -> Model:
        """Return the model of one scenario alone, without scenario dims: the same draws, to the bit."""
        key = tuple(scenario.values())
        if key not in self._flat:
            m = self.model
            overrides = {n: a for dim, label in scenario.items() for n, a in m.scenarios.grid[dim][label].items()}
            needed = m.graph.ancestors(self.selection.headlines)
            # Evidence is left out: draws are of the prior, and a slider moves the prior. Equations that no
            # headline needs are left out too, since every new model tries all that it has.
            self._flat[key] = m._with(
                equations=[made for name, made in m.equations.items() if name in needed],
                assumptions={**m.assumptions, **overrides},
                scenarios={},
                evidence=(),
                origin=None,
                told=m.assumptions,
            )
        return self._flat[key]

    def sliders(self, scenario: Mapping[str, str]) -> tuple[Slider, ...]:
        """Return the sliders of a scenario, in the order of the study."""
        where = tuple(scenario.values())
        if where not in self._sliders:
            named = {name: (self._key(name, scenario), own) for name, own in self.flat(scenario).assumptions.items()}
            self._sliders[where] = sliders(named, self.prob, self.words)
        return self._sliders[where]

    def _key(self, name: str, scenario: Mapping[str, str]) -> str:
        """What ``--set`` calls an assumption in a scenario."""
        grid = self.model.scenarios.grid
        label = next((label for dim, label in scenario.items() if name in grid[dim][label]), None)
        return name if label is None else f"{name}@{label}"

    def fixed(self, scenario: Mapping[str, str]) -> tuple[Fixed, ...]:
        """Return the assumptions of a scenario that no slider moves."""
        return fixed_ones(self.flat(scenario), self.words)

    def settled(self, setting: Setting) -> Settled:
        """Read the handles; an impossible interval is told by the key of its slider."""
        wanted = (tuple(setting.scenario.items()), tuple(setting.handles.items()))
        if self._settled is None or self._settled[0] != wanted:
            self._settled = (wanted, self._read(setting))
        return self._settled[1]

    def _read(self, setting: Setting) -> Settled:
        changes: dict[str, Distribution] = {}
        problems: dict[str, str] = {}
        for slider in self.sliders(setting.scenario):
            handles = setting.handles.get(slider.key, slider.own)
            if handles == slider.own:
                continue
            if len(handles) > 1 and handles[0] >= handles[1]:
                problems[slider.key] = self.words.say("crossed")
                continue
            try:
                law = slider.distribution(handles, self.prob)
            except DemandsimError as error:
                # What it says first is the distribution, which the slider shows.
                problems[slider.key] = re.split(r"\): |\.\.\., ", str(error))[-1]
                continue
            if why := slider.why_not(law):
                problems[slider.key] = self.words.say(why)
            else:
                changes[slider.key] = law
        return Settled(changes, problems)

    def built(self, setting: Setting) -> Model:
        """Return the model that a setting asks for.

        Raises
        ------
        DemandsimError
            If a slider asks for an impossible interval.
        """
        settled = self.settled(setting)
        for key, problem in settled.problems.items():
            raise DemandsimError(f"{key}: {problem}")
        wanted = (tuple(setting.scenario.items()), tuple(settled.changes.items()))
        if self._built is None or self._built[0] != wanted:
            flat = self.flat(setting.scenario)
            changes = {key.partition("@")[0]: law for key, law in settled.changes.items()}
            self._built = (wanted, flat.assume(**changes) if changes else flat)
        return self._built[1]

    def changes(self, setting: Setting) -> Changes:
        """Return what differs from the study: what the model was loaded with, and the sliders that were moved."""
        where = tuple(setting.scenario.values())
        if where not in self._loaded:
            loaded = self.model
            self._loaded[where] = loaded.select(**setting.scenario).changes if loaded.changes else Changes()
        told = {change.name: change for change in self._loaded[where]}
        flat, built = self.flat(setting.scenario), self.built(setting)
        for key in self.settled(setting).changes:
            name = key.partition("@")[0]
            before = told[key].before if key in told else said_of(flat.assumptions[name])
            told[key] = Change(key, before, said_of(built.assumptions[name]))
        return Changes(change for change in told.values() if change.before != change.after)

    def simulated(self, setting: Setting) -> xr.Dataset:
        """Simulate the headline results of a setting."""
        model = self.built(setting)
        return model.simulate(
            self.draws, chains=self.chains, seed=self.seed, keep=list(self.selection.headlines), prob=self.prob
        )

    def scene(self, setting: Setting) -> Scene:
        """Return results, probabilities and distributions of a setting.

        Raises
        ------
        DemandsimError
            If a setting is impossible, or an equation gives no number with it.
        """
        from demandsim.statistics.summarize import summarize

        draws, point = self.simulated(setting), self._point(setting.scenario)
        if setting.time is not None:
            draws, point = (data.sel({self.selection.time_dim: setting.time}) for data in (draws, point))
        return self._scene(setting, draws=draws, summary=summarize(random_of(draws), self.prob), point=point)

    def _point(self, scenario: Mapping[str, str]) -> xr.Dataset:
        """Return the model at the published points of a scenario, which sliders do not move."""
        where = tuple(scenario.values())
        if where not in self._points:
            self._points[where] = self.flat(scenario).point()
        return self._points[where]

    def moves(self, setting: Setting, of: str) -> Moves:
        """Return the tornado of one result under a setting."""
        from demandsim.sensitivity import tornado

        moved = tornado(self.built(setting), of, prob=self.prob)
        nothing = moved[[]]
        return self._scene(setting, of, draws=nothing, summary=nothing, point=nothing, moved=moved).moves[0]

    def explained(self) -> tuple[str, ...]:
        """Return the results that a tornado can be about, those that decide first."""
        uncertain = [name for name in self.selection.headlines if self.model.program.varying[name].random]
        first = [name for name in self.selection.explained if name in uncertain]
        return (*first, *(name for name in uncertain if name not in first))

    def place(self, setting: Setting) -> str:
        """Name the scenario and the time of a setting; empty where there are none."""
        time = {self.selection.time_dim: setting.time} if setting.time is not None else {}
        return titled(setting.scenario, time, self.words)

    def label(self, name: str) -> str:
        """Return the long name of a computed quantity."""
        return self.words.locale.name(name, self.model.equations[name].long_name)

    def told(self, error: DemandsimError) -> str:
        """Say to a person why there are no results."""
        found = re.match(r"equation '(\w+)' made", str(error)) if isinstance(error, InvalidDrawsError) else None
        return self.words.say("no_number", name=self.label(found[1])) if found else str(error)

    def _scene(self, setting: Setting, of: str = "", **found: Any) -> Scene:
        """Return the one scene of a setting; of a result its tornado."""
        times = () if setting.time is None else (setting.time,)
        explained = (of,) if of else ()
        selection = dataclasses.replace(
            self.selection, scenarios=({},), times=times, explained=explained, decides=False
        )
        return next(scenes(Results(self.built(setting), selection, self.prob, **found), self.words))
