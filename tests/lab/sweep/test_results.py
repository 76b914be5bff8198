"""Tables of runs: rows, the index behind them, what is asked of them, what other programs get."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
import sys
import time

import numpy as np
import pytest
from made_sweep import AXES, run_folder, write_list, write_run, write_sweep
from tiny import raw

import evorrn
from evorrn.base.errors import ConfigError, EvorrnError, RunError
from evorrn.lab import export
from evorrn.lab.query import Selection, select
from evorrn.lab.runs import index
from evorrn.lab.runs.execute import execute
from evorrn.lab.runs.reader import Reader
from evorrn.lab.runs.spec import resolve
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.runs.table import csv_text
from evorrn.lab.sweep.results import read_results

POINT = {"task.name": "narma", "strategy.name": "ga", "network.cell": "elman", "network.hidden": 8}


@pytest.fixture(autouse=True)
def own_index(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "index_path", lambda: tmp_path / "cache" / "runs.sqlite")
    return tmp_path / "cache" / "runs.sqlite"


@pytest.fixture
def settled(monkeypatch):
    """Files are trusted as soon as they are written, as if they had lain there for long."""
    monkeypatch.setattr(index, "SETTLED", -10.0)


@pytest.fixture
def reads(monkeypatch):
    """The run folders that are read, and not taken from the index."""
    found = []
    original = Reader.run
    monkeypatch.setattr(Reader, "run", lambda self, folder: found.append(folder) or original(self, folder))
    return found


def folder_of(root, seed=0, axes=POINT):
    return root / run_folder(axes, seed)[1]


def test_a_real_run_is_a_row_with_all_that_its_files_say(tmp_path):
    spec = resolve(raw("20gen", size=0.25))
    outcome = execute(spec, tmp_path)
    (row,) = read_results(tmp_path).rows
    assert row.id == spec.id and row.status == "complete" and row.folder == str(spec.folder)
    assert row.get("seed") == 0 and row.get("strategy.size") == 0.25 and row.get("network.hidden") == 3
    assert row.get("strategy.limit") is None  # TOML has no null: the file says none
    assert row.get("test.nrmse_std") == outcome.result.metrics["test"]["nrmse_std"]
    assert row.metric_names[:2] == ("test.nrmse_std", "test.rmse")  # in the order of the task
    meter = outcome.result.meter
    assert (row.work, row.steps, row.seconds) == (meter.work, meter.steps, meter.seconds)
    assert row.stopped_by == outcome.result.stopped_by
    assert row.get("nothing") is None and row.as_dict()["network.cell"] == "elman"


def test_results_is_a_frame_where_pandas_is_there_and_a_list_elsewhere(tmp_path, monkeypatch):
    write_sweep(tmp_path, seeds=2)
    frame = evorrn.results(tmp_path / "sweeps" / "made-up")
    assert len(frame) == 2 * 3 * 2 * 2 * 2 and frame["status"].value_counts()["complete"] == 45
    assert frame["network.hidden"].dtype.kind == "i" and frame["test.nrmse_std"].dtype.kind == "f"
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    listed = evorrn.results(str(tmp_path))
    assert isinstance(listed, list) and len(listed) == 47  # the missing one is known to the sweep alone
    assert list(listed[0])[:3] == ["id", "status", "seed"]
    assert {"task.name", "test.nrmse_std", "work", "steps", "seconds"} <= set(listed[0])
    assert len({tuple(row) for row in listed}) == 1  # every row has every column
    good = [row for row in listed if row["status"] == "complete"]
    assert all(row["work"] == 5e9 and row["steps"] == 2e7 and row["seconds"] == 2.5 for row in good)


@pytest.mark.parametrize(
    ("damage", "status", "said"),
    [
        (lambda run: (run / "result.json").write_text('{"metr'), "damaged", "result.json cannot be read"),
        (lambda run: (run / "result.json").write_text("[]"), "damaged", "result.json is no JSON object"),
        (lambda run: (run / "result.json").write_text('{"metrics": {}}'), "damaged", "lacks a part (KeyError"),
        (lambda run: (run / "result.json").unlink(), "damaged", "there is no result.json"),
        (lambda run: (run / "status.json").write_bytes(b"\xff\x00"), "damaged", "status.json cannot be read"),
        (lambda run: (run / "status.json").unlink(), "empty", ""),
        (lambda run: (run / "spec.toml").write_text("seed = ["), "damaged", "spec.toml is no TOML"),
        (lambda run: (run / "spec.toml").write_bytes(b"\xff"), "damaged", "spec.toml cannot be read"),
        (lambda run: (run / "spec.toml").write_text("seed = 0\n"), "damaged", "spec.toml is no resolved spec"),
        (lambda run: (run / "spec.toml").unlink(), "damaged", "there is no spec.toml"),
        (lambda run: [path.unlink() for path in run.iterdir()], "empty", ""),
        (lambda run: (run / "status.json").write_text('{"status": "odd"}'), "damaged", "no state of a run ('odd')"),
        (lambda run: (run / "status.json").write_text("[" * 100_000), "damaged", "status.json cannot be read"),
        (lambda run: (run / "result.json").write_text((run / "result.json").read_text().replace("5000000000", "9" * 400)),
         "damaged", "lacks a part (OverflowError"),
        (lambda run: (run / "claim").mkdir() or ((run / "status.json").write_text(
            '{"status": "running", "host": "gone", "heartbeat": "soon", "work": "much"}')
         and os.utime(run / "status.json", (0, 0))), "interrupted", ""),
        (lambda run: (run / "status.json").write_text('{"status": "running", "host": "gone", "heartbeat": 0}'),
         "interrupted", ""),
        (lambda run: (run / "status.json").write_text('{"status": "interrupted", "stopped": "pruned"}'),
         "interrupted", ""),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_read_is_listed_and_left_alone(tmp_path, damage, status, said):
    write_run(tmp_path, POINT, 0, 0.5)
    write_run(tmp_path, POINT, 1, 0.5)
    run = folder_of(tmp_path)
    damage(run)
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    found = {row.folder: row for row in read_results(tmp_path).rows}
    row = found.pop(str(run.relative_to(tmp_path)))
    assert row.status == status and said in row.error and bool(row.error) == bool(said)
    assert [other.status for other in found.values()] == ["complete"]
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    "put", [lambda run: run.write_text("what is this?"), lambda run: run.symlink_to("nowhere")]
)
def test_what_is_no_folder_in_the_place_of_a_run_is_damage(tmp_path, put):
    """A run cannot be made there: neither `missing`, as if it could, nor left out of the sweep's table."""
    lines = [write_run(tmp_path, POINT, seed, 0.5) for seed in (0, 1)]
    folder = write_list(tmp_path, lines)
    shutil.rmtree(folder_of(tmp_path))
    put(folder_of(tmp_path))
    found = read_results(folder).rows
    assert [(row.status, row.error) for row in found] == [("damaged", "it is no folder"), ("complete", "")]


def test_the_index_is_read_in_place_of_folders_that_did_not_change(tmp_path, settled, reads):
    write_sweep(tmp_path, seeds=2)
    first = read_results(tmp_path).rows
    assert len(reads) == 47
    reads.clear()
    assert read_results(tmp_path).rows == first
    assert reads == [row.folder for row in first if row.status == "damaged"]
    reads.clear()
    sweep = read_results(tmp_path / "sweeps" / "made-up").rows  # the same index serves a list of folders
    assert len(sweep) == 48 and all(row in sweep for row in first if row.status == "complete")
    assert len(reads) == 2


def test_the_index_notices_what_changed_came_and_went(tmp_path, settled, reads, own_index):
    for seed in range(5):
        write_run(tmp_path, POINT, seed, 0.5)
    read_results(tmp_path)
    again, gone, broken, undone = (folder_of(tmp_path, seed) for seed in range(4))
    content = json.loads((again / "result.json").read_text())
    content["metrics"]["test"]["nrmse_std"] = 0.25
    (again / "fresh").write_text(json.dumps(content))
    os.replace(again / "fresh", again / "result.json")
    shutil.rmtree(gone)
    with open(broken / "result.json", "r+") as stream:  # in place, without a trace in the folder itself
        stream.truncate(10)
    with RunFolder(undone).claimed(force=True) as claim:
        claim.clear()  # as a forced run begins
    write_run(tmp_path, POINT, 7, 0.5)
    reads.clear()
    found = {row.folder.rpartition("/")[2]: row for row in read_results(tmp_path).rows}
    assert len(found) == 5 and gone.name not in found
    assert found[again.name].get("test.nrmse_std") == 0.25
    assert found[broken.name].status == "damaged" and found[undone.name].status == "empty"
    assert len(reads) == 4  # the two that did not change are not read
    with sqlite3.connect(own_index) as connection:
        kept = {folder for (folder,) in connection.execute("SELECT folder FROM runs")}
    assert not [folder for folder in kept if folder.endswith(gone.name)]


def test_a_failed_run_that_was_tried_again_is_noticed(tmp_path, settled):
    write_run(tmp_path, POINT, 0, 0.5, status="failed", error="no memory")
    assert read_results(tmp_path).rows[0].error == "no memory"
    run = folder_of(tmp_path)
    shutil.rmtree(run)
    write_run(tmp_path, POINT, 0, 0.5)
    assert read_results(tmp_path).rows[0].status == "complete"


def test_what_changed_just_now_is_not_trusted(tmp_path, reads):
    write_run(tmp_path, POINT, 0, 0.5)
    read_results(tmp_path)
    read_results(tmp_path)
    assert len(reads) == 2
    long_ago = time.time() - 60
    os.utime(folder_of(tmp_path) / "result.json", (long_ago, long_ago))
    read_results(tmp_path)
    assert len(reads) == 3  # a copy may keep the times of its source: that the file was touched counts


def test_an_index_that_is_damaged_locked_or_impossible_costs_only_time(
    tmp_path, settled, own_index, monkeypatch
):
    write_run(tmp_path, POINT, 0, 0.5)
    own_index.parent.mkdir()
    own_index.write_bytes(b"no database at all" * 100)
    assert len(read_results(tmp_path).rows) == 1
    with sqlite3.connect(own_index) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
        connection.execute("UPDATE shared SET text = key || ' no json'")
    assert read_results(tmp_path).rows[0].status == "complete"
    own_index.unlink()
    own_index.mkdir()
    assert len(read_results(tmp_path).rows) == 1
    monkeypatch.setattr(index, "index_path", lambda: tmp_path / "narma" / "file" / "runs.sqlite")
    (tmp_path / "narma" / "file").write_text("in the way")
    assert len(read_results(tmp_path).rows) == 1


def test_seeds_beyond_64_bits_and_metrics_that_are_not_finite_come_back_the_same(tmp_path, settled):
    write_run(tmp_path, POINT, 2**70, float("nan"))
    for _ in range(2):
        (row,) = read_results(tmp_path).rows
        assert row.seed == 2**70 and np.isnan(row.get("test.nrmse_std")) and row.work == 5e9


def test_comparisons_sweeps_and_other_folders_are_no_runs(tmp_path):
    write_sweep(tmp_path, seeds=1, trouble=False)
    (tmp_path / "comparisons" / "x" / ("0" * 16)).mkdir(parents=True)
    (tmp_path / "narma" / "ga-elman" / "plots").mkdir()
    (tmp_path / "narma" / "ga-elman" / "note.txt").write_text("mine")
    assert len(read_results(tmp_path).rows) == 24
    run = folder_of(tmp_path)
    (run / "plots").mkdir()
    for below, count in ((tmp_path / "narma", 12), (run.parent, 2), (run, 1)):
        found = read_results(below)
        assert len(found.rows) == count and run.name in {row.id for row in found.rows}
        assert {row.status for row in found.rows} == {"complete"}


def test_a_sweep_is_found_by_its_file_and_lists_what_is_missing(tmp_path, monkeypatch):
    folder = write_sweep(tmp_path / "runs", seeds=2)
    (folder / "runs.jsonl").open("a").write('{"id": "torn')
    monkeypatch.chdir(tmp_path)
    text = (folder / "sweep.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace("seeds = 10", "seeds = 2"))
    for target in ("mine.toml", folder, folder / "sweep.toml"):
        runs = read_results(target)
        assert runs.sweep == "made-up" and runs.axes == tuple(AXES) and len(runs.rows) == 48
        (missing,) = [row for row in runs.rows if row.status == "missing"]
        assert missing.get("strategy.name") == "bptt" and missing.seed == 0
    (tmp_path / "mine.toml").write_text(text.replace('"gru"', '"lstm"').replace("16", "32"))
    with pytest.raises(
        RunError, match=r"holds another sweep of that name, which differs in axes.network.hidden;"
    ):
        read_results("mine.toml")  # else its table would be that of the file before it was changed
    (folder / "sweep.toml").write_text("torn = [")
    for target in ("mine.toml", folder):
        assert len(read_results(target).rows) == 48
    (tmp_path / "other.toml").write_text('name = "made-down"\n')
    with pytest.raises(RunError, match="no runs of the sweep 'made-down'"):
        read_results("other.toml")
    with pytest.raises(RunError, match="expected a folder of runs"):
        read_results("nowhere")
    with pytest.raises(ConfigError, match="cannot read"):
        read_results("nowhere.toml")


def asked(runs, **question):
    found = select(runs, **question)
    return found.columns, found.records()


def test_conditions_sorting_and_columns(tmp_path):
    write_sweep(tmp_path, seeds=3)
    runs = read_results(tmp_path)
    _, records = asked(runs, where=["strategy.name=ga", "network.hidden!=8", "status=complete"])
    by_hand = [
        row.id for row in runs.rows
        if row.status == "complete" and row.get("strategy.name") == "ga" and row.get("network.hidden") == 16
    ]  # fmt: skip
    assert [record["id"] for record in records] == by_hand and len(by_hand) == 11
    columns, records = asked(
        runs,
        where=["test.nrmse_std < 0.2", "seed>=1"],
        sort=["-test.nrmse_std"],
        columns=["id", "test.nrmse_std"],
    )
    values = [record["test.nrmse_std"] for record in records]
    assert (
        columns == ["id", "test.nrmse_std"] and values == sorted(values, reverse=True) and max(values) < 0.2
    )
    assert len(values) == sum((r.seed or 0) >= 1 and (r.get("test.nrmse_std") or 9) < 0.2 for r in runs.rows)
    _, records = asked(
        runs,
        sort=["task.name", "-network.hidden", "test.nrmse_std"],
        columns=["task.name", "network.hidden", "test.nrmse_std"],
    )
    told = [tuple(record.values()) for record in records if record["test.nrmse_std"] is not None]
    assert told == sorted(told, key=lambda row: (row[0], -row[1], row[2]))
    assert [record["task.name"] for record in records][-1] is None  # a damaged one: last, whatever the order


def test_usual_columns_of_a_sweep_are_its_axes(tmp_path):
    folder = write_sweep(tmp_path, seeds=1)
    columns, _ = asked(read_results(folder))
    assert columns == ["id", "status", *AXES, "seed", "test.nrmse_std", "work", "seconds"]
    columns, _ = asked(read_results(tmp_path))
    assert columns[2:7] == ["task.name", "strategy.name", "network.cell", "network.hidden", "budget"]


def test_a_setting_that_a_spec_leaves_out_has_the_value_that_the_sweep_gave_it(tmp_path):
    axes = {**AXES, "strategy.topology": ["random", "cycle"]}
    lines = []
    for topology in axes["strategy.topology"]:
        for seed in range(2):
            stored = POINT if topology == "random" else {**POINT, "strategy.topology": topology}
            line = json.loads(write_run(tmp_path, stored, seed, 0.1))
            line["axes"]["strategy.topology"] = topology
            lines.append(json.dumps(line))
    runs = read_results(write_list(tmp_path, lines, axes))
    assert runs.values("strategy.topology") == ["random"] * 2 + ["cycle"] * 2
    assert len({id(row.settings) for row in runs.rows}) == 2  # seeds share their settings
    _, found = asked(runs, where=["strategy.topology=random"])
    assert len(found) == 2
    _, found = asked(runs, group=["strategy.topology"])
    assert [record["strategy.topology"] for record in found] == ["random", "cycle"]


def test_groups_have_the_median_over_their_runs_and_failures_count_as_worst(tmp_path):
    lines = [write_run(tmp_path, POINT, seed, error) for seed, error in enumerate([0.1, 0.4, 0.2])]
    lines += [write_run(tmp_path, POINT, seed, 0.0, status="failed", error="x") for seed in (3, 4)]
    lines += [write_run(tmp_path, {**POINT, "network.hidden": 16}, 0, 0.7)]
    runs = read_results(write_list(tmp_path, lines))
    columns, records = asked(runs, group=["network.hidden"], sort=["-network.hidden"])
    assert columns[:4] == ["network.hidden", "runs", "complete", "failed"]
    assert [record["network.hidden"] for record in records] == [16, 8]
    small = records[1]
    assert (small["runs"], small["complete"], small["failed"]) == (5, 3, 2)
    assert small["test.nrmse_std"] == 0.4  # of 0.1, 0.2, 0.4 and two that are worse than any
    # The smallest of five is the median of a resample with probability 0.058, more than the 0.025 outside.
    assert small["test.nrmse_std low"] == 0.1 and small["test.nrmse_std high"] == np.inf
    assert small["median work"] == 5e9 and np.isnan(records[0]["test.nrmse_std low"])


def test_every_mistake_of_a_question_is_told_at_once(tmp_path):
    write_sweep(tmp_path, seeds=1)
    with pytest.raises(ConfigError) as caught:
        select(
            read_results(tmp_path),
            where=["hidden=3", "strategy.name", "seed<x", "seed>=nan"],
            sort=["-wrk"],
            columns=["statsu"],
        )
    problems = caught.value.problems
    assert len(problems) == 6
    for wanted in (
        "expected a number after >=, got 'nan'",
        "did you mean 'network.hidden'",
        "expected a condition",
        "expected a number after <",
        "did you mean 'work'",
        "did you mean 'status'",
    ):
        assert any(wanted in problem for problem in problems), wanted
    with pytest.raises(ConfigError, match="--sort: unknown column 'id'"):
        select(read_results(tmp_path), group=["task.name"], sort=["id"])


def test_csv_keeps_every_digit_and_leaves_out_what_is_not_there(tmp_path):
    write_sweep(tmp_path, seeds=1)
    runs = read_results(tmp_path / "sweeps" / "made-up")
    found = select(runs, columns=runs.columns())
    read = list(csv.DictReader(io.StringIO(csv_text(found.columns, found.lines))))
    assert len(read) == 24 and list(read[0]) == runs.columns()
    for row, told in zip(runs.rows, read):
        value = row.get("test.nrmse_std")
        assert told["test.nrmse_std"] == ("" if value is None else repr(value))
        assert told["error"] == row.error


def test_parquet_comes_back_as_it_was(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    lines = [write_run(tmp_path, {**POINT, "network.hidden": size}, 0, 0.5) for size in (8, [4, 4])]
    runs = read_results(write_list(tmp_path, lines))
    found = select(runs, columns=runs.columns())
    export.write_parquet(tmp_path / "out.parquet", found)
    read = parquet.read_table(tmp_path / "out.parquet").to_pydict()
    assert list(read) == runs.columns() and read["test.nrmse_std"] == [0.5, 0.5]
    assert read["network.hidden"] == ["8", "[4, 4]"]  # of two kinds, so as text
    with pytest.raises(EvorrnError, match="cannot write"):
        export.write_parquet(tmp_path / "no" / "out.parquet", found)


def test_parquet_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EvorrnError, match=r"evorrn\[parquet\]"):
        export.write_parquet(tmp_path / "x", Selection(["id"], []))
