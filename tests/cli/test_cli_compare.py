"""``evorrn compare`` and ``evorrn report``: the words that are typed, and what comes back."""

import json
import math
import re
from pathlib import Path

import pytest
from tiny import HERE, WALK, WAVE, raw

from evorrn.cells.find import cells
from evorrn.cli.progress import describe_runs
from evorrn.lab.runs.spec import resolve
from evorrn.lab.sweep.many import RunsProgress
from evorrn.training.progress import Progress

COMPARING = ("compare", WAVE, "--strategies", WALK, "--seeds", 2, "--budget", "100k", "--jobs", 1)


def test_a_comparison_as_json_names_every_strategy_and_baseline(console, tmp_path):
    said = console.type(*COMPARING, "--hidden", 4, "--json")
    assert said.code == 0, said.err
    content = json.loads(said.out, parse_constant=pytest.fail)
    assert content["budget"] == "100k" and content["metric"] == "nrmse_std"
    assert {row["strategy"] for row in content["rows"]} == {"walk", "random"}
    assert all(len(row["values"]) == 2 and row["network"]["hidden"] == 4 for row in content["rows"])
    assert [baseline["name"] for baseline in content["baselines"]] == ["persistence"]
    assert (tmp_path / content["report"]).read_text().startswith("<!doctype html>")
    assert f"evorrn compare {WAVE}" in (tmp_path / content["report"]).read_text()
    runs = {path.parent for path in (tmp_path / "runs").glob("wave/*/*/result.json")}
    assert runs == {tmp_path / "runs" / run for row in content["rows"] for run in row["runs"]}


@pytest.mark.usefixtures("pictures")
def test_a_comparison_is_a_table_and_its_report_can_be_made_again(console, tmp_path):
    first = console.type(*COMPARING)
    assert first.code == 0 and "walk" in first.out and "persistence" in first.out
    folder = next((tmp_path / "runs" / "comparisons").iterdir())
    (folder / "report.html").unlink()
    again = console.type("report", folder.name[:8], "--picture", "all.svg")
    assert again.code == 0 and again.out == first.out
    assert (folder / "report.html").exists() and "<svg" in (tmp_path / "all.svg").read_text()
    assert json.loads(console.type("report", folder, "--json").out)["seeds"] == [0, 1]
    assert console.type(*COMPARING, "--quiet").out == ""


def test_the_line_of_progress_names_every_run_that_is_executed_and_the_time_left():
    spec, other = (resolve({**raw("40gen"), "seed": seed}) for seed in (3, 4))
    half = Progress(20, 10, 5, 20, 1.0, 0.5, 0.5, 0.5)
    one = RunsProgress(spec, 2, 12, half, ((spec, half),), None)
    assert describe_runs(one).startswith("2 of 12 runs done; walk, seed 3, stride 20, loss 0.5")
    begun = RunsProgress(other, 2, 12, None, ((spec, half), (other, None)), 83.0)
    assert describe_runs(begun) == "2 of 12 runs done, 1:23 left; walk, seed 3: 50%; walk, seed 4"


def test_a_file_stands_in_the_titles_with_its_target(console, tmp_path):
    rows = "".join(f"{t * 7 % 11},{t * t % 13}\n" for t in range(90))
    (tmp_path / "load.csv").write_text("temp,load\n" + rows)
    words = ("--hidden", 2, "--budget", "100k")
    said = console.type("compare", "load.csv", "--strategies", "random", "--seeds", 1, "--jobs", 1, *words)
    assert said.code == 0 and said.out.startswith("load.csv, target load: 1 way of training"), said.err
    page = next((tmp_path / "runs" / "comparisons").glob("*/report.html")).read_text()
    assert "<title>load.csv, target load: " in page and "<h1>load.csv, target load: which" in page
    said = console.type("run", "load.csv", "--strategy", "random", *words)
    assert said.code == 0 and said.out.startswith("random on load.csv, target load: stopped by ")


def test_several_targets_are_said_to_be_pooled_and_which_one_is_drawn(console, tmp_path):
    rows = "".join(f"{t * 7 % 11},{t * t % 13}\n" for t in range(90))
    (tmp_path / "load.csv").write_text("temp,load\n" + rows)
    words = ("load.csv", "--target", "load,temp", "--hidden", 2, "--budget", "100k")
    said = console.type("compare", *words, "--strategies", "random", "--seeds", 1, "--jobs", 1)
    assert said.code == 0, said.err
    page = next((tmp_path / "runs" / "comparisons").glob("*/report.html")).read_text()
    assert "taken over load and temp together" in page
    for target in ("load", "temp"):
        assert re.search(rf"{target}: \w+, seed \d: nrmse_std [\d.]+ over all targets", page)
    assert "taken over load and temp together" in console.type("run", *words, "--strategy", "random").out


def test_a_disk_that_fills_up_is_a_failure_once_something_ran(console, monkeypatch):
    from evorrn.lab import compare
    from evorrn.lab.runs import claim
    from evorrn.lab.runs import execute as runner

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as before_the_first_run:
        before_the_first_run.setattr(claim, "write_atomic", full)
        said = console.type(*COMPARING)
        assert said.code == 2 and "No space left on device" in said.err and "kept" not in said.err
    with monkeypatch.context() as after_it:

        def write_the_last(*_):
            after_it.setattr(claim.Claim, "take", full)
            return False

        after_it.setattr(runner, "_write_outcome", write_the_last)
        said = console.type(*COMPARING)
        assert said.code == 1 and "No space left on device; the runs are kept" in said.err
    with monkeypatch.context() as at_the_end:
        at_the_end.setattr(compare, "write_atomic", full)
        said = console.type(*COMPARING, "--force")
        assert said.code == 1 and "comparisons" in said.err and "the runs are kept" in said.err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("compare", "narm"), "did you mean 'narma'"),
        (("compare", WAVE, "--strategies", "gaa"), "did you mean 'ga'"),
        (("compare", WAVE, "--strategies", ","), "strategies: expected at least one name"),
        (("compare", WAVE, "--seeds", "0"), "seeds: expected a whole number of at least 1"),
        (("compare", WAVE, "--budget", "10gen"), "budget: a comparison needs a limit"),
        (("compare", WAVE, "--set", "ga.populaton=9"), "did you mean 'population'"),
        (
            ("compare", WAVE, "--set", "population=9"),
            "evorrn: population: unknown entry 'population'; did you mean 'ga.pop",
        ),
        (("compare", "none.csv", "--target", "x"), "none.csv"),
        (("compare",), "Missing argument"),
        (("report", "ffff"), "no comparison 'ffff'"),
        (("report", "."), "no comparison.json"),
    ],
)
def test_wrong_words_are_refused_and_nothing_is_written(console, tmp_path, words, wanted):
    said = console.type(*words)
    assert said.code == 2 and wanted in said.err and said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_leaves_its_mark_on_the_exit_code(console, tmp_path):
    text = Path(HERE).read_text()
    breaking = text.replace("breaks_at: int = setting(-1", "breaks_at: int = setting(2")
    assert breaking != text
    (tmp_path / "breaking.py").write_text(breaking)
    said = console.type(*(word if word != WALK else "breaking.py:Walk" for word in COMPARING))
    assert said.code == 1 and "the stride broke" in said.err
    assert "random" in said.out  # the rest is told


def test_with_a_constant_target_on_test_the_root_mean_squared_error_ranks(console, tmp_path):
    """The normalised error is undefined there; no way of training and no baseline has failed."""
    rows = "".join(f"{t * 7 % 11},{t * t % 13 if t < 120 else 3}\n" for t in range(200))
    (tmp_path / "load.csv").write_text("temp,load\n" + rows)
    words = ("--hidden", 2, "--budget", "100k", "--jobs", 1)
    said = console.type("compare", "load.csv", "--strategies", WALK, "--seeds", 2, *words)
    assert said.code == 0, said.err
    assert (
        "nrmse_std is undefined on test, because the targets of an output do not vary: rmse ranks" in said.out
    )
    assert "failed" not in said.out and "Best: " in said.out
    folder = next((tmp_path / "runs" / "comparisons").iterdir())
    content = json.loads((folder / "comparison.json").read_text())
    assert content["metric"] == "rmse" and content["undefined"] == "nrmse_std"
    values = [row["median"] for row in content["rows"]]
    assert values == sorted(values) and None not in values
    assert None not in [baseline["value"] for baseline in content["baselines"]]
    said = console.type("run", "load.csv", "--strategy", "random", "--hidden", 2, "--budget", "100k")
    assert "nrmse_std is undefined on test: the targets of an output do not vary there" in said.out


SUITED = {
    "second-order": "tomita",
    "stack": "counting",
    "narx": "latching",
    "ntm": "bit-copy",
    "clockwork": "waveform",
    "lstm-peephole": "spike-intervals",
    "grid-lstm": "grid-digits",
    "tree-comparison": "quantifiers",
    "tensor-tree-comparison": "quantifiers",
    "local-ng-rc": "lorenz-96",
}
"""Tasks for some cells; the others have one that suits their predecessors."""


@pytest.mark.thorough
@pytest.mark.parametrize("cell", sorted(cells()))
def test_every_cell_is_compared_under_every_kind_of_strategy(console, cell):
    task = SUITED.get(cell, "relation-joins" if cells()[cell].predecessors else "delayed-recall")
    evolution = "sep-cma-es" if cell == "tensor-tree-comparison" else "cma-es"  # with 20,000 genes
    strategies = f"ga,{evolution},bptt,esn"
    said = console.type(
        *("compare", task, "--cell", cell, "--strategies", strategies, "--seeds", 1),
        *("--budget", "500k", "--hidden", 4, "--jobs", 1, "--json"),
    )
    assert said.code == 0, said.err
    rows = json.loads(said.out)["rows"]
    assert {*strategies.split(","), "random"} == {row["strategy"] for row in rows}
    for row in rows:
        assert row["network"]["cell"] == cell and row["failed"] == 0
        assert math.isfinite(row["median"]) and row["work"] > 0
