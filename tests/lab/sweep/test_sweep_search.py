"""Adaptive search: better than chance, the same whatever the workers, and bad runs pruned."""

from __future__ import annotations

import concurrent.futures
import json

import numpy as np
import pytest
from sweeping import deterministic, sweep
from tiny import WALK, WAVE

from evorrn.base.errors import ConfigError
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.runs.spec import resolve
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.sweep.pruning import SHARES, STARTUP, curve, median_bars
from evorrn.lab.sweep.run import run_sweep

pytest.importorskip("optuna")
pytest.importorskip("cmaes")


def search(sampler="tpe", runs=24, axes=None, budget="30gen", **more):
    """A search for the best size of strides, of which most are much too small."""
    axes = axes or {"strategy.size": {"loguniform": [1e-6, 2.0]}, "network.hidden": [2, 3]}
    base = {"budget": budget, "task": {"name": WAVE}, "strategy": {"name": WALK}}
    seeds = more.pop("seeds", 2)
    return sweep(base=base, axes=axes, seeds=seeds, search={"sampler": sampler, "runs": runs, **more})


def done(table, root, jobs=1, **more):
    with concurrent.futures.ThreadPoolExecutor(jobs) as threads:
        return run_sweep(table, root, jobs=jobs, executor=threads, **more)


def listed(root):
    lines = (root / "sweeps/walks/runs.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def losses(root):
    """Return the median over seeds of the best validation loss of every cell, in the order they were asked for."""
    found = {}
    for run in listed(root):
        history = [
            json.loads(line) for line in (root / run["folder"] / "history.jsonl").read_text().splitlines()
        ]
        cell = tuple(value for name, value in run["axes"].items() if name != "seed")
        found.setdefault(cell, []).append(min(step["valid_loss"] for step in history))
    return [float(np.median(values)) for values in found.values()]


@pytest.mark.parametrize("sampler", ["tpe", pytest.param("cmaes", marks=pytest.mark.thorough)])
def test_a_search_learns_from_what_it_has_seen(sampler, tmp_path):
    """Its last cells beat its first ones, which were drawn at random, by a factor."""
    tally = done(search(sampler, runs=80, ahead=2, prune=False), tmp_path)
    assert tally.done == 80 and len(losses(tmp_path)) == 40
    found = losses(tmp_path)
    assert np.median(found[-12:]) < 0.7 * np.median(found[:10])


@pytest.mark.thorough
def test_a_search_is_a_function_of_its_file_however_it_is_run(tmp_path):
    one, many, stopped = tmp_path / "one", tmp_path / "many", tmp_path / "stopped"
    tally = done(search(runs=40), one)
    assert tally.done + tally.pruned == tally.total == 40 and tally.pruned > 0
    done(search(runs=40), many, jobs=4)
    assert listed(many) == listed(one)
    assert deterministic(many) == deterministic(one)

    class Enough(Exception):
        pass

    def stop(tally):
        if tally.done >= 9:
            raise Enough

    with pytest.raises(Enough):
        done(search(runs=40), stopped, hooks=Hooks(watch=stop))
    again = done(search(runs=40), stopped)
    assert again.before >= 9 and again.done < tally.done
    assert listed(stopped) == listed(one) and deterministic(stopped) == deterministic(one)


def test_pruned_runs_stopped_where_they_were_worse_than_the_median_of_their_seed(tmp_path):
    done(search(runs=16, seeds=1, ahead=1), tmp_path)
    curves, pruned = [], 0
    for run in listed(tmp_path):
        folder = RunFolder(tmp_path / run["folder"])
        history = [json.loads(line) for line in (folder.path / "history.jsonl").read_text().splitlines()]
        best = np.minimum.accumulate([step["valid_loss"] for step in history])
        at = {
            share: best[int(np.ceil(share * 30 - 1e-9)) - 1]
            for share in SHARES
            if share * 30 <= len(best) + 1e-9
        }
        worse = []
        for share, loss in at.items():
            others = [curve[share] for curve in curves if share in curve]
            if len(others) >= STARTUP and loss > np.median(others):
                worse.append(share)
        stopped = folder.status().get("stopped") == "pruned"
        pruned += stopped
        assert bool(worse) == stopped and (not stopped or len(history) == int(np.ceil(worse[0] * 30 - 1e-9)))
        curves.append(at)
    assert 0 < pruned < 16 - STARTUP


def test_curves_say_what_was_reached_at_each_share(tmp_path):
    done(search(runs=2, seeds=1, prune=False), tmp_path)
    run = listed(tmp_path)[0]
    folder = RunFolder(tmp_path / run["folder"])
    import tomllib

    spec = resolve(tomllib.loads((folder.path / "spec.toml").read_text()))
    history = [
        json.loads(line)["valid_loss"] for line in (folder.path / "history.jsonl").read_text().splitlines()
    ]
    best = np.minimum.accumulate(history)
    np.testing.assert_array_equal(curve(folder, spec), [*best[[2, 5, 8, 11, 14, 17, 20, 23, 26]], best[-1]])
    assert median_bars([np.arange(10.0)] * (STARTUP - 1)) == ()
    bars = median_bars([np.full(10, value) for value in (1.0, 2.0, 3.0, 4.0, np.inf, 5.0)])
    assert bars == tuple((share, 3.0) for share in SHARES)


def test_what_a_search_takes_is_told_before_and_one_that_does_not_fit_into_memory_is_refused(
    tmp_path, monkeypatch
):
    said = []
    done(search(runs=6), tmp_path / "fits", hooks=Hooks(note=said.append))
    assert sum(line.startswith("ahead: 6 runs;") for line in said) == 1
    monkeypatch.setattr("evorrn.lab.runs.estimate.installed", lambda: 2**20)
    with pytest.raises(ConfigError, match=r"needs about .* of memory, and this machine has"):
        done(search(runs=6), tmp_path / "not")
    assert not list(tmp_path.glob("not/*/*/*"))


def test_a_failed_run_ends_no_search(tmp_path):
    table = search(
        runs=12, seeds=1, axes={"strategy.breaks_at": [-1, 3], "strategy.size": {"uniform": [0.1, 1]}}
    )
    tally = done(table, tmp_path)
    assert tally.failed > 0 and tally.done > 0 and tally.done + tally.failed + tally.pruned == 12
    retried = done(table, tmp_path, retry=True)
    assert retried.failed == tally.failed and retried.done == 0


def test_a_search_that_finds_no_new_cells_ends(tmp_path):
    warnings = []
    table = search(
        runs=40, seeds=1, budget="3gen", axes={"strategy.size": [0.1, 0.2], "network.hidden": [2, 3]}
    )
    tally = done(table, tmp_path, hooks=Hooks(warn=warnings.append))
    assert tally.done + tally.pruned == tally.total <= 4 and "chooses no new cells any more" in warnings[0]


def test_excluded_cells_are_not_run_and_refused_values_told_before(tmp_path):
    axes = {"strategy.size": [0.1, 0.2, 0.3], "network.hidden": [2, 3, 4]}
    base = {"budget": "3gen", "task": {"name": WAVE}, "strategy": {"name": WALK}}
    left_out = [{"strategy.size": 0.2, "network.hidden": [2, 3]}]
    settings = {"base": base, "seeds": 1, "search": {"sampler": "tpe", "runs": 6}}
    done(sweep(axes=axes, exclude=left_out, **settings), tmp_path)
    cells = [(run["axes"]["strategy.size"], run["axes"]["network.hidden"]) for run in listed(tmp_path)]
    assert cells and not {(0.2, 2), (0.2, 3)} & set(cells)
    with pytest.raises(ConfigError, match=r"network.hidden: expected a whole number .* got 0"):
        done(sweep(axes={**axes, "network.hidden": [2, 0]}, **settings), tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("axes", "sampler", "wanted"),
    [
        (
            {"task.noise": [0.1, 0.2], "network.hidden": [2]},
            "tpe",
            "those of different tasks cannot be compared",
        ),
        (
            {"network.cell": ["elman", "gru"], "network.hidden": [2]},
            "cmaes",
            "this axis has elman, gru; use tpe",
        ),
    ],
)
def test_what_an_adaptive_search_cannot_do_is_said(axes, sampler, wanted):
    with pytest.raises(ConfigError, match=wanted):
        search(sampler, axes=axes)
