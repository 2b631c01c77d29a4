"""Canvas: a figure that makes room for its title, key, panels and footer, so that nothing is cut or overlaps."""

from __future__ import annotations

import re
import textwrap
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from demandsim._system import printable, written_whole
from demandsim.errors import DemandsimError, OutputError
from demandsim.plots.words import Locale, spare_fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "HIGH",
    "INK",
    "LOW",
    "ORANGE",
    "SKY",
    "STROKES",
    "Canvas",
    "Frame",
    "band",
    "bars_of",
    "dot",
    "line",
    "save",
    "wrapped",
]

# Okabe and Ito's palette, told apart with every common colour blindness.
BLUE, ORANGE, SKY, GREEN = "#0072B2", "#D55E00", "#56B4E9", "#009E73"
GREY, INK, PAPER, GRID = "#666666", "#222222", "white", "#E5E5E5"
#: An assumption at its low and at its high end, in pictures as on the page.
LOW, HIGH = BLUE, ORANGE
#: Scenarios in one panel: colour, line and marker, so that they are told apart without colours too.
STROKES = (
    (BLUE, "-", "o"),
    (ORANGE, "--", "s"),
    (GREEN, "-.", "^"),
    ("#CC79A7", ":", "D"),
    (INK, "--", "v"),
    ("#E69F00", "-.", "P"),
    (SKY, "-", "X"),
    (GREY, ":", "*"),
)

_PAD = 0.12
"""Inches between the edge of the figure and what is in it."""
#: What of an artist has a colour.
_COLOURED = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")
#: Inches that panels need at least, all rows together.
_LEAST = 1.0
#: Of the width, what lines of a text may take: in a file of another resolution the same letters are a little wider.
_FILLED = 0.97
# A Chinese character, or a word with the spaces after it; a no-break space is part of its word.
_WORDS = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]|[^ \n\u2e80-\u9fff\uff00-\uffef]+ *|[ \n]+")


class Frame(TypedDict, total=False):
    """What every picture takes besides: where it is drawn, how large, and under which title.

    Parameters
    ----------
    ax : Axes or array of Axes
        Of a figure of your own, one for each panel: the picture is drawn in it without
        its footer, with the key in the first panel.
    figsize : (float, float)
        Width and height in inches; by default, as much as the picture needs.
    title : str
        Instead of the picture's own; empty for none.
    """

    ax: Any
    figsize: tuple[float, float]
    title: str


class Canvas:
    """A figure of panels, with a title and key above them and a footer below.

    The object-oriented interface of matplotlib: no global state, no window, safe in threads.

    Parameters
    ----------
    heights : sequence of float
        Of each row of panels, in inches; the figure grows around them.
    columns : int
    width : float
        Of a panel, in inches.
    locale : Locale
    frame : Frame, optional

    Raises
    ------
    DemandsimError
        If ``figsize`` is no size, or comes with ``ax``; if ``ax`` has not one Axes for each panel.
    """

    def __init__(
        self, heights: Sequence[float], columns: int, width: float, locale: Locale, frame: Frame | None = None
    ) -> None:
        self.locale, self.frame = locale, frame or Frame()
        self.body = float(sum(heights))
        self.axes: Any
        self.given = self.frame.get("ax") is not None
        if self.given:
            self.axes = _given(self.frame, (len(heights), columns))
            self.figure = self.axes[0, 0].get_figure(root=True)
        else:
            self.figure = _new_figure(_asked_size(self.frame) or (max(width * columns, 6.4), self.body))
            self.axes = self.figure.subplots(len(heights), columns, squeeze=False, height_ratios=list(heights))
        self.inside: list[tuple[Axes, Text]] = []
        self.ranges: list[tuple[Axes, float, float]] = []
        self.one_scale = False
        self.spare: tuple[str, ...] = ()

    def keep_inside(self, axes: Axes, text: Text) -> None:
        """Remember a text that its panel must be wide enough for."""
        self.inside.append((axes, text))

    def write(self, axes: Axes, text: str, at: tuple[float, float], away: tuple[float, float], **looks: Any) -> None:
        """Write a text beside a point, `away` from it in points, and keep it inside the panel."""
        looks = {"textcoords": "offset points", "va": "center", "fontsize": 8, **looks}
        self.keep_inside(axes, axes.annotate(text, at, away, **looks))

    def keep_range(self, axes: Axes, low: float, high: float) -> None:
        """Remember where the values of a panel lie: beyond them, where texts stand, the axis has no ticks."""
        self.ranges.append((axes, low, high))

    def finish(self, title: str, keys: Sequence[Any], notes: Iterable[str]) -> Any:
        """Place title, key and footer, widen panels for their texts, thin ticks; return the Axes."""
        from matplotlib.text import Text

        notes, title = list(notes), self.frame.get("title", title)
        # A model may be told in Chinese though the picture is in English.
        self.spare = spare_fonts([title, *notes, *(text.get_text() for text in self.figure.findobj(Text))])
        self._speak()
        inks = _inks()
        if self.given:
            return _repainted(self._finish_inside(keys), self.axes.flat, inks)
        figure, width = self.figure, self.figure.get_figwidth()
        family = list(self._families())
        head = figure.text(0, 0, title, fontsize=13, fontweight="bold", va="top", family=family)
        foot = figure.text(
            0,
            0,
            self.locale.say("separator").join(notes),
            fontsize=8,
            color=GREY,
            va="bottom",
            family=family,
            linespacing=1.35,
        )
        for text in (head, foot):
            _take_literally(text)
        heights = [self._fill(text, _FILLED * (width - 2 * _PAD)) for text in (head, foot)]
        legend = self._legend(keys, width - 2 * _PAD) if keys else None
        key = 0.0 if legend is None else self._size(legend)[1] + 0.04
        top, bottom = heights[0] + key + 0.18, heights[1] + 0.20
        total = self.body + top + bottom
        if (size := _asked_size(self.frame)) is not None:
            total, self.body = size[1], size[1] - top - bottom
            if self.body < _LEAST:
                raise DemandsimError(
                    f"figsize={size} leaves no room for the panels under the title and over the footer; "
                    f"a height of {top + bottom + _LEAST:.1f} inches or more does at this width"
                )
        figure.set_size_inches(width, total)
        head.set_position((_PAD / width, 1 - 0.08 / total))
        foot.set_position((_PAD / width, 0.08 / total))
        if legend is not None:
            legend.set_bbox_to_anchor((_PAD / width - 0.004, 1 - (heights[0] + 0.12) / total), figure.transFigure)
        engine: Any = figure.get_layout_engine()
        engine.set(rect=(0, bottom / total, 1, self.body / total))
        self._settle()
        return _repainted(self.axes, [self.figure], inks)

    def _finish_inside(self, keys: Sequence[Any]) -> Any:
        """Finish panels of a user's figure, which has no room for a head and a footer of ours."""
        first = self.axes.flat[0]
        if "title" in self.frame and self.axes.size == 1:
            first.set_title(self.frame["title"], loc="left")
        elif "title" in self.frame:
            # Titles of several panels say which is which.
            self.figure.suptitle(self.frame["title"])
        if keys:
            first.legend(handles=list(keys), fontsize=8, prop={"family": list(self._families()), "size": 8})
        return self.axes

    def _families(self) -> tuple[str, ...]:
        return (*_own_fonts(), *self.locale.fonts, "DejaVu Sans", *self.spare)

    def _speak(self) -> None:
        """Give every text the font of the locale, and draw it as it is: "$" is money, and no mathematics."""
        from matplotlib.text import Text

        family = list(self._families())
        parts = [self.figure] if not self.given else list(self.axes.flat)
        for text in (text for part in parts for text in part.findobj(Text)):
            if self.locale.fonts and "\n" in text.get_text():
                # Chinese characters fill their line.
                text.set_linespacing(1.35)
            text.set_fontfamily(family)
            _take_literally(text)
        for axes in self.axes.flat if self.given else self.figure.axes:
            axes.tick_params(labelfontfamily=family)

    def _size(self, artist: Any) -> tuple[float, float]:
        box = artist.get_window_extent(self.figure.canvas.get_renderer())
        return box.width / self.figure.dpi, box.height / self.figure.dpi

    def _fill(self, text: Text, width: float) -> float:
        """Fold a text to a width in inches; Chinese folds between any two characters."""
        if not text.get_text():
            return 0.0
        lines, words = [], _WORDS.findall(text.get_text())

        def wide(count: int) -> float:
            text.set_text("".join(words[:count]).rstrip())
            return self._size(text)[0]

        while words:
            count = len(words) if wide(len(words)) <= width else bisect_right(range(1, len(words)), width, key=wide)
            count = max(count, 1)
            while words[count : count + 1] and words[count] in ",.;:，。；：、）》”":
                count += 1
            lines.append("".join(words[:count]).strip())
            words = words[count:]
        text.set_text("\n".join(lines))
        return self._size(text)[1]

    def _legend(self, keys: Sequence[Any], width: float) -> Any:
        for columns in range(len(keys), 0, -1):
            legend = self.figure.legend(
                handles=list(keys),
                ncols=columns,
                loc="upper left",
                frameon=False,
                fontsize=9,
                borderpad=0.1,
                columnspacing=1.4,
                prop={"family": list(self._families()), "size": 9},
            )
            legend.set_in_layout(False)
            for text in legend.get_texts():
                _take_literally(text)
            if self._size(legend)[0] <= width or columns == 1:
                return legend
            legend.remove()
        return None

    def _settle(self) -> None:
        for _ in range(8):
            self._lay_out()
            widened = [_widen(axes, [t for a, t in self.inside if a is axes]) for axes in self.axes.flat]
            if not any(widened):
                break
        if self.one_scale:
            seen = [axes for axes in self.axes.flat if axes.get_visible()]
            limits = [axes.get_xlim() for axes in seen]
            for axes in seen:
                axes.set_xlim(min(low for low, _ in limits), max(high for _, high in limits))
        thinned = [_thin(axes) for axes in self.figure.axes]
        for axes, low, high in self.ranges:
            _bound(axes, low, high)
        if any(thinned) or self.ranges or self.one_scale:
            self._lay_out()
        # As after drawing: from now on only a change needs another layout.
        self.figure.stale = False

    def _lay_out(self) -> None:
        """Place the panels, as drawing would; what is in them is drawn once, in the file."""
        engine: Any = self.figure.get_layout_engine()
        engine.execute(self.figure)


def _own_fonts() -> tuple[str, ...]:
    """Fonts of the user's style, where it is not matplotlib's own."""
    from matplotlib import rcParams, rcParamsDefault

    style: Any = rcParams
    usual: Any = rcParamsDefault
    asked: list[str] = []
    for family in style["font.family"]:
        key = f"font.{family}"
        if key not in style:
            asked.append(family)
        elif [family] != list(usual["font.family"]) or style[key] != usual[key]:
            asked += style[key]
    return tuple(asked)


def _inks() -> dict[str, str]:
    """What ink and paper are in the user's style, by what they are in ours; nothing where it is matplotlib's own."""
    from matplotlib import rcParams, rcParamsDefault
    from matplotlib.colors import to_hex, to_rgb

    text, paper = rcParams["text.color"], rcParams["figure.facecolor"]
    if all(rcParams[key] == rcParamsDefault[key] for key in ("text.color", "figure.facecolor", "axes.facecolor")):
        return {}
    (r, g, b), (pr, pg, pb) = to_rgb(text), to_rgb(paper)
    grey = to_hex((0.7 * r + 0.3 * pr, 0.7 * g + 0.3 * pg, 0.7 * b + 0.3 * pb))
    own = {INK: text, GREY: grey, PAPER: rcParams["axes.facecolor"], GRID: rcParams["grid.color"]}
    return {to_hex(ours): to_hex(theirs) for ours, theirs in own.items()}


def _repainted(axes: Any, parts: Iterable[Any], inks: Mapping[str, str]) -> Any:
    """Give everything that is drawn in our ink, or in the colour of our paper, those of the user's style."""
    from matplotlib.colors import to_hex
    from matplotlib.text import Text

    for artist in (artist for part in parts for artist in part.findobj()) if inks else ():
        # All are read before any is set: one may be another's default, and their ink may be our paper.
        hues = {kind: _hue(getattr(artist, f"get_{kind}", lambda: None)()) for kind in _COLOURED}
        for kind, hue in hues.items():
            # A white text stands on a dark bar, which stays.
            if hue in inks and not (isinstance(artist, Text) and hue == to_hex(PAPER)):
                getattr(artist, f"set_{kind}")(inks[hue])
    return axes


def _hue(found: Any) -> str:
    """The one colour of an artist; empty where it has none, or many."""
    from matplotlib.colors import to_hex

    try:
        return to_hex(found[0] if np.ndim(found) == 2 and len(found) == 1 else found)
    except (TypeError, ValueError):
        return ""


def _new_figure(size: tuple[float, float]) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=_PAD, h_pad=0.06)
    return figure


def _asked_size(frame: Frame) -> tuple[float, float] | None:
    """Width and height that were asked for."""
    if frame.get("figsize") is None:
        return None
    try:
        width, height = map(float, frame["figsize"])
    except (TypeError, ValueError):
        width = height = np.nan
    if not (0 < width < np.inf and 0 < height < np.inf):
        raise DemandsimError(f"figsize is (width, height) in inches, such as (8, 5), not {frame['figsize']!r}")
    return width, height


def _given(frame: Frame, shape: tuple[int, int]) -> Any:
    """The Axes of a user's figure, as many as there are panels."""
    from matplotlib.axes import Axes

    if frame.get("figsize") is not None:
        raise DemandsimError("figsize= is the size of a new figure; the figure of ax= has its own: leave one out")
    found = np.array(frame["ax"], dtype=object)
    strange = next((one for one in found.flat if not isinstance(one, Axes)), None)
    if strange is not None or not found.size:
        kind = type(frame["ax"] if strange is None else strange).__name__
        raise DemandsimError(f"ax= takes Axes of matplotlib, as plt.subplots makes them, not {kind}")
    if found.size != shape[0] * shape[1]:
        rows, columns = shape
        raise DemandsimError(
            f"the picture has {rows} x {columns} panels and ax= has {found.size} Axes; pass those of "
            f"plt.subplots({rows}, {columns}), or draw less, with of= or one label selected"
        )
    return found.reshape(shape)


def _take_literally(text: Text) -> None:
    """Show what a text says: no mathematics between dollar signs, no characters that fonts do not have."""
    text.set_parse_math(False)
    text.set_text(printable(text.get_text()))


def _widen(axes: Axes, texts: Sequence[Text]) -> bool:
    if not texts or not axes.get_visible():
        return False
    box = axes.get_window_extent()
    extents = [text.get_window_extent() for text in texts]
    left = max(box.x0 - min(e.x0 for e in extents), 0)
    right = max(max(e.x1 for e in extents) - box.x1, 0)
    if left <= 0.5 and right <= 0.5:
        return False
    to_data = axes.transData.inverted()
    low, high = (
        to_data.transform((x, box.y0))[0]
        for x in (box.x0 - 1.3 * left - 2 * (left > 0), box.x1 + 1.3 * right + 2 * (right > 0))
    )
    axes.set_xlim(low, high)
    return True


def _thin(axes: Axes) -> bool:
    """Use fewer ticks on a horizontal axis whose labels touch; tell whether they do."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    def shown() -> list[Any]:
        # Asking for the labels brings them up to date, without drawing the whole figure.
        low, high = sorted(axes.get_xlim())
        labels = [label for label in axes.get_xticklabels() if label.get_text() and label.get_visible()]
        inside = [label for label in labels if low <= label.get_position()[0] <= high]
        return [label.get_window_extent() for label in sorted(inside, key=lambda label: label.get_position()[0])]

    def touch() -> bool:
        return any(one.x1 + 4 > other.x0 for one, other in pairwise(shown()))

    if not axes.get_visible() or not axes.xaxis.get_visible() or not touch():
        return False
    tries = (
        [LogLocator(subs=subs, numticks=n) for subs, n in (((1, 3), 9), ((1,), 9), ((1,), 4), ((1,), 3))]
        if isinstance(axes.xaxis.get_major_locator(), LogLocator)
        else [MaxNLocator(n) for n in (6, 5, 4, 3, 2)]
    )
    for locator in tries:
        axes.xaxis.set_major_locator(locator)
        if not touch():
            break
    return True


def _bound(axes: Axes, low: float, high: float) -> None:
    """End the horizontal axis at the ticks around its values."""
    ticks = axes.get_xticks()
    step = min(np.diff(ticks), default=0.0)
    kept = [tick for tick in ticks.tolist() if low - step < tick < high + step and not tick < 0 <= low]
    first, last = axes.get_xlim()
    kept = [tick for tick in kept if first <= tick <= last]
    axes.set_xlim(first, last)
    axes.set_xticks(kept)
    if len(kept) > 1:
        axes.spines["bottom"].set_bounds(min(kept[0], low), max(kept[-1], high))


def wrapped(text: str, width: int = 26) -> str:
    """Fold a label between words."""
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def bare(axes: Axes, *sides: str) -> None:
    """Hide sides of the frame."""
    for side in sides:
        axes.spines[side].set_visible(False)


def grid(axes: Axes, which: str) -> None:
    """Draw pale lines behind everything, from the ticks of one axis."""
    axes.grid(axis=which, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def percent_ticks(axis: Any, bins: int | None = None) -> None:
    """Write the ticks of shares as percentages."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if bins is not None:
        axis.set_major_locator(MaxNLocator(bins))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.10g}%"))


def plain(axis: Any) -> None:
    """Write the ticks of numbers without exponents, thousands separated."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def plain_ticks(axes: Axes, *, log: bool = False, which: str = "x") -> None:
    """Write ticks as people do: no exponents, thousands separated."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    if log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=9))
        # Between 1, 2 and 5 there is no room for more; and each tick costs a millisecond.
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(MaxNLocator(6))
    plain(axis)


def is_wide(low: float, high: float) -> bool:
    """Tell whether a range is better shown on a logarithmic axis."""
    return low > 0 and high / low > 30


def bars_of(count: int, most: int = 64) -> int:
    """Edges of the bars that so many draws fill (Rice's rule): of a few, more bars would show their chance alone."""
    return int(np.clip(2 * count ** (1 / 3), 12, most))


def line(colour: str, label: str, **looks: Any) -> Any:
    """Key of a line."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, label=label, **({"linewidth": 2} | looks))


def dot(colour: str, label: str, marker: str = "o", **looks: Any) -> Any:
    """Key of a marker."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, label=label, marker=marker, linestyle="none", **looks)


def band(colour: str, label: str, **looks: Any) -> Any:
    """Key of an area."""
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, label=label, **looks)


def save(axes: Any, path: str | Path, *, dpi: int = 130) -> None:
    """Write the figure of some Axes as a picture, whole or not at all.

    Parameters
    ----------
    axes : Axes or array of Axes
    path : str or Path
        The suffix chooses the format: ``.png``, ``.svg``, ``.pdf``.
    dpi : int, default 130

    Raises
    ------
    DemandsimError
        If the suffix is that of no picture.
    OutputError
        If it cannot be written; nothing half-written stays.

    Examples
    --------
    >>> import tempfile
    >>> import demandsim as ds
    >>> draws = ds.load_study("guosen-2025-01").simulate(draws=256, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(ds.plots.distributions(draws, of=["cards"]), Path(folder) / "cards.png")
    """
    from matplotlib import rc_context

    figure = np.ravel(axes)[0].figure
    kind = Path(path).suffix.lower().removeprefix(".")
    known = figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise DemandsimError(f"'{path}' must end in .png, .svg, .pdf or another of the formats {', '.join(known)}")
    engine = figure.get_layout_engine()
    if not figure.stale:
        # Everything has its place since it was made: drawing would find it once more.
        figure.set_layout_engine("none")
    try:
        # Neither the time nor chance is in the file: the same picture is the same file.
        undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
        salted = rc_context({"svg.hashsalt": "demandsim"}) if kind == "svg" else nullcontext()
        with written_whole(path) as unfinished, salted:
            figure.savefig(unfinished, dpi=dpi, metadata=undated)
    except OSError as error:
        raise OutputError(f"cannot write '{path}': {error.strerror or error}") from None
    finally:
        figure.set_layout_engine(engine)
