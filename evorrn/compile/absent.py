"""A step of which some inputs are known numbers, such as that of a leaf, which has no predecessors.

`with_numbers` puts these numbers in and leaves out what need not be computed any more, above all products with zero.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace

from evorrn.compile.graph import Builder, Graph, Node
from evorrn.compile.ops import LEAVES
from evorrn.compile.schedule import group_products
from evorrn.compile.step import Step, result_node
from evorrn.compile.verify import verify

ZERO_WITH_ONE = frozenset({"multiply", "matvec", "matvec_transposed", "contract", "pairs"})
"""Operations that give zero when one operand is zero."""
ZERO_WITH_ALL = frozenset(
    {
        "negative",
        "identity",
        "concatenate",
        "tanh",
        "relu",
        "reduce",
        "spread",
        "slice",
        "flatten",
        "shift",
        "roll",
    }
)
"""Further operations that give zero when all operands are zero."""
BY_NUMBERS: dict[str, Callable[[float, float], float]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "maximum": max,
    "minimum": min,
}
"""Operations on two known numbers."""


def with_numbers(step: Step, numbers: Mapping[str, float]) -> Step:
    """Return a step with known inputs put in.

    Parameters
    ----------
    step : Step
    numbers : mapping of str to float
        The number that every entry of an input is, by the name of the input.

    Returns
    -------
    Step
        Equal but for rounding. It still reads an input whose array an operation needs as a whole.
    """
    if not numbers:
        return step
    folded = _Folded(step.graph, numbers)
    results = {name: folded.node(index) for name, index in step.graph.outputs.items()}
    graph, new = group_products(folded.builder.graph(results))
    builder = Builder(graph)
    outputs: dict[str, int] = {}
    for name, index in results.items():
        outputs[name] = result_node(builder, new[index], set(outputs.values()))
    return replace(step, graph=verify(builder.graph(outputs)), named={})


class _Folded:
    """Builds a graph without what known numbers make needless."""

    def __init__(self, graph: Graph, numbers: Mapping[str, float]) -> None:
        self.graph = graph
        self.numbers = numbers
        self.builder = Builder()
        self._known: dict[int, float | None] = {}
        self._nodes: dict[int, int] = {}

    def node(self, index: int) -> int:
        """Return the new node of a node, of the same shape."""
        if index not in self._nodes:
            node = self.graph.nodes[index]
            kept = self._kept(node)
            if kept is None:
                self._nodes[index] = self.builder.again(
                    node, [self.node(operand) for operand in node.operands]
                )
            elif node.op == "subtract" and kept == node.operands[1]:
                self._nodes[index] = self.builder.apply("negative", self.node(kept))
            else:
                self._nodes[index] = self.node(kept)
        return self._nodes[index]

    def _kept(self, node: Node) -> int | None:
        """Return the operand that is the value of a sum with zero, or of a product with one; None for others."""
        neutral = {"add": 0.0, "subtract": 0.0, "multiply": 1.0}.get(node.op)
        if neutral is None:
            return None
        for known, other in (node.operands, node.operands[::-1]):
            if self.known(known) == neutral and self.graph.nodes[other].shape == node.shape:
                return other
        return None

    def known(self, index: int) -> float | None:
        """Return the number that every entry of a node is; None where it is not known."""
        if index not in self._known:
            self._known[index] = self._find(self.graph.nodes[index])
        return self._known[index]

    def _find(self, node: Node) -> float | None:
        if node.op in LEAVES:
            return (
                node.value
                if node.op == "constant"
                else self.numbers.get(node.name)
                if node.op == "input"
                else None
            )
        found = [self.known(operand) for operand in node.reads]
        if node.op in ZERO_WITH_ONE and 0.0 in found:
            return 0.0
        if node.op in ZERO_WITH_ALL and set(found) == {0.0}:
            return 0.0
        if len(found) == 2 and node.op in BY_NUMBERS:
            left, right = found
            return None if left is None or right is None else BY_NUMBERS[node.op](left, right)
        return None
