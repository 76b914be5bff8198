"""The closed set of operations: one entry each, with everything that is known about it.

An entry gives the NumPy meaning, the emitted form, the adjoint, the tangent and the cost. Adding an
operation is adding one entry here (and its scalar kernel in `evorrn.kernels.activations`, where the
emitted form calls one); the tests go through `OPS` and find it by themselves.

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

if TYPE_CHECKING:
    from evorrn.compile.graph import Builder

Shape = tuple[str, ...]
LEAVES = frozenset({"input", "parameter", "option", "constant"})

LEAKY_SLOPE = 0.01
ELU_ALPHA = 1.0
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

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


# --- The meaning of activations on NumPy ---------------------------------------------------------------


def identity(x: Any) -> Any:
    """Return x."""
    return np.asarray(x) + 0.0


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    return np.tanh(x)


def sigmoid(x: Any) -> Any:
    """Return the logistic function ``1 / (1 + exp(-x))``."""
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-np.asarray(x)))


def exp(x: Any) -> Any:
    """Return the exponential function."""
    return np.exp(x)


def relu(x: Any) -> Any:
    """Return ``max(0, x)``; its slope at 0 is 0."""
    return np.where(np.less(x, 0), 0.0, x)


def leaky_relu(x: Any) -> Any:
    """Return x where positive, ``0.01 x`` elsewhere."""
    return np.where(np.greater(x, 0), x, LEAKY_SLOPE * np.asarray(x))


def elu(x: Any) -> Any:
    """Return x where positive, ``exp(x) - 1`` elsewhere (Clevert et al. 2016)."""
    return np.where(np.greater(x, 0), x, ELU_ALPHA * np.expm1(np.minimum(x, 0)))


def selu(x: Any) -> Any:
    """Return the self-normalising ELU (Klambauer et al. 2017)."""
    return SELU_SCALE * np.where(np.greater(x, 0), x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


def swish(x: Any) -> Any:
    """Return ``x * sigmoid(x)`` (Ramachandran et al. 2017)."""
    with np.errstate(invalid="ignore"):
        return np.where(np.less(x, -1e30), 0.0, np.asarray(x) * sigmoid(x))


def softplus(x: Any) -> Any:
    """Return ``log(1 + exp(x))``."""
    with np.errstate(invalid="ignore"):
        return np.logaddexp(0.0, x)


def _step(x: Any) -> Any:
    return np.where(np.isnan(x), x, np.greater(x, 0) * 1.0)


def _leaky_slope(x: Any) -> Any:
    return np.where(np.greater(x, 0), 1.0, LEAKY_SLOPE)


def _elu_slope(y: Any) -> Any:
    return np.where(np.greater(y, 0), 1.0, np.asarray(y) + ELU_ALPHA)


def _selu_slope(y: Any) -> Any:
    return np.where(np.greater(y, 0), SELU_SCALE, np.asarray(y) + SELU_SCALE * SELU_ALPHA)


# --- Rules of differentiation --------------------------------------------------------------------------


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


def _tanh_slope(b: Builder, y: int, _x: int) -> int:
    return b.apply("subtract", b.constant(1.0), b.apply("multiply", y, y))


def _sigmoid_slope(b: Builder, y: int, _x: int) -> int:
    return b.apply("multiply", y, b.apply("subtract", b.constant(1.0), y))


def _swish_slope(b: Builder, y: int, x: int) -> int:
    s = b.apply("sigmoid", x)
    return b.apply("add", s, b.apply("multiply", y, b.apply("subtract", b.constant(1.0), s)))


def _activation(
    function: Callable[..., Any],
    slope: Callable[[Builder, int, int], int],
    flops: int,
    recompute: bool = False,
) -> Op:
    adjoint, tangent = _slope(slope)
    return Op(function, _same, adjoint, tangent, _call(function.__name__), flops, recompute)


def _slope_only(function: Callable[..., Any], name: str) -> Op:
    return Op(function, _same, None, None, _call(name), 1, recompute=True)


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
    "tanh": _activation(tanh, _tanh_slope, 14),
    "sigmoid": _activation(sigmoid, _sigmoid_slope, 14),
    "exp": _activation(exp, lambda b, y, x: y, 12),
    "relu": _activation(relu, lambda b, y, x: b.apply("step", y), 1),
    "leaky_relu": _activation(leaky_relu, lambda b, y, x: b.apply("leaky_slope", y), 1),
    "elu": _activation(elu, lambda b, y, x: b.apply("elu_slope", y), 14),
    "selu": _activation(selu, lambda b, y, x: b.apply("selu_slope", y), 15),
    "swish": _activation(swish, _swish_slope, 15),
    "softplus": _activation(softplus, lambda b, y, x: b.apply("sigmoid", x), 26),
    "step": _slope_only(_step, "step"),
    "leaky_slope": _slope_only(_leaky_slope, "leaky_slope"),
    "elu_slope": _slope_only(_elu_slope, "elu_slope"),
    "selu_slope": _slope_only(_selu_slope, "selu_slope"),
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

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (identity, tanh, sigmoid, relu, leaky_relu, elu, selu, swish, softplus)
}
"""What a cell may take as an activation, by name."""

FUNCTIONS: dict[str, Callable[..., Any]] = {**ACTIVATIONS, "exp": exp}
"""What an equation may call, by name."""
