"""Values of a graph in NumPy for many sequences and directions at once.

An array of a node has the shape of the node after leading axes, for instance (B, 1) for values of B sequences and
(B, K) for tangents in K directions. What does not depend on the sequence, such as a parameter, has no leading axes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from evorrn.compile.graph import Graph, Node
from evorrn.compile.ops import LEAVES, OPS

Values = dict[int, np.ndarray]


def evaluate(graph: Graph, given: Mapping[str, np.ndarray], wanted: Iterable[int]) -> Values:
    """Return the values of the wanted nodes, and of those that they need, by index.

    Parameters
    ----------
    graph : Graph
    given : mapping of str to ndarray
        The value of each input, parameter and option by name. Leading axes of different arrays broadcast, and there
        are equally many or none of them.
    wanted : iterable of int
        Indices of nodes.
    """
    found: Values = {}
    with np.errstate(all="ignore"):
        for index in graph.reachable(wanted, shapes=True):
            node = graph.nodes[index]
            if node.op == "constant":
                found[index] = np.asarray(node.value)
            elif node.op in LEAVES:
                found[index] = given[node.name]
            else:
                operands = [graph.nodes[operand] for operand in node.operands]
                found[index] = _apply(node, operands, [found[operand] for operand in node.operands])
    return found


def _apply(node: Node, operands: list[Node], arrays: list[np.ndarray]) -> np.ndarray:
    """Return the value of an operation on arrays with leading axes."""
    ranks = [len(operand.shape) for operand in operands]
    leads = [array.shape[: array.ndim - rank] for array, rank in zip(arrays, ranks)]
    function = partial(OPS[node.op].compute, node.form)
    if not any(leads):
        return np.asarray(function(*arrays))
    if OPS[node.op].emit is not None:
        return np.asarray(function(*_aligned(arrays, ranks, len(node.shape))))
    if node.op in _WHOLE and max(ranks) <= 2 and ranks[-1] == 1:  # matrices and vectors
        return _WHOLE[node.op](*arrays)
    lead = np.broadcast_shapes(*leads)
    full = [
        np.broadcast_to(array, lead + array.shape[array.ndim - rank :]) for array, rank in zip(arrays, ranks)
    ]
    first = np.asarray(function(*[array[(0,) * len(lead)] for array in full]))
    result = np.empty(lead + first.shape)
    for place in np.ndindex(*lead):
        result[place] = function(*[array[place] for array in full])
    return result


def _aligned(arrays: list[np.ndarray], ranks: list[int], rank: int) -> list[np.ndarray]:
    """Return the operands of an elementwise operation, numbers with as many axes as the result has."""
    return [
        array.reshape(array.shape + (1,) * (rank - own)) if array.ndim else array
        for array, own in zip(arrays, ranks)
    ]


def _matvec(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    if matrix.ndim == 2:
        return np.asarray(vector @ matrix.T)
    return np.asarray((matrix @ vector[..., None])[..., 0])


def _concatenate(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    lead = np.broadcast_shapes(left.shape[:-1], right.shape[:-1])
    return np.concatenate([np.broadcast_to(part, lead + part.shape[-1:]) for part in (left, right)], axis=-1)


_WHOLE: dict[str, Callable[..., Any]] = {
    "matvec": _matvec,
    "matvec_transposed": lambda matrix, vector: _matvec(matrix.swapaxes(-1, -2), vector),
    "concatenate": _concatenate,
    "head": lambda whole, like: whole[..., : like.shape[-1]],
    "tail": lambda whole, like: whole[..., -like.shape[-1] :],
}
"""Operations on whole vectors that NumPy computes for all leading axes at once; others are computed one by one."""
