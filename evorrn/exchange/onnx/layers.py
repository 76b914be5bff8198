"""Stacked layers as ONNX's own nodes RNN, LSTM and GRU under a readout, for the cells that these nodes compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.cells.elman import elman
from evorrn.cells.gru import gru, gru_reset_before
from evorrn.cells.lstm import lstm
from evorrn.compile.cell import Cell
from evorrn.engine.model import Form
from evorrn.exchange.onnx.writer import Writer

Layers = Sequence[tuple[Cell, Mapping[str, str]]]
"""The cell of each layer, with its activation options."""


@dataclass(frozen=True)
class Node:
    """An ONNX node that computes a cell.

    Attributes
    ----------
    op : str
    gates : str
        Their letters in the order of ONNX, which the names of the cell's parameters end with.
    input, recurrent : str
        The beginnings of these names.
    biases : tuple of tuple of str
        The biases beside the input matrices and those beside the recurrent ones, by gate; empty where there is none.
    reset_after : bool
        Of a GRU whether the reset gate acts after the product.
    """

    op: str
    gates: str
    input: str
    recurrent: str
    biases: tuple[tuple[str, ...], tuple[str, ...]]
    reset_after: bool = False


NODES: dict[Cell, Node] = {
    elman: Node("RNN", "", "W_x", "W_h", (("b",), ("",))),
    lstm: Node("LSTM", "iofg", "W_", "U_", (("b_i", "b_o", "b_f", "b_g"), ("",) * 4)),
    gru: Node("GRU", "zrn", "W_", "U_", (("b_z", "b_r", "b_n"), ("", "", "c_n")), reset_after=True),
    gru_reset_before: Node("GRU", "zrn", "W_", "U_", (("b_z", "b_r", "b_n"), ("",) * 3)),
}
ACTIVATIONS = {"tanh": "Tanh", "relu": "Relu", "sigmoid": "Sigmoid", "leaky_relu": "LeakyRelu", "elu": "Elu"}
"""The activations of an RNN node, by those of `elman`."""


def fits(form: Form, layers: Layers) -> bool:
    """Return whether nodes of ONNX compute a network; runtimes have these nodes in float32 alone.

    They know nothing of first states that are learned, which are blocks of the genome.
    """
    known = all(
        cell in NODES and all(name in ACTIVATIONS for name in activations.values())
        for cell, activations in layers
    )
    learned = any(block.parameter.startswith("start.") for block in form.step.blocks)
    plain = not form.step.feeds_back and not learned and form.sizes["I"] > 0
    return known and plain and form.dtype == np.float32


def write_layers(
    w: Writer,
    form: Form,
    layers: Layers,
    values: Mapping[str, np.ndarray],
    x: str,
    lengths: str,
    states: Mapping[str, str],
) -> tuple[str, dict[str, str]]:
    """Write the layers and the readout of a network.

    Parameters
    ----------
    w : Writer
    form : Form
        One that `fits`.
    layers : sequence of (Cell, mapping)
    values : mapping of str to ndarray
        The blocks of the genome.
    x : str
        Inputs (B, T, I).
    lengths : str
        Lengths (B,), int32.
    states : mapping of str to str
        First states (B, H) by name.

    Returns
    -------
    outputs : str
        Outputs (B, T, O); beyond the length of a sequence they mean nothing.
    last : dict of str to str
        The states (B, H) after the last step of each sequence.
    """
    first = signal = w.apply("Transpose", x, perm=[1, 0, 2])
    seen: list[str] = []
    last: dict[str, str] = {}
    for layer, (cell, activations) in enumerate(layers):
        prefix = f"layer{layer}."
        own = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
        names = [prefix + state for state in cell.state]
        given = [states[name] for name in names]
        signal, after = _write_layer(w, NODES[cell], activations, own, signal, lengths, given)
        seen.append(signal)
        last.update(zip(names, after))
    wide = values["readout.W"].shape[1] > form.units[-1]
    total = _product(w, values["readout.W"], w.apply("Concat", *seen, axis=2) if wide else signal)
    if "readout.W_x" in values:
        total = w.apply("Add", total, _product(w, values["readout.W_x"], first))
    if "readout.b" in values:
        total = w.apply("Add", total, w.number(values["readout.b"], "weights"))
    return w.apply("Transpose", total, perm=[1, 0, 2]), last


def _write_layer(
    w: Writer,
    node: Node,
    activations: Mapping[str, str],
    weights: Mapping[str, np.ndarray],
    x: str,
    lengths: str,
    states: Sequence[str],
) -> tuple[str, list[str]]:
    """Write the node of a layer; return the outputs (T, B, H) and the last states (B, H)."""
    gates = node.gates or [""]
    matrices = [[weights[kind + gate] for gate in gates] for kind in (node.input, node.recurrent)]
    units = len(matrices[0][0])
    biases = [weights.get(name, np.zeros(units)) for names in node.biases for name in names]
    arrays = [*(np.concatenate(stacked) for stacked in matrices), np.concatenate(biases)]
    attributes: dict[str, Any] = {"linear_before_reset": 1} if node.reset_after else {}
    if activations:
        attributes["activations"] = [ACTIVATIONS[name] for name in activations.values()]
    given = [w.number(array[None], "weights") for array in arrays]
    first = [w.apply("Unsqueeze", state, w.integers(0)) for state in states]
    names = (w.fresh("outputs"), *(w.fresh("last") for _ in states))
    outputs, *last = w.apply_many(
        node.op, x, *given, lengths, *first, names=names, hidden_size=units, **attributes
    )
    squeezed = [w.apply("Squeeze", state, w.integers(0)) for state in last]
    return w.apply("Squeeze", outputs, w.integers(1)), squeezed


def _product(w: Writer, matrix: np.ndarray, vectors: str) -> str:
    return w.apply("MatMul", vectors, w.number(matrix.T, "weights"))
