"""The table `EXPRESSIONS`: one ONNX expression for each operation of a graph.

An expression is called with the writer, the node and its operands, and returns the name of the result. A value that
differs between sequences has the batch as its first axis; what depends on weights alone is computed before, and is a
constant without that axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.compile.graph import Node
from evorrn.compile.op import Shape
from evorrn.compile.tensors import letters, numbers
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


def _product(w: Writer, node: Node, matrix: Value, array: Value) -> str:
    """The product of a matrix of weights and the array of each sequence, whose axes are the last ones of the matrix."""
    if matrix.array is None or len(matrix.shape) > 2:
        kept, rest = _letters(len(node.shape)), _letters(len(matrix.shape))[len(node.shape) :]
        return _einsum(w, (matrix, array), [kept + rest, rest], kept)
    return w.apply("MatMul", name_of(w, array), w.number(matrix.array.T, "weights"))


def _transposed_product(w: Writer, node: Node, matrix: Value, array: Value) -> str:
    """The product of a transposed matrix of weights and the array of each sequence, whose axes are the first ones of the matrix."""
    whole, summed = _letters(len(matrix.shape)), len(array.shape)
    return _einsum(w, (matrix, array), [whole, whole[:summed]], whole[summed:])


def _outer(w: Writer, node: Node, left: Value, right: Value) -> str:
    whole = _letters(len(node.shape))
    return _einsum(w, (left, right), [whole[: len(left.shape)], whole[len(left.shape) :]], whole)


def _contract(w: Writer, node: Node, *operands: Value) -> str:
    """A sum of products by `numpy.einsum`'s letters, where a number of each sequence has none."""
    given, result = letters(node.form)
    flat = [_without_axis(w, operand) if not names else operand for operand, names in zip(operands, given)]
    found = _einsum(w, flat, given, result)
    return found if result else w.apply("Unsqueeze", found, w.integers(1))


def _spread(w: Writer, node: Node, array: Value, _: Value) -> str:
    """An array repeated along the letters that it does not have."""
    (names,), result = letters(node.form)
    ones = Value(node.shape, array=np.ones(w.shape(node.shape)))
    return _einsum(w, (_without_axis(w, array) if not names else array, ones), [names, result], result)


def _einsum(w: Writer, operands: Sequence[Value], given: Sequence[str], result: str) -> str:
    """A contraction in which values that differ between sequences have one more letter, for the batch."""
    batch = next(letter for letter in _letters(26) if not any(letter in names for names in (*given, result)))
    with_batch = [
        names if value.array is not None else batch + names for value, names in zip(operands, given)
    ]
    names = [name_of(w, value) for value in operands]
    return w.apply("Einsum", *names, equation=f"{','.join(with_batch)}->{batch}{result}")


def _letters(count: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[:count]


def _without_axis(w: Writer, value: Value) -> Value:
    """Return a number of each sequence (B, 1) as (B,), and a constant as one number."""
    if value.array is not None:
        return Value((), array=value.array.reshape(()))
    return Value((), w.apply("Squeeze", value.name, w.integers(1)))


def _joined(w: Writer, node: Node, *operands: Value) -> str:
    return w.apply("Concat", *[with_batch(w, operand) for operand in operands], axis=1)


def with_batch(w: Writer, value: Value) -> str:
    """Return the name of a value with a batch axis; one that is the same for all sequences is repeated for each."""
    if value.array is None:
        return value.name
    whole = w.apply("Concat", w.batch, w.integers(*w.shape(value.shape)), axis=0)
    return w.apply("Expand", name_of(w, value), whole)


def _slice(w: Writer, node: Node, x: Value) -> str:
    axis, start, stop, drop = numbers(node.form)
    part = _part(w, x.name, axis, start, stop)
    only = drop and len(x.shape) > 1  # a single entry of a vector stays a vector of one entry
    return w.apply("Squeeze", part, w.integers(axis + 1)) if only else part


def _part(w: Writer, x: str, axis: int, start: int, stop: int) -> str:
    return w.apply("Slice", x, w.integers(start), w.integers(stop), w.integers(axis + 1))


def _shift(w: Writer, node: Node, x: Value) -> str:
    """The entries moved along an axis; zeros come in."""
    steps, axis = numbers(node.form)
    count = w.shape(x.shape)[axis]
    moved = max(-count, min(count, steps))
    kept = _part(w, x.name, axis, max(-moved, 0), count - max(moved, 0))
    before, after = [0] * (len(x.shape) + 1), [0] * (len(x.shape) + 1)
    before[axis + 1], after[axis + 1] = max(moved, 0), max(-moved, 0)
    return w.apply("Pad", kept, w.integers(*before, *after), w.number(0))


def _roll(w: Writer, node: Node, x: Value) -> str:
    """The entries moved along an axis in a circle."""
    steps, axis = numbers(node.form)
    count = w.shape(x.shape)[axis]
    cut = -steps % count
    parts = [_part(w, x.name, axis, cut, count), _part(w, x.name, axis, 0, cut)]
    return w.apply("Concat", *parts, axis=axis + 1) if cut else x.name


def _push(w: Writer, node: Node, stack: Value, top: Value) -> str:
    """A new first entry before all entries but the last."""
    first, rest = with_batch(w, top), with_batch(w, stack)
    first = first if len(stack.shape) == 1 else w.apply("Unsqueeze", first, w.integers(1))
    count = w.shape(stack.shape)[0]
    return w.apply("Concat", first, _part(w, rest, 0, 0, count - 1), axis=1) if count > 1 else first


def _every(w: Writer, node: Node, period: Value, t: Value) -> str:
    """1 where t is a multiple of the period, else 0."""
    rank = len(node.shape)
    rest = w.apply("Mod", name_of(w, t, rank), name_of(w, period, rank), fmod=1)
    return w.cast(w.apply("Equal", rest, w.number(0)), w.dtype)


def _spike(w: Writer, node: Node, v: Value) -> str:
    return w.cast(w.apply("GreaterOrEqual", v.name, w.number(0)), w.dtype)


def _solve(w: Writer, node: Node, matrix: Value, b: Value) -> str:
    """The solution of linear equations by the elimination of Gauss and Jordan, with the largest pivot of each column."""
    column = w.apply("Unsqueeze", with_batch(w, b), w.integers(2))
    system = w.apply("Concat", with_batch(w, matrix), column, axis=2)
    (size,) = w.shape(b.shape)
    free, rows = w.number(np.ones((1, size))), []
    for k in range(size):
        entries = w.apply("Squeeze", _part(w, system, 1, k, k + 1), w.integers(2))
        height = w.apply(
            "Where", w.apply("Greater", free, w.number(0)), w.apply("Abs", entries), w.number(-1)
        )
        place = w.apply("ArgMax", height, axis=1, keepdims=0)
        same = w.apply("Equal", w.apply("Unsqueeze", place, w.integers(1)), w.integers(*range(size)))
        chosen = w.cast(same, w.dtype)  # OneHot is not there in every runtime for every type
        pivot = w.apply("Einsum", chosen, entries, equation="bi,bi->b")
        row = w.apply("Einsum", chosen, system, equation="bi,bij->bj")
        row = w.apply("Div", row, w.apply("Unsqueeze", pivot, w.integers(1)))
        others = w.apply("Sub", entries, chosen)
        system = w.apply("Sub", system, w.apply("Einsum", others, row, equation="bi,bj->bij"))
        free = w.apply("Sub", free, chosen)
        rows.append(w.apply("Unsqueeze", chosen, w.integers(1)))
    order = w.apply("Concat", *rows, axis=1)
    last = w.apply("Squeeze", _part(w, system, 1, size, size + 1), w.integers(2))
    return w.apply("Einsum", order, last, equation="bki,bi->bk")


def _pairs(w: Writer, node: Node, u: Value, v: Value) -> str:
    """The products of all pairs of entries of two vectors, those of both orders added, each pair once."""
    first, second = np.triu_indices(*w.shape(u.shape))
    sums = []
    for left, right in ((first, second), (second, first)):
        entries = [
            w.apply("Gather", with_batch(w, value), w.integers(*places), axis=1)
            for value, places in ((u, left), (v, right))
        ]
        sums.append(w.apply("Mul", *entries))
    return w.apply("Add", *sums)


def _flatten(w: Writer, node: Node, x: Value) -> str:
    return w.apply("Reshape", x.name, w.integers(0, -1))


def _product_along(w: Writer, node: Node, x: Value) -> str:
    """The product along the first axis."""
    return w.apply("ReduceProd", x.name, axes=[1], keepdims=int(len(x.shape) == 1))


def _allocation(w: Writer, node: Node, usage: Value) -> str:
    """1 - usage times the usages of all places before it, found by comparing each place with each other."""
    count = w.shape(usage.shape)[-1]
    own, other = (w.apply("Unsqueeze", usage.name, w.integers(axis)) for axis in (-1, -2))
    first = w.number(np.tril(np.ones((count, count)), -1), "weights")
    less = w.cast(w.apply("Less", other, own), w.dtype)
    equal = w.apply("Mul", w.cast(w.apply("Equal", other, own), w.dtype), first)
    before = w.apply("Greater", w.apply("Add", less, equal), w.number(0))
    factors = w.apply("Where", before, other, w.number(1))
    free = w.apply("Sub", w.number(1), usage.name)
    return w.apply("Mul", free, w.apply("ReduceProd", factors, axes=[-1], keepdims=0))


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
    "matvec_transposed": _transposed_product,
    "concatenate": _joined,
    "outer": _outer,
    "log": _elementwise("Log"),
    "sqrt": _elementwise("Sqrt"),
    "maximum": _elementwise("Max"),
    "minimum": _elementwise("Min"),
    "power": _elementwise("Pow"),
    "every": _every,
    "contract": _contract,
    "reduce": _contract,
    "spread": _spread,
    "softmax": lambda w, node, x: w.apply("Softmax", x.name, axis=-1),
    "slice": _slice,
    "flatten": _flatten,
    "shift": _shift,
    "roll": _roll,
    "push": _push,
    "product": _product_along,
    "allocation": _allocation,
    "spike": _spike,
    "solve": _solve,
    "pairs": _pairs,
}
"""The ONNX expression of each operation by its name; an operation without one cannot be exported."""
