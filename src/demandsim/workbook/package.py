"""Package: a copy of a workbook with one sheet more; every other part of the file stays as it is, byte for byte.

A sheet is made by openpyxl in a workbook of its own, and its parts are then put into the package. Saving the whole with
openpyxl would drop what it does not know: saved values, dynamic arrays, threaded comments, styles of charts.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from demandsim._system import written_whole
from demandsim.errors import OutputError, WorkbookError

__all__ = ["put_rows", "save_copy", "with_sheet"]

_TYPES = "[Content_Types].xml"
_BOOK, _LINKS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "application/vnd.openxmlformats-officedocument"
_SHARED = re.compile(rb'<c r="([A-Z]+\d+)"((?: s="\d+")?) t="s"><v>(\d+)</v></c>')


def with_sheet(data: bytes, title: str, write: Callable[[Any], None], styles: Mapping[str, int] | None = None) -> bytes:
    """Add a sheet to a workbook, at its end.

    Parameters
    ----------
    data : bytes
        The workbook.
    title : str
    write : callable
        Fills a sheet of openpyxl: with texts, numbers, widths and charts; styles of cells are left out.
    styles : mapping of cell to int, optional
        Formats of the workbook, by their numbers in it, that cells of the sheet take: it gets no new ones.

    Returns
    -------
    bytes

    Raises
    ------
    WorkbookError
        If the parts of the workbook cannot be found.
    """
    with zipfile.ZipFile(BytesIO(data)) as package:
        present = set(package.namelist())
        number = 1
        while any(name.startswith(f"xl/worksheets/demandsim{number}.") for name in present):
            number += 1
        parts = _parts(title, write, number, styles or {})
        changed = {
            _BOOK: _in_book(package.read(_BOOK).decode("utf-8"), title, number),
            _LINKS: _in_links(package.read(_LINKS).decode("utf-8"), number),
            _TYPES: _in_types(package.read(_TYPES).decode("utf-8"), parts),
        }
        held = BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as copy:
            for part in package.infolist():
                told = changed.get(part.filename)
                copy.writestr(part, package.read(part) if told is None else told.encode("utf-8"))
            for name, content in parts.items():
                copy.writestr(name, content)
    return held.getvalue()


def save_copy(source: Path, target: Path, data: bytes) -> None:
    """Write a copy of a workbook, whole or not at all; a link at its place is replaced, not followed.

    Raises
    ------
    WorkbookError
        If the copy would take the place of the workbook itself.
    OutputError
        If it cannot be written.
    """
    try:
        if target.exists() and target.samefile(source):
            raise WorkbookError(f"{target}: is the workbook itself; name another file for the copy")
        with written_whole(target) as unfinished:
            unfinished.write_bytes(data)
    except OSError as error:
        raise OutputError(f"cannot write '{target}': {error.strerror or error}") from None


def put_rows(sheet: Any, rows: Sequence[Sequence[Any]]) -> None:
    """Write texts and numbers under what stands in a sheet; a text that begins like a formula stays a text."""
    for row in rows:
        sheet.append([None] * len(row))
        for column, value in enumerate(row, start=1):
            if value is None:
                continue
            kept = value if type(value) in (str, int, float) else str(value)
            cell = sheet.cell(sheet._current_row, column, kept)
            if isinstance(kept, str):
                cell.data_type = "s"


def _parts(title: str, write: Callable[[Any], None], number: int, styles: Mapping[str, int]) -> dict[str, bytes]:
    """Parts of a new sheet, under names of their own."""
    import openpyxl

    made = openpyxl.Workbook()
    made.active.title = title
    write(made.active)
    held = BytesIO()
    try:
        made.save(held)
    except OSError as error:
        # Sheets are written to the folder of temporary files on their way.
        raise OutputError(f"cannot write to '{tempfile.gettempdir()}': {error.strerror or error}; make room") from None
    with zipfile.ZipFile(held) as package:
        texts = _shared_texts(package)
        found = {}
        for name in package.namelist():
            if name.startswith(("xl/worksheets/", "xl/drawings/", "xl/charts/")):
                content = package.read(name)
                if name == "xl/worksheets/sheet1.xml":
                    content = _alone(content, texts, styles)
                found[_renamed(name, number)] = _renamed_links(content, number) if name.endswith(".rels") else content
    return found


def _shared_texts(package: zipfile.ZipFile) -> list[bytes]:
    if "xl/sharedStrings.xml" not in package.namelist():
        return []
    return re.findall(rb"<si>(.*?)</si>", package.read("xl/sharedStrings.xml"), re.DOTALL)


def _alone(sheet: bytes, texts: list[bytes], styles: Mapping[str, int]) -> bytes:
    """A sheet that needs no texts of its workbook and no styles but those named, and is not the one that opens."""
    inline = _SHARED.sub(lambda c: b'<c r="%s" t="inlineStr"><is>%s</is></c>' % (c[1], texts[int(c[3])]), sheet)
    plain = re.sub(rb'(<c r="[A-Z]+\d+") s="\d+"', rb"\1", inline).replace(b' tabSelected="1"', b"")
    return re.sub(
        rb'<c r="([A-Z]+\d+)"',
        lambda cell: cell[0] + (b' s="%d"' % styles[name] if (name := cell[1].decode()) in styles else b""),
        plain,
    )


def _renamed(name: str, number: int) -> str:
    return re.sub(r"(sheet|drawing|chart)(\d+)\.xml", rf"demandsim{number}.\1\2.xml", name)


def _renamed_links(content: bytes, number: int) -> bytes:
    return _renamed(content.decode("utf-8"), number).encode("utf-8")


def _in_book(text: str, title: str, number: int) -> str:
    end = re.search(r"</(\w+:)?sheets>", text)
    if end is None:
        raise WorkbookError("the list of sheets is not found in the workbook; save it again in Excel or LibreOffice")
    taken = max((int(found) for found in re.findall(r'sheetId="(\d+)"', text)), default=0) + 1
    prefix = end[1] or ""
    sheet = (
        f"<{prefix}sheet xmlns:rd={quoteattr(_RELATIONS)} name={quoteattr(title)} "
        f'sheetId="{taken}" rd:id="rIdDemandsim{number}"/>'
    )
    return text[: end.start()] + sheet + text[end.start() :]


def _in_links(text: str, number: int) -> str:
    end = re.search(r"</(\w+:)?Relationships>", text)
    if end is None:
        raise WorkbookError("the links of the workbook are not found; save it again in Excel or LibreOffice")
    link = (
        f'<{end[1] or ""}Relationship Id="rIdDemandsim{number}" Type="{_RELATIONS}/worksheet" '
        f'Target="/xl/worksheets/demandsim{number}.sheet1.xml"/>'
    )
    return text[: end.start()] + link + text[end.start() :]


_KINDS = {
    "sheet": f"{_MAIN}.spreadsheetml.worksheet+xml",
    "drawing": f"{_MAIN}.drawing+xml",
    "chart": f"{_MAIN}.drawingml.chart+xml",
}


def _in_types(text: str, parts: Mapping[str, bytes]) -> str:
    end = re.search(r"</(\w+:)?Types>", text)
    if end is None:
        raise WorkbookError("the types of the parts are not found; save the workbook again in Excel or LibreOffice")
    lines = []
    for name in parts:
        found = re.search(r"\.(sheet|drawing|chart)\d+\.xml$", name)
        if found:
            lines.append(f'<{end[1] or ""}Override PartName="/{escape(name)}" ContentType="{_KINDS[found[1]]}"/>')
    return text[: end.start()] + "".join(lines) + text[end.start() :]
