"""Aliases: nodes whose values are those of another node, or some of its rows, so that nothing is computed for them.

A slice that takes rows that follow each other is one, and so is what a size of 1 makes trivial: the product of the
entries along an axis with one entry, for instance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from typing import NamedTuple

from evorrn.compile.graph import Graph, Node
from evorrn.compile.op import WEIGHTS
from evorrn.compile.schedule import Affine, Loop, Schedule
from evorrn.compile.tensors import letters, numbers

SizesOf = Callable[[int], tuple[int, ...]]
"""Returns the sizes of the dimensions of a node."""


class Alias(NamedTuple):
    """The node that has the values, and its first row that is meant."""

    node: int
    first: int = 0


def found_in(graph: Graph, plan: Schedule, given: Container[int], sizes: SizesOf) -> dict[int, Alias]:
    """Return the aliases among the nodes of a schedule.

    Parameters
    ----------
    graph : Graph
    plan : Schedule
    given : container of int
        Nodes that have a place, which are copied.
    sizes : callable
    """
    found: dict[int, Alias] = {}
    ones: set[int] = set()
    nodes = [
        index
        for stage in plan.stages
        if not isinstance(stage, Affine)
        for index in (stage.nodes if isinstance(stage, Loop) else (stage.node,))
    ]
    for index in sorted(nodes):
        node = graph.nodes[index]
        if index in given:
            continue
        if node.op == "others" and sizes(node.operands[0])[0] == 1:
            ones.add(index)
        made = _alias(node, sizes, index, ones)
        if made is None or graph.nodes[made.node].op in WEIGHTS or graph.nodes[made.node].shape == ():
            continue
        whose = found.get(made.node, Alias(made.node))
        found[index] = Alias(whose.node, whose.first + made.first)
    return found


def _alias(node: Node, sizes: SizesOf, index: int, ones: set[int]) -> Alias | None:
    """Return the operand that has the values of a node; None if it must be computed. `ones` are nodes that are 1."""
    if node.op == "multiply":
        return next((Alias(a) for a, b in (node.operands, node.operands[::-1]) if b in ones), None)
    if not node.operands:
        return None
    source, result = sizes(node.operands[0]), sizes(index)
    if node.op in ("flatten", "unflatten", "head") or (node.op == "product" and source[0] == 1):
        return Alias(node.operands[0])
    if node.op == "tail":
        return Alias(node.operands[0], math.prod(source) - math.prod(result))
    if node.op == "spread":
        (own,), names = letters(node.form)
        in_order = [letter for letter in names if letter in own] == list(own)
        return Alias(node.operands[0]) if in_order and math.prod(source) == math.prod(result) else None
    if node.op == "slice":
        axis, start, _, _ = numbers(node.form)
        if math.prod(source[:axis]) == 1:
            return Alias(node.operands[0], start * math.prod(source[axis + 1 :]))
    return None
