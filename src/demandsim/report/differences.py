"""Differences: a text told by what another text has, and what it has not; so that thirty scenes weigh little.

Pieces are a text, then where the other text goes on and how far, again and again; the script of the page puts them
together. It stays plain text: what looks like packed data in a page is what mail filters stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import takewhile

__all__ = ["differences"]

#: Shorter matches are written out: two numbers are hardly shorter.
_SHORTEST = 16


def differences(base: str, texts: Iterable[str]) -> list[list[str | int]]:
    """Tell texts by what of them stands in another one.

    Examples
    --------
    >>> differences("a distribution in words", ["another distribution in numbers"])
    [['another', 1, 17, 'numbers']]
    """
    # Where each run of characters first begins.
    starts = {base[i : i + _SHORTEST]: i for i in reversed(range(len(base) - _SHORTEST + 1))}
    return [_told(base, text, starts) for text in texts]


def _told(base: str, text: str, starts: Mapping[str, int]) -> list[str | int]:
    pieces: list[str | int] = []
    written = at = after = 0
    while at < len(text):
        # What goes on behind the last match is likelier to match for long than the first place that fits.
        goes_on = base[after : after + _SHORTEST] == text[at : at + _SHORTEST]
        start = after if goes_on and len(text) - at >= _SHORTEST else starts.get(text[at : at + _SHORTEST])
        if start is None:
            at, after = at + 1, after + 1
            continue
        length = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(base[start:], text[at:], strict=False)))
        pieces += [text[written:at], start, length]
        at += length
        written, after = at, start + length
    return [*pieces, text[written:]] if written < len(text) else pieces
