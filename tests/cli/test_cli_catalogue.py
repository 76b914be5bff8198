"""``evorrn list``, ``evorrn show``, ``--version``, ``--help``: what there is, without waiting for it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import HERE, WALK, WAVE

import evorrn
from evorrn.cells.find import cells
from evorrn.data.find import find_task, task_kinds
from evorrn.strategies.find import find_strategy, strategies

CELL = '''
from evorrn import cell, tanh

@cell(state={"h": "H"}, parameters={"W": "H I", "U": "H H"})
def plain(p, x, h):
    """A plain cell of the user's own."""
    return tanh(p.W @ x + p.U @ h)
'''


def test_list_names_everything_there_is(console):
    said = console.type("list")
    for name in (*task_kinds(), *strategies(), *cells()):
        assert f"\n  {name} " in said.out
    assert said.code == 0 and said.err == ""
    content = json.loads(console.type("list", "tasks", "--json").out)
    assert [row["name"] for row in content["tasks"]] == list(task_kinds())
    assert all(row["what it is"] for row in content["tasks"])
    assert console.type("list", "things").code == 2


def test_list_of_runs_shows_their_state_and_score(console):
    for words, folder in ((("list", "runs"), "runs"), (("list", "--runs", "rnus"), "rnus")):
        said = console.type(*words)
        assert said.code == 0 and said.err == f"evorrn: there is no folder {folder}\n"
    console.type("run", WAVE, "--strategy", WALK, "--budget", "3gen", "--quiet")
    console.type(
        "run", WAVE, "--strategy", WALK, "--budget", "9gen", "--set", "strategy.breaks_at=2", "--quiet"
    )
    said = console.type("list", "runs")
    states = sorted(line.split()[3] for line in said.out.splitlines()[2:])
    assert states == ["complete", "failed"] and "nrmse_std" in said.out
    assert console.type("list", "--runs", "runs").out == said.out and said.err == ""


def test_a_cell_is_shown_as_its_equations(console):
    said = console.type("show", "gru")
    assert said.code == 0 and "def gru(p, x, h" in said.out and "(1 - z) * n + z * h" in said.out
    assert "W_r" in said.out and "H x I" in said.out


def test_the_page_of_a_cell_of_arrays_has_its_states_arrays_and_how_it_runs(console):
    said = console.type("show", "ntm").out
    assert "N x M" in said and "first value" in said and "sequences side by side" in said
    said = console.type("show", "clockwork").out
    assert "arrays that are not trained" in said and "H x H" in said
    for plain in ("gru", "jordan"):
        said = console.type("show", plain).out
        assert "first value" not in said and "side by side" not in said


def test_a_kernel_is_shown_as_source_that_python_reads(console, tmp_path):
    said = console.type("show", "leaky", "--kernel")
    compile(said.out, "kernel", "exec")
    assert said.code == 0 and "leak" in said.out
    (tmp_path / "my.py").write_text(CELL)
    assert "A plain cell of the user's own." in console.type("show", "my.py:plain").out
    compile(console.type("show", "my.py:plain", "--kernel").out, "kernel", "exec")
    assert console.type("show", "ga", "--kernel").code == 2


def test_a_task_is_shown_with_its_settings_and_references(console):
    said = console.type("show", "narma")
    rows = said.out.split("recommended")[-1]
    assert (
        "\n  esn " in rows and "\n  all others " in rows and "\n  uoro " not in rows
    )  # what most share, once
    assert said.code == 0 and "order" in said.out and "Atiya" in said.out and "nrmse_std" in said.out
    for reference in find_task("narma").references:
        assert reference.source in said.out
    assert "esn" in said.out
    for name in task_kinds():
        assert console.type("show", name).code == 0
    assert "path" in console.type("show", "csv").out
    assert "as the file decides" in console.type("show", "npz").out
    assert re.search(
        r"metrics +exact_match, token_accuracy, cross_entropy", console.type("show", "counting").out
    )


def test_a_strategy_is_shown_with_every_setting(console):
    said = console.type("show", "ga")
    for name, default in find_strategy("ga")().values().items():
        shown = "none" if default is None else str(default)
        assert any(line.split()[:1] == [name] and shown in line for line in said.out.splitlines()), name
    assert "generation" in said.out
    assert "stride" in console.type("show", f"{HERE}:Walk").out


def test_a_run_is_shown_by_its_id(console):
    folder = json.loads(console.type("run", WAVE, "--strategy", WALK, "--budget", "3gen", "--json").out)
    said = console.type("show", folder["id"][:7])
    assert (
        said.code == 0 and folder["id"] in said.out and "complete" in said.out and "strategy.size" in said.out
    )
    assert "stopped by  generations" in said.out
    assert console.type("show", folder["folder"]).out == said.out


@pytest.mark.usefixtures("pictures")
def test_a_runs_pictures_are_drawn_on_demand_and_named(console):
    run = ("run", WAVE, "--strategy", "snes", "--budget", "3gen", "--set", "network.dtype=float64")
    folder = Path(json.loads(console.type(*run, "--json").out)["folder"])
    assert not (folder / "plots" / "genome.png").exists()
    said = console.type("show", folder.name[:7], "--plot")
    names = [Path(line.strip()) for line in said.out.splitlines() if line.endswith(".png")]
    assert said.code == 0 and [path.stem for path in names] == [
        "learning", "evolution", "genome", "predictions", "residuals"
    ]  # fmt: skip
    assert all(path.parent == folder / "plots" and path.stat().st_size > 5000 for path in names)
    assert console.type("show", "ga", "--plot").code == 2


@pytest.mark.parametrize("metrics", [None, {"test": None}, {"test": {"rmse": None}}])
def test_a_run_whose_scores_cannot_be_read_is_listed_without_them(console, metrics):
    folder = Path(
        json.loads(console.type("run", WAVE, "--strategy", WALK, "--budget", "3gen", "--json").out)["folder"]
    )
    content = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**content, "metrics": metrics}))
    said = console.type("list", "runs")
    assert said.code == 0 and folder.name in said.out
    said = console.type("show", folder.name)
    assert said.code == 2 and "complete run folder" in said.err


def test_a_folder_of_the_same_name_does_not_hide_a_strategy(console, tmp_path):
    (tmp_path / "ga").mkdir()
    assert "ga (strategy)" in console.type("show", "ga").out


def test_unknown_names_are_told_the_nearest(console):
    said = console.type("show", "lstmm")
    assert said.code == 2 and "did you mean 'lstm'" in said.err


def test_version_and_help(console):
    assert console.type("--version").out.strip() == f"evorrn {evorrn.__version__}"
    said = console.type("--help")
    assert said.code == 0
    for command in ("run", "compare", "predict", "forecast", "list", "show", "report"):
        assert f"│ {command} " in said.out
        assert console.type(command, "--help").code == 0


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys\nfrom evorrn.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}"
        " & {'numpy', 'numba', 'scipy', 'deap', 'matplotlib', 'jinja2'}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_no_listing_page_or_typo_imports_the_compiler(tmp_path):
    """Importing numba takes as long as all else that they do."""
    commands = [
        ["list"],
        ["run", "sunspot"],
        ["run", "sunspots", "--strategy", "gaa"],
        ["compare", "sunspot"],
    ]
    commands += [["run", "sunspots", "--set", "strategy.populatio=3"], ["report", "gone"], ["show", "lstmm"]]
    commands += [["show", name] for name in (*task_kinds(), *strategies(), *cells())]
    code = (
        "import sys\nfrom evorrn.cli import main\n"
        f"for words in {commands!r}:\n"
        "    try:\n        main(words)\n    except SystemExit:\n        pass\n"
        "    found = {'numba', 'llvmlite', 'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "    assert not found, (words, found)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=200
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert "unknown setting" in done.stderr and "did you mean 'lstm'" in done.stderr


def test_the_module_is_the_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "evorrn", "--version"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.strip() == f"evorrn {evorrn.__version__}" and done.returncode == 0
