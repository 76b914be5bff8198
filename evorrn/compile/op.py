"""The class of one operation of a graph, and sizes of shapes in symbolic dimensions.

A dimension is a name whose size a network gives, a whole number, a sum ``"I+O"``, a product ``"N*(I+O)"``, or
``"pairs(H)"``, the number of pairs of entries of which the first is not behind the second, H (H + 1) / 2.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Shape = tuple[str, ...]
NUMBER: Shape = ("1",)
"""The shape of one number for each sequence; ``()`` is one number for all sequences, without a gradient."""

LEAVES = frozenset({"input", "parameter", "fixed", "option", "constant"})
WEIGHTS = frozenset({"parameter", "fixed"})
"""Leaves that are the same for all sequences: blocks of a genome, and arrays that are not trained."""

Adjoint = Callable[..., tuple[int | None, ...]]
Tangent = Callable[..., int | None]


def size_of(dimension: str, sizes: Mapping[str, int]) -> int:
    """Return the size of a dimension from the sizes of names."""
    if dimension in sizes:
        return sizes[dimension]
    for sign, join in (("+", sum), ("*", math.prod)):
        parts = _parts(dimension, sign)
        if len(parts) > 1:
            return join(size_of(part, sizes) for part in parts)
    if dimension.startswith("pairs("):
        count = size_of(dimension[6:-1], sizes)
        return count * (count + 1) // 2
    return size_of(dimension[1:-1], sizes) if dimension.startswith("(") else int(dimension)


def count_of(shape: Shape, sizes: Mapping[str, int]) -> int:
    """Return the number of entries of a shape from the sizes of names."""
    return math.prod(size_of(dimension, sizes) for dimension in shape)


def renamed(dimension: str, names: Mapping[str, str]) -> str:
    """Return a dimension with other names."""
    if dimension in names:
        return names[dimension]

    def other(found: re.Match[str]) -> str:
        return factor(names.get(found[0], found[0]))

    return re.sub(r"[A-Za-z_]\w*", other, dimension)


def factor(dimension: str) -> str:
    """Return a dimension as a part of a product."""
    return f"({dimension})" if "+" in dimension else dimension


def _parts(dimension: str, sign: str) -> list[str]:
    """Return the parts of a sum or a product, those in brackets whole."""
    parts, depth = [""], 0
    for letter in dimension:
        depth += (letter == "(") - (letter == ")")
        if letter == sign and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


class NodeBuilder(Protocol):
    """What rules of differentiation use of `evorrn.compile.graph.Builder`."""

    nodes: list[Any]

    def apply(self, op: str, *operands: int, form: str = "") -> int:
        """Return the index of the node of an operation."""

    def constant(self, value: float) -> int:
        """Return the index of the node of a number."""


@dataclass(frozen=True)
class Op:
    """One operation of a graph.

    Attributes
    ----------
    numpy : callable
        Computes the operation on NumPy arrays of one sequence.
    shape : callable
        Returns the shape of the result from those of the operands; raises ValueError when they do not fit.
    adjoint : callable or None
        ``(b, y, *operands, g) -> gradients`` of the operands, None for one that has no gradient; None for operations
        that appear only in derivatives.
    tangent : callable or None
        ``(b, y, *operands, tangents) -> tangent``.
    emit : callable or None
        Returns the expression for one entry from those of the operands; None for operations on whole arrays.
    flops : int
        Multiply-adds per entry of an elementwise operation.
    recompute : bool
        Whether the adjoint computes the value again from its operands, which is cheaper than to store it.
    formed : bool
        Whether `numpy` and `shape` also receive ``form``, the text of the node that says which entries are meant, for
        instance the letters of a contraction.
    like : bool
        Whether the last operand gives only the shape of the result; its values are not read.
    work : callable or None
        Returns the multiply-adds from the shapes of the result and the operands, the form and the sizes, where these
        are not `flops` for each entry of the largest of these.
    """

    numpy: Callable[..., Any]
    shape: Callable[..., Shape]
    adjoint: Adjoint | None
    tangent: Tangent | None
    emit: Callable[..., ast.expr] | None = None
    flops: int = 1
    recompute: bool = False
    formed: bool = False
    like: bool = False
    work: Callable[..., int] | None = None

    def compute(self, form: str, *operands: Any) -> Any:
        """Return the value of the operation on NumPy arrays of one sequence."""
        return self.numpy(*operands, form=form) if self.formed else self.numpy(*operands)

    def result(self, form: str, *shapes: Shape) -> Shape:
        """Return the shape of the result; raise ValueError when the operands do not fit."""
        return self.shape(*shapes, form=form) if self.formed else self.shape(*shapes)

    def cost(self, shape: Shape, operands: Sequence[Shape], form: str, sizes: Mapping[str, int]) -> int:
        """Return the multiply-adds of the operation for a result shape, operand shapes and sizes of names."""
        if self.work is not None:
            return self.work(shape, operands, form, sizes)
        largest = max([shape, *operands], key=len) if self.emit is None else shape
        return self.flops * count_of(largest, sizes)


def show(shape: Shape) -> str:
    """Return a shape for readers."""
    return " x ".join(shape) if shape else "a number"


def total(b: NodeBuilder, terms: Sequence[int | None]) -> int | None:
    """Return the sum of the terms that are not None; None when there are none."""
    result: int | None = None
    for term in terms:
        if term is not None:
            result = term if result is None else b.apply("add", result, term)
    return result
