"""Puts the graph of a cell into that of a network."""

from __future__ import annotations

from collections.abc import Mapping

from evorrn.compile.graph import Builder, Graph
from evorrn.compile.op import Shape, renamed
from evorrn.compile.ops import LEAVES

OUTPUT = "y"
"""Name of the output of the network, and of the leaf that holds the previous output."""


def renamed_shape(shape: Shape, names: Mapping[str, str]) -> Shape:
    """Return a shape with other names of dimensions."""
    return tuple(renamed(dimension, names) for dimension in shape)


def inline(
    builder: Builder,
    graph: Graph,
    absent: set[int],
    prefix: str,
    renaming: tuple[Mapping[str, str], Mapping[str, int]],
    signal: int,
) -> tuple[dict[str, int], dict[str, int]]:
    """Add the graph of a cell, without the nodes in `absent`, to that of the network.

    Parameters
    ----------
    builder : Builder
        Builder of the graph of the network.
    graph : Graph
        Graph of the cell.
    absent : set of int
        Nodes of the cell that are left out, see `bias_nodes`.
    prefix : str
        Put before the names of states, parameters and options, for instance ``"layer0."``.
    renaming : tuple of mapping
        The network's dimension for each dimension of the cell; and for some states a node that is added to them.
    signal : int
        The node of the input of the layer.

    Returns
    -------
    outputs, named : dict of str to int
        The nodes of the new states, and of the names that equations assign to, by name with prefix.
    """
    rename, shifts = renaming
    new: list[int] = []
    for index, node in enumerate(graph.nodes):
        left = [new[operand] for operand in node.operands if operand not in absent]
        if index in absent:
            new.append(-1)
        elif len(left) < len(node.operands):  # a sum without its bias is the other operand
            new.append(left[0])
        elif node.op == "input" and node.name == "x":
            new.append(signal)
        elif node.op in LEAVES and node.op != "constant":
            name = node.name if node.op == "input" and node.name == OUTPUT else prefix + node.name
            leaf = builder.leaf(node.op, name, renamed_shape(node.shape, rename))
            shifted = node.op == "input" and node.name in shifts
            new.append(builder.apply("add", leaf, shifts[node.name]) if shifted else leaf)
        else:
            new.append(builder.again(node, left))
    named = {prefix + name: new[index] for name, index in graph.named.items() if index not in absent}
    return {prefix + name: new[index] for name, index in graph.outputs.items()}, named
