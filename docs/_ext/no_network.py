"""The pages ask for nothing outside: whatever a browser would fetch from another machine is a warning at the build."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.util.logging import getLogger

#: What a browser fetches by itself; a link that a reader follows is none of it.
_FETCHED = (
    re.compile(
        r"<(?:script|img|iframe|source|embed|audio|video)\b[^>]*?\bsrc\s*=\s*[\"']?(?:https?:)?//([^\"'\s>]+)", re.I
    ),
    re.compile(r"<link\b(?![^>]*rel=[\"']canonical)[^>]*?\bhref\s*=\s*[\"']?(?:https?:)?//([^\"'\s>]+)", re.I),
    re.compile(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//([^\"')\s]+)", re.I),
)


def fetched(text: str) -> list[str]:
    """Return the addresses on other machines that a page or a style sheet makes a browser fetch."""
    return [found for pattern in _FETCHED for found in pattern.findall(text)]


def _check(app: Any, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    # Not every page that lies there: one of an earlier build may be gone from this one.
    pages = [Path(app.builder.get_outfilename(name)) for name in sorted(app.env.found_docs)]
    for path in [*pages, *out.glob("*.html"), *(out / "_static").rglob("*.css")]:
        if path.is_file() and path.stem != "sg_execution_times":
            for address in fetched(path.read_text(encoding="utf-8")):
                getLogger(__name__).warning("%s asks for %s", path.relative_to(out), address)


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
