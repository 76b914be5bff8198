"""Imports run downward only, and what is heavy is loaded late."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = [
    ("errors", "settings", "plain", "metrics", "blas", "initial", "budget"),
    ("compile",),
    ("kernels",),
    ("cells",),
    ("batch", "packing", "task", "environment", "vectorised", "registry"),
    ("worlds", "programs", "simulation", "torch_weights", "arguments", "architecture", "network", "stepping"),
    ("cell_check", "environment_check", "metered", "problem", "assessment", "control"),
    ("result", "training"),
    ("strategies",),
    ("testing",),
    ("lab",),
    ("bench",),
    ("cli", "__main__"),
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# Kernels of the package are cached where emitted ones are, and the meaning of an activation is the
# operation's; a registry hands out what is above it by name, when it is asked.
ALLOWED = {("kernels", "compile"), ("compile", "kernels")}


def imports(path):
    """Yield (module, lazily) for every import of a file that runs, lazily when inside a function."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in inside
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, id(node) in inside


def files(package):
    return [path for path in sorted((ROOT / package).rglob("*.py")) if "__pycache__" not in path.parts]


def test_imports_run_downward():
    upward = []
    for path in files("evorrn"):
        home = path.relative_to(ROOT / "evorrn").parts[0].removesuffix(".py")
        if home == "__init__":
            continue
        for module, lazily in imports(path):
            parts = module.split(".")
            if parts[0] != "evorrn" or len(parts) < 2 or lazily:
                continue
            if RANK[parts[1]] > RANK[home] and (home, parts[1]) not in ALLOWED:
                upward.append(f"{path.name} imports {module}")
    assert not upward


def test_strategies_know_no_task_and_tasks_no_engine():
    for path in files("evorrn/strategies"):
        assert not [m for m, _ in imports(path) if m.startswith("evorrn_tasks")], path
    seen = {
        "evorrn.task",
        "evorrn.data.batch",
        "evorrn.data.metrics",
        "evorrn.base.settings",
        "evorrn.base.errors",
        "evorrn.data.environment",
        "evorrn.data.vectorised",
    }
    for path in files("tasks/evorrn_tasks"):
        assert {m for m, _ in imports(path) if m.split(".")[0] == "evorrn"} <= seen, path
    for path in files("evorrn/compile"):
        assert not [m for m, _ in imports(path) if m.startswith(("evorrn.cells", "evorrn.network"))], path


@pytest.mark.parametrize("library,home", [("deap", "strategies/evolution"), ("matplotlib", "lab/plots.py")])
def test_a_library_is_at_home_in_one_place(library, home):
    for path in files("evorrn"):
        if any(module.split(".")[0] == library for module, _ in imports(path)):
            inside = str(path.relative_to(ROOT / "evorrn")).startswith(home)
            assert inside or "bench" in path.parts, path


@pytest.mark.parametrize("line", ["import evorrn", "from evorrn.cli.app import app"])
def test_what_is_heavy_is_loaded_late(line):
    program = f"{line}\nimport sys\nprint([m for m in ('numba', 'deap', 'matplotlib', 'scipy', 'numpy') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_project_depends_on_nothing_outside():
    for path in [*files("evorrn"), *files("tasks/evorrn_tasks")]:
        assert "shared/" not in path.read_text(), path
