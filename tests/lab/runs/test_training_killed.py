"""Training that is killed at a moment drawn from a seed, and gone on with: the same bytes as if it had been left alone."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from executing import lasting

from evorrn.lab.runs.spec import resolve
from evorrn.lab.runs.store import RunFolder

STEPS = 40
SUNSPOTS = {"task": {"name": "sunspots", "train_until": 1760}, "network": {"cell": "elman", "hidden": 3}}
QUESTIONS = {"name": "addition", "digits": 1, "train": 35, "valid": 10, "test": 10}
PARTS = {"cell": "gru", "hidden": 4}
SPECS = {
    "ekf": SUNSPOTS | {"strategy": {"name": "ekf", "groups": "neuron"}},
    "block-rtrl": SUNSPOTS | {"strategy": {"name": "block-rtrl"}},
    "levenberg-marquardt": SUNSPOTS | {"strategy": {"name": "levenberg-marquardt"}},
    "chunker": {
        "task": {"name": "long-lag", "lag": 9},
        "network": {"cell": "elman", "hidden": 4},
        "strategy": {"name": "chunker", "batch_size": 1},
    },
    "encoder-decoder": {
        "task": QUESTIONS,
        "network": {"kind": "encoder-decoder", "encoder": PARTS, "decoder": PARTS},
        "strategy": {"name": "bptt", "sampling": 0.5},
    },
}
PROGRAM = """
import sys
from pathlib import Path
from evorrn.lab.runs import recorder
recorder.CHECKPOINT_SECONDS = 0.0
from evorrn.lab.runs.execute import execute
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.runs.spec import resolve
spec, root = eval(sys.argv[1]), Path(sys.argv[2])
execute(resolve(spec), root, hooks=Hooks(watch=lambda progress: print(progress.step, flush=True)))
"""


def run(spec, root, killed_at=None, pause=0.0):
    """Run in another process, and end that without warning some seconds after it has told a step; return its folder."""
    command = [sys.executable, "-c", PROGRAM, repr(spec), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if killed_at is not None and int(line) >= killed_at:
                time.sleep(pause)
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == (0 if killed_at is None else -signal.SIGKILL)
    return RunFolder(root / resolve(spec).folder)


@pytest.mark.thorough
@pytest.mark.parametrize("name", SPECS)
def test_killed_at_a_random_moment_and_resumed_a_run_has_the_bytes_of_an_undisturbed_one(name, tmp_path):
    spec = {"budget": f"{STEPS}gen", "seed": 3, **SPECS[name]}
    rng = np.random.default_rng(len(name))
    undisturbed = run(spec, tmp_path / "undisturbed")
    killed = run(spec, tmp_path / "killed", int(rng.integers(1, STEPS - 5)), rng.uniform(0, 0.02))
    assert killed.state() == "interrupted"
    assert run(spec, tmp_path / "killed").state() == undisturbed.state() == "complete"
    assert lasting(killed.path) == lasting(undisturbed.path)
