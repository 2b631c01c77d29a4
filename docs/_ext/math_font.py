"""Math font: what formulas are set in, cut from a package's copy of STIX Two Math, since many machines have none.

Source: the STIX fonts, under the SIL Open Font License, as the package ziamath carries them.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import Any

#: Latin, Greek, punctuation, letterlike, arrows, operators, brackets and technical marks, math alphabets.
_RANGES = (
    (0x20, 0x17F),
    (0x370, 0x3FF),
    (0x2000, 0x206F),
    (0x2100, 0x23FF),
    (0x27C0, 0x27FF),
    (0x2980, 0x2AFF),
    (0x1D400, 0x1D7FF),
)


def write_font(app: Any, fault: Exception | None) -> None:
    """Put the font where the style sheet looks for it."""
    if fault is not None or app.builder.format != "html":
        return
    from fontTools import subset

    options = subset.Options(flavor="woff", layout_features=["ssty"], notdef_outline=True)
    with importlib.resources.as_file(importlib.resources.files("ziamath.fonts") / "STIXTwoMath-Regular.ttf") as path:
        font = subset.load_font(str(path), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[code for first, last in _RANGES for code in range(first, last + 1)])
    cutter.subset(font)
    folder = Path(app.outdir) / "_static" / "fonts"
    folder.mkdir(parents=True, exist_ok=True)
    subset.save_font(font, str(folder / "stix-two-math.woff"), options)


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("build-finished", write_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
