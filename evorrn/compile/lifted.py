"""A time step whose products of weights and old states are apart from its other uses of these.

Most derivatives of a new state with respect to an old one pass through a product ``W @ h``. They are known when the
derivative ``d`` with respect to the product is known: they are ``d @ W``. What is left of the step's Jacobian
matrix is then sparse for most cells, and few directions of differentiation give all of it.
"""

from __future__ import annotations

from dataclasses import replace

from evorrn.compile.graph import Builder, Graph
from evorrn.compile.step import Step

LIFTED = "lifted."
"""Begins the name of an input that equals an old state, and that only products of weights read."""


def lifted(step: Step) -> Step:
    """Return a step in which products of a parameter and an old state read a copy of the state, ``"lifted.<name>"``.

    The adjoint of the result does not go through these products, but has the gradient with respect to them.
    """
    builder, graph = Builder(), step.graph
    new: list[int] = []
    for node in graph.nodes:
        operands = [new[operand] for operand in node.operands]
        if node.op == "matvec":
            matrix, vector = (graph.nodes[operand] for operand in node.operands)
            if matrix.op == "parameter" and vector.op == "input" and vector.name in step.states:
                operands[1] = builder.leaf("input", LIFTED + vector.name, vector.shape)
        new.append(builder.again(node, operands))
    outputs = {name: new[index] for name, index in graph.outputs.items()}
    named = {name: new[index] for name, index in step.named.items()}
    return replace(step, graph=Graph(tuple(builder.nodes), outputs), named=named)
