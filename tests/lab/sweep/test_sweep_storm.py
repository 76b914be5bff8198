"""A storm over sweeps: kills, workers stopped and woken, claims of other hosts. The bytes are as if nothing had happened."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time

import numpy as np
import pytest
from sweeping import alive, begin, deterministic, end, sweep, working, write

from evorrn.lab.runs.claim import LEASE
from evorrn.lab.sweep.run import work_on

RUNS = 8
ELSEWHERE = {"token": "theirs", "host": "elsewhere", "pid": 1, "started": "1"}


def age(folder, seconds):
    for path in (folder / "claim" / "owner.json", folder / "status.json"):
        if path.exists():
            os.utime(path, (time.time() - seconds,) * 2)


def claim_elsewhere(root, rng):
    """Put a claim of another host, whose clock may be wrong, on a run; nobody is there."""
    folders = [path.parent for path in root.glob("*/*/*/spec.toml") if not (path.parent / "claim").exists()]
    if not folders:
        return
    folder = folders[rng.integers(len(folders))]
    try:
        (folder / "claim").mkdir()
    except FileExistsError:
        return
    year = 365 * 24 * 3600.0
    since = time.time() + rng.choice([-year, 0, year])
    (folder / "claim" / "owner.json").write_text(json.dumps({**ELSEWHERE, "since": since}))
    age(folder, 2 * LEASE)


def strike(process, root, rng):
    """Do harm to a sweep under way, and return the processes that are still stopped."""
    victims = sorted(working(root, fewest=1) or ())
    kind = rng.integers(5)
    if kind == 0:
        os.kill(process.pid, signal.SIGKILL)
    elif kind == 1 and victims:
        with contextlib.suppress(ProcessLookupError):  # it ended after its claim was read
            os.kill(victims[rng.integers(len(victims))], signal.SIGKILL)
    elif kind == 2:
        claim_elsewhere(root, rng)
    elif kind == 3 and victims:  # stopped past its lease: its claims count as another host's
        victim = victims[rng.integers(len(victims))]
        try:
            os.kill(victim, signal.SIGSTOP)
        except ProcessLookupError:  # it ended after its claim was read
            return []
        for path in root.glob("*/*/*/claim/owner.json"):
            owner = json.loads(path.read_text())
            if owner.get("pid") == victim:
                path.write_text(json.dumps({**owner, "host": "elsewhere"}))
                age(path.parents[1], 2 * LEASE)
                (path.parents[1] / "status.json").unlink(missing_ok=True)
        return [victim]
    else:
        os.kill(process.pid, signal.SIGTERM)
    return []


@pytest.mark.thorough
@pytest.mark.timeout(0 if "STORM" in os.environ else 280)
def test_a_storm_leaves_every_deterministic_file_as_it_is_undisturbed(tmp_path):
    """Twenty strikes by default, or as many as the variable STORM says; each sweep gets a few, until it is complete."""
    wanted_strikes = int(os.environ.get("STORM", "20"))
    calm = tmp_path / "calm"
    work_on(sweep(), calm)
    wanted, strikes, seed = deterministic(calm), 0, 0
    while strikes < wanted_strikes:
        seed += 1
        rng, root, stopped = np.random.default_rng(seed), tmp_path / f"storm{seed}", []
        root.mkdir()
        file = write(root)
        for _ in range(6):
            process = begin("run", file, root, "--jobs", 2, pause=0.03)
            time.sleep(rng.uniform(1.0, 4.0))
            stopped += strike(process, root, rng)
            strikes += 1
            deadline = time.monotonic() + 5
            while process.poll() is None and time.monotonic() < deadline and not stopped:
                time.sleep(0.05)
            if process.poll() is None:
                process.kill()
            for pipe in (process.stdout, process.stderr):
                pipe.close()
            process.wait()
        code, out, err = end(begin("run", file, root, "--jobs", 2), timeout=120)
        for victim in stopped:
            if alive(victim):
                os.kill(victim, signal.SIGCONT)
        deadline = time.monotonic() + 100
        while any(map(alive, stopped)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert code == 0, (seed, out, err)
        assert deterministic(root) == wanted, seed
        assert all(
            json.loads(path.read_text())["status"] == "complete" for path in root.glob("*/*/*/status.json")
        )
        assert len(list(root.glob("*/*/*/status.json"))) == RUNS
        shutil.rmtree(root)
