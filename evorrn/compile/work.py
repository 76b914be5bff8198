"""The cost of a time step."""

from __future__ import annotations

from collections.abc import Mapping

from evorrn.compile.step import Step


def work(step: Step, sizes: Mapping[str, int], inputs: bool = False) -> tuple[int, int]:
    """Return the multiply-adds of a step forward, and of its adjoint, from the sizes of dimensions.

    With `inputs`, the adjoint has the gradient with respect to the input too.
    """
    graph, derived = step.graph, step.adjoint_with_input if inputs else step.adjoint
    forward = graph.cost(sizes, graph.reachable(graph.outputs.values()))
    wanted = [*derived.graph.outputs.values(), *(term for _, term in derived.parameter_terms)]
    nodes = derived.graph.reachable(wanted, range(len(graph.nodes)))
    return forward, derived.graph.cost(sizes, nodes)
