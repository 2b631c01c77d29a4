"""Scene sections: what follows the switch, from the headline numbers to the value of information."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from demandsim.report.belief_sections import beliefs
from demandsim.report.data import Fan, Page, Scene
from demandsim.report.drawn_sections import fan_figure, key, shape_figure
from demandsim.report.headline_sections import chances, headline, side_by_side
from demandsim.report.markup import Child, Markup, join, tag
from demandsim.report.sensitivity_sections import LOOKS, information, moves_table, shares_table
from demandsim.report.words import Words
from demandsim.units.format import percent

__all__ = ["Part", "Section", "scene_sections"]

#: Share of draws beyond either end of a drawn distribution.
_TAIL = "0.4%"


@dataclass(frozen=True)
class Part:
    """What of a section differs between scenes.

    Parameters
    ----------
    follows : tuple of str
        What it follows: ``scenario``, ``time`` or both.
    blocks : mapping of str to Markup
        By the numbers of scenario and time, as far as it follows them, with a blank between.
    """

    follows: tuple[str, ...]
    blocks: Mapping[str, Markup]


@dataclass(frozen=True)
class Section:
    """A part of the page: where links lead, its heading, what it holds."""

    key: str
    heading: str
    body: Markup
    parts: Mapping[str, Part] = field(default_factory=dict)


def scene_sections(page: Page, words: Words) -> Iterator[Section]:
    """Make the sections that have a version per scene; one that could not be computed says why."""
    say, prob = words.say, percent(page.prob)

    def section(name: str, note: Child, body: Callable[[Scene], Child], at: str | None = None) -> Section:
        if name in page.absent:
            return Section(name, say(name), tag("p", say("absent", why=page.absent[name]), class_="quiet"))
        return _section(name, say(name), note, _by_scene(page, body, at, words))

    def quiet(phrase: str) -> Markup:
        return tag("p", phrase, class_="quiet")

    yield section("headline", None, lambda scene: headline(scene, page, words))
    if len(page.scenarios) > 1:
        yield _section("compared", say("compared"), quiet(say("compared_note", prob=prob)), _compared(page, words))
    if any(scene.statements for scene in page.scenes):
        yield section("chances", None, lambda scene: chances(scene, words))
    if page.learned is not None:
        about = [
            quiet(join([say("learned_note", prob=prob), " ", page.learned.how])),
            key({"tail": say("before"), "inside": say("after")}),
        ]
        told = _by_scenario(page, [beliefs(found, page.time_dim, prob, words) for found in page.learned.scenarios])
        yield _section("learned", say("learned"), about, told)
    elif "learned" in page.absent:
        yield section("learned", None, lambda _: None)
    if any(scene.shapes for scene in page.scenes):
        marks = {"tail": "key_draws", "inside": "key_inside", "median": "key_median", "diamond": "key_point"}
        about = [quiet(say("shapes_note", tail=_TAIL)), key({kind: say(m, prob=prob) for kind, m in marks.items()})]
        yield section("shapes", about, lambda scene: _grid(shape_figure(s, prob, words) for s in scene.shapes))
    if page.fans:
        drawn = [_fans(fans, page, prob, words) for fans in page.fans]
        yield _section("fans", say("fans"), quiet(say("fans_note", prob=prob)), _by_scenario(page, drawn))
    about = [quiet(say("moves_note", prob=prob)), key({end: say(f"key_{end}") for end in ("low", "high")})]
    yield section("moves", about, lambda scene: _columns(moves_table(m, words) for m in scene.moves))
    kinds = {kind: None for scene in page.scenes for chart in scene.charts for kind in chart.kinds}
    about = [quiet(page.shares_note), key({LOOKS[kind]: say(kind) for kind in kinds})]
    yield section("shares", about, lambda scene: _columns(shares_table(c, words) for c in scene.charts), page.read_at)
    if any(scene.information for scene in page.scenes) or "information" in page.absent:
        note = quiet(say("information_note"))
        yield section("information", note, lambda scene: information(scene.information, words))


def _section(name: str, heading: str, note: Child, part: Part) -> Section:
    """The first scene stands in the page, for whoever runs no script."""
    first = next(iter(part.blocks.values()))
    if len(part.blocks) == 1:
        return Section(name, heading, join([note, first]))
    return Section(name, heading, join([note, tag("div", first, data_part=name)]), {name: part})


def _grid(figures: Iterator[Markup]) -> Markup:
    return tag("div", list(figures), class_="charts")


def _columns(parts: Iterator[Markup]) -> Markup:
    return tag("div", list(parts), class_="columns")


def _by_scene(page: Page, body: Callable[[Scene], Child], at: str | None, words: Words) -> Part:
    """One block per scene; one per scenario where all is of one time."""
    follows = tuple(
        name
        for name, labels in (("scenario", page.scenarios), ("time", page.times if at is None else ()))
        if len(labels) > 1
    )
    blocks = {}
    for scene in page.scenes:
        if at is not None and scene.time:
            continue
        title = scene.title if at is None else _joined(page.titles[scene.scenario], at, words)
        place = tag("p", title, class_="place") if title else None
        number = {"scenario": scene.scenario, "time": scene.time}
        blocks[" ".join(str(number[name]) for name in follows)] = join([place, body(scene)])
    return Part(follows, blocks)


def _by_scenario(page: Page, bodies: Sequence[Markup]) -> Part:
    several = len(page.scenarios) > 1
    places = [tag("p", title, class_="place") if several else None for title in page.titles]
    blocks = {str(i) if several else "": join([places[i], body]) for i, body in enumerate(bodies)}
    return Part(("scenario",) if several else (), blocks)


def _compared(page: Page, words: Words) -> Part:
    """Scenarios beside each other, at each time."""
    moving = len(page.times) > 1
    blocks = {}
    for time in range(max(len(page.times), 1)):
        scenes = [scene for scene in page.scenes if (scene.time or 0) == time]
        place = tag("p", page.times[time], class_="place") if page.times else None
        blocks[str(time) if moving else ""] = join([place, side_by_side(scenes, page, words)])
    return Part(("time",) if moving else (), blocks)


def _joined(scenario: str, time: str, words: Words) -> str:
    return words.say("comma").join(part for part in (scenario, time) if part)


def _fans(fans: Sequence[Fan], page: Page, prob: str, words: Words) -> Markup:
    """The charts over time of one scenario."""
    return _grid(fan_figure(fan, page.time_dim, prob, words) for fan in fans)
