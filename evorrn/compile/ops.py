"""The table `OPS` of all operations of a graph.

An entry has the NumPy function, the emitted expression, the adjoint, the tangent and the cost of an operation. A
new operation is one new entry, which the tests then cover; activations come from `evorrn.kernels.activations`.

The rules of differentiation add nodes to the same graph. A rule is called with the builder ``b``, the node ``y``
of the operation, its operands, and ``g``: for an adjoint the gradient with respect to ``y``, for a tangent the
tangents of the operands, None for an operand that does not vary.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from evorrn.compile import circuits, pairs, products, tensors
from evorrn.compile.op import LEAVES as LEAVES
from evorrn.compile.op import NUMBER, Adjoint, NodeBuilder, Op, Shape, Tangent, show, total
from evorrn.kernels import activations
from evorrn.kernels.activation_table import Activation

# --- Shapes ------------------------------------------------------------------------------------------


def _same(*shapes: Shape) -> Shape:
    """Return the shape of the operands; one number for each sequence stands for an array of equal entries."""
    arrays = {shape for shape in shapes if shape not in ((), NUMBER)}
    if len(arrays) > 1:
        raise ValueError("operands of shape " + " and ".join(show(shape) for shape in shapes) + " do not fit")
    return arrays.pop() if arrays else max(shapes, key=len)


def _product(matrix: Shape, array: Shape) -> Shape:
    """Return the first dimensions of a matrix whose last dimensions are those of an array."""
    rest = matrix[: len(matrix) - len(array)]
    if not array or not rest or matrix[len(rest) :] != array:
        raise ValueError(
            f"a product @ needs a matrix and a vector that fit, got {show(matrix)} @ {show(array)}"
        )
    return rest


def _transposed_product(matrix: Shape, array: Shape) -> Shape:
    """Return the last dimensions of a matrix whose first dimensions are those of an array."""
    rest = matrix[len(array) :]
    if not array or not rest or matrix[: len(array)] != array:
        raise ValueError(
            f"a product @ needs a matrix and a vector that fit, got ({show(matrix)}).T @ {show(array)}"
        )
    return rest


def _outer(left: Shape, right: Shape) -> Shape:
    return (*left, *right)


def _joined(left: Shape, right: Shape) -> Shape:
    if not left or not right or left[1:] != right[1:]:
        raise ValueError(f"{show(left)} and {show(right)} cannot be concatenated")
    return (f"{left[0]}+{right[0]}", *left[1:])


def _like(_: Shape, like: Shape) -> Shape:
    return like


# --- Emitted forms -------------------------------------------------------------------------------------


def _binary(operator: ast.operator) -> Callable[..., ast.expr]:
    return lambda left, right: ast.BinOp(left, operator, right)


def _call(name: str) -> Callable[..., ast.expr]:
    return lambda *operands: ast.Call(ast.Name(name), list(operands), [])


def identity(x: Any) -> Any:
    """Return x, the activation of a linear unit.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.Network(inputs=1, outputs=1, hidden=2, cell_options={"activation": evorrn.identity})
    Network(1 -> elman 2 -> 1, 11 genes)
    """
    return np.asarray(x) + 0.0


# --- Rules of differentiation --------------------------------------------------------------------------


def _activation(name: str, entry: Activation) -> Op:
    """Return the operation of an activation, or of its derivative, which has no rules of differentiation."""
    adjoint, tangent = (None, None) if entry.slope is None else _slope(entry.slope)
    return Op(entry.function, _same, adjoint, tangent, _call(name), entry.cost, recompute=entry.slope is None)


def _add_tangent(b: NodeBuilder, _y: int, left: int, right: int, dots: Sequence[int | None]) -> int | None:
    return total(b, dots)


def _subtract_tangent(
    b: NodeBuilder, _y: int, left: int, right: int, dots: Sequence[int | None]
) -> int | None:
    return total(b, (dots[0], None if dots[1] is None else b.apply("negative", dots[1])))


def _multiply_adjoint(b: NodeBuilder, _y: int, left: int, right: int, g: int) -> tuple[int | None, ...]:
    return b.apply("multiply", g, right), b.apply("multiply", g, left)


def _multiply_tangent(
    b: NodeBuilder, _y: int, left: int, right: int, dots: Sequence[int | None]
) -> int | None:
    first = None if dots[0] is None else b.apply("multiply", dots[0], right)
    second = None if dots[1] is None else b.apply("multiply", left, dots[1])
    return total(b, (first, second))


def _divide_adjoint(b: NodeBuilder, y: int, _left: int, right: int, g: int) -> tuple[int | None, ...]:
    share = b.apply("divide", g, right)
    return share, b.apply("negative", b.apply("multiply", share, y))


def _divide_tangent(b: NodeBuilder, y: int, left: int, right: int, dots: Sequence[int | None]) -> int | None:
    change = None if dots[1] is None else b.apply("negative", b.apply("multiply", y, dots[1]))
    numerator = total(b, (dots[0], change))
    return None if numerator is None else b.apply("divide", numerator, right)


def _product_tangent(op: str) -> Tangent:
    def rule(b: NodeBuilder, _y: int, left: int, right: int, dots: Sequence[int | None]) -> int | None:
        first = None if dots[0] is None else b.apply(op, dots[0], right)
        second = None if dots[1] is None else b.apply(op, left, dots[1])
        return total(b, (first, second))

    return rule


def _joined_tangent(b: NodeBuilder, _y: int, left: int, right: int, dots: Sequence[int | None]) -> int | None:
    if dots[0] is None and dots[1] is None:
        return None
    zero = b.constant(0.0)
    filled = [
        b.apply("multiply", operand, zero) if dot is None else dot
        for operand, dot in zip((left, right), dots)
    ]
    return b.apply("concatenate", *filled)


def _slope(slope: Callable[[NodeBuilder, int, int], int]) -> tuple[Adjoint, Tangent]:
    """Return the adjoint and the tangent of a function of one variable from its derivative ``slope(b, y, x)``."""

    def adjoint(b: NodeBuilder, y: int, x: int, g: int) -> tuple[int | None, ...]:
        return (b.apply("multiply", g, slope(b, y, x)),)

    def tangent(b: NodeBuilder, y: int, x: int, dots: Sequence[int | None]) -> int | None:
        return None if dots[0] is None else b.apply("multiply", slope(b, y, x), dots[0])

    return adjoint, tangent


def _maximum_adjoint(b: NodeBuilder, y: int, left: int, right: int, g: int) -> tuple[int | None, ...]:
    chosen = b.apply("multiply", g, b.apply("at_least", left, right))
    return chosen, b.apply("subtract", g, chosen)


def _minimum_adjoint(b: NodeBuilder, y: int, left: int, right: int, g: int) -> tuple[int | None, ...]:
    chosen = b.apply("multiply", g, b.apply("at_least", right, left))
    return chosen, b.apply("subtract", g, chosen)


def _chosen_tangent(reverse: bool) -> Tangent:
    """Return the tangent of the larger or the smaller of two operands; where they are equal, that of the first."""

    def rule(b: NodeBuilder, _y: int, left: int, right: int, dots: Sequence[int | None]) -> int | None:
        first = b.apply("at_least", *((right, left) if reverse else (left, right)))
        second = b.apply("subtract", b.constant(1.0), first)
        parts = [
            None if dot is None else b.apply("multiply", share, dot)
            for share, dot in zip((first, second), dots)
        ]
        return total(b, parts)

    return rule


def _power_slopes(b: NodeBuilder, y: int, base: int, exponent: int) -> tuple[int, int]:
    """Return the derivatives of a power by its base and by its exponent, which is 0 where the base is 0."""
    less = b.apply("power", base, b.apply("subtract", exponent, b.constant(1.0)))
    positive = b.apply("maximum", base, b.constant(SMALLEST))
    return b.apply("multiply", exponent, less), b.apply("multiply", y, b.apply("log", positive))


def _power_adjoint(b: NodeBuilder, y: int, base: int, exponent: int, g: int) -> tuple[int | None, ...]:
    slopes = _power_slopes(b, y, base, exponent)
    return b.apply("multiply", g, slopes[0]), b.apply("multiply", g, slopes[1])


def _power_tangent(
    b: NodeBuilder, y: int, base: int, exponent: int, dots: Sequence[int | None]
) -> int | None:
    slopes = _power_slopes(b, y, base, exponent)
    return total(b, [None if dot is None else b.apply("multiply", s, dot) for s, dot in zip(slopes, dots)])


def at_least(left: Any, right: Any) -> Any:
    """Return 1 where the first number is at least the second, 0 elsewhere."""
    return np.where(np.real(left) >= np.real(right), 1.0, 0.0)


def maximum(left: Any, right: Any) -> Any:
    """Return the larger of two numbers, elementwise; where they are equal the gradient goes to the first one.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.maximum(0.0, [-1.0, 2.0]).tolist()
    [0.0, 2.0]
    """
    return np.where(np.real(left) >= np.real(right), left, right)


def minimum(left: Any, right: Any) -> Any:
    """Return the smaller of two numbers, elementwise; where they are equal the gradient goes to the first one.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.minimum(1.0, [0.5, 2.0]).tolist()
    [0.5, 1.0]
    """
    return np.where(np.real(left) <= np.real(right), left, right)


def power(base: Any, exponent: Any) -> Any:
    """Return a power of numbers that are not negative, elementwise.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.power([1.0, 4.0], 0.5).tolist()
    [1.0, 2.0]
    """
    return np.power(base, exponent)


def every(period: Any, t: Any) -> Any:
    """Return 1 where the number of a time step is a multiple of the period, 0 elsewhere; it has no gradient.

    Examples
    --------
    >>> import evorrn
    >>> [evorrn.every([1.0, 2.0, 4.0], t).tolist() for t in (0, 1, 2)]
    [[1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    return np.where(np.mod(t, period) == 0, 1.0, 0.0)


SMALLEST = 1e-30
"""The smallest base whose logarithm the derivative of a power takes."""


def _choice(symbol: ast.cmpop) -> Callable[..., ast.expr]:
    """Return the emitter of the first operand where it compares so with the second, or is NaN, else of the second."""

    def emit(left: ast.expr, right: ast.expr) -> ast.expr:
        nan = ast.Compare(left, [ast.NotEq()], [left])
        return ast.IfExp(ast.BoolOp(ast.Or(), [ast.Compare(left, [symbol], [right]), nan]), left, right)

    return emit


def _number(value: float) -> ast.expr:
    return ast.Call(ast.Name("F"), [ast.Constant(value)], [])


def _emit_at_least(left: ast.expr, right: ast.expr) -> ast.expr:
    return ast.IfExp(ast.Compare(left, [ast.GtE()], [right]), _number(1.0), _number(0.0))


def _emit_every(period: ast.expr, t: ast.expr) -> ast.expr:
    rest = ast.BinOp(t, ast.Mod(), period)
    return ast.IfExp(ast.Compare(rest, [ast.Eq()], [_number(0.0)]), _number(1.0), _number(0.0))


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
        lambda matrix, array: np.tensordot(matrix, array, array.ndim) if array.ndim > 1 else matrix @ array,
        _product,
        lambda b, y, w, v, g: (b.apply("outer", g, v), b.apply("matvec_transposed", w, g)),
        _product_tangent("matvec"),
    ),
    "matvec_transposed": Op(
        lambda matrix, array: np.tensordot(array, matrix, array.ndim),
        _transposed_product,
        lambda b, y, w, v, g: (b.apply("outer", v, g), b.apply("matvec", w, g)),
        _product_tangent("matvec_transposed"),
    ),
    "outer": Op(lambda left, right: np.multiply.outer(left, right), _outer, None, _product_tangent("outer")),
    "concatenate": Op(
        lambda left, right: np.concatenate([left, right]),
        _joined,
        lambda b, y, u, v, g: (b.apply("head", g, u), b.apply("tail", g, v)),
        _joined_tangent,
        flops=0,
    ),
    "head": Op(lambda whole, like: whole[: len(like)], _like, None, None, flops=0),
    "tail": Op(lambda whole, like: whole[-len(like) :], _like, None, None, flops=0),
    "maximum": Op(maximum, _same, _maximum_adjoint, _chosen_tangent(False), _choice(ast.GtE())),
    "minimum": Op(minimum, _same, _minimum_adjoint, _chosen_tangent(True), _choice(ast.LtE())),
    "at_least": Op(at_least, _same, None, None, _emit_at_least, 1, True),
    "power": Op(power, _same, _power_adjoint, _power_tangent, _binary(ast.Pow()), 30),
    "every": Op(
        every, _same, lambda b, y, u, v, g: (None, None), lambda b, y, u, v, dots: None, _emit_every, 4
    ),
    **tensors.TABLE,
    **products.TABLE,
    **pairs.TABLE,
    **circuits.TABLE,
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "identity": identity,
    **{name: entry.function for name, entry in activations.TABLE.items() if entry.slope is not None},
    **{function.__name__: function for function in (maximum, minimum, power, every, circuits.spike)},
}
"""The elementwise functions that equations of cells may call, by name."""

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    name: FUNCTIONS[name]
    for name in FUNCTIONS
    if name not in ("exp", "log", "sqrt", "maximum", "minimum", "power", "every", "spike")
}
"""The functions that an activation option of a cell may be, by name."""
