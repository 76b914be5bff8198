"""Sweeps that are killed, interrupted, shared and out of disk: the same bytes as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sweeping import alive, begin, content, deterministic, end, states, sweep, until, working, write

from evorrn.base.errors import Unfinished
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.sweep.run import work_on
from evorrn.lab.sweep.sweep_file import read_sweep

PAUSE = 0.1
"""Seconds that each of ten strides takes longer where a process is to be caught at work."""
RUNS = 8


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The bytes of a sweep that was left in peace."""
    root = tmp_path_factory.mktemp("undisturbed")
    tally = work_on(sweep(), root)
    assert (tally.done, tally.total) == (RUNS, RUNS)
    found = deterministic(root)
    assert len(found) == 5 * RUNS
    return found


def finish(file, root, undisturbed):
    """Go on with a sweep, and see that nothing of it shows that it was disturbed."""
    tally = work_on(file, root)
    assert tally.before + tally.done == RUNS and tally.done > 0
    assert deterministic(root) == undisturbed
    assert not list((root / "sweeps" / "walks" / "claims").iterdir())


@pytest.mark.thorough
def test_a_worker_that_is_killed_costs_its_run_a_second_start(tmp_path, undisturbed):
    file = write(tmp_path)
    process = begin("run", file, tmp_path, "--jobs", 2, pause=0.04)
    victim = until(lambda: working(tmp_path, fewest=1)).pop()
    assert victim != process.pid
    os.kill(victim, signal.SIGKILL)
    code, out, err = end(process)
    assert code == 0 and "8 of 8 runs complete (8 now)" in out
    assert "was ended by SIGKILL; it is begun again" in err
    assert deterministic(tmp_path) == undisturbed


@pytest.mark.parametrize("everyone", [False, True])
def test_after_a_parent_is_killed_its_workers_leave_and_the_same_command_goes_on(
    everyone, tmp_path, undisturbed
):
    file = write(tmp_path)
    process = begin("run", file, tmp_path, "--jobs", 2, pause=PAUSE)
    workers = until(lambda: working(tmp_path))
    for pid in (process.pid, *(workers if everyone else ())):
        os.kill(pid, signal.SIGKILL)
    end(process)
    until(lambda: not any(map(alive, workers)))
    assert len(deterministic(tmp_path)) < len(undisturbed)
    if not everyone:  # workers that outlive it leave checkpoints
        assert "running" not in states(tmp_path) and "interrupted" in states(tmp_path)
    finish(file, tmp_path, undisturbed)


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_checkpoints(number, tmp_path, undisturbed):
    file = write(tmp_path)
    process = begin("run", file, tmp_path, "--jobs", 2, pause=PAUSE)
    until(lambda: working(tmp_path))
    # A terminal sends Ctrl-C to the whole group of processes, a batch scheduler its signal to the parent alone.
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    code, _, err = end(process)
    assert code == 130 and "once more stops at once" in err
    assert "Traceback" not in err and "begun again" not in err
    assert "interrupted" in states(tmp_path) and "running" not in states(tmp_path)
    assert list(tmp_path.glob("*/*/*/checkpoint.npz"))
    if number == signal.SIGINT:
        finish(file, tmp_path, undisturbed)
    else:  # by the very command
        code, out, _ = end(begin("run", file, tmp_path, "--jobs", 2, "--json"))
        assert code == 0 and 0 < json.loads(out)["done"] <= RUNS
        assert deterministic(tmp_path) == undisturbed


def test_ctrl_c_stops_after_the_step_and_once_more_at_once(tmp_path):
    file = write(tmp_path)
    process = begin("run", file, tmp_path, "--jobs", 2, pause=8)
    workers = until(lambda: working(tmp_path))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    time.sleep(0.5)
    assert process.poll() is None  # the step under way takes eight seconds
    second = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    code, _, err = end(process)
    assert code == 130 and "Traceback" not in err and time.monotonic() - second < 7
    assert not any(map(alive, workers))


@pytest.mark.thorough
def test_any_number_of_processes_share_a_sweep_and_do_nothing_twice(tmp_path, undisturbed):
    """Two parents and a worker without one, at once; the worker is sent away and comes again."""
    file = write(tmp_path)
    worker = begin("work", file, tmp_path, "--json", pause=0.04)
    parents = [begin("run", file, tmp_path, "--jobs", 1, "--json", pause=0.04) for _ in range(2)]
    until(lambda: working(tmp_path, fewest=1))
    ends = [end(process) for process in (*parents, worker)]
    assert [code for code, _, _ in ends] == [0, 0, 0], ends
    tallies = [json.loads(out) for _, out, _ in ends]
    assert sum(tally["done"] for tally in tallies) == RUNS
    assert all(
        tally["before"] + tally["done"] == RUNS for tally in tallies[:2]
    )  # parents wait for the others
    assert deterministic(tmp_path) == undisturbed


def test_a_worker_killed_at_any_step_is_taken_over_from_its_checkpoint(tmp_path, undisturbed):
    """With a checkpoint after every step, so that the next worker goes on in the middle of a run."""
    file = write(tmp_path)
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from evorrn.lab.runs import recorder\n"
        "from evorrn.lab.sweep.run import work_on\n"
        "recorder.CHECKPOINT_SECONDS = 0\n"
        f"work_on({str(file)!r}, Path({str(tmp_path)!r}))\n"
    )
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, str(script)],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "STRIDE_SECONDS": "0.04"},
        )
        until(lambda: working(tmp_path, fewest=1) and list(tmp_path.glob("*/*/*/checkpoint-previous.npz")))
        process.kill()
        end(process)
    seen = []
    from evorrn.lab.runs import execute as runner

    real = runner.Trainer

    def remember(*arguments, state=None, **more):
        seen.append(0 if state is None else state["step_count"])
        return real(*arguments, state=state, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "Trainer", remember)
        tally = work_on(read_sweep(file), tmp_path)
    assert tally.done + tally.before == RUNS and max(seen) > 0
    assert deterministic(tmp_path) == undisturbed


def test_a_full_disk_ends_the_sweep_and_costs_only_what_was_under_way(tmp_path, undisturbed):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=250k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        with pytest.raises(Unfinished, match=r"No space left on device; what was done is kept"):
            work_on(sweep(), disk)
        done = deterministic(disk)
        complete = [path for path in done if path.endswith("result.json")]
        assert 0 < len(complete) < RUNS
        subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
        warnings = []
        tally = work_on(sweep(), disk, hooks=Hooks(warn=warnings.append))
        assert (tally.done + tally.before, tally.failed, tally.failed_before) == (RUNS, 0, 0), warnings
        assert deterministic(disk) == undisturbed
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_claim_of_a_process_that_is_gone_is_taken_over(tmp_path):
    table = sweep()
    work_on(table, tmp_path)
    first = sorted(tmp_path.glob("*/*/*/result.json"))[0].parent
    bytes_before = deterministic(tmp_path)
    for path in first.iterdir():
        if path.name not in ("spec.toml", "env.json"):
            path.unlink()
    other = {"token": "a", "host": "another", "pid": 1, "started": "1", "since": time.time() - 1000}
    (first / "claim").mkdir()
    (first / "claim" / "owner.json").write_text(json.dumps(other))
    (first / "status.json").write_text(json.dumps({"status": "running", **other}))
    os.utime(first / "claim" / "owner.json", (time.time() - 1000,) * 2)
    os.utime(first / "status.json", (time.time() - 100,) * 2)
    waiting = work_on(table, tmp_path)
    assert (waiting.done, waiting.elsewhere, waiting.before) == (0, 1, RUNS - 1)  # its heartbeat is fresh
    os.utime(first / "status.json", (time.time() - 1000,) * 2)
    assert work_on(table, tmp_path).done == 1
    assert deterministic(tmp_path) == bytes_before and not (first / "claim").exists()


def test_two_sweeps_of_one_name_are_not_mixed_up(tmp_path):
    from evorrn.base.errors import ConfigError

    work_on(sweep(), tmp_path)
    with pytest.raises(ConfigError, match=r"holds another sweep, which differs in axes.strategy.size"):
        work_on(sweep(sizes=(0.2, 0.5)), tmp_path)
    longer = work_on(sweep(seeds=3), tmp_path)  # more of the same is the same sweep
    assert (longer.before, longer.done) == (8, 4)
    assert content() != content(seeds=3)
    shutil.rmtree(tmp_path / "sweeps")
    assert work_on(sweep(sizes=(0.2, 0.5)), tmp_path).before == 4
    assert Path(tmp_path / "sweeps" / "walks" / "sweep.toml").is_file()
