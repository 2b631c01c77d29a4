"""Equation: a plain function of named quantities, and the unit of its result."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

from demandsim.distributions.format import labels_of
from demandsim.errors import (
    BoundsError,
    EquationError,
    UnitError,
    shorten,
)
from demandsim.graph.alias import Alias
from demandsim.graph.bounds import Bounds
from demandsim.graph.formula import Formula
from demandsim.graph.loop import Lag
from demandsim.graph.source import code_digest, formula_of, held_values, label_and_source
from demandsim.units.constant import Constant, constant
from demandsim.units.convert import conversion_factor, same_dimension

__all__ = ["Equation", "equation", "equations_of"]


@dataclass(frozen=True, eq=False)
class Equation:
    """A plain function of named quantities, and the unit of its result.

    Calling it calls the function. Made by `equation`.

    Parameters
    ----------
    function : callable
        Takes quantities by name, in base units, as numbers, numpy arrays or DataArrays.
    name : str
        Quantity that it computes.
    unit : str
        Unit in which results are reported.
    long_name, source : str or None
        Label and provenance; from the docstring's first line and its ``Source:`` line by default.
    inputs : tuple of str
        Names of the quantities it takes.
    constants : mapping of str to Constant
        Inputs that have a value of their own unless the model gives another.
    bounds : (low, high), optional
        What the result can be, in `unit`; None for no bound.
    lag : Lag, optional
        How it is taken at the label before, of a recurrence.
    invalid : {"raise", "keep"}
        Whether NaN is a result.
    dims : mapping of str to (labels or None)
        Dims that its result has of itself; None where the model knows their labels.
    """

    function: Callable[..., Any]
    name: str
    unit: str
    long_name: str | None
    source: str | None
    inputs: tuple[str, ...]
    constants: Mapping[str, Constant] = field(default_factory=dict)
    bounds: Bounds | None = None
    lag: Lag | None = None
    invalid: str = "raise"
    dims: Mapping[str, tuple[Any, ...] | None] = field(default_factory=dict)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the quantity, from plain values in base units."""
        if len(args) + len(kwargs) < len(self.inputs):
            # A constant that is written as a text has its number here.
            kwargs = {
                name: self.constants[name] for name in self.inputs[len(args) :] if name in self.constants
            } | kwargs
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<equation {self.name}({', '.join(self.inputs)}) [{self.unit}]>"

    def _repr_html_(self) -> str:
        from demandsim.graph.html import equation_html

        return equation_html(self)

    def __reduce__(self) -> Any:
        # By name where the module has it; a function made elsewhere is the pickler's business.
        found: Any = inspect.getmodule(self.function) if self.function.__module__ != "__main__" else None
        for part in self.function.__qualname__.split("."):
            found = getattr(found, part, None)
        if found is self:
            return _named, (self.function.__module__, self.function.__qualname__)
        said = (
            self.name,
            self.unit,
            self.long_name,
            self.source,
            self.inputs,
            dict(self.constants),
            self.bounds,
            self.lag,
            self.invalid,
            dict(self.dims),
        )
        # Its source may not be found where it arrives: what was read from it goes along.
        return Equation, (self.function, *said), {"formula": self.formula, "fingerprint": self.fingerprint}

    def renamed(self, name: str, inputs: Mapping[str, str] | None = None, *, unit: str | None = None) -> Equation:
        """Return the equation under other names of its quantities.

        Parameters
        ----------
        name : str
            Quantity that it computes.
        inputs : mapping of str to str, optional
            Inputs that are called otherwise, and what they are called.
        unit : str, optional
            Unit in which the result is reported; its own by default. A process takes any.

        Raises
        ------
        UnknownNameError
            If it has no such input.
        UnitError
            If the unit cannot be read.

        Examples
        --------
        >>> from demandsim.equations.inference import cards
        >>> cards.renamed("needed", {"utilization": "load"})
        <equation needed(peak_compute, card_flops, load) [card]>
        >>> from demandsim.equations.processes import regime
        >>> regime.renamed("card_price", {"change_time": "ban_date"}, unit="CNY/card")
        <equation card_price(level_before, level_after, ban_date, elapsed_time) [CNY/card]>
        """
        function, inputs = self.function, inputs or {}
        lag = self.lag and dataclasses.replace(self.lag, of=name, start=inputs.get(self.lag.start, self.lag.start))
        inputs = {key: value for key, value in inputs.items() if lag is None or key in self.inputs}
        if isinstance(function, Formula):
            made: Any = function.renamed(name, inputs)
        elif isinstance(function, Alias):
            made = Alias(function.of, name, {i: inputs.get(o, o) for i, o in function.names.items()})
        else:
            made = Alias(self, name, inputs)
        bounds = self.bounds
        if unit is not None and bounds is not None and same_dimension(unit, self.unit):
            bounds = bounds.scaled(conversion_factor(self.unit, unit))
        return equation(
            made,
            unit=unit or self.unit,
            name=name,
            # In a unit of its own it is a quantity of its own, with its own words.
            long_name=(self.long_name if unit is None else None) or (name if unit else self.name).replace("_", " "),
            source=self.source,
            bounds=bounds,
            invalid="keep" if self.invalid == "keep" else "raise",
            dims=self.dims,
        ).lagged(lag)

    def over(self, coords: Mapping[str, Sequence[Any]]) -> Equation:
        """Return the equation with the labels of the dims that it makes.

        Raises
        ------
        EquationError
            If a dim has none, or others in `coords`.
        """
        for dim, labels in self.dims.items():
            if labels is None and dim not in coords:
                raise EquationError(
                    f"equation '{self.name}' makes a dim '{dim}' that has no labels; say them: "
                    f"dims={{'{dim}': [...]}}, or ds.Model(..., coords={{'{dim}': [...]}})",
                    self.name,
                )
        known = {dim: labels_of(dim, coords[dim] if own is None else own) for dim, own in self.dims.items()}
        return self if known == self.dims else self._replaced(dims=known)

    def lagged(self, lag: Lag | None) -> Equation:
        """Return the equation as a recurrence, or as none."""
        return self if lag is None else self._replaced(lag=lag)

    def _replaced(self, **parts: Any) -> Equation:
        made = dataclasses.replace(self, **parts)
        # What replace does not copy: how the function calls itself.
        for attribute in _NAMES:
            object.__setattr__(made, attribute, getattr(self, attribute, None))
        return made

    @property
    def reference(self) -> str:
        """Name for study files: ``inference.cards`` for a shipped equation, else the bare name.

        A shipped one goes by its function: several may compute one quantity, in different ways.
        """
        if isinstance(self.function, Alias):
            of = self.function.of
            in_unit = f" in {self.unit}" if self.unit != of.unit else ""
            return self.function.reference + in_unit if "." in of.reference else self.name
        module = self.function.__module__
        prefix = "demandsim.equations."
        room = module.removeprefix(prefix)
        return f"{room}.{self.function.__name__}" if module.startswith(prefix) else self.name

    @functools.cached_property
    def fingerprint(self) -> str:
        """What the equation computes, as text that differs when it does."""
        if isinstance(self.function, Alias):
            return f"{self.function.of.fingerprint}; {self.function.reference}"
        body = self.formula if self.has_source else code_digest(self.function) or self.formula
        constants = [f"{name}={float(value)!r} {value.unit}" for name, value in sorted(self.constants.items())]
        constants += [f"over {self.lag.over} from {self.lag.start}"] if self.lag is not None else []
        constants += [f"makes {dim} {[str(label) for label in labels or ()]}" for dim, labels in self.dims.items()]
        return "; ".join([body, *held_values(self.function), *constants])

    @property
    def has_source(self) -> bool:
        """Whether `formula` is what the source says, rather than just the names."""
        return self.formula != self._signature

    @property
    def _signature(self) -> str:
        return f"{self.name}({', '.join(self.inputs)})"

    @functools.cached_property
    def formula(self) -> str:
        """The right-hand side as written in the source: ``peak_compute / (card_flops * utilization)``."""
        return formula_of(self.function) or self._signature


_NAMES = ("__module__", "__name__", "__qualname__", "__doc__", "__wrapped__")


def _named(module: str, qualname: str) -> Any:
    import importlib

    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


@overload
def equation(
    function: Callable[..., Any],
    *,
    unit: str,
    name: str | None = None,
    long_name: str | None = None,
    source: str | None = None,
    bounds: tuple[float | None, float | None] | None = None,
    invalid: Literal["raise", "keep"] = "raise",
    dims: Sequence[str] | Mapping[str, Sequence[Any] | None] = (),
) -> Equation: ...


@overload
def equation(
    *,
    unit: str,
    name: str | None = None,
    long_name: str | None = None,
    source: str | None = None,
    bounds: tuple[float | None, float | None] | None = None,
    invalid: Literal["raise", "keep"] = "raise",
    dims: Sequence[str] | Mapping[str, Sequence[Any] | None] = (),
) -> Callable[[Callable[..., Any]], Equation]: ...


def equation(
    function: Callable[..., Any] | None = None,
    *,
    unit: str | None = None,
    name: str | None = None,
    long_name: str | None = None,
    source: str | None = None,
    bounds: tuple[float | None, float | None] | None = None,
    invalid: Literal["raise", "keep"] = "raise",
    dims: Sequence[str] | Mapping[str, Sequence[Any] | None] = (),
) -> Any:
    """Declare a function as an equation: it computes the quantity that it is named after.

    Parameters
    ----------
    function : callable
        Its parameters name the quantities it needs; one that has a value of its own says it, ``period="1 year"``.
        It receives them in base units (FLOP, token, card, CNY, second, ...) and returns its result in base units: no
        86,400, no 1e6, no "/100".
    unit : str
        Unit in which the result is reported, such as ``"CNY/year"`` or ``"FLOP/{image}"``.
    name : str, optional
        Quantity computed; the function's own name by default.
    long_name, source : str, optional
        Label and provenance; from the docstring by default.
    bounds : (low, high), optional
        Least and greatest value that the result can have, in `unit`, None for no bound: ``(0, 1)`` of a share. A
        result outside counts as invalid, like NaN.
    invalid : {"raise", "keep"}
        With "keep", NaN is a result: "never", of a pay-back that does not come. It is kept, and so is NaN that comes of
        it; summaries leave such draws out and say how many. Infinity and results outside the bounds stay errors.
    dims : sequence of str, or mapping of str to labels, optional
        Dims that no input has and the result does, such as ``{"precision": ["fp8", "fp16"]}`` of a constant table.
        Without labels they are those that the model knows.

    Returns
    -------
    Equation
        Callable like the function itself.

    Raises
    ------
    EquationError
        If the function takes ``*args`` or ``**kwargs``, or a default that is not a `constant`; or without a unit.
    BoundsError
        If `bounds` are no bounds.

    Examples
    --------
    >>> @equation(unit="card")
    ... def cards(peak_compute, card_flops, utilization):
    ...     '''Cards needed to serve the peak.'''
    ...     return peak_compute / (card_flops * utilization)
    >>> cards(1e18, 1e15, 0.5)
    2000.0
    >>> cards.long_name
    'Cards needed to serve the peak'
    """
    if unit is None or isinstance(function, str):
        said = function if isinstance(function, str) else "card"
        raise EquationError(f"{_called(function)} needs the unit of its result, by name: @ds.equation(unit={said!r})")
    if function is None:
        return functools.partial(
            equation,
            unit=unit,
            name=name,
            long_name=long_name,
            source=source,
            bounds=bounds,
            invalid=invalid,
            dims=dims,
        )
    called = str(name or getattr(function, "__name__", ""))
    if not called.isidentifier():
        raise EquationError(f"an equation needs a name that is an identifier, not '{called}'; give name=")
    inputs, constants = [], {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise EquationError(f"equation '{called}': parameter '{parameter}' must be a plain name, one per quantity")
        inputs.append(parameter.name)
        if isinstance(parameter.default, Constant):
            constants[parameter.name] = parameter.default
        elif isinstance(parameter.default, str):
            try:
                constants[parameter.name] = constant(parameter.default)
            except UnitError as error:
                raise EquationError(f"equation '{called}': the default of '{parameter.name}': {error}") from None
        elif parameter.default is not parameter.empty:
            raise EquationError(
                f"equation '{called}': the default of '{parameter.name}' has no unit; "
                f"write {parameter.name}='{parameter.default!r} UNIT', such as '1 byte'"
            )
    first, cited = label_and_source(function.__doc__)
    try:
        limits = Bounds.of(bounds)
    except BoundsError as error:
        raise BoundsError(f"equation '{called}': {error}") from None
    if invalid not in ("raise", "keep"):
        raise EquationError(f"equation '{called}': invalid is 'raise' or 'keep', not {invalid!r}")
    made = Equation(
        function,
        called,
        unit,
        long_name or first,
        source or cited,
        tuple(inputs),
        constants,
        limits,
        invalid=invalid,
        dims=_made_dims(called, dims),
    )
    # A decorated function keeps its name, docstring and signature for help() and doctest.
    object.__setattr__(made, "__wrapped__", function)
    for attribute in _NAMES[:-1]:
        object.__setattr__(made, attribute, getattr(function, attribute, None))
    return made


def _called(function: Any) -> str:
    name = getattr(function, "__name__", "")
    return f"equation '{name}'" if name else "an equation"


def equations_of(given: Any) -> list[Equation]:
    """Read equations as a model is given them: in any order, or by name.

    Raises
    ------
    EquationError
        If they are no equations.
    """
    if isinstance(given, Equation | str) or not isinstance(given, Iterable):
        raise EquationError(f"equations are given as a list, [cards, capex], not as {shorten(repr(given))}")
    made = list(given.values() if isinstance(given, Mapping) else given)
    for one in made:
        if not isinstance(one, Equation):
            raise EquationError(
                f"'{getattr(one, '__name__', shorten(repr(one)))}' is not an equation; decorate it with "
                "@ds.equation(unit='card'), with the unit of its result"
            )
    return made


def _made_dims(
    called: str, dims: Sequence[str] | Mapping[str, Sequence[Any] | None]
) -> dict[str, tuple[Any, ...] | None]:
    """Dims that an equation declares, each with its labels, if it says them."""
    given = dims if isinstance(dims, Mapping) else dict.fromkeys((dims,) if isinstance(dims, str) else dims)
    for dim, labels in given.items():
        if not isinstance(dim, str) or not dim.isidentifier() or (labels is not None and isinstance(labels, str)):
            raise EquationError(
                f"equation '{called}': dims are names, or names with labels, such as {{'precision': ['fp8', 'fp16']}}"
            )
    return {dim: None if labels is None else tuple(labels) for dim, labels in given.items()}
