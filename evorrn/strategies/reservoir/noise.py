"""Noise of the states of a reservoir: numbers that depend on a key, a sequence, a layer and a time step alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.engine.pooling import samples
from evorrn.strategies.reservoir.units import run, sparse_rows, start_of, units_of

if TYPE_CHECKING:
    from evorrn.training.problem import Problem

PER_COUNT = 4
"""Words of 64 bits that the generator gives for each value of its counter."""


def normal(key: int, stream: int, first: int, steps: int, units: int) -> np.ndarray:
    """Return standard normal numbers (steps, units) of the time steps from `first` on.

    Each number depends on key, stream, time step and unit alone, and not on what was drawn before: the counter of the
    generator is the time step.

    Source: the generator is Philox (Salmon, Moraes, Dror and Shaw 2011); the numbers are those of Box and Muller 1958.
    """
    counts = -(-units // PER_COUNT)
    bits = np.random.Philox(key=[key, stream])
    bits.advance(first * counts)
    words = bits.random_raw(steps * counts * PER_COUNT).reshape(steps, counts * PER_COUNT // 2, 2)
    uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius, angle = np.sqrt(-2 * np.log(uniform[..., 0])), 2 * np.pi * uniform[..., 1]
    both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return np.asarray(both.reshape(steps, counts * PER_COUNT)[:, :units])


def noisy_states(problem: Problem, genome: np.ndarray, deviation: float, key: int) -> np.ndarray:
    """Return the units that the readout sees on training data, shape (B, T, R), with noise added to every unit's sum.

    Parameters
    ----------
    problem : Problem
        Its network has passed `check_units`. A network with feedback is given the true outputs.
    genome : ndarray, shape (n,)
    deviation : float
        Standard deviation of the noise, which is added to the sum of a unit's weighted inputs.
    key : int
        Of the noise.
    """
    network, batch = problem.network, problem.batch("train")
    assert batch.lengths is not None
    previous = problem.previous_targets() if network.feedback else None
    states = np.zeros((batch.size, batch.steps, network.readout_width))
    layers = [units_of(network, genome, layer) for layer in range(len(network.hidden))]
    links = [sparse_rows(units.recurrent) for units in layers]
    for row, length in enumerate(batch.lengths):
        signal = np.asarray(batch.inputs[row, :length], np.float64)
        if previous is not None:
            signal = np.hstack([signal, previous[row, :length]])
        seen = []
        for layer, units in enumerate(layers):
            with one_thread():
                drive = signal @ units.inputs.T
            drive += deviation * normal(key, row * len(layers) + layer, 0, int(length), drive.shape[1])
            signal = np.empty_like(drive)
            run(drive, links[layer], *start_of(units), units.step, signal)
            seen.append(signal)
        read = seen if network.reads == "all" else seen[-1:]
        states[row, :length] = read_of(network.readout, np.hstack(read))
    problem.charge(network.forward_work(batch, genome))
    problem.meter.steps_forward += batch.moved_steps
    problem.meter.evaluations += 1
    return states


def read_of(way: str, states: np.ndarray) -> np.ndarray:
    """Return what a readout sees of the states (T, R) of one sequence: the same, or one vector (K,) for all of it."""
    if way in ("mean", "max"):
        return np.asarray(getattr(states, way)(axis=0))
    if way.startswith("sampled:"):
        count, steps = samples(way), len(states)
        return np.concatenate([states[-(-k * steps // count) - 1] for k in range(1, count + 1)])
    return states[-1] if way == "last" else states
