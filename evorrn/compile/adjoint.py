"""Reverse mode, graph to graph: every arrow turned round (Lee's theorem).

Source: Wan and Beaufays 1996, "Diagrammatic derivation of gradient algorithms for neural networks";
Werbos 1990, "Backpropagation through time: what it does and how to do it".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evorrn.compile.graph import Builder, Graph
from evorrn.compile.ops import LEAVES, OPS
from evorrn.compile.verify import verify


@dataclass(frozen=True)
class AdjointGraph:
    """A step's graph with its adjoint appended.

    Attributes
    ----------
    graph : Graph
        The forward nodes, then the nodes of the adjoint. Its outputs are the gradients of the wanted
        leaves, by name.
    parameter_terms : tuple of (str, int)
        For each use of a parameter its name and the node that is its gradient there: an ``outer``
        product for a matrix, a vector otherwise. The gradient is the sum of the terms.
    """

    graph: Graph
    parameter_terms: tuple[tuple[str, int], ...]


def adjoint(graph: Graph, seeds: Mapping[str, str], wanted: Iterable[str]) -> AdjointGraph:
    """Derive the adjoint of a graph.

    Parameters
    ----------
    graph : Graph
    seeds : mapping of str to str
        ``{name of a new input: name of an output}``: the input holds the gradient of the output.
        Several inputs may seed one output; they add up.
    wanted : iterable of str
        Input leaves whose gradient is asked for.

    Returns
    -------
    AdjointGraph
        A wanted leaf that no output depends on has no entry in the outputs.
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
        if index not in gradient or node.shape == ():
            continue
        if node.op == "parameter":
            continue
        if node.op in LEAVES:
            continue
        rule = OPS[node.op].adjoint
        if rule is None:
            raise ValueError(f"{node.op} has no adjoint")
        for operand, share in zip(node.operands, rule(builder, index, *node.operands, gradient[index])):
            source = graph.nodes[operand]
            if share is None or source.shape == ():
                continue
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
