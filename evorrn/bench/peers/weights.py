"""Networks of ours as peers take them: gates stacked, in PyTorch's order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from evorrn.network.network import Network

Weights = dict[str, np.ndarray]

NAMES = {
    "input": "rnn.weight_ih_l0",
    "recurrent": "rnn.weight_hh_l0",
    "bias": "rnn.bias_ih_l0",
    "recurrent_bias": "rnn.bias_hh_l0",
    "readout": "readout.weight",
    "readout_bias": "readout.bias",
}
"""Our word for each block, and PyTorch's. G gates: input (G H, I), recurrent (G H, H), biases (G H,)."""


def weights_of(network: Network, genome: np.ndarray) -> Weights:
    """Return the weights of a genome (n,), or a gradient, by our words for the blocks."""
    given = network.to_torch(genome)
    return {name: given[theirs] for name, theirs in NAMES.items()}


def stacked(network: Network, genomes: np.ndarray) -> Weights:
    """Return the weights of genomes (P, n), each block with a leading axis of P."""
    single = [weights_of(network, genome) for genome in genomes]
    return {name: np.stack([weights[name] for weights in single]) for name in NAMES}


def compared(loss: float, gradient: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return a loss and a gradient in the form in which sides are compared.

    The recurrent bias is left out: of the two biases ours has but one where they are interchangeable.
    """
    parts = [np.asarray(gradient[name]).ravel() for name in NAMES if name != "recurrent_bias"]
    return np.array([loss]), np.concatenate(parts)
