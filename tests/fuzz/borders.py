"""Borders: every way in which text and files of others come in, a seed corpus for each, and one input tried."""

import functools
import io
import json
import math
import shutil
import traceback
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape

import mutating
import openpyxl
import seeds
import tables

import demandsim as ds
from demandsim import forecasting
from demandsim.distributions import parse_distribution
from demandsim.errors import WorkbookWarning
from demandsim.sampling.store import seals
from demandsim.studies.loading import model_from_toml

ROOT = Path(__file__).parent.parent.parent
STUDY = "guosen-2025-01"
#: Large enough to run everything, small enough to run thousands.
FEW = {"draws": 8, "chains": 1, "seed": 1}


class Corpus:
    """Valid inputs to begin with, made once, in the folder that the worker runs in."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.files, self.last = folder, 0, folder / "none yet"
        self.model = ds.load_study(STUDY)
        shipped = sorted((Path(ds.__file__).parent / "studies").glob("*.toml"))
        page = (ROOT / "docs" / "reference" / "study-files.md").read_text(encoding="utf-8")
        self.studies = [path.read_text(encoding="utf-8") for path in shipped if path.stat().st_size < 20_000]
        # Small ones, over and over: most of a long file is words that change nothing.
        self.studies += [seeds.FORMULAS, seeds.FORMULAS]
        self.studies += [page.split("```toml\n")[1].split("```")[0], seeds.YEARS, seeds.YEARS]
        self.settings = [str(a.distribution) for a in self.model.assumptions.values()] + mutating.WORDS[:17]
        entries = (Path(ds.__file__).parent / "series" / "forecasts.toml").read_text(encoding="utf-8")
        self.ledgers = [f"[[forecast]]{entry}" for entry in entries.split("[[forecast]]")[1:]]
        self.model.simulate(draws=16, chains=2, seed=1, store=folder / "seed.nc", chunks=8)
        self.netcdf = (folder / "seed.nc").read_bytes()
        place = folder / "seed.zarr"
        self.model.simulate(draws=16, chains=2, seed=1, store=place, chunks=8, keep=["cards", "utilization"])
        self.zarr = {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}
        small = model_from_toml(self.studies[-3])
        ds.write_workbook(small, folder / "seed.xlsx")
        with zipfile.ZipFile(folder / "seed.xlsx") as book:
            self.workbook = {name: book.read(name) for name in book.namelist()}
        other = openpyxl.Workbook()
        for row in ([1.5, 10], [2, 20], [3, 30], [None, "=FORMULA+A1"]):
            other.active.append(row)
        other.save(folder / "cells.xlsx")
        with zipfile.ZipFile(folder / "cells.xlsx") as book:
            self.cells = {name: book.read(name) for name in book.namelist()}
        tables = sorted((Path(ds.__file__).parent / "series").glob("*.csv"))
        self.series = [path.read_text(encoding="utf-8") for path in tables if path.stat().st_size < 8_000]

    def page(self) -> tuple:
        """A page of the explorer as a new visitor gets it, and the document in which its controls are."""
        from bokeh.document import Document

        from demandsim.explorer.page import Page

        made, document = Page(self.explorer, STUDY), Document()
        for control in _controls(made):
            document.add_root(control)
        return made, document

    @functools.cached_property
    def explorer(self) -> object:
        from demandsim.explorer.session import Explorer

        return Explorer(self.model, draws=8, chains=2)


def _exercised(model: ds.Model) -> None:
    """What people do with a model that has come in."""
    model.simulate(**FEW, on_invalid="keep")
    model.point()
    if model.quantities:
        str(model.explain(model.quantities[-1]))
    model.to_toml()


def _study(made: Random, corpus: Corpus) -> tuple[str, Callable[[], None]]:
    text = mutating.text(made, made.choice(corpus.studies))
    # As `--set` and study files are read, surrogates and all.
    path = corpus.folder / "input.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return text, lambda: _exercised(ds.load_study(path))


def _set(made: Random, corpus: Corpus) -> tuple[str, Callable[[], None]]:
    given = made.choice(corpus.settings)
    # Most are changed by little, since what is refused at once says nothing of what lies behind.
    text = mutating.setting(made, given) if made.random() < 0.6 else mutating.text(made, given)
    # A share takes few of them, a price whatever is positive.
    name = made.choice(["utilization", "card_price", "card_price"])

    def enter() -> None:
        distribution = parse_distribution(text, {"year": [2025, 2026]})
        distribution.median(), distribution.mean(), distribution.sd(), str(distribution)
        corpus.model.assume(**{name: distribution}).simulate(**FEW, on_invalid="keep", keep=["cards"])

    return text, enter


def _fresh(corpus: Corpus, suffix: str) -> Path:
    """A name of its own, since libraries may hold on to what they have opened; the one before is gone."""
    if corpus.last.is_dir():
        shutil.rmtree(corpus.last)
    else:
        corpus.last.unlink(missing_ok=True)
    corpus.files += 1
    corpus.last = corpus.folder / f"input-{corpus.files}{suffix}"
    return corpus.last


def _netcdf(made: Random, corpus: Corpus) -> tuple[str, Callable[[], None]]:
    path = _fresh(corpus, ".nc")
    if made.random() < 0.4:
        path.write_bytes(mutating.raw(made, corpus.netcdf))
    else:
        path.write_bytes(corpus.netcdf)
        for _ in range(made.choice([1, 1, 2, 3])):
            _edit(made, path)
        # Most are sealed again: what is read behind the seal stays under test.
        if made.random() < 0.9:
            seals.seal_file(path)

    def enter() -> None:
        ds.summarize(ds.open_draws(path).load())

    return path.read_bytes().hex(), enter


def _edit(made: Random, path: Path) -> None:
    """Change a well-formed file: attributes, names, types and shapes of its parts."""
    import h5py
    import numpy as np

    with h5py.File(path, "r+") as file:
        owner = made.choice([file, file, file, *(file[name] for name in file)])
        names = list(owner.attrs)
        how = made.choice(["attribute", "attribute", "attribute", "record", "record", "remove", "rename", "retype"])
        if how == "record":
            name = made.choice(["demandsim_run", "demandsim_run", "labels"])
            _set_attribute(file, name, mutating.tree(made, str(file.attrs[name])) if name in file.attrs else "{}")
        elif how == "attribute" and names:
            name = made.choice(names)
            old = owner.attrs[name]
            if made.random() < 0.25:
                _set_attribute(owner, name, np.void(b"cos\nsystem\n(S'touch PWNED'\ntR."))
            elif isinstance(old, str | bytes):
                old = old if isinstance(old, str) else old.decode("utf-8", "replace")
                _set_attribute(owner, name, mutating.text(made, old))
            else:
                _set_attribute(owner, name, made.choice([-1, 2**40, float("nan"), "text", [1, 2, 3]]))
        elif how == "remove":
            del file[made.choice(list(file))]
        elif how == "rename":
            file.move(made.choice(list(file)), f"renamed-{made.random()}")
        else:
            name = made.choice(list(file))
            del file[name]
            strange = [np.array(["a", "b"], dtype="S1"), np.zeros((2, 2)), np.int64(3), np.full(4, np.nan)]
            strange += [np.zeros((2, 2, 16), dtype=kind) for kind in ("f2", "i8", "c16", "S3")]
            file[name] = made.choice(strange)


def _set_attribute(owner: object, name: str, value: object) -> None:
    try:
        owner.attrs[name] = value
    except (TypeError, ValueError, OSError, RuntimeError):
        # What HDF5 would not write is left out.
        if name in owner.attrs:
            del owner.attrs[name]


def _zarr(made: Random, corpus: Corpus) -> tuple[str, Callable[[], None]]:
    path = _fresh(corpus, ".zarr")
    parts = dict(corpus.zarr)
    # Every change of a store is noticed by its digests: some are left as they are, to get through.
    for _ in range(made.choice([0, 0, 1, 1, 2, 3])):
        described = [name for name in parts if name.name == "zarr.json"] or list(parts)
        how, name = (
            made.choice(["tree", "tree", "tree", "text", "raw", "raw", "remove", "swap"]),
            made.choice(described),
        )
        if how == "tree":
            parts[name] = mutating.tree(made, parts[name].decode("utf-8", "replace")).encode("utf-8", "replace")
        elif how == "text":
            parts[name] = mutating.text(made, parts[name].decode("utf-8", "replace")).encode("utf-8", "replace")
        elif how == "raw":
            name = made.choice(list(parts))
            parts[name] = mutating.raw(made, parts[name])
        elif how == "remove":
            del parts[made.choice(list(parts))]
        else:
            one, other = made.choice(list(parts)), made.choice(list(parts))
            parts[one], parts[other] = parts[other], parts[one]
    for name, content in parts.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    if made.random() < 0.8 and (path / "demandsim_blocks").exists():
        seals.seal_folder(path)

    def enter() -> None:
        ds.summarize(ds.open_draws(path).load())

    return json.dumps({str(name): content.hex() for name, content in parts.items()}), enter


def _workbook(made: Random, corpus: Corpus) -> tuple[str, Callable[[], None]]:
    parts = dict(corpus.workbook)
    name = made.choice([n for n in parts if n.startswith("xl/worksheets")] * 3 + list(parts))
    if made.random() < 0.8:
        parts[name] = mutating.text(made, parts[name].decode("utf-8", "replace")).encode("utf-8", "replace")
    else:
        parts[name] = mutating.raw(made, parts[name])
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as book:
        for part, content in parts.items():
            book.writestr(part, content)
    data = mutating.raw(made, held.getvalue()) if made.random() < 0.15 else held.getvalue()
    path = corpus.folder / "input.xlsx"
    path.write_bytes(data)
    return data.hex(), lambda: _exercised(ds.read_workbook(path))


#: What formulas of others look like; cells A1 to A3 are numbers, of which A1 is uncertain.
_CELL_FORMULAS = [
    "IF(A1>1.5,A1*2,-A2^2)+SUM(A1:A3)",
    "IFERROR(VLOOKUP(A1,A1:B3,2,TRUE),INDEX(A1:B3,2,1))",
    'ROUND(NPV(0.1,A1:A3)/A2,2)&TEXT(A3,"0.0%")',
    'SUMPRODUCT((A1:A3>1)*A1:A3)+COUNTIF(A1:A3,">1")',
    'SUM(OFFSET(A1,1,0,2,1))+INDIRECT("A"&2)',
    "XLOOKUP(2,A1:A3,A1:A3,{1,2;3,4})+MAX(A1,3%)",
    "EDATE(DATE(2024,1,31),A2)-YEARFRAC(45000,46000,1)",
    "RiskNormal(100,10)*IRR({-1,2})+PMT(A1/12,60,1000)",
]


def _cells(made: Random, corpus: Corpus) -> tuple[str, Callable[[], None]]:
    """A workbook by others: its formula is anything, and its cells are read, compiled and run."""
    change = mutating.setting if made.random() < 0.4 else mutating.text
    formula = change(made, made.choice(_CELL_FORMULAS))
    path = corpus.folder / "cells.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for part, content in corpus.cells.items():
            said = escape("".join(letter for letter in formula if letter.isprintable()))
            book.writestr(part, content.replace(b"FORMULA", said.encode("utf-8", "replace")))

    def enter() -> None:
        outputs, assume = ["Sheet!B4"], {"Sheet!A1": "uniform(1, 2)"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", WorkbookWarning)
            _exercised(ds.read_workbook(path, outputs=outputs, assume=assume))

    return formula, enter


_CALLS = [
    ["run", STUDY, "--draws", "8", "--chains", "1", "--seed", "1", "--set", "utilization=0.3", "--format", "json"],
    ["run", STUDY, "--draws", "8", "--chains", "1", "--keep", "cards", "--scenario", "100T", "--format", "csv"],
    ["show", STUDY],
    ["explain", STUDY, "cards", "--set", "utilization=beta(0.1, 0.3)", "--scenario", "scenario=100T"],
    ["export", STUDY, "input.xlsx", "--set", "utilization@100T=0.3"],
    ["list", "studies"],
]
#: They ask for work, which then takes its time: only values that cannot be are put there.
_AMOUNTS = {
    "--draws": ["0", "-8", "3", "1.5", "nan", "", "9" * 30, "eight"],
    "--chains": ["0", "-1", "", "9" * 30, "x"],
}


def _cli(made: Random, corpus: Corpus) -> tuple[str, Callable[[], None]]:
    words = list(made.choice(_CALLS))
    # Results go where the worker runs; a picture takes a second, and is drawn from what is tested elsewhere.
    place = made.randrange(1, len(words)) if len(words) > 1 else 0
    before = words[place - 1]
    if before in _AMOUNTS:
        words[place] = made.choice(_AMOUNTS[before])
    elif words[place] not in _AMOUNTS:
        words[place] = made.choice([mutating.text(made, words[place]), mutating.nasty(made)])
    if made.random() < 0.2:
        words.insert(made.randrange(len(words) + 1), mutating.nasty(made))

    return json.dumps(words), lambda: _called(words)


def _called(words: list[str]) -> str:
    """What a command prints; it ends with one of its three codes."""
    import typer.testing

    from demandsim.cli import app

    result = typer.testing.CliRunner().invoke(app, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code not in (0, 1, 2):
        raise AssertionError(f"exit code {result.exit_code}")
    return result.output


def _csv(made: Random, corpus: Corpus) -> tuple[str, Callable[[], None]]:
    text = mutating.text(made, made.choice(corpus.series))
    data = text.encode("utf-8", "surrogatepass")
    path = corpus.folder / "input.csv"
    path.write_bytes(mutating.raw(made, data) if made.random() < 0.15 else data)

    def enter() -> None:
        found = ds.load_series(path)
        # A figure is a number with its source, or none and said to be absent.
        assert all(not {"source", "status"} - {*array.coords, *array.attrs} for array in found.data_vars.values())

    return text, enter


def _ledger(made: Random, corpus: Corpus) -> tuple[str, Callable[[], None]]:
    """A file of forecasts that somebody issued, read and printed."""
    text = "".join(made.sample(corpus.ledgers, made.choice([1, 1, 2, 3])))
    text = mutating.setting(made, text) if made.random() < 0.3 else mutating.text(made, text)
    data = text.encode("utf-8", "surrogatepass")
    path = corpus.folder / "ledger.toml"
    path.write_bytes(mutating.raw(made, data) if made.random() < 0.1 else data)

    def enter() -> None:
        found = forecasting.ledger(path)
        assert (found["quantile"].diff("level") > 0).all()
        assert not (found.score == math.inf).any()
        said = _called(["ledger", str(path)])
        assert not [c for c in said if not c.isprintable() and c != "\n"], said

    return text, enter


def _evidence(made: Random, corpus: Corpus) -> tuple[str, Callable[[], None]]:
    """A study whose evidence is anything: what was known by a day, and what is learnt."""
    told = "".join(made.sample(seeds.EVIDENCE, made.choice([1, 1, 2, 3])))
    text = seeds.CARDS + (mutating.setting(made, told) if made.random() < 0.7 else mutating.text(made, told))
    path = corpus.folder / "evidence.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    def enter() -> None:
        model = ds.load_study(path)
        if all(piece.announced for piece in model.evidence):
            model.as_of("2025-12-31").to_toml()
        model.to_toml()
        if model.evidence:
            model.infer(draws=16, chains=2, seed=1, method="importance", on_failure="warn")

    return text, enter


def _import(made: Random, corpus: Corpus) -> tuple[str, Callable[[], None]]:
    """Draws of others, in whatever holds columns."""
    told, table, settings = tables.table(made)

    def enter() -> None:
        found = ds.import_draws(table, **settings)
        held = list(found.data_vars)
        assert len(held) == len(set(map(str, held)))
        assert {"chain", "draw"} <= set(found.dims)
        ds.summarize(found)
        ds.to_datatree(found)

    return told, enter


def _controls(page: object) -> list:
    """Whatever of a page of the explorer a message can set: sliders, the boxes under them, choices."""
    boxes = [box for row in page.sliders.values() for box in row.boxes]
    return [*(row.control for row in page.sliders.values()), *boxes, *page.switches.values()]


#: What a message may set a handle or a choice to, besides what belongs there.
_POSITIONS = [0, 1, 2, 60, 150, 219, 220, -1, -3, 10**9, -(10**9), 2**70, 1.5, 59.4, -0.6, 1e308, "1", "", None, True]


def _message(made: Random, corpus: Corpus) -> tuple[str, Callable[[], None]]:
    """Messages of a browser to the explorer: patches of its document, as the server applies them."""
    page, document = corpus.page()
    controls = _controls(page)
    events = []
    for _ in range(made.choice([1, 1, 2, 3])):
        control = made.choice(controls)
        strange = made.choice([*_POSITIONS, mutating.nasty(made), float("nan"), float("inf")])
        if isinstance(control.value, tuple):
            ends = [made.choice([strange, *control.value]), made.choice([*_POSITIONS, *control.value])]
            value = made.choice([ends, ends, ends, list(control.value), strange])
        else:
            value = made.choice([strange, str(strange), control.value])
        attribute = made.choice(["value"] * 9 + ["options", "start", "end", "title", "name", mutating.nasty(made)])
        events.append({"kind": "ModelChanged", "model": {"id": control.id}, "attr": attribute, "new": value})
    if made.random() < 0.15:
        events = json.loads(mutating.tree(made, json.dumps(events)))
    patch = {"events": events}

    def enter() -> None:
        try:
            document.apply_json_patch(patch)
        except Exception as error:
            # What Bokeh does not take, the server answers with an error; ours must take what is let through.
            own = str(Path(ds.__file__).parent)
            if any(frame.filename.startswith(own) for frame in traceback.extract_tb(error.__traceback__)):
                raise
            raise ds.DemandsimError(f"Bokeh refuses: {error}") from None
        for key, handles in page.setting.handles.items():
            (slider,) = (one for one in page.explorer.sliders(page.setting.scenario) if one.key == key)
            assert len(handles) == len(slider.own), (key, handles)
            # What is typed need not be a place of the slider, which then gets one more.
            assert set(handles) <= set(slider.with_stops(handles).values), (key, handles)
            assert all(map(math.isfinite, handles)), (key, handles)
        for dim, label in page.setting.scenario.items():
            assert label in page.explorer.model.scenarios.grid[dim]

    return repr(patch), enter


#: Of each hundred inputs, how many go to which border.
BORDERS = {
    "study": (_study, 31),
    "set": (_set, 24),
    "cells": (_cells, 5),
    "csv": (_csv, 6),
    "message": (_message, 3),
    "netcdf": (_netcdf, 8),
    "zarr": (_zarr, 4),
    "cli": (_cli, 5),
    "xlsx": (_workbook, 4),
    "ledger": (_ledger, 4),
    "evidence": (_evidence, 3),
    "import": (_import, 3),
}
_TURNS = [name for name, (_, share) in BORDERS.items() for _ in range(share)]


def input_of(seed: int, number: int, corpus: Corpus, border: str | None) -> tuple[str, str, Callable[[], None]]:
    """Border, text and trial of an input: the same for the same seed and number."""
    made = Random(f"{seed}:{number}")
    name = border or made.choice(_TURNS)
    told, enter = BORDERS[name][0](made, corpus)
    return name, told, enter
