"""The graph of one time step as ONNX nodes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.compile.graph import Graph
from evorrn.compile.ops import LEAVES
from evorrn.engine.model import Form
from evorrn.exchange.onnx.expressions import EXPRESSIONS, Value, with_batch
from evorrn.exchange.onnx.writer import Writer


def check_operations(form: Form) -> None:
    """Raise ConfigError naming every operation of a network's time step that has no ONNX form."""
    graph = form.step.graph
    used = {graph.nodes[index].op for index in varying(graph)} - LEAVES
    missing = sorted(used - set(EXPRESSIONS))
    if missing:
        raise ConfigError(f"to_onnx: cell {form.cell}: no ONNX form of the operation {', '.join(missing)}")


def write_step(
    w: Writer, form: Form, values: Mapping[str, np.ndarray], inputs: Mapping[str, str]
) -> dict[str, str]:
    """Write the nodes of a time step; what depends on no input is computed here, in float64.

    Parameters
    ----------
    w : Writer
    form : Form
    values : mapping of str to ndarray
        The weights and the numeric options of the cells by their names in the time step.
    inputs : mapping of str to str
        The names of the input ``x`` (B, I), the old states (B, H) and the previous output (B, O).

    Returns
    -------
    dict of str to str
        The names of the results of the graph.
    """
    graph, changing = form.step.graph, varying(form.step.graph)
    w.batch = w.apply("Shape", inputs["x"], start=0, end=1)
    blank = {node.name: np.zeros(w.shape(node.shape)) for node in graph.nodes if node.op == "input"}
    with np.errstate(all="ignore"):
        arrays = graph.run({**values, **blank})
    found: dict[int, Value] = {}
    for index in graph.reachable(graph.outputs.values()):
        node = graph.nodes[index]
        if index not in changing:
            found[index] = Value(node.shape, array=np.asarray(arrays[index]))
        elif node.op in LEAVES:
            found[index] = Value(node.shape, inputs[node.name])
        else:
            operands = [found.get(operand, Value(graph.nodes[operand].shape)) for operand in node.operands]
            found[index] = Value(node.shape, EXPRESSIONS[node.op](w, node, *operands))
    return {name: with_batch(w, found[index]) for name, index in graph.outputs.items()}


def varying(graph: Graph) -> set[int]:
    """Return the nodes that results need and that depend on an input."""
    found: set[int] = set()
    for index in graph.reachable(graph.outputs.values()):
        node = graph.nodes[index]
        if node.op == "input" or found.intersection(node.reads):
            found.add(index)
    return found
