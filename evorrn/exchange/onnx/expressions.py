"""The table `EXPRESSIONS`: one ONNX expression for each operation of a graph.

An expression is called with the writer, the node and its operands, and returns the name of the result. A value that
differs between sequences has the batch as its first axis; what depends on weights alone is computed before, and is a
constant without that axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evorrn.compile.graph import Node
from evorrn.compile.ops import Shape
from evorrn.exchange.onnx.writer import Writer
from evorrn.kernels.activations import ELU_ALPHA, LEAKY_SLOPE, SELU_ALPHA, SELU_SCALE


@dataclass(frozen=True)
class Value:
    """The value of a node: the name of a result with a batch axis, or the array of a constant without one.

    `shape` is that of one sequence, in symbolic dimensions.
    """

    shape: Shape
    name: str = ""
    array: np.ndarray | None = None


Expression = Callable[..., str]


def name_of(w: Writer, value: Value, rank: int | None = None) -> str:
    """Return the name of a value; a number of each sequence gets as many axes as values of `rank` have."""
    if value.array is not None:
        return w.number(value.array, "weights" if value.array.ndim else "number")
    missing = 0 if rank is None else rank - len(value.shape)
    return w.apply("Reshape", value.name, w.integers(0, *[1] * (missing + 1))) if missing > 0 else value.name


def _elementwise(op: str) -> Expression:
    def expression(w: Writer, node: Node, *operands: Value) -> str:
        return w.apply(op, *[name_of(w, operand, len(node.shape)) for operand in operands])

    return expression


def _swish(w: Writer, node: Node, x: Value) -> str:
    return w.apply("Mul", x.name, w.apply("Sigmoid", x.name))


def _softplus(w: Writer, node: Node, x: Value) -> str:
    """max(x, 0) + log(1 + exp(-|x|)), which does not overflow."""
    decay = w.apply("Exp", w.apply("Neg", w.apply("Abs", x.name)))
    return w.apply("Add", w.apply("Relu", x.name), w.apply("Log", w.apply("Add", w.number(1), decay)))


def _choose(w: Writer, x: str, above: str, otherwise: str) -> str:
    """Return one value where x is positive, and another elsewhere."""
    return w.apply("Where", w.apply("Greater", x, w.number(0)), above, otherwise)


def _leaky_relu(w: Writer, node: Node, x: Value) -> str:
    return _choose(w, x.name, x.name, w.apply("Mul", w.number(LEAKY_SLOPE), x.name))


def _exponential_linear(scale: float, alpha: float) -> Expression:
    """Return ``scale * x`` where x is positive, and ``scale * alpha * (exp(x) - 1)`` elsewhere."""

    def expression(w: Writer, node: Node, x: Value) -> str:
        below = w.apply("Sub", w.apply("Exp", w.apply("Min", x.name, w.number(0))), w.number(1))
        chosen = _choose(w, x.name, x.name, w.apply("Mul", w.number(alpha), below))
        return w.apply("Mul", w.number(scale), chosen)

    return expression


def _product(w: Writer, node: Node, matrix: Value, vector: Value) -> str:
    """The product of a matrix of weights and the vector of each sequence."""
    assert matrix.array is not None
    return w.apply("MatMul", name_of(w, vector), w.number(matrix.array.T, "weights"))


def _joined(w: Writer, node: Node, *operands: Value) -> str:
    return w.apply("Concat", *[operand.name for operand in operands], axis=1)


EXPRESSIONS: dict[str, Expression] = {
    "add": _elementwise("Add"),
    "subtract": _elementwise("Sub"),
    "multiply": _elementwise("Mul"),
    "divide": _elementwise("Div"),
    "negative": _elementwise("Neg"),
    "identity": lambda w, node, x: x.name,
    "exp": _elementwise("Exp"),
    "tanh": _elementwise("Tanh"),
    "sigmoid": _elementwise("Sigmoid"),
    "softplus": _softplus,
    "swish": _swish,
    "relu": _elementwise("Relu"),
    "leaky_relu": _leaky_relu,
    "elu": _exponential_linear(1.0, ELU_ALPHA),
    "selu": _exponential_linear(SELU_SCALE, SELU_ALPHA),
    "matvec": _product,
    "concatenate": _joined,
}
"""The ONNX expression of each operation by its name; an operation without one cannot be exported."""
