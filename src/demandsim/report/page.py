"""Page: one HTML document that needs nothing but itself, and may ask the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from demandsim.report.charts import STEPS
from demandsim.report.data import Content
from demandsim.report.differences import differences
from demandsim.report.markup import rendered, shipped
from demandsim.report.sections import Section
from demandsim.report.words import Words

__all__ = ["assembled"]

#: Phrases that the script says.
_SAID = ("read", "filter", "filtered", "none_found", "sort_by", "as_given", "copy", "copied", "copy_by_hand")


def assembled(content: Content, sections: Sequence[Section], lead: str, version: str, words: Words) -> str:
    """Put the document together: the only style and script that run are those whose fingerprints it names."""
    style, script = shipped("report/page.css"), shipped("report/page.js")
    policy = (
        f"default-src 'none'; style-src {_fingerprint(style)}; script-src {_fingerprint(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    shown = (content, sections, lead, version, policy, style, script, _told(sections, words))
    return str(rendered("report/page.html", "document", words, *shown))


def _told(sections: Sequence[Section], words: Words) -> str:
    """What the script says and shows: phrases, and other scenes as differences from the first one."""
    parts = {section.key: _packed(section) for section in sections if section.follows}
    content = {"words": {key: words.phrases[key] for key in _SAID}, "steps": STEPS, "parts": parts}
    # A script ends at the first "</script", and takes "<!--" for the beginning of something else.
    written = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return written.replace("</", "<\\/").replace("<!", "\\u003c!")


def _packed(section: Section) -> Mapping[str, Any]:
    (first, base), *others = section.blocks.items()
    told = differences(base, (block for _, block in others))
    scenes = {key: pieces for (key, _), pieces in zip(others, told, strict=True)}
    return {"follows": section.follows, "first": first, "base": base, "scenes": scenes}


def _fingerprint(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"'sha256-{digest}'"
