"""A folder of the package imports only folders above it, and what is heavy is loaded late."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = (
    "base",
    "data",
    "automata",
    "kernels",
    "losses",
    "compile",
    "cells",
    "engine",
    "exchange",
    "network",
    "automata.extraction",
    "trees",
    "associative",
    "training",
    "strategies",
    "diagnostics",
    "sklearn",
    "testing",
    "lab.runs",
    "lab.sweep",
    "lab.study",
    "lab.report",
    "lab",
    "bench",
    "docs",
    "cli",
    "__main__",
)
"""The folders of the package, each above those that may import it."""


@functools.cache
def nodes(path):
    """Return the imports and the functions of a file."""
    kinds = ast.Import | ast.ImportFrom | ast.FunctionDef
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)]


def imports(path):
    """Yield the module of every import of a file, those in functions and under TYPE_CHECKING included."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}: relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


@functools.cache
def files(package):
    return [path for path in sorted((ROOT / package).rglob("*.py")) if "__pycache__" not in path.parts]


def home(module):
    """Return the folder of the house that a module of the package lies in."""
    parts = module.split(".")[1:]
    inner = ".".join(parts[:2])
    return inner if inner in HOUSE else parts[0]


def test_every_folder_imports_only_folders_above_it():
    upward = []
    for path in files("evorrn"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if module == "evorrn.__init__":
            continue
        for wanted in imports(path):
            if not wanted.startswith("evorrn.") or wanted == "evorrn.__version__":
                continue
            if HOUSE.index(home(wanted)) > HOUSE.index(home(module)):
                upward.append(f"{module} imports {wanted}")
    assert not upward, "\n".join(upward)


def graph():
    """Return the modules that each module of the package imports."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files("evorrn")}
    edges = {}
    for module, path in modules.items():
        found = set()
        for wanted in imports(path):
            for name in (wanted, wanted.rpartition(".")[0]):
                if name in modules and name != module:
                    found.add(name)
        edges[module] = found
    return edges


def test_no_module_imports_itself_through_others():
    edges, done = graph(), set()

    def visit(module, above):
        assert module not in above, " -> ".join([*above[above.index(module) :], module])
        if module not in done:
            for wanted in sorted(edges[module]):
                visit(wanted, [*above, module])
            done.add(module)

    for module in edges:
        visit(module, [])


def test_no_private_name_is_used_across_folders():
    found = []
    for path in files("evorrn"):
        for node in nodes(path):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("evorrn"):
                found += [f"{path}: {node.module}.{a.name}" for a in node.names if a.name.startswith("_")]
    assert not [line for line in found if "__version__" not in line]


def equations(function):
    return any(ast.unparse(each).startswith("cell(") for each in function.decorator_list)


def test_no_function_has_more_than_eight_parameters():
    """The equations of a cell may: they take its states."""
    long = []
    for path in files("evorrn"):
        if "cli" in path.parts:
            continue
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef) and not equations(node):
                given = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                if len([name for name in given if name not in ("self", "cls")]) > 8:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert not long, "\n".join(long)


def test_no_two_files_of_tests_have_the_same_name():
    """Their folders are no packages, so pytest takes them for one module when one worker collects both."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_no_file_is_longer_than_400_lines():
    paths = [path for folder in ("evorrn", "tasks", "tests") for path in files(folder)]
    assert not [path for path in paths if len(path.read_text().splitlines()) > 400]


def test_tasks_know_no_engine_and_strategies_no_task():
    for path in files("evorrn/strategies"):
        assert not [module for module in imports(path) if module.startswith("evorrn_tasks")], path
    allowed = {"base", "data", "automata", "kernels", "associative"}
    for path in files("tasks/evorrn_tasks"):
        seen = {home(module) for module in imports(path) if module.startswith("evorrn.")}
        assert seen <= allowed, path


@pytest.mark.parametrize("library,place", [("deap", "strategies/evolution"), ("matplotlib", "lab/report")])
def test_a_library_is_used_in_one_folder(library, place):
    for path in files("evorrn"):
        if any(module.split(".")[0] == library for module in imports(path)):
            inside = str(path.relative_to(ROOT / "evorrn")).startswith(place)
            assert inside or "bench" in path.parts, path


@pytest.mark.parametrize("line", ["import evorrn", "from evorrn.cli.app import app"])
def test_what_is_heavy_is_loaded_late(line):
    program = f"{line}\nimport sys\nprint([m for m in ('numba', 'deap', 'matplotlib', 'scipy', 'numpy') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=200, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "name",
    ["associative.BAM", "automata.DFA", "diagnostics.power_spectra", "losses.ctc_decode"],
)
def test_packages_that_the_readme_names_are_attributes_without_an_import_of_their_own(name):
    program = f"import evorrn\nprint(callable(evorrn.{name}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=200)
    assert done.stdout.strip() == "True", done.stderr


def test_the_project_depends_on_nothing_outside():
    for path in [*files("evorrn"), *files("tasks/evorrn_tasks")]:
        assert "shared/" not in path.read_text(), path
