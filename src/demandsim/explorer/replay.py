"""Commands: what is shown, as a command line and as Python that give the same numbers again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from demandsim.distributions.base import is_labelled
from demandsim.explorer.session import Explorer, Setting
from demandsim.graph.assumption import Assumption

__all__ = ["as_command", "as_python"]


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
    >>> moved = Setting({"scenario": "100T"}, handles={"token_price": (70, 150)})
    >>> print(as_command(explorer, moved, "guosen-2025-01"))
    demandsim run guosen-2025-01 --scenario 100T --set 'token_price=lognormal(0.8919, 3.568, prob=0.9)' ...
    """
    words = ["demandsim", "run", study]
    several = len(setting.scenario) > 1
    for dim, label in setting.scenario.items():
        words += ["--scenario", f"{dim}={label}" if several or "=" in label else label]
    changes = explorer.settled(setting).changes
    words += [word for item in sets for word in ("--set", item)]
    words += [word for key, law in changes.items() for word in ("--set", f"{key}={law}")]
    words += ["--seed", str(explorer.seed), "--draws", str(explorer.draws)]
    words += ["--chains", str(explorer.chains)] if explorer.chains != 8 else []
    words += ["--prob", f"{explorer.prob:g}"] if explorer.prob != 0.9 else []
    return shlex.join(words)


def as_python(explorer: Explorer, setting: Setting, study: str, sets: Sequence[str] = ()) -> str:
    """Write the Python that simulates what is shown."""
    load = "read_workbook" if study.lower().endswith(".xlsx") else "load_study"
    chosen = "".join(f", {dim}={json.dumps(label, ensure_ascii=False)}" for dim, label in setting.scenario.items())
    names = all(dim.isidentifier() for dim in setting.scenario)
    select = f".select({chosen[2:]})" if names else f".select(**{_literal(dict(setting.scenario))})"
    lines = [f"model = ds.{load}({_literal(study)}){select if setting.scenario else ''}"]
    changes = explorer.settled(setting).changes
    own = {key.partition("@")[0]: law for key, law in changes.items() if "@" in key}
    if own or any("@" in item.partition("=")[0] for item in sets):
        lines += ["model = model.with_scenarios(", *_grid(explorer, setting.scenario, own), ")"]
    before = {item.partition("=")[0].strip(): item.partition("=")[2].strip() for item in sets}
    texts = {n: t for n, t in before.items() if "@" not in n} | {
        key: str(law) for key, law in changes.items() if "@" not in key
    }
    if any("by(" in text for text in texts.values()):
        lines += ["labels = model.program.layout.coords"]
    if texts:
        lines += ["model = model.assume(", *(f"    {name}={_said(text)}," for name, text in texts.items()), ")"]
    lines += [f"draws = model.simulate(draws={explorer.draws}, chains={explorer.chains}, seed={explorer.seed})"]
    place = f".sel({explorer.choice.time_dim}={_literal(setting.time)})" if setting.time is not None else ""
    imports = ["import demandsim as ds"]
    if any("parse_distribution(" in line for line in lines):
        imports += ["from demandsim.distributions import parse_distribution"]
    return "\n".join([*imports, "", *lines, f"print(ds.summarize(draws, prob={explorer.prob:g}){place})"])


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
