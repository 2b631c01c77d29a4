"""Observing: evidence as the command line gives it, with --observe and --event."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from demandsim.errors import DemandsimError, EventError, check_known

if TYPE_CHECKING:
    from demandsim.model import Model
    from demandsim.statistics.event import Event

__all__ = ["EventOption", "ObserveOption", "again", "event_option", "observing"]

ObserveOption = Annotated[
    list[str],
    typer.Option(
        "--observe",
        metavar="NAME[@LABEL]=DISTRIBUTION",
        help="What was measured, and how far off it may be; at one year or scenario, if a label is named.",
    ),
]
EventOption = Annotated[
    list[str],
    typer.Option("--event", metavar="'NAME < NUMBER'", help="What is known to have happened; also with and, or, not."),
]


def observing(model: Model, observe: Sequence[str], event: Sequence[str]) -> Model:
    """Add the evidence of the command line to that of the study; a bad piece is named."""
    from demandsim.distributions.grammar import parse_distribution

    for item in observe:
        target, equals, value = item.partition("=")
        name, at, label = (part.strip() for part in target.partition("@"))
        if not equals or not value.strip() or not name or (at and not label):
            raise typer.BadParameter(
                f"'{item}' is not NAME=DISTRIBUTION, such as 'capex=normal(mean=80e9, sd=15e9)', or "
                "NAME@LABEL=DISTRIBUTION",
                param_hint="--observe",
            )
        check_known([name], model.quantities, "quantity")
        layout = model.program.layout
        try:
            made = parse_distribution(value.strip(), layout.coords)
            if at:
                own = model.program.varying[name].dims | set(layout.scenario_dims)
                places = {str(v): (dim, v) for dim in layout.dims if dim in own for v in layout.coords[dim]}
                check_known([label], places, f"label of '{name}'")
                if made.dims:
                    raise DemandsimError("by(...) names labels already; leave out '@'")
                dim, found = places[label]
                made = dataclasses.replace(made, dims=(dim,), coords={dim: (found,)})
            model = model.observe(**{name: made})
        except DemandsimError as error:
            raise type(error)(f"--observe {target.strip()}: {error}") from None
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


def again(words: str, observe: Sequence[str], event: Sequence[str], extra: Sequence[str] = ()) -> str:
    """Complete the command that gives the same draws with the evidence of this one."""
    more = [word for item in observe for word in ("--observe", item)]
    more += [word for item in event for word in ("--event", item)]
    return " ".join([words, shlex.join([*more, *extra])]).strip()
