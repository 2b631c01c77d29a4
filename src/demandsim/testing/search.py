"""Searching: hypothesis looks for a counter-example, and the simplest is told as an AssertionError."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from demandsim.errors import DemandsimError, check_whole

__all__ = ["CounterExampleError", "search"]


@dataclass(frozen=True)
class _Case[Case]:
    """A case whose repr hypothesis may ask for: that of labelled arrays would be a page."""

    held: Case

    def __repr__(self) -> str:
        return "..."


class CounterExampleError(AssertionError):
    """Values at which an invariant does not hold."""


def search[Case](
    cases: st.SearchStrategy[Case],
    check: Callable[[Case], bool],
    *,
    max_examples: int | None,
    seed: int | None,
    idle: str,
) -> None:
    """Check many cases, under the settings of the active hypothesis profile.

    Parameters
    ----------
    cases : strategy
    check : callable
        Raises `CounterExampleError`; returns whether the case could have shown a fault at all.
    max_examples : int or None
    seed : int or None
    idle : str
        What to say if no case could have shown a fault.

    Raises
    ------
    AssertionError
        With the simplest counter-example and the seed that finds it again.
    """
    profile = settings()
    if max_examples is not None:
        check_whole("max_examples", max_examples)
    if seed is not None:
        check_whole("seed", seed, least=0)
    elif not profile.derandomize:
        seed = random.SystemRandom().getrandbits(32)
    chosen = settings(
        profile,
        max_examples=max_examples or profile.max_examples,
        # Searches of several invariants would read each other's entries. Ours are found again by their seed.
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=[phase for phase in profile.phases if phase in (Phase.generate, Phase.shrink)],
        suppress_health_check=[*profile.suppress_health_check, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    telling: list[bool] = []

    def test(case: _Case[Case]) -> None:
        telling.append(check(case.held))

    tested: Callable[[], None] = chosen(given(case=cases.map(_Case))(test))
    if seed is not None:
        tested = seeded(seed)(tested)
    found = f"found with seed={seed}" if seed is not None else "found under the hypothesis profile's fixed seed"
    try:
        tested()
    except CounterExampleError as error:
        _tell(f"{error}\n  {found}")
    except Unsatisfiable:
        raise DemandsimError(f"no values were found to test with; {idle}") from None
    if not any(telling):
        _tell(f"{idle}, in any of {len(telling)} examples: nothing was tested; give other values=")


def _tell(text: str) -> NoReturn:
    raise AssertionError(text) from None
