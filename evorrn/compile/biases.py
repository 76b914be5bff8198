"""Which nodes of a cell vanish in a network without biases."""

from __future__ import annotations

from evorrn.compile.graph import Graph


def bias_nodes(graph: Graph) -> set[int]:
    """Return the nodes that are zero without biases: the vector parameters that are only added, and sums of these."""
    nodes = graph.nodes
    biases = {k for k, node in enumerate(nodes) if node.op == "parameter" and len(node.shape) == 1}
    while True:
        zero = set(biases)
        needed = set()
        for index, node in enumerate(nodes):
            absent = [operand for operand in node.operands if operand in zero]
            if node.op == "add" and len(absent) == 2:
                zero.add(index)
            elif absent:
                others = [operand for operand in node.operands if operand not in zero]
                if node.op != "add" or nodes[others[0]].shape != node.shape:
                    needed.update(absent)
        needed.update(zero.intersection(graph.outputs.values()))
        if not needed:
            return zero
        biases.difference_update(graph.reachable(needed))
