"""Values of a graph in NumPy for many sequences and directions at once.

An array of a node has the shape of the node after leading axes, for instance (B, 1) for values of B sequences and
(B, K) for tangents in K directions. What does not depend on the sequence, such as a parameter, has no leading axes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import prod
from typing import Any

import numpy as np

from evorrn.compile.graph import Graph, Node
from evorrn.compile.ops import LEAVES, OPS
from evorrn.compile.tensors import letters

Values = dict[int, np.ndarray]

LAST_AXIS = ("softmax", "softmax_slope", "allocation", "pairs", "symmetric", "folded")
"""Operations along the last axes, which leading axes do not change."""
FIRST_AXES = ("concatenate", "head", "tail", "slice", "pad", "shift", "roll", "push", "product", "others")
"""Operations along axes that are counted from the first, which further axes at the end do not change."""


class Plan:
    """The values of some nodes for given values of others, again and again: what stays the same is computed once.

    Parameters
    ----------
    graph : Graph
    fixed : mapping of str to ndarray
        Values of weights and options, without leading axes.
    wanted : iterable of int
        Indices of nodes.
    """

    def __init__(self, graph: Graph, fixed: Mapping[str, np.ndarray], wanted: Iterable[int]) -> None:
        self._given: list[tuple[int, str]] = []
        self._steps: list[tuple[int, Callable[[Values], np.ndarray]]] = []
        self._known: Values = {}
        self._transposed: Values = {}  # of matrices, one copy for all their products
        kind = np.result_type(np.float32, *(array.dtype for array in fixed.values()))
        for index in graph.reachable(wanted, shapes=True):
            node = graph.nodes[index]
            if node.op == "constant":
                self._known[index] = np.asarray(node.value, kind)
            elif node.op in LEAVES and node.name in fixed:
                self._known[index] = fixed[node.name]
            elif node.op in LEAVES:
                self._given.append((index, node.name))
            else:
                self._plan(index, node, [graph.nodes[operand] for operand in node.operands])

    def _plan(self, index: int, node: Node, operands: list[Node]) -> None:
        """Compute a node that depends on nothing given, or add the step that computes it."""
        numbers = node.operands
        if all(number in self._known for number in numbers):
            with np.errstate(all="ignore"):
                self._known[index] = _apply(node, operands, [self._known[number] for number in numbers])
            return
        ranks = [len(operand.shape) for operand in operands]
        if node.op == "matvec" and ranks == [2, 1] and numbers[0] in self._known:
            if numbers[0] not in self._transposed:
                self._transposed[numbers[0]] = np.ascontiguousarray(self._known[numbers[0]].T)
            transposed, vector = self._transposed[numbers[0]], numbers[1]
            self._steps.append((index, lambda found: found[vector] @ transposed))
        elif OPS[node.op].emit is not None and len({*ranks, len(node.shape)}) == 1 and len(numbers) < 3:
            function = partial(OPS[node.op].compute, node.form)
            first, last = numbers[0], numbers[-1]
            if len(numbers) == 1:
                self._steps.append((index, lambda found: function(found[first])))
            else:
                self._steps.append((index, lambda found: function(found[first], found[last])))
        else:
            self._steps.append((index, lambda found: _apply(node, operands, [found[n] for n in numbers])))

    def __call__(self, given: Mapping[str, np.ndarray]) -> Values:
        """Return the values of all nodes by index, from those of the inputs, which have leading axes."""
        found = dict(self._known)
        for index, name in self._given:
            found[index] = given[name]
        with np.errstate(all="ignore"):
            for index, step in self._steps:
                found[index] = step(found)
        return found


def evaluate(graph: Graph, given: Mapping[str, np.ndarray], wanted: Iterable[int]) -> Values:
    """Return the values of the wanted nodes, and of those that they need, by index.

    Parameters
    ----------
    graph : Graph
    given : mapping of str to ndarray
        The value of each input, weight and option by name. Leading axes of different arrays broadcast, and there are
        equally many or none of them.
    wanted : iterable of int
        Indices of nodes.
    """
    found: Values = {}
    kind = np.result_type(*(array.dtype for array in given.values()))
    with np.errstate(all="ignore"):
        for index in graph.reachable(wanted, shapes=True):
            node = graph.nodes[index]
            if node.op == "constant":
                found[index] = np.asarray(node.value, kind)
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
    if not any(leads) or node.op in LAST_AXIS:
        return np.asarray(function(*arrays))
    if OPS[node.op].emit is not None:
        return np.asarray(function(*_aligned(arrays, ranks, len(node.shape))))
    if node.op in ("matvec", "matvec_transposed"):
        return _product(node.op, arrays, ranks)
    if node.op in ("contract", "reduce"):
        return _contract(node.form, arrays, ranks)
    return _one_by_one(node.op, function, arrays, ranks)


def _aligned(arrays: list[np.ndarray], ranks: list[int], rank: int) -> list[np.ndarray]:
    """Return the operands of an elementwise operation, numbers with as many axes as the result has."""
    return [
        array.reshape(array.shape + (1,) * (rank - own)) if array.ndim else array
        for array, own in zip(arrays, ranks)
    ]


def _product(op: str, arrays: list[np.ndarray], ranks: list[int]) -> np.ndarray:
    """Return the product of a matrix, or its transpose, with an array; either may have leading axes."""
    matrix, array = arrays
    lead, shape = matrix.shape[: matrix.ndim - ranks[0]], matrix.shape[matrix.ndim - ranks[0] :]
    along = array.shape[array.ndim - ranks[1] :]
    vector = array.reshape(*array.shape[: array.ndim - ranks[1]], prod(along))
    if op == "matvec":
        rest = shape[: ranks[0] - ranks[1]]
        flat = matrix.reshape(*lead, prod(rest), prod(along))
    else:
        rest = shape[ranks[1] :]
        flat = matrix.reshape(*lead, prod(along), prod(rest)).swapaxes(-1, -2)
    result = vector @ flat.T if not lead else (flat @ vector[..., None])[..., 0]
    return np.asarray(result.reshape(*result.shape[:-1], *rest))


def _contract(form: str, arrays: list[np.ndarray], ranks: list[int]) -> np.ndarray:
    """Return the contraction of arrays over the letters of a form; a number has no letters."""
    names, result = letters(form)
    given = [
        array if letter or not rank else array[..., 0] for array, letter, rank in zip(arrays, names, ranks)
    ]
    found = np.einsum(",".join(f"...{name}" for name in names) + f"->...{result}", *given)
    return found if result else found[..., None]


def _one_by_one(
    op: str, function: Callable[..., Any], arrays: list[np.ndarray], ranks: list[int]
) -> np.ndarray:
    """Return the value of an operation that knows no leading axes: these become one axis, at the end or looped over."""
    lead = np.broadcast_shapes(*[array.shape[: array.ndim - rank] for array, rank in zip(arrays, ranks)])
    shapes = [array.shape[array.ndim - rank :] for array, rank in zip(arrays, ranks)]
    full = [np.broadcast_to(a, lead + shape).reshape(prod(lead), *shape) for a, shape in zip(arrays, shapes)]
    if op in FIRST_AXES:
        result = np.moveaxis(function(*[np.moveaxis(array, 0, -1) for array in full]), -1, 0)
    else:
        result = np.stack([function(*one) for one in zip(*full)])
    return np.asarray(result.reshape(lead + (result.shape[1:] or (1,))))
