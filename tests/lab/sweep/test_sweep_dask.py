"""A sweep on a Dask cluster of two workers on loopback, one of which is killed."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import time
from pathlib import Path

import pytest
from sweeping import deterministic, sweep, until, working

from evorrn.base.errors import EvorrnError
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.sweep import cluster
from evorrn.lab.sweep.run import run_sweep, work_on

pytest.importorskip("distributed")


@pytest.mark.thorough
def test_one_of_two_workers_is_killed_and_nothing_is_lost(tmp_path, monkeypatch):
    """First the process beside one Dask worker is killed, then the other Dask worker itself."""
    undisturbed, root = tmp_path / "undisturbed", tmp_path / "cluster"
    work_on(sweep(), undisturbed)
    monkeypatch.setenv("STRIDE_SECONDS", "0.1")  # of the workers, so that they are caught at work
    killed = []

    def watch(tally):
        pids = working(root)
        if pids and len(killed) < 2 and killed[:1] != [min(pids)]:
            one = min(pids)
            parent = int(Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[1])
            assert parent != os.getpid()
            killed.append(parent if killed else one)
            os.kill(killed[-1], signal.SIGKILL)

    with cluster.dask_executor("local", 2) as (executor, slots):
        assert slots == 2
        tally = run_sweep(sweep(), root, jobs=slots, executor=executor, hooks=Hooks(watch=watch))
    assert len(killed) == 2 and tally.done + tally.before == tally.total == 8
    assert deterministic(root) == deterministic(undisturbed)
    until(lambda: not list((root / "sweeps" / "walks" / "claims").iterdir()))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://host", "127.0.0.1"])
def test_a_scheduler_that_does_not_answer_is_said_in_bounded_time(address, monkeypatch):
    monkeypatch.setattr(cluster, "REACH_SECONDS", 0.3)
    with (
        pytest.raises(EvorrnError, match="no Dask scheduler answers at"),
        cluster.dask_executor(address, 2),
    ):
        pass


def test_a_cluster_without_workers_is_said(monkeypatch):
    import distributed

    monkeypatch.setattr(cluster, "FIRST_WORKER_SECONDS", 0.2)
    monkeypatch.setattr(cluster, "REACH_SECONDS", 120)  # a busy machine answers late
    with (
        distributed.LocalCluster(
            n_workers=0,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=50,
            loop=cluster.event_loop(),
        ) as empty,
        pytest.raises(EvorrnError, match="has no workers; start some with: dask worker"),
        cluster.dask_executor(empty.scheduler_address, 2),
    ):
        pass


def test_an_event_loop_that_starts_late_is_waited_for(monkeypatch):
    run = asyncio.run

    def late(main):
        time.sleep(0.3)
        run(main)

    monkeypatch.setattr(cluster.asyncio, "run", late)
    done = concurrent.futures.Future()
    cluster.event_loop.__wrapped__().add_callback(done.set_result, 7)
    assert done.result(timeout=60) == 7
