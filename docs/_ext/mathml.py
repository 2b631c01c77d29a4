"""Formulas as MathML, written when the documentation is built: a reader's browser needs no script and no network.

The conversion is that of docutils, which Sphinx is built on. What it does not know is a warning, and so ends the build.
"""

from __future__ import annotations

import html
import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util.logging import getLogger

#: What LaTeX reads and docutils does not, in words that both read.
_SPELLINGS = (
    (re.compile(r"\\dots(?![A-Za-z])"), r"\\ldots "),
    (re.compile(r"\\([Bb])ig(?![A-Za-z])(?=\s*[(\[|])"), r"\\\1igl"),
    (re.compile(r"\\([Bb])ig(?![A-Za-z])(?=\s*[)\]])"), r"\\\1igr"),
    (re.compile(r"\\([td]?frac)\s*(\d)\s*(\d)"), r"\\\1{\2}{\3}"),
)
#: Spaces of LaTeX that browsers leave out, or put where there are none.
_THIN = '<mspace width="0.1667em"></mspace>'
_SPACES = (
    (re.compile(r"<mo>&ApplyFunction;</mo>(?!\s*<mo)"), rf"<mo>&ApplyFunction;</mo>{_THIN}"),
    (re.compile(r"(</m(?:i|n|sub|sup|subsup|frac)>\s*)(<mi>[a-z]+</mi>\s*<mo>&ApplyFunction;</mo>)"), rf"\1{_THIN}\2"),
    (re.compile(r'<mo stretchy="false">\|</mo>'), '<mo stretchy="false" lspace="0" rspace="0">|</mo>'),
)


def converted(formula: str, *, block: bool) -> str:
    """Write a formula as MathML, with its LaTeX for those who cannot see it.

    Raises
    ------
    MathError
        If the formula has a command that is not known.
    """
    text = formula.strip()
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    said = html.escape(" ".join(formula.split()), quote=True)
    made = tex2mathml(text, as_block=block)
    for pattern, spaced in _SPACES:
        made = pattern.sub(spaced, made)
    return made.replace("<math ", f'<math alttext="{said}" ', 1)


def _write(translator: Any, node: nodes.Element, *, block: bool) -> None:
    try:
        made = converted(node.astext(), block=block)
    except (MathError, AttributeError, IndexError, KeyError) as fault:
        getLogger(__name__).warning("this formula is beyond docutils: %s (%s)", node.astext(), fault, location=node)
        made = f"<code>{html.escape(node.astext())}</code>"
    if block:
        translator.body.append(translator.starttag(node, "div", CLASS="math notranslate") + made + "</div>\n")
    else:
        translator.body.append(translator.starttag(node, "span", "", CLASS="math notranslate") + made + "</span>")
    raise nodes.SkipNode


def _inline(translator: Any, node: nodes.Element) -> None:
    _write(translator, node, block=False)


def _block(translator: Any, node: nodes.Element) -> None:
    _write(translator, node, block=True)


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx, which asks for the renderer by its name in ``html_math_renderer``."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
