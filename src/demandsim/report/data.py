"""Data: what the page says, as plain values; nothing here knows of HTML."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from demandsim.report.words import Scale, Words

__all__ = [
    "Bar",
    "Belief",
    "Beliefs",
    "Chart",
    "Content",
    "Fan",
    "Information",
    "Learned",
    "Moves",
    "Quantity",
    "Scene",
    "Seen",
    "Shape",
    "Share",
    "Statement",
    "Worth",
]


@dataclass(frozen=True)
class Quantity:
    """One quantity with its interval, in the declared unit; `scale` says how to show it."""

    name: str
    label: str
    unit: str
    scale: Scale
    point: float
    median: float
    mean: float
    lower: float
    upper: float
    mcse_median: float
    mcse_mean: float
    #: Probability of at most the point estimate.
    below_point: float
    #: Share of the draws that have no value, in words; empty if all have one.
    left_out: str = ""

    def ends(self, words: Words, scale: Scale | None = None) -> str:
        """Write the interval without its unit, in another scale than its own if told."""
        used = scale or self.scale
        return words.say("to", low=used.value(self.lower), high=used.value(self.upper))


@dataclass(frozen=True)
class Shape:
    """The distribution of a quantity: shares of draws between edges, which are in the scale of the row."""

    row: Quantity
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    #: Probability of at most each edge; the tails beyond the outer ones are not drawn.
    cumulative: tuple[float, ...]
    wide: bool


@dataclass(frozen=True)
class Statement:
    """A probability in words, with its Monte Carlo error."""

    text: str
    probability: float
    mcse: float
    detail: str = ""


@dataclass(frozen=True)
class Bar:
    """What one assumption moves alone: its low and high setting and both with a unit, in words; results."""

    label: str
    settings: tuple[str, str, str]
    at_low: float
    at_high: float

    @property
    def ends(self) -> list[tuple[float, str]]:
        """Both results with their settings, the lower result first."""
        both = [(self.at_low, self.settings[0]), (self.at_high, self.settings[1])]
        return sorted(both, key=lambda end: end[0])


@dataclass(frozen=True)
class Moves:
    """A tornado: bars from the widest to the smallest around the base."""

    label: str
    scale: Scale
    base: float
    bars: tuple[Bar, ...]
    left_out: int


@dataclass(frozen=True)
class Share:
    """Shares of variance of one assumption by kind of index: (value, lower, upper)."""

    label: str
    kinds: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Chart:
    """Shares of variance of a quantity, from the largest to the smallest."""

    label: str
    kinds: tuple[str, ...]
    shares: tuple[Share, ...]
    left_out: int

    @property
    def most(self) -> float:
        """The largest share, of the index that they are ordered by."""
        return max(share.kinds[self.kinds[-1]][0] for share in self.shares)


@dataclass(frozen=True)
class Worth:
    """What it is worth to know an assumption first."""

    label: str
    value: float
    mcse: float


@dataclass(frozen=True)
class Information:
    """A ready-made decision: the best action as things stand, and what knowing more is worth."""

    scale: Scale
    orders: Scale
    best: float
    payoff: float
    evpi: Worth
    worths: tuple[Worth, ...]
    left_out: int


@dataclass(frozen=True)
class Fan:
    """A quantity over time: quantiles by label and points of some kind, in the declared unit."""

    label: str
    scale: Scale
    times: tuple[str, ...]
    lines: Mapping[str, tuple[float, ...]]
    point: tuple[float, ...]
    #: Where times stand, from 0 to 1.
    places: tuple[float, ...]
    #: Key of the phrase that says what the points are.
    kind: str = "point_estimate"


@dataclass(frozen=True)
class Seen:
    """One thing that was observed, in words, with the interval of its error; its interval before and after."""

    label: str
    observed: str
    before: str
    after: str
    source: str


@dataclass(frozen=True)
class Belief:
    """What was known of a quantity before and after the evidence: low, median, high in the declared unit.

    `moved` is where the new median lies in what was known before, in its standard deviations.
    """

    label: str
    scale: Scale
    before: tuple[float, float, float]
    after: tuple[float, float, float]
    moved: float

    @property
    def signed(self) -> str:
        """How far the median moved, with its sign.

        Examples
        --------
        >>> ends = (1.0, 2.0, 3.0)
        >>> [Belief("", Scale(), ends, ends, moved).signed for moved in (-2.24, 0.31, 0.01, float("nan"))]
        ['−2.2', '+0.3', '0.0', '–']
        """
        if not math.isfinite(self.moved):
            return "–"
        text = f"{self.moved:+.1f}"
        return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


@dataclass(frozen=True)
class Beliefs:
    """What the evidence changes in one scenario: assumptions by how far they moved, results, what is over time."""

    seen: tuple[Seen, ...]
    assumptions: tuple[Belief, ...]
    results: tuple[Belief, ...]
    left_out: int
    fans: tuple[Fan, ...]


@dataclass(frozen=True)
class Learned:
    """What the evidence changes by scenario, and how well the posterior was drawn, in words."""

    scenarios: tuple[Beliefs, ...]
    how: str


@dataclass(frozen=True)
class Scene:
    """Everything that holds in one scenario at one time."""

    scenario: int
    time: int | None
    title: str
    rows: tuple[Quantity, ...]
    others: tuple[Quantity, ...]
    statements: tuple[Statement, ...]
    shapes: tuple[Shape, ...]
    moves: tuple[Moves, ...]
    charts: tuple[Chart, ...]
    information: Information | None


@dataclass(frozen=True)
class Content:
    """What the page says: scenes that a reader switches between, fans of each scenario, what to know of the numbers.

    Parameters
    ----------
    title, source : str
    scenarios, times : tuple of str
        Labels to choose from; of one there is nothing to choose.
    titles : tuple of str
        Scenarios as headings name them.
    time_dim : str
    scenes : tuple of Scene
        First of them the one that is shown without JavaScript.
    fans : tuple of (tuple of Fan)
        By scenario.
    explained : tuple of str
        Results that sensitivity looks at.
    shares_note : str
        How shares of variance were estimated.
    learned : Learned, optional
        Prior against posterior, where the study has evidence.
    absent : mapping of section to str
        Why a section is left out.
    beside : mapping of section to str
        What the study does not call for: said at the end of the page, not in a section of its own.
    remarks : tuple of str
        What a reader must know of the numbers, such as evidence that they do not take in.
    changed : tuple of str
        What the model has that its study has not.
    against_source : tuple of str
        How the model differs from its source, in sentences.
    read_at : str, optional
        Where shares of variance were read off the draws, if they were: the last year, say.
    """

    title: str
    source: str
    scenarios: tuple[str, ...]
    titles: tuple[str, ...]
    times: tuple[str, ...]
    time_dim: str
    scenes: tuple[Scene, ...]
    fans: tuple[tuple[Fan, ...], ...]
    prob: float
    explained: tuple[str, ...] = ()
    shares_note: str = ""
    learned: Learned | None = None
    absent: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    read_at: str | None = None
    changed: tuple[str, ...] = ()
    against_source: tuple[str, ...] = ()

    @property
    def several(self) -> tuple[str, ...]:
        """What a reader switches between: ``scenario``, ``time`` or both."""
        return tuple(name for name, labels in (("scenario", self.scenarios), ("time", self.times)) if len(labels) > 1)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of indices that shares of variance are shown as."""
        return tuple({kind: None for scene in self.scenes for chart in scene.charts for kind in chart.kinds})

    @property
    def to_explain(self) -> list[str]:
        """What a reader meets on this page, and what it cannot tell."""
        met = {"worth": any(scene.information for scene in self.scenes), "belief": self.learned is not None}
        shares = [f"share_{kind}" for kind in self.kinds]
        keys = ("interval", "point", "swing", *shares, "worth", "belief", "error", "limits", "use")
        return [key for key in keys if met.get(key, True)]
