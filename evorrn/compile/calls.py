"""The functions on whole arrays that equations may call, and the nodes that a call becomes.

A handler receives a `Call` and returns the index of a node; it raises ValueError when the arguments do not fit. Other
functions that are written in the language, as those of `evorrn.compile.library`, are put in where they are called.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from itertools import islice, permutations
from typing import Any, NamedTuple

import numpy as np

from evorrn.compile import circuits, products, tensors
from evorrn.compile.graph import Builder
from evorrn.compile.op import LEAVES, NUMBER
from evorrn.compile.ops import OPS

DIMENSIONS = 3
"""The most dimensions that an array may have."""


def einsum(form: str, *arrays: Any) -> Any:
    """Return a sum of products of arrays in the notation of `numpy.einsum`, with the result's letters after ``->``.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> evorrn.einsum("ij,j->i", np.ones((2, 3)), np.ones(3)).tolist()
    [3.0, 3.0]
    """
    return np.einsum(form, *arrays)


def outer(left: Any, right: Any) -> Any:
    """Return the products of all entries of two vectors.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.outer([1.0, 2.0], [3.0, 4.0]).tolist()
    [[3.0, 4.0], [6.0, 8.0]]
    """
    return np.multiply.outer(np.asarray(left), np.asarray(right))


def dot(left: Any, right: Any) -> Any:
    """Return the sum of the products of the entries of two vectors.

    Examples
    --------
    >>> import evorrn
    >>> float(evorrn.dot([1.0, 2.0], [3.0, 4.0]))
    11.0
    """
    return np.einsum("i,i->", left, right)


def total(v: Any) -> Any:
    """Return the sum of all entries.

    Examples
    --------
    >>> import evorrn
    >>> float(evorrn.total([1.0, 2.0]))
    3.0
    """
    return np.sum(v)


def concatenate(*arrays: Any) -> Any:
    """Return arrays one after the other along the first axis.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.concatenate([1.0], [2.0, 3.0]).tolist()
    [1.0, 2.0, 3.0]
    """
    return np.concatenate(arrays)


def flatten(array: Any) -> Any:
    """Return the entries of an array as a vector.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> evorrn.flatten(np.ones((2, 2))).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    return np.reshape(array, -1)


class Call(NamedTuple):
    """A call in the equations: the builder of the graph, the values of its arguments, and its syntax.

    The value of an argument that is a text or a whole number is that text or number.
    """

    builder: Builder
    values: tuple[Any, ...]
    named: dict[str, Any]


class Literal(NamedTuple):
    """An argument that is a text or a whole number in the equations; `node` is that of the number."""

    value: Any
    node: int | None


def _array(value: Any) -> int:
    """Return the node of an argument that is an array or a number."""
    node = value.node if isinstance(value, Literal) else value
    if not isinstance(node, int):
        raise ValueError("expected an array")
    return node


def _whole(value: Any, what: str) -> int:
    if not isinstance(value, Literal) or type(value.value) is not int:
        raise ValueError(f"expected a whole number as {what}")
    return value.value


def _arguments(call: Call, least: int, names: Sequence[str] = ()) -> tuple[list[int], list[Any]]:
    """Return the first `least` arguments, which are arrays, and those with the given names, which may be left out."""
    if not least <= len(call.values) <= least + len(names) or set(call.named) - set(names):
        raise ValueError(
            f"expected {least} array{'s' * (least > 1)}" + f" and {', '.join(names)}" * bool(names)
        )
    rest = list(call.values[least:])
    further = [rest[k] if k < len(rest) else call.named.get(name) for k, name in enumerate(names)]
    return [_array(value) for value in call.values[:least]], further


def contraction(b: Builder, form: str, operands: Sequence[int]) -> int:
    """Return the node of a contraction.

    The products of states come first and the weights last, as a product with one matrix where that is possible.
    """
    if form.count("->") != 1:
        raise ValueError(f"expected the letters of the result after one ->, got {form!r}")
    names, result = tensors.letters(form.replace(" ", ""))
    if len(names) != len(operands):
        raise ValueError(f"{form!r} is for {len(names)} arrays, got {len(operands)}")
    for each in (*names, result):
        if len(set(each)) < len(each) or (each and not (each.isalpha() and each.isascii())):
            raise ValueError(f"expected different letters, got {each!r}")
    if len(result) > DIMENSIONS:
        raise ValueError(f"expected a result of at most {DIMENSIONS} dimensions, got {result!r}")
    missing = set(result) - set("".join(names))
    if missing:
        raise ValueError(f"the letter {missing.pop()} of the result is in no array")
    tensors.dimensions(",".join(names) + "->" + result, [b.shape(index) for index in operands])
    parts = []
    for k, (letters, index) in enumerate(zip(names, operands)):
        others = set("".join(names[:k] + names[k + 1 :])) | set(result)
        kept = "".join(letter for letter in letters if letter in others)
        parts.append(
            (kept, index if kept == letters else b.apply("reduce", index, form=f"{letters}->{kept}"))
        )
    weights = [part for part in parts if not b.varies(part[1])]
    states = [part for part in parts if b.varies(part[1])]
    groups = [(g, [*other, (result, -1)]) for g, other in ((states, weights), (weights, states)) if g]
    if any(_order(group, outside) is None for group, outside in groups):
        groups = [(parts, [(result, -1)])]
    products = [_product(b, group, outside) for group, outside in groups]
    if len(products) == 2:
        return _weighted(b, products[1], products[0], result)
    letters, index = products[0]
    return index if letters == result else b.apply("reduce", index, form=f"{letters}->{result}")


def _product(b: Builder, group: list[tuple[str, int]], outside: list[tuple[str, int]]) -> tuple[str, int]:
    """Return the product of a group of arrays with the letters that others or the result have, and its node."""
    found = _order(group, outside)
    if found is None:
        parts = ", ".join(names for names, _ in group)
        raise ValueError(
            f"a product of {parts} needs more than {DIMENSIONS} dimensions; write smaller products"
        )
    order, kept = found
    letters, index = order[0]
    for (more, other), result in zip(order[1:], kept[1:]):
        index = b.apply("contract", index, other, form=f"{letters},{more}->{result}")
        letters = result
    return letters, index


def _order(
    group: list[tuple[str, int]], outside: list[tuple[str, int]]
) -> tuple[list[tuple[str, int]], list[str]] | None:
    """Return the order in which no product of a group has too many dimensions, and the letters of the products."""
    for order in islice(permutations(group), 1000):
        kept = _kept([names for names, _ in order], [names for names, _ in outside])
        if max(map(len, kept)) <= DIMENSIONS:
            return list(order), kept
    return None


def _kept(group: list[str], outside: list[str]) -> list[str]:
    """Return the letters of the products of the first one, two, ... arrays of a group."""
    kept = [group[0]]
    for k, more in enumerate(group[1:], start=2):
        later = set("".join([*group[k:], *outside]))
        union = kept[-1] + "".join(letter for letter in more if letter not in kept[-1])
        kept.append("".join(letter for letter in union if letter in later))
    if len(outside) == 1 and len(group) > 1:
        kept[-1] = outside[0]  # the result, in its order
    return kept


def _weighted(b: Builder, weight: tuple[str, int], state: tuple[str, int], result: str) -> int:
    """Return the node of a weight array times a state array."""
    (letters, matrix), (summed, array) = weight, state
    rows = "".join(letter for letter in letters if letter not in summed)
    vector = _squared(b, array)
    if vector is not None and result and letters == result + summed:
        return b.apply("matvec", b.apply("folded", matrix), b.apply("pairs", vector, vector))
    if not summed or not rows or set(summed) - set(letters) or set(result) != set(rows):
        return b.apply("contract", array, matrix, form=f"{summed},{letters}->{result}")
    if letters == summed + result:
        return b.apply("matvec_transposed", matrix, array)
    if letters != result + summed:
        matrix = b.apply("reduce", matrix, form=f"{letters}->{result}{summed}")
    return b.apply("matvec", matrix, array)


def _squared(b: Builder, index: int) -> int | None:
    """Return the vector of which a node has the products of all pairs of entries; None for other nodes."""
    node = b.nodes[index]
    if node.op != "contract" or len(set(node.operands)) > 1 or len(node.shape) != 2:
        return None
    names, _ = tensors.letters(node.form)
    return node.operands[0] if len(set("".join(names))) == 2 and len(names[0]) == 1 else None


def _einsum(call: Call) -> int:
    first = call.values[0] if call.values else None
    if not isinstance(first, Literal) or not isinstance(first.value, str) or call.named:
        raise ValueError("expected a text such as 'ij,j->i' and arrays")
    return contraction(call.builder, first.value, [_array(value) for value in call.values[1:]])


def _sum(call: Call) -> int:
    (array,), _ = _arguments(call, 1)
    letters = "ijk"[: len(call.builder.shape(array))]
    return call.builder.apply("reduce", array, form=f"{letters}->")


def _moved(op: str, steps: str = "steps") -> Callable[[Call], int]:
    """Return the handler of an operation that moves entries; `steps` is the argument with the number of places."""

    def handler(call: Call) -> int:
        given = dict(zip((steps, "axis"), call.values[1:]))
        if not 1 <= len(call.values) <= 3 or set(call.named) - ({steps, "axis"} - set(given)):
            raise ValueError("expected an array, a number of places and an axis")
        given |= call.named
        array, places = _array(call.values[0]), _whole(given.get(steps), "the number of places")
        count = len(call.builder.shape(array))
        if "axis" not in given and steps == "shift" and count > 1:
            raise ValueError("np.roll of several dimensions needs an axis")
        axis = _whole(given.get("axis", Literal(0, None)), "the axis")
        axis += count if -count <= axis < 0 else 0
        return call.builder.apply(op, array, form=f"{places}:{axis}")

    return handler


def _concatenate(call: Call) -> int:
    if not call.values or call.named:
        raise ValueError("expected arrays")
    joined = _array(call.values[0])
    for value in call.values[1:]:
        joined = call.builder.apply("concatenate", joined, _array(value))
    return joined


def _plain(op: str, count: int) -> Callable[[Call], int]:
    def handler(call: Call) -> int:
        arrays, _ = _arguments(call, count)
        if op == "softmax" and not call.builder.shape(arrays[0]):
            raise ValueError("expected an array, got a number")
        return call.builder.apply(op, *arrays)

    return handler


def _letters(form: str) -> Callable[[Call], int]:
    return lambda call: contraction(call.builder, form, _arguments(call, form.count(",") + 1)[0])


HANDLERS: dict[Callable[..., Any], Callable[[Call], int]] = {
    einsum: _einsum,
    np.einsum: _einsum,
    outer: _letters("i,j->ij"),
    np.outer: _letters("i,j->ij"),
    dot: _letters("i,i->"),
    total: _sum,
    np.sum: _sum,
    concatenate: _concatenate,
    flatten: _plain("flatten", 1),
    tensors.softmax: _plain("softmax", 1),
    tensors.push: _plain("push", 2),
    products.product: _plain("product", 1),
    products.allocation: _plain("allocation", 1),
    circuits.solve: _plain("solve", 2),
    tensors.shift: _moved("shift"),
    tensors.roll: _moved("roll"),
    np.roll: _moved("roll", "shift"),
}
"""The node of each call."""

NAMES = sorted({function.__name__ for function in HANDLERS if function.__module__.startswith("evorrn")})
"""The functions that a user imports from `evorrn`, by name."""


def sliced(b: Builder, array: int, places: Sequence[ast.expr]) -> int:
    """Return the node of ``array[place, ...]``; a place is a whole number, ``first:end`` or ``:``."""
    axis = 0
    if len(places) > len(b.shape(array)):
        raise ValueError(f"expected at most {len(b.shape(array))} places")
    if _is_number(b, array):
        raise ValueError("a number has no entries")
    for place in places:
        if isinstance(place, ast.Slice):
            if place.step is not None:
                raise ValueError("expected a slice first:end")
            start = 0 if place.lower is None else _constant(place.lower)
            if place.upper is not None:
                array = b.apply("slice", array, form=f"{axis}:{start}:{_constant(place.upper)}:0")
            elif place.lower is not None:
                raise ValueError("expected a slice with an end, first:end")
            axis += 1
        else:
            start = _constant(place)
            array = b.apply("slice", array, form=f"{axis}:{start}:{start + 1}:1")
    return array


def _is_number(b: Builder, index: int) -> bool:
    """Return whether the value of a node is a number for NumPy; a state of one entry is a vector."""
    node = b.nodes[index]
    if node.shape in ((), NUMBER) and node.op not in LEAVES:
        if OPS[node.op].emit is not None:
            return all(_is_number(b, operand) for operand in node.operands)
        dropped = node.op == "slice" and node.form.endswith(":1") and len(b.shape(node.operands[0])) == 1
        return dropped or node.form.endswith("->")
    return node.shape == ()


def _constant(place: ast.expr) -> int:
    if isinstance(place, ast.Constant) and type(place.value) is int:
        return place.value
    raise ValueError("expected whole numbers as places")
