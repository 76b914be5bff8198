"""The graph of one time step: immutable nodes in topological order, with shapes in symbolic dimensions.

A node is a leaf or an operation on earlier nodes. A shape is a tuple of dimensions, see `evorrn.compile.op`: ``()``
for one number of all sequences, ``("1",)`` for a number of each, ``("H",)`` for a vector, ``("H", "I")`` for a matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from evorrn.base.errors import CellError
from evorrn.compile.op import size_of
from evorrn.compile.ops import LEAVES, OPS, Shape


@dataclass(frozen=True)
class Node:
    """An operation, or a leaf: ``input``, ``parameter``, ``fixed``, ``option`` or ``constant``.

    Attributes
    ----------
    op : str
        Key of `evorrn.compile.ops.OPS`, or the kind of the leaf.
    operands : tuple of int
        Indices of earlier nodes.
    shape : tuple of str
    name : str
        Name of a leaf that is no constant; empty for others.
    value : float
        Value of a constant; 0 for others.
    form : str
        Which entries an operation means, see `evorrn.compile.op.Op.formed`.
    """

    op: str
    operands: tuple[int, ...]
    shape: Shape
    name: str = ""
    value: float = 0.0
    form: str = ""

    @property
    def reads(self) -> tuple[int, ...]:
        """The operands whose values are read."""
        return self.operands[:-1] if self.op not in LEAVES and OPS[self.op].like else self.operands


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order, and names of those that are results.

    Attributes
    ----------
    nodes : tuple of Node
    outputs : mapping of str to int
        ``{name of a result: index of its node}``.
    named : mapping of str to int
        ``{name that an equation assigns to: index of its node}``; nothing is computed for these.
    """

    nodes: tuple[Node, ...]
    outputs: Mapping[str, int]
    named: Mapping[str, int] = field(default_factory=dict)

    def leaves(self, kind: str) -> dict[str, int]:
        """Return ``{name: index}`` of all leaves of one kind."""
        return {node.name: index for index, node in enumerate(self.nodes) if node.op == kind}

    def reachable(
        self, wanted: Iterable[int], available: Iterable[int] = (), shapes: bool = False
    ) -> list[int]:
        """Return the indices of the nodes needed to compute `wanted` from `available` and leaves, in order.

        With `shapes`, nodes of which only the shape is needed are among them.
        """
        known = set(available)
        needed: set[int] = set()
        stack = [index for index in wanted if index not in known]
        while stack:
            index = stack.pop()
            if index not in needed:
                needed.add(index)
                node = self.nodes[index]
                stack.extend(i for i in (node.operands if shapes else node.reads) if i not in known)
        return sorted(needed)

    def check_slices(self, sizes: Mapping[str, int]) -> None:
        """Raise CellError when a slice goes beyond the end of a dimension, from the sizes of names."""
        for node in self.nodes:
            if node.op == "slice":
                axis, first, end, _ = (int(part) for part in node.form.split(":"))
                dimension = self.nodes[node.operands[0]].shape[axis]
                size, name = size_of(dimension, sizes), dimension.rstrip("0123456789") or dimension
                if end > size:
                    wanted = f"entry {first}" if end == first + 1 else f"entries {first} to {end - 1}"
                    raise CellError(
                        f"the equations take {wanted} of {name}, which has {size}, counted from 0"
                    )

    def cost(self, sizes: Mapping[str, int], indices: Iterable[int] | None = None) -> int:
        """Return the multiply-adds needed to compute the nodes with the given indices once, by default all."""
        chosen = range(len(self.nodes)) if indices is None else indices
        total = 0
        for index in chosen:
            node = self.nodes[index]
            if node.op not in LEAVES:
                shapes = [self.nodes[operand].shape for operand in node.operands]
                total += OPS[node.op].cost(node.shape, shapes, node.form, sizes)
        return total

    def evaluate(self, values: Mapping[str, np.ndarray | float]) -> dict[str, np.ndarray]:
        """Return the results of the graph, computed with NumPy for one sequence.

        Parameters
        ----------
        values : mapping
            The value of every input, parameter and option, by name.

        Returns
        -------
        dict of str to ndarray
            The value of each output, by name.
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
                results.append(
                    OPS[node.op].compute(node.form, *[results[operand] for operand in node.operands])
                )
        return results


class Builder:
    """Builds a graph node by node. A node that equals an earlier one is not added again.

    Parameters
    ----------
    graph : Graph, optional
        The builder starts with its nodes.
    """

    def __init__(self, graph: Graph | None = None) -> None:
        self.nodes: list[Node] = list(graph.nodes) if graph else []
        self._index = {node: index for index, node in enumerate(self.nodes)}
        self._varies: dict[int, bool] = {}

    def leaf(self, kind: str, name: str, shape: Shape) -> int:
        """Return the index of the node of an input, parameter or option."""
        return self._add(Node(kind, (), shape, name))

    def constant(self, value: float) -> int:
        """Return the index of the node of a number."""
        return self._add(Node("constant", (), (), value=float(value)))

    def apply(self, op: str, *operands: int, form: str = "") -> int:
        """Return the index of the node of an operation; raise ValueError when shapes of operands do not fit."""
        shape = OPS[op].result(form, *[self.nodes[operand].shape for operand in operands])
        return self._add(Node(op, tuple(operands), shape, form=form))

    def again(self, node: Node, operands: Iterable[int]) -> int:
        """Return the index of the node that does what a node of another graph does, on other operands."""
        if node.op == "constant":
            return self.constant(node.value)
        if node.op in LEAVES:
            return self.leaf(node.op, node.name, node.shape)
        return self.apply(node.op, *operands, form=node.form)

    def shape(self, index: int) -> Shape:
        """Return the shape of a node."""
        return self.nodes[index].shape

    def varies(self, index: int) -> bool:
        """Return whether a node depends on an input, and so differs between sequences and time steps."""
        if index not in self._varies:
            node = self.nodes[index]
            self._varies[index] = node.op == "input" or any(self.varies(operand) for operand in node.reads)
        return self._varies[index]

    def graph(self, outputs: Mapping[str, int], named: Mapping[str, int] | None = None) -> Graph:
        """Return the graph of all nodes so far, with the given results and names."""
        return Graph(tuple(self.nodes), dict(outputs), dict(named or {}))

    def _add(self, node: Node) -> int:
        if node not in self._index:
            self._index[node] = len(self.nodes)
            self.nodes.append(node)
        return self._index[node]
