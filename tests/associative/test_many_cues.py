"""Recall of many cues at once, by groups of units and shared sums, against NumPy unit by unit."""

import numpy as np
import pytest

import evorrn
from evorrn.associative import Hopfield, signed
from evorrn.kernels.memory import room
from evorrn.kernels.threads import get_threads


def drawn(seed, units):
    """Return weights of whole numbers and thresholds of halves, whose sums have no rounding and often are zero."""
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.integers(-3, 4, (units, units)), 1).astype(float)
    memory = Hopfield(units, thresholds=rng.integers(-6, 7, units) / 2)
    return memory.unpack(weights[np.triu_indices(units, 1)]), weights + weights.T, rng


def unit_by_unit(weights, thresholds, cues, orders):
    states, sweeps = cues.copy(), np.full(len(cues), len(orders))
    for sweep, order in enumerate(orders):
        before = states.copy()
        for unit in order:
            fields = states @ weights[unit] - thresholds[unit]
            states[:, unit] = np.where(fields == 0, states[:, unit], np.sign(fields))
        still = (states == before).all(axis=1)
        sweeps[still & (sweeps == len(orders))] = sweep
        if still.all():
            break
    return states, sweeps


@pytest.mark.parametrize(
    "units, count",
    [
        (1, 3),
        (63, 130),
        (64, 70),
        (65, 1),
        (130, 300),
        (255, 65),
        (258, 64),
        (301, 63),
        (403, 157),
        (641, 129),
    ],
)
@pytest.mark.parametrize("order", ["fixed", "asynchronous"])
def test_recall_is_that_of_numpy(units, count, order):
    seed = 7 * units + count
    memory, weights, rng = drawn(seed, units)
    cues = rng.choice([-1.0, 1.0], (count, units))
    orders = np.tile(np.arange(units), (8, 1))
    orders = np.concatenate(
        [
            orders if order == "fixed" else drawing.permuted(orders, axis=1)
            for drawing in [np.random.default_rng(seed)]
            for _ in range(8)
        ]
    )
    wanted, sweeps = unit_by_unit(weights, memory.thresholds, cues, orders)
    before = get_threads()
    try:
        for threads in (1, 2):
            evorrn.set_threads(threads)
            found = memory.recall(cues, order=order, seed=seed, sweeps=64)
            assert np.array_equal(found.states, wanted)
            assert np.array_equal(found.sweeps, sweeps) and found.converged.all()
    finally:
        evorrn.set_threads(before)


@pytest.mark.skipif(not signed.VECTORS, reason="needs vector kernels")
@pytest.mark.parametrize(
    "units, first, last", [(5, 0, 2), (256, 3, 70), (257, 0, 64), (259, 1, 80), (514, 10, 200)]
)
def test_sums_of_inputs_are_those_of_numpy(units, first, last):
    rng = np.random.default_rng(units)
    lanes = -(-units // 8) * 8
    weights, fields = room((units, lanes), np.dtype(float)), room((last + 5, lanes), np.dtype(float))
    weights[:, :units], weights[:, units:] = rng.normal(size=(units, units)), 0.0
    fields[...] = 7.0
    states, thresholds = rng.choice([-1.0, 1.0], (last + 5, units)), rng.normal(size=units)
    signed.sums_of_inputs(first, last, states, weights, thresholds, fields)
    wanted = states @ weights[:, :units] - thresholds
    np.testing.assert_allclose(fields[first:last, :units], wanted[first:last], rtol=0, atol=1e-12 * units)
    assert (fields[first:last, units:] == 0).all()
    assert (fields[:first] == 7).all() and (fields[last:] == 7).all()


@pytest.mark.parametrize("units, count", [(5, 3), (70, 20), (300, 70)])
def test_cues_in_any_order_of_memory(units, count):
    """The transpose of patterns that stand in columns, for instance."""
    memory, _, rng = drawn(5, units)
    cues = rng.choice([-1.0, 1.0], (count, units))
    wanted, got = memory.recall(cues), memory.recall(np.asfortranarray(cues))
    np.testing.assert_array_equal(got.states, wanted.states)
    np.testing.assert_array_equal(got.sweeps, wanted.sweeps)
