"""Replay: what is shown, as a command line and as Python that give the same numbers again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from demandsim._system import is_workbook, repeated, unless
from demandsim.distributions.base import is_labelled
from demandsim.explorer.session import Explorer, Setting
from demandsim.graph.assumption import Assumption

__all__ = ["as_command", "as_python", "as_shared"]


def as_command(explorer: Explorer, setting: Setting, study: str, sets: Sequence[str] = ()) -> str:
    """Write the ``demandsim run`` that simulates what is shown.

    Parameters
    ----------
    explorer : Explorer
    setting : Setting
        Impossible sliders are left out.
    study : str
        As it was loaded.
    sets : sequence of str
        What ``--set`` had changed before.

    Examples
    --------
    >>> import demandsim as ds
    >>> explorer = Explorer(ds.load_study("guosen-2025-01"), draws=64)
    >>> moved = Setting({"scenario": "100T"}, handles={"token_price": (0.9, 3.5)})
    >>> print(as_command(explorer, moved, "guosen-2025-01"))
    demandsim run guosen-2025-01 --scenario 100T --set 'token_price=lognormal(0.9, 3.5, prob=0.9)' ...
    """
    words = ["demandsim", "run", study, *_asked_words(explorer)]
    several = len(setting.scenario) > 1
    for dim, label in setting.scenario.items():
        words += ["--scenario", f"{dim}={label}" if several or "=" in label else label]
    changes = explorer.settled(setting).changes
    words += repeated("--set", [*sets, *(f"{key}={law}" for key, law in changes.items())])
    words += ["--seed", str(explorer.seed), "--draws", str(explorer.draws)]
    words += [*unless(8, "--chains", explorer.chains), *unless(0.9, "--prob", explorer.prob)]
    return shlex.join(words)


def as_shared(explorer: Explorer, state: str, study: str, sets: Sequence[str] = ()) -> str:
    """Write the ``demandsim explore`` that opens the page as it is.

    Parameters
    ----------
    explorer : Explorer
    state : str
        As `state_text` writes it.
    study : str
        As it was loaded.
    sets : sequence of str
        What ``--set`` had changed before.

    Examples
    --------
    >>> import demandsim as ds
    >>> print(as_shared(Explorer(ds.load_study("guosen-2025-01")), '{"of":"cards"}', "guosen-2025-01"))
    demandsim explore guosen-2025-01 --state '{"of":"cards"}'
    """
    words = ["demandsim", "explore", study, *_asked_words(explorer)]
    words += [*repeated("--set", sets), "--state", state]
    words += [*unless(1, "--seed", explorer.seed), *unless(1024, "--draws", explorer.draws)]
    words += [*unless(0.9, "--prob", explorer.prob), *unless("en", "--locale", explorer.words.code)]
    return shlex.join(words)


def as_python(explorer: Explorer, setting: Setting, study: str, sets: Sequence[str] = ()) -> str:
    """Write the Python that simulates what is shown."""
    load = "read_workbook" if is_workbook(study) else "load_study"
    asked = "".join(f", {key}={_argument(value)}" for key, value in explorer.model.notes.asked.items())
    place = f".sel({explorer.selection.time_dim}={_literal(setting.time)})" if setting.time is not None else ""
    lines = [
        f"model = ds.{load}({_literal(study)}{asked}){_select(setting.scenario)}",
        *_changes(explorer, setting, sets),
        f"draws = model.simulate(draws={explorer.draws}, chains={explorer.chains}, seed={explorer.seed})",
        f"print(ds.summarize(draws, prob={explorer.prob:g}){place})",
    ]
    imports = ["import demandsim as ds"]
    if any("parse_distribution(" in line for line in lines):
        imports += ["from demandsim.distributions import parse_distribution"]
    return "\n".join([*imports, "", *lines])


def _asked_words(explorer: Explorer) -> Iterator[str]:
    """What is asked of a workbook, as options."""
    for key, value in explorer.model.notes.asked.items():
        if key == "outputs":
            yield from repeated("--output", value)
        elif key == "assume":
            yield from repeated("--assume", [f"{cell}={law}" for cell, law in value.items()])
        else:
            yield f"--{key}"


def _argument(value: Any) -> str:
    """What is asked of a workbook, as an argument; a distribution as its text."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_literal(cell)}: {_argument(law)}' for cell, law in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return _literal(value if isinstance(value, (bool, int, float)) else str(value))


def _select(scenario: Mapping[str, str]) -> str:
    """Write the choice of a scenario, whose dims need not be names of Python."""
    if not scenario:
        return ""
    if all(dim.isidentifier() for dim in scenario):
        return f".select({', '.join(f'{dim}={_literal(label)}' for dim, label in scenario.items())})"
    return f".select(**{_literal(dict(scenario))})"


def _changes(explorer: Explorer, setting: Setting, sets: Sequence[str]) -> Iterator[str]:
    """Write what was set before and what the sliders set, in a scenario of its own or throughout."""
    texts = {name.strip(): text.strip() for name, _, text in (item.partition("=") for item in sets)}
    changes = explorer.settled(setting).changes
    if any("@" in name for name in (*texts, *changes)):
        own = {name.partition("@")[0]: law for name, law in changes.items() if "@" in name}
        yield from ("model = model.with_scenarios(", *_grid(explorer, setting.scenario, own), ")")
    texts |= {name: str(law) for name, law in changes.items()}
    throughout = {name: text for name, text in texts.items() if "@" not in name}
    if any("by(" in text for text in throughout.values()):
        yield "labels = model.program.layout.coords"
    if throughout:
        yield from ("model = model.assume(", *(f"    {name}={_said(text)}," for name, text in throughout.items()), ")")


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _said(text: str) -> str:
    return f"parse_distribution({_literal(text)}, labels)" if "by(" in text else _literal(text)


def _grid(explorer: Explorer, scenario: Mapping[str, str], own: Mapping[str, Any]) -> list[str]:
    """Write all that the chosen scenarios set, since `with_scenarios` takes the whole grid."""
    lines = []
    for dim, label in scenario.items():
        lines.append(f"    {dim}={{{_literal(label)}: {{")
        for name, assumption in explorer.model.scenarios.grid[dim][label].items():
            made = assumption.with_distribution(own[name]) if name in own else assumption
            lines.append(f"        {_literal(name)}: {_assumption(made)},")
        lines.append("    }},")
    return lines


def _assumption(made: Assumption) -> str:
    law = str(made.distribution)
    text = f"parse_distribution({_literal(law)}, model.program.layout.coords)" if "by(" in law else _literal(law)
    point = "" if is_labelled(made.point) else f", point={made.point!r}"
    return f"ds.Assumption({text}, unit={_literal(made.unit)}{point})"
