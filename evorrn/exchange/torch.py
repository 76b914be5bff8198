"""Weights under PyTorch's names, for cells that PyTorch has.

Both conversions are linear, so they also convert gradients. PyTorch has two biases where one has the same
effect: `to_torch` writes the sum to ``bias_ih`` and zero to ``bias_hh``; `from_torch` adds them. A network without
biases has the names of PyTorch's modules with ``bias=False``; a bias is then an unknown weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.base.errors import ConfigError, ShapeError, unknown

if TYPE_CHECKING:
    from evorrn.network.architecture import Architecture

PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def to_torch(network: Architecture, genome: np.ndarray) -> dict[str, np.ndarray]:
    """Return a genome (n,) as a state dict ``{"rnn.weight_ih_l0": (G H, I), ...}`` with the G gates stacked."""
    _check(network)
    blocks = network.unpack(genome)
    result = {}
    for layer, hidden in enumerate(network.hidden):
        for part, names in _parts(network):
            stacked = [
                np.zeros(hidden, blocks["readout.W"].dtype) if name == "0" else blocks[f"layer{layer}.{name}"]
                for name in names.split()
            ]
            result[f"rnn.{part}_l{layer}"] = np.concatenate(stacked)
    result["readout.weight"] = blocks["readout.W"].copy()
    if network.biases:
        result["readout.bias"] = blocks["readout.b"].copy()
    return result


def from_torch(network: Architecture, state_dict: Mapping[str, Any]) -> np.ndarray:
    """Return the genome (n,) of a state dict of tensors or arrays.

    Raises
    ------
    ConfigError
        When PyTorch has no such cell.
    ShapeError
        Listing every name that is missing, unknown or has another shape.
    """
    _check(network)
    wanted = {name: array.shape for name, array in to_torch(network, np.zeros(network.size)).items()}
    given = {name: _array(value) for name, value in state_dict.items()}
    problems = [unknown("weight", name, wanted) for name in given if name not in wanted]
    for name, shape in wanted.items():
        if name not in given:
            problems.append(f"{name}: expected shape {shape}, but it is missing")
        elif given[name].shape != shape:
            problems.append(f"{name}: expected shape {shape}, got {given[name].shape}")
    if problems:
        raise ShapeError("\n".join(problems))
    blocks: dict[str, np.ndarray] = {}
    for layer, hidden in enumerate(network.hidden):
        parts = {part: given[f"rnn.{part}_l{layer}"] for part, _ in _parts(network)}
        if network.biases:
            both_biases = parts["bias_ih"].copy()
            for position, name in enumerate(network.cell.torch[3].split()):
                if name == "0":  # the cell has one bias here: the sum of both
                    where = slice(position * hidden, (position + 1) * hidden)
                    both_biases[where] += parts["bias_hh"][where]
            parts["bias_ih"] = both_biases
        for part, names in _parts(network):
            for position, name in enumerate(names.split()):
                if name != "0":
                    blocks[f"layer{layer}.{name}"] = parts[part][position * hidden : (position + 1) * hidden]
    blocks["readout.W"] = given["readout.weight"]
    if network.biases:
        blocks["readout.b"] = given["readout.bias"]
    return network.pack(blocks).astype(network.dtype)


def _parts(network: Architecture) -> list[tuple[str, str]]:
    """Return PyTorch's names for the parts of a layer, each with the cell's names for it."""
    named = list(zip(PARTS, network.cell.torch))
    return named if network.biases else named[:2]


def _check(network: Architecture) -> None:
    """Raise ConfigError when PyTorch has no such network."""
    if not network.cell.torch:
        raise ConfigError(f"cell {network.cell.name}: PyTorch has no such cell (it has elman, lstm and gru)")
    if network.direct or network.feedback:
        raise ConfigError("PyTorch's recurrent layers have no direct or feedback connections")


def _array(value: Any) -> np.ndarray:
    """Return a tensor or array as an array."""
    return np.array(value.detach().cpu().numpy() if hasattr(value, "detach") else value)
