"""Controls: sliders and selects that tell the page what a person has moved or chosen.

They are Bokeh's own. Panel's widgets answer what the browser sends with what they hold, and with several moves under
way a handle jumps back to an earlier place and stays there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bokeh.models import CustomJSTickFormatter
from bokeh.models.widgets import RangeSlider, Select
from bokeh.models.widgets import Slider as OneHandle

from demandsim.explorer.sliders import Handles, Slider

__all__ = ["Offer", "select", "slider"]


def slider(made: Slider, at: Handles, css: Sequence[str], moved: Callable[[Handles], None]) -> Any:
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
