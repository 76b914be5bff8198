"""Compiled steps with directions against the same steps in NumPy, for cells with and without a program."""

import numpy as np
import pytest
from numba import njit

import evorrn
from evorrn.diagnostics import lyapunov, lyapunov_spectrum
from evorrn.diagnostics import pushed as pushed_steps
from evorrn.diagnostics.dynamics import Dynamics
from evorrn.kernels import machine
from evorrn.kernels.many_vectors import dense_lanes, sparse_lanes
from evorrn.kernels.memory import aligned
from evorrn.kernels.threads import get_threads

CELLS = [
    "elman",
    "leaky",
    "gru",
    "gru-reset-before",
    "indrnn",
    "lstm-peephole",
    "ctrnn",
    "es2n",
    "lif",
]


def drawn(cell, hidden, density, seed=0):
    """Return a network, a genome whose recurrent matrices have a density, and states and directions."""
    rng = np.random.default_rng(seed)
    network = evorrn.Network(2, 2, cell=cell, hidden=hidden, dtype="float64")
    blocks = network.unpack(network.init(seed=seed))
    for name, block in blocks.items():
        if block.ndim == 2 and "W_h" in name:
            block *= (rng.random(block.shape) < density) / np.sqrt(density)
    return network, network.pack(blocks)


@pytest.mark.parametrize(
    ("cell", "hidden", "density", "count", "steps"),
    [
        ("elman", (70,), 0.1, 5, 6),
        pytest.param("gru-reset-before", (6,), 1.0, 22, 3, marks=pytest.mark.thorough),
        *(pytest.param(cell, (9, 4), 0.2, 1, 5, marks=pytest.mark.thorough) for cell in CELLS),
        pytest.param("elman", (1,), 1.0, 1, 1, marks=pytest.mark.thorough),
    ],
)
def test_compiled_steps_are_those_of_numpy(cell, hidden, density, count, steps):
    rng = np.random.default_rng(1)
    network, genome = drawn(cell, hidden, density)
    dynamics = Dynamics(network, genome)
    pushed = dynamics.pushed(count)
    assert pushed is not None
    for _ in range(2):  # a second call begins with what the first one left
        state, directions = rng.normal(size=(3, dynamics.size)), rng.normal(size=(3, count, dynamics.size))
        x = rng.normal(size=(3, steps, 2))
        wanted = dynamics.carry(state, x, directions)
        found = dynamics.carry(state, x, directions, pushed)
        for ours, theirs in zip(found, wanted):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("cell", "hidden", "count"), [("elman", (70,), 20), ("gru-reset-before", (6,), 11)])
def test_bits_do_not_depend_on_how_many_threads_share_the_directions(cell, hidden, count, monkeypatch):
    monkeypatch.setattr(pushed_steps, "SHARED", 0)
    network, genome = drawn(cell, hidden, 0.1 if cell == "elman" else 1.0)
    dynamics, rng = Dynamics(network, genome), np.random.default_rng(2)
    state, directions = rng.normal(size=(1, dynamics.size)), rng.normal(size=(1, count, dynamics.size))
    x, found, before = rng.normal(size=(1, 4, 2)), set(), get_threads()
    for threads in (1, 2, 3, 7):
        evorrn.set_threads(threads)
        pushed = dynamics.pushed(count)
        assert pushed is not None
        found.add(tuple(array.tobytes() for array in dynamics.carry(state, x, directions, pushed)))
    evorrn.set_threads(before)
    assert len(found) == 1
    np.testing.assert_allclose(
        np.frombuffer(found.pop()[1]).reshape(directions.shape),
        dynamics.carry(state, x, directions)[1],
        rtol=1e-10,
        atol=1e-12,
    )


def test_a_step_that_has_no_program_runs_in_numpy(monkeypatch):
    network, genome = drawn("clockwork", (8,), 1.0)
    assert Dynamics(network, genome).pushed(3) is None
    network, genome = drawn("elman", (5,), 1.0)
    assert Dynamics(network, genome, closed=True).pushed(3) is None
    monkeypatch.setenv("EVORRN_SIMD", "0")
    assert Dynamics(network, genome).pushed(3) is None


@pytest.mark.thorough
@pytest.mark.parametrize("density", [0.1, 1.0])
def test_exponents_of_compiled_steps_are_those_of_numpy(density, monkeypatch):
    network, genome = drawn("leaky", (40,), density, seed=3)
    x, found = np.random.default_rng(0).normal(size=(2, 90, 2)), []
    for least in (np.inf, 0.0):
        monkeypatch.setattr(lyapunov, "COMPILED", least)
        found.append(lyapunov_spectrum(network, genome, x, 7))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("rows", "depth"), [(1, 1), (17, 9), (40, 33)])
def test_products_with_many_vectors_are_those_of_numpy(rows, depth):
    @njit
    def both(dense, sparse, matrix, starts, columns, values, source):
        dense_lanes(dense, matrix, source)
        sparse_lanes(sparse, starts, columns, values, source)

    rng = np.random.default_rng(rows)
    matrix = rng.normal(size=(rows, depth)) * (rng.random((rows, depth)) < 0.4)
    entries = matrix != 0
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(entries, axis=1))])
    for registers in (1, 2, 3, 4, 5, 7):
        lanes = registers * machine.lanes(np.float64)
        source, dense, sparse = aligned(depth, lanes), aligned(rows, lanes), aligned(rows, lanes)
        assert source.ctypes.data % 64 == 0
        source[...] = rng.normal(size=source.shape)
        both(
            dense,
            sparse,
            matrix,
            starts,
            np.ascontiguousarray(np.nonzero(entries)[1]),
            matrix[entries],
            source,
        )
        np.testing.assert_allclose(dense, matrix @ source, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(sparse, matrix @ source, rtol=1e-12, atol=1e-12)
