"""Quadratic forms of a vector: products of pairs of its entries, each pair once; `TABLE` joins `evorrn.compile.ops`.

A sum of ``V[k, i, j] v[i] v[j]`` over all i and j needs the products for j >= i alone, with the weights of both orders added.
That halves the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from evorrn.compile.op import NodeBuilder, Op, Shape, count_of, show, total


def pairs(u: Any, v: Any) -> Any:
    """Return ``u[i] v[j] + v[i] u[j]`` for all i and j >= i along the last axis: those of the first i, of the second, ..."""
    i, j = np.triu_indices(np.shape(u)[-1])
    return u[..., i] * v[..., j] + v[..., i] * u[..., j]


def _symmetric(g: Any, v: Any) -> Any:
    """Return a symmetric matrix times v, from its entries (pairs,): what `pairs` is to u, in the other direction."""
    i, j = np.triu_indices(np.shape(v)[-1])
    shape = np.broadcast_shapes(np.shape(g)[:-1], np.shape(v)[:-1])
    matrix = np.zeros((*shape, np.shape(v)[-1], np.shape(v)[-1]), np.result_type(g, v))
    matrix[..., i, j] += g
    matrix[..., j, i] += g
    return (matrix @ v[..., None])[..., 0]


def folded(weights: Any) -> Any:
    """Return the weights of `pairs` from those of all products along the last two axes, one half of the sum of both orders."""
    i, j = np.triu_indices(np.shape(weights)[-1])
    both = (weights[..., i, j] + weights[..., j, i]) / 2
    return np.where(i == j, both / 2, both)


def _unfolded(g: Any, like: Any) -> Any:
    """Return the gradient of all weights from that of the folded ones."""
    i, j = np.triu_indices(np.shape(like)[-1])
    matrix = np.zeros((*np.shape(g)[:-1], *np.shape(like)[-2:]), np.result_type(g))
    share = np.where(i == j, g / 4, g / 2)
    matrix[..., i, j] += share
    matrix[..., j, i] += share
    return matrix


def _pairs_shape(u: Shape, v: Shape) -> Shape:
    if len(u) != 1 or u != v:
        raise ValueError(f"pairs need two vectors that fit, got {show(u)} and {show(v)}")
    return (f"pairs({u[0]})",)


def _symmetric_shape(g: Shape, v: Shape) -> Shape:
    return v


def _folded_shape(weights: Shape) -> Shape:
    if len(weights) < 2 or weights[-1] != weights[-2]:
        raise ValueError(f"expected two last dimensions that are equal, got {show(weights)}")
    return (*weights[:-2], f"pairs({weights[-1]})")


def _pairs_tangent(b: NodeBuilder, y: int, u: int, v: int, dots: Sequence[int | None]) -> int | None:
    first = None if dots[0] is None else b.apply("pairs", dots[0], v)
    second = None if dots[1] is None else b.apply("pairs", u, dots[1])
    return total(b, (first, second))


TABLE: dict[str, Op] = {
    "pairs": Op(
        pairs,
        _pairs_shape,
        lambda b, y, u, v, g: (b.apply("symmetric", g, v), b.apply("symmetric", g, u)),
        _pairs_tangent,
        work=lambda shape, operands, form, sizes: 2 * count_of(shape, sizes),
    ),
    "symmetric": Op(
        _symmetric,
        _symmetric_shape,
        None,
        None,
        work=lambda shape, operands, form, sizes: 2 * count_of(operands[0], sizes),
    ),
    "folded": Op(
        folded,
        _folded_shape,
        lambda b, y, x, g: (b.apply("unfolded", g, x),),
        lambda b, y, x, dots: None if dots[0] is None else b.apply("folded", dots[0]),
    ),
    "unfolded": Op(_unfolded, lambda g, like: like, None, None, like=True),
}
"""The operations by name; `folded` and its derivative take weights alone."""
