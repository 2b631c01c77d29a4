"""Page: sliders, switches and panes of one visitor, wired so that what is moved is shown."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import panel as pn
from bokeh.models import CustomJSTickFormatter

from demandsim.errors import DemandsimError
from demandsim.explorer import panes
from demandsim.explorer.commands import as_command, as_python
from demandsim.explorer.exploring import Explorer, Setting
from demandsim.explorer.sliders import Slider
from demandsim.report.figures import Scene
from demandsim.report.wording import label_text, percent

__all__ = ["Page"]

#: Milliseconds in which moves of a handle are taken together, and after which a slow tornado follows.
_GATHER, _REST = 30, 400
#: Seconds up to which a tornado follows at once.
_QUICK = 0.15

_COPY = """
navigator.clipboard.writeText(text.value);
const old = button.label;
button.label = "Copied";
setTimeout(() => { button.label = old }, 1500);
"""


class Page:
    """What one visitor sees and has set.

    Parameters
    ----------
    explorer : Explorer
        Shared by all visitors: it remembers nothing that they set.
    study : str
        As it was loaded, for the commands.
    sets : sequence of str
        What ``--set`` has changed, for the commands.
    """

    def __init__(self, explorer: Explorer, study: str, sets: Sequence[str] = ()) -> None:
        self.explorer, self.study, self.sets = explorer, study, sets
        self.setting: Setting = explorer.start()
        # What is shown: the last setting that was possible.
        self._good = self.setting
        self._css = [panes.style()]
        self._prob = percent(explorer.prob, 0)
        self._waiting = False
        self._turn = 0
        self._slow = 0.0
        self._before: dict[Any, Scene] = {}
        self._notes: dict[str, tuple[Slider, Any]] = {}
        self._document = pn.state.curdoc
        self.switches = self._made_switches()
        labels = {explorer.label(name): name for name in explorer.explained()}
        self.of = pn.widgets.Select(label="Result to look at", options=labels, width=230)
        self.reset = pn.widgets.Button(label="Reset to the study's values", align="end")
        self.head, self.status, self.tiles, self.lead, self.tornado = (self._pane() for _ in range(5))
        self.details, self.fixed = self._pane(), self._pane()
        self.handles = pn.Column(sizing_mode="stretch_width")
        self.command, self.python = (self._text(label) for label in ("As a command", "As Python"))
        self.head.object = panes.heading(explorer)
        self.of.param.watch(lambda _: self._ask(), "value")
        self.reset.on_click(lambda _: self._restart())
        self._place_sliders()
        self._show()

    def view(self) -> Any:
        """Return the whole page."""
        wide = {"sizing_mode": "stretch_width"}
        tiles = pn.Column(self.status, self.tiles, css_classes=["tiles"], **wide)
        sliders = pn.Column(self.handles, self.fixed, css_classes=["sliders"], **wide)
        copies = [pn.Column(text, self._copy(text), **wide) for text in (self.command, self.python)]
        again = self._pane(panes.again())
        more = pn.Column(self.lead, self.tornado, self.details, again, *copies, css_classes=["more"], **wide)
        body = pn.Column(tiles, sliders, more, stylesheets=[panes.sheet("layout")], **wide)
        explained = [self.of] if len(self.of.options) > 1 else []
        switches = pn.FlexBox(*self.switches.values(), *explained, self.reset, align_items="end", **wide)
        return pn.Column(self.head, switches, body, max_width=1500, styles={"margin": "0 auto"}, **wide)

    def _pane(self, html: str = "") -> Any:
        return pn.pane.HTML(html, sizing_mode="stretch_width", stylesheets=self._css, margin=(0, 8))

    def _text(self, label: str) -> Any:
        return pn.widgets.TextAreaInput(
            label=label,
            sizing_mode="stretch_width",
            auto_grow=True,
            max_rows=30,
            max_length=1_000_000,
            resizable="height",
            stylesheets=["textarea { font: 13px/1.4 ui-monospace, Menlo, 'DejaVu Sans Mono', monospace; }"],
        )

    def _copy(self, text: Any) -> Any:
        button = pn.widgets.Button(
            label=f"Copy {text.label.removeprefix('As ').removeprefix('a ')}", margin=(0, 10, 10, 10)
        )
        button.js_on_click(args={"text": text, "button": button}, code=_COPY)
        return button

    def _made_switches(self) -> dict[str, Any]:
        """One select per scenario dim and for the time, where there is something to choose."""
        explorer, made = self.explorer, {}
        for dim, labels in explorer.model.scenarios.grid.items():
            name = explorer.words.locale.dim(dim)
            made[dim] = pn.widgets.Select(label=name[:1].upper() + name[1:], options=list(labels), width=230)
        if explorer.choice.time_dim:
            name = explorer.words.locale.dim(explorer.choice.time_dim)
            times = {label_text(label): label for label in explorer.choice.times}
            made[""] = pn.widgets.Select(
                label=name[:1].upper() + name[1:], options=times, value=self.setting.time, width=120
            )
        for select in made.values():
            select.param.watch(lambda _: self._switch(), "value")
        return {key: select for key, select in made.items() if len(select.options) > 1}

    def _place_sliders(self) -> None:
        self._notes = {}
        placed = []
        for slider in self.explorer.sliders(self.setting.scenario):
            own = self._pane(panes.note(slider))
            self._notes[slider.key] = (slider, own)
            placed += [self._widget(slider), own]
        self.handles.objects = placed
        self.fixed.object = panes.fixed_list(self.explorer.fixed(self.setting.scenario))

    def _widget(self, slider: Slider) -> Any:
        format_ = CustomJSTickFormatter(args={"texts": list(slider.texts)}, code="return texts[Math.round(tick)]")
        shared: dict[str, Any] = {
            "label": slider.label,
            "start": 0,
            "end": len(slider.values) - 1,
            "format": format_,
            "tooltips": False,
            "sizing_mode": "stretch_width",
            "stylesheets": [*self._css, panes.sheet("handles")],
            "css_classes": [f"of-{slider.name.replace('_', '-')}"],
        }
        at = self.setting.handles.get(slider.key, slider.start)
        made: Any = (
            pn.widgets.IntRangeSlider(value=at, **shared)
            if len(at) == 2
            else pn.widgets.IntSlider(value=at[0], **shared)
        )
        made.param.watch(lambda event: self._move(slider, event.new), "value")
        return made

    def _move(self, slider: Slider, value: Any) -> None:
        handles = tuple(int(place) for place in value) if isinstance(value, tuple) else (int(value),)
        kept = {key: at for key, at in self.setting.handles.items() if key != slider.key}
        if handles != slider.start:
            kept[slider.key] = handles
        self.setting = dataclasses.replace(self.setting, handles=kept)
        self._ask()

    def _switch(self) -> None:
        scenario = {dim: self.switches[dim].value for dim in self.setting.scenario if dim in self.switches}
        scenario = {**self.setting.scenario, **scenario}
        time_ = self.switches[""].value if "" in self.switches else self.setting.time
        other = scenario != self.setting.scenario
        self.setting = dataclasses.replace(self.setting, scenario=scenario, time=time_)
        if other:
            self._place_sliders()
        self._ask()

    def _restart(self) -> None:
        self.setting = dataclasses.replace(self.setting, handles={})
        self._place_sliders()
        self._ask()

    def _ask(self) -> None:
        """Show soon; moves that come in until then are taken together."""
        if not self._waiting:
            self._waiting = True
            self._later(self._show, _GATHER)

    def _later(self, then: Callable[[], None], milliseconds: int) -> None:
        if self._document is None:
            then()
        else:
            self._document.add_timeout_callback(then, milliseconds)

    def _show(self) -> None:
        self._waiting = False
        settled = self.explorer.settled(self.setting)
        for key, (slider, own) in self._notes.items():
            own.object = panes.note(slider, settled.problems.get(key, ""), key in settled.changes)
        self.command.value = as_command(self.explorer, self.setting, self.study, self.sets)
        self.python.value = as_python(self.explorer, self.setting, self.study, self.sets)
        problems = [
            f"Results stand still: {self._notes[key][0].label}: {why}." for key, why in settled.problems.items()
        ]
        if not problems:
            try:
                scene, words = self.explorer.scene(self.setting), self.explorer.words
                self.tiles.object = panes.tiles(scene, self._study(), words, self._prob)
                self.lead.object = panes.lead(scene, self.of.value, words, self._prob)
                self.details.object = panes.details(scene, self.of.value, words, self._prob)
                self._good = self.setting
                self._explain_soon()
            except DemandsimError as error:
                problems = [f"Results stand still: {error}"]
        self.status.object = panes.status(problems)

    def _study(self) -> Scene:
        """The same place with the study's own values, to compare with."""
        where = (tuple(self.setting.scenario.items()), self.setting.time)
        if where not in self._before:
            self._before[where] = self.explorer.scene(dataclasses.replace(self.setting, handles={}))
        return self._before[where]

    def _explain_soon(self) -> None:
        """A tornado takes many runs: a slow one waits until the handles rest."""
        self._turn += 1
        turn = self._turn
        if self._slow <= _QUICK:
            self._explain()
        else:
            self._later(lambda: self._explain() if turn == self._turn else None, _REST)

    def _explain(self) -> None:
        began = time.monotonic()
        try:
            moves = self.explorer.moves(self._good, self.of.value)
            self.tornado.object = panes.tornado(moves, self.explorer.words, self._prob)
        except DemandsimError as error:
            self.tornado.object = panes.status([str(error)])
        self._slow = time.monotonic() - began
