"""Scheduling: orders the nodes of a graph into stages, and decides which values are stored in memory.

A schedule is a list of stages. An `Affine` stage is a bias plus products of matrices and vectors, computed by one
call of a kernel. A `Loop` stage computes elementwise nodes of one shape in one loop over the entries. A `Whole` stage
is any other operation on whole arrays, for instance a concatenation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evorrn.compile.graph import Builder, Graph, Node
from evorrn.compile.op import NUMBER, WEIGHTS, Shape
from evorrn.compile.ops import LEAVES, OPS
from evorrn.compile.tensors import letters

PRODUCTS = ("matvec", "matvec_transposed")


@dataclass(frozen=True)
class Affine:
    """``node = bias + sum of matrix (or its transpose) times vector``.

    Attributes
    ----------
    node : int
    bias : int or None
        The node of a vector parameter.
    terms : tuple of (int, bool, int)
        The node of a matrix, whether it is transposed, and the node of a vector.
    """

    node: int
    bias: int | None
    terms: tuple[tuple[int, bool, int], ...]


@dataclass(frozen=True)
class Loop:
    """Elementwise nodes of one shape, in the order of their computation."""

    shape: Shape
    nodes: tuple[int, ...]


@dataclass(frozen=True)
class Whole:
    """A node whose operation works on whole arrays."""

    node: int


Stage = Affine | Loop | Whole


@dataclass(frozen=True)
class Schedule:
    """Stages in order, and the nodes whose values are stored in memory.

    Attributes
    ----------
    stages : tuple of Stage
    stored : frozenset of int
        Nodes that another stage reads, or that are wanted.
    """

    stages: tuple[Stage, ...]
    stored: frozenset[int]


def group_products(graph: Graph, outputs: Mapping[str, int] | None = None) -> tuple[Graph, list[int]]:
    """Return a graph whose sums begin with all products and one bias, so that one kernel can compute these.

    Parameters
    ----------
    graph : Graph
    outputs : mapping of str to int, optional
        Nodes that are results besides the outputs of the graph, by name.

    Returns
    -------
    graph : Graph
        Sums may be added in another order, and so be rounded differently; nothing else changes.
    mapping : list of int
        New index of every old node.
    """
    named = {**graph.outputs, **(outputs or {})}
    uses = _uses(graph, graph.reachable(named.values()), named.values())
    builder = Builder()
    new: list[int] = []
    for index, node in enumerate(graph.nodes):
        parts = _summands(graph, index, uses) if node.op == "add" else []
        fitting = [part for part in parts if graph.nodes[part].shape == node.shape]
        products = [part for part in fitting if graph.nodes[part].op in PRODUCTS and uses.get(part, 0) == 1]
        if products and len(parts) > 2:
            bias = [part for part in fitting if graph.nodes[part].op in WEIGHTS][:1]
            rest = [part for part in parts if part not in products and part not in bias]
            ordered = [new[part] for part in products + bias + rest]
            total = ordered[0]
            for part in ordered[1:]:
                total = builder.apply("add", total, part)
            new.append(total)
        else:
            new.append(builder.again(node, [new[operand] for operand in node.operands]))
    return builder.graph({name: new[index] for name, index in graph.outputs.items()}), new


def schedule(graph: Graph, wanted: Iterable[int], available: Iterable[int] = ()) -> Schedule:
    """Return the schedule that computes the wanted nodes.

    Parameters
    ----------
    graph : Graph
    wanted : iterable of int
        Nodes whose values must be in memory afterwards.
    available : iterable of int
        Nodes that are in memory before; leaves always are.
    """
    known = set(available)
    targets = [node for node in wanted if node not in known and graph.nodes[node].op not in LEAVES]
    needed = [n for n in graph.reachable(targets, known) if graph.nodes[n].op not in LEAVES]
    uses = _uses(graph, needed, targets)
    affines, absorbed = _affines(graph, needed, uses)
    level: dict[int, int] = {}
    by_level: dict[int, list[int]] = {}
    for index in needed:
        if index in absorbed:
            continue
        node = graph.nodes[index]
        operands = _operands(affines[index]) if index in affines else list(node.reads)
        base = max((level.get(operand, 0) for operand in operands), default=0)
        whole = index in affines or OPS[node.op].emit is None
        level[index] = base + 1 if whole else base
        if node.shape != ():
            by_level.setdefault(level[index], []).append(index)
    stages: list[Stage] = []
    for depth in sorted(by_level):
        loops: dict[Shape, list[int]] = {}
        for index in by_level[depth]:
            node = graph.nodes[index]
            if index in affines:
                stages.append(affines[index])
            elif OPS[node.op].emit is None:
                stages.append(Whole(index))
            else:
                loops.setdefault(node.shape, []).append(index)
        if NUMBER in loops:  # other loops may read the numbers of this level
            stages.append(Loop(NUMBER, tuple(loops.pop(NUMBER))))
        stages += [Loop(shape, tuple(nodes)) for shape, nodes in loops.items()]
    return Schedule(tuple(stages), _stored(graph, stages, targets))


def _uses(graph: Graph, nodes: Iterable[int], wanted: Iterable[int]) -> dict[int, int]:
    """Return how often each node is read. A wanted node counts two more, so that it is never part of another stage."""
    uses: dict[int, int] = {}
    for index in nodes:
        for operand in graph.nodes[index].reads:
            uses[operand] = uses.get(operand, 0) + 1
    for index in wanted:
        uses[index] = uses.get(index, 0) + 2
    return uses


def _summands(graph: Graph, index: int, uses: Mapping[int, int]) -> list[int]:
    """Return the summands of a sum of vectors, with nested sums expanded where only this sum reads them."""
    parts = []
    for operand in graph.nodes[index].operands:
        node = graph.nodes[operand]
        if node.op == "add" and uses.get(operand, 0) == 1 and node.shape != ():
            parts += _summands(graph, operand, uses)
        else:
            parts.append(operand)
    return parts


def _affines(graph: Graph, needed: list[int], uses: Mapping[int, int]) -> tuple[dict[int, Affine], set[int]]:
    """Return an `Affine` stage for each node that one kernel call computes, and the nodes computed inside of these."""
    affines: dict[int, Affine] = {}
    absorbed: set[int] = set()
    for index in reversed(needed):
        node = graph.nodes[index]
        if index in absorbed or node.op not in (*PRODUCTS, "add"):
            continue
        inner: set[int] = set()
        found = _affine(graph, index, uses, inner, set(needed))
        if found is not None and found.terms:
            affines[index] = found
            absorbed |= inner
    return affines, absorbed


def _affine(
    graph: Graph, index: int, uses: Mapping[int, int], inner: set[int], needed: set[int]
) -> Affine | None:
    """Return the stage that computes a node, None if it is no sum of products and one bias; add to `inner`."""
    node = graph.nodes[index]
    if node.op in PRODUCTS:
        return Affine(index, None, ((node.operands[0], node.op == PRODUCTS[1], node.operands[1]),))
    terms: list[tuple[int, bool, int]] = []
    bias: int | None = None
    for operand in node.operands:
        source = graph.nodes[operand]
        if source.op in WEIGHTS and source.shape == node.shape:
            part: Affine | None = Affine(operand, operand, ())
        elif source.shape != node.shape:  # a number that is added to every entry
            part = None
        elif operand in needed and uses.get(operand, 0) == 1 and source.op in (*PRODUCTS, "add"):
            part = _affine(graph, operand, uses, inner, needed)
            inner.add(operand)
        else:
            part = None
        if part is None or (bias is not None and part.bias is not None):
            inner.discard(operand)
            return None
        terms += part.terms
        bias = bias if part.bias is None else part.bias
    return Affine(index, bias, tuple(terms))


def _operands(affine: Affine) -> list[int]:
    return [vector for _, _, vector in affine.terms]


def _stored(graph: Graph, stages: list[Stage], targets: Iterable[int]) -> frozenset[int]:
    """Return the targets, and the nodes that are computed in one stage and read in another."""
    place: dict[int, int] = {}
    for position, stage in enumerate(stages):
        for index in stage.nodes if isinstance(stage, Loop) else (stage.node,):
            place[index] = position
    stored = set(targets)
    for position, stage in enumerate(stages):
        if isinstance(stage, Affine):
            stored.add(stage.node)
            read = _operands(stage)
        elif isinstance(stage, Whole):
            stored.add(stage.node)
            read = list(graph.nodes[stage.node].reads)
        else:
            read = [operand for index in stage.nodes for operand in graph.nodes[index].reads]
        stored |= {index for index in read if index in place and place[index] != position}
    return frozenset(stored)


def kept_for_adjoint(
    graph: Graph, forward: int, adjoint_nodes: Iterable[int], operands: Iterable[int]
) -> set[int]:
    """Return the forward nodes whose values must be stored at every time step for the adjoint.

    Parameters
    ----------
    graph : Graph
        Forward nodes, then adjoint nodes.
    forward : int
        Number of forward nodes.
    adjoint_nodes : iterable of int
        The nodes that the adjoint computes.
    operands : iterable of int
        Nodes that outer products over several time steps read; these are always stored.

    Notes
    -----
    A cheap node is not stored if the adjoint can compute it again from stored nodes and leaves.
    """
    fixed = {index for index in operands if index < forward and graph.nodes[index].op not in LEAVES}
    read = {
        operand
        for index in adjoint_nodes
        if index >= forward
        for operand in graph.nodes[index].reads
        if operand < forward and graph.nodes[operand].op not in LEAVES and graph.nodes[operand].shape != ()
    }
    costly = {index for index in read if not _cheap(graph.nodes[index])}
    kept = fixed | costly

    def computable(index: int) -> bool:
        node = graph.nodes[index]
        if index in kept or node.op in LEAVES or node.shape == ():
            return True
        return _cheap(node) and all(computable(operand) for operand in node.operands)

    return kept | {index for index in read if not computable(index)}


MOVES = frozenset({"shift", "roll", "push", "product", "spread"})
"""Operations on arrays that take hardly longer than to read the result from memory."""


def _cheap(node: Node) -> bool:
    """Return whether it is cheaper to compute a node again than to store it for every time step."""
    if len(node.shape) > 1 and node.op == "contract":
        operands, result = letters(node.form)
        return set(result).issuperset("".join(operands))
    return OPS[node.op].recompute or (len(node.shape) > 1 and node.op in MOVES)
