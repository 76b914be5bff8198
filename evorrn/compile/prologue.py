"""What a network computes once for each genome: expressions of parameters, options and fixed arrays alone.

`split` takes these out of the graph of a time step. Their values follow the genes in the vector of weights that the
programs receive; the gradient with respect to them is carried back to the genes after the last time step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evorrn.compile.adjoint import AdjointGraph, adjoint
from evorrn.compile.graph import Builder, Graph, Node
from evorrn.compile.many import evaluate
from evorrn.compile.op import WEIGHTS, Shape
from evorrn.compile.ops import LEAVES, OPS

Values = Mapping[str, np.ndarray | float]


@dataclass(frozen=True, eq=False)
class Prologue:
    """The graph of derived weights.

    Attributes
    ----------
    graph : Graph
        Its leaves are parameters, fixed arrays, options and constants; its outputs are the derived weights by name.
    """

    graph: Graph

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The symbolic shape of each derived weight by name."""
        return {name: self.graph.nodes[index].shape for name, index in self.graph.outputs.items()}

    @cached_property
    def _adjoint(self) -> AdjointGraph:
        return adjoint(self.graph, {f"d.{name}": name for name in self.graph.outputs}, ())

    def forward(self, blocks: Mapping[str, np.ndarray], others: Values) -> dict[str, np.ndarray]:
        """Return the derived weights of many genomes.

        Parameters
        ----------
        blocks : mapping of str to ndarray, shape (P, ...)
            The blocks of P genomes.
        others : mapping of str to ndarray or float
            Fixed arrays and options by name.

        Returns
        -------
        dict of str to ndarray, shape (P, ...)
        """
        count, dtype = len(next(iter(blocks.values()))), next(iter(blocks.values())).dtype
        given = {**{name: np.asarray(value, dtype) for name, value in others.items()}, **blocks}
        found = evaluate(self.graph, given, self.graph.outputs.values())
        derived = {}
        for name, index in self.graph.outputs.items():
            shape = found[index].shape[found[index].ndim - len(self.graph.nodes[index].shape) :]
            derived[name] = np.broadcast_to(found[index], (count, *shape)).astype(dtype, copy=False)
        return derived

    def backward(
        self, blocks: Mapping[str, np.ndarray], others: Values, gradients: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Return the gradient with respect to the blocks of one genome, from that with respect to derived weights.

        Parameters
        ----------
        blocks : mapping of str to ndarray
            The blocks of a genome.
        others : mapping of str to ndarray or float
        gradients : mapping of str to ndarray

        Returns
        -------
        dict of str to ndarray
            There is no entry for a block that no derived weight depends on.
        """
        given = {**others, **blocks, **{f"d.{name}": value for name, value in gradients.items()}}
        with np.errstate(all="ignore"):
            results = self._adjoint.graph.run(given)
        found: dict[str, np.ndarray] = {}
        for name, index in self._adjoint.parameter_terms:
            found[name] = found.get(name, 0.0) + results[index]
        return found


def _whole(node: Node) -> bool:
    """Return whether an operation works on whole arrays and takes no weights."""
    products = ("matvec", "matvec_transposed", "contract")
    return node.op not in LEAVES and OPS[node.op].emit is None and node.op not in products


def split(graph: Graph) -> tuple[Graph, Prologue | None]:
    """Return a graph without what depends on no input, and the graph of this; None when there is nothing.

    Numbers made of options and constants alone stay where they are. A derived weight is a parameter of the first graph.
    """
    whole = Builder(graph)
    derived: dict[int, str] = {}
    lifts = False
    for index in graph.reachable(graph.outputs.values()):
        node = graph.nodes[index]
        read = set(node.operands) if whole.varies(index) else set[int]()
        read |= {index} & set(graph.outputs.values())
        for operand in sorted(read):
            source = graph.nodes[operand]
            lifts = lifts or (
                operand != index and source.shape != () and not whole.varies(operand) and _whole(node)
            )
            if source.op not in LEAVES and source.shape != () and not whole.varies(operand):
                derived.setdefault(operand, f"derived.{len(derived)}")
    if not derived and not lifts:
        return graph, None
    builder, new = Builder(), dict[int, int]()
    kept = graph.reachable([i for i in graph.outputs.values() if i not in derived], derived)
    for index in sorted({*kept, *derived, *graph.leaves("input").values()}):
        node = graph.nodes[index]
        if index in derived:
            new[index] = builder.leaf("parameter", derived[index], node.shape)
            continue
        operands = [new[operand] for operand in node.operands]
        if _whole(node):  # works on arrays that have a number for every sequence
            operands = [
                builder.apply("identity", o) if builder.nodes[o].op in WEIGHTS else o for o in operands
            ]
        new[index] = builder.again(node, operands)
    named = {name: new[index] for name, index in graph.named.items() if index in new}
    main = builder.graph({name: new[index] for name, index in graph.outputs.items()}, named)
    if not derived:
        return main, None
    early, again = Builder(), dict[int, int]()
    for index in graph.reachable(derived):
        again[index] = early.again(
            graph.nodes[index], [again[operand] for operand in graph.nodes[index].operands]
        )
    return main, Prologue(early.graph({name: again[index] for index, name in derived.items()}))
