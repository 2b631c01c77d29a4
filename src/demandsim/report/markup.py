"""Markup: HTML and SVG elements, whose text is escaped unless it is markup itself."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

__all__ = ["Child", "Markup", "join", "tag", "text"]

#: Elements that have no content and no end tag.
_EMPTY = {"meta", "link", "br", "input", "hr"}
#: Characters that HTML forbids, and lone surrogates, which UTF-8 cannot hold.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Markup(str):
    """Text that is HTML already; everything else is escaped where it is put."""

    __slots__ = ()


Child = str | Markup | None | Iterable["str | Markup | None"]


def text(value: str) -> Markup:
    """Escape a text, whoever wrote it.

    Examples
    --------
    >>> text('<b> & "c"')
    '&lt;b&gt; &amp; &quot;c&quot;'
    """
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(_FORBIDDEN.sub("\ufffd", str(value)), quote=True))


def join(children: Iterable[Child], between: str = "") -> Markup:
    """Put children after each other."""
    return Markup(text(between).join(_flat(child) for child in children))


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """Make an element; attributes that are None or False are left out, True ones have no value.

    A trailing underscore of an attribute's name is dropped, the others are hyphens: ``class_``, ``aria_label``.

    Examples
    --------
    >>> tag("p", "a < b", class_="note", hidden=True)
    '<p class="note" hidden>a &lt; b</p>'
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        words.append(written if value is True else f'{written}="{text(_plain(value))}"')
    start = f"<{' '.join(words)}>"
    return Markup(start if name in _EMPTY else f"{start}{join(children)}</{name}>")


def _flat(child: Child) -> str:
    if child is None:
        return ""
    return text(child) if isinstance(child, str) else join(child)


def _plain(value: str | float) -> str:
    """Write a number without digits that nobody sees."""
    return f"{round(value, 2):g}" if isinstance(value, float) else str(value)
