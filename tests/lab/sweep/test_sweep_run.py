"""Sweeps that run: any executor gives the same bytes, failures wait for retry, damage is left alone."""

from __future__ import annotations

import concurrent.futures
import json
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from sweeping import content, deterministic, sweep
from tiny import WALK, WAVE

from evorrn.base.errors import ConfigError, Unfinished
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.runs.run import COMPLETE, INTERRUPTED, MISSING, RUNNING, Run
from evorrn.lab.runs.spec import resolve
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.sweep import feed, job
from evorrn.lab.sweep.check import check
from evorrn.lab.sweep.folder import SweepFolder
from evorrn.lab.sweep.many import run_all
from evorrn.lab.sweep.plan import make_plan
from evorrn.lab.sweep.results import read_results
from evorrn.lab.sweep.run import run_sweep, work_on
from evorrn.lab.sweep.sweep_file import check_sweep
from evorrn.lab.sweep.tally import Tally
from evorrn.lab.sweep.workers import LocalExecutor, WorkerDied


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The bytes of the same runs without any sweep."""
    root = tmp_path_factory.mktemp("plain")
    for size in (0.2, 0.4):
        for hidden in (3, 4):
            raw = {
                "budget": "10gen",
                "task": {"name": WAVE},
                "strategy": {"name": WALK, "size": size, "pause": 0.0},
                "network": {"hidden": hidden},
            }
            run_all([resolve({**raw, "seed": seed}) for seed in range(2)], root)
    return deterministic(root)


def test_a_worker_without_a_parent_gives_the_bytes_of_single_runs(plain, tmp_path):
    tally = work_on(sweep(), tmp_path)
    assert (tally.total, tally.done, tally.before, tally.failed) == (8, 8, 0, 0)
    assert deterministic(tmp_path) == plain
    lines = [json.loads(line) for line in (tmp_path / "sweeps/walks/runs.jsonl").read_text().splitlines()]
    assert sorted(line["folder"] for line in lines) == sorted({path.rsplit("/", 1)[0] for path in plain})
    assert all((tmp_path / line["folder"]).name == line["id"] for line in lines)
    assert lines[0]["axes"] == {"strategy.size": 0.2, "network.hidden": 3, "seed": 0}
    assert (tmp_path / "sweeps/walks/sweep.toml").read_text() == sweep().text
    again = work_on(sweep(), tmp_path)
    assert (again.done, again.before) == (0, 8)
    assert again.best == tally.best and set(tally.best) == {WAVE}


def test_any_executor_will_do(plain, tmp_path):
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        tally = run_sweep(sweep(), tmp_path, jobs=3, executor=threads)
    assert tally.done == 8 and deterministic(tmp_path) == plain


@pytest.mark.thorough
def test_local_processes_do_too_and_share_one_warm_start(plain, tmp_path):
    tallies = []
    tally = run_sweep(sweep(), tmp_path, jobs=2, hooks=Hooks(watch=lambda tally: tallies.append(tally.ended)))
    assert tally.done == 8 and deterministic(tmp_path) == plain
    assert tallies == sorted(tallies) and tallies[-1] == 8


def test_the_best_is_the_best_on_validation(tmp_path):
    tally = work_on(sweep(), tmp_path)
    scores = {}
    for path in tmp_path.glob("*/*/*/result.json"):
        scores[path.parent.name] = json.loads(path.read_text())["metrics"]["valid"]["nrmse_std"]
    assert tally.best[WAVE].value == min(scores.values()) and tally.best[WAVE].metric == "nrmse_std"


def failing(**more):
    """A sweep in which half of the runs fail at their third step."""
    base = {"budget": "5gen", "task": {"name": WAVE}, "strategy": {"name": WALK}}
    return sweep(base=base, axes={"strategy.breaks_at": [-1, 3]}, **more)


def test_a_failure_is_shown_at_once_stops_no_other_and_is_not_run_again(tmp_path):
    shown = []
    hooks = Hooks(failure=lambda where, report: shown.append((where, report)))
    tally = work_on(failing(), tmp_path, hooks=hooks)
    assert (tally.done, tally.failed) == (2, 2)
    where, report = shown[0]
    assert where == "strategy.breaks_at=3, seed=0" and report.error == "RuntimeError: the stride broke"
    assert "Traceback" in report.traceback and "the stride broke" in report.traceback
    status = json.loads((tmp_path / report.folder / "status.json").read_text())
    assert status["status"] == "failed" and status["traceback"] == report.traceback
    again = work_on(failing(), tmp_path)
    assert (again.done, again.failed, again.failed_before, again.before) == (0, 0, 2, 2)


def test_retry_runs_the_failed_ones_alone(tmp_path, monkeypatch):
    work_on(failing(), tmp_path)
    for path in tmp_path.glob("*/*/*/status.json"):  # one of the complete ones has to be done again
        if json.loads(path.read_text())["status"] == "complete":
            path.unlink()
            break
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        tally = run_sweep(failing(), tmp_path, executor=threads, retry=True)
        assert (tally.done, tally.failed, tally.before) == (0, 2, 1)  # and is left to the next run
        assert run_sweep(failing(), tmp_path, executor=threads).done == 1


def test_fail_fast_ends_at_the_first_failure(tmp_path):
    with pytest.raises(Unfinished, match=r"a run failed \(--fail-fast\)"):
        work_on(failing(), tmp_path, fail_fast=True)
    states = [RunFolder(path.parent).state() for path in tmp_path.glob("*/*/*/spec.toml")]
    assert states.count("failed") == 1


def test_a_run_that_is_refused_is_recorded_as_failed(tmp_path):
    base = {"budget": "5gen", "task": {"name": WAVE}, "strategy": {"name": WALK}}
    tally = work_on(sweep(base=base, axes={"strategy.refuses": [False, True]}), tmp_path)
    assert (tally.done, tally.failed) == (2, 2)
    failed = [path for path in tmp_path.glob("*/*/*/status.json") if "expected false" in path.read_text()]
    assert len(failed) == 2 and all((path.parent / "spec.toml").is_file() for path in failed)


def test_damaged_folders_are_told_and_left_alone(tmp_path):
    work_on(sweep(), tmp_path)
    first, second, *_ = sorted(tmp_path.glob("*/*/*/status.json"))
    first.write_text("{")
    (second.parent / "result.json").unlink()
    before = {path: path.read_bytes() for path in first.parent.iterdir() if path.is_file()}
    warnings = []
    tally = work_on(sweep(), tmp_path, hooks=Hooks(warn=warnings.append))
    assert (tally.damaged, tally.before, tally.done) == (2, 6, 0)
    assert len(warnings) == 2 and all("damaged, left alone" in text for text in warnings)
    assert {path: path.read_bytes() for path in first.parent.iterdir() if path.is_file()} == before
    found = check(sweep(), tmp_path)
    assert found.states == {"complete": 6, "damaged": 2} and len(found.damaged) == 2


def test_checking_writes_nothing_and_guesses_the_time_left(tmp_path):
    found = check(sweep(), tmp_path)
    assert (found.cells, found.runs, found.seconds_left) == (4, 8, None) and not list(tmp_path.iterdir())
    work_on(sweep(sizes=(0.2,)), tmp_path)
    seconds = [json.loads(p.read_text())["times"]["seconds"] for p in tmp_path.glob("*/*/*/result.json")]
    (tmp_path / "sweeps/walks/sweep.toml").unlink()
    found = check(sweep(), tmp_path)
    assert found.states == {"complete": 4, "missing": 4}
    assert found.seconds_left == pytest.approx(4 * np.mean(seconds))
    assert found.seconds_done == pytest.approx(sum(seconds))


def test_checking_a_search_looks_at_the_runs_that_it_has_chosen(tmp_path):
    """Two of four seeds of one cell: one complete, one pruned; six runs are to come."""
    adaptive = sweep(
        axes={"strategy.size": {"uniform": [0.1, 1]}, "network.hidden": [3, 4]},
        search={"sampler": "tpe", "runs": 8},
    )
    found = check(adaptive, tmp_path)
    assert (found.runs, found.states, found.seconds_left) == (8, {}, None)
    plan = make_plan(sweep(sizes=(0.2,)))
    chosen = list(plan)[:2]
    folder = SweepFolder(tmp_path, adaptive)
    work_on(sweep(sizes=(0.2,)), tmp_path)
    folder.path.joinpath("sweep.toml").write_text(adaptive.text)
    folder.write_list(run.line() for run in chosen)
    status = tmp_path / chosen[1].folder / "status.json"
    status.write_text(json.dumps({"status": "interrupted", "stopped": "pruned"}))
    seconds = json.loads((tmp_path / chosen[0].folder / "result.json").read_text())["times"]["seconds"]
    found = check(adaptive, tmp_path)
    assert found.states == {"complete": 1, "pruned": 1}
    assert found.seconds_done == pytest.approx(seconds) and found.seconds_left == pytest.approx(6 * seconds)


def test_a_worker_looks_once_more_at_what_others_held(tmp_path, monkeypatch):
    """Of three runs that others held when it came by, one is complete at the end, and one was left by a killed worker."""
    folder = SweepFolder(tmp_path, sweep())
    plan = make_plan(folder.sweep)
    status = {run.folder: RUNNING if k < 3 else MISSING for k, run in enumerate(plan)}
    known = {run.folder: run for run in plan}
    monkeypatch.setattr(
        feed.Reader, "run", lambda self, name: known[name]._replace(status=status[name]), raising=True
    )
    tally = Tally(8)
    jobs = feed.PlanFeed(folder, plan.groups(0), tally, print, warm=False, wait=False)
    own = [jobs.next().run.folder for _ in range(5)]
    assert not {status[name] for name in own} - {MISSING}
    held = [name for name in status if status[name] == RUNNING]
    status[held[0]], status[held[1]] = COMPLETE, INTERRUPTED
    assert not jobs.exhausted and jobs.next().run.folder == held[1]
    assert jobs.exhausted and jobs.next() is None
    assert (tally.before, tally.elsewhere) == (1, 1)


def test_an_adaptive_search_has_no_use_for_workers_without_a_parent(tmp_path):
    adaptive = sweep(
        axes={"strategy.size": {"uniform": [0.1, 1]}, "network.hidden": [3, 4]},
        search={"sampler": "tpe", "runs": 8},
    )
    with pytest.raises(ConfigError, match="one process must lead: evorrn sweep run"):
        work_on(adaptive, tmp_path)


class Deadly(concurrent.futures.Executor):
    """An executor whose workers die of one run."""

    def __init__(self):
        self.calls = []

    def submit(self, fn, order):
        future = concurrent.futures.Future()
        self.calls.append(order.run.seed)
        if (
            order.raw["strategy"]["size"] == 0.4
            and order.raw["network"]["hidden"] == 4
            and order.run.seed == 1
        ):
            future.set_exception(WorkerDied("its worker process was ended by SIGKILL"))
        else:
            future.set_result(fn(order))
        return future


def test_a_run_that_kills_its_worker_twice_has_failed(tmp_path):
    warnings, shown = [], []
    hooks = Hooks(warn=warnings.append, failure=lambda where, report: shown.append(report.error))
    tally = run_sweep(sweep(), tmp_path, executor=Deadly(), hooks=hooks)
    assert (tally.done, tally.failed) == (7, 1) and len(warnings) == 1
    assert shown == [
        "its worker process was ended by SIGKILL, 2 times; perhaps it needs more memory than there is"
    ]


def test_a_run_whose_worker_alone_was_signalled_is_handed_out_again(tmp_path, monkeypatch):
    signalled = []
    real = job.perform

    def perform(given):
        if not signalled:
            signalled.append(given)
            return given.run._replace(status="interrupted")
        return real(given)

    monkeypatch.setattr(job, "perform", perform)
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        assert run_sweep(sweep(), tmp_path, executor=threads).done == 8


def call(value):
    """What a worker does in tests of the executor."""
    if value == "die":
        import os

        os._exit(3)
    if value == "raise":
        raise ValueError("no")
    if value == "strange":
        raise type("Strange", (Exception,), {})("cannot be pickled")
    return value, threading.current_thread() is threading.main_thread()


def test_a_dead_worker_fails_its_own_call_alone():
    with LocalExecutor(2) as workers:
        wanted = ["a", "die", "b", "raise", "c", "strange", "d"]
        futures = [workers.submit(call, value) for value in wanted]
        ends = [future.exception(timeout=120) or future.result() for future in futures]
        with pytest.raises(Exception, match=r"pickle|local object"):
            workers.submit(lambda: 0)
    assert [end for end in ends if isinstance(end, tuple)] == [(value, True) for value in "abcd"]
    assert isinstance(ends[1], WorkerDied) and str(ends[1]) == "its worker process ended with exit code 3"
    assert isinstance(ends[3], ValueError) and str(ends[5]) == "Strange: cannot be pickled"
    with pytest.raises(RuntimeError, match="after shutdown"):
        workers.submit(call, "a")


def test_calls_that_were_cancelled_are_not_done():
    workers = LocalExecutor(1)
    futures = [workers.submit(call, value) for value in range(50)]
    workers.shutdown(wait=True, cancel_futures=True)
    assert all(future.done() for future in futures) and futures[-1].cancelled()


def loaded(name):
    """Whether a worker has a module that nothing here asks for."""
    import sys

    return name in sys.modules


def test_processes_load_what_their_calls_need_before_there_are_any():
    with LocalExecutor(2, load=("colorsys", "no_such_module")) as workers:
        assert workers.submit(loaded, "colorsys").result(timeout=120)
    with LocalExecutor(1) as workers:
        assert not workers.submit(loaded, "colorsys").result(timeout=120)


def test_the_tally_counts_and_guesses():
    tally = Tally(10, before=2)
    assert tally.rate == 0 and tally.seconds_left is None
    for _ in range(3):
        tally.done += 1
        tally.tick()
    assert (
        tally.ended == 5 and tally.rate > 0 and tally.seconds_left == pytest.approx(5 / tally.rate, rel=0.5)
    )

    def scored(task, metric, value):
        return Run("f", "complete", 0, {"task.name": task}, (f"valid.{metric}",), (value,))

    tally.compare(scored("a", "nrmse_std", 0.5), "x")
    tally.compare(scored("a", "nrmse_std", float("nan")), "y")
    tally.compare(scored("a", "nrmse_std", 0.4), "z")
    tally.compare(scored("b", "accuracy", 0.4), "x")
    tally.compare(scored("b", "accuracy", 0.6), "w")
    assert {name: best.where for name, best in tally.best.items()} == {"a": "z", "b": "w"}


class Instant(concurrent.futures.Executor):
    """An executor that has done everything before it was asked."""

    def submit(self, fn, order):
        future = concurrent.futures.Future()
        future.set_result(
            Run("wave/walk-elman/x", "complete", 0, {"task.name": "wave"}, ("valid.nrmse_std",), (0.5,))
        )
        return future


def test_the_memory_of_a_sweep_does_not_grow_with_its_runs(tmp_path):
    def peak(seeds, cells):
        table = sweep(seeds=seeds, sizes=[1 + place / 1000 for place in range(cells)])
        tracemalloc.start()
        tally = run_sweep(table, tmp_path / f"{seeds}-{cells}", executor=Instant())
        assert tally.done == tally.total == seeds * cells * 2
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(1, 10) and peak(1, 48)  # what is kept for good
    few, more_seeds, more_cells = peak(3, 10), peak(24, 10), peak(3, 48)
    # 420 and 228 runs more; what is told of one to a worker takes two kilobytes.
    assert more_seeds - few < 240_000
    assert more_cells - few < 380_000  # an axis holds its values, a plan the marks of its cells


def test_a_table_inside_a_strategy_is_an_axis_as_it_is_in_the_base(tmp_path):
    """Then with another first strategy in each cell: its settings are columns of the results."""
    table = content(seeds=1, budget="2gen")
    del table["base"]["strategy"], table["axes"]["strategy.size"]
    firsts = [{"name": "ga", "population": 4}, {"name": WALK, "size": 0.5}]
    table["axes"] = {
        "strategy": [
            {"name": "then", "first": first, "second": {"name": WALK}, "steps": 1} for first in firsts
        ]
    }
    swept = check_sweep(table, "sweep", Path())
    tally = work_on(type(swept)(**{**vars(swept), "text": tomli_w.dumps(table)}), tmp_path)
    assert tally.done == 2
    rows = read_results(tmp_path / "sweeps" / "walks").rows
    assert {row.get("strategy.first.name") for row in rows} == {"ga", WALK}
    assert {row.get("strategy.first.population") for row in rows} == {4, None}
