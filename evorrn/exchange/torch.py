"""Weights under PyTorch's names, for cells that PyTorch has.

Both conversions are linear, so they also convert gradients. PyTorch has two biases where one has the same
effect: `to_torch` writes the sum to ``bias_ih`` and zero to ``bias_hh``; `from_torch` adds them. A network without
biases has the names of PyTorch's modules with ``bias=False``; a bias is then an unknown weight. The backward pass of a
bidirectional layer has the names that end with ``_reverse``, and a table of symbols is ``embedding.weight``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError, ShapeError, unknown
from evorrn.compile.blocks import Block
from evorrn.compile.cell import Cell

PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
SUFFIXES = {"backward": "_reverse"}
"""The ends of PyTorch's names, by the pass of a bidirectional layer."""
SINGLE = {"embedding.W": "embedding.weight", "readout.W": "readout.weight", "readout.b": "readout.bias"}
"""PyTorch's names of blocks that are a weight of their own."""


def to_torch(cell: Cell, layout: Sequence[Block], weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return weights as ``{"rnn.weight_ih_l0": (G H, I), ...}`` with the gates stacked.

    Parameters
    ----------
    cell : Cell
    layout : sequence of Block
        The blocks of the network.
    weights : mapping of str to ndarray
        The value of each block by its name; a genome's or a gradient's.

    Raises
    ------
    ConfigError
        When PyTorch has no such cell, or no such connection.
    """
    _check(cell, layout)
    result = {}
    for suffix, own in _passes(layout).items():
        units = len(weights[next(iter(own.values()))])
        for part, names in _parts(cell, layout):
            absent = np.zeros(units, weights["readout.W"].dtype)
            stacked = [absent if name == "0" else weights[own[name]] for name in names.split()]
            result[f"rnn.{part}_{suffix}"] = np.concatenate(stacked)
    given = {name: key for name, key in SINGLE.items() if name in weights}
    return result | {key: weights[name].copy() for name, key in given.items()}


def from_torch(
    cell: Cell, layout: Sequence[Block], shapes: Mapping[str, tuple[int, ...]], state_dict: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Return the blocks of a state dict; tensors or arrays.

    Parameters
    ----------
    cell : Cell
    layout : sequence of Block
        The blocks of the network.
    shapes : mapping of str to tuple of int
        The shape of each block by its name.
    state_dict : mapping of str to tensor or array

    Raises
    ------
    ConfigError
        When PyTorch has no such cell, or no such connection.
    ShapeError
        Listing every name that is missing, unknown or has another shape.
    """
    empty = {name: np.zeros(shape) for name, shape in shapes.items()}
    wanted = {name: array.shape for name, array in to_torch(cell, layout, empty).items()}
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
    for suffix, own in _passes(layout).items():
        parts = {part: given[f"rnn.{part}_{suffix}"] for part, _ in _parts(cell, layout)}
        if _biases(layout):
            parts["bias_ih"] = _one_bias(cell, parts["bias_ih"], parts["bias_hh"])
        for part, names in _parts(cell, layout):
            for name, gate in zip(names.split(), np.split(parts[part], len(names.split()))):
                if name != "0":
                    blocks[own[name]] = gate
    return blocks | {name: given[key] for name, key in SINGLE.items() if key in given}


def _one_bias(cell: Cell, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return ``bias_ih`` with ``bias_hh`` added for those gates that have one bias in the cell."""
    both = first.copy()
    names = cell.torch[3].split()
    for name, target, other in zip(names, np.split(both, len(names)), np.split(second, len(names))):
        if name == "0":
            target += other  # a view of `both`
    return both


def _passes(layout: Sequence[Block]) -> dict[str, dict[str, str]]:
    """Return the name of each block by its parameter, for each pass by the end of PyTorch's names, such as ``"l0_reverse"``."""
    found: dict[str, dict[str, str]] = {}
    for block in layout:
        if block.layer is not None:
            suffix = f"l{block.layer}{SUFFIXES.get(block.place.rpartition('.')[2], '')}"
            found.setdefault(suffix, {})[block.parameter] = block.name
    return found


def _biases(layout: Sequence[Block]) -> bool:
    return any(block.name == "readout.b" for block in layout)


def _parts(cell: Cell, layout: Sequence[Block]) -> list[tuple[str, str]]:
    """Return the names that PyTorch has for parts of a layer, each with the cell's names for it."""
    named = list(zip(PARTS, cell.torch))
    return named if _biases(layout) else named[:2]


def _check(cell: Cell, layout: Sequence[Block]) -> None:
    if not cell.torch:
        raise ConfigError(f"cell {cell.name}: PyTorch has no such cell; elman, lstm and gru it has")
    if any(block.name == "readout.W_x" or "I+O" in block.shape for block in layout):
        raise ConfigError("PyTorch's recurrent layers have no direct or feedback connections")
    if any(block.parameter.startswith("start.") for block in layout):
        raise ConfigError("learn_start: PyTorch's recurrent layers have no first states among their weights")


def _array(value: Any) -> np.ndarray:
    """Return a tensor or array as an array."""
    return np.array(value.detach().cpu().numpy() if hasattr(value, "detach") else value)
