"""Diagram: which quantity is computed from which, as text that Mermaid or Graphviz draws."""

from __future__ import annotations

import html
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from demandsim.errors import check_known
from demandsim.graph.assumption import Assumption
from demandsim.graph.graph import Graph

__all__ = ["Form", "diagram"]

Form = Literal["mermaid", "dot"]


@dataclass(frozen=True)
class _Node:
    """A quantity, its label in lines, and what it is: one that varies, one that is set, one computed, or a result."""

    name: str
    label: tuple[str, ...]
    kind: Literal["uncertain", "set", "computed", "result"]


def diagram(
    graph: Graph, assumptions: Mapping[str, Assumption], of: Sequence[str] | str | None = None, form: Form = "mermaid"
) -> str:
    """Write an influence diagram as text.

    Parameters
    ----------
    graph : Graph
    assumptions : mapping of str to Assumption
    of : str or sequence of str, optional
        Quantities: they and all that they are computed from are drawn; everything by default.
    form : {"mermaid", "dot"}, default "mermaid"

    Returns
    -------
    str
        Arrows lead from what is asked for to what is computed from it, dotted where it is the value of the label
        before. Assumptions that vary are ovals, those that are set are rounded boxes, what is computed is a box,
        and what nothing else is computed from a double one.

    Raises
    ------
    UnknownNameError
        If there is no such quantity or form.
    """
    check_known([form], ("mermaid", "dot"), "form of a diagram")
    known = [*assumptions, *graph.written_order()]
    wanted = known if of is None else [of] if isinstance(of, str) else list(of)
    check_known(wanted, known, "quantity")
    drawn = graph.causes(wanted) & set(known)
    arrows = [
        (source, name, before) for name in known if name in drawn for source, before in _asked(graph, name, drawn)
    ]
    asked = {source for source, name, _ in arrows if source != name}
    nodes = [_node(name, graph, assumptions, asked) for name in known if name in drawn]
    return (_mermaid if form == "mermaid" else _dot)(nodes, arrows)


def _asked(graph: Graph, name: str, drawn: Container[str]) -> Iterator[tuple[str, bool]]:
    """What an equation asks for, and whether at the label before; constants of its own are no quantities."""
    made = graph.written.get(name)
    found: dict[tuple[str, bool], None] = {}
    for wanted in made.inputs if made is not None else ():
        lag = graph.lags.get(wanted)
        if lag is None:
            found[wanted, False] = None
        else:
            found |= {(lag.of, True): None, (lag.start, False): None}
    yield from (one for one in found if one[0] in drawn)


def _node(name: str, graph: Graph, assumptions: Mapping[str, Assumption], asked: Container[str]) -> _Node:
    made = assumptions.get(name)
    unit = made.unit if made is not None else graph.written[name].unit
    label = (name,) if unit == "1" else (name, unit)
    if made is not None:
        return _Node(name, label, "set" if made.distribution.is_constant else "uncertain")
    return _Node(name, label, "computed" if name in asked else "result")


def _mermaid(nodes: Sequence[_Node], arrows: Sequence[tuple[str, str, bool]]) -> str:
    # Names may be words of Mermaid, such as "end": it knows nodes by number.
    numbers = {node.name: f"n{place}" for place, node in enumerate(nodes)}
    shapes = {"uncertain": '(["{}"])', "set": '("{}")', "computed": '["{}"]', "result": '[["{}"]]'}
    lines = ["flowchart LR"]
    for node in nodes:
        label = "<br>".join(map(html.escape, node.label))
        lines.append(f"    {numbers[node.name]}{shapes[node.kind].format(label)}")
    lines += [f"    {numbers[a]} {'-.->' if before else '-->'} {numbers[b]}" for a, b, before in arrows]
    return "\n".join(lines) + "\n"


def _dot(nodes: Sequence[_Node], arrows: Sequence[tuple[str, str, bool]]) -> str:
    def quoted(*parts: str) -> str:
        # A break of DOT is a backslash and an n.
        return '"' + "\\n".join(part.replace("\\", "\\\\").replace('"', '\\"') for part in parts) + '"'

    looks = {
        "uncertain": "shape=ellipse",
        "set": "shape=box, style=rounded",
        "computed": "shape=box",
        "result": "shape=box, peripheries=2",
    }
    lines = ["digraph {", "    rankdir=LR"]
    lines += [f"    {quoted(node.name)} [label={quoted(*node.label)}, {looks[node.kind]}]" for node in nodes]
    lines += [f"    {quoted(a)} -> {quoted(b)}{' [style=dotted]' if before else ''}" for a, b, before in arrows]
    return "\n".join([*lines, "}"]) + "\n"
