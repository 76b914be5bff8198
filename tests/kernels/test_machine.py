"""The registers that kernels are made for: the host's, or fewer and narrower ones on request."""

import json
import os
import subprocess
import sys

import pytest

from evorrn.kernels import machine

PROGRAM = """
import json, re, sys
import numba
import evorrn
import numpy as np
from evorrn.engine.cache import load
from evorrn.kernels import machine
from evorrn.engine.listing.listing import Listing, Place, Table
from evorrn.engine.listing.walk import Walk, base
from evorrn.engine.listing.writer import AFFINE

@numba.njit(fastmath={"contract"})
def loop(x, y):
    for k in range(x.shape[0]):
        x[k] = x[k] * y[k] + y[k]

rng = np.random.default_rng(0)
w = rng.standard_normal((20, 9))
x = rng.standard_normal((9, 7 * machine.lanes(np.float64)))
out = np.empty((20, x.shape[1]))
listing = Listing(1, ("out", "w", "x"))
terms = Table((Place("w"), 9, 1, Place("x"), x.shape[1], 9))
listing.row(AFFINE, Place("out"), *out.shape, None, terms, 1)
listing.section("only")
walk = Walk(listing, out.dtype)
bases = {"out": base(out), "w": base(w), "x": base(x)}
walk.work(1, bases, walk.expanded(np.array([[0, 0, 0, 1]])), np.array([[0, 1]])).run(0, 1)
error = np.abs(out - w @ x).max()
loop(w[0], w[1])
product, = (m.compiled for n, m in sys.modules.items() if n.startswith("evorrn_kernel_affine_float64"))
text = product.library.get_asm_str() + "".join(loop.inspect_asm().values())
used = [(kind, int(number)) for kind, number in re.findall(r"%([xyz])mm(\\d+)", text)]
print(json.dumps({
    "registers": machine.registers(),
    "widest": max((kind for kind, _ in used), default=""),
    "highest": max((number for _, number in used), default=0),
    "error": error,
    "name": load("", "probe").__name__,
}))
"""

ACCEPTED = [
    shape
    for shape in machine.SHAPES
    if shape.bits <= machine.registers().bits and shape.number <= machine.registers().number
]


def run(program, folder, **environment):
    # Without what makes this very process stand in for another processor.
    own = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CPU")}
    variables = {**own, "EVORRN_CACHE": str(folder), **environment}
    return subprocess.run(
        [sys.executable, "-c", program],
        env=variables,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.thorough
@pytest.mark.skipif(not machine.compiling(), reason="nothing is compiled")
def test_forced_registers_are_the_only_ones_in_use(tmp_path):
    names = set()
    for bits, count in ACCEPTED:
        done = run(PROGRAM, tmp_path, EVORRN_VECTOR=f"{bits},{count}")
        assert done.returncode == 0, done.stderr[-3000:]
        found = json.loads(done.stdout)
        assert found["registers"] == [bits, count] and found["error"] < 1e-13
        # Of 128 bits LLVM can be told that they are preferred, not that there are no others.
        assert found["widest"] <= {512: "z", 256: "y", 128: "y"}[bits]
        assert found["highest"] < count
        names.add(found["name"])
    assert len(names) == len(ACCEPTED)  # no kernel in the cache serves two of them


@pytest.mark.parametrize("value", ["256", "512;32", "1024,32", "256,64", "300,16", "512,16", "wide"])
def test_registers_that_no_processor_has_are_refused(value, tmp_path):
    program = "from evorrn.kernels import machine\ntry: machine.registers()\nexcept Exception as error: print(repr(error))"
    done = run(program, tmp_path, EVORRN_VECTOR=value)
    message = done.stdout.strip()
    assert message.startswith("EvorrnError") and f"got {value!r}" in message
    assert all(f"{bits},{count}" in message for bits, count in ACCEPTED)


@pytest.mark.skipif(len(ACCEPTED) < 2 or not machine.compiling(), reason="nothing narrower to ask for")
def test_registers_asked_for_too_late_are_refused(tmp_path):
    bits, count = ACCEPTED[-1]
    program = (
        "import numba\nnumba.njit(lambda x: x)(1)\nfrom evorrn.kernels import machine\nmachine.registers()"
    )
    done = run(program, tmp_path, EVORRN_VECTOR=f"{bits},{count}")
    assert done.returncode == 1 and "before evorrn was imported" in done.stderr
