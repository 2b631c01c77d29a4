"""Scene sections: what follows the switch, from the headline numbers to the value of information."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from demandsim.report.drawn_sections import fan_figure, key, shape_figure
from demandsim.report.figures import Page, Scene
from demandsim.report.headline_sections import chances, headline
from demandsim.report.markup import Child, Markup, join, tag
from demandsim.report.sensitivity_sections import LOOKS, information, moves_table, shares_table
from demandsim.report.wording import Words, percent

__all__ = ["Section", "scene_sections"]

#: Share of draws beyond either end of a drawn distribution.
_TAIL = "0.4%"


@dataclass(frozen=True)
class Section:
    """A part of the page: where links lead, its heading, what it holds."""

    key: str
    heading: str
    body: Markup


def scene_sections(page: Page, words: Words) -> Iterator[Section]:
    """Make the sections that have a version per scene; one that could not be computed says why."""
    say, prob = words.say, percent(page.prob, 0)

    def section(name: str, note: Child, body: Callable[[Scene], Child], time: str | None = None) -> Section:
        if name in page.absent:
            return Section(name, say(name), tag("p", say("absent", why=page.absent[name]), class_="quiet"))
        return Section(name, say(name), join([note, _switched(page, body, time, words)]))

    def quiet(phrase: str) -> Markup:
        return tag("p", phrase, class_="quiet")

    yield section("headline", None, lambda scene: headline(scene, prob, words))
    if any(scene.statements for scene in page.scenes):
        yield section("chances", None, lambda scene: chances(scene, words))
    if any(scene.shapes for scene in page.scenes):
        marks = {"tail": "key_draws", "inside": "key_inside", "median": "key_median", "diamond": "key_published"}
        about = [quiet(say("shapes_note", tail=_TAIL)), key({kind: say(m, prob=prob) for kind, m in marks.items()})]
        yield section("shapes", about, lambda scene: _grid(shape_figure(s, prob, words) for s in scene.shapes))
    if page.fans:
        about = [quiet(say("fans_note", prob=prob))]
        yield Section("fans", say("fans"), join([about, _fans(page, prob, words)]))
    about = [quiet(say("moves_note", prob=prob)), key({end: say(f"key_{end}") for end in ("low", "high")})]
    yield section("moves", about, lambda scene: _columns(moves_table(m, words) for m in scene.moves))
    kinds = {kind: None for scene in page.scenes for chart in scene.charts for kind in chart.kinds}
    note = say("shapley_note" if "effect" in kinds else "sobol_note", prob=prob)
    if page.read_at is not None:
        note = say("read_note", prob=prob, place=page.read_at)
    about = [quiet(note), key({LOOKS[kind]: say(kind) for kind in kinds})]
    yield section("shares", about, lambda scene: _columns(shares_table(c, words) for c in scene.charts), page.read_at)
    yield section("information", quiet(say("information_note")), lambda scene: information(scene.information, words))


def _grid(figures: Iterator[Markup]) -> Markup:
    return tag("div", list(figures), class_="charts")


def _columns(parts: Iterator[Markup]) -> Markup:
    return tag("div", list(parts), class_="columns")


def _switched(page: Page, body: Callable[[Scene], Child], time: str | None, words: Words) -> list[Markup]:
    """One block per scene, of which the first is shown; one per scenario where all is of one time."""
    several, moving = len(page.scenarios) > 1, len(page.times) > 1 and time is None
    return [
        tag(
            "div",
            tag("p", title, class_="place") if title else None,
            body(scene),
            data_scenario=str(scene.scenario) if several else None,
            data_time=str(scene.time) if scene.time is not None and moving else None,
            hidden=number > 0,
        )
        for number, scene in enumerate(page.scenes)
        if time is None or not scene.time
        for title in [scene.title if time is None else _joined(page.titles[scene.scenario], time, words)]
    ]


def _joined(scenario: str, time: str, words: Words) -> str:
    return words.say("comma").join(part for part in (scenario, time) if part)


def _fans(page: Page, prob: str, words: Words) -> Iterator[Markup]:
    """The charts over time of each scenario."""
    several = len(page.scenarios) > 1
    for number, fans in enumerate(page.fans):
        yield tag(
            "div",
            tag("p", page.titles[number], class_="place") if several else None,
            _grid(fan_figure(fan, page.time_dim, prob, words) for fan in fans),
            data_scenario=str(number) if several else None,
            hidden=number > 0,
        )
