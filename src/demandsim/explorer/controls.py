"""Controls: sliders, boxes and selects that tell the page what a person has moved, typed or chosen.

They are Bokeh's own. Panel's widgets answer what the browser sends with what they hold, and with several moves under
way a handle jumps back to an earlier place and stays there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import panel as pn
from bokeh.models import CustomJSTickFormatter
from bokeh.models.widgets import RangeSlider, Select, TextInput
from bokeh.models.widgets import Slider as OneHandle

from demandsim.errors import DemandsimError
from demandsim.explorer.sliders import Handles, Places, Slider
from demandsim.report.words import Words

__all__ = ["Offer", "SliderRow", "select", "slider"]


def slider(made: Slider, at: Places, css: Sequence[str], moved: Callable[[Places], None]) -> Any:
    """Make the slider of an assumption, which says in words what its handles stand at.

    Parameters
    ----------
    made : Slider
    at : tuple of int
        Where its handles stand.
    css : sequence of str
    moved : callable
        Called with the new places.
    """
    shared: dict[str, Any] = {
        "title": made.label,
        "start": 0,
        "end": len(made.values) - 1,
        "step": 1,
        "format": CustomJSTickFormatter(args={"texts": list(made.texts)}, code="return texts[Math.round(tick)]"),
        "tooltips": False,
        "width": None,
        "sizing_mode": "stretch_width",
        "margin": (0, 12, 0, 8),
        "stylesheets": list(css),
        "css_classes": [f"of-{made.name.replace('_', '-')}"],
    }
    control: Any = RangeSlider(value=(at[0], at[1]), **shared) if len(at) > 1 else OneHandle(value=at[0], **shared)

    def changed(_attr: str, old: Any, new: Any) -> None:
        places = new if len(at) > 1 else (new,)
        # A page sends places of the slider. Whatever else comes in moves nothing, and the page is put back.
        if all(math.isfinite(place) and 0 <= round(place) < len(made.values) for place in places):
            moved(tuple(round(place) for place in places))
        else:
            control.value = old

    control.on_change("value", changed)
    return control


class SliderRow:
    """The slider of an assumption, the boxes in which its numbers can be typed, and what is said under it.

    Parameters
    ----------
    made : Slider
    handles : tuple of float
        What it stands at.
    words : Words
    css : sequence of str
    moved : callable
        Called with what it stands at now.
    """

    def __init__(
        self, made: Slider, handles: Handles, words: Words, css: Sequence[str], moved: Callable[[Handles], None]
    ) -> None:
        self.made, self._words, self._css, self._moved = made, words, css, moved
        #: Why what was typed last is no number.
        self.mistyped = ""
        self.boxes = [self._box(i) for i in range(len(made.start))]
        wide: dict[str, Any] = {"sizing_mode": "stretch_width"}
        self.note = pn.pane.HTML("", stylesheets=css, margin=(0, 8), **wide)
        # The slider stands in a box of its own: another in its place does not take the focus from what was typed.
        self._place = pn.Column(**wide)
        self.column = pn.Column(self._place, pn.Row(*self.boxes, **wide), self.note, **wide)
        self._stand(handles)

    def _box(self, place: int) -> Any:
        ends = ("low_end", "high_end") if len(self.made.start) > 1 else ("the_value",)
        label = self._words.say(ends[place], name=self.made.label)
        box = TextInput(title=label, width=110, margin=(0, 4, 0, 8), stylesheets=list(self._css), css_classes=["typed"])
        box.on_change("value", lambda _attr, _old, new: self._typed(place, str(new)))
        return box

    def _stand(self, handles: Handles, *, kept: bool = False) -> None:
        """Stand somewhere: the boxes say so, and the slider has a place there; a kept one stands there already."""
        self._handles, self.mistyped = handles, ""
        if not kept:
            # What was typed need not be a step of the slider, which gets a place more.
            self._shown = self.made.with_stops(handles)
            self.control = slider(self._shown, self._shown.places(handles), self._css, self._slid)
            self._place.objects = [self.control]
        for box, place in zip(self.boxes, self._shown.places(handles), strict=True):
            box.value = self._shown.texts[place]

    def _slid(self, places: Places) -> None:
        self._stand(tuple(self._shown.values[place] for place in places), kept=True)
        self._moved(self._handles)

    def _typed(self, place: int, text: str) -> None:
        # What the page itself writes into a box is no news.
        if text == self._shown.texts[self._shown.places(self._handles)[place]] and not self.mistyped:
            return
        try:
            value = self.made.read(text)
        except DemandsimError as error:
            self.mistyped = str(error)
        else:
            self._stand((*self._handles[:place], value, *self._handles[place + 1 :]))
        self._moved(self._handles)


@dataclass(frozen=True)
class Offer:
    """What a select has to choose from.

    Parameters
    ----------
    title : str
    values : iterable
    text : callable
        What a value is called.
    value : optional
        The one that stands first, or the first one.
    width : int
    """

    title: str
    values: Iterable[Any]
    text: Callable[[Any], str]
    value: Any = None
    width: int = 230


def select(offer: Offer, moved: Callable[[Any], None], css: Sequence[str]) -> Any:
    """Make a select, which calls `moved` with a new value."""
    every = list(offer.values)
    options: list[Any] = [(str(i), offer.text(one)) for i, one in enumerate(every)]
    at = "0" if offer.value is None else str(every.index(offer.value))
    control = Select(
        title=offer.title, options=options, value=at, width=offer.width, margin=(5, 8), stylesheets=list(css)
    )
    offered = {place: one for (place, _), one in zip(options, every, strict=True)}

    def changed(_attr: str, old: Any, new: Any) -> None:
        if new in offered:
            moved(offered[new])
        else:
            control.value = old

    control.on_change("value", changed)
    return control
