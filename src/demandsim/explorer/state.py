"""State: what a person sees and has set, as a text for an address, a command or a file, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demandsim.errors import DemandsimError, check_known
from demandsim.explorer.session import Explorer, Setting
from demandsim.units.format import label_text

__all__ = ["State", "read_state", "state_text"]

#: Letters that a state may have at most: it comes from addresses, which anybody can write.
_LONGEST = 20_000


@dataclass(frozen=True)
class State:
    """What a person has set, which result they look at, and what they pinned to compare with, if anything."""

    setting: Setting
    about: str = ""
    pinned: Setting | None = None


def state_text(state: State) -> str:
    """Write a state as JSON: what is as in the study is left out.

    Examples
    --------
    >>> print(state_text(State(Setting({"scenario": "100T"}, handles={"token_price": (0.9, 3.5)}), "cards")))
    {"scenario":{"scenario":"100T"},"set":{"token_price":[0.9,3.5]},"of":"cards"}
    """
    written = _written(state.setting) | ({"of": state.about} if state.about else {})
    if state.pinned is not None:
        written["pinned"] = _written(state.pinned)
    return json.dumps(written, ensure_ascii=False, separators=(",", ":"))


def _written(setting: Setting) -> dict[str, Any]:
    written: dict[str, Any] = {"scenario": dict(setting.scenario)} if setting.scenario else {}
    if setting.time is not None:
        written["time"] = label_text(setting.time)
    if setting.handles:
        written["set"] = {key: list(handles) for key, handles in setting.handles.items()}
    return written


def read_state(explorer: Explorer, text: str) -> State:
    """Read a state; what it leaves out is as in the study.

    Raises
    ------
    DemandsimError
        If it is no state, or one of another study; the message says where.
    """
    try:
        told = json.loads(text) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):
        told = None
    told = _mapping(told, "the state")
    check_known(told, ("scenario", "time", "set", "of", "pinned"), "key of the state")
    about = told.get("of", "")
    if about:
        check_known([str(about)], explorer.explained(), "result")
    pinned = _read(explorer, _mapping(told["pinned"], "'pinned'"), "'pinned'") if "pinned" in told else None
    return State(_read(explorer, told, "the state"), str(about), pinned)


def _read(explorer: Explorer, told: Mapping[str, Any], where: str) -> Setting:
    start, grid = explorer.start(), explorer.model.scenarios.grid
    scenario = dict(start.scenario)
    for dim, label in _mapping(told.get("scenario", {}), f"'scenario' of {where}").items():
        check_known([dim], grid, "scenario dim")
        check_known([str(label)], grid[dim], "scenario")
        scenario[dim] = str(label)
    time = start.time
    if "time" in told:
        times = {label_text(one): one for one in explorer.selection.times}
        check_known([str(told["time"])], times, "time")
        time = times[str(told["time"])]
    sliders = {slider.key: slider for slider in explorer.sliders(scenario)}
    handles = {}
    for key, values in _mapping(told.get("set", {}), f"'set' of {where}").items():
        check_known([key], sliders, "slider")
        count = len(sliders[key].start)
        if not isinstance(values, Sequence) or len(values) != count or not all(map(_is_number, values)):
            raise DemandsimError(f"'{key}' in 'set' of {where} must be a list of {count} numbers")
        if (stands := tuple(map(float, values))) != sliders[key].own:
            handles[key] = stands
    return Setting(scenario, time, handles)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf


def _mapping(told: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(told, dict):
        raise DemandsimError(
            f"{where} is not as the explorer writes it; copy it from 'To share' on its page, or save it there as a file"
        )
    return told
