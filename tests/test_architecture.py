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
from functools import cache
from pathlib import Path

import pytest

import demandsim

SOURCE = Path(demandsim.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in SOURCE.rglob("*.py")
    if path.name != "__init__.py" or path.parent != SOURCE
)

#: Folders and files of the top in import order: each imports only from those above it.
ORDER = [
    "errors",
    "_system",
    "locale",
    "units",
    "distributions",
    "graph",
    "statistics",
    "sampling",
    "inference",
    "model",
    "equations",
    "series",
    "studies",
    "sensitivity",
    "forecasting",
    "decisions",
    "plots",
    "testing",
    "workbook",
    "report",
    "explorer",
    "cli",
    "__main__",
]


def room(module):
    return module.partition(".")[0]


def path_of(module):
    path = SOURCE / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(module):
    """Modules of demandsim that a module imports, wherever in the file, types apart."""
    tree = parsed(path_of(module))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "demandsim":
            base = node.module.removeprefix("demandsim").lstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                found.add(inner if inner in MODULES else base)
        elif isinstance(node, ast.Import):
            found |= {a.name.partition(".")[2] for a in node.names if a.name.startswith("demandsim.")}
    return found - {"", module}


def test_only_what_the_design_names_stands_at_the_top():
    assert {room(module) for module in MODULES} <= set(ORDER)
    assert len(ORDER) == len(set(ORDER))
    files = {path.stem for path in SOURCE.glob("*.py")}
    assert files == {"__init__", "__main__", "_system", "errors", "model"}


@pytest.mark.parametrize("module", MODULES)
def test_a_folder_imports_only_from_folders_above_it(module):
    for name in imports(module):
        assert room(name) in ORDER, f"{module} imports {name}, which is no folder"
        assert ORDER.index(room(name)) <= ORDER.index(room(module)), f"{module} imports {name}"


def circles(arrows):
    """Every module that stands in, or between, circles of imports."""
    left = {module: set(others) & set(arrows) for module, others in arrows.items()}
    while left:
        looked_at = set().union(*left.values())
        outside = {module for module, others in left.items() if not others or module not in looked_at}
        if not outside:
            break
        left = {module: others - outside for module, others in left.items() if module not in outside}
    return left


def test_a_circle_would_be_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}).keys() == {"a", "b", "c"}


def test_no_file_imports_in_a_circle():
    assert circles({module: imports(module) for module in MODULES}) == {}


def test_nothing_is_called_helper_or_utils():
    for module in MODULES:
        assert not set(module.split(".")) & {"helper", "helpers", "util", "utils", "misc", "common"}


HEAVY = [
    "numpy",
    "scipy.stats",
    "pint",
    "arviz",
    "arviz_stats",
    "dask",
    "distributed",
    "matplotlib",
    "xarray",
    "pydantic",
    "pandas",
    "typer",
    "demandsim.forecasting",
]


def loaded_after(code):
    script = f"{code}\nimport sys, json\nprint()\nprint(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout.splitlines()[-1])


def loaded_by(*words):
    """What is loaded when a command has run."""
    return set(loaded_after(f"from demandsim.cli import app\napp({list(words)!r}, standalone_mode=False)"))


def test_the_command_line_says_what_it_can_do_without_arrays():
    # typer reads its options with pydantic, where that is installed.
    assert loaded_by("list") <= {"typer", "pydantic"}
    assert loaded_by("run", "--help") <= {"typer", "pydantic"}


def test_a_study_is_shown_without_labelled_arrays_and_pint():
    assert loaded_by("show", "guosen-2025-01") <= {"typer", "pydantic", "numpy"}


def test_importing_the_library_loads_nothing_heavy():
    assert loaded_after("import demandsim") == []
    assert loaded_after("import demandsim; dir(demandsim)") == []


def test_equations_and_errors_need_no_labelled_arrays():
    assert set(loaded_after("import demandsim; demandsim.equation; demandsim.DemandsimError")) <= {"numpy"}


def test_a_study_is_simulated_without_plots_arviz_and_statistics_of_scipy(tmp_path):
    store = f"draws=8, chains=2, seed=1, store={str(tmp_path / 'draws.nc')!r}"
    loaded = loaded_after(f"import demandsim; demandsim.load_study('guosen-2025-01').simulate({store})")
    # xarray looks for dask and pint by itself, where they are installed; to write a file, for all of distributed.
    assert not {"matplotlib", "arviz", "arviz_stats", "distributed", "scipy.stats", "typer"} & set(loaded)


def test_pictures_are_there_without_matplotlib_and_forecasts():
    assert not {"matplotlib", "scipy.stats", "demandsim.forecasting"} & set(loaded_after("import demandsim.plots"))


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
        # Cells that become quantities, before there is a model to ask about.
        if (name, parameter) == ("read_workbook", "outputs"):
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
        for node in ast.walk(parsed(path)):
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


# How large things may be


def functions():
    """Every function of the package: where it stands, and its tree."""
    for module in MODULES:
        for node in ast.walk(parsed(path_of(module))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{module}.{node.name}", node


def complexity(function):
    """McCabe's number, boolean operators and comprehensions counted."""
    found = 1
    for node in ast.walk(function):
        if isinstance(node, ast.If | ast.For | ast.While | ast.IfExp | ast.ExceptHandler | ast.With | ast.match_case):
            found += 1
        elif isinstance(node, ast.comprehension):
            found += 1 + len(node.ifs)
        elif isinstance(node, ast.BoolOp):
            found += len(node.values) - 1
    return found


def parameters(function):
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def test_complexity_is_counted():
    tree = ast.parse("def f(x):\n    if x and x > 1 or x < 0:\n        return [y for y in x if y]\n    return x")
    assert complexity(tree.body[0]) == 6


def test_no_function_is_too_complex():
    assert {name: complexity(node) for name, node in functions() if complexity(node) > 20} == {}


def test_few_functions_have_many_parameters():
    # Of an equation they are the quantities of its formula; the others are what users call.
    many = sorted(
        name
        for name, node in functions()
        if len(parameters(node)) > 6 and not any("equation(" in ast.unparse(each) for each in node.decorator_list)
    )
    assert len(many) <= 32, many


def test_the_house_stays_small_enough_to_walk_through():
    # What every run needs, and all of it; a folder that only outgrows its purpose is split, not added to.
    flow = ORDER[: ORDER.index("model") + 1]
    assert sum(room(module) in flow for module in MODULES) <= 142
    assert len(MODULES) + 1 <= 366
