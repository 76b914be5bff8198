"""Kernels in other processes: from the cache, without vectors, without compiling."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
import numpy as np
from evorrn.network.network import Network
from evorrn.data.batch import Batch
import evorrn.engine.cache as load
rng = np.random.default_rng(0)
out = {}
cases = (("lstm", 5, "float64", (20, 3)), ("jordan", 1, "float64", (20, 3)), ("lstm", 16, "float32", 8),
         ("second-order", 5, "float64", 3))
for cell, sequences, dtype, hidden in cases:
    feedback = dtype == "float64" and cell != "second-order"
    network = Network(2, 2, cell=cell, hidden=hidden, dtype=dtype, feedback=feedback)
    genome = network.init(seed=1)
    lengths = rng.integers(1, 8, sequences)
    batch = Batch(rng.standard_normal((sequences, 7, 2)), rng.standard_normal((sequences, 7, 2)), lengths=lengths)
    loss, gradient = network.loss_and_gradient(genome, batch)
    values = [loss, float(network.fitness(genome[None], batch)[0]), *gradient[::7].tolist()]
    out[f"{cell} {dtype}"] = values
out["files"] = sorted(str(p.name) for p in load.cache_folder().rglob("*.nbi"))
print(json.dumps(out))
"""


def run(folder, **environment):
    variables = {**os.environ, "EVORRN_CACHE": str(folder), **environment}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=variables,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    return folder, run(folder)


@pytest.mark.thorough
def test_a_second_process_loads_kernels_and_gets_the_same_bits(compiled):
    folder, first = compiled
    stamps = {p: p.stat().st_mtime_ns for p in folder.rglob("*.nbc")}
    assert stamps
    assert run(folder) == first
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.nbc")} == stamps


@pytest.mark.thorough
@pytest.mark.parametrize("variable,value", [("EVORRN_SIMD", "0"), ("NUMBA_DISABLE_JIT", "1")])
def test_plain_loops_and_plain_python_agree(compiled, variable, value, tmp_path):
    other = run(tmp_path, **{variable: value})
    for case, error in (
        ("lstm float64", 1e-9),
        ("jordan float64", 1e-9),
        ("lstm float32", 1e-4),
        ("second-order float64", 1e-9),
    ):
        assert other[case] == pytest.approx(compiled[1][case], rel=error, abs=1e-3 * error)
