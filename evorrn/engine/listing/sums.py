"""Sums of products of arrays: which nodes one row computes, and what it reads.

Equations of memories are such sums, for instance ``memory * kept + outer(w, a)`` or ``1 - outer(w, e)``, and so are their
derivatives. Node by node each of them is written to memory once for every operation; as a row they are written once.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from evorrn.compile.graph import Graph, Node
from evorrn.compile.op import NUMBER, WEIGHTS
from evorrn.compile.schedule import Affine, Loop, Schedule
from evorrn.compile.tensors import letters
from evorrn.engine.listing.kernel import fixed
from evorrn.engine.listing.listing import Place, Table
from evorrn.engine.listing.strips import Cut, leading, strides

SUMS = fixed("sums", home="arrays")

LETTERS = 3
"""Letters of the result."""

TERM = 15
"""Numbers of a product in the table: 1 if it is subtracted, then for each factor its address and its distances.

Then come the address of a number, or 0, 1 if what is added to it is subtracted, and address and distances of what the
second factor is multiplied with: the right factor is then the number plus or minus that product.
"""

LINEAR = ("add", "subtract", "negative")

Axes = tuple[int, ...]
"""The axes of the result that the dimensions of an operand are; -1 for one of size 1 that the result does not have."""


class Factor(NamedTuple):
    """A node that is read, and its axes."""

    node: int
    axes: Axes


class Within(NamedTuple):
    """A factor that is computed within a product: a number plus or minus a product, see `evorrn.engine.listing.factors`."""

    number: int
    negative: bool
    left: Factor
    right: Factor


class Product(NamedTuple):
    """A product of two factors, and whether it is subtracted."""

    negative: bool
    left: Factor
    right: Factor | Within

    @property
    def factors(self) -> list[Factor]:
        """The arrays that are read."""
        if isinstance(self.right, Within):
            return [self.left, self.right.left, self.right.right]
        return [self.left, self.right]


class Sum(NamedTuple):
    """A node that is a base plus products, and the nodes that are computed within it.

    Attributes
    ----------
    node : int
    base : Factor or None
        A node that is added; None for 0.
    negative : bool
        Whether the base is subtracted.
    products : tuple of Product
    members : frozenset of int
    """

    node: int
    base: Factor | None
    negative: bool
    products: tuple[Product, ...]
    members: frozenset[int]

    @property
    def factors(self) -> list[Factor]:
        """Everything that is read."""
        found = [factor for product in self.products for factor in product.factors]
        return [*found, self.base] if self.base else found

    @property
    def reads(self) -> frozenset[int]:
        """The nodes that are read."""
        return frozenset(factor.node for factor in self.factors)


def found_in(
    graph: Graph, plan: Schedule, given: Container[int], sizes: Callable[[int], tuple[int, ...]]
) -> list[Sum]:
    """Return the sums of products of a schedule, without those that other rows compute as quickly.

    Parameters
    ----------
    graph : Graph
    plan : Schedule
    given : container of int
        Nodes that have a place, and so are computed by themselves.
    sizes : callable
        Returns the sizes of the dimensions of a node.
    """
    nodes = _nodes(plan)
    able = {index for index in nodes if _able(graph, index, sizes)}
    readers = readers_in(graph, plan)
    found: list[Sum] = []
    taken: set[int] = set()
    for root in sorted(able, reverse=True):
        if root in taken:
            continue
        members = _members(graph, root, lambda index: index in able and index not in given, readers)
        made = _sum(graph, root, members)
        contractions = any(graph.nodes[index].op == "contract" for index in members)
        if made is not None and len(members) > (1 if contractions else 2):
            found.append(made)
            taken |= members
    return found


def _nodes(plan: Schedule) -> list[int]:
    """Return the nodes of a schedule."""
    return [
        index
        for stage in plan.stages
        for index in (stage.nodes if isinstance(stage, Loop) else (stage.node,))
        if not isinstance(stage, Affine)
    ]


def readers_in(graph: Graph, plan: Schedule) -> dict[int, set[int]]:
    """Return the nodes of a schedule that read each node."""
    readers: dict[int, set[int]] = {}
    for reader, operand in _reads(graph, plan):
        readers.setdefault(operand, set()).add(reader)
    return readers


def _reads(graph: Graph, plan: Schedule) -> Iterable[tuple[int, int]]:
    """Yield each node of a schedule with each node that it reads."""
    for stage in plan.stages:
        if isinstance(stage, Affine):
            yield from ((stage.node, vector) for _, _, vector in stage.terms)
        else:
            for index in stage.nodes if isinstance(stage, Loop) else (stage.node,):
                yield from ((index, operand) for operand in graph.nodes[index].reads)


def _able(graph: Graph, index: int, sizes: Callable[[int], tuple[int, ...]]) -> bool:
    """Return whether a node can be a part of a sum: it is an array, and so is what it reads."""
    node = graph.nodes[index]
    if len(node.shape) < 2 or any(graph.nodes[i].op in WEIGHTS for i in node.operands):
        return False
    shapes = [graph.nodes[i].shape for i in node.operands]
    if node.op == "contract":
        names, result = letters(node.form)
        found = {letter: n for own, i in zip(names, node.operands) for letter, n in zip(own, sizes(i))}
        return all(n == 1 for letter, n in found.items() if letter not in result)
    if node.op == "multiply":
        return () not in shapes
    return node.op in LINEAR and any(shape not in ((), NUMBER) for shape in shapes)


def _members(
    graph: Graph, root: int, free: Callable[[int], bool], readers: Mapping[int, set[int]]
) -> set[int]:
    """Return the nodes that are computed within a sum: sums and products that nothing else reads."""
    members, shape = {root}, graph.nodes[root].shape
    waiting = [root]
    while waiting:
        index = waiting.pop()
        if graph.nodes[index].op not in LINEAR:
            continue
        for operand in graph.nodes[index].operands:
            same = graph.nodes[operand].shape == shape
            if operand not in members and same and free(operand) and readers[operand] <= members:
                members.add(operand)
                waiting.append(operand)
    return members


def _sum(graph: Graph, root: int, members: set[int]) -> Sum | None:
    """Return a node as a base plus products; None if more than one array or number is added besides."""
    products: list[Product] = []
    others: list[tuple[bool, Factor]] = []

    def read(index: int, negative: bool) -> None:
        node = graph.nodes[index]
        if index not in members:
            others.append((negative, _factor(graph, index, root)))
        elif node.op in LINEAR:
            read(node.operands[0], negative ^ (node.op == "negative"))
            if node.op != "negative":
                read(node.operands[1], negative ^ (node.op == "subtract"))
        else:
            products.append(Product(negative, *_factors(graph, node, root)))

    read(root, False)
    if len(others) > 1 or not products:
        return None
    negative, base = others[0] if others else (False, None)
    return Sum(root, base, negative, tuple(products), frozenset(members))


def _factor(graph: Graph, index: int, root: int) -> Factor:
    """Return what is read of a node by an operation entry by entry."""
    shape = graph.nodes[index].shape
    return Factor(index, () if shape in ((), NUMBER) else tuple(range(len(graph.nodes[root].shape))))


def _factors(graph: Graph, node: Node, root: int) -> list[Factor]:
    """Return the factors of a product."""
    if node.op == "multiply":
        return [_factor(graph, operand, root) for operand in node.operands]
    names, result = letters(node.form)
    return [Factor(operand, tuple(map(result.find, own))) for operand, own in zip(node.operands, names)]


# --- How a sum is divided into strips, and its row -------------------------------------------------------


def cut_of_sum(made: Sum, sizes: Mapping[int, Sequence[int]]) -> Cut | None:
    """Return how a sum is divided; None if it is not.

    Parameters
    ----------
    made : Sum
    sizes : mapping of int to sequence of int
        The sizes of the dimensions of each node.
    """
    axis = leading(sizes[made.node])
    aligned: set[int] = set()
    whole: set[int] = set()
    for node, axes in made.factors:
        if axis not in axes:
            whole.add(node)
        elif axes.index(axis) == leading(sizes[node]):
            aligned.add(node)
        else:
            return None
    return None if aligned & whole else Cut(sizes[made.node][axis], frozenset(aligned))


def operands_of_row(
    made: Sum,
    result: Sequence[int],
    sizes: Mapping[int, Sequence[int]],
    place: Callable[[int], Place],
    about: tuple[Place, Place, bool, int],
) -> list[Place | Table | int]:
    """Return the operands of the row of a sum, see `evorrn.engine.listing.arrays.sums`.

    Parameters
    ----------
    made : Sum
    result : sequence of int
        The sizes of the dimensions that are computed, of a strip for instance.
    sizes : mapping of int to sequence of int
        Those of whole nodes.
    place : callable
        Returns the place of a node.
    about : tuple
        The places of the result and of the base, whether the base is one number, and lanes.
    """
    out, base, number, lanes = about
    factors = [factor for product in made.products for factor in product.factors]
    arrays = [Factor(made.node, tuple(range(len(result)))), made.base or Factor(made.node, ()), *factors]
    by_axis = [dict(zip(axes, strides(sizes[node]))) for node, axes in arrays]
    table: list[tuple[int, ...]] = []
    for axis, size in enumerate(result):
        new = size, *(distances.get(axis, 0) for distances in by_axis)
        if table and all(before == size * after for before, after in zip(table[-1][1:], new[1:])):
            new = table.pop()[0] * size, *new[1:]
        table += [new] if new[0] > 1 else []
    if table:
        best = max(range(len(table)), key=lambda k: (0 in table[k][3:], table[k][0], k))
        table.append(table.pop(best))
    table = [(1, *[0] * len(arrays))] * (LETTERS - len(table)) + table
    columns = list(zip(*table))
    terms: list[Place | int] = []
    distances = iter(columns[3:])
    for product in made.products:
        read = [[place(factor.node), *next(distances)] for factor in product.factors]
        if isinstance(product.right, Within):
            read[1:] = sorted(read[1:], key=lambda entry: entry[-1] == 0)  # ... comes last
            within = [place(product.right.number), int(product.right.negative), *read.pop()]
        else:
            read.sort(key=lambda entry: entry[-1] != 0)  # what is read once for several entries comes first
            within = [0] * (TERM - 9)
        terms += [int(product.negative), *read[0], *read[1], *within]
    letters_of_row = [*columns[0], *columns[1], *columns[2]]
    flags = int(number), int(made.negative), lanes
    return [out, base, *flags, *letters_of_row, Table(tuple(terms)), len(made.products)]
