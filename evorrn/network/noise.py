"""The noise of cells: standard normal numbers that follow from a seed, the sequence and the time step alone."""

from __future__ import annotations

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.settings import check_seed
from evorrn.compile.op import count_of
from evorrn.data.batch import Batch
from evorrn.engine.inputs import Sequences
from evorrn.network.architecture import Architecture


def width(network: Architecture) -> int:
    """Return how many numbers of noise the cells of a network take at a time step."""
    names = [f"layer{layer}.{name}" for layer, cell in enumerate(network.cells) for name in cell.noise]
    return sum(count_of(network.step.fixed[name], network.sizes) for name in names)


def numbers(seed: int, sequences: int, steps: int, width: int) -> np.ndarray:
    """Return standard normal numbers, shape (B, T, N), float64.

    Those of a sequence depend on the seed and on its place in the batch, and do not change when there are more
    sequences or time steps. The generator is NumPy's Philox with the seed as key, and with a counter for each sequence.
    """
    drawn = np.empty((sequences, steps, width))
    for sequence in range(sequences):
        bits = np.random.Philox(key=check_seed(seed), counter=[0, 0, sequence, 0])
        np.random.Generator(bits).standard_normal(out=drawn[sequence])
    return drawn


def beside(network: Architecture, inputs: np.ndarray, seed: int) -> np.ndarray:
    """Return inputs (B, T, I) with the noise of a seed behind them, shape (B, T, I + N).

    Raises
    ------
    ConfigError
        When the cell of the network has no noise.
    """
    if not any(cell.noise for cell in network.cells):
        raise ConfigError(f"noise: expected none, since the cell {network.cell_name} declares no noise")
    sequences, steps, _ = inputs.shape
    drawn = numbers(seed, sequences, steps, width(network))
    return np.concatenate([inputs, drawn], axis=2)


def with_noise(network: Architecture, shown: Sequences, seed: int | None) -> Sequences:
    """Return sequences with noise behind their inputs, or as they are without a seed."""
    return shown if seed is None else shown._replace(x=beside(network, shown.x, seed))


def noisy_batch(network: Architecture, batch: Batch, seed: int) -> Batch:
    """Return a batch with noise behind its inputs."""
    inputs = beside(network, batch.inputs, seed)
    mask = None if batch.whole else batch.scored
    return Batch(inputs, batch.targets, mask, batch.lengths, batch.target_lengths, batch.links)
