"""Differences: a text told as what another text has, and what it has not; so that thirty scenes weigh little.

Pieces are a text, then where the other text goes on and how far, again and again. It stays plain text: what
looks like packed data in a page is what mail filters stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

__all__ = ["differences", "restored", "starts_of"]

#: Shorter matches are written out: two numbers are hardly shorter.
_SHORTEST = 16


def starts_of(base: str) -> dict[str, int]:
    """Where each run of characters of a text first begins."""
    return {base[i : i + _SHORTEST]: i for i in reversed(range(len(base) - _SHORTEST + 1))}


def differences(base: str, text: str, starts: dict[str, int] | None = None) -> list[str | int]:
    """Tell a text by what of it stands in another one.

    Parameters
    ----------
    base, text : str
    starts : dict, optional
        `starts_of` the base, for several texts.

    Examples
    --------
    >>> differences("a distribution in words", "another distribution in numbers")
    ['another', 1, 17, 'numbers']
    """
    known = starts_of(base) if starts is None else starts
    pieces: list[str | int] = []
    written = at = after = 0
    while at < len(text):
        # What goes on behind the last match is likelier to match for long than the first place that fits.
        goes_on = base[after : after + _SHORTEST] == text[at : at + _SHORTEST]
        start = after if goes_on and len(text) - at >= _SHORTEST else known.get(text[at : at + _SHORTEST])
        if start is None:
            at, after = at + 1, after + 1
            continue
        length = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(base[start:], text[at:], strict=False)))
        pieces += [text[written:at], start, length]
        at += length
        written, after = at, start + length
    return [*pieces, text[written:]] if written < len(text) else pieces


def restored(base: str, pieces: Sequence[str | int]) -> str:
    """Make the text again, as the script of the page does.

    Examples
    --------
    >>> restored("a distribution in words", ["another", 1, 17, "numbers"])
    'another distribution in numbers'
    """
    out = []
    for i in range(0, len(pieces), 3):
        literal, *copied = pieces[i : i + 3]
        out.append(str(literal))
        if copied:
            start, length = map(int, copied)
            out.append(base[start : start + length])
    return "".join(out)
