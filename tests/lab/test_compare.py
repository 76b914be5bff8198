"""Comparing: what is run, how failures and interruptions end, and what is written."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from evorrn.base.errors import ConfigError, RunError
from evorrn.data.batch import Batch
from evorrn.data.task import Reference, Scaling, Splits, Task
from evorrn.lab import compare as module
from evorrn.lab import planning
from evorrn.lab.compare import Choice, compare
from evorrn.lab.planning import plan_runs
from evorrn.lab.report.comparison import brief, ranking_table, write_report
from evorrn.lab.runs import assessments
from evorrn.lab.runs.assessments import baseline_values
from evorrn.lab.runs.estimate import Estimate
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.runs.run import Run
from evorrn.lab.study.comparison import Comparison
from evorrn.lab.study.ranking import make_baselines
from evorrn.lab.sweep import job, many
from evorrn.lab.sweep.many import RunsProgress
from evorrn.training.budget import Budget
from evorrn.training.meter import Meter
from evorrn.training.progress import Progress

QUALITY = {"ga": 0.4, "esn": 0.3, "bptt": 0.35, "random": 0.9}
ADVICE = {"esn": ("leaky", 60)}


class MadeUp(Task):
    """A task as far as a comparison looks at it; its test data depend on the seed."""

    name, version, metrics = "made-up", 1, ("nrmse_std", "rmse")
    references = (Reference(0.5, "nrmse_std", "none", "nobody"),)
    free_run, horizon, input_names, output_names = False, None, (), ()

    def __init__(self, seed_changes="data"):
        self.seed_changes = seed_changes
        self.asked = []

    def values(self):
        return {"horizon": 1}

    def data(self, seed):
        self.asked.append(seed)
        targets = np.random.default_rng(seed).normal(size=(1, 20, 1))
        scaling = Scaling(np.zeros(1), np.ones(1), np.full(1, 5.0), np.full(1, 2.0))
        batch = Batch(targets, targets, mask=np.arange(20)[None, :] >= 5)
        return Splits(batch, batch, batch, scaling)

    def baselines(self, splits):
        return {"zero": np.zeros((1, 20, 1)), "shifted": splits.test.targets + 0.5}


class Specs:
    """Resolves as the real one does, without networks; keeps what it was asked."""

    def __init__(self, task):
        self.task = task
        self.asked = []

    def __call__(self, raw, base=None):
        self.asked.append(raw)
        name = raw["strategy"]["name"]
        if name not in QUALITY:
            raise ConfigError(f"strategy.name: unknown strategy {name!r}")
        unknown = set(raw["strategy"]) - {"name", "population"}
        if unknown:
            raise ConfigError([f"strategy.{name}: unknown setting" for name in sorted(unknown)])
        cell, hidden = ADVICE.get(name, ("elman", 8))
        network = {"cell": cell, "hidden": hidden, "dtype": "float32", **raw.get("network", {})}
        content = {**raw, "network": network, "budget": raw["budget"], "files": {}}
        identity = f"{name}{raw['seed']}{network['cell']}{network['hidden']}"
        return SimpleNamespace(
            with_seed=lambda seed: self({**raw, "seed": seed}),
            content=content,
            shape={name: network[name] for name in ("cell", "hidden")},
            task=self.task,
            strategy=SimpleNamespace(name=name, step_name="generation"),
            network=SimpleNamespace(size=network["hidden"] ** 2),
            budget=Budget.parse(raw["budget"]),
            seed=raw["seed"],
            id=identity,
            folder=module.Path("made-up") / name / identity,
        )


class Runs:
    """Executes as the real runner does, in no time; keeps what it ran."""

    def __init__(self, ending=lambda spec: "complete"):
        self.ending = ending
        self.done = []

    def __call__(self, spec, root, *, force, hooks):
        self.done.append((spec.strategy.name, spec.seed))
        status = self.ending(spec)
        hooks.watch(Progress(1, 1_000_000_000, 100, 1, 1.0, 0.5, 0.5, 0.5))
        run = Run(str(spec.folder), status, spec.seed, {"task.name": "made-up"})
        if status != "complete":
            return run._replace(error="it broke" if status == "failed" else "")
        value = QUALITY[spec.strategy.name] * (1 + 0.01 * spec.seed)
        meter = Meter(work=5_000_000_000, steps_forward=100, seconds=2.0)
        return run.scored({"test": {"nrmse_std": value}}, meter.as_dict(), "work")


@pytest.fixture
def made_up(monkeypatch):
    task = MadeUp()
    specs, runs = Specs(task), Runs()
    monkeypatch.setattr(planning, "resolve", specs)
    monkeypatch.setattr(job, "execute", runs)
    monkeypatch.setattr(assessments, "_kept", {})
    monkeypatch.setattr(many, "estimated", lambda runs, root: Estimate(1, None, None, False, 0))
    monkeypatch.setattr(
        module, "write_report", lambda comparison, root, path: None
    )  # plots take most of a second
    return SimpleNamespace(task=task, specs=specs, runs=runs)


RAW = {"task": {"name": "made-up"}}


def test_every_strategy_runs_in_every_seed_at_the_same_budget(made_up, tmp_path):
    found = compare(RAW, root=tmp_path, choice=Choice(seeds=4))
    assert [row.strategy for row in found.rows] == ["esn", "bptt", "ga", "random"]
    assert sorted(made_up.runs.done) == sorted((name, seed) for name in QUALITY for seed in range(4))
    assert {raw["budget"] for raw in made_up.specs.asked} == {module.BUDGET}
    assert found.seeds == (0, 1, 2, 3)
    for row in found.rows:
        np.testing.assert_allclose(row.values, [QUALITY[row.strategy] * (1 + 0.01 * s) for s in range(4)])
        assert (row.work, row.steps, row.seconds, row.failed) == (5e9, 100, 2.0, 0)
        assert row.runs == tuple(f"made-up/{row.strategy}/{s.id}" for s in plan_of(row.strategy))


def plan_of(strategy):
    return plan_runs({**RAW, "budget": module.BUDGET}, None, planning.STRATEGIES, 4)[strategy]


def test_random_search_always_takes_part(made_up, tmp_path):
    found = compare(RAW, root=tmp_path, choice=Choice(strategies=["ga"], seeds=2))
    assert {row.strategy for row in found.rows} == {"ga", "random"}


def test_each_strategy_uses_the_network_advised_for_it(made_up, tmp_path):
    found = compare(RAW, root=tmp_path, choice=Choice(seeds=2))
    networks = {
        row.strategy: (row.network["cell"], row.network["hidden"], row.network["genes"]) for row in found.rows
    }
    assert networks["esn"] == ("leaky", 60, 3600)
    assert networks["ga"] == networks["bptt"] == networks["random"] == ("elman", 8, 64)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"cell": "lstm"}, ("lstm", 8)),
        ({"hidden": 12}, ("elman", 12)),
        ({"cell": "gru", "hidden": 3}, ("gru", 3)),
    ],
)
def test_all_use_the_same_network_once_a_cell_or_a_size_is_given(made_up, tmp_path, given, wanted):
    found = compare({**RAW, "network": given}, root=tmp_path, choice=Choice(seeds=2))
    assert {(row.network["cell"], row.network["hidden"]) for row in found.rows} == {wanted}


def test_settings_of_one_strategy_reach_it_alone(made_up, tmp_path):
    found = compare({**RAW, "ga": {"population": 512}}, root=tmp_path, choice=Choice(seeds=2))
    settings = {row.strategy: row.settings for row in found.rows}
    assert settings == {"ga": {"population": 512}, "esn": {}, "bptt": {}, "random": {}}


def test_quick_means_fewer_seeds_and_less_budget_unless_given(made_up, tmp_path):
    quick = compare(RAW, root=tmp_path, choice=Choice(quick=True))
    assert (len(quick.seeds), quick.budget) == (module.QUICK_SEEDS, module.QUICK_BUDGET)
    given = compare({**RAW, "budget": "7G"}, root=tmp_path, choice=Choice(quick=True, seeds=2))
    assert (len(given.seeds), given.budget) == (2, "7G")


def test_every_mistake_is_told_before_anything_runs(made_up, tmp_path):
    raw = {**RAW, "budget": "500gen", "seed": 3, "strategy": {"population": 4}, "ga": {"populatoin": 3}}
    with pytest.raises(ConfigError) as caught:
        compare(raw, root=tmp_path, choice=Choice(strategies=["ga", "nga"], seeds=0))
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "seeds",
        "seed",
        "strategy.population",
        "budget",
        "ga.populatoin",
        "nga.name",
    ]
    assert made_up.runs.done == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("budget", ["5G", "60s", "1Msteps", "5G,500gen"])
def test_budgets_that_mean_the_same_for_all_are_taken(made_up, tmp_path, budget):
    assert compare({**RAW, "budget": budget}, root=tmp_path, choice=Choice(seeds=1)).budget == budget


def test_what_is_written_is_what_is_returned(made_up, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "write_report", write_report)
    found = compare(RAW, root=tmp_path, choice=Choice(seeds=3))
    (folder,) = (tmp_path / "comparisons").iterdir()
    assert found.report == str(folder / "report.html")
    assert json.loads((folder / "comparison.json").read_text()) == json.loads(json.dumps(found.as_dict()))
    assert "<svg" in (folder / "report.html").read_text()
    assert found.references[0]["source"] == "nobody"
    assert {"evorrn", "python", "cpu", "libraries"} <= set(found.environment)
    assert "numpy" in found.environment["libraries"]
    assert ("scikit-learn" in found.environment["libraries"]) == (find_spec("sklearn") is not None)


def test_the_same_comparison_has_the_same_folder_and_another_has_another(made_up, tmp_path):
    first = compare(RAW, root=tmp_path, choice=Choice(seeds=2))
    assert compare(RAW, root=tmp_path, choice=Choice(seeds=2)).report == first.report
    assert compare(RAW, root=tmp_path, choice=Choice(seeds=3)).report != first.report
    assert (
        compare({**RAW, "network": {"hidden": 5}}, root=tmp_path, choice=Choice(seeds=2)).report
        != first.report
    )


def test_a_run_that_failed_is_told_counted_and_stops_nothing(made_up, tmp_path):
    made_up.runs.ending = lambda spec: (
        "failed" if (spec.strategy.name, spec.seed) == ("esn", 1) else "complete"
    )
    warnings = []
    found = compare(RAW, root=tmp_path, hooks=Hooks(warn=warnings.append), choice=Choice(seeds=3))
    assert warnings == ["esn, seed 1 failed: it broke"]
    row = next(row for row in found.rows if row.strategy == "esn")
    assert (row.failed, row.errors, row.values[1]) == (1, 1, np.inf)
    assert len(made_up.runs.done) == 12


def test_when_all_runs_of_a_strategy_fail_the_rest_still_counts(made_up, tmp_path):
    made_up.runs.ending = lambda spec: "failed" if spec.strategy.name == "esn" else "complete"
    found = compare(RAW, root=tmp_path, choice=Choice(seeds=2))
    assert [row.strategy for row in found.rows] == ["bptt", "ga", "random", "esn"]
    json.dumps(found.as_dict(), allow_nan=False)


def test_an_interrupted_run_ends_the_comparison(made_up, tmp_path):
    made_up.runs.ending = lambda spec: "interrupted" if spec.strategy.name == "esn" else "complete"
    with pytest.raises(KeyboardInterrupt):
        compare(RAW, root=tmp_path, choice=Choice(seeds=2))
    assert made_up.runs.done == [("ga", 0), ("esn", 0)]


def test_a_folder_that_cannot_be_written_is_said(made_up, tmp_path):
    (tmp_path / "comparisons").write_text("in the way")
    with pytest.raises(Exception, match="cannot write to") as caught:
        compare(RAW, root=tmp_path, choice=Choice(seeds=1))
    assert not isinstance(caught.value, RunError | OSError)


def test_the_watcher_sees_the_beginning_of_every_run_and_its_steps(made_up, tmp_path):
    seen: list[RunsProgress] = []
    compare(RAW, root=tmp_path, hooks=Hooks(watch=seen.append), choice=Choice(strategies=["ga"], seeds=2))
    begun = [standing for standing in seen if standing.progress is None]
    assert [(s.spec.strategy.name, s.spec.seed, s.done, s.total) for s in begun] == [
        ("ga", 0, 0, 4),
        ("random", 0, 1, 4),
        ("ga", 1, 2, 4),
        ("random", 1, 3, 4),
    ]
    assert len(seen) == 8


def spec_of(task):
    return Specs(task)({"task": {"name": "made-up"}, "budget": "5G", "strategy": {"name": "ga"}, "seed": 0})


def test_baselines_are_scored_in_every_seed_in_original_units(made_up):
    values = baseline_values(spec_of(MadeUp()), range(3), "rmse")
    found = {baseline.name: baseline for baseline in make_baselines(values, "rmse")}
    for seed in range(3):
        truth = np.random.default_rng(seed).normal(size=(1, 20, 1))[0, 5:, 0]
        assert found["zero"].values[seed] == pytest.approx(2.0 * np.sqrt(np.mean(truth**2)))
        assert found["shifted"].values[seed] == pytest.approx(1.0)
    assert found["zero"].value == pytest.approx(np.median(found["zero"].values))


def test_baselines_of_a_fixed_record_are_scored_once(made_up):
    task = MadeUp("training")
    found = make_baselines(baseline_values(spec_of(task), range(5), "nrmse_std"), "nrmse_std")
    assert task.asked == [0]
    assert all(len(set(baseline.values)) == 1 and len(baseline.values) == 5 for baseline in found)


def test_the_command_repeats_the_comparison(made_up, tmp_path):
    raw = {
        "task": {"name": "my data.csv", "target": "load"},
        "network": {"hidden": 5},
        "ga": {"population": 9},
    }
    found = compare(raw, root=tmp_path, choice=Choice(seeds=2))
    assert found.command == (
        "evorrn compare 'my data.csv' --strategies ga,esn,bptt,random --seeds 2 --budget 5G "
        """--set 'task.target="load"' --set network.hidden=5 --set ga.population=9"""
    )
    assert compare(raw, root=tmp_path, command="as typed", choice=Choice(seeds=2)).command == "as typed"


def test_baselines_have_the_seconds_that_they_took_and_keep_those_of_the_first_time(tmp_path):
    """They are in the table and the file; the same comparison again writes nothing."""
    raw = {"task": {"name": "sunspots"}, "network": {"cell": "elman", "hidden": 2}, "budget": "20k"}
    found = compare(raw, root=tmp_path, choice=Choice(["random"], seeds=1))
    seconds = {each.name: each.seconds for each in found.baselines}
    assert set(seconds) == {"mean", "persistence", "linear autoregression", "linear autoregression, AIC"}
    assert all(0 < took < 60 for took in seconds.values())
    folder = Path(found.report).parent
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = compare(raw, root=tmp_path, choice=Choice(["random"], seeds=1))
    assert {each.name: each.seconds for each in again.baselines} == seconds
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    shown = dict(
        zip(
            [entry.cells[0] for entry in ranking_table(found).entries],
            [entry.cells[8] for entry in ranking_table(found).entries],
        )
    )
    assert shown["mean"] == brief(seconds["mean"])
    assert (brief(2.5), brief(2e-5), brief(math.nan)) == ("2.50", "<0.001", "")


def test_baselines_of_a_comparison_that_stands_complete_are_not_computed_again(
    made_up, tmp_path, monkeypatch
):
    """They are where the code, a library or the machine is another, or where files of the code have changed."""
    about = {"git": {"commit": "a", "dirty": False}, "libraries": {"numpy": "2.4"}}
    monkeypatch.setattr(module.environment, "summary", lambda: about)

    def computed(**given):
        made_up.task.asked.clear()
        assessments._kept.clear()
        return compare(RAW, root=tmp_path, choice=Choice(seeds=2), **given), bool(made_up.task.asked)

    first, asked = computed()
    assert asked
    again, asked = computed()
    assert not asked and again.baselines == first.baselines
    assert computed(force=True)[1]
    about["git"]["dirty"] = True
    assert computed()[1] and computed()[1]
    about["git"] = {"commit": "b", "dirty": False}
    assert computed()[1] and not computed()[1]
    about["libraries"]["numpy"] = "2.5"
    assert computed()[1] and not computed()[1]
    path = Path(first.report).parent / "comparison.json"
    path.write_text(path.read_text()[:-20])
    found, asked = computed()
    assert asked and found.baselines == first.baselines


def test_a_baseline_that_was_not_measured_has_no_seconds_in_the_table(made_up, tmp_path):
    found = compare(RAW, root=tmp_path, choice=Choice(seeds=1))
    assert all(math.isnan(each.seconds) for each in found.baselines)
    assert [entry.cells[8] for entry in ranking_table(found).entries if entry.style == "baseline"] == ["", ""]
    content = found.as_dict()
    assert Comparison.from_dict(content).baselines[0].name == found.baselines[0].name
    del content["baselines"][0]["seconds"]  # as it was written before
    assert math.isnan(Comparison.from_dict(content).baselines[0].seconds)
