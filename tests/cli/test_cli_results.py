"""``evorrn results``, ``evorrn diff`` and the report of a sweep: the words that are typed, and what comes back."""

import json
import shutil

import pytest
from made_sweep import AXES, run_folder, write_sweep

from evorrn.lab.runs import index


@pytest.fixture
def runs(console, tmp_path, monkeypatch):
    monkeypatch.setattr(index, "index_path", lambda: tmp_path / "cache" / "runs.sqlite")
    write_sweep(tmp_path / "runs", seeds=2)
    shutil.copy(tmp_path / "runs/sweeps/made-up/sweep.toml", tmp_path / "made.toml")
    return tmp_path / "runs"


def test_a_sweep_is_a_table_with_its_axes(console, runs):
    said = console.type("results", "made.toml", "--where", "strategy.name=esn", "--sort", "test.nrmse_std")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0] == "sweep made-up" and lines[1].split()[2:6] == list(AXES)
    assert lines[-1] == "48 runs: 45 complete, 1 damaged, 1 failed, 1 missing"
    assert len(lines) == 3 + 16 and "damaged" in lines[-2]
    assert console.type("results", runs / "sweeps" / "made-up").out.splitlines()[0] == "sweep made-up"
    twice = console.type("results", "made.toml", "--where", "strategy.name==esn", "--sort", "test.nrmse_std")
    assert twice.out == said.out


def test_the_last_line_counts_pruned_runs_as_such(console, runs):
    complete = next(path for path in runs.rglob("status.json") if '"complete"' in path.read_text())
    complete.write_text('{"status": "interrupted", "stopped": "pruned"}')
    (complete.parent / "result.json").unlink()
    said = console.type("results", "made.toml")
    assert said.out.splitlines()[-1] == "48 runs: 44 complete, 1 damaged, 1 failed, 1 missing, 1 pruned"


def test_a_sweep_is_found_by_its_name(console, runs):
    by_name, by_file = console.type("results", "made-up"), console.type("results", "made.toml")
    assert by_name.code == 0 and by_name.out == by_file.out
    assert console.type("results", "made").code == 2


def test_runs_of_files_are_listed_with_the_name_of_the_file(console, tmp_path, monkeypatch):
    monkeypatch.setattr(index, "index_path", lambda: tmp_path / "cache" / "runs.sqlite")
    for name, factor in (("load.csv", 7), ("wind.csv", 5)):
        (tmp_path / name).write_text("load\n" + "".join(f"{t * factor % 11}\n" for t in range(90)))
        console.type("run", name, "--strategy", "random", "--hidden", 2, "--budget", "20k", "--quiet")
    said = console.type("results").out
    assert "load.csv" in said and "wind.csv" in said and str(tmp_path / "load.csv") not in said
    records = json.loads(console.type("results", "--json").out)
    assert {record["task.path"] for record in records} == {
        str(tmp_path / name) for name in ("load.csv", "wind.csv")
    }


def test_all_runs_are_listed_by_default_and_as_json_or_csv(console, runs):
    said = console.type("results")
    assert said.out.splitlines()[-1] == "47 runs: 45 complete, 1 damaged, 1 failed"
    records = json.loads(
        console.type("results", "--json", "--columns", "all").out, parse_constant=pytest.fail
    )
    assert len(records) == 47 and {"id", "status", "test.rmse", "network.dtype"} <= set(records[0])
    text = console.type("results", "--csv", "--columns", "id,work", "--where", "status=complete").out
    assert text.splitlines()[0] == "id,work" and len(text.splitlines()) == 46
    assert text.splitlines()[1].endswith(",5000000000.0")


def test_groups_and_parquet(console, runs, tmp_path):
    said = console.type("results", "--group", "task.name,strategy.name", "--sort", "test.nrmse_std", "--json")
    best = json.loads(said.out)[0]
    assert (best["task.name"], best["strategy.name"], best["runs"]) == ("mackey-glass", "bptt", 7)
    pytest.importorskip("pyarrow")
    said = console.type("results", "--parquet", "table.parquet")
    assert said.code == 0 and said.out == "" and (tmp_path / "table.parquet").exists()


def test_diff_of_two_runs(console, runs):
    point = dict(zip(AXES, ("narma", "ga", "elman", 8)))
    first, second = (run_folder(point, seed)[0] for seed in (0, 1))
    said = console.type("diff", first[:10], second)
    assert said.code == 0 and "seed" in said.out and "node1" in said.out and "test.nrmse_std" in said.out
    assert json.loads(console.type("diff", first, second, "--json").out)["spec"] == {"seed": [0, 1]}


def test_the_report_of_a_sweep(console, tmp_path):
    axes = {**AXES, "task.name": ["narma"], "strategy.name": ["ga", "esn"], "network.hidden": [8]}
    folder = write_sweep(tmp_path / "runs", axes=axes, seeds=3, trouble=False, history=False)
    shutil.copy(tmp_path / "runs/sweeps/made-up/sweep.toml", tmp_path / "made.toml")
    said = console.type("report", "made.toml")
    assert said.code == 0, said.err
    assert said.out.startswith("12 runs: 2 values of strategy.name") and "seeds are needed" in said.out
    page = folder / "report.html"
    assert said.out.splitlines()[-1] == "report: runs/sweeps/made-up/report.html"
    first = page.read_bytes()
    assert first.rstrip().endswith(b"</html>")
    told = json.loads(console.type("report", folder, "--json").out)
    assert told["path"] == str(page) and told["cautions"]
    assert page.read_bytes() == first  # the same runs give the same bytes


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("results", "nowhere"), "expected a folder of runs"),
        (("results", "none.toml"), "cannot read none.toml"),
        (("results", "--where", "hidden=8"), "did you mean 'network.hidden'"),
        (("results", "--sort", "wrok"), "did you mean 'work'"),
        (("results", "--columns", "stat", "--group", "taks.name"), "2 problems"),
        (("report", "made.toml", "--picture", "x.svg"), "--picture: expected a comparison"),
        (("diff", "ffff", "0"), "no run 'ffff'"),
        (("diff", "ffff"), "Missing argument"),
    ],
)
def test_wrong_words_are_refused(console, runs, words, wanted):
    said = console.type(*words)
    assert said.code == 2 and wanted in said.err and said.out == ""


def test_a_folder_without_runs_is_an_empty_table(console, runs, tmp_path):
    (tmp_path / "empty").mkdir()
    said = console.type("results", "empty")
    assert said.code == 0 and said.out.splitlines()[-1] == "0 runs: none"
