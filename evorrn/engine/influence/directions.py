"""The derivative of a time step along one direction: its graph without what is zero there, and its schedule."""

from __future__ import annotations

from dataclasses import replace

from evorrn.compile.graph import Graph, Node
from evorrn.compile.schedule import Schedule, schedule
from evorrn.engine.influence.outline import Outline
from evorrn.engine.lanes.backward import Derivative

LINEAR = ("multiply", "matvec_transposed", "negative", "identity")
"""Operations whose result is zero where an operand is."""


class Direction:
    """The derivative along one direction.

    Parameters
    ----------
    derivative : Derivative
    outline : Outline
    number : int

    Attributes
    ----------
    graph : Graph
        With the indices of the derivative's graph.
    number : int
    wanted : list of int
        The nodes that are read: slopes, and derivatives with respect to old states.
    schedule : Schedule
    """

    def __init__(self, derivative: Derivative, outline: Outline, number: int) -> None:
        self.number = number
        ones = {f"d.next.{name}" for name, colour in outline.colours.items() if colour == number}
        self.graph = _simplified(derivative.graph, ones)
        self.wanted = sorted(outline.wanted(number, derivative.graph.outputs))
        available = {*derivative.taped, *derivative.record.stored}
        self.schedule: Schedule = schedule(self.graph, self.wanted, available)


def _simplified(graph: Graph, ones: set[str]) -> Graph:
    """Return a graph with the same indices in which nothing is added to zero or multiplied by one.

    Of the inputs that begin with ``"d."``, those in `ones` are 1, and the others 0.
    """
    nodes: list[Node] = []
    zero, one = set[int](), set[int]()
    for index, node in enumerate(graph.nodes):
        operands = node.operands
        if node.op == "input" and node.name.startswith("d."):
            (one if node.name in ones else zero).add(index)
        elif node.op in LINEAR and zero.intersection(operands):
            zero.add(index)
        elif node.op == "identity" and operands[0] in one:
            one.add(index)
        elif node.op in ("add", "multiply"):
            neutral = zero if node.op == "add" else one
            left = [operand for operand in operands if operand not in neutral]
            left = left or [operands[0]]
            if len(left) < 2 and graph.nodes[left[0]].shape == node.shape:
                node = replace(node, op="identity", operands=(left[0],))
                if left[0] in zero or left[0] in one:
                    (zero if left[0] in zero else one).add(index)
        nodes.append(node)
    return Graph(tuple(nodes), graph.outputs)
