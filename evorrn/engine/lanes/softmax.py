"""Micro-kernels of softmax and of its derivative, on groups of rows of a tile of lanes.

A vector of lanes runs through the rows of its group with its largest entry and its sum in registers. The LLVM functions
are built as those of `evorrn.engine.lanes.tiles`; the plain loops beside them are the oracle and the fallback for
``EVORRN_SIMD=0``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, register_jitable

from evorrn.engine.listing.addresses import arrays_of_row, entry, tile
from evorrn.kernels import exponential, machine
from evorrn.kernels.activations import exp
from evorrn.kernels.vector import I64, Loop, Vector, integer, new_function, scalar_type, width_of


class _Group:
    """The rows of a group at some lanes, as the function that is written runs through them."""

    def __init__(self, v: Vector, rows: ir.Value, lanes: ir.Value, first: ir.Value, lane: ir.Value) -> None:
        self.v, self._rows, self._lanes = v, rows, lanes
        self._start = v.builder.add(v.builder.mul(first, lanes), lane)

    def through(self, carried: Sequence[ir.Value], step: Callable[..., list[ir.Value]]) -> list[ir.Value]:
        """Emit a loop over the rows; `step` receives the place of each row and the values carried to it."""
        b = self.v.builder
        loop = Loop(b, integer(0), self._rows, integer(1), list(carried))
        place = b.add(self._start, b.mul(loop.index, self._lanes))
        return loop.close(step(place, *loop.values))


def _constant(v: Vector, value: Any) -> ir.Constant:
    return ir.Constant(v.type, [float(value)] * v.width)


def exp_of_negative(v: Vector, x: ir.Value) -> ir.Value:
    """Return exp(x) of a vector with no entry above 0, as `evorrn.kernels.exponential` computes it."""
    b, single = v.builder, v.bytes == 4
    e = exponential
    shift, log2e, high, low = (
        (e.SHIFT32, e.LOG2E32, e.LN2_HIGH32, e.LN2_LOW32)
        if single
        else (e.SHIFT64, e.LOG2E64, e.LN2_HIGH64, e.LN2_LOW64)
    )
    polynomial = e.POLYNOMIAL32 if single else [1 / math.factorial(k) for k in range(13, 1, -1)]
    least = _constant(v, -87.0 if single else -708.0)
    small = b.fcmp_ordered("<", x, least)
    shifted = v.fma(b.select(small, least, x), _constant(v, log2e), _constant(v, shift))
    n = b.fsub(shifted, _constant(v, shift))
    r = v.fma(n, _constant(v, -low), v.fma(n, _constant(v, -high), b.select(small, least, x)))
    p: ir.Value = _constant(v, polynomial[0])
    for coefficient in polynomial[1:]:
        p = v.fma(p, r, _constant(v, coefficient))
    p = v.fma(p, b.fmul(r, r), r)
    bits, bias = (23, 127) if single else (52, 1023)
    words = ir.VectorType(ir.IntType(8 * v.bytes), v.width)
    exponent = b.add(b.bitcast(shifted, words), ir.Constant(words, [bias] * v.width))
    power = b.bitcast(b.shl(exponent, ir.Constant(words, [bits] * v.width)), v.type)
    return b.select(small, v.zero, v.fma(power, p, power))


def _function(
    module: ir.Module, scalar: ir.Type, width: int, name: str, arrays: int, write: Callable[..., None]
) -> ir.Function:
    """Return a function of arrays, the groups, the rows of a group and the lanes; `write` emits what is done to a group."""
    name = f"evorrn_{name}_{'f' if isinstance(scalar, ir.FloatType) else 'd'}{width}"
    function = new_function(module, name, [*[scalar.as_pointer()] * arrays, I64, I64, I64])
    if function is None:
        return module.globals[name]
    *pointers, groups, rows, lanes = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = Vector(b, scalar, width)
    group = Loop(b, integer(0), groups, integer(1), [])
    lane = Loop(b, integer(0), lanes, integer(width), [])
    write(_Group(v, rows, lanes, b.mul(group.index, rows), lane.index), *pointers)
    lane.close([])
    group.close([])
    b.ret_void()
    return function


def _write_softmax(group: _Group, out: ir.Value, source: ir.Value) -> None:
    v, b = group.v, group.v.builder

    def larger(place: ir.Value, high: ir.Value) -> list[ir.Value]:
        value = v.load(source, place)
        return [b.select(b.fcmp_ordered(">", value, high), value, high)]

    def raised(place: ir.Value, total: ir.Value) -> list[ir.Value]:
        value = exp_of_negative(v, b.fsub(v.load(source, place), high))
        v.store(value, out, place)
        return [b.fadd(total, value)]

    def divided(place: ir.Value) -> list[ir.Value]:
        v.store(b.fmul(v.load(out, place), share), out, place)
        return []

    [high] = group.through([_constant(v, -math.inf)], larger)
    [total] = group.through([v.zero], raised)
    share = b.fdiv(_constant(v, 1.0), total)
    group.through([], divided)


def _write_slope(group: _Group, out: ir.Value, y: ir.Value, g: ir.Value) -> None:
    v, b = group.v, group.v.builder

    def added(place: ir.Value, total: ir.Value) -> list[ir.Value]:
        return [v.fma(v.load(y, place), v.load(g, place), total)]

    def written(place: ir.Value) -> list[ir.Value]:
        v.store(b.fmul(v.load(y, place), b.fsub(v.load(g, place), total)), out, place)
        return []

    [total] = group.through([v.zero], added)
    group.through([], written)


def _call(name: str, arrays: int, write: Callable[..., None]) -> Any:
    """Return the call of a function in compiled code, for rows of a listing."""

    @intrinsic
    def at_row(typingctx: Any, number: Any, row: Any, at: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            scalar = scalar_type(number)
            function = _function(builder.module, scalar, width_of(number), name, arrays, write)
            _, row, at = arguments
            pointers = arrays_of_row(builder, row, at, range(2, 2 + arrays), scalar)
            about = [entry(builder, row, 2 + arrays + k) for k in range(3)]
            builder.call(function, [*pointers, *about])
            return context.get_dummy_value()

        return types.void(number, row, at), generate

    return at_row


@register_jitable
def plain_softmax_at(F, row, at):
    """Set groups of rows to their softmax, for a row of `evorrn.engine.listing.arrays.softmax`."""
    rows, lanes = row[5], row[6]
    out, source = tile(F, at[row[2]], row[4] * rows, lanes), tile(F, at[row[3]], row[4] * rows, lanes)
    for first in range(0, row[4] * rows, rows):
        for k in range(lanes):
            high, whole = source[first, k], F(0)
            for r in range(first + 1, first + rows):
                high = source[r, k] if source[r, k] > high else high
            for r in range(first, first + rows):
                out[r, k] = exp(source[r, k] - high)
                whole += out[r, k]
            whole = F(1) / whole
            for r in range(first, first + rows):
                out[r, k] *= whole


@register_jitable
def plain_softmax_slope_at(F, row, at):
    """Set groups of rows to the gradient, for a row of `evorrn.engine.listing.arrays.softmax_slope`."""
    rows, lanes = row[6], row[7]
    count = row[5] * rows
    out, y, g = (
        tile(F, at[row[2]], count, lanes),
        tile(F, at[row[3]], count, lanes),
        tile(F, at[row[4]], count, lanes),
    )
    for first in range(0, count, rows):
        for k in range(lanes):
            whole = F(0)
            for r in range(first, first + rows):
                whole += y[r, k] * g[r, k]
            for r in range(first, first + rows):
                out[r, k] = y[r, k] * (g[r, k] - whole)


_VECTORS = machine.simd() and machine.compiling()

softmax_at: Any = _call("softmax", 2, _write_softmax) if _VECTORS else plain_softmax_at
"""See `plain_softmax_at`."""

softmax_slope_at: Any = _call("softmax_slope", 3, _write_slope) if _VECTORS else plain_softmax_slope_at
"""See `plain_softmax_slope_at`."""
