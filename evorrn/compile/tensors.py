"""Operations on whole arrays of up to three dimensions: contractions, sums, softmax, slices and shifts.

The entries of `TABLE` join those of `evorrn.compile.ops.OPS`. The ``form`` of a node says which entries are meant: for
contractions the letters of `numpy.einsum`, for the others whole numbers and an axis, written ``"1:0"``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from evorrn.compile.op import NUMBER, Adjoint, NodeBuilder, Op, Shape, Tangent, factor, show, size_of, total

# --- Contractions ------------------------------------------------------------------------------------


def letters(form: str) -> tuple[list[str], str]:
    """Return the letters of the operands and those of the result of ``"ij,j->i"``."""
    operands, result = form.split("->")
    return operands.split(","), result


def dimensions(form: str, shapes: Sequence[Shape]) -> dict[str, str]:
    """Return the dimension of each letter of a form from the shapes of its operands.

    Raises
    ------
    ValueError
        When the letters of an operand do not fit its shape, or one letter stands for two dimensions.
    """
    found: dict[str, str] = {}
    for names, shape in zip(letters(form)[0], shapes):
        actual = () if shape == NUMBER and not names else shape
        if len(names) != len(actual):
            raise ValueError(f"the letters {names!r} need {len(names)} dimensions, got {show(shape)}")
        for letter, dimension in zip(names, actual):
            if found.setdefault(letter, dimension) != dimension:
                raise ValueError(f"the letter {letter} stands for {found[letter]} and for {dimension}")
    return found


def _contracted(*shapes: Shape, form: str) -> Shape:
    found = dimensions(form, shapes)
    return tuple(found[letter] for letter in letters(form)[1]) or NUMBER


def _contract(*arrays: Any, form: str) -> Any:
    operands, result = letters(form)
    given = [np.reshape(a, ()) if not names else a for a, names in zip(arrays, operands)]
    return np.einsum(form, *given) if result else np.reshape(np.einsum(form, *given), (1,))


def _contract_adjoint(b: NodeBuilder, y: int, left: int, right: int, g: int) -> tuple[int | None, ...]:
    (first, second), result = letters(b.nodes[y].form)
    return (
        b.apply("contract", g, right, form=f"{result},{second}->{first}"),
        b.apply("contract", g, left, form=f"{result},{first}->{second}"),
    )


def _contract_tangent(
    b: NodeBuilder, y: int, left: int, right: int, dots: Sequence[int | None]
) -> int | None:
    form = b.nodes[y].form
    first = None if dots[0] is None else b.apply("contract", dots[0], right, form=form)
    second = None if dots[1] is None else b.apply("contract", left, dots[1], form=form)
    return total(b, (first, second))


def _contract_work(shape: Shape, operands: Sequence[Shape], form: str, sizes: Mapping[str, int]) -> int:
    return math.prod(size_of(dimension, sizes) for dimension in dimensions(form, operands).values())


def _reversed(form: str) -> str:
    (names,), result = letters(form)
    return f"{result}->{names}"


def _spread(array: Any, like: Any, form: str) -> Any:
    """Return an array repeated along the letters that it does not have."""
    (names,), result = letters(form)
    given = np.reshape(array, ()) if not names else np.asarray(array)
    kept = [letter for letter in result if letter in names]
    moved = given.transpose([names.index(letter) for letter in kept])
    whole = moved.reshape([n if letter in names else 1 for n, letter in zip(np.shape(like), result)])
    return np.broadcast_to(whole, np.shape(like)) + 0.0


def _same_op(op: str) -> tuple[Adjoint, Tangent]:
    """Return the rules of a linear operation `op` whose adjoint is an operation with a form of its own."""
    reverse = {"reduce": "spread", "slice": "pad", "flatten": "unflatten"}[op]

    def adjoint(b: NodeBuilder, y: int, x: int, g: int) -> tuple[int | None, ...]:
        form = b.nodes[y].form
        return (b.apply(reverse, g, x, form=_reversed(form) if op == "reduce" else form),)

    def tangent(b: NodeBuilder, y: int, x: int, dots: Sequence[int | None]) -> int | None:
        return None if dots[0] is None else b.apply(op, dots[0], form=b.nodes[y].form)

    return adjoint, tangent


# --- Softmax -----------------------------------------------------------------------------------------


def softmax(x: Any) -> Any:
    """Return the exponentials of the entries along the last axis, divided by their sum.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.softmax([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    array = np.asarray(x)
    high = np.exp(array - np.real(array).max(axis=-1, keepdims=True))
    return high / high.sum(axis=-1, keepdims=True)


def _softmax_slope(y: Any, g: Any) -> Any:
    return y * (g - (y * g).sum(axis=-1, keepdims=True))


# --- Slices and shifts -------------------------------------------------------------------------------


def numbers(form: str) -> list[int]:
    """Return the whole numbers of a form ``"1:0"``."""
    return [int(part) for part in form.split(":")]


def _sliced(shape: Shape, form: str) -> Shape:
    axis, start, stop, drop = numbers(form)
    if axis >= len(shape):
        raise ValueError(f"there is no axis {axis} in {show(shape)}")
    if not 0 <= start < stop or (shape[axis].isdigit() and stop > int(shape[axis])):
        raise ValueError(f"entries {start} to {stop - 1} of {shape[axis]}")
    kept = () if drop else (str(stop - start),)
    return (*shape[:axis], *kept, *shape[axis + 1 :]) or NUMBER


def _slice(array: Any, form: str) -> Any:
    axis, start, stop, drop = numbers(form)
    part = array[(slice(None),) * axis + (slice(start, stop),)]
    return part.reshape(part.shape[:axis] + part.shape[axis + 1 :] or (1,)) if drop else part


def _pad(part: Any, like: Any, form: str) -> Any:
    axis, start, stop, _ = numbers(form)
    whole = np.zeros(np.shape(like), np.result_type(part))
    place = whole[(slice(None),) * axis + (slice(start, stop),)]
    place[...] = np.reshape(part, place.shape)
    return whole


def shift(v: Any, steps: int, axis: int = 0) -> Any:
    """Return an array whose entries are moved along an axis by some places; zeros come in at the end that is left.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.shift([1.0, 2.0, 3.0], 1).tolist()
    [0.0, 1.0, 2.0]
    """
    array = np.asarray(v)
    moved = np.zeros_like(array)
    axis += array.ndim if axis < 0 else 0
    count = array.shape[axis]
    to = (slice(None),) * axis + (slice(max(steps, 0), max(count + min(steps, 0), 0)),)
    source = (slice(None),) * axis + (slice(max(-steps, 0), max(count - max(steps, 0), 0)),)
    if abs(steps) < count:
        moved[to] = array[source]
    return moved


def roll(v: Any, steps: int, axis: int = 0) -> Any:
    """Return an array whose entries are moved along an axis by some places; those that leave come in at the other end.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.roll([1.0, 2.0, 3.0], 1).tolist()
    [3.0, 1.0, 2.0]
    """
    return np.roll(v, steps, axis)


def push(stack: Any, top: Any) -> Any:
    """Return an array with a new first entry; the others move by one place, and the last one is lost.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> evorrn.push(np.array([[1.0], [2.0]]), [5.0]).tolist()
    [[5.0], [1.0]]
    """
    array = np.asarray(stack)
    return np.concatenate([np.reshape(top, (1, *array.shape[1:])), array[:-1]])


def _moved(op: str) -> tuple[Adjoint, Tangent]:
    def adjoint(b: NodeBuilder, y: int, x: int, g: int) -> tuple[int | None, ...]:
        steps, axis = numbers(b.nodes[y].form)
        return (b.apply(op, g, form=f"{-steps}:{axis}"),)

    def tangent(b: NodeBuilder, y: int, x: int, dots: Sequence[int | None]) -> int | None:
        return None if dots[0] is None else b.apply(op, dots[0], form=b.nodes[y].form)

    return adjoint, tangent


def _of_axis(shape: Shape, form: str) -> Shape:
    if not 0 <= numbers(form)[1] < len(shape):
        raise ValueError(f"there is no axis {numbers(form)[1]} in {show(shape)}")
    return shape


def _by_form(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda v, form: function(v, *numbers(form))


def _pushed(stack: Shape, top: Shape) -> Shape:
    if not stack or (stack[1:] or NUMBER) != top:
        raise ValueError(
            f"a new entry of {show(stack)} has the shape {show(stack[1:] or NUMBER)}, got {show(top)}"
        )
    return stack


def _push_adjoint(b: NodeBuilder, y: int, stack: int, top: int, g: int) -> tuple[int | None, ...]:
    return b.apply("shift", g, form="-1:0"), b.apply("slice", g, form="0:0:1:1")


def _push_tangent(b: NodeBuilder, y: int, stack: int, top: int, dots: Sequence[int | None]) -> int | None:
    first = None if dots[0] is None else b.apply("shift", dots[0], form="1:0")
    second = None if dots[1] is None else b.apply("pad", dots[1], y, form="0:0:1:1")
    return total(b, (first, second))


def _flat(shape: Shape) -> Shape:
    return ("*".join(map(factor, shape)),)


def _unchanged(shape: Shape, *_: Shape) -> Shape:
    return shape


def _like(_: Shape, like: Shape, form: str = "") -> Shape:
    return like


TABLE: dict[str, Op] = {
    "contract": Op(
        _contract, _contracted, _contract_adjoint, _contract_tangent, formed=True, work=_contract_work
    ),
    "reduce": Op(_contract, _contracted, *_same_op("reduce"), formed=True),
    "spread": Op(
        _spread,
        _like,
        lambda b, y, x, like, g: (b.apply("reduce", g, form=_reversed(b.nodes[y].form)), None),
        lambda b, y, x, like, dots: (
            None if dots[0] is None else b.apply("spread", dots[0], like, form=b.nodes[y].form)
        ),
        flops=0,
        formed=True,
        like=True,
    ),
    "softmax": Op(
        softmax,
        _unchanged,
        lambda b, y, x, g: (b.apply("softmax_slope", y, g),),
        lambda b, y, x, dots: None if dots[0] is None else b.apply("softmax_slope", y, dots[0]),
        flops=18,
    ),
    "softmax_slope": Op(_softmax_slope, _unchanged, None, None, flops=3),
    "slice": Op(_slice, _sliced, *_same_op("slice"), flops=0, formed=True),
    "pad": Op(_pad, _like, None, None, flops=0, formed=True, like=True),
    "flatten": Op(lambda x: np.reshape(x, -1), _flat, *_same_op("flatten"), flops=0),
    "unflatten": Op(lambda x, like: np.reshape(x, np.shape(like)), _like, None, None, flops=0, like=True),
    "shift": Op(_by_form(shift), _of_axis, *_moved("shift"), flops=0, formed=True),
    "roll": Op(_by_form(roll), _of_axis, *_moved("roll"), flops=0, formed=True),
    "push": Op(push, _pushed, _push_adjoint, _push_tangent, flops=0),
}
"""The operations on whole arrays by name."""
