"""The .xlsx file: rows of plain cells, read within bounds; and what formulas come to, put beside them for viewers.

Nothing in a file is run, and no link is followed.
"""

from __future__ import annotations

import functools
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar
from xml.sax.saxutils import escape

from demandsim.errors import UnknownNameError, WorkbookError, did_you_mean

__all__ = ["Cell", "Opened", "Row", "opened", "with_computed_values"]

_LARGEST_FILE = 16 * 2**20
_LARGEST_WHOLE = 64 * 2**20
_MOST_PARTS = 500
#: In one part of the file: what is parsed takes a hundred times its size in memory.
_MOST_TAGS = 1_000_000
_MOST_ROWS, _MOST_COLUMNS = 20_000, 200
_ENCODING = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([^"']*)""")
#: Folders of parts that are never parsed, such as pictures and data models: they may hold anything ...
_UNREAD = ("xl/media/", "customXml/", "xl/model/")
#: ... unless the file says that a sheet, a style or a text stands there.
_LINK = re.compile(rb"<(?:Relationship|Override)\b[^>]*?(?:media|customXml|model)/[^>]*>")
_HARMLESS = re.compile(
    rb"/(?:image|hdphoto|customXml|customXmlProps|powerPivotData)[\"']|\+data[\"']|image/|customXmlProp"
)
_FORMULA = re.compile(r'<c r="([A-Z]+[0-9]+)"([^>]*)><f>([^<]*)</f><v\s*(?:/>|></v>)</c>')
#: Programs believe values that they think Excel has computed; ours are to be computed again.
_PROGRAM = re.compile(b"<Application>[^<]*</Application>")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Cell:
    """A cell as it is read.

    Parameters
    ----------
    value : object
        None, a number, a text, true or false, or what else a workbook can hold.
    kind : str
        ``"formula"``, ``"error"``, ``"date"``, or ``""`` for plain values.
    column, row : int
    """

    value: Any
    kind: str
    column: int
    row: int

    @property
    def name(self) -> str:
        """Name of the cell: ``D7``."""
        letters, rest = "", self.column
        while rest:
            rest, letter = divmod(rest - 1, 26)
            letters = chr(65 + letter) + letters
        return f"{letters}{self.row}"


Row = list[Cell]


@dataclass
class Opened:
    """A workbook whose sheets can be read.

    Parameters
    ----------
    path : str
        As it is named in errors.
    data : bytes
    """

    path: str
    data: bytes
    _books: dict[bool, Any] = field(default_factory=dict)
    _computed: dict[str, dict[str, Cell]] = field(default_factory=dict)

    @property
    def sheets(self) -> tuple[str, ...]:
        """Names of the sheets that have cells."""
        return tuple(self._guarded(lambda: [sheet.title for sheet in self._book(False).worksheets]))

    def rows(self, sheet: str) -> list[Row]:
        """Rows of a sheet that are not empty; formulas are told apart from values."""
        return self._guarded(lambda: list(self._read(sheet, computed=False)))

    def computed(self, sheet: str, cell: str) -> Cell | None:
        """What a formula came to when the workbook was last saved; None if nobody has computed it."""
        if sheet not in self._computed:
            rows = self._guarded(lambda: list(self._read(sheet, computed=True)))
            self._computed[sheet] = {one.name: one for row in rows for one in row}
        return self._computed[sheet].get(cell)

    def style(self, sheet: str, cell: str) -> int:
        """Number of the format of a cell in this file; 0, the plain one, where the cell is not found."""
        paths = {one.title: one._worksheet_path for one in self._guarded(lambda: self._book(False).worksheets)}
        if sheet not in paths:
            return 0
        with zipfile.ZipFile(BytesIO(self.data)) as parts:
            found = re.search(rb'<(?:\w+:)?c\b[^>]*?\br="%s"[^>]*>' % cell.encode(), parts.read(paths[sheet]))
        number = re.search(rb'\bs="(\d+)"', found[0]) if found else None
        return int(number[1]) if number else 0

    def _book(self, computed: bool) -> Any:
        if computed not in self._books:
            import openpyxl

            self._books[computed] = openpyxl.load_workbook(
                BytesIO(self.data), read_only=True, data_only=computed, keep_links=False, keep_vba=False
            )
        return self._books[computed]

    def _read(self, sheet: str, *, computed: bool) -> Iterator[Row]:
        found = self._book(computed)[sheet]
        # What a file says of its size is not believed.
        found.reset_dimensions()
        rows = found.iter_rows(min_row=1, min_col=1, max_col=_MOST_COLUMNS)
        kinds = {"f": "formula", "e": "error", "d": "date"}
        for number, cells in enumerate(rows, start=1):
            row = [
                Cell(cell.value, kinds.get(cell.data_type, ""), column, number)
                for column, cell in enumerate(cells, start=1)
                if cell.value is not None
            ]
            if number > _MOST_ROWS:
                raise WorkbookError(
                    f"{self.path}, sheet '{sheet}': there are rows below row {_MOST_ROWS:,}; delete what stands there"
                )
            if row:
                yield row

    def _guarded(self, read: Callable[[], Result]) -> Result:
        """Read, and say of whatever goes wrong that the file is damaged."""
        try:
            with warnings.catch_warnings():
                # openpyxl warns of what it leaves out: pictures, validations, extensions.
                warnings.simplefilter("ignore")
                return read()
        except WorkbookError:
            raise
        except Exception as error:
            # A damaged file makes it raise nearly anything.
            raise WorkbookError(
                f"{self.path}: cannot be read as a workbook ({type(error).__name__}: {str(error)[:80]}); "
                "open it in Excel or LibreOffice and save it again as .xlsx"
            ) from None


def opened(path: str | Path) -> Opened:
    """Open a workbook.

    Raises
    ------
    UnknownNameError
        If there is no such file.
    WorkbookError
        If it is no .xlsx file, is damaged, or is too large.
    """
    file, where = Path(path), str(path)
    if file.name.startswith("~$"):
        raise WorkbookError(f"{where}: is what Excel keeps beside an open workbook; read '{file.name[2:]}' instead")
    if not file.is_file():
        near = did_you_mean(file.name, (p.name for p in file.parent.glob("*.xlsx"))) if file.parent.is_dir() else ""
        raise UnknownNameError(f"there is no workbook '{where}'{near if near.startswith('; did') else ''}")
    try:
        size = file.stat().st_size
        if size > _LARGEST_FILE:
            raise WorkbookError(f"{where}: has {size / 2**20:.0f} MiB; at most {_LARGEST_FILE // 2**20} are read")
        data = file.read_bytes()
    except OSError as error:
        raise WorkbookError(f"{where}: cannot be read: {error.strerror}") from None
    if data[:4] == b"\xd0\xcf\x11\xe0":
        raise WorkbookError(f"{where}: is an old .xls file, or has a password; save it as .xlsx without a password")
    try:
        with zipfile.ZipFile(BytesIO(data)) as parts:
            _check_parts(where, parts)
    except WorkbookError:
        raise
    except Exception as error:
        raise WorkbookError(
            f"{where}: is no .xlsx workbook{_looks_like(data, error)}; save it as .xlsx in Excel, or write one with "
            "demandsim export"
        ) from None
    return Opened(where, data)


def _looks_like(data: bytes, error: Exception) -> str:
    """What a file is that is called a workbook and is none."""
    if not data:
        return ": it is empty"
    if not data.startswith(b"PK"):
        text = data[:512].isascii() or not any(byte < 9 for byte in data[:512])
        return ": it holds text, such as CSV" if text else ": it is of another kind"
    return f": it is damaged ({str(error)[:80] or type(error).__name__})"


def _check_parts(where: str, parts: zipfile.ZipFile) -> None:
    """Unpack every part once, within bounds, before anything is parsed."""
    listed = parts.infolist()
    if len(listed) > _MOST_PARTS:
        raise WorkbookError(f"{where}: has {len(listed):,} parts; at most {_MOST_PARTS} are read")
    if len({part.filename for part in listed}) < len(listed):
        raise WorkbookError(f"{where}: has two parts of one name; save it again as .xlsx")
    if "[Content_Types].xml" not in parts.namelist() or "xl/workbook.xml" not in parts.namelist():
        raise WorkbookError(f"{where}: is a zip file, but no .xlsx workbook; write one with demandsim export")
    left = _LARGEST_WHOLE
    for part in listed:
        with parts.open(part) as stream:
            content = stream.read(left + 1)
        left -= len(content)
        if left < 0:
            raise WorkbookError(f"{where}: unpacks to more than {_LARGEST_WHOLE // 2**20} MiB")
        if part.filename.startswith(_UNREAD) and not part.filename.endswith(".rels"):
            continue
        if any(not _HARMLESS.search(link) for link in _LINK.findall(content)):
            raise WorkbookError(f"{where}: part '{part.filename}' leads to where no workbook keeps its cells")
        declared = _ENCODING.search(content[:400])
        plain = declared is None or declared[1].lower() in (b"utf-8", b"us-ascii")
        marked = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content or not plain or marked:
            raise WorkbookError(f"{where}: part '{part.filename}' holds what no workbook needs; it is not read")
        if content.count(b"<") > _MOST_TAGS:
            raise WorkbookError(f"{where}: part '{part.filename}' has more than {_MOST_TAGS:,} tags")


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
