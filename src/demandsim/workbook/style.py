"""Looks: colours, fonts, number formats and column widths of a workbook."""

from __future__ import annotations

import functools
import math
import unicodedata
from typing import Any

__all__ = ["WRAPPED", "input_format", "number_format", "shown", "styles", "width"]

#: Looks whose text runs over several lines.
WRAPPED = ("edit", "input", "text", "code", "frozen", "uncertain")


@functools.cache
def styles() -> dict[str, dict[str, Any]]:
    """Return fonts, fills and alignments by what a cell is."""
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

    def fill(colour: str) -> Any:
        return PatternFill("solid", start_color=colour)

    top = Alignment(vertical="top")
    # A number ends where its unit begins: some room between them.
    indented = Alignment(horizontal="left", vertical="top", indent=1)
    wrapped = Alignment(vertical="top", wrap_text=True)
    line = Border(bottom=Side("thin", color="BFBFBF"))
    frame = Side("thin", color="B48A00")
    name = "Calibri"
    return {
        "intro": {"font": Font(name=name, italic=True, color="595959"), "alignment": Alignment(vertical="center")},
        "header": {
            "font": Font(name=name, bold=True, color="FFFFFF"),
            "fill": fill("1F3864"),
            "alignment": Alignment(vertical="center", wrap_text=True),
        },
        "header of numbers": {"alignment": Alignment(horizontal="right", vertical="center", wrap_text=True)},
        "section": {"font": Font(name=name, bold=True), "fill": fill("D9E1F2"), "border": line},
        # As bankers have it: blue is typed, black is computed, green comes from another sheet.
        "input": {"font": Font(name=name, color="0000FF"), "fill": fill("FFF8DC"), "alignment": wrapped},
        # What an analyst changes first, among all that is read back.
        "edit": {
            "font": Font(name=name, color="0000FF"),
            "fill": fill("FFE699"),
            "border": Border(left=frame, right=frame, top=frame, bottom=frame),
            "alignment": wrapped,
        },
        "text": {"font": Font(name=name), "alignment": wrapped},
        "short": {"font": Font(name=name), "alignment": top},
        "unit": {"font": Font(name=name), "alignment": indented},
        "input unit": {"font": Font(name=name, color="0000FF"), "fill": fill("FFF8DC"), "alignment": indented},
        "linked unit": {"font": Font(name=name, color="00703C"), "alignment": indented},
        "name": {"font": Font(name=name, bold=True), "alignment": top},
        "computed": {"font": Font(name=name), "alignment": top},
        "base": {"font": Font(name=name, color="595959"), "alignment": top},
        "link": {"font": Font(name=name, color="00703C"), "alignment": top},
        "code": {"font": Font(name="Consolas", size=10, color="404040"), "alignment": wrapped},
        "frozen": {"font": Font(name=name, bold=True, color="9C0006"), "fill": fill("FFC7CE"), "alignment": wrapped},
        "uncertain": {"font": Font(name=name, color="7F6000"), "fill": fill("FFEB9C"), "alignment": wrapped},
    }


def number_format(value: float) -> str:
    """Choose a format that shows about five significant digits.

    Examples
    --------
    >>> number_format(857772.04), number_format(1.4688), number_format(0.0123), number_format(1e14)
    ('#,##0', '0.0000', '0.000000', '0.0000E+00')
    """
    size = abs(value)
    if not math.isfinite(size) or (float(size).is_integer() and size < 10_000):
        return "General"
    digits = math.floor(math.log10(size))
    if digits >= 13 or digits < -4:
        return "0.0000E+00"
    return "#,##0" if digits >= 4 else ("#,##0." if digits == 3 else "0.") + "0" * (4 - digits)


def input_format(value: float) -> str:
    """Choose a format for a number that people edit, whose size may change.

    Examples
    --------
    >>> input_format(0.45), input_format(1979)
    ('General', '[>=1000000000000]0.0###E+00;[>=1000]#,##0;General')
    """
    whole = float(value).is_integer() and abs(value) >= 1000
    return "[>=1000000000000]0.0###E+00;[>=1000]#,##0;General" if whole else "General"


def shown(value: float) -> str:
    """Write a number about as long as `number_format` shows it."""
    shape = number_format(value)
    if shape == "General":
        return f"{value:.10g}"
    return f"{value:.4e}" if "E" in shape else f"{value:,.{len(shape.partition('.')[2])}f}"


def width(text: str) -> int:
    """Width of a text in characters; Chinese ones are twice as wide.

    Examples
    --------
    >>> width("cards"), width("算力")
    (5, 4)
    """
    lines = text.splitlines() or [""]
    return max(sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) for line in lines)
