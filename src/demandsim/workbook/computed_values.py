"""Computed values: what formulas come to, put beside them in the file, for viewers that do not compute."""

from __future__ import annotations

import functools
import re
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from xml.sax.saxutils import escape

__all__ = ["with_computed_values"]

_FORMULA = re.compile(r'<c r="([A-Z]+[0-9]+)"([^>]*)><f>([^<]*)</f><v\s*(?:/>|></v>)</c>')
#: Programs believe values that they think Excel has computed; ours are to be computed again.
_PROGRAM = re.compile(b"<Application>[^<]*</Application>")


def with_computed_values(path: Path, values: Mapping[str, Mapping[str, float | str]]) -> None:
    """Write into an .xlsx file what its formulas come to.

    A phone, a preview, or Excel's protected view shows what is stored, and does not compute.

    Parameters
    ----------
    path : Path
        Written by openpyxl, which stores formulas without values.
    values : mapping of sheet to (mapping of cell to value)
    """
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True)
    parts = {sheet._worksheet_path: sheet.title for sheet in book.worksheets}
    book.close()
    packed = BytesIO(path.read_bytes())
    with zipfile.ZipFile(packed) as before, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as after:
        for part in before.infolist():
            data = before.read(part)
            if part.filename in parts:
                found = values.get(parts[part.filename], {})
                data = _FORMULA.sub(functools.partial(_filled, found), data.decode()).encode()
            elif part.filename == "docProps/app.xml":
                data = _PROGRAM.sub(b"<Application>demandsim</Application>", data)
            after.writestr(part.filename, data)


def _filled(values: Mapping[str, float | str], cell: re.Match[str]) -> str:
    name, attributes, formula = cell.groups()
    value = values.get(name)
    if value is None:
        return f'<c r="{name}"{attributes}><f>{formula}</f></c>'
    if isinstance(value, str):
        return f'<c r="{name}"{attributes} t="str"><f>{formula}</f><v>{escape(value)}</v></c>'
    return f'<c r="{name}"{attributes}><f>{formula}</f><v>{float(value)!r}</v></c>'
