"""Sections: the parts of the page in their order, and the block of each for every scenario and time that it follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demandsim.report.data import Content, Scene
from demandsim.report.markup import rendered
from demandsim.report.provenance import Record
from demandsim.report.words import Words

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Section", "record_sections", "scene_sections"]

_SCENES, _RECORD = "report/scenes.html", "report/record.html"


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Parameters
    ----------
    key, heading : str
        Where links lead, and what they say.
    blocks : mapping of str to Markup
        What it holds, by the numbers of scenario and time as far as it follows them, with a blank between.
    note : Markup
        What stands above the blocks.
    follows : tuple of str
        What it follows: ``scenario``, ``time``, both or nothing.
    """

    key: str
    heading: str
    blocks: Mapping[str, Markup]
    note: Markup | str = ""
    follows: tuple[str, ...] = ()

    @property
    def first(self) -> tuple[str, Markup]:
        """The block that stands in the page, for whoever runs no script, and its number."""
        return next(iter(self.blocks.items()))


def scene_sections(content: Content, words: Words) -> Iterator[Section]:
    """Make the sections that have a version per scene; one that could not be computed says why."""
    both, scenes, absent = ("scenario", "time"), content.scenes, content.absent
    sections = {
        "summary": (both, True),
        "headline": (both, True),
        "compared": (("time",), len(content.scenarios) > 1),
        "chances": (both, any(scene.statements for scene in scenes)),
        "learned": (("scenario",), content.learned is not None or "learned" in absent),
        "shapes": (both, any(scene.shapes for scene in scenes)),
        "fans": (("scenario",), bool(content.fans)),
        "moves": (both, True),
        # Shares that were read off the draws are of one time.
        "shares": (both if content.read_at is None else ("scenario",), True),
        "information": (both, any(scene.information for scene in scenes) or "information" in absent),
    }
    for key, (follows, wanted) in sections.items():
        if key in absent:
            why = rendered(_SCENES, "absent", words, absent[key])
            yield Section(key, words.say(key), {"": why})
        elif wanted:
            numbered = tuple(name for name in follows if name in content.several)
            blocks: dict[str, Markup] = {}
            for scene in scenes:
                number = " ".join(str(getattr(scene, name)) for name in numbered)
                if number not in blocks:
                    place = rendered(_SCENES, "place", words, _place(key, follows, scene, content, words))
                    blocks[number] = place + rendered(_SCENES, key, words, scene, content)
            yield Section(key, words.say(key), blocks, rendered(_SCENES, "note", words, key, content), numbered)


def _place(key: str, follows: tuple[str, ...], scene: Scene, content: Content, words: Words) -> str:
    """Say what scenario and time a block is of; nothing where there is one alone."""
    if "scenario" not in follows:
        return content.times[scene.time] if scene.time is not None else ""
    if "time" in follows:
        return scene.title
    at = (content.read_at if key == "shares" else "") or ""
    title = content.titles[scene.scenario] if at or "scenario" in content.several else ""
    return words.say("comma").join(part for part in (title, at) if part)


def record_sections(record: Record, content: Content, words: Words) -> Iterator[Section]:
    """Make the sections that tell where the numbers come from."""
    wanted = {"notes": bool(record.notes), "printed": bool(record.printed)}
    for key in ("assumptions", "correlations", "notes", "printed", "reading", "method"):
        if wanted.get(key, True):
            yield Section(key, words.say(key), {"": rendered(_RECORD, key, words, record, content)})
