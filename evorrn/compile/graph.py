"""The graph of one time step: frozen nodes in topological order, shapes in symbolic dimensions.

A node is an operation on earlier nodes or a leaf. Shapes are tuples of dimension names: ``()`` for a
scalar, ``("H",)`` for a vector, ``("H", "I")`` for a matrix; sizes are bound when a program runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from evorrn.compile.ops import LEAVES, OPS, Shape


@dataclass(frozen=True)
class Node:
    """One operation, or a leaf: ``input``, ``parameter``, ``option`` or ``constant``.

    Attributes
    ----------
    op : str
        Key of `OPS`, or the kind of leaf.
    operands : tuple of int
        Indices of earlier nodes.
    shape : tuple of str
    name : str
        Of inputs, parameters and options.
    value : float
        Of constants.
    """

    op: str
    operands: tuple[int, ...]
    shape: Shape
    name: str = ""
    value: float = 0.0


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order and the named results among them.

    Attributes
    ----------
    nodes : tuple of Node
    outputs : mapping of str to int
        Result names and node indices, in order.
    """

    nodes: tuple[Node, ...]
    outputs: Mapping[str, int]

    def leaves(self, kind: str) -> dict[str, int]:
        """Return ``{name: index}`` of all leaves of a kind."""
        return {node.name: index for index, node in enumerate(self.nodes) if node.op == kind}

    def reachable(self, wanted: Iterable[int], available: Iterable[int] = ()) -> list[int]:
        """Return, in order, the nodes needed for `wanted` when those in `available` are at hand."""
        known = set(available)
        needed: set[int] = set()
        stack = [index for index in wanted if index not in known]
        while stack:
            index = stack.pop()
            if index not in needed:
                needed.add(index)
                stack.extend(operand for operand in self.nodes[index].operands if operand not in known)
        return sorted(needed)

    def cost(self, sizes: Mapping[str, int], indices: Iterable[int] | None = None) -> int:
        """Return the multiply-adds of one evaluation, of all nodes or of some."""
        chosen = range(len(self.nodes)) if indices is None else indices
        total = 0
        for index in chosen:
            node = self.nodes[index]
            if node.op not in LEAVES:
                shapes = [self.nodes[operand].shape for operand in node.operands]
                total += OPS[node.op].work(node.shape, shapes, sizes)
        return total

    def evaluate(self, values: Mapping[str, np.ndarray | float]) -> dict[str, np.ndarray]:
        """Run the graph on NumPy arrays, one sequence at a time: the readable meaning of the graph.

        Parameters
        ----------
        values : mapping
            The value of every input, parameter and option, by name.
        """
        results = self.run(values)
        return {name: results[index] for name, index in self.outputs.items()}

    def run(self, values: Mapping[str, np.ndarray | float]) -> list[np.ndarray]:
        """Return the value of every node, see `evaluate`."""
        results: list[np.ndarray] = []
        for node in self.nodes:
            if node.op == "constant":
                results.append(np.asarray(node.value))
            elif node.op in LEAVES:
                results.append(np.asarray(values[node.name]))
            else:
                results.append(OPS[node.op].numpy(*[results[operand] for operand in node.operands]))
        return results


class Builder:
    """Adds nodes to a growing graph; equal nodes are made once."""

    def __init__(self, graph: Graph | None = None) -> None:
        self.nodes: list[Node] = list(graph.nodes) if graph else []
        self._index = {node: index for index, node in enumerate(self.nodes)}

    def leaf(self, kind: str, name: str, shape: Shape) -> int:
        """Return the node of an input, parameter or option."""
        return self._add(Node(kind, (), shape, name))

    def constant(self, value: float) -> int:
        """Return the node of a number."""
        return self._add(Node("constant", (), (), value=float(value)))

    def apply(self, op: str, *operands: int) -> int:
        """Return the node of an operation; raises ValueError with a reason when shapes do not fit."""
        shape = OPS[op].shape(*[self.nodes[operand].shape for operand in operands])
        return self._add(Node(op, tuple(operands), shape))

    def shape(self, index: int) -> Shape:
        """Return the shape of a node."""
        return self.nodes[index].shape

    def graph(self, outputs: Mapping[str, int]) -> Graph:
        """Return the graph built so far with named results."""
        return Graph(tuple(self.nodes), dict(outputs))

    def _add(self, node: Node) -> int:
        if node not in self._index:
            self._index[node] = len(self.nodes)
            self.nodes.append(node)
        return self._index[node]
