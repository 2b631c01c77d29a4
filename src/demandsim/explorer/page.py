"""Page: sliders, switches and panes of one visitor, wired so that what is moved is shown."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import panel as pn
from bokeh.models import CustomJS
from bokeh.models.widgets import Button

from demandsim.errors import DemandsimError
from demandsim.explorer import controls, panes
from demandsim.explorer.replay import as_command, as_python, as_shared
from demandsim.explorer.session import Explorer, Setting
from demandsim.explorer.sliders import Handles, Slider
from demandsim.explorer.state import State, read_state, state_text
from demandsim.report.data import Scene
from demandsim.report.markup import shipped
from demandsim.units.format import label_text, percent

__all__ = ["Page"]

#: Milliseconds in which moves of a handle are taken together.
_GATHER = 20
#: Milliseconds that a tornado waits for another move, at most; one that was quick waits as long as it took.
_REST = 400

#: Phrases that the script of the handles fills in.
_ON_HANDLES = ("colon", "to", "low_end", "high_end")

_COPY = """
navigator.clipboard.writeText(text.value);
const old = button.label;
button.label = copied;
setTimeout(() => { button.label = old }, 1500);
"""


#: What is set stands in the address, which nothing is sent to by that.
_ADDRESS = """
const address = new URL(window.location);
address.searchParams.set("state", cb_obj.tags[0]);
window.history.replaceState(null, "", address);
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
    state : str
        What to begin with, as `state_text` writes it; the study by default.
    """

    def __init__(self, explorer: Explorer, study: str, sets: Sequence[str] = (), state: str = "") -> None:
        self.explorer, self.study, self.sets = explorer, study, sets
        begin, self._unread = self._read(state)
        self.setting, self.pinned = begin.setting, begin.pinned
        # What is shown: the last setting that was possible.
        self._good = self.setting
        self._say = explorer.words.say
        self._css = [shipped("report/page.css"), shipped("explorer/explorer.css")]
        self._widget_css: list[Any] = [shipped("explorer/widgets.css")]
        self._prob = percent(explorer.prob)
        self._waiting = False
        self._turn = 0
        self._took = 0.0
        self._before: dict[Any, Scene] = {}
        self._pinned_scene: Scene | None = None
        self._document = pn.state.curdoc
        # The result that the tornado and the first chart are about.
        self.about = begin.about or next(iter(explorer.explained()), "")
        self.switches = self._made_switches()
        self.sliders: dict[str, controls.SliderRow] = {}
        self.reset, self.pin = (
            pn.widgets.Button(label=self._say(key), align="end", stylesheets=self._widget_css)
            for key in ("reset", "pin")
        )
        self.saved = Button(label=self._say("save_state"), margin=(0, 10, 10, 10), stylesheets=self._widget_css)
        self.head, self.status, self.tiles, self.lead, self.tornado = (self._pane() for _ in range(5))
        self.changed, self.compared, self.details, self.fixed = (self._pane() for _ in range(4))
        self.handles = pn.Column(sizing_mode="stretch_width")
        self.command, self.python, self.shared = map(self._text, ("as_command", "as_python", "as_shared"))
        self.head.object = panes.heading(explorer)
        self.reset.on_click(lambda _: self._set(True, handles={}))
        self.pin.on_click(lambda _: self._pin())
        self._place_sliders()
        self._show()

    def view(self) -> Any:
        """Return the whole page."""
        wide = {"sizing_mode": "stretch_width"}
        tiles = pn.Column(self.status, self.tiles, css_classes=["tiles"], **wide)
        sliders = pn.Column(self.handles, self.fixed, css_classes=["sliders"], **wide)
        self.saved.js_on_click(CustomJS(args={"saved": self.saved}, code=shipped("explorer/save.js")))
        # Whoever reloads the page, or opens its address in a second window, finds what was set.
        self.saved.js_on_change("tags", CustomJS(code=_ADDRESS))
        shared = self._copy(self.shared, "copy_shared")
        copies = [
            pn.Column(self.command, self._copy(self.command, "copy_command"), **wide),
            pn.Column(self.python, self._copy(self.python, "copy_python"), **wide),
            pn.Column(self.shared, pn.Row(shared, self.saved), **wide),
        ]
        again = self._pane(panes.pane("again", self.explorer.words))
        # The tornado stands where it is seen while a handle moves.
        shown = (self.tornado, self.compared, self.changed, self.lead, self.details)
        more = pn.Column(*shown, again, *copies, css_classes=["more"], **wide)
        body = pn.Column(tiles, sliders, more, stylesheets=[shipped("explorer/layout.css")], **wide)
        if self._document is not None:
            phrases = {key: self._say(key, low="{low}", high="{high}", name="{name}") for key in _ON_HANDLES}
            args = {"lang": self.explorer.words.tag, **phrases}
            self._document.js_on_event("document_ready", CustomJS(args=args, code=shipped("explorer/handles.js")))
        chosen = [one for one in self.switches.values() if len(one.options) > 1]
        switches = pn.FlexBox(*chosen, self.reset, self.pin, align_items="end", **wide)
        return pn.Column(self.head, switches, body, max_width=1500, styles={"margin": "0 auto"}, **wide)

    @property
    def notes(self) -> list[Any]:
        """What is said under each slider."""
        return [row.note for row in self.sliders.values()]

    def _pane(self, html: str = "") -> Any:
        return pn.pane.HTML(html, sizing_mode="stretch_width", stylesheets=self._css, margin=(0, 8))

    def _text(self, key: str) -> Any:
        return pn.widgets.TextAreaInput(
            label=self._say(key),
            sizing_mode="stretch_width",
            auto_grow=True,
            max_rows=30,
            max_length=1_000_000,
            resizable="height",
            stylesheets=self._widget_css,
        )

    def _copy(self, text: Any, key: str) -> Any:
        button = pn.widgets.Button(label=self._say(key), margin=(0, 10, 10, 10), stylesheets=self._widget_css)
        button.js_on_click(args={"text": text, "button": button, "copied": self._say("copied")}, code=_COPY)
        return button

    def _made_switches(self) -> dict[str, Any]:
        """One select per scenario dim, for the time and for the result."""
        explorer, css = self.explorer, self._widget_css
        locale, made = explorer.words.locale, {}
        for dim, labels in explorer.model.scenarios.grid.items():
            offered = controls.Offer(_capital(locale.dim(dim)), labels, locale.label, self.setting.scenario[dim])
            made[dim] = controls.select(offered, functools.partial(self._enter, dim), css)
        if dim := explorer.selection.time_dim:
            offered = controls.Offer(
                _capital(locale.dim(dim)), explorer.selection.times, label_text, self.setting.time, width=120
            )
            made[""] = controls.select(offered, lambda time_: self._set(time=time_), css)
        if results := explorer.explained():
            offered = controls.Offer(self._say("look_at"), results, explorer.label, self.about)
            made["of"] = controls.select(offered, self._look, css)
        return made

    def _place_sliders(self) -> None:
        words, css = self.explorer.words, self._widget_css
        self.sliders = {
            one.key: controls.SliderRow(
                one, self.setting.handles.get(one.key, one.own), words, css, functools.partial(self._move, one)
            )
            for one in self.explorer.sliders(self.setting.scenario)
        }
        self.handles.objects = [row.column for row in self.sliders.values()]
        self.fixed.object = panes.pane("fixed_list", self.explorer.words, self.explorer.fixed(self.setting.scenario))

    def _move(self, slider: Slider, handles: Handles) -> None:
        kept = {key: at for key, at in self.setting.handles.items() if key != slider.key}
        if handles != slider.own:
            kept[slider.key] = handles
        self._set(handles=kept)

    def _enter(self, dim: str, label: str) -> None:
        self._set(True, scenario={**self.setting.scenario, dim: label})

    def _set(self, others: bool = False, **changes: Any) -> None:
        """Change what is set, and place sliders anew where others belong to it."""
        self.setting = dataclasses.replace(self.setting, **changes)
        if others:
            self._place_sliders()
        self._ask()

    def _look(self, name: str) -> None:
        self.about = name
        self._ask()

    def _pin(self) -> None:
        """Pin what is shown, to compare with what comes; or drop what was pinned."""
        self.pinned, self._pinned_scene = (self._good if self.pinned is None else None), None
        self._ask()

    def _read(self, state: str) -> tuple[State, str]:
        """Read what to begin with; or say why it cannot be read, and begin with the study."""
        start = State(self.explorer.start())
        try:
            return (read_state(self.explorer, state) if state else start), ""
        except DemandsimError as error:
            return start, str(error)

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
        say, words = self._say, self.explorer.words
        settled = self.explorer.settled(self.setting)
        mistyped = {key: row.mistyped for key, row in self.sliders.items() if row.mistyped}
        wrong = {**settled.problems, **mistyped}
        for key, row in self.sliders.items():
            row.note.object = panes.note(row.made, words, wrong.get(key, ""), key in settled.changes)
        problems = [say("still_at", name=self.sliders[key].made.label, why=why) for key, why in wrong.items()]
        if not problems:
            # The commands are those of what is shown, as long as results stand still.
            told = state_text(State(self.setting, self.about, self.pinned))
            self.command.value = as_command(self.explorer, self.setting, self.study, self.sets)
            self.python.value = as_python(self.explorer, self.setting, self.study, self.sets)
            self.shared.value = as_shared(self.explorer, told, self.study, self.sets)
            self.saved.tags = [told]
            try:
                scene = self.explorer.scene(self.setting)
                pinned = self._pinned()
                self.tiles.object = panes.tiles(scene, self._study(), pinned, words, self._prob)
                self.changed.object = panes.pane("changed", words, list(map(str, self.explorer.changes(self.setting))))
                self.lead.object = panes.lead(scene, self.about, words, self._prob)
                self.details.object = panes.details(scene, self.about, words, self._prob)
                self._good = self.setting
                self._compare(scene, pinned)
                self._explain_soon()
            except DemandsimError as error:
                problems = [say("still", why=self.explorer.told(error))]
        unread, self._unread = self._unread, ""
        problems += [say("unread", why=unread)] if unread else []
        self.status.object = panes.pane("status", words, problems)

    def _pinned(self) -> Scene | None:
        """What follows from the setting that was pinned, if one was."""
        if self.pinned is not None and self._pinned_scene is None:
            self._pinned_scene = self.explorer.scene(self.pinned)
        return self._pinned_scene

    def _compare(self, scene: Scene, pinned: Scene | None) -> None:
        """Put what was pinned beside what is shown."""
        self.pin.label = self._say("pin" if pinned is None else "unpin")
        if self.pinned is None or pinned is None:
            self.compared.object = ""
            return
        before, now = self._side(self.pinned, pinned), self._side(self.setting, scene)
        self.compared.object = panes.compared(before, now, self.explorer.words, self._prob)

    def _side(self, setting: Setting, scene: Scene) -> panes.Side:
        return panes.Side(self.explorer.place(setting), tuple(map(str, self.explorer.changes(setting))), scene)

    def _study(self) -> Scene:
        """The same place with the study's own values, to compare with."""
        where = (tuple(self.setting.scenario.items()), self.setting.time)
        if where not in self._before:
            self._before[where] = self.explorer.scene(dataclasses.replace(self.setting, handles={}))
        return self._before[where]

    def _explain_soon(self) -> None:
        """The numbers are sent first; then the tornado, a slow one when the handles rest."""
        self._turn = turn = self._turn + 1
        self._later(lambda: self._explain() if turn == self._turn else None, min(_REST, round(1000 * self._took)))

    def _explain(self) -> None:
        if not self.about:
            return
        began = time.monotonic()
        try:
            moves = self.explorer.moves(self._good, self.about)
            self.tornado.object = panes.pane("tornado", self.explorer.words, moves, self._prob)
        except DemandsimError as error:
            self.tornado.object = panes.pane("status", self.explorer.words, [self.explorer.told(error)])
        self._took = time.monotonic() - began


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
