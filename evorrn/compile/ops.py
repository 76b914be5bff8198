"""The closed set of operations: one entry each, with everything that is known about it.

An entry gives the NumPy meaning, the emitted form, the adjoint, the tangent and the cost. Adding an
operation is adding one entry here; activations are entries of `evorrn.kernels.activations`, which come in
by themselves. The tests go through `OPS` and find all.

The rules of differentiation build new nodes of the same graph. A rule is called with the builder
``b``, the node ``y`` itself and its operands, and ``g``, the gradient of the node (adjoint) or the
tangents of the operands (tangent; None where an operand does not vary).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.kernels import activations

if TYPE_CHECKING:
    from evorrn.compile.graph import Builder

Shape = tuple[str, ...]
LEAVES = frozenset({"input", "parameter", "option", "constant"})

Adjoint = Callable[..., tuple[int | None, ...]]
Tangent = Callable[..., int | None]


@dataclass(frozen=True)
class Op:
    """One operation of the language.

    Attributes
    ----------
    numpy : callable
        The meaning, on arrays of one sequence.
    shape : callable
        Result shape from operand shapes; raises ValueError with a reason.
    adjoint : callable or None
        ``(b, y, *operands, g) -> gradients`` of the operands; None for operations that appear only in
        derivatives.
    tangent : callable or None
        ``(b, y, *operands, tangents) -> tangent``.
    emit : callable or None
        Scalar expression from operand expressions; None for operations on whole vectors.
    flops : int
        Multiply-adds per entry of an elementwise operation.
    recompute : bool
        Whether computing it again from its operands is cheaper than keeping it for the adjoint.
    """

    numpy: Callable[..., Any]
    shape: Callable[..., Shape]
    adjoint: Adjoint | None
    tangent: Tangent | None
    emit: Callable[..., ast.expr] | None = None
    flops: int = 1
    recompute: bool = False

    def work(self, shape: Shape, operands: Sequence[Shape], sizes: Mapping[str, int]) -> int:
        """Return the multiply-adds of one application."""
        largest = max([shape, *operands], key=len) if self.emit is None else shape
        return self.flops * int(np.prod([sizes[dimension] for dimension in largest], dtype=np.int64))


# --- Shapes ------------------------------------------------------------------------------------------


def _same(*shapes: Shape) -> Shape:
    vectors = {shape for shape in shapes if shape}
    if len(vectors) > 1:
        raise ValueError(
            "operands of shape " + " and ".join(_show(shape) for shape in shapes) + " do not fit"
        )
    return vectors.pop() if vectors else ()


def _matrix_vector(matrix: Shape, vector: Shape) -> Shape:
    if len(matrix) != 2 or len(vector) != 1 or matrix[1] != vector[0]:
        raise ValueError(
            f"a product @ needs a matrix and a vector that fit, got {_show(matrix)} @ {_show(vector)}"
        )
    return (matrix[0],)


def _transposed_vector(matrix: Shape, vector: Shape) -> Shape:
    return _matrix_vector(matrix[::-1], vector)


def _outer(left: Shape, right: Shape) -> Shape:
    return (*left, *right)


def _joined(left: Shape, right: Shape) -> Shape:
    return (f"{left[0]}+{right[0]}",)


def _like(_: Shape, like: Shape) -> Shape:
    return like


def _show(shape: Shape) -> str:
    return " x ".join(shape) if shape else "a number"


# --- Emitted forms -------------------------------------------------------------------------------------


def _binary(operator: ast.operator) -> Callable[..., ast.expr]:
    return lambda left, right: ast.BinOp(left, operator, right)


def _call(name: str) -> Callable[..., ast.expr]:
    return lambda *operands: ast.Call(ast.Name(name), list(operands), [])


def identity(x: Any) -> Any:
    """Return x."""
    return np.asarray(x) + 0.0


# --- Rules of differentiation --------------------------------------------------------------------------


def _activation(name: str, entry: activations.Activation) -> Op:
    """Return the operation of an activation, or of a slope, which no rule differentiates."""
    adjoint, tangent = (None, None) if entry.slope is None else _slope(entry.slope)
    return Op(entry.function, _same, adjoint, tangent, _call(name), entry.cost, recompute=entry.slope is None)


def _add_tangent(b: Builder, _y: int, left: int, right: int, dots: Sequence[int | None]) -> int | None:
    return total(b, dots)


def _subtract_tangent(b: Builder, _y: int, left: int, right: int, dots: Sequence[int | None]) -> int | None:
    return total(b, (dots[0], None if dots[1] is None else b.apply("negative", dots[1])))


def _multiply_adjoint(b: Builder, _y: int, left: int, right: int, g: int) -> tuple[int | None, ...]:
    return b.apply("multiply", g, right), b.apply("multiply", g, left)


def _multiply_tangent(b: Builder, _y: int, left: int, right: int, dots: Sequence[int | None]) -> int | None:
    first = None if dots[0] is None else b.apply("multiply", dots[0], right)
    second = None if dots[1] is None else b.apply("multiply", left, dots[1])
    return total(b, (first, second))


def _divide_adjoint(b: Builder, y: int, _left: int, right: int, g: int) -> tuple[int | None, ...]:
    share = b.apply("divide", g, right)
    return share, b.apply("negative", b.apply("multiply", share, y))


def _divide_tangent(b: Builder, y: int, left: int, right: int, dots: Sequence[int | None]) -> int | None:
    change = None if dots[1] is None else b.apply("negative", b.apply("multiply", y, dots[1]))
    numerator = total(b, (dots[0], change))
    return None if numerator is None else b.apply("divide", numerator, right)


def _product_tangent(op: str) -> Tangent:
    def rule(b: Builder, _y: int, left: int, right: int, dots: Sequence[int | None]) -> int | None:
        first = None if dots[0] is None else b.apply(op, dots[0], right)
        second = None if dots[1] is None else b.apply(op, left, dots[1])
        return total(b, (first, second))

    return rule


def _joined_tangent(b: Builder, _y: int, left: int, right: int, dots: Sequence[int | None]) -> int | None:
    if dots[0] is None and dots[1] is None:
        return None
    zero = b.constant(0.0)
    filled = [
        b.apply("multiply", operand, zero) if dot is None else dot
        for operand, dot in zip((left, right), dots)
    ]
    return b.apply("concatenate", *filled)


def _slope(slope: Callable[[Builder, int, int], int]) -> tuple[Adjoint, Tangent]:
    """Return adjoint and tangent of a function of one variable from its slope at (y, x)."""

    def adjoint(b: Builder, y: int, x: int, g: int) -> tuple[int | None, ...]:
        return (b.apply("multiply", g, slope(b, y, x)),)

    def tangent(b: Builder, y: int, x: int, dots: Sequence[int | None]) -> int | None:
        return None if dots[0] is None else b.apply("multiply", slope(b, y, x), dots[0])

    return adjoint, tangent


def total(b: Builder, terms: Sequence[int | None]) -> int | None:
    """Return the sum of the terms that are there, None when there is none."""
    result: int | None = None
    for term in terms:
        if term is not None:
            result = term if result is None else b.apply("add", result, term)
    return result


# --- The table -----------------------------------------------------------------------------------------

OPS: dict[str, Op] = {
    "add": Op(np.add, _same, lambda b, y, u, v, g: (g, g), _add_tangent, _binary(ast.Add()), 1, True),
    "subtract": Op(
        np.subtract,
        _same,
        lambda b, y, u, v, g: (g, b.apply("negative", g)),
        _subtract_tangent,
        _binary(ast.Sub()),
        1,
        True,
    ),
    "multiply": Op(np.multiply, _same, _multiply_adjoint, _multiply_tangent, _binary(ast.Mult()), 1, True),
    "divide": Op(np.divide, _same, _divide_adjoint, _divide_tangent, _binary(ast.Div()), 4),
    "negative": Op(
        np.negative,
        _same,
        lambda b, y, u, g: (b.apply("negative", g),),
        lambda b, y, u, dots: None if dots[0] is None else b.apply("negative", dots[0]),
        lambda operand: ast.UnaryOp(ast.USub(), operand),
        1,
        True,
    ),
    "identity": Op(
        identity,
        _same,
        lambda b, y, u, g: (g,),
        lambda b, y, u, dots: dots[0],
        lambda operand: operand,
        0,
        True,
    ),
    **{name: _activation(name, entry) for name, entry in activations.TABLE.items()},
    "matvec": Op(
        lambda matrix, vector: matrix @ vector,
        _matrix_vector,
        lambda b, y, w, v, g: (b.apply("outer", g, v), b.apply("matvec_transposed", w, g)),
        _product_tangent("matvec"),
    ),
    "matvec_transposed": Op(
        lambda matrix, vector: matrix.T @ vector,
        _transposed_vector,
        lambda b, y, w, v, g: (b.apply("outer", v, g), b.apply("matvec", w, g)),
        _product_tangent("matvec_transposed"),
    ),
    "outer": Op(np.outer, _outer, None, _product_tangent("outer")),
    "concatenate": Op(
        lambda left, right: np.concatenate([left, right]),
        _joined,
        lambda b, y, u, v, g: (b.apply("head", g, u), b.apply("tail", g, v)),
        _joined_tangent,
        flops=0,
    ),
    "head": Op(lambda whole, like: whole[: len(like)], _like, None, None, flops=0),
    "tail": Op(lambda whole, like: whole[-len(like) :], _like, None, None, flops=0),
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "identity": identity,
    **{name: entry.function for name, entry in activations.TABLE.items() if entry.slope is not None},
}
"""What an equation may call, by name."""

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    name: function for name, function in FUNCTIONS.items() if name != "exp"
}
"""What a cell may take as an activation, by name."""
