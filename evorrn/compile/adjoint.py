"""Reverse-mode differentiation: appends the adjoint of a graph to it, with every edge reversed.

Source: Wan and Beaufays 1996, "Diagrammatic derivation of gradient algorithms for neural networks";
Werbos 1990, "Backpropagation through time: what it does and how to do it".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evorrn.compile.graph import Builder, Graph
from evorrn.compile.op import NUMBER
from evorrn.compile.ops import LEAVES, OPS
from evorrn.compile.verify import verify


@dataclass(frozen=True)
class AdjointGraph:
    """The graph of a time step with its adjoint appended.

    Attributes
    ----------
    graph : Graph
        The forward nodes, then the nodes of the adjoint. Its outputs are the gradients of the wanted
        leaves, by name.
    parameter_terms : tuple of (str, int)
        One entry for each use of a parameter: its name, and the node of its gradient from this use, an ``outer``
        product for a matrix and a vector otherwise. The gradient of the parameter is the sum of its entries.
    """

    graph: Graph
    parameter_terms: tuple[tuple[str, int], ...]


def adjoint(graph: Graph, seeds: Mapping[str, str], wanted: Iterable[str]) -> AdjointGraph:
    """Return a graph with its adjoint appended.

    Parameters
    ----------
    graph : Graph
    seeds : mapping of str to str
        ``{name of a new input: name of an output}``: the input holds the gradient with respect to the output.
        When several inputs name one output, their values are added.
    wanted : iterable of str
        Inputs of the graph whose gradient is computed.

    Returns
    -------
    AdjointGraph
        Its outputs have no entry for a wanted input on which no output depends.

    Raises
    ------
    ValueError
        When an operation has no adjoint.
    """
    builder = Builder(graph)
    gradient: dict[int, int] = {}
    for name, output in seeds.items():
        index = graph.outputs[output]
        seed = builder.leaf("input", name, graph.nodes[index].shape)
        gradient[index] = builder.apply("add", gradient[index], seed) if index in gradient else seed
    terms: list[tuple[str, int]] = []
    for index in reversed(range(len(graph.nodes))):
        node = graph.nodes[index]
        if index not in gradient or node.shape == () or node.op in LEAVES:
            continue
        rule = OPS[node.op].adjoint
        if rule is None:
            raise ValueError(f"{node.op} has no adjoint")
        for operand, share in zip(node.operands, rule(builder, index, *node.operands, gradient[index])):
            source = graph.nodes[operand]
            if share is None or source.shape == () or source.op == "fixed":
                continue
            shape = builder.shape(share)
            if source.shape == NUMBER and shape != NUMBER:  # the number stands for every entry of the result
                share = builder.apply("reduce", share, form="ijk"[: len(shape)] + "->")
            if source.op == "parameter":
                terms.append((source.name, share))
            elif operand in gradient:
                gradient[operand] = builder.apply("add", gradient[operand], share)
            else:
                gradient[operand] = share
    inputs = graph.leaves("input")
    results = {name: gradient[inputs[name]] for name in wanted if name in inputs and inputs[name] in gradient}
    whole = verify(builder.graph(results), graph, [node for _, node in terms])
    return AdjointGraph(whole, tuple(terms))
