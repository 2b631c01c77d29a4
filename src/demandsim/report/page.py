"""Page: one HTML document that needs nothing but itself, and may ask the network for nothing."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from typing import Any

from demandsim.report.data import Page
from demandsim.report.differences import differences, starts_of
from demandsim.report.drawn_sections import STEPS
from demandsim.report.markup import Markup, join, tag, text
from demandsim.report.scene_sections import Part, Section
from demandsim.report.words import Words

__all__ = ["assembled"]

#: Scenarios or times that stand as buttons; more go into a list.
_BUTTONS = 6
#: Phrases that the script says.
_SAID = ("read", "filter", "filtered", "none_found", "sort_by", "as_given", "copy", "copied", "copy_by_hand")


def assembled(page: Page, sections: Sequence[Section], lead: str, version: str, words: Words) -> str:
    """Put the document together: the only style and script that run are those whose fingerprints it names."""
    style, script = _own("page.css"), _own("page.js")
    policy = (
        f"default-src 'none'; style-src {_fingerprint(style)}; script-src {_fingerprint(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", page.title),
        tag("link", rel="icon", href="data:,"),
        tag("style", Markup(style)),
    ]
    switching = _switch(page, words)
    body = [
        tag("a", words.say("skip"), href="#headline", class_="skip"),
        tag(
            "header",
            tag("h1", page.title),
            tag("p", words.say("by", source=page.source), class_="quiet") if page.source else None,
            tag("p", lead),
            [tag("p", remark, class_="quiet") for remark in page.remarks],
            tag("noscript", tag("p", words.say("noscript", place=page.scenes[0].title))) if switching else None,
            _contents(sections, words),
        ),
        switching,
        tag("main", [_section(section) for section in sections]),
        tag("footer", tag("p", words.say("made_by", version=version))),
        tag("script", _told(sections, words), type="application/json", id="told-by-script"),
        tag("script", Markup(script)),
    ]
    document = tag("html", tag("head", head), tag("body", body), lang=words.tag)
    return f"<!DOCTYPE html>\n{document}\n"


def _told(sections: Sequence[Section], words: Words) -> Markup:
    """What the script says and shows: phrases, and other scenes as differences from the first one."""
    parts = {key: _packed(part) for section in sections for key, part in section.parts.items()}
    content = {"words": {key: words.phrases[key] for key in _SAID}, "steps": STEPS, "parts": parts}
    # A script ends at the first "</script", and takes "<!--" for the beginning of something else.
    written = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Markup(written.replace("</", "<\\/").replace("<!", "\\u003c!"))


def _packed(part: Part) -> Mapping[str, Any]:
    first, *others = part.blocks.items()
    starts = starts_of(first[1])
    scenes = {key: differences(first[1], block, starts) for key, block in others}
    return {"follows": part.follows, "first": first[0], "base": first[1], "scenes": scenes}


@functools.cache
def _own(name: str) -> str:
    """Read a file of the package."""
    return importlib.resources.files("demandsim.report").joinpath(name).read_text(encoding="utf-8")


def _fingerprint(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _contents(sections: Sequence[Section], words: Words) -> Markup:
    links = [tag("li", tag("a", section.heading, href=f"#{section.key}")) for section in sections]
    return tag("nav", tag("ul", links), aria_label=words.say("contents"))


def _section(section: Section) -> Markup:
    heading = f"{section.key}-heading"
    return tag("section", tag("h2", section.heading, id=heading), section.body, id=section.key, aria_labelledby=heading)


def _switch(page: Page, words: Words) -> Markup | None:
    """Scenarios and times to choose from; it appears with the script that makes it work."""
    groups = [
        _group("scenario", words.say("scenario"), page.scenarios),
        _group("time", words.locale.dim(page.time_dim), page.times),
    ]
    if not any(groups):
        return None
    told = tag(
        "span",
        id="told",
        role="status",
        class_="quiet",
        data_said=words.say("showing", place="{place}"),
        data_comma=words.say("comma"),
    )
    inner = tag("div", groups, told)
    return tag("div", inner, class_="switch", role="region", aria_label=words.say("switch"), hidden=True)


def _group(name: str, legend: str, labels: Sequence[str]) -> Markup | None:
    if len(labels) < 2:
        return None
    heading = legend[:1].upper() + legend[1:]
    if len(labels) > _BUTTONS:
        options = [tag("option", label, value=str(i), selected=i == 0) for i, label in enumerate(labels)]
        return tag("label", tag("strong", heading, " "), tag("select", options, name=name))
    picks = [
        tag(
            "label",
            tag("input", type="radio", name=name, value=str(i), checked=i == 0, data_label=label),
            join([text(label)]),
            class_="pick",
        )
        for i, label in enumerate(labels)
    ]
    return tag("fieldset", tag("legend", heading), picks)
