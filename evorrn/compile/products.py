"""Operations that multiply entries of an array along an axis; the entries of `TABLE` join those of `evorrn.compile.ops`.

The adjoints divide by nothing, so that they are exact where entries are zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evorrn.compile.op import NUMBER, NodeBuilder, Op, Shape, count_of, size_of

# --- Products along the first axis ---------------------------------------------------------------------


def product(v: Any) -> Any:
    """Return the product of the entries along the first axis.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> evorrn.product(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [3.0, 8.0]
    """
    found = np.prod(v, axis=0)
    return np.reshape(found, np.shape(found) or (1,))


def _others(v: Any) -> Any:
    """Return for each entry the product of all others along the first axis."""
    array = np.asarray(v)
    one = np.ones_like(array[:1])
    before = np.cumprod(np.concatenate([one, array[:-1]]), axis=0)
    after = np.cumprod(np.concatenate([one, array[:0:-1]]), axis=0)[::-1]
    return before * after


def _product_shape(shape: Shape) -> Shape:
    if not shape:
        raise ValueError("expected an array, got a number")
    return shape[1:] or NUMBER


def _product_adjoint(b: NodeBuilder, y: int, x: int, g: int) -> tuple[int | None, ...]:
    letters = "ijk"[: len(b.nodes[x].shape)]
    return (
        b.apply("multiply", b.apply("others", x), b.apply("spread", g, x, form=f"{letters[1:]}->{letters}")),
    )


def _product_tangent(b: NodeBuilder, y: int, x: int, dots: Sequence[int | None]) -> int | None:
    if dots[0] is None:
        return None
    letters = "ijk"[: len(b.nodes[x].shape)]
    moved = b.apply("multiply", b.apply("others", x), dots[0])
    return b.apply("reduce", moved, form=f"{letters}->{letters[1:]}")


# --- Allocation ----------------------------------------------------------------------------------------


def allocation(usage: Any) -> Any:
    """Return shares of places to write to from their usage (N,), each from 0 to 1: most to the place used least.

    In ascending order of usage, of equal ones the first before the others, a place gets ``1 - usage`` times the usages of
    all places before it. The sum is 1 minus the product of all usages. In the gradient the order does not change.

    Source: Graves et al. 2016, "Hybrid computing using a neural network with dynamic external memory", Methods.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.allocation([0.5, 0.0, 1.0]).tolist()
    [0.0, 1.0, 0.0]
    """
    u, order = _sorted(usage)
    return _unsorted((1 - u) * _before(u), order)


def _sorted(usage: Any, *others: Any) -> tuple[Any, ...]:
    """Return arrays in ascending order of the first along the last axis, and this order."""
    order = np.argsort(np.real(usage), axis=-1, kind="stable")
    return (*(np.take_along_axis(np.asarray(v), order, -1) for v in (usage, *others)), order)


def _unsorted(values: Any, order: Any) -> Any:
    found = np.empty_like(values)
    np.put_along_axis(found, order, values, -1)
    return found


def _before(u: Any) -> Any:
    """Return the product of all entries before each one along the last axis."""
    return np.cumprod(np.concatenate([np.ones_like(u[..., :1]), u[..., :-1]], axis=-1), axis=-1)


def _allocation_adjoint(usage: Any, gradient: Any) -> Any:
    """Return the gradient of the usage from that of its allocation."""
    u, g, order = _sorted(usage, gradient)
    later = np.zeros_like(g)  # what a product of the usages up to here is worth
    for k in range(u.shape[-1] - 2, -1, -1):
        later[..., k] = (1 - u[..., k + 1]) * g[..., k + 1] + u[..., k + 1] * later[..., k + 1]
    return _unsorted(_before(u) * (later - g), order)


def _allocation_tangent(usage: Any, tangent: Any) -> Any:
    """Return the tangent of the allocation from that of the usage."""
    u, du, order = _sorted(usage, tangent)
    before = _before(u)
    change = np.zeros_like(du)
    for k in range(1, u.shape[-1]):
        change[..., k] = change[..., k - 1] * u[..., k - 1] + before[..., k - 1] * du[..., k - 1]
    return _unsorted((1 - u) * change - du * before, order)


def _unchanged(shape: Shape, *_: Shape) -> Shape:
    if not shape:
        raise ValueError("expected an array, got a number")
    return shape


def _sorting_work(shape: Shape, operands: Sequence[Shape], form: str, sizes: Mapping[str, int]) -> int:
    """The comparisons of an insertion sort of entries in random order, and a few products."""
    return count_of(shape, sizes) * (4 + size_of(shape[-1], sizes) // 4)


TABLE: dict[str, Op] = {
    "product": Op(product, _product_shape, _product_adjoint, _product_tangent),
    "others": Op(_others, _unchanged, None, None, flops=2),
    "allocation": Op(
        allocation,
        _unchanged,
        lambda b, y, u, g: (b.apply("allocation_adjoint", u, g),),
        lambda b, y, u, dots: None if dots[0] is None else b.apply("allocation_tangent", u, dots[0]),
        work=_sorting_work,
    ),
    "allocation_adjoint": Op(_allocation_adjoint, _unchanged, None, None, work=_sorting_work),
    "allocation_tangent": Op(_allocation_tangent, _unchanged, None, None, work=_sorting_work),
}
"""The operations by name."""
