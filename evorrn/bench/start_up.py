"""Start-up: what a newcomer waits for, each in a process of its own."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evorrn.base.errors import EvorrnError
from evorrn.bench.group import Group
from evorrn.bench.results import Finding, Row, Target
from evorrn.bench.session import Session
from evorrn.bench.timing import Times

PATIENCE_SECONDS = 300
COLD_ROUNDS = 3
COLD_SCRIPT = """
import json, sys, time
import numpy, numba
from evorrn import Batch, Network
cell, what = sys.argv[1:]
network = Network(2, 1, cell=cell, hidden=32)
genome, batch = network.init(seed=0), Batch(numpy.zeros((64, 100, 2)), numpy.zeros((64, 100, 1)))
started = time.perf_counter()
network.fitness(genome[None], batch) if what == "fitness" else network.loss_and_gradient(genome, batch)
print(json.dumps(time.perf_counter() - started))
"""


@dataclass(frozen=True)
class Case:
    """Something to wait for, and for how long at most; `wait` gives the seconds of one go in a folder."""

    name: str
    title: str
    target: Target
    wait: Callable[[Path], float]
    warm: bool


def measure(case: Case, session: Session) -> Row:
    """Time a case: a warm one in one folder after an untimed go, a cold one in a fresh folder each time."""
    try:
        times = _times(case, session.rounds if case.warm else 1 if session.quick else COLD_ROUNDS)
    except EvorrnError as error:
        return Row(case.name, case.title, None, [Finding("", math.nan, "s", case.target)], {}, [str(error)])
    return Row(case.name, case.title, times, [Finding("", times.minimum, "s", case.target)])


def _times(case: Case, rounds: int) -> Times:
    seconds = []
    with tempfile.TemporaryDirectory() as shared:
        if case.warm:
            case.wait(Path(shared))
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as fresh:
                seconds.append(case.wait(Path(shared if case.warm else fresh)))
    return Times(tuple(seconds))


def cold_call(cell: str, what: str) -> Callable[[Path], float]:
    """Return a function that times the first call of a program in an empty cache: emit, compile, run."""

    def wait(folder: Path) -> float:
        done = _finished(["-c", COLD_SCRIPT, cell, what], folder)
        return float(json.loads(done))

    return wait


def help_page(folder: Path) -> float:
    """Return the seconds of ``evorrn --help``, from nothing to its end."""
    started = time.perf_counter()
    _finished(["-m", "evorrn", "--help"], folder)
    return time.perf_counter() - started


def first_generation(folder: Path) -> float:
    """Return the seconds from typing ``evorrn run`` to the report of its first generation."""
    words = ["run", "sunspots", "--strategy", "ga", "--budget", "1gen", "--force", "--runs"]
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "evorrn", *words, str(folder / "runs")],
        env=_environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            if line.startswith("generation 1,"):
                seconds = time.perf_counter() - started
                process.stderr.read()
                return seconds
            said.append(line)
    raise EvorrnError(f"start-up: expected evorrn run to report a generation, got: {''.join(said)[-500:]}")


def _finished(arguments: list[str], folder: Path) -> str:
    """Run Python to its end and return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    if done.returncode:
        raise EvorrnError(f"start-up: {' '.join(arguments)[-60:]!r} failed: {done.stderr[-500:]}")
    return done.stdout


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of a process whose compiled code lies in a folder, all of it."""
    caches = {"EVORRN_CACHE": str(folder / "evorrn"), "NUMBA_CACHE_DIR": str(folder / "numba")}
    return {**os.environ, **caches}


COLD = Target(at_most=4)

GROUP = Group(
    "start-up",
    "seconds of waiting, each in a process of its own",
    (
        *(
            Case(
                f"cold-{cell}-{what}",
                f"first {what} of {cell}, nothing compiled",
                COLD,
                cold_call(cell, what),
                warm=False,
            )
            for cell, what in (
                ("elman", "fitness"),
                ("lstm", "fitness"),
                ("elman", "gradient"),
                ("lstm", "gradient"),
            )
        ),
        Case("help", "evorrn --help", Target(at_most=0.3), help_page, warm=True),
        Case(
            "run",
            "evorrn run sunspots, to its first generation, compiled before",
            Target(at_most=2),
            first_generation,
            warm=True,
        ),
    ),
    measure,
)
