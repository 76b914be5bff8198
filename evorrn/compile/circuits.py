"""Operations of cells that model circuits: a spike with a surrogate slope, and the solution of linear equations.

The entries of `TABLE` join those of `evorrn.compile.ops.OPS`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evorrn.compile.op import NodeBuilder, Op, Shape, show, size_of, total

STEEPNESS = 10.0
"""How fast the surrogate slope of a spike falls with the distance from the threshold."""


def spike(v: Any) -> Any:
    """Return 1 where a number is at least 0, else 0, with the gradient ``1 / (1 + 10 |v|)^2`` in place of none.

    This surrogate slope is that of the fast sigmoid ``v / (1 + 10 |v|)``. The imaginary part of a complex number
    is a change of its real part: that of the result is the change by the surrogate slope.

    Source: Zenke and Ganguli 2018, "SuperSpike: supervised learning in multilayer spiking neural networks". The
    steepness of 10 is a choice made here, for thresholds of about 1; ``spike(k * v)`` has another one, and a
    slope k times as large.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.spike([-0.5, 0.0, 2.0]).tolist()
    [0.0, 1.0, 1.0]
    """
    high = np.where(np.real(v) >= 0, 1.0, 0.0)
    return high + 1j * np.imag(v) / (1 + STEEPNESS * np.abs(np.real(v))) ** 2 if np.iscomplexobj(v) else high


def _emit_spike(v: ast.expr) -> ast.expr:
    one, zero = (ast.Call(ast.Name("F"), [ast.Constant(number)], []) for number in (1.0, 0.0))
    return ast.IfExp(ast.Compare(v, [ast.GtE()], [zero]), one, zero)


def _surrogate_slope(b: NodeBuilder, v: int) -> int:
    distance = b.apply("maximum", v, b.apply("negative", v))
    root = b.apply("add", b.constant(1.0), b.apply("multiply", b.constant(STEEPNESS), distance))
    return b.apply("divide", b.constant(1.0), b.apply("multiply", root, root))


def solve(matrix: Any, b: Any) -> Any:
    """Return the vector x (N,) with ``matrix @ x = b``; its numbers are not finite if the matrix is singular.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> evorrn.solve(np.array([[2.0, 0.0], [0.0, 4.0]]), [2.0, 2.0]).tolist()
    [1.0, 0.5]
    """
    try:
        return np.linalg.solve(matrix, b)
    except np.linalg.LinAlgError:
        return np.full(np.shape(b), np.nan)


def _solved(matrix: Shape, b: Shape) -> Shape:
    if len(matrix) != 2 or matrix[0] != matrix[1] or b != matrix[1:]:
        raise ValueError(f"solve needs a matrix N x N and a vector N, got {show(matrix)} and {show(b)}")
    return b


def _solve_adjoint(b: NodeBuilder, y: int, matrix: int, vector: int, g: int) -> tuple[int | None, ...]:
    back = b.apply("solve_transposed", matrix, g)
    return b.apply("contract", b.apply("negative", back), y, form="i,j->ij"), back


def _solve_transposed_adjoint(
    b: NodeBuilder, y: int, matrix: int, vector: int, g: int
) -> tuple[int | None, ...]:
    back = b.apply("solve", matrix, g)
    return b.apply("contract", b.apply("negative", y), back, form="i,j->ij"), back


def _solve_tangent(op: str, form: str) -> Any:
    """Return the tangent of a solution: the change of b less that of the matrix times x, solved."""

    def rule(b: NodeBuilder, y: int, matrix: int, vector: int, dots: Sequence[int | None]) -> int | None:
        moved = None if dots[0] is None else b.apply("negative", b.apply("contract", dots[0], y, form=form))
        change = total(b, (dots[1], moved))
        return None if change is None else b.apply(op, matrix, change)

    return rule


def _solve_work(shape: Shape, operands: Sequence[Shape], form: str, sizes: Mapping[str, int]) -> int:
    """Return the multiply-adds of elimination and of the two substitutions."""
    n = size_of(shape[0], sizes)
    return n * (n * n - 1) // 3 + n * n


TABLE: dict[str, Op] = {
    "spike": Op(
        spike,
        lambda v: v,
        lambda b, y, v, g: (b.apply("multiply", g, _surrogate_slope(b, v)),),
        lambda b, y, v, dots: (
            None if dots[0] is None else b.apply("multiply", _surrogate_slope(b, v), dots[0])
        ),
        _emit_spike,
        1,
        True,
    ),
    "solve": Op(solve, _solved, _solve_adjoint, _solve_tangent("solve", "ij,j->i"), work=_solve_work),
    "solve_transposed": Op(
        lambda matrix, b: solve(np.swapaxes(matrix, -1, -2), b),
        _solved,
        _solve_transposed_adjoint,
        _solve_tangent("solve_transposed", "ij,i->j"),
        work=_solve_work,
    ),
}
"""The operations of circuits by name."""
