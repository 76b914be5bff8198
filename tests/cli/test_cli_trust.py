"""Code that a run folder names: imported only when its spec recorded the file, or when the user trusts the folder."""

import json
import subprocess
import sys

import pytest
from tiny import WALK, WAVE

import evorrn
from evorrn.base.errors import RunError

CELL = '''

open({mark!r}, "a").write("imported\\n")
from evorrn import cell, tanh

@cell(state={{"h": "H"}}, parameters={{"W": "H I", "U": "H H", "b": "H"}})
def plain(p, x, h):
    """A plain cell."""
    return tanh(p.W @ x + p.U @ h + p.b)
'''


@pytest.fixture
def mine(tmp_path):
    """A file with a cell that leaves a mark wherever it is imported."""
    path = tmp_path / "mine.py"
    path.write_text(CELL.format(mark=str(tmp_path / "mark")))
    return path


@pytest.fixture
def run(console, tmp_path, mine):
    """A complete run with that cell; the mark is gone, and the file counts as not imported."""
    words = ("run", WAVE, "--strategy", WALK, "--cell", f"{mine}:plain", "--budget", "3gen", "--quiet")
    assert console.type(*words).code == 0
    forget(tmp_path)
    return next((tmp_path / "runs").glob("wave/walk-plain/*"))


def forget(tmp_path):
    (tmp_path / "mark").unlink(missing_ok=True)
    for name in [name for name in sys.modules if name.startswith(("evorrn_user_mine_", "evorrn_user_evil_"))]:
        del sys.modules[name]


def edit_result(folder, cell):
    content = json.loads((folder / "result.json").read_text())
    content["network"]["cell"] = cell
    (folder / "result.json").write_text(json.dumps(content))


def test_the_file_whose_content_the_spec_recorded_is_imported_after_it_is_said(console, tmp_path, run, mine):
    said = console.type("show", run)
    assert said.code == 0 and (tmp_path / "mark").exists()
    assert f"importing {mine}, whose content the spec has recorded" in said.err


@pytest.mark.parametrize("words", [("show",), ("show", "--plot"), ("forecast",), ("predict", "x.csv")])
def test_a_file_that_result_json_names_is_never_imported(console, tmp_path, run, mine, words):
    """An absolute path to somebody's file: the spec's own cell is used, and that file is not touched."""
    evil = tmp_path / "evil.py"
    evil.write_text(
        mine.read_text().replace('"mark"', '"evil"').replace(str(tmp_path / "mark"), str(tmp_path / "evil"))
    )
    (tmp_path / "x.csv").write_text("x\n" + "0.5\n" * 20)
    command, *rest = words
    for place in ("network.cell", "no spec"):
        edit_result(run, f"{evil}:plain")
        if place == "no spec":
            (run / "spec.toml").write_text("seed = 0\n[network]\ncell = 'elman'\n[task]\n[strategy]\n")
        said = console.type(command, run, *rest)
        assert said.code == (0 if place == "network.cell" else 2), said.err
        assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("command", ["show", "forecast", "run", "run --continue"])
@pytest.mark.parametrize("table", ["network", "task", "strategy", "then"])
def test_a_spec_that_names_a_file_it_has_not_recorded_imports_nothing(
    console, tmp_path, run, mine, table, command
):
    evil = tmp_path / "evil.py"
    evil.write_text("open('evil', 'w').write('imported')\n")
    lines = (run / "spec.toml").read_text()
    spec = {"network": "network.cell", "task": "task.name", "strategy": "strategy.name", "then": "strategy"}[
        table
    ]
    import tomllib

    import tomli_w

    content = tomllib.loads(lines)
    first, _, key = spec.partition(".")
    if table == "then":
        content["strategy"] = {"name": "then", "first": {"name": f"{evil}:Evil"}}
    else:
        content[first][key] = f"{evil}:Evil"
    for files in ({}, content["files"]):
        content["files"] = files
        (run / "spec.toml").write_text(tomli_w.dumps(content))
        words = {
            "show": ("show", run, "--plot"),
            "forecast": ("forecast", run),
            "run": ("run", run),
            "run --continue": ("run", "--continue", run, "--budget", "5gen"),
        }[command]
        said = console.type(*words)
        assert not (tmp_path / "evil").exists()
        assert "Traceback" not in said.err
        if table == "network" or command.startswith("run"):
            assert said.code == 2 and str(evil) in said.err and "--trust" in said.err
        forget(tmp_path)


def test_a_changed_file_is_imported_only_where_the_folder_is_trusted(console, tmp_path, run, mine):
    mine.write_text(mine.read_text() + "\n# changed\n")
    said = console.type("forecast", run)
    assert said.code == 2 and not (tmp_path / "mark").exists()
    assert f"{mine} is not the file the spec was made for, and was not imported; --trust" in said.err
    with pytest.raises(RunError, match="was not imported"):
        evorrn.load(run)
    assert not (tmp_path / "mark").exists()
    said = console.type("show", run, "--trust")
    assert (
        said.code == 0 and f"importing {mine}, which is trusted" in said.err and (tmp_path / "mark").exists()
    )
    forget(tmp_path)
    assert evorrn.load(run, trust=True).network.cell.name == "plain"


def test_a_module_is_not_imported_by_a_folder_that_names_it(console, tmp_path, run):
    (tmp_path / "wickedmodule.py").write_text("open('evil', 'w').write('imported')\n")
    text = (run / "spec.toml").read_text()
    (run / "spec.toml").write_text(text.replace(f"{tmp_path}/mine.py:plain", "wickedmodule:plain"))
    edit_result(run, "wickedmodule:plain")
    asked = f"import evorrn, sys; sys.path.insert(0, {str(tmp_path)!r}); evorrn.load({str(run)!r})"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, cwd=tmp_path)
    assert "RunError" in done.stderr and "module wickedmodule" in done.stderr
    assert not (tmp_path / "evil").exists()


def test_a_saved_result_with_a_cell_of_ones_own_loads_where_the_cell_is_known(tmp_path, mine):
    """`Result.save` writes no spec: the cell is found when it was imported before, else with trust=True."""
    batch = evorrn.Batch([[[1.0]] * 4], [[[1.0]] * 4])
    network = evorrn.Network(1, 1, cell=f"{mine}:plain", hidden=2)
    evorrn.RandomSearch(count=2).fit(network, batch, budget="1gen").save(tmp_path / "saved")
    assert evorrn.load(tmp_path / "saved").network.cell is network.cell
    forget(tmp_path)
    with pytest.raises(RunError, match="which no spec has recorded"):
        evorrn.load(tmp_path / "saved")
    assert not (tmp_path / "mark").exists()
    assert evorrn.load(tmp_path / "saved", trust=True).network.hidden == (2,)
