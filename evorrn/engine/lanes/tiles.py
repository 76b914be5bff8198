"""Micro-kernels on a tile of lanes: a matrix times a tile, and the product of two tiles.

`affine_at` keeps a block of rows x vectors of the result in registers while it runs through all terms,
reading each matrix through its row and column strides, so a transposed matrix costs nothing.
`outer_at` reduces over lanes and time for the gradients of matrices. Both are LLVM functions of their
own (not inlined: one copy a program, so compiling stays cheap) built with llvmlite; the plain loops
beside them are the oracle and the fallback for ``EVORRN_SIMD=0``.

Tiles are arrays (rows, lanes), contiguous, lanes a multiple of the machine's vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

from evorrn.engine.listing.addresses import arrays_of_row, entry, tile, vector
from evorrn.kernels import machine
from evorrn.kernels.vector import (
    I64,
    Loop,
    Vector,
    integer,
    new_function,
    opaque,
    scalar_type,
    unpacked,
    width_of,
)

Blocks = Mapping[int, Sequence[tuple[int, int]]]

_NARROW = [(1, 8), (1, 4), (1, 2), (1, 1)]
BLOCKS: dict[int, Blocks] = {
    32: {4: [(4, 4), (4, 2), (4, 1)], 2: [(2, 8), (2, 4), (2, 2), (2, 1)], 1: _NARROW},
    16: {4: [(2, 6), (4, 2), (4, 1)], 2: [(2, 6), (2, 4), (2, 2), (2, 1)], 1: _NARROW},
}
"""Blocks of sums (vectors side by side, rows), by the number of registers and the vectors of a strip of the tile.

A block of v vectors and r rows takes v r registers for its sums, v for the tile and one for the matrix; with more
than there are, sums would be written to memory in every round. The first block of a strip has enough sums to hide
the latency of adding, the others take the rows that it leaves.
"""

OUTER_BLOCKS = {32: (4, 4), 16: (4, 3)}
"""Rows and columns of the block of sums in `outer`, by the number of registers."""

OUTER_BYTES = 2**14
"""About as much of the right series as `outer` reads again and again before it takes further columns."""


# One term of an affine sum, as the micro-kernel reads it: W, row stride, column stride, X, width of
# X's rows, columns of W. Pointers are kept as integers.
_TERM = ir.ArrayType(I64, 6)


def affine_function(module: ir.Module, scalar: ir.Type, width: int, blocks: Blocks) -> ir.Function:
    """out[r, :] = start + sum over terms and j of W[r, j] * X[j, :]; for the blocks see `BLOCKS`."""
    pointer = scalar.as_pointer()
    name = f"evorrn_affine_{'f' if isinstance(scalar, ir.FloatType) else 'd'}{width}"
    # out, rows, lanes, bias (null: zero), bias stride, terms, their number
    function = new_function(module, name, [pointer, I64, I64, pointer, I64, _TERM.as_pointer(), I64])
    if function is None:
        return module.globals[name]
    out, rows, lanes, bias, bias_stride, terms, count = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    tile_sum = _TileSum(Vector(b, scalar, width), out, lanes, bias, bias_stride, terms, count)
    lane = integer(0)
    for strip, shapes in blocks.items():
        tile = integer(strip * width)
        whole = b.add(lane, b.mul(b.sdiv(b.sub(lanes, lane), tile), tile))
        columns = Loop(b, lane, whole, tile, [])
        row = integer(0)
        for vectors, height in shapes:
            last = b.add(row, b.mul(b.sdiv(b.sub(rows, row), integer(height)), integer(height)))
            down = Loop(b, row, last, integer(height), [])
            for first in range(0, strip, vectors):
                place = b.add(columns.index, integer(first * width))
                _affine_block(tile_sum, height, vectors, down.index, place)
            down.close([])
            row = last
        columns.close([])
        lane = whole
    b.ret_void()
    return function


class _TileSum(NamedTuple):
    """The arguments of an affine sum, as the emitted function has them."""

    vector: Vector
    out: ir.Value
    lanes: ir.Value
    bias: ir.Value
    bias_stride: ir.Value
    terms: ir.Value
    count: ir.Value


def _affine_block(tile_sum: _TileSum, height: int, vectors: int, row: ir.Value, lane: ir.Value) -> None:
    """Emit one block of height x vectors accumulators."""
    v, out, lanes, bias, bias_stride, terms, count = tile_sum
    b, scalar, width = v.builder, v.scalar, v.width
    place = [
        [b.add(b.mul(b.add(row, integer(r)), lanes), b.add(lane, integer(c * width))) for c in range(vectors)]
        for r in range(height)
    ]
    from_bias, from_zero, ready = (b.append_basic_block(name) for name in ("from_bias", "from_zero", "ready"))
    null = ir.Constant(bias.type, None)
    b.cbranch(b.icmp_unsigned("!=", b.ptrtoint(bias, I64), b.ptrtoint(null, I64)), from_bias, from_zero)
    b.position_at_end(from_bias)
    spread = [
        v.broadcast(b.load(b.gep(bias, [b.mul(b.add(row, integer(r)), bias_stride)]))) for r in range(height)
    ]
    b.branch(ready)
    b.position_at_end(from_zero)
    b.branch(ready)
    b.position_at_end(ready)
    totals = []
    for r in range(height):
        for _ in range(vectors):
            phi = b.phi(v.type)
            phi.add_incoming(spread[r], from_bias)
            phi.add_incoming(v.zero, from_zero)
            totals.append(phi)
    each = Loop(b, integer(0), count, integer(1), totals)
    fields = [b.load(b.gep(terms, [each.index, integer(k)])) for k in range(6)]
    matrix = b.inttoptr(fields[0], scalar.as_pointer())
    row_stride, column_stride = fields[1:3]
    tile = b.inttoptr(fields[3], scalar.as_pointer())
    tile_width, depth = fields[4:]
    # One pointer for three rows: an address may add a register once or twice to another.
    starts = []
    for first in range(0, height, 3):
        pointer = opaque(b, b.gep(matrix, [b.mul(b.add(row, integer(first)), row_stride)]))
        starts += [b.gep(pointer, [b.mul(integer(r), row_stride)]) for r in range(min(3, height - first))]
    inner = Loop(b, integer(0), depth, integer(1), each.values)
    base = b.add(b.mul(inner.index, tile_width), lane)
    inputs = [v.load(tile, b.add(base, integer(c * width))) for c in range(vectors)]
    offset = b.mul(inner.index, column_stride)
    updated = []
    for r in range(height):
        weight = v.broadcast(b.load(b.gep(starts[r], [offset])))
        updated += [v.fma(weight, inputs[c], inner.values[r * vectors + c]) for c in range(vectors)]
    finished = each.close(inner.close(updated))
    for r in range(height):
        for c in range(vectors):
            v.store(finished[r * vectors + c], out, place[r][c])


def outer_function(module: ir.Module, scalar: ir.Type, width: int, block: tuple[int, int]) -> ir.Function:
    """D[r, c] += sum over t and lanes of A[t, r, :] * B[t, c, :]; for the block see `OUTER_BLOCKS`.

    Some columns of B at a time are copied to memory of the function's own: their time steps may be a power of two apart,
    and would then have few places in the cache.
    """
    pointer = scalar.as_pointer()
    name = f"evorrn_outer_{'f' if isinstance(scalar, ir.FloatType) else 'd'}{width}"
    # D, its row stride, A, its time stride, rows, B, its time stride, columns, steps, lanes
    function = new_function(module, name, [pointer, I64, pointer, I64, I64, pointer, I64, I64, I64, I64])
    if function is None:
        return module.globals[name]
    target, target_stride, left, left_stride, rows, right, right_stride, columns, steps, lanes = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    high, broad = block
    row_split = b.mul(b.sdiv(rows, integer(high)), integer(high))
    v = Vector(b, scalar, width)
    room = OUTER_BYTES // v.bytes
    own = b.alloca(scalar, integer(room))
    own.align = 64
    held = b.sdiv(integer(room), b.mul(b.mul(steps, lanes), integer(broad)))
    span = b.mul(b.select(b.icmp_signed(">", held, integer(1)), held, integer(1)), integer(broad))
    part = Loop(b, integer(0), columns, span, [])
    stop = b.add(part.index, span)
    stop = b.select(b.icmp_signed("<", stop, columns), stop, columns)
    whole = b.mul(b.sdiv(b.sub(stop, part.index), integer(broad)), integer(broad))
    column_split = b.add(part.index, whole)
    there = b.gep(right, [b.mul(part.index, lanes)])
    size = b.mul(b.sub(stop, part.index), lanes)
    fits = b.icmp_signed("<=", b.mul(size, steps), integer(room))
    moment = Loop(b, integer(0), b.select(fits, steps, integer(0)), integer(1), [])
    source, copied = b.mul(moment.index, right_stride), b.mul(moment.index, size)
    along = Loop(b, integer(0), size, integer(width), [])
    v.store(v.load(there, b.add(source, along.index)), own, b.add(copied, along.index))
    along.close([])
    moment.close([])
    there, stride = b.select(fits, own, there), b.select(fits, size, right_stride)
    for height, row_start, row_stop in ((high, integer(0), row_split), (1, row_split, rows)):
        down = Loop(b, row_start, row_stop, integer(height), [])
        for breadth, begin, end in ((broad, part.index, column_split), (1, column_split, stop)):
            along = Loop(b, begin, end, integer(breadth), [])
            time = Loop(b, integer(0), steps, integer(1), [v.zero] * (height * breadth))
            left_time = b.mul(time.index, left_stride)
            right_time = b.add(b.mul(time.index, stride), b.mul(b.sub(along.index, part.index), lanes))
            left_rows = [b.add(left_time, b.mul(b.add(down.index, integer(r)), lanes)) for r in range(height)]
            right_rows = [b.add(right_time, b.mul(integer(c), lanes)) for c in range(breadth)]
            lane = Loop(b, integer(0), lanes, integer(width), time.values)
            lefts = [v.load(left, b.add(start, lane.index)) for start in left_rows]
            rights = [v.load(there, b.add(start, lane.index)) for start in right_rows]
            updated = [
                v.fma(lefts[r], rights[c], lane.values[r * breadth + c])
                for r in range(height)
                for c in range(breadth)
            ]
            totals = time.close(lane.close(updated))
            places = [
                b.add(b.mul(b.add(down.index, integer(r)), target_stride), b.add(along.index, integer(c)))
                for r in range(height)
                for c in range(breadth)
            ]
            v.add_sums(totals, target, places)
            along.close([])
        down.close([])
    part.close([])
    b.ret_void()
    return function


@intrinsic
def _affine_at(typingctx: Any, number: Any, row: Any, at: Any, bias: Any) -> Any:
    signature = types.void(number, row, at, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scalar = scalar_type(number)
        function = affine_function(
            builder.module, scalar, width_of(number), BLOCKS[machine.registers().number]
        )
        _, row, at, bias = arguments
        out, rows, lanes, first, count = (entry(builder, row, k) for k in (2, 3, 4, 6, 7))
        places = builder.load(builder.gep(at, [out])), bias
        to, start = (builder.inttoptr(place, scalar.as_pointer()) for place in places)
        table = builder.bitcast(builder.gep(at, [first]), _TERM.as_pointer())
        builder.call(function, [to, rows, lanes, start, integer(1), table, count])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _outer_at(typingctx: Any, number: Any, row: Any, at: Any, steps: Any) -> Any:
    signature = types.void(number, row, at, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scalar = scalar_type(number)
        block = OUTER_BLOCKS[machine.registers().number]
        function = outer_function(builder.module, scalar, width_of(number), block)
        _, row, at, steps = arguments
        target, left, right = arrays_of_row(builder, row, at, (2, 3, 6), scalar)
        left_stride, rows, right_stride, columns, lanes = (entry(builder, row, k) for k in (4, 5, 7, 8, 9))
        sides = [left, left_stride, rows, right, right_stride, columns]
        builder.call(function, [target, columns, *sides, steps, lanes])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _product_into(typingctx: Any, out: Any, matrix: Any, source: Any) -> Any:
    signature = types.void(out, matrix, source)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scalar = scalar_type(out)
        function = affine_function(builder.module, scalar, width_of(out), BLOCKS[machine.registers().number])
        (to, shape, _), (left, sides, strides), (right, _, _) = (
            unpacked(context, builder, kind, value) for kind, value in zip(signature.args, arguments)
        )
        term = cgutils.alloca_once(builder, _TERM)
        addresses = builder.ptrtoint(left, I64), builder.ptrtoint(right, I64)
        for k, value in enumerate((addresses[0], *strides, addresses[1], shape[1], sides[1])):
            builder.store(value, builder.gep(term, [ir.Constant(ir.IntType(32), n) for n in (0, k)]))
        zero = ir.Constant(scalar.as_pointer(), None)
        builder.call(function, [to, *shape, zero, integer(1), term, integer(1)])
        return context.get_dummy_value()

    return signature, generate


@register_jitable
def plain_affine_at(F, row, at, bias):
    """Set a tile to a bias plus products of matrices and tiles, for a row of `evorrn.engine.listing.kernels.affine`.

    The terms begin at ``at[row[6]]``, six numbers each: address, row stride and column stride of the matrix, address
    and lanes of the tile, columns of the matrix. A bias at address 0 is zero.
    """
    rows, lanes = row[3], row[4]
    result = tile(F, at[row[2]], rows, lanes)
    for r in range(rows):
        start = F(0) if bias == 0 else vector(F, bias, rows)[r]
        for k in range(lanes):
            result[r, k] = start
    for term in range(row[7]):
        k = row[6] + 6 * term
        row_stride, column_stride, columns = at[k + 1], at[k + 2], at[k + 5]
        size = (rows - 1) * row_stride + (columns - 1) * column_stride + 1
        matrix, inputs = vector(F, at[k], size), tile(F, at[k + 3], columns, lanes)
        for r in range(rows):
            for j in range(columns):
                weight = matrix[r * row_stride + j * column_stride]
                for n in range(lanes):
                    result[r, n] += weight * inputs[j, n]


@register_jitable
def plain_outer_at(F, row, at, steps):
    """Add the product of two series of tiles, summed over time and lanes, to a matrix.

    The row is one of `evorrn.engine.listing.kernels.outer`.
    """
    rows, columns, lanes = row[5], row[8], row[9]
    result = tile(F, at[row[2]], rows, columns)
    size = result.itemsize
    for r in range(rows):
        for c in range(columns):
            for t in range(steps):  # a series that runs backward has a negative stride
                a = vector(F, at[row[3]] + t * row[4] * size, rows * lanes)
                b = vector(F, at[row[6]] + t * row[7] * size, columns * lanes)
                for k in range(lanes):
                    result[r, c] += a[r * lanes + k] * b[c * lanes + k]


@register_jitable
def plain_product_into(out, matrix, source):
    """Set a tile (R, L) to a matrix (R, K) times a tile (K, L); L is a multiple of the machine's vector."""
    rows, lanes = out.shape
    for r in range(rows):
        for k in range(lanes):
            out[r, k] = 0
        for j in range(matrix.shape[1]):
            for k in range(lanes):
                out[r, k] += matrix[r, j] * source[j, k]


affine_at: Any = _affine_at if machine.simd() and machine.compiling() else plain_affine_at
"""See `plain_affine_at`."""

outer_at: Any = _outer_at if machine.simd() and machine.compiling() else plain_outer_at
"""See `plain_outer_at`."""

product_into: Any = _product_into if machine.simd() and machine.compiling() else plain_product_into
"""See `plain_product_into`."""
