"""The building: which room may look into which, what an import costs, and one vocabulary for all."""

import ast
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import demandsim

SOURCE = Path(demandsim.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in SOURCE.rglob("*.py")
    if path.name != "__init__.py" or path.parent != SOURCE
)

#: Rooms in import order: each imports only from rooms above it. A folder is one room.
ORDER = [
    "errors",
    "unit_registry",
    "units",
    "files",
    "series",
    "machine",
    "distributions",
    "assumptions",
    "scenarios",
    "designs",
    "copula",
    "constants",
    "formulas",
    "graph",
    "correlations",
    "dimension_order",
    "unit_check",
    "explanation",
    "simulation",
    "trials",
    "compilation",
    "point_values",
    "versions",
    "receipts",
    "runs",
    "labelling",
    "sketches",
    "estimates",
    "streams",
    "scaling",
    "stopping",
    "chunked",
    "stores",
    "datatree",
    "summary",
    "conditioning",
    "simulating",
    "notes",
    "evidence",
    "fingerprints",
    "model",
    "equations",
    "studies",
    "sensitivity",
    "decisions",
    "tables",
    "published_limits",
    "cross_checks",
    "plots",
    "workbook",
    "report",
    "testing",
    "explorer",
    "cli",
    "__main__",
]
#: A method of the facade that hands on to a room below it, inside the function that needs it.
DOWNWARD = {("model", "studies")}


def room(module):
    return module.partition(".")[0]


def imports(path):
    """Rooms of demandsim that a file imports, and whether at the top or inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    local = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "demandsim":
            parts = node.module.split(".")[1:]
            names = [parts[0]] if parts else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [a.name.split(".")[1] for a in node.names if a.name.startswith("demandsim.")]
        for name in names:
            if id(node) not in typing_only:
                yield name, "inside" if id(node) in local else "top"


def test_every_room_has_its_place():
    assert {room(module) for module in MODULES} <= set(ORDER)
    assert len(ORDER) == len(set(ORDER))


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_only_from_rooms_above_it(module):
    path = SOURCE / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    own = room(module)
    for name, where in imports(path):
        assert name in ORDER, f"{module} imports {name}, which is no room"
        above = ORDER.index(name) < ORDER.index(own)
        assert name == own or above or ((own, name) in DOWNWARD and where == "inside"), f"{module} imports {name}"


def test_nothing_is_called_helper_or_utils():
    for module in MODULES:
        assert not set(module.split(".")) & {"helper", "helpers", "util", "utils", "misc", "common"}


HEAVY = ["scipy.stats", "pint", "arviz", "arviz_stats", "dask", "matplotlib", "xarray", "pydantic", "pandas", "typer"]


def loaded_after(code):
    script = f"{code}\nimport sys, json\nprint(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def test_importing_the_library_loads_nothing_heavy():
    assert loaded_after("import demandsim") == []
    assert loaded_after("import demandsim; dir(demandsim)") == []


def test_equations_and_errors_need_no_arrays():
    assert loaded_after("import demandsim; demandsim.equation; demandsim.DemandsimError") == []


def test_a_study_loads_without_plots_and_arviz():
    loaded = loaded_after("import demandsim; demandsim.load_study('guosen-2025-01').point()")
    # xarray looks for dask by itself, where it is installed.
    assert not {"matplotlib", "arviz", "arviz_stats", "typer"} & set(loaded)


# One vocabulary

#: What a parameter must not be called, and what it is called here.
SYNONYMS = {
    "n": "draws",
    "n_draws": "draws",
    "num_draws": "draws",
    "n_samples": "draws",
    "num_samples": "draws",
    "samples": "draws",
    "size": "draws",
    "nsim": "draws",
    "n_chains": "chains",
    "num_chains": "chains",
    "replications": "chains",
    "random_state": "seed",
    "random_seed": "seed",
    "rng": "seed",
    "rng_seed": "seed",
    "alpha": "prob",
    "ci": "prob",
    "ci_prob": "prob",
    "hdi_prob": "prob",
    "confidence": "prob",
    "level": "prob",
    "credible": "prob",
    "ci_kind": "kind",
    "interval": "kind",
    "method": "design",
    "sampler": "design",
    "target": "of",
    "output": "of",
    "outputs": "of",
    "variable": "of",
    "var_name": "of",
    "var_names": "of",
    "axis": "dim",
    "dimension": "dim",
    "n_jobs": "threads",
    "workers": "threads",
    "num_threads": "threads",
}


def public():
    """Every callable that a user may call by name, with its dotted name."""
    for name in demandsim.__all__:
        found = getattr(demandsim, name)
        if inspect.ismodule(found):
            for inner in found.__all__:
                yield f"{name}.{inner}", getattr(found, inner)
        else:
            yield name, found
        if inspect.isclass(found):
            for inner, method in vars(found).items():
                if not inner.startswith("_") and inspect.isfunction(method):
                    yield f"{name}.{inner}", method


PUBLIC = dict(public())


@pytest.mark.parametrize(
    "name", [name for name, found in PUBLIC.items() if callable(found) and name != "DemandsimError"]
)
def test_parameters_are_called_by_the_one_vocabulary(name):
    for parameter in inspect.signature(PUBLIC[name]).parameters:
        # How to infer is no design: both are settings of inference.
        if (name, parameter) == ("Model.infer", "method"):
            continue
        assert parameter not in SYNONYMS, f"{name}({parameter}): here it is called '{SYNONYMS[parameter]}'"


def test_settings_that_several_functions_have_mean_the_same_by_default():
    defaults = {}
    for name, found in PUBLIC.items():
        if inspect.isfunction(found) and not name.startswith("distributions."):
            for parameter in inspect.signature(found).parameters.values():
                shared = parameter.name in ("chains", "seed", "prob", "kind", "design")
                if shared and parameter.default is not parameter.empty:
                    defaults.setdefault(parameter.name, set()).add(parameter.default)
    assert all(len(values) == 1 for values in defaults.values()), defaults


@pytest.mark.parametrize("module", MODULES)
def test_every_file_says_in_its_first_line_what_it_is_for(module):
    if module == "__main__":
        text = ast.get_docstring(ast.parse((SOURCE / "__main__.py").read_text(encoding="utf-8")))
    else:
        text = importlib.import_module(f"demandsim.{module}").__doc__
    assert text
    first = text.splitlines()[0]
    assert len(first) > 20
    assert first.endswith((".", ":", ";", ",")) or text.split("\n\n")[0].endswith((".", ":"))


@pytest.mark.parametrize("name", [n for n in PUBLIC if not n.startswith(("plots.", "equations."))])
def test_every_public_name_has_a_docstring_with_an_example(name):
    found = PUBLIC[name]
    if inspect.isclass(found) and issubclass(found, Exception):
        assert found.__doc__
        return
    if not callable(found):
        return
    assert found.__doc__, name
    # An Equation is made by `equation`, which has the example; whoever calls a method reads its summary line.
    if name in ("Equation",):
        return
    if "." in name and name.split(".")[0] in ("Assumption", "Equation", "Model", "DemandsimError"):
        return
    assert ">>>" in found.__doc__, f"{name} has no example"


def test_the_menu_is_complete_and_sorted():
    assert sorted(demandsim.__all__) == sorted(set(demandsim.__all__))
    for name in demandsim.__all__:
        assert getattr(demandsim, name) is not None
    assert set(demandsim.__all__) <= set(dir(demandsim))


def test_every_file_is_part_of_the_package():
    found = {name.removeprefix("demandsim.") for _, name, _ in pkgutil.walk_packages([str(SOURCE)], "demandsim.")}
    assert set(MODULES) - {"__main__"} <= found


def _numbers_of_equations():
    """Every number in the body of a shipped equation: room, function, value."""
    for path in sorted((SOURCE / "equations").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and any("equation(" in ast.unparse(d) for d in node.decorator_list):
                for inner in (n for line in node.body for n in ast.walk(line)):
                    if isinstance(inner, ast.Constant) and type(inner.value) in (int, float):
                        yield path.stem, node.name, inner.value


def test_no_equation_holds_a_unit_factor():
    found = list(_numbers_of_equations())
    assert len(found) > 30
    # 0 and 1 are of mathematics, and a billionth is what rounding may leave.
    assert [each for each in found if each[2] not in (0, 1, 1e-9)] == []


def test_the_version_is_the_same_wherever_it_stands():
    root = SOURCE.parent.parent
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"\nversion: {version}\n" in (root / "CITATION.cff").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", headings[1])
