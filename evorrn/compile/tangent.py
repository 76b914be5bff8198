"""Forward-mode differentiation: appends the tangent of a graph to it."""

from __future__ import annotations

from collections.abc import Iterable

from evorrn.compile.graph import Builder, Graph
from evorrn.compile.op import NUMBER
from evorrn.compile.ops import LEAVES, OPS
from evorrn.compile.verify import verify


def tangent(graph: Graph, varying: Iterable[str]) -> Graph:
    """Return a graph with its tangent appended.

    Parameters
    ----------
    graph : Graph
    varying : iterable of str
        Inputs and parameters that vary; the tangent of the leaf ``v`` is a new leaf ``dot.v``.

    Returns
    -------
    Graph
        Its outputs are those of `graph` and ``dot.<output>`` for each output that varies.

    Raises
    ------
    ValueError
        When an operation has no tangent.
    """
    builder = Builder(graph)
    names = set(varying)
    dots: dict[int, int | None] = {}
    for index, node in enumerate(graph.nodes):
        if node.op in LEAVES:
            varies = node.op in ("input", "parameter") and node.name in names
            dots[index] = builder.leaf(node.op, f"dot.{node.name}", node.shape) if varies else None
            continue
        operand_dots = [dots[operand] for operand in node.operands]
        if all(dot is None for dot in operand_dots):
            dots[index] = None
            continue
        rule = OPS[node.op].tangent
        if rule is None:
            raise ValueError(f"{node.op} has no tangent")
        dot = rule(builder, index, *node.operands, operand_dots)
        if dot is not None and builder.shape(dot) == NUMBER != node.shape:  # it stands for every entry
            dot = builder.apply("spread", dot, index, form="->" + "ijk"[: len(node.shape)])
        dots[index] = dot
    outputs = dict(graph.outputs)
    for name, index in graph.outputs.items():
        dot = dots[index]
        if dot is not None:
            outputs[f"dot.{name}"] = dot
    return verify(builder.graph(outputs), graph)
