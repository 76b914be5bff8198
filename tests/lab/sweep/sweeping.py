"""Sweeps of walks along waves, in processes that a test can kill, and the bytes that must not change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tiny import WALK, WAVE

from evorrn.lab.sweep.sweep_file import check_sweep

FILES = ("spec.toml", "history.jsonl", "genome.npz", "predictions.npz")


def content(seeds=2, budget="10gen", sizes=(0.2, 0.4), **more):
    """Return a sweep of eight runs by default: two sizes of strides, two networks, two seeds."""
    return {
        "name": "walks",
        "seeds": seeds,
        "base": {
            "budget": budget,
            "task": {"name": WAVE},
            "strategy": {"name": WALK},
        },
        "axes": {"strategy.size": list(sizes), "network.hidden": [3, 4]},
        **more,
    }


def sweep(folder=Path(), **more):
    """Return a checked sweep."""
    import tomli_w

    table = content(**more)
    checked = check_sweep(table, "sweep", folder)
    return type(checked)(**{**vars(checked), "text": tomli_w.dumps(table)})


def write(folder, **more):
    """Write a sweep file and return its path."""
    path = folder / "sweep.toml"
    path.write_text(sweep(folder, **more).text)
    return path


def deterministic(root):
    """Return every file whose bytes are promised, by its path; ``result.json`` without its times."""
    found = {}
    for path in sorted(root.glob("*/*/*/*")):
        if path.name in FILES:
            found[str(path.relative_to(root))] = path.read_bytes()
        elif path.name == "result.json":
            result = json.loads(path.read_text())
            del result["times"]
            found[str(path.relative_to(root))] = json.dumps(result).encode()
    return found


def states(root):
    """Return the states that the runs of a folder have noted."""
    found = []
    for path in sorted(root.glob("*/*/*/status.json")):
        found.append(json.loads(path.read_text())["status"])
    return found


def begin(command, file, root, *words, pause=0.0):
    """Start ``evorrn sweep`` in a group of processes of its own, each stride pausing for some seconds."""
    given = [
        sys.executable,
        "-m",
        "evorrn",
        "sweep",
        command,
        str(file),
        "--runs",
        str(root),
        *map(str, words),
    ]
    return subprocess.Popen(
        given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "STRIDE_SECONDS": str(pause)},
    )


def end(process, timeout=150):
    """Wait for a process and return its exit code, stdout and stderr."""
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def until(happened, timeout=200.0):
    """Wait until a function returns something true, and return that."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = happened()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def working(root, fewest=2):
    """Return the processes that work on runs, once there are enough of them."""
    found = set()
    for path in root.glob("*/*/*/status.json"):
        status = json.loads(path.read_text())
        if status["status"] == "running":
            found.add(status["pid"])
    return found if len(found) >= fewest else None


def alive(pid):
    """Return whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
