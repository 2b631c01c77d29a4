"""Scenarios: named changes of assumptions along labelled dims, on common random numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from demandsim.distributions.convert import as_distribution
from demandsim.errors import ScenarioError, UnknownNameError, check_known, shorten
from demandsim.graph.assumption import Assumption, in_unit
from demandsim.graph.bounds import about
from demandsim.units.convert import base_factor, same_dimension

__all__ = ["RESERVED", "Scenarios"]

#: Dims of draws and of summaries.
RESERVED = ("chain", "draw", "statistic")


@dataclass(frozen=True)
class Scenarios:
    """A grid of scenarios: one dim per kind of change, one label per alternative.

    Parameters
    ----------
    grid : mapping of dim to (mapping of label to (mapping of assumption to Assumption))
        Every override is a whole `Assumption`, so that it carries its unit and point.
    """

    grid: Mapping[str, Mapping[str, Mapping[str, Assumption]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        grid: Mapping[str, Mapping[str, Mapping[str, Any]]],
        assumptions: Mapping[str, Assumption],
        source: str | None = None,
    ) -> Scenarios:
        """Read overrides (numbers, distributions, texts) against the assumptions they change.

        Parameters
        ----------
        grid, assumptions
        source : str, optional
            Of what does not tell its own; that of the assumption by default.

        Raises
        ------
        UnknownNameError
            If a scenario overrides a name that is no assumption.
        ScenarioError
            If a dim has a reserved name or no scenarios, or two dims change one assumption.
        """
        made: dict[str, dict[str, dict[str, Assumption]]] = {}
        for dim, labels in grid.items():
            if dim in RESERVED:
                raise ScenarioError(f"scenario dim '{dim}' is reserved; choose another name")
            if not isinstance(labels, Mapping) or not labels:
                raise ScenarioError(
                    f"scenarios of '{dim}' are given as {{label: {{assumption: value}}}}, at least one, such as "
                    f"{{'base': {{}}, 'low': {{'utilization': 0.2}}}}, not as {shorten(' '.join(repr(labels).split()))}"
                )
            made[dim] = {}
            for label, overrides in labels.items():
                if not isinstance(overrides, Mapping):
                    raise ScenarioError(
                        f"scenario '{label}' must map assumptions to values, such as {{'utilization': 0.2}}, not "
                        f"{shorten(repr(overrides))}"
                    )
                check_known(overrides, assumptions, f"assumption in scenario '{label}':")
                made[dim][str(label)] = {
                    name: _override(name, assumptions[name], value, source) for name, value in overrides.items()
                }
        return cls(made).checked(assumptions)

    def checked(self, assumptions: Mapping[str, Assumption]) -> Scenarios:
        """Return the scenarios themselves, if they still fit the assumptions.

        Raises
        ------
        UnknownNameError
            If a scenario overrides a name that is no assumption.
        ScenarioError
            If two dims change one assumption, or an override has another unit than the assumption.
        """
        for one, other in itertools.combinations(self.grid, 2):
            both = self._changed(self.grid[one]) & self._changed(self.grid[other])
            if both:
                name = sorted(both)[0]
                raise ScenarioError(f"assumption '{name}' is changed by both '{one}' and '{other}'; leave it to one")
        for labels in self.grid.values():
            for label, overrides in labels.items():
                check_known(overrides, assumptions, f"assumption in scenario '{label}':")
                for name, override in overrides.items():
                    unit, given = assumptions[name].unit, override.unit
                    if unit != given and not (same_dimension(unit, given) and base_factor(unit) == base_factor(given)):
                        raise ScenarioError(
                            f"scenario '{label}' gives '{name}' in '{given}', the model has it in '{unit}'; "
                            f"write it in '{unit}'"
                        )
        return self

    @staticmethod
    def _changed(labels: Mapping[str, Mapping[str, Assumption]]) -> set[str]:
        return {name for overrides in labels.values() for name in overrides}

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the scenario dims, in order."""
        return tuple(self.grid)

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Labels along each dim."""
        return {dim: tuple(labels) for dim, labels in self.grid.items()}

    def dim_of(self, name: str) -> str | None:
        """Return the dim whose scenarios change assumption `name`, or None."""
        for dim, labels in self.grid.items():
            if name in self._changed(labels):
                return dim
        return None

    def replaces(self, name: str) -> bool:
        """Tell whether every scenario of a dim sets assumption `name` itself, so that nothing else counts."""
        dim = self.dim_of(name)
        return dim is not None and all(name in overrides for overrides in self.grid[dim].values())

    def variants(self, name: str, base: Assumption) -> Iterator[Assumption]:
        """Return the assumption in each scenario of the dim that changes it; or once, if none does."""
        dim = self.dim_of(name)
        if dim is None:
            yield base
            return
        for overrides in self.grid[dim].values():
            yield overrides.get(name, base)

    def changed(self, name: str, label: str, distribution: Any) -> dict[str, dict[str, dict[str, Assumption]]]:
        """Return the grid with another distribution of assumption `name` in the scenarios called `label`.

        Unit and label stay those of the scenario.

        Raises
        ------
        UnknownNameError
            If no scenario of that label sets the assumption.
        """
        setting = [known for labels in self.grid.values() for known, own in labels.items() if name in own]
        if label not in setting:
            check_known([label], [known for labels in self.grid.values() for known in labels], "scenario")
            raise UnknownNameError(f"scenario '{label}' does not set '{name}' itself; set it without '@{label}'")
        return {
            dim: {
                known: dict(own)
                | ({name: _redistributed(name, own[name], distribution)} if known == label and name in own else {})
                for known, own in labels.items()
            }
            for dim, labels in self.grid.items()
        }

    def only(self, labels: Mapping[str, str]) -> Scenarios:
        """Keep one scenario of each dim named in `labels`.

        Raises
        ------
        UnknownNameError
            If there is no such dim or scenario.
        """
        if labels and not self.grid:
            raise UnknownNameError(
                "this model has no scenarios; with_scenarios returns a new model, to be kept: "
                "model = model.with_scenarios(...)"
            )
        check_known(labels, self.grid, "scenario dim")
        for dim, label in labels.items():
            check_known([label], self.grid[dim], f"{dim}" if dim == "scenario" else f"scenario of '{dim}'")
        return Scenarios(
            {dim: {labels[dim]: named[labels[dim]]} if dim in labels else named for dim, named in self.grid.items()}
        )


def _redistributed(name: str, base: Assumption, value: Any) -> Assumption:
    with about(name):
        return base.with_distribution(value)


def _override(name: str, base: Assumption, value: Any, source: str | None) -> Assumption:
    """What a scenario sets: what it leaves unsaid is said by the assumption, but for point and source."""
    if isinstance(value, Assumption):
        value = value.over(base.distribution.coords)
        said = {"long_name": value.long_name or base.long_name, "source": value.source or source or base.source}
        return _redistributed(name, base, value).relabelled(shared=base.shared, **said)
    with about(name):
        made = as_distribution(in_unit(value, base.unit))
        changed = base.relabelled(distribution=made, point=None, source=source or base.source)
        return changed.over(base.distribution.coords)
