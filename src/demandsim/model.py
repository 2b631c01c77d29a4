"""Model: the frozen facade. Every method that changes something returns a new model."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from demandsim._system import versions
from demandsim.distributions.base import is_labelled
from demandsim.errors import (
    CorrelationError,
    CorrelationWarning,
    DemandsimError,
    DistributionError,
    UnknownNameError,
    UnusedAssumptionWarning,
    check_known,
    check_whole,
    did_you_mean,
    warn,
)
from demandsim.graph.assumption import USER, Assumption, assumptions_of
from demandsim.graph.bounds import about
from demandsim.graph.changes import Changes, Origin, changes_attrs, changes_line, described, published_values
from demandsim.graph.correlation import Correlations, checked_correlations, checked_tails, replaced
from demandsim.graph.description import Description
from demandsim.graph.diagram import Form, diagram
from demandsim.graph.equation import Equation, equations_of
from demandsim.graph.explanation import Explanation, explain
from demandsim.graph.frame import quantities_frame
from demandsim.graph.graph import Graph, unused_words
from demandsim.graph.label_correlation import LabelKey, LabelRank, checked_label_correlations, replaced_labels
from demandsim.graph.metadata import StudyNotes
from demandsim.graph.presentation import Presentation
from demandsim.graph.scenario import Scenarios
from demandsim.graph.source import canonical, fingerprint
from demandsim.graph.study_file import study_text
from demandsim.graph.submodel import joined
from demandsim.graph.unit_check import check_units
from demandsim.inference.evidence import Evidence, check_evidence, dated, happened, known, narrowed, observed
from demandsim.sampling.compile import compile_program, dimension_order, draft_program
from demandsim.sampling.dataset import Labels
from demandsim.sampling.dependence import Ties, without_effect
from demandsim.sampling.in_memory import Pace
from demandsim.sampling.points import point_values, possible_results
from demandsim.sampling.program import Program, Values
from demandsim.sampling.progress import Progress, reporting
from demandsim.sampling.simulate import Parts, Settings, Way, estimated, simulated
from demandsim.sampling.stopping import Round, goal_of
from demandsim.sampling.student_t import kendall_to_spearman
from demandsim.statistics.design import DesignName
from demandsim.units.constant import Constant
from demandsim.units.convert import base_factor, check_unit

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Model"]

#: What a model is made of.
_PARTS = (
    "equations",
    "assumptions",
    "correlations",
    "label_correlations",
    "tails",
    "scenarios",
    "notes",
    "dimensions",
    "nearest",
    "evidence",
    "origin",
)


@dataclass(frozen=True, init=False, eq=False)
class Model:
    """Equations over assumptions, with correlations and scenarios.

    Parameters
    ----------
    equations : sequence of Equation
        In any order.
    assumptions : mapping of str to Assumption
        Anything else is taken as the distribution of an `Assumption` without unit.
    correlations : mapping of (str, str) to float, optional
        Spearman rank correlations.
    label_correlations : mapping of (str, str) or (str, str, str), optional
        Those between labels, by assumption and dim or two assumptions and dim, as `correlate_labels` takes them.
    tails : mapping of str to float, optional
        Degrees of freedom of assumptions whose correlations have a t copula, as `correlate` takes them.
    scenarios : mapping of dim to (label to (assumption to value)), optional
    notes : StudyNotes, optional
    dimensions : sequence of str, optional
        Order in which assumptions take dimensions of a low-discrepancy sequence; by name by default.
    nearest : bool, default False
        Use the nearest possible correlations where the given ones are impossible.
    evidence : sequence of observations, optional
        Made by `observe`.
    name : str, optional
        What tables, pictures, pages and folders of results call it; that of `notes` by default.
    coords : mapping of dim to labels, optional
        Labels of dims that an assumption (``dims=``) or an equation has and nothing else says.

    Raises
    ------
    MissingAssumptionError, CycleError, UnknownNameError
        If the graph does not close; with the nearest name, or the path of the cycle.
    DimensionError
        If an equation mixes dimensions or returns another than it declares; it is named.
    CorrelationError
        If the correlations cannot be had; with those that can.

    Examples
    --------
    >>> import demandsim as ds
    >>> from demandsim import distributions as dist
    >>> @ds.equation(unit="card")
    ... def cards(peak_compute, card_flops, utilization):
    ...     return peak_compute / (card_flops * utilization)
    >>> model = ds.Model(
    ...     equations=[cards],
    ...     assumptions={
    ...         "peak_compute": ds.Assumption(dist.lognormal(500, 1200), unit="EFLOP/s"),
    ...         "card_flops": ds.Assumption(1979, unit="TFLOP/s/card"),
    ...         "utilization": ds.Assumption(dist.beta(mean=0.45, sd=0.1), point=0.45),
    ...     },
    ... )
    >>> round(model.point().cards.item())
    869796
    """

    equations: Mapping[str, Equation]
    assumptions: Mapping[str, Assumption]
    correlations: Correlations
    label_correlations: Mapping[LabelKey, LabelRank]
    tails: Mapping[str, float]
    scenarios: Scenarios
    notes: StudyNotes
    dimensions: tuple[str, ...]
    nearest: bool
    evidence: tuple[Evidence, ...]
    origin: Origin | None = field(repr=False)
    graph: Graph = field(repr=False)
    program: Program = field(repr=False)
    #: Unused assumptions that a warning has named.
    _named: frozenset[str] = field(repr=False)

    def __init__(
        self,
        equations: Iterable[Equation],
        assumptions: Mapping[str, Any],
        *,
        correlations: Correlations | None = None,
        label_correlations: Mapping[Any, Any] | None = None,
        tails: Mapping[str, float] | None = None,
        scenarios: Mapping[str, Mapping[str, Mapping[str, Any]]] | Scenarios | None = None,
        notes: StudyNotes | None = None,
        dimensions: Sequence[str] | None = None,
        nearest: bool = False,
        evidence: Sequence[Evidence] = (),
        name: str = "",
        coords: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        said = notes or StudyNotes()
        parts: dict[str, Any] = {
            "correlations": correlations or {},
            "label_correlations": label_correlations or {},
            "tails": tails or {},
            "scenarios": scenarios or {},
            "notes": dataclasses.replace(said, name=name or said.name),
            "dimensions": dimensions,
            "nearest": nearest,
            "evidence": evidence,
            "origin": None,
            "coords": coords or {},
        }
        self._build(equations, assumptions, **parts)
        self.finished()

    @classmethod
    def drafted(cls, equations: Iterable[Equation], assumptions: Mapping[str, Any], **parts: Any) -> Model:
        """Build a model that is given more, such as evidence, before it is `finished`; for what reads models.

        That assumptions of the names `told` may be unused is known, and not worth a warning.
        """
        made = object.__new__(cls)
        unsaid = {
            "correlations": {},
            "label_correlations": {},
            "tails": {},
            "scenarios": {},
            "notes": StudyNotes(),
            "evidence": (),
            "nearest": False,
        }
        made._build(equations, assumptions, **{**unsaid, "dimensions": None, "origin": None, **parts})
        return made

    def finished(self) -> Model:
        """Return the model itself; warn of correlations without effect and of assumptions that nothing asks for."""
        layout, made = self.program.layout, self.program.transforms
        for pair, why in without_effect(self.correlations, self.label_correlations, made, layout).items():
            # Where only scenarios pin it, that is what they are for: the receipt says so.
            if any(self.assumptions[name].distribution.is_constant for name in pair):
                warn(why, CorrelationWarning)
        self._name_unused()
        return self

    def _name_unused(self) -> None:
        """Warn, once, of assumptions that nothing is computed from: of mistyped names, most often."""
        known = [name for piece in self.evidence for name in piece.names or self.quantities]
        unused = self.graph.unused(self.assumptions, known) - self._named
        if unused:
            object.__setattr__(self, "_named", self._named | unused)
            warn(unused_words(unused, self.quantities), UnusedAssumptionWarning)

    def _build(
        self, equations: Any, assumptions: Mapping[str, Any], *, before: Model | None = None, **parts: Any
    ) -> None:
        """Check all parts, and compile them; what was found out about the equations `before` is not done again."""
        named = frozenset(parts.get("told", before._named if before is not None else ()))
        given = equations_of(equations)
        assumed = assumptions_of(assumptions)
        given, assumed = _with_dims(given, assumed, parts.get("coords", {}))
        for name, assumption in assumed.items():
            _check_name(name)
            check_unit(assumption.unit)
        # Equations that were ordered, checked and tried are so still, where names are the same.
        same = before is not None and equations is before.equations and assumed.keys() == before.assumptions.keys()
        graph = before.graph if before is not None and same else Graph.of(given, assumed)
        pairs = checked_correlations(parts["correlations"], assumed)
        scenarios = parts["scenarios"]
        # Scenarios that were made before still have to fit, when assumptions have changed since.
        grid = scenarios.checked(assumed) if isinstance(scenarios, Scenarios) else Scenarios.of(scenarios, assumed)
        order = dimension_order(graph, assumed, parts["dimensions"])
        if before is None or not _same_dimensions(before, graph, assumed):
            points = {name: a.point * base_factor(a.unit) for name, a in assumed.items()}
            check_units(graph, points, {name: a.unit for name, a in assumed.items()})
        ranks = checked_label_correlations(parts["label_correlations"], assumed)
        tails = checked_tails(parts["tails"], assumed, pairs, ranks)
        draft = draft_program(
            assumed,
            grid,
            Ties(pairs, ranks, tails, parts["nearest"]),
            dimensions=order,
            made_dims=graph.made_dims,
        )
        program = compile_program(draft, graph, before.program if before is not None else None)
        if parts["evidence"]:
            check_evidence(parts["evidence"], program, _declared(assumed, graph.equations))
        for name, value in {
            "equations": equations if same else MappingProxyType({made.name: made for made in given}),
            "assumptions": MappingProxyType(assumed),
            "correlations": MappingProxyType(pairs),
            "label_correlations": MappingProxyType(ranks),
            "tails": MappingProxyType(tails),
            "scenarios": grid,
            "notes": parts["notes"],
            "dimensions": order,
            "nearest": parts["nearest"],
            "evidence": tuple(parts["evidence"]),
            "origin": parts["origin"],
            "graph": graph,
            "program": program,
            "_named": named,
        }.items():
            object.__setattr__(self, name, value)

    def _with(self, **changes: Any) -> Model:
        """Make a model with some parts changed."""
        made = object.__new__(type(self))
        made._build(**{name: getattr(self, name) for name in _PARTS} | changes, before=self)
        return made

    def __reduce__(self) -> Any:
        parts = {name: getattr(self, name) for name in _PARTS}
        # Read-only mappings cannot be pickled.
        made: dict[str, Any] = {
            name: dict(part) if isinstance(part, MappingProxyType) else part for name, part in parts.items()
        }
        return _restored, (type(self), made, self._named)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Model):
            return NotImplemented
        return canonical(self) == canonical(other) and self.notes == other.notes

    def __hash__(self) -> int:
        return int(self.hash[:15], 16)

    def __repr__(self) -> str:
        name = f" '{self.notes.name}'" if self.notes.name else ""
        size = f"{len(self.assumptions)} assumptions, {len(self.equations)} equations"
        dims = "".join(f", {dim}: {len(labels)}" for dim, labels in self.program.layout.coords.items())
        pieces = len(self.evidence)
        dims += f", {pieces} piece{'s' if pieces > 1 else ''} of evidence" if pieces else ""
        return f"<demandsim.Model{name}: {size}{dims}>"

    def _repr_html_(self) -> str:
        return self.describe()._repr_html_()

    @functools.cached_property
    def hash(self) -> str:
        """Fingerprint of everything that determines the draws."""
        return fingerprint(self)

    def loaded(self, parts: Mapping[str, str] | None = None) -> Model:
        """Return the model as a study, from which later ones differ; for what reads models.

        Parameters
        ----------
        parts : mapping of str to str, optional
            What the study said that a file was made from, as `described`, where the file differs from it.
        """
        made = self.finished()
        own = described(self)
        origin = Origin(own if parts is None else parts)
        at = made._point_at() if self.notes.published and not origin.changes(own) else None
        origin = Origin(origin.parts, published_values(self, at))
        object.__setattr__(made, "origin", origin)
        return made

    def to_frame(self) -> pd.DataFrame:
        """Return all quantities as a pandas DataFrame: points, percentiles and sources, or formulas, with their units.

        Examples
        --------
        >>> import demandsim as ds
        >>> frame = ds.load_study("guosen-2025-01").to_frame()
        >>> frame.loc["card_price", ["role", "unit", "distribution"]].to_list()
        ['assumption', 'CNY/card', 'lognormal(median=150000, factor=1.5, prob=0.9)']
        """
        return quantities_frame(self.assumptions, self.equations)

    def describe(self) -> Description:
        """Describe the model at a glance: assumptions with intervals and sources, equations by layer, what looks odd.

        Returns
        -------
        Description
            Print it, let a notebook show it, or take ``to_frame()``; ``demandsim show`` prints the same.

        Examples
        --------
        >>> import demandsim as ds
        >>> found = ds.load_study("guosen-2025-01").describe()
        >>> found.results, found.layers["cards"]
        (['gross_margin', 'revenue_to_cost', 'break_even_price'], 3)
        """
        return Description(self, changes_line(self.notes.name, self.changes))

    def diagram(self, of: Sequence[str] | str | None = None, form: Form = "mermaid") -> str:
        """Return the influence diagram as text: which quantity is computed from which.

        Parameters
        ----------
        of : str or sequence of str, optional
            Quantities: they and all that they are computed from are drawn; everything by default.
        form : {"mermaid", "dot"}, default "mermaid"
            Mermaid is drawn by GitHub, GitLab, Jupyter and Sphinx, DOT by Graphviz: ``dot -Tsvg``.

        Returns
        -------
        str
            Ovals are assumptions that vary, rounded boxes those that are set, boxes what is computed, and double boxes
            what nothing else is computed from. Dotted arrows are values of the label before.

        Raises
        ------
        UnknownNameError
            If there is no such quantity or form.

        Examples
        --------
        >>> import demandsim as ds
        >>> print(ds.load_study("guosen-2025-01").diagram(of="token_rate"))
        flowchart LR
            n0(["daily_tokens<br>token/day"])
            n1[["token_rate<br>token/s"]]
            n0 --> n1
        <BLANKLINE>
        """
        return diagram(self.graph, self.assumptions, of, form)

    @functools.cached_property
    def changes(self) -> Changes:
        """What differs from the study that the model was loaded from: a table of name, before and after.

        Examples
        --------
        >>> import demandsim as ds
        >>> ds.load_study("guosen-2025-01").changes
        ()
        >>> print(ds.load_study("guosen-2025-01").assume(utilization=0.15).changes)
        utilization 0.45 -> 0.15
        """
        return Changes() if self.origin is None else self.origin.changes(described(self))

    def canonical(self) -> dict[str, Any]:
        """Everything that determines the draws, independent of the order in which it was given."""
        return canonical(self)

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of all assumptions and computed quantities."""
        return (*self.assumptions, *self.equations)

    @property
    def declared_units(self) -> dict[str, str]:
        """Unit of every quantity, as declared."""
        return _declared(self.assumptions, self.equations)

    @property
    def presentation(self) -> Presentation:
        """What readers look for first: as the study says, or else what it prints and what no other equation uses."""
        printed = [row.quantity for row in self.notes.published]
        return self.notes.presentation.completed(self.equations, self.quantities, printed, self.program.layout.coords)

    @property
    def constants(self) -> dict[str, Constant]:
        """Values that equations bring along and no assumption has replaced; `assume` replaces them too."""
        held = {name: value for made in self.graph.equations.values() for name, value in made.constants.items()}
        return {name: value for name, value in held.items() if name not in self.quantities}

    def assume(self, **distributions: Any) -> Model:
        """Return a model with assumptions replaced.

        Parameters
        ----------
        **distributions : distribution, number, str or Assumption
            By name. An assumption keeps its unit, labels and bounds; its point is the new median, and its source
            "set by the user", unless an `Assumption` tells others. A constant of an equation keeps its unit.

        Returns
        -------
        Model

        Raises
        ------
        UnknownNameError
            If there is no such assumption, and no equation has such a constant; a new one is added by `add`.

        Examples
        --------
        >>> import demandsim as ds
        >>> model = ds.load_study("guosen-2025-01").assume(utilization="triangular(0.1, 0.2, 0.3)")
        >>> round(model.assumptions["utilization"].point, 6), model.assumptions["utilization"].source
        (0.2, 'set by the user')
        """
        changed = {name: self._redistributed(name, value) for name, value in distributions.items()}
        return self._replaced(changed)

    def _redistributed(self, name: str, value: Any) -> Assumption:
        base = self._replaceable(name)
        with about(name):
            return base.with_distribution(value)

    def _replaceable(self, name: str) -> Assumption:
        """The assumption of that name, or the constant of an equation as one."""
        if name in self.assumptions:
            return self.assumptions[name]
        if name in self.constants:
            return Assumption(self.constants[name].value, self.constants[name].unit)
        if name in self.equations:
            raise UnknownNameError(
                f"'{name}' is computed by an equation, not assumed; change what it is computed from, or give evidence "
                f"on it with model.observe({name}=...)"
            )
        hint = did_you_mean(name, [*self.assumptions, *self.constants])
        raise UnknownNameError(f"unknown assumption '{name}'{hint} (a new one is added by model.add({name}=...))")

    def add(self, *equations: Equation, **assumptions: Any) -> Model:
        """Return a model with further equations and assumptions.

        Parameters
        ----------
        *equations : Equation
            Of quantities that are new. A dim that one brings, ``dims={"precision": ["fp8", "fp16"]}``, may be that of
            an assumption beside it.
        **assumptions : Assumption, distribution, number or str
            By name. What is no `Assumption` has no unit.

        Returns
        -------
        Model
            Until an equation asks for them it warns, when it is computed, that they change nothing.

        Raises
        ------
        DemandsimError
            If there is such a quantity already; `assume` and `with_equations` replace it.

        Examples
        --------
        >>> import demandsim as ds
        >>> @ds.equation(unit="MW")
        ... def power(cards, card_power):
        ...     return cards * card_power
        >>> rated = ds.Assumption("uniform(600, 800)", unit="W/card")
        >>> model = ds.load_study("guosen-2025-01").add(power, card_power=rated)
        >>> round(model.point().power.sel(scenario="100T").item())
        600
        """
        for name in assumptions:
            if name in self.assumptions:
                raise DemandsimError(
                    f"there is an assumption '{name}' already; replace it with model.assume({name}=...)"
                )
        for made in equations:
            if not isinstance(made, Equation):
                raise DemandsimError(f"add takes equations, then assumptions by name, add(NAME=...), not {made!r}")
            if made.name in self.quantities:
                raise DemandsimError(f"there is a '{made.name}' already; replace it with model.with_equations(...)")
        return self._with(
            equations=[*self.equations.values(), *equations], assumptions={**self.assumptions, **assumptions}
        )

    def drop(self, *names: str) -> Model:
        """Return a model without assumptions that no equation asks for, nor scenario changes; correlations go along.

        Raises
        ------
        UnknownNameError, MissingAssumptionError
            If there is no such assumption, or a scenario or an equation needs it.

        Examples
        --------
        >>> import demandsim as ds
        >>> model = ds.load_study("guosen-2025-01").add(spare=1)
        >>> len(model.drop("spare").assumptions)
        9
        """
        check_known(names, self.assumptions, "assumption")
        return self._with(
            assumptions={name: made for name, made in self.assumptions.items() if name not in names},
            correlations={pair: rho for pair, rho in self.correlations.items() if not set(pair) & set(names)},
            dimensions=[name for name in self.dimensions if name not in names],
        )

    def fix(self, **values: float | xr.DataArray) -> Model:
        """Return a model with assumptions pinned to sure values, in their units.

        Raises
        ------
        UnknownNameError
            If there is no such assumption.

        Examples
        --------
        >>> import demandsim as ds
        >>> ds.load_study("guosen-2025-01").fix(utilization=0.3).point().utilization.item()
        0.3
        """
        fixed = {name: self._redistributed(name, value) for name, value in values.items()}
        for name, assumption in fixed.items():
            if not assumption.distribution.is_constant:
                raise DemandsimError(f"fix needs a sure value for '{name}'; use assume for a distribution")
        return self._replaced(fixed)

    def _replaced(self, changed: Mapping[str, Assumption]) -> Model:
        """The model with these assumptions; what all scenarios set themselves is said to change nothing."""
        import numpy as np

        made = self._with(assumptions={**self.assumptions, **changed})
        for name, assumption in changed.items():
            # To pin every assumption at its point is no mistake.
            same = name in self.assumptions and np.array_equal(assumption.point, self.assumptions[name].point)
            if self.scenarios.replaces(name) and not same:
                dim = self.scenarios.dim_of(name)
                label = next(iter(self.scenarios.grid[str(dim)]))
                warn(
                    f"every {dim} sets '{name}' itself, so that another value changes no result; change it in a "
                    f"{dim}, as --set {name}@{label}=... and model.with_scenarios(...) do",
                    UnusedAssumptionWarning,
                )
        return made

    def correlate(
        self,
        correlations: Correlations,
        *,
        measure: Literal["spearman", "kendall"] = "spearman",
        df: float | None = None,
        nearest: bool = False,
    ) -> Model:
        """Return a model with rank correlations added or replaced.

        Parameters
        ----------
        correlations : mapping of (str, str) to float
            Between -1 and 1, for pairs of assumptions. Indexed ones are paired label by label.
        measure : {"spearman", "kendall"}
            What they are: Spearman's rho or Kendall's tau. A tau is kept as the rho of continuous laws that have it.
        df : float, optional
            Degrees of freedom of a Student-t copula, from 1 on, for these assumptions and all that are correlated with
            them: extremes then come together, the more the fewer (4 is strong, 30 nearly none); they are dependent at
            correlation 0 too. A normal copula by default, whose extremes are independent in the end.
        nearest : bool, default False
            Use the nearest possible correlations where these are impossible.

        Returns
        -------
        Model

        Raises
        ------
        CorrelationError
            If they cannot be had together; the message and its attribute `nearest` give the nearest that can. If
            draws of one share values (discrete ones do) so that the pair cannot have as much; with the range that
            it can have. If one of a pair is a sure value.

        Examples
        --------
        >>> import demandsim as ds
        >>> model = ds.load_study("guosen-2025-01").correlate({("utilization", "peak_ratio"): -0.5})
        >>> dict(model.correlations)
        {('utilization', 'peak_ratio'): -0.5}
        """
        new = checked_correlations(correlations, self.assumptions)
        if measure == "kendall":
            new = {pair: kendall_to_spearman(tau, df or self._df(pair)) for pair, tau in new.items()}
        elif measure != "spearman":
            raise CorrelationError(f"unknown measure '{measure}'{did_you_mean(measure, ('spearman', 'kendall'))}")
        tails = {**self.tails, **dict.fromkeys((name for pair in new for name in pair), df)} if df else self.tails
        try:
            made = self._with(
                correlations=replaced(self.correlations, new), tails=tails, nearest=nearest or self.nearest
            )
        except CorrelationError as error:
            if measure == "kendall":
                # What can be had is told as what a model keeps.
                told = CorrelationError(f"as Spearman's rho, to be given without measure='kendall': {error}")
                told.nearest = error.nearest
                raise told from None
            raise
        made._check_effect(new, {})
        return made

    def correlate_labels(
        self, of: str | tuple[str, str], *, dim: str, rank: Any, df: float | None = None, nearest: bool = False
    ) -> Model:
        """Return a model in which the labels of an assumption along a dim move together.

        Parameters
        ----------
        of : str, or (str, str)
            An assumption with that dim; or two, whose labels then go together across.
        dim : str
            Such as ``"year"`` or ``"hardware"``.
        rank : float, `ar1`, `exponential`, or matrix
            Spearman rank correlation: one number for all pairs of labels; by distance; or a matrix by label, as a
            DataArray, a DataFrame, nested mappings (what is not named is 0) or rows in the order of the labels. Of two
            assumptions rows are the labels of the first.
        df : float, optional
            Degrees of freedom of a Student-t copula, as in `correlate`.
        nearest : bool, default False
            Use the nearest possible correlations where these are impossible.

        Returns
        -------
        Model

        Raises
        ------
        CorrelationError
            If the assumption has no such dim, the matrix does not fit its labels, or the correlations cannot be had.

        Notes
        -----
        Labels that differ along several dims go together by the product of what each dim says. Two assumptions that
        `correlate` ties at equal labels, and whose labels go together alike, are tied at different labels by the
        product as well.

        Examples
        --------
        >>> import demandsim as ds
        >>> price = "lognormal(by('year', [100, 110, 120]), by('year', [200, 240, 280]))"
        >>> years = {"year": [2025, 2026, 2028]}
        >>> price = ds.distributions.as_distribution(price, years)
        >>> model = ds.Model([], {"price": price}).correlate_labels("price", dim="year", rank=ds.ar1(0.8))
        >>> rows = ds.receipt(model.simulate(seed=1))["rank_correlations"]
        >>> rows["price[year=2026], price[year=2028]"]["requested"]
        0.64
        """
        pair = (of, of) if isinstance(of, str) else tuple(of)
        new = checked_label_correlations({(*pair, dim): rank}, self.assumptions)
        made = self._with(
            label_correlations=replaced_labels(self.label_correlations, new),
            tails={**self.tails, **dict.fromkeys(pair, df)} if df else self.tails,
            nearest=nearest or self.nearest,
        )
        made._check_effect({}, new)
        return made

    def _df(self, pair: tuple[str, str]) -> float | None:
        """Degrees of freedom that a pair has already."""
        return next((self.tails[name] for name in pair if name in self.tails), None)

    def _check_effect(self, correlations: Correlations, labels: Mapping[LabelKey, LabelRank]) -> None:
        program = self.program
        for why in without_effect(correlations, labels, program.transforms, program.layout).values():
            raise CorrelationError(f"{why}; give it a distribution, or leave the pair out")

    def with_equations(self, *equations: Equation) -> Model:
        """Return a model with equations replaced or added; assumptions they compute give way.

        Examples
        --------
        >>> import demandsim as ds
        >>> @ds.equation(unit="MW")
        ... def power(cards, card_power=ds.constant(700, "W/card")):
        ...     return cards * card_power
        >>> model = ds.load_study("guosen-2025-01").with_equations(power)
        >>> round(model.point().power.sel(scenario="100T").item())
        600
        """
        new = {made.name: made for made in equations_of(equations)}
        kept = {name: a for name, a in self.assumptions.items() if name not in new}
        order = [name for name in self.dimensions if name in kept]
        return self._with(
            equations=[*(e for n, e in self.equations.items() if n not in new), *equations],
            assumptions=kept,
            dimensions=order,
        )

    def with_submodel(self, prefix: str, other: Model, given: Mapping[str, str] | None = None) -> Model:
        """Return a model that holds another, so that equations may use its results by name.

        Parameters
        ----------
        prefix : str
            Its quantities are called ``prefix_name`` here; its correlations and scenarios come along.
        other : Model
            Without evidence.
        given : mapping of str to str, optional
            Its assumptions that quantities of this model take the place of.

        Returns
        -------
        Model

        Raises
        ------
        UnknownNameError
            If `other` has no assumption that is given.
        DemandsimError
            If a name is there already, or `other` has evidence.
        ScenarioError
            If both have scenarios along one dim with different labels.

        Notes
        -----
        Random streams go by name: the draws are those of the same laws, and not those of `other` by itself.

        Examples
        --------
        >>> import demandsim as ds
        >>> supply = ds.load_study("guosen-2025-01").select(scenario="100T")
        >>> @ds.equation(unit="MW")
        ... def power(supply_cards, card_power):
        ...     return supply_cards * card_power
        >>> model = ds.Model([], {"card_power": ds.Assumption("uniform(600, 800)", "W/card")})
        >>> model = model.with_submodel("supply", supply).with_equations(power)
        >>> round(model.point().power.item())
        600
        """
        parts = {name: getattr(self, name) for name in _PARTS}
        parts |= {"equations": list(self.equations.values()), "scenarios": self.scenarios.grid}
        made = joined(parts, prefix, other, given or {})
        return self._with(**{**made, "scenarios": Scenarios(made["scenarios"])})

    def with_scenarios(
        self, scenario: Mapping[str, Mapping[str, Any]] | None = None, /, **dims: Mapping[str, Mapping[str, Any]]
    ) -> Model:
        """Return a model with scenarios: one dim ``scenario``, or a grid of several named dims.

        Parameters
        ----------
        scenario : mapping of label to (assumption to value)
            Numbers, distributions or texts, in the assumptions' units.
        **dims : the same, one per dim
            All combinations are run, on the same random numbers.

        Returns
        -------
        Model

        Raises
        ------
        UnknownNameError
            If a scenario names no assumption.
        ScenarioError
            If two dims change the same assumption.

        Examples
        --------
        >>> import demandsim as ds
        >>> model = ds.load_study("guosen-2025-01").with_scenarios({"cheap": {"token_price": 0.8}})
        >>> model.point().token_price.values
        array([0.8])
        """
        grid = ({"scenario": scenario} if scenario is not None else {}) | dims
        return self._with(scenarios=Scenarios.of(grid, self.assumptions, USER))

    def select(self, **labels: str) -> Model:
        """Return a model with only the named scenario of a dim: ``model.select(scenario="100T")``."""
        chosen = self.scenarios.only(labels)
        left = self._with(scenarios=chosen, evidence=())
        told = narrowed(self.evidence, labels, left.program)
        made = left._with(evidence=tuple(told))
        if self.origin is not None:
            # To look at a part of a study does not change it.
            object.__setattr__(made, "origin", self.origin.narrowed(described(self), described(made)))
        return made

    def observe(self, event: Any = None, *, announced: str | None = None, **quantities: Any) -> Model:
        r"""Return a model that knows of evidence; `infer` conditions on it, `simulate` does not.

        Parameters
        ----------
        event : (quantity, comparison, value), str, function of the draws, or a list of them, optional
            What is known to have happened, such as ``("gross_margin", "<", 0)`` or ``"gross_margin < 0"``.
            Of a quantity with dims of its own it must hold at every label.
        announced : str, optional
            Day on which it came out, such as ``"2026-04-02"``, for `as_of`.
        **quantities : distribution, str, scipy distribution or Assumption
            What was measured: a distribution around what was read, as wide as the measurement errs, in the
            quantity's unit, or in that of an `Assumption`. DataArray parameters observe it label by label;
            a scenario dim among them gives evidence on some scenarios only.

        Returns
        -------
        Model
            Evidence adds up: a quantity that is observed twice is weighed by both.

        Raises
        ------
        UnknownNameError
            If there is no such quantity, dim or label.
        EvidenceError
            If the quantity does not vary, or it is not clear for which labels the evidence holds.

        Notes
        -----
        A draw with the value q of the quantity is weighed by the density :math:`f(q)`. For families that are
        natural on the log scale (lognormal, loguniform) it is the density of the logarithm, :math:`q f(q)`:
        a measurement that errs by a factor. ``beta(k + 1, n - k + 1)`` is k successes in n trials.

        Examples
        --------
        >>> import demandsim as ds
        >>> from demandsim import distributions as dist
        >>> model = ds.load_study("guosen-2025-01").select(scenario="100T")
        >>> model.observe(capex=dist.normal(mean=80e9, sd=15e9))
        <demandsim.Model 'guosen-2025-01': ... 1 piece of evidence>
        >>> model.observe(capex=ds.Assumption("lognormal(600, 1000)", unit="yi*CNY"), event="gross_margin < 0")
        <demandsim.Model 'guosen-2025-01': ... 2 pieces of evidence>
        """
        units = self.declared_units
        return self.with_evidence(dated([*observed(quantities, units), *happened(event, units)], announced))

    def as_of(self, date: str) -> Model:
        """Return the model as it was on a date: without the evidence that came out later.

        Parameters
        ----------
        date : str
            A day, month or year, of which the last day counts.

        Returns
        -------
        Model
            What else was changed since, such as priors, stays: only evidence carries its day.

        Raises
        ------
        EvidenceError
            If a piece of evidence does not say when it came out.

        Examples
        --------
        >>> import demandsim as ds
        >>> growth = ds.load_study("doubao-growth")
        >>> len(growth.evidence), len(growth.as_of("2025-12-31").evidence)
        (9, 6)
        """
        return self._with(evidence=tuple(known(self.evidence, date)))

    def with_evidence(self, evidence: Iterable[Evidence]) -> Model:
        """Return a model with pieces of evidence added that were read before; users call `observe`."""
        return self._with(evidence=(*self.evidence, *evidence))

    def point(self) -> xr.Dataset:
        """Compute the model at the points of its assumptions: the published ones, as long as nothing is changed.

        Returns
        -------
        Dataset
            All quantities in their declared units, over scenario dims and the model's own.

        Raises
        ------
        BoundsError
            If a result is outside the bounds of its quantity.

        Examples
        --------
        >>> import demandsim as ds
        >>> ds.load_study("guosen-2025-01").point().cards.sel(scenario="100T").round().item()
        857772.0
        """
        self._name_unused()
        layout, values = self.program.layout, self._point_values()
        sure = {name: dataclasses.replace(v, random=False) for name, v in self.program.varying.items()}
        import xarray as xr

        found = {
            name: layout.label(values[name], sure[name]).assign_attrs(self._attrs(name)) for name in self.quantities
        }
        return xr.Dataset(found, attrs=self._provenance())

    def _point_values(self) -> Values:
        values = point_values(self.program, self.assumptions, self.scenarios)
        return values | possible_results(self.program, values)

    def _point_at(self) -> Callable[[str, str], float]:
        """Values at the points, by quantity and label; without labelled arrays, which take longer to import."""
        self._name_unused()
        program, values = self.program, self._point_values()
        return lambda quantity, label: program.layout.at(values[quantity], program.varying[quantity], label)

    def explain(self, name: str, labels: int | Literal["all"] = 3) -> Explanation:
        """Trace a quantity back to its assumptions: formulas, numbers, units and sources.

        Parameters
        ----------
        name : str
            Assumption or computed quantity.
        labels : int or "all", default 3
            How many labels of each step, such as years, are worked out.

        Returns
        -------
        Explanation
            ``print`` it. Of each step the formula, its arithmetic at each label, which any calculator confirms to the
            digits printed, and its result.

        Raises
        ------
        UnknownNameError
            If the model has no such quantity.

        Examples
        --------
        >>> import demandsim as ds
        >>> print(ds.load_study("guosen-2025-01").select(scenario="100T").explain("flops_per_token"))
        flops_per_token ...
        """
        check_known([name], self.quantities, "quantity")
        printed = "published " if self.origin is not None and self.origin.values and not self.changes else ""
        title = f"{name} at the {printed}points" + (f" of '{self.notes.name}'" if self.notes.name else "")
        changed = changes_line(self.notes.name, self.changes)
        most = None if labels == "all" else check_whole("labels", labels)
        return explain(self.graph, name, self.point(), f"{title}\n{changed}" if changed else title, most)

    def simulate(
        self,
        draws: int | None = None,
        *,
        chains: int = 8,
        seed: int | None = None,
        design: DesignName = "sobol",
        keep: Sequence[str] | None = None,
        on_invalid: Literal["raise", "keep"] = "raise",
        dtype: Literal["float64", "float32"] = "float64",
        rtol: float = 0.0,
        atol: float = 0.0,
        of: Sequence[str] | str | None = None,
        statistics: Sequence[str] = ("mean", "median", "lower", "upper"),
        prob: float = 0.9,
        max_draws: int = 2**26,
        chunks: int | None = None,
        store: str | Path | None = None,
        threads: int | None = None,
        block: int | None = None,
        progress: Progress = None,
        on_round: Callable[[Round], None] | None = None,
    ) -> xr.Dataset:
        """Draw from all assumptions at once and push the draws through the equations.

        Parameters
        ----------
        draws : int, optional
            Draws per chain, 8192 by default; a power of two for ``sobol``. With a tolerance, the
            number to begin with, 1024 by default.
        chains : int, default 8
            Independent randomisations; their spread tells the Monte Carlo error.
        seed : int, optional
            Not negative. Fresh entropy if not given; recorded in the attributes either way.
        design : {"sobol", "latin_hypercube", "random"}, default "sobol"
        keep : sequence of str, optional
            Quantities to store; all by default. Only what they need is computed.
        on_invalid : {"raise", "keep"}, default "raise"
            What to do when an equation makes NaN or infinity. Kept draws are marked, and every
            summary leaves them out and says how many.
        dtype : {"float64", "float32"}, default "float64"
            Storage; computing is in double precision.
        rtol, atol : float, optional
            Tolerance: draws are doubled until the MCSE of `statistics` of the quantities `of` is at
            most ``max(atol, rtol * abs(estimate))``, `atol` in the quantity's unit.
        of : sequence of str, optional
            Quantities that the tolerance is about; all computed ones by default.
        statistics : sequence of str
            Of mean, sd, median, lower and upper; the last two are the ends of the interval of `prob`.
        prob : float, default 0.9
        max_draws : int, default 2**26
            Draws of all chains together at which a tolerance is given up, with a warning that says
            what was reached.
        chunks : int, optional
            Draws per chunk and chain: the Dataset is Dask-backed and lazy. So it is, with chunks of
            2**19, wherever a ``dask.distributed.Client`` is active.
        store : str or Path, optional
            Write the draws to a Zarr folder, block by block, and return them lazily from there; an interrupted run
            goes on where it stopped. Or, if it ends in ``.nc``, to a netCDF file, for sharing: draws that fit in
            memory, written whole at the end, without chunks. From a finished store a run with more draws, more
            quantities or a tolerance goes on, and computes only what is not there.
        threads : int, optional
            All cores by default. Neither it nor `block` or `chunks` changes a bit of the result.
        block : int, optional
            Draws computed at a time; 65,536, or fewer where quantities have many labels.
        progress : bool or callable, optional
            True shows a line as it goes on; or called with (draws done, draws in total).
        on_round : callable, optional
            Called after every doubling with estimate, error and draws (``print`` will do).

        Returns
        -------
        Dataset
            Dims: scenario dims, ``chain``, ``draw``, and the model's own. Every variable carries
            ``units``, ``long_name``, ``role`` and ``source``; the Dataset its seed, design, versions,
            model hash and receipt.

        Raises
        ------
        DemandsimError
            If a setting is out of range.
        MemoryGuardError
            If the draws would not fit in memory.
        InvalidDrawsError, EquationError
            If an equation made NaN or infinity and `on_invalid` is ``"raise"``, or if it raised; with
            the first draw and its assumptions.
        StoreError, OutputError
            If `store` holds another run, is damaged, or cannot be written.

        Examples
        --------
        >>> import demandsim as ds
        >>> model = ds.load_study("guosen-2025-01")
        >>> model.simulate(draws=1024, chains=4, seed=1).cards.dims
        ('scenario', 'chain', 'draw')
        >>> draws = model.simulate(rtol=0.01, of=["cards"], seed=1)
        >>> mcse = ds.summarize(draws).cards.sel(statistic="mcse_mean", scenario="100T")
        >>> bool(mcse < 0.01 * draws.cards.sel(scenario="100T").mean())
        True
        """
        goal = goal_of(of, rtol, atol, statistics=statistics, prob=prob, max_draws=max_draws)
        begin = (8192 if goal is None else 1024) if draws is None else draws
        settings = Settings(begin, chains, seed, design, keep, on_invalid, dtype)
        return simulated(
            self.parts(),
            settings,
            goal,
            Way(Pace(threads, block, reporting(progress, "simulating")), on_round, chunks, store),
        )

    def summarize(
        self,
        draws: int = 8192,
        *,
        prob: float = 0.9,
        kind: Literal["eti", "hdi"] = "eti",
        probs: Sequence[float] = (),
        multimodal: bool = False,
        chains: int = 8,
        seed: int | None = None,
        design: DesignName = "sobol",
        keep: Sequence[str] | None = None,
        on_invalid: Literal["raise", "keep"] = "raise",
        threads: int | None = None,
        progress: Progress = None,
    ) -> xr.Dataset:
        """Summarize draws that are never kept: as many as time allows, in the memory of a few blocks.

        Parameters
        ----------
        draws : int, default 8192
            Draws per chain; those of ``simulate`` with the same seed.
        prob, kind, probs, multimodal
            As for `demandsim.summarize`.
        chains, seed, design, keep, on_invalid, threads, progress
            As for `simulate`. Where a ``dask.distributed.Client`` is active, its workers draw.

        Returns
        -------
        Dataset
            As of `demandsim.summarize`. Mean, sd and errors are those of all draws; a quantile lies within a relative
            6.2e-5 of the order statistic of its rank, and so does an end of a highest density interval.

        Raises
        ------
        DemandsimError
            If a setting is out of range.
        InvalidDrawsError, EquationError
            As for `simulate`.

        Examples
        --------
        >>> import demandsim as ds
        >>> model = ds.load_study("guosen-2025-01").select(scenario="100T")
        >>> summary = model.summarize(draws=2**12, seed=1, probs=[0.001, 0.999])
        >>> kept = ds.summarize(model.simulate(draws=2**12, seed=1), probs=[0.001, 0.999])
        >>> bool(abs(summary.cards / kept.cards - 1).sel(statistic="p99.9") < 1e-4)
        True
        """
        from demandsim.sampling.summary import summarized
        from demandsim.statistics.summarize import asked_of

        asked = asked_of(prob, kind, probs, multimodal)
        settings = Settings(draws, chains, seed, design, keep, on_invalid)
        return summarized(self.parts(), settings, asked, threads, reporting(progress, "summarizing"))

    def infer(
        self,
        draws: int = 2048,
        *,
        chains: int = 8,
        seed: int | None = None,
        method: Literal["auto", "importance", "conditional", "adaptive", "ensemble"] = "auto",
        design: DesignName = "sobol",
        keep: Sequence[str] | None = None,
        on_failure: Literal["raise", "warn"] = "raise",
        threads: int | None = None,
        block: int | None = None,
        progress: Progress = None,
    ) -> xr.Dataset:
        r"""Draw from the posterior: what the assumptions are, given the evidence of `observe`.

        Parameters
        ----------
        draws : int, default 2048
            Draws per chain, of equal weight.
        chains : int, default 8
            Independent runs; their spread tells the Monte Carlo error.
        seed, design, keep, threads, block
            As for `simulate`.
        method : {"auto", "importance", "conditional", "adaptive", "ensemble"}, default "auto"
            Draws of the prior resampled by Pareto-smoothed weights; the same where what the evidence depends on
            linearly is drawn exactly, given the rest, such as the shocks of many years; the same of a proposal that
            is adapted to the evidence; or populations that move from prior to posterior. By default the first whose
            k-hat is at most 0.5 and whose weights are worth enough draws; where evidence has heavy tails, populations
            must agree.
        progress : bool or callable, optional
            True shows a line as it goes on; or called with (steps done, steps in total).
        on_failure : {"raise", "warn"}, default "raise"
            What to do when evidence contradicts the prior (more than 6 sd off) or the draws have not
            converged: raise, or return them with a warning.

        Returns
        -------
        Dataset
            Like simulate's. Evidence that differs between scenarios makes each a world of its own, and what
            varies then has their dim. Attributes hold the evidence in words, the method and why, ``khat``,
            ``ess_weights`` (Kish), ``ess`` and ``rhat`` (ArviZ, the worst), ``prior_draws``,
            ``log_marginal_likelihood`` and its error (``_mcse``), ``prior_distance`` (of the evidence, in sd),
            and of populations ``acceptance``, ``memory`` (correlation left with the start) and ``steps``.
            ``log_prior`` and ``log_likelihood_NAME`` are coordinates of the draws. The receipt compares the
            posterior with the quantiles of the prior.

        Raises
        ------
        EvidenceError
            If there is no evidence.
        EvidenceConflictError, ImpossibleEvidenceError
            If evidence contradicts the prior or itself; if no draw of the prior agrees with it.
        ConvergenceError
            If the draws cannot be trusted; with what to try.

        Examples
        --------
        >>> import demandsim as ds
        >>> model = ds.load_study("guosen-2025-01").select(scenario="100T")
        >>> posterior = model.observe(capex="normal(mean=80e9, sd=15e9)").infer(draws=512, seed=1)
        >>> posterior.attrs["method"]
        'importance'
        >>> round(float(posterior.capex.mean()) / 1e9)
        79
        """
        from demandsim.inference.infer import Request, inferred

        request = Request(
            self.evidence,
            self.declared_units,
            method,
            on_failure,
            Pace(threads, block),
            reporting(progress, "inferring"),
        )
        parts = dataclasses.replace(self.parts(), labels=self._labels())
        return inferred(parts, Settings(draws, chains, seed, design, keep), request)

    def estimate(
        self,
        of: Sequence[str] | str,
        *,
        over: str | None = None,
        prob: float = 0.9,
        probs: Sequence[float] = (),
        draws: int = 8192,
        chains: int = 8,
        seed: int | None = None,
        design: DesignName = "sobol",
        progress: Progress = None,
    ) -> xr.Dataset:
        r"""Estimate means and quantiles by conditional Monte Carlo: far more accurate per draw.

        Parameters
        ----------
        of : str or sequence of str
            Computed quantities of the form ``a + b * x**k`` in some assumption x: all of the report's
            chain are.
        over : str, optional
            The assumption to integrate out; by default, for each quantity, the one it depends on most.
        prob : float, default 0.9
            Probability of the interval from ``lower`` to ``upper``.
        probs : sequence of float, optional
            Further quantiles.
        draws, chains, seed, design
            As for `simulate`.
        progress : bool or callable, optional
            True shows a line as it goes on; or called with (quantities done, quantities in total).

        Returns
        -------
        Dataset
            As `summarize` returns, without ``sd``; the attribute ``integrated_out`` of a variable names
            its assumption.

        Raises
        ------
        DemandsimError
            If a quantity has no such form in a continuous, positive, uncorrelated assumption.

        Notes
        -----
        .. math:: P(y \le q) = E\left[ F_x\bigl(((q - a) / b)^{1/k}\bigr) \right]

        is smooth in the other assumptions, so that quantiles converge nearly as fast as means.
        Source: L'Ecuyer, Puchhammer and Ben Abdellah, INFORMS J. Computing 34 (2022).

        Examples
        --------
        >>> import demandsim as ds
        >>> found = ds.load_study("guosen-2025-01").estimate("cards", draws=1024, seed=1)
        >>> lower = found.cards.sel(scenario="100T", statistic="lower")
        >>> bool(abs(lower / 208_950 - 1) < 0.005)
        True
        """
        settings = Settings(draws, chains, seed, design, (of,) if isinstance(of, str) else tuple(of))
        return estimated(self.parts(), settings, over, (prob, *probs), reporting(progress, "estimating"))

    def parts(self) -> Parts:
        """What drawing needs of the model."""
        self._name_unused()
        labels = self._labels()
        if self.evidence:
            # Draws of the prior say so, or they would pass for the posterior.
            ignored = f"{'; '.join(map(str, self.evidence))}: these draws are of the prior; condition with model.infer"
            labels = dataclasses.replace(labels, dataset={**labels.dataset, "evidence_ignored": ignored})
        return Parts(self.program, self.graph, self.quantities, tuple(self.equations), labels)

    def _labels(self) -> Labels:
        return Labels({name: self._attrs(name) for name in self.quantities}, self._provenance())

    def _attrs(self, name: str) -> dict[str, str]:
        made: Any = self.assumptions.get(name) or self.equations[name]
        return {
            "units": self.notes.unit_of(name, made.unit),
            "long_name": made.long_name or name.replace("_", " "),
            "role": "assumption" if name in self.assumptions else "derived",
            "source": made.source or "",
            **({"bounds": str(made.bounds)} if made.bounds else {}),
            **({"invalid": "keep"} if name in self._never else {}),
            **({"published": json.dumps(printed)} if (printed := self._published(name)) else {}),
        }

    @functools.cached_property
    def _never(self) -> frozenset[str]:
        """What may have no value, or comes of what may have none."""
        found = {name for name, made in self.graph.equations.items() if made.invalid == "keep"}
        return (
            frozenset(name for name in self.equations if found & self.graph.ancestors([name])) if found else frozenset()
        )

    def _published(self, name: str) -> Mapping[str, float]:
        return {} if self.origin is None else self.origin.values.get(name, {})

    def _provenance(self) -> dict[str, Any]:
        return {"study": self.notes.name, "model_hash": self.hash, **changes_attrs(self), **versions()}

    def to_toml(self, path: str | Path | None = None) -> str:
        """Write the model as a study file.

        Parameters
        ----------
        path : str or Path, optional
            File to write; must not be half-written if anything fails.

        Returns
        -------
        str
            The text. ``load_study`` of it gives a model with the same draws. Simple equations of your own are
            written as formulas; a `StudyWarning` names those that cannot be, which `load_study` is given again.

        Raises
        ------
        StudyError
            If a distribution cannot be written as text.

        Examples
        --------
        >>> import demandsim as ds
        >>> "utilization" in ds.load_study("guosen-2025-01").to_toml()
        True
        """
        return study_text(self, path)


def _restored(kind: type[Model], parts: dict[str, Any], told: frozenset[str]) -> Model:
    """A model from its parts, as they were: what was said of them when it was made is not said again."""
    return kind.drafted(**parts, told=told)


def _check_name(name: str) -> None:
    if not name.isidentifier():
        raise UnknownNameError(
            f"assumption '{name}' must be named by an identifier, since equations ask for it by name"
        )


def _declared(assumptions: Mapping[str, Assumption], equations: Mapping[str, Equation]) -> dict[str, str]:
    return {name: a.unit for name, a in assumptions.items()} | {name: made.unit for name, made in equations.items()}


def _with_dims(
    equations: list[Any], assumptions: dict[str, Assumption], coords: Mapping[str, Sequence[Any]]
) -> tuple[list[Any], dict[str, Assumption]]:
    """Equations and assumptions with the labels of all dims that they say they have."""
    making = [made for made in equations if isinstance(made, Equation) and made.dims]
    if not making and not any(made.dims for made in assumptions.values()):
        return equations, assumptions
    known: dict[str, Any] = {d: labels for a in assumptions.values() for d, labels in a.distribution.coords.items()}
    known |= coords
    making = [made.over(known) for made in making]
    known |= {dim: labels for made in making for dim, labels in made.dims.items()}
    by_name = {made.name: made for made in making}
    equations = [by_name.get(getattr(made, "name", ""), made) for made in equations]
    found = {}
    for name, made in assumptions.items():
        with about(name):
            try:
                found[name] = made.over(known)
            except DistributionError as error:
                raise DistributionError(f"assumption '{name}': {error}") from None
    return equations, found


def _same_dimensions(before: Model, graph: Graph, assumptions: Mapping[str, Assumption]) -> bool:
    """Whether equations, units and dims are those of a model whose units were checked: so would these be."""

    def shape(assumption: Assumption) -> tuple[Any, ...]:
        return assumption.unit, assumption.point.dims if is_labelled(assumption.point) else ()

    if before.graph is not graph and before.graph.equations != graph.equations:
        return False
    return {n: shape(a) for n, a in before.assumptions.items()} == {n: shape(a) for n, a in assumptions.items()}
