"""Factors of sums of products that are computed where they are needed, such as ``1 - outer(w, e)`` in what a memory keeps.

A factor that only one product reads, and that is a number plus or minus an outer product itself, needs no array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping

from evorrn.compile.graph import Graph
from evorrn.engine.listing.aliases import Alias
from evorrn.engine.listing.sums import Factor, Product, Sum, Within


class Factors:
    """Takes factors into the products that read them.

    Parameters
    ----------
    graph : Graph
    given : container of int
        Nodes that have a place, and so are computed by themselves.
    aliases : mapping of int to Alias
    readers : mapping of int to set of int
        The nodes that read each node.
    sizes : callable
        Returns the sizes of the dimensions of a node.
    """

    def __init__(
        self,
        graph: Graph,
        given: Container[int],
        aliases: Mapping[int, Alias],
        readers: Mapping[int, set[int]],
        sizes: Callable[[int], tuple[int, ...]],
    ) -> None:
        self._nodes = graph.nodes
        self._given, self._aliases = given, aliases
        self._readers, self._sizes = readers, sizes

    def within(self, sums: Iterable[Sum]) -> list[Sum]:
        """Return sums that compute such factors within their products, without those that are factors."""
        found = {made.node: made for made in sums}
        for root in sorted(found, reverse=True):
            if root in found:
                found[root] = self._taken_in(found, found[root])
        return list(found.values())

    def _taken_in(self, found: dict[int, Sum], made: Sum) -> Sum:
        """Return a sum with the factors that it can compute, which are removed."""
        products, members = list(made.products), set(made.members)
        for k, (negative, left, right) in enumerate(made.products):
            assert isinstance(right, Factor)
            for factor, other in ((right, left), (left, right)):
                inner = found.get(self._own(factor.node))
                every = sorted(factor.axes) == list(range(len(self._nodes[made.node].shape)))
                within = (
                    self._within(inner, factor) if inner and every and factor.node != other.node else None
                )
                if inner and within:
                    products[k] = Product(negative, other, within)
                    members |= {factor.node, *found.pop(inner.node).members}
                    break
        return made._replace(products=tuple(products), members=frozenset(members))

    def _own(self, index: int) -> int:
        """Return the node that has all values of one that only one node reads, and no others; -1 if there is none."""
        own = self._aliases[index].node if index in self._aliases else index
        alone = len(self._readers[index]) == 1 and own in (index, *self._readers)
        if not alone or own in self._given or (own != index and self._readers[own] != {index}):
            return -1
        mine, whole = self._sizes(index), self._sizes(own)
        more = len(whole) - len(mine)
        return own if more >= 0 and whole[more:] == mine and math.prod(whole[:more]) == 1 else -1

    def _within(self, inner: Sum, factor: Factor) -> Within | None:
        """Return what computes a factor, with the axes of the result; None unless it is a number and an outer product."""
        base, (negative, left, right) = inner.base, inner.products[0]
        if base is None or inner.negative or self._nodes[base.node].shape != ():
            return None
        if len(inner.products) > 1 or isinstance(right, Within):
            return None
        more = len(self._nodes[inner.node].shape) - len(factor.axes)
        axes = [-1] * more + list(factor.axes)
        one, other = (Factor(node, tuple(axes[k] for k in own)) for node, own in (left, right))
        outer = set(one.axes) & set(other.axes) <= {-1}
        return Within(base.node, negative, one, other) if outer else None
