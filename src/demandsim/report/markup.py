"""Markup: templates of the page, in which every text is escaped unless it is markup already."""

from __future__ import annotations

import functools
import importlib.resources
import re
from typing import TYPE_CHECKING, Any

from demandsim.report import charts
from demandsim.report.headline import comparison, in_short, summary
from demandsim.report.words import Words
from demandsim.units.format import number, percent

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["rendered", "shipped"]

#: Characters that HTML forbids, and lone surrogates, which UTF-8 cannot hold.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def rendered(file: str, macro: str, words: Words, *values: Any) -> Markup:
    """Call a macro of a template, named by its folder in the package and its file.

    Examples
    --------
    >>> from demandsim.report.words import words_of
    >>> rendered("report/tables.html", "small", words_of("en"), "a < b", '"c"')
    Markup('<span>a &lt; b<small>&#34;c&#34;</small></span>')
    """
    from markupsafe import Markup

    module = _templates().get_template(file).make_module({"words": words, "say": words.say})
    return Markup(_FORBIDDEN.sub("\ufffd", getattr(module, macro)(*values)))


def shipped(name: str) -> str:
    """Read a file of the package, named by its folder and file: a template, a style sheet, a script."""
    folder, _, file = name.partition("/")
    return importlib.resources.files(f"demandsim.{folder}").joinpath(file).read_text(encoding="utf-8")


@functools.cache
def _templates() -> Environment:
    import jinja2

    def source(name: str) -> str:
        # Lines stand under each other for people; on the page nothing stands between two elements.
        return "".join(line.strip() for line in shipped(name.replace("/", "/templates/")).splitlines())

    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: "" if value is None else value,
    )
    made.globals |= {"charts": charts, "comparison": comparison, "in_short": in_short, "summarized": summary}
    made.globals |= {"number": number, "percent": percent}
    return made
