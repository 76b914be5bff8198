"""Kernels for tiles whose lanes are individuals, each with its own weights.

The weights of a tile are stored in one buffer (genes, lanes): gene j of all individuals side by side. A matrix
is a view (rows, columns, lanes) of it, so ``W @ x`` is computed with whole vectors of lanes, and no weight is
broadcast. The product is one LLVM function, see `evorrn.engine.lanes.tiles`; there is also a version in plain loops.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

from evorrn.kernels import machine
from evorrn.kernels.terms import sum_of_terms
from evorrn.kernels.vector import I64, Loop, Vector, integer, new_function, scalar_type, unpacked, width_of

ROWS, VECTORS = 4, 2
"""Rows and vectors of a block of accumulators; each entry of x is loaded once for all rows of a block."""

_TERM = 5  # W, row stride, column stride, X, columns of W


def affine_function(module: ir.Module, scalar: ir.Type, width: int, count: int) -> ir.Function:
    """out[r, :] = bias[r, :] + sum over terms and j of W[r, j, :] * X[j, :]."""
    pointer = scalar.as_pointer()
    name = f"evorrn_individuals_{'f' if isinstance(scalar, ir.FloatType) else 'd'}{width}_{count}"
    # out, rows, lanes, bias (null: zero), then five for each term
    term = [pointer, I64, I64, pointer, I64]
    function = new_function(module, name, [pointer, I64, I64, pointer, *(term * count)])
    if function is None:
        return module.globals[name]
    out, rows, lanes, bias, *fields = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    lane = integer(0)
    for vectors in (VECTORS, 1):
        side = integer(vectors * width)
        whole = b.add(lane, b.mul(b.sdiv(b.sub(lanes, lane), side), side))
        along = Loop(b, lane, whole, side, [])
        blocked = b.mul(b.sdiv(rows, integer(ROWS)), integer(ROWS))
        for height, start, stop in ((ROWS, integer(0), blocked), (1, blocked, rows)):
            down = Loop(b, start, stop, integer(height), [])
            v = Vector(b, scalar, width)
            places = [
                b.add(b.mul(b.add(down.index, integer(r)), lanes), b.add(along.index, integer(c * width)))
                for r in range(height)
                for c in range(vectors)
            ]
            # Without a bias, the loads read the memory of the result, and zero is selected.
            null = b.icmp_unsigned("==", b.ptrtoint(bias, I64), integer(0))
            origin = b.select(null, out, bias)
            totals = [b.select(null, v.zero, v.load(origin, place)) for place in places]
            for position in range(0, len(fields), _TERM):
                matrix, row_stride, column_stride, tile, depth = fields[position : position + _TERM]
                starts = [b.mul(b.add(down.index, integer(r)), row_stride) for r in range(height)]
                inner = Loop(b, integer(0), depth, integer(1), totals)
                base = b.add(b.mul(inner.index, lanes), along.index)
                inputs = [v.load(tile, b.add(base, integer(c * width))) for c in range(vectors)]
                column = b.add(b.mul(inner.index, column_stride), along.index)
                updated = []
                for r in range(height):
                    for c in range(vectors):
                        weight = v.load(matrix, b.add(b.add(starts[r], column), integer(c * width)))
                        updated.append(v.fma(weight, inputs[c], inner.values[r * vectors + c]))
                totals = inner.close(updated)
            for place, total in zip(places, totals):
                v.store(total, out, place)
            down.close([])
        along.close([])
        lane = whole
    b.ret_void()
    return function


@intrinsic
def _affine_simd(typingctx: Any, out: Any, bias: Any, terms: Any) -> Any:
    signature = types.void(out, bias, terms)
    kinds = list(terms)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scalar = scalar_type(out)
        data, shape, _ = unpacked(context, builder, out, arguments[0])
        start = ir.Constant(scalar.as_pointer(), None)
        if isinstance(bias, types.Array):
            start = unpacked(context, builder, bias, arguments[1])[0]
        values = [data, *shape, start]
        for position in range(0, len(kinds), 2):
            matrix, tile = (builder.extract_value(arguments[2], position + k) for k in range(2))
            w_data, w_shape, w_strides = unpacked(context, builder, kinds[position], matrix)
            x_data = unpacked(context, builder, kinds[position + 1], tile)[0]
            values += [w_data, w_strides[0], w_strides[1], x_data, w_shape[1]]
        function = affine_function(builder.module, scalar, width_of(out), len(kinds) // 2)
        builder.call(function, values)
        return context.get_dummy_value()

    return signature, generate


@register_jitable
def _start(out, bias):
    for r in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[r, k] = 0.0 if bias is None else bias[r, k]


@register_jitable
def _accumulate(out, matrix, tile):
    for r in range(out.shape[0]):
        for j in range(matrix.shape[1]):
            for k in range(out.shape[1]):
                out[r, k] += matrix[r, j, k] * tile[j, k]


plain_affine = sum_of_terms(_start, _accumulate)
"""Set a tile (M, lanes) to a bias (M, lanes) plus a sum of matrices (M, K, lanes) times tiles (K, lanes)."""


@intrinsic
def _cube(typingctx: Any, weights: Any, offsets: Any, k: Any, rows: Any, columns: Any) -> Any:
    kind = types.Array(weights.dtype, 3, "C")
    signature = kind(weights, offsets, types.int64, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        given = context.make_array(weights)(context, builder, arguments[0])
        lanes = cgutils.unpack_tuple(builder, given.shape, 2)[1]
        table = context.make_array(offsets)(context, builder, arguments[1]).data
        start = builder.load(builder.gep(table, [arguments[2]]))
        rows, columns = arguments[3:]
        made = context.make_array(kind)(context, builder)
        made.data = builder.gep(given.data, [builder.mul(start, lanes)])
        made.nitems = builder.mul(builder.mul(rows, columns), lanes)
        made.itemsize = given.itemsize
        row = builder.mul(lanes, given.itemsize)
        made.shape = cgutils.pack_array(builder, [rows, columns, lanes])
        made.strides = cgutils.pack_array(builder, [builder.mul(columns, row), row, given.itemsize])
        made.meminfo = ir.Constant(
            made.meminfo.type, None
        )  # no reference is counted: the caller owns the buffer
        made.parent = ir.Constant(made.parent.type, None)
        return made._getvalue()

    return signature, generate


@intrinsic(prefer_literal=True)
def _local(typingctx: Any, count: Any) -> Any:
    if not isinstance(count, types.IntegerLiteral):
        return None
    kind, size = types.Array(types.float64, 1, "C"), count.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(kind)(context, builder)
        made.data = cgutils.alloca_once(builder, ir.DoubleType(), size=size)
        made.nitems = integer(size)
        made.itemsize = integer(8)
        made.shape = cgutils.pack_array(builder, [integer(size)])
        made.strides = cgutils.pack_array(builder, [integer(8)])
        made.meminfo = ir.Constant(made.meminfo.type, None)
        made.parent = ir.Constant(made.parent.type, None)
        return made._getvalue()

    return kind(count), generate


@intrinsic
def _take_number(typingctx: Any, queue: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(queue)(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", data, integer(1), "seq_cst")

    return types.int64(queue), generate


def plain_cube(weights, offsets, k, rows, columns):
    """Return block k of the weights (genes, lanes) of a tile, as a view (rows, columns, lanes)."""
    return weights[offsets[k] : offsets[k + 1]].reshape((rows, columns, weights.shape[1]))


def plain_local(count):
    """Return a vector of `count` float64 numbers; compiled, it is in registers if all indices are constants."""
    return np.empty(count)


def plain_take_number(queue):
    """Return the number in ``queue[0]`` and add 1 to it; compiled, no two threads get the same number."""
    queue[0] += 1
    return queue[0] - 1


affine: Any = _affine_simd if machine.simd() and machine.compiling() else plain_affine
"""The function that emitted programs call, see `plain_affine`."""

cube: Any = _cube if machine.compiling() else plain_cube
local: Any = _local if machine.compiling() else plain_local
take_number: Any = _take_number if machine.compiling() else plain_take_number


@register_jitable
def load_lane(weights, genome, k):
    """Copy a genome (n,) to lane k of the weights (n, lanes)."""
    for j in range(genome.shape[0]):
        weights[j, k] = genome[j]


@register_jitable
def clear_lane(tile, k):
    """Set lane k of a tile to zero."""
    for r in range(tile.shape[0]):
        tile[r, k] = 0
