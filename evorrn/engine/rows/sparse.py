"""Sparse recurrent matrices: slices of as many rows as a vector has lanes, one row a lane.

The first entries of the rows of a slice, as many as its shortest row has, stand side by side and are
added lane by lane: no sum across a vector, and one order for each row. What longer rows have left, and
the rows after the last whole slice, are added row by row. No entry is made up to fill a slice, so a
state that is not finite spreads along true links only. Whether a matrix is run this way is decided by
its density alone, see `evorrn.engine.programs`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, register_jitable

from evorrn.kernels import machine
from evorrn.kernels.vector import I64, Loop, Vector, integer, new_function, scalar_type, unpacked, width_of


@njit
def compress(matrix, lanes):
    """Return the entries of a matrix (M, K) that are not zero, as `add_sparse` takes them.

    Returns
    -------
    depths : ndarray of int64, shape (S,)
        Entries that every row of a slice has in the slice.
    columns : ndarray of uint16, values : ndarray
        Entries of the slices, in order: all first ones of a slice's rows, then all second ones.
    rest_rows, rest_starts : ndarray of int64
        Rows with further entries, and where these begin and end.
    rest_columns : ndarray of uint16, rest_values : ndarray
    """
    rows = matrix.shape[0]
    starts = np.zeros(rows + 1, np.int64)
    for r in range(rows):
        count = 0
        for j in range(matrix.shape[1]):
            count += matrix[r, j] != 0
        starts[r + 1] = starts[r] + count
    total = starts[rows]
    found = np.empty(
        total + 1, np.uint16
    )  # a place more, since each column is written before it is known to count
    for r in range(rows):
        place = starts[r]
        for j in range(matrix.shape[1]):
            found[place] = j
            place += matrix[r, j] != 0
    depths = np.zeros(rows // lanes, np.int64)
    for s in range(depths.shape[0]):
        depths[s] = total
        for r in range(s * lanes, (s + 1) * lanes):
            depths[s] = min(depths[s], starts[r + 1] - starts[r])
    kept = depths.sum() * lanes
    columns, values = np.empty(kept, np.uint16), np.empty(kept, matrix.dtype)
    rest_columns, rest_values = np.empty(total - kept, np.uint16), np.empty(total - kept, matrix.dtype)
    rest_rows, rest_starts = np.empty(rows, np.int64), np.zeros(rows + 1, np.int64)
    start = n_rest = place = 0
    for r in range(rows):
        s, lane = r // lanes, r % lanes
        depth = depths[s] if s < depths.shape[0] else 0
        for k in range(starts[r + 1] - starts[r]):
            j = found[starts[r] + k]
            if k < depth:
                columns[start + k * lanes + lane] = j
                values[start + k * lanes + lane] = matrix[r, j]
            else:
                rest_columns[place] = j
                rest_values[place] = matrix[r, j]
                place += 1
        if starts[r + 1] - starts[r] > depth:
            rest_rows[n_rest] = r
            n_rest += 1
            rest_starts[n_rest] = place
        if lane == lanes - 1:
            start += depth * lanes
    return depths, columns, values, rest_rows[:n_rest], rest_starts, rest_columns, rest_values


@njit(fastmath={"contract"}, error_model="numpy")
def add_sparse(out, compressed, vector):
    """Add a compressed matrix times a vector to `out`."""
    depths, columns, values, rest_rows, rest_starts, rest_columns, rest_values = compressed
    add_slices(out, depths, columns, values, vector)
    for n in range(rest_rows.shape[0]):
        total = out[rest_rows[n]]
        for k in range(rest_starts[n], rest_starts[n + 1]):
            total += rest_values[k] * vector[rest_columns[k]]
        out[rest_rows[n]] = total


def _slices_function(module: ir.Module, scalar: ir.Type, width: int) -> ir.Function:
    """out[s * width + lane] += sum over k of values[s, k, lane] * vector[columns[s, k, lane]]."""
    pointer, indices = scalar.as_pointer(), ir.IntType(16).as_pointer()
    name = f"evorrn_slices_{'f' if isinstance(scalar, ir.FloatType) else 'd'}{width}"
    function = new_function(module, name, [pointer, I64.as_pointer(), I64, indices, pointer, pointer])
    if function is None:
        return module.globals[name]
    out, depths, slices, columns, values, vector = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = Vector(b, scalar, width)
    each = Loop(b, integer(0), slices, integer(1), [integer(0)])
    rows = b.mul(each.index, integer(width))
    stop = b.add(each.values[0], b.mul(b.load(b.gep(depths, [each.index])), integer(width)))
    inner = Loop(b, each.values[0], stop, integer(width), [v.load(out, rows)])
    gathered = ir.Constant(v.type, ir.Undefined)
    several = min(width, 4)
    for first in range(0, width, several):
        # Several columns a load: loads are what this kernel waits for, and gathering instructions are slower yet.
        place = b.gep(columns, [b.add(inner.index, integer(first))])
        word = b.load(b.bitcast(place, ir.IntType(16 * several).as_pointer()))
        word.align = 2
        word = b.zext(word, I64)
        for k in range(several):
            column = b.and_(b.lshr(word, integer(16 * k)), integer(0xFFFF))
            number = b.load(b.gep(vector, [column]))
            gathered = b.insert_element(gathered, number, ir.Constant(ir.IntType(32), first + k))
    (total,) = inner.close([v.fma(v.load(values, inner.index), gathered, inner.values[0])])
    v.store(total, out, rows)
    each.close([stop])
    b.ret_void()
    return function


@intrinsic
def _slices_simd(typingctx: Any, out: Any, depths: Any, columns: Any, values: Any, vector: Any) -> Any:
    signature = types.void(out, depths, columns, values, vector)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = _slices_function(builder.module, scalar_type(out), width_of(out))
        target, entries, numbers = (
            unpacked(context, builder, kind, arguments[k])[0]
            for k, kind in ((0, out), (3, values), (4, vector))
        )
        counts = context.make_array(depths)(context, builder, arguments[1])
        slices = builder.extract_value(counts.shape, 0)
        indices = context.make_array(columns)(context, builder, arguments[2]).data
        builder.call(function, [target, counts.data, slices, indices, entries, numbers])
        return context.get_dummy_value()

    return signature, generate


@register_jitable
def plain_slices(out, depths, columns, values, vector):
    """Add the slices of a compressed matrix times a vector to `out`; see `compress`."""
    if depths.shape[0] > 0:
        lanes = columns.shape[0] // max(depths.sum(), 1)
        k = 0
        for s in range(depths.shape[0]):
            for _ in range(depths[s]):
                for lane in range(lanes):
                    out[s * lanes + lane] += values[k] * vector[columns[k]]
                    k += 1


add_slices: Any = _slices_simd if machine.simd() and machine.compiling() else plain_slices
"""What `add_sparse` calls, see `plain_slices`."""
